"""What storage lists: files to fetch, archives to unpack, checksums, and paths that stay in their folder."""

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from retouch.errors import SourceError

SUMS = "SHA256SUMS"
SECRET = re.compile(r"(?i)([?&][^=&\s]*(?:signature|token|credential|secret|password|key)[^=&\s]*=)[^&\s]+")


@dataclass(frozen=True)
class Archive:
    """An official archive: its address, its checksum (`sha256:…`, `sha1:…`, `md5:…`) where one is published, and the
    folder, below the source's data folder, that it is unpacked to.
    """

    url: str
    checksum: str | None
    into: str = ""

    @property
    def name(self) -> str:
        """The archive's file name, which mirrors keep."""
        return unquote(urlsplit(self.url).path).rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Item:
    """One file to fetch: its place below the source's data folder, and what is known of it upstream."""

    path: str  # with /
    address: str  # S3 key, URL or path on disk
    size: int | None  # bytes
    tag: str | None  # changes with the content: ETag, size and time, checksum
    checksum: str | None  # to be verified


def redact(text: str) -> str:
    """The text without the secrets in its URLs: user and password, tokens and signatures."""
    return SECRET.sub(r"\1…", re.sub(r"(\w+://)[^/@\s]*@", r"\1", text))


def safe_path(path: str, where: str) -> str:
    """The path itself if it stays in its folder; otherwise raises SourceError that names it and `where` it is listed."""
    parts = path.split("/")
    if path.startswith("/") or re.match(r"[A-Za-z]:", path) or "\0" in path or {"", ".", ".."} & set(parts):
        raise SourceError(f"{where} holds {path!r}, a path that leaves its folder or names no file: remove it there")
    return path


def is_hidden(path: str) -> bool:
    """Whether a file or one of its folders is hidden, as macOS's `._a.jpg` and `.DS_Store` are, or lies in `__MACOSX`."""
    return any(part == "__MACOSX" or (part.startswith(".") and part not in (".", "..")) for part in path.split("/"))


def check_tree(paths: list[str], where: str) -> None:
    """Raises SourceError if one path is listed twice, or is a file and also the folder of another."""
    files = set(paths)
    if len(files) < len(paths):
        repeated = min(path for path, count in Counter(paths).items() if count > 1)
        raise SourceError(f"{where} holds {repeated!r} twice: remove one")
    folders: set[str] = set()
    for path in paths:
        while (path := path.rpartition("/")[0]) and path not in folders:
            folders.add(path)
    if both := sorted(folders & files):
        raise SourceError(f"{where} holds {both[0]!r} as a file and as a folder: remove one")


def is_below(path: str, folders: tuple[str, ...]) -> bool:
    """Whether the path lies in one of the folders; "" is the folder of everything."""
    return any(not folder or path == folder or path.startswith(f"{folder}/") for folder in folders)


def parse_sums(text: str, where: str) -> dict[str, str]:
    """A SHA256SUMS file as `sha256sum` writes it: path → `sha256:…`, without hidden files.

    Raises SourceError that names the first line in another form.
    """
    sums = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = re.fullmatch(r"([0-9a-fA-F]{64}) [ *](.+)", line)
        if match is None:
            raise SourceError(f"{where}, line {number}: not `SHA256  PATH` as `sha256sum` writes it; fix that line")
        path = safe_path(match[2].removeprefix("./"), where)
        if not is_hidden(path):
            sums[path] = f"sha256:{match[1].lower()}"
    return sums


def checksum_of(file: Path, kind: str = "sha256") -> str:
    """`kind:hex` of a file's bytes."""
    with file.open("rb") as stream:
        return f"{kind}:{hashlib.file_digest(stream, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest()}"


def has_checksum(file: Path, checksum: str) -> bool:
    """Whether the file has this checksum, `kind:hex`."""
    return checksum_of(file, checksum.partition(":")[0]) == checksum.lower()

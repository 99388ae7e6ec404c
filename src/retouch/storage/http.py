"""`https://`: one stream a file, continued by range where the server can, for lists of files and for official archives."""

import json
import os
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial as bind
from pathlib import Path
from threading import local
from urllib.parse import quote

import requests
import urllib3

from retouch.errors import SourceError
from retouch.files import write_json
from retouch.storage.items import Archive, Item, below, parse_sums, redact
from retouch.storage.remote import Advance, Patience, Remote, TransientError, discard, notes

SUMS = "SHA256SUMS"
BLOCK = 64 << 10  # bytes taken from the connection at once
CUT = urllib3.exceptions.HTTPError
TIMEOUT = (10, 60)  # seconds: to connect, between two bytes
BUSY = {408, 425, 429, 500, 502, 503, 504}
BY_HAND = "download it with a browser, unpack it into a folder and set data.location to that folder"


class Http(Remote):
    """A prefix whose SHA256SUMS lists files, or official archives by their addresses (`prefix` None) or at a prefix."""

    threads = 4

    def __init__(self, prefix: str | None) -> None:
        super().__init__()
        self.prefix = prefix.rstrip("/") if prefix else None
        self.name = redact(self.prefix) if self.prefix else "official"
        self._sums: dict[str, str] | None = None
        self._local = local()

    def items(self, folders: tuple[str, ...]) -> list[Item]:
        """The files below the folders that SHA256SUMS at the prefix lists; none where there is no such file."""
        listed = {path: checksum for path, checksum in self.sums().items() if below(path, folders)}
        return [Item(path, f"{self.prefix}/{quote(path)}", None, listed[path], listed[path]) for path in sorted(listed)]

    def sums(self) -> dict[str, str]:
        """What SHA256SUMS lists: path → checksum."""
        if self.prefix and self._sums is None:
            text = self.patiently(self._sums_text)
            self._sums = parse_sums(text, f"{self.name}/{SUMS}")
        return self._sums or {}

    def _sums_text(self) -> str:
        with closing(self._ask(f"{self.prefix}/{SUMS}", {}, allowed=(403, 404, 410))) as answer:
            try:
                return answer.content.decode(errors="replace") if answer.status_code == 200 else ""
            except requests.RequestException:
                raise TransientError("the connection was cut") from None

    def archive(self, archive: Archive) -> Item:
        """The item of an archive, from the prefix or else its own address; its tag is its checksum, or what the server says."""
        url = f"{self.prefix}/{quote(archive.name)}" if self.prefix else archive.url
        checksum = archive.checksum or self.sums().get(archive.name)
        item = Item(archive.name, url, None, checksum, checksum)
        return item if checksum else self._asked(item)

    def _asked(self, item: Item) -> Item:
        with closing(self.patiently(lambda: self._ask(item.address, {}))) as answer:  # some servers refuse HEAD
            length = answer.headers.get("Content-Length", "")
            known = (answer.headers.get("ETag", ""), answer.headers.get("Last-Modified", ""), length)
        return replace(item, tag=" ".join(known) if any(known) else None, size=int(length) if length.isdigit() else None)

    def renew(self, item: Item) -> Item:
        """The item with the size and tag that the server gives now, where no checksum says what it must be."""
        return item if item.checksum else self._asked(item)

    def pieces(self, item: Item, partial: Path, advance: Advance) -> Iterable[Callable[[], None]]:
        """One stream into the partial file, from where it ends."""
        return [bind(self._stream, item, partial, advance)]

    def _stream(self, item: Item, partial: Path, advance: Advance) -> None:
        patience = Patience(self)
        if partial.exists():
            advance(partial.stat().st_size)
        self.patiently(lambda: self._continue(item, partial, advance, patience), patience)

    def _continue(self, item: Item, partial: Path, advance: Advance, patience: Patience) -> None:
        have = partial.stat().st_size if partial.exists() else 0
        validator = json.loads(notes(partial).read_text()) if have and notes(partial).exists() else None
        if have and not validator:
            have = _restart(partial, advance, have)
        wanted: dict[str, str] = {"Range": f"bytes={have}-", "If-Range": str(validator)} if have else {}
        with closing(self._ask(item.address, wanted, allowed=(416,))) as answer:
            span = answer.headers.get("Content-Range", "")
            if answer.status_code == 416 and span == f"bytes */{have}":
                return  # it was whole
            if answer.headers.get("Content-Type", "").startswith("text/html") and not item.path.endswith((".html", ".htm")):
                raise SourceError(f"{redact(item.address)} is a page, not a file; it may want a login: {BY_HAND}")
            if answer.status_code != 206 or not span.startswith(f"bytes {have}-"):
                _restart(partial, advance, have)
                if answer.status_code != 200:
                    raise TransientError("the server sent another part than was asked for")
                write_json(notes(partial), _validator(answer))
            self._save(answer, partial, advance, patience)

    def _save(self, answer: requests.Response, partial: Path, advance: Advance, patience: Patience) -> None:
        length = answer.headers.get("Content-Length", "")
        came = 0
        with partial.open("ab") as file:
            try:
                for block in answer.raw.stream(BLOCK, decode_content=False):
                    file.write(block)
                    came += len(block)
                    advance(len(block))
                    patience.progress()
            except CUT:
                raise TransientError("the connection was cut") from None
            file.flush()
            os.fsync(file.fileno())
        if length.isdigit() and came != int(length):
            raise TransientError("the connection was cut")

    def _ask(self, url: str, headers: dict[str, str], allowed: tuple[int, ...] = ()) -> requests.Response:
        """One GET. Raises TransientError where another try may help, else SourceError with the remedy."""
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        shown = redact(url)
        try:
            answer: requests.Response = self._local.session.get(
                url, headers={"Accept-Encoding": "identity", **headers}, stream=True, timeout=TIMEOUT
            )
        except (requests.exceptions.SSLError, requests.TooManyRedirects) as error:
            raise SourceError(f"{shown}: no trusted connection ({type(error).__name__}): check the address") from None
        except (requests.ConnectionError, requests.Timeout):
            raise TransientError(f"{shown} cannot be reached: check the address and the network", answered=False) from None
        except (requests.RequestException, ValueError) as error:
            raise SourceError(f"{shown} is no address ({type(error).__name__}): check data.location") from None
        status = answer.status_code
        if status < 400 or status in allowed:
            return answer
        answer.close()
        if status in BUSY:
            raise TransientError(f"the server is busy ({status})", _seconds(answer.headers.get("Retry-After", "")))
        if status in (401, 403, 407):
            raise SourceError(
                f"{shown}: the server refuses it ({status}), it may want a login or a licence accepted: {BY_HAND}"
            )
        raise SourceError(f"{shown}: the server answers {status}: check the address, or {BY_HAND}")


def _restart(partial: Path, advance: Advance, have: int) -> int:
    discard(partial)
    advance(-have)
    return 0


def _validator(answer: requests.Response) -> str | None:
    """What If-Range takes: a strong ETag or else a date."""
    etag = answer.headers.get("ETag", "")
    return etag if etag and not etag.startswith("W/") else answer.headers.get("Last-Modified")


def _seconds(after: str) -> float | None:
    """Retry-After: seconds or a date."""
    if after.isdigit():
        return float(after)
    try:
        return (parsedate_to_datetime(after) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return None

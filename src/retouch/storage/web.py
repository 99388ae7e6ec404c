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
from retouch.storage.listing import SUMS, Archive, Item, is_below, parse_sums, redact
from retouch.storage.location import AddBytes, Location, discard, notes_of
from retouch.storage.retries import Retries, TransientError

BLOCK = 64 << 10  # bytes read from the connection at once
CUT = urllib3.exceptions.HTTPError
TIMEOUT = (10, 60)  # seconds: to connect, between two bytes
BUSY = {408, 425, 429, 500, 502, 503, 504}
BY_HAND = "download it with a browser, unpack it into a folder and set data.location to that folder"


class WebLocation(Location):
    """A prefix with a SHA256SUMS that lists its files, or official archives: at a prefix, or at their own addresses (None)."""

    threads = 4

    def __init__(self, prefix: str | None) -> None:
        super().__init__()
        self.prefix = prefix.rstrip("/") if prefix else None
        self.name = redact(self.prefix) if self.prefix else "official"
        self._sums: dict[str, str] | None = None
        self._local = local()

    def items(self, folders: tuple[str, ...]) -> list[Item]:
        """The files below the folders that SHA256SUMS at the prefix lists; none where there is no such file."""
        checksums = {path: checksum for path, checksum in self.sums().items() if is_below(path, folders)}
        return [Item(path, f"{self.prefix}/{quote(path)}", None, value, value) for path, value in sorted(checksums.items())]

    def sums(self) -> dict[str, str]:
        """Path → checksum, as SHA256SUMS lists them; empty if there is no such file."""
        if self.prefix and self._sums is None:
            text = Retries(self)(self._sums_text)
            self._sums = parse_sums(text, f"{self.name}/{SUMS}")
        return self._sums or {}

    def _sums_text(self) -> str:
        with closing(self._get(f"{self.prefix}/{SUMS}", {}, allowed=(403, 404, 410))) as answer:
            try:
                return answer.content.decode(errors="replace") if answer.status_code == 200 else ""
            except requests.RequestException:
                raise TransientError("the connection was cut") from None

    def archive(self, archive: Archive) -> Item:
        """An archive at the prefix, or else at its own address; its tag is its checksum, or what the server says of it."""
        url = f"{self.prefix}/{quote(archive.name)}" if self.prefix else archive.url
        checksum = archive.checksum or self.sums().get(archive.name)
        item = Item(archive.name, url, None, checksum, checksum)
        return item if checksum else self._described(item)

    def _described(self, item: Item) -> Item:
        with closing(Retries(self)(lambda: self._get(item.address, {}))) as answer:  # some servers refuse HEAD
            length = answer.headers.get("Content-Length", "")
            parts = (answer.headers.get("ETag", ""), answer.headers.get("Last-Modified", ""), length)
        return replace(item, tag=" ".join(parts) if any(parts) else None, size=int(length) if length.isdigit() else None)

    def refresh(self, item: Item) -> Item:
        """The item with its present size and tag, unless a checksum says what it must be."""
        return item if item.checksum else self._described(item)

    def pieces(self, item: Item, partial: Path, add_bytes: AddBytes) -> Iterable[Callable[[], None]]:
        """One stream into the partial file, from where it ends."""
        return [bind(self._stream, item, partial, add_bytes)]

    def _stream(self, item: Item, partial: Path, add_bytes: AddBytes) -> None:
        retries = Retries(self)
        if partial.exists():
            add_bytes(partial.stat().st_size)
        retries(lambda: self._continue(item, partial, add_bytes, retries))

    def _continue(self, item: Item, partial: Path, add_bytes: AddBytes, retries: Retries) -> None:
        offset = partial.stat().st_size if partial.exists() else 0
        validator = json.loads(notes_of(partial).read_text()) if offset and notes_of(partial).exists() else None
        if offset and not validator:
            offset = _restart(partial, add_bytes, offset)
        headers: dict[str, str] = {"Range": f"bytes={offset}-", "If-Range": str(validator)} if offset else {}
        with closing(self._get(item.address, headers, allowed=(416,))) as answer:
            span = answer.headers.get("Content-Range", "")
            if answer.status_code == 416 and span == f"bytes */{offset}":
                return  # it was complete
            if answer.headers.get("Content-Type", "").startswith("text/html") and not item.path.endswith((".html", ".htm")):
                raise SourceError(f"{redact(item.address)} is a page, not a file; it may want a login: {BY_HAND}")
            if answer.status_code != 206 or not span.startswith(f"bytes {offset}-"):
                _restart(partial, add_bytes, offset)
                if answer.status_code != 200:
                    raise TransientError("the server sent another part of the file than was requested")
                write_json(notes_of(partial), _validator(answer))
            self._save(answer, partial, add_bytes, retries)

    def _save(self, answer: requests.Response, partial: Path, add_bytes: AddBytes, retries: Retries) -> None:
        length = answer.headers.get("Content-Length", "")
        received = 0
        with partial.open("ab") as file:
            try:
                for block in answer.raw.stream(BLOCK, decode_content=False):
                    file.write(block)
                    received += len(block)
                    add_bytes(len(block))
                    retries.progress()
            except CUT:
                raise TransientError("the connection was cut") from None
            file.flush()
            os.fsync(file.fileno())
        if length.isdigit() and received != int(length):
            raise TransientError("the connection was cut")

    def _get(self, url: str, headers: dict[str, str], allowed: tuple[int, ...] = ()) -> requests.Response:
        """One GET. Raises TransientError where another try may help, else SourceError with the remedy."""
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        address = redact(url)
        try:
            answer: requests.Response = self._local.session.get(
                url, headers={"Accept-Encoding": "identity", **headers}, stream=True, timeout=TIMEOUT
            )
        except (requests.exceptions.SSLError, requests.TooManyRedirects) as error:
            raise SourceError(f"{address}: no trusted connection ({type(error).__name__}): check the address") from None
        except (requests.ConnectionError, requests.Timeout):
            raise TransientError(f"{address} cannot be reached: check the address and the network", answered=False) from None
        except (requests.RequestException, ValueError) as error:
            raise SourceError(f"{address} is not an address ({type(error).__name__}): check data.location") from None
        status = answer.status_code
        if status < 400 or status in allowed:
            return answer
        answer.close()
        if status in BUSY:
            raise TransientError(f"the server is busy ({status})", _retry_after(answer.headers.get("Retry-After", "")))
        if status in (401, 403, 407):
            raise SourceError(
                f"{address}: the server refuses it ({status}), it may want a login or a licence accepted: {BY_HAND}"
            )
        raise SourceError(f"{address}: the server answers {status}: check the address, or {BY_HAND}")


def _restart(partial: Path, add_bytes: AddBytes, offset: int) -> int:
    discard(partial)
    add_bytes(-offset)
    return 0


def _validator(answer: requests.Response) -> str | None:
    """The value for If-Range: a strong ETag, or else a date."""
    etag = answer.headers.get("ETag", "")
    return etag if etag and not etag.startswith("W/") else answer.headers.get("Last-Modified")


def _retry_after(value: str) -> float | None:
    """The seconds that a Retry-After header asks to wait: it holds seconds or a date."""
    if value.isdigit():
        return float(value)
    try:
        return (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return None

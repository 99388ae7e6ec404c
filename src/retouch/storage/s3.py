"""S3 and compatible services: parallel ranged reads; each part of a large object is noted once it is on disk."""

import json
import os
import re
import threading
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import replace
from functools import partial as bind
from pathlib import Path
from typing import Any, TypeVar

from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from retouch.errors import SourceError
from retouch.storage.listing import SUMS, Item, is_below, is_hidden, parse_sums, redact, safe_path
from retouch.storage.location import AddBytes, ChangedError, Location, discard, notes_of
from retouch.storage.retries import Retries, TransientError
from retouch.storage.s3_errors import explain

T = TypeVar("T")
PART = 8 << 20  # bytes of one ranged read
BLOCK = 64 << 10  # bytes read from the connection at once; a cut loses no more


class S3Location(Location):
    """`s3://bucket/prefix`, with credentials from boto3's usual places."""

    threads = 12

    def __init__(self, location: str, endpoint: str | None) -> None:
        super().__init__()
        self.bucket, _, prefix = location.removeprefix("s3://").partition("/")
        self.prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self.name = f"s3://{self.bucket}/{self.prefix}".rstrip("/")
        try:
            self._client = _client(endpoint, self.threads)
        except (BotoCoreError, ValueError) as error:
            raise explain(error, self.name, self.bucket, redact(endpoint or "")) from None

    def items(self, folders: tuple[str, ...]) -> list[Item]:
        """Objects below the folders; those that SHA256SUMS lists have that checksum, others their ETag where it is an MD5."""
        sums = {path: checksum for path, checksum in self._sums().items() if is_below(path, folders)}
        items: dict[str, Item] = {}
        for folder in folders:
            for entry in self._listing(f"{self.prefix}{folder}"):
                key = entry["Key"]
                path = key.removeprefix(self.prefix)
                is_folder = key.endswith("/")
                if is_below(path, folders) and not (is_folder or path == SUMS or is_hidden(path)):
                    items[path] = _item(safe_path(path, self.name), key, entry, sums.get(path))
        missing = sorted(set(sums) - set(items))
        if missing:
            raise SourceError(f"{self.name}/{SUMS} lists {missing[0]}, which is not there: restore it or take it off the list")
        return [items[path] for path in sorted(items)]

    def _listing(self, prefix: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = []
        query: dict[str, str] | None = {"Bucket": self.bucket, "Prefix": prefix}
        while query is not None:
            page = self._call(bind(self._client.list_objects_v2, **query))
            entries += page.get("Contents", [])
            query = {**query, "ContinuationToken": page["NextContinuationToken"]} if page.get("IsTruncated") else None
        return entries

    def _sums(self) -> dict[str, str]:
        key = f"{self.prefix}{SUMS}"
        if not any(entry["Key"] == key for entry in self._listing(key)):
            return {}
        body = self._call(lambda: self._client.get_object(Bucket=self.bucket, Key=key)["Body"].read())
        return parse_sums(body.decode(errors="replace"), f"{self.name}/{SUMS}")

    def refresh(self, item: Item) -> Item:
        """The object as it is now; encrypted by a key service, its ETag is no MD5."""
        state = self._call(lambda: self._client.head_object(Bucket=self.bucket, Key=item.address))
        checksum = item.checksum if item.checksum and item.checksum.startswith("sha256:") else None
        fresh = _item(item.path, item.address, {"ETag": state["ETag"], "Size": state["ContentLength"]}, checksum)
        opaque = "kms" in state.get("ServerSideEncryption", "") or "SSECustomerAlgorithm" in state
        return replace(fresh, checksum=checksum) if opaque else fresh

    def pieces(self, item: Item, partial: Path, add_bytes: AddBytes) -> Iterable[Callable[[], None]]:
        """One ranged read a part that is not yet on disk."""
        size = item.size or 0
        if size <= PART:
            partial.unlink(missing_ok=True)
            return [bind(self._read, item, partial, 0, size, add_bytes)]
        parts = _Parts(partial, item)
        add_bytes(sum(min(PART, size - number * PART) for number in parts.done))
        missing = (number for number in range(-(-size // PART)) if number not in parts.done)
        return [bind(self._part, item, parts, number, add_bytes) for number in missing]

    def _part(self, item: Item, parts: "_Parts", number: int, add_bytes: AddBytes) -> None:
        self._read(item, parts.partial, number * PART, min((number + 1) * PART, item.size or 0), add_bytes)
        parts.add(number)

    def _read(self, item: Item, partial: Path, start: int, stop: int, add_bytes: AddBytes) -> None:
        """Read bytes [start, stop) of an object to the same place of the partial file; a cut connection is continued."""
        retries = Retries(self)
        at = start
        file = os.open(partial, os.O_WRONLY | os.O_CREAT, 0o666)

        def work() -> None:
            nonlocal at
            part = {"Range": f"bytes={at}-{stop - 1}"} if at < stop else {}
            answer = self._client.get_object(Bucket=self.bucket, Key=item.address, IfMatch=_etag(item), **part)
            if (at, stop) != (0, item.size) and answer["ResponseMetadata"]["HTTPStatusCode"] != 206:
                raise SourceError(f"{self.name}: the service reads no parts of objects: copy it to a folder")
            with closing(answer["Body"]) as body:
                while at < stop and (block := body.read(min(BLOCK, stop - at))):
                    at += os.pwrite(file, block, at)
                    add_bytes(len(block))
                    retries.progress()
            if at < stop:
                raise TransientError("the answer was too short")

        try:
            self._call(work, retries)
            os.fsync(file)
        finally:
            os.close(file)

    def _call(self, work: Callable[[], T], retries: Retries | None = None) -> T:
        """Ask the service, with retries. Raises SourceError with the remedy, or ChangedError."""

        def attempt() -> T:
            try:
                return work()
            except (BotoCoreError, ClientError) as error:
                if isinstance(error, ClientError) and error.response["Error"].get("Code") in ("PreconditionFailed", "412"):
                    raise ChangedError from None
                raise explain(error, self.name, self.bucket, redact(self._client.meta.endpoint_url)) from None

        return (retries or Retries(self))(attempt)


def _client(endpoint: str | None, threads: int) -> Any:
    session = Session()
    configured = session._session.get_scoped_config().get("s3")
    has_style = isinstance(configured, dict) and "addressing_style" in configured
    is_own = bool(endpoint or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"))
    config = Config(
        s3={"addressing_style": "path"} if is_own and not has_style else None,  # others than Amazon's have no host a bucket
        retries={"total_max_attempts": 1, "mode": "standard"},  # `Retries` retries
        max_pool_connections=threads,
        connect_timeout=10,
        read_timeout=60,
        response_checksum_validation="when_required",  # ranges have none, and some compatible services send wrong ones
    )
    return session.client("s3", endpoint_url=endpoint, config=config)


def _etag(item: Item) -> str:
    return (item.tag or "").partition(" ")[0]


def _item(path: str, key: str, entry: dict[str, Any], checksum: str | None) -> Item:
    etag = entry["ETag"]
    md5 = re.fullmatch(r'"?([0-9a-f]{32})"?', etag)
    tag = f"{etag} {checksum}" if checksum else etag
    return Item(path, key, entry["Size"], tag, checksum or (f"md5:{md5[1]}" if md5 else None))


class _Parts:
    """Which parts of a large object are on disk: noted beside the partial file, for one ETag only."""

    def __init__(self, partial: Path, item: Item) -> None:
        self.partial = partial
        self._notes = notes_of(partial)
        self._lock = threading.Lock()
        header = json.dumps({"etag": item.tag, "size": item.size, "part": PART})
        lines = self._notes.read_text().split("\n") if self._notes.is_file() else [""]
        if lines[0] != header or not partial.is_file() or partial.stat().st_size != item.size:
            discard(partial)
            with partial.open("wb") as file:
                file.truncate(item.size)
            self._notes.write_text(header + "\n")
            lines = [header, ""]
        self.done = {int(line) for line in lines[1:-1] if line.isdigit()}
        if lines[-1]:  # the line was cut off, and the next number would be joined to it
            self._notes.write_text("".join(f"{line}\n" for line in (header, *sorted(self.done))))

    def add(self, number: int) -> None:
        """Note that a part is on disk."""
        with self._lock, self._notes.open("a") as file:
            file.write(f"{number}\n")

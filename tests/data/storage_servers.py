"""Servers for the tests of storage: moto's S3 in its own process, a proxy that spoils what passes, and a web server."""

import atexit
import functools
import hashlib
import http.client
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

KEYS = {"AWS_ACCESS_KEY_ID": "AKIAOPENSESAME", "AWS_SECRET_ACCESS_KEY": "very-secret-key", "AWS_SESSION_TOKEN": "secret-token"}


def environment(folder: Path) -> dict[str, str]:
    """Credentials in the environment, and none from anywhere else."""
    return {
        **KEYS,
        "AWS_CONFIG_FILE": str(folder / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


@functools.cache
def moto() -> str:
    """The address of an S3 service, a process that lives as long as the tests do."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    atexit.register(process.kill)
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/moto-api/", timeout=1):
                return f"http://127.0.0.1:{port}"
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise RuntimeError("moto does not start")


@functools.cache
def client():
    import boto3

    return boto3.client(
        "s3", endpoint_url=moto(), region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )


def bucket(name: str, files: dict[str, bytes]) -> None:
    """A new bucket with these objects."""
    s3 = client()
    s3.create_bucket(Bucket=name)
    for key, content in files.items():
        s3.put_object(Bucket=name, Key=key, Body=content)


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]


@dataclass
class Fault:
    """What is done to one answer: another status, a cut after some bytes, a changed byte, a speed in bytes a second."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: int | None = None
    corrupt: bool = False
    rate: float | None = None


class Server(ThreadingHTTPServer):
    """Answers each request with `answer`, spoiled as `fault` says; remembers what was asked."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.asked: list[Request] = []
        self.sent = 0
        self.fault: Callable[[Request], Fault | None] = lambda _: None

    def __enter__(self) -> "Server":
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, *_: object) -> None:
        """Clients that were killed are no news."""

    def answer(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        raise NotImplementedError

    def objects(self) -> list[str]:
        """What was read of objects or files, in order."""
        return [unquote(request.path.partition("?")[0]) for request in self.asked if "list-type" not in request.path]


class Proxy(Server):
    """Passes on to moto."""

    def answer(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(moto().removeprefix("http://"), timeout=30)
        connection.request(request.method, request.path, headers=request.headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, dict(answer.getheaders()), body


class Files(Server):
    """A web server of a folder, with or without ranges."""

    def __init__(self, folder: Path, ranges: bool = True) -> None:
        super().__init__()
        self.folder, self.ranges = folder, ranges

    def answer(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        file = self.folder / unquote(request.path.partition("?")[0]).lstrip("/")
        if not file.is_file():
            return 404, {}, b"nothing here"
        body = file.read_bytes()
        headers = {"ETag": f'"{hashlib.sha1(body).hexdigest()}"', "Content-Type": "application/octet-stream"}
        wanted = request.headers.get("Range")
        if not self.ranges or not wanted or request.headers.get("If-Range", headers["ETag"]) != headers["ETag"]:
            return 200, headers, body
        start = int(wanted.removeprefix("bytes=").partition("-")[0])
        if start >= len(body):
            return 416, headers | {"Content-Range": f"bytes */{len(body)}"}, b""
        return 206, headers | {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}, body[start:]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def _serve(self) -> None:
        request = Request(self.command, self.path, dict(self.headers.items()))
        self.server.asked.append(request)
        fault = self.server.fault(request) or Fault()
        if fault.status is not None:
            status, headers, body = fault.status, fault.headers, fault.body
        else:
            status, headers, body = self.server.answer(request)
        if fault.corrupt and body:
            body = bytes([body[0] ^ 1]) + body[1:]
        length = headers.get("Content-Length", str(len(body))) if self.command == "HEAD" else str(len(body))
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "server", "date"):
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command == "HEAD":
            return
        self._send(body[: fault.cut], fault.rate)
        if fault.cut is not None and fault.cut < len(body):
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    def _send(self, body: bytes, rate: float | None) -> None:
        step = max(1, int(rate / 50)) if rate else len(body) or 1
        for start in range(0, len(body), step):
            self.wfile.write(body[start : start + step])
            self.server.sent += len(body[start : start + step])
            if rate:
                time.sleep(step / rate)

    do_GET = do_HEAD = _serve  # noqa: N815


def tree(folder: Path) -> dict[str, str]:
    """Every file below a folder with its SHA-256."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def clean(variables: dict[str, str]) -> dict[str, str]:
    """This process's environment with these variables and no others of AWS."""
    return {key: value for key, value in os.environ.items() if not key.startswith("AWS_")} | variables


def publish(folder: Path, files: dict[str, bytes], sums: bool = True) -> None:
    """Write files, and the list of their checksums."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    if sums:
        text = "".join(f"{hashlib.sha256(content).hexdigest()}  ./{path}\n" for path, content in files.items())
        (folder / "SHA256SUMS").write_text(text)


def digests(files: dict[str, bytes]) -> dict[str, str]:
    return {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}

"""A `retouch` for test projects that does not spend its time on imports.

One process has imported the libraries, and none of the project's own code. Each command is forked from it: a process of its
own as ever, with its project's code, folder and environment. A server is one project's: its hash seed is no other's, as with
commands that start by themselves.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LIBRARIES = (
    "cv2", "great_expectations", "lightning.fabric", "mlflow.pyfunc", "mlflow.tracking", "pandas", "pyarrow", "rich.progress",
    "ruamel.yaml", "torch", "torchmetrics", "typer",
)  # fmt: skip
CLIENT = """\
#!{python} -IS
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
asked = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(server, [len(asked).to_bytes(8, "big")], [0, 1, 2])
server.sendall(asked)
answer = server.recv(1)
sys.exit(answer[0] if answer else 70)
"""


@contextmanager
def commands() -> Iterator[Path]:
    """A folder for the front of PATH, whose `retouch` works until the end of the block, with a `python` beside it."""
    with tempfile.TemporaryDirectory(prefix="warm") as name:
        folder, address = Path(name), str(Path(name) / "socket")
        script = folder / "bin" / "retouch"
        script.parent.mkdir()
        script.write_text(CLIENT.format(python=sys.executable, address=address))
        script.chmod(0o755)
        imitate(Path(sys.prefix), folder)
        command = [sys.executable, __file__, address]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n"
            yield script.parent
        finally:
            server.communicate()  # its stdin ends, and so does it


def imitate(environment: Path, folder: Path) -> None:
    """Make `folder`/bin/python one of the environment's: the flow takes a stage's commands from where its python lies."""
    (folder / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    for part in ("lib", "pyvenv.cfg"):
        (folder / part).symlink_to(environment / part)


def serve(address: str) -> None:
    """Import, then fork a child for each command until stdin ends."""
    for library in LIBRARIES:
        __import__(library)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(address)
    listening.listen()
    if os.fork():
        print("ready", flush=True)
        sys.stdin.read()
        os.killpg(0, signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        connection, _ = listening.accept()
        if not os.fork():
            listening.close()
            run(connection)
        connection.close()


def run(connection: socket.socket) -> None:
    """Be the command that a client asks for, and tell it the exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, descriptors, *_ = socket.recv_fds(connection, 8, 3)
    arguments, folder, environment = json.loads(connection.makefile("rb").read(int.from_bytes(size, "big")))
    for own, given in enumerate(descriptors):
        os.dup2(given, own)
        os.close(given)
    # a new file behind the same descriptor: the old stream's position is of the old one
    sys.stdout, sys.stderr = (os.fdopen(descriptor, "w", closefd=False) for descriptor in (1, 2))
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:1] = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.argv = ["retouch", *arguments]
    code = 1
    try:
        from retouch.cli.app import main

        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(bytes([code & 255]))
        os._exit(code & 255)


if __name__ == "__main__":
    serve(sys.argv[1])

"""S3 services that are busy or refuse: what is waited for, and what each error says."""

import hashlib
from pathlib import Path

import pytest
from storage_servers import KEYS, Fault, Proxy, bucket, digests, tree

from retouch.errors import SourceError
from retouch.storage import SourceLayout, fetch_source

SCENES = SourceLayout("scenes", "Scenes/*.jpg", ("Scenes",))
SMALL = {"Scenes/a.jpg": b"a" * 1000, "Scenes/b.jpg": b"b" * 2000}


pytestmark = pytest.mark.usefixtures("impatient")


@pytest.fixture
def place(request, tmp_path):
    """A bucket of its own name, prefix `v1`, and the folder to bring to."""
    name = f"b{hashlib.sha1(request.node.name.encode()).hexdigest()[:20]}"
    bucket(name, {f"v1/{path}": content for path, content in SMALL.items()})
    return name


def fetch(name: str, proxy: Proxy, tmp_path: Path, prefix: str = "/v1") -> int:
    return fetch_source(f"s3://{name}{prefix}", proxy.url, SCENES, tmp_path / "data/scenes")


def test_a_service_that_is_busy_for_a_while_is_waited_for(place, proxy, tmp_path):
    answers = {"list-type": 2, "a.jpg": 3, "b.jpg": 1}

    def busy(request):
        for part, left in answers.items():
            if part in request.path and left:
                answers[part] -= 1
                return Fault(status=503, body=b"<Error><Code>SlowDown</Code><Message>slower</Message></Error>")
        return None

    proxy.fault = busy
    fetch(place, proxy, tmp_path)
    assert tree(tmp_path / "data/scenes") == digests(SMALL)
    assert set(answers.values()) == {0}
    (tmp_path / "data/scenes/Scenes/a.jpg").unlink()
    proxy.fault = lambda request: Fault(status=503) if "a.jpg" in request.path else None
    with pytest.raises(SourceError, match=r"is busy \(503\), 9 times in a row; run the same command again later"):
        fetch(place, proxy, tmp_path)


REFUSALS = [
    ("ExpiredToken", 400, "the AWS credentials have expired: renew them"),
    ("InvalidAccessKeyId", 403, r"does not know the AWS credentials \(InvalidAccessKeyId\): set AWS_PROFILE"),
    ("AccessDenied", 403, "access is denied"),
    ("RequestTimeTooSkewed", 403, "clock is wrong"),
]


@pytest.mark.parametrize(("code", "status", "message"), REFUSALS)
def test_each_refusal_has_its_remedy(place, proxy, tmp_path, code, status, message):
    body = f"<Error><Code>{code}</Code><Message>The provided token {KEYS['AWS_SESSION_TOKEN']}</Message></Error>".encode()
    proxy.fault = lambda request: Fault(status=status, body=body, headers={"Content-Type": "application/xml"})
    with pytest.raises(SourceError, match=message) as caught:
        fetch(place, proxy, tmp_path)
    assert not any(secret in str(caught.value) for secret in KEYS.values())
    assert len(str(caught.value).splitlines()) == 1


def test_places_that_are_not_there(proxy, tmp_path, monkeypatch):
    with pytest.raises(SourceError, match="there is no bucket nobodys at http://127"):
        fetch("nobodys", proxy, tmp_path)
    with pytest.raises(SourceError, match="'Not_A Bucket' is not a bucket name"):
        fetch("Not_A Bucket", proxy, tmp_path)
    with pytest.raises(SourceError, match=r"127\.0\.0\.1:9 cannot be reached: check data\.endpoint and the network, 3 times"):
        fetch_source("s3://nobodys", "http://someone:hunter2@127.0.0.1:9", SCENES, tmp_path / "data/scenes")
    with pytest.raises(SourceError, match=r"data\.endpoint is not an address") as caught:
        fetch_source("s3://nobodys", "u:hunter2@nonsense", SCENES, tmp_path / "data/scenes")
    assert "hunter2" not in str(caught.value)
    bucket("hollow", {"elsewhere.jpg": b"x"})
    with pytest.raises(SourceError, match=r"no photographs in s3://hollow: source scenes expects Scenes/\*\.jpg there"):
        fetch("hollow", proxy, tmp_path, prefix="")
    for name in KEYS:
        monkeypatch.delenv(name)
    with pytest.raises(SourceError, match="there are no AWS credentials: set AWS_PROFILE"):
        fetch("hollow", proxy, tmp_path)
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(SourceError, match=r"nobody.*fix AWS_PROFILE"):
        fetch("hollow", proxy, tmp_path)

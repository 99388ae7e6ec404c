"""S3 over HTTP: what is read, what is verified, and what a spoiled connection does."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from storage_servers import KEYS, Fault, Proxy, bucket, client, digests, moto, tree

from retouch.errors import BusyError, SourceError
from retouch.storage import SourceLayout, exclusive, fetch_source, s3

SCENES = SourceLayout("scenes", "Scenes/*.jpg", ("Scenes", "list.txt"))
SMALL = {
    "Scenes/a.jpg": b"a" * 1000,
    "Scenes/deep/b.jpg": b"b" * 2000,
    "Scenes/c d+é.jpg": b"c",
    "Scenes/empty": b"",
    "list.txt": b"l",
}


pytestmark = pytest.mark.usefixtures("impatient")


@pytest.fixture
def place(request, tmp_path):
    """A bucket of its own name, prefix `v1`, and the folder to bring to."""
    name = f"b{hashlib.sha1(request.node.name.encode()).hexdigest()[:20]}"
    bucket(name, {f"v1/{path}": content for path, content in SMALL.items()} | {"v1/Scenes2/x.jpg": b"x", "other": b"o"})
    return name


def fetch(name: str, proxy: Proxy, tmp_path: Path, layout: SourceLayout = SCENES, prefix: str = "/v1") -> int:
    return fetch_source(f"s3://{name}{prefix}", proxy.url, layout, tmp_path / "data/scenes")


def test_a_fresh_folder_holds_what_belongs_to_the_source(place, proxy, tmp_path):
    assert fetch(place, proxy, tmp_path) == len(SMALL)
    assert tree(tmp_path / "data/scenes") == digests(SMALL)
    assert not list((tmp_path / ".retouch").rglob("*.notes"))
    everything = SourceLayout("scenes", "anything", ("",))
    client().put_object(Bucket=place, Key="v1/.DS_Store", Body=b"hidden")
    fetch(place, proxy, tmp_path, everything, prefix="")
    assert set(tree(tmp_path / "data/scenes")) == {*(f"v1/{path}" for path in SMALL), "v1/Scenes2/x.jpg", "other"}


def test_only_what_changed_is_read_again_and_what_is_gone_goes(place, proxy, tmp_path):
    fetch(place, proxy, tmp_path)
    proxy.asked.clear()
    assert fetch(place, proxy, tmp_path) == 0
    assert proxy.objects() == []
    client().put_object(Bucket=place, Key="v1/Scenes/a.jpg", Body=b"A" * 1000)
    client().put_object(Bucket=place, Key="v1/Scenes/new.jpg", Body=b"new")
    client().delete_object(Bucket=place, Key="v1/Scenes/deep/b.jpg")
    assert fetch(place, proxy, tmp_path) == 2
    assert sorted(proxy.objects()) == [f"/{place}/v1/Scenes/a.jpg", f"/{place}/v1/Scenes/new.jpg"]
    files = tree(tmp_path / "data/scenes")
    assert files["Scenes/a.jpg"] == hashlib.sha256(b"A" * 1000).hexdigest()
    assert "Scenes/new.jpg" in files
    assert not (tmp_path / "data/scenes/Scenes/deep").exists()


def test_a_file_changed_or_deleted_here_is_restored_and_one_only_touched_is_not_read(place, proxy, tmp_path):
    fetch(place, proxy, tmp_path)
    scenes = tmp_path / "data/scenes/Scenes"
    (scenes / "a.jpg").write_bytes(b"z" * 1000)
    (scenes / "deep/b.jpg").unlink()
    (scenes / "c d+é.jpg").touch()
    (scenes / "mine.jpg").write_bytes(b"mine")
    assert fetch(place, proxy, tmp_path) == 2
    assert tree(tmp_path / "data/scenes") == digests(SMALL)


def test_without_the_log_files_are_known_by_their_checksum(place, proxy, tmp_path):
    fetch(place, proxy, tmp_path)
    journal = tmp_path / ".retouch/storage/scenes.jsonl"
    journal.write_text(journal.read_text()[:-20])  # the last line cut off
    assert fetch(place, proxy, tmp_path) == 0
    journal.unlink()
    proxy.asked.clear()
    assert fetch(place, proxy, tmp_path) == 0
    assert proxy.objects() == []
    assert len(journal.read_text().splitlines()) == 1 + len(SMALL)


def test_a_file_where_a_folder_was_and_a_folder_where_a_file_was(place, proxy, tmp_path):
    fetch(place, proxy, tmp_path)
    s3_client = client()
    for key in ("v1/Scenes/deep/b.jpg", "v1/Scenes/a.jpg"):
        s3_client.delete_object(Bucket=place, Key=key)
    s3_client.put_object(Bucket=place, Key="v1/Scenes/deep", Body=b"now a file")
    s3_client.put_object(Bucket=place, Key="v1/Scenes/a.jpg/inside", Body=b"now a folder")
    fetch(place, proxy, tmp_path)
    assert {"Scenes/deep", "Scenes/a.jpg/inside"} < set(tree(tmp_path / "data/scenes"))
    s3_client.put_object(Bucket=place, Key="v1/Scenes/deep/b.jpg", Body=b"both")
    with pytest.raises(SourceError, match="'Scenes/deep' as a file and as a folder"):
        fetch(place, proxy, tmp_path)


def large(name: str, size: int = 1_500_000) -> bytes:
    content = bytes((i * 7 + i // 251) % 256 for i in range(4096)) * (size // 4096 + 1)
    client().put_object(Bucket=name, Key="v1/Scenes/large.bin", Body=content[:size])
    return content[:size]


def test_a_large_object_comes_in_parts_over_cut_connections(place, proxy, tmp_path, monkeypatch):
    monkeypatch.setattr(s3, "PART", 1 << 18)
    content = large(place)
    cuts = {"bytes=0-262143": 100_000, "bytes=262144-524287": 70_000, "bytes=524288-786431": 5, "bytes=786432-1048575": 200_000}
    proxy.fault = lambda request: Fault(cut=cuts.pop(request.headers.get("Range", ""), None))
    fetch(place, proxy, tmp_path)
    assert (tmp_path / "data/scenes/Scenes/large.bin").read_bytes() == content
    ranges = [request.headers["Range"] for request in proxy.asked if "large.bin" in request.path]
    assert len(ranges) == 6 + 4
    assert all(request.headers.get("If-Match") for request in proxy.asked if "large.bin" in request.path)


def test_parts_that_are_on_disk_are_not_read_again(place, proxy, tmp_path, monkeypatch):
    monkeypatch.setattr(s3, "PART", 1 << 18)
    monkeypatch.setattr(s3.S3Location, "threads", 1)
    content = large(place)
    broken = Fault(status=403, body=b"<Error><Code>AccessDenied</Code></Error>")
    proxy.fault = lambda request: broken if "bytes=1048576-" in request.headers.get("Range", "") else None
    with pytest.raises(SourceError, match="access is denied"):
        fetch(place, proxy, tmp_path)
    assert not (tmp_path / "data/scenes/Scenes/large.bin").exists()
    proxy.fault = lambda _: None
    proxy.asked.clear()
    fetch(place, proxy, tmp_path)
    ranges = [request.headers["Range"] for request in proxy.asked if "large.bin" in request.path]
    assert ranges == ["bytes=1048576-1310719", "bytes=1310720-1499999"]
    assert (tmp_path / "data/scenes/Scenes/large.bin").read_bytes() == content


def test_an_object_replaced_while_its_parts_are_read_is_read_as_the_new_one(place, proxy, tmp_path, monkeypatch):
    monkeypatch.setattr(s3, "PART", 1 << 18)
    large(place)
    content = b"new" * 300_000
    done = []

    def replace(request):
        if "large.bin" in request.path and "bytes=524288-" in request.headers.get("Range", "") and not done:
            done.append(client().put_object(Bucket=place, Key="v1/Scenes/large.bin", Body=content))

    proxy.fault = replace
    fetch(place, proxy, tmp_path)
    assert (tmp_path / "data/scenes/Scenes/large.bin").read_bytes() == content


def test_real_multipart_objects_have_no_md5_and_are_brought_once(place, proxy, tmp_path):
    s3_client = client()
    upload = s3_client.create_multipart_upload(Bucket=place, Key="v1/Scenes/multi.bin")["UploadId"]
    kinds = {"Bucket": place, "Key": "v1/Scenes/multi.bin", "UploadId": upload}
    bodies = [b"m" * (5 << 20), b"n" * 1000]
    tags = [s3_client.upload_part(PartNumber=i + 1, Body=body, **kinds)["ETag"] for i, body in enumerate(bodies)]
    parts = [{"PartNumber": i + 1, "ETag": tag} for i, tag in enumerate(tags)]
    s3_client.complete_multipart_upload(MultipartUpload={"Parts": parts}, **kinds)
    fetch(place, proxy, tmp_path)
    assert (tmp_path / "data/scenes/Scenes/multi.bin").read_bytes() == b"".join(bodies)
    assert fetch(place, proxy, tmp_path) == 0


class KeyService(Proxy):
    """Objects encrypted by a key service: ETags look like MD5s and are none."""

    def answer(self, request):
        request.headers.pop("If-Match", None)
        status, headers, body = super().answer(request)
        fake = {"ETag": f'"{"0" * 32}"', "x-amz-server-side-encryption": "aws:kms"}
        body = re.sub(rb"(?<=<ETag>).*?(?=</ETag>)", fake["ETag"].encode(), body) if "list-type" in request.path else body
        return status, {key: value for key, value in headers.items() if key.lower() != "etag"} | fake, body


def test_etags_of_a_key_service_are_not_taken_for_checksums(place, tmp_path):
    with KeyService() as server:
        fetch(place, server, tmp_path)
        assert tree(tmp_path / "data/scenes") == digests(SMALL)
        assert [request.method for request in server.asked].count("HEAD") == len(SMALL)
        server.asked.clear()
        assert fetch(place, server, tmp_path) == 0
        assert server.objects() == []


@pytest.mark.parametrize("listed", [False, True])
def test_a_wrong_checksum_is_read_once_more_and_never_kept(place, proxy, tmp_path, listed):
    def put(files):
        text = "".join(f"{digest}  ./{path}\n" for path, digest in digests(files).items())
        if listed:
            client().put_object(Bucket=place, Key="v1/SHA256SUMS", Body=text.encode())
        client().put_object(Bucket=place, Key="v1/Scenes/deep/b.jpg", Body=files["Scenes/deep/b.jpg"])

    put(SMALL)
    spoiled = [1]
    proxy.fault = lambda request: Fault(corrupt=True) if "a.jpg" in request.path and spoiled and spoiled.pop() else None
    fetch(place, proxy, tmp_path)
    assert tree(tmp_path / "data/scenes") == digests(SMALL)
    put(SMALL | {"Scenes/deep/b.jpg": b"B" * 2000})
    proxy.fault = lambda request: Fault(corrupt="b.jpg" in request.path)
    with pytest.raises(SourceError, match=r"v1/Scenes/deep/b\.jpg came with a wrong checksum twice"):
        fetch(place, proxy, tmp_path)
    assert tree(tmp_path / "data/scenes").get("Scenes/deep/b.jpg") in (None, digests(SMALL)["Scenes/deep/b.jpg"])


def test_a_list_of_checksums_finds_wrong_and_missing_objects(place, proxy, tmp_path):
    listed = digests(SMALL) | {"Scenes/a.jpg": "0" * 64}
    text = "".join(f"{digest}  {path}\n" for path, digest in listed.items())
    client().put_object(Bucket=place, Key="v1/SHA256SUMS", Body=text.encode())
    with pytest.raises(SourceError, match=r"a\.jpg came with a wrong checksum twice"):
        fetch(place, proxy, tmp_path)
    assert "Scenes/a.jpg" not in tree(tmp_path / "data/scenes")
    text = f"{'1' * 64}  Scenes/lost.jpg\n"
    client().put_object(Bucket=place, Key="v1/SHA256SUMS", Body=text.encode())
    with pytest.raises(SourceError, match=r"SHA256SUMS lists Scenes/lost\.jpg, which is not there"):
        fetch(place, proxy, tmp_path)
    client().put_object(Bucket=place, Key="v1/SHA256SUMS", Body=b"no checksum  Scenes/a.jpg\n")
    with pytest.raises(SourceError, match="SHA256SUMS, line 1"):
        fetch(place, proxy, tmp_path)


@pytest.mark.parametrize("key", ["Scenes/../../../out.jpg", "Scenes//out.jpg", "Scenes/./out.jpg"])
def test_keys_that_leave_the_folder_are_refused(place, proxy, tmp_path, key):
    client().put_object(Bucket=place, Key=f"v1/{key}", Body=b"out")
    with pytest.raises(SourceError, match="a path that leaves its folder"):
        fetch(place, proxy, tmp_path)
    assert not list(tmp_path.rglob("out.jpg"))


def test_the_endpoint_may_come_from_the_environment(place, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto())
    assert fetch_source(f"s3://{place}/v1/", None, SCENES, tmp_path / "data/scenes") == len(SMALL)


def test_nothing_secret_is_noted_and_two_do_not_fetch_at_once(place, proxy, tmp_path):
    fetch(place, proxy, tmp_path)
    noted = "".join(path.read_text() for path in (tmp_path / ".retouch").rglob("*") if path.is_file())
    assert not any(secret in noted for secret in KEYS.values())
    assert json.loads(noted.splitlines()[0]) == {"location": f"s3://{place}/v1"}
    with exclusive(tmp_path / ".retouch/storage/scenes.lock", tmp_path), pytest.raises(BusyError, match="another process"):
        fetch(place, proxy, tmp_path)

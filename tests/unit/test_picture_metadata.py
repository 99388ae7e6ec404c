"""What belongs to a photo besides its pixels: kept, made fit for the result, or dropped with one line."""

import io
import struct
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from retouch.images import resize
from retouch.pictures import decode as decoding
from retouch.pictures import exif, png, tiff_writer
from retouch.pictures.file import read
from retouch.pictures.metadata import fit_exif, fit_xmp
from retouch.pictures.write import write

ARTIST, MAKE, ORIENTATION, EXIF, GPS, MAKER, EXPOSURE = 315, 271, 274, 0x8769, 0x8825, 0x927C, 0x829A
XMP = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/" tiff:Orientation="6" '
    b'dc:format="a photo"/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)
FORMATS = ("a.jpg", "a.png", "a.tif", "a.webp", "a.avif", "a.heic")


@pytest.fixture
def photo(rng) -> Image.Image:
    decoding.register_heif()
    return Image.fromarray(resize(rng.integers(0, 256, (4, 6, 3), dtype=np.uint8), 40, 60))


def metadata(orientation: int = 6) -> Image.Exif:
    data = Image.Exif()
    data[ARTIST], data[MAKE], data[ORIENTATION] = "Ada", "Camera", orientation
    further = data.get_ifd(EXIF)
    further[EXPOSURE], further[MAKER] = 0.01, b"maker\0" + bytes(range(40))
    further[0xA002], further[0xA003] = 60, 40
    data.get_ifd(GPS)[1] = "N"
    return data


def save(photo: Image.Image, path: Path, **options: object) -> Path:
    if path.suffix in (".jpg", ".webp", ".avif", ".heic"):
        options = {"quality": 90} | options
    if path.suffix == ".tif" and "exif" in options:
        return tagged_tiff(photo, path, exif.collect(options["exif"].tobytes()[6:]), options["exif"][ORIENTATION])
    photo.save(path, **options)
    return path


def tagged_tiff(photo: Image.Image, path: Path, tags: exif.Tags, orientation: int) -> Path:
    """A TIFF with directories of EXIF and GPS, of which Pillow writes the first only."""
    turned = (ORIENTATION, 3, 1, struct.pack(f"{tags.order}H", orientation), True)
    main = [(number, tag.kind, tag.count, tag.value, True) for number, tag in tags.main.items()]
    tifffile.imwrite(path, np.asarray(photo), photometric="rgb", byteorder=tags.order, metadata=None, extratags=[*main, turned])
    tiff_writer._append(path, tags)
    return path


def written(path: Path, name: str | None = None) -> Path:
    picture = read(path)
    out = path.with_name(name or f"out-{path.name}")
    write(picture.pixels, out, picture)
    return out


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("to", [*FORMATS, None])
def test_metadata_go_with_the_photo(name, to, photo, tmp_path):
    out = written(save(photo, tmp_path / name, exif=metadata(1)), f"out-{to}" if to else None)
    tags = Image.open(out).getexif()
    assert (tags[ARTIST], tags[MAKE]) == ("Ada", "Camera")
    assert tags.get(ORIENTATION, 1) == 1
    further = tags.get_ifd(EXIF)
    assert float(further[EXPOSURE]) == 0.01
    assert further[MAKER] == b"maker\0" + bytes(range(40))
    assert tags.get_ifd(GPS)[1] == "N"


@pytest.mark.parametrize("name", FORMATS)
def test_a_turned_photo_is_written_upright(name, photo, tmp_path):
    if name == "a.heic":
        pillow_heif.encode("RGB", photo.size, photo.tobytes(), tmp_path / name, exif=metadata(6).tobytes(), quality=90)
        if pillow_heif.open_heif(tmp_path / name).size == photo.size:
            pytest.skip("this pillow-heif stores no rotation")
    else:
        save(photo, tmp_path / name, exif=metadata(6))
    result = Image.open(written(tmp_path / name))
    assert result.size == (40, 60)
    tags = result.getexif()
    assert tags.get(ORIENTATION, 1) == 1
    if name not in ("a.heic", "a.avif"):
        further = tags.get_ifd(EXIF)
        assert (further[0xA002], further[0xA003]) == (40, 60)
    upright = np.rot90(np.asarray(photo), -1)
    assert np.abs(np.asarray(result.convert("RGB")).astype(int) - upright).mean() < 8


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.webp"])
def test_xmp_and_resolution_are_kept_and_its_orientation_reset(name, photo, tmp_path):
    options: dict = {"dpi": (300, 300)} if name != "a.webp" else {}
    if name == "a.png":
        save(photo, tmp_path / name, **options)
        content = (tmp_path / name).read_bytes()
        chunk = png.chunk(b"iTXt", png.XMP_KEY + bytes(5) + XMP)
        (tmp_path / name).write_bytes(content[:33] + chunk + content[33:])
    elif name == "a.tif":
        tifffile.imwrite(tmp_path / name, np.asarray(photo), photometric="rgb", resolution=(300, 300), resolutionunit=2,
                         extratags=[(700, 1, len(XMP), XMP, True), (33723, 7, 5, b"\x1c\2\5\0\0", True)])  # fmt: skip
    else:
        save(photo, tmp_path / name, xmp=XMP, **options)
    out = written(tmp_path / name)
    result = Image.open(out)
    xmp = result.info.get("xmp") or result.info.get("XML:com.adobe.xmp")
    xmp = xmp.encode() if isinstance(xmp, str) else xmp
    assert xmp == XMP.replace(b'tiff:Orientation="6"', b'tiff:Orientation="1"')
    if options:
        assert [round(float(value)) for value in result.info["dpi"]] == [300, 300]
    if name == "a.tif":
        assert tifffile.TiffFile(out).pages.first.tags[33723].value == b"\x1c\2\5\0\0"


def test_iptc_and_comment_of_a_jpeg(photo, tmp_path):
    records = b"\x1c\x02\x69\x00\x05Title"
    block = b"Photoshop 3.0\0" + b"8BIM\x04\x0c\0\0" + struct.pack(">I", 4) + b"thmb"
    block += b"8BIM\x04\x04\0\0" + struct.pack(">I", len(records)) + records
    save(photo, tmp_path / "a.jpg", extra=b"\xff\xed" + struct.pack(">H", len(block) + 2) + block, comment=b"hello")
    result = Image.open(written(tmp_path / "a.jpg"))
    assert result.info["photoshop"] == {0x0404: records}  # not the thumbnail of the photo as it was
    assert result.info["comment"] == b"hello"


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.jpg"])
@pytest.mark.parametrize(
    "block", [b"\x00\x08\x00\x02" * 5, b"II*\0\xff\xff\xff\xff" + bytes(9), b"MM", b"II*\0\x08\0\0\0\xff\xff"]
)
def test_broken_exif_is_dropped_with_one_line(name, block, photo, tmp_path):
    if name == "a.png":
        save(photo, tmp_path / name)
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[:33] + png.chunk(b"eXIf", block) + content[33:])
    else:
        save(photo, tmp_path / name, exif=b"Exif\0\0" + block)
    picture = read(tmp_path / name)
    assert picture.warnings == ("its EXIF data are broken and not kept",)
    out = written(tmp_path / name)
    assert "exif" not in Image.open(out).info
    assert read(out).warnings == ()


def test_one_broken_tag_does_not_cost_the_others(photo, tmp_path):
    block = bytearray(metadata(3).tobytes().removeprefix(b"Exif\0\0"))
    form, start = exif.layout(bytes(block))
    for position, tag, _ in form.entries(bytes(block), start):
        if tag == MAKE:
            struct.pack_into(f"{form.order}II", block, position + 4, 5000, 1 << 30)
    save(photo, tmp_path / "a.jpg", exif=b"Exif\0\0" + bytes(block))
    tags = Image.open(written(tmp_path / "a.jpg")).getexif()
    assert tags[ARTIST] == "Ada"
    assert MAKE not in tags
    assert tags.get(ORIENTATION, 1) == 1


def test_broken_xmp_and_profile_are_dropped_with_a_line_each(photo, tmp_path):
    save(photo, tmp_path / "a.jpg", xmp=b"<x:xmpmeta><unclosed>", icc_profile=b"no profile" * 20)
    picture = read(tmp_path / "a.jpg")
    assert len(picture.warnings) == 2
    assert picture.warnings[0] == "its XMP data are broken and not kept"
    assert "profile" in picture.warnings[1]
    result = Image.open(written(tmp_path / "a.jpg"))
    assert "icc_profile" not in result.info
    assert "xmp" not in result.info


def test_a_thumbnail_is_made_anew(photo, tmp_path):
    other = io.BytesIO()
    Image.new("RGB", (64, 48), "red").save(other, "jpeg")
    block = metadata(1).tobytes().removeprefix(b"Exif\0\0")
    save(photo, tmp_path / "a.jpg", exif=b"Exif\0\0" + exif.with_thumbnail(block, other.getvalue()))
    picture = read(tmp_path / "a.jpg")
    blue = np.zeros_like(picture.pixels)
    blue[..., 2] = 200
    write(blue, tmp_path / "out.jpg", picture)
    content = (tmp_path / "out.jpg").read_bytes()
    assert other.getvalue() not in content
    tags = Image.open(tmp_path / "out.jpg").getexif()
    assert tags[ARTIST] == "Ada"
    data = Image.open(tmp_path / "out.jpg").info["exif"][6:]
    form, start = exif.layout(data)
    count = struct.unpack_from(f"{form.order}H", data, start)[0]
    (second,) = struct.unpack_from(f"{form.order}I", data, start + 2 + 12 * count)
    tags = {tag: form.number(value) for _, tag, value in form.entries(data, second) if value}
    thumbnail = Image.open(io.BytesIO(data[tags[0x201] : tags[0x201] + tags[0x202]]))
    assert np.abs(np.asarray(thumbnail).astype(int) - blue[0, 0]).max() < 12


def test_text_of_a_png_is_copied_unless_readers_would_refuse_it(photo, tmp_path):
    import zlib

    save(photo, tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    extra = png.chunk(b"tEXt", b"Author\0Ada") + png.chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1 << 22)))
    extra += png.chunk(b"gAMA", struct.pack(">I", 45455))
    (tmp_path / "a.png").write_bytes(content[:33] + extra + content[33:])
    result = Image.open(written(tmp_path / "a.png"))
    result.load()
    assert result.info["Author"] == "Ada"
    assert result.info["gamma"] == 0.45455
    assert "Comment" not in result.info


def test_what_else_a_file_holds_is_said_in_one_line(photo, tmp_path):
    other = photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    photo.save(tmp_path / "pages.tif", save_all=True, append_images=[other, other])
    photo.save(tmp_path / "frames.webp", save_all=True, append_images=[other], lossless=True)
    photo.save(tmp_path / "frames.png", save_all=True, append_images=[other])
    photo.save(tmp_path / "frames.gif", save_all=True, append_images=[other])
    photo.save(tmp_path / "two.jpg", format="MPO", save_all=True, append_images=[other])
    photo.save(tmp_path / "two.heic", save_all=True, append_images=[other])
    map_version = b'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"'
    gain = XMP.replace(b' tiff:Orientation="6"', b"").replace(b'dc:format="a photo"', map_version)
    photo.save(tmp_path / "gain.jpg", xmp=gain)
    lines = {
        "pages.tif": "of its 3 pages only the first is kept",
        "frames.webp": "of its 2 frames only the first is kept",
        "frames.png": "of its 2 frames only the first is kept",
        "frames.gif": "of its 2 frames only the first is kept",
        "two.jpg": "its gain map, depth map or further pictures are not kept",
        "two.heic": "of its 2 pictures only the main one is kept",
        "gain.jpg": "its gain map is not kept",
    }
    for name, line in lines.items():
        picture = read(tmp_path / name)
        assert picture.warnings == (line,), name
        assert np.abs(picture.pixels.astype(int) - np.asarray(photo)).mean() < 20, name
    xmp = Image.open(written(tmp_path / "gain.jpg")).info["xmp"]
    assert b"hdrgm:Version" not in xmp
    assert b"adobe:ns:meta" in xmp


@given(st.binary(max_size=300), st.sampled_from([b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"]))
def test_no_bytes_break_the_reading_of_exif(tail, head):
    for work in (lambda data: fit_exif(data, (3, 4)), exif.collect):
        try:
            work(head + tail)
        except ValueError:
            continue


@given(st.data())
def test_exif_with_bytes_changed_is_read_or_refused(data):
    block = bytearray(metadata().tobytes().removeprefix(b"Exif\0\0"))
    for _ in range(data.draw(st.integers(1, 4))):
        block[data.draw(st.integers(0, len(block) - 1))] = data.draw(st.integers(0, 255))
    try:
        fitted, _ = fit_exif(bytes(block), (40, 60))
        tags = exif.collect(bytes(block))
    except ValueError:
        return
    assert fitted is not None
    again = exif.block(tags)
    if again is not None:
        assert exif.collect(again) == tags


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reading_of_xmp(data):
    try:
        fit_xmp(data)
    except ValueError:
        return

"""Any photo in, the same kind of photo out: modes × formats × profiles × orientations, and files with damage."""

import io
import tempfile
import zlib
from pathlib import Path

import numpy as np
import tifffile
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from retouch.errors import RetouchError, SourceError
from retouch.pictures import decode as decoding
from retouch.pictures import png
from retouch.pictures.file import read
from retouch.pictures.formats import result_suffix
from retouch.pictures.write import check_output, write

MODES = {
    ".png": ["1", "L", "LA", "P", "RGB", "RGBA", "16", "16A", "16RGB", "16RGBA"],
    ".tif": ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "LAB", "16", "16A", "16RGB", "16RGBA", "16CMYK", "F", "FRGB"],
    ".jpg": ["L", "RGB", "CMYK"],
    ".webp": ["RGB", "RGBA"],
    ".bmp": ["L", "P", "RGB"],
    ".gif": ["L", "P"],
    ".heic": ["RGB", "RGBA"],
    ".avif": ["RGB", "RGBA"],
}
LOSSLESS = (".png", ".tif", ".bmp", ".gif", ".webp")
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LAB = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
PROFILES = {"none": None, "sRGB": SRGB, "Lab": LAB, "garbage": b"\0\1garbage" * 30, "cut off": SRGB[:200]}
BLOCKS = {"none": None, "garbage": b"Exif\0\0" + b"\0\x08\0\x02" * 6}


@st.composite
def files(draw) -> tuple[str, bytes]:
    """The suffix and contents of a photo's file."""
    suffix = draw(st.sampled_from(sorted(MODES)))
    mode = draw(st.sampled_from(MODES[suffix]))
    height, width = draw(st.integers(1, 20)), draw(st.integers(1, 20))
    if suffix in (".heic", ".avif"):
        height, width = height + 16, width + 16
    seed = draw(st.integers(0, 1000))
    profile = PROFILES[draw(st.sampled_from(sorted(PROFILES)))]
    orientation = draw(st.sampled_from([None, *range(0, 10), "garbage"]))
    compression = draw(st.sampled_from([None, "lzw", "zlib", "packbits"]))
    return suffix, contents(suffix, mode, (height, width), seed, profile, orientation, compression)


def contents(suffix, mode, size, seed, profile, orientation, compression) -> bytes:
    decoding.register_heif()
    noise = np.random.default_rng(seed).integers(0, 65536, (*size, 4), dtype=np.uint16)
    bands = {"16": 1, "16A": 2, "16RGB": 3, "16RGBA": 4, "16CMYK": 4, "F": 1, "FRGB": 3}.get(mode)
    if bands and suffix == ".png":
        key = [] if profile is None else [(b"iCCP", b"p\0\0" + zlib.compress(profile))]
        exif = exif_of(orientation)
        return png.encode(noise[..., :bands].squeeze(-1) if bands == 1 else noise[..., :bands],
                          key + ([(b"eXIf", exif.removeprefix(b"Exif\0\0"))] if exif else []))  # fmt: skip
    if bands or (suffix == ".tif" and mode == "LAB"):
        values = noise[..., : bands or 3]
        values = values.astype(np.float32) / 65535 if mode[0] == "F" else values if bands else (values >> 8).astype(np.uint8)
        photometric = "cielab" if not bands else "separated" if mode == "16CMYK" else "minisblack" if bands < 3 else "rgb"
        turned = [(274, 3, 1, orientation, True)] if isinstance(orientation, int) else []
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, values[..., 0] if bands == 1 else values, photometric=photometric, iccprofile=profile,
                         planarconfig=None if bands == 1 else "contig", compression=compression, extratags=turned,
                         extrasamples=["unassalpha"] if mode.endswith("A") else None)  # fmt: skip
        return buffer.getvalue()
    base = Image.fromarray((noise >> 8).astype(np.uint8))
    base = base if mode in ("RGBA", "LA") else base.convert("RGB")
    picture = base.convert("LA") if mode == "LA" else base.convert(mode)
    options = {"icc_profile": profile} if profile and suffix not in (".bmp", ".gif") else {}
    may_be_broken = suffix in (".jpg", ".webp", ".png")
    exif = exif_of(orientation) if may_be_broken or orientation != "garbage" else None
    if exif and suffix not in (".bmp", ".gif"):
        options["exif"] = exif
    if suffix == ".webp":
        options |= {"lossless": True, "exact": True}
    buffer = io.BytesIO()
    picture.save(buffer, {".jpg": "JPEG", ".tif": "TIFF", ".heic": "HEIF"}.get(suffix, suffix[1:].upper()), **options)
    return buffer.getvalue()


def exif_of(orientation: object) -> bytes | None:
    if orientation is None:
        return None
    if orientation == "garbage":
        return BLOCKS["garbage"]
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[315] = "Ada"
    return exif.tobytes()


@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(files(), st.integers(0, 1000))
def test_any_photo_in_the_same_kind_of_photo_out(file, seed):
    suffix, content = file
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"photo{suffix}"
        path.write_bytes(content)
        picture = read(path)
        assert all("\n" not in warning for warning in picture.warnings)
        changed = np.random.default_rng(seed).random(picture.pixels.shape[:2]) < 0.3
        after = picture.pixels.copy()
        after[changed] = np.random.default_rng(seed).integers(0, np.iinfo(after.dtype).max, after[changed].shape)
        if after.ndim == 3 and after.shape[2] == 4:
            after[..., 3] = picture.pixels[..., 3]
        out = Path(folder) / f"out{result_suffix(path)}"
        check_output(out, picture)
        write(after, out, picture)
        result = read(out)
        assert result.warnings == ()
        assert result.pixels.dtype == after.dtype
        same_shape = result.pixels.shape == after.shape
        opaque = after.ndim == 3 and after.shape[2] == 4 and (after[..., 3] == 255).all()
        assert same_shape or (opaque and suffix in (".webp", ".avif", ".heic"))
        if suffix in LOSSLESS:
            expected = after if same_shape else after[..., :3]
            np.testing.assert_array_equal(result.pixels[~changed], expected[~changed])
        again = Path(folder) / f"again{out.suffix}"
        write(result.pixels, again, result)
        if suffix in LOSSLESS:
            np.testing.assert_array_equal(read(again).pixels, result.pixels)
        if out.suffix != ".tif":  # Pillow reads no TIFFs of some depths; those are tested by name
            with Image.open(out) as reopened:
                reopened.load()
                assert reopened.size == after.shape[1::-1]


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(files(), st.data())
def test_a_damaged_file_is_read_or_refused_in_one_sentence(file, data):
    suffix, content = file
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, min(len(damaged) - 1, 2000)))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        damaged = damaged[: data.draw(st.integers(0, len(damaged)))]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"photo{suffix}"
        path.write_bytes(damaged)
        try:
            picture = read(path)
        except SourceError as error:
            assert str(path) in str(error)
            assert len(str(error)) < 400
            return
        out = Path(folder) / f"out{result_suffix(path)}"
        try:
            write(picture.pixels, out, picture)
        except RetouchError:
            return
        np.testing.assert_array_equal(read(out).pixels.shape[:2], picture.pixels.shape[:2])


@given(st.binary(max_size=400), st.sampled_from(sorted(MODES)))
@example(b"", ".png")
def test_what_is_no_picture_is_refused(content, suffix):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"photo{suffix}"
        path.write_bytes(content)
        try:
            read(path)
        except SourceError as error:
            assert str(path) in str(error)

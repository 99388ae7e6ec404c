"""Photos of every format, depth and colour model: read, changed in a part, written, and read again by others."""

import io
import struct
from pathlib import Path

import cv2
import icc_profiles
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from retouch.errors import RetouchError, SourceError
from retouch.images import resize
from retouch.pictures import decode as decoding
from retouch.pictures import png
from retouch.pictures.file import read
from retouch.pictures.formats import FORMATS, result_suffix
from retouch.pictures.lab_values import _lab_to_srgb, _srgb_to_lab
from retouch.pictures.write import check_output, write

SIZE = (30, 44)


@pytest.fixture
def colours(rng) -> np.ndarray:
    """A smooth uint8 H×W×4 picture with alpha."""
    return resize(rng.integers(40, 216, (3, 4, 4), dtype=np.uint8), *SIZE)


def round_trip(path: Path, out: Path | None = None):
    """The picture, what its changed upper half should be, and the result read again."""
    picture = read(path)
    after = picture.pixels.copy()
    limit = np.iinfo(after.dtype).max
    part = after[:15] if after.ndim == 2 else after[:15, :, :3]
    part[:] = np.clip(part * 0.8 + 0.05 * limit, 0, limit)
    out = out or path.with_name(f"out-{path.name}")
    write(after, out, picture)
    return picture, after, read(out)


def check_lossless(path: Path, tolerance: float = 0) -> None:
    """The result has the photo's mode, depth and unchanged pixels, also for Pillow; its changed pixels are right."""
    picture, after, result = round_trip(path)
    assert result.pixels.dtype == after.dtype
    assert result.pixels.shape == after.shape
    np.testing.assert_array_equal(result.pixels[15:], picture.pixels[15:])
    assert np.abs(result.pixels[:15].astype(float) - after[:15]).max() <= tolerance
    before, written = Image.open(path), Image.open(path.with_name(f"out-{path.name}"))
    assert written.size == before.size
    np.testing.assert_array_equal(np.asarray(written.convert("RGBA"))[15:], np.asarray(before.convert("RGBA"))[15:])


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_modes_of_8_bits_and_fewer(mode, suffix, colours, tmp_path):
    path = tmp_path / f"photo{suffix}"
    Image.fromarray(colours).convert("RGB" if mode == "P" else "RGBA").convert(mode).save(path)
    check_lossless(path)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd", "tiff_deflate"])
def test_compressions_of_tiff_are_kept(compression, colours, tmp_path):
    Image.fromarray(colours[..., :3]).save(tmp_path / "photo.tif", compression=compression)
    check_lossless(tmp_path / "photo.tif")
    kinds = [Image.open(tmp_path / name).info["compression"] for name in ("photo.tif", "out-photo.tif")]
    assert kinds[0].replace("tiff_deflate", "tiff_adobe_deflate") == kinds[1]
    if compression != "zstd":  # OpenCV's libtiff has none
        pixels = [cv2.imread(str(tmp_path / name)) for name in ("photo.tif", "out-photo.tif")]
        np.testing.assert_array_equal(pixels[0][15:], pixels[1][15:])


@pytest.mark.parametrize("compression", ["group4", "jpeg"])
def test_compressions_that_would_lose_become_lossless(compression, colours, tmp_path):
    picture = Image.fromarray(colours[..., :3])
    (picture.convert("1") if compression == "group4" else picture).save(tmp_path / "photo.tif", compression=compression)
    check_lossless(tmp_path / "photo.tif")
    assert Image.open(tmp_path / "out-photo.tif").info["compression"] == "tiff_adobe_deflate"


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("bands", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("order", ["<", ">"])
def test_tiffs_of_other_programs(planar, bands, kind, order, colours, tmp_path):
    values = colours[..., :bands].astype(kind) * (257 if kind == np.uint16 else 1) - (kind == np.uint16)
    stored = values[..., 0] if bands == 1 else np.moveaxis(values, -1, 0) if planar == "separate" else values
    tifffile.imwrite(tmp_path / "photo.tif", stored, photometric="minisblack" if bands < 3 else "rgb", byteorder=order,
                     planarconfig=None if bands == 1 else planar, compression="lzw", predictor=2,
                     extrasamples=["unassalpha"] if bands in (2, 4) else None)  # fmt: skip
    picture, after, result = round_trip(tmp_path / "photo.tif")
    expected = np.dstack([values[..., :1]] * 3 + [values[..., 1:]]) if bands == 2 else values
    np.testing.assert_array_equal(picture.pixels, expected if bands > 1 else expected[..., 0])
    np.testing.assert_array_equal(result.pixels, after)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out-photo.tif"), after[..., [0, 3]] if bands == 2 else after)
    if bands != 2 and (bands, kind) != (4, np.uint8):  # OpenCV multiplies by alpha
        pixels = cv2.imread(str(tmp_path / "out-photo.tif"), cv2.IMREAD_UNCHANGED)
        assert pixels.dtype == kind
        expected = after if bands == 1 else after[..., [2, 1, 0, 3][:bands]]
        np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize("bits", [2, 4, 10, 12, 14])
def test_odd_depths_are_scaled(bits, colours, tmp_path):
    values = (colours[..., 0].astype(np.uint16) << 8) >> (16 - bits)
    tifffile.imwrite(tmp_path / "photo.tif", values if bits > 8 else values.astype(np.uint8), bitspersample=bits)
    picture, after, result = round_trip(tmp_path / "photo.tif")
    limit = np.iinfo(picture.pixels.dtype).max
    np.testing.assert_array_equal(picture.pixels, np.rint(values * (limit / ((1 << bits) - 1))))
    np.testing.assert_array_equal(result.pixels, after)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.int16, np.uint32])
@pytest.mark.parametrize("bands", [1, 3])
def test_floats_and_long_numbers_keep_what_pixels_cannot_hold(kind, bands, colours, tmp_path):
    values = (colours[..., :bands].squeeze().astype(np.float64) / 255) ** 2
    scale = 1.0 if np.dtype(kind).kind == "f" else float(np.iinfo(kind).max)
    values = (values * scale).astype(kind)
    if np.dtype(kind).kind == "f":
        values[20, :3] = 3.5  # brighter than white
        values[21, :3] = -0.25
        values[22, :3] = np.nan
    tifffile.imwrite(tmp_path / "photo.tif", values, photometric="rgb" if bands == 3 else "minisblack", compression="zlib")
    picture, after, result = round_trip(tmp_path / "photo.tif")
    stored = tifffile.imread(tmp_path / "out-photo.tif")
    assert stored.dtype == kind
    np.testing.assert_array_equal(stored[15:], values[15:])
    step = 2 if kind == np.int16 else 16 if kind == np.float16 else 1
    assert np.abs(result.pixels[:15].astype(int) - after[:15]).max() <= step
    assert picture.pixels.dtype == np.uint16


@pytest.mark.parametrize("encoding", ["cielab", "icclab"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_lab_tiffs(encoding, kind, colours, tmp_path):
    lab = _srgb_to_lab(colours[..., :3] / 255)
    offset = 128 if encoding == "icclab" else 0
    if kind == np.uint8:
        codes = np.stack([lab[..., 0] * 2.55, lab[..., 1] + offset, lab[..., 2] + offset], -1)
        codes = np.rint(codes).astype(int) % 256
    else:
        white = 65280 if offset else 65535
        codes = np.stack([lab[..., 0] * white / 100, (lab[..., 1] + offset) * 256, (lab[..., 2] + offset) * 256], -1)
        codes = np.rint(codes).astype(int) % 65536
    tifffile.imwrite(tmp_path / "photo.tif", codes.astype(kind), photometric=encoding)
    picture, after, result = round_trip(tmp_path / "photo.tif")
    limit = np.iinfo(kind).max
    assert np.abs(picture.pixels / limit - colours[..., :3] / 255).max() < (0.06 if kind == np.uint8 else 0.003)
    assert np.abs(picture.pixels / limit - colours[..., :3] / 255).mean() < 0.006
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out-photo.tif")[15:], codes.astype(kind)[15:])
    assert np.abs(result.pixels[:15] / limit - after[:15] / limit).mean() < 0.006
    if kind == np.uint8 and encoding == "cielab":  # Pillow's own idea of Lab
        conversion = ImageCms.buildTransform(ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB")
        pillow = np.asarray(ImageCms.applyTransform(Image.open(tmp_path / "photo.tif"), conversion))
        assert np.abs(pillow.astype(int) - picture.pixels).mean() < 1.5


def cmyk_profile() -> bytes:
    """A CMYK profile of inks that are duller than the formula's, as lookup tables (ICC.1 §10.10)."""

    def to_lab(inks: np.ndarray) -> np.ndarray:
        light = 1 - inks[..., :3] @ np.array([[0.85, 0.1, 0.02], [0.05, 0.8, 0.1], [0.02, 0.08, 0.75]])
        return _srgb_to_lab(np.clip(light, 0, 1) * (1 - 0.9 * inks[..., 3:]) * 0.9 + 0.05)

    def to_inks(lab: np.ndarray) -> np.ndarray:
        rgb = (np.clip(_lab_to_srgb(lab), 0, 1) - 0.05) / 0.9
        inks = (1 - rgb) @ np.linalg.inv(np.array([[0.85, 0.1, 0.02], [0.05, 0.8, 0.1], [0.02, 0.08, 0.75]]))
        return np.clip(np.concatenate([inks, np.zeros_like(inks[..., :1])], -1), 0, 1)

    def table(grid: int, inputs: int, outputs: int, values: np.ndarray) -> bytes:
        head = b"mft2" + bytes(4) + bytes([inputs, outputs, grid, 0])
        head += struct.pack(">9i", *(65536 if index % 4 == 0 else 0 for index in range(9))) + struct.pack(">2H", 2, 2)
        codes = np.clip(np.rint(values), 0, 65535).astype(">u2").tobytes()
        ramp = struct.pack(">2H", 0, 65535)
        return head + ramp * inputs + codes + ramp * outputs

    def mesh(grid: int, axes: int) -> np.ndarray:
        return np.stack(np.meshgrid(*[np.linspace(0, 1, grid)] * axes, indexing="ij"), -1).reshape(-1, axes)

    lab = to_lab(mesh(9, 4))
    forward = np.stack([lab[:, 0] * 652.8, (lab[:, 1] + 128) * 256, (lab[:, 2] + 128) * 256], -1)
    codes = mesh(33, 3) * 65535
    back = to_inks(np.stack([codes[:, 0] / 652.8, codes[:, 1] / 256 - 128, codes[:, 2] / 256 - 128], -1)) * 65535
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    contents = [(b"A2B0", table(9, 4, 3, forward)), (b"B2A0", table(33, 3, 4, back)), (b"wtpt", white)]
    contents.append((b"desc", b"desc" + bytes(4) + struct.pack(">I", 5) + b"inks\0" + bytes(78)))
    entries, body, offset = b"", b"", 132 + 12 * len(contents)
    for name, data in contents:
        data += bytes(-len(data) % 4)
        entries += name + struct.pack(">2I", offset + len(body), len(data))
        body += data
    head = struct.pack(">I4sI4s4s4s", offset + len(body), b"test", 0x02400000, b"prtr", b"CMYK", b"Lab ") + bytes(12)
    head += b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061) + bytes(48)
    return head + struct.pack(">I", len(contents)) + entries + body


@pytest.mark.parametrize("name", ["c.tif", "c.jpg"])
def test_cmyk_stays_cmyk(name, colours, tmp_path):
    Image.new("CMYK", (90, 60), (0, 99, 99, 0)).save(tmp_path / "flat.tif")
    assert (read(tmp_path / "flat.tif").pixels == (255, 156, 156)).all()
    inks = np.asarray(Image.fromarray(colours[..., :3]).convert("CMYK")).copy()
    inks[..., 3] = 40
    options = {"quality": 98, "subsampling": 0} if name.endswith("jpg") else {}
    Image.fromarray(inks, "CMYK").save(tmp_path / name, **options)
    picture, after, result = round_trip(tmp_path / name)
    reopened = Image.open(tmp_path / f"out-{name}")
    assert reopened.mode == "CMYK"
    error = np.abs(np.asarray(reopened).astype(int) - np.asarray(Image.open(tmp_path / name)))[16:]
    assert error.max() <= (4 if name.endswith("jpg") else 0)
    assert np.abs(result.pixels.astype(int) - after).mean() < 2
    assert np.abs(np.asarray(reopened.convert("RGB")).astype(int) - after).mean() < 3
    assert np.abs(picture.pixels.astype(int) - np.asarray(Image.open(tmp_path / name).convert("RGB"))).max() <= 2


def test_cmyk_with_a_profile_goes_through_it(colours, tmp_path):
    profile = cmyk_profile()
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    to_inks = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), source, "RGB", "CMYK")
    soft = np.clip(colours[..., :3] * 0.4 + 90, 0, 255).astype(np.uint8)
    ImageCms.applyTransform(Image.fromarray(soft), to_inks).save(tmp_path / "c.jpg", quality=98, subsampling=0,
                                                               icc_profile=profile)  # fmt: skip
    picture, after, result = round_trip(tmp_path / "c.jpg")
    for pixels, truth in ((picture.pixels, soft), (result.pixels, after)):
        error = np.linalg.norm(_srgb_to_lab(pixels / 255) - _srgb_to_lab(truth / 255), axis=-1)
        assert error.mean() < 3
    assert Image.open(tmp_path / "out-c.jpg").info["icc_profile"] == profile
    assert picture.space.is_srgb


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("depth", [8, 16])
def test_a_colour_key_becomes_alpha(mode, depth, colours, tmp_path):
    pixels = colours[..., :3] if mode == "RGB" else colours[..., 0]
    pixels = np.maximum(pixels, 1)
    pixels[5:9, 5:9] = 0
    if depth == 8:
        Image.fromarray(pixels).save(tmp_path / "k.png", transparency=(0, 0, 0) if mode == "RGB" else 0)
    else:
        from retouch.pictures.png import encode

        key = bytes(6) if mode == "RGB" else bytes(2)
        (tmp_path / "k.png").write_bytes(encode(pixels.astype(np.uint16) * 257, [(b"tRNS", key)]))
    picture, after, result = round_trip(tmp_path / "k.png")
    alpha = np.full(SIZE, 255 if depth == 8 else 65535)
    alpha[5:9, 5:9] = 0
    np.testing.assert_array_equal(picture.pixels[..., 3], alpha)
    np.testing.assert_array_equal(result.pixels, after)
    if depth == 8:
        assert Image.open(tmp_path / "out-k.png").mode == ("RGBA" if mode == "RGB" else "LA")


@pytest.mark.parametrize("bands", [1, 2, 3, 4])
def test_png_of_16_bits(bands, colours, rng, tmp_path):
    pixels = rng.integers(0, 65536, (*SIZE, bands), dtype=np.uint16).squeeze()
    import imagecodecs

    (tmp_path / "deep.png").write_bytes(imagecodecs.png_encode(pixels))
    picture, after, result = round_trip(tmp_path / "deep.png")
    np.testing.assert_array_equal(result.pixels, after)
    assert picture.pixels.dtype == np.uint16
    pixels = cv2.imread(str(tmp_path / "out-deep.png"), cv2.IMREAD_UNCHANGED)
    assert pixels.dtype == np.uint16
    expected = after if bands == 1 else after[..., [2, 1, 0]] if bands == 3 else after[..., [2, 1, 0, 3]]
    np.testing.assert_array_equal(pixels, expected)


def test_lossless_webp_stays_lossless(rng, tmp_path):
    noise = rng.integers(0, 256, (*SIZE, 4), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.webp", lossless=True, exact=True)
    check_lossless(tmp_path / "noise.webp")
    Image.fromarray(noise[..., :3]).save(tmp_path / "lossy.webp", quality=80)
    assert not read(tmp_path / "lossy.webp").form.options["lossless"]
    round_trip(tmp_path / "lossy.webp")
    assert b"VP8 " in (tmp_path / "out-lossy.webp").read_bytes()


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_jpeg_keeps_its_tables_and_sampling(subsampling, colours, tmp_path):
    Image.fromarray(colours[..., :3]).save(tmp_path / "a.jpg", quality=71, subsampling=subsampling, progressive=True)
    _, after, result = round_trip(tmp_path / "a.jpg")
    before, written = Image.open(tmp_path / "a.jpg"), Image.open(tmp_path / "out-a.jpg")
    assert before.quantization == written.quantization
    assert before.layer == written.layer
    assert written.info["progressive"]
    assert np.abs(result.pixels.astype(int) - after).mean() < 4


@pytest.mark.parametrize("name", ["a.heic", "a.avif"])
@pytest.mark.parametrize("bands", [3, 4])
def test_heic_and_avif_are_read_and_written(name, bands, colours, tmp_path):
    decoding.register_heif()
    Image.fromarray(colours[..., :bands]).save(tmp_path / name, quality=95)
    picture, after, result = round_trip(tmp_path / name)
    assert picture.pixels.shape == (*SIZE, bands)
    assert np.abs(picture.pixels[..., :3].astype(int) - colours[..., :3]).mean() < 4
    assert np.abs(result.pixels.astype(int) - after).mean() < 4
    assert Image.open(tmp_path / f"out-{name}").size == SIZE[::-1]


def test_heic_and_avif_of_10_bits(colours, tmp_path):
    import imagecodecs
    import pillow_heif

    deep = colours[..., :3].astype(np.uint16) * 257
    pillow_heif.encode("RGB;16", SIZE[::-1], deep.tobytes(), tmp_path / "a.heic", quality=95, chroma=444)
    picture, after, result = round_trip(tmp_path / "a.heic")
    assert picture.pixels.dtype == result.pixels.dtype == np.uint16
    assert np.abs(picture.pixels.astype(int) - deep).mean() < 600
    assert np.abs(result.pixels.astype(int) - after).mean() < 600
    (tmp_path / "a.avif").write_bytes(imagecodecs.avif_encode(deep >> 6, level=95, bitspersample=10))
    assert result_suffix(tmp_path / "a.avif") == ".png"
    picture, after, result = round_trip(tmp_path / "a.avif", tmp_path / "a.png")
    assert np.abs(picture.pixels.astype(int) - deep).mean() < 600
    np.testing.assert_array_equal(result.pixels, after)


def test_channels_besides_colour_and_premultiplied_colours_are_kept(colours, tmp_path):
    five = np.dstack([colours, colours[::-1, :, :2]])  # RGB, alpha and two saved selections
    tifffile.imwrite(tmp_path / "photo.tif", five, photometric="rgb", extrasamples=["unassalpha", 0, 0])
    _, after, _ = round_trip(tmp_path / "photo.tif")
    stored = tifffile.imread(tmp_path / "out-photo.tif")
    np.testing.assert_array_equal(stored[..., 3:], five[..., 3:])
    np.testing.assert_array_equal(stored[..., :3], after[..., :3])
    alpha = colours[..., 3:].astype(np.float32) / 255
    multiplied = np.dstack([np.rint(colours[..., :3] * alpha).astype(np.uint8), colours[..., 3]])
    tifffile.imwrite(tmp_path / "pre.tif", multiplied, photometric="rgb", extrasamples=["assocalpha"])
    picture, after, result = round_trip(tmp_path / "pre.tif")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out-pre.tif")[15:], multiplied[15:])
    error = np.abs(picture.pixels[..., :3].astype(int) - colours[..., :3]) * alpha
    assert error.max() <= 1
    assert (np.abs(result.pixels[..., :3].astype(int) - after[..., :3]) * alpha).max() <= 2


def test_other_formats_become_png(colours, tmp_path):
    for name in ("a.gif", "a.bmp", "a.jp2", "a.ppm", "a.tga"):
        Image.fromarray(colours[..., :3]).save(tmp_path / name)
        out = tmp_path / f"out{result_suffix(tmp_path / name)}"
        assert out.suffix == (".bmp" if name == "a.bmp" else ".png")
        _, after, result = round_trip(tmp_path / name, out)
        np.testing.assert_array_equal(result.pixels, after)
    Image.fromarray(colours).save(tmp_path / "named.jpg", "PNG")
    assert result_suffix(tmp_path / "named.jpg") == ".png"
    assert result_suffix(tmp_path / "missing.JPG") == ".JPG"


def test_what_a_format_cannot_hold_is_said_first(colours, tmp_path):
    Image.fromarray(colours).save(tmp_path / "clear.png")
    with pytest.raises(RetouchError, match=r"JPEG has no transparency and the photo has; name the result \.png"):
        check_output(tmp_path / "a.jpg", read(tmp_path / "clear.png"))
    tifffile.imwrite(tmp_path / "deep.tif", colours[..., :3].astype(np.uint16) * 257, photometric="rgb")
    deep = read(tmp_path / "deep.tif")
    assert check_output(tmp_path / "a.jpg", deep) == ("its 16 bits a channel become 8 in JPEG",)
    assert check_output(tmp_path / "a.tif", deep) == ()
    write(deep.pixels, tmp_path / "a.jpg", deep)
    assert np.abs(read(tmp_path / "a.jpg").pixels.astype(int) - colours[..., :3]).mean() < 4
    Image.new("L", (17000, 2)).save(tmp_path / "long.png")
    with pytest.raises(RetouchError, match="WEBP takes at most 16383 px a side and the photo is 17000×2"):
        check_output(tmp_path / "a.webp", read(tmp_path / "long.png"))


@pytest.mark.parametrize("suffix", sorted(FORMATS))
def test_any_photo_is_written_in_any_format(suffix, colours, tmp_path):
    for name in ("cmyk.tif", "deep.tif", "grey.png", "float.tif"):
        if name == "cmyk.tif":
            Image.fromarray(colours[..., :3]).convert("CMYK").save(tmp_path / name)
        elif name == "grey.png":
            Image.fromarray(colours[..., 0]).save(tmp_path / name)
        else:
            values = colours[..., :3].astype(np.uint16) * 257 if name == "deep.tif" else colours[..., :3] / np.float32(255)
            tifffile.imwrite(tmp_path / name, values, photometric="rgb")
        _, after, result = round_trip(tmp_path / name, tmp_path / f"out{suffix}")
        scale = 257 if after.dtype == np.uint16 and result.pixels.dtype == np.uint8 else 1
        pixels = result.pixels if result.pixels.ndim == after.ndim else result.pixels[..., 0]
        unit = 257 if pixels.dtype == np.uint16 else 1
        assert np.abs(pixels / unit - after / (scale * unit)).mean() < 4


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (100, 20000)])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp"])
def test_odd_sizes(size, suffix, tmp_path):
    Image.new("RGB", size[::-1], (90, 20, 30)).save(tmp_path / f"photo{suffix}")
    _, _, result = round_trip(tmp_path / f"photo{suffix}")
    assert result.pixels.shape == (*size, 3)


@pytest.mark.parametrize("profile", [icc_profiles.DISPLAY_P3, icc_profiles.PROPHOTO])
@pytest.mark.parametrize("suffix", sorted(FORMATS))
def test_colours_are_the_same_in_any_format(profile, suffix, colours, tmp_path):
    """A format without profiles gets the colours in sRGB, and that is said."""
    soft = 110 + colours[..., :3] // 8  # inside sRGB, whatever the space
    Image.fromarray(soft).save(tmp_path / "a.png", icc_profile=profile)
    photo = read(tmp_path / "a.png")
    out = tmp_path / f"out{suffix}"
    losses = check_output(out, photo)
    write(photo.pixels, out, photo)
    again = read(out)
    expected, actual = photo.space.to_srgb(photo.pixels), again.space.to_srgb(again.pixels)
    assert np.abs(expected - actual).mean() < 0.02
    assert bool(losses) == (suffix == ".bmp")


@pytest.mark.parametrize(
    ("name", "contents", "is_said"),
    [
        (b"cICP", bytes([9, 16, 0, 1]), True),
        (b"cICP", bytes([1, 13, 0, 1]), False),
        (b"gAMA", struct.pack(">I", 100_000), True),
        (b"gAMA", struct.pack(">I", 45_455), False),
        (b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000), True),
        (b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000), False),
    ],
)
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_png_whose_colours_are_told_otherwise_is_taken_for_srgb_and_that_is_said(name, contents, is_said, kind, tmp_path):
    (tmp_path / "a.png").write_bytes(png.encode(np.full((8, 9, 3), 99, kind), [(name, contents)]))
    warnings = [warning for warning in read(tmp_path / "a.png").warnings if "taken for sRGB" in warning]
    assert len(warnings) == is_said
    assert not is_said or name.decode() in warnings[0]


def huge_tiff() -> bytes:
    """A TIFF that says it has 20000 × 20000 pixels, in a few bytes."""
    buffer = io.BytesIO()
    Image.new("L", (8, 8)).save(buffer, "tiff")
    data = bytearray(buffer.getvalue())
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        for tag in ("ImageWidth", "ImageLength", "RowsPerStrip"):
            at = file.pages.first.tags[tag].valueoffset
            data[at : at + 2] = (20000).to_bytes(2, "little")
    return bytes(data)


@pytest.mark.parametrize("kind", ["png", "tiff", "lie", "bmp"])
def test_more_than_200_megapixels_are_refused(kind, tmp_path):
    path = tmp_path / "photo.bin"
    if kind == "lie":
        path.write_bytes(huge_tiff())
    elif kind == "bmp":
        data = bytearray(b"BM" + bytes(52))
        data[10], data[14], data[26], data[28] = 54, 40, 1, 24
        data[18:26] = (30000).to_bytes(4, "little") * 2
        path.write_bytes(data)
    else:
        options = {"compression": "group4"} if kind == "tiff" else {}
        Image.new("1", (21_000, 10_000)).save(path, kind, **options)
    with pytest.raises(SourceError, match=r"photo.bin has \d+ megapixels, more than 200: make it smaller"):
        read(path)


def test_a_tiff_that_is_cut_off_is_refused(colours, tmp_path):
    Image.fromarray(colours).save(tmp_path / "photo.tif")
    content = (tmp_path / "photo.tif").read_bytes()
    (tmp_path / "photo.tif").write_bytes(content[: len(content) // 2])
    with pytest.raises(SourceError, match=r"photo\.tif cannot be decoded"):
        read(tmp_path / "photo.tif")


def test_camera_raw_is_refused(colours, tmp_path):
    tifffile.imwrite(tmp_path / "photo.dng", colours[..., :3], photometric="rgb", extratags=[(50706, 1, 4, b"\1\4\0\0", True)])
    with pytest.raises(SourceError, match="is camera raw: develop it"):
        read(tmp_path / "photo.dng")


def test_the_space_is_the_profile_s(colours, tmp_path):
    for profile, is_srgb in ((icc_profiles.SRGB, True), (icc_profiles.ADOBE_RGB, False)):
        Image.fromarray(colours[..., :3]).save(tmp_path / "photo.png", icc_profile=profile)
        picture = read(tmp_path / "photo.png")
        assert picture.space.is_srgb == is_srgb
        write(picture.pixels, tmp_path / "out.png", picture)
        assert Image.open(tmp_path / "out.png").info["icc_profile"] == profile

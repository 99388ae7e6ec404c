"""Masks as people have them: one rule a kind, their size and how they lie, several foregrounds, hints."""

import re
import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from retouch.errors import SourceError
from retouch.images import resize
from retouch.pictures.decode import ORIENTATION, upright
from retouch.pictures.mask_labels import voc_colours
from retouch.pictures.masks import MAX_FOREGROUNDS, read_foregrounds, read_mask

SIZE = 60, 80
VOC = voc_colours()


@pytest.fixture
def soft() -> np.ndarray:
    """A disc with a soft edge, uint8."""
    return disc(SIZE, 18, 3.0)


@pytest.fixture
def photo(rng) -> np.ndarray:
    return resize(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8), *SIZE)


def disc(size: tuple[int, int], radius: float, softness: float, centre: tuple[float, float] = (0.4, 0.6)) -> np.ndarray:
    """A disc inside which is 255, outside 0, and between a slope of 2·`softness` px (0 = hard)."""
    height, width = size
    y, x = np.mgrid[:height, :width]
    inside = radius - np.hypot(y - centre[0] * height, x - centre[1] * width)
    if softness == 0:
        return np.where(inside > 0, np.uint8(255), np.uint8(0))
    return np.rint(np.clip(0.5 + inside / (2 * softness), 0, 1) * 255).astype(np.uint8)


def painted(strength: np.ndarray, colour: tuple[int, int, int], ground: tuple[int, int, int]) -> np.ndarray:
    share = strength[..., None] / 255
    return np.rint(share * colour + (1 - share) * np.array(ground)).astype(np.uint8)


def on_transparent(strength: np.ndarray, colour: tuple[int, int, int]) -> Image.Image:
    return Image.fromarray(np.dstack([np.full((*strength.shape, 3), colour, np.uint8), strength]))


def grey_on_transparent(strength: np.ndarray, code: int) -> Image.Image:
    return Image.merge("LA", [Image.new("L", strength.shape[::-1], code), Image.fromarray(strength)])


def cut_out(strength: np.ndarray) -> Image.Image:
    noise = np.random.default_rng(1).integers(0, 256, (*strength.shape, 3), dtype=np.uint8)
    return Image.fromarray(np.dstack([noise, strength]))


def indexed(numbers: np.ndarray, palette: np.ndarray) -> Image.Image:
    picture = Image.fromarray(numbers.astype(np.uint8)).convert("L")
    picture.putpalette(palette.astype(np.uint8).tobytes())
    return picture


def quantized(strength: np.ndarray) -> Image.Image:
    """A grey mask whose palette is in any order, as optimizers of PNG files write it."""
    order = np.random.default_rng(2).permutation(256)
    palette = np.zeros((256, 3), np.uint8)
    palette[order] = np.arange(256)[:, None]
    return indexed(order[strength], palette)


SOFT_KINDS: dict[str, tuple[str, Callable[[np.ndarray], Image.Image], int]] = {
    "white on black": ("png", Image.fromarray, 0),
    "white on black in RGB": ("png", lambda m: Image.fromarray(np.dstack([m] * 3)), 0),
    "white on black, opaque RGBA": ("png", lambda m: Image.fromarray(np.dstack([m, m, m, np.full_like(m, 255)])), 0),
    "white on black, TIFF": ("tif", Image.fromarray, 0),
    "white on black, CMYK": ("tif", lambda m: Image.fromarray(np.dstack([m] * 3)).convert("CMYK"), 0),
    "white on transparent": ("png", lambda m: on_transparent(m, (255, 255, 255)), 0),
    "white on transparent, grey": ("png", lambda m: grey_on_transparent(m, 255), 0),
    "black on transparent": ("png", lambda m: on_transparent(m, (0, 0, 0)), 0),
    "black on transparent, grey": ("png", lambda m: grey_on_transparent(m, 0), 0),
    "red on transparent": ("png", lambda m: on_transparent(m, (230, 30, 10)), 0),
    "cut-out": ("png", cut_out, 0),
    "cut-out, TIFF": ("tif", cut_out, 0),
    "cut-out, lossless WebP": ("webp", cut_out, 0),
    "red on black": ("png", lambda m: Image.fromarray(painted(m, (255, 0, 0), (0, 0, 0))), 2),
    "dark blue on black": ("png", lambda m: Image.fromarray(painted(m, (0, 0, 100), (0, 0, 0))), 3),
    "green on white": ("png", lambda m: Image.fromarray(painted(m, (20, 200, 60), (255, 255, 255))), 2),
    "yellow on white": ("png", lambda m: Image.fromarray(painted(m, (255, 255, 0), (255, 255, 255))), 2),
    "16 bits": ("png", lambda m: Image.fromarray(m.astype(np.uint16) * 257), 0),
    "16 bits, TIFF": ("tif", lambda m: Image.fromarray(m.astype(np.uint16) * 257), 0),
    "floats to 1": ("tif", lambda m: Image.fromarray(m.astype(np.float32) / 255), 0),
    "floats to 255": ("tif", lambda m: Image.fromarray(m.astype(np.float32)), 0),
    "32-bit whole numbers": ("tif", lambda m: Image.fromarray(m.astype(np.int32)), 0),
    "palette in any order": ("png", quantized, 0),
    "palette, a ramp": ("png", lambda m: indexed(m, np.repeat(np.arange(256)[:, None], 3, 1)), 0),
}  # fmt: skip
HARD_KINDS: dict[str, tuple[str, Callable[[np.ndarray], Image.Image]]] = {
    "0 and 1": ("png", lambda m: Image.fromarray(m // 255)),
    "0 and 1 in RGB": ("png", lambda m: Image.fromarray(np.dstack([m // 255] * 3))),
    "0 and 1 of 16 bits": ("png", lambda m: Image.fromarray((m // 255).astype(np.uint16))),
    "bilevel": ("png", lambda m: Image.fromarray(m).convert("1")),
    "bilevel, TIFF": ("tif", lambda m: Image.fromarray(m).convert("1")),
    "VOC's palette, 1": ("png", lambda m: indexed(m // 255, VOC)),
    "VOC's palette, 7, which is grey": ("png", lambda m: indexed(m // 255 * 7, VOC)),
    "VOC's palette, GIF": ("gif", lambda m: indexed(m // 255, VOC)),
    "palette without colours": ("png", lambda m: indexed(m // 255, np.zeros((256, 3)))),
    "palette, white first": ("png", lambda m: indexed((255 - m) // 255, np.array([[255] * 3, [0] * 3]))),
    "palette, red": ("png", lambda m: indexed(m // 255, np.array([[0, 0, 0], [255, 0, 0]]))),
    "class 15 as grey": ("png", lambda m: Image.fromarray(m // 255 * 15)),
    "yellow on purple": ("png", lambda m: Image.fromarray(painted(m, (253, 231, 37), (68, 1, 84)))),
    "transparent colour key": ("png", lambda m: Image.fromarray(m)),
}


def save(picture: Image.Image, path: Path, **options: object) -> Path:
    if path.suffix == ".webp":
        options |= {"lossless": True}
    picture.save(path, **options)
    return path


@pytest.mark.parametrize("kind", SOFT_KINDS)
def test_a_kind_of_mask_and_its_soft_edge(kind, soft, tmp_path):
    suffix, make, tolerance = SOFT_KINDS[kind]
    mask = read_mask(save(make(soft), tmp_path / f"m.{suffix}"), SIZE)
    assert mask.values.dtype == np.uint8
    assert np.abs(mask.values.astype(int) - soft).max() <= tolerance
    np.testing.assert_array_equal(mask.values[soft == 0], 0)
    np.testing.assert_array_equal(mask.values[soft == 255], 255)
    assert mask.warnings == ()


@pytest.mark.parametrize("kind", HARD_KINDS)
def test_a_kind_of_hard_mask(kind, tmp_path):
    hard = disc(SIZE, 18, 0)
    suffix, make = HARD_KINDS[kind]
    options = {"transparency": 0} if kind == "transparent colour key" else {}
    mask = read_mask(save(make(hard), tmp_path / f"m.{suffix}", **options), SIZE)
    np.testing.assert_array_equal(mask.values, hard)
    assert len(mask.warnings) == (kind == "yellow on purple")


@pytest.mark.parametrize(("key", "sign"), [(0, 1), (255, -1)])
def test_a_transparent_colour_keeps_the_soft_edge(key, sign, soft, tmp_path):
    codes = soft if sign > 0 else 255 - soft
    for picture in (codes, np.dstack([codes] * 3)):
        transparency = key if picture.ndim == 2 else (key,) * 3
        path = save(Image.fromarray(picture), tmp_path / "m.png", transparency=transparency)
        np.testing.assert_array_equal(read_mask(path, SIZE).values, soft)


def test_half_strength(tmp_path):
    for code in (32768, 32896):
        Image.fromarray(np.full(SIZE, code, np.uint16)).save(tmp_path / "half.png")
        np.testing.assert_array_equal(read_mask(tmp_path / "half.png", SIZE).values, 128)
    Image.fromarray(np.full(SIZE, 0.5, np.float32)).save(tmp_path / "half.tif")
    np.testing.assert_array_equal(read_mask(tmp_path / "half.tif", SIZE).values, 128)
    Image.fromarray(np.full(SIZE, 128, np.uint8)).save(tmp_path / "half.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "half.png", SIZE).values, 128)


def test_voc_s_border_is_divided_between_its_sides(tmp_path):
    size = 300, 400
    hard = disc(size, 90, 0)
    numbers = np.where(hard > 0, np.uint8(1), np.uint8(0))
    border = (cv2.dilate(hard, np.ones((7, 7))) > 0) & (cv2.erode(hard, np.ones((7, 7))) == 0)
    numbers[border] = 255
    for picture in (indexed(numbers, VOC), Image.fromarray(numbers)):
        values = read_mask(save(picture, tmp_path / "voc.png"), size).values
        assert set(np.unique(values)) == {0, 255}
        np.testing.assert_array_equal(values[~border], hard[~border])
        assert (values != hard).mean() < 0.004
        assert (values[border] > 0).mean() == pytest.approx(0.5, abs=0.05)
    (alone,) = read_foregrounds([save(indexed(numbers, VOC), tmp_path / "voc.png")], size, label_map=True)
    np.testing.assert_array_equal(alone.values, values)


def test_a_white_shape_with_dark_dirt_is_no_label_map(tmp_path):
    hard = disc(SIZE, 18, 0)
    dirty = np.where(hard > 0, hard, np.uint8(2))
    values = read_mask(save(Image.fromarray(dirty), tmp_path / "m.png"), SIZE).values
    np.testing.assert_array_equal(values, dirty)


@pytest.mark.parametrize("quality", [50, 75, 92])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpeg_s_noise_is_outside_and_inside_without_effect(quality, mode, tmp_path):
    size = 300, 400
    hard = disc(size, 90, 0)
    Image.fromarray(hard).convert(mode).save(tmp_path / "m.jpg", quality=quality)
    stored = np.asarray(Image.open(tmp_path / "m.jpg").convert("L"))
    assert len(np.unique(stored)) > 20
    values = read_mask(tmp_path / "m.jpg", size).values
    distance = cv2.distanceTransform((hard == 0).astype(np.uint8), cv2.DIST_L2, 5)
    assert (values[distance > 2] > 0).mean() < 0.001
    assert (values[hard == 255] < 255).mean() < 0.03
    soft = disc(size, 90, 20.0)
    Image.fromarray(soft).convert(mode).save(tmp_path / "m.jpg", quality=92)
    assert np.abs(read_mask(tmp_path / "m.jpg", size).values.astype(int) - soft).max() <= 16


def test_a_red_jpeg_mask_too(tmp_path):
    size = 300, 400
    hard = disc(size, 90, 0)
    Image.fromarray(painted(hard, (255, 0, 0), (0, 0, 0))).save(tmp_path / "m.jpg", quality=90)
    values = read_mask(tmp_path / "m.jpg", size).values
    away = np.abs(cv2.distanceTransform((hard == 0).astype(np.uint8), cv2.DIST_L2, 5)) > 16
    np.testing.assert_array_equal(values[away], 0)
    assert np.median(values[hard == 255]) == 255
    assert ((values > 127) != (hard > 127)).mean() < 0.01


# Size and turning -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [0.13, 0.5, 0.77, 2.0, 3.3])
def test_a_mask_of_another_size_is_stretched_and_antialiased(factor, tmp_path):
    size = 240, 331
    own = round(size[0] * factor), round(size[1] * factor)
    hard = disc(own, 60 * factor, 0)
    values = read_mask(save(Image.fromarray(hard), tmp_path / "m.png"), size).values
    expected = disc(size, 60, 0)
    assert values.shape == size
    near = 2 + 2 / min(factor, 1)
    inside = cv2.distanceTransform((expected > 0).astype(np.uint8), cv2.DIST_L2, 5)
    outside = cv2.distanceTransform((expected == 0).astype(np.uint8), cv2.DIST_L2, 5)
    np.testing.assert_array_equal(values[inside > near], 255)
    np.testing.assert_array_equal(values[outside > near], 0)
    if factor != 1:
        assert ((values > 0) & (values < 255)).any()


@pytest.mark.parametrize(("own", "size"), [((61, 80), (60, 80)), ((33, 50), (1000, 1500)), ((1001, 1500), (333, 499))])
def test_a_pixel_of_rounding_is_no_other_shape(own, size, tmp_path):
    save(Image.fromarray(np.full(own, 255, np.uint8)), tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png", size).values.shape == size


@pytest.mark.parametrize("own", [(60, 60), (80, 60), (60, 90), (600, 840)])
def test_another_shape_is_refused_with_both_sizes(own, tmp_path):
    save(Image.fromarray(np.full(own, 255, np.uint8)), tmp_path / "m.png")
    with pytest.raises(
        SourceError, match=rf"m\.png is {own[1]}×{own[0]} px but the photo 80×60: give a mask of the photo's size"
    ):
        read_mask(tmp_path / "m.png", SIZE)


def stored(values: np.ndarray, turned: int) -> np.ndarray:
    """An upright picture as the file of a photo with that EXIF orientation stores it."""
    inverse = {6: 8, 8: 6}.get(turned, turned)
    return np.asarray(upright(Image.fromarray(values), inverse))


@pytest.mark.parametrize("turned", range(1, 9))
def test_a_mask_as_its_turned_photo_is_stored(turned, soft, tmp_path):
    save(Image.fromarray(stored(soft, turned)), tmp_path / "m.png")
    mask = read_mask(tmp_path / "m.png", SIZE, turned)
    np.testing.assert_array_equal(mask.values, soft)
    assert [("turned with the photo" in warning) for warning in mask.warnings] == [True] * (turned in (2, 3, 4))


@pytest.mark.parametrize("turned", range(2, 9))
def test_a_mask_with_an_orientation_of_its_own_needs_no_other(turned, soft, tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = turned
    save(Image.fromarray(stored(soft, turned)), tmp_path / "m.png", exif=exif)
    assert_quietly_equal(read_mask(tmp_path / "m.png", SIZE, turned), soft)
    exif[ORIENTATION] = 1
    save(Image.fromarray(soft), tmp_path / "m.png", exif=exif)
    assert_quietly_equal(read_mask(tmp_path / "m.png", SIZE, turned), soft)


def assert_quietly_equal(mask, expected):
    np.testing.assert_array_equal(mask.values, expected)
    assert mask.warnings == ()


@pytest.mark.parametrize("turned", [5, 6, 7, 8])
def test_a_mask_of_the_upright_shape_was_drawn_upright(turned, soft, tmp_path):
    save(Image.fromarray(soft), tmp_path / "m.png")
    assert_quietly_equal(read_mask(tmp_path / "m.png", SIZE, turned), soft)


@pytest.mark.parametrize("drawn_upright", [True, False])
@pytest.mark.parametrize("turned", [2, 3, 4])
def test_where_the_shape_does_not_tell_the_photo_s_edges_do(turned, drawn_upright, soft, photo, tmp_path):
    pasted = np.where(soft[..., None] > 127, 255 - photo // 3, photo // 2)
    save(Image.fromarray(soft if drawn_upright else stored(soft, turned)), tmp_path / "m.png")
    mask = read_mask(tmp_path / "m.png", SIZE, turned, pasted)
    np.testing.assert_array_equal(mask.values, soft)
    (warning,) = mask.warnings
    assert ("left as it is" in warning) == drawn_upright


# What is no mask, and what looks wrong --------------------------------------------------------------------------------


def test_a_photo_is_no_mask(tmp_path, rng):
    fine = resize(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8), *SIZE)
    for suffix in ("png", "jpg"):
        save(Image.fromarray(fine), tmp_path / f"photo.{suffix}")
        with pytest.raises(
            SourceError, match=r"photo\.\w+ is a picture of many colours, not a mask: give one .*`retouch mask PHOTO`"
        ):
            read_mask(tmp_path / f"photo.{suffix}", SIZE)
    with pytest.raises(SourceError, match="not a label map"):
        read_foregrounds([tmp_path / "photo.png"], SIZE, label_map=True)


@pytest.mark.parametrize("values", [[0, -3], [0, 1e9], [0, np.nan], [0, np.inf]])
def test_numbers_that_no_mask_has(values, tmp_path):
    Image.fromarray(np.tile(np.array(values, np.float32), (8, 4))).save(tmp_path / "m.tif")
    with pytest.raises(SourceError, match=r"m\.tif holds values"):
        read_mask(tmp_path / "m.tif", (8, 8))


def test_hints(tmp_path, soft):
    def warnings(values: np.ndarray) -> tuple[str, ...]:
        return read_mask(save(Image.fromarray(values), tmp_path / "m.png"), SIZE).warnings

    assert warnings(soft) == ()
    assert re.fullmatch(r"\d\d% of it is white, up to every side: .* invert the mask", *warnings(255 - soft))
    assert "nothing in it is white" in warnings(np.zeros(SIZE, np.uint8))[0]
    assert "the whole photo counts" in warnings(np.full(SIZE, 255, np.uint8))[0]
    sky = np.zeros(SIZE, np.uint8)
    sky[:45] = 255
    assert warnings(sky) == ()


def test_a_grey_photo_gets_a_hint_and_a_slope_does_not(tmp_path, photo):
    size = 192, 256
    grey = resize(photo[..., 1], *size)
    noisy = np.clip(grey.astype(int) // 2 + 60 + np.random.default_rng(3).integers(-12, 13, size), 0, 255).astype(np.uint8)
    slope = np.tile(np.linspace(0, 255, 256).round().astype(np.uint8), (192, 1))
    hints = []
    for values in (noisy, slope, np.full(size, 128, np.uint8)):
        mask = read_mask(save(Image.fromarray(values), tmp_path / "m.png"), size)
        np.testing.assert_array_equal(mask.values, values)
        hints.append(["as in a photograph" in warning for warning in mask.warnings])
    assert hints == [[True], [], []]


# Several foregrounds --------------------------------------------------------------------------------------------------


def test_several_files_are_several_foregrounds(tmp_path, soft):
    save(Image.fromarray(soft), tmp_path / "a.png")
    save(on_transparent(soft[::-1], (0, 0, 0)), tmp_path / "b.png")
    first, second = read_foregrounds([tmp_path / "a.png", tmp_path / "b.png"], SIZE)
    np.testing.assert_array_equal(first.values, soft)
    np.testing.assert_array_equal(second.values, soft[::-1])


LABELS = {
    "numbers": lambda n: Image.fromarray(n),
    "numbers of 16 bits": lambda n: Image.fromarray(n.astype(np.uint16) * 300),
    "VOC's palette": lambda n: indexed(n, VOC),
    "flat colours": lambda n: Image.fromarray(np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [20, 60, 250]], np.uint8)[n]),
    "flat colours on white": lambda n: Image.fromarray(np.array([[255] * 3, [255, 0, 0], [0, 90, 0], [0, 0, 0]], np.uint8)[n]),
}


@pytest.mark.parametrize("kind", LABELS)
def test_a_label_map_is_a_foreground_a_number(kind, tmp_path):
    numbers = np.zeros(SIZE, np.uint8)
    numbers[5:20, 5:30], numbers[30:45, 10:40], numbers[25:35, 60:70] = 1, 2, 3
    path = save(LABELS[kind](numbers), tmp_path / "labels.png")
    masks = [mask.values for mask in read_foregrounds([path], SIZE, label_map=True)]
    regions = {mask.tobytes() for mask in masks}
    assert regions == {np.where(numbers == k, np.uint8(255), np.uint8(0)).tobytes() for k in (1, 2, 3)}
    larger = read_foregrounds([path], (90, 120), label_map=True)
    assert np.sum([mask.values.astype(int) for mask in larger], axis=0).max() <= 257
    if kind != "numbers of 16 bits":
        together = read_mask(path, SIZE)
        np.testing.assert_array_equal(together.values > 127, numbers > 0)
        assert "one foreground (--split-mask" in together.warnings[0]


def test_too_many_foregrounds_and_none(tmp_path, soft):
    numbers = np.arange(np.prod(SIZE)).reshape(SIZE).astype(np.uint16) % (MAX_FOREGROUNDS + 2)
    save(Image.fromarray(numbers), tmp_path / "many.png")
    save(Image.fromarray(np.zeros(SIZE, np.uint8)), tmp_path / "none.png")
    for name in ("many", "none"):
        with pytest.raises(SourceError, match=rf"{name}\.png holds \d+ numbers but 0: give a label map of 1 to"):
            read_foregrounds([tmp_path / f"{name}.png"], SIZE, label_map=True)
    save(Image.fromarray(soft), tmp_path / "a.png")
    with pytest.raises(SourceError, match="33 masks are more than 32"):
        read_foregrounds([tmp_path / "a.png"] * (MAX_FOREGROUNDS + 1), SIZE)


# Any kind, size and softness ------------------------------------------------------------------------------------------


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(sorted(SOFT_KINDS)),
    height=st.integers(24, 90),
    width=st.integers(24, 90),
    factor=st.sampled_from([0.5, 1.0, 2.0]),
    softness=st.sampled_from([0.0, 1.5, 4.0]),
    centre=st.tuples(st.floats(0.1, 0.9), st.floats(0.1, 0.9)),
)
def test_any_mask_is_0_outside_and_255_inside(kind, height, width, factor, softness, centre, tmp_path):
    own = round(height * factor), round(width * factor)
    assume(min(own) >= 24)  # of a soft brush in fewer pixels most are blends: it is refused
    suffix, make, _ = SOFT_KINDS[kind]
    drawn = disc(own, 9 * factor, softness, centre)
    values = read_mask(save(make(drawn), tmp_path / f"m.{suffix}"), (height, width)).values
    assert (values.shape, values.dtype) == ((height, width), np.uint8)
    y, x = np.mgrid[:height, :width]
    inside = 9 - np.hypot(y - centre[0] * height, x - centre[1] * width)
    near = (softness + 2) / factor + 2
    assert (values[inside < -near] == 0).all()
    assert (values[inside > near] == 255).all()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    mode=st.sampled_from(
        ["1", "L", "P", "LA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I", "I;16", "F", "PA", "HSV", "La", "RGBa"]
    ),
    suffix=st.sampled_from(["png", "tif", "webp", "jpg", "gif", "bmp", "jp2", "avif"]),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    colours=st.integers(1, 6),
    transparency=st.sampled_from([None, 0, 255]),
    turned=st.integers(1, 8),
    label_map=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_any_picture_is_a_mask_or_refused_in_one_sentence(
    mode, suffix, size, colours, transparency, turned, label_map, seed, tmp_path
):
    generator = np.random.default_rng(seed)
    if mode in ("I", "I;16", "F"):
        array = generator.integers(0, 65536, size).astype({"I": np.int32, "I;16": np.uint16, "F": np.float32}[mode])
        picture = Image.fromarray(array if seed % 3 else array % colours)
    else:
        palette = generator.integers(0, 256, (colours, 4), dtype=np.uint8)
        picture = Image.fromarray(palette[generator.integers(0, colours, size)])
        picture = _converted(picture, mode)
    path = tmp_path / f"any.{suffix}"
    options = {} if transparency is None or suffix != "png" or mode not in ("L", "P", "1") else {"transparency": transparency}
    try:
        picture.save(path, **options)
    except (OSError, ValueError, KeyError, TypeError, struct.error):
        return  # the format has no such mode
    upright_size = size[::-1] if turned > 4 else size
    try:
        masks = read_foregrounds([path], upright_size, label_map, turned)
    except SourceError as error:
        assert str(path) in str(error)
        assert "\n" not in str(error)
        return
    for mask in masks:
        assert (mask.values.shape, mask.values.dtype) == (upright_size, np.uint8)
        assert all("\n" not in warning for warning in mask.warnings)


def _converted(picture: Image.Image, mode: str) -> Image.Image:
    steps = {"La": ("LA", "La"), "RGBa": ("RGBa",), "PA": ("P", "PA"), "LAB": ("RGB",), "YCbCr": ("RGB", "YCbCr"),
             "HSV": ("RGB", "HSV"), "CMYK": ("RGB", "CMYK"), "P": ("RGB", "P"), "LA": ("LA",)}.get(mode, (mode,))  # fmt: skip
    for step in steps:
        picture = picture.convert(step)
    return picture


GREY_TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float16", "float32", "float64")


@pytest.mark.parametrize("kind", GREY_TYPES)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("in_planes", [False, True])
def test_a_tiff_mask_of_any_type(kind, channels, in_planes, tmp_path):
    inside = disc((40, 50), 12, 0.01) > 0.5
    white = {"uint8": 255, "uint16": 65535, "int16": 255, "int32": 65535}.get(kind, 1)
    values = (inside * white).astype(kind)
    alpha = channels in (2, 4)
    planes = [np.zeros_like(values) if alpha else values] * (channels - alpha) + [values] * alpha
    array = np.stack(planes, axis=0 if in_planes else 2) if channels > 1 else values
    options = {"planarconfig": "separate" if in_planes else "contig"} if channels > 1 else {}
    options |= {"extrasamples": ["unassalpha"]} if alpha else {}
    path = tmp_path / "mask.tif"
    tifffile.imwrite(path, array, photometric="rgb" if channels > 2 else "minisblack", **options)
    assert_quietly_equal(read_mask(path, (40, 50)), np.where(inside, 255, 0))


def test_a_tiff_mask_that_pillow_does_not_know_keeps_its_orientation(tmp_path):
    inside = disc((40, 50), 12, 0.01) > 0.5
    path = tmp_path / "mask.tif"
    tifffile.imwrite(path, inside.astype(np.float64), photometric="minisblack", extratags=[(274, "H", 1, 3, True)])
    assert_quietly_equal(read_mask(path, (40, 50)), np.where(inside, 255, 0)[::-1, ::-1])


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e9])
@pytest.mark.parametrize("shape", [(40, 50), (40, 50, 3)])
def test_a_tiff_mask_of_no_numbers_is_one_sentence(value, shape, tmp_path):
    path = tmp_path / "mask.tif"
    tifffile.imwrite(path, np.full(shape, value), photometric="rgb" if len(shape) == 3 else "minisblack")
    with pytest.raises(SourceError, match=r"mask\.tif holds values .*: give a mask"):
        read_mask(path, (40, 50))


def test_a_cut_tiff_mask_is_refused(tmp_path):
    path = tmp_path / "mask.tif"
    tifffile.imwrite(path, np.ones((40, 50)), photometric="minisblack")
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(SourceError, match=r"mask\.tif cannot be decoded"):
        read_mask(path, (40, 50))

"""Colour spaces from ICC profiles, against littlecms, and from bytes that are none."""

import io
import struct

import icc_profiles as profiles
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from retouch.pictures.codes import decode_srgb, encode_srgb
from retouch.pictures.color_space import SRGB, color_space, srgb_codes

WIDE = {"p3": profiles.DISPLAY_P3, "adobe": profiles.ADOBE_RGB, "prophoto": profiles.PROPHOTO}
CURVES = {
    "gamma": profiles.gamma(2.2),
    "linear": profiles.curv(),
    "para 0": profiles.para(0, 1.8),
    "para 1": profiles.para(1, 2.2, 0.9, 0.1),
    "para 2": profiles.para(2, 2.2, 0.9, 0.05, 0.02),
    "para 3": profiles.para(3, *profiles.SRGB_CURVE),
    "para 4": profiles.para(4, 2.4, 0.94 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045, 0.01, 0.01),
    "sampled": profiles.sampled(lambda v: v**2.2, 1024),
    "sampled coarsely": profiles.sampled(lambda v: v**1.6, 9),
}


def by_littlecms(profile: bytes, codes: np.ndarray) -> np.ndarray:
    own, srgb = ImageCms.getOpenProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
    return np.asarray(ImageCms.profileToProfile(Image.fromarray(codes), own, srgb, 1, outputMode="RGB"), np.float32)


def lookup_profile(rng) -> bytes:
    """Display P3 by lookup tables of 16 bits to and from Lab, as littlecms reads them (ICC.1: 10.10)."""
    grid, entries = 9, 64
    axis = np.linspace(0, 1, grid)
    values = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)

    def table(inputs: np.ndarray) -> bytes:
        ramp = np.rint(np.linspace(0, 65535, entries)).astype(">u2").tobytes()
        head = (
            b"mft2"
            + bytes(4)
            + bytes([3, 3, grid, 0])
            + profiles.fixed(*np.eye(3).ravel())
            + struct.pack(">HH", entries, entries)
        )
        return head + 3 * ramp + np.rint(inputs.clip(0, 1) * 65535).astype(">u2").tobytes() + 3 * ramp

    # XYZ on the scale of 1 + 32767/32768, the gamma in the grid
    to_xyz = (values**2.2 @ profiles.colorants("p3").T) / (1 + 32767 / 32768)
    xyz = values * (1 + 32767 / 32768)
    from_xyz = (xyz @ np.linalg.inv(profiles.colorants("p3")).T).clip(0, 1) ** (1 / 2.2)
    white = b"XYZ " + bytes(4) + profiles.fixed(*profiles.D50)
    tags = {"desc": profiles.text("tables"), "cprt": profiles.text("none"), "wtpt": white}
    return profiles.assemble("RGB ", tags | {"A2B0": table(to_xyz), "B2A0": table(from_xyz)})


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("primaries", profiles.PRIMARIES)
def test_colours_are_those_of_littlecms_within_a_code(primaries, curve, rng):
    codes = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    profile = profiles.rgb_profile(primaries, CURVES[curve])
    values = color_space(profile, "RGB").to_srgb(codes) * 255
    inside = ((values > 16) & (values < 254)).all(-1)  # littlecms has few bits for the darkest values of 8-bit pictures
    assert inside.mean() > 0.1
    assert np.abs(values - by_littlecms(profile, codes))[inside].max() <= 1


@pytest.mark.parametrize("curve", ["gamma", "linear", "sampled", "para 3"])
def test_grey_profiles_are_those_of_littlecms_within_a_code(curve):
    profile, codes = profiles.grey_profile(CURVES[curve]), np.arange(256, dtype=np.uint8)[None]
    space = color_space(profile, "L")
    values = space.to_srgb(codes)
    assert values.shape == codes.shape
    assert np.abs(values * 255 - by_littlecms(profile, codes)[..., 1])[:, 16:].max() <= 1.1
    assert np.abs(space.from_srgb(values) * 255 - codes)[:, 2:].max() < 0.1  # a sampled curve can begin with several zeros
    in_colour = np.repeat(codes[..., None], 3, axis=2)  # grey with alpha
    np.testing.assert_allclose(space.to_srgb(in_colour)[..., 1], values)


@pytest.mark.parametrize("name", WIDE)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_code_comes_back_also_from_outside_srgb(name, dtype, rng):
    space, highest = color_space(WIDE[name], "RGB"), np.iinfo(dtype).max
    codes = rng.integers(0, highest, (200, 200, 3), dtype=dtype, endpoint=True)
    values = space.to_srgb(codes)
    assert values.dtype == np.float32
    assert values.min() < -0.2
    difference = np.abs(space.from_srgb(values) * highest - codes)
    assert difference.max() < 0.25 * highest / 255
    assert np.median(difference) < 0.05


@pytest.mark.parametrize("name", WIDE)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_codes_of_srgb_are_the_nearest_within_it(name, dtype, rng):
    space = color_space(WIDE[name], "RGB")
    codes = rng.integers(0, np.iinfo(dtype).max, (90, 90, 3), dtype=dtype, endpoint=True)
    result = space.to_srgb_codes_fast(codes)
    assert result.dtype == np.uint8
    assert np.abs(result - np.clip(space.to_srgb(codes), 0, 1) * 255).max() <= 0.54
    assert np.abs(space.to_srgb_codes(codes) - np.clip(space.to_srgb(codes), 0, 1) * 255).max() <= 0.5001
    np.testing.assert_array_equal(SRGB.to_srgb_codes(codes), np.rint(codes / np.iinfo(dtype).max * 255))


@pytest.mark.parametrize("is_exact", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pictures_of_any_form_have_codes_of_srgb(is_exact, dtype, rng):
    pixels = rng.integers(0, np.iinfo(dtype).max, (9, 7, 4), dtype=dtype, endpoint=True)
    for space in (SRGB, color_space(profiles.ADOBE_RGB, "RGB")):
        colours = srgb_codes(pixels[..., :3], space, is_exact)
        expected = space.to_srgb_codes(np.ascontiguousarray(pixels[..., :3]))
        assert colours.dtype == np.uint8
        assert np.abs(colours.astype(int) - expected).max() <= (0 if is_exact else 1)
        np.testing.assert_array_equal(srgb_codes(pixels, space, is_exact), colours)
    grey = srgb_codes(pixels[..., 0], SRGB, is_exact)
    np.testing.assert_array_equal(grey, np.dstack([np.rint(pixels[..., 0] / np.iinfo(dtype).max * 255)] * 3))


def test_greys_stay_grey():
    codes = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    for profile in WIDE.values():
        assert np.ptp(color_space(profile, "RGB").to_srgb(codes), axis=-1).max() < 1e-4


def test_profiles_of_srgb_are_recognised_by_what_they_say():
    def curve(v: np.ndarray) -> np.ndarray:
        return np.where(v > 0.04045, ((v + 0.055) / 1.055) ** 2.4, v / 12.92)

    made = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    sampled = profiles.rgb_profile("srgb", profiles.sampled(curve, 1024))
    for profile in (None, b"", profiles.SRGB, made, sampled):
        assert color_space(profile, "RGB") is SRGB
        assert color_space(profile, "L") is SRGB
    others = (*WIDE.values(), profiles.rgb_profile("srgb", profiles.gamma(2.2)), profiles.rgb_profile("srgb", profiles.curv()))
    assert not any(color_space(profile, "RGB").is_srgb for profile in others)


def test_a_grey_picture_may_have_an_rgb_profile():
    codes = np.arange(256, dtype=np.uint8)[None]
    assert color_space(profiles.DISPLAY_P3, "L") is SRGB  # their curves are the same
    assert np.abs(color_space(profiles.PROPHOTO, "L").to_srgb(codes)[0, 128] - encode_srgb(np.float32(128 / 255) ** 1.8)) < 1e-3


def test_lookup_tables_go_through_littlecms_and_keep_depth(rng):
    profile = lookup_profile(rng)
    space = color_space(profile, "RGB")
    assert space.warning is None
    assert not space.is_srgb
    codes = rng.integers(60, 200, (50, 50, 3), dtype=np.uint8)
    values = space.to_srgb(codes)
    own, srgb = ImageCms.getOpenProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
    expected = np.asarray(ImageCms.profileToProfile(Image.fromarray(codes), own, srgb))
    np.testing.assert_array_equal(np.rint(values * 255), expected)
    deep = codes.astype(np.uint16) * 257 + rng.integers(-99, 99, codes.shape).astype(np.int16).astype(np.uint16)
    before = space.to_srgb(deep)
    np.testing.assert_array_equal(np.rint(space.follow(deep, before, before) * 65535), deep)
    brighter = space.follow(deep, before, before + np.float32(0.1)) - deep / 65535
    assert 0.05 < brighter.mean() < 0.12


@given(values=st.lists(st.floats(-2, 2, width=32), min_size=1))
def test_extended_srgb_mirrors_its_curve_and_goes_both_ways(values):
    encoded = np.array(values, np.float32)
    np.testing.assert_allclose(encode_srgb(decode_srgb(encoded)), encoded, atol=1e-5)
    np.testing.assert_array_equal(decode_srgb(-encoded), -decode_srgb(encoded))


BROKEN = {
    "no profile": (b"\0" * 200, "no ICC profile"),
    "short": (profiles.DISPLAY_P3[:100], "no ICC profile"),
    "of CMYK": (profiles.assemble("CMYK", {"A2B0": b"mft2"}), "'CMYK'"),
    "of grey": (profiles.grey_profile(profiles.gamma(2.2)), "grey pictures"),
    "no tags": (profiles.assemble("RGB ", {}), "no rXYZ"),
    "many tags": (profiles.DISPLAY_P3[:128] + b"\xff\xff\xff\xff" + profiles.DISPLAY_P3[132:], "tags"),
    "curve of a strange type": (profiles.rgb_profile("p3", profiles.para(9, 1)), "type 9"),
    "curve of too many points": (profiles.rgb_profile("p3", b"curv" + bytes(4) + b"\x7f\xff\xff\xff"), "points"),
    "curve that falls": (profiles.rgb_profile("p3", profiles.curv(65535, 0)), "does not rise"),
    "constant": (profiles.rgb_profile("p3", profiles.para(3, 2.4, 0, 0, 0, 0)), "does not rise"),
    "tables that cannot be inverted": (profiles.assemble("RGB ", {"A2B0": b"mft2" + bytes(60)}), "no tables to write"),
    "tables of nonsense": (profiles.assemble("RGB ", {"A2B0": b"mft2" + bytes(60), "B2A0": b"mft2" + bytes(60)}), ""),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_profile_that_cannot_be_used_is_one_warning_and_srgb(kind):
    profile, message = BROKEN[kind]
    space = color_space(profile, "RGB")
    assert space.is_srgb
    assert space.warning is not None
    assert message in space.warning
    assert space.warning.startswith("the colour profile cannot be used, as ")
    assert "\n" not in space.warning


@settings(max_examples=300)
@given(st.data())
def test_damaged_profiles_never_raise(data):
    profile = bytearray(data.draw(st.sampled_from([*WIDE.values(), profiles.grey_profile(CURVES["sampled"])])))
    for _ in range(data.draw(st.integers(1, 6))):
        profile[data.draw(st.integers(0, len(profile) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(profile[: data.draw(st.integers(0, len(profile)))])
    codes = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    for one in (bytes(profile), cut):
        space = color_space(one, "RGB")
        assert np.isfinite(space.from_srgb(space.to_srgb(codes))).all()

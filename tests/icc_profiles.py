"""Minimal ICC profiles for tests: RGB by colorants and curves, grey by a curve, and RGB by lookup tables."""

import struct

import numpy as np

D50 = np.array([0.9642, 1.0, 0.8249])
D65 = np.array([0.95047, 1.0, 1.08883])
PRIMARIES = {
    "srgb": ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), D65),
    "p3": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), D65),
    "adobe": ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), D65),
    "prophoto": ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001), D50),
}
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def para(kind: int, *values: float) -> bytes:
    return b"para" + bytes(4) + struct.pack(">HH", kind, 0) + fixed(*values)


def curv(*values: int) -> bytes:
    return b"curv" + bytes(4) + struct.pack(f">I{len(values)}H", len(values), *values)


def gamma(value: float) -> bytes:
    return curv(round(value * 256))


def sampled(function, count: int) -> bytes:
    return curv(*np.rint(65535 * function(np.linspace(0, 1, count))).astype(int).tolist())


def colorants(name: str) -> np.ndarray:
    """XYZ in columns, adapted to D50 by Bradford's cones."""
    *points, white = PRIMARIES[name]
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in points]).T
    columns = columns * np.linalg.solve(columns, white)
    cones = np.diag((BRADFORD @ D50) / (BRADFORD @ white))
    return np.linalg.inv(BRADFORD) @ cones @ BRADFORD @ columns


def assemble(space: str, tags: dict[str, bytes], connection: str = "XYZ ", version: int = 4) -> bytes:
    offset, table, data = 132 + 12 * len(tags), b"", b""
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        table += struct.pack(">4sII", name.encode(), offset + len(data), len(content))
        data += content
    size = offset + len(data)
    header = struct.pack(">I4sI4s4s4s", size, b"test", version << 24, b"mntr", space.encode(), connection.encode())
    header += bytes(12) + b"acsp" + bytes(28) + fixed(*D50)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data


def text(words: str) -> bytes:
    return b"mluc" + bytes(4) + struct.pack(">II2s2sII", 1, 12, b"en", b"US", 2 * len(words), 28) + words.encode("utf-16-be")


def rgb_profile(name: str, curve: bytes) -> bytes:
    """A display profile of the primaries `name`."""
    tags = {"desc": text(name), "cprt": text("none"), "wtpt": b"XYZ " + bytes(4) + fixed(*D50)}
    for channel, column in zip("rgb", colorants(name).T, strict=True):
        tags[f"{channel}XYZ"] = b"XYZ " + bytes(4) + fixed(*column)
        tags[f"{channel}TRC"] = curve
    return assemble("RGB ", tags)


def grey_profile(curve: bytes) -> bytes:
    tags = {"desc": text("grey"), "cprt": text("none"), "wtpt": b"XYZ " + bytes(4) + fixed(*D50), "kTRC": curve}
    return assemble("GRAY", tags)


SRGB = rgb_profile("srgb", para(3, *SRGB_CURVE))
DISPLAY_P3 = rgb_profile("p3", para(3, *SRGB_CURVE))
ADOBE_RGB = rgb_profile("adobe", gamma(563 / 256))
PROPHOTO = rgb_profile("prophoto", gamma(461 / 256))

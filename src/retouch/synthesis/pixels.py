"""Operations on every pixel: tables and matrices on 8-bit codes.

Codes are uint8 …×P, or …×3×P where channels mix. Each function takes NumPy arrays or tensors and gives the same values for
both: arrays are several times as fast on a CPU, tensors run on any device.
"""

import math
import threading
import weakref
from collections.abc import Sequence
from typing import Any, TypeVar

import cv2
import numpy as np
import torch
from torch import Tensor

Array = TypeVar("Array", Tensor, np.ndarray)

CHUNK = 8192
"""Pixels worked on at a time: three channels of floats stay in a core's own cache."""


class BufferPool:
    """Memory of batches that are no longer used, handed out again for later batches of the same size.

    Letting the system hand out new pages for a batch costs more than the work on it. The pool keeps at most `blocks` blocks and
    `size` bytes, the last ones used; a batch that leaves the pool keeps its memory as long as anything refers to it.
    """

    def __init__(self, blocks: int = 8, size: int = 2**29) -> None:
        self.max_blocks, self.max_size = blocks, size
        self._blocks: list[tuple[np.ndarray, weakref.ref[np.ndarray]]] = []  # memory, and the view that its user holds
        self._lock = threading.Lock()

    def take(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """A tensor on the CPU, not filled; its memory is free again once the tensor and all views of it are gone."""
        size = math.prod(shape) * dtype.itemsize
        with self._lock:
            free = (index for index, (block, user) in enumerate(self._blocks) if block.nbytes == size and user() is None)
            index = next(free, None)
            block = np.empty(size, np.uint8) if index is None else self._blocks.pop(index)[0]
            view = block[:]  # the tensor's storage holds this object, so it lives as long as the storage
            self._blocks.append((block, weakref.ref(view)))
            while len(self._blocks) > self.max_blocks or sum(block.nbytes for block, _ in self._blocks) > self.max_size:
                del self._blocks[0]
        return torch.from_numpy(view).view(dtype).view(shape)


_POOL = BufferPool()
"""The pool of this process. It changes where batches lie in memory, never what they hold."""


def on_cpu(tensor: Tensor) -> bool:
    """Whether a tensor is on the CPU, where arrays are faster."""
    return tensor.device.type == "cpu"


def allocate(shape: tuple[int, ...], like: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """A tensor of `shape` on `like`'s device, not filled; on a CPU from this process's pool of memory."""
    if not on_cpu(like):
        return torch.empty(shape, dtype=dtype, device=like.device)
    return _POOL.take(shape, dtype)


def planes(images: Tensor) -> Any:
    """Images …×H×W as …×P, over the same memory: an array on a CPU, else a tensor."""
    flat = images.flatten(-2)
    return flat.numpy() if on_cpu(flat) else flat


def join(parts: list[Array], dim: int) -> Array:
    """Arrays or tensors one after another."""
    if len(parts) == 1:
        return parts[0]
    return torch.cat(parts, dim) if isinstance(parts[0], Tensor) else np.concatenate(parts, dim)


def gather(images: Sequence[Array], places: Sequence[Array]) -> Array:
    """The codes at some pixels of each of several pictures 3×P, uint8 or floats in [0, 1]: 3×(all these pixels)."""
    parts = [image[:, at] if isinstance(at, Tensor) else image.take(at, 1) for image, at in zip(images, places, strict=True)]
    codes = join(parts, 1)
    if isinstance(codes, Tensor):
        return codes.mul(255).round_().byte() if codes.is_floating_point() else codes
    return codes if codes.dtype == np.uint8 else (codes * np.float32(255)).round().astype(np.uint8)


def paste(image: Array, places: Array, values: Array, weight: Array | None) -> None:
    """Put `values` (3×K in [0, 1]) on some pixels of an image 3×P, in place; `weight` (K) blends them with what is there."""
    if isinstance(image, Tensor):
        image[:, places] = values if weight is None else image[:, places] * (1 - weight) + values * weight
        return
    for plane, row in zip(image, values, strict=True):
        plane[places] = row if weight is None else plane[places] * (1 - weight) + row * weight


def unit(codes: Array) -> Array:
    """Codes over 255, in float32."""
    return codes / (255 if isinstance(codes, Tensor) else np.float32(255))


def to_codes(images: Tensor) -> Tensor | np.ndarray:
    """Images N×3×H×W in [0, 1] → codes N×3×P: an array on a CPU, else a tensor."""
    return planes(images.mul(255).round_().byte())


def to_images(codes: Tensor | np.ndarray, like: Tensor) -> Tensor:
    """Codes N×3×P as images of the shape of `like`, in [0, 1]."""
    return torch.as_tensor(codes).div(255).view(like.shape)


def look_up(codes: Array, table: Array) -> Array:
    """Replace each code by `table[code]`: 256 values, the last dimension of tables that broadcast over the rows."""
    if isinstance(codes, Tensor):
        return table.expand(*codes.shape[:-1], 256).gather(-1, codes.long())
    result = np.empty(codes.shape, table.dtype)
    if table.ndim == 1:
        cv2.LUT(codes.reshape(1, -1), table, result.reshape(1, -1))
        return result
    tables = table if codes.ndim == 2 else np.broadcast_to(table, (*codes.shape[:-1], 256)).reshape(-1, 256)
    rows, outputs = (array.reshape(-1, codes.shape[-1]) for array in (codes, result))
    for row, values in enumerate(tables):
        cv2.LUT(rows[row], values, outputs[row])
    return result


def look_up_local(codes: Array, tables: Array, starts: Array) -> Array:
    """Replace each code of …×3×P by `tables[channel, start + code]`: uint8 tables 3×T, whole-number starts P."""
    if isinstance(codes, Tensor):
        rows = [values.take(starts.long() + code) for code, values in zip(codes.unbind(-2), tables, strict=True)]
        return torch.stack(rows, -2)
    result = np.empty(codes.shape, np.uint8)
    for channel, values in enumerate(tables):
        result[..., channel, :] = values.take(starts + codes[..., channel, :])
    return result


def pick(tables: Array, index: Array) -> Array:
    """`tables[channel, index]` for tables 3×T and whole numbers …×P: …×3×P."""
    if isinstance(tables, Tensor):
        return torch.stack([values.take(index.long()) for values in tables], -2)
    return np.stack([values.take(index) for values in tables], -2)


def mix(codes: Array, matrix: Array) -> Array:
    """Multiply the channels by a float32 matrix 3×3, or N×3×3 for N×3×P codes: rounded and clipped as Pillow does."""
    if isinstance(codes, Tensor):
        return weigh(codes.float(), matrix).add_(0.5).clamp_(0, 255).byte()
    result = np.empty(codes.shape, np.uint8)
    for start in range(0, codes.shape[-1], CHUNK):
        part = np.s_[..., start : start + CHUNK]
        total = weigh(codes[part].astype(np.float32), matrix)
        total += np.float32(0.5)
        total.clip(0, 255, out=total)
        result[part] = total
    return result


def weigh(channels: Array, matrix: Array) -> Array:
    """Matrix …×3×3 times channels …×3×P, as floats, summed in Pillow's order.

    A fused or reordered sum lands on the other side of a rounding tie now and then.
    """
    columns = matrix.swapaxes(-1, -2)[..., None]
    total = channels[..., 0:1, :] * columns[..., 0, :, :]
    total += channels[..., 1:2, :] * columns[..., 1, :, :]
    total += channels[..., 2:3, :] * columns[..., 2, :, :]
    return total


def luma(codes: Array) -> Array:
    """Rec. 601 luma of …×3×P codes, …×P int32 of 0–255, in Pillow's 16-bit fixed point."""
    wide = codes.int() if isinstance(codes, Tensor) else codes.astype(np.int32)
    total = wide[..., 0, :] * 19595
    total += wide[..., 1, :] * 38470
    total += wide[..., 2, :] * 7471
    total += 32768
    total >>= 16
    return total


def chroma(codes: Array) -> Array:
    """The largest minus the smallest channel of …×3×P codes: …×P int32."""
    if isinstance(codes, Tensor):
        return codes.amax(-2).sub_(codes.amin(-2)).int()
    return (codes.max(-2) - codes.min(-2)).astype(np.int32)

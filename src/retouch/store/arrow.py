"""Packed tables on disk: Arrow files with a typed schema, memory-mapped, one row a record batch for random access.

Pixels are stored as raw uint8: at 256 px a scene is 256 KiB and reading one is a slice of the mapped file, no decoding.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa

from retouch.errors import StoreError
from retouch.files import atomic_file

PIXEL_COLUMNS = {"image": 3, "input": 3, "target": 3, "labels": 1, "parts": 1, "objects": 1, "matte": 1,
                 "mask": 1, "regions": 1, "direction": 1, "background": 3, "foreground": 3, "alpha": 1}  # fmt: skip
"""Columns that hold raw uint8 pixels, with their number of channels; all other columns are metadata."""


def pack(path: Path, schema: pa.Schema, rows: Iterable[dict[str, Any]]) -> int:
    """Write `rows` to an Arrow file at `path` and return their number; pixel columns take H×W(×3) uint8 arrays.

    The file appears only when it is complete. Memory stays that of one row. Raises StoreError if a row does not fit the schema.
    """
    count = 0
    with atomic_file(path) as partial, pa.OSFile(str(partial), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for row in rows:
            try:
                columns = [_to_column(field, row) for field in schema]
            except (pa.ArrowException, TypeError, ValueError) as error:
                raise StoreError(f"{path}: row {row.get('id')!r} does not fit the schema: {error}") from error
            writer.write_batch(pa.record_batch(columns, schema=schema))
            count += 1
    return count


def _to_column(field: pa.Field, row: dict[str, Any]) -> pa.Array:
    value = row.get(field.name)
    if value is None and not field.nullable:
        raise ValueError(f"{field.name} is empty")
    if field.name in PIXEL_COLUMNS and value is not None:
        channels = PIXEL_COLUMNS[field.name]
        shape = (row["height"], row["width"], *([channels] if channels > 1 else []))
        if value.dtype != np.uint8 or value.shape != shape:
            raise ValueError(f"{field.name} pixels are {value.dtype} {value.shape}, not uint8 {shape}")
        value = np.ascontiguousarray(value).tobytes()
    return pa.array([value], field.type)


class Packed:
    """Random access to a packed file: `len(packed)`, `packed[i]` → dict of metadata and H×W(×3) uint8 arrays.

    Opens lazily and again after a fork or pickle, so that each worker of a DataLoader maps the file itself.
    Raises StoreError when the file is missing, damaged or of another schema.
    """

    schema: pa.Schema

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._reader: pa.ipc.RecordBatchFileReader | None = None
        self._length = self._open().num_record_batches

    def _open(self) -> pa.ipc.RecordBatchFileReader:
        if self._reader is None:
            try:
                reader = pa.ipc.open_file(pa.memory_map(str(self.path)))
            except FileNotFoundError:
                raise StoreError(f"{self.path} is missing: run `dvc repro` to make it") from None
            except pa.ArrowException as error:
                raise StoreError(f"{self.path} is damaged ({error}): delete it and run `dvc repro`") from error
            if not reader.schema.equals(self.schema):
                raise StoreError(f"{self.path} has another schema than this version writes: delete it and run `dvc repro`")
            self._reader = reader
        return self._reader

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_reader": None}

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> dict[str, Any]:
        if not 0 <= index < self._length:
            raise IndexError(index)
        batch = self._open().get_batch(index)
        row = {name: batch.column(name)[0] for name in self.schema.names}
        shape = (row["height"].as_py(), row["width"].as_py())
        return {name: _from_arrow(name, value, shape) for name, value in row.items()}

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def column(self, name: str) -> list[Any]:
        """All values of one metadata column, in row order, without touching pixels."""
        reader = self._open()
        return [reader.get_batch(i).column(name)[0].as_py() for i in range(self._length)]

    def index(self, **values: Any) -> list[int]:
        """Numbers of the rows whose metadata columns have these values, such as `index(split="test")`."""
        columns = [(self.column(name), value) for name, value in values.items()]
        return [i for i in range(self._length) if all(column[i] == value for column, value in columns)]

    @classmethod
    def write(cls, path: Path, rows: Iterable[dict[str, Any]]) -> int:
        """Pack `rows` (dicts as `__getitem__` gives them) into `path`; returns their number."""
        return pack(path, cls.schema, rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader = None


def _from_arrow(name: str, value: pa.Scalar, shape: tuple[int, int]) -> Any:
    if name not in PIXEL_COLUMNS:
        return value.as_py()
    buffer = value.as_buffer()
    if buffer is None:
        return None
    channels = PIXEL_COLUMNS[name]
    return np.frombuffer(buffer, np.uint8).reshape((*shape, channels) if channels > 1 else shape)

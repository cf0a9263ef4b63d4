"""Model files: their hash, and the description inside an ONNX file, read and written without any heavy library.

An ONNX file is a protobuf message. Its top level is a plain sequence of fields, and a field may be appended to the end
of the file, so that the description needs neither the graph in memory nor the `onnx` package. The last field is a seal:
the hash of all bytes before it. A damaged weight would otherwise go unnoticed and only make the detections worse.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from swathe.errors import ModelError
from swathe.model.info import METADATA_KEY, ModelInfo

SEAL_KEY = "swathe-seal"
CHUNK = 1 << 20  # bytes hashed at a time

GRAPH_FIELD = 7  # of onnx.ModelProto
PROPERTY_FIELD = 14  # of onnx.ModelProto: repeated pair of key (field 1) and value (field 2)
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # protobuf wire types
FIXED_SIZES = {FIXED64: 8, FIXED32: 4}


@dataclass(frozen=True)
class _Field:
    """One field of a protobuf message."""

    number: int  # as in the message's definition
    start: int  # offset of its tag in the file, bytes
    payload: int  # offset of its content, bytes
    size: int  # length of its content, bytes


def file_sha256(path: Path, size: int | None = None) -> str:
    """Hash a file, or its first bytes.

    Args:
        path: The file.
        size: Number of bytes from the start; all of them if not given.

    Returns:
        The SHA-256 in hexadecimal digits.

    Raises:
        ModelError: If the file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            left = path.stat().st_size if size is None else size
            while left > 0 and (block := file.read(min(CHUNK, left))):
                digest.update(block)
                left -= len(block)
    except OSError as error:
        raise ModelError(f"{path}: the model file cannot be read ({error.strerror}); check the path") from error
    return digest.hexdigest()


def read_onnx_info(path: Path) -> ModelInfo:
    """Read the description of a model from its ONNX file and check the file against its seal.

    Args:
        path: An ONNX file written by `swathe export`, or another YWCSL graph with a description under the key "swathe".

    Returns:
        The description.

    Raises:
        ModelError: If the file is missing, truncated, damaged, not ONNX, or holds no description.
    """
    properties: dict[str, str] = {}
    has_graph = False
    try:
        if path.stat().st_size == 0:
            raise ModelError(f"{path}: the model file is empty, perhaps a download that was cut off; get another copy")
        with path.open("rb") as file:
            for field in _fields(file, path.stat().st_size):
                has_graph |= field.number == GRAPH_FIELD
                if field.number == PROPERTY_FIELD:
                    key, value = _pair(file, field)
                    properties[key] = value
                    if key == SEAL_KEY and file_sha256(path, field.start) != value:
                        raise ModelError(f"{path}: the model file is damaged (its hash is wrong); get another copy")
    except OSError as error:
        raise ModelError(f"{path}: the model file cannot be read ({error.strerror}); check the path") from error
    except ValueError as error:
        raise ModelError(f"{path}: not an ONNX file, or a damaged one ({error}); get another copy") from error
    if not has_graph or METADATA_KEY not in properties:
        raise ModelError(
            f"{path}: holds no description of a Swathe model (metadata key {METADATA_KEY!r}); "
            "only graphs written by `swathe export` can be used"
        )
    return ModelInfo.from_json(properties[METADATA_KEY], where=str(path))


def seal_onnx(path: Path, info: ModelInfo) -> None:
    """Append the description of a model and the seal to an ONNX file.

    Args:
        path: A graph without either.
        info: The description.

    Raises:
        OSError: If the file cannot be written.
    """
    with path.open("ab") as file:
        file.write(_property(METADATA_KEY, info.to_json()))
    seal = file_sha256(path)
    with path.open("ab") as file:
        file.write(_property(SEAL_KEY, seal))
        file.flush()
        os.fsync(file.fileno())


def _property(key: str, value: str) -> bytes:
    """Encode one field of metadata as it stands in an ONNX file."""
    pair = _bytes_field(1, key.encode()) + _bytes_field(2, value.encode())
    return _bytes_field(PROPERTY_FIELD, pair)


def _bytes_field(number: int, payload: bytes) -> bytes:
    return _varint(number << 3 | BYTES) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    """Encode a non-negative integer, seven bits a byte, lowest first."""
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    digits.append(value)
    return bytes(digits)


def _fields(file: BinaryIO, end: int) -> Iterator[_Field]:
    """Walk over the fields of the message between the file's position and `end`, skipping their content."""
    start = file.tell()
    while start < end:
        file.seek(start)
        tag = _read_varint(file)
        wire_type = tag & 7
        if wire_type == VARINT:
            size = 0
            _read_varint(file)
        elif wire_type == BYTES:
            size = _read_varint(file)
        elif wire_type in FIXED_SIZES:
            size = FIXED_SIZES[wire_type]
        else:
            raise ValueError(f"unknown wire type {wire_type} at byte {start}")
        payload = file.tell()
        if tag >> 3 == 0 or payload + size > end:
            raise ValueError(f"the field at byte {start} ends beyond the file")
        yield _Field(tag >> 3, start, payload, size)
        start = payload + size


def _read_varint(file: BinaryIO) -> int:
    """Read one integer of at most 64 bits."""
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise ValueError("it ends in the middle of a number")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("a number in it is too long")


def _pair(file: BinaryIO, field: _Field) -> tuple[str, str]:
    """Read the key and the value of one metadata field."""
    file.seek(field.payload)
    parts = {1: "", 2: ""}
    for part in _fields(file, field.payload + field.size):
        file.seek(part.payload)
        parts[part.number] = file.read(part.size).decode()
    return parts[1], parts[2]

"""Model files: their hash, and the seal at the end of the ONNX files that Swathe writes.

The seal is the hash of all bytes before it. Runtimes notice a graph that is cut short, but not a damaged weight, which
would only make the detections worse.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from swathe.errors import ModelError
from swathe.model.info import ANGLES_KEY, METADATA_KEY

CHUNK = 1 << 20  # bytes hashed at a time
# The seal is an entry of the file's metadata, so that every reader of ONNX accepts it: field 14 of 79 bytes, in it the
# key (field 1, 11 bytes) and the value (field 2, 64 hexadecimal digits).
SEAL = b"\x72\x4f\x0a\x0bswathe-seal\x12\x40"
SEALED_BYTES = len(SEAL) + 64


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


def check_file(path: Path) -> None:
    """Refuse a file that cannot be a model, or whose seal says that it is damaged.

    Args:
        path: The file.

    Raises:
        ModelError: If the file is missing, empty, or sealed and damaged.
    """
    try:
        size = path.stat().st_size
        if size == 0:
            raise ModelError(f"{path}: the model file is empty, perhaps a download that was cut off; get another copy")
        with path.open("rb") as file:
            file.seek(max(0, size - SEALED_BYTES))
            end = file.read(SEALED_BYTES)
    except OSError as error:
        raise ModelError(f"{path}: the model file cannot be read ({error.strerror}); check the path") from error
    if end.startswith(SEAL) and file_sha256(path, size - SEALED_BYTES).encode() != end[len(SEAL) :]:
        raise ModelError(f"{path}: the model file is damaged (its hash is wrong); get another copy")


def seal_onnx(path: Path, description: str, angles: str | None = None) -> None:
    """Write the description of a model and the seal into an ONNX file.

    Args:
        path: A graph; metadata that it has is replaced.
        description: What the model says about itself, see `ModelInfo.to_json`.
        angles: The layers of the angle bins, if the graph leaves them out.

    Raises:
        OSError: If the file cannot be written.
    """
    import onnx

    model = onnx.load(path, load_external_data=False)
    del model.metadata_props[:]
    entries = {METADATA_KEY: description} if angles is None else {METADATA_KEY: description, ANGLES_KEY: angles}
    onnx.helper.set_model_props(model, entries)
    data = model.SerializeToString()
    path.write_bytes(data + SEAL + hashlib.sha256(data).hexdigest().encode())

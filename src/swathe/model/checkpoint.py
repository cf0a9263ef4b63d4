"""Weights on disk: safetensors with the model's description in its metadata, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from swathe.atomic import published_file
from swathe.errors import MissingExtraError, ModelError
from swathe.inputs import read_input
from swathe.model.info import METADATA_KEY, ModelInfo

Tensors = Mapping[str, npt.NDArray[np.generic]]


def tensors_sha256(tensors: Tensors) -> str:
    """Return the hash over names, types, shapes and bytes of the tensors, in the order of their names.

    Args:
        tensors: Arrays by name.

    Returns:
        64 hexadecimal digits; independent of the file format and of the metadata.
    """
    digest = hashlib.sha256()
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def save_safetensors(path: Path, tensors: Tensors, info: ModelInfo) -> ModelInfo:
    """Write a model; a reader sees the old file or the whole new one.

    Args:
        path: File to write; its folder must exist. An existing file is replaced.
        tensors: Arrays by name.
        info: Description; its hash of the weights is filled in here.

    Returns:
        The description as written.

    Raises:
        StoreError: If the file cannot be written.
        MissingExtraError: If safetensors is not installed.
    """
    try:
        from safetensors.numpy import save
    except ImportError as error:
        raise MissingExtraError(library="safetensors", extra="train") from error
    info = replace(info, weights_sha256=tensors_sha256(tensors))
    data = save({name: np.ascontiguousarray(array) for name, array in tensors.items()}, {METADATA_KEY: info.to_json()})
    with published_file(path, overwrite=True) as stream:
        stream.write(data)
    return info


def load_safetensors(path: Path) -> tuple[dict[str, npt.NDArray[np.generic]], ModelInfo]:
    """Read a model and check that its weights are the ones that were written.

    Args:
        path: File written by `save_safetensors`.

    Returns:
        Arrays by name, and the description.

    Raises:
        ModelError: If the file is missing, damaged, no safetensors file or not made by Swathe.
        MissingExtraError: If safetensors is not installed.
    """
    try:
        from safetensors import SafetensorError
        from safetensors.numpy import load
    except ImportError as error:
        raise MissingExtraError(library="safetensors", extra="train") from error
    try:
        data = read_input(path)
    except OSError as error:
        raise ModelError(f"{path}: cannot read the model ({error.strerror}); check the path") from error
    try:
        tensors = load(data)
        metadata = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")]).get("__metadata__", {})
    except (SafetensorError, ValueError, KeyError, RecursionError) as error:
        raise ModelError(f"{path}: not a whole safetensors file ({error}); copy or export the model again") from error
    if METADATA_KEY not in metadata:
        raise ModelError(f"{path}: the file does not describe its model; it was not written by `swathe train`")
    info = ModelInfo.from_json(metadata[METADATA_KEY], where=str(path))
    if info.weights_sha256 != tensors_sha256(tensors):
        raise ModelError(f"{path}: the weights are not the ones that were written; copy or export the model again")
    return tensors, info

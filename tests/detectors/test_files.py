"""The seal of an ONNX file, and what the runtimes read of one; damage is noticed."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from requirements import need
from swathe.detectors import onnx as onnx_runtime
from swathe.detectors import openvino as openvino_runtime
from swathe.detectors.card import ModelCard
from swathe.detectors.files import SEAL, file_sha256, seal_onnx
from swathe.errors import ModelError
from swathe.model.info import METADATA_KEY, ModelInfo

INFO = ModelInfo("names", "s", ("ship", "small-vehicle", "Gebäude"), 512, extra={"recipe": "x" * 300})


def describe(path: Path) -> ModelCard:
    """Read the card by ONNX Runtime, the default."""
    need("onnxruntime")
    return onnx_runtime.BACKEND.describe(str(path))


def test_the_onnx_package_reads_the_same_description(tiny: Path, tmp_path: Path) -> None:
    need("onnx")
    import onnx

    path = tmp_path / "model.onnx"
    path.write_bytes(tiny.read_bytes())
    seal_onnx(path, INFO.to_json())
    model = onnx.load(str(path))
    onnx.checker.check_model(model)
    properties = {entry.key: entry.value for entry in model.metadata_props}
    assert set(properties) == {METADATA_KEY, "swathe-seal"}
    assert ModelInfo.from_json(properties[METADATA_KEY], where="here") == INFO
    assert describe(path).classes == INFO.classes


def test_both_runtimes_read_the_same_card(tiny: Path) -> None:
    need("openvino")
    assert openvino_runtime.BACKEND.describe(str(tiny)) == describe(tiny)


def test_a_description_written_by_the_onnx_package_is_read(tiny: Path, tmp_path: Path) -> None:
    need("onnx")
    import onnx

    model = onnx.load(str(tiny))
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {METADATA_KEY: INFO.to_json(), "author": "somebody"})
    path = tmp_path / "foreign.onnx"
    onnx.save(model, str(path))
    assert describe(path).classes == INFO.classes


@given(place=st.floats(0.0, 1.0, exclude_max=True), bit=st.integers(0, 7))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_flipped_bit_is_noticed(tiny: Path, tmp_path: Path, place: float, bit: int) -> None:
    data = bytearray(tiny.read_bytes())
    sealed = data.rindex(SEAL)
    data[int(place * sealed)] ^= 1 << bit
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(data)
    with pytest.raises(ModelError, match=r"damaged\.onnx"):
        describe(damaged)


@given(share=st.floats(0.0, 1.0, exclude_max=True))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_truncated_file_is_refused(tiny: Path, tmp_path: Path, share: float) -> None:
    data = tiny.read_bytes()
    description = data.rindex(METADATA_KEY.encode() + b"\x12")
    path = tmp_path / "part.onnx"
    path.write_bytes(data[: int(share * description)])
    with pytest.raises(ModelError, match=r"part\.onnx"):
        describe(path)


@pytest.mark.parametrize(
    "data",
    [b"", b"just a text\n" * 50, pickle.dumps({"model": list(range(99))}), b"PK\x03\x04" + b"\0" * 99, b"\xff" * 64],
)
def test_other_files_named_onnx_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "other.onnx"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=r"other\.onnx"):
        describe(path)


def test_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        describe(tmp_path / "none.onnx")
    with pytest.raises(ModelError, match="cannot be read"):
        file_sha256(tmp_path)


def test_the_hash_is_the_known_one(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abcdef")
    assert file_sha256(path, 3) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_sha256(path) == "bef57ec7f53a6d40beb640a780a639c83bc29ac8a9816f1fc6c5c6dcd93c4721"


def test_a_description_that_changed_after_sealing_is_noticed(tiny: Path, tmp_path: Path) -> None:
    path = tmp_path / "renamed.onnx"
    path.write_bytes(tiny.read_bytes().replace(b'"ship"', b'"shop"'))
    with pytest.raises(ModelError, match="its hash is wrong"):
        describe(path)

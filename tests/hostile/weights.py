"""Damaged and malicious model files."""

from __future__ import annotations

import json
import shutil
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

from hostile.case import GRID, Allowed, Bench, Case, makers_of
from hostile.damage import damaged

MAKERS, maker = makers_of("weights")


def _detect(bench: Bench, model: Path, what: str, allowed: Allowed = Allowed.NOTHING) -> Case:
    output = bench.folder / "found"
    words = ("detect", str(bench.samples.scene), "-m", str(model), "-o", str(output), *GRID)
    return Case(what, words, allowed, model.name, (output,))


@maker
def sealed(bench: Bench) -> Case:
    """A model of ours is damaged: its seal must tell."""
    data, what = damaged(bench.samples.model.read_bytes(), bench.chance)
    return _detect(bench, bench.write("tiny.onnx", data), what)


@maker
def unsealed(bench: Bench) -> Case:
    """The seal is taken off first, so that the damage reaches the graph: the runtime must not fall over it."""
    whole = bench.samples.model.read_bytes()
    data, what = damaged(whole[: whole.rfind(b"swathe-seal") - 4], bench.chance)
    return _detect(bench, bench.write("tiny.onnx", data), f"without seal, {what}", Allowed.VALID)


@maker
def rebuilt(bench: Bench) -> Case:
    """A graph that lies about itself, with a right seal."""
    import onnx

    from swathe.detectors.files import seal_onnx

    model = onnx.load(str(bench.samples.model))
    del model.metadata_props[:]
    what = bench.chance.choice(
        ("external", "huge", "shape", "type", "nan", "no nodes", "loop", "operator", "opset", "input", "batch", "relu")
    )
    weights = model.graph.initializer[0]
    if what == "external":
        name = bench.chance.choice(("/etc/passwd", "../../../etc/passwd", "/dev/zero", "missing.bin"))
        weights.ClearField("raw_data")
        weights.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", name), ("offset", "0"), ("length", "1048576")):
            weights.external_data.add(key=key, value=value)
    elif what == "huge":
        weights.dims[0] = bench.chance.choice((2**31, 2**62, -1, 0))
    elif what == "shape":
        weights.dims[1] = 4
    elif what == "type":
        weights.data_type = bench.chance.choice((onnx.TensorProto.STRING, onnx.TensorProto.DOUBLE, 99))
    elif what == "nan":
        weights.raw_data = struct.pack("<f", bench.chance.choice((float("nan"), float("inf"), 3e38))) * (
            len(weights.raw_data) // 4
        )
    elif what == "opset":
        model.opset_import[0].version = bench.chance.choice((0, 1, 9999, -1))
    else:
        _rewire(model, what)
    path = bench.folder / "tiny.onnx"
    path.write_bytes(model.SerializeToString())
    seal_onnx(path, _description(bench))
    return _detect(bench, path, f"graph with {what}", Allowed.VALID)


def _rewire(model: Any, what: str) -> None:
    """Change the nodes or the ports of a graph."""
    node = model.graph.node[0]
    if what == "no nodes":
        del model.graph.node[:]
    elif what == "loop":
        node.input[0] = node.output[0]
    elif what == "operator":
        node.op_type = "NoSuchOperator"
    elif what == "input":
        model.graph.input[0].name = "pictures"
    elif what == "batch":
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 7
    else:
        node.domain = "com.unknown"


def _description(bench: Bench) -> str:
    """Return what the sample model says about itself."""
    import onnx

    return next(entry.value for entry in onnx.load(bench.samples.model).metadata_props if entry.key == "swathe")


@maker
def description(bench: Bench) -> Case:
    """A right seal over a description that makes no sense."""
    from swathe.detectors.files import seal_onnx

    info = json.loads(_description(bench))
    key = bench.chance.choice(sorted(info))
    info[key] = bench.chance.choice(
        (None, -1, 10**9, 1e308, "x", [], {}, [None], "\n", True, ["a"] * 1000, 2**70, 0, "nan")
    )
    path = bench.write("tiny.onnx", bench.samples.model.read_bytes())
    seal_onnx(path, json.dumps(info))
    return _detect(bench, path, f"description with {key} = {str(info[key])[:40]!r}", Allowed.VALID)


@maker
def no_model(bench: Bench) -> Case:
    """Something that is no model, under the name of one."""
    name = bench.chance.choice(("model.onnx", "model.safetensors", "model.pt", "model.xml", "model"))
    path = bench.folder / name
    kind = bench.chance.choice(("empty", "noise", "folder", "fifo", "zero", "loop", "picture", "varint", "deep"))
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        __import__("os").mkfifo(path)
    elif kind in {"zero", "loop"}:
        path.symlink_to({"zero": "/dev/zero", "loop": name}[kind])
    elif kind == "picture":
        shutil.copy(bench.samples.scene, path)
    else:
        path.write_bytes(
            {
                "empty": b"",
                "noise": bench.chance.randbytes(5000),
                "varint": b"\xff" * 5000,
                "deep": b"\x3a\xff\xff\xff\x7f" * 999,
            }[kind]
        )
    return _detect(bench, path, f"{name}: {kind}")


@maker
def safetensors(bench: Bench) -> Case:
    """A safetensors file whose header lies."""
    tensor = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
    header: dict[str, Any] = {"__metadata__": {"swathe": "{}"}, "a": tensor}
    what = bench.chance.choice(
        ("length", "overlap", "beyond", "shape", "json", "deep", "twice", "type", "metadata", "huge")
    )
    length = None
    if what == "length":
        length = bench.chance.choice((2**63, 2**64 - 1, 2**31, 0, 10**8))
    elif what == "overlap":
        header["b"] = tensor
    elif what == "beyond":
        header["a"] = tensor | {"data_offsets": [0, 2**62]}
    elif what == "shape":
        header["a"] = tensor | {"shape": [2**62, 2**62]}
    elif what == "type":
        header["a"] = tensor | {"dtype": "F7"}
    elif what == "metadata":
        header["__metadata__"] = {"swathe": bench.chance.choice(("", "[]", "null", "{", "7"))}
    elif what == "huge":
        header |= {f"t{number}": tensor for number in range(50_000)}
    text = {"json": b"{", "deep": b"[" * 100_000, "twice": b'{"a":1,"a":2}'}.get(what, json.dumps(header).encode())
    data = struct.pack("<Q", len(text) if length is None else length) + text + bytes(16)
    return _detect(bench, bench.write("model.safetensors", data), f"safetensors, {what}")


@maker
def exported(bench: Bench) -> Case:
    """A checkpoint that is none, given to `export`."""
    path = bench.write(
        "best.safetensors", bench.chance.choice((b"", bytes(8), b"\xff" * 64, bench.chance.randbytes(999)))
    )
    output = bench.folder / "model.onnx"
    return Case("export of no checkpoint", ("export", str(path), "-o", str(output)), Allowed.NOTHING, outputs=(output,))


@maker
def other_graph(bench: Bench) -> Case:
    """A graph of another program, or ours described as another network."""
    from tiny_models import TINY, write_tiny

    path = bench.folder / "other.onnx"
    classes = tuple(f"c{number}" for number in range(bench.chance.choice((1, 3, 80))))
    write_tiny(path, replace(TINY, classes=classes), TINY)
    if bench.chance.random() < 0.3:
        data = path.read_bytes()
        path.write_bytes(data[: data.rfind(b"swathe", 0, data.rfind(b"swathe-seal") - 8) - 5])
    return _detect(bench, path, f"a graph for other classes than the {len(classes)} described")

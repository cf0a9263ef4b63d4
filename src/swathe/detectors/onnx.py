"""ONNX Runtime: the default, the same bits on every run of one machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from swathe.detectors.card import ModelCard
from swathe.detectors.files import check_file
from swathe.detectors.heads import check_graph, describe_graph, open_head
from swathe.detectors.heads.head import Graph, Head, Outputs, Shape
from swathe.detectors.network import NetworkDetector, Run
from swathe.detectors.pixels import PixelBuffer
from swathe.detectors.protocol import DetectorSpec
from swathe.errors import MissingExtraError, ModelError, UsageError

if TYPE_CHECKING:
    import onnxruntime

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
NO_CUDA = (
    "cpu: ONNX Runtime finds no CUDA here. It takes a card and a driver of NVIDIA, and the package onnxruntime-gpu in "
    "place of onnxruntime"
)
FATAL_ONLY = 4  # log level of ONNX Runtime: errors are raised, and need not stand on the terminal too


class OnnxBackend:
    """Runs the graph of an ONNX file on the CPU."""

    suffixes = frozenset({".onnx"})

    def describe(self, path: str) -> ModelCard:
        """Say what an ONNX file holds.

        Args:
            path: The file; a card beside it goes before what the file says.

        Returns:
            The card.

        Raises:
            MissingExtraError: If ONNX Runtime is not installed.
            ModelError: If the file is missing, damaged, or of no known layout.
        """
        check_file(Path(path))
        return describe_graph(Path(path), _graph(_session(path, threads=1, optimise=False)))

    def open(self, spec: DetectorSpec) -> NetworkDetector:
        """Open an ONNX file.

        Args:
            spec: Path and card of the model, number of threads, side of the tiles.

        Returns:
            The detector.

        Raises:
            MissingExtraError: If ONNX Runtime is not installed.
            ModelError: If the file is missing, damaged, or its graph is not the described network.
            UsageError: If the model takes no tiles of that size.
        """
        session = _session(spec.path, spec.threads, device=spec.device)
        graph = _graph(session)
        card = spec.card or self.describe(spec.path)
        head = open_head(spec, graph, card.input_size or spec.tile)

        def prepare(height: int, width: int) -> tuple[PixelBuffer, Run]:
            pixels = PixelBuffer(card, height, width, graph.batch(spec.batch))
            check_graph(spec, head, graph, pixels.array.shape)
            return pixels, _runner(session, head, pixels, spec)

        return NetworkDetector(spec, head, prepare)


BACKEND = OnnxBackend()


def _runner(
    session: onnxruntime.InferenceSession, head: Head, pixels: PixelBuffer, spec: DetectorSpec
) -> Callable[[], Outputs]:
    """Return what runs the graph; input and outputs are bound once and used again."""
    binding = session.io_binding()
    binding.bind_cpu_input(session.get_inputs()[0].name, pixels.array)
    outputs = [np.zeros(shape, np.float32) for shape in head.shapes(pixels.array.shape) or ()]
    for name, output in zip(head.outputs, outputs, strict=False):
        binding.bind_output(name, "cpu", 0, np.float32, output.shape, output.ctypes.data)

    def run() -> Outputs:
        try:
            if outputs:
                session.run_with_iobinding(binding)
                return outputs
            return _plain_run(session, head, pixels)
        except _runtime_errors() as error:
            raise ModelError(f"{spec.path}: ONNX Runtime cannot run the graph ({_first_line(error)})") from error

    return run


def _plain_run(session: onnxruntime.InferenceSession, head: Head, pixels: PixelBuffer) -> Outputs:
    """Run a graph whose outputs have shapes that only it knows."""
    found: Any = session.run(list(head.outputs), {session.get_inputs()[0].name: pixels.array})
    return [np.asarray(output, np.float32) for output in found]


def _graph(session: onnxruntime.InferenceSession) -> Graph:
    """Read what the file says of itself."""

    def shapes(ports: Any) -> dict[str, Shape]:
        return {port.name: tuple(side if isinstance(side, int) else None for side in port.shape) for port in ports}

    metadata = session.get_modelmeta().custom_metadata_map
    return Graph(metadata, shapes(session.get_inputs()), shapes(session.get_outputs()))


def _session(path: str, threads: int, *, optimise: bool = True, device: str = "cpu") -> onnxruntime.InferenceSession:
    """Load the graph with exactly the planned threads: workers share the cores, so waiting threads must not spin."""
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError(library="ONNX Runtime", extra="onnx") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = FATAL_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    wanted = [PROVIDERS["cpu"]] if device == "cpu" else [PROVIDERS[device], PROVIDERS["cpu"]]
    try:
        session = onnxruntime.InferenceSession(path, options, providers=wanted)
    except _runtime_errors() as error:
        raise ModelError(
            f"{path}: ONNX Runtime cannot load the graph ({_first_line(error)}); get another copy, or export it again "
            "without operators that it lacks"
        ) from error
    if PROVIDERS[device] not in session.get_providers():  # it goes on with the CPU, and hardly says so
        raise UsageError(argument="device", value=device, accepted=NO_CUDA)
    return session


def _runtime_errors() -> tuple[type[Exception], ...]:
    """Return what ONNX Runtime raises; its exceptions share no base of their own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    names = ("EPFail", "Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NoSuchFile", "NotImplemented")
    return (RuntimeError, state.RuntimeException, *(getattr(state, name) for name in names))


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def need_cuda() -> None:
    """Make sure that models can be run by CUDA, as far as that is seen without a model.

    Raises:
        MissingExtraError: If ONNX Runtime is not installed.
        UsageError: If it was built without CUDA.
    """
    if PROVIDERS["cuda"] not in providers():
        raise UsageError(argument="device", value="cuda", accepted=NO_CUDA)


def providers() -> tuple[str, ...]:
    """Return what ONNX Runtime could run models on, by its own names; the CPU unless another device is asked for.

    Returns:
        Names of execution providers, the preferred one first.

    Raises:
        MissingExtraError: If ONNX Runtime is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError(library="ONNX Runtime", extra="onnx") from error
    return tuple(onnxruntime.get_available_providers())

"""OpenVINO: runs the same ONNX file; in 32-bit floats by default, in bfloat16 where asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from swathe.detectors.card import ModelCard
from swathe.detectors.files import check_file
from swathe.detectors.heads import check_graph, describe_graph, open_head
from swathe.detectors.heads.head import Graph, Head, Outputs, Shape
from swathe.detectors.network import NetworkDetector, Run
from swathe.detectors.pixels import PixelBuffer
from swathe.detectors.protocol import DetectorSpec
from swathe.errors import MissingExtraError, ModelError, UsageError

if TYPE_CHECKING:
    import openvino

HALF_BACKEND = "openvino-bf16"  # the backend's name says so, because the results differ in the last digits
DEVICE = "CPU"


class OpenVinoBackend:
    """Runs the graph of an ONNX file as one stream on the CPU; the specification's backend chooses the precision."""

    suffixes = frozenset({".onnx"})

    def describe(self, path: str) -> ModelCard:
        """Say what an ONNX file holds.

        Args:
            path: The file; a card beside it goes before what the file says.

        Returns:
            The card.

        Raises:
            MissingExtraError: If OpenVINO is not installed.
            ModelError: If the file is missing, damaged, or of no known layout.
        """
        check_file(Path(path))
        return describe_graph(Path(path), _graph(_read(_core(), path)))

    def open(self, spec: DetectorSpec) -> NetworkDetector:
        """Open and compile an ONNX file.

        Args:
            spec: Path and card of the model, number of threads, side of the tiles, precision.

        Returns:
            The detector.

        Raises:
            MissingExtraError: If OpenVINO is not installed.
            ModelError: If the file is missing, damaged, or its graph is not the described network.
            UsageError: If bfloat16 is asked for on a CPU without it, or the model takes no tiles of that size.
        """
        core = _core()
        settings = _settings(core, spec)
        model = _read(core, spec.path)
        graph = _graph(model)
        card = spec.card or self.describe(spec.path)
        head = open_head(spec, graph, card.input_size or spec.tile)
        request: openvino.InferRequest | None = None

        def prepare(height: int, width: int) -> tuple[PixelBuffer, Run]:
            nonlocal request
            pixels = PixelBuffer(card, height, width, graph.batch(spec.batch))
            check_graph(spec, head, graph, pixels.array.shape)
            request = request or _compile(core, model, settings, pixels.array.shape, spec)
            return pixels, _runner(request, head, pixels)

        return NetworkDetector(spec, head, prepare)


BACKEND = OpenVinoBackend()


def _core() -> openvino.Core:
    try:
        import openvino
    except ImportError as error:
        raise MissingExtraError(library="OpenVINO", extra="openvino") from error
    return openvino.Core()


def _read(core: openvino.Core, path: str) -> openvino.Model:
    """Read a graph without compiling it."""
    try:
        return core.read_model(path)
    except RuntimeError as error:
        raise _cannot_load(path, error) from error


def _compile(
    core: openvino.Core,
    model: openvino.Model,
    settings: dict[str, str | int | bool],
    shape: tuple[int, ...],
    spec: DetectorSpec,
) -> openvino.InferRequest:
    """Compile a graph for one shape of input, or for any height and width: as fast, if they do not change often."""
    try:
        model.reshape([*shape[:2], -1, -1] if spec.fitted else list(shape))
        return core.compile_model(model, DEVICE, settings).create_infer_request()
    except RuntimeError as error:
        raise _cannot_load(spec.path, error) from error


def _runner(request: openvino.InferRequest, head: Head, pixels: PixelBuffer) -> Run:
    """Share the pixel buffer with a request, and return what runs it."""
    import openvino

    request.set_input_tensor(openvino.Tensor(pixels.array, shared_memory=True))

    def run() -> Outputs:
        request.infer()
        return [request.get_tensor(name).data for name in head.outputs]

    return run


def _cannot_load(path: str, error: RuntimeError) -> ModelError:
    reason = str(error).strip().splitlines()[-1]
    return ModelError(f"{path}: OpenVINO cannot load the graph ({reason}); get another copy or export it again")


def _graph(model: openvino.Model) -> Graph:
    """Read what the file says of itself."""

    def shapes(ports: Any) -> dict[str, Shape]:
        return {
            port.get_any_name(): tuple(None if side.is_dynamic else side.get_length() for side in port.partial_shape)
            for port in ports
        }

    metadata = model.get_rt_info("framework").value if model.has_rt_info("framework") else {}
    return Graph({key: str(value) for key, value in metadata.items()}, shapes(model.inputs), shapes(model.outputs))


def _settings(core: openvino.Core, spec: DetectorSpec) -> dict[str, str | int | bool]:
    """Return the compile settings: pinning would put two workers of one thread on the same core."""
    half = spec.backend == HALF_BACKEND
    if half and "BF16" not in core.get_property(DEVICE, "OPTIMIZATION_CAPABILITIES"):
        raise UsageError(
            f"this CPU has no bfloat16 arithmetic (AVX512_BF16 or AMX), which {HALF_BACKEND} needs; use openvino"
        )
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": spec.threads,
        "ENABLE_CPU_PINNING": False,
        "INFERENCE_PRECISION_HINT": "bf16" if half else "f32",
    }

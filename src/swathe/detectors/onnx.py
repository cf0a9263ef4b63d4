"""Detector on ONNX Runtime: the default, the same bits on every run of one machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from swathe.detectors.base import (
    INPUT_NAME,
    RawMapDetector,
    check_output,
    output_names,
    output_shapes,
)
from swathe.detectors.extras import install_hint
from swathe.detectors.files import read_onnx_info
from swathe.detectors.protocol import DetectorSpec
from swathe.errors import MissingExtraError, ModelError
from swathe.model.decode import Maps

if TYPE_CHECKING:
    import onnxruntime

ERRORS_ONLY = 3  # log level of ONNX Runtime


class OnnxDetector(RawMapDetector):
    """Runs the graph of an ONNX file on the CPU; input and outputs are bound once and reused."""

    def __init__(self, spec: DetectorSpec) -> None:
        """Open the file.

        Args:
            spec: Path of the model, number of threads, side of the tiles.

        Raises:
            MissingExtraError: If ONNX Runtime is not installed.
            ModelError: If the file is missing, damaged, or its graph is not the described network.
            UsageError: If the tile of the specification has no pixels.
        """
        super().__init__(spec, read_onnx_info(Path(spec.path)))
        self._session = _open_session(spec)
        outputs = {output.name: output.shape for output in self._session.get_outputs()}
        self._binding = self._session.io_binding()
        self._maps: list[npt.NDArray[np.float32]] = []
        for name, shape in zip(output_names(self.info), output_shapes(self.info, spec.tile), strict=True):
            declared = outputs.get(name)
            check_output(spec, name, declared[1] if declared is not None and len(declared) == 4 else None, shape[1])
            level_map = np.zeros(shape, np.float32)
            self._binding.bind_output(name, "cpu", 0, np.float32, shape, level_map.ctypes.data)
            self._maps.append(level_map)
        self._bind_input()

    def raw_maps(self, pixels: npt.NDArray[np.uint8]) -> Maps:
        """Run the network on one tile.

        Args:
            pixels: RGB, (tile, tile, 3).

        Returns:
            Per level, float32 logits (anchors * channels, grid height, grid width), valid until the next call.

        Raises:
            ModelError: If ONNX Runtime cannot run the graph.
            UsageError: If the pixels have another size or type.
        """
        self.pixels.fill(pixels)
        try:
            self._session.run_with_iobinding(self._binding)
        except _runtime_errors() as error:
            raise ModelError(f"{self.spec.path}: ONNX Runtime cannot run the graph ({_first_line(error)})") from error
        return [level_map[0] for level_map in self._maps]

    def _bind_input(self) -> None:
        """Bind the pixel buffer, after a look at what the graph takes."""
        declared = {graph_input.name: graph_input.shape for graph_input in self._session.get_inputs()}
        wanted = self.pixels.array.shape
        shape = declared.get(INPUT_NAME, ())
        fits = len(shape) == 4 and all(
            not isinstance(side, int) or side == size for side, size in zip(shape, wanted, strict=True)
        )
        if len(declared) != 1 or not fits:
            raise ModelError(
                f"{self.spec.path}: the graph takes {declared} and cannot be given {INPUT_NAME!r} of shape {wanted}; "
                "use the tile size it was made for, or export the model again with `swathe export`"
            )
        self._binding.bind_cpu_input(INPUT_NAME, self.pixels.array)


def _open_session(spec: DetectorSpec) -> onnxruntime.InferenceSession:
    """Load the graph with exactly the planned threads: workers share the cores, so waiting threads must not spin."""
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError(install_hint("ONNX Runtime", "onnx")) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = spec.threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = ERRORS_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(spec.path, options, providers=["CPUExecutionProvider"])
    except _runtime_errors() as error:
        raise ModelError(
            f"{spec.path}: ONNX Runtime cannot load the graph ({_first_line(error)}); export the model again"
        ) from error


def _runtime_errors() -> tuple[type[Exception], ...]:
    """Return what ONNX Runtime raises; its exceptions share no base of their own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    names = ("EPFail", "Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NoSuchFile", "NotImplemented")
    return (RuntimeError, state.RuntimeException, *(getattr(state, name) for name in names))


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def providers() -> tuple[str, ...]:
    """Return what ONNX Runtime could run models on, by its own names; Swathe uses the CPU.

    Returns:
        Names of execution providers, the preferred one first.

    Raises:
        MissingExtraError: If ONNX Runtime is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError(install_hint("ONNX Runtime", "onnx")) from error
    return tuple(onnxruntime.get_available_providers())

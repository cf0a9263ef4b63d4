"""Detector on OpenVINO: reads the same ONNX file; in 32-bit floats by default, in bfloat16 where asked."""

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
from swathe.errors import MissingExtraError, ModelError, UsageError
from swathe.model.decode import Maps

if TYPE_CHECKING:
    import openvino

HALF_BACKEND = "openvino-bf16"  # the backend's name says so, because the results differ in the last digits
DEVICE = "CPU"


class OpenVinoDetector(RawMapDetector):
    """Runs the graph of an ONNX file as one stream on the CPU."""

    def __init__(self, spec: DetectorSpec) -> None:
        """Open and compile the file.

        Args:
            spec: Path of the model, number of threads, side of the tiles; the backend's name chooses the precision.

        Raises:
            MissingExtraError: If OpenVINO is not installed.
            ModelError: If the file is missing, damaged, or its graph is not the described network.
            UsageError: If bfloat16 is asked for on a CPU without it, or the tile has no pixels.
        """
        super().__init__(spec, read_onnx_info(Path(spec.path)))
        try:
            import openvino
        except ImportError as error:
            raise MissingExtraError(install_hint("OpenVINO", "openvino")) from error
        core = openvino.Core()
        settings = _settings(core, spec)
        try:
            model = core.read_model(spec.path)
            model.reshape({INPUT_NAME: list(self.pixels.array.shape)})
            self._check_outputs(model)
            self._request = core.compile_model(model, DEVICE, settings).create_infer_request()
        except RuntimeError as error:
            raise ModelError(
                f"{spec.path}: OpenVINO cannot load the graph ({str(error).strip().splitlines()[-1]}); "
                "export the model again"
            ) from error
        self._request.set_tensor(INPUT_NAME, openvino.Tensor(self.pixels.array, shared_memory=True))

    def raw_maps(self, pixels: npt.NDArray[np.uint8]) -> Maps:
        """Run the network on one tile.

        Args:
            pixels: RGB, (tile, tile, 3).

        Returns:
            Per level, float32 logits (anchors * channels, grid height, grid width), valid until the next call.

        Raises:
            UsageError: If the pixels have another size or type.
        """
        self.pixels.fill(pixels)
        self._request.infer()
        return [self._request.get_tensor(name).data[0] for name in output_names(self.info)]

    def _check_outputs(self, model: openvino.Model) -> None:
        """Compare the shapes of the outputs with the description."""
        declared = {name: output for output in model.outputs for name in output.get_names()}
        for name, shape in zip(output_names(self.info), output_shapes(self.info, self.spec.tile), strict=True):
            output = declared.get(name)
            found = None if output is None or output.partial_shape.is_dynamic else tuple(output.shape)
            check_output(self.spec, name, found, shape)


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

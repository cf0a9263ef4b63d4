#!/usr/bin/env bash
# An environment of its own for each tool that Swathe's answers are compared with: benchmarks/rivals/install.sh ultralytics
#
# The tool sees the libraries of the project (PyTorch above all, from `make setup-train`); the project never sees the
# tool. Ultralytics is AGPL: it is run here to compare files and numbers, and nothing of it is part of Swathe.
set -euo pipefail
cd "$(dirname "$0")"
tool=${1:?name the tool: ultralytics, yolov5, libreyolo, oriented-det, mmrotate, sahi or supervision}
python=${PYTHON:-../../.venv/bin/python}
ultralytics=("ultralytics==8.4.190" ultralytics-thop polars polars-runtime-32 psutil scipy pyyaml)
if [ "$tool" = mmrotate ]; then  # was written for libraries of its day: Python 3.10, and 2 GB of them
	${PYTHON310:-python3.10} -m venv .venv-mmrotate
	pip=(.venv-mmrotate/bin/pip install --quiet)
	"${pip[@]}" "torch==1.13.1" "torchvision==0.14.1" "numpy<1.24" "setuptools<60" wheel cython
	"${pip[@]}" --no-build-isolation "mmcv==1.7.2"
	"${pip[@]}" --no-deps "mmdet==2.28.2" "mmrotate==0.3.4" "mmdeploy==0.14.0"
	"${pip[@]}" "numpy<1.24" matplotlib scipy six terminaltables pycocotools e2cnn "onnx<1.14" grpcio prettytable \
		"opencv-python-headless<4.9" multiprocess aenum "protobuf<3.21"
	exit
fi
case "$tool" in
ultralytics) packages=("${ultralytics[@]}" onnxslim) ;;
yolov5) packages=("yolov5==7.0.14" "${ultralytics[@]}" "setuptools<81" tqdm seaborn requests fire boto3) ;;
libreyolo) packages=("libreyolo==1.6.0" mss pycocotools cloudpickle pyyaml tqdm scipy) ;;
sahi) packages=("sahi==0.12.8" "${ultralytics[@]}" fire termcolor terminaltables tqdm click) ;;
supervision) packages=("supervision==0.31.0" pyDeprecate defusedxml tqdm scipy) ;;
oriented-det) packages=("oriented-det==0.4.1" albumentations albucore stringzilla simsimd huggingface_hub scipy pydantic) ;;
*) echo "$tool: there is no such tool here; there are ultralytics, yolov5, libreyolo, oriented-det, mmrotate, sahi and supervision" >&2; exit 2 ;;
esac
"$python" -m venv ".venv-$tool"
site=$("$python" -c 'import numpy, pathlib; print(pathlib.Path(numpy.__file__).parents[1])')
echo "$site" >"$(".venv-$tool/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/project.pth"
".venv-$tool/bin/pip" install --quiet --no-deps "${packages[@]}"

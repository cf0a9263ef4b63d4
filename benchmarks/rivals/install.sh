#!/usr/bin/env bash
# An environment of its own for each tool that Swathe's answers are compared with: benchmarks/rivals/install.sh ultralytics
#
# The tool sees the libraries of the project (PyTorch above all, from `make setup-train`); the project never sees the
# tool. Ultralytics is AGPL: it is run here to compare files and numbers, and nothing of it is part of Swathe.
set -euo pipefail
cd "$(dirname "$0")"
tool=${1:?name the tool: ultralytics, sahi, supervision or oriented-det}
python=${PYTHON:-../../.venv/bin/python}
case "$tool" in
ultralytics) packages=("ultralytics==8.4.190" ultralytics-thop polars polars-runtime-32 psutil scipy pyyaml onnxslim) ;;
sahi) packages=("sahi==0.12.8" "ultralytics==8.4.190" ultralytics-thop polars polars-runtime-32 psutil scipy pyyaml fire termcolor terminaltables tqdm click) ;;
supervision) packages=("supervision==0.31.0" pyDeprecate defusedxml tqdm scipy) ;;
oriented-det) packages=("oriented-det==0.4.1" albumentations albucore stringzilla simsimd huggingface_hub scipy pydantic) ;;
*) echo "$tool: there is no such tool here; there are ultralytics, sahi, supervision and oriented-det" >&2; exit 2 ;;
esac
"$python" -m venv ".venv-$tool"
site=$("$python" -c 'import numpy, pathlib; print(pathlib.Path(numpy.__file__).parents[1])')
echo "$site" >"$(".venv-$tool/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/project.pth"
".venv-$tool/bin/pip" install --quiet --no-deps "${packages[@]}"

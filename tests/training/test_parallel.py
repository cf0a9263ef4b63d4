"""Two processes make the steps that one makes with twice the accumulation."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from requirements import need

need("torch")
need("cv2")

from swathe.errors import UsageError  # noqa: E402 - after the check
from swathe.model.checkpoint import load_safetensors  # noqa: E402
from swathe.training.config import load_config  # noqa: E402
from swathe.training.loop import train  # noqa: E402
from swathe.training.parallel import joined  # noqa: E402


def write(labelled: Path, path: Path, output: Path) -> Path:
    data = f'kind = "dota"\nlabels = "{labelled / "labels"}"\nimages = "{labelled / "images"}"\n'
    path.write_text(
        '[model]\nname = "bars"\nclasses = ["bar"]\ninput_size = 64\n'
        f'[run]\noutput = "{output}"\ntile = 160\nstride = 160\nthreads = 1\nvalidate_every = 2\n'
        "[schedule]\nepochs = 2\nviews = 4\nbatch = 2\nnominal_batch = 4\n"
        f'optimiser = "adamw"\nlearning_rate = 0.001\n[[train]]\n{data}[[validate]]\n{data}'
        f'only = "{path.parent}/one.txt"\n'
    )
    (path.parent / "one.txt").write_text("bar0\n")
    return path


def losses(folder: Path) -> list[list[float]]:
    with (folder / "steps.csv").open(newline="") as file:
        return [[float(value) for value in list(row.values())[2:]] for row in csv.DictReader(file)]


def test_two_processes_equal_one(labelled: Path, tmp_path: Path) -> None:
    train(load_config(write(labelled, tmp_path / "one.toml", tmp_path / "one")))
    script = tmp_path / "both.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\nfrom swathe.training.config import load_config\n"
        "from swathe.training.loop import train\n"
        "train(load_config(Path(sys.argv[1])))\n"
    )
    both = write(labelled, tmp_path / "both.toml", tmp_path / "both")
    words = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node=2",
        str(script),
        str(both),
    ]
    done = subprocess.run(
        words, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    ours, theirs = losses(tmp_path / "both"), losses(tmp_path / "one")
    assert len(ours) == 2
    for mine, other in zip(ours, theirs, strict=True):
        assert mine == pytest.approx(other, rel=2e-4)
    assert (tmp_path / "both" / "scores.jsonl").read_text().count("map50_area") == 1
    weights, _ = load_safetensors(tmp_path / "both" / "last.safetensors")
    expected, _ = load_safetensors(tmp_path / "one" / "last.safetensors")
    for name, tensor in expected.items():
        if "running" not in name and "num_batches" not in name:  # statistics are those of the first process's views
            assert weights[name] == pytest.approx(tensor, rel=1e-3, abs=2e-3), name


def test_a_card_that_is_not_there_is_refused() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(UsageError, match="use cpu"), joined("cuda"):
        pass

"""Train yolo11n-obb from nothing for a given processor time, and write what it finds as DOTA Task 1 files.

Training sees each image fitted into a square of `--side`, so that how large objects were depends on the images. It is
searched at several sizes, and its best one counts.

Usage: benchmarks/rivals/.venv-ultralytics/bin/python benchmarks/rivals/train_yolo.py DATA.yaml OUTPUT --seconds N

Runs in the environment of the rival alone, see install.sh. DATA.yaml is what yolo_dataset.py wrote; the results are
judged by Swathe's evaluator: python recipes/evaluate_sets.py CONFIG.toml --task1 OUTPUT/task1-512
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

LOWEST = 0.01  # score, as for Swathe
OVERLAP = 0.2  # IoU from which the lower-scored of two boxes goes, as for Swathe


def main() -> None:
    """Train until the time is used, search the validation images, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--seconds", type=float, required=True, help="of processor time, over all threads")
    parser.add_argument("--side", type=int, default=512, help="of the training views, pixels")
    parser.add_argument("--search", type=int, nargs="+", default=[512, 768, 1024], help="sizes to search at, pixels")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--epochs", type=int, required=True, help="that fit into the time; the schedule follows them")
    options = parser.parse_args()
    from ultralytics import YOLO

    started = time.process_time()
    steps = 0

    def stop_in_time(trainer: Any) -> None:
        nonlocal steps
        steps += 1
        if time.process_time() - started > options.seconds:
            trainer.stop = True
            trainer.epochs = trainer.epoch + 1

    model = YOLO("yolo11n-obb.yaml")
    model.add_callback("on_train_batch_end", stop_in_time)
    model.train(
        data=str(options.data),
        epochs=options.epochs,
        imgsz=options.side,
        batch=options.batch,
        workers=0,  # in this process, so that its time counts
        device="cpu",
        degrees=180.0,
        flipud=0.5,
        pretrained=False,
        val=False,
        plots=False,
        project=str(options.output.resolve()),
        name="run",
        exist_ok=True,
    )
    used = time.process_time() - started
    images = (options.data.parent / "val.txt").read_text(encoding="utf-8").split("\n")
    trained = YOLO(model.trainer.last)
    for side in options.search:
        _write_task1(trained, [name for name in images if name], options.output / f"task1-{side}", side)
    print(json.dumps({"processor_seconds": round(used, 1), "steps": steps, "batch": options.batch}))


def _write_task1(model: Any, images: list[str], folder: Path, side: int) -> None:
    """Search whole images, their long side fitted to one size."""
    folder.mkdir(parents=True, exist_ok=True)
    lines: dict[str, list[str]] = {name: [] for name in model.names.values()}
    for image in images:
        (found,) = model.predict(image, imgsz=side, rect=True, conf=LOWEST, iou=OVERLAP, max_det=1000, verbose=False)
        corners, boxes = found.obb.xyxyxyxy.reshape(-1, 8).tolist(), found.obb
        for polygon, score, kind in zip(corners, boxes.conf.tolist(), boxes.cls.int().tolist(), strict=True):
            numbers = " ".join(f"{value:.2f}" for value in polygon)
            lines[model.names[kind]].append(f"{Path(image).stem} {score:.6f} {numbers}\n")
    for name, rows in lines.items():
        (folder / f"Task1_{name}.txt").write_text("".join(rows), encoding="utf-8")


if __name__ == "__main__":
    main()

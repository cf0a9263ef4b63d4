"""The training loop, resumable at every saved step.

A run that is stopped goes on after its last saved step, and every later step is the one that the uninterrupted run
would have made.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from swathe.errors import ModelError, StoreError, UsageError
from swathe.model.checkpoint import load_safetensors, save_safetensors
from swathe.model.info import DEFAULT_ANCHORS, Anchors, ModelInfo
from swathe.model.layers import widened
from swathe.model.lite import LiteBackbone
from swathe.model.loss import LossParts, YWCSLLoss
from swathe.model.yolov5 import YWCSL
from swathe.training.anchors import ENOUGH, fit_anchors, recall_of
from swathe.training.config import TrainingConfig, nothing_to_learn
from swathe.training.data import Batch, make_batch, open_held_out, open_sets, prefetched
from swathe.training.interrupt import deferred_interrupt
from swathe.training.log import RunLog
from swathe.training.parallel import Peers, joined
from swathe.training.precision import autocast, choose_precision
from swathe.training.schedule import AveragedWeights, alpha_at, learning_rate, make_optimiser, radius_at
from swathe.training.state import Progress, read_progress, restore, save_state
from swathe.training.validate import validate

STATE = "state.safetensors"
LAST = "last.safetensors"
BEST = "best.safetensors"
FIRST_LAYERS = {"backbone.stem.conv.weight", "backbone.features.conv_stem.weight"}


@dataclass(frozen=True)
class TrainingEvent:
    """What a progress bar wants to know."""

    step: int  # optimiser steps done
    steps: int  # of the whole run
    epoch: int  # from 1
    epochs: int
    values: Mapping[str, float]  # losses of the step, or scores of a validation


@dataclass(frozen=True)
class TrainingResult:
    """Where a finished run left its results."""

    folder: Path
    best: Path  # averaged weights with the best validation score (the last ones without validation)
    last: Path  # averaged weights at the end
    scores: Mapping[str, float]  # of the last validation
    seconds: float  # training time over all calls of the run
    waiting: float  # share of this call's time in which the network waited for views, 0..1


Watch = Callable[[TrainingEvent], None]


class Stopwatch(Iterator[Batch]):
    """Batches, and how long they were waited for."""

    def __init__(self, batches: Iterator[Batch]) -> None:
        """Take the batches; none is waited for yet."""
        self.seconds = 0.0
        self._batches = batches

    def __next__(self) -> Batch:
        """Return the next batch."""
        started = time.monotonic()
        batch = next(self._batches)
        self.seconds += time.monotonic() - started
        return batch


def train(config: TrainingConfig, watch: Watch | None = None, *, stop_after: int | None = None) -> TrainingResult:
    """Train as a configuration says; a run that was interrupted is resumed.

    Args:
        config: The checked configuration.
        watch: Called after each step and each validation.
        stop_after: Stop, resumable, after this many steps of this call; for tests and time slots.

    Returns:
        Where the results are.

    Raises:
        SourceError: If data is missing or damaged.
        UsageError: If the configuration is wrong.
        ModelError: If the initial weights do not fit or the loss stops being a number.
        StoreError: If the run's folder belongs to another configuration or cannot be written.
        KeyboardInterrupt: On Ctrl-C, when the step that it came in is made and saved; a second one ends at once.
    """
    if config.run.threads:
        torch.set_num_threads(config.run.threads)
    with joined(config.run.device) as peers:
        if not peers.is_first:
            peers.wait()  # the first process begins the run, the others find it there
        run = _Run(config, peers)
        if peers.is_first:
            peers.wait()
        return run.go(watch or (lambda _: None), stop_after)


class _Run:
    """A run in this process: data, network, optimiser, and where it stands."""

    def __init__(self, config: TrainingConfig, peers: Peers) -> None:
        self.config = config
        self.peers = peers
        self.folder = config.run.output
        self.fingerprint = _fingerprint(config)
        self.data = open_sets(config.train, config, config.run.tile, config.run.stride)
        self.held_out = open_held_out(config)
        schedule = config.schedule
        views = schedule.views or len(self.data.order)
        together = schedule.batch * peers.count  # views that all processes make at once
        self.gathered = max(1, round(schedule.nominal_batch / together))  # batches per step and process
        self.per_epoch = math.ceil(views / (together * self.gathered))
        self.total = self.per_epoch * schedule.epochs
        tensors, self.progress = self._earlier()
        self.info = replace(
            _info(config, self.progress.anchors),
            ground_sample_distance=self.data.ground_sample_distance(),
            largest_object=self._largest_object(),
        )
        torch.manual_seed(config.run.seed)
        self.model = YWCSL(self.info).to(peers.device).to(memory_format=torch.channels_last)
        if not tensors:
            self._start()
        if isinstance(self.model.backbone, LiteBackbone):
            self.model.backbone.train_last(config.model.trained_stages)
        self.optimiser = make_optimiser(self.model, schedule)
        self.average = AveragedWeights(self.model, schedule.average_decay, schedule.average_ramp)
        if tensors:
            restore(tensors, self.model, self.average, self.optimiser)
        else:
            # before anything else is written there: a run that is stopped early is known as a run
            save_state(self.folder / STATE, self.model, self.average, self.optimiser, self.progress)
        self.loss = YWCSLLoss(self.info, config.loss)
        self.log = RunLog(self.folder, self.progress.steps, is_writer=peers.is_first)

    def _start(self) -> None:
        """Fill the network of a new run with what is known already, and choose its precision."""
        config = self.config
        if isinstance(self.model.backbone, LiteBackbone):
            self.model.backbone.load_imagenet()
        if config.model.initial is not None:
            _take(self.model, config.model.initial)
        precision = choose_precision(config.run.precision, self.model, config.schedule.batch, config.model.input_size)
        self.progress = replace(self.progress, precision=precision)

    def _earlier(self) -> tuple[dict[str, Tensor], Progress]:
        """Return the saved state of this run, or the beginning of a new one."""
        path = self.folder / STATE
        if not path.exists():
            if self.folder.exists() and any(self.folder.iterdir()):
                raise StoreError(f"{self.folder}: the output folder is not empty and holds no run; choose another")
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreError(f"{self.folder}: cannot make the output folder ({error.strerror})") from error
            return {}, Progress(0, self.fingerprint, 0.0, -1.0, self._anchors())
        tensors, progress = read_progress(path)
        if progress.config != self.fingerprint:
            raise StoreError(
                f"{self.folder}: holds a run of another configuration; choose another output, or delete the folder"
            )
        return tensors, progress

    def _largest_object(self) -> float | None:
        """Long side that hardly any object exceeds, pixels; windows of a detection overlap by as much."""
        sizes = self.data.sizes()
        return float(np.percentile(sizes[:, 0], LARGEST_PERCENTILE)) if len(sizes) else None

    def _anchors(self) -> Anchors:
        sizes = self.data.sizes()
        if len(sizes) == 0:
            raise UsageError(nothing_to_learn(self.config))
        if not self.config.model.automatic_anchors or recall_of(sizes, DEFAULT_ANCHORS) > ENOUGH:
            return DEFAULT_ANCHORS
        return fit_anchors(sizes, len(DEFAULT_ANCHORS), len(DEFAULT_ANCHORS[0]))

    def go(self, watch: Watch, stop_after: int | None) -> TrainingResult:
        """Make the missing steps; an interrupt ends the work after the step it came in."""
        first = self.progress.steps
        last = self.total if stop_after is None else min(self.total, first + stop_after)
        steps = range(first, first if self._is_exhausted() else last)
        numbers = range(steps.start * self.gathered, steps.stop * self.gathered)
        # Whatever ends the work, the views that are made ahead are stopped before their files are closed.
        with deferred_interrupt() as interrupted, closing(self.data), closing(prefetched(self._make, numbers)) as made:
            batches = Stopwatch(made)
            started = time.monotonic()
            scores = self._make_steps(steps, batches, watch, interrupted)
            waiting = batches.seconds / max(1e-9, time.monotonic() - started)
        finished = self.progress.steps == self.total or self._is_exhausted()
        if finished and self.peers.is_first and (steps or not (self.folder / LAST).exists()):  # stopped after the last
            self._keep(LAST, scores)
            if not (self.folder / BEST).exists():
                self._keep(BEST, scores)
            self.log.draw_curves()
        return TrainingResult(
            self.folder, self.folder / BEST, self.folder / LAST, scores, self.progress.seconds, waiting
        )

    def _make_steps(
        self, steps: range, batches: Stopwatch, watch: Watch, interrupted: Callable[[], bool]
    ) -> dict[str, float]:
        """Make steps, validate and save in between; return the last scores."""
        started = saved = time.monotonic()
        before, epochs = self.progress.seconds, self.config.schedule.epochs
        scores: dict[str, float] = self.log.last_scores()
        for step in steps:
            values = self._step(step, [next(batches) for _ in range(self.gathered)])
            done, epoch = step + 1, step // self.per_epoch + 1
            self._say(watch, TrainingEvent(done, self.total, epoch, epochs, values))
            self.progress = replace(self.progress, steps=done, seconds=before + time.monotonic() - started)
            if is_validated := done % self.per_epoch == 0 and self._is_validated(epoch):
                scores = self._validated(epoch)
                self._say(watch, TrainingEvent(done, self.total, epoch, epochs, scores))
            is_last = step == steps[-1] or (is_validated and self._is_exhausted())
            is_interrupted = bool(self.peers.total(torch.tensor(float(interrupted()), device=self.peers.device)))
            is_late = time.monotonic() - saved > self.config.run.checkpoint_seconds
            if self.peers.is_first and (is_last or is_interrupted or is_late):
                self.log.flush()
                save_state(self.folder / STATE, self.model, self.average, self.optimiser, self.progress)
                saved = time.monotonic()
            if is_interrupted:
                raise KeyboardInterrupt
            if is_last:
                break
        return scores

    def _say(self, watch: Watch, event: TrainingEvent) -> None:
        """Log a step, and report it or a validation; one process does."""
        if self.peers.is_first:
            if "total" in event.values:
                self.log.step(event.step, event.epoch, event.values)
            watch(event)

    def _is_exhausted(self) -> bool:
        """Return whether the score has not risen for as many validations as the run has patience."""
        patience = self.config.schedule.patience
        return 0 < patience <= self.log.validations_since_best()

    def _make(self, number: int) -> Batch:
        """Make the batch with a running number of this process; all of them share out the views of a step."""
        config, batch = self.config, self.config.schedule.batch
        augment = config.augment
        epoch = number // (self.per_epoch * self.gathered)
        number = number * self.peers.count + self.peers.rank
        if epoch >= config.schedule.epochs - config.schedule.plain_epochs:
            augment = replace(augment, mosaic=0.0, mixup=0.0)
        return make_batch(self.data, number * batch, batch, config.model.input_size, augment, config.run.seed)

    def _step(self, step: int, batches: list[Batch]) -> dict[str, float]:
        """Make one optimiser step and return what is logged of it."""
        schedule = self.config.schedule
        warmup = math.ceil(schedule.warmup_epochs * self.per_epoch)
        rate = learning_rate(schedule, step, warmup, self.total)
        progress, loss = step / max(1, self.total - 1), self.config.loss
        alpha = alpha_at(loss.alpha, schedule.alpha_final, progress)
        radius = radius_at(loss.angle_radius, schedule.angle_radius_final, progress)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["share"]
        self.model.train()
        self.optimiser.zero_grad()
        sums = np.zeros(4)
        for batch in batches:
            parts = self._losses(batch, alpha, radius)
            parts.total.backward()  # type: ignore[no-untyped-call]
            shown = (parts.box, parts.objectness, parts.classes, parts.angle)
            sums += np.array([float(part.detach()) for part in shown]) / len(batches)
        sums = self.peers.total(torch.from_numpy(sums).to(self.peers.device)).cpu().numpy() / self.peers.count
        if not np.isfinite(sums).all():
            raise ModelError(
                f"the loss is no longer a number at step {step + 1} (its parts: {sums.tolist()}); "
                f"lower schedule.learning_rate. {self.folder / STATE} holds an earlier state"
            )
        self.peers.add_gradients(self.model)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), schedule.gradient_limit)
        self.optimiser.step()
        self.average.update(self.model, step)
        names = ("box", "objectness", "classes", "angle")
        losses = {name: float(value) for name, value in zip(names, sums, strict=True)}
        return {"learning_rate": rate, "alpha": alpha, **losses, "total": float(sums.sum())}

    def _losses(self, batch: Batch, alpha: float, radius: float) -> LossParts:
        device = self.peers.device
        images = torch.from_numpy(batch.images).to(device).permute(0, 3, 1, 2).float() * self.info.input_scale
        with autocast(self.progress.precision, device.type):
            maps = self.model.outputs(images.contiguous(memory_format=torch.channels_last))
        return self.loss(
            maps,
            torch.from_numpy(batch.targets).to(device),
            alpha=alpha,
            radius=radius,
            ignore=torch.from_numpy(batch.ignore).to(device),
            labelled=torch.from_numpy(batch.labelled).to(device),
        )

    def _is_validated(self, epoch: int) -> bool:
        epochs = self.config.schedule.epochs
        return self.held_out is not None and (epoch == epochs or epoch % self.config.run.validate_every == 0)

    def _validated(self, epoch: int) -> dict[str, float]:
        """Validate the averaged weights; keep them if they are the best so far."""
        if self.held_out is None:
            return {}
        if not self.peers.is_first:
            self.peers.wait()
            return self.log.last_scores()
        scores = validate(self._averaged(), self.held_out)
        self.log.epoch(self.progress.steps, epoch, self.progress.seconds, scores)
        self.log.draw_curves()
        if scores["map50_area"] > self.progress.best:
            self.progress = replace(self.progress, best=scores["map50_area"])
            self._keep(BEST, scores)
        self.peers.wait()
        return scores

    def _averaged(self) -> YWCSL:
        model = YWCSL(self.info)
        model.load_state_dict(self.average.state)
        return model.eval().to(self.peers.device)

    def _keep(self, name: str, scores: Mapping[str, float]) -> None:
        tensors = {key: value.cpu().numpy() for key, value in self.average.state.items()}
        extra = {**self.info.extra, "validation": dict(scores)}
        save_safetensors(self.folder / name, tensors, replace(self.info, extra=extra))


LARGEST_PERCENTILE = 99.5  # the few larger ones are labels of rare kinds, or wrong


def _fingerprint(config: TrainingConfig) -> str:
    """Hash what shapes the steps; where it is written, and how often, does not."""
    values = _given(config)
    for name in ("output", "checkpoint_seconds", "threads", "cache_megabytes", "validate_every", "validate_tile"):
        values["run"].pop(name, None)
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _given(value: Any) -> Any:
    """Return settings as plain values without those at their defaults: a setting that is new leaves old runs alone."""
    if not is_dataclass(value):
        return [_given(item) for item in value] if isinstance(value, tuple) else value
    given = {item.name: (getattr(value, item.name), item) for item in fields(value)}
    return {name: _given(own) for name, (own, item) in given.items() if own != item.default}


def _info(config: TrainingConfig, anchors: Anchors) -> ModelInfo:
    model = config.model
    scales = tuple(sorted({entry.scale for entry in config.train}))
    return ModelInfo(
        model.name,
        model.size,
        model.classes,
        model.input_size,
        anchors=anchors,
        bands=config.bands,
        scales=scales,
        extra=dict(model.extra),
    )


def _take(model: YWCSL, path: Path) -> None:
    """Take the tensors of another model that have the same name and shape; its first layer may see fewer bands."""
    given, info = load_safetensors(path)
    found, own = {name: torch.from_numpy(np.array(tensor)) for name, tensor in given.items()}, model.state_dict()
    for name in FIRST_LAYERS & found.keys() if info.bands < model.info.bands else ():
        found[name] = widened(found[name], model.info.bands)
    fitting = {name: found[name] for name, tensor in own.items() if name in found and found[name].shape == tensor.shape}
    if not fitting:
        raise ModelError(f"{path}: no tensor fits a model of size {model.info.size!r}; choose another `initial`")
    model.load_state_dict({**own, **fitting})

"""alpha-IoU: its formulas against a plain reference, its limits, and the safety of value and gradient."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from swathe.errors import UsageError
from swathe.model.info import ModelInfo
from swathe.model.loss import LossSettings, YWCSLLoss, alpha_iou_loss, safe_power
from swathe.model.yolov5 import YWCSL

KINDS = ("iou", "giou", "diou", "ciou")
ALPHAS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)

BOX = st.tuples(st.floats(-50, 50), st.floats(-50, 50), st.floats(1, 80), st.floats(1, 80))


def slow_loss(p: tuple[float, ...], t: tuple[float, ...], kind: str, alpha: float) -> tuple[float, float]:
    """The published formulas for one pair of boxes."""
    px, py, pw, ph = p
    tx, ty, tw, th = t
    width = max(0.0, min(px + pw / 2, tx + tw / 2) - max(px - pw / 2, tx - tw / 2))
    height = max(0.0, min(py + ph / 2, ty + th / 2) - max(py - ph / 2, ty - th / 2))
    union = pw * ph + tw * th - width * height
    iou = width * height / union
    hull_w = max(px + pw / 2, tx + tw / 2) - min(px - pw / 2, tx - tw / 2)
    hull_h = max(py + ph / 2, ty + th / 2) - min(py - ph / 2, ty - th / 2)
    loss = 1.0 - iou**alpha
    if kind == "giou":
        loss += max(0.0, (hull_w * hull_h - union) / (hull_w * hull_h)) ** alpha
    if kind in ("diou", "ciou"):
        loss += (((px - tx) ** 2 + (py - ty) ** 2) / (hull_w**2 + hull_h**2)) ** alpha
    if kind == "ciou":
        v = 4 / math.pi**2 * (math.atan(tw / th) - math.atan(pw / ph)) ** 2
        beta = v / (1 - iou + v) if v > 0 else 0.0
        loss += (beta * v) ** alpha
    return loss, iou


def as_rows(*boxes: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor(boxes, dtype=torch.float64)


@settings(deadline=None)
@given(BOX, BOX, st.sampled_from(KINDS), st.sampled_from((1.0, 1.5, 2.0, 3.0)))
def test_equals_the_formulas(p: tuple[float, ...], t: tuple[float, ...], kind: str, alpha: float) -> None:
    loss, iou = alpha_iou_loss(as_rows(p), as_rows(t), kind, alpha)  # type: ignore[arg-type]
    wanted_loss, wanted_iou = slow_loss(p, t, kind, alpha)
    assert float(iou) == pytest.approx(wanted_iou, abs=1e-7)
    assert float(loss) == pytest.approx(wanted_loss, abs=1e-4)


@settings(deadline=None)
@given(BOX, BOX, st.sampled_from(KINDS))
def test_alpha_one_is_the_plain_loss_exactly(p: tuple[float, ...], t: tuple[float, ...], kind: str) -> None:
    plain, iou = alpha_iou_loss(as_rows(p), as_rows(t), kind)  # type: ignore[arg-type]
    divided, _ = alpha_iou_loss(as_rows(p), as_rows(t), kind, 1.0, divided=True)  # type: ignore[arg-type]
    assert float(plain) == float(divided)
    if kind == "iou":
        assert float(plain) == 1.0 - float(iou)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("alpha", [0.1, *ALPHAS, 9.0])
def test_value_and_gradient_are_finite_at_the_ends(kind: str, alpha: float) -> None:
    target = as_rows((10, 10, 4, 2), (10, 10, 4, 2), (10, 10, 4, 2), (10, 10, 4, 2))
    found = as_rows((10, 10, 4, 2), (100, 10, 4, 2), (14, 10, 4, 2), (10, 10, 400, 200)).requires_grad_()
    loss, _ = alpha_iou_loss(found, target, kind, alpha)  # type: ignore[arg-type]
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    assert torch.isfinite(found.grad).all()
    assert float(loss[0].detach()) == pytest.approx(0.0, abs=1e-6)
    if kind == "iou":
        assert float(loss[1].detach()) == 1.0


@pytest.mark.parametrize("alpha", ALPHAS)
def test_weights_of_the_paper(alpha: float) -> None:
    """Eq. 2 and Eq. 3, and their limits, belong to the undivided form."""
    iou = torch.linspace(0.01, 0.99, 99, dtype=torch.float64)
    shift = (1 - iou) / (1 + iou)
    moved = torch.stack((shift, torch.zeros_like(shift), torch.ones_like(shift), torch.ones_like(shift)), 1)
    target = torch.tensor([[0.0, 0.0, 1.0, 1.0]], dtype=torch.float64).expand(99, 4)

    def both(power: float) -> tuple[torch.Tensor, torch.Tensor]:
        leaf = moved.clone().requires_grad_()
        loss, _ = alpha_iou_loss(leaf, target, "iou", power)
        return loss.detach(), torch.autograd.grad(loss.sum(), leaf)[0][:, 0]

    loss, slope = both(alpha)
    plain, plain_slope = both(1.0)
    torch.testing.assert_close(loss / plain, 1 + (iou - iou**alpha) / (1 - iou), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(slope / plain_slope, alpha * iou ** (alpha - 1), rtol=1e-5, atol=1e-5)


def test_divided_form_is_equation_one() -> None:
    loss, iou = alpha_iou_loss(as_rows((0, 0, 4, 4)), as_rows((1, 0, 4, 4)), "iou", 0.5, divided=True)
    assert float(loss) == pytest.approx((1 - float(iou) ** 0.5) / 0.5)


@settings(deadline=None)
@given(st.floats(0, 1), st.sampled_from(ALPHAS))
def test_safe_power_is_continuous_and_rises(x: float, alpha: float) -> None:
    values = safe_power(torch.tensor([x, min(1.0, x + 1e-6)], dtype=torch.float64), alpha)
    assert float(values[1]) >= float(values[0])
    if x >= 1e-4:
        assert float(values[0]) == pytest.approx(x**alpha)


@pytest.mark.parametrize("alpha", [0.0, -1.0, math.nan, math.inf])
def test_refuses_an_impossible_alpha(alpha: float) -> None:
    with pytest.raises(UsageError, match="alpha"):
        LossSettings(alpha=alpha)


INFO = ModelInfo("test", "n", ("a", "b"), 64)


def maps_for(batch: int, size: int, fill: float = -4.0) -> list[torch.Tensor]:
    channels = INFO.anchors_per_cell * INFO.channels
    return [torch.full((batch, channels, size // stride, size // stride), fill) for stride in INFO.strides]


def test_no_objects_leaves_only_objectness() -> None:
    parts = YWCSLLoss(INFO, LossSettings())(maps_for(1, 64), torch.empty(0, 7))
    assert float(parts.box) == float(parts.classes) == float(parts.angle) == 0.0
    assert float(parts.objectness) > 0.0


def test_ignored_cells_are_not_judged() -> None:
    maps = maps_for(2, 64, 3.0)
    loss = YWCSLLoss(INFO, LossSettings())
    everywhere = loss(maps, torch.empty(0, 7), ignore=torch.ones(2, 64, 64, dtype=torch.uint8))
    assert float(everywhere.total) == 0.0
    first_only = loss(maps, torch.empty(0, 7), ignore=torch.stack((torch.ones(64, 64), torch.zeros(64, 64))))
    nowhere = loss(maps, torch.empty(0, 7))
    assert float(first_only.total) == pytest.approx(float(nowhere.total) / 2)


def test_background_of_a_class_nobody_labelled_is_not_judged() -> None:
    maps = maps_for(1, 64, 0.0)
    for raw in maps:
        raw.view(1, 3, INFO.channels, *raw.shape[2:])[:, :, 6] = 5.0  # everything looks like class b
    loss = YWCSLLoss(INFO, LossSettings())
    silent = loss(maps, torch.empty(0, 7), labelled=torch.tensor([[True, False]]))
    loud = loss(maps, torch.empty(0, 7), labelled=torch.tensor([[False, True]]))
    assert float(silent.total) == 0.0
    assert float(loud.total) > 0.0


@pytest.mark.parametrize("target", ["iou", "ciou", "powered"])
def test_a_perfect_map_has_nearly_no_loss(target: str) -> None:
    """Write logits that decode to the truth at every positive place: all parts but the label's own entropy vanish."""
    from swathe.model.assign import assign
    from swathe.model.csl import encode

    truth = torch.tensor([[0, 1, 33.0, 35.0, 40.0, 20.0, 0.5]])
    maps = maps_for(1, 64, -20.0)
    for level, stride in enumerate(INFO.strides):
        grid = maps[level].view(1, 3, INFO.channels, 64 // stride, 64 // stride)
        anchors = torch.tensor(INFO.anchors[level])
        places = assign(truth, anchors, (64 // stride, 64 // stride), stride)
        for anchor, row, col in zip(places.anchor, places.row, places.col, strict=True):
            xy = (truth[0, 2:4] / stride - torch.stack((col, row)) + 0.5) / 2
            wh = (truth[0, 4:6] / anchors[anchor]).sqrt() / 2
            label = encode(truth[:, 6].double())[0].clamp(1e-9, 1 - 1e-6)
            rest = torch.cat((torch.tensor([20.0, -20.0, 20.0]), torch.logit(label).float()))
            grid[0, anchor, :, row, col] = torch.cat((torch.logit(xy), torch.logit(wh), rest))
    parts = YWCSLLoss(INFO, LossSettings(objectness=target))(maps, truth)  # type: ignore[arg-type]
    assert float(parts.box) < 1e-4
    assert float(parts.objectness) < 1e-3
    assert float(parts.classes) < 1e-4
    label = encode(truth[:, 6].double())[0].clamp(1e-9, 1 - 1e-6)
    entropy = -(label * label.log() + (1 - label) * torch.log1p(-label)).mean()  # the least a soft label allows
    levels = sum(
        bool(len(assign(truth, torch.tensor(a), (64 // s, 64 // s), s).target))
        for a, s in zip(INFO.anchors, INFO.strides, strict=True)
    )
    assert float(parts.angle) == pytest.approx(float(entropy) * levels * 0.5, rel=1e-3)


def test_gradients_flow_and_are_finite() -> None:
    rng = np.random.default_rng(3)
    maps = [raw.normal_(generator=torch.Generator().manual_seed(1)).requires_grad_() for raw in maps_for(2, 64)]
    truth = torch.tensor(
        np.column_stack(
            (
                rng.integers(0, 2, 30),
                rng.integers(0, 2, 30),
                rng.uniform(0, 64, (30, 2)),
                rng.uniform(8, 90, (30, 2)),
                rng.uniform(-1.5, 1.5, 30),
            )
        ),
        dtype=torch.float32,
    )
    YWCSLLoss(INFO, LossSettings(alpha=0.5))(maps, truth).total.backward()
    for raw in maps:
        assert torch.isfinite(raw.grad).all()
        assert float(raw.grad.abs().sum()) > 0.0


def test_computing_the_last_layer_only_at_objects_changes_nothing() -> None:
    torch.manual_seed(3)
    network = YWCSL(INFO)
    images = torch.rand(2, 3, 96, 64)
    targets = torch.tensor([[0, 0, 30, 40, 40, 12, 0.3], [1, 1, 20, 70, 25, 15, -1.2], [1, 0, 21, 69, 24, 14, 1.0]])
    labelled = torch.ones(2, len(INFO.classes), dtype=torch.bool)
    labelled[0, 1:] = False
    results = []
    for compute in (network.forward, network.outputs):
        network.zero_grad()
        parts = YWCSLLoss(INFO, LossSettings())(compute(images), targets, labelled=labelled)
        parts.total.backward()
        gradients = {name: item.grad for name, item in network.named_parameters()}
        results.append((parts, gradients))
    (dense, dense_gradients), (lazy, lazy_gradients) = results
    for name in ("box", "objectness", "classes", "angle"):
        torch.testing.assert_close(getattr(lazy, name), getattr(dense, name))
    torch.testing.assert_close(lazy_gradients, dense_gradients, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("start", "full"), [(0.5, 2.0), (3.0, 0.75), (1.0, 1.0)])
def test_alpha_follows_the_overlap_of_the_batch(start: float, full: float) -> None:
    """A small object is answered for at /8 alone, so one mean IoU decides."""
    maps = [raw.normal_(generator=torch.Generator().manual_seed(5)) for raw in maps_for(1, 64)]
    truth = torch.tensor([[0, 1, 30.0, 33.0, 12.0, 10.0, 0.4]])

    def box_loss(**given: float) -> float:
        return float(YWCSLLoss(INFO, LossSettings(box="iou", box_gain=1.0, **given))(maps, truth).box)

    overlap = 1.0 - box_loss()
    assert 0.05 < overlap < 0.95
    assert box_loss(alpha=start, alpha_full=full) == pytest.approx(box_loss(alpha=start + overlap * (full - start)))


def test_refuses_an_alpha_that_is_none() -> None:
    with pytest.raises(UsageError, match="alpha_full"):
        LossSettings(alpha_full=0.0)


def test_the_radius_of_the_label_may_be_given_for_one_step() -> None:
    maps = [raw.normal_(generator=torch.Generator().manual_seed(5)) for raw in maps_for(1, 64)]
    truth = torch.tensor([[0, 1, 30.0, 33.0, 12.0, 10.0, 0.4]])
    wide = YWCSLLoss(INFO, LossSettings(angle_radius=6.0))(maps, truth)
    given = YWCSLLoss(INFO, LossSettings())(maps, truth, radius=6.0)
    assert float(given.angle) == float(wide.angle) != float(YWCSLLoss(INFO, LossSettings())(maps, truth).angle)

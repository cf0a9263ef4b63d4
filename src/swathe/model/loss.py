"""YWCSL's loss: alpha-IoU on the box, binary cross entropy on objectness, classes and circular smooth label.

alpha-IoU: He et al., "Alpha-IoU: A Family of Power Intersection over Union Losses for Bounding Box
Regression" (NeurIPS 2021). GIoU: Rezatofighi et al. 2019. DIoU and CIoU: Zheng et al. 2020.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from swathe.errors import UsageError
from swathe.model import csl
from swathe.model.assign import Assignment, assign
from swathe.model.info import ModelInfo
from swathe.model.outputs import DenseOutput, LevelOutput

BoxLoss = Literal["iou", "giou", "diou", "ciou"]
ObjectnessTarget = Literal["iou", "ciou", "powered"]

LEVEL_BALANCE = (4.0, 1.0, 0.4)  # weight of the objectness loss at /8, /16, /32
LINEAR_BELOW = 1e-4  # below this, x^alpha is continued by a straight line to 0: its slope stays finite
TINY = 1e-9  # keeps divisions of two lengths or areas that are both 0 at 0


@dataclass(frozen=True)
class LossSettings:
    """Choices of the loss; the defaults are the baseline's."""

    box: BoxLoss = "ciou"
    alpha: float = 1.0  # power of the IoU; 1 is the plain loss
    alpha_full: float | None = None  # power where the boxes of a level overlap fully; on the way there from `alpha`
    divided: bool = False  # Eq. 1 of the paper divides by alpha, its Eqs. 2 and 3 belong to the undivided form
    objectness: ObjectnessTarget = "iou"
    box_gain: float = 0.05
    class_gain: float = 0.5  # for 80 classes
    objectness_gain: float = 1.0  # for 640 px
    angle_gain: float = 0.5
    angle_radius: float = 2.0  # bins
    angle_continuous: bool = False  # see csl.encode

    def __post_init__(self) -> None:
        """Refuse what the formulas do not allow."""
        if not (math.isfinite(self.alpha) and self.alpha > 0):
            raise UsageError(f"alpha must be a positive number, not {self.alpha}")
        if self.alpha_full is not None and not 0 < self.alpha_full < math.inf:
            raise UsageError(f"alpha_full must be a positive number, not {self.alpha_full}")
        for name in ("box_gain", "class_gain", "objectness_gain", "angle_gain"):
            if not 0 <= getattr(self, name) < math.inf:
                raise UsageError(f"{name} must be a number that is not negative, not {getattr(self, name)}")
        if not self.angle_radius > 0:
            raise UsageError(f"angle_radius must be positive, not {self.angle_radius}")
        if self.box not in ("iou", "giou", "diou", "ciou"):
            raise UsageError(f"the box loss must be iou, giou, diou or ciou, not {self.box!r}")
        if self.objectness not in ("iou", "ciou", "powered"):
            raise UsageError(f"the objectness target must be iou, ciou or powered, not {self.objectness!r}")


@dataclass(frozen=True)
class LossParts:
    """The four parts, each with its gain, as means over the batch; `total` is what is minimised."""

    box: Tensor
    objectness: Tensor
    classes: Tensor
    angle: Tensor

    @property
    def total(self) -> Tensor:
        """Sum of the parts."""
        return self.box + self.objectness + self.classes + self.angle


def safe_power(x: Tensor, alpha: float) -> Tensor:
    """Return x^alpha for x in [0, inf), with a finite gradient everywhere.

    Args:
        x: Values; negative ones count as 0.
        alpha: Positive power. For alpha < 1 the true gradient at 0 is infinite: below `LINEAR_BELOW` the power is
            replaced by the straight line through 0 that meets it there.

    Returns:
        Powers, same shape; exactly `x` for alpha = 1, exactly 0 at 0 and 1 at 1.
    """
    if alpha == 1.0:
        return x.clamp(min=0.0)
    power = x.clamp(min=LINEAR_BELOW).pow(alpha)
    return torch.where(x < LINEAR_BELOW, x.clamp(min=0.0) * LINEAR_BELOW ** (alpha - 1.0), power)


def alpha_iou_loss(
    predicted: Tensor, target: Tensor, kind: BoxLoss = "ciou", alpha: float = 1.0, *, divided: bool = False
) -> tuple[Tensor, Tensor]:
    """Return the alpha-IoU loss and the plain IoU of pairs of boxes, taken as axis-aligned in their own frame.

    alpha-CIoU is 1 - IoU^a + (rho^2 / c^2)^a + (beta v)^a with v = 4 / pi^2 (atan(w_gt / h_gt) - atan(w / h))^2 and
    beta = v / (1 - IoU + v), beta from the plain IoU and without gradient. The others leave out the last terms;
    GIoU's penalty is ((hull - union) / hull)^a. The paper's loss and gradient weights, 1 + (IoU - IoU^a) / (1 - IoU)
    and a IoU^(a - 1), belong to the form that is not divided by alpha, which is the default.

    Args:
        predicted: (n, 4) cx, cy, w, h.
        target: (n, 4) in the same unit.
        kind: Member of the family.
        alpha: Power, positive; 1 gives back the plain loss exactly.
        divided: Divide the whole loss by alpha, as the paper's Eq. 1 does.

    Returns:
        Loss (n,) and plain IoU (n,), both differentiable.
    """
    low_p, high_p = predicted[:, :2] - predicted[:, 2:] / 2, predicted[:, :2] + predicted[:, 2:] / 2
    low_t, high_t = target[:, :2] - target[:, 2:] / 2, target[:, :2] + target[:, 2:] / 2
    inner = (torch.minimum(high_p, high_t) - torch.maximum(low_p, low_t)).clamp(min=0)
    intersection = inner[:, 0] * inner[:, 1]
    union = predicted[:, 2] * predicted[:, 3] + target[:, 2] * target[:, 3] - intersection
    iou = intersection / (union + TINY)
    loss = 1.0 - safe_power(iou, alpha)
    hull = torch.maximum(high_p, high_t) - torch.minimum(low_p, low_t)
    if kind == "giou":
        area = hull[:, 0] * hull[:, 1]
        loss = loss + safe_power((area - union) / (area + TINY), alpha)
    if kind in ("diou", "ciou"):
        distance = ((predicted[:, :2] - target[:, :2]) ** 2).sum(dim=1)
        loss = loss + safe_power(distance / ((hull**2).sum(dim=1) + TINY), alpha)
    if kind == "ciou":
        loss = loss + safe_power(_aspect_penalty(predicted, target, iou), alpha)
    return (loss / alpha if divided else loss), iou


def _aspect_penalty(predicted: Tensor, target: Tensor, iou: Tensor) -> Tensor:
    """Return beta v of CIoU, (n,)."""
    angle_t, angle_p = torch.atan2(target[:, 2], target[:, 3]), torch.atan2(predicted[:, 2], predicted[:, 3])
    v = 4.0 / math.pi**2 * (angle_t - angle_p) ** 2
    beta = (v / (1.0 - iou + v + TINY)).detach()
    return beta * v


def decode_boxes(raw: Tensor, anchors: Tensor) -> Tensor:
    """Return boxes from raw values, centre relative to the cell's corner.

    Args:
        raw: (k, 4) logits of cx, cy, w, h.
        anchors: (k, 2) long and short sides in the unit wanted for w and h.

    Returns:
        Boxes (k, 4) with xy = 2 s - 0.5 in cells, wh = (2 s)^2 anchor, s the sigmoid.
    """
    s = raw.sigmoid()
    return torch.cat((2.0 * s[:, :2] - 0.5, (2.0 * s[:, 2:]) ** 2 * anchors), dim=1)


class YWCSLLoss:
    """Computes the loss of raw maps against targets."""

    def __init__(self, info: ModelInfo, settings: LossSettings) -> None:
        """Remember what the model predicts and how it is judged."""
        self.info = info
        self.settings = settings
        self.anchors = [torch.tensor(level, dtype=torch.float32) for level in info.anchors]

    def __call__(
        self,
        maps: Sequence[Tensor | LevelOutput],
        targets: Tensor,
        *,
        alpha: float | None = None,
        radius: float | None = None,
        ignore: Tensor | None = None,
        labelled: Tensor | None = None,
    ) -> LossParts:
        """Compare raw maps with the truth.

        Args:
            maps: Per level (b, anchors * channels, rows, cols), as `YWCSL.forward` returns them, or what
                `YWCSL.outputs` returns, which costs less.
            targets: (n, 7) image index, class, cx, cy, w, h (pixels), theta (radians).
            alpha: Overrides the setting, for schedules.
            radius: Overrides `angle_radius`, for schedules.
            ignore: (b, h, w) of the input's size, nonzero where a cell without an object is not judged.
            labelled: (b, classes) bool: classes that the image's data set labels. A background cell whose likeliest
                class is not labelled there is not judged; all classes if not given.

        Returns:
            The parts of the loss, scaled by the batch size as in the baseline.
        """
        settings, info = self.settings, self.info
        alpha = settings.alpha if alpha is None else alpha
        radius = settings.angle_radius if radius is None else radius
        box = objectness = classes = angle = torch.zeros((), device=targets.device)
        for level, (given, stride) in enumerate(zip(maps, info.strides, strict=True)):
            output = DenseOutput(given, info) if isinstance(given, Tensor) else given
            batch, rows, cols = output.shape
            anchors = self.anchors[level].to(targets.device)
            places = assign(targets, anchors, (rows, cols), stride)
            logits = output.objectness()
            wanted = torch.zeros_like(logits)
            weight = _background_weight(output, logits, stride, ignore, labelled)
            if len(places.target):
                found = output.at(places)
                truth = targets[places.target]
                loss, score = self._box_loss(found, truth, places, anchors / stride, stride, alpha)
                box = box + loss.mean()
                wanted[places.image, places.anchor, places.row, places.col] = score
                weight[places.image, places.anchor, places.row, places.col] = 1.0
                classes = classes + self._class_loss(found, truth)
                angle = angle + self._angle_loss(found, truth, radius)
            cells = binary_cross_entropy_with_logits(logits, wanted, reduction="none") * weight
            objectness = objectness + cells.mean() * LEVEL_BALANCE[level]
        levels = 3 / len(info.strides) * batch
        pixels = rows * cols * stride**2
        return LossParts(
            box * settings.box_gain * levels,
            objectness * settings.objectness_gain * pixels / 640**2 * levels,
            classes * settings.class_gain * len(info.classes) / 80 * levels,
            angle * settings.angle_gain * levels,
        )

    def _box_loss(
        self, found: Tensor, truth: Tensor, places: Assignment, anchors: Tensor, stride: int, alpha: float
    ) -> tuple[Tensor, Tensor]:
        """Return the box loss (k,) and the objectness target (k,) of the positive places."""
        settings = self.settings
        predicted = decode_boxes(found[:, :4], anchors[places.anchor])
        target = truth[:, 2:6] / stride
        corner = torch.stack((places.col, places.row), dim=1)
        target = torch.cat((target[:, :2] - corner, target[:, 2:]), dim=1)
        if settings.alpha_full is not None:
            overlap = float(alpha_iou_loss(predicted.detach(), target, "iou")[1].mean())
            alpha += (settings.alpha_full - alpha) * overlap
        loss, iou = alpha_iou_loss(predicted, target, settings.box, alpha, divided=settings.divided)
        score = iou.detach()
        if settings.objectness == "ciou":
            score = 1.0 - alpha_iou_loss(predicted.detach(), target, "ciou")[0]
        elif settings.objectness == "powered":
            score = 1.0 - alpha_iou_loss(predicted.detach(), target, settings.box, alpha)[0]
        return loss, score.clamp(min=0.0)

    def _class_loss(self, found: Tensor, truth: Tensor) -> Tensor:
        count = len(self.info.classes)
        wanted = torch.nn.functional.one_hot(truth[:, 1].long(), count).to(found.dtype)
        return binary_cross_entropy_with_logits(found[:, 5 : 5 + count], wanted)

    def _angle_loss(self, found: Tensor, truth: Tensor, radius: float) -> Tensor:
        settings, first = self.settings, 5 + len(self.info.classes)
        wanted = csl.encode(truth[:, 6], self.info.angle_bins, radius, continuous=settings.angle_continuous)
        return binary_cross_entropy_with_logits(found[:, first:], wanted)


def _background_weight(
    output: LevelOutput, logits: Tensor, stride: int, ignore: Tensor | None, labelled: Tensor | None
) -> Tensor:
    """Return the weight (b, anchors, rows, cols) of each place as background: 1, or 0 where nobody knows."""
    weight = torch.ones_like(logits)
    if ignore is not None:
        middle = ignore[:, stride // 2 :: stride, stride // 2 :: stride]
        weight = weight * (middle == 0).to(weight.dtype)[:, None]
    if labelled is not None and not bool(labelled.all()):
        image = torch.arange(len(weight), device=weight.device)[:, None, None, None]
        weight = weight * labelled[image, output.likeliest()].to(weight.dtype)
    return weight

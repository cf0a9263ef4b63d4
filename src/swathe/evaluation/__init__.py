"""Evaluation as DOTA task 1 defines it: average precision by exact polygon IoU, in every usual form."""

from __future__ import annotations

from swathe.evaluation.evaluate import evaluate_detections, evaluate_folders
from swathe.evaluation.found import Found, from_detections, read_found, read_task1
from swathe.evaluation.report import ClassReport, Report

__all__ = [
    "ClassReport",
    "Found",
    "Report",
    "evaluate_detections",
    "evaluate_folders",
    "from_detections",
    "read_found",
    "read_task1",
]

"""Stores and windows of images as data sources of Apache Spark."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["register"]


def register(spark: SparkSession) -> None:
    """Let a session read and write by `format("swathe")`, and read by `format("swathe-windows")`.

    Args:
        spark: The session; Swathe must be installed where its executors are.
    """
    from swathe.spark.detections import DetectionSource
    from swathe.spark.windows import WindowSource

    spark.dataSource.register(DetectionSource)
    spark.dataSource.register(WindowSource)

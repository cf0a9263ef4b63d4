"""Who does the work of a run: processes of this machine, or a Spark cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from swathe.cli.options import print_json
from swathe.cli.output import echo
from swathe.errors import Argument, UsageError

if TYPE_CHECKING:
    from swathe.engine.job import Executor
    from swathe.engine.plan import Plan

Engine = Annotated[Literal["local", "spark"], typer.Option(help="Who does the work: this machine or Spark.")]
Master = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Where Spark runs: local[4], spark://HOST:7077, yarn; what spark-submit was told if not given.",
    ),
]
Partitioner = Annotated[
    Literal["cost", "strips", "rank", "hash"], typer.Option(help="How windows are shared out among the tasks of Spark.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--spark", metavar="NAME=VALUE", help="A setting of Spark, spark.executor.cores=4; repeatable."),
]


@contextmanager
def chosen_engine(
    engine: str,
    master: str | None,
    partitioner: str,
    spark: Sequence[str] | None,
    plan: Plan,
    *,
    json: bool,
    quiet: bool,
) -> Iterator[Executor | None]:
    """Start what does the work, and end it afterwards.

    Args:
        engine: "local" or "spark".
        master: Where Spark runs.
        partitioner: Which windows go into which task of Spark.
        spark: Settings of Spark, NAME=VALUE.
        plan: The run.
        json: Print for machines.
        quiet: Print nothing.

    Yields:
        The executor; None for the processes that the plan asks for.

    Raises:
        UsageError: If there is something about Spark without Spark, or a setting is none.
        MissingExtraError: If Spark or Java is missing.
        SwatheError: If Spark does not start.
    """
    if engine == "local":
        if master is not None or spark:
            raise UsageError(Argument("spark" if spark else "master"), " needs ", Argument("engine"), " spark")
        yield None
        return
    from swathe.engine.spark import SparkExecutor
    from swathe.engine.spark_session import spark_session

    pairs = [setting.partition("=") for setting in spark or ()]
    if odd := [name for name, sign, _ in pairs if not sign or not name.startswith("spark.")]:
        raise UsageError(Argument("spark"), f" {odd[0]!r}: must be a setting, such as spark.executor.cores=4")
    settings = {name: value for name, _, value in pairs}
    with spark_session(master, settings, plan.memory(1).slot) as session:
        executor = SparkExecutor(session, partitioner=partitioner)
        yield executor
        if json:
            print_json({"event": "locality", "tasks": executor.placed, "near": executor.near})
        elif executor.placed and not quiet:
            echo(f"Near     {executor.near:,} of {executor.placed:,} tasks ran where their data is", err=True)

"""Apache Spark as the executor: jobs become the rows of a data frame, one row per task, and `mapInArrow` does them.

Answers come back through an accumulator, which tells them task by task and exactly once, however often a task is begun;
rows would only come when the whole stage is done.
"""

from __future__ import annotations

import pickle
import shutil
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from swathe.counts import counted
from swathe.detectors.files import file_sha256
from swathe.engine.job import BatchJob, Job, JobResult, Retry, Work
from swathe.engine.partition import PARTITIONERS
from swathe.engine.processes import ATTEMPTS
from swathe.engine.spark_blocks import BlockHosts
from swathe.engine.spark_cluster import last_loss, memory_per_slot, near, slots
from swathe.engine.spark_session import reason_of
from swathe.engine.spark_task import Answer, Lost, Task, begun_before
from swathe.errors import SwatheError, UsageError

if TYPE_CHECKING:
    from pyspark.accumulators import Accumulator
    from pyspark.sql import DataFrame, SparkSession

# A task does about this many full windows at least, beside which the 0.03 seconds that Spark takes for it are nothing;
# and there are enough of them that no core waits long for the last one.
TASK_WINDOWS = 32
TASKS_PER_SLOT = 3
MOST_TASKS = 4096
MOST_HOSTS = 3  # preferred ones of a task
POLL_SECONDS = 0.1
SETTINGS = {
    "spark.sql.execution.arrow.pyspark.validateSchema.enabled": "true",
    # A row for each task, all of them known: nothing to compile for, and nothing to adapt. Either takes a second.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
}


class SparkExecutor:
    """Carries out jobs on a Spark cluster, in an existing session."""

    def __init__(
        self,
        session: SparkSession,
        *,
        partitioner: str = "cost",
        hosts: Callable[[Job], Sequence[str]] | None = None,
    ) -> None:
        """Prepare.

        Args:
            session: Where Spark is; not one of Spark Connect, which has no way to tell tasks where their data are.
            partitioner: Which jobs go into which task: "rank", "hash", "strips" or "cost".
            hosts: Where the data of a job are, best host first, none if that makes no difference; HDFS is asked if
                not given.

        Raises:
            UsageError: If there is no such partitioner, or the session is one of Spark Connect.
        """
        if partitioner not in PARTITIONERS:
            raise UsageError(argument="partitioner", value=partitioner, accepted=f"one of {', '.join(PARTITIONERS)}")
        if not hasattr(session, "_jsparkSession"):
            raise UsageError("sessions of Spark Connect cannot be used; run where the driver of Spark is")
        self.session = session.newSession()  # its settings are its own
        for name, value in SETTINGS.items():
            self.session.conf.set(name, value)
        self.partitioner, self.hosts = PARTITIONERS[partitioner], hosts or BlockHosts(session.sparkContext)
        self.placed = self.near = 0  # tasks that had preferred hosts, and those of them that ran on one

    def open(self, work: Work) -> SparkPool:
        """Prepare for a run; the model is offered to the executors.

        Args:
            work: What all jobs have in common.

        Returns:
            The cluster.
        """
        return SparkPool(self, work)


class SparkPool:
    """The executors of Spark during a run."""

    def __init__(self, executor: SparkExecutor, work: Work) -> None:
        self._executor = executor
        self._context: Any = executor.session.sparkContext
        cores = int(self._context.getConf().get("spark.task.cpus", "1"))
        self._run = work.run
        self._group = f"swathe-{work.run}-{id(self):x}"
        self._model = _offer(self._context, Path(work.detector.path))
        self._work = pickle.dumps(replace(work, detector=replace(work.detector, threads=cores)))
        self.slots = slots(self._context)

    @property
    def memory_per_slot(self) -> int | None:
        """Bytes that each worker may take; None if all run on this machine."""
        return memory_per_slot(self._context)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all tasks; what they write appears as a whole or not at all."""
        if kind is not None:
            self._context.cancelJobGroup(self._group)

    def run(self, jobs: Iterable[Job]) -> Iterator[JobResult | Retry]:
        """Carry out jobs as one stage.

        Args:
            jobs: What to do; all are taken at once.

        Yields:
            One result per job, task by task as they end, and a retry whenever something was lost. A task that was lost
            too often is done again scene by scene, so that only the scene which costs executors has failed.

        Raises:
            SwatheError: If Spark ends the stage; errors raised in a worker come through as they are.
        """
        stages = deque([self._tasks(list(jobs))])
        while stages:
            tasks = stages.popleft()
            for answer in self._stage(tasks) if tasks else ():
                if not isinstance(answer, Lost):
                    yield self._explained(answer) if isinstance(answer, Retry) else answer
                    continue
                scenes = _by_scene(answer.jobs)
                if len(tasks) > 1 or len(scenes) > 1:
                    stages.extend([begun_before(scene)] for scene in scenes)
                else:
                    yield from [self._set_aside(job) for job in answer.jobs]

    def _stage(self, tasks: Sequence[list[Job]]) -> Iterator[JobResult | Retry | Lost]:
        """Carry out tasks, and yield their answers."""
        answers: Accumulator[list[Answer]] = self._context.accumulator([], _arrivals())
        frame = _placed(self._executor, tasks).mapInArrow(Task(self._work, self._model, answers), "answers long")
        with ThreadPoolExecutor(1) as threads:
            stage = threads.submit(self._carry_out, frame, _describe(self._run, tasks))
            try:
                seen, ended = 0, False
                while not ended:
                    ended = stage.done()  # before looking: then all is there
                    for answer in answers.value[seen:]:
                        seen += 1
                        if isinstance(answer, SwatheError):
                            raise answer
                        yield answer
                    wait([stage], POLL_SECONDS)
            except BaseException:
                self._context.cancelJobGroup(self._group)
                raise
        if (told := stage.result()) != seen:
            raise SwatheError(f"{seen} of {told} answers have come from Spark; run the same command again to resume")

    def _carry_out(self, frame: DataFrame, description: str) -> int:
        """Let Spark do its work, and return how many answers its tasks have given."""
        self._context.setJobGroup(self._group, description, interruptOnCancel=True)
        try:
            told: int = sum(row.answers for row in frame.collect())
        except Exception as error:
            raise SwatheError(
                f"Spark has ended the stage: {reason_of(error)}. What is finished is kept: run the same command again "
                "to resume"
            ) from error
        if self._executor.placed:
            self._executor.near += near(self._context, self._group)
        return told

    def _explained(self, retry: Retry) -> Retry:
        """Say why an executor was lost, which only the driver learns."""
        why = last_loss(self._context)
        return replace(retry, reason=f"{retry.reason} ({why})") if why else retry

    def _set_aside(self, job: Job) -> JobResult:
        why = last_loss(self._context) or "their reason stands in the log of Spark"
        lost = f"tasks of Spark were lost {ATTEMPTS} times on {job.describe()}"
        advice = "if memory ran out, give the executors more of it, run fewer tasks on each, or choose a smaller tile"
        return JobResult(job.scene.id, error=f"{lost} ({why}); {advice}")

    def _tasks(self, jobs: Sequence[Job]) -> list[list[Job]]:
        """Share jobs out among tasks; the last ones are single jobs, so that no core waits long for another."""
        cost = sum(job.cost for job in jobs)
        count = min(len(jobs), max(TASKS_PER_SLOT * self.slots, min(MOST_TASKS, int(cost / TASK_WINDOWS))))
        shares: dict[int, list[Job]] = defaultdict(list)
        for job, partition in zip(jobs, self._executor.partitioner(jobs, count) if jobs else (), strict=True):
            shares[partition].append(job)
        tasks = [shares[partition] for partition in sorted(shares)]
        return tasks[: -self.slots] + [[job] for task in tasks[-self.slots :] for job in task]


def _by_scene(jobs: Iterable[Job]) -> list[list[Job]]:
    scenes: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        scenes[job.scene.id].append(job)
    return list(scenes.values())


def _arrivals() -> Any:
    """Return how an accumulator adds up lists: by putting them one behind the other."""
    from pyspark.accumulators import AccumulatorParam

    class Arrivals(AccumulatorParam[list[Answer]]):
        def zero(self, value: list[Answer]) -> list[Answer]:
            del value
            return []

        def addInPlace(self, value1: list[Answer], value2: list[Answer]) -> list[Answer]:  # noqa: N802 - Spark's
            value1.extend(value2)
            return value1

    return Arrivals()


def _offer(context: Any, path: Path) -> str | None:
    """Offer the file of a model to the executors, each of which fetches it once; return its name there."""
    from pyspark import SparkFiles

    if not path.is_file():
        return None
    name = f"{file_sha256(path)[:16]}-{path.name}"
    if not any(file.endswith(f"/{name}") for file in context.listFiles):
        copy = Path(SparkFiles.getRootDirectory()) / "models" / name
        copy.parent.mkdir(exist_ok=True)
        shutil.copyfile(path, copy)
        context.addFile(copy.as_uri())
    return name


def _placed(executor: SparkExecutor, tasks: Iterable[Sequence[Job]]) -> DataFrame:
    """Return tasks as rows that the scheduler knows the best hosts of; Python's part of Spark has no way to say so."""
    from pyspark.sql import DataFrame

    session: Any = executor.session
    context = session.sparkContext
    java = context._jvm  # noqa: SLF001 - there is no public one
    rows = []
    for jobs in tasks:
        shares: dict[str, float] = defaultdict(float)
        for job in jobs:
            for host in executor.hosts(job):
                shares[host] += job.cost
        hosts = sorted(shares, key=lambda host: -shares[host])[:MOST_HOSTS]
        executor.placed += bool(hosts)
        rows.append(java.scala.Tuple2(pickle.dumps(jobs), java.PythonUtils.toSeq(hosts)))
    rdd = context._jsc.sc().makeRDD(java.PythonUtils.toSeq(rows), java.scala.reflect.ClassTag.AnyRef())  # noqa: SLF001
    frame = session._jsparkSession.createDataset(rdd, java.org.apache.spark.sql.Encoders.BINARY()).toDF()  # noqa: SLF001
    return DataFrame(frame, session)


def _describe(run: str, tasks: Iterable[Iterable[Job]]) -> str:
    """Say on Spark's page what a stage does."""
    jobs = [job for task in tasks for job in task]
    looks = sum(isinstance(job, BatchJob) for job in jobs)
    names = list(dict.fromkeys(job.scene.id for job in jobs))
    what = counted(looks, "batch", "batches") if looks else "merge"
    return f"Swathe, run {run[:8]}: {what} of {counted(len(names), 'scene')} ({', '.join(names[:3])} ...)"

"""Apache Spark as the executor: jobs become the rows of a data frame, one row per task, and `mapInArrow` does them.

In each of Spark's Python workers stands one worker process as on a single machine (`swathe.engine.processes`). It keeps
its model from task to task, is replaced when it is killed or hangs, and sets a scene aside over which it dies again and
again. So Spark itself only sees machines that are lost. Counts come back through an accumulator, which tells them task
by task and exactly once, however often a task is begun; rows would only come when the whole stage is done.
"""

from __future__ import annotations

import os
import pickle
import shutil
from collections import defaultdict
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
from swathe.engine.processes import ProcessExecutor, ProcessPool
from swathe.engine.spark_blocks import BlockHosts
from swathe.engine.spark_cluster import last_loss, memory_per_slot, slots
from swathe.engine.spark_session import reason_of
from swathe.errors import SwatheError, UsageError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.accumulators import Accumulator
    from pyspark.sql import DataFrame, SparkSession

Answer = JobResult | Retry | SwatheError

# A task does about this many full windows at least, beside which the 0.03 seconds that Spark takes for it are nothing;
# and there are enough of them that no core waits long for the last one.
TASK_WINDOWS = 32
TASKS_PER_SLOT = 3
MOST_TASKS = 4096
MOST_HOSTS = 3  # preferred ones of a task
POLL_SECONDS = 0.1
# The worker process of one of Spark's Python workers, by the work that it was started for.
_processes: dict[bytes, ProcessPool] = {}


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
        self.session.conf.set("spark.sql.execution.arrow.pyspark.validateSchema.enabled", "true")
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
            One result per job, task by task as they end, and a retry whenever something was lost.

        Raises:
            SwatheError: If Spark ends the stage; errors raised in a worker come through as they are.
        """
        todo = list(jobs)
        if not todo:
            return
        answers: Accumulator[list[Answer]] = self._context.accumulator([], _arrivals())
        frame = self._frame(todo).mapInArrow(_Task(self._work, self._model, answers), "jobs long")
        with ThreadPoolExecutor(1) as threads:
            stage = threads.submit(self._carry_out, frame, _describe(self._run, todo))
            try:
                seen = 0
                while True:
                    ended = stage.done()  # before looking: then all is there
                    for answer in answers.value[seen:]:
                        seen += 1
                        if isinstance(answer, SwatheError):
                            raise answer
                        yield self._explained(answer) if isinstance(answer, Retry) else answer
                    if ended:
                        break
                    wait([stage], POLL_SECONDS)
            except BaseException:
                self._context.cancelJobGroup(self._group)
                raise
        if (done := stage.result()) != len(todo):
            raise SwatheError(f"Spark has carried out {done} of {len(todo)} jobs; run the same command again to resume")

    def _explained(self, retry: Retry) -> Retry:
        """Say why an executor was lost, which only the driver learns."""
        why = last_loss(self._context)
        return replace(retry, reason=f"{retry.reason} ({why})") if why else retry

    def _carry_out(self, frame: DataFrame, description: str) -> int:
        """Let Spark do its work, and return how many jobs its tasks say that they did."""
        self._context.setJobGroup(self._group, description, interruptOnCancel=True)
        try:
            done: int = sum(row.jobs for row in frame.collect())
        except Exception as error:
            raise SwatheError(
                f"Spark has ended the stage: {reason_of(error)}. What is finished is kept: run the same command again "
                "to resume"
            ) from error
        if self._executor.placed:
            self._executor.near += _near(self._context, self._group)
        return done

    def _frame(self, jobs: Sequence[Job]) -> DataFrame:
        """Return the jobs as a data frame with a row and a partition for each task, which the scheduler places."""
        cost = sum(job.cost for job in jobs)
        count = min(len(jobs), max(TASKS_PER_SLOT * self.slots, min(MOST_TASKS, int(cost / TASK_WINDOWS))))
        tasks: dict[int, list[Job]] = defaultdict(list)
        for job, partition in zip(jobs, self._executor.partitioner(jobs, count), strict=True):
            tasks[partition].append(job)
        return _placed(self._executor, [tasks[partition] for partition in sorted(tasks)])


class _Task:
    """What Spark's Python workers do with the rows of a task; it travels to them."""

    def __init__(self, work: bytes, model: str | None, answers: Accumulator[list[Answer]]) -> None:
        self._work, self._model, self._answers = work, model, answers

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        done = 0
        for batch in batches:
            for row in batch.column(0):
                for answer in self._answers_to(pickle.loads(row.as_py())):
                    self._answers.add([answer])
                    done += isinstance(answer, JobResult)
        yield pa.RecordBatch.from_pydict({"jobs": pa.array([done], pa.int64())})

    def _answers_to(self, jobs: list[Job]) -> Iterator[Answer]:
        from pyspark import TaskContext

        context: Any = TaskContext.get()
        if context.attemptNumber():
            jobs = [replace(job, again=True) if isinstance(job, BatchJob) else job for job in jobs]
            yield Retry(jobs[0].scene.id, f"a task of Spark was lost; another one does {jobs[0].describe()} and on")
        graphics = context.resources().get("gpu")
        try:
            yield from _carried_out(self._process([] if graphics is None else graphics.addresses), jobs)
        except SwatheError as error:
            yield error

    def _process(self, graphics: Sequence[str]) -> ProcessPool:
        """Return the worker process, the same as for the task before if it was for the same work."""
        from pyspark import SparkFiles

        key = self._work + f"{self._model} {graphics}".encode()
        if key not in _processes:
            for other in _processes.values():
                other.__exit__(None, None, None)
            _processes.clear()
            if graphics:
                os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(graphics)
            work: Work = pickle.loads(self._work)
            if self._model is not None:
                work = replace(work, detector=replace(work.detector, path=SparkFiles.get(self._model)))
            _processes[key] = ProcessExecutor(1).open(work)
        return _processes[key]


def _carried_out(process: ProcessPool, jobs: Iterable[Job]) -> Iterator[JobResult | Retry]:
    """Carry out jobs; with the first that fails, the others of its scene have failed: it may have cost workers."""
    failed: dict[str, JobResult] = {}
    skipped: list[JobResult] = []

    def promising() -> Iterator[Job]:
        for job in jobs:
            if job.scene.id in failed:
                skipped.append(failed[job.scene.id])
            else:
                yield job

    for answer in process.run(promising()):
        if isinstance(answer, JobResult) and answer.error is not None:
            failed[answer.scene] = JobResult(answer.scene, error=answer.error)
        yield answer
    yield from skipped


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


def _placed(executor: SparkExecutor, tasks: Sequence[Sequence[Job]]) -> DataFrame:
    """Return tasks as rows that the scheduler knows the best hosts of; Python's part of Spark has no way to say so."""
    from pyspark.sql import DataFrame

    session: Any = executor.session
    context = session.sparkContext
    java = context._jvm  # noqa: SLF001 - there is no public one
    lists: dict[tuple[str, ...], Any] = {}
    rows = []
    for jobs in tasks:
        shares: dict[str, float] = defaultdict(float)
        for job in jobs:
            for host in executor.hosts(job):
                shares[host] += job.cost
        hosts = tuple(sorted(shares, key=lambda host: -shares[host])[:MOST_HOSTS])
        executor.placed += bool(hosts)
        if hosts not in lists:
            lists[hosts] = java.PythonUtils.toSeq(list(hosts))
        rows.append(java.scala.Tuple2(pickle.dumps(jobs), lists[hosts]))
    rdd = context._jsc.sc().makeRDD(java.PythonUtils.toSeq(rows), java.scala.reflect.ClassTag.AnyRef())  # noqa: SLF001
    frame = session._jsparkSession.createDataset(rdd, java.org.apache.spark.sql.Encoders.BINARY()).toDF()  # noqa: SLF001
    return DataFrame(frame, session)


def _describe(run: str, jobs: Sequence[Job]) -> str:
    """Say on Spark's page what a stage does."""
    looks = sum(isinstance(job, BatchJob) for job in jobs)
    names = list(dict.fromkeys(job.scene.id for job in jobs))
    what = counted(looks, "batch", "batches") if looks else "merge"
    return f"Swathe, run {run[:8]}: {what} of {counted(len(names), 'scene')} ({', '.join(names[:3])} ...)"


def _near(context: Any, group: str) -> int:
    """Count the tasks of the stage that ended last which ran on a host that they preferred."""
    spark, tracker = context._jsc.sc(), context.statusTracker()  # noqa: SLF001
    spark.listenerBus().waitUntilEmpty()  # what happened last is counted then
    stage = max(stage for job in tracker.getJobIdsForGroup(group) for stage in tracker.getJobInfo(job).stageIds)
    level = spark.statusStore().localitySummary(stage, 0).get("NODE_LOCAL")
    return int(level.get()) if level.isDefined() else 0

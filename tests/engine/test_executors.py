"""What every executor must do, run over all of them; and what processes that may die add to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from swathe.engine.child import LEAST_DEADLINE, Deadlines, describe_end
from swathe.engine.job import BatchJob, Executor, Job, JobResult, Retry
from swathe.engine.local import SerialExecutor, choose_executor
from swathe.engine.plan import Plan
from swathe.engine.processes import ATTEMPTS, HOPELESS, ProcessExecutor
from swathe.errors import SwatheError
from swathe.testing.fakes import Fault
from swathe.testing.suites.executor import Example, ExecutorSuite, batch_jobs, results_of


class TestSerial(ExecutorSuite):
    @pytest.fixture
    def executor(self) -> Executor:
        return SerialExecutor()


class TestTwoProcesses(ExecutorSuite):
    @pytest.fixture
    def executor(self) -> Executor:
        return ProcessExecutor(2)


@pytest.fixture
def example(tmp_path: Path) -> Example:
    return Example(tmp_path)


@pytest.mark.parametrize("executor", [SerialExecutor(), ProcessExecutor(2)])
def test_jobs_are_taken_as_workers_become_free(executor: Executor, example: Example) -> None:
    taken = 0

    def jobs() -> Iterator[Job]:
        nonlocal taken
        for job in batch_jobs(example.plan):
            taken += 1
            yield job

    with executor.open(example.work()) as pool:
        next(iter(pool.run(jobs())))
        assert taken <= max(1, pool.slots) + 1
    assert len(example.store.workspace(example.plan.run).names()) <= taken < len(batch_jobs(example.plan))


FAULTS = {"kill": "was ended by SIGKILL", "memory": "ran out of memory", "hang": "gave no answer for"}


def outcome(example: Example, plan: Plan, *, workers: int = 2, timeout: float | None = None) -> list[JobResult | Retry]:
    work = example.work(replace(plan, settings=replace(plan.settings, batch_timeout=timeout)))
    with ProcessExecutor(workers).open(work) as pool:
        return list(pool.run(batch_jobs(plan)))


@pytest.mark.parametrize("kind", list(FAULTS))
def test_a_lost_worker_is_replaced(kind: str, example: Example) -> None:
    plan = example.plan_of(example.truth, [Fault(kind, "north", 9), Fault(kind, "south", 20)])
    # The seconds count from the start of a worker, which takes some where others work, too.
    answers = outcome(example, plan, timeout=20.0 if kind == "hang" else None)
    retries = [answer for answer in answers if isinstance(answer, Retry)]
    results = [answer for answer in answers if isinstance(answer, JobResult)]
    assert len(results) == len(batch_jobs(plan))
    assert all(result.error is None for result in results)
    assert {retry.scene for retry in retries} == {"north", "south"}
    assert all(FAULTS[kind] in retry.reason for retry in retries)
    assert len(example.store.workspace(plan.run).names()) == len(results)


@pytest.mark.parametrize("kind", ["kill", "memory"])
def test_a_job_that_costs_too_many_workers_fails_its_scene(kind: str, example: Example) -> None:
    plan = example.plan_of(example.truth, [Fault(kind, "south", 20, ATTEMPTS)])
    # One worker, so that all the faults meet the same batch.
    answers = outcome(example, plan, workers=1)
    failed = [answer for answer in answers if isinstance(answer, JobResult) and answer.error is not None]
    assert [answer.scene for answer in failed] == ["south"]
    assert f"workers died {ATTEMPTS} times on scene south" in str(failed[0].error)
    assert "fewer workers or a smaller tile" in str(failed[0].error)
    assert sum(isinstance(answer, Retry) for answer in answers) == ATTEMPTS - 1


def test_workers_that_all_die_end_the_run(example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swathe.engine.processes.HOPELESS", 4)
    plan = example.plan_of(example.truth, [Fault("kill", scene.id, 0, 99) for scene in example.truth])
    with pytest.raises(SwatheError, match=r"4 worker processes were lost.*SIGKILL.*resume"):
        outcome(example, plan)
    assert HOPELESS > ATTEMPTS


def test_memory_that_runs_out_in_this_process_costs_the_scene(example: Example) -> None:
    plan = example.plan_of(example.truth, [Fault("memory", "south", 20)])
    results = results_of(SerialExecutor(), example.work(plan), batch_jobs(plan))
    assert [result.scene for result in results if result.error is not None] == ["south"]
    assert len(results) == len(batch_jobs(plan))


def test_deadlines_grow_with_what_was_measured(example: Example) -> None:
    scene = example.plan.scenes[0]
    small = BatchJob(scene, next(scene.batches()))
    large = replace(small, batch=replace(small.batch, count=2 * small.batch.count))
    deadlines = Deadlines(None)
    assert deadlines.seconds(small) == LEAST_DEADLINE
    deadlines.learn(small, 1000.0)
    deadlines.learn(small, 1.0)
    assert deadlines.seconds(small) == pytest.approx(20 * 1000.0)
    assert deadlines.seconds(large) == pytest.approx(2 * 20 * 1000.0)
    assert Deadlines(7.0).seconds(large) == 7.0
    assert Deadlines(0.0).seconds(large) == float("inf")


def test_the_number_of_workers_chooses() -> None:
    assert isinstance(choose_executor(0), SerialExecutor)
    assert isinstance(choose_executor(3), ProcessExecutor)


def test_ends_in_words() -> None:
    assert describe_end(None) == "does not end"
    assert describe_end(3) == "ended with code 3"
    assert describe_end(-9) == "was ended by SIGKILL"
    assert describe_end(-250) == "was ended by signal 250"

"""What every executor must do, run over all of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from swathe.detectors.protocol import DetectorSpec
from swathe.engine.child import LEAST_DEADLINE, Deadlines, describe_end
from swathe.engine.executor import Executor
from swathe.engine.local import ATTEMPTS, HOPELESS, ProcessExecutor, SerialExecutor, choose_executor
from swathe.engine.parts import read_part
from swathe.engine.plan import Plan, make_plan
from swathe.engine.settings import RunSettings
from swathe.engine.task import BatchJob, BatchResult, Retry, Work
from swathe.errors import ModelError, SwatheError
from swathe.testing.fakes import BLANK_READER, BROKEN_READER, Fault, read_log, write_script
from swathe.testing.scenes import SyntheticScene, scene_without_file

NAMES = ("north", "south")


@pytest.fixture
def plan(scenes: list[SyntheticScene], spec: DetectorSpec, settings: RunSettings) -> Plan:
    """Both scenes, the second one called broken for readers that mind."""
    return make_plan([scene_without_file(scene) for scene in scenes], settings, spec)


def jobs_of(plan: Plan) -> list[BatchJob]:
    by_id = {scene.id: scene for scene in plan.scenes}
    return [BatchJob(batch, by_id[batch.scene]) for batch in plan.batches()]


def work_of(plan: Plan, folder: Path, reader: str = BLANK_READER) -> Work:
    assert plan.detector is not None
    return Work(plan.detector, plan.settings, folder, reader)


def test_every_job_is_done_once_and_gives_the_same_bytes(
    executor: Executor, plan: Plan, tmp_path: Path, log: Path
) -> None:
    reference, tested = tmp_path / "reference", tmp_path / "tested"
    for folder, one in ((reference, SerialExecutor()), (tested, executor)):
        folder.mkdir()
        seen = []
        for result in one.run(jobs_of(plan), work_of(plan, folder)):
            assert isinstance(result, BatchResult)
            part = read_part(folder, result.batch)
            assert part is not None, "the part must be there before the result is"
            assert len(part.raw) == result.detections
            seen.append(result.batch)
        assert sorted(seen) == list(range(plan.batch_count))
    assert len(read_log(log)) == 2 * plan.windows
    assert {path.name: path.read_bytes() for path in reference.iterdir()} == {
        path.name: path.read_bytes() for path in tested.iterdir()
    }


def test_jobs_are_taken_as_workers_become_free(executor: Executor, plan: Plan, tmp_path: Path) -> None:
    taken = 0

    def jobs() -> Iterator[BatchJob]:
        nonlocal taken
        for job in jobs_of(plan):
            taken += 1
            yield job

    with closing(executor.run(jobs(), work_of(plan, tmp_path))) as results:
        next(results)
        assert taken <= max(1, executor.workers) + 1
    assert len(list(tmp_path.glob("part-*"))) <= taken < plan.batch_count


def test_no_jobs_no_results(executor: Executor, plan: Plan, tmp_path: Path) -> None:
    assert list(executor.run([], work_of(plan, tmp_path))) == []


def test_an_unreadable_scene_is_a_result_and_not_an_error(executor: Executor, plan: Plan, tmp_path: Path) -> None:
    jobs = [BatchJob(job.batch, replace(job.scene, id=f"broken-{job.scene.id}")) for job in jobs_of(plan)[:2]]
    results = list(executor.run(jobs, work_of(plan, tmp_path, BROKEN_READER)))
    assert len(results) == 2
    assert all(isinstance(result, BatchResult) and "ends too early" in str(result.error) for result in results)
    assert not list(tmp_path.glob("part-*"))


def test_an_error_of_the_detector_comes_through(
    executor: Executor, plan: Plan, tmp_path: Path, scenes: list[SyntheticScene], log: Path
) -> None:
    write_script(scenes, tmp_path / "script.json", clip="own", log=log, faults=[Fault("error", "north", 3)])
    with pytest.raises(ModelError, match="a window fails"):
        list(executor.run(jobs_of(plan), work_of(plan, tmp_path)))


def test_a_missing_factory_is_an_error_not_a_hang(executor: Executor, plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(SwatheError, match="cannot be loaded"):
        list(executor.run(jobs_of(plan), work_of(plan, tmp_path, "swathe.nowhere:Reader")))


FAULTS = {"kill": "was ended by SIGKILL", "memory": "ran out of memory", "hang": "gave no answer for"}


def outcome(plan: Plan, folder: Path, *, workers: int = 2, timeout: float | None = None) -> list[BatchResult | Retry]:
    plan = replace(plan, settings=replace(plan.settings, batch_timeout=timeout))
    return list(ProcessExecutor(workers).run(jobs_of(plan), work_of(plan, folder)))


@pytest.mark.parametrize("kind", list(FAULTS))
def test_a_lost_worker_is_replaced(
    kind: str, plan: Plan, tmp_path: Path, scenes: list[SyntheticScene], log: Path
) -> None:
    faults = [Fault(kind, "north", 9), Fault(kind, "south", 20)]
    write_script(scenes, tmp_path / "script.json", clip="own", log=log, faults=faults)
    answers = outcome(plan, tmp_path, timeout=4.0 if kind == "hang" else None)
    retries = [answer for answer in answers if isinstance(answer, Retry)]
    results = [answer for answer in answers if isinstance(answer, BatchResult)]
    assert sorted(result.batch for result in results) == list(range(plan.batch_count))
    assert all(result.error is None for result in results)
    assert len(retries) == 2
    assert all(FAULTS[kind] in retry.reason for retry in retries)
    assert all(read_part(tmp_path, index) for index in range(plan.batch_count))


@pytest.mark.parametrize("kind", ["kill", "memory"])
def test_a_batch_that_costs_too_many_workers_is_given_up(
    kind: str, plan: Plan, tmp_path: Path, scenes: list[SyntheticScene], log: Path
) -> None:
    faults = [Fault(kind, "south", 20, ATTEMPTS)]
    write_script(scenes, tmp_path / "script.json", clip="own", log=log, faults=faults)
    # One worker, so that all the faults meet the same batch.
    answers = outcome(plan, tmp_path, workers=1)
    failed = [answer for answer in answers if isinstance(answer, BatchResult) and answer.error is not None]
    assert len(failed) == 1
    assert plan.batch(failed[0].batch).scene == "south"
    assert f"workers died {ATTEMPTS} times on these windows" in str(failed[0].error)
    assert "lower --workers or --tile" in str(failed[0].error)
    assert sum(isinstance(answer, Retry) for answer in answers) == ATTEMPTS - 1


def test_workers_that_all_die_end_the_run(
    plan: Plan, tmp_path: Path, scenes: list[SyntheticScene], log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swathe.engine.local.HOPELESS", 4)
    write_script(
        scenes, tmp_path / "script.json", clip="own", log=log, faults=[Fault("kill", name, 0, 99) for name in NAMES]
    )
    with pytest.raises(SwatheError, match=r"4 worker processes were lost.*SIGKILL.*resume"):
        outcome(plan, tmp_path)
    assert HOPELESS > ATTEMPTS


def test_memory_that_runs_out_in_this_process_costs_the_scene(
    plan: Plan, tmp_path: Path, scenes: list[SyntheticScene], log: Path
) -> None:
    write_script(scenes, tmp_path / "script.json", clip="own", log=log, faults=[Fault("memory", "south", 20)])
    answers = list(SerialExecutor().run(jobs_of(plan), work_of(plan, tmp_path)))
    assert [isinstance(answer, BatchResult) and answer.error is None for answer in answers].count(False) == 1
    assert len(answers) == plan.batch_count


def test_deadlines_grow_with_what_was_measured(plan: Plan) -> None:
    small = plan.batch(0)
    large = replace(small, count=2 * small.count)
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
    assert choose_executor(1).workers == 1
    assert choose_executor(3).workers == 3
    assert choose_executor(None).workers >= 0


def test_ends_in_words() -> None:
    assert describe_end(None) == "does not end"
    assert describe_end(3) == "ended with code 3"
    assert describe_end(-9) == "was ended by SIGKILL"
    assert describe_end(-250) == "was ended by signal 250"

"""What every executor must do, run over all of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from swathe.detectors.protocol import DetectorSpec
from swathe.engine.executor import Executor
from swathe.engine.local import ProcessExecutor, SerialExecutor, choose_executor, describe_end
from swathe.engine.parts import read_part
from swathe.engine.plan import Plan, make_plan
from swathe.engine.settings import RunSettings
from swathe.engine.task import BatchJob, Work
from swathe.errors import ModelError, SwatheError
from swathe.testing.fakes import BLANK_READER, BROKEN_READER, Fault, read_log, write_script
from swathe.testing.scenes import SyntheticScene, scene_without_file


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
    assert all("ends too early" in str(result.error) for result in results)
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


def test_a_worker_that_dies_is_named(plan: Plan, tmp_path: Path, scenes: list[SyntheticScene], log: Path) -> None:
    write_script(scenes, tmp_path / "script.json", clip="own", log=log, faults=[Fault("kill", "north", 0)])
    with pytest.raises(SwatheError, match=r"ended by SIGKILL while working on batch \d+ \(scene north.*resume"):
        list(ProcessExecutor(2).run(jobs_of(plan), work_of(plan, tmp_path)))


def test_the_number_of_workers_chooses() -> None:
    assert isinstance(choose_executor(0), SerialExecutor)
    assert isinstance(choose_executor(1), SerialExecutor)
    assert choose_executor(3).workers == 3
    assert choose_executor(None).workers >= 0


def test_ends_in_words() -> None:
    assert describe_end(3) == "ended with code 3"
    assert describe_end(-9) == "was ended by SIGKILL"
    assert describe_end(-250) == "was ended by signal 250"

"""What every executor must do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from swathe.engine.job import BatchJob, Executor, Job, JobResult, Retry, SceneJob, StripJob, Work
from swathe.engine.local import SerialExecutor
from swathe.engine.parts import Part
from swathe.engine.plan import Plan, make_plan
from swathe.engine.run import run_plan
from swathe.engine.settings import RunSettings
from swathe.errors import ModelError, SwatheError
from swathe.files import open_folder
from swathe.store import open_store
from swathe.store.protocol import Store
from swathe.testing.fakes import BLANK_READER, BROKEN_READER, Fault, read_log, write_script
from swathe.testing.scenes import ObjectRule, SyntheticScene, scene_without_file, synthetic_scene

SETTINGS = RunSettings(tile=192, stride=112, scales=(0.5, 1.0))
CLASSES = 3  # of synthetic scenes


class Example:
    """Three scenes, the last one a single batch, and an empty store."""

    def __init__(self, folder: Path) -> None:
        rule = ObjectRule(count=20, long_side=(16.0, 60.0))
        self.folder = folder
        self.truth = [
            synthetic_scene(600, 500, seed=1, rule=rule, scene_id="north"),
            synthetic_scene(500, 600, seed=2, rule=rule, scene_id="south"),
            synthetic_scene(150, 150, seed=3, rule=replace(rule, count=2), scene_id="tiny"),
        ]
        self.log = folder / "log"
        self.plan = self.plan_of(self.truth)
        self.store = self.empty_store("store")

    def plan_of(
        self, truth: list[SyntheticScene], faults: Iterable[Fault] = (), scales: tuple[float, ...] = ()
    ) -> Plan:
        """Plan a run that finds the truth, unless something goes wrong."""
        spec = write_script(truth, self.folder / "script.json", clip="own", log=self.log, faults=tuple(faults))
        settings = replace(SETTINGS, scales=scales or SETTINGS.scales)
        return make_plan([scene_without_file(scene) for scene in truth], settings, spec)

    def empty_store(self, name: str) -> Store:
        """Make a store."""
        return open_store(self.folder / name, create=True)

    def work(self, plan: Plan | None = None, reader: str = BLANK_READER) -> Work:
        """Return what the workers of a plan must know; the run is known to the store then."""
        plan = plan or self.plan
        if plan.detector is None:
            raise ValueError("plans of examples have a detector")
        self.store.begin(plan.run, plan.about(), ())
        return Work(plan.detector, plan.settings, plan.run, plan.about(), self.store.address, reader)


def results_of(executor: Executor, work: Work, *stages: Iterable[Job]) -> list[JobResult]:
    """Carry out jobs, one stage after the other, and return the results without retries."""
    with executor.open(work) as pool:
        return [result for jobs in stages for result in pool.run(jobs) if not isinstance(result, Retry)]


def batch_jobs(plan: Plan) -> list[Job]:
    """Return a job for each batch of a plan."""
    return [BatchJob(scene, batch) for scene in plan.scenes for batch in scene.batches()]


def files_of(store: Store) -> dict[str, bytes | None]:
    """Return the files of detections in a store."""
    folder = open_folder(store.address)
    return {scene.file: folder.get(scene.file) for scene in store.scenes()}


class ExecutorSuite:
    """Subclass it, and override the fixture `executor`."""

    @pytest.fixture
    def executor(self) -> Executor:
        """What is tested."""
        raise NotImplementedError

    @pytest.fixture
    def example(self, tmp_path: Path) -> Example:
        """Scenes and a store."""
        return Example(tmp_path)

    def test_each_batch_is_done_once_and_its_part_is_there_before_its_result(
        self, executor: Executor, example: Example
    ) -> None:
        plan, workspace = example.plan, example.store.workspace(example.plan.run)
        found = []
        with executor.open(example.work()) as pool:
            for result in pool.run(batch_jobs(plan)):
                assert isinstance(result, JobResult)
                assert result.error is None
                assert workspace.names()
                found.append(result)
        names = {scene.part(batch) for scene in plan.scenes for batch in scene.batches()}
        assert workspace.names() == names
        assert len(found) == len(names)
        assert sum(result.windows for result in found) == plan.windows == len(read_log(example.log))
        parts = [Part.unpack(workspace.get(name) or b"", CLASSES) for name in names]
        assert sum(len(part.raw) for part in parts if part) == sum(result.detections for result in found)

    def test_scenes_are_merged_from_their_parts(self, executor: Executor, example: Example) -> None:
        plan, workspace = example.plan, example.store.workspace(example.plan.run)
        merges = [SceneJob(scene) for scene in plan.scenes[:2]]
        results = results_of(executor, example.work(), batch_jobs(plan), merges)[-2:]
        written = {result.scene: result.written for result in results}
        for scene, truth in zip(plan.scenes[:2], example.truth[:2], strict=True):
            one = written[scene.id]
            assert one is not None
            assert (one.scene.state, one.scene.detections) == ("complete", len(truth.boxes))
            assert workspace.get(scene.record) == one.to_json()
        assert len(read_log(example.log)) == plan.windows, "a merge looks at nothing again"

    def test_a_scene_of_one_batch_is_one_job_without_a_part(self, executor: Executor, example: Example) -> None:
        tiny = example.plan_of(example.truth[2:], scales=(1.0,)).scenes[0]
        work = example.work(example.plan_of(example.truth, scales=(1.0,)))
        (result,) = results_of(executor, work, [SceneJob(tiny)])
        assert result.windows == tiny.windows == 1
        assert result.written is not None
        assert result.written.scene.detections == 2
        assert example.store.workspace(work.run).names() == {tiny.record}

    def test_parts_that_are_damaged_or_gone_are_made_again(self, executor: Executor, example: Example) -> None:
        plan, workspace = example.plan, example.store.workspace(example.plan.run)
        north = plan.scenes[0]
        work = example.work()
        results_of(executor, work, batch_jobs(plan))
        first, second, *_ = (north.part(batch) for batch in north.batches())
        whole = workspace.get(first), workspace.get(second)
        workspace.put(first, (whole[0] or b"")[:-7])
        workspace.drop([second])
        (result,) = results_of(executor, work, [SceneJob(north)])
        assert result.written is not None
        assert result.written.scene.detections == len(example.truth[0].boxes)
        assert (workspace.get(first), workspace.get(second)) == whole

    def test_a_scene_with_many_detections_is_merged_in_strips(self, executor: Executor, example: Example) -> None:
        plan, workspace = example.plan, example.store.workspace(example.plan.run)
        north, work = plan.scenes[0], replace(example.work(), merge_rows=10)
        with executor.open(work) as pool:

            def answers(jobs: Iterable[Job]) -> list[JobResult]:
                return [answer for answer in pool.run(jobs) if isinstance(answer, JobResult)]

            answers(BatchJob(north, batch) for batch in north.batches())
            (cut,) = answers([SceneJob(north)])
            assert cut.written is None
            assert cut.strips is not None
            assert len(cut.strips.strips) > 3
            jobs = [StripJob(north, strip) for strip in cut.strips.strips]
            assert all(result.error is None for result in answers(jobs))
            names = [f"{north.key}/{name}" for strip in cut.strips.strips for name in strip.names]
            first = {name: workspace.get(name) for name in names}
            assert None not in first.values()
            answers(jobs[:2])
            workspace.drop(names[-2:])  # made again
            (result,) = answers([SceneJob(north, strips=cut.strips)])
            assert {name: workspace.get(name) for name in names} == first
        (whole,) = results_of(SerialExecutor(), example.work(), [SceneJob(north)])
        assert result.written is not None
        assert result == replace(whole, strips=None)

    def test_no_jobs_no_results(self, executor: Executor, example: Example) -> None:
        assert results_of(executor, example.work(), [], []) == []

    def test_what_goes_wrong_with_a_scene_is_a_result(self, executor: Executor, example: Example) -> None:
        names = ("broken", "odd", "good")
        truth = [replace(scene, id=name) for scene, name in zip(example.truth, names, strict=True)]
        plan = example.plan_of(truth)
        results = results_of(executor, example.work(plan, BROKEN_READER), batch_jobs(plan))
        reasons = {result.scene: result.error for result in results}
        assert "ends too early" in str(reasons["broken"])
        assert "ValueError: nobody has foreseen this" in str(reasons["odd"])
        assert reasons["good"] is None
        assert all(name.startswith(plan.scenes[2].key) for name in example.store.workspace(plan.run).names())

    def test_an_error_of_the_model_ends_the_run(self, executor: Executor, example: Example) -> None:
        plan = example.plan_of(example.truth, [Fault("error", "north", 3)])
        with pytest.raises(ModelError, match="a window fails"):
            results_of(executor, example.work(plan), batch_jobs(plan))

    def test_a_reader_that_does_not_exist_ends_the_run(self, executor: Executor, example: Example) -> None:
        with pytest.raises(SwatheError, match="cannot be loaded"):
            results_of(executor, example.work(reader="swathe.nowhere:Reader"), batch_jobs(example.plan))

    def test_whole_runs_give_the_same_bytes_as_one_process(self, executor: Executor, example: Example) -> None:
        other = example.empty_store("other")
        run_plan(example.plan, other, executor=SerialExecutor(), reader=BLANK_READER)
        summary = run_plan(example.plan, example.store, executor=executor, reader=BLANK_READER)
        assert summary.detections == sum(len(scene.boxes) for scene in example.truth)
        assert files_of(example.store) == files_of(other)
        assert example.store.workspace(example.plan.run).names() == frozenset()

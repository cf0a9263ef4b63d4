"""Runs cases in forked children under limits, and judges what they did.

The parent imports what commands need and runs nothing, so that a fork is safe and a case takes milliseconds. Two
libraries (Arrow, ONNX Runtime) start a thread as they are imported; these sleep and hold no locks.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

from hostile.case import Allowed, Bench, Case
from hostile.catalogue import MAKERS
from hostile.samples import Samples, make_samples
from swathe.boxes import nms

TIME_LIMIT = 30.0  # seconds of a processor, so that others who work on this machine decide nothing
LONGEST_WAIT = 300.0  # seconds: ends what waits and does not work
PATIENCE = 4.0  # seconds of a processor that honest work has before Ctrl-C
MEMORY_LIMIT = 1_500 << 20  # bytes of resident memory above what the parent has
ADDRESS_LIMIT = 6 << 30  # bytes of addresses above what the parent has: ends a child before it ends the machine
FILE_LIMIT = 1 << 30  # bytes of one file
DOCUMENTED = frozenset({2, 3, 4, 5, 6, 7})
CASE = "case.pickle"  # what a child has made
PARTIAL = 6
# A run that is refused for its size names the size, the limit and a way out, not always the file.
TOO_LARGE = re.compile(r"this run takes about [\d,]+ MiB .* (are free|are allowed by --memory); .*--memory")
UNKNOWN = ("No such command", "No such option")  # what a case must not run into by a mistake of its maker
INVALID = 90  # how a child says that what it wrote does not read back
NOT_THE_SAME = 91
POLL = 0.01  # seconds
PAGE = os.sysconf("SC_PAGE_SIZE")
TICK = 1 / os.sysconf("SC_CLK_TCK")  # seconds


@dataclass(frozen=True)
class Verdict:
    """What came of a case."""

    kind: str  # class of hostile input
    number: int  # of the case
    maker: str  # what made it
    what: str  # the damage
    result: str  # refused, harmless or failed
    reason: str  # why it failed, or the message of the refusal
    seconds: float
    peak_bytes: int  # resident memory above the parent's

    def to_json(self) -> dict[str, Any]:
        """Return plain values for `json.dumps`."""
        return asdict(self)


@dataclass
class _Child:
    """A case on its way."""

    pid: int
    number: int
    folder: Path
    began: float
    making: float | None = None  # seconds of a processor that it took to make the case
    peak: int = 0
    killed: str | None = None  # why
    interrupted: bool = False


def preload(names: Iterable[str]) -> None:
    """Import modules, and load what is compiled; nothing is run that would start threads.

    Args:
        names: The modules that commands have needed in another process.
    """
    for name in names:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    nms([[0.0, 0.0, 2.0, 1.0, 0.0]], [0.5], iou=0.5)


def run_cases(seed: int, numbers: Iterable[int], jobs: int = 2, keep: Path | None = None) -> Iterator[Verdict]:
    """Run cases.

    Args:
        seed: Where all chance comes from.
        numbers: Which cases.
        jobs: How many at a time.
        keep: Where the folders of cases are kept; they are removed if not given.

    Returns:
        A verdict per case, as they end.
    """
    with tempfile.TemporaryDirectory(prefix="hostile-") as name:
        root = Path(name)
        samples = Samples(root / "samples")
        samples.folder.mkdir()
        _in_child(lambda: _prepare(samples.folder, root / "modules"))
        preload((root / "modules").read_text().split())
        base = _resident(os.getpid())
        waiting, running = iter(numbers), list[_Child]()
        while True:
            while len(running) < jobs and (number := next(waiting, None)) is not None:
                running.append(_start(seed, number, (keep or root) / f"case-{seed}-{number}", samples))
            if not running:
                return
            for child in [child for child in running if _has_ended(child, base)]:
                running.remove(child)
                yield _judge(child)
                if keep is None:
                    _remove(child.folder)
            time.sleep(POLL)


def maker_number(number: int) -> int:
    """Return which maker makes a case: all in turn."""
    return number % len(MAKERS)


def _prepare(folder: Path, modules: Path) -> None:
    """Make the undamaged inputs, and write down which modules that took."""
    make_samples(folder)
    modules.write_text("\n".join(name for name in sys.modules if name != "__main__"))


def _in_child(do: Callable[[], object]) -> None:
    """Do something in a process of its own."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            do()
            code = 0
        except Exception:  # noqa: BLE001 shown, then the process ends
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    if os.waitpid(pid, 0)[1]:
        raise RuntimeError("the undamaged inputs could not be made; see above")


def _start(seed: int, number: int, folder: Path, samples: Samples) -> _Child:
    """Make a case and start it."""
    (folder / "c").mkdir(parents=True)
    pid = os.fork()
    if pid == 0:
        bench = Bench(folder / "c", samples, Random(f"{seed}:{number}"))
        _be_the_command(MAKERS[maker_number(number)].make, bench, folder)
    return _Child(pid, number, folder, time.monotonic())


def _be_the_command(make: Callable[[Bench], Case], bench: Bench, folder: Path) -> None:
    """Make the case, write it down, carry out the command under limits, and end."""
    code = INVALID
    try:
        case = make(bench)
        (folder / CASE).with_suffix(".new").write_bytes(pickle.dumps(case))
        (folder / CASE).with_suffix(".new").rename(folder / CASE)
        os.setsid()
        # A shell starts what it puts into the background with Ctrl-C ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.chdir(folder / "c")
        for number, (name, flags) in enumerate(
            (
                (os.devnull, os.O_RDONLY),
                (folder / "out", os.O_WRONLY | os.O_CREAT),
                (folder / "err", os.O_WRONLY | os.O_CREAT),
            )
        ):
            os.dup2(os.open(name, flags, 0o600), number)
        size = int(Path("/proc/self/statm").read_text().split()[0]) * PAGE
        for limit, value in (
            (resource.RLIMIT_AS, size + ADDRESS_LIMIT),
            (resource.RLIMIT_FSIZE, FILE_LIMIT),
            (resource.RLIMIT_CORE, 0),
        ):
            resource.setrlimit(limit, (value, value))
        from swathe.cli.main import main

        code = main(list(case.words))
        if code == 0:
            code = _validate(case)
        elif code == PARTIAL and not _are_whole(case):
            code = INVALID
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _validate(case: Case) -> int:
    """Read back what a successful command wrote."""
    import json

    import numpy as np

    import swathe

    if case.allowed is Allowed.SAME and case.reference is not None:
        return 0 if _contents(case.outputs[0]) == _contents(case.reference) else NOT_THE_SAME
    for output in case.outputs:
        if output.suffix == ".geojson" and output.exists():
            json.loads(output.read_text())
        elif output.is_dir():
            found = swathe.Detections.open(output)
            if not (np.isfinite(found.boxes).all() and np.isfinite(found.to_polygons("geometry")).all()):
                return INVALID
    return 0


def _are_whole(case: Case) -> bool:
    """Whether a run of which some scenes failed has stored nothing but what the undamaged scene gives."""
    import numpy as np

    import swathe

    if not case.outputs or not _is_published(case.outputs[0]):
        return True
    if case.whole is None:
        return False
    found, good = (swathe.Detections.open(path).sorted() for path in (case.outputs[0], case.whole))
    return all(
        np.array_equal(found.take(np.flatnonzero(found.scene_ids == scene)).boxes, good.boxes) for scene in found.scenes
    )


def _contents(path: Path) -> dict[str, bytes]:
    """Return a file, or the files of detections in a store: the times of commits differ."""
    files = [path] if path.is_file() else sorted(path.glob("detections/*/*.parquet"))
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


def _has_ended(child: _Child, base: int) -> bool:
    """Look after a child: count its memory, interrupt or kill it when it is due."""
    pid, status, _ = os.wait4(child.pid, os.WNOHANG)
    if pid:
        child.killed = child.killed or _why_ended(os.waitstatus_to_exitcode(status))
        return True
    worked, waited = _processor_seconds(child.pid), time.monotonic() - child.began
    if child.making is None and (child.folder / CASE).exists():  # for a bomb it takes seconds
        child.making = worked
    worked -= child.making or 0.0
    child.peak = max(child.peak, _resident(child.pid) - base)
    if child.peak > MEMORY_LIMIT:
        _kill(child, f"took {child.peak >> 20} MB above the base")
    elif worked > TIME_LIMIT or waited > LONGEST_WAIT:
        _kill(child, f"did not end within {worked:.0f} s of work in {waited:.0f} s")
    elif _is_due(child, worked, waited) and _may_go_on(child):
        child.interrupted = True
        os.kill(child.pid, signal.SIGINT)
    return False


def _is_due(child: _Child, worked: float, waited: float) -> bool:
    """Whether a command has had time enough before Ctrl-C; one that only waits has it, too."""
    if child.interrupted or child.making is None:
        return False
    return worked > PATIENCE or waited > LONGEST_WAIT / 2


def _may_go_on(child: _Child) -> bool:
    """Whether a case is honest work without end, which Ctrl-C must stop."""
    return _case_of(child).allowed is Allowed.INTERRUPTED


def _case_of(child: _Child) -> Case:
    """Return the case that a child has made."""
    try:
        case: Case = pickle.loads((child.folder / CASE).read_bytes())
    except FileNotFoundError as error:
        raise RuntimeError(f"case {child.number} could not be made; see above") from error
    return case


def _kill(child: _Child, why: str) -> None:
    child.killed = child.killed or why
    os.killpg(child.pid, signal.SIGKILL)


def _why_ended(code: int) -> str:
    return f"code {code}"


def _processor_seconds(pid: int) -> float:
    """Return how long a process has kept processors busy, seconds; 0 if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) * TICK


def _resident(pid: int) -> int:
    """Return the resident memory of a process without that of files, bytes; 0 if it is gone.

    A fork starts with its parent's anonymous pages, but maps those of libraries only as it touches them.
    """
    try:
        resident, of_files = Path(f"/proc/{pid}/statm").read_text().split()[1:3]
        return (int(resident) - int(of_files)) * PAGE
    except (OSError, ValueError):
        return 0


def _judge(child: _Child) -> Verdict:
    """Compare what a child did with what it may do."""
    case, maker = _case_of(child), MAKERS[maker_number(child.number)]
    err = (child.folder / "err").read_text(errors="surrogateescape") if (child.folder / "err").exists() else ""
    result, reason = _result(child, err)
    return Verdict(
        maker.kind, child.number, maker.name, case.what, result, reason, time.monotonic() - child.began, child.peak
    )


def _result(child: _Child, err: str) -> tuple[str, str]:
    """Return refused, harmless or failed, with the reason."""
    case, ended = _case_of(child), child.killed or ""
    last = err.rstrip("\n").rpartition("\n")[2]
    out = (child.folder / "out").read_text(errors="replace") if (child.folder / "out").exists() else ""
    if not all(letter.isprintable() or letter == "\n" for letter in out):
        return "failed", f"what was printed may steer a terminal: {out[:600]!r}"
    if not ended.startswith("code "):
        return "failed", ended
    code = int(ended.removeprefix("code "))
    if code == 0:
        if case.allowed is Allowed.NOTHING:
            return "failed", "was accepted"
        return "harmless", ""
    if code == 130 and child.interrupted:
        left = [str(path) for path in case.outputs if _is_published(path)]
        return ("failed", f"left {left}") if left else ("harmless", "stopped by Ctrl-C")
    if code == INVALID:
        return "failed", f"what was written does not read back: {err[-600:]}"
    if code == NOT_THE_SAME:
        return "failed", "was accepted, and the output differs from that of the undamaged input"
    if code not in DOCUMENTED:
        return "failed", f"ended with code {code}: {err[-600:]}"
    return _judge_refusal(case, code, err, last)


def _judge_refusal(case: Case, code: int, err: str, last: str) -> tuple[str, str]:
    """Look for the one clear line, and for anything left behind."""
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    if "Traceback" in err or len(errors) != 1:
        return "failed", f"no single line of error: {err[-600:]}"
    if code != PARTIAL and (last != errors[0] or not last.isprintable()):
        return "failed", f"the error is not one line of printable text: {err[-600:]!r}"
    if last.removeprefix("error: ").startswith(UNKNOWN) and not case.may_be_unknown:
        return "failed", f"the case gives what does not exist: {last}"
    if code == PARTIAL:
        return "harmless", "the whole scenes were stored, the others named"
    if case.culprit is not None and case.culprit not in err and not TOO_LARGE.search(last):
        return "failed", f"the message does not name {case.culprit!r}: {last}"
    left = [str(path) for path in case.outputs if _is_published(path)]
    return ("failed", f"refused, but left {left}") if left else ("refused", last)


def _is_published(path: Path) -> bool:
    """Whether a file exists; files in a store are nothing as long as no commit names them."""
    return path.is_file()


def _remove(folder: Path) -> None:
    """Remove the folder of a case, whatever rights it has left in it."""
    for path, _, _ in os.walk(folder):
        Path(path).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)

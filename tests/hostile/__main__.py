"""Run hostile cases and print what came of them: `PYTHONPATH=tests python -m hostile --seed 1 --cases 1000`."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hostile.catalogue import KINDS, MAKERS
from hostile.runner import Verdict, maker_number, run_cases

RESULTS = ("refused", "harmless", "failed")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run cases.

    Args:
        arguments: What follows the program's name; those of this process if not given.

    Returns:
        0 if every case was refused or did no harm, else 1.
    """
    chosen = _parse(arguments)
    numbers = [chosen.case] if chosen.case is not None else _numbers(chosen.cases, chosen.kind)[:: chosen.step]
    verdicts = []
    for verdict in run_cases(chosen.seed, numbers, chosen.jobs, chosen.keep):
        verdicts.append(verdict)
        if chosen.json:
            sys.stdout.write(f"{json.dumps(verdict.to_json())}\n")
            sys.stdout.flush()
        elif verdict.result == "failed" or chosen.case is not None or chosen.verbose:
            sys.stdout.write(f"{_report(verdict, chosen.seed)}\n")
    if not chosen.json:
        sys.stdout.write(f"{_table(verdicts)}\n")
    return int(any(verdict.result == "failed" for verdict in verdicts))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m hostile", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=1000, help="how many, each kind of damage in turn")
    parser.add_argument("--case", type=int, help="only this one")
    parser.add_argument("--kind", choices=KINDS, help="only those of the cases that are of this class")
    parser.add_argument("--step", type=int, default=1, help="only every n-th of them")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time")
    parser.add_argument("--keep", type=Path, help="folder in which the inputs stay")
    parser.add_argument("--json", action="store_true", help="one line of JSON per case")
    parser.add_argument("--verbose", action="store_true", help="print refusals, too")
    return parser.parse_args(arguments)


def _numbers(count: int, kind: str | None) -> list[int]:
    """Return the numbers of the first cases, of one class or of all."""
    return [number for number in range(count) if kind in {None, MAKERS[maker_number(number)].kind}]


def _report(verdict: Verdict, seed: int) -> str:
    """Say what came of a case, and how to repeat it."""
    return (
        f"{verdict.result}: {verdict.kind}, {verdict.maker}: {verdict.what}\n    {verdict.reason}\n"
        f"    {verdict.seconds:.1f} s, {verdict.peak_bytes >> 20} MB; "
        f"again: PYTHONPATH=tests {sys.executable} -m hostile --seed {seed} --case {verdict.number}"
    )


def _table(verdicts: Sequence[Verdict]) -> str:
    """Count by class and result."""
    lines = [
        f"{'class':18s}{'tried':>9s}"
        + "".join(f"{result:>10s}" for result in RESULTS)
        + f"{'slowest':>10s}{'memory':>10s}"
    ]
    for kind in (*KINDS, None):
        own = [verdict for verdict in verdicts if kind in {None, verdict.kind}]
        counts = Counter(verdict.result for verdict in own)
        slowest = max((verdict.seconds for verdict in own), default=0.0)
        peak = max((verdict.peak_bytes for verdict in own), default=0) >> 20
        numbers = "".join(f"{counts[result]:10d}" for result in RESULTS)
        lines.append(f"{kind or 'all':18s}{len(own):9d}{numbers}{slowest:8.1f} s{peak:7d} MB")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

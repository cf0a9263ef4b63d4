"""Runs every benchmark, one after the other, and keeps the JSON that each of them prints as its last line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOMS = ("micro", "reads", "end_to_end", "scale")


def run(script: Path) -> bool:
    """Run one benchmark and keep its result; return whether it worked."""
    print(f"{script.relative_to(HERE.parent)} ...", flush=True)
    module = f"{HERE.name}.{script.parent.name}.{script.stem}"
    command = [sys.executable, "-m", module]
    done = subprocess.run(command, cwd=HERE.parent, stdout=subprocess.PIPE, text=True, check=False)
    lines = done.stdout.splitlines()
    if done.returncode != 0 or not lines:
        print(f"  failed with code {done.returncode}", flush=True)
        return False
    target = HERE / "results" / f"{script.parent.name}-{script.stem}.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(json.loads(lines[-1]), indent=1) + "\n", encoding="utf-8")
    print(f"  {target.relative_to(HERE.parent)}", flush=True)
    return True


def main() -> int:
    """Run all of them, and say by the exit code whether all worked."""
    scripts = [script for room in ROOMS for script in sorted((HERE / room).glob("*.py")) if script.stem[0] != "_"]
    failed = [script for script in scripts if not run(script)]
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

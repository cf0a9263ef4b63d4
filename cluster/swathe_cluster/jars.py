"""Java archives: fetched once by Maven, kept outside of the repository, one folder for each `pom.xml`."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

POMS = Path(__file__).resolve().parents[1]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "swathe" / "cluster"


class ClusterError(Exception):
    """The cluster cannot do what was asked; the message says what to do next."""


def program(name: str, package: str) -> str:
    """Find a program.

    Args:
        name: How it is called.
        package: Debian's package of it.

    Returns:
        Its path.

    Raises:
        ClusterError: If it is not installed.
    """
    path = shutil.which(name)
    if path is None:
        raise ClusterError(f"{name} is not installed; on Debian: apt-get install --no-install-recommends {package}")
    return path


def class_path(kind: str) -> list[Path]:
    """Return the archives of one class path, which are never mixed.

    Args:
        kind: Folder with the `pom.xml`: "hadoop" or "hbase".

    Returns:
        Sorted paths: Java is given a list, as the order of `*` is that of the file system.

    Raises:
        ClusterError: If Maven is missing, or cannot fetch them.
    """
    pom = POMS / kind / "pom.xml"
    folder = CACHE / f"{kind}-{hashlib.sha256(pom.read_bytes()).hexdigest()[:12]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{kind}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _fetch(pom, folder)
    return sorted(folder.glob("*.jar"))


def _fetch(pom: Path, folder: Path) -> None:
    """Fill a folder; it appears when it is whole."""
    maven = program("mvn", "maven")
    work = folder.with_suffix(".part")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    shutil.copy(pom, work)
    copy = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={work / 'jars'}"]
    command = [maven, "--batch-mode", "--quiet", *copy]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = done.stdout[-2000:]
        raise ClusterError(f"Maven cannot fetch what {pom} lists:\n{reason}\ncheck the network and try again")
    (work / "jars").rename(folder)
    shutil.rmtree(work)

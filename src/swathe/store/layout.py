"""Names in the folder of a store: which file holds which run and scene."""

from __future__ import annotations

from hashlib import sha256
from unicodedata import category
from urllib.parse import unquote

from swathe.arguments import text
from swathe.errors import UsageError

MARK = "swathe-store.json"
DETECTIONS, RUNS, INDEX, WORK = "detections", "runs", "index", ".work"
SUFFIX = ".parquet"
SEPARATOR = "-"  # between run and scene in file names; escaped within runs
MERGED_MARK = "~"  # begins the second half of the name of a file of many scenes; escaped at the start of scenes
_LONGEST_NAME = 100  # bytes of an escaped run or scene id: file systems take 255 in all
_DIGEST_DIGITS = 16


def file_name(run: str, scene: str) -> str:
    """Return the name of the file for a run and a scene: one of its own, whatever characters they hold.

    Args:
        run: Run id.
        scene: Scene id.

    Returns:
        `RUN-SCENE.parquet`, percent-encoded where a file name cannot or should not hold a character.

    Raises:
        UsageError: If the run id is empty or too long.
    """
    return f"{run_name(run)}{SEPARATOR}{scene_name(scene)}{SUFFIX}"


def merged_name(run: str, seal: str) -> str:
    """Return the name of a file that holds many scenes of a run; other content has another name.

    Args:
        run: Run id.
        seal: SHA-256 of the file's footer, hexadecimal.

    Returns:
        `RUN-~DIGITS.parquet`.

    Raises:
        UsageError: If the run id is empty or too long.
    """
    return f"{run_name(run)}{SEPARATOR}{MERGED_MARK}{seal[:_DIGEST_DIGITS]}{SUFFIX}"


def split_name(name: str) -> tuple[str, str]:
    """Take the name of a file of detections apart.

    Args:
        name: Its name.

    Returns:
        The escaped run, and the escaped scene or what stands for many.
    """
    run, _, scene = name.removesuffix(SUFFIX).partition(SEPARATOR)
    return run, scene


def run_name(run: str) -> str:
    """Return a run id as part of a file name; `run_of` gives it back.

    Args:
        run: Run id.

    Returns:
        The escaped id.

    Raises:
        UsageError: If it is empty or too long.
    """
    accepted = f"the id of a run, 1 to {_LONGEST_NAME} bytes"
    name = _escape(text("run", run, accepted), "_.")
    if len(name.encode()) > _LONGEST_NAME:
        raise UsageError(argument="run", value=run, accepted=accepted)
    return name


def run_of(name: str) -> str:
    """Return the run id that `run_name` has escaped."""
    return unquote(name)


def scene_name(scene: str) -> str:
    """Return a scene id as part of a file name; a very long one is cut and told apart by its hash."""
    name = _escape(scene, "_.-")
    if len(name.encode()) <= _LONGEST_NAME:
        return name
    digest = sha256(scene.encode()).hexdigest()[:_DIGEST_DIGITS]
    return f"{name.encode()[:_LONGEST_NAME].decode(errors='ignore')}~{digest}"


def _escape(name: str, safe: str) -> str:
    """Percent-encode all but letters and digits of any script and `safe` characters, of which a leading dot is none."""
    kept = [
        character
        if character.isalnum()
        or category(character).startswith("M")
        or (character in safe and (number or character != "."))
        else "".join(f"%{byte:02X}" for byte in character.encode())
        for number, character in enumerate(name)
    ]
    return "".join(kept)

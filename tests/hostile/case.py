"""One hostile input: the command that is given it, and what may come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from random import Random

from hostile.samples import Samples

GRID = ("--tile", "128", "--stride", "96", "--workers", "0", "--memory", "1GB")


class Allowed(Enum):
    """What a command may do with an input beside refusing it."""

    NOTHING = "nothing"  # it must be refused
    SAME = "same"  # the output may be that of the undamaged input, byte for byte
    VALID = "valid"  # the output may be anything that reads back as finite boxes
    INTERRUPTED = "interrupted"  # as VALID; honest work without end, which Ctrl-C must stop


@dataclass(frozen=True)
class Case:
    """A command over one hostile input."""

    what: str  # the damage in words
    words: tuple[str, ...]  # arguments of the command
    allowed: Allowed = Allowed.VALID
    culprit: str | None = None  # part of the input's name that the message must show
    outputs: tuple[Path, ...] = ()  # files and stores that a refusal must not leave behind
    reference: Path | None = None  # what the first output must equal, for `Allowed.SAME`
    whole: Path | None = None  # store with what each scene of the first output must hold if others failed
    may_be_unknown: bool = False  # the command is made up


@dataclass(frozen=True)
class Bench:
    """Where a case is made: an empty folder for it, the undamaged inputs, its own source of chance."""

    folder: Path
    samples: Samples
    chance: Random

    def write(self, name: str, content: bytes | str) -> Path:
        """Write an input of the case."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def detect(
        self, source: Path | str, what: str, allowed: Allowed = Allowed.VALID, *more: str, named: bool = True
    ) -> Case:
        """Detect in a scene, into a new store."""
        output = self.folder / "found"
        words = ("detect", "-m", str(self.samples.model), "-o", str(output), *GRID, *more, "--", str(source))
        return Case(what, words, allowed, Path(source).name if named else None, (output,))

    def query(
        self, store: Path, what: str, allowed: Allowed = Allowed.SAME, *more: str, culprit: str | None = None
    ) -> Case:
        """Query a store into a GeoJSON file."""
        output = self.folder / "found.geojson"
        words = ("query", str(store), "-o", str(output), *more)
        return Case(what, words, allowed, culprit, (output,), self.samples.queried)


@dataclass(frozen=True)
class Maker:
    """Makes the cases of one kind of damage."""

    kind: str  # class of hostile input
    name: str  # of the function
    make: Callable[[Bench], Case] = field(compare=False)


def makers_of(kind: str) -> tuple[list[Maker], Callable[[Callable[[Bench], Case]], Callable[[Bench], Case]]]:
    """Return an empty list of makers, and the decorator that enters functions into it."""
    makers: list[Maker] = []

    def maker(make: Callable[[Bench], Case]) -> Callable[[Bench], Case]:
        makers.append(Maker(kind, make.__name__, make))
        return make

    return makers, maker

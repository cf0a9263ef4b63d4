"""The command line, called as a function."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        """The lines of the standard output as JSON values."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def is_one_error(self) -> bool:
        """Whether there is one line of error and no traceback; progress may stand before it."""
        last = self.err.splitlines()[-1]
        return self.code != 0 and last.startswith("error: ") and "Traceback" not in self.err


Command = Callable[..., Outcome]

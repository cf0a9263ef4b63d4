"""The account of all accidents, printed at the end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

ACCOUNT = pytest.StashKey[list[str]]()

Report = Callable[[str], None]


@pytest.fixture
def report(pytestconfig: pytest.Config) -> Report:
    """Add a line to the account."""
    return pytestconfig.stash.setdefault(ACCOUNT, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what happened how often."""
    lines = config.stash.get(ACCOUNT, [])
    if lines:
        terminalreporter.section("accidents")
        for line in lines:
            terminalreporter.write_line(line)

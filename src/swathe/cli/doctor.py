"""`swathe doctor`: what is installed, what is missing, and the command that gets it."""

from __future__ import annotations

from itertools import groupby
from typing import Annotated

import typer

from swathe.cli.options import Json, print_json
from swathe.cli.output import echo

BROKEN = 1
SIGNS = {"fine": " ", "note": "-", "broken": "!"}


def doctor(
    warm: Annotated[
        bool, typer.Option("--warm", help="Only compile the geometry, so that the first detection need not.")
    ] = False,
    json: Json = False,
) -> None:
    """Print versions, machine, backends and what is missing; exit code 1 if something needed is broken."""
    from swathe.doctor import examine
    from swathe.doctor import warm as compile_geometry

    if warm:
        echo("compiling geometry, once", err=True)
        compile_geometry()
        return
    findings = examine()
    broken = [finding for finding in findings if finding.level == "broken"]
    if json:
        for finding in findings:
            print_json({"event": "finding", **finding.to_json()})
        print_json({"event": "summary", "broken": len(broken)})
    else:
        wide = max(len(finding.name) for finding in findings)
        for part, group in groupby(findings, key=lambda finding: finding.part):
            echo(part)
            for finding in group:
                remedy = f"; {finding.remedy}" if finding.remedy else ""
                echo(f"{SIGNS[finding.level]} {finding.name:<{wide}}  {finding.value}{remedy}")
        echo(f"{len(broken)} broken" if broken else "all that is needed works")
    if broken:
        raise typer.Exit(BROKEN)

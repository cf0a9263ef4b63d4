"""`python -m swathe`; as a file it is what `spark-submit` is given."""

from __future__ import annotations

from swathe.cli.main import run

if __name__ == "__main__":
    run()

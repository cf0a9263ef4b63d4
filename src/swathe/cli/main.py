"""The command `swathe`: its commands, and one clear line with an exit code for whatever goes wrong."""

from __future__ import annotations

import errno
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.main import get_command

from swathe.cli.areas import areas
from swathe.cli.command import Command
from swathe.cli.compact import compact
from swathe.cli.convert import convert
from swathe.cli.describe import describe
from swathe.cli.detect import detect
from swathe.cli.doctor import doctor
from swathe.cli.draw import draw
from swathe.cli.evaluate import evaluate
from swathe.cli.export import export
from swathe.cli.figures import figures
from swathe.cli.models import models
from swathe.cli.output import echo
from swathe.cli.plan import plan
from swathe.cli.put import put
from swathe.cli.query import query
from swathe.cli.remove import remove
from swathe.cli.runs import runs
from swathe.cli.scenes import scenes
from swathe.cli.serve import serve
from swathe.cli.slice import slice as slice_
from swathe.cli.split import split
from swathe.cli.stats import stats
from swathe.cli.train import train
from swathe.errors import PartialError, StoreError, SwatheError, UsageError

INTERNAL_ERROR = 1
INTERRUPTED = 130
RESUMABLE = ("detect", "train")
DEBUG = "--debug"
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # what the standard output may say
NAME_SHOWN = 200  # characters of a name that is too long

EPILOG = (
    "Exit codes: 0 done; 1 internal error; 2 wrong usage; 3 a scene or label file is missing or damaged; 4 the model "
    "is unknown, damaged or does not fit; 5 the output exists or cannot be written; 6 some scenes failed (detect "
    "has stored the others, plan cannot plan them); 7 an optional library is missing; 130 interrupted."
)

app = typer.Typer(
    name="swathe",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    detect,
    plan,
    convert,
    put,
    slice_,
    query,
    areas,
    runs,
    scenes,
    remove,
    compact,
    draw,
    serve,
    stats,
    evaluate,
    split,
    train,
    export,
    models,
    describe,
    figures,
    doctor,
):
    app.command(cls=Command, epilog=EPILOG)(command)


def _print_version(wanted: bool) -> None:
    """Print the version and end, if asked to."""
    if wanted:
        import swathe

        echo(f"swathe {swathe.__version__}")
        raise typer.Exit


@app.callback(epilog=EPILOG)
def swathe(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
    debug: Annotated[bool, typer.Option(DEBUG, help="Show the traceback of an error; may stand anywhere.")] = False,
) -> None:
    """Find oriented objects in remote sensing images far larger than memory."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: What follows the program's name; those of this process if not given.

    Returns:
        The exit code: 0, or that of the error.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = DEBUG in words
    words = [word for word in words if word != DEBUG]
    if any("\0" in word for word in words):
        return _fail("an argument holds a NUL byte, which no name can; leave it out", UsageError.exit_code, debug=debug)
    try:
        code = get_command(app)(words, prog_name="swathe", standalone_mode=False)
    except SwatheError as error:
        return _fail(str(error), error.exit_code, debug=debug)
    except typer.TyperException as error:
        return _fail(_usage_message(error), error.exit_code, debug=debug)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return _fail(_too_long(error), UsageError.exit_code, debug=debug)
        if error.errno in UNWRITABLE and error.filename is None:  # files are told by name, as errors of Swathe
            message = f"the output cannot be written ({error.strerror}); free space, or send it elsewhere"
            return _fail(message, StoreError.exit_code, debug=debug)
        return _fail(_fault(error), INTERNAL_ERROR, debug=debug)
    except Exception as error:  # noqa: BLE001 the last resort of a command line; everything expected is caught above
        # Compiled code that Ctrl-C meets as it returns complains of the interrupt that it then finds.
        if not _is_interrupt(error):
            return _fail(_fault(error), INTERNAL_ERROR, debug=debug)
        code = INTERRUPTED
    if code == INTERRUPTED:
        command = next((word for word in words if not word.startswith("-")), "")
        hint = "; what is finished is kept, run the same command again to resume" if command in RESUMABLE else ""
        echo(f"interrupted{hint}", err=True)
    return code if isinstance(code, int) else 0


def _is_interrupt(error: BaseException | None) -> bool:
    """Tell whether an error comes of Ctrl-C, however many others were raised on the way."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _usage_message(error: typer.TyperException) -> str:
    """Say what is wrong with the arguments, and where the right ones are listed."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "swathe"
    message = " ".join(error.format_message().split()).rstrip(".")
    return f"{message}; see `{path} --help`" if message else f"see `{path} --help`"


def _too_long(error: OSError) -> str:
    """Say which name no file can have."""
    return f"{str(error.filename)[:NAME_SHOWN]}: the name is too long for the file system; choose a shorter one"


def _fault(error: Exception) -> str:
    """Say that something unexpected happened."""
    return f"{type(error).__name__}: {error}. This is a fault of Swathe; {DEBUG} shows the traceback"


def _fail(message: str, code: int, *, debug: bool) -> int:
    """Print an error, with its traceback if wanted, and return its exit code."""
    if debug:
        traceback.print_exc()
    lines = message.split("\n") if code == PartialError.exit_code else [message]
    echo(f"error: {lines[0]}", *lines[1:], err=True)
    return code


def run() -> None:
    """Entry point of the installed command."""
    sys.exit(main())

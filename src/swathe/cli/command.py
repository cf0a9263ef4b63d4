"""What all commands do: places and lists are not given twice, and errors speak of options and what was typed."""

from __future__ import annotations

from collections import Counter
from typing import Any

from typer.core import TyperCommand, TyperOption

from swathe.errors import Argument, SwatheError, UsageError

# Of options that one could mean two values of. Of others the last one counts, so that a line can be gone on with.
SEVERAL = {"LIST", "FILE", "NAME", "XMIN YMIN XMAX YMAX", "LON,LAT,METRES", "FROM..TO", "MIN..MAX"}


class Command(TyperCommand):
    """A command whose errors speak of its options."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read what was typed.

        Args:
            ctx: Typer's context, which is to hold it.
            args: What was typed.

        Returns:
            What is left.

        Raises:
            UsageError: If a place or a list was given several times; else only the last would count.
        """
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        for option, times in Counter(given).items():
            if times > 1 and isinstance(option, TyperOption) and option.metavar in SEVERAL and not option.multiple:
                name = next(name for name in option.opts if name.startswith("--"))
                lists = ", values with commas between them" if option.metavar == "LIST" else ""
                raise UsageError(f"{name}: given {times} times; give it once{lists}")
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command.

        Args:
            ctx: Typer's context, which holds what was typed.

        Returns:
            What the command returns.

        Raises:
            SwatheError: If the command raises one, its message with the names of options.
        """
        options = {
            str(parameter.name): next((name for name in parameter.opts if name.startswith("--")), "")
            for parameter in self.params
        }

        def write(argument: Argument) -> str:
            option = options.get(argument.name)
            if not option:
                return str(argument)
            return option if argument.value is ... else f"{option} {_typed(ctx.params.get(argument.name), argument)}"

        try:
            return super().invoke(ctx)
        except SwatheError as error:
            error.args = (error.message(write),)
            raise


def _typed(value: Any, argument: Argument) -> str:
    """Return the value of an option as it was typed; one that was not is the library's."""
    if isinstance(value, tuple):
        return " ".join(f"{part:.10g}" for part in value)
    text = str(argument.value if value is None else value)
    return text if [text] == text.split() else repr(text)

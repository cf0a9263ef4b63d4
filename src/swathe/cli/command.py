"""The face of errors: options and what was typed, where the library has arguments and values."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

from swathe.errors import Argument, SwatheError


class Command(TyperCommand):
    """A command whose errors speak of its options."""

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

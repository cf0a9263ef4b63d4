"""An extension of griffe: the comment beside a field of a dataclass, where its unit stands, becomes its description."""

from __future__ import annotations

from typing import Any

import griffe


class FieldComments(griffe.Extension):
    """Takes the comment at the end of a field's line as its docstring."""

    def on_attribute(self, *, attr: griffe.Attribute, **others: Any) -> None:  # noqa: ARG002 the hook's signature
        """Describe an attribute that has no docstring.

        Args:
            attr: The attribute.
            others: What else griffe passes.
        """
        if attr.docstring is None and attr.lineno is not None and attr.endlineno is not None:
            last = attr.lines_collection[attr.filepath][attr.endlineno - 1]
            _, mark, comment = last.partition("  # ")
            if mark and not comment.startswith("noqa"):
                attr.docstring = griffe.Docstring(comment.strip(), parent=attr)

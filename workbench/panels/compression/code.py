"""The Compression panel's work as code that runs without it."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.core import Method, Target
from workbench.panels.compression.recipes import Family
from workbench.panels.kit import recipe_as_code


def compression_code(
    model: str,
    inputs: str,
    families: Sequence[Family],
    made_with: str | None,
    copies: Sequence[str],
    siblings: Sequence[str],
    methods: Sequence[Method],
    target: Target | None,
) -> str:
    """Code that makes the copies, explains all of them alike and judges how the reasons changed.

    Args:
        model: an expression for the reference.
        inputs: an expression for the rows.
        families: the copies to make.
        made_with: an expression for the rows to make them with, or None where none are made.
        copies: expressions for copies that are there.
        siblings: expressions for models trained anew.
        methods: the methods that explain them.
        target: what is explained, or None for the model's own prediction.
    """
    lines = [
        "import workbench as wb",
        "from workbench import data, draw, methods, variants",
        "",
        f"model = {model}",
        f"inputs = {inputs}",
    ]
    if made_with is not None:
        lines.append(f"rows = {made_with}  # the copies are made with these")
    lines.append("copies = [")
    lines += [f"    *{family.code('model', 'rows')}," for family in families]
    lines += [f"    {copy}," for copy in copies]
    lines += ["]", "found = wb.drift(", "    model,", "    copies,", "    inputs,"]
    lines.append(f"    [{', '.join(map(recipe_as_code, methods))}],")
    if target is not None:
        lines.append(f"    target={target.code},")
    if siblings:
        lines.append(f"    siblings=[{', '.join(siblings)}],")
    lines += [
        ")",
        "draw.drift_lines(found)  # and draw.verdict_text(found), found.to_frame()",
    ]
    return "\n".join(lines) + "\n"

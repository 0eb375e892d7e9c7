"""The contract of doors: a room inside a room is entered through its `__init__` alone.

import-linter finds it by `contract_types` in pyproject.toml, and a new room is held to it by being there.
"""

from __future__ import annotations

import ast
import importlib.util
from functools import cache
from pathlib import Path

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, output


@cache
def handed_out(door: str) -> frozenset[str]:
    """The names in a door's `__all__`."""
    spec = importlib.util.find_spec(door)
    assert spec is not None
    assert spec.origin is not None
    body = ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body
    return frozenset(
        name
        for line in body
        if isinstance(line, ast.Assign)
        and [getattr(one, "id", "") for one in line.targets] == ["__all__"]
        for name in ast.literal_eval(line.value)
    )


def reaching_past(graph: ImportGraph) -> list[tuple[str, str, str]]:
    """Importer, file and door of every import that does not come through the door."""
    reached = []
    for module in sorted(graph.modules):
        door, _, name = module.rpartition(".")
        if door.count(".") < 2:  # the files on a room's own floor
            continue
        for importer in sorted(graph.find_modules_that_directly_import(module)):
            if importer == door or importer.startswith(f"{door}."):
                continue
            lines = graph.get_import_details(importer=importer, imported=module)
            # A function named like its file reads as the file here, though it came through the door.
            if name not in handed_out(door) or any(
                not line["line_contents"].startswith(f"from {door} import") for line in lines
            ):
                reached.append((importer, module, door))
    return reached


class DoorsContract(Contract):  # type: ignore[misc]
    """Nobody outside a package that stands inside a room imports one of its files."""

    type_name = "doors"

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        reached = reaching_past(graph)
        return ContractCheck(kept=not reached, metadata={"reached": reached})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for importer, module, door in check.metadata["reached"]:
            output.print_error(
                f"{importer} imports {module}; what it needs, {door} is to hand out."
            )

"""The contract of doors: a room inside a room is entered through its `__init__` alone.

import-linter finds it by `contract_types` in pyproject.toml, and a new room is held to it by being there.
"""

from __future__ import annotations

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, output


class DoorsContract(Contract):  # type: ignore[misc]
    """Nobody outside a package that stands inside a room imports one of its files."""

    type_name = "doors"

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        reached = []
        for module in sorted(graph.modules):
            door, _, _ = module.rpartition(".")
            if door.count(".") < 2:  # the files on a room's own floor
                continue
            for importer in sorted(graph.find_modules_that_directly_import(module)):
                if importer == door or importer.startswith(f"{door}."):
                    continue
                lines = graph.get_import_details(importer=importer, imported=module)
                # A function named like its file reads as the file here, though it came through the door.
                if any(
                    not line["line_contents"].startswith(f"from {door} import") for line in lines
                ):
                    reached.append((importer, module, door))
        return ContractCheck(kept=not reached, metadata={"reached": reached})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for importer, module, door in check.metadata["reached"]:
            output.print_error(
                f"{importer} imports {module}; what it needs, {door} is to hand out."
            )

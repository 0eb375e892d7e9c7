"""`Study`: what to compute, as a value."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.core.inputs import Inputs
from workbench.core.method import Method, check_method
from workbench.core.model import Model
from workbench.core.target import Target
from workbench.errors import InputError


@dataclass(frozen=True, eq=False)
class Study:
    """Every model explained by every method, on the same rows, for the same targets.

    Args:
        models: at least one, with different names.
        methods: at least one.
        inputs: the rows.
        targets: at least one; each row's own prediction when left out.
    """

    models: tuple[Model, ...]
    methods: tuple[Method, ...]
    inputs: Inputs
    targets: tuple[Target, ...] = (Target.predicted(),)

    def __post_init__(self) -> None:
        for name in ("models", "methods", "targets"):
            items = tuple(getattr(self, name))
            object.__setattr__(self, name, items)
            if not items:
                raise InputError(f"A study needs at least one of its {name}; none was given.")
        for method in self.methods:
            check_method(method)
        names = [model.name for model in self.models]
        if len(set(names)) < len(names):
            raise InputError(f"The models of a study need different names, but are called {names}.")
        if len(self.inputs) == 0:
            raise InputError(
                "A study needs at least one row to explain, but the selection is empty."
            )

    def __len__(self) -> int:
        """How many attributions it makes: models x methods x targets."""
        return len(self.models) * len(self.methods) * len(self.targets)

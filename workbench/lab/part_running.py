"""One part of a drift study on its way: a method that turns out not to suit its model is left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from workbench.core import Attribution, Step, Target
from workbench.errors import IncompatibleError, InputError
from workbench.lab.parts import Part, unexplained
from workbench.study.run import steps as run_steps


class Running:
    """A part that runs, and what it leaves out.

    A model may offer what it cannot do, such as a gradient that proves wrong on the rows. Where it is not
    the reference, that ends neither the study nor the model's other methods.

    Args:
        part: what to run; afterwards `part` has only the methods that answered.

    Attributes:
        made: the finished attributions, one per method of `part`.
        notes: what was left out, and why.
    """

    def __init__(self, part: Part) -> None:
        self.part = part
        self.made: tuple[Attribution, ...] = ()
        self.notes: tuple[str, ...] = ()

    def steps(self, target: Target) -> Iterator[Step[tuple[Attribution, ...]]]:
        """The steps of its study, in thousandths of a method.

        Raises:
            IncompatibleError: a method does not suit the reference.
        """
        given = self.part
        total = 1000 * len(given.methods)
        names: list[str] = []
        finished: tuple[Attribution, ...] = ()
        reasons: list[str] = []
        first = 0
        while first < len(given.methods):
            now: tuple[Attribution, ...] = ()
            rest = replace(given, methods=given.methods[first:], names=given.names[first:])
            try:
                for step in run_steps(rest.study(target)):
                    now = step.result
                    yield Step(1000 * first + step.done, total, step.label, (*finished, *now))
            except (
                IncompatibleError,
                InputError,
            ) as error:  # such as a layer that only others have
                if given.role not in ("copy", "sibling", "random weights"):
                    raise
                reasons.append(str(error))
            finished += now
            names += given.names[first : first + len(now)]
            first += len(now) + 1
        kept = tuple(given.names.index(name) for name in names)
        self.part = replace(
            given, methods=tuple(given.methods[i] for i in kept), names=tuple(names)
        )
        self.made = finished
        name = given.model.name
        if reasons and not finished and given.role == "copy":
            self.notes = (unexplained(given.model, reasons),)
        else:
            self.notes = tuple(f"Left out for {name!r}: {reason}" for reason in reasons)

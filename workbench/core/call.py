"""`Call`: one question to a model, for any of its capabilities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, eq=False)
class Call:
    """A question to a model: calling it gives the answer.

    >>> call = Call("predict", ("rows",), ("scores",), len, (["a", "b"],))
    >>> call(), call.rows, call.taking(rows=lambda rows: rows[:1])()
    (2, 2, 1)

    Args:
        capability: the field name of the model's callable that is called.
        takes: the names of the arguments, in order. "rows" `(n, *f)`, "weights" `(t, n, k)`, "layer",
            "channels" `(n,)`;
            for perturbed copies of one row "row" `(*f)`, "fills" `(b, *f)`, "players" `(*f)`, "masks"
            `(s, p)` and "which" `(s,)`.
        gives: the names of the answer's parts. "scores" `(n, k)`, "gradients" `(t, n, *f)`, "maps"
            `(n, c, h, w)`, "map_gradients" `(t, n, c, h, w)`.
        answer: the callable that answers, or None in a call that has not been made yet.
        arguments: one for each of `takes`.
    """

    capability: str
    takes: tuple[str, ...]
    gives: tuple[str, ...]
    answer: Callable[..., Any] | None = None
    arguments: tuple[Any, ...] = ()

    def __call__(self) -> Any:
        """The model's answer."""
        return self.answer(*self.arguments)  # type: ignore[misc]

    def __getitem__(self, name: str) -> Any:
        """The argument of this name."""
        return self.arguments[self.takes.index(name)]

    @property
    def rows(self) -> int:
        """How many model rows it asks for."""
        return len(self["masks"] if "masks" in self.takes else self["rows"])

    @property
    def scores_alone(self) -> bool:
        """Whether the answer is scores and nothing else."""
        return self.gives == ("scores",)

    def to(self, model: object) -> Call:
        """The same question to another model."""
        return replace(self, answer=getattr(model, self.capability))

    def taking(self, **turned: Callable[[Any], Any]) -> Call:
        """The same question with some of its arguments replaced, where it has them."""
        pairs = zip(self.takes, self.arguments, strict=True)
        return replace(self, arguments=tuple(_turned(pairs, turned)))

    def giving(self, answer: Any, **turned: Callable[[Any], Any]) -> Any:
        """An answer to this call with some of its parts replaced, where it has them."""
        parts = _turned(zip(self.gives, self.parts(answer), strict=True), turned)
        return parts[0] if len(self.gives) == 1 else tuple(parts)

    def parts(self, answer: Any) -> tuple[Any, ...]:
        """The parts of an answer to this call, one for each of `gives`."""
        return (answer,) if len(self.gives) == 1 else tuple(answer)


Ask = Callable[[Call], Any]
"""A layer between the caller and the model: it takes a call and returns its answer."""


def _turned(pairs: Any, turned: Mapping[str, Callable[[Any], Any]]) -> list[Any]:
    return [turned[name](one) if name in turned else one for name, one in pairs]


_OF_ROWS = ("rows",)
_OF_COPIES = ("row", "fills", "players", "masks", "which")

CALLS: Mapping[str, Call] = MappingProxyType(
    {
        call.capability: call
        for call in (
            Call("predict", _OF_ROWS, ("scores",)),
            Call("gradient", ("rows", "weights"), ("scores", "gradients")),
            Call("activations", ("rows", "layer", "weights"), ("scores", "maps", "map_gradients")),
            Call("feature_maps", ("rows", "layer"), ("scores", "maps")),
            Call("ablated", ("rows", "layer", "channels"), ("scores",)),
            Call("deep_lift", ("rows", "fills", "weights"), ("scores", "gradients")),
            Call("attention", _OF_ROWS, ("attention",)),
            Call("masked", _OF_COPIES, ("scores",)),
            Call("masked_half", _OF_COPIES, ("scores",)),
        )
    }
)
"""A call for each capability that answers for rows, by its field name; `Model.through` wraps these."""

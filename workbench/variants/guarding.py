"""A member whose failures say which one it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from workbench.core import Model
from workbench.errors import ModelError
from workbench.models.failures import failures


class MemberFailedError(ModelError):
    """Which member could not answer; caught where the ensemble is explained.

    Args:
        number: the member's.
        reason: in words.
        asked_for_scores: whether it was asked for scores, and not for gradients or activations.
    """

    def __init__(self, number: int, reason: str, *, asked_for_scores: bool) -> None:
        super().__init__(reason)
        self.number = number
        self.asked_for_scores = asked_for_scores


def guarded(member: Model, number: int) -> Model:
    """The same member, which raises `MemberFailedError` where it cannot answer."""

    def safely(call: Callable[..., Any] | None, copies: int | None) -> Any:
        """`copies` is the place of the argument with an entry per score, or None for gradients."""
        if call is None:
            return None

        def watched(*arguments: Any) -> Any:
            try:
                answer = call(*arguments)
                if copies is not None:
                    return member.checked(answer, len(arguments[copies]))
                for one in answer:
                    if not np.isfinite(one).all():
                        raise ModelError("Its gradients or activations are not finite.")
            except failures() as error:
                said = str(error).strip() or type(error).__name__
                said += "" if said.endswith((".", "!", "?")) else "."
                raise MemberFailedError(
                    number,
                    f"Member {member.name!r} failed: {said}",
                    asked_for_scores=copies is not None,
                ) from error
            return answer

        return watched

    return replace(
        member,
        predict=safely(member.predict, 0),
        gradient=safely(member.gradient, None),
        activations=safely(member.activations, None),
        masked=safely(member.masked, 3),
        masked_half=safely(member.masked_half, 3),
    )

"""A member whose errors carry its name."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.core import Call, Model
from workbench.errors import ModelError
from workbench.models.asking import failures


class MemberFailedError(ModelError):
    """Names the member that could not answer; caught where the ensemble is explained.

    Args:
        number: the number of the member.
        reason: in words.
        asked_for_scores: whether scores were computed, and not gradients or activations.
    """

    def __init__(self, number: int, reason: str, *, asked_for_scores: bool) -> None:
        super().__init__(reason)
        self.number = number
        self.asked_for_scores = asked_for_scores


def guarded(member: Model, number: int) -> Model:
    """The same member, which raises `MemberFailedError` where it cannot answer."""

    def watched(call: Call) -> Any:
        try:
            answer = call()
            if call.scores_alone:
                return member.checked(answer, call.rows)
            if not all(np.isfinite(one).all() for one in call.parts(answer)):
                raise ModelError("Its gradients or activations are not finite.")
        except failures() as error:
            why = str(error).strip() or type(error).__name__
            why += "" if why.endswith((".", "!", "?")) else "."
            raise MemberFailedError(
                number,
                f"Member {member.name!r} failed: {why}",
                asked_for_scores=call.scores_alone,
            ) from error
        return answer

    return member.through(watched)

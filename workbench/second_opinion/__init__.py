"""An explanation run again with another library: how far apart the two are, and why.

`check` chooses referees and asks them, `by_shap`, `by_lime` and `by_captum` know how each library is asked
the same question, `opinion` holds the two side by side and judges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.doors import open_door

if TYPE_CHECKING:
    from workbench.second_opinion.check import cross_check
    from workbench.second_opinion.opinion import SecondOpinion
else:
    open_door(__name__)

__all__ = ["SecondOpinion", "cross_check"]

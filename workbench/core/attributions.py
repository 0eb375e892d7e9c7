"""`Attributions`: one attribution per output of a model, from one pass, as one object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.core.attribution import Attribution
from workbench.core.shap_explanation import shap_explanation

if TYPE_CHECKING:
    import pandas


class Attributions(tuple[Attribution, ...]):
    """A tuple of attributions of the same rows by one pass, one per output, with their arrays stacked.

    >>> import workbench as wb
    >>> net = wb.Model("net", lambda rows: rows @ [[2.0, 0.0], [0.0, 3.0]], ("cat", "dog"), "logit")
    >>> rows = wb.Inputs([[1.0, 1.0]], kind="tabular", background=[[0.0, 0.0]])
    >>> every = wb.explain(net, rows, "exact shapley", "all")
    >>> every.outputs, every.values.shape, every[1].values
    (('cat', 'dog'), (2, 1, 2), array([[0., 3.]]))
    """

    __slots__ = ()

    @property
    def outputs(self) -> tuple[str, ...]:
        """The explained outputs' names, one per attribution."""
        return tuple(one.explained[0] for one in self)

    @property
    def values(self) -> NDArray[np.float64]:
        """Values `(t, n, *f)`, in the order of the outputs."""
        return np.stack([one.values for one in self])

    @property
    def output(self) -> NDArray[np.float64]:
        """The explained numbers `(t, n)`."""
        return np.stack([one.output for one in self])

    @property
    def base(self) -> NDArray[np.float64]:
        """What the values are counted from `(t, n)`."""
        return np.stack([one.base for one in self])

    def to_frame(self) -> pandas.DataFrame:
        """The tidy rows of all, as `Attribution.to_frame` gives them; `explained` tells them apart."""
        import pandas as pd

        return pd.concat([one.to_frame() for one in self], ignore_index=True)

    def to_shap(self) -> Any:
        """A `shap.Explanation` of all outputs, values `(n, p, t)`: see `Attribution.to_shap`.

        Raises:
            MissingDependency: shap is not installed.
        """
        return shap_explanation(self)

    def __repr__(self) -> str:
        return f"Attributions({', '.join(map(repr, self.outputs[:10]))}: {self[0]!r})"

    def _repr_html_(self) -> str:
        return "".join(one._repr_html_() for one in self)

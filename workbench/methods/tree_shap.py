"""TreeSHAP: exact Shapley values of sums of decision trees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from workbench.coalitions.ledger import average
from workbench.core import (
    Doc,
    Estimate,
    Inputs,
    Model,
    Progress,
    Target,
    Tree,
    Trees,
    check_parameters,
    resolve_targets,
)
from workbench.errors import IncompatibleError, InputError

_CHUNK_SECONDS_WORK = 2_000_000  # leaf visits between two signs of life: a fraction of a second


@dataclass(frozen=True)
class TreeSHAP:
    """Exact Shapley values of a tree model, in one of two games.

    - "interventional": absent features come from the background rows, as in every other method here;
    - "path_dependent": absent features follow both branches in proportion to the training rows that
      did. It needs no background, and gives credit to features that only correlate with what is used.

    The two answer different questions and must not be mixed.

    Source: Lundberg et al. (2020), algorithms 2 and 3; computed by the shap library.
    """

    variant: Annotated[
        Literal["interventional", "path_dependent"],
        Doc("where an absent feature's value comes from"),
    ] = "interventional"

    needs: ClassVar[tuple[str, ...]] = ("trees",)
    kinds: ClassVar = ("tabular",)
    additive: ClassVar[bool] = True
    source: ClassVar[str] = "Lundberg et al. 2020"
    order: ClassVar[int] = 0

    def __post_init__(self) -> None:
        check_parameters(self)

    def lacks(self, inputs: Inputs) -> str | None:
        """Why these rows cannot be explained with this recipe."""
        if self.variant == "path_dependent" or inputs.background is not None:
            return None
        return (
            f"needs background rows for variant='interventional', but {inputs.name!r} has none. Add them "
            "with inputs.with_background(rows), or choose variant='path_dependent'."
        )

    def attribute(
        self, model: Model, inputs: Inputs, targets: Sequence[Target], /
    ) -> Iterator[Progress]:
        """Yield progress per chunk of rows."""
        if model.trees is None:
            raise IncompatibleError(f"TreeSHAP needs trees, but model {model.name!r} has none.")
        if reason := self.lacks(inputs):
            raise InputError(f"TreeSHAP {reason}")
        trees = model.trees()
        scores, weights = resolve_targets(model, inputs, targets)
        output = np.einsum("tnk,nk->tn", weights, scores)
        values = np.full((len(targets), *inputs.values.shape), np.nan)
        base = np.full(output.shape, np.nan)
        background = inputs.background if self.variant == "interventional" else None
        cuts = _cuts(trees, inputs.values.shape[1])
        explainer = _explainer(trees, cuts, background)
        # shap's own expected value trusts what inner nodes say, or rounds to single precision.
        expected = trees.expected() if background is None else average(model.scores(background))
        leaves = sum(int((tree.left < 0).sum()) for tree in trees.trees)
        visits = leaves * (1 if background is None else len(background))
        chunk = max(1, _CHUNK_SECONDS_WORK // max(visits, 1))

        def estimate() -> Estimate:
            players, names = inputs.players()
            grouped = len(names) < len(players)
            return Estimate(
                values=values.copy(),
                output=output,
                base=base.copy(),
                players=players if grouped else None,
                player_names=names if grouped else (),
                notes=_notes(grouped=grouped),
            )

        for start in range(0, len(inputs), chunk):
            part = slice(start, min(start + chunk, len(inputs)))
            rows = _ranked(inputs.values[part], cuts, trees)
            credit = np.asarray(explainer.shap_values(rows, check_additivity=False))
            credit = credit.reshape(*rows.shape, -1)
            values[:, part] = np.einsum("tnk,nfk->tnf", weights[:, part], credit)
            base[:, part] = np.einsum("tnk,k->tn", weights[:, part], expected)
            yield Progress(part.stop, len(inputs), estimate)


def _notes(*, grouped: bool) -> tuple[str, ...]:
    if not grouped:
        return ()
    return ("The credit of a group is the sum of its columns' credit: columns played, not groups.",)


def _cuts(trees: Trees, features: int) -> list[NDArray[np.float64]]:
    """Every column's distinct thresholds, ascending."""
    cuts: list[list[NDArray[np.float64]]] = [[] for _ in range(features)]
    for tree in trees.trees:
        inner = tree.left >= 0
        for feature in np.unique(tree.feature[inner]):
            cuts[feature].append(tree.threshold[inner & (tree.feature == feature)])
    return [np.unique(np.concatenate(own)) if own else np.empty(0) for own in cuts]


def _ranked(
    rows: NDArray[Any], cuts: list[NDArray[np.float64]], trees: Trees
) -> NDArray[np.float64]:
    """Each value replaced by how many thresholds lie below it; missing values stay missing.

    Trees only ask `value <= threshold`, so ranks say all they can see. shap compares background rows
    in single precision and sends a value that equals its threshold the wrong way; ranks are exact.
    """
    values = np.asarray(rows).astype(trees.dtype).astype(np.float64)
    ranks = np.empty(values.shape)
    for j, cut in enumerate(cuts):
        ranks[:, j] = np.searchsorted(cut, values[:, j], side="left")
    ranks[np.isnan(values)] = np.nan
    return ranks


def _explainer(trees: Trees, cuts: list[NDArray[np.float64]], background: Any) -> Any:
    """shap's explainer over our arrays, with the whole background (shap keeps 100 rows by itself)."""
    import shap

    # Copies: shap writes its own node weights into the arrays it is given, even a live model's.
    copies = [
        {
            "children_left": np.array(tree.left, dtype=np.int32),
            "children_right": np.array(tree.right, dtype=np.int32),
            "children_default": np.where(tree.missing_left, tree.left, tree.right).astype(np.int32),
            "features": np.array(tree.feature, dtype=np.int32),
            "thresholds": _threshold_ranks(tree, cuts),
            "values": np.array(tree.values, dtype=np.float64),
            "node_sample_weight": np.array(tree.cover, dtype=np.float64),
        }
        for tree in trees.trees
    ]
    model = {
        "trees": copies,
        "base_offset": trees.offset if len(trees.offset) > 1 else float(trees.offset[0]),
        "input_dtype": np.float64,
        "internal_dtype": np.float64,
        "tree_output": "raw_value",
        "objective": None,
    }
    if background is None:
        return shap.TreeExplainer(model, feature_perturbation="tree_path_dependent")
    masker = shap.maskers.Independent(_ranked(background, cuts, trees), max_samples=len(background))
    return shap.TreeExplainer(model, masker, feature_perturbation="interventional")


def _threshold_ranks(tree: Tree, cuts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Thresholds between the ranks on either side of them, so that no rounding can cross one."""
    ranks = np.zeros(len(tree.left))
    for node in np.flatnonzero(tree.left >= 0):
        ranks[node] = np.searchsorted(cuts[tree.feature[node]], tree.threshold[node]) + 0.5
    return ranks

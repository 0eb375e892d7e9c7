"""An ensemble as a member: once read or converted anew, it is explained as what it then is."""

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

import workbench as wb
from workbench import ensembles, methods
from workbench.core import Inputs, Model
from workbench.errors import IncompatibleError

RNG = np.random.default_rng(6)
ROWS = RNG.normal(size=(80, 4))
TWO = (ROWS[:, 0] - ROWS[:, 1] > 0).astype(int)


def logit(name, column, factor):
    return Model(name, lambda rows: factor * rows[:, [column]], ("yes",), "logit")


def constant():
    return Model(
        "constant",
        lambda rows: np.tile([0.4, 0.6], (len(rows), 1)),
        ("no", "yes"),
        "probability",
    )


def explained_alone(member, inputs, target=None):
    """The member's own explanation, after checking that it is about the member's own scores."""
    result = wb.explain(member, inputs, methods.ExactShapley(), target or wb.Target(0))
    said = member.scores(inputs.values)
    np.testing.assert_allclose(
        result.output, said[:, result.target.index], atol=1e-15
    )  # asked once
    np.testing.assert_allclose(result.gap, 0.0, atol=1e-12)  # sums of up to 16 coalitions
    assert result.scale == member.scale
    return result


def test_an_ensemble_that_reads_other_columns_is_explained_on_those():
    turned = [
        Model(
            name,
            lambda rows, f=factor: 10.0 * rows[:, :1] + f * rows[:, 1:],
            ("y",),
            "raw",
            kind="tabular",
            features=("b", "a"),
        )
        for name, factor in (("p", 0.0), ("q", 1.0))
    ]
    wide = Model("wide", lambda rows: rows[:, :1], ("y",), "raw", features=("a", "b"))
    outer = ensembles.vote([wide, ensembles.vote(turned, name="inner")])
    inputs = Inputs([[1.0, 2.0]], kind="tabular", features=("a", "b"), background=np.zeros((1, 2)))
    whole = wb.explain(outer, inputs, methods.ExactShapley())
    alone = explained_alone(outer.combination.members[1], inputs)
    np.testing.assert_allclose(alone.values, [[0.5, 20.0]], atol=1e-12)  # 10 b + a / 2
    np.testing.assert_allclose(whole.parts[1].values, alone.values, atol=1e-12)  # the same sums


@pytest.mark.parametrize("how", ["soft", "hard"])
def test_an_ensemble_of_logits_that_became_probabilities_or_votes_is_explained_in_those(how):
    inner = ensembles.vote([logit("a", 0, 1.0), logit("b", 1, 3.0)], name="inner")
    space = "probability" if how == "soft" else None
    outer = ensembles.vote([inner, constant()], how=how, space=space)
    member = outer.combination.members[0]
    inputs = Inputs([[1.0, 2.0]], kind="tabular", background=np.zeros((1, 2)))
    alone = explained_alone(member, inputs, wb.Target(1))
    p = 1 / (1 + np.exp(-3.5)) if how == "soft" else 1.0
    np.testing.assert_allclose(alone.output, [p], atol=1e-15)  # one logistic function
    with pytest.raises(IncompatibleError, match="Taken apart are"):
        ensembles.unpack(member)  # what it was made of says something else


def test_a_voter_is_not_judged_by_the_estimator_that_gives_probabilities():
    trees = [
        wb.wrap(DecisionTreeClassifier(max_depth=d, random_state=0).fit(ROWS, TWO), name=f"d{d}")
        for d in (2, 3)
    ]
    inputs = Inputs(ROWS[:3], kind="tabular", background=ROWS[40:46])
    voters = ensembles.vote(trees, how="hard")
    result = wb.explain(
        voters, inputs, methods.TreeSHAP(feature_perturbation="interventional"), wb.Target(1)
    )
    assert wb.cross_check(result.parts[1]).agrees
    forest = wb.wrap(RandomForestClassifier(3, random_state=0).fit(ROWS, TWO), name="forest")
    voter = ensembles.vote([forest, *trees], how="hard").combination.members[0]
    with pytest.raises(IncompatibleError, match="Taken apart are"):
        ensembles.unpack(voter)


def test_a_round_of_boosting_is_not_the_whole_model():
    fitted = GradientBoostingClassifier(n_estimators=3, random_state=0).fit(ROWS, TWO)
    first = ensembles.unpack(fitted).combination.members[0]
    assert first.native is None
    inputs = Inputs(ROWS[:3], kind="tabular", background=ROWS[40:46])
    result = wb.explain(first, inputs, methods.TreeSHAP(feature_perturbation="interventional"))
    assert wb.cross_check(result).agrees

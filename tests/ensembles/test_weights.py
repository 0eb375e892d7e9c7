"""Weights from held-out rows: optimal where that is promised, greedy as published, and shown in a table."""

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss

import workbench as wb
from workbench import ensembles
from workbench.core import Inputs, Model
from workbench.ensembles.weighing import greedy, least_log_loss
from workbench.errors import InputError, ModelError

RNG = np.random.default_rng(9)
ROWS = RNG.normal(size=(400, 4))
CLASSES = np.digitize(ROWS[:, 0] + ROWS[:, 1] * ROWS[:, 2] + RNG.normal(size=400) / 2, [-0.5, 0.5])
NAMES = ["low", "mid", "top"]


def held_out(classes=CLASSES) -> Inputs:
    return Inputs(ROWS[200:], kind="tabular", features=tuple("abcd"), y=classes[200:])


def members():
    made = {
        "forest": RandomForestClassifier(20, max_depth=4, random_state=0),
        "boosting": GradientBoostingClassifier(n_estimators=10, random_state=0),
        "logistic": LogisticRegression(),
    }
    trained = [
        wb.wrap(e.fit(ROWS[:200], CLASSES[:200]), name=n, outputs=NAMES) for n, e in made.items()
    ]
    noise = np.random.default_rng(0).dirichlet([1, 1, 1], size=10_000)
    guess = Model("guess", lambda rows: noise[: len(rows)], ("top", "low", "mid"), "probability")
    return [*trained, guess]


def test_no_weights_on_the_simplex_have_a_smaller_log_loss():
    of_true = RNG.uniform(0.05, 0.95, size=(4, 300))
    best = least_log_loss(of_true)
    assert best.min() >= 0
    np.testing.assert_allclose(best.sum(), 1.0, atol=1e-12)  # it was divided by its sum
    # The first-order conditions of a convex problem: no member's mean gain is above one.
    gain = (of_true / (best @ of_true)).mean(axis=1)
    assert gain.max() <= 1 + 1e-5
    np.testing.assert_allclose(gain[best > 1e-6], 1.0, atol=1e-4)  # and those with a say have one
    for other in RNG.dirichlet(np.ones(4), size=500):
        assert -np.log(best @ of_true).mean() <= -np.log(other @ of_true).mean() + 1e-9


def test_fifty_members_of_whom_one_is_perfect_get_no_weight_but_that_one():
    of_true = RNG.uniform(0.05, 0.9, size=(50, 200))
    of_true[17] = 0.999
    np.testing.assert_allclose(least_log_loss(of_true), np.eye(50)[17], atol=1e-6)  # a corner
    np.testing.assert_array_equal(greedy(of_true), np.eye(50)[17])


def test_a_search_that_ends_too_early_is_not_believed(monkeypatch):
    import scipy.optimize

    stuck = scipy.optimize.OptimizeResult(x=np.array([0.5, 0.5]))
    monkeypatch.setattr(scipy.optimize, "minimize", lambda *_, **__: stuck)
    with pytest.raises(ModelError, match="more of one member would still help"):
        least_log_loss(np.array([[0.9, 0.9], [0.1, 0.1]]))


def test_a_member_with_its_classes_in_another_order_is_worth_the_same():
    forest = members()[0]
    turned = Model(
        "turned",
        lambda rows: forest.predict(rows)[:, [2, 0, 1]],
        ("top", "low", "mid"),
        "probability",
    )
    frame = ensembles.weigh([forest, turned], held_out()).to_frame().set_index("name")
    assert frame.log_loss["turned"] == frame.log_loss["forest"]
    assert frame.accuracy["turned"] == frame.accuracy["forest"]


def test_greedy_selection_picks_with_replacement_as_written():
    of_true = RNG.uniform(0.05, 0.95, size=(3, 40))
    picked: list[int] = []
    for _ in range(7):  # Caruana et al. 2004, line by line
        losses = [
            -np.mean(
                [np.log(np.mean([of_true[m][row] for m in [*picked, new]])) for row in range(40)]
            )
            for new in range(3)
        ]
        picked.append(int(np.argmin(losses)))
    wanted = np.bincount(picked, minlength=3) / 7
    np.testing.assert_allclose(greedy(of_true, rounds=7), wanted, atol=1e-12)  # sevenths
    assert len(set(picked)) > 1


def test_the_table_holds_every_member_and_every_way_with_their_scores():
    weighing = ensembles.weigh(members(), held_out())
    frame = weighing.to_frame().set_index(["kind", "name"])
    assert len(frame) == 4 + 4
    for model in members()[:1] + members()[2:3]:
        p = model.scores(ROWS[200:])
        line = frame.loc["member", model.name]
        np.testing.assert_allclose(
            line.log_loss, log_loss(CLASSES[200:], p), rtol=1e-9
        )  # the same sum
        assert line.accuracy == accuracy_score(CLASSES[200:], p.argmax(axis=1))
    losses = frame.loc["ensemble"].log_loss
    assert losses["log loss"] == losses.min()
    assert losses["log loss"] <= frame.loc["member"].log_loss.min()
    # In proportion to accuracy is close to uniform: the finding, here within a tenth in each.
    assert np.abs(weighing.ways["accuracy"] - weighing.ways["uniform"]).max() < 0.1
    assert abs(losses["accuracy"] - losses["uniform"]) < abs(losses["log loss"] - losses["uniform"])
    vote = ensembles.vote(members(), weighing.weights, space="probability")
    np.testing.assert_allclose(
        log_loss(CLASSES[200:], vote.scores(ROWS[200:])), losses["log loss"], rtol=1e-9
    )  # the same mixture
    shown = weighing._repr_html_()
    assert "log loss" in shown
    assert "guess" in shown


def test_a_guessing_member_gets_hardly_any_weight():
    for by in ("log loss", "greedy"):
        weighing = ensembles.weigh(members(), held_out(), by=by)
        assert weighing.weights[3] < 0.1
        assert weighing.by == by


def test_classes_may_be_names():
    names = np.array(NAMES)[CLASSES]
    by_name = ensembles.weigh(members(), held_out(names)).weights
    np.testing.assert_array_equal(by_name, ensembles.weigh(members(), held_out()).weights)


def test_rows_that_tell_nothing_are_refused():
    with pytest.raises(InputError, match="has none"):
        ensembles.weigh(members(), Inputs(ROWS, kind="tabular"))
    with pytest.raises(InputError, match=r"row 0 has 'huge'"):
        ensembles.weigh(members(), held_out(np.full(400, "huge")))
    with pytest.raises(InputError, match="row 0 has 7"):
        ensembles.weigh(members(), held_out(np.full(400, 7)))
    with pytest.raises(InputError, match="weigh needs by="):
        ensembles.weigh(members(), held_out(), by="luck")


def test_hostile_names_are_harmless_in_the_table():
    odd = members()[0].renamed("<b onclick=x>")
    assert "<b onclick" not in ensembles.weigh([odd], held_out())._repr_html_()


def test_hostile_names_are_cleaned_wherever_weights_are_shown():
    bad = "\x1b[31m<b>\u202e\n"
    models = [
        *members()[:1],
        Model(bad, members()[-1].predict, ("top", "low", "mid"), "probability"),
    ]
    found = ensembles.weigh(models, held_out())
    assert "[31m<b>" in repr(found)
    assert not {"\x1b", "\u202e", "\n"} & set(repr(found))
    assert "<b>\u202e" not in found._repr_html_()

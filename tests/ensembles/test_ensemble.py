"""Ensembles built from trained models: members matched by name, weights checked, units never mixed."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression

import workbench as wb
from tests.models_in_numpy import tanh_network
from workbench import ensembles, methods
from workbench.core import Inputs, Model
from workbench.errors import IncompatibleError, InputError, ModelError

RNG = np.random.default_rng(4)
ROWS = RNG.normal(size=(160, 4))
TWO = np.where(ROWS[:, 0] - ROWS[:, 1] * ROWS[:, 2] > 0, "yes", "no")


def table(names="abcd", values=ROWS[:3], background=ROWS[90:96]) -> Inputs:
    return Inputs(values, kind="tabular", features=tuple(names), background=background)


def one(name, columns="abcd", outputs=("no", "yes"), scale="probability", weight=1.0):
    """A model of two outputs that reads named columns, each with its own weight."""
    factors = weight * (1.0 + np.arange(len(columns)))

    def predict(rows):
        assert rows.shape[1] == len(columns)
        p = 1 / (1 + np.exp(-(rows @ factors)))
        return np.stack([1 - p, p], axis=1)[:, : len(outputs)]

    return Model(name, predict, outputs, scale, kind="tabular", features=tuple(columns))


def test_columns_in_another_order_and_some_of_them_are_found_by_name():
    whole, turned, some = one("whole"), one("turned", "dcba"), one("some", "ca")
    ensemble = ensembles.vote([whole, turned, some])
    wanted = sum(
        model.predict(ROWS[:, ["abcd".index(c) for c in model.features]]) / 3
        for model in (whole, turned, some)
    )
    np.testing.assert_allclose(ensemble.scores(ROWS), wanted, atol=1e-15)  # three terms
    assert ensemble.features == tuple("abcd")
    assert any("'some' reads 2 of the 4 columns" in note for note in ensemble.notes)


def test_a_member_on_some_columns_gives_the_others_nothing_by_every_capability():
    narrow = tanh_network(features=2)
    narrow = replace(narrow, features=("d", "b"), name="narrow")
    wide = replace(tanh_network(features=4, seed=1), features=tuple("abcd"), name="wide")
    ensemble = ensembles.vote([wide, narrow])
    exact = wb.explain(ensemble, table(), methods.ExactShapley(), wb.Target("a"))
    lines = wb.explain(ensemble, table(), methods.IntegratedGradients(steps=64), wb.Target("a"))
    for result in (exact, lines):
        np.testing.assert_allclose(result.parts[1].values[:, [0, 2]], 0.0, atol=1e-15)  # unread
        assert (np.abs(result.parts[1].values[:, [1, 3]]) > 1e-6).all()
    np.testing.assert_allclose(lines.gap, 0.0, atol=1e-9)  # 64 nodes on a smooth function
    own = table(("d", "b"), ROWS[:3][:, [3, 1]], ROWS[90:96][:, [3, 1]])
    alone = wb.explain(narrow, own, methods.ExactShapley(), wb.Target("a"))
    np.testing.assert_allclose(exact.parts[1].values[:, [3, 1]], alone.values, atol=1e-12)  # sums


def test_a_network_on_some_columns_fills_them_on_its_own_device():
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(2, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2))
    rows = Inputs(ROWS[:1, :2], kind="tabular", features=("d", "b"))
    network = wb.wrap(module, name="network", outputs=["no", "yes"], scale="logit", like=rows)
    plain = replace(network, masked=None, name="plain")
    wide = replace(
        tanh_network(features=4, outputs=2),
        name="wide",
        features=tuple("abcd"),
        outputs=("no", "yes"),
    )
    ensemble = ensembles.vote([network, plain, wide])
    result = wb.explain(ensemble, table(), methods.ExactShapley(), wb.Target("yes"))
    np.testing.assert_allclose(result.parts[0].values, result.parts[1].values, atol=1e-6)  # float32
    assert np.abs(result.parts[0].values[:, [3, 1]]).min() > 1e-4


def test_columns_that_nobody_has_are_named():
    with pytest.raises(InputError, match=r"'odd' reads \['dose'\], which 'whole' does not have"):
        ensembles.vote([one("whole"), one("odd", ("a", "dose"))])
    with pytest.raises(InputError, match=r"Missing: \['c', 'd'\]"):
        ensembles.vote([one("whole")], like=table("ab", ROWS[:3, :2], None))
    both = table(("a", "b", "c", "d", "dose"), np.zeros((2, 5)), None)
    assert (
        ensembles.vote([one("whole"), one("odd", ("a", "dose"))], like=both).features[4] == "dose"
    )


def test_members_without_names_must_read_all_columns():
    bare = replace(one("bare"), features=(), shape=(3,))
    with pytest.raises(InputError, match="'bare' does not name its columns"):
        ensembles.vote([one("whole"), bare])
    fits = ensembles.vote([one("whole"), replace(bare, shape=(4,))])
    assert any("read them in the given order: ['bare']" in note for note in fits.notes)


def test_images_of_other_sizes_and_rows_of_other_kinds_are_refused():
    def images(name, side):
        return Model(name, np.mean, ("y",), "raw", kind="image", shape=(side, None, 3))

    with pytest.raises(InputError, match="must read the same rows"):
        ensembles.vote([images("small", 8), images("large", 16)])
    assert ensembles.vote([images("a", 8), images("b", None)]).shape == (8, None, 3)
    with pytest.raises(IncompatibleError, match="rows of one kind"):
        ensembles.vote([images("small", 8), one("table")])


def test_classes_in_another_order_are_matched_and_other_classes_are_named():
    turned = one("turned", outputs=("yes", "no"))
    ensemble = ensembles.vote([one("straight"), turned])
    wanted = (one("x").predict(ROWS) + turned.predict(ROWS)[:, ::-1]) / 2
    np.testing.assert_allclose(ensemble.scores(ROWS), wanted, atol=1e-15)  # two terms
    result = wb.explain(ensemble, table(), methods.ExactShapley(), wb.Target("yes"))
    opposite = result.parts[1].values + result.parts[0].values
    np.testing.assert_allclose(opposite, 0.0, atol=1e-12)  # the two speak against each other
    with pytest.raises(InputError, match=r"it lacks \['yes'\] and has \['maybe'\]"):
        ensembles.vote([one("straight"), one("other", outputs=("no", "maybe"))])


def test_logits_and_probabilities_are_mixed_only_when_asked_and_converted_exactly():
    logistic = LogisticRegression().fit(ROWS, TWO)
    boosting = GradientBoostingClassifier(n_estimators=5, random_state=0).fit(ROWS, TWO)
    members = [wb.wrap(logistic, name="logistic"), wb.wrap(boosting, name="boosting")]
    with pytest.raises(IncompatibleError, match="'logistic' in probability, 'boosting' in logit"):
        ensembles.vote(members)
    probable = ensembles.vote(members, space="probability")
    wanted = (logistic.predict_proba(ROWS) + boosting.predict_proba(ROWS)) / 2
    np.testing.assert_allclose(probable.scores(ROWS), wanted, atol=1e-12)  # one logistic function
    assert probable.outputs == ("no", "yes")
    assert any("from logit into probability by the logistic" in n for n in probable.notes)
    margins = ensembles.vote(members, space="logit")
    wanted = (logistic.decision_function(ROWS) + boosting.decision_function(ROWS)) / 2
    np.testing.assert_allclose(margins.scores(ROWS)[:, 0], wanted, atol=1e-9)  # log of 1 - p
    assert margins.outputs == ("yes",)
    assert members[1].trees is not None
    assert ensembles.vote([members[1]], space="probability").trees is None  # they add up in logits


def test_softmax_and_its_inverse_keep_probabilities_and_their_gradients():
    network = tanh_network(features=4)
    converted = ensembles.vote([network], space="probability")
    logits = network.predict(ROWS)
    powers = np.exp(logits)
    wanted = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(converted.scores(ROWS), wanted, atol=1e-12)  # one softmax
    back = ensembles.vote([converted], space="logit")
    differences = np.diff(back.scores(ROWS), axis=1)
    np.testing.assert_allclose(differences, np.diff(logits, axis=1), atol=1e-9)  # up to a constant
    one_logit = ensembles.vote([tanh_network(features=4, outputs=1)], space="probability")
    assert one_logit.outputs == ("not a", "a")
    for model in (converted, back, one_logit, ensembles.vote([one_logit], space="logit")):
        weights = RNG.normal(size=(2, 3, len(model.outputs)))
        _, gradients = model.gradient(ROWS[:3], weights)
        for j in range(4):
            step = 1e-5 * np.eye(4)[j]
            slope = (model.predict(ROWS[:3] + step) - model.predict(ROWS[:3] - step)) / 2e-5
            numeric = np.einsum("tnk,nk->tn", weights, slope)
            np.testing.assert_allclose(gradients[:, :, j], numeric, atol=1e-7)  # steps of 1e-5


def test_one_logit_and_two_are_one_log_odds():
    torch.manual_seed(0)
    module = torch.nn.Linear(4, 2).double()
    two = wb.wrap(module, name="network", outputs=["no", "yes"], scale="logit", kind="tabular")
    boosting = GradientBoostingClassifier(n_estimators=3, random_state=0).fit(ROWS, TWO)
    ensemble = ensembles.vote([two, wb.wrap(boosting, name="boosting")])
    said = module(torch.as_tensor(ROWS)).detach().numpy()
    wanted = (said[:, 1] - said[:, 0] + boosting.decision_function(ROWS)) / 2
    np.testing.assert_allclose(ensemble.scores(ROWS)[:, 0], wanted, atol=1e-6)  # float32 rows


def test_log_odds_per_class_of_many_are_not_taken_for_softmax_inputs():
    many = np.array(["a", "b", "c"])[np.digitize(ROWS[:, 0], [-0.5, 0.5])]
    smooth = LogisticRegression().fit(ROWS, many)
    forest = RandomForestClassifier(3, random_state=0).fit(ROWS, many)
    fine = ensembles.vote([wb.wrap(smooth, scale="logit")], space="probability")
    np.testing.assert_allclose(fine.scores(ROWS), smooth.predict_proba(ROWS), atol=1e-12)  # softmax
    wrapped = replace(wb.wrap(forest), scale="logit")
    with pytest.raises(IncompatibleError, match="Wrap it with scale='probability'"):
        ensembles.vote([wrapped], space="probability")


def test_certain_probabilities_have_no_logit_and_the_member_is_named():
    sure = Model(
        "sure", lambda rows: np.tile([0.0, 1.0], (len(rows), 1)), ("a", "b"), "probability"
    )
    with pytest.raises(ModelError, match="member 'sure' gave"):
        ensembles.vote([sure], space="logit").scores(ROWS)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, -1], r"not be negative, but those of 'b' \(-1\) are"),
        ([0, 0], "all are zero"),
        ([1], "one finite number for each of 2 members"),
        ([1, np.nan], "one finite number"),
        (["x", "y"], "one finite number"),
        ({"a": 1, "c": 2}, r"lack \['b'\] and name \['c'\]"),
    ],
)
def test_weights_that_are_no_weights_are_refused(weights, message):
    with pytest.raises(InputError, match=message):
        ensembles.vote([one("a"), one("b")], weights)


def test_weights_are_made_to_sum_to_one_and_a_zero_is_shown():
    ensemble = ensembles.vote([one("a"), one("b")], {"b": 0, "a": 4})
    np.testing.assert_array_equal(ensemble.combination.weights, [1, 0])
    assert "The weights were divided by their sum, 4." in ensemble.notes
    assert any("no say: ['b']" in note for note in ensemble.notes)
    result = wb.explain(ensemble, table(), methods.ExactShapley())
    np.testing.assert_allclose(result.values, result.parts[0].values, atol=1e-15)  # times one
    assert np.abs(result.parts[1].values).max() > 0.01


def test_names_must_differ_and_there_must_be_a_member():
    with pytest.raises(InputError, match="'twin'"):
        ensembles.vote([one("twin"), one("twin")])
    with pytest.raises(InputError, match="at least one member"):
        ensembles.vote([])
    with pytest.raises(InputError, match="how="):
        ensembles.vote([one("a")], how="loud")
    with pytest.raises(InputError, match="Leave space out"):
        ensembles.vote([one("a")], how="hard", space="logit")


def test_outputs_of_one_name_are_not_added_up():
    with pytest.raises(InputError, match=r"'b' has \['yes'\] more than once"):
        ensembles.vote([one("a"), one("b", outputs=("yes", "yes"))])


def test_one_member_is_itself_and_fifty_are_their_mean():
    alone = ensembles.vote([one("only")])
    np.testing.assert_array_equal(alone.scores(ROWS), one("only").predict(ROWS))
    fifty = ensembles.vote([one(f"m{j}", weight=j / 50) for j in range(50)])
    result = wb.explain(fifty, table(), methods.ExactShapley(), wb.Target("yes"))
    mean = np.mean([part.values for part in result.parts], axis=0)
    np.testing.assert_allclose(result.values, mean, atol=1e-14)  # fifty terms
    np.testing.assert_allclose(result.gap, 0.0, atol=1e-12)  # sixteen coalitions


def test_hostile_names_are_harmless_wherever_they_show():
    bad = "<script>alert(1)</script>\u202e"
    ensemble = ensembles.vote([one(bad), one("b")], name=bad)
    result = wb.explain(ensemble, table(), methods.ExactShapley())
    assert "<script>" not in result._repr_html_()
    assert result.parts[0].model == bad


def test_hard_votes_of_one_logit_and_of_probabilities_are_counted_together():
    boosting = GradientBoostingClassifier(n_estimators=4, random_state=0).fit(ROWS, TWO)
    forest = RandomForestClassifier(5, max_depth=3, random_state=0).fit(ROWS, TWO)
    members = [wb.wrap(boosting, name="boosting"), wb.wrap(forest, name="forest")]
    ensemble = ensembles.vote(members, [1, 3], how="hard")
    said = np.stack([boosting.predict(ROWS) == "yes", forest.predict(ROWS) == "yes"])
    np.testing.assert_allclose(ensemble.scores(ROWS)[:, 1], [0.25, 0.75] @ said, atol=1e-15)  # sums
    assert ensemble.combination.space == "vote share"
    assert ensemble.gradient is None
    with pytest.raises(IncompatibleError, match="raw"):
        ensembles.vote([replace(one("a"), scale="raw")], how="hard")
    with pytest.raises(InputError, match="same outputs"):
        ensembles.vote([one("a"), one("b", outputs=("no", "maybe"))], how="hard")


def test_trees_of_two_precisions_become_one_sum_that_sends_every_value_the_same_way():
    value = ROWS[:, 0] + ROWS[:, 1] ** 2
    single = wb.wrap(GradientBoostingRegressor(n_estimators=6, random_state=0).fit(ROWS, value))
    double = wb.wrap(HistGradientBoostingRegressor(max_iter=4).fit(ROWS, value))
    ensemble = ensembles.vote([single, double], [2, 1])
    edges = []
    for tree in single.trees().trees:
        for node in np.flatnonzero(tree.left >= 0):
            near = np.float32(tree.threshold[node])
            for value in (
                near,
                np.nextafter(near, np.float32(9)),
                np.nextafter(near, np.float32(-9)),
            ):
                half = (np.float64(near) + np.float64(value)) / 2
                for edge in (half, np.nextafter(half, 9), np.nextafter(half, -9)):
                    row = ROWS[len(edges) % len(ROWS)].copy()
                    row[tree.feature[node]] = edge
                    edges.append(row)
    edges = np.array(edges)
    np.testing.assert_allclose(
        ensemble.trees().scores(edges), ensemble.scores(edges), atol=1e-12
    )  # sums of leaves
    assert ensemble.trees().dtype == np.float64


def test_a_digest_tells_members_and_weights_and_is_empty_where_one_cannot_be_hashed():
    first, second = (replace(one(n), digest=n) for n in "ab")
    digests = {
        ensembles.vote(models, weights).digest
        for models, weights in [
            ([first, second], None),
            ([first, second], [1, 2]),
            ([first, replace(second, digest="c")], None),
        ]
    }
    assert len(digests) == 3
    assert "" not in digests
    assert ensembles.vote([first, replace(second, digest="")]).digest == ""
    assert ensembles.vote([first, second]).lineage == (
        "weighted mean of a (0.5), b (0.5) in probability",
    )

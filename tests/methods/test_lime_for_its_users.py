"""LIME with what its users know: on and off, deciles and entropy, a few features; lime as the referee."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

import workbench as wb
from tests.models_in_numpy import tanh_network
from workbench import ensembles
from workbench.coalitions.bins import background_bins
from workbench.coalitions.samplers import coin_flips
from workbench.core import Inputs, Model
from workbench.errors import IncompatibleError, InputError
from workbench.methods import LIME

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # lime's imports warn about their own dependencies
    from lime import discretize
    from lime.lime_base import LimeBase


def table(n: int = 2, b: int = 200, **more) -> Inputs:
    rng = np.random.default_rng(0)
    background = rng.normal(size=(b, 6)) * [1, 2, 0.5, 1, 3, 1]
    background[:, 5] = np.round(background[:, 5])  # quartiles that fall together
    return Inputs(rng.normal(size=(n, 6)), kind="tabular", background=background, **more)


PEERS = {
    "quartile": discretize.QuartileDiscretizer,
    "decile": discretize.DecileDiscretizer,
    "entropy": discretize.EntropyDiscretizer,
}


@pytest.mark.parametrize("name", list(PEERS))
def test_bins_are_limes(name):
    rows = table(50)
    model = tanh_network()
    classes = model.scores(rows.background).argmax(axis=1)
    peer = PEERS[name](rows.background, [], list("abcdef"), labels=classes, random_state=0)
    bins = LIME(discretizer=name).bins_of(model, rows)
    theirs = peer.discretize(rows.values)
    ours = bins.codes_of(rows.values)
    for j in range(6):
        edges = bins.edges[j][np.isfinite(bins.edges[j])]
        np.testing.assert_array_equal(np.unique(edges), np.array(peer.maxs[j][:-1]))
        # Edges that fall together leave empty bins here: which rows share one is what counts.
        same = theirs[:, j, None] == theirs[None, :, j]
        np.testing.assert_array_equal(ours[:, j, None] == ours[None, :, j], same)


@pytest.mark.parametrize("name", list(PEERS))
def test_redrawn_cells_lie_in_the_bins_they_are_said_to_and_as_often_as_the_background_does(name):
    rows = table()
    bins = LIME(discretizer=name).bins_of(tanh_network(), rows)
    drawn, codes = bins.draw(4000, 0)
    np.testing.assert_array_equal(bins.codes_of(drawn), codes)
    known = bins.codes_of(rows.background)
    for j in range(6):
        wanted = np.bincount(known[:, j], minlength=12) / 200
        found = np.bincount(codes[:, j], minlength=12) / 4000
        # Five deviations of a share among 4000 draws.
        assert (np.abs(found - wanted) <= 5 * np.sqrt(wanted * (1 - wanted) / 4000)).all()


def test_each_discretizer_has_its_own_sample_also_when_asked_in_turns():
    rows, model = table(), tanh_network()
    found = {
        name: wb.explain(model, rows, LIME(discretizer=name, budget=500), wb.Target(0)).values
        for name in (*PEERS, *PEERS)
    }
    assert len({one.tobytes() for one in found.values()}) == 3


def test_classes_of_one_score_part_at_its_middle_and_a_raw_score_has_none():
    rows = table()
    steps = Model("steps", lambda x: 2.0 * (x[:, :1] > 0.7) - 1, ("yes",), "logit")
    (cut,) = np.unique(LIME(discretizer="entropy").bins_of(steps, rows).edges[0][:1])
    below = rows.background[rows.background[:, 0] <= 0.7, 0].max()
    above = rows.background[rows.background[:, 0] > 0.7, 0].min()
    assert cut == pytest.approx((below + above) / 2)
    likely = Model("likely", lambda x: 0.9 * (x[:, :1] > 0.7), ("yes",), "probability")
    again = LIME(discretizer="entropy").bins_of(likely, rows)
    assert again.edges[0][0] == cut
    raw = replace(steps, scale="raw")
    with pytest.raises(IncompatibleError, match="needs classes, but model 'steps' has one raw"):
        wb.explain(raw, rows, LIME(discretizer="entropy"))
    with pytest.raises(InputError, match="need the class of each background row"):
        background_bins(rows, "entropy")
    # lime takes the median of a column that tells nothing.
    nothing = Model("nothing", lambda x: 0 * x[:, :1] - 1, ("yes",), "logit")
    edges = LIME(discretizer="entropy").bins_of(nothing, rows).edges
    np.testing.assert_array_equal(edges[:, 0], np.median(rows.background, axis=0))


@pytest.mark.parametrize("groups", [{}, {"g": ("x0", "x3")}], ids=["columns", "a group"])
@pytest.mark.parametrize(
    ("how", "count"), [("none", None), ("forward_selection", 2), ("lasso_path", 3)]
)
def test_on_and_off_is_limes_regression_on_the_same_coalitions(groups, how, count):
    rows, model = table(b=7, groups=groups), tanh_network()
    recipe = LIME(
        budget=900, interpretable="on_off", feature_selection=how, num_features=count, seed=4
    )
    found = wb.explain(model, rows, recipe, wb.Target(2))
    players, names = rows.players()
    p = len(names)
    masks = coin_flips(p, 900, 4)
    assert masks[0].all()
    for row in range(2):
        behind = rows.background[np.arange(900) % 7]
        copies = np.where(masks[:, players], rows.values[row], behind)
        width = 0.75 * np.sqrt(p)
        base = LimeBase(
            lambda d, width=width: np.sqrt(np.exp(-(d**2) / width**2)),
            random_state=np.random.RandomState(0),
        )
        distance = np.sqrt(p - masks.sum(axis=1))
        start, pairs, _, _ = base.explain_instance_with_data(
            masks.astype(float), model.scores(copies), distance, 2, count or p, how
        )
        wanted = np.zeros(p)
        for player, slope in pairs:
            wanted[player] = slope
        np.testing.assert_allclose(found.by_player(row), wanted, atol=1e-9)
        assert found.base[row] == pytest.approx(start, abs=1e-9)
    assert found.evaluations == 2 * 900 + 2
    assert any("players were kept" in note for note in found.notes) == (count is not None)


def test_on_and_off_tells_a_slope_where_bins_tell_none():
    """A line within one bin: the row's own value counts its distance from the background's mean."""
    rng = np.random.default_rng(0)
    rows = Inputs([[5.0, 0.0]], kind="tabular", background=rng.normal(size=(50, 2)))
    line = Model("line", lambda x: x @ [[2.0], [0.0]], ("y",), "raw")
    found = wb.explain(line, rows, LIME(interpretable="on_off", ridge=0.0))
    truth = 2 * (5 - rows.background[:, 0].mean())
    assert abs(found.values[0, 0] - truth) < 4 * found.error[0, 0] < 0.3
    assert abs(found.values[0, 1]) < 4 * found.error[0, 1]


def test_a_few_features_are_kept_for_each_row_and_target_and_the_others_are_zero():
    rows, model = table(5), tanh_network()
    study = wb.Study(
        (model,), (LIME(num_features=2, budget=2000),), rows, (wb.Target(0), wb.Target(1))
    )
    one, other = wb.run(study)
    for found in (one, other):
        assert ((found.values != 0).sum(axis=1) == 2).all()
        assert (found.error[found.values == 0] == 0).all()
        assert any("does not say that they count for nothing" in note for note in found.notes)
    assert ((one.values != 0) != (other.values != 0)).any()
    every = wb.explain(model, rows, LIME(num_features=6, budget=2000), wb.Target(0))
    plain = wb.explain(model, rows, LIME(budget=2000), wb.Target(0))
    np.testing.assert_array_equal(every.values, plain.values)
    ignored = LIME(num_features=2, feature_selection="none", budget=2000)
    kept = wb.explain(model, rows, ignored, wb.Target(0))
    np.testing.assert_array_equal(kept.values, plain.values)


@pytest.mark.parametrize(
    "method",
    [
        LIME(budget=1500, interpretable="on_off"),
        LIME(budget=1500, discretizer="decile"),
        LIME(budget=1500, discretizer="entropy"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("groups", [{}, {"g": ("x0", "x3")}], ids=["columns", "a group"])
def test_a_second_opinion_plays_the_same(method, groups):
    model = tanh_network()
    result = wb.explain(model, table(b=80, groups=groups), method, wb.Target(0))
    opinion = wb.cross_check(result)
    assert opinion.agrees, opinion.verdict
    wrong = replace(result, values=-result.values)
    assert wb.cross_check(wrong, model=model).agrees is False
    few = wb.explain(model, table(b=80), replace(method, num_features=2), wb.Target(0))
    assert "may choose other players" in wb.cross_check(few, model=model).verdict


def test_what_does_not_add_up_over_models_does_not_say_so():
    assert LIME().linear
    assert LIME(interpretable="on_off").linear
    assert LIME(discretizer="decile").linear
    assert LIME(num_features=3, feature_selection="none").linear
    assert not LIME(num_features=3).linear
    assert not LIME(discretizer="entropy").linear
    both = [replace(tanh_network(seed=seed), name=f"seed {seed}") for seed in (0, 1)]
    ensemble = ensembles.vote(both)
    method = LIME(num_features=2, budget=300)
    found = wb.explain(ensemble, table(), method, wb.Target(0))
    assert found.notes[0].startswith("Computed on the ensemble's own score")
    alone = wb.explain(replace(ensemble, combination=None), table(), method, wb.Target(0))
    np.testing.assert_allclose(found.values, alone.values, atol=1e-9)
    for member, part in zip(both, found.parts, strict=True):
        alone = wb.explain(member, table(), method, wb.Target(0))
        np.testing.assert_allclose(part.values, alone.values, atol=1e-9)
    with pytest.raises(IncompatibleError, match="needs the classes of one model"):
        wb.explain(ensemble, table(), LIME(discretizer="entropy", budget=300), wb.Target(0))

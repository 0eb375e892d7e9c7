"""A member of an ensemble that fails is named with the rows, and the other members are kept."""

from dataclasses import replace

import catboost
import lightgbm
import numpy as np
import pytest
import xgboost

import workbench as wb
from tests.ensembles.ensembles_at_hand import ROWS, networks, pictures, small_cnns, table, was_tried
from tests.models_in_numpy import tanh_network
from workbench import ensembles, methods
from workbench.errors import MemberError, ModelError
from workbench.study.cell import model_of
from workbench.study.run import steps


def failing(name, on, how="NaN"):
    """A network that cannot answer rows whose first column is one of `on`."""
    inner = tanh_network(features=4, seed=9)

    def predict(rows):
        bad = np.isin(rows[:, 0], on)
        if how == "raises" and bad.any():
            raise ZeroDivisionError("a bad day")
        scores = inner.predict(rows)
        scores[bad] = np.nan
        return scores

    return replace(inner, name=name, predict=predict, gradient=None)


@pytest.mark.parametrize("how", ["NaN", "raises"])
@pytest.mark.parametrize("target", [wb.Target(0), wb.Target.predicted()])
def test_a_member_that_fails_on_a_row_is_named_with_it_and_the_others_are_kept(how, target):
    good = networks()[:2]
    bad = failing("moody", [ROWS[1, 0]], how)
    ensemble = ensembles.vote([good[0], bad, good[1]])
    with pytest.raises(
        MemberError, match=r"Member 'moody' failed.*It cannot answer row 1\."
    ) as caught:
        wb.explain(ensemble, table(), methods.ExactShapley(), target)
    parts = caught.value.parts
    assert [part.model for part in parts] == ["seed 1", "seed 2"]
    rest = wb.explain(ensembles.vote(good), table(), methods.ExactShapley(), target)
    for part, other in zip(parts, rest.parts, strict=True):
        np.testing.assert_allclose(part.values, other.values, atol=1e-12)  # sums of coalitions
        assert part.explained == rest.explained


def test_of_many_rows_at_fault_the_first_eight_are_named_and_no_more_are_looked_for():
    moody = failing("moody", ROWS[5:25, 0])
    calls: list[int] = []

    def predict(rows):
        calls.append(len(rows))
        return moody.predict(rows)

    ensemble = ensembles.vote([networks()[0], replace(moody, predict=predict, trial=was_tried)])
    with pytest.raises(MemberError, match=r"answer row 5, 6, 7, 8, 9, 10, 11, 12 and more\."):
        wb.explain(ensemble, table(30), methods.Occlusion(), wb.Target(0))
    # All rows, whose answer is remembered; then one by one up to the ninth at fault, row 13.
    assert calls == [30, *[1] * 14]


def test_a_member_that_fails_on_perturbed_rows_alone_is_named_too():
    bad = failing("moody", [ROWS[42, 0]])  # a background row
    ensemble = ensembles.vote([*networks()[:2], bad])
    study = wb.Study(
        (ensemble,), (methods.KernelSHAP(budget=5 * 14 + 7),), table(), (wb.Target(0),)
    )
    done = []

    def look():
        for step in steps(study):
            done.append(step.done)
            step.partial()

    with pytest.raises(MemberError, match="'moody' failed") as caught:
        look()
    assert done == sorted(done)
    assert len(caught.value.parts) == 2
    assert isinstance(caught.value, ModelError)
    assert "It cannot answer row" not in str(caught.value)
    assert "It answers the explained rows; the rows at fault are background rows" in str(
        caught.value
    )


def stumbling(library):
    """A network whose answer to a row is an error of a library, where the library is imported."""
    inner = tanh_network(features=4, seed=9)

    def predict(rows):
        if (rows[:, 0] == ROWS[1, 0]).any():
            if library == "assert":
                raise AssertionError
            if library == "catboost":
                raise catboost.CatBoostError("pool of another width")
            if library == "lightgbm":
                raise lightgbm.basic.LightGBMError("pool of another width")
            raise xgboost.core.XGBoostError("pool of another width")
        return inner.predict(rows)

    return replace(inner, name="stumbling", predict=predict, gradient=None)


@pytest.mark.parametrize("library", ["assert", "catboost", "lightgbm", "xgboost"])
def test_errors_of_the_boosting_libraries_name_the_member_too(library):
    ensemble = ensembles.vote([*networks()[:2], stumbling(library)])
    said = "AssertionError" if library == "assert" else "pool of another width"
    with pytest.raises(
        MemberError, match=rf"Member 'stumbling' failed: .*{said}\. .*It cannot answer row 1\."
    ) as caught:
        wb.explain(ensemble, table(), methods.Occlusion(), wb.Target(0))
    assert [part.model for part in caught.value.parts] == ["seed 1", "seed 2"]


def test_progress_does_not_fall_when_a_member_fails_late():
    inner = networks()[2]

    def predict(rows):
        scores = inner.predict(rows)
        late = (rows[:, 0] == ROWS[2, 0]) & (
            rows[:, 1] != ROWS[2, 1]
        )  # copies of the last row alone
        scores[late] = np.inf
        return scores

    late = replace(inner, name="late", predict=predict, gradient=None)
    ensemble = ensembles.vote([*networks()[:2], late])
    study = wb.Study((ensemble,), (methods.ExactShapley(),), table(), (wb.Target(0),))
    done = []

    def look():
        done.extend(step.done for step in steps(study))

    with pytest.raises(MemberError, match="'late' failed"):
        look()
    assert max(done[:-3]) > 300  # the first two rows were done before
    assert done == sorted(done)


def test_a_second_opinion_is_asked_of_a_member_only_about_its_own_outputs():
    first, second, _ = networks()
    turned = replace(
        second,
        outputs=("c", "a", "b"),
        predict=lambda rows: second.predict(rows)[:, [2, 0, 1]],
        gradient=None,
    )
    ensemble = ensembles.vote([first, turned])
    result = wb.explain(ensemble, table(), methods.Occlusion(), wb.Target(0))
    assert model_of(result) is ensemble
    assert model_of(result.parts[0]) is ensemble.combination.members[0]
    assert model_of(result.parts[1]) is None  # the target's position means another output there
    maps = wb.explain(ensembles.vote(small_cnns()), pictures(), methods.GradCAM(), wb.Target(0))
    assert [model_of(part) for part in maps.parts] == [None, None]


def test_when_every_member_fails_nothing_is_kept():
    ensemble = ensembles.vote([failing("x", [ROWS[0, 0]]), failing("y", [ROWS[1, 0]])])
    with pytest.raises(MemberError, match=r"'x' failed.*'y' failed") as caught:
        wb.explain(ensemble, table(), methods.Occlusion(), wb.Target(0))
    assert caught.value.parts == ()


def test_gradients_that_are_not_finite_name_their_member():
    good = networks()[0]
    inner = networks()[1]

    def gradient(rows, weights):
        scores, gradients = inner.gradient(rows, weights)
        return scores, gradients * np.nan

    ensemble = ensembles.vote([good, replace(inner, name="steep", gradient=gradient)])
    with pytest.raises(MemberError, match="Member 'steep' failed: Its gradients") as caught:
        wb.explain(ensemble, table(), methods.IntegratedGradients(steps=4), wb.Target(0))
    assert [part.model for part in caught.value.parts] == ["seed 1"]
    assert "It answers the explained rows" not in str(caught.value)  # its scores are not at fault

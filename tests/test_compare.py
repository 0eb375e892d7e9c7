"""Agreement metrics on vectors whose answers are known, and what compare refuses."""

from dataclasses import replace

import numpy as np
import pytest

import workbench as wb
from workbench.compare.agreement import METRICS
from workbench.core import Inputs
from workbench.errors import IncompatibleError, InputError
from workbench.methods import LIME, ExactShapley, Occlusion

a = np.array([4.0, -3.0, 2.0, 1.0, -0.5, 0.25, 0.0])


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (a, {"cosine": 1, "spearman": 1, "sign": 1, "top5": 1, "relative_change": 0}),
        (-a, {"cosine": -1, "spearman": -1, "sign": 1 / 7, "top5": 1, "relative_change": 2}),
        (a / 10, {"cosine": 1, "spearman": 1, "sign": 1, "top5": 1, "relative_change": 0.9}),
        (0 * a, {"cosine": 0, "spearman": 0, "sign": 1 / 7, "relative_change": 1}),
        (np.array([0, 0, 2, 1, -0.5, 0.25, 9.0]), {"top5": 3 / 5, "sign": 4 / 7}),
    ],
)
def test_metrics_have_their_known_values(other, expected):
    found = {name: METRICS[name](a, other) for name in expected}
    assert found == pytest.approx(expected)


def test_an_identical_copy_agrees_exactly(network, table):
    twin = network.renamed("twin")
    study = wb.Study(
        (network, twin), (LIME(budget=100), ExactShapley()), table, (wb.Target(0), wb.Target(1))
    )
    comparison = wb.compare(wb.run(study), reference="network")
    frame = comparison.to_frame()
    assert len(frame) == 2 * 2 * 5 * 5
    assert set(frame.model) == {"twin"}
    assert (frame[frame.metric == "relative_change"].value == 0).all()
    assert np.allclose(frame[frame.metric.isin(["cosine", "spearman", "sign", "top5"])].value, 1)
    assert list(comparison.summary().columns) == ["model", "method", "target", *METRICS]
    assert "network" in comparison._repr_html_()


def test_scales_are_never_mixed(network, table):
    other = replace(network, name="other", scale="probability")
    study = wb.Study((network, other), (Occlusion(),), table)
    with pytest.raises(IncompatibleError, match=r"'network' is in logit, 'other' in probability"):
        wb.compare(wb.run(study), reference="network")


def test_other_rows_are_refused(network, table):
    first = wb.explain(network, table, Occlusion(), wb.Target(0))
    moved = Inputs(
        table.values + 1, kind="tabular", features=table.features, background=table.background
    )
    second = wb.explain(network.renamed("other"), moved, Occlusion(), wb.Target(0))
    with pytest.raises(InputError, match="same rows"):
        wb.compare([first, second], reference="network")


def test_a_missing_reference_is_named(network, table):
    result = wb.explain(network, table, Occlusion())
    with pytest.raises(InputError, match=r"'gone', but found \['network'\]"):
        wb.compare([result], reference="gone")
    with pytest.raises(InputError, match="second model"):
        wb.compare([result], reference="network")


def test_rows_where_another_class_was_explained_are_said(network, table):
    flipped = replace(network, name="flipped", predict=lambda rows: -network.predict(rows))
    study = wb.Study((network, flipped), (Occlusion(),), table)
    (note,) = wb.compare(wb.run(study), reference="network").notes
    assert "on 5 of 5 rows another output" in note


def maps_of(values, truth):
    from workbench.core import Attribution, Target

    n, h, w = values.shape
    inputs = Inputs(np.zeros((n, h, w, 3)), kind="image", truth=truth)
    zeros = np.zeros(n)
    return Attribution(
        values, zeros, zeros, None, inputs, "m", Occlusion(), Target(0), ("x",) * n, "logit"
    )


def test_the_pointing_game_asks_whether_the_highest_place_is_in_the_mask():
    from workbench.compare import pointing_game

    values, truth = np.zeros((5, 6, 8)), np.zeros((5, 6, 8), dtype=bool)
    truth[:, 2:4, 2:4] = True
    values[0, 3, 3] = 1  # inside
    values[1, 0, 0] = 1  # outside
    values[2] = -1  # points at nothing
    values[3, 1:5, 1:5] = 1  # a superpixel around the mask: its center is inside
    values[4, 2, 4] = 1  # one pixel off
    result = maps_of(values, truth)
    assert pointing_game(result).tolist() == [True, False, False, True, False]
    assert pointing_game(result, tolerance=1).tolist() == [True, False, False, True, True]
    assert pointing_game(result, ~truth).tolist() == [False, True, False, False, True]
    with pytest.raises(InputError, match=r"\(5, 6, 8\).*\(5, 8, 6\)"):
        pointing_game(result, truth.transpose(0, 2, 1))

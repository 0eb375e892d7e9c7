"""Every metric of drift against a referee or its definition, slowly; and where rows tell nothing."""

import numpy as np
import pytest
from scipy import stats

from tests.compare.drift_by_hand import Exact, Sampled, explanation
from workbench.compare import DECIDING, DRIFT_METRICS, drift_per_row
from workbench.compare.drift import metrics as module
from workbench.compare.drift.metrics import drift_of_rows, metrics_for
from workbench.core import Inputs, Target
from workbench.errors import IncompatibleError, InputError

rng = np.random.default_rng(0)
A = rng.normal(size=(40, 9))
B = A + rng.normal(size=A.shape) * rng.choice([0.05, 0.5, 3.0], size=(40, 1))
B[7] = -A[7]
B[8] = A[8] * 3
MAPS_A = rng.normal(size=(12, 17, 13))
MAPS_B = MAPS_A + rng.normal(size=MAPS_A.shape) * 0.4
PLAYERS = [name for name, metric in DRIFT_METRICS.items() if metric.of not in ("maps", "planes")]
MAPS = [name for name, metric in DRIFT_METRICS.items() if metric.of in ("maps", "planes")]


def of(metric, a, b):
    return drift_of_rows(metric, np.atleast_2d(np.asarray(a, float)), np.atleast_2d(b))


def plain(name, a, b):
    """One row, by the definition, in sets and loops."""
    k = min(5, len(a))
    first, second = (sorted(range(len(x)), key=lambda i, x=x: (-abs(x[i]), i))[:k] for x in (a, b))
    both = set(first) & set(second)
    same = {i for i in both if np.sign(a[i]) == np.sign(b[i])}
    places = [i for i, j in zip(first, second, strict=True) if i == j]
    return {
        "feature_agreement": 1 - len(both) / k,
        "sign_agreement": 1 - len(same) / k,
        "rank_agreement": 1 - len(places) / k,
        "signed_rank_agreement": 1 - sum(i in same for i in places) / k,
        "jaccard": 1 - len(both) / len(set(first) | set(second)),
    }[name]


@pytest.mark.parametrize(
    "name",
    ["feature_agreement", "sign_agreement", "rank_agreement", "signed_rank_agreement", "jaccard"],
)
@pytest.mark.parametrize("width", [9, 5, 3])
def test_agreement_of_the_largest_is_what_sets_and_loops_say(name, width):
    a, b = A[:, :width], B[:, :width]
    expected = [plain(name, x, y) for x, y in zip(a, b, strict=True)]
    # All of five players are among the five largest: only then is there nothing to miss.
    assert max(expected) > 0 or (width <= 5 and name in ("feature_agreement", "jaccard"))
    assert drift_of_rows(name, a, b) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "referee"),
    [
        ("spearman", lambda x, y: stats.spearmanr(x, y).statistic),
        ("spearman_of_sizes", lambda x, y: stats.spearmanr(abs(x), abs(y)).statistic),
        ("kendall", lambda x, y: stats.kendalltau(x, y).statistic),
    ],
)
def test_rank_correlations_are_scipys_ties_included(name, referee):
    for a, b in ((A, B), (np.round(A), np.round(B))):
        expected = [1 - referee(x, y) for x, y in zip(a, b, strict=True)]
        # Both sum some dozens of products in float64.
        assert drift_of_rows(name, a, b) == pytest.approx(expected, abs=1e-12)


def test_cosine_is_scipys():
    from scipy.spatial.distance import cosine

    expected = [cosine(x, y) for x, y in zip(A, B, strict=True)]
    assert drift_of_rows("cosine", A, B) == pytest.approx(expected, abs=1e-12)  # float64 sums


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        # Doubled: ranks and directions see nothing, lengths do.
        ([4, -3, 2, 1], [8, -6, 4, 2], {"scale": 0.5, "distance": 0.5, "cosine": 0, "spearman": 0}),
        # Turned about: sizes see nothing.
        ([4, -3, 2, 1], [-4, 3, -2, -1], {"distance": 2, "cosine": 2, "spearman": 2, "scale": 0,
                                          "spearman_of_sizes": 0, "feature_agreement": 0,
                                          "sign_agreement": 1, "rank_agreement": 0,
                                          "signed_rank_agreement": 1, "kendall": 2}),
        # Two neighbors change places: Spearman 1 - 6*2/(4*15) = 0.8, tau (5 - 1)/6.
        ([4, 3, 2, 1], [3, 4, 2, 1], {"spearman": 0.2, "kendall": 1 / 3, "rank_agreement": 0.5,
                                      "jaccard": 0, "scale": 0}),
        # Of six players one of the five largest goes, another comes.
        ([6, 5, 4, 3, 2, 1], [6, 5, 4, 3, 1, 2], {"feature_agreement": 0.2, "jaccard": 1 / 3,
                                                  "rank_agreement": 0.2}),
        # One player alone has no order to change.
        ([3.0], [-3.0], {"spearman": 0, "kendall": 0, "cosine": 2, "distance": 2, "sign_agreement": 1}),
    ],
)  # fmt: skip
def test_metrics_have_their_values_by_hand(a, b, expected):
    found = {name: float(of(name, a, b)[0]) for name in expected}
    assert found == pytest.approx(expected, abs=1e-12)  # rounding of square roots


@pytest.mark.parametrize("name", PLAYERS)
def test_rows_of_zeros_agree_with_each_other_and_with_nothing_else(name):
    zero, some = np.zeros(6), np.array([3.0, -2.0, 1.0, 0.5, 0.0, 0.0])
    both, gone, come = (of(name, *pair)[0] for pair in ((zero, zero), (some, zero), (zero, some)))
    assert (both, gone, come) == (0, 1, 1)


@pytest.mark.parametrize("name", MAPS)
def test_maps_of_zeros_agree_with_each_other_and_with_nothing_else(name):
    zero, some = np.zeros((1, 9, 8)), np.zeros((1, 9, 8))
    some[0, 4, 4] = 2.0
    far = 9 + 8 - 2 if name == "earth_mover" else 1
    assert drift_of_rows(name, zero, zero.copy()) == 0
    assert drift_of_rows(name, some, zero) == far
    assert drift_of_rows(name, zero, some) == far


def test_ranks_of_a_constant_row_agree_with_another_constant_alone():
    constant, some = np.full(5, 2.0), np.arange(5.0)
    for name in ("spearman", "kendall"):
        assert of(name, constant, 3 * constant) == 0
        assert of(name, constant, some) == 1


def test_rounding_makes_no_order():
    # As float32 would leave them: two that are equal, and two that are zero.
    a = np.array([0.5, 0.5, 1.0, 0.0, 0.0, 0.2])
    b = a + np.array([1e-8, -1e-8, 0, 1e-9, -1e-9, 0])
    for name in PLAYERS:
        assert of(name, a, b) <= 1e-6, name  # distance, scale and cosine see the rounding itself
    assert of("spearman", a, a + np.array([1e-3, -1e-3, 0, 0, 0, 0])) > 0.01


@pytest.mark.parametrize("name", DRIFT_METRICS)
def test_the_same_numbers_are_exactly_no_drift_and_drift_stays_in_its_range(name):
    a, b = (MAPS_A, MAPS_B) if name in MAPS else (A, B)
    assert (drift_of_rows(name, a, a.copy()) == 0.0).all()
    drift = drift_of_rows(name, a, b)
    most = DRIFT_METRICS[name].most or sum(a.shape[1:]) - 2
    assert ((drift >= 0) & (drift <= most + 1e-12)).all()  # 1 + cosine, rounded
    assert drift.max() > 0


@pytest.mark.parametrize("name", PLAYERS)
def test_the_order_of_players_and_the_unit_do_not_count(name):
    order = np.random.default_rng(3).permutation(A.shape[1])
    drift = drift_of_rows(name, A, B)
    # Sums in another order.
    assert drift_of_rows(name, A[:, order], B[:, order]) == pytest.approx(drift, abs=1e-12)
    assert drift_of_rows(name, A * 1e-170, B * 1e-170) == pytest.approx(drift, abs=1e-12)


@pytest.mark.parametrize("name", DRIFT_METRICS)
def test_rows_are_independent_and_the_rows_at_once_do_not_count(name, monkeypatch):
    a, b = (MAPS_A, MAPS_B) if name in MAPS else (A, B)
    b = b.copy()
    b[2] = a[2]
    drift = drift_of_rows(name, a, b)
    assert drift[2] == 0
    assert drift_of_rows(name, a[3:5], b[3:5]) == pytest.approx(
        drift[3:5], abs=1e-12
    )  # BLAS blocks
    monkeypatch.setattr(module, "_VALUES_AT_ONCE", 5 * a[0].size)
    assert drift_of_rows(name, a, b) == pytest.approx(drift, abs=1e-12)  # likewise


def test_structural_similarity_is_scikit_images_of_maps_over_their_largest():
    from skimage.metrics import structural_similarity

    for a, b, span in ((MAPS_A, MAPS_B, 2), (abs(MAPS_A), abs(MAPS_B), 1)):
        x, y = a[0] / abs(a[0]).max(), b[0] / abs(b[0]).max()
        expected = 1 - structural_similarity(x, y, data_range=span, win_size=7)
        assert drift_of_rows("ssim", a[:1], b[:1]) == pytest.approx(expected)
    assert drift_of_rows("ssim", MAPS_A, 5 * MAPS_A).max() < 1e-12  # a size is no structure
    small = structural_similarity(
        *(x[0, :4, :6] / abs(x[0, :4, :6]).max() for x in (MAPS_A, MAPS_B)),
        data_range=2,
        win_size=3,
    )
    found = drift_of_rows("ssim", MAPS_A[:1, :4, :6], MAPS_B[:1, :4, :6])
    assert found == pytest.approx(1 - small)


def test_the_top_places_are_one_in_twenty_by_size_and_never_empty_ones():
    a, b = np.zeros((2, 1, 10, 10))  # 5 of 100 places
    a[0, 0, :5], b[0, 0, 2:7] = -9, 9
    assert drift_of_rows("top_places", a, b) == pytest.approx(1 - 3 / 7)
    a[0, 0], b[0, 0] = 0, 0
    a[0, 3, 3], b[0, 3, 3], b[0, 3, 4] = 1, 1, 1  # one place and two: the others hold nothing
    assert drift_of_rows("top_places", a, b) == pytest.approx(1 / 2)


def test_the_earth_movers_distance_is_scipys_along_both_axes():
    for a, b in zip(MAPS_A, MAPS_B, strict=True):
        x, y = np.maximum(a, 0), np.maximum(b, 0)
        expected = sum(
            stats.wasserstein_distance(
                range(a.shape[1 - axis]), range(a.shape[1 - axis]), x.sum(axis), y.sum(axis)
            )
            for axis in (0, 1)
        )
        assert drift_of_rows("earth_mover", a[None], b[None]) == pytest.approx(expected)


def test_metrics_fit_the_kind_of_explanation():
    table, image = explanation(A), explanation(MAPS_A)
    assert metrics_for(table) == tuple(PLAYERS)
    assert "kendall" not in metrics_for(image)
    assert set(MAPS) < set(metrics_for(image))
    assert "ssim" not in metrics_for(explanation(MAPS_A[:, :2]))
    owner = np.zeros((12, 17, 13), int)
    owner[:, :, 6:] = 1
    parts = explanation(MAPS_A, players=owner, player_names=("superpixel 0", "superpixel 1"))
    assert metrics_for(parts) == tuple(DRIFT_METRICS)
    for kind, result in (("tabular", table), ("image", image)):
        assert set(DECIDING[kind]) <= set(metrics_for(result))
    with pytest.raises(InputError, match=r"'ssim'. Choose one of these"):
        drift_per_row("ssim", table, explanation(B, "copy"))


def test_credit_goes_by_player_where_there_are_players():
    owner = np.array([0, 0, 1, 1, 2, 2, 2, 2, 2])
    group = {"players": owner, "player_names": ("a", "b", "c")}
    first, second = explanation(A, **group), explanation(B, "copy", **group)
    sums = [np.stack([x[:, owner == p].sum(axis=1) for p in range(3)], axis=1) for x in (A, B)]
    found = drift_per_row("distance", first, second)
    assert found == pytest.approx(drift_of_rows("distance", *sums))


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"method": Sampled()}, IncompatibleError, "two methods never agree"),
        ({"scale": "probability"}, IncompatibleError, "in logit, 'copy' in probability"),
        ({"target": Target(1)}, InputError, "the same output explained"),
        ({"explained": ("no",) * 40}, InputError, "other outputs on 40 of 40 rows"),
        ({"inputs": Inputs(A, kind="tabular")}, InputError, "the same rows"),
        ({"players": [0] * 9, "player_names": ("all",)}, InputError, "the same players"),
    ],
)
def test_what_is_no_difference_of_models_is_refused(changes, error, words):
    with pytest.raises(error, match=words):
        drift_per_row("cosine", explanation(A), explanation(B, "copy", **changes))


def test_other_seeds_may_be_held_against_each_other():
    one = explanation(A, method=Sampled(seed=1))
    other = explanation(B, method=Sampled(seed=2))
    assert (drift_per_row("cosine", one, other) == drift_of_rows("cosine", A, B)).all()
    assert type(Exact()) is not type(Sampled())

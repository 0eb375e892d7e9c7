"""Intervals, tests and adjusted rates against scipy, and every rule of a verdict."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from workbench.compare import Measured, verdict_of
from workbench.compare.drift import statistics as module
from workbench.compare.drift.statistics import (
    beyond,
    decided,
    false_discovery,
    intervals,
    rows_to_decide,
)
from workbench.errors import InputError

SKEWED = np.random.default_rng(0).gamma(0.6, 0.05, size=(3, 45))


def test_intervals_are_scipys_bca():
    mean, low, high = intervals(SKEWED, resamples=20_000)
    for i, row in enumerate(SKEWED):
        referee = stats.bootstrap(
            (row,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(1)
        ).confidence_interval
        assert mean[i] == pytest.approx(row.mean())
        # Two bootstraps of 20,000: an end is known to about 2 % of the width.
        assert (low[i], high[i]) == pytest.approx(tuple(referee), abs=0.03 * (high[i] - low[i]))
        # Skewed to the right: the interval reaches farther up than down.
        assert high[i] - mean[i] > 1.1 * (mean[i] - low[i])


def test_intervals_cover_a_skewed_mean_more_often_than_plain_percentiles():
    rng = np.random.default_rng(2)
    draws = rng.exponential(size=(400, 25))
    _, low, high = intervals(draws, resamples=2000)
    covered = ((low <= 1) & (high >= 1)).mean()
    above = (high < 1).mean()  # the harmful side: "within" said of what is not
    plain = np.quantile(module._resampled_means(draws, 2000, 0), 0.975, axis=1)
    assert covered >= 0.9
    assert above < (plain < 1).mean()


def test_series_share_their_resampled_rows_and_chunks_do_not_count(monkeypatch):
    together = intervals(SKEWED)
    alone = intervals(SKEWED[1])
    # The same draws, their sums by BLAS in other blocks; here and below.
    assert np.allclose([end[1] for end in together], [end[0] for end in alone], rtol=0, atol=1e-12)
    monkeypatch.setattr(module, "_BYTES_AT_ONCE", 16 * 45 * 7)
    chunked = intervals(SKEWED)
    assert np.allclose(chunked, together, rtol=0, atol=1e-12)
    assert not np.allclose(intervals(SKEWED, seed=1)[1], together[1], rtol=0, atol=1e-12)


def test_rows_that_are_all_the_same_have_an_interval_of_one_point():
    mean, low, high = intervals(np.full((2, 30), 0.1))
    assert (low == mean).all()
    assert (high == mean).all()
    assert mean == pytest.approx(0.1)


def test_too_few_resamples_are_refused():
    with pytest.raises(InputError, match="at least 2,000 resamples, but was given 500"):
        intervals(SKEWED, resamples=500)


@pytest.mark.parametrize("n", [12, 45, 120])
def test_beyond_is_wilcoxons_one_sided_test(n):
    values = np.random.default_rng(n).normal(0.03, 0.1, n)
    for by in (0.0, 0.02):
        referee = stats.wilcoxon(values - by, alternative="greater", zero_method="pratt").pvalue
        assert beyond(values, by) == pytest.approx(referee)
    assert beyond(values) < beyond(-values)


def test_beyond_ranks_zeros_as_pratt_did():
    values = np.array([0.0] * 20 + [0.5, 0.4, 0.3, -0.1] * 5)
    referee = stats.wilcoxon(
        values, alternative="greater", zero_method="pratt", method="asymptotic"
    ).pvalue
    assert beyond(values) == pytest.approx(referee)
    assert beyond(np.zeros(30)) == 1


def test_false_discovery_is_scipys():
    for size in (1, 2, 17):
        p = np.random.default_rng(size).random(size) ** 3
        assert false_discovery(p) == pytest.approx(stats.false_discovery_control(p))
    assert false_discovery([]).tolist() == []


def test_the_rows_that_would_decide_do_decide():
    rng = np.random.default_rng(5)
    values = rng.normal(0.08, 0.05, size=24)
    values += 0.08 - values.mean()
    needed = rows_to_decide(values, 0.1)
    sd = values.std(ddof=1)
    assert needed == int(np.ceil((1.959964 * sd / 0.02) ** 2))
    many = np.resize(values, (50, needed))
    _, low, high = intervals(many)
    assert (high[0] - low[0]) / 2 == pytest.approx(0.02, rel=0.1)  # 1.96 sd / sqrt(n), bootstrapped
    assert rows_to_decide([0.1, 0.1], 0.1) is None
    assert rows_to_decide(values, 1.0) == 20


def measured(drift, **changes):
    drift = np.asarray(drift, dtype=float)
    mean, low, high = (float(end[0]) for end in intervals(drift))
    fields = {
        "model": "copy", "method": "M", "metric": "distance", "stratum": "all", "drift": drift,
        "rows": np.arange(len(drift)), "mean": mean, "low": low, "high": high, "noise": 0.0,
        "retraining": None, "random": 1.0, "margin": 0.1, "p": None, "q": None,
        "verdict": "undetermined", "reason": "",
    }  # fmt: skip
    return Measured(**(fields | changes))


def unpaired(over, drift, **changes):
    over = np.asarray(over, dtype=float)
    excess = tuple(float(end[0]) for end in intervals(over))
    return measured(drift, over_floor=over, excess=excess, p=beyond(over), **changes)


def verdict(one):
    (found,) = decided([one])
    return found.verdict, found.rows_needed


around = np.linspace(-0.02, 0.02, 60)  # 59 rows bound what may lie beyond by 5 %


def test_an_interval_on_one_side_of_the_margin_decides():
    assert verdict(measured(0.05 + around)) == ("preserved", None)
    assert verdict(measured(0.15 + around)) == ("changed", None)
    called, rows = verdict(measured(0.1 + 3 * around + 0.005))
    assert called == "undetermined"
    assert rows > 60
    assert verdict(measured(0.15 + around, margin=0.2)) == ("preserved", None)
    (found,) = decided([measured(0.15 + around)])
    assert "beyond the margin: mean drift 0.15 [0.147, 0.153], margin 0.1;" in found.reason


def test_fewer_than_twenty_rows_decide_nothing():
    assert verdict(measured(np.full(19, 0.9)))[0] == "undetermined"
    assert verdict(measured(np.zeros(19))) == ("undetermined", 59)
    assert verdict(measured(np.zeros(58))) == ("undetermined", 59)
    assert verdict(measured(np.zeros(59))) == ("preserved", None)
    assert verdict(measured(np.full(20, 0.9)))[0] == "changed"


def test_where_values_are_sampled_a_change_needs_its_test_too():
    one = measured(0.15 + around)
    assert verdict(replace(one, p=0.01))[0] == "changed"
    assert verdict(replace(one, p=0.2))[0] == "undetermined"
    # Beside nineteen metrics that say nothing, 0.01 is no discovery.
    many = [replace(one, p=0.01), *[replace(one, p=0.9)] * 19]
    assert decided(many)[0].q == pytest.approx(0.2)
    assert decided(many)[0].verdict == "undetermined"


def test_every_stratum_is_a_family_of_its_own():
    one = measured(0.15 + around, p=0.03)
    apart = decided([one, replace(one, stratum="kept", p=0.9), replace(one, stratum="kept", p=0.9)])
    assert apart[0].q == pytest.approx(0.03)
    assert apart[1].q == pytest.approx(0.9)


def test_shared_noise_may_not_pass_for_agreement():
    one = measured(0.06 + around, p=1.0)
    assert verdict(replace(one, noise_share=0.1))[0] == "preserved"
    # 0.064 / (1 - 0.4) lies beyond the margin: less is seen of a change than there is.
    assert verdict(replace(one, noise_share=0.4))[0] == "undetermined"
    tiny = measured(0.001 + 0.01 * around, p=1.0)
    assert verdict(replace(tiny, noise_share=0.45))[0] == "preserved"
    for share in (0.6, None):
        (found,) = decided([replace(tiny, noise_share=share)])
        assert (found.verdict, found.rows_needed) == ("undetermined", None)
        assert "Spend a larger budget" in found.reason
    # No drift at all is no matter of noise; nor is one that is seen all the same.
    assert verdict(measured(np.zeros(60), p=1.0, noise_share=0.9))[0] == "preserved"
    assert verdict(measured(0.5 + around, p=1e-9, noise_share=0.9))[0] == "changed"


def test_seeds_that_are_not_shared_count_beyond_the_noise():
    inside = unpaired(0.01 + 0.1 * around, 0.03 + 0.1 * around)
    outside = unpaired(0.2 + around, 0.22 + around)
    assert verdict(inside) == ("preserved", None)
    assert verdict(outside) == ("changed", None)


def test_a_change_must_exceed_what_one_seed_may_do_to_all_rows_at_once():
    # Drift 0.33 over a floor of 0.18, beyond the margin; but another seed might be that much worse.
    called, rows = verdict(unpaired(0.15 + around, 0.33 + around))
    assert (called, rows) == ("undetermined", None)
    assert verdict(unpaired(0.25 + around, 0.33 + around))[0] == "changed"


def test_lengths_count_beyond_the_noise_in_squares():
    # Noise of 0.15 and a true change of 0.2 at a right angle to it: together 0.25, only 0.1 more.
    drift = np.sqrt(0.15**2 + 0.2**2) + 0.01 * around
    over = drift**2 - 0.15**2
    assert verdict(unpaired(over, drift, squared=True))[0] == "changed"
    assert verdict(unpaired(drift - 0.15, drift))[0] == "undetermined"


def test_a_copy_is_changed_by_one_metric_and_preserved_by_all():
    kept, gone, open_ = (
        replace(measured([0.0]), verdict=one) for one in ("preserved", "changed", "undetermined")
    )
    deciding = ("distance",)
    assert verdict_of([kept, kept], deciding) == "preserved"
    assert verdict_of([kept, open_], deciding) == "undetermined"
    assert verdict_of([kept, open_, gone], deciding) == "changed"
    aside = [replace(gone, metric="jaccard"), replace(gone, stratum="flipped")]
    assert verdict_of([kept, *aside], deciding) == "preserved"
    assert verdict_of(aside, deciding) == "undetermined"

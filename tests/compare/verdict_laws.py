"""Laws of drift whose truth is known, and how often a verdict about rows like these is wrong under them.

By hand: `python -m tests.compare.verdict_laws` prints the table of `docs/verdicts.md`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from workbench.compare import Measured
from workbench.compare.drift.measured import ALLOWANCE, once
from workbench.compare.drift.share_bounds import rows_to_bound
from workbench.compare.drift.statistics import decided, intervals

MARGIN = 0.05
LIMIT = 2 * MARGIN
ROWS = (20, 50, 100, 200)
LARGEST = 2.0  # a distance is never more


@dataclass(frozen=True)
class Law:
    """Drift per row: how it is drawn, and what is true of all rows.

    Args:
        title: the law in words.
        draw: a generator and a number of rows to drifts, and to which different row each is.
        mean: the true mean drift.
        share: the true share of rows beyond the limit.
    """

    title: str
    draw: Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]
    mean: float
    share: float

    @property
    def preserved(self) -> bool:
        """Whether "preserved" would be true."""
        return self.mean <= MARGIN and self.share <= ALLOWANCE

    @property
    def changed(self) -> bool:
        """Whether "changed" would be true."""
        return self.mean > MARGIN


def rare(share: float, size: float) -> Law:
    """Some rows drift by `size`, the others by an exponential of mean 0.003."""

    def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        hit = rng.random(n) < share
        return np.where(hit, size, np.minimum(rng.exponential(0.003, n), LIMIT)), np.arange(n)

    # The rest passes the limit in exp(-33) of rows.
    return Law(f"{share:.0%} of rows by {size:g}", draw, share * size + (1 - share) * 0.003, share)


def heavy(mean: float, sigma: float = 2.0) -> Law:
    """A lognormal drift, cut at the largest distance there is, of this mean before it is cut."""
    from scipy.stats import norm

    middle = np.log(mean) - sigma**2 / 2

    def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        return np.minimum(rng.lognormal(middle, sigma, n), LARGEST), np.arange(n)

    top = (np.log(LARGEST) - middle) / sigma
    cut = mean * norm.cdf(top - sigma) + LARGEST * norm.sf(top)
    return Law(
        f"lognormal, mean {cut:.3f}",
        draw,
        float(cut),
        float(norm.sf((np.log(LIMIT) - middle) / sigma)),
    )


def repeated(law: Law, times: int = 20) -> Law:
    """The same, every drawn row given many times: no further evidence."""

    def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        drift, _ = law.draw(rng, n)
        return np.tile(drift, times), np.tile(np.arange(n), times)

    return Law(f"{law.title}, each {times} times", draw, law.mean, law.share)


def mild(mean: float) -> Law:
    """An exponential drift: most rows near 0, hardly one far beyond the mean."""

    def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        return rng.exponential(mean, n), np.arange(n)

    return Law(f"exponential, mean {mean:g}", draw, mean, float(np.exp(-LIMIT / mean)))


UNTRUE = (rare(0.05, 1.2), rare(0.05, 2.0), rare(0.1, 0.6), heavy(0.065), heavy(0.115))
"""Laws under which "preserved" is untrue, by their rows beyond the limit or by their mean."""

TRUE = (mild(0.005), mild(0.01), mild(0.02), rare(0.01, 0.4), rare(0.03, 0.5))
"""Laws under which "changed" and "changed in part" are untrue."""


def judged(drift: np.ndarray, groups: np.ndarray) -> Measured:
    """The verdict on exactly known drifts, each different row counted once."""
    mean, low, high = (float(end[0]) for end in intervals(once(drift, groups), resamples=2000))
    different = int(groups.max()) + 1
    (found,) = decided(
        [
            Measured(
                model="copy", method="M", metric="distance", stratum="all", drift=drift,
                rows=np.arange(len(drift)), mean=mean, low=low, high=high, noise=0.0, retraining=None,
                random=None, margin=MARGIN, p=None, q=None, verdict="undetermined", reason="",
                distinct=different, groups=groups,
            )
        ]
    )  # fmt: skip
    return found


def words(law: Law, n: int, draws: int, seed: int = 0) -> Counter[str]:
    """What is said of rows like these over many draws of n different rows."""
    rng = np.random.default_rng((seed, n))
    return Counter(judged(*law.draw(rng, n)).verdict for _ in range(draws))


def table(draws: int = 400) -> str:
    """The price of honesty: how often each word is said, law by law, in Markdown."""
    lines = [
        "| law | true mean | beyond 0.1 | rows | preserved | changed in part | changed | undetermined |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for law in (*UNTRUE, repeated(UNTRUE[0]), *TRUE):
        for n in ROWS:
            found = words(law, n, draws)
            told = (
                f"{found[word] / draws:.1%}"
                for word in ("preserved", "changed in part", "changed", "undetermined")
            )
            lines.append(
                f"| {law.title} | {law.mean:.3f} | {law.share:.1%} | {n} | {' | '.join(told)} |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())  # noqa: T201
    print(rows_to_bound(0, 1, ALLOWANCE), "rows bound a share of 5 % where none lies beyond")  # noqa: T201

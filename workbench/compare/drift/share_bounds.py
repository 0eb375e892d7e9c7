"""Bounds of the share of rows beyond a limit among rows never drawn; they hold for any distribution."""

from __future__ import annotations

_MOST_ROWS = 100_000  # more is no advice


def most_beyond(beyond: int, rows: int, confidence: float = 0.95) -> float:
    """An upper bound of the share of rows like these beyond the limit, with this confidence.

    Exact: the largest share with which so few drawn rows, or fewer, would lie beyond it with a probability
    of `1 - confidence`. Nothing is assumed about the distribution of drift, only that the rows were drawn
    independently of each other.

    Source: Clopper & Pearson (1934), "The use of confidence or fiducial limits", one-sided.

    >>> round(most_beyond(0, 24), 2)  # 1 - 0.05 ** (1 / 24)
    0.12
    >>> most_beyond(3, 3), most_beyond(0, 0)
    (1.0, 1.0)
    """
    from scipy.stats import beta

    return 1.0 if beyond >= rows else float(beta.ppf(confidence, beyond + 1, rows - beyond))


def fewest_beyond(beyond: int, rows: int, confidence: float = 0.975) -> float:
    """A lower bound of the share of rows like these beyond the limit, with this confidence.

    >>> fewest_beyond(0, 24)
    0.0
    >>> round(fewest_beyond(2, 2, confidence=0.75), 2)  # the square root of 0.25
    0.5
    """
    from scipy.stats import beta

    return 0.0 if beyond <= 0 else float(beta.ppf(1 - confidence, beyond, rows - beyond + 1))


def rows_to_bound(beyond: int, rows: int, allowance: float) -> int | None:
    """How many rows would show that the share beyond is at most `allowance`, if it stays as it is here.

    None where no number would, because the share here is not below the allowance.

    >>> rows_to_bound(0, 24, 0.05), rows_to_bound(1, 100, 0.05), rows_to_bound(3, 24, 0.05)
    (59, 93, None)
    """
    share = beyond / rows if rows else 0.0
    if share >= allowance:
        return None

    def found(n: int) -> bool:
        return most_beyond(round(share * n), n) <= allowance

    enough = 1
    while not found(enough):
        enough *= 2
        if enough > _MOST_ROWS:
            return None
    few = enough // 2
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if found(middle) else (middle, enough)
    return enough

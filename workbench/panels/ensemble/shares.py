"""Weights as shares that always sum to one, and as the percentages that a person reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from workbench.errors import InputError

DIGITS = 6
"""Shares are rounded to so many digits, so that they read well as code."""


def equal(count: int) -> tuple[float, ...]:
    """The same share for each."""
    return (1.0 / count,) * count


def kept(names: Sequence[str], weights: Mapping[str, float]) -> tuple[float, ...]:
    """The members' shares, from weights that some of them have; a new member gets an equal share.

    >>> kept(["a", "b"], {"a": 0.3, "b": 0.1, "gone": 0.6})
    (0.75, 0.25)
    >>> kept(["a", "new"], {})
    (0.5, 0.5)
    """
    given = [max(0.0, float(weights.get(name, 1.0 / len(names)))) for name in names]
    total = sum(given)
    if max(given) - min(given) < 1e-12:
        return equal(len(names))
    if abs(total - 1) < 1e-9:  # unchanged, to the last digit
        return tuple(given)
    return _whole([one / total for one in given]) if total > 0 else equal(len(names))


def moved(shares: Sequence[float], which: int, percent: object) -> tuple[float, ...]:
    """The shares after one is set; the others keep their proportions and take up the rest.

    >>> moved((0.5, 0.25, 0.25), 0, 80)
    (0.8, 0.1, 0.1)
    >>> moved((1.0, 0.0, 0.0), 0, 50)  # nobody had anything: the rest is shared alike
    (0.5, 0.25, 0.25)

    Args:
        shares: that sum to one.
        which: the one that is set.
        percent: its new share, 0 to 100.

    Raises:
        InputError: not a number from 0 to 100.
    """
    number = isinstance(percent, int | float) and not isinstance(percent, bool)
    if not number or not 0 <= percent <= 100:  # type: ignore[operator]
        raise InputError(
            f"A weight is a share from 0 to 100 %, but {percent!r} is none. The others take up the rest."
        )
    if len(shares) == 1:
        return (1.0,)
    new = float(percent) / 100  # type: ignore[arg-type]
    rest = sum(shares) - shares[which]
    others = [
        (share / rest if rest > 1e-12 else 1 / (len(shares) - 1)) * (1 - new) for share in shares
    ]
    others[which] = new
    return _whole(others)


def percents(shares: Sequence[float]) -> list[float]:
    """Percentages with one digit that sum to 100: the largest remainders are rounded up.

    >>> percents(equal(3))
    [33.4, 33.3, 33.3]
    """
    exact = [1000 * share for share in shares]
    tenths = [int(one) for one in exact]
    short = 1000 - sum(tenths)
    order = sorted(range(len(exact)), key=lambda i: tenths[i] - exact[i])
    for i in order[: max(short, 0)]:
        tenths[i] += 1
    return [one / 10 for one in tenths]


def _whole(shares: Sequence[float]) -> tuple[float, ...]:
    """The shares, rounded; the largest is adjusted so that they still sum to one."""
    rounded = [round(share, DIGITS) for share in shares]
    largest = max(range(len(rounded)), key=rounded.__getitem__)
    rounded[largest] = round(rounded[largest] + 1 - sum(rounded), DIGITS)
    return tuple(rounded)

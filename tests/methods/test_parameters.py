"""Every method checks its own parameters, and every end of a range is inside it."""

from __future__ import annotations

import math

import pytest

from workbench.core.parameters import Parameter, parameters
from workbench.errors import InputError
from workbench.methods import catalog

EVERY = [(method, one) for method in catalog() for one in parameters(method)]
RANGED = [(method, one) for method, one in EVERY if one.range is not None]


def named(value: object) -> str:
    return value.name if isinstance(value, Parameter) else getattr(value, "__name__", str(value))


@pytest.mark.parametrize(("method", "one"), EVERY, ids=named)
def test_a_value_of_another_type_is_refused_by_the_parameters_name(method, one):
    wrong = 3 if one.type is str else "three"
    with pytest.raises(InputError, match=rf"{method.__name__}\.{one.name} must be"):
        method(**{one.name: wrong})


@pytest.mark.parametrize(("method", "one"), RANGED, ids=named)
def test_numbers_right_outside_their_range_are_refused(method, one):
    for end, away in ((one.range.low, -1), (one.range.high, 1)):
        beyond = math.nextafter(end, away * math.inf) if one.type is float else end + away
        with pytest.raises(InputError, match=rf"{one.name} must lie in .* but is"):
            method(**{one.name: beyond})


@pytest.mark.parametrize(("method", "one"), RANGED, ids=named)
def test_both_ends_of_a_range_belong_to_it(method, one):
    # A window of 512 fits any stride, and a stride of 1 any window.
    fits = {"window": {"stride": 1}, "stride": {"window": 512}}.get(one.name, {})
    for end in (one.range.low, one.range.high):
        assert getattr(method(**{one.name: one.type(end), **fits}), one.name) == end

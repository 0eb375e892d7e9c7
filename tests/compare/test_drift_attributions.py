"""The explanations behind a drift, by method: also where a copy lacks one."""

from dataclasses import replace

import pytest

from tests.draw.drift_by_hand import drift_by_hand, measured
from tests.results_by_hand import table_result
from workbench.errors import InputError
from workbench.methods import Occlusion


def two_methods():
    """Both methods for the model and the first copy, the second alone for the other copy."""
    both = [
        replace(table_result(), model=name, method=method)
        for name in ("net", "int8")
        for method in (table_result().method, Occlusion())
    ]
    lone = replace(table_result(), model="student", method=Occlusion())
    every = (("int8", "TreeSHAP"), ("int8", "Occlusion"), ("student", "Occlusion"))
    return drift_by_hand(
        ("int8", "student"),
        methods=("TreeSHAP", "Occlusion"),
        measured=tuple(measured(name, method=method) for name, method in every),
        attributions=(*both, lone),
    )


def test_are_those_of_one_method_the_references_first():
    found = two_methods().explained_by("Occlusion")
    assert list(found) == ["net", "int8", "student"]
    assert all(type(one.method) is Occlusion for one in found.values())
    assert [one.model for one in found.values()] == list(found)


def test_leave_out_copies_that_the_method_could_not_explain():
    found = two_methods().explained_by("TreeSHAP")
    assert list(found) == ["net", "int8"]
    assert not any(type(one.method) is Occlusion for one in found.values())


@pytest.mark.parametrize(
    ("drift", "said"),
    [(two_methods(), "'LIME' are needed"), (drift_by_hand(), "carries 0")],
    ids=["no such method", "none kept"],
)
def test_that_are_not_there_are_refused(drift, said):
    with pytest.raises(InputError, match=said):
        drift.explained_by("LIME")

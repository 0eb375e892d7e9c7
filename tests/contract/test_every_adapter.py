"""The promises of `wrap`, for every kind of model."""

from __future__ import annotations

import io
import pickle
from contextlib import suppress

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from tests.adapters_at_hand import KINDS
from tests.small_nets import as_it_is, same_as
from workbench import methods
from workbench.core import Inputs
from workbench.errors import IncompatibleError, InputError, ModelError
from workbench.methods import catalog
from workbench.models.digest import object_digest
from workbench.study.fit import obstacle

PROMISED = (InputError, IncompatibleError, ModelError)
SMALL = {
    "KernelSHAP": {"budget": 128, "segments": 3},
    "PermutationSHAP": {"budget": 128, "segments": 3},
    "LIME": {"budget": 64, "segments": 3},
    "GradientSHAP": {"budget": 16},
    "IntegratedGradients": {"steps": 8},
    "ExactShapley": {"segments": 3},
    "Occlusion": {"window": 4, "stride": 4},
    "ScoreCAM": {},
}

every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())


def wrapped(kind, native, rows):
    return wb.wrap(native, like=rows if kind.liked else None, **kind.words)


def content_of(native, kind, rows) -> object:
    """Everything of an object that asking it could soil, as a value."""
    if isinstance(native, nn.Module):
        return as_it_is(native)
    if isinstance(native, torch.export.ExportedProgram):
        return as_it_is(native.module())
    if hasattr(native, "SerializeToString"):
        return native.SerializeToString()
    return wrapped(kind, native, rows).digest or object_digest(vars(native))


def same_content(before, native, kind, rows) -> bool:
    if isinstance(before, tuple):
        module = native.module() if isinstance(native, torch.export.ExportedProgram) else native
        return same_as(before, module)
    return content_of(native, kind, rows) == before


@every_kind
def test_scores_are_the_live_objects_own_bit_by_bit(kind):
    native, rows = kind.make(), kind.rows()
    expected = np.asarray(kind.own(native, rows), dtype=np.float64)
    model = wrapped(kind, native, rows)
    np.testing.assert_array_equal(model.scores(rows.values), expected)
    assert expected.shape == (3, len(model.outputs))
    assert len(np.unique(expected)) > 1


@every_kind
def test_a_rows_scores_do_not_depend_on_its_neighbors(kind):
    rows = kind.rows()
    model = wrapped(kind, kind.make(), rows)
    together = model.scores(rows.values)
    for row in range(len(rows)):
        alone = model.scores(rows.values[row : row + 1])
        np.testing.assert_allclose(alone[0], together[row], rtol=0, atol=kind.rounding)
    turned = model.scores(rows.values[::-1])[::-1]
    np.testing.assert_allclose(turned, together, rtol=0, atol=kind.rounding)


@every_kind
def test_asking_and_explaining_leave_the_object_and_the_rows_as_they_were(kind, monkeypatch):
    native, rows = kind.make(), kind.rows()
    before = content_of(native, kind, rows)
    values = rows.values.copy()
    monkeypatch.setattr(pickle, "dumps", refuse)
    monkeypatch.setattr(pickle, "dump", refuse)
    monkeypatch.setattr(pickle, "Pickler", refuse)
    model = wrapped(kind, native, rows)
    writable = rows.values.copy()
    model.scores(writable)
    wb.explain(model, rows, methods.ExactShapley(segments=3), wb.Target(0))
    np.testing.assert_array_equal(writable, values)
    np.testing.assert_array_equal(rows.values, values)
    assert same_content(before, native, kind, rows)


def refuse(*_given, **_words):
    raise AssertionError("something was pickled")


@every_kind
def test_every_method_explains_it_or_says_why_not(kind):
    rows = kind.rows()
    model = wrapped(kind, kind.make(), rows)
    able = 0
    for method in catalog():
        recipe = method(**SMALL.get(method.__name__, getattr(method, "quick", {})))
        reason = obstacle(recipe, model, rows)
        if reason is not None:
            with pytest.raises(IncompatibleError) as caught:
                wb.explain(model, rows, recipe, wb.Target(0))
            assert str(caught.value).startswith(method.__name__)
            assert "Methods that can explain it: " in str(caught.value)
            continue
        able += 1
        result = wb.explain(model, rows[:2], recipe, wb.Target(0))
        assert np.isfinite(result.values).all()
        np.testing.assert_allclose(
            result.output, model.scores(rows.values[:2])[:, 0], rtol=0, atol=kind.rounding
        )
    assert able >= 5  # the five that only ask for scores


@every_kind
def test_what_it_lacks_has_a_reason_that_the_refusal_repeats(kind):
    rows = kind.rows()
    model = wrapped(kind, kind.make(), rows)
    assert {name for name in kind.lacks if getattr(model, name) is None} == set(kind.lacks)
    assert set(kind.lacks) <= set(model.absent)
    needy = {"gradient": methods.IntegratedGradients, "trees": methods.TreeSHAP}
    for name, method in needy.items():
        if name in kind.lacks:
            with pytest.raises(IncompatibleError) as caught:
                wb.explain(model, rows, method(), wb.Target(0))
            assert model.absent[name] in str(caught.value)


@every_kind
def test_rows_that_do_not_fit_raise_only_what_is_promised(kind):
    rows = kind.rows()
    model = wrapped(kind, kind.make(), rows)
    image = rows.kind == "image"
    narrow = rows.values[..., :1] if image else rows.values[:, :1]
    few = Inputs(narrow, kind=rows.kind, background=narrow[:1])
    with pytest.raises(PROMISED):
        wb.explain(model, few, methods.ExactShapley(segments=3), wb.Target(0))
    with pytest.raises(PROMISED):
        model.scores(narrow)
    with pytest.raises(PROMISED):
        model.scores(np.zeros((2, 5)) if image else np.zeros((2, 4, 4, 3)))
    holes = rows.values.copy()
    holes[1, ..., 0] = np.nan
    if image:  # in a table they are missing values, and the model decides
        with pytest.raises(InputError, match="finite"):
            Inputs(holes, kind=rows.kind)


@every_kind
def test_missing_values_and_no_rows_are_answered_or_refused_as_promised(kind):
    rows = kind.rows()
    model = wrapped(kind, kind.make(), rows)
    holes = rows.values.copy()
    holes[1, ..., 0] = np.nan
    with suppress(*PROMISED):  # trees read missing values; whatever else is raised fails here
        assert np.isfinite(model.scores(holes)).all()
    with suppress(*PROMISED):
        result = wb.explain(model, rows[:0], methods.ExactShapley(segments=3), wb.Target(0))
        assert result.values.shape == (0, *rows.values.shape[1:])


def test_nothing_here_is_pickled_unseen(monkeypatch):
    monkeypatch.setattr(pickle, "dump", refuse)
    with pytest.raises(AssertionError, match="was pickled"):
        pickle.dump([], io.BytesIO())

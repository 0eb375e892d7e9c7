"""Copies are tried on rows of the user's: modules that no made-up row goes through have copies too."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

import workbench as wb
from workbench import methods, models, variants
from workbench.core import Inputs, Model
from workbench.models.asking import probed
from workbench.models.torch import engine_of

RNG = np.random.default_rng(0)


def table(values, **more) -> Inputs:
    return Inputs(np.asarray(values, dtype=float), kind="tabular", **more)


class Tokens(nn.Module):
    """Ids from 5 up, so that zeros, ones and noise are no rows of it."""

    def __init__(self):
        super().__init__()
        self.table, self.head = nn.Embedding(40, 8), nn.Linear(8, 3)

    def forward(self, ids):
        return self.head(self.table(ids - 5).mean(1))


class Lengths(nn.Module):
    """Packed sequences: a length of 0 or of 1.7 is none."""

    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.LSTM(2, 6, batch_first=True), nn.Linear(6, 2)

    def forward(self, steps, length):
        packed = pack_padded_sequence(steps, length.cpu(), batch_first=True, enforce_sorted=False)
        return self.head(self.layer(packed)[1][0][-1])


class FromOne(nn.Module):
    """A column of codes 1 to 4 beside plain numbers, turned into whole numbers by the module itself."""

    def __init__(self):
        super().__init__()
        self.table, self.head = nn.Embedding(4, 3), nn.Linear(5, 2)

    def forward(self, x):
        code = x[:, 0].long() - 1
        return self.head(torch.cat([self.table(code), x[:, 1:]], 1))


class Logs(nn.Module):
    """Columns that must be positive: the logarithm of noise is NaN."""

    def __init__(self):
        super().__init__()
        self.head = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))

    def forward(self, x):
        return self.head(torch.log(x))


class Checked(nn.Module):
    """A module that refuses what it was not made for."""

    def __init__(self):
        super().__init__()
        self.head = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 2))

    def forward(self, x):
        if not bool(((x >= 18) & (x <= 120)).all()):
            raise ValueError("ages from 18 to 120")
        return self.head(x / 100)


class Positions(nn.Module):
    """Columns that say where to look: whole numbers from 2 to 7, in a vector of eight."""

    def __init__(self):
        super().__init__()
        self.line, self.head = nn.Parameter(torch.linspace(-1, 1, 8)), nn.Linear(3, 2)

    def forward(self, x):
        return self.head(self.line[x.long()] + self.line[x.long() - 2])


def tokens():
    split = models.Split([(6,)], whole=[0])
    return Tokens(), split, table(RNG.integers(5, 45, (20, 6)))


def lengths():
    split = models.Split({"steps": (5, 2), "length": ()}, whole=["length"])
    parts = {"steps": RNG.normal(size=(20, 5, 2)), "length": RNG.integers(1, 6, 20)}
    return Lengths(), split, table(split.pack(parts))


def from_one():
    return FromOne(), None, table(np.c_[RNG.integers(1, 5, 20), RNG.normal(size=(20, 2))])


CASES = {
    "token ids": tokens,
    "packed lengths": lengths,
    "codes from 1": from_one,
    "logs of positive columns": lambda: (Logs(), None, table(RNG.uniform(0.5, 9, (20, 4)))),
    "ages that are checked": lambda: (Checked(), None, table(RNG.uniform(18, 99, (20, 3)))),
    "positions": lambda: (Positions(), None, table(RNG.integers(2, 8, (20, 3)))),
}

COPIES = {
    "prune": lambda model, rows: variants.prune(model, 0.5, **rows),
    "cast": lambda model, rows: variants.cast(model, "bfloat16", **rows),
    "low_rank": lambda model, rows: variants.low_rank(model, rank=1, **rows),
    "weights": lambda model, rows: variants.quantize_weights(model, **rows),
    "dynamic": lambda model, rows: variants.quantize_dynamic(model, **rows),
    "rounded weights": lambda model, rows: variants.fake_quantize(
        model, weight_bits=4, activation_bits=None, **rows
    ),
}


def wrapped(case: str, *, like: bool) -> tuple[Model, Inputs]:
    torch.manual_seed(0)
    module, split, rows = CASES[case]()
    known = {"like": rows} if like else {"outputs": ["a", "b", "c"][: 3 if split else 2]}
    if not like and case == "packed lengths":
        known = {"outputs": ["a", "b"]}
    return wb.wrap(module.eval(), preprocess=split, name="net", kind="tabular", **known), rows


@pytest.mark.parametrize("copy", COPIES)
@pytest.mark.parametrize("case", CASES)
def test_a_copy_is_tried_on_the_rows_the_model_was_wrapped_for(case, copy):
    model, rows = wrapped(case, like=True)
    made = COPIES[copy](model, {})
    assert made.variant.change == np.abs(made.scores(rows.values) - model.scores(rows.values)).max()
    np.testing.assert_array_equal(engine_of(made).like.values, rows.values)
    again = variants.prune(made, 0.2) if copy == "prune" else made
    assert again.variant.change is not None


@pytest.mark.parametrize("copy", COPIES)
@pytest.mark.parametrize("case", CASES)
def test_a_copy_is_tried_on_the_rows_that_are_given(case, copy):
    model, rows = wrapped(case, like=False)
    made = COPIES[copy](model, {"rows": rows})
    assert made.variant.change == np.abs(made.scores(rows.values) - model.scores(rows.values)).max()
    if copy == "prune":  # a copy of the copy needs them no second time
        assert variants.prune(made, 0.9).variant.change > 0


@pytest.mark.parametrize("case", CASES)
def test_a_sweep_and_a_drift_study_of_such_a_model_run(case):
    model, rows = wrapped(case, like=True)
    family = variants.sweep(model, "prune", [0.2, 0.6])
    assert [one.variant.change > 0 for one in family] == [True, True]
    rows = rows.with_background(rows.values[:3])
    found = wb.drift(model, family, rows, methods.Occlusion(), random_weights=False)
    assert set(found.verdicts) == {one.name for one in family}


@pytest.mark.parametrize("case", [case for case in CASES if case != "positions"])
def test_without_any_row_of_the_users_a_copy_is_made_and_says_that_it_was_not_compared(case):
    model, rows = wrapped(case, like=False)
    made = variants.prune(model, 0.5)
    assert made.variant.change is None
    assert made.variant.size.macs is None
    assert any("was not compared" in note for note in made.notes)
    assert np.isfinite(made.scores(rows.values)).all()


def test_calibrated_copies_of_codes_and_logs_are_made():
    for case in ("codes from 1", "logs of positive columns"):
        model, rows = wrapped(case, like=True)
        made = variants.fake_quantize(model, rows)
        assert made.variant.change > 0


def test_the_rows_of_a_pipeline_with_a_logarithm_are_kept_too():
    rows = table(RNG.uniform(0.5, 9, (40, 3)))
    native = make_pipeline(FunctionTransformer(np.log), LogisticRegression())
    model = wb.wrap(native.fit(rows.values, rows.values[:, 0] > 3), like=rows)
    from workbench.variants.record import rows_to_try

    np.testing.assert_array_equal(rows_to_try(model, None), rows.values[:32])


def test_a_single_row_of_codes_is_not_doubled():
    """Twice the largest code is none, and on a GPU it would end the process."""
    asked = []

    def predict(rows):
        asked.append(rows.copy())
        return rows[:, :1]

    probed(Model("codes", predict, ("y",), "raw"), np.array([[39.0, 0.5]]))
    assert max(rows[:, 0].max() for rows in asked) == 39.0
    assert max(rows[:, 1].max() for rows in asked) == 1.0


def test_rows_that_were_given_win_over_those_that_were_kept():
    model, rows = wrapped("logs of positive columns", like=True)
    other = table(RNG.uniform(0.5, 9, (5, 4)))
    made = variants.prune(model, 0.5, rows=other)
    found = np.abs(made.scores(other.values) - model.scores(other.values)).max()
    assert made.variant.change == found
    assert found != np.abs(made.scores(rows.values) - model.scores(rows.values)).max()

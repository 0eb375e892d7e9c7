"""Copies that are really different, of kinds that once passed as preserved, and equal ones that did not."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

import workbench as wb
from workbench import lab
from workbench.compare import judge
from workbench.core import Estimate, Inputs, Model, Progress
from workbench.errors import InputError
from workbench.methods import Occlusion

ZERO = Occlusion(fill="zero")
rng = np.random.default_rng(0)


def between(low, high, n=100):
    """Numbers of either sign between two sizes."""
    return rng.uniform(low, high, n) * rng.choice([-1, 1], n)


def of(function, name, outputs=("y",), scale="raw"):
    return Model(name, function, outputs, scale, kind="tabular")


def linear(name, *weights, bias=0.0, then=lambda y: y):
    return of(lambda x: then(x @ np.array(weights) + bias)[:, None], name)


def held(reference, copy, rows, **changes):
    inputs = Inputs(np.asarray(rows, dtype=float), kind="tabular")
    return wb.drift(reference, copy, inputs, ZERO, random_weights=False, **changes)


def not_preserved(drift):
    assert drift.verdicts["copy"] != "preserved", drift.sentence("copy")
    assert not lab.check_budget(drift, lab.Budget()).held


def in_half(scores):
    part, power = np.frexp(scores)
    return np.ldexp(np.round(part * 256) / 256, power)


def test_another_large_output_does_not_make_the_explained_one_imprecise():
    def two(name, *weights):
        def answer(x):
            return np.stack([1e6 * x[:, 2], x[:, :2] @ np.array(weights)], axis=1)

        return of(answer, name, ("usd", "share"))

    x = np.column_stack([between(6, 8), between(1, 1.4), between(1.5, 2.5)])
    drift = held(two("net", 1, 1), two("copy", 1, -2.0), x, target=wb.Target("share"))
    assert drift.verdicts["copy"] == "changed"


def test_masked_outputs_do_not_make_the_others_imprecise():
    def masked(name, *weights):
        return of(
            lambda x: np.stack([x @ np.array(weights), np.full(len(x), -1e9)], axis=1).astype(np.float32),
            name, ("yes", "never"), "logit",
        )  # fmt: skip

    drift = held(
        masked("net", 1, 1), masked("copy", 1, -1), np.column_stack([between(2, 3), between(1, 2)])
    )
    assert drift.verdicts["copy"] == "changed"


def test_one_row_far_away_hides_nothing_of_the_others():
    x = np.column_stack([between(0.5, 1.5) for _ in range(3)])
    x[0] = [3e7, 0, 0]
    drift = held(linear("net", 1, 1, 0), linear("copy", 1, 0.8, 0.2), x)
    assert drift.verdicts["copy"] == "changed"
    turned = held(linear("net", 1, 1, 1), linear("copy", -1, 1, 1), np.vstack([x[1:], [0, 0, 1e6]]))
    first = lab.findings(turned).features[0]
    assert (first.feature, first.change) == ("x0", "sign turned")


def test_scores_in_points_are_exact():
    x = np.unique(rng.integers(0, 2, size=(400, 10)).astype(float), axis=0)[:100]
    net = linear("net", 4, 2, 2, 2, 1, 1, 1, 0, 0, 0, bias=200)
    copy = linear("copy", 4, 0, 0, 0, 3, 3, 3, 2, 2, 2, bias=200)
    assert held(net, copy, x).verdicts["copy"] == "changed"


def test_neighbors_that_move_a_score_are_no_rounding():
    def beside(x):
        return (1000 + x.sum(axis=1) + 6 * np.tanh(np.abs(x - x.mean(axis=0)).sum(axis=1)))[:, None]

    x = np.column_stack([between(20, 22), between(8, 14)])
    not_preserved(held(linear("net", 1, 0, bias=1000), of(beside, "copy"), x))


def test_half_precision_beside_an_offset_leaves_a_copy_open_and_not_preserved():
    x = np.column_stack([between(1.2, 1.6), between(0.3, 1.1)])
    drift = held(linear("net", 1, 0, bias=100), linear("copy", 1, 1, bias=100, then=in_half), x)
    not_preserved(drift)


def test_rows_that_a_method_says_nothing_about_do_not_speak_for_a_copy():
    x = rng.uniform(1, 2, size=(150, 4))
    x[:, 1], x[:, 3] = x[:, 0], x[:, 2]
    told = np.arange(150) % 5 < 3
    x[told, 1], x[told, 2:] = 0.1 * x[told, 0], 0

    def other(z):
        first, second = np.maximum(z[:, 0], z[:, 1]), np.maximum(z[:, 2], z[:, 3])
        return np.where(second > 0.5, -7 * second, first)[:, None]

    reference = of(lambda z: np.maximum(z[:, 0], z[:, 1])[:, None], "net")
    drift = held(reference, of(other, "copy"), x)
    not_preserved(drift)
    assert drift.claim("copy").rows == 150


def test_a_method_that_says_nothing_keeps_to_no_budget():
    x = rng.uniform(1, 2, size=(100, 3))
    x = np.hstack([x, x])

    def largest(name, i):
        return of(lambda z: np.maximum(z[:, i], z[:, i + 3])[:, None], name)

    drift = held(largest("net", 0), largest("copy", 1), x)
    assert "no method says enough about these 100 rows" in drift.sentence("copy")
    for budget in (lab.Budget("any", drift={"distance": 0.01}), lab.Budget(undetermined="allow")):
        assert not lab.check_budget(drift, budget).held


@pytest.mark.parametrize("n", [1, 2, 19])
def test_rows_that_do_not_decide_are_let_pass_but_not_rows_that_changed(n):
    x = rng.normal(size=(n, 4))
    budget = lab.Budget(undetermined="allow")
    net, same = linear("net", 6, 5, 4, 3), linear("copy", 6, 5, 4, 3)
    assert lab.check_budget(held(net, same, x), budget).held
    drift = held(net, linear("copy", -6, 5, 4, -3), x)
    assert drift.on_rows["copy"] == "changed"
    assert not lab.check_budget(drift, budget).held


@dataclass(frozen=True)
class Noisy:
    """A method that shows a little of the model and much of its own noise, and does not know its errors."""

    seed: int = 0
    needs: ClassVar[tuple[str, ...]] = ()
    kinds: ClassVar[tuple[str, ...]] = ("tabular",)
    additive: ClassVar[bool] = False
    source: ClassVar[str] = "a test"

    def attribute(self, model, inputs, targets, /):
        noise = np.random.default_rng(self.seed).normal(size=inputs.values.shape)
        signal = model.scores(inputs.values) * inputs.values
        values = np.stack([0.02 * signal + noise] * len(targets))
        nothing = np.full(values.shape[:2], np.nan)
        output = np.zeros(values.shape[:2])
        found = Estimate(values=values, output=output, base=nothing, error=values * np.nan)
        yield Progress(1, 1, lambda: found)


def test_errors_that_nobody_knows_are_no_errors_of_zero():
    inputs = Inputs(rng.normal(size=(100, 4)), kind="tabular")
    drift = wb.drift(
        linear("net", 1, 1, 0.5, 0.2),
        linear("copy", -1, -1, 0.5, 0.2),
        inputs,
        Noisy(),
        random_weights=False,
    )
    not_preserved(drift)


def test_an_order_alone_bounds_no_single_rows():
    x = rng.normal(size=(100, 5))
    inputs = Inputs(x, kind="tabular")
    found = [
        wb.explain(linear(name, 1, 2, 3, 4, 5), inputs, ZERO, wb.Target(0))
        for name in ("net", "copy")
    ]
    scores = dict.fromkeys(("net", "copy"), x[:, :1])
    with pytest.raises(InputError, match="sees how much a single row moved"):
        judge({"M": found[0]}, {"copy": {"M": found[1]}}, scores, ("y",), deciding=["spearman"])
    for changes in ({"allowance": 0}, {"allowance": "a"}, {"margins": {"distance": "x"}}):
        with pytest.raises(InputError, match=r"(allowance is|margins are)"):
            judge({"M": found[0]}, {"copy": {"M": found[1]}}, scores, ("y",), **changes)
    with pytest.raises(InputError, match=r"judge needs scores \(100, 1\) of every model"):
        judge({"M": found[0]}, {"copy": {"M": found[1]}}, {**scores, "copy": x[:3, :1]}, ("y",))


def test_a_zero_with_another_sign_is_no_other_row():
    x = rng.normal(size=(30, 4))
    x[:, 3] = 0.0
    twice = np.vstack([x, x * np.array([1, 1, 1, -1])])
    drift = held(linear("net", 1, 2, 3, 4), linear("copy", 1, 2, 3, 4), twice)
    assert drift.claim("copy").rows == 30
    assert drift.verdicts["copy"] == "undetermined"


def test_columns_that_count_alike_change_places_without_a_change_of_reasons():
    x = np.unique(rng.integers(0, 2, size=(300, 8)).astype(float), axis=0)[:120]
    x = x[x.any(axis=1)]
    near = linear("copy", *(1 + 1e-4 * rng.normal(size=8)))
    drift = held(linear("net", *[1.0] * 8), near, x)
    assert drift.verdicts["copy"] == "preserved"
    # Weights that differ by a tenth are another matter.
    far = linear("copy", *(1 + 0.1 * rng.normal(size=8)))
    assert held(linear("net", *[1.0] * 8), far, x).verdicts["copy"] == "changed"


def test_a_study_without_shared_seeds_needs_noise_to_hold_it_against():
    with pytest.raises(InputError, match="noise_seeds is 0"):
        held(
            linear("net", 1, 2),
            linear("copy", 1, 2),
            rng.normal(size=(20, 2)),
            paired=False,
            noise_seeds=0,
        )


def test_a_method_that_a_copy_lacks_is_named_beside_its_verdict():
    from workbench.methods import IntegratedGradients

    x = rng.normal(size=(60, 3))
    weights = np.array([1.0, 2.0, 3.0])
    plain = linear("copy", *weights)
    able = replace(
        linear("net", *weights),
        gradient=lambda z, w: (
            (z @ weights)[:, None],
            np.einsum("tnk,f->tnf", w, weights),
        ),
    )
    inputs = Inputs(x, kind="tabular", background=np.zeros((1, 3)))
    drift = wb.drift(
        able, plain, inputs, (ZERO, IntegratedGradients(steps=8)), random_weights=False
    )
    assert drift.of_explanations("copy").endswith(", explained by Occlusion alone")


def test_labels_that_do_not_exclude_each_other_flip_one_by_one():
    def labels(name, others):
        def answer(x):
            first = 1 / (1 + np.exp(-5 - 0.5 * np.tanh(x[:, 0] + x[:, 1])))
            return np.column_stack([first, 0.98 / (1 + np.exp(-3 * others(x)))])

        return of(answer, name, ("any", "a", "b"), "probability")

    x = rng.normal(size=(100, 4))
    copy = labels("copy", lambda z: -z[:, 2:])
    drift = held(labels("net", lambda z: z[:, :2]), copy, x)
    crossed = ((x[:, :2] > 0) != (x[:, 2:] < 0)).any(axis=1).mean()
    # 0.98 of a probability crosses one half a little later than the probability itself.
    assert drift.behavior[0].flips == pytest.approx(crossed, abs=0.05)
    not_preserved_gate = lab.check_budget(drift, lab.Budget())
    assert [one.held for one in not_preserved_gate.checks if one.what == "flips"] == [False]


def test_rows_that_one_method_is_silent_about_may_be_spoken_of_by_another():
    x = rng.uniform(1, 2, size=(100, 4))
    inputs = Inputs(x, kind="tabular")
    net = linear("net", 1, 2, 3, 4)
    full = wb.explain(net, inputs, ZERO, wb.Target(0))

    def silent(rows):
        values = full.values.copy()
        values[rows] = 0.0
        return replace(full, values=values)

    def word(rows):
        found = {"one": silent(rows), "other": full}
        scores = {"net": net.scores(x), "copy": net.scores(x)}
        copies = {"copy": {name: replace(one, model="copy") for name, one in found.items()}}
        return judge(found, copies, scores, ("y",))

    few, most, alone = word(slice(30)), word(slice(80)), silent(slice(30))
    assert few.verdicts == {"copy": "preserved"}
    assert [one.known for one in few.of("copy", method="one") if one.metric == "distance"] == [100]
    assert most.verdicts == {"copy": "preserved"}
    assert any(
        "one explains nothing of copy and its reference in 80 of 100" in note for note in most.notes
    )
    # One that is silent about most rows does not decide, and so speaks for none.
    pair = {"one": alone, "other": silent(slice(30, 100))}
    copies = {"copy": {name: replace(one, model="copy") for name, one in pair.items()}}
    scores = {"net": net.scores(x), "copy": net.scores(x)}
    assert judge(pair, copies, scores, ("y",)).verdicts == {"copy": "undetermined"}
    by_itself = judge(
        {"one": alone}, {"copy": {"one": replace(alone, model="copy")}}, scores, ("y",)
    )
    assert by_itself.verdicts == {"copy": "undetermined"}

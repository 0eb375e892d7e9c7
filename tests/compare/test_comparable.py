"""One rule says whether two explanations may be held against each other: of members, models and copies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.compare.drift_by_hand import Exact, Sampled, explanation
from workbench.compare import Lines, Members, compare, drift_per_row, measure
from workbench.core import Inputs, Target
from workbench.errors import IncompatibleError, InputError, WorkbenchError

VALUES = np.random.default_rng(2).normal(size=(6, 4))
FIRST = explanation(VALUES, "first")


def second(**changes):
    return replace(explanation(VALUES * 1.1, "second"), **changes)


def over(background, **changes):
    return second(inputs=FIRST.inputs.with_background(background), **changes)


WAYS = {
    "members": lambda one, other: Members.of([one, other]),
    "compare": lambda one, other: compare([one, other], one.model),
    "drift_per_row": lambda one, other: drift_per_row("cosine", one, other),
    "measure": lambda one, other: measure(one, other),
}
OTHERWISE = {
    "units": (second(scale="probability"), IncompatibleError, "'first' is in logit, 'second' in prob"),
    "rows": (second(inputs=Inputs(VALUES, kind="tabular")), InputError, "the same rows"),
    "background": (over(np.ones((2, 4))), IncompatibleError, "one background.*'first' has none"),
    "shape": (second(values=np.ones((6, 3))), InputError, r"\(6, 4\) and 'second' \(6, 3\)"),
    "players": (
        second(players=[0, 0, 1, 1], player_names=("x", "y")), InputError, "'second' credits others"
    ),
    "columns": (
        second(inputs=replace(FIRST.inputs, features=tuple("abcd"))), InputError, "credits others"
    ),
    "no numbers": (
        second(values=np.where(np.arange(6)[:, None] == 2, np.inf, VALUES)),
        InputError,
        "numbers, but 4 of the values",
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("what", OTHERWISE)
def test_what_is_no_difference_of_models_is_refused_by_all_alike(way, what):
    other, error, words = OTHERWISE[what]
    WAYS[way](FIRST, second())
    with pytest.raises(error, match=words):
        WAYS[way](FIRST, other)


@pytest.mark.parametrize("way", ["members", "drift_per_row", "measure"])
def test_another_explained_output_is_refused_or_said(way):
    for other in (second(target=Target(1)), second(explained=("no", *("yes",) * 5))):
        with pytest.raises(InputError, match="the same output explained"):
            WAYS[way](FIRST, other)
    moved = second(explained=("no", *("yes",) * 5))
    assert (
        "on 1 of 6 rows another output was explained" in compare([FIRST, moved], "first").notes[0]
    )


def test_another_method_is_refused_or_said():
    for way in ("drift_per_row", "measure"):
        with pytest.raises(IncompatibleError, match="two methods never agree"):
            WAYS[way](FIRST, second(method=Sampled()))
    assert "2 recipes" in Members.of([FIRST, second(method=Sampled())]).notes[0]
    assert compare([FIRST, second(method=Sampled())], "first").rows == ()


def test_lines_of_noise_alone_may_have_another_background():
    one, noise = (explanation(VALUES, "first", method=Sampled(seed=seed)) for seed in (1, 2))
    copy = second(method=Sampled(seed=1))
    elsewhere = replace(noise, inputs=FIRST.inputs.with_background(np.ones((2, 4))))
    found = measure(one, copy, lines=Lines(noise=(elsewhere,)))
    assert {line.metric: line.noise for line in found}["distance"] == 0  # the same values
    with pytest.raises(IncompatibleError, match="one background"):
        measure(one, copy, lines=Lines(siblings=(elsewhere,)))


def test_the_reason_names_who_asked():
    said = {"members": "Members need", "compare": "compare needs", "measure": "Drift needs"}
    for way, words in said.items():
        with pytest.raises(WorkbenchError, match=f"^{words} the same rows"):
            WAYS[way](FIRST, OTHERWISE["rows"][0])
    assert isinstance(FIRST.method, Exact)

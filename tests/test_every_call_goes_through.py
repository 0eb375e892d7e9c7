"""What stands before a model stands before all that it can be asked, also what it learns later."""

import collections.abc
import typing
from dataclasses import fields, replace

import numpy as np
import pytest

from workbench.core import CALLS, CAPABILITIES, Combination, Inputs, Meter, Model
from workbench.ensembles.combined import bundle_of, over
from workbench.ensembles.guarding import MemberFailedError, guarded
from workbench.ensembles.members import in_order
from workbench.ensembles.spaces import in_scale, voting
from workbench.models.asking.turns import unmoving
from workbench.second_opinion.asking import Meter as RefereesMeter
from workbench.second_opinion.asking import Stopped
from workbench.study.probe import Clock, TimeUp

ROWS = np.arange(6.0).reshape(2, 3) + 1
ARGUMENTS = {
    "rows": ROWS,
    "weights": np.ones((4, 2, 1)),
    "layer": "last",
    "channels": np.zeros(2, dtype=np.intp),
    "row": ROWS[0],
    "fills": ROWS[1:],
    "players": np.arange(3),
    "masks": np.ones((5, 3), dtype=bool),
    "which": np.zeros(5, dtype=np.intp),
}
DESCRIBING = {"layers", "trees", "culprit", "trial", "remarks"}
"""Callables of a model that answer for no row."""

every = pytest.mark.parametrize("capability", sorted(CALLS))


def able(done=lambda: None, name="able", scale="logit") -> Model:
    """A model of three columns and one output that can do everything; `done` happens in every answer."""
    seen: dict[str, tuple] = {}

    def answering(call):
        def answer(*arguments):
            seen[call.capability] = arguments
            done()
            n = replace(call, arguments=arguments).rows
            shapes = {
                "scores": (n, 1),
                "gradients": (4, n, 3),
                "maps": (n, 2, 4, 4),
                "map_gradients": (4, n, 2, 4, 4),
                "attention": (n, 3),
            }
            parts = tuple(np.full(shapes[part], 0.25) for part in call.gives)
            return parts[0] if len(parts) == 1 else parts

        return answer

    calls = {capability: answering(call) for capability, call in CALLS.items()}
    return Model(
        name=name, outputs=("yes",), scale=scale, features=tuple("abc"), native=seen, **calls
    )


def ask(model: Model, capability: str):
    arguments = (ARGUMENTS[name] for name in CALLS[capability].takes)
    return getattr(model, capability)(*arguments)


def test_whatever_a_model_answers_for_rows_is_known_to_what_stands_before_it():
    hints = typing.get_type_hints(Model)
    callables = set()
    for one in fields(Model):
        for hint in (hints[one.name], *typing.get_args(hints[one.name])):
            kind = typing.get_origin(hint) or hint
            if kind is collections.abc.Callable or getattr(kind, "_is_protocol", False):
                callables.add(one.name)
    assert callables == set(CALLS) | DESCRIBING
    assert set(CAPABILITIES) <= callables


@every
def test_the_arguments_are_called_what_the_model_calls_them(capability):
    hints = typing.get_type_hints(Model)
    for kind in typing.get_args(hints[capability]) or (hints[capability],):
        if getattr(kind, "_is_protocol", False):
            names = list(typing.get_type_hints(kind.__call__))
            assert tuple(name for name in names if name != "return") == CALLS[capability].takes


@every
def test_a_run_counts_it(capability):
    meter = Meter(Inputs(ROWS + 1, kind="tabular"), {}, able())
    ask(meter.on(able()), capability)
    assert meter.rows == (5 if capability.startswith("masked") else 2)


@every
def test_a_probe_times_it_and_refuses_it_when_the_time_is_up(capability):
    clock = Clock(seconds=0.0, most=100)
    timed = clock.on(able())
    ask(timed, capability)
    assert clock.rows == (5 if capability.startswith("masked") else 2)
    with pytest.raises(TimeUp):
        ask(timed, capability)
    assert not clock.spent


@every
def test_a_probe_asks_for_the_first_rows_of_a_call_and_is_over(capability):
    clock = Clock(seconds=60.0, most=1, real=True)
    timed = clock.on(able())
    with pytest.raises(TimeUp):
        ask(timed, capability)
    assert (clock.asked, clock.rows, clock.spent) == (1, 1, True)
    with pytest.raises(TimeUp):
        ask(timed, capability)
    assert clock.asked == 1


@every
def test_a_probe_lets_the_first_rows_stand_for_the_others(capability):
    clock = Clock(seconds=60.0, most=1)
    timed = clock.on(able())
    whole, told = ask(able(), capability), ask(timed, capability)
    rows = 5 if capability.startswith("masked") else 2
    assert (clock.asked, clock.rows, clock.spent) == (1, rows, True)
    parts = [(one,) if isinstance(one, np.ndarray) else one for one in (whole, told)]
    for real, repeated in zip(*parts, strict=True):
        assert np.shape(repeated) == np.shape(real)
    assert np.shape(ask(timed, capability)[0]) == np.shape(whole[0])  # and of nothing asked anew
    assert clock.asked == 1


@every
def test_a_member_that_fails_in_it_is_named(capability):
    def fail():
        raise ValueError("no memory")

    with pytest.raises(MemberFailedError, match=r"Member 'able' failed: no memory\.") as failure:
        ask(guarded(able(fail), 3), capability)
    assert failure.value.number == 3
    assert failure.value.asked_for_scores == (CALLS[capability].gives == ("scores",))


@every
def test_a_referee_is_counted_and_stopped_in_it(capability):
    meter = RefereesMeter()
    ask(meter.on(able()), capability)
    assert meter.rows == (5 if capability.startswith("masked") else 2)
    with pytest.raises(Stopped):
        ask(RefereesMeter(lambda: True).on(able()), capability)


@every
def test_random_states_come_back_after_it(capability):
    before = np.random.get_state()[1].copy()
    ask(unmoving(able(np.random.random)), capability)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


@every
def test_a_member_of_fewer_columns_gets_its_own_in_it(capability):
    model = able()
    wide = {
        "rows": ROWS[:, [2, 0, 1, 1]],
        "row": ROWS[0, [2, 0, 1, 1]],
        "fills": ROWS[1:, [2, 0, 1, 1]],
    }
    wide["players"] = np.array([2, 0, 1, 3])
    arguments = [(ARGUMENTS | wide)[name] for name in CALLS[capability].takes]
    answer = getattr(in_order(model, tuple("cabx"), np.array([1, 2, 0])), capability)(*arguments)
    got = dict(zip(CALLS[capability].takes, model.native[capability], strict=True))
    for name in got:
        np.testing.assert_array_equal(got[name], ARGUMENTS[name])
    if "gradients" in CALLS[capability].gives:
        # The fourth column is not its own.
        assert answer[1][0, 0].tolist() == [0.25, 0.25, 0.25, 0.0]


@every
def test_a_member_in_another_unit_answers_in_that_unit_or_not_at_all(capability):
    model = in_scale(able(), "probability")
    if getattr(model, capability) is None:
        return
    assert "scores" in CALLS[capability].gives
    scores = CALLS[capability].parts(ask(model, capability))[0]
    yes = 1 / (1 + np.exp(-0.25))
    np.testing.assert_allclose(scores[0], [1 - yes, yes], atol=1e-15)  # a last bit


@every
def test_who_votes_answers_with_votes_and_with_nothing_else(capability):
    voter = voting(able(), ("no", "yes"))
    if capability == "predict":
        assert voter.predict(ROWS).tolist() == [[0.0, 1.0]] * 2  # 0.25 is a yes
    else:
        assert getattr(voter, capability) is None


@every
def test_an_ensemble_and_its_bundle_ask_every_member_or_cannot_do_it(capability):
    members = (able(name="one"), able(name="other"))
    combination = Combination(
        members, "weighted mean", "logit", np.array([0.5, 0.5]), (np.eye(1),) * 2
    )
    ensemble = over(able(name="both"), combination)
    bundle, _ = bundle_of(ensemble, combination, (0, 1))
    for model, outputs in ((ensemble, 1), (bundle, 3)):
        if getattr(model, capability) is None:
            continue
        for member in members:
            member.native.clear()
        arguments = {**ARGUMENTS, "weights": np.ones((4, 2, outputs))}
        answer = getattr(model, capability)(*(arguments[name] for name in CALLS[capability].takes))
        assert all(capability in member.native for member in members)
        scores = CALLS[capability].parts(answer)[0]
        assert scores.shape[1:] == (outputs,)

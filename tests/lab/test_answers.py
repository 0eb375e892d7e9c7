"""Models that draw numbers, count their calls or read their neighbors: told, wherever they are met."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from tests.lab.rows_by_hand import table
from workbench import ensembles
from workbench.core import Model, Variant
from workbench.errors import ModelError
from workbench.lab import DriftStudy, steps
from workbench.lab.answers import Answers
from workbench.methods import Occlusion

WEIGHTS = np.array([[3.0, -2.0, 1.0, 0.5, 0.25, 2.0]]).T


def plain(rows):
    return np.asarray(rows) @ WEIGHTS


def generator():
    draw = np.random.default_rng(0)
    return lambda rows: plain(rows) + 0.1 * draw.normal(size=(len(rows), 1))


def numpys():
    return lambda rows: plain(rows) + 0.1 * np.random.normal(size=(len(rows), 1))


def pythons():
    return lambda rows: plain(rows) + 0.1 * random.random()


def torchs():
    return lambda rows: plain(rows) + 0.1 * torch.rand(len(rows), 1).double().numpy()


def counting():
    calls = []

    def answer(rows):
        calls.append(len(rows))
        return plain(rows) + 0.01 * len(calls)

    return answer


def dropout():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 1)).double().train()
    return lambda rows: net(torch.tensor(np.array(rows))).detach().numpy()


def centered():
    return lambda rows: plain(rows) - plain(rows).mean()


RANDOM = {
    "its own generator": generator,
    "NumPy's": numpys,
    "Python's": pythons,
    "torch's": torchs,
    "a counter": counting,
    "dropout": dropout,
}
ODD = RANDOM | {"the batch": centered}
SAID = dict.fromkeys(RANDOM, "asked again, they have other scores, by up to") | {
    "the batch": "scores depend on the rows beside it, by up to"
}


def bare(answer, name="copy"):
    return Model(name, answer, ("y",), "raw")


def wrapped(answer, name="copy"):
    return wb.wrap(answer, name=name, outputs=["y"], scale="raw")


class Estimator:
    """Like one of scikit-learn's, and it draws."""

    classes_ = ("no", "yes")

    def __init__(self, noise=0.05):
        self._noise = noise

    def predict_proba(self, rows):
        ill = 1 / (1 + np.exp(-plain(rows)[:, 0])) + self._noise * np.random.random(len(rows))
        return np.stack([1 - ill, ill], axis=1)


def drift(reference, copy, **more):
    more = {"random_weights": False} | more
    return wb.drift(reference, copy, table(), Occlusion(fill="mean"), **more)


@pytest.mark.parametrize("made", [bare, wrapped])
@pytest.mark.parametrize("kind", ODD)
class TestEveryKind:
    def test_of_a_copy_it_is_noted_in_the_drift(self, kind, made):
        notes = drift(bare(plain, "net"), made(ODD[kind]())).notes
        (note,) = [note for note in notes if note.startswith("'copy'")]
        assert SAID[kind] in note
        assert "They differ from those of 'net' by up to" in note

    def test_in_an_explanation_it_is_noted_in_the_result(self, kind, made):
        notes = " ".join(wb.explain(made(ODD[kind]()), table(), Occlusion(fill="mean")).notes)
        word = "depend on the rows beside it" if kind == "the batch" else "is random"
        assert word in notes
        assert "model rows that are not counted" in notes


@pytest.mark.parametrize("made", [bare, wrapped])
@pytest.mark.parametrize("kind", RANDOM)
def test_a_reference_that_does_not_repeat_itself_is_refused(kind, made):
    with pytest.raises(ModelError, match="An identical copy must have exactly no drift"):
        drift(made(RANDOM[kind](), "net"), bare(plain))


def test_a_reference_whose_numbers_are_put_back_is_refused_before_it_is_explained():
    study = DriftStudy(wrapped(numpys(), "net"), (bare(plain),), table(), (Occlusion(fill="mean"),))
    seen = []
    with pytest.raises(ModelError, match="'net' does not answer the same rows alike"):
        seen += (step.label for step in steps(study))
    assert not any("(reference)" in label for label in seen)


def test_a_reference_that_changes_while_it_is_explained_is_refused_when_it_is_done():
    whole = []

    def answer(rows):
        whole.append(len(rows) == 24)  # once for its predictions, and once in its explanation
        return plain(rows) + (0.25 if sum(whole) > 1 else 0.0)

    with pytest.raises(
        ModelError, match=r"'net' does not answer the same rows alike.* up to 0\.25"
    ):
        drift(wrapped(answer, "net"), bare(plain))


def test_a_copy_of_ours_is_tried_when_it_is_explained_where_it_was_not_when_it_was_made():
    for gap, tried in ((None, 4), (0.0, 0)):
        asked = []

        def answer(rows, asked=asked):
            asked.append(len(rows))
            return plain(rows)

        made = Variant("net", "fake_quantize(net)", "8-bit weights", "int8", batch_gap=gap)
        result = wb.explain(replace(bare(answer), variant=made), table(), Occlusion())
        assert sum(asked) == result.evaluations + tried


def test_a_reference_that_reads_its_batch_and_a_random_sibling_are_noted():
    centering, sibling = wrapped(centered(), "net"), bare(generator(), "sibling")
    notes = drift(centering, bare(plain), siblings=sibling).notes
    assert any(note.startswith("'net' does not answer each row by itself") for note in notes)
    assert any(note.startswith("'sibling' does not answer the same rows alike") for note in notes)


def test_models_that_answer_each_row_alike_leave_no_note():
    assert drift(bare(plain, "net"), wrapped(plain)).notes == ()


def test_an_object_with_predict_proba_that_draws_is_told():
    draws, still = Estimator(), Estimator(noise=0.0)
    model = wb.wrap(draws, name="draws")
    result = wb.explain(model, table(), Occlusion(fill="mean"))
    assert "is random" in " ".join(result.notes)
    with pytest.raises(ModelError, match="'net' does not answer the same rows alike"):
        drift(model.renamed("net"), wb.wrap(still, name="still"))
    assert any("'draws'" in note for note in drift(wb.wrap(still, name="net"), model).notes)


def test_an_ensemble_with_a_random_member_is_told():
    members = [bare(plain, "still"), bare(generator(), "shaky")]
    ensemble = ensembles.vote(members, name="vote")
    result = wb.explain(ensemble, table(), Occlusion(fill="mean"))
    assert any(note.startswith("shaky: The same rows have other scores") for note in result.notes)
    notes = drift(bare(plain, "net"), ensemble).notes
    assert any(note.startswith("'vote' does not answer the same rows alike") for note in notes)
    with pytest.raises(ModelError, match="exactly no drift"):
        drift(ensemble, bare(plain))


def test_a_module_left_in_training_mode_rests_its_dropout_and_is_the_same_copy():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 1)).train()
    first, second = (
        wb.wrap(net, name=name, outputs=["y"], scale="raw", kind="tabular", shape=(6,))
        for name in ("net", "copy")
    )
    found = drift(first, second)
    assert found.notes == ()
    assert all((one.drift == 0).all() for one in found.measured)
    assert net.training


def test_a_module_whose_dropout_never_rests_is_noted():
    class Always(nn.Module):
        def forward(self, rows):
            return nn.functional.dropout(rows, 0.5, training=True)

    torch.manual_seed(0)
    layers = nn.Linear(6, 8), nn.Linear(8, 1)
    said = {"outputs": ["y"], "scale": "raw", "kind": "tabular", "shape": (6,)}
    net = wb.wrap(nn.Sequential(*layers), name="net", **said)
    shaky = wb.wrap(nn.Sequential(layers[0], Always(), layers[1]), name="shaky", **said)
    assert any("'shaky' does not answer the same rows" in note for note in drift(net, shaky).notes)


def test_a_copy_that_changes_only_after_its_hundredth_call_is_found_out_when_it_is_done():
    calls = []

    def answer(rows):
        calls.append(len(rows))
        return plain(rows) + (0.25 if len(calls) > 100 else 0.0)

    one_by_one = Model("copy", answer, ("y",), "raw", batch=1)
    notes = drift(bare(plain, "net"), one_by_one).notes
    (note,) = (one for one in notes if "does not answer" in one)
    assert len(calls) > 100
    assert "by up to 0.25. They differ from those of 'net' by up to 0.25, so all of its" in note


def test_the_sizes_say_whether_a_copys_own_noise_is_all_of_its_drift_or_a_part():
    reads = {"all": lambda rows: 0.0, "a part": lambda rows: 3.0 * np.asarray(rows)[:, :1]}
    for part, more in reads.items():
        draw = np.random.default_rng(0)

        def answer(rows, more=more, draw=draw):
            return plain(rows) + more(rows) + 1e-3 * draw.random((len(rows), 1))

        (note,) = drift(bare(plain, "net"), bare(answer)).notes
        assert f"so {part} of its drift may be that." in note


def test_the_size_of_a_models_own_gap_is_a_value():
    few = table().values[:8, 0]
    centering = Answers(bare(lambda rows: rows[:, :1] - rows[:, :1].mean()), table())
    # Among the first eight rows it is x - mean, among its own copies 0; four rows are moved.
    assert centering.first.gap == pytest.approx(np.abs(few - few.mean())[:4].max())
    assert centering.by_now() == centering.first
    assert Answers(bare(plain), table()).by_now().gap == 0.0
    counted = iter(range(100))
    growing = Answers(bare(lambda rows: plain(rows) + next(counted)), table())
    # Call 0 is the look; 1 and 2 are asked alike, one apart; four are among copies; 7 is 7 from the first.
    assert growing.first.gap == pytest.approx(1.0)
    assert growing.by_now().gap == pytest.approx(7.0)


class TestTrialsOfBareModels:
    def test_a_bare_model_is_tried_with_four_rows_in_two_calls_and_only_once(self):
        asked = []

        def answer(rows):
            asked.append(len(rows))
            return plain(rows)

        model = bare(answer)
        first = wb.explain(model, table(), Occlusion())
        assert sum(asked) == first.evaluations + 4
        asked.clear()
        second = wb.explain(model, table(), Occlusion())
        assert sum(asked) == second.evaluations
        assert first.notes == second.notes == ()

    def test_one_that_fails_when_it_is_tried_keeps_its_explanation(self):
        def answer(rows):
            if len(rows) == 2:
                raise ValueError("two rows are too few")
            return plain(rows)

        assert wb.explain(bare(answer), table(), Occlusion()).notes == ()


SEEDING = {
    "NumPy": lambda: np.random.seed(0),
    "Python": lambda: random.seed(0),
    "torch": lambda: torch.manual_seed(0),
    "drawing": lambda: (np.random.rand(), random.random(), torch.rand(1)),
}


def states():
    return repr(np.random.get_state()), random.getstate(), torch.get_rng_state().tolist()


@pytest.mark.parametrize("made", [bare, wrapped])
@pytest.mark.parametrize("kind", SEEDING)
def test_a_function_that_seeds_or_draws_leaves_random_states_as_they_were(kind, made):
    def answer(rows):
        SEEDING[kind]()
        return plain(rows)

    np.random.seed(11)
    random.seed(12)
    torch.manual_seed(13)
    before = states()
    wb.explain(made(answer), table(), Occlusion())
    assert states() == before
    drift(made(answer, "net"), made(answer), faithfulness=True)
    assert states() == before


def test_random_states_are_kept_without_importing_torch():
    code = (
        "import sys, numpy as np, workbench as wb\n"
        "f = lambda rows: rows.sum(axis=1)\n"
        "rows = wb.Inputs(np.ones((3, 2)), kind='tabular')\n"
        "for model in (wb.wrap(f, outputs=['y'], scale='raw'), wb.Model('f', lambda rows: rows[:, :1], "
        "('y',), 'raw')):\n"
        "    wb.explain(model, rows, wb.methods.Occlusion(fill='zero'))\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

"""Fine-tuning: seeded, stopped early, the best weights kept, and everything left as it was found."""

import copy
from itertools import islice
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from tests.variants.networks_at_hand import (
    accuracy,
    network,
    same_bits,
    some,
    untrained,
    wrapped,
)
from workbench import data, models, variants
from workbench.core import Inputs
from workbench.errors import IncompatibleError, InputError, ModelError


@pytest.fixture(autouse=True)
def _same_weights_whatever_ran_before():
    torch.manual_seed(0)


TRAIN, TEST = data.breast_cancer("train"), data.breast_cancer("test")


def test_an_untrained_network_learns_and_says_from_where_to_where():
    model = wrapped(untrained())
    tuned = variants.fine_tune(
        model, TRAIN, schedule=variants.Schedule(epochs=12, learning_rate=5e-3)
    )
    assert accuracy(tuned, TEST) > 0.9 > accuracy(model, TEST)
    assert tuned.variant.of == "net"
    assert tuned.variant.touched == tuned.variant.layers == 4
    assert tuned.variant.changed
    assert "held-out loss" in tuned.variant.description
    assert tuned.lineage[-1].startswith(
        "fine_tune(model, inputs, schedule=Schedule(epochs=12, learning_rate=0.005"
    )
    assert (tuned.outputs, tuned.scale, tuned.shape) == (model.outputs, model.scale, model.shape)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    model = wrapped(untrained())
    one, two, other = (
        variants.fine_tune(model, TRAIN, schedule=variants.Schedule(epochs=3, seed=seed))
        for seed in (4, 4, 5)
    )
    assert same_bits(one, two)
    assert one.digest == two.digest
    assert not same_bits(one, other)


def test_everything_is_left_as_it_was_found():
    module = untrained().train()
    module[0].weight.requires_grad_(False)
    model = wrapped(module)
    before = copy.deepcopy(module.state_dict())
    torch.manual_seed(3)
    np.random.seed(3)
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    tuned = variants.fine_tune(model, TRAIN, schedule=variants.Schedule(epochs=2))
    assert torch.equal(torch.get_rng_state(), state)
    assert (np.random.get_state()[1] == numpy_state).all()
    assert all(torch.equal(module.state_dict()[key], before[key]) for key in before)
    assert all(part.training for part in module.modules())
    assert all(parameter.grad is None for parameter in module.parameters())
    assert not any(part.training for part in tuned.native.modules())
    assert torch.equal(tuned.native[0].weight, module[0].weight)  # frozen by its owner
    assert not torch.equal(tuned.native[3].weight, module[3].weight)


def test_between_two_epochs_the_random_state_is_the_callers():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    epochs = variants.fine_tune_steps(
        wrapped(untrained()), TRAIN, schedule=variants.Schedule(epochs=4)
    )
    found = [torch.rand(1) for _ in islice(epochs, 3)]
    assert torch.equal(torch.cat(found), expected)


def test_drawing_numbers_between_epochs_changes_nothing():
    model = wrapped(untrained())
    quiet = variants.fine_tune(model, TRAIN, schedule=variants.Schedule(epochs=3))
    epochs = [
        (epoch, torch.rand(7))
        for epoch in variants.fine_tune_steps(model, TRAIN, schedule=variants.Schedule(epochs=3))
    ]
    assert same_bits(epochs[-1][0].model(), quiet)


class _Noting(nn.Module):
    """Draws a number per training pass, as dropout does, and keeps it."""

    drawn: ClassVar[list[float]] = []

    def forward(self, rows):
        if self.training:
            self.drawn.append(torch.rand(1).item())
        return rows


def test_no_epoch_draws_the_numbers_of_another():
    _Noting.drawn.clear()
    variants.fine_tune(
        wrapped(nn.Sequential(_Noting(), untrained())),
        TRAIN,
        schedule=variants.Schedule(epochs=4, batch=400),
    )
    assert len(_Noting.drawn) == len(set(_Noting.drawn)) == 4


def test_cancelling_keeps_the_best_so_far():
    model = wrapped(untrained())
    epochs = list(
        islice(variants.fine_tune_steps(model, TRAIN, schedule=variants.Schedule(epochs=50)), 4)
    )
    assert [epoch.number for epoch in epochs] == [0, 1, 2, 3]
    assert epochs[3].best == min(epochs, key=lambda epoch: epoch.validation).number == 3
    assert same_bits(
        epochs[3].model(), variants.fine_tune(model, TRAIN, schedule=variants.Schedule(epochs=3))
    )
    assert not same_bits(epochs[1].model(), epochs[3].model())  # an earlier one stays what it was


def test_training_stops_when_no_epoch_is_better_and_the_model_itself_is_kept():
    model = network()
    epochs = list(
        variants.fine_tune_steps(
            model, TRAIN, schedule=variants.Schedule(epochs=40, patience=2, learning_rate=2.0)
        )
    )
    assert [epoch.number for epoch in epochs] == [0, 1, 2]  # two that were no better
    kept = epochs[-1].model()
    assert kept.variant.touched == 0
    assert kept.variant.change == 0
    assert "Nothing was changed" in kept.variant.warnings[0]
    assert "no epoch was better" in kept.variant.description


def test_pruned_weights_stay_zero_and_others_may_become_it():
    model = network()
    pruned = variants.prune(model, 0.8)
    zeros = [layer.weight == 0 for layer in pruned.native if isinstance(layer, nn.Linear)]
    tuned = variants.fine_tune(pruned, TRAIN, schedule=variants.Schedule(epochs=3))
    free = variants.fine_tune(pruned, TRAIN, schedule=variants.Schedule(epochs=3), keep_zeros=False)
    after = [layer.weight for layer in tuned.native if isinstance(layer, nn.Linear)]
    loose = [layer.weight for layer in free.native if isinstance(layer, nn.Linear)]
    assert all((weight[zero] == 0).all() for weight, zero in zip(after, zeros, strict=True))
    assert any((weight[zero] != 0).any() for weight, zero in zip(loose, zeros, strict=True))
    assert tuned.variant.size.nonzeros < free.variant.size.nonzeros


def test_a_repair_recovers_what_pruning_lost():
    model = network()
    pruned = variants.prune(model, 0.9, scope="layer")
    repaired = variants.prune_and_repair(
        model, TRAIN, 0.9, scope="layer", schedule=variants.Schedule(epochs=25, learning_rate=5e-3)
    )
    lost = accuracy(model, TEST) - accuracy(pruned, TEST)
    assert lost > 0.02  # or there would be nothing to repair
    assert accuracy(model, TEST) - accuracy(repaired, TEST) < lost / 2
    assert repaired.variant.of == model.name
    assert repaired.variant.original_size == wb.variants.size_of(model)
    assert (
        repaired.variant.size.nonzeros <= pruned.variant.size.nonzeros + 24 + 16 + 2
    )  # the biases
    weights = [m.weight for m in repaired.native if isinstance(m, nn.Linear)]
    sparse = sum(int((w == 0).sum()) for w in weights) / sum(w.numel() for w in weights)
    assert sparse >= 0.89  # rounded down to whole weights in each layer


def test_a_teacher_teaches_without_classes():
    teacher, model = network("teacher"), wrapped(untrained(seed=7))
    unlabeled = some(398)
    unlabeled = Inputs(unlabeled.values, kind="tabular", features=unlabeled.features)
    tuned = variants.fine_tune(
        model, unlabeled, teacher=teacher, schedule=variants.Schedule(epochs=12, learning_rate=5e-3)
    )
    before, after = (
        (one.scores(TEST.values).argmax(1) == teacher.scores(TEST.values).argmax(1)).mean()
        for one in (model, tuned)
    )
    assert after > 0.9 > before
    assert "hard=0" in tuned.variant.recipe


def test_preprocessing_belongs_to_what_is_trained():
    names, rng = data.BREAST_CANCER, np.random.default_rng(0)
    # Quarters, so that what Normalize computes is exact: then both networks see the same numbers.
    ready = Inputs(rng.integers(-8, 9, (40, 30)) / 4, kind="tabular", y=np.arange(40) % 2)
    x = Inputs(5.0 + 2.0 * ready.values, kind="tabular", y=ready.y)
    normalize = models.Normalize(np.full(30, 5.0), np.full(30, 2.0))
    shifted = wb.wrap(
        untrained(), name="shifted", outputs=names, scale="logit", preprocess=normalize
    )
    plain = wb.wrap(untrained(), name="plain", outputs=names, scale="logit")
    one = variants.fine_tune(shifted, x, schedule=variants.Schedule(epochs=2))
    two = variants.fine_tune(plain, ready, schedule=variants.Schedule(epochs=2))
    assert same_bits(one, two)
    assert np.array_equal(one.scores(x.values), two.scores(ready.values))


def test_batch_normalization_learns_from_eight_rows_and_not_from_fewer():
    model = wrapped(untrained())
    few = variants.fine_tune(
        model, TRAIN[np.arange(395, 0, -60)], schedule=variants.Schedule(epochs=2, validation=0)
    )
    many = variants.fine_tune(
        model, TRAIN[:60], schedule=variants.Schedule(epochs=2, batch=16), hard=1.0
    )
    assert torch.equal(few.native[1].running_mean, model.native[1].running_mean)
    assert not torch.equal(few.native[0].weight, model.native[0].weight)
    assert not torch.equal(many.native[1].running_mean, model.native[1].running_mean)


def test_a_last_batch_of_one_row_does_not_stop_batch_normalization():
    rows = TRAIN[np.arange(0, 390, 6)]
    tuned = variants.fine_tune(
        wrapped(untrained()), rows, schedule=variants.Schedule(epochs=1, batch=64, validation=0)
    )
    assert len(rows) == 65  # 64 and 1 would fail in the second batch
    assert tuned.variant.touched == 4


def test_probabilities_one_logit_and_raw_values_are_trained_in_their_own_scale():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 3))
    upper = (x[:, 0] > 0).astype(int)
    cases = [
        (nn.Sequential(nn.Linear(3, 2), nn.Softmax(1)), "probability", upper),
        (nn.Sequential(nn.Linear(3, 1), nn.Sigmoid()), "probability", upper),
        (nn.Linear(3, 1), "logit", upper),
        (nn.Linear(3, 1), "raw", 5.0 * x[:, 0]),
        (nn.Linear(3, 2), "raw", np.stack([x[:, 0], 3.0 * x[:, 1]], axis=1)),
    ]
    for module, scale, wanted in cases:
        rows = Inputs(x, kind="tabular", y=wanted)
        model = wb.wrap(module, name="net", scale=scale)
        epochs = list(
            variants.fine_tune_steps(
                model, rows, schedule=variants.Schedule(epochs=60, learning_rate=0.1, patience=60)
            )
        )
        tuned = epochs[-1].model()
        assert tuned.scale == scale
        assert min(epoch.validation for epoch in epochs) < 0.35 * epochs[0].validation
        if scale == "raw":
            apart = tuned.scores(x).reshape(np.shape(wanted)) - wanted
            assert (apart**2).mean() < 0.05 * np.var(wanted)


REFUSED = {
    "no rows": (lambda: {"inputs": TRAIN[:0]}, InputError, "has none"),
    "no classes": (lambda: {"inputs": some(20, name="bare")}, InputError, "classes or a teacher"),
    "one class": (lambda: {"inputs": TRAIN[:3]}, InputError, "two classes at least"),
    "a class beyond": (
        lambda: {"inputs": some(3, y=[0, 1, 2])},
        InputError,
        "positions 0..1",
    ),
    "classes that are no numbers": (
        lambda: {"inputs": some(3, y=[0.5, 1.0, 0.0])},
        InputError,
        "positions 0..1",
    ),
    "an array": (lambda: {"inputs": TRAIN.values}, InputError, "rows as Inputs"),
    "no epochs": (lambda: {"schedule": variants.Schedule(epochs=0)}, InputError, "epochs"),
    "a negative rate": (
        lambda: {"schedule": variants.Schedule(learning_rate=-1.0)},
        InputError,
        "learning_rate",
    ),
    "empty batches": (lambda: {"schedule": variants.Schedule(batch=0)}, InputError, "batch"),
    "no patience": (lambda: {"schedule": variants.Schedule(patience=0)}, InputError, "patience"),
    "everything held out": (
        lambda: {"schedule": variants.Schedule(validation=1.0)},
        InputError,
        "validation",
    ),
    "one row": (
        lambda: {"inputs": TRAIN[:1], "hard": 0.0, "teacher": network("t")},
        InputError,
        "only 1",
    ),
    "cold": (lambda: {"temperature": 0.0}, InputError, "temperature"),
    "more than all": (lambda: {"hard": 1.5}, InputError, "hard"),
    "half without a teacher": (lambda: {"hard": 0.5}, InputError, "classes or a teacher"),
    "reasons of nobody": (lambda: {"reasons": 1.0}, InputError, "teacher"),
    "another teacher": (
        lambda: {"teacher": wrapped_three()},
        InputError,
        "3.*Give a student with 3 outputs",
    ),
    "another unit": (
        lambda: {
            "teacher": wb.wrap(untrained(), name="p", outputs=data.BREAST_CANCER, scale="raw")
        },
        IncompatibleError,
        "'raw'",
    ),
}


def wrapped_three():
    return wb.wrap(untrained(3), name="three", outputs=["a", "b", "c"], scale="logit")


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_trained_is_refused_before_the_first_epoch(what):
    given, error, words = REFUSED[what]
    usual = {"inputs": TRAIN, "schedule": variants.Schedule(epochs=1)}
    with pytest.raises(error, match=words):
        variants.fine_tune_steps(wrapped(untrained()), **usual | given())


def test_other_libraries_half_precision_and_integers_are_refused():
    function = wb.wrap(lambda rows: rows[:, :2], name="f", outputs=["a", "b"], scale="logit")
    with pytest.raises(IncompatibleError, match="torch module"):
        variants.fine_tune(function, TRAIN)
    half = wrapped(untrained().to(torch.bfloat16))
    with pytest.raises(IncompatibleError, match="single precision"):
        variants.fine_tune(half, TRAIN)
    constant = wb.wrap(nn.Flatten(), name="c", outputs=[*"ab"], scale="logit", kind="tabular")
    two = Inputs(np.eye(2), kind="tabular", y=[0, 1])
    with pytest.raises(IncompatibleError, match="has none"):
        variants.fine_tune(constant, two)


class _Exponential(nn.Module):
    def forward(self, rows):
        return rows.exp()


def test_a_loss_that_is_no_number_stops_training_and_names_the_rate():
    rows = Inputs(np.full((20, 3), 20.0), kind="tabular", y=np.arange(20.0))
    model = wb.wrap(nn.Sequential(nn.Linear(3, 1), _Exponential()), name="wild", scale="raw")
    with pytest.raises(ModelError, match="Lower learning_rate, which is 10"):
        variants.fine_tune(model, rows, schedule=variants.Schedule(epochs=3, learning_rate=10.0))


def test_a_loss_that_is_no_number_from_the_start_is_the_rows_or_the_weights():
    rows = Inputs(np.full((20, 3), 1e39), kind="tabular", y=np.arange(20) % 2)
    model = wb.wrap(nn.Linear(3, 2), name="wild", scale="logit")
    with pytest.raises(ModelError, match="before the first step"):
        variants.fine_tune(model, rows, schedule=variants.Schedule(epochs=3))


def test_a_model_that_predicts_only_is_trained_as_a_whole():
    module = untrained().requires_grad_(False)
    tuned = variants.fine_tune(wrapped(module), TRAIN, schedule=variants.Schedule(epochs=1))
    assert tuned.variant.touched == 4
    assert not any(parameter.requires_grad for parameter in tuned.native.parameters())


def test_a_tuned_copy_is_saved_and_loaded_bit_by_bit(tmp_path):
    tuned = variants.fine_tune(wrapped(untrained()), TRAIN, schedule=variants.Schedule(epochs=1))
    models.save(tuned, tmp_path / "tuned.safetensors")
    again = wb.load(tmp_path / "tuned.safetensors", architecture=untrained)
    assert np.array_equal(again.scores(TEST.values), tuned.scores(TEST.values))

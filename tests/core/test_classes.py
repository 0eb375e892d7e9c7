"""One rule from a class to an output, side by side in all that follow it."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import workbench as wb
from workbench import ensembles, variants
from workbench.compare import behavior
from workbench.core import Inputs, Model, Target, class_names, class_positions, predicted_classes
from workbench.ensembles.spaces import both_classes, voting
from workbench.errors import InputError
from workbench.lab import DriftStudy, responsible_layers
from workbench.methods import Occlusion
from workbench.variants.training.lesson import labels_of


def net(outputs, scale="probability", name="net") -> Model:
    k = len(outputs)

    def predict(rows):
        scores = np.full((len(rows), k), 0.1 / max(k - 1, 1))
        scores[np.arange(len(rows)), np.arange(len(rows)) % k] = 0.9
        return scores

    return Model(name, predict, tuple(outputs), scale)


def by_lesson(classes, outputs):
    rows = Inputs(np.zeros((len(classes), 1)), kind="tabular", y=np.asarray(classes))
    return labels_of(rows, net(outputs)).tolist()


def by_weigh(classes, outputs):
    """The class whose probability `weigh` reads is the one whose log loss it tells: one row at a time."""
    rows = Inputs(np.zeros((len(classes), 1)), kind="tabular", y=np.asarray(classes))
    k = len(outputs)
    said = np.arange(1.0, k + 1) / np.arange(1.0, k + 1).sum()
    table = np.stack([np.roll(said, i) for i in range(len(classes))])
    model = Model("net", lambda _: table, tuple(outputs), "probability")
    loss = ensembles.weigh([model], rows).log_loss["member", "net"]
    return [
        list(places)
        for places in product(range(k), repeat=len(classes))
        if abs(-np.log(table[np.arange(len(classes)), places]).mean() - loss) < 1e-12
    ]


def by_target(classes, outputs):
    scores = np.zeros((len(classes), len(outputs)))
    return Target(tuple(classes)).weights(net(outputs), scores).argmax(axis=1).tolist()


ANIMALS, GRADES, RANKS = ("cat", "dog", "eel"), ("3", "5", "8"), ("1", "2", "3")


@pytest.mark.parametrize(
    ("classes", "outputs", "positions"),
    [
        (["eel", "cat"], ANIMALS, [2, 0]),
        ([2, 0], ANIMALS, [2, 0]),
        ([2, 0], GRADES, [2, 0]),
        (["8", "3"], GRADES, [2, 0]),
        (["3", "1"], RANKS, [2, 0]),
        ([2, 0], ("0", "1", "2"), [2, 0]),
    ],
)
def test_names_and_positions_mean_the_same_to_all(classes, outputs, positions):
    assert class_positions(classes, outputs).tolist() == positions
    assert by_lesson(classes, outputs) == positions
    assert positions in by_weigh(classes, outputs)
    assert by_target(classes, outputs) == positions
    scores = np.eye(len(outputs))[positions]
    assert behavior(scores, scores, outputs, "probability", y=classes).accuracy == (1, 1)


def test_known_classes_that_can_be_no_positions_are_names():
    for classes in ([8, 3], [8.0, 3.0], np.array([8, 3], dtype=np.uint8)):
        assert class_positions(classes, GRADES).tolist() == [2, 0]
        assert by_lesson(classes, GRADES) == [2, 0]
        assert [2, 0] in by_weigh(classes, GRADES)
    assert class_positions([1, 3], RANKS).tolist() == [0, 2]
    assert class_positions([True, False], ("False", "True")).tolist() == [1, 0]


@pytest.mark.parametrize("classes", [[1, 2], [2, 1]])
def test_numbers_that_are_positions_and_names_are_refused_by_all(classes):
    rows = Inputs(np.zeros((2, 1)), kind="tabular", y=classes)
    with pytest.raises(InputError, match="both positions and names"):
        class_positions(classes, RANKS)
    with pytest.raises(InputError, match="both positions and names"):
        behavior(np.eye(3)[:2], np.eye(3)[:2], RANKS, "probability", y=classes)
    with pytest.raises(InputError, match="both positions and names"):
        ensembles.weigh([net(RANKS)], rows)
    with pytest.raises(InputError, match="both positions and names"):
        labels_of(rows, net(RANKS))
    with pytest.raises(InputError, match=r"position of '\d' and the name of another output"):
        Target.true(rows).weights(net(RANKS), np.zeros((2, 3)))


def test_one_number_is_a_position_and_each_rows_own_is_named_where_numbers_would_mean_two_things():
    scores = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert Target(1).weights(net(RANKS), scores).argmax(axis=1).tolist() == [1, 1]
    rows = Inputs(np.zeros((2, 1)), kind="tabular")
    model = net(RANKS, "logit")
    study = DriftStudy(model, (model.renamed("copy"),), rows, (Occlusion(),))
    target = study.fixed_target(scores)
    assert target == Target(("2", "3"))
    assert target.weights(model, scores).argmax(axis=1).tolist() == [1, 2]


def test_outputs_called_by_decimals_are_called_by_their_numbers():
    # As scikit-learn's classes_ of labels 1.0 and 2.0.
    names = ("1.0", "2.0")
    assert class_positions([1.0, 2.0], names).tolist() == [0, 1]
    assert class_positions(["2.0", "1.0"], names).tolist() == [1, 0]
    assert class_positions([0.0, 1.0], ("0.0", "1.0")).tolist() == [0, 1]
    for classes in ([1.0, 1.0], [1, 1]):  # the first by name, the second by position
        with pytest.raises(InputError, match="both positions and names"):
            class_positions(classes, names)
    with pytest.raises(InputError, match=r"1 is the position of '2\.0' and the name of another"):
        Target((1, 1)).weights(net(names), np.zeros((2, 2)))
    assert Target.at([1, 0], names) == Target(("2.0", "1.0"))
    assert class_positions([1, 1], ("01", "02")).tolist() == [1, 1]  # text that begins with a zero


def test_truths_are_classes_of_two_outputs():
    assert class_positions([True, False], ("ill", "well")).tolist() == [1, 0]
    with pytest.raises(InputError, match="both positions and names"):
        class_positions([True, False], ("1", "0"))
    with pytest.raises(InputError, match="Truths are the classes of two outputs, but there are 3"):
        class_positions([True, False], ("-1", "0", "1"))


def test_classes_that_are_neither_are_refused_by_all():
    rows = Inputs(np.zeros((2, 1)), kind="tabular", y=["cow", "cat"])
    for refused in (
        lambda: class_positions(["cow", "cat"], ANIMALS),
        lambda: behavior(np.eye(3)[:2], np.eye(3)[:2], ANIMALS, "logit", y=["cow", "cat"]),
        lambda: ensembles.weigh([net(ANIMALS)], rows),
        lambda: labels_of(rows, net(ANIMALS)),
        lambda: by_target(["cow", "cat"], ANIMALS),
    ):
        with pytest.raises(InputError, match="'cow'"):
            refused()
    with pytest.raises(InputError, match="1 of 2 are not"):
        class_positions([0.5, 1.0], ANIMALS)
    with pytest.raises(InputError, match="1 of 2 are not"):
        class_positions([np.nan, 1.0], ANIMALS)


def test_a_single_score_stands_for_its_output_above_the_middle_and_for_the_opposite_up_to_it():
    outputs, names = ("ill",), class_names(("ill",))
    for scale, scores in (
        ("logit", [[-2.0], [0.0], [2.0]]),
        ("probability", [[0.2], [0.5], [0.9]]),
    ):
        scores = np.array(scores)
        assert predicted_classes(scores, scale).tolist() == [0, 0, 1]
        found = behavior(scores, scores, outputs, scale, y=["not ill", "not ill", "ill"])
        assert found.accuracy == (1, 1)
        model = Model("net", lambda _, scores=scores: scores, outputs, scale)
        assert both_classes(model, ()) == names
        assert voting(model, names).predict(np.zeros((3, 1))).argmax(axis=1).tolist() == [0, 0, 1]
        turned = voting(model, names[::-1]).predict(np.zeros((3, 1)))
        assert turned.argmax(axis=1).tolist() == [1, 1, 0]
        rows = Inputs(np.zeros((3, 1)), kind="tabular", y=["not ill", "not ill", "ill"])
        assert labels_of(rows, model).tolist() == [0, 0, 1]
    assert predicted_classes([[3.0]], "raw") is None
    many = np.array([[[0.0], [1.0]], [[-1.0], [2.0]]])  # members, rows, one score
    assert predicted_classes(many, "logit").tolist() == [[0, 1], [0, 1]]


def test_a_contrast_with_the_predicted_output_itself_keeps_that_output():
    """The layers of a copy are asked about each row's own prediction, whatever it is held against."""
    import torch

    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 3)
    ).eval()
    model = wb.wrap(module, name="net", outputs=ANIMALS, scale="logit")
    rows = np.random.default_rng(0).normal(size=(12, 3))
    inputs = Inputs(rows, kind="tabular", background=rows)
    own = model.scores(rows).argmax(axis=1)
    against = (
        int(np.bincount(own, minlength=3)[1:].argmax()) + 1
    )  # some row's own, and not the first
    assert (own == against).any()
    copy = variants.prune(model, 0.5)
    asked = []

    class Noting(Occlusion):
        def attribute(self, model, inputs, targets):
            asked.extend(targets)
            return super().attribute(model, inputs, targets)

    responsible_layers(model, copy, inputs, Noting(), target=Target.predicted(against=against))
    assert {target.index for target in asked} == {tuple(own.tolist())}


def test_labels_of_which_a_row_may_have_several_are_no_classes():
    with pytest.raises(InputError, match=r"One class per row is needed, .* shape \(2, 3\)"):
        class_positions([[1, 0, 1], [0, 0, 1]], ("rain", "wind", "snow"))

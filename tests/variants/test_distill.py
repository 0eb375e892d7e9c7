"""Distillation: the loss by hand, students given or built, and what they learn."""

from itertools import islice

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from tests.variants.networks_at_hand import accuracy, network, same_bits, untrained, wrapped
from workbench import data, methods, models, variants
from workbench.core import Inputs
from workbench.errors import IncompatibleError, InputError
from workbench.variants.training.lesson import Lesson

TRAIN, TEST = data.breast_cancer("train"), data.breast_cancer("test")
QUICK = {"schedule": variants.Schedule(epochs=12, learning_rate=5e-3, patience=10)}


@pytest.fixture(autouse=True)
def _same_weights_whatever_ran_before():
    torch.manual_seed(0)


def agreement(one, other, rows=TEST) -> float:
    return float((one.scores(rows.values).argmax(1) == other.scores(rows.values).argmax(1)).mean())


def lesson(**given) -> Lesson:
    settings = {
        "rows": np.zeros((1, 2)),
        "scale": "logit",
        "labels": None,
        "taught": None,
        "slopes": None,
        "temperature": 1.0,
        "hard": 0.0,
        "reasons": 0.0,
    }
    return Lesson(**settings | given)


def test_the_loss_is_hintons():
    """T = 2, teacher (2, 0), student (0, 0): KL((e, 1) / (e + 1) ‖ (1, 1) / 2) times 4, by hand."""
    soft = lesson(taught=np.array([[2.0, 0.0]]), temperature=2.0)
    p = np.array([np.e, 1.0]) / (np.e + 1.0)
    by_hand = 4.0 * float((p * np.log(p / 0.5)).sum())
    scores = torch.zeros((1, 2))
    alone = np.array([0])
    assert float(soft.loss(scores, scores, alone)) == pytest.approx(by_hand, rel=1e-6)
    both = lesson(taught=np.array([[2.0, 0.0]]), labels=np.array([1]), temperature=2.0, hard=0.25)
    wanted = 0.25 * np.log(2.0) + 0.75 * by_hand
    assert float(both.loss(scores, scores, alone)) == pytest.approx(wanted, rel=1e-6)


def test_one_logit_is_two_classes_and_probabilities_are_their_logarithms():
    alone = np.array([0])
    two = lesson(taught=np.array([[0.0, 1.5]]), labels=np.array([1]), hard=0.5, temperature=3.0)
    one = lesson(taught=np.array([[1.5]]), labels=np.array([1]), hard=0.5, temperature=3.0)
    p = torch.softmax(torch.tensor([[0.0, 1.5]]), 1).numpy()
    shares = lesson(scale="probability", taught=p, labels=np.array([1]), hard=0.5, temperature=3.0)
    own = torch.tensor([[0.0, -0.5]])
    expected = float(two.loss(own, own, alone))
    assert float(one.loss(own[:, 1:], own, alone)) == pytest.approx(expected, rel=1e-6)
    found = float(shares.loss(torch.softmax(own, 1), own, alone))
    assert found == pytest.approx(
        expected, rel=1e-5
    )  # a logarithm of single-precision probabilities


def test_raw_scores_are_matched_in_units_of_their_spread():
    wanted = np.array([[0.0], [20.0]])  # variance 100
    raw = lesson(scale="raw", taught=wanted, rows=np.zeros((2, 1)))
    own = torch.tensor([[5.0], [20.0]])
    assert float(raw.loss(own, own, np.array([0, 1]))) == pytest.approx(25.0 / 100.0 / 2.0)


def test_reasons_are_one_minus_the_cosine_of_the_gradients_of_the_highest_score():
    batch = torch.zeros((1, 2), requires_grad=True)
    alone = np.array([0])
    weights = torch.tensor([[1.0, 3.0], [1.0, 4.0]])
    scores = batch @ weights  # the gradient of score 0 is (1, 1), that of score 1 is (3, 4)
    taught, slopes = np.array([[0.0, 1.0]]), np.array([[1.0, 0.0]])
    given = {"taught": taught, "slopes": slopes, "reasons": 2.0, "labels": alone, "hard": 1.0}
    expected = np.log(2.0) + 2.0 * (1.0 - 3.0 / 5.0)
    found = lesson(**given).loss(scores, batch, alone)
    assert float(found.detach()) == pytest.approx(expected, rel=1e-6)
    # Where a deviation of the second column is three quarters, (3, 4) becomes (3, 3).
    spread = np.array([1.0, 0.75])
    found = lesson(**given, spread=spread).loss(scores, batch, alone)
    expected = np.log(2.0) + 2.0 * (1.0 - np.sqrt(0.5))
    assert float(found.detach()) == pytest.approx(expected, rel=1e-6)


def test_a_student_says_what_its_teacher_says():
    teacher = network("teacher")
    student = variants.distill(teacher, TRAIN, width=0.5, **QUICK)
    blank = next(variants.distill_steps(teacher, TRAIN, width=0.5, **QUICK)).model()
    assert agreement(student, teacher) > 0.95 > agreement(blank, teacher)
    assert accuracy(student, TEST) > 0.9
    assert student.native[0].out_features == 12
    assert student.variant.size.parameters < student.variant.original_size.parameters / 2
    assert student.variant.of == "teacher"
    assert student.variant.changed
    assert "R² of its scores" in student.variant.notes[0]
    assert "80 rows held out" in student.variant.notes[0]  # 20 % of 398
    assert student.variant.recipe.startswith("distill(teacher, inputs, width=0.5, temperature=4")
    assert (student.outputs, student.scale) == (teacher.outputs, teacher.scale)


def test_the_teacher_counts_and_not_only_the_classes():
    """A teacher that has the classes the wrong way around is believed with hard=0, ignored with 1."""
    truthful = network("teacher")
    module = truthful.native
    module[-1].weight.data = module[-1].weight.data.flip(0)
    module[-1].bias.data = module[-1].bias.data.flip(0)
    liar = wrapped(module, "liar")
    believing = variants.distill(liar, TRAIN, width=0.5, hard=0.0, **QUICK)
    ignoring = variants.distill(liar, TRAIN, width=0.5, hard=1.0, **QUICK)
    assert accuracy(believing, TEST) < 0.1
    assert accuracy(ignoring, TEST) > 0.9


def test_matching_reasons_brings_the_gradients_closer():
    teacher = network("teacher")
    method, target = methods.IntegratedGradients(steps=16), wb.Target(1)
    rows = TEST[:40].with_background(TRAIN.values.mean(axis=0)[None])
    reference = wb.explain(teacher, rows, method, target).values

    def likeness(reasons: float) -> float:
        student = variants.distill(teacher, TRAIN, width=0.5, reasons=reasons, **QUICK)
        found = wb.explain(student, rows, method, target).values
        norms = np.linalg.norm(found, axis=1) * np.linalg.norm(reference, axis=1)
        return float(((found * reference).sum(axis=1) / norms).mean())

    assert likeness(0.5) > likeness(0.0) + 0.1  # found: 0.88 against 0.69


def test_any_model_can_teach_a_module_and_probabilities_stay_probabilities():
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(20, max_depth=4, random_state=0)
    teacher = wb.wrap(forest.fit(TRAIN.values, TRAIN.y), name="forest", outputs=data.BREAST_CANCER)
    module = nn.Sequential(nn.BatchNorm1d(30), nn.Linear(30, 8), nn.ReLU(), nn.Linear(8, 2)).eval()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    student = variants.distill(teacher, TRAIN, student=module, **QUICK)
    assert student.scale == "probability"
    scores = student.scores(TEST.values)
    np.testing.assert_allclose(scores.sum(axis=1), 1.0, atol=1e-6)  # single precision
    assert agreement(student, teacher) > 0.9
    assert student.features == TRAIN.features
    assert student.gradient is not None
    assert all(torch.equal(module.state_dict()[key], before[key]) for key in before)
    ready = nn.Sequential(*module, nn.Softmax(1))
    kept = next(variants.distill_steps(teacher, TRAIN, student=ready, **QUICK)).model()
    assert type(kept.native).__name__ == "Sequential"
    assert len(kept.native) == 5  # no second softmax


def test_a_student_given_as_a_model_keeps_its_own_preprocessing():
    teacher = network("teacher")
    own = models.Normalize(np.zeros(30), np.full(30, 100.0))
    module = nn.Linear(30, 2)
    pupil = wb.wrap(module, name="p", outputs=data.BREAST_CANCER, scale="logit", preprocess=own)
    student = variants.distill(teacher, TRAIN, student=pupil, name="small", **QUICK)
    bare = variants.distill(teacher, TRAIN, student=module, **QUICK)
    assert student.name == "small"
    assert student.predict.__self__.preprocess == own
    assert bare.predict.__self__.preprocess == teacher.predict.__self__.preprocess


def test_a_regression_is_distilled_in_its_own_unit():
    from sklearn.linear_model import LinearRegression

    rows = data.diabetes("train")
    teacher = wb.wrap(LinearRegression().fit(rows.values, rows.y), name="line")
    normalize = models.Normalize(rows.values.mean(axis=0), rows.values.std(axis=0))

    class Wide(nn.Module):
        def __init__(self):
            super().__init__()
            self.line = nn.Linear(10, 1)

        def forward(self, x):
            return 150.0 + 100.0 * self.line(x)

    pupil = wb.wrap(
        Wide(), name="p", outputs=teacher.outputs, scale="raw", preprocess=normalize, shape=[10]
    )
    student = variants.distill(
        teacher,
        rows,
        student=pupil,
        hard=0.0,
        schedule=variants.Schedule(epochs=40, learning_rate=0.03, patience=10),
    )
    note = student.variant.notes[0]
    assert float(note.split(" is ")[1].rstrip(".")) > 0.99  # both are lines
    assert "same class" not in note
    assert student.scale == "raw"


def test_the_same_seed_gives_the_same_student_and_cancelling_keeps_the_best():
    teacher = network("teacher")
    one = variants.distill(teacher, TRAIN, width=0.5, schedule=variants.Schedule(epochs=3, seed=2))
    epochs = list(
        islice(
            variants.distill_steps(
                teacher,
                TRAIN,
                width=0.5,
                schedule=variants.Schedule(epochs=50, seed=2, patience=10),
            ),
            4,
        )
    )
    assert same_bits(one, epochs[-1].model())
    assert not same_bits(
        one,
        variants.distill(teacher, TRAIN, width=0.5, schedule=variants.Schedule(epochs=3, seed=3)),
    )
    assert epochs[0].label.startswith("epoch 0 of 50")
    assert epochs[0].model().variant.touched == 4  # a network of its own, even untrained


def test_a_convolution_network_is_distilled_and_explained_at_the_same_layer():
    rows = data.shapes("test", n=24)
    teacher = wb.load(data.asset("shapes_cnn.safetensors"), architecture=models.small_cnn)
    student = variants.distill(
        teacher, rows, width=0.25, schedule=variants.Schedule(epochs=1, batch=12), reasons=0.5
    )
    assert list(student.layers(rows.values[:1])) == list(teacher.layers(rows.values[:1]))
    assert student.native.head.in_features == 18  # a quarter of 72
    found = wb.explain(student, rows[:2], methods.GradCAM())
    assert found.values.shape == (2, 64, 64)


def test_a_student_that_is_its_teacher_has_nothing_to_learn_not_even_of_images():
    """Its gradients lie as its teacher's do, channels and places in one order."""
    rows = data.shapes("test", n=8)
    teacher = wb.load(data.asset("shapes_cnn.safetensors"), architecture=models.small_cnn)
    same = teacher.native
    start = next(
        variants.distill_steps(
            teacher,
            rows,
            student=same,
            hard=0.0,
            reasons=1.0,
            schedule=variants.Schedule(epochs=50, validation=0, patience=10),
        )
    )
    assert abs(start.validation) < 1e-4  # single precision: logits of 1e-6, cosines of 1e-6
    assert start.model().variant.change == 0


def test_a_student_is_saved_and_loaded_bit_by_bit(tmp_path):
    student = variants.distill(
        network("teacher"), TRAIN, width=0.5, schedule=variants.Schedule(epochs=1)
    )
    models.save(student, tmp_path / "student.safetensors")
    again = wb.load(tmp_path / "student.safetensors", architecture=lambda: student.native)
    assert np.array_equal(again.scores(TEST.values), student.scores(TEST.values))


def forest_teacher():
    return wb.wrap(lambda rows: rows[:, :2], name="f", outputs=data.BREAST_CANCER, scale="logit")


REFUSED = {
    "neither": (dict, InputError, "got neither"),
    "both": (lambda: {"width": 0.5, "student": untrained()}, InputError, "got both"),
    "other outputs": (
        lambda: {"student": untrained(3)},
        InputError,
        "has 2 .* gives 3. Give a student with 2",
    ),
    "a model of other outputs": (
        lambda: {"student": wb.wrap(untrained(3), name="three", scale="logit")},
        InputError,
        "gives 3",
    ),
    "outputs in another order": (
        lambda: {
            "student": wb.wrap(
                untrained(), name="p", outputs=["benign", "malignant"], scale="logit"
            )
        },
        InputError,
        "same order",
    ),
    "another unit": (
        lambda: {
            "student": wb.wrap(untrained(), name="p", outputs=data.BREAST_CANCER, scale="raw")
        },
        IncompatibleError,
        "'raw'",
    ),
    "a function": (lambda: {"student": forest_teacher()}, IncompatibleError, "torch module"),
    "a class": (lambda: {"student": nn.Linear}, InputError, "Give a module"),
    "no width": (lambda: {"width": 0.0}, InputError, "above 0 and at most 1"),
    "too wide": (lambda: {"width": 1.5}, InputError, "above 0 and at most 1"),
    "true": (lambda: {"width": True}, InputError, "above 0 and at most 1"),
    "no rows": (lambda: {"width": 0.5, "inputs": TRAIN[:0]}, InputError, "at least one"),
    "no epochs": (
        lambda: {"width": 0.5, "schedule": variants.Schedule(epochs=0)},
        InputError,
        "epochs",
    ),
    "epochs alone": (
        lambda: {"width": 0.5, "schedule": 3},
        InputError,
        "must be a Schedule, not 3",
    ),
    "hard without classes": (
        lambda: {"width": 0.5, "hard": 0.5, "inputs": Inputs(TRAIN.values, kind="tabular")},
        InputError,
        "has none",
    ),
    "a width of no network": (
        lambda: {"width": 0.5, "teacher": forest_teacher()},
        IncompatibleError,
        "Give student=",
    ),
    "reasons without a gradient": (
        lambda: {"student": untrained(), "teacher": forest_teacher(), "reasons": 1.0},
        IncompatibleError,
        "gradient of the teacher",
    ),
    "answers to several questions": (
        lambda: {
            "student": untrained(),
            "teacher": wb.wrap(
                lambda rows: np.full((len(rows), 2), 0.9),
                name="m",
                outputs=data.BREAST_CANCER,
                scale="probability",
            ),
        },
        IncompatibleError,
        "exclude one another",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_distilled_is_refused_before_the_first_epoch(what):
    given, error, words = REFUSED[what]
    usual = {
        "teacher": network("teacher"),
        "inputs": TRAIN,
        "schedule": variants.Schedule(epochs=1),
    }
    with pytest.raises(error, match=words):
        variants.distill_steps(**usual | given())

"""SVC with decision_function_shape='ovo' scores pairs of classes, which get no names of classes."""

from itertools import combinations

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, NuSVC

from workbench.models.wrapping import wrap


def classes_of(k):
    x, y = make_classification(
        200, 6, n_informative=4, n_classes=k, n_clusters_per_class=1, random_state=0
    )
    return x, np.array(["ant", "bee", "cow", "dog"])[y]


@pytest.mark.parametrize("scale", [None, "raw", "logit"])
@pytest.mark.parametrize("k", [3, 4])
@pytest.mark.parametrize(
    "made",
    [
        lambda: SVC(decision_function_shape="ovo"),
        lambda: NuSVC(nu=0.1, decision_function_shape="ovo"),
        lambda: make_pipeline(StandardScaler(), SVC(decision_function_shape="ovo")),
        lambda: GridSearchCV(SVC(decision_function_shape="ovo"), {"C": [1.0]}, cv=2),
    ],
)
def test_each_output_is_a_pair_and_its_sign_says_which_of_the_two_is_preferred(made, k, scale):
    x, y = classes_of(k)
    native = made().fit(x, y)
    model = wrap(native, scale=scale)
    classes = sorted(set(y))
    assert model.outputs == tuple(f"{a} over {b}" for a, b in combinations(classes, 2))
    assert model.scale == "raw"
    assert "pair" in model.notes[-1]
    scores = model.scores(x)
    np.testing.assert_array_equal(scores, native.decision_function(x))
    for column, (a, b) in zip(scores.T, combinations(classes, 2), strict=True):
        one = column[y == a] > 0  # a model that fits: rows of a class mostly prefer it
        other = column[y == b] > 0
        assert one.mean() > 0.7
        assert other.mean() < 0.3


@pytest.mark.parametrize("shape", ["ovr", "ovo"])
def test_two_classes_and_one_score_per_class_keep_the_names_of_classes(shape):
    x, y = classes_of(2)
    assert wrap(SVC(decision_function_shape=shape).fit(x, y)).outputs == ("bee",)
    x, y = classes_of(3)
    assert wrap(SVC(decision_function_shape="ovr").fit(x, y)).outputs == ("ant", "bee", "cow")


def test_probabilities_are_of_classes_whatever_the_shape():
    x, y = classes_of(3)
    native = GridSearchCV(SVC(decision_function_shape="ovo"), {"C": [1.0]}, cv=2).fit(x, y)
    assert not hasattr(native, "predict_proba")
    assert wrap(native).scale == "raw"

"""The bundled tables: split honestly, with a background from the training rows alone."""

from __future__ import annotations

import numpy as np
import pytest

from workbench import data
from workbench.errors import InputError

TABLES = (data.breast_cancer, data.diabetes, data.digits)


@pytest.mark.parametrize("example", TABLES, ids=lambda f: f.__name__)
def test_no_row_is_in_both_splits_and_none_is_lost(example):
    train, test = example("train"), example("test")
    assert not set(train.ids) & set(test.ids)
    assert {int(i) for i in (*train.ids, *test.ids)} == set(range(len(train) + len(test)))
    assert train.features == test.features
    assert train.values.shape[1] == len(set(train.features))


@pytest.mark.parametrize("example", TABLES, ids=lambda f: f.__name__)
def test_the_background_is_100_training_rows(example):
    train = {row.tobytes() for row in example("train").values}
    for rows in (example("train"), example("test")):
        assert len(rows.background) == 100
        assert all(row.tobytes() in train for row in rows.background)


@pytest.mark.parametrize("example", [*TABLES, data.credit, data.shapes], ids=lambda f: f.__name__)
def test_an_unknown_split_is_refused(example):
    with pytest.raises(InputError, match="'validation'"):
        example("validation")


def test_classes_are_positions_in_the_class_names():
    rows = data.breast_cancer("test")
    assert set(rows.y.tolist()) == {0, 1}
    # Malignant cells are larger: the names are not swapped.
    area = rows.values[:, rows.features.index("mean area")]
    malignant = data.BREAST_CANCER.index("malignant")
    assert area[rows.y == malignant].mean() > 1.5 * area[rows.y != malignant].mean()


def test_diabetes_is_in_its_own_units():
    rows = data.diabetes("train")
    age = rows.values[:, rows.features.index("age")]
    assert 18 < age.min() < age.max() < 80


def test_an_applicant_is_the_same_whatever_the_number():
    few, many = data.credit("test", n=200), data.credit("test", n=500)
    np.testing.assert_array_equal(few.values, many.values[:200])
    np.testing.assert_array_equal(few.y, many.y[:200])
    assert not np.array_equal(few.values, data.credit("train", n=200).values)
    with pytest.raises(InputError, match="at least 200"):
        data.credit("test", n=10)


def test_credit_follows_its_written_rule():
    rows = data.credit("test", n=20_000)
    frame = rows.to_frame()
    logit = -0.5 + sum(
        frame[name].astype(str).map(effect) if hasattr(effect, "keys") else effect * frame[name]
        for name, effect in data.CREDIT_RULE.items()
    )
    chance = 1 / (1 + np.exp(-logit))
    for low in np.arange(0, 0.6, 0.1):
        chosen = (chance >= low) & (chance < low + 0.1)
        rate, n = rows.y[chosen].mean(), int(chosen.sum())
        # Four standard errors of a rate, and at least fifty applicants to take it from.
        assert n > 50
        assert abs(rate - chance[chosen].mean()) < 4 * np.sqrt(0.25 / n)


def test_credit_effects_are_the_exact_shapley_values_of_the_rule():
    rows = data.credit("test", n=200)[:3]
    effects = data.credit_effects(rows)
    frames = rows.to_frame(), rows.to_frame(rows.background)
    for j, (name, effect) in enumerate(data.CREDIT_RULE.items()):
        row, absent = (
            frame[name].astype(str).map(effect) if hasattr(effect, "keys") else effect * frame[name]
            for frame in frames
        )
        np.testing.assert_allclose(effects[:, j], row - absent.mean(), atol=1e-12)  # rounding
    with pytest.raises(InputError, match="background"):
        data.credit_effects(rows.with_background(None))
    with pytest.raises(InputError, match="breast cancer"):
        data.credit_effects(data.breast_cancer("test"))


def test_an_asset_is_found_by_name_and_an_unknown_one_lists_what_there_is():
    assert data.asset("README.md").is_file()
    for name in ("gone.bin", "../pyproject.toml", "/etc/passwd", ""):
        with pytest.raises(InputError, match=r"README\.md"):
            data.asset(name)

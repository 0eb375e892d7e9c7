"""Changes made by hand are found and named, where the rows suffice; nothing else is called changed."""

import numpy as np
import pytest

from tests.verdicts.planted import (
    LAYER,
    NETWORK_METHODS,
    TABLES,
    Plant,
    against,
    balanced,
    class_head_shuffled,
    counted,
    held,
    layer_noised,
    pictures,
)
from workbench import lab

DRAWS = 6  # the long table is made by hand: docs/verdicts.md
SIZES = (20, 50, 100)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("plant", TABLES, ids=lambda one: one.title)
def test_what_was_planted_is_said_and_named(plant: Plant, n: int):
    said, named = counted(plant, n, DRAWS)
    if "preserved" not in plant.words:
        assert said["preserved"] == 0
    if plant.named is None:
        assert said["changed"] + said["changed in part"] == 0
        if n >= 59:
            assert said["preserved"] == DRAWS
    elif n >= plant.enough:
        assert sum(said[word] for word in plant.words) == DRAWS
        assert named >= DRAWS - 1
    if plant.words == ("changed",) and n >= plant.enough:
        assert said["changed"] == DRAWS


def test_a_shifted_bias_keeps_the_reasons_and_flips_classes_and_the_gate_sees_it():
    shift = next(plant for plant in TABLES if plant.title == "bias shift")
    drift = held(shift, 100, 0)
    assert drift.verdicts["copy"] == "preserved"
    (behavior,) = drift.behavior
    assert behavior.flips > 0.1
    sentence = drift.sentence("copy")
    assert sentence.startswith("Explanations preserved for rows like these")
    assert (
        f"Predictions changed on these rows ({round(100 * behavior.flips)} of 100 rows" in sentence
    )
    checked = lab.check_budget(drift, lab.Budget())
    assert [(check.what, check.held) for check in checked.checks] == [
        ("verdict", True),
        ("flips", False),
    ]


def test_the_class_whose_head_was_shuffled_is_named():
    found = 0
    for seed in range(4):
        images = pictures(60, seed)
        net = balanced(seed, images)
        drift, _, _ = against(net, class_head_shuffled(net, seed, 2), images)
        assert drift.verdicts["copy"].startswith("changed")
        inside = np.array(drift.explained) == "r"
        for one in drift.of("copy"):
            if one.metric in drift.deciding:
                assert (one.drift[~inside] == 0).all()  # the others ask for another row of the head
        for method in drift.methods:
            slices = lab.findings(drift, method=method).slices
            named = [one.slice for one in slices if one.harder or one.p is None]
            assert named in ([], ["explained = r"])
            found += bool(named)
    assert found >= 7  # of eight


def test_the_layer_that_was_noised_is_named():
    for seed in range(3):
        images = pictures(20, seed)
        net = balanced(seed, images)
        drift, reference, copy = against(net, layer_noised(net, seed), images)
        assert drift.verdicts["copy"] == "changed"
        layers = lab.responsible_layers(reference, copy, images, NETWORK_METHODS[0])
        assert [one.layer for one in layers] == [LAYER]

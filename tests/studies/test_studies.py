"""Ten studies give what they gave when they were kept; `python -m tests.studies` says where they do not."""

from dataclasses import replace

import numpy as np
import pytest

from tests.studies.keeping import FOLDER, differences, found_by, read
from tests.studies.studies import STUDIES

# Doubles keep 16 digits and single precision 7; sums of some hundred products lose a few of them where
# another processor adds in another order.
TOLERANCE = {False: 1e-9, True: 1e-5}


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_gives_what_it_gave(name):
    kept, found = read(name), found_by(name)
    for library in STUDIES[name].made_by:
        if found.machine[library] != kept.machine[library]:
            pytest.skip(f"{library} {found.machine[library]} makes other models or superpixels")
    # Bit by bit on the machine of the file, else within 1e-9 (NumPy) or 1e-5 (torch) of the largest.
    assert differences(found, kept, tolerance=TOLERANCE[STUDIES[name].single]) == []


def test_one_bit_of_one_number_is_seen_on_the_same_machine():
    kept = read("trees")
    name = "booster, pairs: values"
    moved = kept.arrays[name].copy()
    moved[-1] = np.nextafter(moved[-1], np.inf)
    found = replace(kept, arrays={**kept.arrays, name: moved})
    (line,) = differences(found, kept, tolerance=1e-9)
    assert line.startswith(f"{name}: up to ")
    elsewhere = replace(found, machine={**kept.machine, "numpy": "0"})
    assert differences(elsewhere, kept, tolerance=1e-9) == []


def test_a_number_beyond_the_tolerance_is_seen_on_every_machine():
    kept = read("trees")
    name = "booster, pairs: output"
    found = replace(
        kept, arrays={**kept.arrays, name: kept.arrays[name] * (1 + 1e-8)}, machine={"numpy": "0"}
    )
    assert len(differences(found, kept, tolerance=1e-9)) == 1


def test_another_word_and_a_missing_array_are_seen():
    kept = read("drift_of_trees")
    word = next(name for name in kept.words if name.endswith("verdict"))
    array = next(iter(kept.arrays))
    found = replace(
        kept,
        words={**kept.words, word: ["changed utterly"]},
        arrays={name: kept.arrays[name] for name in kept.arrays if name != array},
    )
    lines = differences(found, kept, tolerance=1e-9)
    assert len(lines) == 2
    assert f"{array}: only in the file" in lines
    assert any(line.startswith(f"{word}: ") for line in lines)


def test_the_files_are_small():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 2**20
    assert {path.stem for path in FOLDER.iterdir()} == set(STUDIES)

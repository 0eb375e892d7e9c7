"""Texts of boosters as other programs leave them, and dumps that are no models."""

import bz2
import gzip
import json
import lzma

import catboost
import lightgbm
import numpy as np
import pytest
import xgboost

from workbench.errors import UnsafeFileError
from workbench.models import load

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 3))
Y = (X[:, 0] + X[:, 1] > 0).astype(int)
MARK = b"\xef\xbb\xbf"


@pytest.fixture(scope="module")
def boosters():
    return (
        lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(X, Y).booster_,
        xgboost.XGBClassifier(n_estimators=3).fit(X, Y).get_booster(),
    )


def windows(data: bytes) -> bytes:
    return data.replace(b"\n", b"\r\n")


@pytest.mark.parametrize(
    "changed", [windows, lambda data: MARK + data, lambda data: MARK + windows(data)]
)
def test_line_ends_of_windows_and_the_mark_of_utf8_change_no_score(tmp_path, boosters, changed):
    forest, boosted = boosters
    forest.save_model(tmp_path / "plain.txt")
    data = changed((tmp_path / "plain.txt").read_bytes())
    (tmp_path / "changed.txt").write_bytes(data)
    model = load(tmp_path / "changed.txt")
    np.testing.assert_array_equal(model.scores(X)[:, 0], forest.predict(X, raw_score=True))
    assert model.file.bytes == len(data)
    boosted.save_model(tmp_path / "plain.json")
    pretty = json.dumps(json.loads((tmp_path / "plain.json").read_text()), indent=1).encode()
    (tmp_path / "changed.json").write_bytes(changed(pretty))
    expected = boosted.predict(xgboost.DMatrix(X), output_margin=True)
    np.testing.assert_array_equal(
        load(tmp_path / "changed.json").scores(X)[:, 0], expected.astype(np.float64)
    )


def test_a_text_of_windows_that_is_cut_off_is_refused(tmp_path, boosters):
    boosters[0].save_model(tmp_path / "plain.txt")
    data = windows((tmp_path / "plain.txt").read_bytes())
    (tmp_path / "cut.txt").write_bytes(data[: len(data) // 3])
    with pytest.raises(UnsafeFileError, match="its trees have no end"):
        load(tmp_path / "cut.txt")


def test_dumps_for_reading_are_called_that(tmp_path, boosters):
    forest, boosted = boosters
    boosted.dump_model(tmp_path / "dump.txt")
    boosted.dump_model(tmp_path / "stats.txt", with_stats=True)
    boosted.dump_model(tmp_path / "dump.json", dump_format="json")
    stump = xgboost.train({"max_depth": 0}, xgboost.DMatrix(X, Y), 1)
    stump.dump_model(tmp_path / "leaf.json", dump_format="json")
    for name in ("dump.txt", "stats.txt", "dump.json", "leaf.json"):
        with pytest.raises(UnsafeFileError, match=r"a dump of XGBoost's trees.*save_model"):
            load(tmp_path / name)
    for name, indent in (("tight.json", None), ("pretty.json", 2)):
        (tmp_path / name).write_text(json.dumps(forest.dump_model(), indent=indent))
        with pytest.raises(UnsafeFileError, match=r"a dump of LightGBM's trees.*save_model"):
            load(tmp_path / name)


def test_a_catboost_model_as_json_says_how_to_save_it(tmp_path):
    booster = catboost.CatBoostClassifier(2, verbose=0, allow_writing_files=False).fit(X, Y)
    booster.save_model(str(tmp_path / "trees.json"), format="json")
    with pytest.raises(UnsafeFileError, match=r"CatBoost model as JSON.*model\.cbm"):
        load(tmp_path / "trees.json")


@pytest.mark.parametrize("packed", [gzip.compress, bz2.compress, lzma.compress])
def test_a_file_that_was_packed_as_a_whole_is_to_be_unpacked(tmp_path, boosters, packed):
    boosters[1].save_model(tmp_path / "plain.json")
    (tmp_path / "net.json.gz").write_bytes(packed((tmp_path / "plain.json").read_bytes()))
    with pytest.raises(UnsafeFileError, match="unpack it, and load what that gives"):
        load(tmp_path / "net.json.gz")

"""`trust=`: a file with code is opened for whoever vouches for its digest, and for nobody else."""

import hashlib
import os
import pickle

import joblib
import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import nn

from workbench.errors import InputError, UnsafeFileError
from workbench.models import load, wrap

X = np.random.default_rng(0).normal(size=(60, 6))
Y = (X[:, 0] > 0).astype(int)


def halved(rows):
    return rows / 2


def digest(path) -> str:
    return "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()


def line() -> LogisticRegression:
    return LogisticRegression().fit(X, Y)


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(6, 2)


def test_a_pickle_and_a_joblib_file_open_for_who_vouches_for_them(tmp_path):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(line()))
    joblib.dump(line(), tmp_path / "b.joblib")
    joblib.dump(line(), tmp_path / "c.joblib", compress=3)
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(UnsafeFileError, match=r"trust='sha256:\.\.\.'"):
            load(path)
        model = load(path, trust=digest(path))
        np.testing.assert_array_equal(model.scores(X), wrap(line()).scores(X))
        assert model.lineage[0].endswith(", vouched for by the caller")
        assert "the caller vouched for its digest" in model.notes[-1]
        assert model.file.trusted
        assert (
            "trusted",
            "the caller vouched for it; its own code may have run",
        ) in model.file.to_rows()


def test_whole_modules_and_old_torch_files_open_too(tmp_path):
    torch.save(net(), tmp_path / "whole.pt")
    torch.save(net().state_dict(), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    whole = load(tmp_path / "whole.pt", trust=digest(tmp_path / "whole.pt"), scale="logit")
    old = load(tmp_path / "old.pt", trust=digest(tmp_path / "old.pt"), architecture=net)
    for model in (whole, old):
        np.testing.assert_array_equal(model.scores(X), wrap(net(), scale="logit").scores(X))


def test_a_skops_file_with_foreign_types_opens_too_and_is_tried_first(tmp_path):
    import skops.io

    pipeline = make_pipeline(FunctionTransformer(halved), LogisticRegression()).fit(X, Y)
    skops.io.dump(pipeline, tmp_path / "m.skops")
    model = load(tmp_path / "m.skops", trust=digest(tmp_path / "m.skops"))
    np.testing.assert_array_equal(model.scores(X), pipeline.predict_proba(X))
    assert model.file.trusted
    assert model.file.quarantine


class Payload:
    def __init__(self, mark) -> None:
        self.mark = str(mark)

    def __reduce__(self):
        return (os.mkdir, (self.mark,))


def test_another_digest_opens_nothing(tmp_path):
    path = tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps(Payload(tmp_path / "mark")))
    wanted = f"vouches for a file of sha256:{'0' * 64}.*is {digest(path)}"
    with pytest.raises(UnsafeFileError, match=wanted):
        load(path, trust="sha256:" + "0" * 64)
    assert not (tmp_path / "mark").exists()
    with pytest.raises(InputError, match="holds no model"):
        load(path, trust=digest(path))
    assert (
        tmp_path / "mark"
    ).exists()  # the harmless payload: code does run, as the caller was told


@pytest.mark.parametrize(
    "trust", ["yes", True, "sha256:abc", "SHA256:" + "0" * 64, "md5:" + "0" * 64]
)
def test_trust_is_a_digest_and_nothing_else(tmp_path, trust):
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(line()))
    with pytest.raises(InputError, match="trust must be 'sha256:' and the 64 hexadecimal digits"):
        load(path, trust=trust)


def test_formats_that_are_never_opened_stay_closed(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}]), allow_pickle=True)
    (tmp_path / "b.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(50))
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(UnsafeFileError):
            load(path, trust=digest(path))


def test_a_safe_file_stays_safe_and_its_digest_is_held_against_the_bytes(tmp_path):
    import safetensors.torch

    path = tmp_path / "m.safetensors"
    safetensors.torch.save_file(net().state_dict(), path)
    model = load(path, trust=digest(path), architecture=net)
    assert not model.file.trusted
    assert "vouched" not in model.lineage[0]
    with pytest.raises(UnsafeFileError, match="another file"):
        load(path, trust="sha256:" + "1" * 64, architecture=net)


def test_a_vouched_file_that_needs_what_is_not_there_is_one_sentence(tmp_path):
    path = tmp_path / "a.pkl"
    path.write_bytes(b"\x80\x02cno_such_module\nThing\n)R.")
    with pytest.raises(
        InputError, match=r"was vouched for, but cannot be read \(ModuleNotFoundError"
    ):
        load(path, trust=digest(path))

"""Files of the three accepted formats give the model that was saved."""

import json

import numpy as np
import pytest
import safetensors.torch
import torch
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from torch import nn

from workbench.errors import IncompatibleError, InputError, UnsafeFileError
from workbench.models import Normalize, load, save, wrap

X = np.random.default_rng(0).normal(size=(60, 6))
Y = (X[:, 0] > 0).astype(int)


class Net(nn.Module):
    def __init__(self, dtype=torch.float32) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm = nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5)
        self.head = nn.Linear(5, 4)
        self.to(dtype)

    def forward(self, x):
        return self.head(self.norm(self.conv(x)).relu().mean((2, 3)))


def images() -> np.ndarray:
    return np.random.default_rng(1).random((2, 7, 9, 3))


def model(**more):
    net = Net()
    net.norm.running_mean += 0.5
    return wrap(net, outputs=list("abcd"), scale="logit", **more)


def test_a_saved_model_comes_back_whole(tmp_path):
    saved = model(name="shapes", preprocess=Normalize([0.5] * 3, [0.25] * 3))
    path = tmp_path / "net.safetensors"
    sha = save(saved, path)
    loaded = load(path, architecture=Net)
    np.testing.assert_array_equal(loaded.scores(images()), saved.scores(images()))
    for field in ("name", "outputs", "scale", "kind", "shape", "digest"):
        assert getattr(loaded, field) == getattr(saved, field)
    assert loaded.lineage == (f"loaded from net.safetensors, sha256 {sha}",)
    assert "From the file itself: kind, name, outputs, preprocess, scale, shape." in loaded.notes
    assert [path.name for path in tmp_path.iterdir()] == ["net.safetensors"]


def test_arguments_win_over_what_the_file_says(tmp_path):
    save(model(name="shapes"), tmp_path / "net.safetensors")
    loaded = load(
        tmp_path / "net.safetensors",
        architecture=Net,
        name="mine",
        outputs=list("wxyz"),
        scale="raw",
    )
    assert (loaded.name, loaded.outputs, loaded.scale) == ("mine", tuple("wxyz"), "raw")
    assert "From the file itself: kind, shape." in loaded.notes


def test_a_state_dict_of_torch_save_is_read_as_tensors_alone(tmp_path, monkeypatch):
    seen = []
    real = torch.load

    def watched(*args, **kwargs):
        seen.append(kwargs.get("weights_only"))
        return real(*args, **kwargs)

    monkeypatch.setattr(torch, "load", watched)
    torch.save(model().native.state_dict(), tmp_path / "net.pt")
    loaded = load(tmp_path / "net.pt", architecture=Net, outputs=list("abcd"), scale="logit")
    np.testing.assert_array_equal(loaded.scores(images()), model().scores(images()))
    assert seen == [True]
    assert loaded.name == "net"
    assert loaded.notes == ()


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model"])
def test_the_weights_inside_a_checkpoint_are_found_and_told(tmp_path, key):
    content = {"epoch": 3, key: model().native.state_dict(), "optimizer": {"lr": 0.1, "steps": [1]}}
    torch.save(content, tmp_path / "checkpoint.pth")
    loaded = load(tmp_path / "checkpoint.pth", architecture=Net, outputs=list("abcd"))
    np.testing.assert_array_equal(loaded.scores(images()), model().scores(images()))
    assert f"The weights are the entry {key!r} of a checkpoint." in loaded.notes


@pytest.mark.parametrize(
    "content",
    [{"epoch": 3}, [torch.ones(2)], {"state_dict": {}}, {"steps": {0: {"a": torch.ones(1)}}}],
)
def test_a_file_without_named_tensors_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "odd.pt")
    with pytest.raises(InputError, match=r"A state dict .* is needed"):
        load(tmp_path / "odd.pt", architecture=Net)


def test_weights_of_another_precision_are_converted_aloud(tmp_path):
    torch.save(Net(torch.bfloat16).state_dict(), tmp_path / "half.pt")
    loaded = load(tmp_path / "half.pt", architecture=Net, outputs=list("abcd"), scale="logit")
    assert loaded.notes == (
        "Weights were converted from torch.bfloat16 to torch.float32, the architecture's precision.",
    )


def test_two_files_of_one_architecture_object_do_not_share_weights(tmp_path):
    shared = Net()
    before = {name: tensor.clone() for name, tensor in shared.state_dict().items()}
    for number in (1, 2):
        net = Net()
        with torch.no_grad():
            net.head.bias += number
        torch.save(net.state_dict(), tmp_path / f"{number}.pt")
    one, two = (
        load(tmp_path / f"{number}.pt", architecture=shared, outputs=list("abcd"))
        for number in (1, 2)
    )
    # float32 sums near 1
    np.testing.assert_allclose(two.scores(images()) - one.scores(images()), 1.0, atol=1e-6)
    assert all(torch.equal(before[name], tensor) for name, tensor in shared.state_dict().items())


def test_weights_that_do_not_fit_are_named(tmp_path):
    state = Net().state_dict()
    state["head.weight"] = torch.ones(4, 6)
    state["tail"] = torch.ones(1)
    del state["conv.bias"]
    safetensors.torch.save_file(state, tmp_path / "odd.safetensors")
    with pytest.raises(InputError) as caught:
        load(tmp_path / "odd.safetensors", architecture=Net, outputs=list("abcd"))
    message = str(caught.value)
    assert "Missing in the file: ['conv.bias']" in message
    assert "Not in the architecture: ['tail']" in message
    assert "(4, 6) of torch.float32 in the file, (4, 5) of torch.float32 needed" in message


def test_weights_that_are_shared_in_the_architecture_may_be_stored_once(tmp_path):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(6, 6), nn.Linear(6, 6)
            self.b.weight = self.a.weight

        def forward(self, x):
            return self.b(self.a(x))

    tied = Tied()
    safetensors.torch.save_model(tied, tmp_path / "tied.safetensors")
    loaded = load(tmp_path / "tied.safetensors", architecture=Tied, scale="raw")
    np.testing.assert_array_equal(loaded.scores(X), wrap(tied).scores(X))


def test_weights_that_are_not_finite_are_named(tmp_path):
    state = Net().state_dict()
    state["head.bias"][1] = float("inf")
    safetensors.torch.save_file(state, tmp_path / "odd.safetensors")
    with pytest.raises(InputError, match=r"1 tensors of 'odd.safetensors'.*\['head.bias'\]"):
        load(tmp_path / "odd.safetensors", architecture=Net, outputs=list("abcd"))


def test_an_architecture_is_needed_and_must_be_one(tmp_path):
    path = tmp_path / "net.safetensors"
    save(model(), path)
    with pytest.raises(InputError, match="but it was left out"):
        load(path)
    with pytest.raises(IncompatibleError, match="not a str"):
        load(path, architecture="resnet18")
    with pytest.raises(IncompatibleError, match=r"<lambda>\(\) gave a int"):
        load(path, architecture=lambda: 3)
    with pytest.raises(InputError, match=r"needs the arguments \['width'\]"):
        load(path, architecture=lambda width, depth=2: Net())
    np.testing.assert_array_equal(
        load(path, architecture=Net()).scores(images()), model().scores(images())
    )


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("outputs", "[1, 2]"),
        ("outputs", "not json"),
        ("outputs", "[" * 100_000),
        ("scale", "odds"),
        ("kind", "sound"),
        ("shape", "[-1]"),
        ("normalize", '{"mean": [0.5], "std": [0]}'),
        ("normalize", '{"mean": [NaN], "std": [1]}'),
        ("normalize", '{"mean": 3, "std": 4}'),
        ("normalize", '{"__class__": "os.system"}'),
    ],
)
def test_what_a_file_says_about_itself_is_checked(tmp_path, key, text):
    words = {"outputs": json.dumps(list("abcd")), key: text}
    safetensors.torch.save_file(Net().state_dict(), tmp_path / "odd.safetensors", metadata=words)
    with pytest.raises(InputError, match=key if key != "normalize" else "normalize|Normalize"):
        load(tmp_path / "odd.safetensors", architecture=Net)


def test_only_data_is_saved(tmp_path):
    with pytest.raises(InputError, match="Only Normalize"):
        save(model(preprocess=lambda batch: batch / 2), tmp_path / "net.safetensors")
    with pytest.raises(InputError, match=r"named \*\.safetensors"):
        save(model(), tmp_path / "net.pt")
    forest = wrap(RandomForestClassifier(2).fit(X, Y))
    with pytest.raises(IncompatibleError, match=r"skops\.io\.dump"):
        save(forest, tmp_path / "forest.safetensors")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "estimator",
    [
        RandomForestClassifier(3, random_state=0),
        HistGradientBoostingClassifier(max_iter=3),
        KNeighborsClassifier(),
        make_pipeline(StandardScaler(), RandomForestClassifier(3, random_state=0)),
    ],
)
def test_a_skops_file_gives_the_estimator_back(tmp_path, estimator):
    import skops.io

    skops.io.dump(estimator.fit(X, Y), tmp_path / "saved.skops")
    loaded, live = load(tmp_path / "saved.skops"), wrap(estimator)
    np.testing.assert_array_equal(loaded.scores(X), live.scores(X))
    assert (loaded.name, loaded.outputs) == ("saved", live.outputs)
    assert loaded.digest == live.digest != ""
    with pytest.raises(InputError, match="needs no architecture"):
        load(tmp_path / "saved.skops", architecture=Net)


def halved(rows):
    return rows / 2


def test_a_skops_file_with_foreign_types_shows_them_and_loads_once_they_are_trusted(tmp_path):
    import skops.io

    pipeline = make_pipeline(FunctionTransformer(halved), RandomForestClassifier(3)).fit(X, Y)
    skops.io.dump(pipeline, tmp_path / "foreign.skops")
    with pytest.raises(UnsafeFileError, match="halved") as caught:
        load(tmp_path / "foreign.skops")
    types = skops.io.get_untrusted_types(file=tmp_path / "foreign.skops")
    assert "trusted=" in str(caught.value)
    loaded = load(tmp_path / "foreign.skops", trusted=types)
    np.testing.assert_array_equal(loaded.scores(X), pipeline.predict_proba(X))


def test_a_skops_file_of_something_else_is_not_a_model(tmp_path):
    import skops.io

    skops.io.dump({"a": 1}, tmp_path / "dict.skops")
    with pytest.raises(InputError, match=r"holds no model.*a dict"):
        load(tmp_path / "dict.skops")


@pytest.mark.parametrize(("extra", "suffix"), [("torch", "safetensors"), ("skops", "skops")])
def test_a_missing_extra_is_named(tmp_path, monkeypatch, extra, suffix):
    import importlib.util

    import skops.io

    from workbench.errors import MissingDependency

    save(model(), tmp_path / "net.safetensors")
    skops.io.dump(RandomForestClassifier(2).fit(X, Y), tmp_path / "net.skops")
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == extra else real(name)
    )
    with pytest.raises(MissingDependency, match=rf"explainability-workbench\[{extra}\]"):
        load(tmp_path / f"net.{suffix}", architecture=Net if extra == "torch" else None)


def test_trusted_is_for_skops_alone(tmp_path):
    save(model(), tmp_path / "net.safetensors")
    with pytest.raises(InputError, match="for skops files"):
        load(tmp_path / "net.safetensors", architecture=Net, trusted=["a.b"])

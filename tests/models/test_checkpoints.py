"""Checkpoints as people have them: names that begin otherwise, several sets of weights, masks."""

import argparse
import copy
import hashlib

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn
from torch.nn.utils import prune

from workbench.errors import InputError, UnsafeFileError
from workbench.models import load, wrap

ROWS = np.random.default_rng(1).random((2, 7, 9, 3))


class Net(nn.Module):
    def __init__(self, outputs: int = 4, channels: int = 3) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(channels, 5, 3), nn.BatchNorm2d(5)
        self.head = nn.Linear(5, outputs)

    def forward(self, x):
        return self.head(self.norm(self.conv(x)).relu().mean((2, 3)))


def trained(seed: int = 0) -> Net:
    torch.manual_seed(seed)
    net = Net()
    with torch.no_grad():
        net.norm.running_mean += 0.3
        net.norm.num_batches_tracked += 7
    return net.eval()


def weights(seed: int = 0, prefix: str = "") -> dict[str, torch.Tensor]:
    return {prefix + name: one.clone() for name, one in trained(seed).state_dict().items()}


def scores(seed: int = 0) -> np.ndarray:
    return answers(trained(seed))


def answers(net: nn.Module) -> np.ndarray:
    """The live module's scores; asked in the same way, so that they are equal in every bit."""
    return wrap(net, outputs=list("abcd"), scale="logit").scores(ROWS)


def loaded(tmp_path, content, architecture=Net, **more):
    torch.save(content, tmp_path / "net.pt")
    return load(tmp_path / "net.pt", architecture=architecture, scale="logit", **more)


def refusal(tmp_path, content, architecture=Net, **more) -> str:
    with pytest.raises(InputError) as caught:
        loaded(tmp_path, content, architecture, **more)
    return str(caught.value)


def said(model, words: str) -> list[str]:
    return [note for note in model.notes if words in note]


PREFIXES = [
    "module.",
    "_orig_mod.",
    "module._orig_mod.",
    "model.",
    "model.net.",
    "backbone.",
    "module.encoder_q.",
    "0.",
]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_what_all_names_begin_with_is_cut_off_and_said(tmp_path, prefix):
    model = loaded(tmp_path, weights(prefix=prefix))
    np.testing.assert_array_equal(model.scores(ROWS), scores())
    assert len(said(model, repr(prefix))) == 1


@pytest.mark.parametrize("prefix", ["module.", "model."])
def test_the_same_holds_in_safetensors(tmp_path, prefix):
    safetensors.torch.save_file(weights(prefix=prefix), tmp_path / "net.safetensors")
    model = load(tmp_path / "net.safetensors", architecture=Net)
    np.testing.assert_array_equal(model.scores(ROWS), scores())
    assert said(model, f"without the prefix {prefix!r}")


def test_names_that_fit_are_taken_as_they_are_and_nothing_is_said(tmp_path):
    assert not said(loaded(tmp_path, weights()), "fit")


@pytest.mark.parametrize("inside", ["conv.module.", "conv._orig_mod.", "module.conv.module."])
def test_what_a_wrapper_puts_into_the_middle_of_names_is_cut_out(tmp_path, inside):
    content = {
        name.replace("conv.", inside) if name.startswith("conv.") else name: one
        for name, one in weights().items()
    }
    model = loaded(tmp_path, content)
    np.testing.assert_array_equal(model.scores(ROWS), scores())
    assert said(model, "in their names")


def test_lightnings_extra_weights_are_left_out_and_named(tmp_path):
    content = {"state_dict": weights(prefix="model.") | {"loss_fn.weight": torch.ones(4)}}
    model = loaded(tmp_path, content)
    np.testing.assert_array_equal(model.scores(ROWS), scores())
    assert said(model, "1 other tensors") == said(model, "['loss_fn.weight']") != []
    assert said(model, "the prefix 'model.'")


def test_an_averaged_model_is_read(tmp_path):
    averaged = torch.optim.swa_utils.AveragedModel(trained())
    model = loaded(tmp_path, averaged.state_dict())
    np.testing.assert_array_equal(model.scores(ROWS), scores())
    assert said(model, "n_averaged")


class Around(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = Net()

    def forward(self, x):
        return self.net(x)


@pytest.mark.parametrize(
    "architecture", [Around, lambda: nn.DataParallel(Net()), lambda: nn.Sequential(Net())]
)
def test_an_architecture_that_wraps_the_network_takes_its_weights(tmp_path, architecture):
    for content in (weights(), weights(prefix="model.")):
        model = loaded(tmp_path, content, architecture)
        np.testing.assert_array_equal(model.scores(ROWS), scores())


def test_a_part_of_a_network_is_not_taken_for_the_whole(tmp_path):
    wide = nn.Sequential(nn.Sequential(nn.Linear(6, 4)), nn.ReLU(), nn.Linear(4, 2))
    first = lambda: nn.Sequential(nn.Linear(6, 4))  # noqa: E731
    message = refusal(tmp_path, wide.state_dict(), first)
    assert "only a part" in message
    assert "entry='0'" in message
    model = loaded(tmp_path, wide.state_dict(), first, entry="0")
    rows = np.random.default_rng(0).normal(size=(3, 6))
    expected = wide[0](torch.tensor(rows, dtype=torch.float32)).detach().numpy()
    np.testing.assert_array_equal(model.scores(rows), expected)


def test_weights_under_their_plain_names_are_meant_whatever_lies_beside_them(tmp_path):
    message = refusal(tmp_path, weights(0) | weights(1, "teacher."))
    assert "Not in the architecture: ['teacher.conv.weight'" in message
    model = loaded(tmp_path, weights(0) | weights(1, "teacher."), entry="teacher")
    np.testing.assert_array_equal(model.scores(ROWS), scores(1))


@pytest.mark.parametrize("key", ["net", "ema", "state_dict_ema", "model_state", "G"])
def test_the_weights_are_found_under_any_key(tmp_path, key):
    optimizer = torch.optim.Adam(trained().parameters()).state_dict()
    model = loaded(tmp_path, {"epoch": 3, key: weights(), "optimizer": optimizer})
    np.testing.assert_array_equal(model.scores(ROWS), scores())
    assert said(model, f"the entry {key!r} of a checkpoint")


def test_of_several_networks_the_one_that_fits_is_taken(tmp_path):
    other = nn.Linear(3, 2).state_dict()
    model = loaded(
        tmp_path, {"generator": other, "discriminator": {"model": weights(prefix="module.")}}
    )
    np.testing.assert_array_equal(model.scores(ROWS), scores())
    assert said(model, "'discriminator.model'")


TWO = [
    ({"state_dict": weights(0), "state_dict_ema": weights(1)}, "state_dict", "state_dict_ema"),
    ({"model": weights(0), "ema": {"shadow": weights(1)}}, "model", "ema"),
    ({"student": weights(0, "module."), "teacher": weights(1, "backbone.")}, "student", "teacher"),
    (weights(0, "encoder_q.") | weights(1, "encoder_k."), "encoder_q", "encoder_k"),
    ({"sd": weights(0, "module.a.") | weights(1, "module.b.")}, "sd.module.a", "module.b"),
]


@pytest.mark.parametrize(("content", "first", "second"), TWO)
def test_several_sets_that_differ_are_refused_until_one_is_named(tmp_path, content, first, second):
    message = refusal(tmp_path, content)
    assert "holds 2 that fit the architecture Net and differ" in message
    assert "entry=" in message
    for seed, entry in enumerate((first, second)):
        model = loaded(tmp_path, content, entry=entry)
        np.testing.assert_array_equal(model.scores(ROWS), scores(seed))
        again = copy.deepcopy(model.source).model()
        np.testing.assert_array_equal(again.scores(ROWS), scores(seed))


def test_several_sets_that_are_equal_are_one(tmp_path):
    for content in (
        {"state_dict": weights(), "model": weights(), "ema": weights(prefix="module.")},
        weights(prefix="model.") | weights(prefix="ema_model."),
    ):
        np.testing.assert_array_equal(loaded(tmp_path, content).scores(ROWS), scores())


def test_an_entry_that_is_not_there_or_does_not_fit_is_told(tmp_path):
    content = {"model": weights(), "other": nn.Linear(3, 2).state_dict()}
    message = refusal(tmp_path, content, entry="emma")
    assert "not 'emma'" in message
    assert "['model', 'other']" in message
    assert "Missing in the file: ['conv.weight'" in refusal(tmp_path, content, entry="other")
    with pytest.raises(InputError, match="entry must be the name"):
        loaded(tmp_path, content, entry=3)


def test_masks_of_pruning_are_applied(tmp_path):
    net = trained()
    prune.l1_unstructured(net.conv, "weight", 0.5)
    prune.random_unstructured(net.head, "bias", 0.25)
    expected = answers(net)
    for prefix in ("", "module."):
        content = {prefix + name: one for name, one in net.state_dict().items()}
        model = loaded(tmp_path, content)
        np.testing.assert_array_equal(model.scores(ROWS), expected)
        assert said(model, "Masks of pruning")
    assert np.abs(expected - scores()).max() > 1e-3


def test_counts_of_batches_may_be_missing_for_no_score_depends_on_them(tmp_path):
    content = {name: one for name, one in weights().items() if "num_batches" not in name}
    model = loaded(tmp_path, content)
    np.testing.assert_array_equal(model.scores(ROWS), scores())
    assert said(model, "num_batches_tracked")


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.line = nn.Linear(3, 2)
        self.register_buffer("num_batches_tracked", torch.tensor(2.0))

    def forward(self, x):
        return self.line(x) * self.num_batches_tracked


def test_a_buffer_of_that_name_that_scores_depend_on_may_not(tmp_path):
    message = refusal(
        tmp_path, {"line.weight": torch.ones(2, 3), "line.bias": torch.ones(2)}, Counting
    )
    assert "Missing in the file: ['num_batches_tracked']" in message


def without(*parts):
    return {k: v for k, v in weights().items() if not any(part in k for part in parts)}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (without("head."), "without its head (head)"),
        ({"state_dict": {f"model.{k}": v for k, v in without("head.").items()}}, "its head (head)"),
        (Net(10).state_dict(), "'head' has 10 classes or outputs in the file and 4 in"),
        ({f"module.{k}": v for k, v in Net(10).state_dict().items()}, "'head' has 10 classes"),
        (Net(channels=1).state_dict(), "'conv' reads 1 channels or columns in the file and 3 in"),
        (without("running_"), "lacks the statistics of batch norm"),
        ({"base_model.model.conv.lora_A.weight": torch.ones(2, 2)}, "adapters (LoRA)"),
    ],
)
def test_the_reason_for_a_misfit_is_said(tmp_path, content, why):
    assert why in refusal(tmp_path, content)


@pytest.mark.parametrize(
    ("reparametrize", "why"),
    [
        (nn.utils.parametrizations.weight_norm, "remove_parametrizations"),
        (nn.utils.parametrizations.spectral_norm, "remove_parametrizations"),
        (nn.utils.parametrizations.orthogonal, "remove_parametrizations"),
        (torch.nn.utils.spectral_norm, "remove_spectral_norm"),
    ],
)
def test_reparametrized_weights_say_how_to_save_them_and_load_into_their_like(
    tmp_path, reparametrize, why
):
    def like():
        net = trained()
        reparametrize(net.head)
        return net.eval()

    content = like().state_dict()
    assert why in refusal(tmp_path, content)
    model = loaded(tmp_path, content, like)
    net = like()
    net.load_state_dict(content)
    np.testing.assert_array_equal(model.scores(ROWS), answers(net))


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(6, 6), nn.Linear(6, 6)
        self.b.weight = self.a.weight
        self.register_buffer("places", torch.arange(6.0), persistent=False)

    def forward(self, x):
        return self.b(self.a(x)) + self.places


def test_weights_that_the_architecture_shares_must_not_differ_in_the_file(tmp_path):
    content = Tied().state_dict()
    content["b.weight"] = content["b.weight"] + 1
    assert "as one tensor" in refusal(tmp_path, content, Tied)


def test_what_the_architecture_computes_itself_may_stand_in_the_file_if_it_is_the_same(tmp_path):
    content = Tied().state_dict()
    loaded(tmp_path, content | {"places": torch.arange(6.0)}, Tied)
    assert "'places'" in refusal(tmp_path, content | {"places": torch.ones(6)}, Tied)


def test_a_whole_module_is_called_one(tmp_path):
    path = tmp_path / "whole.pt"
    torch.save(nn.Sequential(nn.Linear(3, 2)), path)
    with pytest.raises(UnsafeFileError, match="so it is a whole module, and was not opened"):
        load(path, architecture=Net)
    digest = "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
    assert load(path, trust=digest).scores(np.ones((1, 3))).shape == (1, 2)
    with pytest.raises(InputError, match="a whole Sequential, not weights"):
        load(path, trust=digest, architecture=Net)


def test_what_a_checkpoint_holds_beside_weights_needs_trust(tmp_path):
    path = tmp_path / "trained.pt"
    torch.save(
        {"state_dict": weights(), "args": argparse.Namespace(lr=0.1), "net": trained()}, path
    )
    with pytest.raises(UnsafeFileError, match="needs code"):
        load(path, architecture=Net)
    torch.save({"state_dict": weights(), "args": argparse.Namespace(lr=0.1)}, path)
    with pytest.raises(UnsafeFileError, match=r"argparse.Namespace.*so it holds more than weights"):
        load(path, architecture=Net)
    digest = "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
    model = load(path, architecture=Net, trust=digest)
    np.testing.assert_array_equal(model.scores(ROWS), scores())


def test_weights_that_are_not_finite_are_one_set_and_named(tmp_path):
    broken = weights()
    broken["head.bias"][2] = float("nan")
    for content in (broken, {"model": broken, "ema": {k: v.clone() for k, v in broken.items()}}):
        assert "must be finite" in refusal(tmp_path, content)

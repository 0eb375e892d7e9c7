"""Sizes: counted by hand, and held against the files that the libraries write."""

import io
import warnings

import numpy as np
import torch
from safetensors.torch import save_file
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from torch import nn
from torch.nn.utils import parametrize

import workbench as wb
from tests.boosters_at_hand import TWO, X
from tests.small_nets import Meeting, images, mlp, of_images, of_table, pixels, settled, table
from workbench import ensembles, variants
from workbench.core import Size


def test_a_table_network_counts_as_by_hand(tmp_path):
    net = mlp()
    with torch.no_grad():
        net[0].weight[0] = 0.0
    size = variants.size_of(of_table(net))
    weights = 12 * 6 + 8 * 12 + 3 * 8
    save_file(net.state_dict(), tmp_path / "net.safetensors")
    assert size == Size(
        file_bytes=(tmp_path / "net.safetensors").stat().st_size,
        packed_bits=32 * (weights + 12 + 8 + 3),
        nonzeros=weights + 12 + 8 + 3 - 6,
        parameters=weights + 12 + 8 + 3,
        macs=weights,
    )


def test_convolutions_count_places_and_running_statistics_count_as_bits_alone():
    net = settled(Meeting(), pixels())
    size = variants.size_of(of_images(net))
    assert size.parameters == sum(one.numel() for one in net.parameters())
    assert size.packed_bits == 32 * (size.parameters + 4 * 8)  # mean and variance of two norms of 8
    places = 4 * 5  # 9 x 11 pixels, kernel 3, stride 2
    layers = 8 * 3 * 9 + 10 * 8 * 9 + 8 * 10 + 8 * 9 + 6 * 8
    assert size.macs == places * layers + 8 * 5 + 5 * 8 + 14 * 6 * 13 + 13 * 4


def test_rows_say_how_large_an_image_is_where_the_model_does_not():
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model = of_images(net, shape=(None, None, 3))
    assert variants.size_of(model, images()).macs == 12 * 9 * 11
    assert variants.size_of(model).macs == 12 * 64 * 64
    fixed = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(4 * 99, 4))
    assert variants.size_of(of_images(fixed, shape=(None, None, 3))).macs is None
    assert (
        variants.size_of(of_images(fixed, shape=(None, None, 3)), images()).macs
        == 2 * 12 * 99 + 4 * 99
    )


def test_a_copy_for_which_no_row_fits_says_that_it_was_not_tried():
    fixed = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(4 * 99, 4))
    copy = variants.prune(of_images(fixed, shape=(None, None, 3)), 0.5)
    assert copy.variant.change is None
    assert copy.variant.changed is None
    assert "Give rows=inputs" in copy.notes[-1]


def test_half_precision_takes_half():
    whole, half = variants.size_of(of_table(mlp())), variants.size_of(of_table(mlp().bfloat16()))
    assert half.packed_bits == whole.packed_bits / 2
    assert half.parameters == whole.parameters
    assert half.file_bytes < 0.8 * whole.file_bytes  # the header is the same


class Rounds(nn.Module):
    """A parametrization to whole numbers, which says how many bits they take."""

    bits = 3

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return weight.round()


class Rounded(nn.Linear):
    """A layer that rounds its own weights and says so."""

    def __init__(self, *lengths: int) -> None:
        super().__init__(*lengths)
        self.register_buffer("weight_bits", torch.tensor(4))
        self.register_buffer("weight_scale", torch.ones(lengths[1]))


def test_rounded_weights_count_at_their_own_bits_with_their_scales():
    net = nn.Sequential(nn.Linear(6, 5, bias=False), Rounded(5, 3))
    nn.init.constant_(net[0].weight, 0.2)
    net[0].weight.data[0] = 2.2
    parametrize.register_parametrization(net[0], "weight", Rounds())
    size = variants.size_of(of_table(net))
    assert size.packed_bits == 3 * 30 + (4 * 15 + 32 * 3) + 32 * 3
    assert size.parameters == 30 + 15 + 3
    assert size.nonzeros == 6 + 15 + 3  # of the rounded weights
    assert size.macs == 45


def test_weights_that_torch_does_not_list_are_counted():
    """Dynamically quantized layers hold theirs packed, out of sight of parameters()."""
    with warnings.catch_warnings():  # torch.ao is deprecated; its models are still about
        warnings.simplefilter("ignore")
        net = torch.ao.quantization.quantize_dynamic(mlp().eval(), {nn.Linear}, torch.qint8)
    assert not list(net.parameters())
    model = wb.wrap(net, outputs=list("abc"), scale="logit", kind="tabular", shape=(6,))
    size = variants.size_of(model)
    weights, biases = 72 + 96 + 24, 12 + 8 + 3
    assert size.parameters == weights + biases
    assert size.packed_bits == 8 * weights + 32 * 3 + 32 * biases  # a scale per layer
    stream = io.BytesIO()
    torch.save(net.state_dict(), stream)
    assert size.file_bytes == len(stream.getvalue())
    assert size.macs is None  # the operators do not say


def test_torchao_counts_its_weights_and_scales():
    from torchao.quantization import Int8WeightOnlyConfig, quantize_

    net = mlp()
    quantize_(net, Int8WeightOnlyConfig())
    size = variants.size_of(of_table(net, kind="tabular", shape=(6,)))
    assert size.parameters == 72 + 96 + 24 + 23
    scales = (32 + 8) * 23  # one for each output, with its zero point
    assert size.packed_bits == 8 * (72 + 96 + 24) + scales + 32 * 23
    assert size.macs is None


def test_a_tree_counts_its_splits_and_leaves():
    import skops.io

    tree = DecisionTreeClassifier(max_leaf_nodes=4, random_state=0).fit(X, TWO)
    size = variants.size_of(wb.wrap(tree))
    leaves = tree.tree_.value[tree.tree_.children_left < 0]
    kinds = len(np.unique(leaves))
    assert size.parameters == 3 + leaves.size
    index = max(1, int(np.ceil(np.log2(kinds))))
    assert size.packed_bits == 160 * 3 + min(64 * leaves.size, 64 * kinds + index * leaves.size)
    assert size.file_bytes == len(skops.io.dumps(tree))
    assert size.macs is None


def test_leaves_with_few_values_take_few_bits():
    forest = RandomForestClassifier(n_estimators=20, max_depth=4, random_state=0).fit(X, TWO)
    size = variants.size_of(wb.wrap(forest))
    for tree in forest.estimators_:
        leaf = tree.tree_.children_left < 0
        tree.tree_.value[leaf] = np.round(tree.tree_.value[leaf])
    rounded = variants.size_of(wb.wrap(forest))
    assert rounded.parameters == size.parameters
    assert rounded.packed_bits < size.packed_bits


def test_boosters_have_the_size_of_their_own_files(tmp_path):
    import catboost
    import lightgbm
    import xgboost

    xgb = xgboost.XGBClassifier(n_estimators=3, max_depth=2).fit(X, TWO)
    lgb = lightgbm.LGBMClassifier(n_estimators=3, num_leaves=4, verbose=-1).fit(X, TWO)
    cat = catboost.CatBoostClassifier(
        iterations=3, depth=2, verbose=False, allow_writing_files=False
    ).fit(X, TWO)
    for name, model, saved in (
        ("model.ubj", xgb, xgb.get_booster()),
        ("model.txt", lgb, lgb.booster_),
        ("model.cbm", cat, cat),
    ):
        saved.save_model(str(tmp_path / name))
        size = variants.size_of(wb.wrap(model))
        assert size.file_bytes == (tmp_path / name).stat().st_size, name
        assert size.parameters > 0


def test_linear_and_neural_models_of_scikit_learn_count_their_arrays():
    line = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, TWO)
    size = variants.size_of(wb.wrap(line))
    assert size.parameters == X.shape[1] + 1
    assert size.packed_bits == 64 * size.parameters
    network = MLPClassifier((5,), max_iter=300, tol=1.0, random_state=0).fit(X, TWO)
    assert variants.size_of(wb.wrap(network)).parameters == X.shape[1] * 5 + 5 + 5 + 1


def test_an_ensemble_is_as_large_as_its_members():
    models = [of_table(mlp()).renamed("one"), of_table(mlp().double()).renamed("two")]
    one, two = (variants.size_of(model) for model in models)
    both = variants.size_of(ensembles.vote(models))
    assert both == Size(*(getattr(one, name) + getattr(two, name) for name in vars(one)))


def test_what_cannot_be_known_is_none():
    function = wb.wrap(lambda rows: rows[:, :1], name="first", outputs=["y"], scale="raw")
    assert variants.size_of(function) is None
    assert variants.size_of(wb.wrap(KNeighborsClassifier().fit(X, TWO))) is None
    half = ensembles.vote(
        [
            of_table(mlp()).renamed("net"),
            *[wb.wrap(lambda rows: rows[:, :3], name="same", outputs=list("abc"), scale="logit")],
        ],
        like=table(),
    )
    assert variants.size_of(half) is None


def test_a_model_of_onnx_has_the_size_of_its_bytes():
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from workbench.variants.record.stored_size import stored_size

    weight = np.array([[1.0, 0.0], [2.0, 3.0], [0.0, 0.0]], dtype=np.float32)
    constants = [
        numpy_helper.from_array(weight.astype(np.int8), "weight"),
        numpy_helper.from_array(np.float32(0.5), "scale"),
        numpy_helper.from_array(np.int8(0), "zero"),
    ]
    graph = helper.make_graph(
        [
            helper.make_node("DequantizeLinear", ["weight", "scale", "zero"], ["wide"]),
            helper.make_node("MatMul", ["rows", "wide"], ["scores"]),
        ],
        "net",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 2])],
        constants,
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 13)])
    data = model.SerializeToString()
    assert isinstance(model, onnx.ModelProto)
    assert stored_size(data, None) == stored_size(model, None)
    assert stored_size(data, None) == Size(len(data), 8 * 6 + 32 + 8, 3, 6)
    wrapped = wb.wrap(data, name="net", outputs=["a", "b"], scale="raw", kind="tabular")
    assert variants.size_of(wrapped) == stored_size(data, None)

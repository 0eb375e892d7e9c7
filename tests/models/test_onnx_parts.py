"""ONNX graphs of several inputs, of free length and of whole numbers, fed by the parts of a `Split`."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import workbench as wb
from workbench import methods
from workbench.errors import InputError
from workbench.models import Split

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(20, 3)).astype(np.float32)
"""Each token's scores, which a text's are the mean of, where its mask says so."""
IDS = RNG.integers(0, 20, (6, 5))
MASK = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]] * 2)


def expected(ids=IDS, mask=MASK):
    return (TABLE[ids] * mask[..., None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)


def texts(mask_type=TensorProto.INT64, rows="batch", length="sequence") -> onnx.ModelProto:
    """As Hugging Face exports: `input_ids` and `attention_mask`, whose lengths are free."""
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["each"], axis=0),
        helper.make_node("Cast", ["attention_mask"], ["flat"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["flat", "last"], ["mask"]),
        helper.make_node("Mul", ["each", "mask"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "places"], ["sum"], keepdims=0),
        helper.make_node("ReduceSum", ["flat", "places"], ["count"], keepdims=1),
        helper.make_node("Div", ["sum", "count"], ["logits"]),
    ]
    inputs = [
        helper.make_tensor_value_info("input_ids", TensorProto.INT64, [rows, length]),
        helper.make_tensor_value_info("attention_mask", mask_type, [rows, length]),
    ]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [rows, 3])]
    kept = [
        numpy_helper.from_array(TABLE, "table"),
        numpy_helper.from_array(np.array([2]), "last"),
        numpy_helper.from_array(np.array([1]), "places"),
    ]
    graph = helper.make_graph(nodes, "texts", inputs, outputs, kept)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


PARTS = Split({"input_ids": 5, "attention_mask": 5}, whole=["input_ids", "attention_mask"])
SWAPPED = Split({"attention_mask": 5, "input_ids": 5}, whole=["input_ids"])
ROWS = PARTS.pack({"input_ids": IDS, "attention_mask": MASK})
CLOSE = {"rtol": 1e-6, "atol": 1e-6}  # float32 sums in another order


@pytest.mark.parametrize("mask_type", [TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL])
@pytest.mark.parametrize("rows", ["batch", 4])
def test_ids_and_a_mask_of_free_length_reach_their_inputs(mask_type, rows):
    model = wb.wrap(texts(mask_type, rows), preprocess=PARTS)
    np.testing.assert_allclose(model.scores(ROWS), expected(), **CLOSE)
    assert (model.kind, model.shape, len(model.outputs)) == ("tabular", (10,), 3)
    assert not [note for note in model.notes if "rounded" in note]


def test_parts_are_found_by_name_and_a_list_by_order():
    by_name = wb.wrap(texts(), preprocess=SWAPPED)
    rows = SWAPPED.pack({"attention_mask": MASK, "input_ids": IDS})
    np.testing.assert_allclose(by_name.scores(rows), expected(), **CLOSE)
    listed = Split([5, 5], whole=[0, 1])
    by_order = wb.wrap(texts(), preprocess=listed)
    np.testing.assert_allclose(by_order.scores(listed.pack([IDS, MASK])), expected(), **CLOSE)
    assert by_name.digest != by_order.digest


def test_tokens_are_players_and_their_exact_values_add_up():
    background = PARTS.pack({"input_ids": np.zeros((1, 5)), "attention_mask": np.ones((1, 5))})
    groups = {f"token {j}": [j, 5 + j] for j in range(5)}
    inputs = wb.Inputs(ROWS[:2], kind="tabular", background=background, groups=groups)
    model = wb.wrap(texts(), preprocess=PARTS)
    result = wb.explain(model, inputs, methods.ExactShapley(), wb.Target(1))
    full, empty = expected()[:2, 1], TABLE[0, 1]
    np.testing.assert_allclose(result.values.sum(axis=1), full - empty, **CLOSE)


def test_ids_that_are_not_whole_are_refused_and_other_parts_rounded_aloud():
    model = wb.wrap(texts(), preprocess=PARTS)
    with pytest.raises(InputError, match=r"'input_ids'.*must hold whole numbers.*\.5\."):
        model.predict(ROWS + 0.5)
    loose = wb.wrap(texts(), preprocess=Split({"input_ids": 5, "attention_mask": 5}))
    np.testing.assert_allclose(loose.scores(ROWS + 0.2), expected(), **CLOSE)
    assert [note for note in loose.notes if "rounded" in note]


def test_a_mask_of_yes_and_no_takes_nothing_else():
    loose = Split({"input_ids": 5, "attention_mask": 5}, whole=["input_ids"])
    model = wb.wrap(texts(TensorProto.BOOL), preprocess=loose)
    with pytest.raises(InputError, match="reads yes or no"):
        model.predict(PARTS.pack({"input_ids": IDS, "attention_mask": 2 * MASK}))


def test_parts_that_do_not_fit_the_inputs_are_named():
    with pytest.raises(InputError, match=r"preprocess=workbench\.models\.Split.*'input_ids'"):
        wb.wrap(texts())
    with pytest.raises(InputError, match=r"Split has \['ids', 'mask'\].*input_ids"):
        wb.wrap(texts(), preprocess=Split({"ids": 5, "mask": 5}))
    with pytest.raises(InputError, match=r"'input_ids' of Split has the shape \(\)"):
        wb.wrap(texts(), preprocess=Split({"input_ids": (), "attention_mask": 5}))
    with pytest.raises(InputError, match=r"has the shape \(5,\).*\['batch', 7\]"):
        wb.wrap(texts(length=7), preprocess=PARTS)
    with pytest.raises(InputError, match="needs rows of 10 columns"):
        wb.wrap(texts(), preprocess=PARTS).predict(ROWS[:, :9])


@pytest.mark.parametrize(
    ("shape", "axes"), [(["n", 3, 4, 6], [2, 3]), (["n", 4, 6, 3], [1, 2])], ids=["first", "last"]
)
def test_an_image_beside_numbers_reaches_the_graph_in_its_own_layout(shape, axes):
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], axes=axes, keepdims=0),
        helper.make_node("Unsqueeze", ["age", "one"], ["column"]),
        helper.make_node("Mul", ["mean", "column"], ["y"]),
    ]
    inputs = [
        helper.make_tensor_value_info("image", TensorProto.FLOAT, shape),
        helper.make_tensor_value_info("age", TensorProto.FLOAT, ["n"]),
    ]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])]
    kept = [numpy_helper.from_array(np.array([1]), "one")]
    graph = helper.make_graph(nodes, "both", inputs, outputs, kept)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    split = Split({"image": (4, 6, 3), "age": ()})
    images, ages = RNG.random((5, 4, 6, 3)), RNG.random(5)
    model = wb.wrap(proto, preprocess=split)
    rows = split.pack({"image": images, "age": ages})
    np.testing.assert_allclose(
        model.scores(rows), images.mean(axis=(1, 2)) * ages[:, None], **CLOSE
    )


def test_a_file_of_such_a_graph_loads(tmp_path):
    onnx.save(texts(), tmp_path / "texts.onnx")
    for split in (PARTS, Split([5, 5], whole=[0, 1])):
        model = wb.load(tmp_path / "texts.onnx", preprocess=split)
        np.testing.assert_allclose(model.scores(ROWS), expected(), **CLOSE)
    inputs = wb.Inputs(ROWS, kind="tabular")
    model = wb.load(tmp_path / "texts.onnx", preprocess=PARTS, like=inputs)
    np.testing.assert_allclose(model.scores(ROWS), expected(), **CLOSE)
    assert any("6 rows of like scored" in check for check in model.file.checks)

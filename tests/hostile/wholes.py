"""Whole models that crash, hang or fill the memory where they are believed."""

from __future__ import annotations

import json
import os
import re
import zipfile
from itertools import pairwise

from onnx import TensorProto, helper
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

from tests.hostile.cases import case, written
from tests.hostile.seeds import X, Y, onnx_graph, seed

_POINTLESS = "points to .* which its library would follow unchecked"


def _skops(folder, native):
    import skops.io

    skops.io.dump(native, folder / "m.skops")
    return folder / "m.skops"


@case("skops: a function to be called", "nobody here vouches for.*mkdir")
def _(folder, mark):
    called = FunctionTransformer(os.mkdir, validate=False, kw_args={"mode": 0o700})
    return _skops(folder, make_pipeline(called, LogisticRegression()))


def _schema(name: str, ends: str, schema: dict) -> None:
    @case(f"skops: {name}", ends)
    def _(folder, mark):
        with zipfile.ZipFile(folder / "m.skops", "w") as archive:
            archive.writestr("schema.json", json.dumps(schema))
        return folder / "m.skops"


_HEAD = {"__id__": 1, "protocol": 2, "_skops_version": "0.16"}
_schema("a schema without its words", "cannot be read by skops|failed there", {"__class__": "dict"})
_schema(
    "a method of something harmless",
    "nobody here vouches for|cannot be read by skops|failed there",
    _HEAD
    | {
        "__class__": "mkdir",
        "__module__": "os",
        "__loader__": "MethodNode",
        "content": {
            "func": "mkdir",
            "obj": {"__loader__": "JsonNode", "content": "1", "__id__": 2},
        },
    },
)
_schema(
    "an operator that is none",
    "nobody here vouches for|cannot be read by skops|failed there",
    _HEAD
    | {
        "__class__": "mkdir",
        "__module__": "posix",
        "__loader__": "OperatorFuncNode",
        "attrs": {"__loader__": "JsonNode", "content": '"x"', "__id__": 3},
    },
)


@case("skops: a bomb", "unpacks to far more")
def _(folder, mark):
    with zipfile.ZipFile(folder / "m.skops", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", bytes(2**27))
    return folder / "m.skops"


@case("skops: no model at all", "holds no model")
def _(folder, mark):
    return _skops(folder, {"a": 1})


def _tree(name: str, change) -> None:
    @case(f"skops: {name}", _POINTLESS)
    def _(folder, mark):
        model = DecisionTreeClassifier(max_depth=2, random_state=0).fit(X, Y)
        state = model.tree_.__getstate__()
        change(state["nodes"])
        model.tree_.__setstate__(state)
        return _skops(folder, model)


def _far(nodes):
    nodes["left_child"][0] = 2**40


def _self(nodes):
    nodes["left_child"][0] = nodes["right_child"][0] = 0


def _wide(nodes):
    nodes["feature"][0] = 10**7


_tree("a child beyond the tree", _far)
_tree("a node that is its own child", _self)
_tree("a column beyond the rows", _wide)


def _xgboost(name: str, ends: str, change) -> None:
    @case(f"XGBoost: {name}", ends)
    def _(folder, mark):
        whole = json.loads(seed("XGBoost JSON"))
        learner = whole["learner"]
        change(learner, learner["gradient_booster"]["model"])
        return written(folder, "m.json", json.dumps(whole).encode())


def _set(name: str, value):
    def change(learner, model):
        model["trees"][0][name][0] = value

    return change


def _outputs(learner, model):
    model["tree_info"] = [7] * len(model["tree_info"])


def _classes(learner, model):
    learner["learner_model_param"]["num_class"] = "2000000000"


_xgboost("a child beyond the tree", _POINTLESS, _set("left_children", 10**6))
_xgboost("a circle", _POINTLESS, _set("left_children", 0))
_xgboost("a column beyond the rows", _POINTLESS, _set("split_indices", 10**7))
_xgboost("an output that is not there", _POINTLESS, _outputs)
_xgboost("two billion classes", "process of its own|cannot be read|points to", _classes)


@case(
    "XGBoost: a UBJSON file cut in half", "is damaged: it ends in the middle|is damaged: a value at"
)
def _(folder, mark):
    return written(folder, "m.ubj", seed("XGBoost UBJSON")[:1000])


@case("XGBoost: JSON without a model", "cannot be read by XGBoost|process of its own")
def _(folder, mark):
    return written(folder, "m.json", b'{"learner": {"attributes": []}}')


def _lightgbm(name: str, ends: str, found: str, put: str) -> None:
    @case(f"LightGBM: {name}", ends)
    def _(folder, mark):
        text, count = re.subn(found, put, seed("LightGBM").decode(), count=1)
        assert count == 1
        starts = [one.start() for one in re.finditer("Tree=|end of trees", text)]
        sizes = " ".join(str(b - a) for a, b in pairwise(starts))
        text = re.sub("tree_sizes=.*", f"tree_sizes={sizes}", text)
        return written(folder, "m.txt", text.encode())


_lightgbm(
    "a child beyond the tree", "points to child 1000000", r"left_child=\S+", "left_child=1000000"
)
_lightgbm("a circle", "a circle", r"left_child=\S+", "left_child=0")
_lightgbm(
    "a column beyond the rows",
    "points to column 9999999",
    r"split_feature=\S+",
    "split_feature=9999999",
)
_lightgbm("a leaf that is no number", "NaN or infinite", r"leaf_value=\S+", "leaf_value=nan")
_lightgbm("a billion leaves", "1000000000 leaves", r"num_leaves=\d+", "num_leaves=1000000000")
_lightgbm("words for numbers", "is damaged: invalid", r"num_leaves=\d+", "num_leaves=many")
_lightgbm("one number too few", "numbers of threshold", r"threshold=\S+ ", "threshold=")
_lightgbm("a setting without a colon", "is no setting", r"\[max_depth: .*\]", "[max_depth]")


@case("LightGBM: a tree at another place than it says", "trees at other places")
def _(folder, mark):
    text = re.sub("tree_sizes=", "tree_sizes=9", seed("LightGBM").decode())
    return written(folder, "m.txt", text.encode())


@case("LightGBM: half a file", "process of its own|cannot be read|is damaged|points to")
def _(folder, mark):
    return written(folder, "m.txt", seed("LightGBM")[:900])


@case("CatBoost: only its first letters", "cannot be read by CatBoost|process of its own")
def _(folder, mark):
    return written(folder, "m.cbm", b"CBM1\xff\xff\xff\xff" + bytes(64))


@case("CatBoost: half a file", "cannot be read by CatBoost|process of its own")
def _(folder, mark):
    return written(folder, "m.cbm", seed("CatBoost")[: len(seed("CatBoost")) // 2])


def _onnx(name: str, ends: str, *, seconds: float = 60.0):
    """A case whose function changes the valid graph, or gives another."""

    def entered(change):
        @case(f"ONNX: {name}", ends, seconds=seconds)
        def _(folder, mark):
            model = onnx_graph()
            return written(folder, "m.onnx", (change(model) or model).SerializeToString())

    return entered


@_onnx("operators of a library that nobody knows", "Operators of ONNX.*evil")
def _(model):
    model.graph.node[0].domain = "evil.ops"
    model.opset_import.append(helper.make_opsetid("evil.ops", 1))


@_onnx("weights from a file outside", "keeps 1 elsewhere")
def _(model):
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="../../../../etc/passwd")


@_onnx("a table of a thousand billion numbers", "process of its own|must answer|cannot|fail")
def _(model):
    huge = helper.make_tensor("shape", TensorProto.INT64, [2], [10**6, 10**6])
    model.graph.initializer.append(huge)
    model.graph.node.insert(0, helper.make_node("ConstantOfShape", ["shape"], ["huge"]))
    model.graph.node.insert(1, helper.make_node("ReduceSum", ["huge"], ["sum"], keepdims=0))
    model.graph.node.append(helper.make_node("Add", ["p", "sum"], ["q"]))
    model.graph.output[0].name = "q"


@_onnx("a loop without end", "process of its own", seconds=6.0)
def _(model):
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("Sin", ["at"], ["next"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("at", TensorProto.FLOAT, ["n", 2]),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, ["n", 2]),
        ],
    )
    model.graph.initializer.append(helper.make_tensor("times", TensorProto.INT64, [], [2**62]))
    model.graph.initializer.append(helper.make_tensor("yes", TensorProto.BOOL, [], [True]))
    model.graph.node.append(helper.make_node("Loop", ["times", "yes", "p"], ["q"], body=body))
    model.graph.output[0].name = "q"


@case("ONNX: half a file", "hold none|process of its own|of no known format|cannot")
def _(folder, mark):
    return written(folder, "m.onnx", seed("ONNX")[: len(seed("ONNX")) // 2])


@case("ONNX: a billion rows at once", "process of its own|must|needs|cannot|columns")
def _(folder, mark):
    model = onnx_graph()
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.shape.dim[0].ClearField("dim_param")
        value.type.tensor_type.shape.dim[0].dim_value = 2**40
    return written(folder, "m.onnx", model.SerializeToString())


def _whole(format: str, name: str) -> None:
    @case(f"a true file of {format}", "")
    def _(folder, mark):
        return written(folder, name, seed(format))


for _format, _name in (
    ("skops", "m.skops"),
    ("XGBoost JSON", "m.json"),
    ("XGBoost UBJSON", "m.ubj"),
    ("LightGBM", "m.txt"),
    ("CatBoost", "m.cbm"),
    ("ONNX", "m.onnx"),
):
    _whole(_format, _name)

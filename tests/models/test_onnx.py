"""ONNX models through ONNX Runtime: layouts, types, outputs, batches of a fixed size, refusals."""

from __future__ import annotations

import sys
import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

import workbench as wb
from workbench import methods
from workbench.core import Inputs
from workbench.errors import (
    IncompatibleError,
    InputError,
    MissingDependency,
    ModelError,
    UnsafeFileError,
)
from workbench.models import Normalize

FLOAT32 = {"rtol": 1e-5, "atol": 1e-5}  # sums in another order


def table(n: int = 7) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(n, 5))


def pictures(n: int = 5) -> np.ndarray:
    return np.random.default_rng(2).random((n, 10, 12, 3))


WEIGHTS = np.random.default_rng(3).normal(size=(5, 4)).astype(np.float32)


def proto_of(nodes, inputs, outputs, weights=(), domains=()) -> onnx.ModelProto:
    kept = [numpy_helper.from_array(value, name) for name, value in weights]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, kept)
    opsets = [helper.make_opsetid(domain, version) for domain, version in (("", 17), *domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def value(name, kind, shape):
    return helper.make_tensor_value_info(name, kind, shape)


def linear(rows=("n", 5), kind=TensorProto.FLOAT, softmax=False) -> onnx.ModelProto:
    """`x @ WEIGHTS`, perhaps through a softmax."""
    weights = WEIGHTS.astype(helper.tensor_dtype_to_np_dtype(kind))
    last = "y" if not softmax else "logits"
    nodes = [helper.make_node("MatMul", ["x", "w"], [last])]
    nodes += [helper.make_node("Softmax", ["logits"], ["y"], axis=1)] if softmax else []
    return proto_of(
        nodes, [value("x", kind, rows)], [value("y", kind, (rows[0], 4))], [("w", weights)]
    )


def channel_means(shape, kind=TensorProto.FLOAT, axes=(2, 3), k=3) -> onnx.ModelProto:
    """The mean of every channel of an image."""
    cast = helper.make_node("Cast", ["x"], ["floats"], to=TensorProto.FLOAT)
    mean = helper.make_node("ReduceMean", ["floats"], ["y"], axes=list(axes), keepdims=0)
    return proto_of([cast, mean], [value("x", kind, shape)], [value("y", 1, (shape[0], k))])


@pytest.mark.parametrize("form", ["proto", "bytes", "buffer", "session"])
def test_every_form_of_a_model_gives_the_scores_of_its_formula(form):
    proto = linear()
    data = proto.SerializeToString()
    native = {
        "proto": proto,
        "bytes": data,
        "buffer": memoryview(data),
        "session": onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"]),
    }[form]
    model = wb.wrap(native, name="linear", scale="raw")
    np.testing.assert_allclose(model.scores(table()), table() @ WEIGHTS, **FLOAT32)
    assert (model.kind, model.shape, model.capabilities) == ("tabular", (5,), ("predict",))
    assert model.outputs == ("y0", "y1", "y2", "y3")
    assert model.scores(table(0)).shape == (0, 4)


def test_the_digest_tells_weights_and_preprocessing_apart():
    data = linear().SerializeToString()
    same, other = wb.wrap(data).digest, linear()
    assert wb.wrap(linear()).digest == same != ""
    assert wb.wrap(data, preprocess=Normalize([0.0] * 5, [1.0] * 5)).digest != same
    other.graph.initializer[0].raw_data = (WEIGHTS + 1e-6).tobytes()
    assert wb.wrap(other).digest != same


@pytest.mark.parametrize(
    ("shape", "axes"), [(("n", 3, 10, 12), (2, 3)), (("n", 10, 12, 3), (1, 2))]
)
def test_the_layout_of_images_is_read_from_the_declared_shape(shape, axes):
    model = wb.wrap(channel_means(shape, axes=axes))
    assert (model.kind, model.shape) == ("image", (10, 12, 3))
    np.testing.assert_allclose(model.scores(pictures()), pictures().mean((1, 2)), **FLOAT32)
    assert not any("channels" in note for note in model.notes)


def test_a_layout_in_doubt_is_decided_by_the_given_shape_or_told():
    doubtful = ("n", 3, 7, 3)  # three channels first, or three rows and three channels last
    rows = np.random.default_rng(4).random((2, 3, 7, 3))
    last = wb.wrap(channel_means(doubtful, axes=(1, 2)), shape=(3, 7, 3))
    np.testing.assert_allclose(last.scores(rows), rows.mean((1, 2)), **FLOAT32)
    rows = rows.transpose(0, 2, 3, 1)
    first = wb.wrap(channel_means(doubtful))
    np.testing.assert_allclose(first.scores(rows), rows.mean((1, 2)), **FLOAT32)
    assert any("Give shape=(h, w, c) if they are last" in note for note in first.notes)
    free = wb.wrap(channel_means(("n", "c", "h", "w")), outputs=list("abc"))
    np.testing.assert_allclose(free.scores(pictures()), pictures().mean((1, 2)), **FLOAT32)


@pytest.mark.parametrize(
    ("kind", "digits"), [(TensorProto.DOUBLE, 1e-15), (TensorProto.FLOAT16, 5e-3)]
)
def test_rows_take_the_precision_that_is_declared(kind, digits):
    model = wb.wrap(linear(kind=kind))
    wanted = table() @ WEIGHTS
    np.testing.assert_allclose(model.scores(table()), wanted, rtol=digits, atol=10 * digits)


def test_whole_numbers_are_rounded_to_and_kept_within_their_range():
    model = wb.wrap(channel_means(("n", 3, 10, 12), TensorProto.UINT8))
    rows = pictures() * 255
    np.testing.assert_allclose(model.scores(rows), np.rint(rows).mean((1, 2)), **FLOAT32)
    assert any("rounded to the nearest" in note for note in model.notes)
    with pytest.raises(
        InputError, match=r"whole numbers from 0 to 255, but the rows reach from 0 to 300"
    ):
        model.predict(np.where(rows > 250, 300.0, 0.0))


@pytest.mark.parametrize("n", [1, 2, 3, 5, 6])
def test_a_fixed_number_of_rows_is_filled_up_and_cut_off_again(n):
    model = wb.wrap(linear(rows=(3, 5)))
    np.testing.assert_allclose(model.scores(table(n)), table(n) @ WEIGHTS, **FLOAT32)
    assert model.batch == 3


def test_rows_are_handed_over_in_batches_of_the_size_that_was_asked_for():
    session = onnxruntime.InferenceSession(linear().SerializeToString())
    seen = []

    class Watching:
        get_inputs, get_outputs = session.get_inputs, session.get_outputs

        def run(self, names, feed):
            seen.append({name: rows.shape for name, rows in feed.items()})
            return session.run(names, feed)

    from workbench.models.arguments import Wrapping
    from workbench.models.onnx.session import onnx_model

    model = onnx_model(Watching(), Wrapping(name="watched", batch=3))
    seen.clear()
    model.predict(table())
    assert seen == [{"x": (3, 5)}, {"x": (3, 5)}, {"x": (1, 5)}]


def test_several_inputs_are_columns_of_one_table():
    join = helper.make_node("Concat", ["width", "rest"], ["x"], axis=1)
    multiply = helper.make_node("MatMul", ["x", "w"], ["y"])
    inputs = [value("width", 1, ("n", 1)), value("rest", 1, ("n", 4))]
    proto = proto_of([join, multiply], inputs, [value("y", 1, ("n", 4))], [("w", WEIGHTS)])
    model = wb.wrap(proto)
    assert model.shape == (5,)
    np.testing.assert_allclose(model.scores(table()), table() @ WEIGHTS, **FLOAT32)
    with pytest.raises(InputError, match="rows of 5 columns for its inputs, but these have 6"):
        model.predict(np.ones((2, 6)))


def test_preprocessing_stands_in_front_and_may_be_a_function():
    mean, std = [0.1, 0.2, 0.3], [0.5, 0.25, 2.0]
    wanted = ((pictures() - mean) / std).mean((1, 2))
    for preprocess in (Normalize(mean, std), lambda rows: (rows - mean) / std):
        model = wb.wrap(channel_means(("n", 3, 10, 12)), preprocess=preprocess)
        np.testing.assert_allclose(model.scores(pictures()), wanted, **FLOAT32)
    with pytest.raises(InputError, match="2 channels or columns, but the rows have 3"):
        wb.wrap(channel_means(("n", 3, 10, 12)), preprocess=Normalize([0.0] * 2, [1.0] * 2))


class TestOutputs:
    def two(self) -> onnx.ModelProto:
        nodes = [
            helper.make_node("MatMul", ["x", "w"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["chances"], axis=1),
        ]
        outputs = [value("logits", 1, ("n", 4)), value("chances", 1, ("n", 4))]
        return proto_of(nodes, [value("x", 1, ("n", 5))], outputs, [("w", WEIGHTS)])

    def test_several_outputs_of_scores_are_refused_by_name_until_one_is_named(self):
        with pytest.raises(InputError, match=r"logits tensor\(float\).*chances.*output='name'"):
            wb.wrap(self.two())
        for named, scale in (("logits", "logit"), ("chances", "probability"), (1, "probability")):
            model = wb.wrap(self.two(), output=named)
            assert model.scale == scale
        np.testing.assert_allclose(model.scores(table()).sum(axis=1), 1.0, **FLOAT32)
        with pytest.raises(InputError, match="output='other' is none of them"):
            wb.wrap(self.two(), output="other")
        with pytest.raises(InputError, match="output=2 is none of them"):
            wb.wrap(self.two(), output=2)

    def test_the_unit_is_read_from_the_last_operator_and_told(self):
        assumed = wb.wrap(linear())
        assert assumed.scale == "logit"
        assert "Give scale='probability' or scale='raw'" in assumed.notes[0]
        probable = wb.wrap(linear(softmax=True))
        assert probable.scale == "probability"
        assert "its last operator is Softmax" in probable.notes[0]
        assert wb.wrap(linear(), scale="raw", outputs=list("abcd")).notes == ()

    def classifier(self, zipped: bool) -> onnx.ModelProto:
        """As skl2onnx converts a logistic regression: a label, and probabilities as a map or a tensor."""
        nodes = [
            helper.make_node(
                "LinearClassifier",
                ["x"],
                ["label", "chances"],
                domain="ai.onnx.ml",
                classlabels_strings=["cat", "dog", "eel", "fox"],
                coefficients=WEIGHTS.T.ravel().tolist(),
                intercepts=[0.0] * 4,
                post_transform="SOFTMAX",
            )
        ]
        given = "chances"
        outputs = [value("label", TensorProto.STRING, ("n",))]
        if zipped:
            labels = ["cat", "dog", "eel", "fox"]
            zip_ = helper.make_node(
                "ZipMap",
                [given],
                ["probability"],
                domain="ai.onnx.ml",
                classlabels_strings=labels,
            )
            nodes.append(zip_)
            each = helper.make_map_type_proto(
                TensorProto.STRING, helper.make_tensor_type_proto(1, [])
            )
            maps = helper.make_sequence_type_proto(each)
            outputs.append(helper.make_value_info("probability", maps))
        else:
            nodes[0].output[1] = "probabilities"
            outputs.append(value("probabilities", 1, ("n", 4)))
        return proto_of(nodes, [value("x", 1, ("n", 5))], outputs, domains=[("ai.onnx.ml", 3)])

    @pytest.mark.parametrize("zipped", [True, False])
    def test_of_a_converted_classifier_the_probabilities_are_taken_with_their_classes(self, zipped):
        model = wb.wrap(self.classifier(zipped))
        assert model.outputs == ("cat", "dog", "eel", "fox")
        assert model.scale == "probability"
        raw = np.exp(table() @ WEIGHTS)
        wanted = raw / raw.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(model.scores(table()), wanted, **FLOAT32)
        with pytest.raises(InputError, match="labels cannot be explained"):
            wb.wrap(self.classifier(zipped), output="label")

    def test_an_answer_that_is_not_one_score_per_output_is_refused(self):
        relu = helper.make_node("Relu", ["x"], ["y"])
        images = proto_of([relu], [value("x", 1, ("n", 3, 4, 5))], [value("y", 1, ("n", 3, 4, 5))])
        with pytest.raises(IncompatibleError, match=r"but gave \(1, 3, 4, 5\)"):
            wb.wrap(images)

    def test_outputs_that_nobody_can_count_must_be_named(self):
        sizeless = proto_of(
            [helper.make_node("ReduceMean", ["x"], ["y"], axes=[2, 3], keepdims=0)],
            [value("x", 1, ("n", "c", "h", "w"))],
            [value("y", 1, ("n", "k"))],
        )
        with pytest.raises(InputError, match=r"outputs=\[\.\.\.\], or give like=inputs"):
            wb.wrap(sizeless)
        like = Inputs(pictures(), kind="image")
        assert wb.wrap(sizeless, like=like).outputs == ("y0", "y1", "y2")
        with pytest.raises(InputError, match="has 3 outputs, so outputs needs 3 names"):
            wb.wrap(sizeless, like=like, outputs=["a", "b"])


class TestRefusals:
    @pytest.mark.parametrize("data", [b"", b"not a model", b"\x08\x08", bytes(100)])
    def test_bytes_that_hold_no_model_are_refused(self, data):
        with pytest.raises(InputError, match=r"bytes of an ONNX model are needed for 'file'"):
            wb.wrap(data, name="file")

    def test_operators_of_other_libraries_are_refused_before_a_runtime_sees_them(self):
        node = helper.make_node("Launch", ["x"], ["y"], domain="evil.example")
        proto = proto_of(
            [node],
            [value("x", 1, ("n", 5))],
            [value("y", 1, ("n", 4))],
            domains=[("evil.example", 1)],
        )
        with pytest.raises(UnsafeFileError, match=r"uses those of \['evil.example'\]"):
            wb.wrap(proto)

    def test_operators_inside_a_branch_are_looked_at_too(self):
        inner = helper.make_graph(
            [helper.make_node("Launch", [], ["z"], domain="evil.example")],
            "inner",
            [],
            [value("z", 1, (1, 4))],
        )
        node = helper.make_node("If", ["flag"], ["y"], then_branch=inner, else_branch=inner)
        proto = proto_of([node], [value("flag", TensorProto.BOOL, ())], [value("y", 1, (1, 4))])
        with pytest.raises(UnsafeFileError, match=r"evil\.example"):
            wb.wrap(proto)

    @pytest.mark.parametrize("place", ["../secret", "/etc/passwd", "weights.bin"])
    def test_weights_in_other_files_are_refused(self, place):
        proto = linear()
        weights = proto.graph.initializer[0]
        weights.ClearField("raw_data")
        weights.data_location = TensorProto.EXTERNAL
        weights.external_data.add(key="location", value=place)
        with pytest.raises(UnsafeFileError, match=r"keeps 1 elsewhere \(such as 'w'\)"):
            wb.wrap(proto)

    def test_functions_of_its_own_are_to_be_inlined(self):
        proto = linear()
        proto.functions.append(
            helper.make_function("mine", "F", ["a"], ["b"], [], [helper.make_opsetid("", 17)])
        )
        with pytest.raises(InputError, match=r"1 functions of its own \(such as 'F'\)"):
            wb.wrap(proto)

    def test_a_graph_the_runtime_refuses_gets_a_sentence(self):
        proto = linear()
        proto.graph.node[0].op_type = "NoSuchOperator"
        with pytest.raises(InputError, match=r"but it refuses 'net': .*NoSuchOperator"):
            wb.wrap(proto, name="net")

    def test_rows_of_a_wrong_width_get_a_sentence(self):
        with pytest.raises(ModelError, match=r"a batch of shape \(2, 7\), but ONNX Runtime failed"):
            wb.wrap(linear()).scores(np.ones((2, 7)))

    def test_texts_and_several_images_are_refused_with_what_the_model_reads(self):
        text = helper.make_node("Identity", ["x"], ["y"])
        proto = proto_of(
            [text],
            [value("x", TensorProto.STRING, ("n", 2))],
            [value("y", TensorProto.STRING, ("n", 2))],
        )
        with pytest.raises(InputError, match=r"reads \[\"x tensor\(string\)"):
            wb.wrap(proto)

    @pytest.mark.parametrize("library", ["onnx", "onnxruntime"])
    def test_without_the_libraries_the_extra_is_named(self, monkeypatch, library):
        data = linear().SerializeToString()
        monkeypatch.setitem(sys.modules, library, None)
        with pytest.raises(MissingDependency, match=r"pip install .*\[onnx\]"):
            wb.wrap(data)

    @pytest.mark.parametrize(
        ("method", "why"),
        [
            (methods.IntegratedGradients(), "ONNX Runtime computes no gradients"),
            (methods.TreeSHAP(), "wrap the estimator or booster itself"),
        ],
    )
    def test_methods_that_look_inside_are_refused_with_the_reason(self, method, why):
        model = wb.wrap(linear())
        with pytest.raises(IncompatibleError, match=why):
            wb.explain(model, Inputs(table(), kind="tabular", background=table(3)), method)


@pytest.fixture(scope="module")
def pair():
    """A torch network, and what torch itself exports of it, with a batch normalization folded."""
    torch.manual_seed(6)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 6, 3, padding=1),
        torch.nn.BatchNorm2d(6),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(24, 4),
    ).eval()
    rows = torch.zeros((2, 3, 10, 12))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own use of what torch deprecates
        exported = torch.onnx.export(
            module,
            (rows,),
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("n")},),
            verbose=False,
        )
    said = {"outputs": list("abcd"), "scale": "logit"}
    return wb.wrap(module, **said), wb.wrap(exported.model_proto, **said)


def test_an_exported_network_has_the_scores_of_the_module(pair):
    module, model = pair
    np.testing.assert_allclose(model.scores(pictures()), module.scores(pictures()), **FLOAT32)
    assert model.shape == (10, 12, 3)


@pytest.mark.parametrize(
    "method",
    [
        methods.PermutationSHAP(budget=400, segments=6),
        methods.LIME(budget=200, segments=6),
        methods.Occlusion(window=4, stride=4),
    ],
    ids=lambda method: type(method).__name__,
)
def test_methods_that_perturb_rows_explain_an_exported_network_as_they_explain_the_module(
    pair, method
):
    inputs = Inputs(pictures(2), kind="image", background=pictures(3))
    want, have = (wb.explain(model, inputs, method, wb.Target(1)) for model in pair)
    np.testing.assert_allclose(have.values, want.values, rtol=1e-3, atol=1e-5)  # float32
    assert have.evaluations == want.evaluations

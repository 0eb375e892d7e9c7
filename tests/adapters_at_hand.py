"""One live object of every kind that `wrap` takes, with rows for it and its own scores."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import catboost
import lightgbm
import numpy as np
import pandas as pd
import torch
import xgboost
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from torch import nn

from tests.boosters_at_hand import FRAME, TWO, X, Z
from workbench import data
from workbench.core import Inputs
from workbench.models import Split

SPLIT = Split({"image": (4, 3, 2), "age": 1})
CODES = Split({"tokens": 3, "town": ()}, whole=["tokens", "town"])
THREADS = {"n_jobs": 1}


class TwoInputs(nn.Module):
    """An image and a number -> (n, 3)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(2, 5, 3, padding=1), nn.Linear(6, 3)

    def forward(self, age, image):
        return self.head(torch.cat([torch.relu(self.conv(image)).mean((2, 3)), age], dim=1))


class Tokens(nn.Module):
    """Three token ids and a town -> (n, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.towns = nn.Embedding(7, 4), nn.Embedding(5, 4)
        self.head = nn.Linear(4, 2)

    def forward(self, tokens, town):
        return self.head(torch.tanh(self.words(tokens).sum(1) * self.towns(town)))


class ModelOutput(OrderedDict):
    """What Hugging Face models answer with: a dict by name, a tuple by number, with attributes."""

    def __getitem__(self, key):
        return list(self.values())[key] if isinstance(key, int) else super().__getitem__(key)

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


@dataclass
class Answer:
    logits: torch.Tensor
    hidden: torch.Tensor


class Pair(NamedTuple):
    hidden: torch.Tensor
    logits: torch.Tensor


class Composite(nn.Module):
    """(n, 6) -> an answer of several entries, as `form` makes it of hidden (n, 5) and logits (n, 3)."""

    def __init__(self, form: Callable[..., Any]) -> None:
        super().__init__()
        self.body, self.head, self.form = nn.Linear(6, 5), nn.Linear(5, 3), form

    def forward(self, rows):
        hidden = torch.tanh(self.body(rows))
        return self.form(hidden=hidden, logits=self.head(hidden))


class One(nn.Module):
    """(n, 6) -> (n,)."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(6, 1)

    def forward(self, rows):
        return torch.tanh(self.body(rows))[:, 0]


def mlp() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 9), nn.BatchNorm1d(9), nn.Tanh(), nn.Linear(9, 3))


def seeded(make: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    def made() -> nn.Module:
        torch.manual_seed(1)
        return make()

    return made


def scripted() -> Any:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
        return torch.jit.script(mlp().eval())


def exported(rows: int | None) -> Any:
    free = None if rows else ({0: torch.export.Dim("n", min=1, max=4096)},)
    return torch.export.export(mlp().eval(), (torch.ones(rows or 2, 6),), dynamic_shapes=free)


def table(n: int = 3) -> Inputs:
    rng = np.random.default_rng(2)
    values, background = rng.normal(size=(n, 6)), rng.normal(size=(4, 6))
    return Inputs(values, kind="tabular", background=background)


def packed() -> Inputs:
    rng = np.random.default_rng(3)
    rows = SPLIT.pack({"image": rng.random((7, 4, 3, 2)), "age": rng.normal(size=(7, 1))})
    return Inputs(rows[:3], kind="tabular", background=rows[3:], groups=SPLIT.groups)


def coded() -> Inputs:
    rng = np.random.default_rng(4)
    rows = CODES.pack({"tokens": rng.integers(0, 7, (7, 3)), "town": rng.integers(0, 5, 7)})
    return Inputs(rows[:3], kind="tabular", background=rows[3:])


def of_x() -> Inputs:
    return Inputs(X[:3], kind="tabular", background=X[3:7])


def of_frame() -> Inputs:
    every = data.table(FRAME)
    return every[:3].with_background(every.values[3:7])


def images() -> Inputs:
    rng = np.random.default_rng(5)
    background = rng.random((1, 9, 8, 3))
    return Inputs(rng.random((3, 9, 8, 3)), kind="image", background=background)


def small_convolution() -> nn.Module:
    torch.manual_seed(2)
    return nn.Sequential(
        nn.Conv2d(3, 5, 3),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(5, 2),
    )


def onnx_graph() -> Any:
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(6)
    weights = numpy_helper.from_array(rng.normal(size=(6, 3)).astype(np.float32), "weights")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["rows", "weights"], ["logits"])],
        "linear",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["n", 6])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 3])],
        [weights],
    )
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, ir_version=8, opset_imports=opset)


class PredictOnly:
    def predict(self, rows):
        return np.tanh(rows[:, :2] * rows[:, 2:4]).tolist()


class Probable:
    classes_ = np.array(["no", "yes"])

    def predict_proba(self, rows):
        p = 1 / (1 + np.exp(-rows[:, 0] * rows[:, 1]))
        return pd.DataFrame({"no": 1 - p, "yes": p})

    def predict(self, rows):
        return ["no"] * len(rows)


class Marginal:
    classes_ = ("no", "yes")

    def decision_function(self, rows):
        return rows[:, 0] - rows[:, 4] ** 2


def writes_into_its_rows(rows):
    rows *= 2
    return np.sin(rows[:, :2]).squeeze()


def reads_frames(frame):
    return (frame["age"] * (frame["town"] == "Rome") - frame["dose"]).to_frame()


def torch_scores(call: Callable[..., Any]) -> Callable[[Any, Inputs], np.ndarray]:
    """A module's own scores in evaluation mode; its mode comes back."""

    def own(module: Any, inputs: Inputs) -> np.ndarray:
        modes = [(part, part.training) for part in module.modules()]
        for part, _ in modes:
            part.training = False
        try:
            with torch.no_grad():
                return call(module, torch.tensor(inputs.values)).double().numpy()
        finally:
            for part, training in modes:
                part.training = training

    return own


def plain(dtype: torch.dtype = torch.float32) -> Callable[[Any, Inputs], np.ndarray]:
    return torch_scores(lambda module, rows: module(rows.to(dtype)))


def of_program(program: Any, inputs: Inputs) -> np.ndarray:
    return plain()(program.module(), inputs)


def one_by_one(program: Any, inputs: Inputs) -> np.ndarray:
    return np.concatenate([of_program(program, inputs[row]) for row in range(len(inputs))])


def named(module: Any, rows: torch.Tensor) -> torch.Tensor:
    image = rows[:, :24].float().reshape(-1, 4, 3, 2).permute(0, 3, 1, 2)
    return module(age=rows[:, 24:].float(), image=image)


def looked_up(module: Any, rows: torch.Tensor) -> torch.Tensor:
    return module(tokens=rows[:, :3].long(), town=rows[:, 3].long())


def one_hot_forest() -> Any:
    steps = make_column_transformer((OneHotEncoder(), ["town"]), remainder=StandardScaler())
    return make_pipeline(steps, RandomForestClassifier(4, max_depth=3, random_state=0)).fit(
        FRAME, TWO
    )


def on_onnx_runtime(model: Any, inputs: Inputs) -> np.ndarray:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return session.run(None, {"rows": inputs.values.astype(np.float32)})[0].astype(np.float64)


@dataclass(frozen=True)
class Kind:
    """One kind of model.

    Args:
        make: a new live object.
        rows: rows for it.
        own: the object's own scores of them, without the workbench.
        words: further arguments of `wrap`.
        liked: whether `wrap` is given the rows.
        rounding: how far scores may move with the number of rows in a batch.
        lacks: capabilities that must be absent with a reason.
    """

    make: Callable[[], Any]
    rows: Callable[[], Inputs]
    own: Callable[[Any, Inputs], Any]
    words: dict[str, Any] = field(default_factory=dict)
    liked: bool = True
    rounding: float = 0.0
    lacks: tuple[str, ...] = ()


F32 = 1e-6  # float32 sums of ten terms near 1, added in another order
BF16 = 2**-7  # one digit of bfloat16 near 1
_function = ("gradient", "activations", "feature_maps", "trees")
_two = {"outputs": ["y", "z"], "scale": "raw"}
_quick: dict[str, Any] = {"n_estimators": 5, "max_depth": 3, **THREADS}

KINDS: dict[str, Kind] = {
    "torch": Kind(mlp, table, plain(), rounding=F32),
    "torch float64": Kind(lambda: mlp().double(), table, plain(torch.float64), rounding=F32),
    "torch bfloat16": Kind(lambda: mlp().bfloat16(), table, plain(torch.bfloat16), rounding=BF16),
    "torch float16": Kind(lambda: mlp().half(), table, plain(torch.float16), rounding=BF16),
    "torch (n,)": Kind(
        seeded(One), table, torch_scores(lambda m, x: m(x.float())[:, None]), rounding=F32
    ),
    "torch images": Kind(
        small_convolution,
        images,
        torch_scores(lambda m, x: m(x.float().permute(0, 3, 1, 2).contiguous())),
        rounding=F32,
    ),
    "torch, two inputs": Kind(
        seeded(TwoInputs), packed, torch_scores(named), {"preprocess": SPLIT}, rounding=F32
    ),
    "torch, codes": Kind(
        seeded(Tokens),
        coded,
        torch_scores(looked_up),
        {"preprocess": CODES},
        rounding=F32,
        lacks=("gradient",),
    ),
    **{
        f"torch, {form.__name__}": Kind(
            seeded(lambda form=form: Composite(form)),
            table,
            torch_scores(lambda m, x: m.head(torch.tanh(m.body(x.float())))),
            {"output": output},
            rounding=F32,
        )
        for form, output in (
            (dict, "logits"),
            (ModelOutput, "logits"),
            (Answer, "logits"),
            (Pair, 1),
        )
    },
    "TorchScript": Kind(scripted, table, plain(), rounding=F32),
    "exported program": Kind(lambda: exported(None), table, of_program, rounding=F32),
    "exported for one row": Kind(lambda: exported(1), table, one_by_one),
    "forest": Kind(
        lambda: RandomForestClassifier(4, max_depth=3, random_state=0).fit(X, TWO),
        of_x,
        lambda forest, rows: forest.predict_proba(rows.values),
    ),
    "Pipeline on raw columns": Kind(
        one_hot_forest,
        of_frame,
        lambda pipeline, rows: pipeline.predict_proba(FRAME[:3]),
        lacks=("trees",),
    ),
    "XGBoost": Kind(
        lambda: xgboost.XGBRegressor(**_quick).fit(X, Z),
        of_x,
        lambda native, rows: native.predict(rows.values, output_margin=True)[:, None],
    ),
    "XGBoost, categories": Kind(
        lambda: xgboost.XGBRegressor(**_quick, enable_categorical=True).fit(FRAME, Z),
        of_frame,
        lambda native, rows: native.predict(FRAME[:3], output_margin=True)[:, None],
    ),
    "LightGBM, categories": Kind(
        lambda: lightgbm.LGBMRegressor(**_quick, verbose=-1).fit(FRAME, Z),
        of_frame,
        lambda native, rows: native.predict(FRAME[:3], raw_score=True)[:, None],
    ),
    "CatBoost": Kind(
        lambda: catboost.CatBoostRegressor(
            iterations=5, depth=3, verbose=0, thread_count=1, allow_writing_files=False
        ).fit(X, Z),
        of_x,
        lambda native, rows: native.predict(rows.values)[:, None],
    ),
    "CatBoost, categories": Kind(
        lambda: catboost.CatBoostRegressor(
            iterations=5, depth=3, verbose=0, thread_count=1, allow_writing_files=False
        ).fit(FRAME.astype({"town": str}), Z, cat_features=["town"]),
        of_frame,
        lambda native, rows: native.predict(FRAME[:3].astype({"town": str}))[:, None],
        lacks=("trees",),
    ),
    "ONNX": Kind(onnx_graph, table, on_onnx_runtime, rounding=F32, lacks=_function),
    "function": Kind(
        lambda: writes_into_its_rows,
        table,
        lambda call, rows: call(rows.values.copy()),
        _two,
        liked=False,
        lacks=_function,
    ),
    "function of frames": Kind(
        lambda: reads_frames,
        of_frame,
        lambda call, rows: call(FRAME[:3]),
        {"outputs": ["y"], "scale": "raw", "frames": True},
        lacks=_function,
    ),
    "predict alone": Kind(
        PredictOnly, table, lambda one, rows: one.predict(rows.values), _two, lacks=_function
    ),
    "predict_proba": Kind(
        Probable, table, lambda one, rows: one.predict_proba(rows.values), lacks=_function
    ),
    "decision_function": Kind(
        Marginal,
        table,
        lambda one, rows: one.decision_function(rows.values)[:, None],
        lacks=_function,
    ),
}

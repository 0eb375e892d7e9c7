"""Every panel with hostile names in every place: its markup is that of harmless names, and no more."""

import ast
import functools
import json
import os
from dataclasses import replace

import numpy as np
import pytest
import torch

import workbench as wb
from tests.hostile_names import NAMES, harmless, hidden_in, names, skeleton
from workbench import methods
from workbench.core import Inputs, Model
from workbench.draw import canvas
from workbench.errors import InputError
from workbench.panels import Bench, CompressionPanel, EnsemblePanel, ExplainPanel, LoadPanel

FEATURES, OUTPUTS, ROWS = 16, 2, 8
PLACES = FEATURES + OUTPUTS + ROWS + 4
STARTS = range(
    0, len(NAMES), FEATURES
)  # so that each name is a feature's once, and something else's too
SHOWN = {"title", "label", "doc", "detail", "reason", "text", "notice", "error", "placeholder"}
"""Keys of what the browser writes as text; values are what it sends back, and stay as they are."""


class Bare:
    """A bench of two models and eight rows whose every name is one of `given`."""

    def __init__(self, given):
        features, rest = tuple(given[:FEATURES]), list(given[FEATURES:])
        outputs, ids = tuple(rest[:OUTPUTS]), tuple(rest[OUTPUTS : OUTPUTS + ROWS])
        self.names = rest[OUTPUTS + ROWS :]
        rng = np.random.default_rng(0)
        self.rows = Inputs(
            rng.normal(size=(ROWS, FEATURES)),
            kind="tabular",
            features=features,
            background=rng.normal(size=(3, FEATURES)),
            categories={},
            y=np.arange(ROWS) % 2,
            ids=ids,
            name=self.names[0],
        )
        self.outputs = outputs

    def models(self):
        weights = np.linspace(1, 2, FEATURES)
        return [
            Model(
                name, lambda rows, w=weights * k: np.stack([-(rows @ w), rows @ w], 1), self.outputs,
                "logit", kind="tabular", features=self.rows.features, notes=(self.names[3],),
            )
            for k, name in enumerate(self.names[1:3], 1)
        ]  # fmt: skip

    def network(self):
        torch.manual_seed(0)
        layers = [torch.nn.Linear(FEATURES, 3), torch.nn.Tanh(), torch.nn.Linear(3, OUTPUTS)]
        return wb.wrap(
            torch.nn.Sequential(*layers).eval(), name=self.names[1], outputs=self.outputs, scale="logit",
            kind="tabular",
        )  # fmt: skip


def explain(bare):
    panel = ExplainPanel(Bench(bare.models(), [bare.rows]), method=methods.Occlusion(), rows="0-2")
    panel.start().wait(60)
    return panel


def load(bare):
    bench = Bench(bare.models(), [bare.rows], architectures={bare.names[0]: torch.nn.Identity})
    return LoadPanel(bench)


def ensemble(bare):
    panel = EnsemblePanel(Bench(bare.models(), [bare.rows]), method=methods.Occlusion(), rows="0-7")
    panel.start().wait(60)
    panel.settle()
    return panel


def compression(bare):
    panel = CompressionPanel(
        Bench([bare.network()], [bare.rows]), recipes={"prune": [0.5]},
        methods=methods.IntegratedGradients(steps=2),
    )  # fmt: skip
    panel.start().wait(60)
    panel.settle()
    return panel


PANELS = {"explain": explain, "load": load, "ensemble": ensemble, "compression": compression}


@functools.cache
def shown(which, start):
    """A panel after its run, with hostile names from `start` on, or with harmless ones for None."""
    given = harmless(PLACES) if start is None else names(start, PLACES)
    with pytest.MonkeyPatch.context() as patch:
        # Figures are made, with every text in them; tests/test_hostile_names.py rasterizes them.
        patch.setattr(canvas, "_saved", lambda *_, **__: b"")
        panel = PANELS[which](Bare(given))
        assert panel.status.error == ""
        return panel, *pieces(panel)


@pytest.fixture(scope="module", autouse=True)
def _kept_for_this_module():
    yield
    shown.cache_clear()


def walked(panel):
    """The panel and every widget in it."""
    widgets = [panel]
    while widgets:
        widget = widgets.pop(0)
        widgets += getattr(widget, "children", ())
        yield widget


def pieces(panel):
    """All that a panel says: its twin, and every widget's markup and texts by the name of the trait."""
    markup, texts = [panel.twin()], []
    for widget in walked(panel):
        if type(widget).__name__ in ("HTML", "HTMLMath"):
            markup.append(widget.value)
        else:
            for name in widget.keys:
                texts += said(name, getattr(widget, name))
    return markup, texts


def said(key, value):
    """The texts in a trait, alone or in lists and dictionaries, that the browser writes for people."""
    if isinstance(value, dict):
        return [text for name, one in value.items() for text in said(name, one)]
    if key == "options":
        shown = [one[1] if isinstance(one, list) else one for one in value]
        return [
            text for one in shown for text in (said("", one) if isinstance(one, dict) else [one])
        ]
    if isinstance(value, list | tuple):
        return [text for one in value for text in said(key, one)]
    return [value] if isinstance(value, str) and key in SHOWN else []


@pytest.mark.parametrize("which", PANELS)
def test_hostile_names_add_no_markup_no_hidden_character_and_no_length_to_a_panel(which):
    _, expected, _ = shown(which, None)
    assert len(expected) > 5
    for start in STARTS:
        _, markup, texts = shown(which, start)
        assert [skeleton(one) for one in markup] == [skeleton(one) for one in expected]
        assert len(texts) > 10
        check_texts(markup, texts)


def check_texts(markup, texts):
    for one in markup:
        assert hidden_in(one) == []
        assert len(one) < 100_000  # a name of a hundred thousand characters was cut
    for one in texts:
        assert hidden_in(one) == []
        assert len(one) <= 20_000  # the longest report of an error


def every_name_at_once():
    """A bench where every name is a model's, a set of rows' and an architecture's."""
    bare = Bare(harmless(PLACES))
    (model, *_), rows = bare.models(), bare.rows
    networks = [replace(bare.network(), name=name) for name in NAMES.values()]
    bench = Bench(
        [*(replace(model, name=f"{name} ") for name in NAMES.values()), *networks],
        dict.fromkeys(NAMES.values(), rows),
        architectures=dict.fromkeys(NAMES.values(), torch.nn.Identity),
    )
    return bench, networks


def test_every_name_can_be_a_models_and_rows_in_every_menu_and_goes_to_the_browser_and_back():
    bench, networks = every_name_at_once()
    for panel in (
        ExplainPanel(bench), LoadPanel(bench), EnsemblePanel(bench),
        CompressionPanel(bench, model=networks[0].name, recipes={"prune": [0.5]}),
    ):  # fmt: skip
        assert panel.status.error == ""
        markup, texts = pieces(panel)
        assert len(texts) > len(NAMES) - 10
        check_texts(markup, texts)
        for widget in walked(panel):
            state = widget.get_state()
            sent = json.dumps(state, ensure_ascii=False, default=str).encode()
            assert json.loads(sent) == json.loads(json.dumps(state, default=str))


@pytest.mark.parametrize("which", [name for name in PANELS if name != "load"])
def test_copied_code_holds_names_as_texts_only(which):
    expected = shape(shown(which, None)[0].code)
    for start in STARTS:
        code = shown(which, start)[0].code
        assert hidden_in(code) == []
        assert shape(code) == expected


def shape(code):
    """A program without its literals."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            node.value = None
    return ast.dump(tree)


@pytest.mark.parametrize("name", NAMES.values(), ids=list(NAMES))
def test_the_load_panels_code_holds_path_and_architecture_as_texts_only(name, tmp_path):
    from workbench.panels.load.panel import Choices, _code

    bench = Bench(architectures={name: torch.nn.Identity})
    code = _code(
        name, Choices(path=name, architecture=next(reversed(bench.architectures)), name=name)
    )
    tree = ast.parse(code, mode="eval")
    called = [ast.unparse(one.func) for one in ast.walk(tree) if isinstance(one, ast.Call)]
    assert called == ["wb.load"]
    assert ast.literal_eval(tree.body.args[0]) == name
    heard = {}

    class Wb:
        @staticmethod
        def load(path, **given):
            heard.update(given, path=path)

    eval(compile(tree, "code", "eval"), {"wb": Wb, "bench": bench})  # noqa: S307 - what a user does with it
    assert heard["path"] == name
    assert heard["architecture"] is torch.nn.Identity
    assert os.environ.get("HOSTILE") is None


def test_an_errors_text_has_nothing_hidden_in_the_panel():
    panel = LoadPanel(Bench())
    for name in NAMES.values():

        def refuse(name=name):
            raise InputError(f"A thing was needed, but {name} was found. Do this.")

        panel.event(refuse)()
        assert panel.status.error.startswith("A thing was needed, but")
        assert hidden_in(panel.status.error) == []
        assert len(panel.status.error) <= 20_000

"""A kind of rows that only this file knows, from `Inputs` to the Explain panel: signals, by windows."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import workbench as wb
from tests.equal_in_every_bit import assert_equal
from workbench import draw, ensembles, lab, methods
from workbench.compare import DRIFT_METRICS, drift_per_row, faithfulness
from workbench.core import Attribution, Inputs, Model, kinds
from workbench.core.kinds import RowKind
from workbench.draw.paper import new_figure
from workbench.errors import IncompatibleError, InputError
from workbench.panels.explain.picture import Look, looks, pictures_of, result_html
from workbench.panels.kit.bench import Bench
from workbench.panels.kit.choices import Choices, resolve
from workbench.report import report

WINDOW = 5
WEIGHTS = np.linspace(-1.0, 1.5, 15)


def windows(rows, _row, _cut):
    length = rows.values.shape[1]
    owners = np.arange(length) // WINDOW
    return owners, tuple(f"window {j}" for j in range(owners.max() + 1))


def own_windows(rows, row, _cut):
    """Each row's own: the first window is longer by the row's position."""
    owners = np.maximum(np.arange(rows.values.shape[1]) - row, 0) // WINDOW
    return owners, tuple(f"window {j}" for j in range(owners.max() + 1))


def at_rest(name, row, _owners):
    assert name == "rest"
    return np.full(row.shape, row.min())


def peaks(rows, row, names):
    return [
        f"peak {rows.values[row, j * WINDOW : (j + 1) * WINDOW].max():.1f}"
        for j in range(len(names))
    ]


def spans(_rows, _row, names, owners):
    return [f"{np.flatnonzero(owners == j)[0]} on" for j in range(len(names))]


SIGNAL = RowKind(
    "beats",
    axes=("n", "t"),
    players=windows,
    spatial=1,
    shared_players=True,
    fills=("rest", "background", "zero"),
    default_fill="rest",
    from_row=("rest",),
    fill=at_rest,
    labels=peaks,
    heads=("window", "from"),
    where=spans,
)
OWN = RowKind(
    "heartbeat",
    axes=("n", "t"),
    players=own_windows,
    spatial=1,
    fills=("rest",),
    default_fill="rest",
    from_row=("rest",),
    fill=at_rest,
)


def trace(attribution, row=0):
    figure = new_figure(3.0, 2.0, trace_words(attribution, row))
    figure.subplots().step(np.arange(len(attribution.inputs.values[row])), attribution.maps()[row])
    return figure


def trace_words(attribution, row=0):
    credit = attribution.by_player(row)
    best = int(np.argmax(np.abs(credit)))
    return f"{attribution.names[best]} moves it most\nby {credit[best]:+.3f}"


@pytest.fixture
def signal():
    """Both kinds and a picture of the first, gone after the test."""
    kinds.add(SIGNAL)
    kinds.add(OWN)
    draw.add_pictures("beats", (draw.Picture("trace", trace, trace_words),))
    yield Inputs(np.random.default_rng(3).normal(size=(11, 15)), kind="beats", name="beats")
    draw.remove_pictures("beats")
    kinds.remove("beats")
    kinds.remove("heartbeat")


def weighted(rows: Inputs, name="line", weights=WEIGHTS) -> Model:
    return wb.wrap(lambda x: x @ weights, name=name, outputs=["score"], scale="raw", like=rows)


def by_hand(rows, weights=WEIGHTS):
    """Shapley values of a weighted sum `(n, 3)`: each window's weighted distance from rest."""
    moved = weights * (rows.values - rows.values.min(axis=1, keepdims=True))
    return moved.reshape(len(rows), -1, WINDOW).sum(axis=2)


ADDITIVE = (
    methods.ExactShapley(),
    methods.KernelSHAP(budget=64),
    methods.PermutationSHAP(budget=64),
)


@pytest.mark.parametrize("method", [*ADDITIVE, methods.Occlusion()], ids=lambda m: type(m).__name__)
def test_windows_of_a_signal_get_the_credit_that_a_weighted_sum_gives_them(method, signal):
    result = wb.explain(weighted(signal), signal, method, wb.Target(0))
    assert result.names == ("window 0", "window 1", "window 2")
    found = np.stack([result.by_player(row) for row in range(len(signal))])
    np.testing.assert_allclose(found, by_hand(signal), atol=1e-9)  # sums of 15 numbers of size 1
    if method in ADDITIVE:
        rest = signal.values.min(axis=1) * WEIGHTS.sum()
        np.testing.assert_allclose(result.base, rest, atol=1e-9)


def test_lime_plays_windows_by_coins(signal):
    result = wb.explain(weighted(signal), signal, methods.LIME(budget=800, ridge=0.0), wb.Target(0))
    found = np.stack([result.by_player(row) for row in range(len(signal))])
    np.testing.assert_allclose(found, by_hand(signal), atol=1e-6)  # a sum is its own linear model
    assert result.evaluations == 11 + 11 * 800


def test_a_map_of_places_shows_each_window_whole(signal):
    result = wb.explain(weighted(signal), signal, methods.ExactShapley(), wb.Target(0))
    assert result.maps().shape == (11, 15)
    np.testing.assert_allclose(result.maps()[4], np.repeat(by_hand(signal)[4], WINDOW), atol=1e-9)


def test_rows_with_windows_of_their_own_keep_them(signal):
    rows = Inputs(signal.values, kind="heartbeat")
    result = wb.explain(weighted(rows), rows, methods.ExactShapley(), wb.Target(0))
    assert result.players.shape == (11, 15)
    moved = WEIGHTS * (rows.values - rows.values.min(axis=1, keepdims=True))
    np.testing.assert_allclose(result.by_player(3)[0], moved[3, :8].sum(), atol=1e-9)
    assert list(result.to_frame().query("row == '3'")["player"]) == [
        "window 0",
        "window 1",
        "window 2",
    ]
    part = result.inputs[[3, 5]]
    with pytest.raises(InputError, match="each of these heartbeat rows has its own"):
        part.players()


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("channels", [(), (2,)])
def test_a_result_of_an_own_kind_is_saved_and_read(channels, shared, tmp_path):
    kind = RowKind(
        "trace", ("n", "t", "c")[: 2 + len(channels)], windows, spatial=1, shared_players=shared
    )
    kinds.add(kind)
    try:
        values = np.arange(2.0 * 10 * (channels or (1,))[0]).reshape(2, 10, *channels)
        rows = Inputs(values, kind="trace", background=np.zeros((1, 10, *channels)))
        model = Model(
            "sum", lambda rows: rows.reshape(len(rows), -1).sum(1)[:, None], ("y",), "raw"
        )
        result = wb.explain(model, rows, methods.ExactShapley())
        result.save(tmp_path / "result")
        assert_equal(result, wb.read(tmp_path / "result"))
    finally:
        kinds.remove("trace")
    with pytest.raises(InputError, match=r"no result that can be used here.*'trace'"):
        wb.read(tmp_path / "result")


def test_what_is_not_for_signals_says_so(signal):
    model = weighted(signal)
    with pytest.raises(
        IncompatibleError, match="TreeSHAP explains tabular rows, but these are beats"
    ):
        wb.explain(model, signal, methods.TreeSHAP(), wb.Target(0))
    with pytest.raises(IncompatibleError, match="can blur only images"):
        wb.explain(model, signal, methods.KernelSHAP(fill="blur"), wb.Target(0))
    with pytest.raises(
        IncompatibleError, match=r"cannot fill beats rows with 'mean', only with \['rest'"
    ):
        wb.explain(model, signal, methods.KernelSHAP(fill="mean"), wb.Target(0))
    with pytest.raises(InputError, match=r"beats rows need the shape \(n, t\), but have \(15,\)"):
        Inputs(WEIGHTS, kind="beats")


def test_models_of_signals_are_compared(signal):
    other = weighted(signal, "other", WEIGHTS[::-1].copy())
    study = wb.Study((weighted(signal), other), ADDITIVE[:1], signal, (wb.Target(0),))
    results = list(wb.run(study))
    frame = wb.compare(results, reference="line").to_frame()
    a, b = by_hand(signal)[0], by_hand(signal, WEIGHTS[::-1])[0]
    cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    first = frame[(frame["row"] == "0") & (frame["metric"] == "cosine")]
    np.testing.assert_allclose(first["value"], cosine, atol=1e-9)
    moved = drift_per_row("cosine", *results)
    np.testing.assert_allclose(moved[0], 1 - cosine, atol=1e-9)
    with pytest.raises(InputError, match="ssim"):
        drift_per_row("ssim", *results)
    assert DRIFT_METRICS["ssim"].of == "planes"


def test_a_drift_study_of_signals_ends_in_a_verdict(signal):
    other = weighted(signal, "other", WEIGHTS[::-1].copy())
    drift = lab.drift(weighted(signal), (other,), signal, faithfulness=True)
    assert {one.metric for one in drift.measured} >= set(SIGNAL.deciding)
    assert "other" in draw.verdict_text(drift)
    explained = drift.explained_by(drift.methods[0])
    words = draw.copy_bars_text(explained["line"], [explained["other"]])
    assert "window 1" in words
    assert lab.findings(drift).features == ()


def test_faithfulness_puts_windows_to_rest(signal):
    model = weighted(signal)
    result = wb.explain(model, signal, methods.ExactShapley(), wb.Target(0))
    assert (faithfulness(model, result).deletion >= -1e-9).all()


def test_an_ensemble_of_signal_models_has_parts(signal):
    whole = ensembles.vote((weighted(signal), weighted(signal, "other", WEIGHTS + 1.0)))
    result = wb.explain(whole, signal, methods.ExactShapley(), wb.Target(0))
    half = (by_hand(signal) + by_hand(signal, WEIGHTS + 1.0)) / 2
    np.testing.assert_allclose(result.by_player(2), half[2], atol=1e-9)
    assert len(result.parts) == 2


@pytest.mark.parametrize(
    "method",
    [methods.ExactShapley(), methods.LIME(), methods.LIME(fill="background"), methods.Occlusion()],
)
def test_a_second_opinion_plays_the_same_windows(method, signal):
    model = weighted(signal)
    rows = signal[:2].with_background(signal.values[2:5] + 3.0)
    result = wb.explain(model, rows, method, wb.Target(0))
    assert "agrees" in repr(wb.cross_check(result, model))


def test_the_kinds_own_picture_is_drawn_and_told(signal):
    result = wb.explain(weighted(signal), signal, methods.ExactShapley(), wb.Target(0))
    assert [one.name for one in draw.pictures_of(result)] == ["trace", "bars", "waterfall"]
    assert draw.picture(result, 1).words == trace_words(result, 1)
    assert draw.alt_text(result, 1) == trace_words(result, 1).replace("\n", ". ")
    assert f"window 0 = peak {signal.values[1, :5].max():.1f}" in draw.bars_text(result, 1)
    assert trace_words(result).splitlines()[0] in report([result], title="Beats")


def test_a_kind_without_a_picture_is_shown_as_bars(signal):
    rows = Inputs(signal.values, kind="heartbeat")
    result = wb.explain(weighted(rows), rows, methods.ExactShapley(), wb.Target(0))
    assert draw.picture(result).words == draw.bars_text(result)


def test_the_explain_panel_offers_what_plays_windows_and_shows_the_picture(signal):
    model = weighted(signal)
    bench = Bench([model], [signal])
    view = resolve(bench, Choices(method="KernelSHAP"))
    able = {one.name for one in view.options if not one.reason}
    assert able == {"KernelSHAP", "ExactShapley", "PermutationSHAP", "LIME", "Occlusion"}
    shown = {one["name"] for one in view.parameters}
    assert {"budget", "fill"} <= shown
    assert not shown & {"superpixels", "segments"}
    assert view.evaluations == (4 + 4 * (6 + 2), 4 + 4 * (6 + 2))
    (result,) = wb.run(view.study)
    assert pictures_of(result) == ("trace", "bars", "waterfall")
    assert "opacity" not in {one["name"] for one in looks(result)}
    html = result_html(result, Look(row=2))
    assert trace_words(result, 2).splitlines()[0] in html
    assert '<th scope="col">window</th><th scope="col">from</th>' in html
    assert "<td>10 on</td>" in html
    assert "an absent part was filled by &#x27;rest&#x27;" in html


def test_a_kind_is_gone_when_it_is_removed(signal):
    kinds.remove("beats")
    with pytest.raises(InputError, match=r"Inputs need a kind of .*, not 'beats'"):
        Inputs(WEIGHTS[None], kind="beats")
    kinds.add(SIGNAL)
    assert signal.of_kind is SIGNAL


@pytest.fixture
def film():
    kinds.add(replace(SIGNAL, name="film", axes=("n", "t", "c")))
    yield "film"
    kinds.remove("film")


def test_a_place_with_channels_is_one_players_also_where_a_torch_module_builds_the_copies(film):
    rows = Inputs(np.random.default_rng(4).normal(size=(3, 10, 10)), kind=film)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(100, 2), torch.nn.Tanh()).double()
    model = wb.wrap(net, outputs=["a", "b"], scale="raw", like=rows)
    assert model.masked is not None
    method = methods.ExactShapley()
    fast, slow = (
        wb.explain(one, rows, method, wb.Target(0)) for one in (model, replace(model, masked=None))
    )
    assert fast.values.shape == (3, 10)
    np.testing.assert_allclose(fast.values, slow.values, atol=1e-12)


def test_places_without_order_are_called_by_their_kind_and_no_map_is_advised(signal):
    kinds.add(replace(SIGNAL, name="bag", spatial=0, place_plural="words"))
    try:
        for kind, advice in (("beats", r"Places have no names\. Use maps\(\)\."),
                             ("bag", r"Words have no names\. Read values\.")):  # fmt: skip
            rows = Inputs(signal.values, kind=kind)
            result = Attribution(
                signal.values, signal.values.sum(axis=1), np.zeros(11), None, rows, "m",
                methods.Occlusion(), wb.Target(0), ("y",) * 11, "raw",
            )  # fmt: skip
            with pytest.raises(InputError, match=advice):
                result.names  # noqa: B018 - reading it is what is asked
            with pytest.raises(InputError, match=rf"not players\. {advice.split('. ')[1]}"):
                result.by_player(0)
    finally:
        kinds.remove("bag")


def test_too_many_players_are_called_players(signal):
    long = Inputs(np.zeros((2, 100)), kind="heartbeat")
    model = wb.wrap(lambda x: x.mean(axis=1), outputs=["score"], scale="raw", like=long)
    with pytest.raises(InputError, match=r"has 20 players\. Use KernelSHAP or PermutationSHAP"):
        wb.explain(model, long, methods.ExactShapley(), wb.Target(0))

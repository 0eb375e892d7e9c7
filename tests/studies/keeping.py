"""A study's results as arrays and words, in a file and out of it again, and how two of them differ."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import singledispatch
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

import workbench as wb
from tests.studies.machine import fingerprint
from tests.studies.studies import STUDIES
from workbench.compare import Disagreement, Drift

FOLDER = Path(__file__).parent / "stored"
WHOLE = 600
"""Longer arrays are kept as every so-manieth of their numbers, and as a digest of all their bits."""

HERE = "here: "
"""Before the names of numbers that are compared on the machine of the file alone: another's rounding moves
them by a whole step, as ranks, or is all that they consist of, as gaps."""

HALF_THE_DIGITS = ("error", "half width", "beyond_sampling", "ratio_of_sampling")
"""Roots of differences of squares: what rounding leaves of a sum is in their eighth digit."""

Arrays = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Found:
    """What a study found.

    Args:
        arrays: numbers by name, thinned where there are many.
        words: by name: outputs explained, verdicts, shapes and digests of whole arrays.
        machine: what the bits may depend on.
    """

    arrays: Mapping[str, NDArray[np.float64]]
    words: Mapping[str, Any]
    machine: Mapping[str, str]


def found_by(name: str) -> Found:
    """A study, computed now, on one thread."""
    arrays: Arrays = {}
    words: dict[str, Any] = {}
    with one_thread():
        for title, result in STUDIES[name].run():
            for what, value in parts_of(result):
                key = f"{title}: {what}"
                if isinstance(value, list):
                    words[key] = value
                    continue
                if what.startswith(HERE):
                    key = f"{HERE}{title}: {what.removeprefix(HERE)}"
                whole = np.array(value, dtype=np.float64)  # a copy, in rows
                arrays[key] = whole
                if whole.size > WHOLE:
                    arrays[key] = whole.ravel()[:: -(-whole.size // WHOLE)].copy()
                    words[f"{key}, shape"] = list(whole.shape)
                    words[f"{key}, bits"] = _digest(whole)
    return Found(arrays, words, fingerprint())


def write(name: str, found: Found) -> None:
    """Keep it. Numbers in safetensors, words as JSON in the file's header: nothing that could be run."""
    FOLDER.mkdir(exist_ok=True)
    told = {"words": found.words, "machine": found.machine}
    header = {key: json.dumps(value, sort_keys=True) for key, value in told.items()}
    path = FOLDER / f"{name}.safetensors"
    save_file(dict(found.arrays), path, header)
    path.chmod(0o644)


def read(name: str) -> Found:
    """What was kept."""
    with safe_open(FOLDER / f"{name}.safetensors", "numpy") as file:
        told = {key: json.loads(value) for key, value in file.metadata().items()}
        arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118, it is no dict
    return Found(arrays, told["words"], told["machine"])


def differences(now: Found, kept: Found, *, tolerance: float) -> list[str]:
    """What differs, a line each: bit by bit on the machine of the file, else beyond the tolerance.

    Args:
        tolerance: elsewhere, the part of an array's largest size that a number may differ by.
    """
    same = now.machine == kept.machine
    lines = [
        f"{name}: only {where}"
        for where, more, less in (("today", now, kept), ("in the file", kept, now))
        for name in {*more.arrays, *more.words} - {*less.arrays, *less.words}
    ]
    lines += [
        f"{name}: {_short(kept.words[name])} became {_short(now.words[name])}"
        for name in kept.words.keys() & now.words.keys()
        if kept.words[name] != now.words[name] and (same or not name.endswith(", bits"))
    ]
    for name in kept.arrays.keys() & now.arrays.keys():
        a, b = kept.arrays[name], now.arrays[name]
        if a.shape != b.shape:
            lines.append(f"{name}: {a.shape} numbers became {b.shape}")
            continue
        apart = a.tobytes() != b.tobytes() if same else _far(a, b, tolerance, name)
        if apart:
            moved = np.abs(a - b)[np.isfinite(a) & np.isfinite(b)].max(initial=0.0)
            lines.append(f"{name}: up to {moved:.3g} of {_size(a):.3g}")
    return sorted(lines)


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums that threads share out are added in another order with other threads."""
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    with threadpool_limits(1):
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)


@singledispatch
def parts_of(result: Any) -> Iterator[tuple[str, Any]]:
    """A result as named numbers, and as named words in lists."""
    raise TypeError(f"A study gives attributions and what is made of them, not {result!r}.")


@parts_of.register
def _(result: wb.Attribution) -> Iterator[tuple[str, Any]]:
    for name in ("values", "base", "output", "evaluations", "complete"):
        yield name, getattr(result, name)
    yield f"{HERE}gap", result.gap
    if result.freedom is not None:
        yield f"{HERE}freedom", result.freedom
    for name in ("error", "players"):
        if (array := getattr(result, name)) is not None:
            yield name, array
    if result.error is not None:
        yield "half width", result.half_width()
    yield "explained", [*result.explained]
    yield "of", [result.model, result.scale, *result.player_names]
    for part in result.parts:
        for name, value in parts_of(part):
            here = HERE if name.startswith(HERE) else ""
            yield f"{here}part {part.model}, {name.removeprefix(HERE)}", value


@parts_of.register
def _(result: wb.Interactions) -> Iterator[tuple[str, Any]]:
    for name in ("values", "base", "output"):
        yield name, getattr(result, name)


@parts_of.register
def _(result: wb.Comparison) -> Iterator[tuple[str, Any]]:
    # By their order: what a metric is called may change, its numbers may not.
    frame = result.to_frame()
    for number, name in enumerate(dict.fromkeys(frame["metric"])):
        here = "" if number in (0, 4) else HERE  # a cosine and a length; the others count or rank
        yield f"{here}metric {number}", frame.loc[frame["metric"] == name, "value"]


@parts_of.register
def _(result: Disagreement) -> Iterator[tuple[str, Any]]:
    for name in ("mean", "spread", "beyond_sampling", "ratio", "ratio_of_sampling", "overall"):
        yield name, getattr(result, name)
    yield f"{HERE}consensus", result.consensus
    for name in result.members.metrics:
        here = "" if name == "cosine" else HERE
        yield f"{here}similarity, {name}", result.members.similarity(name)
    for name in ("share", "output_change", "explanation_change"):
        yield f"influence, {name}", getattr(result.influence, name)


@parts_of.register
def _(result: Drift) -> Iterator[tuple[str, Any]]:
    for model in result.models:
        of_rows = [result.claim(model, "these rows").word, result.claim(model).word]
        yield f"{model}, verdict", [result.verdicts[model], *of_rows]
    for one in result.measured:
        title = f"{one.model}, {one.method}, {one.metric}, {one.stratum}"
        here = HERE if np.isinf(one.single) else ""
        lines = [one.mean, one.low, one.high, one.noise, one.random, one.normalized, one.margin]
        yield f"{here}{title}", np.array(lines, dtype=np.float64)
        yield f"{here}{title}, drift", one.drift
        statistics = [one.p, one.q, one.beyond, one.doubtful, one.share, one.rows_needed]
        yield f"{HERE}{title}, statistics", np.array(statistics, dtype=np.float64)
        yield f"{title}, words", [one.verdict, one.on_rows]
    for one in result.behavior:
        yield f"{one.model}, scores", np.array([one.largest, one.typical])
    for one in result.quality:
        title = f"{one.model}, {one.method}, {one.measure}"
        yield f"{HERE}{title}", np.array([one.difference, one.low, one.high])
        yield f"{title}, words", [one.verdict]


def _digest(whole: NDArray[np.float64]) -> str:
    return hashlib.sha256(whole.tobytes()).hexdigest()[:32]


def _size(array: NDArray[np.float64]) -> float:
    return float(np.abs(array[np.isfinite(array)]).max(initial=0.0))


def _far(a: NDArray[Any], b: NDArray[Any], tolerance: float, name: str) -> bool:
    if name.startswith(HERE):
        return False
    if name.endswith(HALF_THE_DIGITS):
        tolerance = max(tolerance, 1e-6)
    if name.endswith(", drift"):
        tolerance = 10 * tolerance  # what is left of two explanations that differ by a few percent
    return not np.allclose(a, b, rtol=0, atol=tolerance * _size(a), equal_nan=True)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

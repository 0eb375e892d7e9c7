"""Which files are changed, and which tests mirror each of them."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOMS = (
    "core",
    "coalitions",
    "gradients",
    "trees",
    "methods",
    "compare",
    "ensembles",
    "variants",
    "study",
    "lab",
    "models",
)
"""The rooms that compute; surrogates too, once there are any."""

APART = ("workbench/models/intake",)
"""Rooms inside them that compute no score: intake has mutants of its own, those of files."""

_ALSO: dict[str, tuple[str, ...]] = {
    "core": ("tests/reference", "tests/test_costs.py", "tests/test_hostile_names.py"),
    "coalitions": ("tests/reference", "tests/test_costs.py"),
    "gradients": ("tests/reference", "tests/parity/test_gradient_methods_against_captum.py"),
    "trees": ("tests/parity/test_tree_shap_against_shap.py", "tests/models/test_scikit_trees.py"),
    "methods": ("tests/reference", "tests/test_costs.py", "tests/parity"),
    "compare": ("tests/test_compare.py", "tests/lab"),
    "ensembles": ("tests/contract/test_every_method_on_every_model.py", "tests/parity"),
    "variants": ("tests/contract/test_every_saved_file.py",),
    "study": ("tests/test_costs.py", "tests/test_one_file.py"),
    "lab": ("tests/draw/test_drift_pictures.py",),
    "models": ("tests/contract/test_every_adapter.py",),
}
"""Tests beside a room's own, asked last."""

_NEVER = (
    "tests/browser",
    "tests/notebooks",
    "tests/mutants",
    "tests/benchmarks",
    "tests/hostile",
    "tests/panels",
)


def sources(root: Path, room: str) -> list[str]:
    """The files of a room that compute, as paths below the root."""
    folder = root / "workbench" / room
    files = sorted(folder.rglob("*.py")) if folder.exists() else []
    paths = [one.relative_to(root).as_posix() for one in files if one.name != "__init__.py"]
    return [one for one in paths if not one.startswith(tuple(f"{room}/" for room in APART))]


def asked_about(root: Path, path: str) -> list[str]:
    """The tests to ask about a file, most specific first.

    Its own examples and the file named after it; then those of its room by how many of its public names
    they speak of; then other rooms' that speak of two names or more; then what `_ALSO` adds.
    """
    room, stem = Path(path).parts[1], Path(path).stem
    names = _public(root, path)
    every = [one for one in _every_test(root) if not one.startswith(_NEVER)]
    spoken = {one: sum(name in _words(root, one) for name in names) for one in every}
    own = [one for one in every if Path(one).name.startswith(f"test_{stem}")]
    mirrored = [one for one in every if one.startswith(f"tests/{room}/")]
    apart = [one for one in every if spoken[one] > 1 or (spoken[one] and len(names) == 1)]
    ranked = [
        *own,
        *sorted(mirrored, key=lambda one: -spoken[one]),
        *sorted(apart, key=lambda one: -spoken[one])[:5],
        *(one for one in every if one.startswith(_ALSO.get(room, ()))),
    ]
    return [path, *dict.fromkeys(ranked)]


@cache
def _every_test(root: Path) -> list[str]:
    return [str(one.relative_to(root)) for one in sorted((root / "tests").rglob("test_*.py"))]


@cache
def _words(root: Path, path: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", (root / path).read_text(encoding="utf-8")))


def _public(root: Path, path: str) -> list[str]:
    tree = ast.parse((root / path).read_text(encoding="utf-8"))
    defined = [one.name for one in tree.body if isinstance(one, ast.FunctionDef | ast.ClassDef)]
    return [name for name in defined if not name.startswith("_")]

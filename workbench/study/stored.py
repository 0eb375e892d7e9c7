"""`read`: a result that was saved to a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import is_dataclass

from workbench import methods as catalog_room
from workbench.core import Attribution, Interactions, clean
from workbench.core.reading import read_whole
from workbench.core.result_reading import result_in
from workbench.errors import InputError

LIMIT_BYTES = 16 * 2**30
"""Larger files are refused without reading them."""


def read(
    path: str | os.PathLike[str], *, methods: Sequence[type] = ()
) -> Attribution | Interactions:
    """The result that `save` wrote, equal in every field and bit; the model is not in the file.

    A file holds numbers and text, no code; a file whose parts do not fit together is refused.

    >>> import tempfile, workbench as wb
    >>> model = wb.Model("sum", lambda rows: rows @ [[2.0], [-1.0]], ("score",), "raw")
    >>> rows = wb.Inputs([[1.0, 1.0]], kind="tabular", background=[[0.0, 0.0]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     wb.explain(model, rows, wb.methods.ExactShapley()).save(f"{folder}/sum.safetensors")
    ...     read(f"{folder}/sum.safetensors").values
    array([[ 2., -1.]])

    Args:
        path: the file.
        methods: the classes of your own methods, if one of them made the result: a file never says where to
            find code.

    Raises:
        InputError: there is no such file, or its method is neither in the catalog nor given.
        UnsafeFileError: it is not a result's file, or it is damaged.
    """
    for one in methods:
        if not isinstance(one, type) or not is_dataclass(one):
            raise InputError(
                f"methods must be classes of methods that are dataclasses, not {one!r}. Give the class."
            )
    known = {one.__name__: one for one in (*catalog_room.catalog(), *methods)}
    data = read_whole(path, "A result's file", LIMIT_BYTES)
    return result_in(data, clean(os.path.basename(os.fspath(path))), known)

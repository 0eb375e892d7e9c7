"""Every error the workbench raises on purpose, as one tree.

Each class is also the builtin a reader would expect, so `except ValueError` keeps working in code
that has never heard of the workbench. A message has three parts: what was needed, what was found,
and what to do now.
"""

from __future__ import annotations

from typing import Any

from workbench.printable import printable


class WorkbenchError(Exception):
    """The root: anything the workbench refuses or cannot do, said in one sentence.

    A name in it is shown as it can be seen: no terminal obeys it, and any notebook can be sent it.
    """

    def __str__(self) -> str:
        return printable(super().__str__())


class InputError(WorkbenchError, ValueError):
    """Rows, targets or parameters that cannot be used as they are."""


class IncompatibleError(WorkbenchError, TypeError):
    """Things that are fine alone but do not go together: a method and a model, two scales."""


class ModelError(WorkbenchError, RuntimeError):
    """A model that failed, or answered with something that is not a finite score per row.

    A failing call loses nothing: what was computed before it is in `partial`. To go on, explain the rows
    that are missing there (`one.finished` says which rows of an attribution are done), or give the model
    a memory with `workbench.wrap(..., metered=True)` or `retries=`, and explain all rows again: what it
    has answered is then not asked again.

    >>> import workbench as wb
    >>> def remote(rows):
    ...     if (rows[:, 0] > rows[:, 1]).any() and rows[0, 0] == 3:
    ...         raise ConnectionError("503")
    ...     return rows.sum(axis=1)
    >>> model = wb.wrap(remote, outputs=["y"], scale="raw", batch=1)
    >>> rows = wb.Inputs([[1.0, 2.0], [3.0, 4.0]], kind="tabular", background=[[0.0, 0.0]])
    >>> try:
    ...     wb.explain(model, rows, wb.methods.Occlusion(), wb.Target(0))
    ... except ModelError as error:
    ...     [(one.inputs.ids, one.finished, one.values) for one in error.partial]
    [(('0',), array([ True]), array([[1., 2.]]))]

    Attributes:
        partial: the `Attribution`s of a study up to the failure: those that were complete, then those of
            the cell that failed, with the rows it had begun; () outside a study.
    """

    partial: tuple[Any, ...] = ()


class MemberError(ModelError):
    """A member of an ensemble failed, so the ensemble has no explanation; the other members have theirs.

    Attributes:
        parts: the `Attribution`s of the members that did not fail.
    """

    def __init__(self, message: str, parts: tuple[Any, ...] = ()) -> None:
        super().__init__(message)
        self.parts = parts


class UnsafeFileError(WorkbenchError, ValueError):
    """A file that could execute code, or is not what it says it is."""


class MissingDependency(WorkbenchError, ImportError):  # noqa: N818 - named as users ask for it
    """An optional library is needed and not installed; the message names the extra."""


def missing(extra: str, why: str) -> MissingDependency:
    """The error that names the extra to install.

    >>> print(missing("onnx", "quantize_onnx"))
    quantize_onnx needs the extra 'onnx', which is not installed. Run: pip install
    "explainability-workbench[onnx]"
    """
    return MissingDependency(
        f"{why} needs the extra {extra!r}, which is not installed. Run: "
        f'pip install "explainability-workbench[{extra}]"'
    )

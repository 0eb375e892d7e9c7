"""The places of a file where one small change makes another program, and that change."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_COMPARED: dict[type, type] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_COMPUTED: dict[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.Mod: ast.Mult,
}  # fmt: skip
_CALLED = {
    "min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum", "argmin": "argmax",
    "argmax": "argmin", "any": "all", "all": "any", "sum": "mean", "mean": "sum", "floor": "ceil",
    "ceil": "floor", "zeros": "ones", "ones": "zeros", "zeros_like": "ones_like", "union": "intersection",
    "startswith": "endswith", "var": "std", "cumsum": "cumprod",
}  # fmt: skip
_BUILT_IN = {"min": "max", "max": "min", "any": "all", "all": "any", "sum": "max"}
_LEFT_OUT = {"abs", "sorted", "reversed", "sqrt", "exp", "clip", "nan_to_num", "unique", "tuple"}

_CHECKS = {"strict", "stacklevel", "limit"}
"""Arguments that check or cut and compute nothing."""


@dataclass(frozen=True)
class Mutant:
    """One change of one file.

    Args:
        path: of the file, below the tree's root.
        line: where it begins.
        old: the text that goes.
        new: the text that comes.
        begin: where the old text begins, in bytes.
    """

    path: str
    line: int
    old: str
    new: str
    begin: int

    def applied(self, source: bytes) -> bytes:
        """The file with the change."""
        end = self.begin + len(self.old.encode())
        return source[: self.begin] + self.new.encode() + source[end:]

    def changed_lines(self, source: bytes) -> tuple[str, str]:
        """The lines that the change touches, before and after, without the space around them."""
        first = source.rfind(b"\n", 0, self.begin) + 1
        last = source.find(b"\n", self.begin + len(self.old.encode()))
        after = self.applied(source)
        before_text, after_text = source[first:last], after[first : last - len(source) + len(after)]
        return before_text.decode().strip(), after_text.decode().strip()


def mutants_of(path: str, source: bytes) -> list[list[Mutant]]:
    """By place, the changes that can be made there; places in the order of the file.

    >>> [[one.new for one in place] for place in mutants_of("f.py", b"def f(a):\\n    return a < 0\\n")]
    [['(a <= 0)'], ['1']]
    """
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def mutant(node: Any, new: str) -> Mutant:
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + node.end_col_offset
        return Mutant(path, node.lineno, source[begin:end].decode(), new, begin)

    found = [
        [one for part, new in _changes(node) if (one := mutant(part, new)).old != new]
        for node in _nodes(ast.parse(source))
    ]
    return sorted((place for place in found if place), key=lambda place: place[0].begin)


def _nodes(node: ast.AST) -> Iterator[Any]:
    """What computes: no annotations, decorators, texts, imports, errors, nor what type checkers read."""
    if isinstance(node, ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom):
        return
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    if isinstance(node, ast.keyword) and node.arg in _CHECKS:
        return
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "bases"):
            continue
        if isinstance(node, ast.AnnAssign) and "ClassVar" in ast.unparse(node.annotation):
            continue  # facts that menus are made of
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _nodes(child)


def _changes(node: Any) -> Iterator[tuple[Any, str]]:
    """Which node goes, and the text that comes, change by change."""
    match node:
        case ast.Compare(ops=ops):
            for at, one in enumerate(ops):
                if type(one) in _COMPARED:
                    yield node, _with(node, ops=[*ops[:at], _COMPARED[type(one)](), *ops[at + 1 :]])
        case ast.BinOp(op=op) if type(op) in _COMPUTED and not (
            _text(node.left) or _text(node.right)
        ):
            yield node, _with(node, op=_COMPUTED[type(op)]())
        case ast.AugAssign(op=op) if type(op) in _COMPUTED and not _text(node.value):
            yield node, ast.unparse(_copied(node, op=_COMPUTED[type(op)]()))
            yield node, "pass"
        case ast.BoolOp(op=op):
            yield node, _with(node, op=ast.Or() if isinstance(op, ast.And) else ast.And())
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert(), operand=operand):
            yield node, f"({ast.unparse(operand)})"
        case ast.Constant(value=bool() as value):
            yield node, str(not value)
        case ast.Constant(value=int() as value):
            yield node, str(value + 1)
            if value > 1:
                yield node, str(value - 1)
        case ast.Constant(value=float() as value):
            yield node, "1.0" if value == 0 else repr(value / 2)
        case ast.Expr(value=ast.Call()) | ast.Assign(targets=[ast.Subscript()]):
            yield node, "pass"
        case ast.If(test=test) | ast.IfExp(test=test):
            if isinstance(test, ast.Name | ast.Call | ast.Attribute | ast.NamedExpr):
                yield test, f"(not ({ast.unparse(test)}))"
        case ast.comprehension(ifs=[one, *_]):
            yield one, "True"
        case ast.Slice(lower=lower, upper=upper):
            if lower is not None and not isinstance(lower, ast.Constant):
                yield lower, f"({ast.unparse(lower)} + 1)"
            if upper is not None and not isinstance(upper, ast.Constant):
                yield upper, f"({ast.unparse(upper)} - 1)"
        case ast.Return(value=ast.Tuple(elts=[first, second])):
            yield node, f"return {ast.unparse(second)}, {ast.unparse(first)}"
        case ast.Break():
            yield node, "continue"
        case ast.Continue():
            yield node, "break"
        case ast.Call(func=ast.Attribute(attr=name)) if name in _CALLED:
            yield node, _with(node, func=_copied(node.func, attr=_CALLED[name]))
        case ast.Call(func=ast.Name(id=name)) if name in _BUILT_IN:
            yield node, _with(node, func=ast.Name(_BUILT_IN[name]))
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name), args=[one, *_]):
            if name in _LEFT_OUT:
                yield node, f"({ast.unparse(one)})"


def _with(node: Any, **fields: Any) -> str:
    """The node as text with other fields, in parentheses, which fit wherever an expression does."""
    return f"({ast.unparse(_copied(node, **fields))})"


def _copied(node: Any, **fields: Any) -> Any:
    return type(node)(**{**dict(ast.iter_fields(node)), **fields})


def _text(node: ast.AST) -> bool:
    """Whether it is a text, or what holds texts, which are put together by + and cannot be subtracted."""
    return any(
        isinstance(one, ast.JoinedStr)
        or (isinstance(one, ast.Constant) and isinstance(one.value, str))
        for one in ast.walk(node)
    )

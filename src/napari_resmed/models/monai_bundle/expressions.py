"""The few ``$`` expressions of a MONAI configuration that are followed: arithmetic on plain values, never ``eval``."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from napari_resmed.errors import ModelError

__all__ = ["REFERENCE", "evaluate"]

# @id, @id::inner::0 and MONAI's older @id#inner.
REFERENCE = re.compile(r"@(\w+(?:(?:::|#)\w+)*)")
# A configuration counts channels and voxels; whatever makes more than this has something else in mind.
MOST_ITEMS = 10_000
MOST_BITS = 64

_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (abs, bool, dict, float, int, len, list, max, min, range, round, set, sorted, str, sum, tuple)
}
_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_UNARY: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
}
_COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def evaluate(
    expression: str, look_up: Callable[[str], Any], functions: Mapping[str, Callable[..., Any]] | None = None
) -> Any:
    """The value of an expression.

    Parameters
    ----------
    expression:
        With or without the ``$``: literals, ``@`` references, arithmetic, comparisons, ``a if b else c``, indices and
        calls of a few of Python's own functions.
    look_up:
        Gives the value of a reference, by its id.
    functions:
        Further functions by their dotted names.

    Raises
    ------
    ModelError
        If it holds anything else, or cannot be computed; the expression is named.
    """
    text = expression.strip().removeprefix("$").strip()
    references: list[str] = []

    def name(found: re.Match[str]) -> str:
        references.append(found[1])
        return f"_reference_{len(references) - 1}"

    try:
        tree = ast.parse(REFERENCE.sub(name, text), mode="eval")
        return _Walk(references, look_up, functions or {}).value(tree.body)
    except _RefusedError as problem:
        raise ModelError(f"the expression {_short(expression)} uses {problem}, which is not followed") from problem
    except (SyntaxError, TypeError, ValueError, KeyError, IndexError, ArithmeticError, RecursionError) as problem:
        raise ModelError(f"the expression {_short(expression)} cannot be followed: {problem}") from problem


class _RefusedError(Exception):
    """What an expression uses beyond what is followed."""


class _Walk:
    """Goes through one expression's tree."""

    def __init__(
        self, references: Sequence[str], look_up: Callable[[str], Any], functions: Mapping[str, Callable[..., Any]]
    ) -> None:
        self._references, self._look_up = references, look_up
        self._functions = functions

    def value(self, node: ast.expr) -> Any:
        found = self._plain(node)
        if isinstance(found, int) and found.bit_length() > MOST_BITS:
            raise ValueError("the number is too large")
        if isinstance(found, str | list | tuple | range | dict | set) and len(found) > MOST_ITEMS:
            raise ValueError("it is too long")
        return found

    def _plain(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=bool() | int() | float() | str() | None as value):
                return value
            case ast.Name(id=name) if name.startswith("_reference_"):
                return self._look_up(self._references[int(name.removeprefix("_reference_"))])
            case ast.List(elts=items):
                return [self.value(item) for item in items]
            case ast.Tuple(elts=items):
                return tuple(self.value(item) for item in items)
            case ast.Dict(keys=keys, values=values) if None not in keys:
                return {
                    self.value(key): self.value(value)
                    for key, value in zip(keys, values, strict=True)
                    if key is not None
                }
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
                return _UNARY[type(op)](self.value(operand))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return self._binary(op, self.value(left), self.value(right))
            case ast.BoolOp(op=op, values=values):
                found = [self.value(value) for value in values]
                return all(found) if isinstance(op, ast.And) else any(found)
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARE:
                return _COMPARE[type(op)](self.value(left), self.value(right))
            case ast.IfExp(test=test, body=body, orelse=other):
                return self.value(body if self.value(test) else other)
            case ast.Subscript(value=of, slice=ast.Slice(lower=lower, upper=upper, step=step)):
                ends = [None if end is None else self.value(end) for end in (lower, upper, step)]
                return self.value(of)[slice(*ends)]
            case ast.Subscript(value=of, slice=index):
                return self.value(of)[self.value(index)]
            case ast.Call(func=function, args=arguments, keywords=named):
                return self._call(function, arguments, named)
        raise _RefusedError(ast.unparse(node))

    def _binary(self, op: ast.operator, left: Any, right: Any) -> Any:
        if isinstance(op, ast.Mult):
            for many, count in ((left, right), (right, left)):
                if isinstance(many, str | list | tuple) and isinstance(count, int) and len(many) * count > MOST_ITEMS:
                    raise ValueError("it is too long")
        if isinstance(op, ast.Mod) and isinstance(left, str | bytes):
            raise _RefusedError("formatting")
        return _BINARY[type(op)](left, right)

    def _call(self, function: ast.expr, arguments: Sequence[ast.expr], named: Sequence[ast.keyword]) -> Any:
        name = ast.unparse(function)
        known = self._functions.get(name) or _FUNCTIONS.get(name)
        if known is None or any(word.arg is None for word in named):
            raise _RefusedError(f"{name}()")
        values = [self.value(argument) for argument in arguments]
        if name == "range" and len(range(*values)) > MOST_ITEMS:
            raise ValueError("it is too long")
        return known(*values, **{str(word.arg): self.value(word.value) for word in named})


def _short(expression: str) -> str:
    return expression if len(expression) <= 120 else f"{expression[:117]}..."

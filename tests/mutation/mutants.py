"""Plants every mutant of `hdl/` at once, each behind a value of the signal `SELECT`.

`install` makes Python import a rewritten `spikeloom.hdl`: each operator, condition, constant and
assignment becomes a call of a function below. While Amaranth elaborates, that function adds the
mutants beside what was written, as `Mux(SELECT == number, mutant, written)`. With `SELECT` 0 the
hardware is the one that was written.

| what is written | its mutants |
|---|---|
| `a & b`, `a \\| b`, `a ^ b` | another of these, `a`, `b` |
| `a + b`, `a - b`, `a * b`, `a << b`, `a >> b` | the opposite, `a` |
| `a == b`, `a < b`, ... | its neighbours: `!=`; `<=`, `>=`; ... and, if `b` is a number, `b + 1` |
| `~a`, `-a` | `a` |
| `a.any()`, `a.all()` | the other |
| `reduce(operator, list)`, `sum(list, start)` | without the first one, without the last one |
| the condition of `If`, `Elif` and `Mux` | 0, 1 |
| `a.eq(number)` | the number with its lowest bit inverted |
| an assignment, `m.next = state` | none |

What Python computes, such as widths and numbers of stages, is not mutated.
"""

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from amaranth import Const, Module, Mux, Signal, Value
from amaranth.hdl import Fragment

SELECT_BITS = 16
SELECT = Signal(SELECT_BITS, name="selected")
"""The number of the mutant that is alive; 0: none."""

numbers: dict[str, int] = {}
"""The numbers of all mutants elaborated so far, by name."""

modules: tuple[str, ...] = ("",)
"""Mutants are planted in the modules whose names begin with one of these."""

dead: frozenset[str] = frozenset()
"""Mutants that have a number and are not planted."""

alive: int | None = None
"""The number of the mutant that is alive in what is elaborated now; None: that is in `SELECT`."""


def elaborated(design: Any, number: int) -> Fragment:
    """`design` with one mutant alive, or with none if the number is 0."""
    global alive  # noqa: PLW0603
    alive = number
    fragment = Fragment.get(design, None)
    alive = None
    return fragment


# While Amaranth elaborates.

_HELPERS = tuple(f"common.{name}" for name in ("arithmetic", "delay", "load", "read", "tree"))
_beside: Module
"""A submodule of the module that is being elaborated, for what selects the mutants.

Its statements are under no condition of that module.
"""


def module(m: Module) -> Module:
    """A module whose `elaborate` begins."""
    global _beside  # noqa: PLW0603
    m.submodules.mutants = _beside = Module()
    return m


def _chosen(name: str) -> Value:
    if name.startswith(_HELPERS):
        # Functions of `common` are part of what calls them.
        frame = sys._getframe(1)
        while not (caller := frame.f_globals["__name__"]).startswith("spikeloom.hdl.") or (
            caller.removeprefix("spikeloom.hdl.").startswith(_HELPERS)
        ):
            frame = frame.f_back
        name = f"{name} in {caller.removeprefix('spikeloom.hdl.')}: {frame.f_code.co_name}"
    if not name.startswith(modules):
        return Const(0)
    number = numbers.setdefault(name, len(numbers) + 1)
    if name in dead:
        return Const(0)
    return number == SELECT if alive is None else Const(number == alive)


def _mutated(site: str, written: Any, mutants: dict[str, Callable[[], Any]]) -> Any:
    """`written`, with its mutants if it is hardware."""
    if not isinstance(written, Value) or not len(written):
        return written
    result = Signal.like(written, name="mutated", init=0)
    _beside.d.comb += result.eq(written)
    for label, mutant in mutants.items():
        with _beside.If(_chosen(f"{site} {label}")):
            _beside.d.comb += result.eq(mutant())
    return result


BINARY: dict[str, tuple[Callable[[Any, Any], Any], Sequence[str]]] = {
    "&": (lambda a, b: a & b, ("|", "left", "right")),
    "|": (lambda a, b: a | b, ("&", "left", "right")),
    "^": (lambda a, b: a ^ b, ("|", "left", "right")),
    "+": (lambda a, b: a + b, ("-", "left")),
    "-": (lambda a, b: a - b, ("+", "left")),
    "*": (lambda a, b: a * b, ("+", "left")),
    "<<": (lambda a, b: a << b, (">>", "left")),
    ">>": (lambda a, b: a >> b, ("<<", "left")),
    "==": (lambda a, b: a == b, ("!=", "next")),
    "!=": (lambda a, b: a != b, ("==", "next")),
    "<": (lambda a, b: a < b, ("<=", ">=", "next")),
    "<=": (lambda a, b: a <= b, ("<", ">", "next")),
    ">": (lambda a, b: a > b, (">=", "<=", "next")),
    ">=": (lambda a, b: a >= b, (">", "<", "next")),
}
"""Each operator, and those that replace it."""


def binary(site: str, operator: str, left: Any, right: Any) -> Any:
    """An operator between `left` and `right`."""
    apply, others = BINARY[operator]
    written = apply(left, right)
    mutants: dict[str, Callable[[], Any]] = {}
    for other in others:
        if other == "left":
            mutants["left"] = lambda: left
        elif other == "right":
            mutants["right"] = lambda: right
        elif other == "next":
            if isinstance(right, int):
                mutants["next"] = lambda: apply(left, right + 1)
        else:
            mutants[other] = lambda other=other: BINARY[other][0](left, right)
    return _mutated(site, written, {f"{operator} {name}": new for name, new in mutants.items()})


def inverted(site: str, operator: str, operand: Any) -> Any:
    """`~operand` or `-operand`."""
    written = ~operand if operator == "~" else -operand
    return _mutated(site, written, {f"{operator} dropped": lambda: operand})


def reduced(site: str, method: str, operand: Any) -> Any:
    """`operand.any()` or `operand.all()`."""
    written = getattr(operand, method)()
    if not isinstance(operand, Value) or len(operand) < 2:
        return written
    other = {"any": "all", "all": "any"}[method]
    return _mutated(site, written, {f"{method} {other}": getattr(operand, other)})


def folded(site: str, text: str, fold: Callable[[list[Any]], Any], operands: Iterable[Any]) -> Any:
    """`reduce(operator, operands)` or `sum(operands, start)`, which is `fold(operands)`."""
    every = list(operands)
    written = fold(every)
    if len(every) < 2:
        return written
    fewer = {"first": every[1:], "last": every[:-1]}
    mutants = {
        f"{text} without {name}": lambda part=part: fold(part) for name, part in fewer.items()
    }
    return _mutated(site, written, mutants)


def condition(site: str, written: Any) -> Any:
    """The condition of `If`, `Elif` or `Mux`."""
    if not isinstance(written, Value):
        return written
    return _mutated(site, written.bool(), {"never": lambda: 0, "always": lambda: 1})


def assigned(site: str, written: Any) -> Any:
    """What is assigned, if it is a number."""
    if type(written) is not int or written < 0:
        return written
    return Mux(_chosen(f"{site} constant {written}"), written ^ 1, written)


def assign(site: str, m: Module, domain: str, statements: Any) -> None:
    """`m.d[domain] += statements`, or not."""
    if not isinstance(statements, Iterable) or list(statements):
        with m.If(~_chosen(f"{site} dropped")):
            m.d[domain] += statements


def go_on(site: str, m: Module, state: str) -> None:
    """`m.next = state`, or not."""
    with m.If(~_chosen(f"{site} stays")):
        m.next = state


# While Python imports.

_OPERATORS: dict[type[ast.AST], str] = {
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Invert: "~",
    ast.USub: "-",
}
_OPERANDS = ast.Name("operands_", ast.Load())
"""What is folded, in the function that folds it."""
_RUNTIME = "mutation_"
"""The name of this module in the modules that are rewritten."""


class _Rewriter(ast.NodeTransformer):
    """Rewrites the functions of one module."""

    def __init__(self, module: str, function: str) -> None:
        self._place = f"{module}: {function}"
        self._texts: Counter[str] = Counter()

    def visit(self, node: ast.AST) -> Any:
        # The text is that of before: `ast.unparse` would show the calls that replace its parts.
        if isinstance(node, ast.expr | ast.Assign | ast.AugAssign) and not hasattr(node, "text"):
            node.text = ast.unparse(node)  # type: ignore[union-attr]
        return super().visit(node)

    def _call(self, function: str, node: ast.AST, *arguments: ast.expr) -> ast.Call:
        text = f"{self._place}: {function} {node.text}"
        self._texts[text] += 1
        again = f" #{self._texts[text]}" if self._texts[text] > 1 else ""
        site = f"{self._place}: `{node.text}`{again}"
        callee = ast.Attribute(ast.Name(_RUNTIME, ast.Load()), function, ast.Load())
        call = ast.Call(callee, [ast.Constant(site), *arguments], [])
        call.text = node.text
        return ast.copy_location(call, node)

    def _folded(
        self, function: str, node: ast.Call, arguments: list[ast.expr], operands: ast.expr
    ) -> ast.Call:
        parameters = ast.arguments([], [ast.arg(_OPERANDS.id)], None, [], [], None, [])
        fold = ast.Lambda(parameters, ast.Call(ast.Name(function, ast.Load()), arguments, []))
        return self._call("folded", node, ast.Constant(function), fold, operands)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_arguments(self, node: ast.arguments) -> ast.AST:
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        operator = _OPERATORS.get(type(node.op))
        if operator is None:
            return node
        return self._call("binary", node, ast.Constant(operator), node.left, node.right)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        operator = _OPERATORS.get(type(node.ops[0]))
        if operator is None or len(node.ops) > 1:
            return node
        (right,) = node.comparators
        return self._call("binary", node, ast.Constant(operator), node.left, right)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        operator = _OPERATORS.get(type(node.op))
        if operator is None or isinstance(node.operand, ast.Constant):
            return node
        return self._call("inverted", node, ast.Constant(operator), node.operand)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        match node:
            case ast.Call(ast.Name("reduce"), [operator, operands], []):
                return self._folded("reduce", node, [operator, _OPERANDS], operands)
            case ast.Call(ast.Name("sum"), [operands, start], []):
                return self._folded("sum", node, [_OPERANDS, start], operands)
            case ast.Call(ast.Attribute(operand, "any" | "all" as method), [], []):
                return self._call("reduced", node, ast.Constant(method), operand)
            case ast.Call(ast.Attribute(_, "If" | "Elif") | ast.Name("Mux"), [first, *_]):
                node.args[0] = self._call("condition", first, first)
            case ast.Call(ast.Attribute(_, "eq"), [value], []):
                node.args[0] = self._call("assigned", value, value)
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST | list[ast.AST]:
        self.generic_visit(node)
        match node.target:
            case ast.Attribute(ast.Attribute(m, "d"), domain):
                pass
            case ast.Name(name) if operator := _OPERATORS.get(type(node.op)):
                call = self._call(
                    "binary", node, ast.Constant(operator), ast.Name(name, ast.Load()), node.value
                )
                return ast.Assign([node.target], call)
            case _:
                return node
        match node.value:
            case ast.List(elements) if not any(isinstance(e, ast.Starred) for e in elements):
                pass
            case value:
                elements = [value]
        return [
            ast.Expr(self._call("assign", element, m, ast.Constant(domain), element))
            for element in elements
        ]

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        self.generic_visit(node)
        match node:
            case ast.Assign([ast.Attribute(ast.Name("m") as m, "next")], value):
                return ast.Expr(self._call("go_on", node, ast.Name(m.id, ast.Load()), value))
            case ast.Assign([ast.Name("m")], ast.Call(ast.Name("Module"), [], []) as new):
                callee = ast.Attribute(ast.Name(_RUNTIME, ast.Load()), "module", ast.Load())
                node.value = ast.Call(callee, [new], [])
        return node


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a module with its mutants."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        tree = ast.parse(self.get_data(path))
        module = fullname.removeprefix("spikeloom.hdl.")
        for node in tree.body:
            methods = node.body if isinstance(node, ast.ClassDef) else [node]
            for method in methods:
                if isinstance(method, ast.FunctionDef):
                    rewriter = _Rewriter(module, method.name)
                    body = [rewriter.visit(part) for part in method.body]
                    method.body = [
                        statement
                        for part in body
                        for statement in (part if isinstance(part, list) else [part])
                    ]
        name = ast.alias(Path(__file__).stem, _RUNTIME)
        after = 1 if ast.get_docstring(tree) is not None else 0
        tree.body.insert(after, ast.Import([name]))
        return compile(ast.fix_missing_locations(tree), path, "exec")


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not fullname.startswith("spikeloom.hdl."):
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = _Loader(fullname, spec.loader.path)
        return spec


def install() -> None:
    """Import `spikeloom.hdl` with mutants from now on, in this process."""
    if any(name.startswith("spikeloom.hdl.") for name in sys.modules):
        raise RuntimeError("spikeloom.hdl is imported already")
    sys.meta_path.insert(0, _Finder())

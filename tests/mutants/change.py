"""Changes of source code that find their place by meaning: syntax trees are compared, never text.

So neither line breaks nor comments nor what stands around a place matter, only what it says.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from textwrap import shorten

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
SHOWN = 3
"""So many candidates are named for a place that is gone."""


class Stale(Exception):
    """A change does not fit the code: its place is gone, or there is more than one."""


class Gone(Stale):
    """The place of a change is not where it was; says what is near."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one place.

    Args:
        old: what is looked for, as it is written in the catalogue.
        kinds: what kinds of node it may be.
        instead: what takes a node's place, or None if that node is not what is looked for.
    """

    old: str
    kinds: tuple[type[ast.AST], ...]
    instead: Callable[[ast.AST], list[ast.AST] | None]


def replace(old: str, *, by: str) -> Change:
    """Replace an expression by another, or a statement by others.

    `name=value` is an assignment or the argument of a call, whichever is there.
    """
    olds, news = ast.parse(old).body, ast.parse(by).body
    if len(olds) != 1:
        raise ValueError(f"one expression or statement, not {len(olds)}: {old!r}")
    before, after = olds[0], news[0]
    if isinstance(before, ast.Expr) and len(news) == 1 and isinstance(after, ast.Expr):
        return Change(old, (ast.expr,), _swap((before.value, [after.value])))
    swaps: list[tuple[ast.AST, list[ast.AST]]] = [(before, [*news])]
    argument = _as_argument(before)
    if argument is not None and len(news) == 1 and (other := _as_argument(after)) is not None:
        swaps.append((argument, [other]))
    return Change(old, (ast.stmt, ast.keyword), _swap(*swaps))


def drop(statement: str) -> Change:
    """Leave a statement out."""
    return replace(statement, by="pass")


def constant(name: str, value: object) -> Change:
    """Give a name another value wherever the place assigns one to it."""
    news: list[ast.AST] = [*ast.parse(f"{name} = {value!r}").body]

    def instead(node: ast.AST) -> list[ast.AST] | None:
        if isinstance(node, ast.Assign | ast.AnnAssign) and name in _assigned(node):
            return [node, *news]
        return None

    return Change(f"{name} = …", (ast.Assign, ast.AnnAssign), instead)


def change_source(source: str, within: str, changes: tuple[Change, ...]) -> str:
    """Return a module's source with each change made at the one place where it fits.

    Args:
        source: the module.
        within: the qualified name of the function, method or class to look in; empty for the whole module.
        changes: what to change; all places are looked for before any is changed.

    Raises:
        Gone: a change fits nowhere.
        Stale: a change fits more than once, or changes nothing.
    """
    tree = ast.parse(source)
    scope = _scope(tree, within)
    places = {id(node): news for node, news in (_place(scope, change) for change in changes)}
    swapper = _Swapper(places)
    swapper.generic_visit(tree)
    after = ast.unparse(tree)
    if swapper.swapped != len(changes):
        raise Stale("two changes overlap")
    compile(after, within, "exec")
    return after


def fits(tree: ast.AST, change: Change) -> list[ast.AST]:
    """Return the places in a tree that a change is meant for."""
    return [node for node in ast.walk(tree) if change.instead(node) is not None]


def definitions(scope: ast.AST, prefix: str = "") -> Iterator[tuple[str, Definition]]:
    """Yield all functions, methods and classes with their qualified names, outer ones first."""
    for child in ast.iter_child_nodes(scope):
        if isinstance(child, Definition):
            yield f"{prefix}{child.name}", child
            yield from definitions(child, f"{prefix}{child.name}.")
        else:
            yield from definitions(child, prefix)


def _scope(tree: ast.Module, within: str) -> ast.AST:
    if not within:
        return tree
    known = list(definitions(tree))
    found = [node for name, node in known if name == within]
    if len(found) == 1:
        return found[0]
    near = difflib.get_close_matches(within, [name for name, _ in known], SHOWN, 0.4)
    if found:
        raise Stale(f"{len(found)} definitions of {within}")
    raise Gone(f"no definition of {within}; near: {', '.join(near) or 'none'}")


def _place(scope: ast.AST, change: Change) -> tuple[ast.AST, list[ast.AST]]:
    found = fits(scope, change)
    if len(found) == 1:
        news = change.instead(found[0]) or []
        if [ast.dump(found[0])] == [ast.dump(new) for new in news]:
            raise Stale(f"nothing is changed: `{change.old}`")
        return found[0], news
    if found:
        lines = ", ".join(str(getattr(node, "lineno", "?")) for node in found)
        raise Stale(f"{len(found)} places say `{change.old}`: lines {lines}; a longer piece tells them apart")
    near = "".join(f"\n    near: {each}" for each in _near(scope, change))
    raise Gone(f"no place says `{change.old}`{near}")


def _near(scope: ast.AST, change: Change) -> Iterator[str]:
    nodes = [node for node in ast.walk(scope) if isinstance(node, change.kinds) and node is not scope]
    lines = {ast.unparse(node): getattr(node, "lineno", 0) for node in nodes}
    for text in difflib.get_close_matches(change.old, lines, SHOWN, 0.4):
        yield f"line {lines[text]}: {shorten(text, 120, placeholder=' …')}"


def _swap(*swaps: tuple[ast.AST, list[ast.AST]]) -> Callable[[ast.AST], list[ast.AST] | None]:
    wanted: Mapping[str, list[ast.AST]] = {ast.dump(old): news for old, news in swaps}
    kinds = tuple(type(old) for old, _ in swaps)

    def instead(node: ast.AST) -> list[ast.AST] | None:
        return wanted.get(ast.dump(node)) if isinstance(node, kinds) else None

    return instead


def _as_argument(statement: ast.stmt) -> ast.keyword | None:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return ast.keyword(name, value)
    return None


def _assigned(statement: ast.Assign | ast.AnnAssign) -> set[str]:
    names = (node for node in ast.walk(statement) if isinstance(node, ast.Name))
    return {node.id for node in names if isinstance(node.ctx, ast.Store)}


class _Swapper(ast.NodeTransformer):
    def __init__(self, places: Mapping[int, list[ast.AST]]) -> None:
        self._places = places
        self.swapped = 0

    def visit(self, node: ast.AST) -> ast.AST | list[ast.AST]:
        news = self._places.get(id(node))
        if news is None:
            changed: ast.AST = self.generic_visit(node)
            return changed
        self.swapped += 1
        return news if isinstance(node, ast.stmt) else news[0]

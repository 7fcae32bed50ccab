"""A Bicep file ready to be evaluated: what it declares, with its expressions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.infra.bicep import BicepFile, Block, Declaration, parse, text
from tests.infra.tools import INFRA

from .syntax import Conditional, Expression, Item, Literal, Loop, Name, Object, children, expression


@dataclass(frozen=True)
class Parameter:
    """A parameter: its type, default, and what its decorators ask of a value."""

    name: str
    type: str
    default: Expression | None
    decorators: Mapping[str, str]


@dataclass(frozen=True)
class Part:
    """A resource or module: its loop and condition, if any, and its body."""

    symbol: str
    target: str
    existing: bool
    loop: Loop | None
    condition: Expression | None
    body: Object
    line: int


@dataclass(frozen=True, eq=False)
class Source:
    """One file."""

    path: Path
    target_scope: str
    parameters: Mapping[str, Parameter]
    variables: Mapping[str, Expression]
    resources: Mapping[str, Part]
    modules: Mapping[str, Part]
    outputs: Mapping[str, Expression]

    def part(self, symbol: str) -> Part | None:
        """Return a resource or module by its symbol."""
        return self.resources.get(symbol) or self.modules.get(symbol)


def _parameter(declared: Declaration) -> Parameter:
    kind = next(text(child) for child in declared.node.named_children if child.type == "type")
    default = expression(declared.value) if declared.value is not None else None
    return Parameter(declared.name, kind, default, declared.decorators)


def _part(block: Block) -> Part:
    outer: Expression = expression(block.node.named_children[-1])
    loop = outer if isinstance(outer, Loop) else None
    inner = loop.body if loop else outer
    condition = inner.condition if isinstance(inner, Conditional) else None
    body = inner.body if isinstance(inner, Conditional) else inner
    assert isinstance(body, Object)
    return Part(block.name, block.target, block.existing, loop, condition, body, block.line)


def _value(declared: Declaration) -> Expression:
    assert declared.value is not None, f"{declared.name} has no value"
    return expression(declared.value)


def compile_file(file: BicepFile) -> Source:
    """Return a parsed file ready to be evaluated; ValueError where it cannot be understood."""
    scope = re.search(r"^targetScope = '(\w+)'", text(file.root), re.M)
    return Source(
        path=file.path,
        target_scope=scope.group(1) if scope else "resourceGroup",
        parameters={each.name: _parameter(each) for each in file.params.values()},
        variables={each.name: _value(each) for each in file.variables.values()},
        resources={block.name: _part(block) for block in file.resources},
        modules={block.name: _part(block) for block in file.modules},
        outputs={each.name: _value(each) for each in file.outputs.values()},
    )


@cache
def load(path: Path, content: str) -> Source:
    """Return a file's source by what it says, compiled once."""
    return compile_file(parse(path, content))


class Files:
    """The Bicep files, some of them perhaps with another content than on disk."""

    def __init__(self, root: Path = INFRA, changed: Mapping[Path, str] | None = None) -> None:
        self.root = root
        self._changed = dict(changed or {})

    def text(self, path: Path) -> str:
        """Return what a file says."""
        return self._changed.get(path) or path.read_text(encoding="utf-8")

    def source(self, path: Path) -> Source:
        """Return a Bicep file ready to be evaluated."""
        return load(path, self.text(path))


@dataclass(frozen=True)
class Reference:
    """A symbol of a resource or module that an expression names, and which of its loop, if it says."""

    symbol: str
    index: Expression | None


def references(
    source: Source, within: Expression, hidden: frozenset[str] = frozenset()
) -> Iterator[Reference]:
    """Yield what the compiler sees an expression refer to: through variables, on both sides of `?:`.

    A loop within a variable has no index outside it, so that it refers to the whole of another loop.
    """
    match within:
        case Item(Name(symbol), index) if symbol not in hidden and source.part(symbol):
            yield Reference(symbol, index)
            yield from references(source, index, hidden)
            return
        case Name(name) if name not in hidden:
            if source.part(name):
                yield Reference(name, None)
            elif name in source.variables:
                for each in references(source, source.variables[name]):
                    yield Reference(each.symbol, each.index if isinstance(each.index, Literal) else None)
            return
        case Loop(item, index, over, body):
            yield from references(source, over, hidden)
            yield from references(source, body, hidden | {item, index})
            return
    for child in children(within):
        yield from references(source, child, hidden)


@cache
def part_references(source: Source, symbol: str) -> tuple[Reference, ...]:
    """Return what a resource or module refers to in its body and its condition."""
    part = source.part(symbol)
    assert part is not None
    hidden = frozenset({part.loop.item, part.loop.index}) if part.loop else frozenset()
    whole = (part.body, part.condition) if part.condition else (part.body,)
    return tuple(each for expression in whole for each in references(source, expression, hidden))

"""What a Bicep file declares and refers to, read from its syntax tree.

No Bicep compiler runs here, so the checks that a compiler makes before it evaluates anything are made on this
model: names, modules, outputs. `template` evaluates what is left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

_PARSER = Parser(Language(tree_sitter_bicep.language()))


def tree(source: str) -> Node:
    """Return the root of the parser's tree."""
    return _PARSER.parse(source.encode()).root_node


def text(node: Node | None) -> str:
    """Return the source of a node."""
    return node.text.decode() if node is not None and node.text is not None else ""


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all below it, in the order of the source."""
    todo = [node]
    while todo:
        here = todo.pop()
        yield here
        todo += reversed(here.children)


def string_value(node: Node) -> str:
    """Return the characters between the quotes of a string node."""
    return text(node).strip("'")


@dataclass(frozen=True)
class Declaration:
    """One param, var or output with what decorates it."""

    name: str
    kind: str
    node: Node
    decorators: dict[str, str]
    value: Node | None

    @property
    def line(self) -> int:
        """Line in the file, from 1."""
        return self.node.start_point[0] + 1


@dataclass(frozen=True)
class Block:
    """One resource or module: its symbol, what it is of, its body, and whether it exists already."""

    name: str
    target: str
    node: Node
    body: Node
    existing: bool = False

    @property
    def line(self) -> int:
        """Line in the file, from 1."""
        return self.node.start_point[0] + 1


@dataclass(eq=False)
class BicepFile:
    """A parsed Bicep file."""

    path: Path
    root: Node
    params: dict[str, Declaration] = field(default_factory=dict)
    variables: dict[str, Declaration] = field(default_factory=dict)
    outputs: dict[str, Declaration] = field(default_factory=dict)
    resources: list[Block] = field(default_factory=list)
    modules: list[Block] = field(default_factory=list)

    def symbols(self) -> set[str]:
        """Return every name that the file declares at its top level."""
        blocks = {block.name for block in (*self.resources, *self.modules)}
        return set(self.params) | set(self.variables) | blocks


def _decorators(node: Node) -> dict[str, str]:
    found: dict[str, str] = {}
    for call in node.children:
        if call.type == "decorator":
            expression = call.named_children[0]
            function = expression.child_by_field_name("function")
            arguments = expression.child_by_field_name("arguments")
            found[text(function)] = text(arguments)[1:-1].strip()
    return found


def _body(node: Node) -> Node:
    """Return the object of a block, below its loop and its condition."""
    for child in node.named_children:
        if child.type == "object":
            return child
        if child.type in {"for_statement", "if_statement"}:
            return _body(child)
    raise ValueError(f"no body in {text(node)[:60]!r}")


def _block(node: Node) -> Block:
    identifier, target = node.named_children[0], node.named_children[1]
    existing = any(child.type == "existing" for child in node.children)
    return Block(text(identifier), string_value(target), node, _body(node), existing)


def _declaration(node: Node, kind: str, decorators: dict[str, str]) -> Declaration:
    named = node.named_children
    values = [child for child in named[1:] if child.type != "type"]
    return Declaration(text(named[0]), kind, node, decorators, values[-1] if values else None)


def parse(path: Path, source: str | None = None) -> BicepFile:
    """Parse a Bicep file.

    Args:
        path: where it is; modules and loaded files are looked up beside it.
        source: what it says, where that is not what the path holds.

    Returns:
        The file; its tree may hold errors, which `syntax_problems` reports.
    """
    content = path.read_text(encoding="utf-8") if source is None else source
    file = BicepFile(path, tree(content))
    decorators: dict[str, str] = {}
    for node in file.root.named_children:
        match node.type:
            case "decorators":
                decorators = _decorators(node)
                continue
            case "parameter_declaration":
                found = _declaration(node, "parameter", decorators)
                file.params[found.name] = found
            case "variable_declaration":
                found = _declaration(node, "variable", decorators)
                file.variables[found.name] = found
            case "output_declaration":
                found = _declaration(node, "output", decorators)
                file.outputs[found.name] = found
            case "resource_declaration":
                file.resources.append(_block(node))
            case "module_declaration":
                file.modules.append(_block(node))
        decorators = {}
    return file


def object_entries(node: Node) -> Iterator[tuple[str, Node]]:
    """Yield the keys of an object with their values."""
    for entry in node.named_children:
        if entry.type == "object_property":
            key, value = entry.named_children[0], entry.named_children[-1]
            yield (string_value(key) if key.type == "string" else text(key)), value


def member_paths(file: BicepFile, symbols: set[str]) -> Iterator[tuple[str, str, int]]:
    """Yield (symbol, dotted path, line) for every longest `symbol.a.b` in the file."""
    return (found for found in _members(file) if found[0] in symbols)


@cache
def _members(file: BicepFile) -> list[tuple[str, str, int]]:
    members = []
    for node in walk(file.root):
        if node.type != "member_expression" or (node.parent and node.parent.type == "member_expression"):
            continue
        names: list[str] = []
        here: Node | None = node
        while here is not None and here.type in {"member_expression", "subscript_expression"}:
            if here.type == "member_expression":
                names.insert(0, text(here.child_by_field_name("property")))
            here = here.child_by_field_name("object")
        if here is not None:
            members.append((text(here), ".".join(names), node.start_point[0] + 1))
    return members

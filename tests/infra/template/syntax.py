"""Bicep's expressions as a small tree of values, read from the parser's tree.

The parser's grammar binds a trailing `.name` or `[index]` looser than `?:` and `!`; Bicep binds it tighter.
`_attach` puts that right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace

from tree_sitter import Node

from tests.infra.bicep import text, tree

COMMENTS = frozenset({"comment", "diagnostic_comment"})
ESCAPES = {"\\n": "\n", "\\r": "\r", "\\t": "\t", "\\\\": "\\", "\\'": "'", "\\$": "$"}


@dataclass(frozen=True, slots=True)
class Literal:
    """A string, number, boolean or null."""

    value: str | int | bool | None


@dataclass(frozen=True, slots=True)
class Text:
    """A string with expressions in it."""

    parts: tuple[str | Expression, ...]


@dataclass(frozen=True, slots=True)
class Name:
    """A parameter, variable, resource, module or loop variable."""

    name: str


@dataclass(frozen=True, slots=True)
class Member:
    """`of.name`."""

    of: Expression
    name: str


@dataclass(frozen=True, slots=True)
class Item:
    """`of[index]`."""

    of: Expression
    index: Expression


@dataclass(frozen=True, slots=True)
class Invoke:
    """`function(arguments)`."""

    function: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """`condition ? yes : no`."""

    condition: Expression
    yes: Expression
    no: Expression


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator between two values, or before one."""

    operator: str
    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Object:
    """Keys and their values, in the order of the source."""

    entries: tuple[tuple[Expression, Expression], ...]

    def get(self, key: str) -> Expression | None:
        """Return the value of a key, if it is there."""
        return next((value for name, value in self.entries if name == Literal(key)), None)


@dataclass(frozen=True, slots=True)
class Array:
    """Values in order."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """`[for (item, index) in over: body]`; index is empty where the source names none."""

    item: str
    index: str
    over: Expression
    body: Expression


@dataclass(frozen=True, slots=True)
class Conditional:
    """`if (condition) body` of a resource or module."""

    condition: Expression
    body: Expression


Expression = (
    Literal | Text | Name | Member | Item | Invoke | Choice | Operation | Object | Array | Loop | Conditional
)


def children(expression: Expression) -> Iterator[Expression]:
    """Yield the expressions directly inside one."""
    for field in fields(expression):
        yield from _expressions_in(getattr(expression, field.name))


def _expressions_in(value: object) -> Iterator[Expression]:
    if isinstance(value, tuple):
        for each in value:
            yield from _expressions_in(each)
    elif isinstance(value, Expression):
        yield value


def expression(node: Node) -> Expression:
    """Return the expression that a node of the parser's tree stands for; ValueError where it has an error."""
    match node.type:
        case "identifier" | "compatible_identifier" | "property_identifier":
            return Name(text(node))
        case "number":
            return Literal(int(text(node)))
        case "boolean":
            return Literal(text(node) == "true")
        case "null":
            return Literal(None)
        case "string":
            return _string(node)
        case "parenthesized_expression" | "interpolation":
            return expression(node.named_children[0])
    build = _COMPOUND.get(node.type)
    if build is None:
        raise ValueError(
            f"line {node.start_point[0] + 1}: {node.type} is not understood: {text(node)[:60]!r}"
        )
    return build(node)


def _field(node: Node, name: str) -> Node:
    child = node.child_by_field_name(name)
    if child is None:
        raise ValueError(f"line {node.start_point[0] + 1}: no {name} in {text(node)[:60]!r}")
    return child


def _string(node: Node) -> Expression:
    quotes = 3 if text(node).startswith("'''") else 1
    source = (node.text or b"")[quotes:-quotes]
    parts: list[str | Expression] = []
    at = 0
    for child in (each for each in node.named_children if each.type == "interpolation"):
        # The parser takes white space before an expression for a part of it.
        inner = child.text or b""
        begin = child.end_byte - len(inner.lstrip()) - node.start_byte - quotes
        parts += [_unescape(source[at:begin]), expression(child)]
        at = child.end_byte - node.start_byte - quotes
    parts.append(_unescape(source[at:]))
    return Text(tuple(part for part in parts if part != "")) if len(parts) > 1 else Literal(str(parts[0]))


def _unescape(source: bytes) -> str:
    return re.sub(r"\\.", lambda found: ESCAPES.get(found.group(), found.group()), source.decode())


def _attach(node: Node, wrap: Callable[[Expression], Expression]) -> Expression:
    """Wrap the last operand of an unparenthesized `?:`, `!` or operator instead of the whole."""
    innermost = node
    while innermost.type in {"member_expression", "subscript_expression"}:
        innermost = _field(innermost, "object")
    return _wrap_last(expression(node), innermost, wrap)


def _wrap_last(whole: Expression, node: Node, wrap: Callable[[Expression], Expression]) -> Expression:
    match whole:
        case Choice() if node.type == "ternary_expression":
            return replace(whole, no=_wrap_last(whole.no, _field(node, "alternative"), wrap))
        case Operation(operands=operands) if node.type == "binary_expression":
            last = _wrap_last(operands[-1], _field(node, "right"), wrap)
            return replace(whole, operands=(*operands[:-1], last))
        case Operation(operands=operands) if node.type == "unary_expression":
            return replace(whole, operands=(_wrap_last(operands[0], _field(node, "argument"), wrap),))
    return wrap(whole)


def _member(node: Node) -> Expression:
    name = text(_field(node, "property"))
    return _attach(_field(node, "object"), lambda of: Member(of, name))


def _item(node: Node) -> Expression:
    index = expression(_field(node, "index"))
    return _attach(_field(node, "object"), lambda of: Item(of, index))


def _invoke(node: Node) -> Expression:
    arguments = tuple(expression(each) for each in _field(node, "arguments").named_children)
    return Invoke(text(_field(node, "function")), arguments)


def _choice(node: Node) -> Expression:
    parts = ("condition", "consequence", "alternative")
    return Choice(*(expression(_field(node, part)) for part in parts))


def _operation(node: Node) -> Expression:
    operands = tuple(expression(each) for each in node.named_children)
    sign = next(text(each) for each in node.children if not each.is_named)
    return Operation(sign, operands)


def _object(node: Node) -> Expression:
    entries = []
    for entry in node.named_children:
        if entry.type == "object_property":
            key, value = entry.named_children[0], entry.named_children[-1]
            name = Literal(text(key)) if key.type != "string" else _string(key)
            entries.append((name, expression(value)))
        elif entry.type not in COMMENTS:
            raise ValueError(f"line {entry.start_point[0] + 1}: {text(entry)[:60]!r} is no property")
    return Object(tuple(entries))


def _array(node: Node) -> Expression:
    groups: list[list[Node]] = []
    for child in node.named_children:
        if child.type in COMMENTS:
            continue
        # In an array the grammar takes `name(argument).rest` apart where it begins an item.
        if groups and groups[-1][-1].end_byte == child.start_byte:
            groups[-1].append(child)
        else:
            groups.append([child])
    return Array(tuple(_joined(group) for group in groups))


def _joined(nodes: list[Node]) -> Expression:
    if len(nodes) == 1:
        return expression(nodes[0])
    whole = tree(f"var item = {''.join(text(node) for node in nodes)}\n")
    return expression(whole.named_children[0].named_children[-1])


def _loop(node: Node) -> Expression:
    single = node.child_by_field_name("initializer")
    body = _field(node, "body")
    names = [text(single)] if single is not None else []
    named = [child for child in node.named_children if child.type not in COMMENTS]
    if single is None:
        names = [text(each) for each in named[0].named_children]
    over = expression(named[1])
    return Loop(names[0], names[1] if len(names) > 1 else "", over, expression(body))


def _conditional(node: Node) -> Expression:
    condition, body = (child for child in node.named_children if child.type not in COMMENTS)
    return Conditional(expression(condition), expression(body))


_COMPOUND: dict[str, Callable[[Node], Expression]] = {
    "member_expression": _member,
    "subscript_expression": _item,
    "call_expression": _invoke,
    "ternary_expression": _choice,
    "binary_expression": _operation,
    "unary_expression": _operation,
    "object": _object,
    "array": _array,
    "for_statement": _loop,
    "if_statement": _conditional,
}

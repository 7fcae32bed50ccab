"""The checks on the Bicep files: each returns one sentence for each problem, none when all is well."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tree_sitter import Node

from .azure_types import resource_type
from .bicep import BicepFile, Declaration, member_paths, object_entries, text, walk
from .template.functions import FUNCTIONS
from .template.source import Source, compile_file, part_references
from .template.syntax import Expression, Item, Member, Name, children

# What Bicep provides besides the functions that are evaluated; any other that is called is a typing mistake.
LIMITS = {"allowed", "maxLength", "maxValue", "minLength", "minValue"}
CONTEXT = ["environment", "resourceGroup", "resourceId", "subscription", "subscriptionResourceId"]
LOADERS = {"loadJsonContent", "loadTextContent"}
PROVIDED = LOADERS | LIMITS | {"description", "metadata", "secure", *CONTEXT, *FUNCTIONS}
SECRET_FUNCTIONS = re.compile(r"^(list(Keys|AccountSas|ServiceSas|.*Secrets?)|getSecret)$")
SECRET_NAMES = re.compile(
    r"password|secret|(account|access|shared|api|function|storage)key|token$|sas$", re.I
)
SECRET_VALUES = (
    re.compile(r"AccountKey=|SharedAccessSignature=|sig=[A-Za-z0-9%]{20,}"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{86}=="),
)
# Where a for-expression may stand: a declaration itself, or a property of a resource or module.
LOOP_PARENTS = {"variable_declaration", "output_declaration", "resource_declaration", "module_declaration"}
DECLARES_OR_NAMES = re.compile("_declaration$|^object_property$")
PROPERTY_CHAIN = {"object", "object_property", "array", "for_statement", "if_statement"}


def at(file: BicepFile, line: int, sentence: str) -> str:
    """Return the sentence with its place before it."""
    return f"{file.path.name}:{line}: {sentence}"


def syntax_problems(file: BicepFile) -> list[str]:
    """Report what the parser could not read, and loops where Bicep allows none."""
    found = []
    for node in walk(file.root):
        line = node.start_point[0] + 1
        if node.is_error or node.is_missing:
            found.append(at(file, line, f"cannot be parsed near {text(node)[:40]!r}"))
        if node.type == "for_statement":
            above = node.parent
            while above is not None and above.type in PROPERTY_CHAIN:
                above = above.parent
            if above is None or above.type not in LOOP_PARENTS:
                found.append(
                    at(file, line, "a loop is allowed in a declaration or a resource's property only")
                )
    return found


def description_problems(file: BicepFile) -> list[str]:
    """Report parameters and outputs without a description."""
    declared: list[Declaration] = [*file.params.values(), *file.outputs.values()]
    return [
        at(file, each.line, f"{each.kind} {each.name} has no description")
        for each in declared
        if not each.decorators.get("description", "").strip("'")
    ]


def _loop_names(file: BicepFile) -> Iterator[str]:
    for node in walk(file.root):
        if node.type in {"loop_variable", "loop_enumerator"}:
            yield text(node)
        if node.type == "for_statement" and (single := node.child_by_field_name("initializer")):
            yield text(single)


def _is_called(node: Node) -> bool:
    """Tell whether an identifier is a function's name; an array's grammar sees name and bracket apart."""
    parent, following = node.parent, node.next_sibling
    if parent is not None and parent.type == "call_expression":
        return parent.child_by_field_name("function") == node
    return following is not None and text(following).startswith("(") and following.start_byte == node.end_byte


def name_problems(file: BicepFile) -> list[str]:
    """Report names that nothing declares, functions that do not exist, and declarations that nothing uses."""
    found = []
    used: set[str] = set()
    known = file.symbols() | set(_loop_names(file))
    for node in walk(file.root):
        line = node.start_point[0] + 1
        if node.type != "identifier" or node.parent is None:
            continue
        name = text(node)
        if _is_called(node):
            if name not in PROVIDED and not SECRET_FUNCTIONS.match(name):
                found.append(at(file, line, f"there is no function {name}"))
        elif node.parent.named_children[0] == node and DECLARES_OR_NAMES.search(node.parent.type):
            continue
        elif name not in known:
            found.append(at(file, line, f"nothing declares {name}"))
        else:
            used.add(name)
    for each in (*file.params.values(), *file.variables.values()):
        if each.name not in used:
            found.append(at(file, each.line, f"nothing uses {each.kind} {each.name}"))
    return found


def _is_literal(node: Node) -> bool:
    parts = node.named_children
    return node.type == "string" and len(parts) == 1 and parts[0].type == "string_content"


def secret_problems(file: BicepFile) -> list[str]:
    """Report secrets: literals that look like one, and expressions that read one."""
    found = []
    for node in walk(file.root):
        line = node.start_point[0] + 1
        if node.type == "string" and any(pattern.search(text(node)) for pattern in SECRET_VALUES):
            found.append(at(file, line, "a literal looks like a secret"))
        if node.type == "call_expression":
            function = text(node.child_by_field_name("function")).rpartition(".")[2]
            if SECRET_FUNCTIONS.match(function):
                found.append(at(file, line, f"{text(node)[:40]} reads a key; use an identity"))
        for key, value in object_entries(node) if node.type == "object" else ():
            if SECRET_NAMES.search(key) and _is_literal(value):
                found.append(at(file, value.start_point[0] + 1, f"{key} is set to a literal"))
    return found


def secure_problems(file: BicepFile) -> list[str]:
    """Report parameters that sound like a secret and are not secure, and secure ones with a default."""
    found = []
    for each in file.params.values():
        secure = "secure" in each.decorators
        if SECRET_NAMES.search(each.name) and not secure:
            found.append(at(file, each.line, f"parameter {each.name} sounds like a secret and is not secure"))
        if secure and each.value is not None and text(each.value) not in {"''", "{}"}:
            found.append(at(file, each.line, f"secure parameter {each.name} has a default"))
    return found


def readable_problems(file: BicepFile) -> list[str]:
    """Report what is read from a resource and is no property of its type, where Azure's types are there."""
    found = []
    targets = {block.name: block.target for block in file.resources}
    for symbol, path, line in member_paths(file, set(targets)):
        known = resource_type(targets[symbol])
        if known is not None and path != "id" and not known.has(path):
            found.append(at(file, line, f"{targets[symbol]} has no readable property {path}"))
    return found


def loop_problems(source: Source) -> list[str]:
    """Report loops that refer to a loop over another list: an index may be out of bounds there.

    A condition around the reference is no help, since the compiler's dependsOn stands outside it.
    """
    found = []
    for part in (*source.resources.values(), *source.modules.values()):
        for each in part_references(source, part.symbol):
            other = source.part(each.symbol)
            if other is None or other.loop is None or each.index is None:
                continue
            if part.loop is None or part.loop.over != other.loop.over or each.index != Name(part.loop.index):
                sentence = f"{part.symbol} refers to {each.symbol}, a loop over another list, by an index"
                found.append(f"{source.path.name}:{part.line}: {sentence}")
    return found


def constant_problems(source: Source) -> list[str]:
    """Report what must be known before the deployment starts and is known only while it runs."""
    found = []
    for part in (*source.resources.values(), *source.modules.values()):
        fixed = [part.body.get("name"), part.body.get("scope"), part.condition]
        fixed.append(part.loop.over if part.loop else None)
        for expression in fixed:
            late = [] if expression is None else list(_late(source, expression))
            if late:
                found.append(
                    f"{source.path.name}:{part.line}: {part.symbol} needs {late[0]} before it starts"
                )
    return found


def _late(source: Source, within: Expression) -> Iterator[str]:
    """Yield what an expression reads of resources' properties and modules' outputs."""
    match within:
        case Member(Name(symbol) | Item(Name(symbol)), name):
            if source.part(symbol) and name in {"properties", "outputs"}:
                yield f"{symbol}.{name}"
        case Name(name) if name in source.variables:
            yield from _late(source, source.variables[name])
    for child in children(within):
        yield from _late(source, child)


def loaded_problems(file: BicepFile) -> list[str]:
    """Report files that are loaded and not there."""
    found = []
    for node in walk(file.root):
        if node.type == "call_expression" and text(node.child_by_field_name("function")) in LOADERS:
            name = text(node.child_by_field_name("arguments"))[1:-1].strip("'")
            if not (file.path.parent / name).is_file():
                found.append(at(file, node.start_point[0] + 1, f"there is no file {name}"))
    return found


def module_problems(file: BicepFile, files: Mapping[Path, BicepFile]) -> list[str]:
    """Report modules that are missing or used wrongly: their parameters, and their outputs both ways."""
    found = []
    read = {(symbol, path) for symbol, path, _ in member_paths(file, {block.name for block in file.modules})}
    for block in file.modules:
        module = files.get((file.path.parent / block.target).resolve())
        if module is None:
            found.append(at(file, block.line, f"there is no module {block.target}"))
            continue
        entries = dict(object_entries(block.body))
        given = {key for key, _ in object_entries(entries["params"])} if "params" in entries else set()
        for name in sorted(given - set(module.params)):
            found.append(at(file, block.line, f"{block.target} has no parameter {name}"))
        required = {name for name, each in module.params.items() if each.value is None}
        for name in sorted(required - given):
            found.append(at(file, block.line, f"{block.target} needs parameter {name}"))
        for symbol, path in sorted(read):
            parts = path.split(".")
            if symbol == block.name and parts[0] == "outputs" and parts[1] not in module.outputs:
                found.append(at(file, block.line, f"{block.target} has no output {parts[1]}"))
    return found


def output_problems(files: Mapping[Path, BicepFile]) -> list[str]:
    """Report outputs of modules that no file reads."""
    read: set[tuple[Path, str]] = set()
    modules: set[Path] = set()
    for file in files.values():
        targets = {block.name: (file.path.parent / block.target).resolve() for block in file.modules}
        modules.update(targets.values())
        for symbol, path, _ in member_paths(file, set(targets)):
            read.add((targets[symbol], path.removeprefix("outputs.")))
    return [
        at(files[path], each.line, f"nothing reads output {each.name}")
        for path in sorted(modules & set(files))
        for each in files[path].outputs.values()
        if (path, each.name) not in read
    ]


def role_problems(role: Mapping[str, Any], needed: frozenset[str]) -> list[str]:
    """Report actions of a role that the code does not need, or needs and does not get."""
    granted = list(role["Actions"])
    found = [f"{action} is granted and not needed" for action in granted if action not in needed]
    found += [f"{action} is needed and not granted" for action in sorted(needed) if action not in granted]
    found += [f"{action} is granted twice" for action in set(granted) if granted.count(action) > 1]
    found += [
        f"{name} is not empty" for name in ("NotActions", "DataActions", "NotDataActions") if role[name]
    ]
    return found


def reference_problems(references: Mapping[str, str], needed: frozenset[str]) -> list[str]:
    """Report what can be added to the role and is no join of something else than the role has already."""
    join = re.compile(r"Microsoft\.Network/\w+(/\w+)?/join(IpConfiguration)?/action")
    found = [f"{each} is no join action" for each in references.values() if not join.fullmatch(each)]
    return found + [f"{each} is granted already" for each in references.values() if each in needed]


def all_problems(files: Mapping[Path, BicepFile]) -> Iterator[str]:
    """Yield every problem of every file."""
    for file in files.values():
        yield from file_problems(file)
        yield from module_problems(file, files)
    yield from output_problems(files)


@cache
def file_problems(file: BicepFile) -> list[str]:
    """Report what is wrong with a file by itself."""
    found = syntax_problems(file)
    if found:
        return found
    source = compile_file(file)
    return [
        *description_problems(file),
        *name_problems(file),
        *secret_problems(file),
        *secure_problems(file),
        *readable_problems(file),
        *loaded_problems(file),
        *loop_problems(source),
        *constant_problems(source),
    ]

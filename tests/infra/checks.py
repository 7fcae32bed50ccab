"""The checks on the Bicep files: each returns one sentence for each problem, none when all is well."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tree_sitter import Node

from .bicep import BicepFile, Declaration, member_paths, object_entries, property_paths, text, walk

Known = Mapping[str, Mapping[str, list[str]]]

# What Bicep and Azure Resource Manager provide; anything else that is called is a typing mistake.
FUNCTIONS = frozenset(
    {
        "allowed",
        "base64",
        "concat",
        "contains",
        "deployment",
        "description",
        "empty",
        "environment",
        "guid",
        "json",
        "length",
        "loadJsonContent",
        "loadTextContent",
        "maxLength",
        "maxValue",
        "metadata",
        "minLength",
        "minValue",
        "replace",
        "resourceGroup",
        "resourceId",
        "secure",
        "split",
        "string",
        "subscription",
        "subscriptionResourceId",
        "take",
        "tenant",
        "toLower",
        "trim",
        "union",
        "uniqueString",
        "batchSize",
    }
)
LOADERS = {"loadJsonContent", "loadTextContent"}
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
            if name not in FUNCTIONS and not SECRET_FUNCTIONS.match(name):
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


def resource_problems(file: BicepFile, known: Known) -> list[str]:
    """Report resource types, API versions and properties not checked against Azure's own types."""
    found = []
    for block in file.resources:
        if block.target not in known:
            found.append(at(file, block.line, f"{block.target} is not a known type and API version"))
            continue
        for path in sorted(property_paths(block, file) - set(known[block.target].get("set", []))):
            found.append(at(file, block.line, f"{block.target} has no known property {path}"))
    targets = {block.name: block.target for block in file.resources}
    for symbol, path, line in member_paths(file, set(targets)):
        if path not in {"id", "name", *known.get(targets[symbol], {}).get("read", [])}:
            found.append(at(file, line, f"{targets[symbol]} has no known readable property {path}"))
    return found


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


def all_problems(files: Mapping[Path, BicepFile], known: Known) -> Iterator[str]:
    """Yield every problem of every file."""
    for file in files.values():
        yield from syntax_problems(file)
        yield from description_problems(file)
        yield from name_problems(file)
        yield from secret_problems(file)
        yield from secure_problems(file)
        yield from resource_problems(file, known)
        yield from loaded_problems(file)
        yield from module_problems(file, files)
    yield from output_problems(files)


def load_known(path: Path) -> Known:
    """Return the resource types, and their properties, that were checked against Azure's own types."""
    known: Known = json.loads(path.read_text(encoding="utf-8"))["types"]
    return known

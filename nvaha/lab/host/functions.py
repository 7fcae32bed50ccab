"""The functions of an app, as the app itself indexes them, and their invocation."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import inspect
import json
import logging
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import azure.functions as func

import nvaha
from nvaha.lab.host.settings import HostError, resolve

TRIGGERS = ("timerTrigger", "queueTrigger", "httpTrigger")
_CANCEL_S = 5.0
_log = logging.getLogger("Host")


@dataclass(frozen=True, slots=True)
class IndexedFunction:
    """One function.

    Args:
        name: its name.
        kind: one of `TRIGGERS`.
        binding: the trigger's binding, `%NAME%` put in.
        call: what to call, a coroutine function or a plain one.
        wants_context: whether it takes a `context`.
    """

    name: str
    kind: str
    binding: Mapping[str, Any]
    call: Callable[..., Any]
    wants_context: bool


def index(folder: Path, settings: Mapping[str, str]) -> tuple[IndexedFunction, ...]:
    """Import `function_app.py` from a folder and return its functions.

    What lies beside it comes before what is installed, as under any host: also the package `nvaha`.

    Raises:
        HostError: there is no app, or it asks for more than the local host has.
    """
    path = folder / "function_app.py"
    spec = importlib.util.spec_from_file_location("function_app", path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise HostError(f"{path} is not there; give the app's folder with --folder")
    module = importlib.util.module_from_spec(spec)
    sys.modules["function_app"] = module
    sys.path.insert(0, str(folder))
    _make_way(folder)
    spec.loader.exec_module(module)
    apps = [each for each in vars(module).values() if isinstance(each, func.FunctionApp)]
    if len(apps) != 1:
        raise HostError(f"{path} has {len(apps)} FunctionApp objects; there must be exactly one")
    functions = tuple(_indexed(each, settings) for each in apps[0].get_functions())
    if not functions:
        raise HostError(f"{path} has no functions")
    return functions


def _make_way(folder: Path) -> None:
    """Forget this host's own `nvaha` by name, if the app brings one of another release.

    The real host is no Python program, so that an app never meets any other `nvaha` than its own. What is
    imported here goes on as it is; only who imports from now on gets the app's.
    """
    theirs = folder / "nvaha" / "__init__.py"
    if not theirs.is_file() or theirs.samefile(nvaha.__file__):
        return
    for name in [each for each in sys.modules if each.partition(".")[0] == "nvaha"]:
        del sys.modules[name]
    importlib.invalidate_caches()


def _indexed(function: Any, settings: Mapping[str, str]) -> IndexedFunction:
    name = str(function.get_function_name())
    bindings = [json.loads(each) for each in function.get_raw_bindings()]
    triggers = [each for each in bindings if each["type"] in TRIGGERS]
    others = [each["type"] for each in bindings if each["type"] not in (*TRIGGERS, "http")]
    if len(triggers) != 1 or others:
        found = ", ".join(each["type"] for each in bindings)
        raise HostError(
            f"function {name} is bound to {found}; the local host knows one of {', '.join(TRIGGERS)} each"
        )
    binding = {
        key: resolve(value, settings) if isinstance(value, str) else value
        for key, value in triggers[0].items()
    }
    call = function.get_user_function()
    wants_context = "context" in inspect.signature(call).parameters and binding["name"] != "context"
    return IndexedFunction(name, binding["type"], binding, call, wants_context)


class _Context(func.Context):
    """What a function may know of its invocation."""

    def __init__(self, name: str, folder: Path, invocation: str) -> None:
        self._name = name
        self._folder = folder
        self._invocation = invocation

    @property
    def invocation_id(self) -> str:
        return self._invocation

    @property
    def function_name(self) -> str:
        return self._name

    @property
    def function_directory(self) -> str:
        return str(self._folder)

    @property
    def thread_local_storage(self) -> Any:
        return threading.local()

    @property
    def trace_context(self) -> Any:
        return None

    @property
    def retry_context(self) -> Any:
        return None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an invocation ended: `error` is None exactly if it did well."""

    value: Any = None
    error: BaseException | None = None


class FunctionTimeoutError(Exception):
    """A function ran longer than functionTimeout."""


class Invoker:
    """Calls functions as the host does: what they raise is logged and told, never thrown at the listener.

    Args:
        folder: the app's.
        timeout_s: host.json's functionTimeout; None for none. The real host restarts the worker then; here
            the function is cancelled.
    """

    def __init__(self, folder: Path, timeout_s: float | None) -> None:
        self._folder = folder
        self._timeout_s = timeout_s

    async def invoke(self, function: IndexedFunction, trigger: object, reason: str) -> Outcome:
        """Call a function with its trigger's value."""
        invocation = str(uuid.uuid4())
        arguments: dict[str, Any] = {function.binding["name"]: trigger}
        if function.wants_context:
            arguments["context"] = _Context(function.name, self._folder, invocation)
        text = f"'Functions.{function.name}' (Reason='{reason}', Id={invocation})"
        _log.debug("Executing %s", text)
        started = time.monotonic()
        task = asyncio.ensure_future(_called(function.call, arguments))
        await asyncio.wait({task}, timeout=self._timeout_s)
        outcome = await self._outcome(task, function.name)
        took_ms = (time.monotonic() - started) * 1000
        if outcome.error is None:
            _log.debug(
                "Executed 'Functions.%s' (Succeeded, Id=%s, Duration=%.0fms)",
                function.name,
                invocation,
                took_ms,
            )
        else:
            _log.error(
                "Executed 'Functions.%s' (Failed, Id=%s, Duration=%.0fms)",
                function.name,
                invocation,
                took_ms,
                exc_info=outcome.error,
            )
        return outcome

    async def _outcome(self, task: asyncio.Future[Any], name: str) -> Outcome:
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=_CANCEL_S)
            return Outcome(error=FunctionTimeoutError(f"{name} ran longer than {self._timeout_s:g} s"))
        if task.cancelled():
            return Outcome(error=asyncio.CancelledError(f"{name} was cancelled"))
        error = task.exception()
        return Outcome(error=error) if error is not None else Outcome(task.result())


async def _called(call: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    if inspect.iscoroutinefunction(call):
        return await call(**arguments)
    return await asyncio.to_thread(call, **arguments)

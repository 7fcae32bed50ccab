"""The triggers and their wiring; nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import azure.functions as func

from nvaha.app.holder import AppHolder
from nvaha.config.settings import for_triggers
from nvaha.web.api import Api
from nvaha.web.page import Page

CONNECTION, SCHEDULE = for_triggers(os.environ)

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
holder = AppHolder(Path(__file__).parent)
holder.warm_up()
api = Api(holder, signed_in=os.environ.get("WEBSITE_AUTH_ENABLED", "").lower() == "true")
page = Page(api.caller)


@app.timer_trigger(arg_name="timer", schedule=SCHEDULE, run_on_startup=True, use_monitor=False)
async def probe(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the binding needs its name
    """Probe and decide until the next tick."""
    async with holder.using() as nvaha:
        await nvaha.tick()


@app.queue_trigger(arg_name="message", queue_name="nvaha-switch", connection=CONNECTION)
async def switch(message: func.QueueMessage) -> None:
    """Carry a switch out."""
    await holder.switch(message.get_body())


@app.queue_trigger(arg_name="message", queue_name="nvaha-switch-poison", connection=CONNECTION)
async def poison(message: func.QueueMessage) -> None:
    """Give up a switch whose message failed every time."""
    async with holder.using() as nvaha:
        await nvaha.give_up(message.get_body())


@app.route("health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def health(req: func.HttpRequest) -> func.HttpResponse:
    """Tell whether a leader's round is fresh, or with ?self whether this app could lead."""
    return await api.health(req)


@app.route("openapi.json", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def openapi(req: func.HttpRequest) -> func.HttpResponse:
    """Show the API as a document."""
    return await api.openapi(req)


@app.route("ui", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def ui(req: func.HttpRequest) -> func.HttpResponse:
    """Send the status page, which shows nothing without a key."""
    return await page.index(req)


@app.route("ui/{version}/{name}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def ui_file(req: func.HttpRequest) -> func.HttpResponse:
    """Send one of the page's files."""
    return await page.file(req)


@app.route("groups", methods=["GET"])
async def groups(req: func.HttpRequest) -> func.HttpResponse:
    """Show the leader and all groups."""
    return await api.groups(req)


@app.route("groups/{group}", methods=["GET"])
async def group(req: func.HttpRequest) -> func.HttpResponse:
    """Show one group."""
    return await api.group(req)


@app.route("groups/{group}/plan", methods=["GET"])
async def plan(req: func.HttpRequest) -> func.HttpResponse:
    """Show what a failover would change."""
    return await api.plan(req)


@app.route("groups/{group}/check", methods=["GET"])
async def check(req: func.HttpRequest) -> func.HttpResponse:
    """Show how a group stands in Azure."""
    return await api.check(req)


@app.route("groups/{group}/break-glass", methods=["GET"])
async def break_glass(req: func.HttpRequest) -> func.HttpResponse:
    """Show how a group is moved by hand."""
    return await api.break_glass(req)


@app.route("doctor", methods=["GET"])
async def doctor(req: func.HttpRequest) -> func.HttpResponse:
    """Examine everything that the app needs."""
    return await api.doctor(req)


@app.route("groups/{group}/failover", methods=["POST"])
async def failover(req: func.HttpRequest) -> func.HttpResponse:
    """Start a failover."""
    return await api.failover(req)


@app.route("groups/{group}/cancel", methods=["POST"])
async def cancel(req: func.HttpRequest) -> func.HttpResponse:
    """Cancel a scheduled failover."""
    return await api.cancel(req)


@app.route("groups/{group}/pause", methods=["POST"])
async def pause(req: func.HttpRequest) -> func.HttpResponse:
    """Pause a group."""
    return await api.pause(req)


@app.route("groups/{group}/resume", methods=["POST"])
async def resume(req: func.HttpRequest) -> func.HttpResponse:
    """Resume a group."""
    return await api.resume(req)


@app.route("groups/{group}/history", methods=["GET"])
async def history(req: func.HttpRequest) -> func.HttpResponse:
    """Show a group's operations."""
    return await api.history(req)


@app.route("metrics", methods=["GET"])
async def metrics(req: func.HttpRequest) -> func.HttpResponse:
    """Show metrics as Prometheus reads them."""
    return await api.metrics(req)


@app.route("history", methods=["GET"])
async def history_of_all(req: func.HttpRequest) -> func.HttpResponse:
    """Show all groups' operations."""
    return await api.history(req)


@app.route("notify/test", methods=["POST"])
async def notify_test(req: func.HttpRequest) -> func.HttpResponse:
    """Send a test to receivers."""
    return await api.notify_test(req)


@app.route("state", methods=["GET"], auth_level=func.AuthLevel.ADMIN)
async def export(req: func.HttpRequest) -> func.HttpResponse:
    """Export all states."""
    return await api.export(req)


@app.route("state/{group}", methods=["POST"], auth_level=func.AuthLevel.ADMIN)
async def adopt(req: func.HttpRequest) -> func.HttpResponse:
    """Take a group's state over from an export."""
    return await api.adopt(req)


@app.route("operations/{id}", methods=["GET"])
async def operation(req: func.HttpRequest) -> func.HttpResponse:
    """Show one operation."""
    return await api.operation(req)

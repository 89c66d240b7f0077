"""`fanjet bench`: measure this server, or two side by side."""

import asyncio
import json
import logging
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop

from fanjet.bench.environment import FULL, QUICK
from fanjet.bench.processes.server import Attached, Server, Spawned
from fanjet.bench.report import as_json, table
from fanjet.bench.runner import Plan, Result, run_plan
from fanjet.bench.scenarios import SCENARIOS, Scenario
from fanjet.bench.settings import server_settings

THIS_SERVER = "{python} -m fanjet -c {config}"
VERBOSE = ("hpack", "quic")
"""Loggers that log each header and packet."""

Names = Annotated[list[str] | None, typer.Argument(metavar="SCENARIO", help="What to run; everything by default.")]
ServerCommand = Annotated[
    str, typer.Option("--server", help="Command that starts the server; {config}, {port}, {python} are filled in.")
]
PeerCommand = Annotated[
    str | None, typer.Option("--peer", help="Command that starts a second server, to compare with in the same run.")
]
Address = Annotated[
    str | None,
    typer.Option("--url", help="HOST:PORT of a server that runs already (on what --print-config prints; needs --pid)."),
]
Pid = Annotated[int | None, typer.Option("--pid", help="Process of the server at --url.")]
Quick = Annotated[bool, typer.Option("--quick", help="Less than a second each, smaller crowds: a check, not a figure.")]
Rounds = Annotated[int, typer.Option("--rounds", min=1, help="Times each scenario is run; figures are medians.")]
Pin = Annotated[bool, typer.Option("--pin", help="Keep servers on the first processor, the generator on the second.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Also write every round's figures to this file.")]
ListThem = Annotated[bool, typer.Option("--list", help="Print the scenarios and exit.")]
PrintConfig = Annotated[
    bool, typer.Option("--print-config", help="Print the configuration to run a server on and exit.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bench", help="Measure this server, or compare it with another one that speaks the protocol.")(bench)


def bench(
    names: Names = None,
    *,
    server: ServerCommand = THIS_SERVER,
    peer: PeerCommand = None,
    url: Address = None,
    pid: Pid = None,
    quick: Quick = False,
    rounds: Rounds = 1,
    pin: Pin = False,
    json_file: JsonFile = None,
    list_them: ListThem = False,
    print_config: PrintConfig = False,
) -> None:
    """Run the scenarios and print their figures. Exit status 1 when a server failed one."""
    if list_them:
        print("\n".join(f"{scenario.name:20} {scenario.summary}" for scenario in SCENARIOS))
        return
    if print_config:
        print(json.dumps(server_settings(8000), indent=2))
        return
    servers: list[Server] = [_first_server(server, url, pid)]
    if peer is not None:
        servers.append(Spawned(peer))
    plan = Plan(_chosen(names), servers, rounds, QUICK if quick else FULL, pin=pin)
    results = _run(plan)
    print(table(results))
    if json_file is not None:
        json_file.write_text(json.dumps(as_json(results), indent=1, ensure_ascii=False) + "\n")
    if any(outcome.error for result in results for outcome in result.outcomes):
        raise typer.Exit(1)


def _chosen(names: list[str] | None) -> list[Scenario]:
    known = {scenario.name: scenario for scenario in SCENARIOS}
    for name in names or ():
        if name not in known:
            raise typer.BadParameter(f"no scenario {name!r}; there are {', '.join(known)}")
    return [known[name] for name in names or known]


def _first_server(command: str, url: str | None, pid: int | None) -> Server:
    if url is None and pid is None:
        return Spawned(command)
    host, _, port = (url or "").removeprefix("http://").rstrip("/").rpartition(":")
    if not host or not port.isdigit() or pid is None:
        raise typer.BadParameter("a running server is given by both --url HOST:PORT and --pid PID")
    return Attached((host, int(port)), pid)


def _run(plan: Plan) -> list[Result]:
    for library in VERBOSE:
        logging.getLogger(library).setLevel(logging.ERROR)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run_until_signal(run_plan(plan, lambda step: print(step, file=sys.stderr))))


async def _run_until_signal(running: Coroutine[Any, Any, list[Result]]) -> list[Result]:
    """Run, and cancel on a signal, so that the servers are stopped: they are in their own sessions."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(running)
    received: list[signal.Signals] = []

    def end(number: signal.Signals) -> None:
        if not received:  # a second signal would interrupt the cleanup
            received.append(number)
            task.cancel()

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # ignored by nohup
            loop.add_signal_handler(number, end, number)
    try:
        return await task
    except asyncio.CancelledError:
        if not received:
            raise
        raise typer.Exit(128 + received[0]) from None

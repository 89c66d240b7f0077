"""The server: `fanjet` without a sub-command (04 §1.6, §8.2)."""

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from dotenv import load_dotenv
from dotenv.parser import parse_stream

from fanjet.cli.arguments import CommandFlag, FlagSet
from fanjet.cli.options import DEFAULT_PATH
from fanjet.config import ConfigError, load_config
from fanjet.config.sources.flags import FLAGS, Flag
from fanjet.telemetry.logging import get_logger

log = get_logger(__name__)


def register(app: typer.Typer) -> None:
    """Make the server the command that runs without a sub-command, with a parameter for each flag."""

    def server(context: typer.Context, config: str, **flags: str | None) -> None:
        if context.invoked_subcommand is None:
            raise typer.Exit(serve(config, _given(flags)))

    server.__doc__ = "Fanjet: real-time messaging server."
    parameters = list(_parameters())
    server.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    server.__annotations__ = {each.name: each.annotation for each in parameters}
    app.callback(invoke_without_command=True)(server)


def serve(path: str, flags: Mapping[str, str]) -> int:
    """Load the configuration and run the server until it ends; returns the exit status."""
    dotenv = load_dotenv_file()
    try:
        loaded = load_config(path, flags=flags, dotenv=dotenv)
    except ConfigError as error:
        log.fatal("error getting config", error=error)
    from fanjet.server.lifecycle import run  # noqa: PLC0415 - the helper commands need none of it

    return run(loaded)


def load_dotenv_file() -> bool:
    """Read `.env` of the working directory into the environment, keeping variables that are set; returns whether it
    exists."""
    file = Path(".env")
    if not file.is_file():
        return False
    try:
        with file.open(encoding="utf-8") as stream:
            broken = [binding.original.line for binding in parse_stream(stream) if binding.error]
    except (OSError, ValueError) as error:
        log.fatal("error loading .env file", error=error)
    if broken:
        log.fatal("error loading .env file", error=f"line {broken[0]} is malformed")
    load_dotenv(file, override=False, interpolate=True, encoding="utf-8")
    return True


def server_flags() -> FlagSet:
    """Return the flags of the server by name."""
    flags = {"--config": CommandFlag("--config", "string", "-c, --config")}
    flags["-c"] = flags["--config"]
    for flag in FLAGS:
        long = f"--{flag.key}"
        label = f"-{flag.short}, {long}" if flag.short else long
        flags[long] = CommandFlag(long, flag.kind, label, keeps_value=flag.kind == "bool")
        if flag.short:
            flags[f"-{flag.short}"] = flags[long]
    return FlagSet(flags)


def _given(flags: Mapping[str, str | None]) -> dict[str, str]:
    return {flag.key: value for flag in FLAGS if (value := flags[_parameter_name(flag)]) is not None}


def _parameter_name(flag: Flag) -> str:
    return flag.key.replace(".", "_")


def _parameters() -> Iterator[inspect.Parameter]:
    yield _parameter("context", typer.Context, inspect.Parameter.empty)
    config = typer.Option("--config", "-c", help="path of the configuration file", metavar="string")
    yield _parameter("config", Annotated[str, config], DEFAULT_PATH)
    for flag in FLAGS:
        names = [f"--{flag.key}", *([f"-{flag.short}"] if flag.short else [])]
        shown = f" (default {flag.shown_default})" if flag.shown_default else ""
        metavar = "" if flag.kind == "bool" else flag.kind
        option = typer.Option(*names, help=f"{flag.description}{shown}", metavar=metavar, show_default=False)
        yield _parameter(_parameter_name(flag), Annotated[str | None, option], None)


def _parameter(name: str, annotation: Any, default: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)

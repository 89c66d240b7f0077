"""The `fanjet` command: finds the sub-command, rewrites its flags and runs it."""

import importlib
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import typer

from fanjet.cli import server
from fanjet.cli.arguments import CommandFlag, FlagSet, UsageError, rewrite, split_command
from fanjet.telemetry.logging import log_to_stderr

COMMANDS = {
    "bench": "bench",
    "checkconfig": "checkconfig",
    "checksubtoken": "checktokens",
    "checktoken": "checktokens",
    "completion": "completion",
    "configdoc": "configdoc",
    "defaultconfig": "defaultconfig",
    "defaultenv": "defaultenv",
    "dev": "dev",
    "doctor": "doctor",
    "genconfig": "genconfig",
    "gensubtoken": "tokens",
    "gentoken": "tokens",
    "info": "info",
    "presence": "presence",
    "publish": "publish",
    "serve": "static",
    "tail": "tail",
    "version": "version",
}
"""Commands and the modules of this package that register them. A module is imported only when it is needed."""


def build_group(names: Iterable[str]) -> Any:
    """Return the command group with the server and the commands named."""
    app = typer.Typer(
        name="fanjet",
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    )
    server.register(app)
    for module in sorted({COMMANDS[name] for name in names}):
        importlib.import_module(f"fanjet.cli.{module}").register(app)
    return typer.main.get_command(app)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit status: 0, or 1 for everything that fails, wrong usage included."""
    log_to_stderr()
    _escape_unencodable_output()
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        name, rest = _chosen(given)
    except UsageError as error:
        print(f"Error: {error}\nRun 'fanjet --help' for usage.", file=sys.stderr)
        return 1
    group = build_group([name] if name in COMMANDS and name != "completion" else _listed_commands(rest, name))
    command = group.commands[name] if name else group
    try:
        rewritten = rewrite(rest, flags_of(command) if name else server.server_flags())
    except UsageError as error:
        print(f"Error: {error}\n{_usage(name)}", file=sys.stderr)
        return 1
    return _run(group, [name, *rewritten] if name else rewritten)


def _listed_commands(rest: list[str], name: str) -> Iterable[str]:
    """All commands when help or completion lists them; a start of the server needs none."""
    return COMMANDS if name or {"-h", "--help"} & set(rest) else ()


def _chosen(given: list[str]) -> tuple[str, list[str]]:
    name, rest = split_command(given, server.server_flags(), [*COMMANDS, "help"])
    if name != "help":
        return name, rest
    topic = next((word for word in rest if not word.startswith("-")), "")
    if topic and topic not in COMMANDS:
        raise UsageError(f'unknown help topic "{topic}"')
    return topic, ["--help"]


def _run(group: Any, arguments: list[str]) -> int:
    try:
        status = group.main(arguments, prog_name="fanjet", standalone_mode=False)
    except typer.BadParameter as error:
        print(f"Error: {_bad_parameter(error, arguments)}\n{_usage(arguments[0])}", file=sys.stderr)
        return 1
    except typer.Abort:
        return 1
    except BrokenPipeError:
        # the reader of the output has closed it: discard the rest, also what the interpreter flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status if isinstance(status, int) else 0


def flags_of(command: Any) -> FlagSet:
    """Return the flags of a command of the group."""
    flags: dict[str, CommandFlag] = {}
    for param in command.params:
        if param.param_type_name == "option":
            flags |= dict.fromkeys(param.opts, _flag_of(param))
            flags |= {off: CommandFlag(off, "bool", off) for off in param.secondary_opts}
    return FlagSet(flags)


def _flag_of(param: Any) -> CommandFlag:
    names = sorted(param.opts, key=len)
    off = param.secondary_opts[0] if param.secondary_opts else ""
    return CommandFlag(names[-1], "bool" if param.is_flag else "string", ", ".join(names), off)


def _bad_parameter(error: typer.BadParameter, arguments: list[str]) -> str:
    """The message of an invalid flag value in the contract's form; other messages are not changed."""
    param: Any = error.param
    if param is None or param.param_type_name != "option":
        return error.format_message()
    label = _flag_of(param)
    values = [argument.partition("=")[2] for argument in arguments if argument.startswith(f"{label.long}=")]
    return f'invalid argument "{"".join(values[-1:])}" for "{label.label}" flag: {error.message}'


def _usage(name: str) -> str:
    group = build_group([name] if name else COMMANDS)
    command = group.commands[name] if name else group
    return typer.Context(command, info_name=f"fanjet {name}".rstrip(), max_content_width=120).get_help()


def _escape_unencodable_output() -> None:
    """Escape characters that the terminal's encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")

"""`fanjet completion` (04 §7): scripts that let shells complete commands and flags."""

from typing import Annotated, Any

import typer

from fanjet.cli.options import IGNORES_ARGUMENTS, fail

_BASH = "complete -o default -W '{words}' fanjet\n"
_ZSH = "#compdef fanjet\n_fanjet() {{ compadd -- {words}; _files }}\ncompdef _fanjet fanjet\n"
_FISH = "complete -c fanjet -a '{words}'\n"
_POWERSHELL = """Register-ArgumentCompleter -Native -CommandName fanjet -ScriptBlock {{
  param($word)
  '{words}'.Split(' ') | Where-Object {{ $_ -like "$word*" }}
}}
"""
SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH, "powershell": _POWERSHELL}

Shell = Annotated[str, typer.Argument(help=f"one of {', '.join(SCRIPTS)}")]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("completion", context_settings=IGNORES_ARGUMENTS)
    def completion(context: typer.Context, shell: Shell) -> None:
        """Print a completion script for a shell."""
        if shell not in SCRIPTS:
            fail(f"error: unknown shell {shell}, choose one of {', '.join(SCRIPTS)}")
        print(SCRIPTS[shell].format(words=" ".join(_words(context))), end="")


def _words(context: typer.Context) -> list[str]:
    root: Any = context.find_root().command
    flags = {name for param in root.params for name in param.opts if name.startswith("--")}
    flags |= {
        name
        for command in root.commands.values()
        for param in command.params
        if param.param_type_name == "option"
        for name in param.opts
        if name.startswith("--")
    }
    return [*sorted(root.commands), *sorted(flags)]

"""The contract's syntax of flags (04 §1.6), rewritten to what the command parser understands.

A boolean takes a value only with `=`; short flags may be bundled; flags and arguments may be mixed; the flags of the
server may stand before a sub-command.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from fanjet.config.scalars import parse_bool, parse_int

T = TypeVar("T")

HELP = "--help"


class UsageError(Exception):
    """The command line is invalid; the text is shown to the user."""


@dataclass(frozen=True, slots=True)
class CommandFlag:
    """One flag of a command. `long` is what it is rewritten to, `label` how messages call it.

    `kind` is `bool`, `int` or `string`; other values are left to the command to check.
    """

    long: str
    kind: str
    label: str
    off: str = ""
    """The flag that replaces a switch that is turned off; empty: omitted."""
    keeps_value: bool = False
    """Whether a boolean is rewritten with its value."""


@dataclass(frozen=True, slots=True)
class FlagSet:
    """The flags of one command by every name they have, dashes included."""

    flags: Mapping[str, CommandFlag] = field(default_factory=dict)

    def long(self, name: str) -> CommandFlag:
        """Return a flag by its long name, dashes included. Raises UsageError."""
        if name == HELP:
            return CommandFlag(HELP, "bool", HELP)
        if name not in self.flags:
            raise UsageError(f"unknown flag: {name}")
        return self.flags[name]

    def short(self, letter: str, bundle: str) -> CommandFlag:
        """Return a flag by its letter. Raises UsageError."""
        if letter == "h" and "-h" not in self.flags:
            return CommandFlag(HELP, "bool", HELP)
        if f"-{letter}" not in self.flags:
            raise UsageError(f"unknown shorthand flag: '{letter}' in {bundle}")
        return self.flags[f"-{letter}"]


def split_command(arguments: Sequence[str], root: FlagSet, commands: Iterable[str]) -> tuple[str, list[str]]:
    """Find the sub-command, which may stand behind flags, and return it with everything else.

    The name is empty when there is none. Raises UsageError for a word that is no command.
    """
    position = _first_word(arguments, root)
    if position is None:
        return "", list(arguments)
    name = arguments[position]
    if name not in set(commands):
        raise UsageError(f'unknown command "{name}" for "fanjet"')
    return name, [*arguments[:position], *arguments[position + 1 :]]


def rewrite(arguments: Sequence[str], flags: FlagSet) -> list[str]:
    """Return flags as `--name=value`, arguments after them behind `--`. Raises UsageError."""
    rewritten: list[str] = []
    words: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument == "--":
            words += rest
            break
        if argument.startswith("--"):
            rewritten += _long(argument, rest, flags)
        elif argument.startswith("-") and argument != "-":
            rewritten += _bundle(argument, rest, flags)
        else:
            words.append(argument)
    return [*rewritten, "--", *words] if words else rewritten


def _first_word(arguments: Sequence[str], root: FlagSet) -> int | None:
    skip = False
    for position, argument in enumerate(arguments):
        if skip:
            skip = False
        elif argument == "--":
            return position + 1 if position + 1 < len(arguments) else None
        elif argument.startswith("-") and argument != "-":
            flag = root.flags.get(argument)
            skip = flag is not None and flag.kind != "bool"
        else:
            return position
    return None


def _long(argument: str, rest: list[str], flags: FlagSet) -> list[str]:
    name, has_value, value = argument.partition("=")
    flag = flags.long(name)
    if flag.kind == "bool":
        return _switch(flag, value if has_value else "true")
    if not has_value:
        if not rest:
            raise UsageError(f"flag needs an argument: {name}")
        value = rest.pop(0)
    return [f"{flag.long}={_checked(flag, value)}"]


def _bundle(argument: str, rest: list[str], flags: FlagSet) -> list[str]:
    """`-qt -1`, `-t=-1`, `-t-1`: switches until a flag with a value, which takes what follows."""
    rewritten: list[str] = []
    letters = argument[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        flag = flags.short(letter, argument)
        if flag.kind == "bool" and not letters.startswith("="):
            rewritten += _switch(flag, "true")
            continue
        value = letters.removeprefix("=")
        if flag.kind == "bool":
            return rewritten + _switch(flag, value)
        if not letters:
            if not rest:
                raise UsageError(f"flag needs an argument: '{letter}' in {argument}")
            value = rest.pop(0)
        return [*rewritten, f"{flag.long}={_checked(flag, value)}"]
    return rewritten


def _switch(flag: CommandFlag, text: str) -> list[str]:
    on = _convert(flag, text, parse_bool)
    if flag.keeps_value:
        return [f"{flag.long}={str(on).lower()}"]
    if on:
        return [flag.long]
    return [flag.off] if flag.off else []


def _checked(flag: CommandFlag, text: str) -> str:
    return str(_convert(flag, text, parse_int)) if flag.kind == "int" else text


def _convert(flag: CommandFlag, text: str, parse: Callable[[str], T]) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise UsageError(f'invalid argument "{text}" for "{flag.label}" flag: {error}') from None

"""The commands of the program by name, each built when it is asked for.

    command(SEARCH)(function) ─► registered ─► name and summary, for the list in the help
                                     └► asked for by name ─► options expanded, Typer's command

To build them all takes Typer a third of the program's start, and a call runs one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import typer
import typer.main

from esclip._cli.groups import expand_groups
from esclip._cli.help import HelpedCommand


class CommandGroup(StrEnum):
    """The groups of commands in the help, in their order."""

    INGEST = "Ingest"
    SEARCH = "Search"
    INDEX = "Index"
    MACHINE = "Machine"


@dataclass(frozen=True, slots=True)
class _Registered:
    function: Callable[..., None]
    group: CommandGroup
    kind: type[HelpedCommand]


class CommandTable(Mapping[str, Any]):
    """Typer's commands by name, in the order in which they were registered."""

    def __init__(self) -> None:
        self._registered: dict[str, _Registered] = {}
        self._built: dict[str, Any] = {}

    def register(self, function: Callable[..., None], group: CommandGroup, kind: type[HelpedCommand]) -> None:
        """Add a command with the name of a function; one that is a word of Python's ends with _."""
        self._registered[function.__name__.strip("_").replace("_", "-")] = _Registered(function, group, kind)

    def summaries(self, group: CommandGroup) -> list[tuple[str, str]]:
        """The names of a group's commands, and what each is for."""
        return [
            (name, " ".join((command.function.__doc__ or "").split()))
            for name, command in self._registered.items()
            if command.group is group
        ]

    def __getitem__(self, name: str) -> Any:
        if name not in self._built:
            command = self._registered[name]
            program = typer.Typer(add_completion=False, rich_markup_mode=None)
            options = expand_groups(command.function)
            program.command(name, cls=command.kind, rich_help_panel=command.group)(options)
            self._built[name] = typer.main.get_command(program)
        return self._built[name]

    def __contains__(self, name: object) -> bool:
        return name in self._registered

    def __iter__(self) -> Iterator[str]:
        return iter(self._registered)

    def __len__(self) -> int:
        return len(self._registered)


COMMANDS = CommandTable()


def command(
    group: CommandGroup, *, cls: type[HelpedCommand] = HelpedCommand
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorator: makes a command of a function, with the options of its groups and those of all commands."""

    def add(function: Callable[..., None]) -> Callable[..., None]:
        COMMANDS.register(function, group, cls)
        return function

    return add

"""The configuration file: options that are the same in every call, below variables and the command line.

    store = "https://search.example.org:9200"     # for every command that has the option
    model = "clip-ViT-L-14"

    [ingest]                                      # for one command
    workers = 32

command line ─► variable (ESCLIP_STORE) ─► table of the command ─► top of the file ─► default

It is `config.toml` in the user's configuration folder; ESCLIP_CONFIG names another one, or, empty, none.
Passwords and keys don't belong into it, nor what is meant for a single call: `--yes`, or what to remove.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from esclip._core.options import Panel
from esclip._errors import ConfigError, error_text, one_line, suggest
from esclip._errors.secrets import mask
from esclip._files.locations import user_path
from esclip._files.user_folders import config_folder

VARIABLE = "ESCLIP_CONFIG"
MAX_BYTES = 1 << 20

SECRETS = {
    "password": "ESCLIP_PASSWORD",
    "api-key": "ESCLIP_API_KEY",
    "encoder-token": "ESCLIP_ENCODER_TOKEN",
}
"""Options that the file may not have: files are copied, shared and kept in repositories."""

FOR_ONE_CALL = frozenset(
    {"help", "yes", "verbose", "quiet", "id", "text", "image", "words", "unlike", "reason", "force"}
)
"""Options that say what one call is about, by the names of their parameters."""

REMOVING = frozenset({"forget", "drop"})
"""Commands that remove documents: the file says where the index is, never what goes."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The file as it was read."""

    path: Path
    tables: Mapping[str, Mapping[str, Any]]
    """Values by option by the name of a command; those for every command have none, ""."""

    def error(self, problem: str) -> ConfigError:
        """An error that names the file."""
        return ConfigError(f"{one_line(str(self.path))}: {problem}")


def config_path() -> Path | None:
    """Where the file is, if there is one; None where the user has no folder for it, or wants none."""
    given = os.environ.get(VARIABLE)
    if given is not None:
        return user_path(given, VARIABLE) if given.strip() else None
    folder = config_folder()
    return folder / "config.toml" if folder else None


def read_config() -> ConfigFile | None:
    """The file; None where there is none. Raises `ConfigError` for one that can't be read."""
    path = config_path()
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        if os.environ.get(VARIABLE):
            raise ConfigError(f"{VARIABLE}: there is no file {one_line(str(path))}") from None
        return None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{one_line(str(path))} can't be read: {error_text(error)}") from error
    return ConfigFile(path, _parse(path, content))


def _parse(path: Path, content: bytes) -> dict[str, dict[str, Any]]:
    import tomllib

    if len(content) > MAX_BYTES:
        raise ConfigError(f"{one_line(str(path))} is larger than 1 MiB, which no configuration is")
    try:
        parsed = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:  # of TOML, or of UTF-8
        raise ConfigError(f"{one_line(str(path))} is no TOML: {error_text(error)}") from error
    tables: dict[str, dict[str, Any]] = {"": {}}
    for key, value in parsed.items():
        if isinstance(value, dict):
            tables[key] = {_spelled(name): item for name, item in value.items()}
        else:
            tables[""][_spelled(key)] = value
    return tables


def defaults_of(config: ConfigFile, command: Any, commands: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults of a command's parameters in the file, as Click takes them.

    Raises `ConfigError` for what stands there and is no option of any command.
    """
    _check(config, commands)
    options = _options(command)
    values: dict[str, Any] = {}
    for table in ("", command.name):
        for name, value in config.tables.get(table, {}).items():
            if name in options:
                values[options[name].name] = _as_words(config, name, value, options[name])
    return values


def list_settings(ctx: Any, config: ConfigFile | None) -> Iterator[tuple[str, str, str]]:
    """The name of each setting of the command that runs, its value, and where that comes from.

    Then what the file sets for other commands. Secrets are not told.
    """
    shown: set[tuple[str, str]] = set()
    for param in ctx.command.params:
        source, value = ctx.get_parameter_source(param.name), ctx.params.get(param.name)
        if (
            param.param_type_name == "argument"
            or param.name in {*FOR_ONE_CALL, "json"}
            or value in (None, ())
        ):
            continue
        name = _spelled(max(param.opts, key=len))
        places = {"COMMANDLINE": "the command line", "ENVIRONMENT": param.envvar, "DEFAULT": "the default"}
        place = places.get(source.name)
        if config and place is None:
            place = f"{config.path.name}: {source_of(config, ctx.command, param)}"
            shown |= {
                (table, key) for table in ("", ctx.command.name) for key in _keys_of(ctx.command, param)
            }
        yield name, "(set)" if name in SECRETS else mask(str(value)), place or "the program"
    for table, values in config.tables.items() if config else ():
        for key, value in values.items():
            if config and (table, key) not in shown:
                yield key, str(value), f"{config.path.name}: [{table}]" if table else config.path.name


def _keys_of(command: Any, param: Any) -> list[str]:
    return [name for name, option in _options(command).items() if option is param]


def source_of(config: ConfigFile, command: Any, param: Any) -> str:
    """Where in the file a parameter's value stands: `workers in [ingest]`."""
    names = _keys_of(command, param)
    for table in (command.name, ""):
        for name in names:
            if name in config.tables.get(table, {}):
                return f"{name} in [{table}]" if table else name
    return names[0]


def _check(config: ConfigFile, commands: Mapping[str, Any]) -> None:
    """Raise `ConfigError` for the first name that is none, and the first value of another kind."""
    options = {name: _options(command) for name, command in commands.items()}
    every = {name: param for known in options.values() for name, param in known.items()}
    for table, values in config.tables.items():
        if table and table not in options:
            near = suggest(table, [*options])
            raise config.error(f"there is no command {one_line(table)!r}; it may be {near}")
        known = options[table] if table else every
        for name, value in values.items():
            if name in SECRETS:
                raise config.error(f"{name}: secrets don't belong into this file; set {SECRETS[name]}")
            if name not in known:
                whose = f" of {table}" if table else ""
                near = suggest(name, sorted(known))
                raise config.error(
                    f"there is no option {one_line(name)!r}{whose} for this file; it may be {near}"
                )
            _as_words(config, name, value, known[name])


def _options(command: Any) -> dict[str, Any]:
    """The parameters that the file may set for a command, by the long names of their options."""
    return {
        _spelled(name): param
        for param in command.params
        if param.param_type_name == "option" and _may_stand_here(command.name, param)
        for name in param.opts
        if name.startswith("--") or _spelled(name) == param.name
    }


def _may_stand_here(command: str, param: Any) -> bool:
    panel = getattr(param, "rich_help_panel", None)
    if param.name in FOR_ONE_CALL or _spelled(param.name) in SECRETS:
        return False
    return command not in REMOVING or panel in (Panel.INDEX, Panel.ACCESS, Panel.OUTPUT)


def _spelled(name: str) -> str:
    return name.strip("-").replace("_", "-")


def _as_words(config: ConfigFile, name: str, value: Any, param: Any) -> Any:
    """A value as a command line would have it. Raises `ConfigError` for one of another kind."""
    several = param.multiple or (param.metavar or "").endswith(",...")
    if param.is_flag:
        if not isinstance(value, bool):
            raise config.error(f"{name} is {_shown(value)}; it is true or false")
        return value
    items = value if isinstance(value, list) and several else [value]
    if not all(isinstance(item, str | int | float) and not isinstance(item, bool) for item in items):
        kind = "a text or a number, or a list of them" if several else "a text or a number"
        raise config.error(f"{name} is {_shown(value)}; it is {kind}")
    words = [str(item) for item in items]
    if any(mask(word) != word for word in words):
        raise config.error(f"{name} has a password in it; set ESCLIP_USER and ESCLIP_PASSWORD")
    return words if param.multiple else ",".join(words)


def _shown(value: Any) -> str:
    return one_line(repr(value), 80)

"""`custimport config`: which settings a command would use, and where each comes from."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

import typer
from rich.table import Table

from custimport.cli import invocation
from custimport.cli.configurable import SETTINGS, Embedded
from custimport.cli.options import JsonOption
from custimport.cli.target import configured_target
from custimport.cli.terminal import note, print_json, print_table, shown_value
from custimport.settings import EMBEDDED_IDLE_SECONDS

app = typer.Typer(
    no_args_is_help=True,
    help="The settings: what a command would use, and where each value comes from.\n\nExample: custimport config show",
)

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Shown:
    """A setting as it is shown: its value, secrets masked, None for none; and who names it."""

    value: Any
    origin: str


@app.command()
def show(context: typer.Context, json: JsonOption = False) -> None:
    """Show every setting with its value and its origin; passwords are masked.

    Examples:
      custimport config show

      custimport config show --profile prod --json

    """
    configuration = invocation.current().configured()
    defaults = _defaults(context)
    shown = {}
    for setting in SETTINGS:
        configured = configuration.values.get(setting.name)
        shown[setting.name] = (
            Shown(configured.value, configured.origin) if configured else Shown(defaults.get(setting.name), DEFAULT)
        )
    shown |= {name: Shown(*found) for name, found in configured_target().items()}
    if json:
        print_json(
            {
                "file": None if configuration.file is None else str(configuration.file),
                "profile": configuration.profile,
                "settings": {name: {"value": each.value, "origin": each.origin} for name, each in shown.items()},
            }
        )
        return
    if configuration.file is None:
        note("no custimport.toml here; custimport help configuration says what it may hold")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("setting", no_wrap=True)
    for heading in ("value", "origin"):
        table.add_column(heading, overflow="fold")
    for name, each in shown.items():
        table.add_row(name, shown_value(_words(each.value)), shown_value(each.origin))
    print_table(table)


def _defaults(context: typer.Context) -> dict[str, Any]:
    """The values of the settings that nobody names, by the name of the setting."""
    # every setting that has an option is one of load
    command: Any = context.find_root().command
    defaults = {option: parameter.default for parameter in command.commands["load"].params for option in parameter.opts}
    found = {setting.name: defaults.get(setting.option) for setting in SETTINGS if setting.option}
    found |= {"embedded": Embedded.AUTO, "embedded_idle_seconds": EMBEDDED_IDLE_SECONDS}
    return {name: value.value if isinstance(value, Enum) else value for name, value in found.items()}


def _words(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)

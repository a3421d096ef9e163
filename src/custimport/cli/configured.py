"""Commands whose options take their defaults from the configuration; options that every command has."""

from typing import Annotated, Any

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup, TyperOption

from custimport.cli import invocation
from custimport.cli.boundary import ErrorBoundary
from custimport.cli.configurable import BY_OPTION
from custimport.cli.options import CONFIGURATION_PANEL


def _take_config(value: str | None) -> None:
    if value:
        invocation.current().config = value


def _take_profile(value: str | None) -> None:
    if value:
        invocation.current().profile = value


def _options_of_every_command(
    config: Annotated[
        str | None,
        typer.Option(
            "--config",
            metavar="PATH",
            help="Configuration file. Default: CUSTIMPORT_CONFIG, else custimport.toml here, if there is one.",
            rich_help_panel=CONFIGURATION_PANEL,
            show_default=False,
            is_eager=True,
            expose_value=False,
            callback=_take_config,
        ),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            metavar="NAME",
            help="Profile of the configuration file. Default: CUSTIMPORT_PROFILE, else none.",
            rich_help_panel=CONFIGURATION_PANEL,
            show_default=False,
            is_eager=True,
            expose_value=False,
            callback=_take_profile,
        ),
    ] = None,
) -> None:
    """Never called: Typer makes options of its signature."""


class ConfiguredContext(typer.Context):
    """A command's context: an option that is not given has the value that is configured for it."""

    def lookup_default(self, name: str, call: bool = True) -> Any:  # noqa: ARG002 - the signature is Click's
        """The configured value of a parameter; None if there is none. Raises `UsageError` for a bad configuration.

        Help and shell completion show and need no configured values, and work whatever the configuration holds.
        """
        parameter = next((each for each in self.command.params if each.name == name), None)
        # eager options are looked at first: they say which configuration it is
        if self.resilient_parsing or parameter is None or parameter.is_eager:
            return None
        configuration = invocation.current().configured()
        for option in parameter.opts:
            # the store looks for a URI and a database by itself: which database counts depends on who names the URI
            if option in BY_OPTION and option not in {"--uri", "--database"}:
                return configuration.value(BY_OPTION[option].name)
        return None


class ConfiguredCommands(ErrorBoundary):
    """The root command group: it and all commands below it have the shared options, the commands their defaults."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.params[:0] = _shared_options()
        for command in _commands_below(self):
            command.params.extend(_shared_options())
            command.context_class = ConfiguredContext

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options before the command."""
        invocation.begin()
        return super().parse_args(ctx, args)


def _shared_options() -> list[TyperOption]:
    """`--config` and `--profile`, new objects with every call."""
    app = typer.Typer(add_completion=False)
    app.command()(_options_of_every_command)
    return [option for option in typer.main.get_command(app).params if isinstance(option, TyperOption)]


def _commands_below(group: TyperGroup) -> list[TyperCommand]:
    found: list[TyperCommand] = []
    for child in group.commands.values():
        if isinstance(child, TyperGroup):
            found += _commands_below(child)
        elif isinstance(child, TyperCommand):
            found.append(child)
    return found

"""Commands whose options take their defaults from the configuration; options that every command has."""

import os
import time
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Final

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup, TyperOption

from custimport.cli import invocation
from custimport.cli.boundary import ErrorBoundary
from custimport.cli.configurable import BY_OPTION
from custimport.cli.event_log import LogFormat, LogLevel, LogOptions, exit_code_of, opened_log
from custimport.cli.options import CONFIGURATION_PANEL, LOG_PANEL
from custimport.errors import ExitCode


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


def _take_log_option(parameter: typer.CallbackParam, value: Any) -> None:
    invocation.current().log_options[parameter.name.removeprefix("log_")] = value


def _options_of_logged_commands(
    log_format: Annotated[
        LogFormat | None,
        typer.Option(
            "--log-format",
            help="Write a log of events, one a line; to standard error without --log-file.",
            rich_help_panel=LOG_PANEL,
            show_default=False,
            expose_value=False,
            callback=_take_log_option,
        ),
    ] = None,
    log_file: Annotated[
        str | None,
        typer.Option(
            "--log-file",
            metavar="PATH",
            help="Append the log to this file; a new one has mode 0600.",
            rich_help_panel=LOG_PANEL,
            show_default=False,
            expose_value=False,
            callback=_take_log_option,
        ),
    ] = None,
    log_level: Annotated[
        LogLevel | None,
        typer.Option(
            "--log-level",
            metavar="LEVEL",
            help="The least grave events in the log: debug (each rejected row), info, warning, error. Default: info.",
            rich_help_panel=LOG_PANEL,
            show_default=False,
            expose_value=False,
            callback=_take_log_option,
        ),
    ] = None,
    log_values: Annotated[
        bool | None,
        typer.Option(
            "--log-values/--no-log-values",
            help="Let the log show e-mails, names and birth dates. Default: never.",
            rich_help_panel=LOG_PANEL,
            show_default=False,
            expose_value=False,
            callback=_take_log_option,
        ),
    ] = None,
) -> None:
    """Never called: Typer makes options of its signature."""


LOGGED_COMMANDS: Final = frozenset(
    {
        ("load",),
        ("check",),
        ("imports", "undo"),
        ("imports", "verify"),
        ("customers", "update"),
        ("customers", "delete"),
    }
)
"""Those that have something to log: what is written, and what is judged."""


class HelpfulContext(typer.Context):
    """A context whose help shows a flag as what is typed: no `<bool>` behind it."""

    def get_help(self) -> str:
        """The help of the command, as Click gives it; Typer prints it itself."""
        for parameter in self.command.get_params(self):
            if isinstance(parameter, TyperOption) and parameter.is_flag:
                parameter.metavar = ""
        return super().get_help()


class ConfiguredContext(HelpfulContext):
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

    def invoke(self, callback: Any, /, *args: Any, **kwargs: Any) -> Any:
        """What the command gives, with its log open until it ends; what ends it early is in the log too."""
        under_way = invocation.current()
        begun, exit_code = time.monotonic(), int(ExitCode.DONE)
        with opened_log(LogOptions(**under_way.log_options)) as under_way.log:
            try:
                return super().invoke(callback, *args, **kwargs)
            except (typer.Exit, BrokenPipeError) as ending:
                # a reader that went away is no error
                exit_code = getattr(ending, "exit_code", exit_code)
                raise
            except BaseException as error:
                exit_code = exit_code_of(error)
                under_way.log.failure(error)
                raise
            finally:
                elapsed_seconds = round(time.monotonic() - begun, 3)
                under_way.log.info(
                    "command finished", command=self.command_path, exit_code=exit_code, elapsed_seconds=elapsed_seconds
                )


class ConfiguredCommands(ErrorBoundary):
    """The root command group: it and all commands below it have the shared options, the commands their defaults."""

    context_class = HelpfulContext

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.params[:0] = _options(_options_of_every_command)
        for words, command in _commands_below(self):
            if words in LOGGED_COMMANDS:
                command.params.extend(_options(_options_of_logged_commands))
            command.params.extend(_options(_options_of_every_command))
            command.context_class = ConfiguredContext

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options before the command."""
        invocation.begin()
        if ctx.resilient_parsing:
            # for the shell a description is one line; Typer would wrap it to the terminal's width
            os.environ["COLUMNS"] = "10000"
        return super().parse_args(ctx, args)


def _options(function: Callable[..., None]) -> list[TyperOption]:
    """The options that Typer makes of a function's signature, new objects with every call."""
    app = typer.Typer(add_completion=False)
    app.command()(function)
    return [option for option in typer.main.get_command(app).params if isinstance(option, TyperOption)]


def _commands_below(group: TyperGroup, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], TyperCommand]]:
    """Every command that is no group, and the words that call it."""
    for name, child in group.commands.items():
        if isinstance(child, TyperGroup):
            child.context_class = HelpfulContext
            yield from _commands_below(child, (*words, name))
        elif isinstance(child, TyperCommand):
            yield (*words, name), child

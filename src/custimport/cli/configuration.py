"""What is configured: the values of environment, `.env` and `custimport.toml`, and where each comes from."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any, Final

from custimport.cli.configurable import (
    BY_NAME,
    ENVIRONMENT_CONFIG,
    ENVIRONMENT_PREFIX,
    ENVIRONMENT_PROFILE,
    SETTINGS,
)
from custimport.dotenv import read_dotenv
from custimport.errors import UsageError

CONFIGURATION_FILE: Final = "custimport.toml"
DOTENV_FILE: Final = ".env"
PROFILES: Final = "profiles"


class Rank(IntEnum):
    """Who names a value; the lower number wins."""

    OPTION = 0
    ENVIRONMENT = 1
    DOTENV = 2
    PROFILE = 3
    FILE = 4


@dataclass(frozen=True, slots=True)
class Configured:
    """A value and who names it; `origin` is for people."""

    value: Any
    rank: Rank
    origin: str


@dataclass(frozen=True, slots=True)
class Configuration:
    """The values below the command line. `file` is the configuration file that was read, `profile` the chosen one."""

    values: Mapping[str, Configured] = field(default_factory=dict)
    file: Path | None = None
    profile: str | None = None

    def value(self, name: str) -> Any:
        """The configured value of a setting; None if there is none."""
        configured = self.values.get(name)
        return None if configured is None else configured.value

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """The variables as the embedded server is to see them: with what is configured elsewhere."""
        changed = dict(variables)
        for setting in SETTINGS:
            if setting.option is None and setting.name in self.values:
                changed[setting.environment[0]] = str(self.values[setting.name].value)
        return changed


def read_configuration(
    file: str | None, profile: str | None, variables: Mapping[str, str], folder: Path
) -> Configuration:
    """What is configured in the environment, in `.env` and in `custimport.toml` of the folder, or in `file`.

    The URIs of environment and `.env` are left to the store, which knows them by other names as well. Raises
    `UsageError` for a file that cannot be read or understood, an unknown key or profile, and for values that the
    option would not take either.
    """
    dotenv = read_dotenv(folder / DOTENV_FILE)
    _refuse_unknown_variables(dotenv)
    file = file or variables.get(ENVIRONMENT_CONFIG) or dotenv.get(ENVIRONMENT_CONFIG)
    profile = profile or variables.get(ENVIRONMENT_PROFILE) or dotenv.get(ENVIRONMENT_PROFILE)
    path = Path(file) if file else folder / CONFIGURATION_FILE
    shown_path = file or CONFIGURATION_FILE
    tables = _tables(path, shown_path, must_exist=file is not None)
    values: dict[str, Configured] = {}
    if profile and profile not in tables:
        raise _no_such_profile(profile, shown_path, tables)
    # later ones replace earlier ones
    values |= tables.get(None, {})
    values |= tables.get(profile or None, {})
    values |= _of_variables(dotenv, Rank.DOTENV, "file .env", ".env: {}")
    values |= _of_variables(variables, Rank.ENVIRONMENT, "environment variable {}", "environment variable {}")
    return Configuration(values, path if tables else None, profile)


def _of_variables(variables: Mapping[str, str], rank: Rank, origin: str, place: str) -> dict[str, Configured]:
    found = {}
    for setting in SETTINGS:
        (name, *_) = setting.environment
        if setting.name != "uri" and variables.get(name):
            with _named(place.format(name)):
                value = setting.value(variables[name], is_text=True)
            found[setting.name] = Configured(value, rank, origin.format(name))
    return found


def _refuse_unknown_variables(dotenv: Mapping[str, str]) -> None:
    """A slip in a name would otherwise load into another database than was meant."""
    known = {name for setting in SETTINGS for name in setting.environment} | {ENVIRONMENT_CONFIG, ENVIRONMENT_PROFILE}
    for name in dotenv:
        if name.startswith(ENVIRONMENT_PREFIX) and name not in known:
            raise UsageError(f"{DOTENV_FILE}: {name} is no setting", hint=_closest(name, known))


def _tables(path: Path, shown_path: str, *, must_exist: bool) -> dict[str | None, dict[str, Configured]]:
    """The values of every profile, those outside of any under None; empty if there is no file."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        if must_exist:
            raise UsageError(f"{shown_path}: there is no such configuration file") from None
        return {}
    except OSError as error:
        raise UsageError(f"{shown_path}: cannot be read: {error.strerror or error}") from error
    document = _parsed(content, shown_path)
    profiles = document.pop(PROFILES, {})
    if not isinstance(profiles, dict) or not all(isinstance(table, dict) for table in profiles.values()):
        raise UsageError(f"{shown_path}: {PROFILES} holds tables", hint="for example [profiles.prod]")
    tables: dict[str | None, dict[str, Configured]] = {
        None: _checked(document, f"{shown_path}: ", f"file {shown_path}", Rank.FILE)
    }
    for name, table in profiles.items():
        tables[name] = _checked(
            table, f"{shown_path}: {PROFILES}.{name}.", f"file {shown_path}, profile {name}", Rank.PROFILE
        )
    return tables


def _parsed(content: bytes, shown_path: str) -> dict[str, Any]:
    # only who has a configuration file pays for reading one
    import tomllib

    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UsageError(f"{shown_path}: is not UTF-8 text: byte {error.start}") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{shown_path}: is not TOML: {error}") from None


def _checked(table: Mapping[str, Any], place: str, origin: str, rank: Rank) -> dict[str, Configured]:
    found = {}
    for key, given in table.items():
        if key not in BY_NAME:
            hint = _closest(key, list(BY_NAME) if rank is Rank.PROFILE else [*BY_NAME, PROFILES])
            raise UsageError(f"{place}{key} is no setting", hint=hint)
        with _named(place + key):
            found[key] = Configured(BY_NAME[key].value(given), rank, origin)
    return found


@contextmanager
def _named(place: str) -> Iterator[None]:
    """What is wrong with a value, and where it stands."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{place}: {error.message}", hint=error.hint) from None


def _no_such_profile(profile: str, shown_path: str, tables: Mapping[str | None, object]) -> UsageError:
    if not tables:
        return UsageError(f"profile {profile!r} is asked for, but there is no {shown_path} here")
    names = sorted(name for name in tables if name)
    hint = f"the profiles are {', '.join(names)}" if names else f"it has none; [{PROFILES}.{profile}] begins one"
    return UsageError(f"{shown_path}: there is no profile {profile!r}", hint=hint)


def _closest(name: str, known: Sequence[str] | set[str]) -> str:
    from difflib import get_close_matches

    matches = get_close_matches(name, known, n=1)
    return f"perhaps {matches[0]}" if matches else "custimport config show lists all settings"

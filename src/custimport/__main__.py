"""`custimport` and `python -m custimport`."""

import os
import sys
from contextlib import suppress

from custimport.cli.process_title import hide_credentials


def main() -> None:
    """Run the program and leave with its exit code; a bug leaves with its traceback and exit code 1."""
    # first of all: until then everybody on this machine can read them
    hide_credentials()
    try:
        from custimport.cli.app import app

        app(prog_name="custimport")
    except KeyboardInterrupt:
        # Ctrl-C while the modules are still being imported, or outside an import: as a shell expects it
        _leave(130)
    except SystemExit as ending:
        _leave(ending.code if isinstance(ending.code, int) else 1 if ending.code else 0)
    except Exception:  # noqa: BLE001 - a bug: shown as Python would, but for what must not be seen
        import traceback

        from custimport.cli.terminal import message_words

        sys.stderr.write(message_words(traceback.format_exc()))
        _leave(1)


def _leave(exit_code: int) -> None:
    """End the process now: everything is closed, and the driver's threads would keep it for half a second."""
    for stream in (sys.stdout, sys.stderr):
        # a reader that has gone away does not want the rest
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(exit_code)


if __name__ == "__main__":
    main()

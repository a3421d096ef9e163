"""`custimport` and `python -m custimport`."""

import sys


def main() -> None:
    """Run the program and leave with its exit code."""
    try:
        from custimport.cli.app import app

        app(prog_name="custimport")
    except KeyboardInterrupt:
        # Ctrl-C while the modules are still being imported, or outside an import: as a shell expects it
        sys.exit(130)


if __name__ == "__main__":
    main()

"""Every number the program lives by: name, unit, reason."""

from typing import Final

# Input --------------------------------------------------------------------------------------------------

STANDARD_INPUT: Final = "-"
"""The name of a file that stands for standard input."""

READ_BLOCK_BYTES: Final = 256 * 1024
"""Bytes read (and decompressed) at a time: large enough to be cheap, small enough to keep memory flat."""

MAX_CELL_CHARACTERS: Final = 131_072
"""A longer cell is `cell-too-large`: the default limit of Python's csv module."""

MAX_MULTILINE_RECORD_LINES: Final = 100
MAX_MULTILINE_RECORD_CHARACTERS: Final = 1024 * 1024
"""A record that spans more lines or characters has a quote that never closed."""

MAX_RECORD_BYTES: Final = 2 * 1024 * 1024
"""A longer physical line is one rejection and is skipped without being held in memory.

With every byte escaped and shown twice its rejection still fits into a document of 16 MB."""

BLOCK_CHARACTERS: Final = 4 * 1024 * 1024
"""Text after which a block ends though it has few lines: lines of two megabytes would fill the memory."""

EARLIEST_DATE_OF_BIRTH: Final = "1900-01-01"
"""Before that a date of birth is a slip, unless `--min-date-of-birth` says otherwise."""

# Pipeline -----------------------------------------------------------------------------------------------

BATCH_ROWS: Final = 4_000
"""Rows in one write command: sorted by e-mail, they find the server's index the more in order the more they are; from
8,000 on the client's own memory costs what the server saves."""

LOAD_WORKERS: Final = 1
"""Processes that read and validate where nobody says how many: the server is what a load waits for, and on two cores
further ones take from it what they give."""
CHECK_WORKERS: Final = 2
"""The same for `check`, where there are as many cores; then this process has all that it can do."""
LARGE_FILE_BYTES: Final = 4 * 1024 * 1024
"""Starting processes for a smaller file takes longer than they save."""

WRITERS: Final = 2
"""Threads that write at the same time: two keep a server on the same machine busy."""

CHUNKS_IN_FLIGHT: Final = 2
"""Chunks handed to the writers and not yet settled: bounds memory, hides round trips."""

COLLECT_AFTER_OBJECTS: Final = 200_000
"""New objects after which the garbage collector looks while loading: some dozens of chunks of rows."""

CHECKPOINT_SECONDS: Final = 1.0
"""Time between two checkpoints; each is also the lease's heartbeat."""

STOPPING_SECONDS: Final = 2.0
"""How long an import that was told to stop waits for batches that are under way."""

RETRY_FOR_SECONDS: Final = 60.0
"""How long an outage of the database is waited out: longer than an election (about 12 s)."""

# Database -----------------------------------------------------------------------------------------------

DEFAULT_DATABASE: Final = "custimport"
CONNECT_TIMEOUT_MS: Final = 10_000
"""Finding a usable server; an operator at a terminal waits no longer than this for "not reachable"."""
IMPORT_SERVER_WAIT_MS: Final = 500
"""The same within an import, which waits an outage out by itself, and must end within two seconds when asked to."""
SOCKET_TIMEOUT_MS: Final = 60_000
"""One reply; a majority write on a busy replica set can take many seconds."""

STALLED_AFTER_SECONDS: Final = 60.0
"""A running import whose heartbeat is older is shown as stalled and may be taken over."""
LEASE_SILENCE_SECONDS: Final = 30.0
"""A process that could not renew its lease for this long sends nothing more: half of the above."""

# Embedded server ----------------------------------------------------------------------------------------

EMBEDDED_IDLE_SECONDS: Final = 30.0
"""The embedded server stops this long after its last user has gone."""
EMBEDDED_START_TIMEOUT_SECONDS: Final = 60.0
"""Recovery after a kill during a load took 1.7 s; a slow disk may need much longer."""

# Presentation -------------------------------------------------------------------------------------------

MAX_SHOWN_VALUE_CHARACTERS: Final = 200
"""`errors[].value` and values inside messages are cut here, saying so; `data` and cells never are."""
PROGRESS_LINE_SECONDS: Final = 5.0
"""Time between two progress lines where standard error is not a terminal."""
DEFAULT_PAGE_ROWS: Final = 20

# Environment --------------------------------------------------------------------------------------------

ENVIRONMENT_URI: Final = ("CUSTIMPORT_MONGODB_URI", "MONGODB_URI")
"""Read in this order; `CUSTIMPORT_MONGODB_URI_FILE` comes after them, `.env` last."""
ENVIRONMENT_URI_FILE: Final = "CUSTIMPORT_MONGODB_URI_FILE"
ENVIRONMENT_EMBEDDED: Final = "CUSTIMPORT_EMBEDDED"
ENVIRONMENT_MONGOD: Final = "CUSTIMPORT_MONGOD"
ENVIRONMENT_DATA_FOLDER: Final = "CUSTIMPORT_DATA_DIR"
ENVIRONMENT_EMBEDDED_IDLE: Final = "CUSTIMPORT_EMBEDDED_IDLE_SECONDS"

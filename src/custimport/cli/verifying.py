"""`imports verify`: the file, under the rules its import began with, held against the database."""

from typing import TYPE_CHECKING

from custimport.choices import Status
from custimport.cli.importing import rare_collections
from custimport.cli.resuming import recorded_job
from custimport.errors import Refused
from custimport.pipeline import verification
from custimport.pipeline.parsing import parse
from custimport.pipeline.source import open_source
from custimport.pipeline.validation import validate
from custimport.pipeline.verification import Difference, Verification

if TYPE_CHECKING:
    from custimport.store.connection import Store
    from custimport.store.history import RecordedImport


def verify(store: "Store", found: "RecordedImport", file: str) -> Verification:
    """Read the file of an import again, under the rules it began with, and hold it against the database.

    Raises `Refused` for an import that was undone or is not complete.
    """
    from custimport.store.evidence import ImportEvidence

    if found.summary.status is not Status.COMPLETED:
        raise Refused(f"import {found.shown_id} is {found.state}: only a completed import can be verified")
    job = recorded_job(found, None)
    with rare_collections(), open_source(file) as source:
        parsed = parse(source, job.input, job.chunk_lines)
        chunks = validate(parsed.chunks, parsed.header, job.rules)
        verified = verification.verify(chunks, job.policy, ImportEvidence(store.database, found.import_id))
        if source.sha256() != found.summary.sha256:
            verified.differences.append(
                Difference(0, 0, f"{file} is not the file that was loaded: its SHA-256 differs")
            )
    if verified.rows != found.summary.rows.read:
        what = f"the file has {verified.rows:,} rows, the import read {found.summary.rows.read:,}"
        verified.differences.append(Difference(0, 0, what))
    return verified

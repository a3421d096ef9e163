"""Stores batches of valid rows, exactly once, and says what became of each.

A batch goes in as one unordered insert; only the conflicts are read and settled by policy. Where most rows conflict
(a nightly reload) reading comes first. Both ways give the same result.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from bson.codec_options import CodecOptions, DatetimeConversion
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError, PyMongoError

from custimport.customer.conflicts import duplicate_in_database, duplicate_in_file, write_refused
from custimport.records import BatchWritten, Policy, Rejection, ValidRow
from custimport.store.changes import (
    CHANGE_PROJECTION,
    Change,
    change_for,
    foreign_stamps_finder,
    row_values,
    stored_values,
)
from custimport.store.connection import is_outage
from custimport.store.documents import (
    CUSTOMERS,
    created_by_import,
    packed_now,
    packer,
    row_of,
    utc_now,
)
from custimport.store.patience import Patience
from custimport.store.settled import SettledRows, find_settled, rows_by_email, stamped_rows

Document = dict[str, Any]

DUPLICATE_KEY: Final = 11000
READ_FIRST_FROM: Final = 0.3
"""Share of conflicts in the last batch from which reading first is faster: a refused insert costs about three reads."""
FRUITLESS_ROUNDS: Final = 10
FIRST_FRUITLESS_WAIT_SECONDS: Final = 0.005
"""Rounds without progress after which a conflict is the server's own business, such as an index with a collation.

The waits between them double, five seconds in all: a majority read may not see yet what an insert collided with.
"""


class Lease(Protocol):
    """The right to write for this import."""

    def require(self) -> None:
        """Returns if this process surely still holds the import; raises otherwise."""


@dataclass(slots=True)
class Outcome:
    """What became of the rows so far; grows only when the database has answered for a row."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0
    rejections: list[Rejection] = field(default_factory=list)
    singly: set[str] = field(default_factory=set)
    """E-mails whose rows, folded into one change, were refused: tried one by one to find the row to blame."""

    def as_batch(self) -> BatchWritten:
        """The immutable result."""
        return BatchWritten(self.inserted, self.updated, self.unchanged, self.skipped, self.rejections)


Groups = dict[str, list[ValidRow]]


class CustomerWriter:
    """Writes one import's rows; one for each writing thread, which gets all rows of the e-mails dealt to it.

    `settled_before`: what `find_settled` gave at resume, None for a fresh import. `recorded`: rejections of rows
    above the checkpoint that were recorded before; they are final.
    """

    def __init__(
        self,
        customers: Collection[Document],
        import_id: bytes,
        policy: Policy,
        *,
        patience: Patience,
        lease: Lease,
        checkpoint_row: Callable[[], int],
    ) -> None:
        # the driver decodes dates it cannot represent as numbers instead of failing the whole batch
        options = CodecOptions[Document](tz_aware=True, datetime_conversion=DatetimeConversion.DATETIME_AUTO)
        self._customers = customers.with_options(codec_options=options)
        self._import_id = import_id
        self._policy = policy
        self._patience = patience
        self._lease = lease
        self._checkpoint_row = checkpoint_row
        self._pack = packer(import_id)
        self._read_first = False
        self._settled_before: SettledRows | None = None
        self._recorded: Mapping[int, Rejection] = {}
        self._foreign_stamps = foreign_stamps_finder(customers.database, import_id)

    def resume_with(self, settled: SettledRows, recorded: Mapping[int, Rejection]) -> None:
        """Take these rows as done: their effect is in the database, or their rejection is recorded."""
        self._settled_before = settled
        self._recorded = recorded

    def write(self, rows: Sequence[ValidRow]) -> BatchWritten:
        """Store the rows, waiting out outages; they are in file order and may repeat e-mails.

        Raises `DatabaseUnavailable` when an outage lasts too long: the rows' outcome is unknown then, and whoever
        resumes the import asks the database.
        """
        outcome = Outcome()
        unknown = False
        try:
            pending = self._first_offer(rows, outcome)
        except PyMongoError as error:
            if not is_outage(error):
                raise
            pending, unknown = rows_by_email(rows), True
            self._patience.failed(error)
        fruitless_rounds = 0
        while pending:
            before = sum(map(len, pending.values()))
            try:
                self._lease.require()
                if unknown:
                    numbers = [row.row for group in pending.values() for row in group]
                    first, last = min(numbers), max(numbers)
                    settled = find_settled(self._customers, self._import_id, self._policy, first, last)
                    self._leave_out_settled(dict(pending), pending, outcome, settled)
                    unknown = False
                self._round(pending, outcome, give_up=fruitless_rounds >= FRUITLESS_ROUNDS)
            except PyMongoError as error:
                if not is_outage(error):
                    raise
                unknown = True
                self._patience.failed(error)
            else:
                self._patience.succeeded()
                progress = sum(map(len, pending.values())) < before
                fruitless_rounds = 0 if progress else fruitless_rounds + 1
                if fruitless_rounds:
                    time.sleep(FIRST_FRUITLESS_WAIT_SECONDS * 2 ** (fruitless_rounds - 1))
        return outcome.as_batch()

    def foresee_rejections(self, rows: Sequence[ValidRow]) -> list[int]:
        """The rows that would be rejected as duplicates if they were written now, in file order."""
        if self._policy is not Policy.REJECT:
            return []
        groups = rows_by_email(rows)
        known = self._patience.call(lambda: self._find(list(groups), {"email": 1}))
        foreseen: list[int] = []
        for email, group in groups.items():
            own = known.get(email)
            # a row that this import stored before it was interrupted is not its own duplicate
            spared = row_of(own["_id"]) if own and created_by_import(own["_id"], self._import_id) else None
            losers = group if own else group[1:]
            foreseen.extend(row.row for row in losers if row.row != spared)
        return sorted(foreseen)

    def _round(self, pending: Groups, outcome: Outcome, *, give_up: bool) -> None:
        """Offer every pending e-mail once; settled rows leave `pending` the moment the server has answered."""
        offered = len(pending)
        known = self._find(list(pending), self._projection()) if self._read_first else {}
        refusals = self._insert([group[0] for email, group in pending.items() if email not in known], pending, outcome)
        unread = [email for email in pending if email not in known]
        if unread:
            known |= self._find(unread, self._projection())
        self._read_first = len(known) >= READ_FIRST_FROM * offered
        changes: list[Change] = []
        for email, stored in known.items():
            if is_of_import(stored, self._import_id) and email in pending:
                # an earlier attempt may have arrived only now: then this is our own effect, not somebody's customer
                own = SettledRows()
                own.add(stored, self._import_id)
                self._leave_out_settled({email: pending[email]}, pending, outcome, own)
            group = pending.get(email)
            if group is None:
                continue
            if self._policy is Policy.REJECT:
                outcome.rejections.extend(self._duplicate(row, stored) for row in group)
                del pending[email]
            elif self._policy is Policy.SKIP:
                outcome.skipped += len(group)
                del pending[email]
            else:
                offered_rows = self._one_effect(stored, group) if email in outcome.singly else group
                change = change_for(stored, offered_rows, self._import_id, self._checkpoint_row(), self._foreign_stamps)
                if change is None:
                    outcome.unchanged += len(group)
                    del pending[email]
                else:
                    changes.append(change)
        if changes:
            self._change(changes, pending, outcome)
        if give_up:
            for email in list(pending):
                if email in refusals:
                    self._refuse(pending, email, refusals[email], outcome)

    def _first_offer(self, rows: Sequence[ValidRow], outcome: Outcome) -> Groups:
        """Insert fresh rows without a look at each, as most batches allow; gives what is left to settle."""
        if self._settled_before is not None:
            pending = rows_by_email(rows)
            self._leave_out_recorded(pending, outcome)
            self._leave_out_settled(dict(pending), pending, outcome, self._settled_before)
            return pending
        if self._read_first or len({row.email for row in rows}) < len(rows):
            return rows_by_email(rows)
        self._lease.require()
        refused = self._insert_rows(rows)
        outcome.inserted += len(rows) - len(refused)
        self._read_first = len(refused) >= READ_FIRST_FROM * len(rows)
        pending = {}
        for row, reply in refused:
            if is_email_conflict(reply):
                pending[row.email] = [row]
            else:
                outcome.rejections.append(refusal(row, reply["errmsg"]))
        return pending

    def _insert(self, rows: Sequence[ValidRow], pending: Groups, outcome: Outcome) -> dict[str, str]:
        """Insert customers with distinct e-mails; gives the server's words for each e-mail that is taken."""
        refused = {row.row: reply for row, reply in self._insert_rows(rows)}
        conflicts: dict[str, str] = {}
        for row in rows:
            reply = refused.get(row.row)
            if reply is None:
                outcome.inserted += 1
                _drop_first(pending, row.email)
            elif is_email_conflict(reply):
                conflicts[row.email] = reply["errmsg"]
            else:
                outcome.rejections.append(refusal(row, reply["errmsg"]))
                _drop_first(pending, row.email)
        return conflicts

    def _insert_rows(self, rows: Sequence[ValidRow]) -> list[tuple[ValidRow, Document]]:
        """Insert the rows' customers; gives those that the server refused, with its reply.

        A customer that is there already under the `_id` of its row is our own write seen again: retried by the
        driver, or sent before an outage. It is not refused.
        """
        if not rows:
            return []
        now = packed_now(utc_now())
        pack = self._pack
        try:
            self._customers.insert_many([pack(row, now) for row in rows], ordered=False)
        except BulkWriteError as error:
            if is_outage(error):
                raise
            return [
                (rows[reply["index"]], reply)
                for reply in error.details["writeErrors"]
                if reply["code"] != DUPLICATE_KEY or "_id" not in reply.get("keyPattern", {})
            ]
        return []

    def _change(self, changes: list[Change], pending: Groups, outcome: Outcome) -> None:
        """Compare-and-set every change; a customer that changed meanwhile stays in `pending`."""
        refused: dict[int, str] = {}
        try:
            result = self._customers.bulk_write([change.operation for change in changes], ordered=False)
            matched = result.matched_count
        except BulkWriteError as error:
            if is_outage(error):
                raise
            refused = {reply["index"]: reply["errmsg"] for reply in error.details["writeErrors"]}
            matched = error.details["nMatched"]
        if matched + len(refused) < len(changes):
            stored = self._find([change.email for change in changes], {"email": 1, "updated_by": 1})
        else:
            stored = None
        for index, change in enumerate(changes):
            if index in refused:
                self._settle_refused_change(change, refused[index], pending, outcome)
            elif stored is None or stored.get(change.email, {}).get("updated_by") == change.stamp:
                outcome.updated += change.updated
                outcome.unchanged += change.unchanged
                _drop_first(pending, change.email, change.updated + change.unchanged)

    def _settle_refused_change(self, change: Change, words: str, pending: Groups, outcome: Outcome) -> None:
        """The rows up to the first that changes something are decided; the rest is offered again."""
        if change.updated > 1:
            outcome.singly.add(change.email)
            return
        group = pending[change.email]
        outcome.unchanged += change.unchanged_before_first_update
        outcome.rejections.append(refusal(group[change.unchanged_before_first_update], words))
        _drop_first(pending, change.email, change.unchanged_before_first_update + 1)

    def _refuse(self, pending: Groups, email: str, words: str, outcome: Outcome) -> None:
        outcome.rejections.extend(refusal(row, words) for row in pending.pop(email))

    def _find(self, emails: list[str], projection: Document) -> dict[str, Document]:
        found = self._customers.find({"email": {"$in": emails}}, projection)
        return {document["email"]: document for document in found}

    def _projection(self) -> Document:
        return CHANGE_PROJECTION if self._policy is Policy.UPDATE else {"email": 1}

    @staticmethod
    def _one_effect(stored: Document, group: list[ValidRow]) -> list[ValidRow]:
        """The rows up to the first that changes something."""
        for index, row in enumerate(group):
            if row_values(row) != stored_values(stored):
                return group[: index + 1]
        return group

    def _duplicate(self, row: ValidRow, stored: Document) -> Rejection:
        identifier = stored["_id"]
        if created_by_import(identifier, self._import_id):
            error = duplicate_in_file(row.email, row_of(identifier))
        else:
            error = duplicate_in_database(row.email, str(identifier))
        return Rejection(row.row, row.line, row.cells, (error,))

    def _leave_out_recorded(self, pending: Groups, outcome: Outcome) -> None:
        if not self._recorded:
            return
        for email, group in list(pending.items()):
            recorded = [self._recorded[row.row] for row in group if row.row in self._recorded]
            if recorded:
                outcome.rejections.extend(recorded)
                _keep(pending, email, [row for row in group if row.row not in self._recorded])

    def _leave_out_settled(self, offered: Groups, pending: Groups, outcome: Outcome, settled: SettledRows) -> None:
        """Count the settled rows of the offered groups, and take them out of `pending`."""
        if not settled.newest_with:
            return
        for email, group in offered.items():
            numbers = [row.row for row in group]
            left: list[ValidRow] = []
            for row in group:
                match settled.outcome(row.row, email, numbers, self._policy):
                    case "inserted":
                        outcome.inserted += 1
                    case "updated":
                        outcome.updated += 1
                    case "unchanged":
                        outcome.unchanged += 1
                    case _:
                        left.append(row)
            if len(left) < len(group):
                _keep(pending, email, left)


def is_of_import(stored: Document, import_id: bytes) -> bool:
    """Whether a customer was created or changed by the import, as far as the document was read."""
    return created_by_import(stored["_id"], import_id) or bool(stamped_rows(stored, import_id))


def is_email_conflict(reply: Document) -> bool:
    """Whether the server refused a document because its e-mail is taken."""
    return bool(reply["code"] == DUPLICATE_KEY and list(reply.get("keyPattern", {})) == ["email"])


def refusal(row: ValidRow, words: str) -> Rejection:
    """The rejection of a row whose document the server refused, quoting it."""
    return Rejection(row.row, row.line, row.cells, (write_refused(words),))


def _keep(pending: Groups, email: str, left: list[ValidRow]) -> None:
    if left:
        pending[email] = left
    else:
        del pending[email]


def _drop_first(pending: Groups, email: str, count: int = 1) -> None:
    group = pending[email]
    if len(group) == count:
        del pending[email]
    else:
        pending[email] = group[count:]


def find_stored_customers(database: Database[Document], emails: Sequence[str]) -> Iterator[Document]:
    """The stored customers among these e-mails, as documents with what a change is judged by."""
    options = CodecOptions[Document](tz_aware=True, datetime_conversion=DatetimeConversion.DATETIME_AUTO)
    customers = database[CUSTOMERS].with_options(codec_options=options)
    yield from customers.find({"email": {"$in": list(emails)}}, CHANGE_PROJECTION)

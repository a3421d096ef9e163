"""Stores batches of valid rows, exactly once, and says what became of each.

A batch goes in as one unordered insert; only the conflicts are read and settled by policy. Where most rows conflict
(a nightly reload) reading comes first. Both ways give the same result.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from operator import attrgetter
from typing import Any, Final, Protocol

from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from custimport.choices import Policy
from custimport.customer.conflicts import duplicate_in_database, duplicate_in_file
from custimport.records import BatchWritten, Rejection, ValidRow
from custimport.store.batch import Batch
from custimport.store.changes import (
    CHANGE_PROJECTION,
    Change,
    ForeignStamps,
    change_for,
    change_of_untouched,
    one_effect,
)
from custimport.store.connection import is_outage
from custimport.store.documents import (
    created_by_import,
    customers_packer,
    row_of,
    utc_now,
)
from custimport.store.insertion import insert_packed, update_packed
from custimport.store.lookup import BY_EMAIL, CUSTOMER_CODEC, Compared, StoredCustomers
from custimport.store.patience import Patience
from custimport.store.seen import SeenEmails
from custimport.store.settled import SettledRows, find_settled, stamped_rows
from custimport.store.untouched import UntouchedCustomer

Document = dict[str, Any]

DUPLICATE_KEY: Final = 11000
BY_ROW: Final = attrgetter("row")
"""The order in which changes go in: rows of an earlier import, whose customers lie one beside the other."""
READ_FIRST_FROM: Final = 0.3
"""Share of conflicts in the last batch from which reading first is faster: a refused insert costs about three reads."""
SAMPLE_ROWS: Final = 100
"""Rows of the first batch that are looked up: one command, where 8,000 refused inserts take a second."""
FRUITLESS_ROUNDS: Final = 10
FIRST_FRUITLESS_WAIT_SECONDS: Final = 0.005
"""Rounds without progress after which a conflict is the server's own business, such as an index with a collation.

The waits between them double, five seconds in all: a majority read may not see yet what an insert collided with.
"""


class Lease(Protocol):
    """The right to write for this import."""

    def require(self) -> None:
        """Returns if this process surely still holds the import; raises otherwise."""


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
        self._customers = customers.with_options(codec_options=CUSTOMER_CODEC)
        self._stored = StoredCustomers(self._customers, import_id, policy)
        self._import_id = import_id
        self._policy = policy
        self._patience = patience
        self._lease = lease
        self._checkpoint_row = checkpoint_row
        self._pack = customers_packer(import_id)
        self._read_first: bool | None = None
        self._seen = SeenEmails()
        self._settled_before: SettledRows | None = None
        self._recorded: Mapping[int, Rejection] = {}
        self._last_known_row = 0
        self._foreign_stamps = ForeignStamps(customers.database, import_id)

    def resume_with(self, settled: SettledRows, recorded: Mapping[int, Rejection]) -> None:
        """Take these rows as done: their effect is in the database, or their rejection is recorded."""
        self._settled_before = settled
        self._recorded = recorded
        self._last_known_row = max([0, *settled.newest_with.values(), *recorded])

    def write(self, rows: Sequence[ValidRow]) -> BatchWritten:
        """Store the rows, waiting out outages; they are in file order and may repeat e-mails.

        Raises `DatabaseUnavailable` when an outage lasts too long: the rows' outcome is unknown then, and whoever
        resumes the import asks the database.
        """
        batch = Batch()
        unknown = False
        known: Compared | None = None
        try:
            known = self._first_offer(rows, batch)
        except PyMongoError as error:
            self._wait_out(error)
            batch, unknown = Batch(), True
            batch.add(rows)
        fruitless_rounds = 0
        while batch.pending:
            before = batch.row_count()
            try:
                self._lease.require()
                if unknown:
                    settled = find_settled(self._customers, self._import_id, self._policy, *batch.row_range())
                    batch.leave_out_settled(list(batch.pending), settled, self._policy)
                    unknown = False
                offered = len(batch.pending)
                known, found = None, known or self._stored.compare(batch.pending)
                self._offer(batch, found, give_up=fruitless_rounds >= FRUITLESS_ROUNDS)
                if before == len(rows):
                    self._read_first = found.count >= READ_FIRST_FROM * offered
            except PyMongoError as error:
                self._wait_out(error)
                unknown = True
            else:
                self._patience.succeeded()
                fruitless_rounds = 0 if batch.row_count() < before else fruitless_rounds + 1
                if fruitless_rounds:
                    time.sleep(FIRST_FRUITLESS_WAIT_SECONDS * 2 ** (fruitless_rounds - 1))
        return batch.written()

    def foresee_rejections(self, rows: Sequence[ValidRow]) -> list[int]:
        """The rows that would be rejected as duplicates if they were written now, in file order."""
        if self._policy is not Policy.REJECT:
            return []
        return self._patience.call(lambda: self._stored.foresee_duplicates(rows))

    def _wait_out(self, error: PyMongoError) -> None:
        """Wait before the next try if the error is an outage; anything else ends the run."""
        if not is_outage(error):
            raise error
        self._patience.failed(error)

    def _first_offer(self, rows: Sequence[ValidRow], batch: Batch) -> Compared | None:
        """Settle rows without a look at each, as most batches allow; what is left to settle is pending.

        Gives what is stored under the pending e-mails, if it was read.
        """
        if self._settled_before is not None and rows[0].row <= self._last_known_row:
            batch.add(rows)
            batch.leave_out_recorded(self._recorded)
            batch.leave_out_settled(list(batch.pending), self._settled_before, self._policy)
        elif self._expects_conflicts(rows):
            return self._first_comparison(rows, batch)
        else:
            self._lease.require()
            fresh, doubtful = self._seen.split(rows)
            if doubtful:
                fresh, doubtful = self._stored.without_doubt(fresh, doubtful)
            refused = self._insert(fresh)
            batch.inserted += len(fresh) - len(refused)
            self._read_first = len(refused) >= READ_FIRST_FROM * len(rows)
            for row, reply in refused:
                if is_email_conflict(reply):
                    batch.add([row])
                else:
                    batch.refuse(row, reply["errmsg"])
            batch.add(doubtful)
        return None

    def _first_comparison(self, rows: Sequence[ValidRow], batch: Batch) -> Compared | None:
        """Pass over the customers that are as their rows say, or reject or skip the rows that are stored already."""
        emails = list(map(BY_EMAIL, rows))
        left: Sequence[ValidRow]
        if self._policy is not Policy.UPDATE:
            known = self._stored.taken(emails)
            left = self._settle_taken(rows, known.taken, batch)
        elif len(set(emails)) == len(emails):
            known = self._stored.compare_alone(sorted(rows, key=BY_EMAIL))
            batch.unchanged += len(known.equal)
            left = _without(rows, known.equal)
        else:
            batch.add(rows)
            return None
        self._read_first = known.count >= READ_FIRST_FROM * len(rows)
        batch.add(left)
        return replace(known, equal=(), taken={})

    def _expects_conflicts(self, rows: Sequence[ValidRow]) -> bool:
        """Whether most of the rows are probably stored already: as in the last batch; at first a sample says."""
        if self._read_first is None:
            sample = {row.email for row in rows[:SAMPLE_ROWS]}
            self._read_first = len(self._stored.find(list(sample), {"email": 1})) >= READ_FIRST_FROM * len(sample)
        return self._read_first

    def _offer(self, batch: Batch, known: Compared, *, give_up: bool) -> None:
        """Offer every pending e-mail once, of which these are stored.

        `give_up`: what neither goes in nor can be found is refused.
        """
        taken = [row for email in known.taken for row in batch.pending.pop(email, ())]
        self._settle_taken(taken, known.taken, batch)
        batch.unchanged += len(known.equal)
        for email in known.equal:
            del batch.pending[email]
        found = known.other
        changes = self._changes_of_untouched(known.differing, batch)
        if len(changes) < len(known.differing):
            found |= self._stored.find(list(known.differing.keys() - changes.keys()), CHANGE_PROJECTION)
        conflicts = self._insert_firsts(batch, found.keys() | changes.keys())
        for email, customer in found.items():
            if is_of_import(customer, self._import_id):
                # an earlier attempt may have arrived only now: then this is our own effect, not somebody's customer
                own = SettledRows()
                own.add(customer, self._import_id)
                batch.leave_out_settled([email], own, self._policy)
            if email in batch.pending:
                change = self._settle_known(email, customer, batch)
                if change is not None:
                    changes[email] = change
        if changes:
            self._change(sorted(changes.values(), key=BY_ROW), batch)
        if give_up:
            for email in batch.pending.keys() & conflicts.keys():
                while email in batch.pending:
                    batch.refuse_first(email, conflicts[email])

    def _changes_of_untouched(self, differing: Mapping[str, UntouchedCustomer], batch: Batch) -> dict[str, Change]:
        """The changes of customers that only finished imports have written."""
        now = int(utc_now().timestamp() * 1000)
        return {
            email: change_of_untouched(stored, batch.pending[email][0], self._import_id, now)
            for email, stored in differing.items()
            if not stored.updated_by_import or self._foreign_stamps.is_finished(stored.updated_by_import)
        }

    def _insert_firsts(self, batch: Batch, known: AbstractSet[str]) -> dict[str, str]:
        """Insert the first row of every e-mail that is not known; the server's words for each that is taken."""
        rows = [group[0] for email, group in batch.pending.items() if email not in known]
        refused = {row.row: reply for row, reply in self._insert(rows)}
        conflicts: dict[str, str] = {}
        for row in rows:
            reply = refused.get(row.row)
            if reply is None:
                batch.settle_first(row.email)
                batch.inserted += 1
            elif is_email_conflict(reply):
                conflicts[row.email] = reply["errmsg"]
            else:
                batch.refuse_first(row.email, reply["errmsg"])
        return conflicts

    def _insert(self, rows: Sequence[ValidRow]) -> list[tuple[ValidRow, Document]]:
        """Insert the rows' customers, of distinct e-mails; gives those that the server refused, with its reply.

        A customer that is there already under the `_id` of its row is our own write seen again: retried by the
        driver, or sent before an outage. It is not refused.
        """
        if not rows:
            return []
        in_order = sorted(rows, key=BY_EMAIL)
        return [
            (in_order[reply["index"]], reply)
            for reply in insert_packed(self._customers, self._pack(in_order, utc_now()))
            if reply["code"] != DUPLICATE_KEY or "_id" not in reply.get("keyPattern", {})
        ]

    def _settle_taken(self, rows: Sequence[ValidRow], taken: Mapping[str, str], batch: Batch) -> list[ValidRow]:
        """Skip rows whose e-mail somebody else's customer has, or reject them naming the customer; gives the others."""
        if self._policy is Policy.SKIP:
            others = [row for row in rows if row[3] not in taken]
            batch.skipped += len(rows) - len(others)
            return others
        others = []
        reject = batch.rejections.append
        for row in rows:
            number, line, _, email, _, _, cells = row
            customer_id = taken.get(email)
            if customer_id is None:
                others.append(row)
            else:
                # the tuple's own constructor takes half the time of the named tuple's
                errors = (duplicate_in_database(email, customer_id),)
                reject(tuple.__new__(Rejection, (number, line, cells, errors, None)))
        return others

    def _settle_known(self, email: str, stored: Document, batch: Batch) -> Change | None:
        """Settle the rows of an e-mail that is stored, as the policy says; or the change that would."""
        group = batch.pending[email]
        match self._policy:
            case Policy.REJECT:
                batch.rejections.extend(self._duplicate(row, stored) for row in batch.settle_first(email, len(group)))
            case Policy.SKIP:
                batch.skipped += len(batch.settle_first(email, len(group)))
            case Policy.UPDATE:
                rows = one_effect(stored, group) if email in batch.singly else group
                change = change_for(stored, rows, self._import_id, self._checkpoint_row(), self._foreign_stamps.of)
                if change is not None:
                    return change
                batch.unchanged += len(batch.settle_first(email, len(rows)))
        return None

    def _duplicate(self, row: ValidRow, stored: Document) -> Rejection:
        identifier = stored["_id"]
        if created_by_import(identifier, self._import_id):
            error = duplicate_in_file(row.email, row_of(identifier))
        else:
            error = duplicate_in_database(row.email, str(identifier))
        return Rejection(row.row, row.line, row.cells, (error,))

    def _change(self, changes: Sequence[Change], batch: Batch) -> None:
        """Compare-and-set every change; a customer that changed meanwhile stays pending."""
        written = update_packed(self._customers, [change.statement for change in changes])
        refused = {reply["index"]: reply["errmsg"] for reply in written.refused}
        matched = written.matched
        stored = None
        if matched + len(refused) < len(changes):
            stored = self._stored.find([change.email for change in changes], {"email": 1, "updated_by": 1})
        for index, change in enumerate(changes):
            if index in refused:
                _settle_refused(change, refused[index], batch)
            elif stored is None or stored.get(change.email, {}).get("updated_by") == change.stamp:
                batch.settle_first(change.email, change.updated + change.unchanged)
                batch.updated += change.updated
                batch.unchanged += change.unchanged


def _without(rows: Sequence[ValidRow], emails: Sequence[str]) -> Sequence[ValidRow]:
    """The rows, of distinct e-mails, that have none of these."""
    if len(emails) == len(rows):
        return ()
    leave_out = set(emails)
    return [row for row in rows if row.email not in leave_out]


def _settle_refused(change: Change, words: str, batch: Batch) -> None:
    """The rows up to the first that changes something are decided; the rest is offered again."""
    if change.updated > 1:
        batch.singly.add(change.email)
        return
    batch.unchanged += len(batch.settle_first(change.email, change.unchanged_before_first_update))
    batch.refuse_first(change.email, words)


def is_of_import(stored: Document, import_id: bytes) -> bool:
    """Whether a customer was created or changed by the import, as far as the document was read."""
    return created_by_import(stored["_id"], import_id) or bool(stamped_rows(stored, import_id))


def is_email_conflict(reply: Document) -> bool:
    """Whether the server refused a document because its e-mail is taken."""
    return bool(reply["code"] == DUPLICATE_KEY and list(reply.get("keyPattern", {})) == ["email"])

"""Documents that stay where they lie in the reply are those that the driver would give."""

import pytest
from bson import decode

from custimport.store.raw_replies import MOST_DOCUMENTS, each_document, raw_replies


def found(customers, emails, projection=None) -> tuple[int, list[dict[str, object]]]:
    """How many replies, and their documents."""
    replies = list(raw_replies(customers, emails, projection))
    return len(replies), [decode(reply[first:end]) for reply in replies for first, end in each_document(reply)]


# indexes have one digit more from 10, 100, 1000 and 10,000 on
@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 99, 100, 101, 1_001, 10_001])
def test_every_document_is_found_where_it_lies(database, count: int) -> None:
    documents = [
        {"_id": number, "email": f"{number:05}@x.org", "n": [number] * (number % 3)} for number in range(count)
    ]
    if documents:
        database.customers.insert_many(documents)
    emails = [document["email"] for document in documents]

    assert found(database.customers, [*emails, "nobody@x.org"]) == (1, documents)
    _, parts = found(database.customers, emails, {"email": 1})
    assert parts == [{"_id": number, "email": email} for number, email in enumerate(emails)]


def test_a_reply_of_over_16_mb_is_asked_for_in_parts(database) -> None:
    documents = [{"_id": number, "email": f"{number:02}@x.org", "text": "x" * 4_000_000} for number in range(11)]
    for document in documents:
        database.customers.insert_one(document)
    open_before = database.client.admin.command("serverStatus")["metrics"]["cursor"]["open"]["total"]

    replies, parts = found(database.customers, [document["email"] for document in documents])

    assert replies > 2
    assert parts == documents
    assert database.client.admin.command("serverStatus")["metrics"]["cursor"]["open"]["total"] == open_before


def test_more_documents_than_a_reply_may_have_are_asked_for_in_parts(database) -> None:
    # without an index one e-mail may have several
    database.customers.insert_many([{"_id": number, "email": "ab"[number % 2]} for number in range(MOST_DOCUMENTS + 4)])

    replies, parts = found(database.customers, ["a", "b"])

    assert replies == 2
    assert sorted(part["_id"] for part in parts) == list(range(MOST_DOCUMENTS + 4))

"""The reasons that only show when a valid customer meets the others: duplicates, and documents that are refused."""

from custimport.customer.codes import Code, RowError


def duplicate_in_file(email: str, first_row: int) -> RowError:
    """An earlier row (1-based) of the file has the e-mail."""
    return RowError(
        Code.DUPLICATE_IN_FILE,
        "email",
        email,
        f"row {first_row} of this file has the same e-mail address",
        related_row=first_row,
    )


def duplicate_in_database(email: str, customer_id: str) -> RowError:
    """A stored customer, named by the 24 hex digits of its id, has the e-mail."""
    message = f"customer {customer_id} has this e-mail address already"
    # a file may have nothing else: the tuple's own constructor takes half the time of the named tuple's
    return tuple.__new__(RowError, (Code.DUPLICATE_IN_DATABASE, "email", email, message, None, None, customer_id))


def write_refused(words: str) -> RowError:
    """The server refused this one document; `words` are its own."""
    return RowError(Code.WRITE_REFUSED, None, None, f"the database refused the document: {words}")

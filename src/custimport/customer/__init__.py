"""What a valid customer is, and the catalogue of what can be wrong with one."""

from typing import Final

FIELDS: Final = ("full_name", "email", "date_of_birth", "timezone")
"""The four fields of a customer, in the order in which they are shown everywhere."""

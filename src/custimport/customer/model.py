"""One customer as a pydantic model, for commands that take a customer by hand. The rules are the field modules'."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, ValidationInfo
from pydantic_core import PydanticCustomError

from custimport.customer import FIELDS
from custimport.customer.codes import Code, RowError
from custimport.customer.dates import Rules, stored_date_of_birth
from custimport.customer.emails import stored_email
from custimport.customer.names import stored_full_name
from custimport.customer.timezones import stored_timezone
from custimport.errors import UsageError

_NATURAL_CODE: Final = {
    "full_name": Code.INVALID_CHARACTER,
    "email": Code.EMAIL_INVALID,
    "date_of_birth": Code.DATE_INVALID,
    "timezone": Code.TIMEZONE_UNKNOWN,
}


def _rule(field: str, judge: Callable[[str, Rules], Any]) -> BeforeValidator:
    """A validator that runs the field's own function; the rules come in as the validation's context."""

    def validated(value: object, info: ValidationInfo) -> Any:
        if value is None:
            found: Any = RowError(Code.BLANK, field, None, f"{field} is missing")
        elif not isinstance(value, str):
            words = f"{field} must be text, not {type(value).__name__}"
            found = RowError(_NATURAL_CODE[field], field, str(value), words)
        else:
            assert isinstance(info.context, Rules)  # noqa: S101 - validate with the rules as context
            found = judge(value, info.context)
        if isinstance(found, RowError):
            raise PydanticCustomError("rejected", "{message}", {"message": found.message, "row_error": found})
        return found

    return BeforeValidator(validated)


class Customer(BaseModel):
    """A valid customer, its values as they are to be stored. Validate with a `Rules` as context."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    full_name: Annotated[str, _rule("full_name", lambda value, _rules: stored_full_name(value))]
    email: Annotated[str, _rule("email", lambda value, _rules: stored_email(value))]
    date_of_birth: Annotated[date, _rule("date_of_birth", stored_date_of_birth)]
    timezone: Annotated[str, _rule("timezone", lambda value, _rules: stored_timezone(value))]


def validate_customer(values: Mapping[str, Any], rules: Rules) -> Customer | list[RowError]:
    """The customer, or every reason at once, in field order. Raises `UsageError` for a key that is no field."""
    try:
        return Customer.model_validate(dict(values), context=rules)
    except ValidationError as error:
        reasons = [_reason(entry) for entry in error.errors()]
        return sorted(reasons, key=lambda reason: FIELDS.index(reason.field or ""))


def validate_fields(values: Mapping[str, str], rules: Rules) -> dict[str, Any] | list[RowError]:
    """The stored values of the fields that are given, or every reason at once. Same rules, not all fields needed."""
    judged = {field: _judge(field, values[field], rules) for field in FIELDS if field in values}
    reasons = [found for found in judged.values() if isinstance(found, RowError)]
    return reasons or judged


def _judge(field: str, value: str, rules: Rules) -> Any:
    if field == "date_of_birth":
        return stored_date_of_birth(value, rules)
    return {"full_name": stored_full_name, "email": stored_email, "timezone": stored_timezone}[field](value)


def _reason(entry: Any) -> RowError:
    field = str(entry["loc"][0])
    if entry["type"] == "extra_forbidden":
        raise UsageError(f"a customer has no field {field!r}", hint=f"the fields are {', '.join(FIELDS)}")
    if entry["type"] == "missing":
        return RowError(Code.BLANK, field, None, f"{field} is missing")
    reason = entry["ctx"]["row_error"]
    assert isinstance(reason, RowError)  # noqa: S101 - every validator of the model raises with one
    return reason

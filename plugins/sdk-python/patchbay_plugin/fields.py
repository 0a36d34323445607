"""Headers, query and form fields, metadata: a name, a value, repeats allowed, order kept."""

from collections.abc import Iterable, Mapping
from typing import Union

from wit_world.imports.types import Field

Fields = Union[Mapping[str, object], Iterable[Field], None]


def field(name: str, value: object) -> Field:
    """A field of that name and value."""
    return Field(name, str(value))


def fields(given: Fields) -> list[Field]:
    """Fields of a mapping, or the list that it is already. What is None is left out."""
    if given is None:
        return []
    if isinstance(given, Mapping):
        return [field(name, value) for name, value in given.items() if value is not None]
    return list(given)


def value(given: Iterable[Field], name: str) -> str | None:
    """The first value of that exact name."""
    return next((field.value for field in given if field.name == name), None)


def header(given: Iterable[Field], name: str) -> str | None:
    """The first value of that header, in whatever case it was written."""
    return next((field.value for field in given if field.name.lower() == name.lower()), None)

"""The form of documents: JSON Schema out of dataclasses, and dataclasses out of what a document holds.

A field says what it is by `Annotated[type, description]`, and what it may be by `Limits` after that.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields, is_dataclass
from inspect import cleandoc
from types import NoneType, UnionType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

_TYPES = {int: "integer", float: "number", str: "string", bool: "boolean", NoneType: "null"}
_ARTICLES = {int: "an integer", float: "a number", str: "text", bool: "true or false"}


class FormError(ValueError):
    """What a document holds has not the form it should have; `where` is the field, as in `targets[2].policy`."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where or 'the document'} {problem}")
        self.where = where


@dataclass(frozen=True)
class Limits:
    """What a field may be."""

    least: int | None = None
    """Smallest integer."""
    most: int | None = None
    """Largest integer."""
    among: tuple[str, ...] = ()
    """The only texts allowed, if any are given."""
    longest: int | None = None
    """Most characters of a text, or entries of a list."""

    def keywords(self, kind: str) -> dict[str, Any]:
        """Return them as keywords of JSON Schema, for a value of this type."""
        longest = "maxItems" if kind == "array" else "maxLength"
        found = {"minimum": self.least, "maximum": self.most, "enum": list(self.among) or None, longest: self.longest}
        return {name: value for name, value in found.items() if value is not None}

    def check(self, value: Any, where: str) -> None:
        """Raise FormError if a value of the right type is not allowed."""
        if isinstance(value, int) and not (
            (self.least is None or value >= self.least) and (self.most is None or value <= self.most)
        ):
            raise FormError(where, f"is {shown(value)}; it may be {self._range()}")
        if self.among and value not in self.among:
            raise FormError(where, f"is {shown(value)}; it may be one of {', '.join(self.among)}")
        if self.longest is not None and len(value) > self.longest:
            noun = "characters" if isinstance(value, str) else "entries"
            raise FormError(where, f"has {len(value):,} {noun}; it may have {self.longest:,}")

    def _range(self) -> str:
        bounds = (("from", self.least), ("to", self.most))
        return "an integer " + " ".join(f"{word} {bound}" for word, bound in bounds if bound is not None)


def described(kind: type, title: str, *, nulls: bool = True) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a dataclass whose fields carry their descriptions.

    Args:
        kind: the dataclass.
        title: of the document.
        nulls: whether what is not there is null; otherwise it is left out, as are lists and objects in Kubernetes.
    """
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title} | _schema(kind, nulls)


def _schema(kind: Any, nulls: bool) -> dict[str, Any]:
    """Return the schema of a type."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        form = _schema(arguments[0], nulls)
        for limits in arguments[2:]:
            form |= limits.keywords(form.get("type"))
        return form | {"description": arguments[1]}
    if origin is tuple:
        return {"type": "array", "items": _schema(arguments[0], nulls)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(arguments[1], nulls)}
    if origin is UnionType:
        forms = [_schema(one, nulls) for one in arguments if nulls or one is not NoneType]
        return forms[0] if len(forms) == 1 else {"anyOf": forms}
    if kind is Any:
        return {}
    if not is_dataclass(kind):
        return {"type": _TYPES[kind]}
    hints = get_type_hints(kind, include_extras=True)
    return {
        "type": "object",
        "description": cleandoc(kind.__doc__ or ""),
        "properties": {name: _schema(of, nulls) for name, of in hints.items()},
        "required": [field.name for field in fields(kind) if nulls or _wanted(field)],
        "additionalProperties": False,
    }


def _wanted(field: Any) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def plain(value: Any) -> Any:
    """Return a dataclass as a document's mappings, lists and values; what is as it is by default is left out."""
    if is_dataclass(value):
        named = ((field, getattr(value, field.name)) for field in fields(value))
        return {field.name: plain(one) for field, one in named if _wanted(field) or one != field.default}
    return [plain(one) for one in value] if isinstance(value, tuple) else value


def read(kind: Any, value: Any, where: str = "") -> Any:
    """Return what a document holds as a dataclass, the inverse of `plain`.

    Args:
        kind: the dataclass, or the type of a field.
        value: mappings, lists and values.
        where: the field, for messages.

    Raises:
        FormError: a field is missing, unknown, of another type or not allowed.
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        found = read(arguments[0], value, where)
        for limits in arguments[2:]:
            limits.check(found, where)
        return found
    if origin is UnionType:  # X | None, where null is not written
        return read(arguments[0], value, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise FormError(where, f"is {shown(value)}; it must be a list")
        return tuple(read(arguments[0], one, f"{where}[{number}]") for number, one in enumerate(value))
    if is_dataclass(kind):
        return _object(kind, value, where)
    if type(value) is not kind:
        raise FormError(where, f"is {shown(value)}; it must be {_ARTICLES[kind]}")
    if kind is str and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise FormError(where, f"is {shown(value)}; it must be text that UTF-8 can write") from None
    return value


def _object(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise FormError(where, f"is {shown(value)}; it must be a mapping of fields to values")
    hints = get_type_hints(kind, include_extras=True)
    prefix = f"{where}." if where else ""
    if unknown := next((name for name in value if name not in hints), None):
        raise FormError(f"{prefix}{str(unknown)[:_SHOWN]}", f"is no field; there are {', '.join(hints)}")
    if missing := next((one.name for one in fields(kind) if _wanted(one) and one.name not in value), None):
        raise FormError(f"{prefix}{missing}", "is missing")
    return kind(**{name: read(hints[name], one, prefix + name) for name, one in value.items()})


_SHOWN = 60
"""Most characters of a value that a message repeats.  Default 60: the message fits two lines of a terminal."""


def shown(value: Any) -> str:
    """Return a value as a message shows it: short, and never able to steer a terminal."""
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    if value is None:
        return "empty"
    if isinstance(value, int) and value.bit_length() > 4 * _SHOWN:
        return f"an integer of {value.bit_length():,} bits"
    text = ascii(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."

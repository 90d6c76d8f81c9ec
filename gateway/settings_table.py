"""Every setting there is, as the classes of the configuration declare it."""

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from gateway.config import Settings

WIDTH, INDENT = 92, "    "
# What stands for the name of one of many, by the key that holds them.
ONE_OF = {"tenants": "<tenant>", "carriers": "<carrier>", "accounts": "<account>"}
NEEDED, UNSET = "needed", "unset"


@dataclass(frozen=True, slots=True)
class Setting:
    key: str
    default: str  # as TOML, or one of the words above
    meaning: str


def settings() -> Iterator[Setting]:
    return _of(Settings, "", None)


def as_text() -> str:
    rows = []
    for each in settings():
        rows.append(f"{each.key} = {each.default}")
        rows.append(textwrap.indent(textwrap.fill(each.meaning, WIDTH), INDENT))
    return "\n".join(rows)


def as_markdown() -> str:
    rows = ["| setting | where it is left out | what it is |", "|---|---|---|"]
    for each in settings():
        shown = each.default if each.default in (NEEDED, UNSET) else f"`{each.default}`"
        rows.append(f"| `{each.key}` | {shown} | {each.meaning} |")
    return "\n".join(rows)


def _of(model: type[BaseModel], path: str, section: Any) -> Iterator[Setting]:
    """`section` is what stands there where nothing is set: it may differ from its class."""
    for name, field in model.model_fields.items():
        key, inner = f"{path}{name}", _inner(field.annotation)
        left_out = getattr(section, name) if isinstance(section, model) else _left_out(field)
        if inner is None:
            meaning = " ".join((field.description or "").split())
            yield Setting(key, _shown(left_out), meaning)
        elif _many(field.annotation):
            yield from _of(inner, f"{key}.{ONE_OF[name]}.", None)
        else:
            listed = "[]" if _listed(field.annotation) else ""
            yield from _of(inner, f"{key}{listed}.", left_out)


def _left_out(field: FieldInfo) -> Any:
    if field.is_required():
        return ...
    return field.get_default(call_default_factory=True, validated_data={})


def _inner(kind: Any) -> type[BaseModel] | None:
    """The section that a field is, or holds."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind
    return next((found for part in get_args(kind) if (found := _inner(part))), None)


def _many(kind: Any) -> bool:
    """Whether it is sections by names."""
    origin = get_origin(kind)
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _listed(kind: Any) -> bool:
    return get_origin(kind) not in (None, Union, UnionType)


def _shown(value: Any) -> str:
    if value is ...:
        return NEEDED
    return UNSET if value is None else _toml(value)


def _toml(value: Any) -> str:
    if isinstance(value, SecretStr):
        return _toml(value.get_secret_value())
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_toml(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, tuple | list | frozenset | set):
        return "[" + ", ".join(sorted(map(_toml, value))) + "]"
    if isinstance(value, int | float) and not isinstance(value, Enum):
        return str(value)
    return f'"{value}"'

"""What the domain's values are made of: frozen, equal by their fields, cheap to make.

`dataclasses` sets each field of a frozen value by a call, `msgspec` all of them in C: a row of 34
fields in 0.1 us instead of 3.3, a changed copy in 0.2 instead of 7.5. A Create makes dozens.
"""

from functools import cache
from typing import Annotated, Any, TypeVar, get_args, get_type_hints

from msgspec import Struct
from msgspec.structs import replace

__all__ = ["Hidden", "Record", "replace"]

T = TypeVar("T")
_HIDDEN = object()

# A field with personal data or a secret: it never shows in a `repr`, so it reaches no log and no
# error by way of one.
Hidden = Annotated[T, _HIDDEN]


class Record(Struct, frozen=True):
    """A value of named fields. Each kind says `frozen=True` once more, for the type checker."""

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__qualname__}({fields})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [(name, getattr(self, name)) for name in _shown(type(self))]


@cache
def _shown(kind: type[Record]) -> tuple[str, ...]:
    hints = get_type_hints(kind, include_extras=True)
    return tuple(name for name in kind.__struct_fields__ if _HIDDEN not in get_args(hints[name]))

"""Pages: a token says where the next one begins, and for which query it was made."""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from typing import Any, TypeVar

from gateway.rpc.errors import page_token

PAGE = 50
MARK = 8  # bytes of the query's hash
T = TypeVar("T")
FIRST = (0, "")  # before everything: no cursor
POSITION_MAX = 2**63 - 1
Place = tuple[int, str]  # of a row in a list: its time and its id


def size(asked: int) -> int:
    return asked or PAGE


def mark(*query: object) -> str:
    """What a token is bound to: the query and its filters."""
    text = "\x1f".join(map(str, query))
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[: MARK * 2]


def token(mark_: str, at: int, key: str) -> str:
    text = f"{mark_}\x1f{at}\x1f{key}"
    return base64.urlsafe_b64encode(text.encode("utf-8")).decode("ascii")


def cursor(given: str, mark_: str) -> Place:
    """Where a page begins. Raises Failure for a token of another query, or none at all."""
    if not given:
        return FIRST
    try:
        text = base64.b64decode(given, altchars=b"-_", validate=True).decode("utf-8")
        found, at, key = text.split("\x1f")
        place = int(at) if at.isascii() and at.isdigit() and len(at) < 20 else -1
    except (binascii.Error, ValueError):
        raise page_token() from None
    if found != mark_ or not 0 <= place <= POSITION_MAX:
        raise page_token()
    return place, key


def newest(until: int, at: Place) -> Place:
    """What a page of a list, newest first, lies before: the time it ends at, or a cursor."""
    end = (until or POSITION_MAX, "")
    return end if at == FIRST else min(end, at)


def oldest(since: int, at: Place) -> Place:
    """What a page of a list, oldest first, lies after: no id is before the empty one."""
    return max((since, ""), at)


def cut(rows: Sequence[T], most: int, mark_: str, at: str, key: str = "id") -> tuple[Any, str]:
    """The rows of this page and the token of the next; one row more than fits was read."""
    if len(rows) <= most:
        return rows, ""
    last = rows[most - 1]
    return rows[:most], token(mark_, getattr(last, at), getattr(last, key))


def listed(names: Sequence[str]) -> str:
    """Several values for one parameter: ",A,B,", or nothing for any."""
    return f",{','.join(names)}," if names else ""

"""What every decision is given: the command, the rows it wants, the time, and chance."""

import hashlib
from collections.abc import Callable
from typing import Any, Protocol

from gateway.domain.record import Record
from gateway.domain.refusal import Refusal, Refusals, Why


class Env(Record, frozen=True):
    """Time and chance. `now` is business time, `machine_ms` counts leases; both in ms."""

    now: int
    machine_ms: int
    new_id: Callable[[], str]
    owner: str  # this process, as the holder of leases
    safe: bool = False  # the store was restored: nothing is sent, spent or promised


class Due(Record, frozen=True):
    """Jobs whose time has come, or whose lease has run out."""

    limit: int
    kinds: tuple[str, ...]
    busy: tuple[str, ...]  # lanes without room: their jobs are not looked at


class Wants(Record, frozen=True, kw_only=True):
    """Which rows a decision reads, by id. The store loads them in lock order before it decides.

    `of_parcel` and `of_interception` name the kinds of child rows wanted with each parcel and
    interception that is loaded.
    """

    requests: tuple[str, ...] = ()
    merchants: tuple[str, ...] = ()
    quotes: tuple[str, ...] = ()
    waybills: tuple[str, ...] = ()  # network/waybill: the newest parcel, or the one it aliases
    parcels: tuple[str, ...] = ()
    interceptions: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    awards: tuple[str, ...] = ()
    inbox: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    transfers: tuple[str, ...] = ()  # by dedup key
    exceptions: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()  # channel/account/number of statements that have arrived
    lines: tuple[str, ...] = ()  # of statements
    posting: tuple[str, ...] = ()  # statements whose next lines are wanted, with what they name
    networks: tuple[str, ...] = ()  # whose waybills the lines may name
    due: Due | None = None
    of_parcel: frozenset[type[Any]] = frozenset()
    of_interception: frozenset[type[Any]] = frozenset()
    wallet: bool = False  # the accounts of the merchants and carriers concerned


class Command(Protocol):
    """A change somebody asks for. `EVIDENCE` commands are never shed."""

    @property
    def evidence(self) -> bool: ...

    def wants(self) -> Wants: ...


def fingerprint(*fields: object) -> str:
    """SHA-256 over business fields in a fixed order; never over serialised messages."""
    text = "\x1f".join("" if value is None else str(value) for value in fields)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


class Replayed(Record, frozen=True):
    """The subject of a request id that was used before with the same contents."""

    subject: str


def repeated(found: Any, method: str, fingerprint: str) -> Replayed | Refusal | None:
    """What an idempotency key means: new, the same request again, or another one's."""
    if found is None:
        return None
    if found.method != method or found.fingerprint != fingerprint:
        return Refusal(Why.REQUEST_ID_REUSED, subject=found.subject)
    return Replayed(found.subject)


No = Refusal | Refusals

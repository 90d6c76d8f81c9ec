"""A batch, without a connection: which rows are read, what is decided, which rows are written.

A generator yields steps and is sent the rows of each reading; either driver carries it out inside
one transaction. It is the only place where decisions meet a store.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.domain.book import Book
from gateway.domain.command import Command, Env
from gateway.domain.decide import decide
from gateway.domain.fees import Terms
from gateway.domain.interception import EventRow, Job, JobState
from gateway.domain.parcel import Subscription
from gateway.store.lines import Read
from gateway.store.loading import plan
from gateway.store.rows import TABLES


@dataclass(frozen=True, slots=True)
class Change:
    """Rows of one kind to be written: `known` ones are updated, and each must be there."""

    kind: type[Any]
    rows: Sequence[Any]
    known: bool


@dataclass(frozen=True, slots=True)
class Done:
    """What a batch came to, once it is committed."""

    results: Sequence[Any]
    events: int  # how many were written
    rows: int  # how many of any kind
    due: int | None  # the soonest business time at which a job of it is due


Steps = Generator[Read | Change, Sequence[Any], Done]


def decided(commands: Sequence[Command], env: Env, terms: Terms, *, shared: bool) -> Steps:
    """Load, decide one command after the other, write. `shared`: other writers may be at it."""
    book = Book()
    wants = [command.wants() for command in commands]
    yield from plan(book, wants, env.now, env.machine_ms, shared=shared)
    results = [decide(book, command, env, terms) for command in commands]
    changes: Mapping[type[Any], Any] = {kind: (new, old) for kind, new, old in book.changes()}
    rows = 0
    for kind, _, _ in TABLES:
        fresh, known = changes.get(kind, ((), ()))
        rows += len(fresh) + len(known)
        # updates first: what is closed makes room for what is opened
        if known:
            yield Change(kind, known, known=True)
        if fresh:
            yield Change(kind, fresh, known=False)
    fresh, known = changes.get(Job, ((), ()))
    due = [job.due_at for job in (*fresh, *known) if job.state is JobState.WAIT]
    due += [row.due_at for kind in changes.get(Subscription, ()) for row in kind]
    events, _ = changes.get(EventRow, ((), ()))
    return Done(results, len(events), rows, min(due, default=None))

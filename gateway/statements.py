"""Carrying a statement to its end: one chunk after the other, each a commit of its own."""

from collections.abc import Mapping

import structlog

from gateway.domain.carrier import Adapter
from gateway.domain.fees import Terms
from gateway.domain.interception import ExceptionKind
from gateway.domain.reconcile import JudgeStatement, PostStatement
from gateway.domain.refusal import Refusal, Refusals
from gateway.domain.statement import CHUNK, PARTS_MAX, Statement, Step
from gateway.store.store import Store
from gateway.store.writer import Unavailable

log = structlog.get_logger("statements")
LINES_MAX = 1_000 * PARTS_MAX
ROUNDS_MAX = 4 * LINES_MAX // CHUNK + 10  # a correction goes over both
FOUND_MAX = 1_000  # pages of what is missing


def networks(adapters: Mapping[str, Adapter], terms: Terms) -> tuple[str, ...]:
    """Whose parcels the configured carriers carry."""
    ours = [adapters[name] for name in terms.contracts if name in adapters]
    every = {adapter.network for adapter in ours}
    return tuple(sorted(every.union(*(adapter.networks.values() for adapter in ours))))


async def post(
    store: Store, statement: str, pages: int = FOUND_MAX
) -> Statement | Refusal | Refusals:
    """Post what has arrived; what is posted is left as it is. Raises Unavailable: what was done
    stays done, and is gone on with, as it is where more is missing than so many pages."""
    of = networks(store.terms.adapters, store.terms)
    for _ in range(ROUNDS_MAX):
        found = await store.run(PostStatement(statement, of))
        if not isinstance(found, Statement) or found.step is Step.POSTED:
            refused_or_posted: Statement | Refusal | Refusals = found
            return refused_or_posted
        if found.step is Step.JUDGING:
            return await _judge(store, found, pages)
    raise RuntimeError("a statement does not come to its end")


async def _judge(store: Store, s: Statement, pages: int) -> Statement | Refusal | Refusals:
    """What no line says, and one should have by now."""
    [span] = await store.table("judged_span", channel=s.channel, account=s.account)
    asked = {"channel": s.channel, "account": s.account, "limit": CHUNK}
    fees = asked | {"until": span["until"]}
    since = {"since": span["since"]}
    for kind, query, of in (
        (ExceptionKind.FEE_NOT_BILLED, "unbilled", fees | since),
        (ExceptionKind.REFUND_NOT_CREDITED, "uncredited", fees | {"billed": span["until"]}),
        (ExceptionKind.AWARD_UNPAID, "unpaid", asked | since | {"until": span["paid"]}),
    ):
        after, last = 0, ""
        for _ in range(pages):
            rows = await store.table(query, **of, after=after, last=last)
            if not rows:
                break
            keys = tuple(row["id"] for row in rows)
            await store.run(JudgeStatement(s.id, kind, keys))
            after, last = rows[-1]["at"], rows[-1]["id"]
        else:
            return s  # not posted: there may be more
    ended: Statement | Refusal | Refusals = await store.run(JudgeStatement(s.id))
    return ended


async def resume(store: Store) -> int:
    """Go on with what a gateway left half posted. How many were carried to their end. One that
    cannot be is told of, and does not keep the others waiting. Raises Unavailable."""
    done = 0
    for row in await store.table("half_posted"):
        try:
            ended = await post(store, row["id"])
        except Unavailable:
            raise
        except Exception as error:
            log.exception("statement not posted", statement=row["id"], error=type(error).__name__)
            continue
        if isinstance(ended, Statement):
            done += 1
        else:
            log.error("statement not posted", statement=row["id"], why=str(ended))
    return done

"""InterceptService: quote, create, watch. No call here waits for a carrier's decision."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from google.protobuf.message import Message
from grpc import StatusCode

from gateway.domain.create import CancelInterception, Created, CreateInterception
from gateway.domain.interception import (
    Decision,
    Interception,
    Movement,
    Request,
    derived,
)
from gateway.pb.turnback.v1 import intercept_service_pb2 as pb
from gateway.pb.turnback.v1 import types_pb2 as types
from gateway.rpc import history, messages, paging
from gateway.rpc.errors import (
    Failure,
    granted,
    not_offered,
    not_yours,
    page_token,
    precondition,
    unavailable,
)
from gateway.rpc.feed import Feed, Scope
from gateway.rpc.quoting import Place, Places, Quoting
from gateway.rpc.shell import Call, Errands, Shell

NAMES = {
    "state": {number: name for name, number in messages.STATE.items()},
    "decision": {number: name for name, number in messages.DECISION.items()},
    "money": {number: name for name, number in messages.MONEY.items()},
}


class InterceptService:
    def __init__(self, shell: Shell, errands: Errands, draining: asyncio.Event) -> None:
        self._shell = shell
        self._errands = errands
        self._draining = draining
        self._places = Places(shell.store)
        self._quoting = Quoting(shell, self._places)
        self._feed = Feed(shell.store, shell.terms)

    async def Quote(
        self, request: pb.InterceptServiceQuoteRequest, call: Call
    ) -> pb.InterceptServiceQuoteResponse:
        return pb.InterceptServiceQuoteResponse(quote=await self._quoting.quote(request, call))

    # -- creating and withdrawing ---------------------------------------------------------

    async def Create(
        self, request: pb.InterceptServiceCreateRequest, call: Call
    ) -> pb.InterceptServiceCreateResponse:
        if request.WhichOneof("payment") == "payment_token":
            raise not_offered("payment tokens are not offered: pay with an agreement_id")
        if request.action == types.ACTION_REDIRECT:
            raise precondition("ACTION_NOT_OFFERED", "action")
        place = await self._places.of_quote(request.quote_id, call.caller.tenant)
        created, work = await self._errands.run(self._create(request, call, place))
        row = created.interception
        if work is not None:
            row = await self._told(row, work, call)
        if created.replayed:
            beside = (await self._beside([row]))[row.id]
        else:
            beside = messages.Beside(order_nos=place.order_nos if place is not None else ())
        return pb.InterceptServiceCreateResponse(
            interception=messages.interception(row, self._shell.terms, beside),
            replayed=created.replayed,
            refund_advice=messages.advice(row, self._shell.terms),
        )

    async def _create(
        self, request: pb.InterceptServiceCreateRequest, call: Call, place: Place | None
    ) -> tuple[Created, "asyncio.Task[Interception | None] | None"]:
        """Slot, commit, call: owned by the server, so that no caller's end comes between."""
        worker = self._shell.worker
        slot = place is not None and worker.slot(place.channel, place.account)
        used = False
        try:
            command = CreateInterception(
                tenant=call.caller.tenant,
                request_id=request.request_id,
                merchant="",
                quote=request.quote_id,
                agreement=request.agreement_id,
                cancel_ticket=request.cancel_ticket,
                slot=slot,
                actor=call.caller.actor,
            )
            result = await self._shell.store.run(command)
            created: Created = granted(result)
            if created.work is None:
                return created, None
            used = True
            return created, worker.start(created.work)
        finally:
            if slot and not used and place is not None:
                worker.unslot(place.channel, place.account)

    async def _told(
        self, row: Interception, work: "asyncio.Task[Interception | None]", call: Call
    ) -> Interception:
        """What is true when the carrier has answered, or when the time for an answer is over."""
        left = call.left_s(self._shell.settings.limits.answer_within_ms)
        await asyncio.wait({work}, timeout=left)
        if work.done() and not work.cancelled() and work.exception() is None:
            answered = work.result()
            if answered is not None:
                return answered
        found = await self._shell.store.rows(Interception, "interception", id=row.id)
        return found[0] if found else row

    async def Cancel(
        self, request: pb.InterceptServiceCancelRequest, call: Call
    ) -> pb.InterceptServiceCancelResponse:
        command = CancelInterception(
            tenant=call.caller.tenant,
            request_id=request.request_id,
            interception=request.interception_id,
            actor=call.caller.actor,
        )
        created: Created = granted(await self._errands.run(self._shell.store.run(command)))
        return pb.InterceptServiceCancelResponse(
            interception=await self.shown(created.interception), replayed=created.replayed
        )

    # -- reading --------------------------------------------------------------------------

    async def Get(
        self, request: pb.InterceptServiceGetRequest, call: Call
    ) -> pb.InterceptServiceGetResponse:
        key = request.interception_id
        if request.request_id:
            used = await self._shell.store.rows(
                Request, "request", id=f"{call.caller.tenant}/{request.request_id}"
            )
            if not used or used[0].method != "Create":
                raise Failure(StatusCode.NOT_FOUND, "INTERCEPTION_UNKNOWN")
            key = used[0].subject
        found, beside = await self._shell.store.several(
            (Interception, "interception", {"id": key}),
            (messages.Beside, "beside", {"keys": [key]}),
        )
        row = _own(found, call.caller.tenant)
        return pb.InterceptServiceGetResponse(
            interception=messages.interception(row, self._shell.terms, beside[0])
        )

    async def List(
        self, request: pb.InterceptServiceListRequest, call: Call
    ) -> pb.InterceptServiceListResponse:
        merchant = call.caller.merchant(request.merchant_id) if request.merchant_id else ""
        filters: dict[str, Any] = {
            "tenant": call.caller.tenant,
            "merchant": merchant,
            "channel": request.carrier,
            "stands": paging.listed(_stands(request.states)),
            "decisions": paging.listed([NAMES["decision"][d] for d in request.decisions if d]),
            "moneys": paging.listed([NAMES["money"][m] for m in request.money_states if m]),
            "waybill": request.waybill,
            "order_no": request.order_no,
            "cancel_ticket": request.cancel_ticket,
            "after": messages.ms(request.created_from),
        }
        until = messages.ms(request.created_to)
        mark = paging.mark("interceptions", *filters.values(), until)
        most = paging.size(request.page_size)
        at, key = paging.newest(until, paging.cursor(request.page_token, mark))
        rows = await self._shell.store.rows(
            Interception, "interceptions", **filters, cursor_at=at, cursor_id=key, limit=most + 1
        )
        rows, more = paging.cut(rows, most, mark, "created_at")
        beside = await self._beside(rows)
        shown = [messages.interception(row, self._shell.terms, beside[row.id]) for row in rows]
        return pb.InterceptServiceListResponse(interceptions=shown, next_page_token=more)

    async def ListEvents(
        self, request: pb.InterceptServiceListEventsRequest, call: Call
    ) -> pb.InterceptServiceListEventsResponse:
        row = await self.interception(request.interception_id, call.caller.tenant)
        mark, most = paging.mark("steps", row.id), paging.size(request.page_size)
        after = paging.cursor(request.page_token, mark)
        steps = [s for s in await history.steps(self._shell.store, row) if s.place > after]
        more = paging.token(mark, *steps[most - 1].place) if len(steps) > most else ""
        events = [step.event for step in steps[:most]]
        return pb.InterceptServiceListEventsResponse(events=events, next_page_token=more)

    async def interception(self, key: str, tenant: str) -> Interception:
        return _own(await self._shell.store.rows(Interception, "interception", id=key), tenant)

    async def shown(self, row: Interception) -> pb.Interception:
        beside = (await self._beside([row]))[row.id]
        message: pb.Interception = messages.interception(row, self._shell.terms, beside)
        return message

    async def _beside(self, rows: Sequence[Interception]) -> Mapping[str, messages.Beside]:
        """What is shown with each: one query, however many they are."""
        ids = sorted(row.id for row in rows)
        found = await self._shell.store.rows(messages.Beside, "beside", keys=ids) if ids else []
        return {beside.interception: beside for beside in found}

    # -- watching -------------------------------------------------------------------------

    async def Watch(
        self, request: pb.InterceptServiceWatchRequest, call: Call
    ) -> AsyncIterator[pb.InterceptServiceWatchResponse | bytes]:
        scope = await self._scope(request, call)
        position = await self._from(request)
        limits, time = self._shell.settings.limits, asyncio.get_running_loop().time
        end, spoke = time() + limits.watch_s, time()
        with self._feed.reading(scope) as reader:
            while time() < end:
                if self._draining.is_set():
                    raise unavailable("DRAINING")
                found, position = await self._feed.after(reader, position)
                for message in found:
                    spoke = time()
                    yield message
                if time() - spoke >= limits.heartbeat_s:
                    spoke = time()
                    yield pb.InterceptServiceWatchResponse(cursor=str(position))

    async def _scope(self, request: pb.InterceptServiceWatchRequest, call: Call) -> Scope:
        tenant = call.caller.tenant
        if request.interception_id:
            row = await self.interception(request.interception_id, tenant)
            return Scope(tenant, interception=row.id)
        if request.merchant_id:
            return Scope(tenant, merchant=call.caller.merchant(request.merchant_id))
        return Scope(tenant)

    async def _from(self, request: pb.InterceptServiceWatchRequest) -> int:
        """The position to go on from. A cursor of the future is not one of ours."""
        newest = await self._shell.store.changed(-1, 0)
        if not request.cursor:
            return 0 if request.from_start else newest
        text = request.cursor
        given = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1
        if given > newest:  # read here before it was heard of, or at another gateway
            newest = await self._shell.store.newest()
        if not 0 <= given <= newest:
            raise page_token("cursor")
        return given

    # -- batches --------------------------------------------------------------------------

    async def BatchQuote(
        self, request: pb.InterceptServiceBatchQuoteRequest, call: Call
    ) -> pb.InterceptServiceBatchQuoteResponse:
        async def one(item: pb.InterceptServiceQuoteRequest) -> pb.QuoteResult:
            return pb.QuoteResult(quote=await self._quoting.quote(item, call))

        results = await _each(request.items, call, one, lambda e: pb.QuoteResult(error=e))
        return pb.InterceptServiceBatchQuoteResponse(results=results)

    async def BatchCreate(
        self, request: pb.InterceptServiceBatchCreateRequest, call: Call
    ) -> pb.InterceptServiceBatchCreateResponse:
        async def one(item: pb.InterceptServiceCreateRequest) -> pb.CreateResult:
            return pb.CreateResult(created=await self.Create(item, call))

        results = await _each(request.items, call, one, lambda e: pb.CreateResult(error=e))
        return pb.InterceptServiceBatchCreateResponse(results=results)


async def _each(
    items: Any,
    call: Call,
    one: Callable[[Any], Awaitable[Message]],
    failed: Callable[[Any], Message],
) -> Any:
    """Each item on its own, in the order of the request; none waits for another, and none is left
    without its answer by what befell another."""

    async def settled(item: Any) -> Message:
        try:
            return await one(item)
        except Exception as error:
            return failed(call.failure(error).status())

    return await asyncio.gather(*(settled(item) for item in items))


def _own(found: Sequence[Interception], tenant: str) -> Interception:
    """A tenant's own; a foreign one and none at all look alike."""
    if not found or found[0].tenant != tenant:
        raise not_yours()
    return found[0]


def _stands(states: Any) -> list[str]:
    """The pairs of decision and movement that read as one of the states."""
    wanted = {NAMES["state"][state] for state in states if state}
    return [
        f"{decision}/{movement}"
        for decision in Decision
        for movement in Movement
        if derived(decision, movement) in wanted
    ]

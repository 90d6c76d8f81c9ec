"""Quotes: a fresh status where one is needed, every unmet condition, and where the parcel goes."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.domain.carrier import Answer, Verdict
from gateway.domain.claim import Award
from gateway.domain.interception import Quote
from gateway.domain.parcel import OrderLine, Parcel
from gateway.domain.quote import MakeQuote, Quoted
from gateway.domain.refusal import Refusal, Refusals, Why
from gateway.pb.turnback.v1 import intercept_service_pb2 as pb
from gateway.pb.turnback.v1 import types_pb2 as types
from gateway.rpc import messages
from gateway.rpc.errors import Failure, granted, invalid, refused, unavailable
from gateway.rpc.registration import network_of, register
from gateway.rpc.shell import Call, Shell
from gateway.store.store import Store

PLACES_MAX = 10_000  # quotes whose carrier account is remembered: some minutes of full load
SLACK_MS = 60  # of the time for an answer, for the commit after the carrier's tracking


@dataclass(frozen=True, slots=True)
class Place:
    """Where the interception of a quote will be sent."""

    tenant: str
    channel: str
    account: str
    order_nos: tuple[str, ...]


class Places:
    """The carrier account of each recent quote, so that Create need not read it first."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: OrderedDict[str, Place] = OrderedDict()

    def keep(self, quote: Quote, lines: Sequence[OrderLine]) -> None:
        self._known[quote.id] = Place(
            tenant=quote.tenant,
            channel=quote.channel,
            account=quote.account,
            order_nos=tuple(dict.fromkeys(line.order_no for line in lines)),
        )
        if len(self._known) > PLACES_MAX:
            self._known.popitem(last=False)

    async def of_quote(self, key: str, tenant: str) -> Place | None:
        """None where there is no such quote of the tenant: the decision will say so."""
        place = self._known.get(key)
        if place is None:
            found = await self._store.rows(Quote, "quote", id=key)
            if not found:
                return None
            lines = await self._store.rows(OrderLine, "lines_of_parcel", parcel=found[0].parcel)
            self.keep(found[0], lines)
            place = self._known[key]
        return place if place.tenant == tenant else None


class Quoting:
    def __init__(self, shell: Shell, places: Places) -> None:
        self._shell = shell
        self._places = places

    async def quote(self, request: pb.InterceptServiceQuoteRequest, call: Call) -> pb.Quote:
        shell = self._shell
        given = request.registration if request.HasField("registration") else None
        key = given or request.parcel
        shown = pb.Quote(merchant_id=request.merchant_id, carrier=key.carrier, waybill=key.waybill)
        field = "parcel." if given is None else "registration."
        network = network_of(key.carrier, key.channel_code, shell.terms, field)
        if network is None:
            return no(shown, request, (Refusal(Why.CARRIER_NOT_CONFIGURED, field="carrier"),))
        shown.network = network
        if given is not None:
            command = register(given, request.merchant_id, call.caller, shell.settings, shell.terms)
            result = await shell.store.run(command)
            if isinstance(result, Refusal) and result.why in SAID_IN_A_QUOTE:
                return no(shown, request, (result,))
            granted(result)
        if not request.merchant_id:
            raise invalid([("merchant_id", "needed")])
        merchant = call.caller.merchant(request.merchant_id)
        read, said = await self._asked(merchant, network, key.waybill, call)
        made = await shell.store.run(
            MakeQuote(
                tenant=call.caller.tenant,
                merchant=merchant,
                network=network,
                waybill=key.waybill,
                read=read,
                said=said,
            )
        )
        if isinstance(made, Refusals):
            return no(shown, request, made.unmet)
        if isinstance(made, Refusal) and made.why is Why.STATUS_PENDING:
            raise self._pending(key.carrier)
        quoted: Quoted = granted(made)
        return await self._shown(quoted, request, shown)

    async def _asked(
        self, merchant: str, network: str, waybill: str, call: Call
    ) -> tuple[Answer | None, Answer | None]:
        """Where the parcel is, and whether its carrier would stop it, as far as it is told in time.
        Nobody but the parcel's merchant has the carrier asked."""
        shell = self._shell
        found = await shell.store.rows(Parcel, "parcel_by_number", network=network, waybill=waybill)
        if not found or found[0].merchant != merchant:
            return None, None
        adapter = shell.terms.adapters.get(found[0].channel)
        if adapter is None or adapter.quote is None:
            return await self._status(found[0], call), None
        left = call.left_s(shell.settings.limits.quote_read_ms)
        would = shell.worker.would(found[0], left)
        read, said = await asyncio.gather(self._status(found[0], call), would)
        return read, said

    async def _status(self, parcel: Parcel, call: Call) -> Answer | None:
        """A tracking answer, where the status we have is too old to price from."""
        shell = self._shell
        if shell.terms.tracker(parcel.channel, parcel.account, parcel.network) is None:
            return None
        age = shell.clock.now() - parcel.read_at
        if parcel.read_at and age < shell.terms.policy.status_fresh_ms:
            return None
        left = call.left_s(shell.settings.limits.quote_read_ms)
        answer = await shell.worker.track(parcel, left)
        return answer if answer is not None and answer.verdict in READ else None

    def _pending(self, channel: str) -> Failure:
        states = set(self._shell.worker.health(channel).values())
        if states == {"open"}:
            return unavailable("CARRIER_UNAVAILABLE", 5.0)
        return refused((Refusal(Why.STATUS_PENDING),))

    async def _shown(
        self, quoted: Quoted, request: pb.InterceptServiceQuoteRequest, shown: pb.Quote
    ) -> pb.Quote:
        parcel = quoted.parcel
        lines, awards = await self._shell.store.several(
            (OrderLine, "lines_of_parcel", {"parcel": parcel.id}),
            (Award, "awards_of_parcel", {"parcel": parcel.id}),
        )
        awarded = sum(award.amount for award in awards)
        if quoted.quote is not None:
            self._places.keep(quoted.quote, lines)
            shown = messages.quote(quoted.quote, parcel, lines, awarded)
        else:
            no(shown, request, quoted.unmet)
            shown.parcel_id = parcel.id
            shown.status = messages.STATUS[quoted.status]
            if lines:
                value = messages.money(messages.value_minor(lines), parcel.currency)
                shown.value.CopyFrom(value)
        if types.ACTION_REDIRECT in request.actions:
            shown.actions.append(redirect())
        terms = self._shell.terms
        declared = terms.tracker(parcel.channel, parcel.account, parcel.network) is None
        shown.status_declared = declared
        at = messages.time(parcel.registered_at if declared else parcel.status_at)
        if at is not None:
            shown.status_at.CopyFrom(at)
        return shown


READ = (Verdict.RECEIVED, Verdict.ACCEPTED)
SAID_IN_A_QUOTE = (Why.WAYBILL_NOT_YOURS, Why.RETURN_LEG)


def no(
    shown: pb.Quote, request: pb.InterceptServiceQuoteRequest, unmet: Sequence[Refusal]
) -> pb.Quote:
    """A quote without an id: what stands in the way, all of it."""
    conditions = messages.unmet(unmet)
    shown.actions.append(pb.ActionQuote(action=types.ACTION_RETURN, unmet=conditions))
    return shown


def redirect() -> pb.ActionQuote:
    """No channel offers it yet."""
    unmet = [messages.condition("ACTION_NOT_OFFERED", "REDIRECT")]
    return pb.ActionQuote(action=types.ACTION_REDIRECT, unmet=unmet)

"""What one caller does when he comes: a function a kind of visit, each from the first call on.

Whoever is told to come again does, with the same message and so the same request_id, a bounded
number of times. What he was about to create, and what he was told, goes into the diary.
"""

import contextlib
import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import gevent
from google.protobuf.message import Message

from gateway.pb.turnback.v1 import intercept_service_pb2 as intercepts
from gateway.pb.turnback.v1 import parcel_service_pb2 as parcels
from gateway.pb.turnback.v1 import wallet_service_pb2 as wallets
from loadtest import client as wire
from loadtest import telling
from loadtest.client import Answer, Method, fen
from loadtest.scenario import Contact, Parcel
from loadtest.traffic import diary
from loadtest.traffic.plan import Arrival
from loadtest.traffic.users import GrpcUser, Refused

TRIES_MAX = 8
PAGE = 50
WATCH_S = 2.0
REPEATS_S = (0.0, 0.0, 0.3, 1.0)  # after the first Create was sent; none waits for another


@dataclass(slots=True)
class Caller:
    """One visit under way. `since` counts for his first call only."""

    user: GrpcUser
    arrival: Arrival
    return_to: Contact
    write: Callable[[diary.Line], None]
    measured: bool
    since: float | None
    known: list[tuple[str, str]]  # interceptions and their merchants, for readers
    line: diary.Line = field(default_factory=dict)

    @property
    def parcel(self) -> Parcel:
        assert self.arrival.parcel is not None
        return self.arrival.parcel

    def ask(self, method: Method[Answer], request: Message) -> Answer:
        """Raises Refused, for the last time, where it was not answered OK."""
        for tries in range(TRIES_MAX):
            since, self.since = self.since, None
            began = time.perf_counter() if since is None else since
            try:
                return self.user.call(method, request, measured=self.measured, since=since)
            except Refused as refused:
                if not refused.no.again or tries == TRIES_MAX - 1:
                    raise
                pause_s = refused.no.wait_s(tries)
            finally:
                took_ms = round((time.perf_counter() - began) * 1000, 1)
                self.line.setdefault("took_ms", {}).setdefault(method.path, []).append(took_ms)
            gevent.sleep(pause_s)
        raise AssertionError("the last try answers or raises")


def visit(caller: Caller) -> None:
    """The whole of it, and the line about it."""
    if caller.arrival.parcel is None:
        with contextlib.suppress(Refused):  # it is in the statistics
            VISITS[caller.arrival.visit](caller)
        return
    caller.line = {
        "kind": diary.VISIT,
        "carrier": caller.parcel.carrier,
        "waybill": caller.parcel.waybill,
        "created": [],
    }
    try:
        VISITS[caller.arrival.visit](caller)
    except Refused as refused:
        caller.line["refused"] = str(refused.no)
        caller.line["again"] = refused.no.again
    finally:
        caller.write(caller.line)


def day(caller: Caller) -> None:
    request = _quoted(caller)
    if request is not None:
        _created(caller, caller.ask(wire.CREATE, request))


def again(caller: Caller) -> None:
    """A client that repeats at once and later, whatever it has been told."""
    request = _quoted(caller)
    if request is None:
        return
    create = functools.partial(_repeat, caller, request)
    repeats = [gevent.spawn_later(after_s, create) for after_s in REPEATS_S]
    try:
        _created(caller, caller.ask(wire.CREATE, request))
    finally:
        gevent.joinall(repeats)


def read(caller: Caller) -> None:
    """One of the reading calls; they take turns."""
    turn = caller.arrival.number % len(READS)
    READS[turn](caller)


VISITS: Mapping[str, Callable[[Caller], None]] = {"day": day, "again": again, "read": read}


# -- from registration to creation --------------------------------------------------------


def _quoted(caller: Caller) -> intercepts.InterceptServiceCreateRequest | None:
    """Registered, and quoted: what is to be created, if it may be."""
    parcel = caller.parcel
    registered = parcels.ParcelServiceRegisterRequest(
        request_id=f"register/{parcel.waybill}",
        parcel=telling.registration(parcel, f"{parcel.carrier}-main", caller.return_to),
    )
    caller.ask(REGISTER, registered)
    asked = intercepts.InterceptServiceQuoteRequest(merchant_id=parcel.merchant)
    asked.parcel.carrier, asked.parcel.waybill = parcel.key
    asked.parcel.channel_code = parcel.code
    quote = caller.ask(wire.QUOTE, asked).quote
    action = quote.actions[0]
    fee = fen(action.fee) if action.HasField("fee") else None
    unmet = [condition.reason for condition in action.unmet]
    caller.line |= {"quoted": True, "unmet": unmet, "quoted_fee": fee}
    if unmet:
        return None
    caller.write(
        {
            "kind": diary.ASKING,
            "carrier": parcel.carrier,
            "waybill": parcel.waybill,
            "quote": quote.id,
            "quoted_fee": fee,
        }
    )
    return telling.creation(parcel, quote.id)


def _created(caller: Caller, answer: intercepts.InterceptServiceCreateResponse) -> None:
    shown = answer.interception
    caller.line["created"].append(shown.id)
    caller.line["created_fee"] = fen(shown.fee)
    caller.known.append((shown.id, shown.merchant_id))


def _repeat(caller: Caller, request: intercepts.InterceptServiceCreateRequest) -> None:
    try:
        _created(caller, caller.ask(wire.CREATE, request))
    except Refused as refused:
        caller.line.setdefault("repeat_refused", str(refused.no))


REGISTER = Method("ParcelService/Register", parcels.ParcelServiceRegisterResponse)


# -- readers ------------------------------------------------------------------------------


def _list(caller: Caller) -> None:
    request = intercepts.InterceptServiceListRequest(page_size=PAGE)
    request.page_token = caller.ask(wire.LIST, request).next_page_token
    if request.page_token:
        caller.ask(wire.LIST, request)


def _one(caller: Caller) -> tuple[str, str] | None:
    """An interception and its merchant: another for every reader."""
    known = caller.known
    return known[caller.arrival.number * 7_919 % len(known)] if known else None


def _get(caller: Caller) -> None:
    if (one := _one(caller)) is not None:
        caller.ask(wire.GET, intercepts.InterceptServiceGetRequest(interception_id=one[0]))


def _log(caller: Caller) -> None:
    if (one := _one(caller)) is not None:
        request = intercepts.InterceptServiceListEventsRequest(interception_id=one[0])
        caller.ask(wire.EVENTS, request)


def _wallet(caller: Caller) -> None:
    if (one := _one(caller)) is not None:
        caller.ask(wire.WALLET, wallets.WalletServiceGetRequest(merchant_id=one[1]))


def _watch(caller: Caller) -> None:
    if (one := _one(caller)) is None:
        return
    request = intercepts.InterceptServiceWatchRequest(interception_id=one[0], from_start=True)
    for answer in caller.user.watch(request, measured=caller.measured, within_s=WATCH_S):
        if answer.HasField("event"):
            return


READS: tuple[Callable[[Caller], None], ...] = (_list, _get, _log, _wallet, _watch)

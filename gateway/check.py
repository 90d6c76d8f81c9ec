"""One harmless read with each account of a carrier: do the credentials work; if not, why not."""

import asyncio
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.clock import Clock
from gateway.domain.carrier import Adapter, Answer, Order, Reason, Trace, Verdict
from gateway.runner import Endpoint, Http, Runner

READS = ("query", "quote", "track")  # what changes nothing at the carrier, the least first
PHONE_TAIL = "0000"  # of nobody: some carriers want one with each number
WRONG = {
    Reason.BAD_CREDENTIALS: "the carrier refuses the credentials",
    Reason.RATE_LIMITED: "the carrier says that it is asked too often",
    Reason.CARRIER_SYSTEM: "the carrier's own system is out of order",
    Reason.NOT_SENT: "the address cannot be reached",
    Reason.NO_ANSWER: "no answer, or none that is one: a time-out, a broken connection, a page",
    Reason.UNREADABLE: "it answers in a way that the adapter does not understand: wrong address?",
    Reason.BAD_REQUEST: "it finds our request wrong: is a setting of the account missing?",
}
UNTOLD = "it says no in a way that is not listed, which does not tell whether the credentials work"
NO_READ = "cannot be checked: this carrier offers no read that changes nothing"


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of it. `well` is None where nothing could be asked."""

    carrier: str
    account: str
    operation: str
    well: bool | None
    said: str
    code: str = ""


async def check(endpoints: Iterable[Endpoint]) -> list[Checked]:
    """One request to each account, all at once; a token is fetched where there is one."""
    http = Http()
    await http.start()
    clock = Clock(followed=False)
    runner = Runner(clock, lambda: str(uuid.uuid4()), lambda *_: None, http.send)
    try:
        return list(await asyncio.gather(*(_check(runner, one) for one in endpoints)))
    finally:
        await http.stop()


def question(adapter: Adapter, name: str, settings: Mapping[str, str]) -> Any:
    """About the parcel that nobody has."""
    network = next(iter(adapter.networks.values()), adapter.network)
    if name == "track":
        return Trace((adapter.probe,), network, PHONE_TAIL, settings)
    return Order("check", adapter.probe, network=network, settings=settings)


async def _check(runner: Runner, endpoint: Endpoint) -> Checked:
    adapter = endpoint.adapter
    name = next((name for name in READS if getattr(adapter, name) is not None), "")
    if not name or not adapter.probe:
        return Checked(adapter.name, endpoint.account, "", None, NO_READ)
    asked = question(adapter, name, endpoint.settings)
    waybills = (adapter.probe,)
    answer = await runner.perform(endpoint, name, getattr(adapter, name), asked, waybills)
    fault = "" if nobodys(adapter, answer.code) else wrong(answer)
    said = fault or "the credentials work"
    return Checked(adapter.name, endpoint.account, name, not fault, said, answer.code)


def nobodys(adapter: Adapter, code: str) -> bool:
    """Whether the carrier has this code, whatever was asked, for a parcel it does not know."""
    return any(
        label.partition(" ")[2] == code and listed.reason is Reason.UNKNOWN_WAYBILL
        for label, listed in adapter.codes.items()
    )


def wrong(answer: Answer) -> str:
    """Why the account may not be usable; empty only where the carrier spoke about the parcel."""
    spoke = answer.verdict not in (Verdict.BUSY, Verdict.UNKNOWN)
    if spoke and answer.reason not in (Reason.BAD_REQUEST, Reason.UNLISTED):
        return ""
    return WRONG.get(answer.reason, UNTOLD)

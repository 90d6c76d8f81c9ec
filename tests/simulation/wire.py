"""Both hops without sockets: the signed bytes go to the carrier's dialect, its pushes to our door.

A request, once it has left, goes on without the process that sent it.
"""

import asyncio
import dataclasses
import json
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING

from adapters import ADAPTERS
from gateway.domain.carrier import Answer, Call, Push, Reply, Tier
from gateway.domain.record import replace
from gateway.runner import NO_ANSWER, NOT_SENT, Endpoint
from simulator.depot import Push as Message
from simulator.dialect import Announcement, Asked, Inbound, Outgoing
from simulator.dialect import Answer as Said
from simulator.dialects import DIALECTS
from simulator.dialects.sf import CHINA
from simulator.outcomes import Fault, FaultName, Operation, Params
from simulator.world import Event, Mark, Place
from tests.simulation.faults import DOOR, PROCESS, WIRE, drawn, strikes

if TYPE_CHECKING:
    from tests.simulation.gateway import Gateway
    from tests.simulation.world import World

LATE_S = 4.0  # a request arrives at most so long after it was given up
LEASE_S = 25.0  # longer than a lease
BEYOND_S = 40.0  # unless its carrier breaks its own bound
HTML = b"<html><head><title>Bad Gateway</title></head><body>nginx</body></html>"
PAGES: dict[str, tuple[int, bytes]] = {
    "http_500": (500, b'{"status":500,"error":"Internal Server Error"}'),
    "html_502": (502, HTML),
    "http_503": (503, b"Service Unavailable"),
    "http_504": (504, b""),
    "html_200": (200, HTML),
    "empty_200": (200, b""),
    "redirect_307": (307, b""),
    "busy_429": (429, b'{"message":"Too Many Requests"}'),
}
LIES = (
    ("80", "已签收(收件人签收)"),
    ("80", "已签收(寄件人签收)"),
    ("648", "快件已退回"),
    ("655", "快件遗失"),
)
LIED = (Event.SIGNED, Event.RETURN_SIGNED, Event.RETURN_STARTED, Event.LOST)
SYSTEM = Fault(FaultName.BUSY_CODE, params=Params({"system": True}))
BUSY = Fault(FaultName.BUSY_CODE)
Outcome = Reply | Answer


@dataclass(slots=True)
class Wire:
    """Between the gateway and the carriers, in both directions."""

    world: "World"
    chance: Random
    share: int = 0  # of requests that meet a fault, in a million
    rough: bool = False  # pushes fail too, and processes pause
    down: str = ""  # a carrier that cannot be reached
    silent: str = ""  # one that takes requests and never answers
    deaf: str = ""  # one that loses what it is asked to do, and tells all it knows
    busy: int = 0  # requests on their way
    planned: dict[str, str] = field(default_factory=dict)  # of the first request to stop a parcel
    told: defaultdict[str, set[str]] = field(  # a push -> the bodies and inbox keys it went under
        default_factory=lambda: defaultdict(set)
    )

    # -- to the carrier -------------------------------------------------------------------

    async def send(self, sender: "Gateway", endpoint: Endpoint, call: Call) -> Outcome:
        world, dialect = self.world, DIALECTS[endpoint.adapter.name]
        headers = {name.lower(): value for name, value in call.headers.items()}
        path, _, query = call.path.lstrip("/").partition("?")
        machine_ms = sender.clock.machine_ms()
        inbound = Inbound(path, headers, call.body, call.method, query, machine_ms)
        asked = dialect.read(inbound, world.depot)
        if isinstance(asked, Said):
            world.wrong("gt.readable", f"{endpoint.adapter.name} cannot read our call: {asked}")
            return NO_ANSWER
        whose = world.auditor.leaving(asked, sender.clock.machine_ms())
        answered: asyncio.Future[Outcome] = world.loop.create_future()
        if self.rough and strikes(self.chance, PROCESS["paused_in_call"]):
            world.met("process.paused_in_call")
            world.loop.call_later(self.chance.uniform(0.0, 0.05), world.stall, LEASE_S)
        fault = self._fault(asked)
        world.spawn(self._travel(endpoint, asked, whose, fault, answered))
        try:
            async with asyncio.timeout(endpoint.timeout_s):
                return await answered
        except TimeoutError:
            return NO_ANSWER

    def _fault(self, asked: Asked) -> str:
        if asked.operation is Operation.INTERCEPT and asked.waybill in self.planned:
            return self.planned.pop(asked.waybill)
        strait = self.world.straits.fault(asked.account.carrier, asked.operation, asked.waybill)
        if strait is not None:
            return strait
        if asked.account.carrier == self.down:
            return "connect_refused"
        if asked.account.carrier == self.silent:
            return self.chance.choice(("timeout_before", "timeout_after"))
        if asked.account.carrier == self.deaf and asked.operation is Operation.INTERCEPT:
            return "timeout_before"
        if not strikes(self.chance, self.share):
            return ""
        return drawn(self.chance, asked.operation)

    async def _travel(
        self,
        endpoint: Endpoint,
        asked: Asked,
        whose: str,
        name: str,
        answered: "asyncio.Future[Outcome]",
    ) -> None:
        world, chance = self.world, self.chance
        self.busy += 1
        try:
            if name:
                world.met(f"wire.{name}")
            fault = WIRE[name] if name else WIRE["slow"]
            out_s = chance.uniform(0.001, 0.02)
            if fault.late:
                out_s = endpoint.timeout_s + chance.uniform(0.05, LATE_S)
                out_s += BEYOND_S + world.straits.held_s() if fault.overdue else 0
            elif name == "connect_timeout":
                out_s = endpoint.connect_s
            await asyncio.sleep(out_s)
            outcome: Outcome | None = NOT_SENT
            asked_ms = world.now
            if fault.overdue:
                world.broken.add(asked.waybill)
            if fault.arrives:
                outcome = await self._arrive(asked, whose, name)
                back_s = chance.uniform(0.001, 0.05)
                if name == "slow":
                    back_s = chance.uniform(0.2, 0.99) * endpoint.timeout_s - out_s
                    put_off_s = world.straits.back_s(asked.account.carrier, asked.operation)
                    back_s = back_s if put_off_s is None else put_off_s
                await asyncio.sleep(back_s)
            elif not fault.answers:
                outcome = None
            if name.startswith("reset"):
                outcome = NO_ANSWER
            elif not fault.answers:
                outcome = None
            if outcome is not None and not answered.done():
                answered.set_result(outcome)
                if asked.operation is Operation.TRACK:
                    world.auditor.read(asked, asked_ms)
        finally:
            self.busy -= 1

    async def _arrive(self, asked: Asked, whose: str, name: str) -> Outcome:
        """The carrier reads, decides, acts, and answers, in that order."""
        world, dialect = self.world, DIALECTS[asked.account.carrier]
        fault = WIRE[name] if name else WIRE["slow"]
        if asked.record is None and asked.waybill:
            asked = dataclasses.replace(
                asked, record=world.depot.find(asked.account, asked.waybill)
            )
        seen, _ = world.depot.arrive(
            asked.account,
            asked.record,
            asked.operation,
            asked.waybill,
            asked.reference,
            world.now,
            world.wall_ms(),
        )
        seen.fault = name
        executes = fault.executes
        if executes is None:
            executes = self.chance.random() < 0.5
        said: Said | None = None
        if executes:
            astray = other_waybill(asked.waybill) if name == "wrong_waybill" else ""
            done = dataclasses.replace(asked, twice=name == "executes_twice", astray=astray)
            if name == "stale_query" and asked.record is not None:
                done = dataclasses.replace(
                    done, record=dataclasses.replace(asked.record, journal=[])
                )
                world.broken.add(asked.waybill)
            before = len(asked.record.journal) if asked.record is not None else 0
            said = dialect.perform(done, world.depot, world.now)
            if asked.record is not None:
                key = asked.record.parcel.key
                made = range(before, len(asked.record.journal))
                world.auditor.made |= {(*key, place): whose for place in made}
            if astray:
                body = said.body.replace(asked.waybill.encode(), astray.encode())
                said = dataclasses.replace(said, body=body)
            seen.executed, seen.code = True, said.code
            if name == "push_before_reply":
                await world.pusher.drain()
        world.note("carrier", asked.operation, asked.waybill, name, seen.code)
        return answer_of(dialect.name, name, said)

    # -- from the carrier -----------------------------------------------------------------

    async def post(self, message: Message) -> tuple[int, bytes] | None:
        """One push, handed to whichever gateway lives. None: the carrier hears nothing."""
        world, chance = self.world, self.chance
        self._keep(message)
        fault = ""
        if self.rough and not message.forged:
            fault = next((name for name, share in DOOR.items() if strikes(chance, share)), "")
        if fault:
            world.met(f"push.{fault}")
        await asyncio.sleep(chance.uniform(0.001, 0.03))
        if fault == "push_lost":
            return None
        if fault in ("push_tampered", "push_astray"):
            await self._forge(message, fault)
        if fault == "push_lie" and self._unsigned(message):
            await (self._lie if message.account.carrier == "sf" else self._other_lie)(message)
        answer = await self._knock(message.url, arrived(message))
        world.note("push", message.account.carrier, *message.ids, answer and answer[0])
        return None if fault == "push_reply_lost" else answer

    async def _forge(self, message: Message, fault: str) -> None:
        """The same message with a byte changed, or at another's door: neither may be taken."""
        push, url = arrived(message), message.url
        if fault == "push_astray":
            head, _, secret = url.rpartition("/")
            others = [name for name in self.world.deals if name != message.account.carrier]
            other = others[0] if others else "nobody"
            url = f"{head.replace(message.account.carrier, other)}/{secret}"
        elif message.account.carrier == "zto":
            push = replace(push, body=push.body.replace(b"billCode", b"billc0de", 1))
        elif message.account.carrier == "sf":
            url = url[:-1]
        else:
            kind, headers = message.content_type, message.headers
            whole = Outgoing(message.kind, message.body, kind, headers)
            url, forged = DIALECTS[message.account.carrier].forge(message.account, whole)
            push = arrived(forged)
        answer = await self._knock(url, push)
        if answer is not None and answer[0] == 200:
            self.world.wrong("inv.K4", f"a push that was {fault} got {answer[0]}")

    async def _lie(self, message: Message) -> None:
        """Unsigned, to the right address, and untrue: it may be kept, and must move nothing."""
        told = json.loads(message.body)["Body"]["WaybillRoute"][0]
        code, remark = self.chance.choice(LIES)
        at = f"{datetime.fromtimestamp(self.world.now // 1000, CHINA):%Y-%m-%d %H:%M:%S}"
        lie = told | {"id": "", "opCode": code, "remark": remark, "acceptTime": at}
        body = json.dumps({"Body": {"WaybillRoute": [lie]}}, ensure_ascii=False).encode()
        await self._knock(message.url, replace(arrived(message), body=body))

    async def _other_lie(self, message: Message) -> None:
        """The same of a carrier of another form."""
        dialect = DIALECTS[message.account.carrier]
        told = [r for r in self.world.depot.records.values() if _tells(r.pushes, message)]
        lies = [event for event in LIED if event in dialect.announces]
        if not told or not lies:
            return
        event = self.chance.choice(lies)
        waybill, place = told[0].parcel.waybill, Place.DESTINATION_OUTLET
        mark = Mark(self.world.now, event, waybill, place)
        lie = dialect.push(message.account, [Announcement("lie", told[0], mark)])
        await self._knock(message.url, arrived(lie))

    def _unsigned(self, message: Message) -> bool:
        port = ADAPTERS[message.account.carrier].push
        credentials = self.world.parties[message.account.carrier].credentials
        return port is not None and port.verify(arrived(message), credentials) is Tier.T3

    def _keep(self, message: Message) -> None:
        """Under which names the gateway may keep it."""
        channel, keys = message.account.carrier, {sha256(message.body).hexdigest()}
        port = ADAPTERS[channel].push
        if port is not None:
            with suppress(ValueError):
                keys.add(f"{channel}/main/{port.decode(arrived(message)).event_key}")
        for key in message.ids:
            self.told[key] |= keys

    async def _knock(self, url: str, push: Push) -> tuple[int, bytes] | None:
        gateway = self.world.gateway
        if gateway is None:
            return None
        _, channel, account, secret = url.removeprefix("http://gateway").strip("/").split("/")
        gate = gateway.pushes.gate(channel, account, secret)
        if gate is None:
            return 404, b""
        reply = await gateway.finished(gateway.pushes.accept(gate, push))
        return None if reply is None else (reply.status, reply.body)


def arrived(message: Message | Outgoing) -> Push:
    """As our door sees it."""
    headers = {name.lower(): text for name, text in message.headers.items()}
    return Push(headers | {"content-type": message.content_type}, message.body)


def _tells(pushes: list[tuple[str, str, Message]], message: Message) -> bool:
    return any(key in message.ids for key, _, _ in pushes)


def other_waybill(waybill: str) -> str:
    return waybill[:-1] + ("1" if waybill[-1:] == "0" else "0")


def answer_of(carrier: str, name: str, said: Said | None) -> Outcome:
    """What comes back: the carrier's answer, or what the fault makes of it."""
    dialect = DIALECTS[carrier]
    if name in PAGES:
        status, body = PAGES[name]
        return Reply(status, body, {"Content-Type": "text/html"})
    if name in ("busy_code", "busy_system"):
        said = dialect.busy(SYSTEM if name == "busy_system" else BUSY)
    if said is None:
        return NO_ANSWER
    body = said.body[: len(said.body) // 2] if name == "truncated" else said.body
    return Reply(said.status, body, {"Content-Type": said.content_type})

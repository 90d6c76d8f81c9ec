"""A carrier's two ends on one bench: its adapter, its dialect, and a depot between them.

What differs from carrier to carrier is taken from its golden files: the credentials, the questions,
and, where it cannot be found out, what the simulator calls the account
(`account.json`: `{"simulator": {"account": ..., "credentials": {...}, "options": {...}}}`).
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters import ADAPTERS
from gateway.domain.carrier import (
    Adapter,
    Call,
    Case,
    Contact,
    Operation,
    Order,
    Reply,
    Stamp,
    Token,
    Trace,
    read,
    read_token,
)
from gateway.domain.carrier import Answer as Told
from gateway.domain.record import replace
from simulator.bodies import OptionsBody
from simulator.depot import Account, Depot, Record
from simulator.dialect import Announcement, Answer, Asked, Dialect, Inbound, Outgoing
from simulator.dialects import DIALECTS
from simulator.outcomes import Outcome, Params, Scenario, Script, draw
from simulator.world import Contact as Place
from simulator.world import Journey, Parcel, ReturnNumber, Status
from tests.test_adapters import OPERATIONS, account, asking

CARRIERS = tuple(name for name in ADAPTERS if name in DIALECTS)
NOW = 1_790_000_000_000  # business and machine time at the start
PUSH_URL = "http://gateway/push/carrier/main/q8Jx2mVb7TzR4kLw9NcYd1Hs"
SEED = 7
SENDER = Contact("林溪文具", "19900000001", "浙江省", "杭州市", "余杭区", "文一西路1号")
RECEIVER = Contact("陈一", "19900000002", "北京市", "北京市", "朝阳区", "建国路2号")
Question = Order | Trace | Case


class Refused(Exception):
    """The dialect would not take the call, or the adapter not make it."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer.status} {answer.code} {answer.body[:300]!r}")
        self.answer = answer


@dataclass(slots=True)
class Bench:
    """One carrier, an account of it, and time. Every check makes its own."""

    adapter: Adapter
    dialect: Dialect
    credentials: Mapping[str, str]  # as `sign` is given them: settings and sites among them
    settings: Mapping[str, str]
    account: Account
    depot: Depot
    now: int = NOW
    machine_ms: int = NOW
    token: str = ""  # the one in force, where there is such a thing
    seen: list[tuple[str, Told, Answer]] = field(default_factory=list)  # all that was answered
    _serial: int = 0

    # -- calling --------------------------------------------------------------------------

    def stamp(self) -> Stamp:
        self._serial += 1
        return Stamp(self.machine_ms, f"00000000-0000-4000-8000-{self._serial:012}")

    def lend(self, **other: str) -> Token | Told | None:
        """What the carrier says to our request for a token. None: it has no such thing."""
        tokens = self.adapter.token
        if tokens is None:
            return None
        credentials = {**self.credentials, **other}
        call = self.adapter.sign(tokens.encode(credentials), credentials, self.stamp())
        lent = read_token(tokens, self.reply(self.arrive(call)))
        if isinstance(lent, Token) and not other:
            self.token = lent.text
        return lent

    def sign(self, call: Call, at: Stamp | None = None, **other: str) -> Call:
        credentials = {**self.credentials}
        if self.adapter.token is not None:
            if not self.token:
                self.lend()
            credentials["access_token"] = self.token
        return self.adapter.sign(call, {**credentials, **other}, at or self.stamp())

    def inbound(self, call: Call) -> Inbound:
        path, _, query = call.path.lstrip("/").partition("?")
        headers = {name.lower(): text for name, text in call.headers.items()}
        return Inbound(path, headers, call.body, call.method, query, self.machine_ms)

    def take(self, call: Call) -> Asked | Answer:
        """What the dialect reads; nothing has been executed."""
        if call.method not in self.dialect.methods:
            return Answer(b"", "http 405", status=405)
        return self.dialect.read(self.inbound(call), self.depot)

    def arrive(self, call: Call, twice: bool = False, astray: str = "") -> Answer:
        """As the simulator's server does it, without faults."""
        asked = self.take(call)
        if isinstance(asked, Answer):
            return asked
        named = (asked.account, asked.record, asked.operation, asked.waybill, asked.reference)
        seen, _ = self.depot.arrive(*named, self.now, self.machine_ms)
        asked = dataclasses.replace(asked, twice=twice, astray=astray)
        answer = self.dialect.perform(asked, self.depot, self.now)
        seen.executed, seen.code = True, answer.code
        if astray and asked.waybill:
            body = answer.body.replace(asked.waybill.encode(), astray.encode())
            answer = dataclasses.replace(answer, body=body)
        return answer

    def reply(self, answer: Answer) -> Reply:
        return Reply(answer.status, answer.body, {"Content-Type": answer.content_type})

    def operation(self, name: str) -> Operation[Any]:
        operation = getattr(self.adapter, name)
        assert operation is not None
        return operation  # type: ignore[no-any-return]

    def ask(self, name: str, question: Question, **faults: Any) -> Told:
        """One operation, from the question to its meaning."""
        operation = self.operation(name)
        call = self.sign(operation.encode(question))
        answer = self.arrive(call, **faults)
        told = read(operation, self.reply(answer), numbers(question))
        self.seen.append((name, told, answer))
        return told

    def asked(self, name: str, question: Question) -> Asked:
        """What the dialect understands of a question. Raises Refused."""
        asked = self.take(self.sign(self.operation(name).encode(question)))
        if isinstance(asked, Answer):
            raise Refused(asked)
        return asked

    # -- parcels --------------------------------------------------------------------------

    @property
    def network(self) -> str:
        """Who carries: the carrier, or, of an aggregator, a company that both ends know."""
        both = [name for name in self.adapter.networks.values() if name in self.companies]
        told = [name for name in both if name in DIALECTS]
        return (told or both or [self.dialect.network])[0]

    @property
    def companies(self) -> tuple[str, ...]:
        return tuple(self.dialect.networks.values())

    def waybill(self) -> str:
        self._serial += 1
        carrier = DIALECTS.get(self.network, self.dialect) if self.companies else self.dialect
        return carrier.number(draw(SEED, self.dialect.name, "waybill", self._serial))

    def ship(
        self,
        outcome: Outcome = Outcome.RETURNED,
        status: Status = Status.IN_TRANSIT,
        number: ReturnNumber | None = None,
        **params: int | str | bool,
    ) -> Record:
        waybill, plan = self.waybill(), Journey()
        carrier = DIALECTS.get(self.network, self.dialect) if self.companies else self.dialect
        numbering = number or carrier.return_number
        back = carrier.number(draw(SEED, self.dialect.name, waybill, "return"))
        parcel = Parcel(
            self.dialect.name,
            self.account.name,
            waybill,
            f"O{waybill}",
            self.now - plan.middle_of(status),
            place(SENDER),
            place(RECEIVER),
            50_000,
            numbering,
            waybill if numbering is ReturnNumber.SAME else back,
            plan,
            network=self.network,
        )
        record = Record(parcel, self.account, Script(outcome, Params(params)), None)
        self.depot.add([record])
        return record

    # -- questions ------------------------------------------------------------------------

    def question(self, name: str, waybill: str, **other: Any) -> Any:
        """The golden question of this operation, asked of another parcel."""
        found = asking(ADAPTERS[self.adapter.name], name)
        if isinstance(found, Trace):
            tail = SENDER.phone[-4:] if found.phone_tail else ""
            asked: Question = replace(found, waybills=(waybill,), phone_tail=tail)
        elif isinstance(found, Case):
            asked = replace(found, waybill=waybill, sender=found.sender and SENDER)
        else:
            asked = replace(found, waybill=waybill, order_no=f"O{waybill}")
            asked = replace(asked, sender=SENDER, receiver=RECEIVER)
        settings = {**found.settings, **self.settings}
        return replace(asked, network=self.network, settings=settings, **other)

    def spread(self, waybills: tuple[str, ...]) -> Iterator[Trace]:
        """The questions of tracking, as many as it takes."""
        batch = self.operation("track").batch
        first: Trace = self.question("track", waybills[0])
        for start in range(0, len(waybills), batch):
            yield replace(first, waybills=waybills[start : start + batch])

    def tracker(self) -> "Bench | None":
        """Who tells where its parcels are: itself, or the network's own channel, whose account
        may look at them. None: nobody."""
        if self.adapter.track is not None:
            return self
        for name in CARRIERS:
            other = ADAPTERS[name]
            if other.track is None or other.networks or other.network != self.network:
                continue
            found = bench(name)
            found.depot, found.now, found.machine_ms = self.depot, self.now, self.machine_ms
            ours = f"{self.account.carrier}/{self.account.name}"
            options = found.account.options.model_copy(update={"acts_for": [ours]})
            found.account = dataclasses.replace(found.account, options=options)
            self.depot.put_account(found.account)
            return found
        return None

    # -- pushes ---------------------------------------------------------------------------

    def push(self, *announcements: Announcement) -> Outgoing:
        return self.dialect.push(self.account, announcements)


def numbers(question: Question) -> tuple[str, ...]:
    return question.waybills if isinstance(question, Trace) else (question.waybill,)


def place(who: Contact) -> Place:
    return Place(who.name, who.phone, who.province, who.city, who.district, who.street)


def operations(adapter: Adapter) -> tuple[str, ...]:
    return tuple(name for name in OPERATIONS if getattr(adapter, name) is not None)


EVERY = tuple((name, each) for name in CARRIERS for each in operations(ADAPTERS[name]))


def bench(name: str, spoil: Callable[["Bench"], None] = lambda _: None) -> Bench:
    """A fresh bench; `spoil` changes one of its ends, once the account has been found."""
    adapter, dialect = ADAPTERS[name], DIALECTS[name]
    known = account(adapter)
    given: Mapping[str, Any] = known.get("simulator", {})
    settings: dict[str, str] = known.get("settings", {})
    secrets = {**known["credentials"], **settings}
    options = OptionsBody.model_validate(given.get("options", {}))
    held = {**known["credentials"], **given.get("credentials", {})}
    golden = asking(adapter, "intercept").settings
    names = [given["account"]] if "account" in given else [*secrets.values(), *golden.values()]
    refused = []
    for called in dict.fromkeys(text for text in names if text):
        made = Account(name, called, held, PUSH_URL, options, dialect.network)
        depot = Depot(SEED, Scenario())
        depot.put_account(made)
        credentials = {**adapter.sites, **golden, **secrets}
        found = Bench(adapter, dialect, credentials, {**golden, **settings}, made, depot)
        answer = _known(found)
        if not answer:
            spoil(found)
            return found
        refused.append(f"as {called!r}: {answer}")
    raise AssertionError(f"{name}: its dialect knows none of its names: {'; '.join(refused)}")


def _known(found: Bench) -> str:
    """Why the dialect will not take a plain interception from this account; empty: it does."""
    if found.adapter.token is not None:
        lent = found.lend()
        if not isinstance(lent, Token):
            return f"no token: {lent}"
    waybill = found.ship().parcel.waybill
    try:
        found.asked("intercept", found.question("intercept", waybill))
    except Refused as refused:
        return str(refused)
    return ""

"""The auditor: a model of its own, made from what clients were told, that checks every answer.

It shares no decision with the gateway: tables, prices and sums are written here once more.
"""

import sqlite3
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from adapters import ADAPTERS
from gateway.domain.carrier import Dedup
from gateway.pb.turnback.v1 import claim_service_pb2 as claims
from gateway.pb.turnback.v1 import intercept_service_pb2 as pb
from gateway.pb.turnback.v1 import types_pb2 as types
from gateway.store.sqlite import path_of
from loadtest.client import fen, millis
from simulator import world as carrier
from simulator.dialect import Asked
from simulator.outcomes import Operation
from tests.simulation.gateway import Refused
from tests.simulation.terms import CAP_MINOR, FOUR_EYES_MINOR

if TYPE_CHECKING:
    from tests.simulation.crowd import Life
    from tests.simulation.world import World

MINUTE_MS = 60_000
FRESH_MS = 15 * MINUTE_MS  # how old a status may be to price from
QUOTE_MS = 10 * MINUTE_MS
EDGES: dict[str, dict[str, str]] = {
    "decision": {
        "": "QUEUED SENDING",
        "QUEUED": "SENDING PROCESSING ACCEPTED REFUSED NEVER_SENT CANCELLED",
        "SENDING": "QUEUED PROCESSING UNKNOWN ACCEPTED REFUSED",
        "PROCESSING": "ACCEPTED REFUSED CANCELLED",
        "UNKNOWN": "PROCESSING ACCEPTED REFUSED CANCELLED QUEUED NEVER_SENT",
        "ACCEPTED": "CANCELLED",
        "REFUSED": "LATE_ACCEPTED",
        "NEVER_SENT": "LATE_ACCEPTED",
    },
    "movement": {
        "NONE": "RETURNING RETURNED LOST RETURN_FAILED NOT_SHIPPED",
        "RETURNING": "RETURNED LOST RETURN_FAILED",
        "LOST": "NONE RETURNING RETURNED RETURN_FAILED",
    },
    "money": {"": "HELD NONE", "HELD": "CAPTURED RELEASED", "CAPTURED": "REFUNDED"},
    "cancel": {
        "NONE": "ASKED",
        "ASKED": "SENT DENIED DONE",
        "SENT": "ASKED DENIED DONE",
    },
}
COLUMNS = {
    pb.EVENT_COLUMN_DECISION: "decision",
    pb.EVENT_COLUMN_MOVEMENT: "movement",
    pb.EVENT_COLUMN_MONEY: "money",
    pb.EVENT_COLUMN_CANCEL: "cancel",
}
START = {"decision": "", "movement": "NONE", "money": "", "cancel": "NONE"}
PAID = {  # what the fee may be where a decision stands
    **dict.fromkeys(("QUEUED", "SENDING", "PROCESSING", "UNKNOWN"), "NONE HELD"),
    "ACCEPTED": "NONE CAPTURED REFUNDED",
    "CANCELLED": "NONE RELEASED REFUNDED CAPTURED",
    **dict.fromkeys(("REFUSED", "NEVER_SENT", "LATE_ACCEPTED"), "NONE RELEASED"),
}
BUGS = frozenset({"INTERNAL", "UNKNOWN", "INVALID_ARGUMENT", "UNIMPLEMENTED"})
BUGS |= {"UNAUTHENTICATED", "PERMISSION_DENIED"}
STATUSES = {
    getattr(types, f"LOGISTICS_STATUS_{status.name}"): status
    for status in carrier.Status
    if hasattr(types, f"LOGISTICS_STATUS_{status.name}")
}
UNDER_WAY = """
SELECT i.id FROM interception i
JOIN attempt a ON a.interception = i.id AND a.kind = :attempt AND a.ended_at IS NULL
JOIN job j ON j.subject = i.id AND j.kind = :job AND j.state = 'leased' AND j.gen = a.gen
WHERE i.channel = :channel AND i.waybill = :waybill AND j.lease_until > :machine_ms
"""
ATTEMPTS = {Operation.INTERCEPT: ("post", "submit"), Operation.CANCEL: ("cancel", "withdraw")}
ATTEMPTS[Operation.CANCEL_ORDER] = ATTEMPTS[Operation.INTERCEPT]


@dataclass(slots=True)
class Model:
    """One interception as its client knows it."""

    life: "Life"
    request: str
    fee: int
    seq: int = 0
    columns: dict[str, str] = field(default_factory=lambda: dict(START))


@dataclass(slots=True)
class Wallet:
    asked: int = 0  # top-ups, as far as they may have come
    paid: int = 0  # as far as they were acknowledged


@dataclass(slots=True)
class Auditor:
    world: "World"
    models: dict[str, Model] = field(default_factory=dict)
    requests: dict[str, str] = field(default_factory=dict)  # request id -> interception
    trying: dict[str, tuple["Life", int]] = field(default_factory=dict)  # not answered yet
    lows: dict[str, int] = field(default_factory=dict)  # what there was at least, while it ran
    wallets: defaultdict[str, Wallet] = field(default_factory=lambda: defaultdict(Wallet))
    made: dict[tuple[str, str, int], str] = field(  # an entry of a carrier's journal -> whose
        default_factory=dict
    )
    cursor: str = ""
    filings: dict[str, tuple["Life", int]] = field(default_factory=dict)  # claim -> whose, loss
    grants: dict[tuple[str, str], int] = field(default_factory=dict)  # decision -> granted
    awards: dict[str, int] = field(default_factory=dict)  # award -> amount, as told
    readings: dict[tuple[str, str], list[tuple[int, int]]] = field(default_factory=dict)
    _db: sqlite3.Connection | None = None

    def wrong(self, rule: str, what: str) -> None:
        self.world.wrong(rule, what)

    def rows(self, sql: str, **values: object) -> list[tuple[Any, ...]]:
        """The ledger as it is on disk, whoever runs on it."""
        if self._db is None:
            path = path_of(self.world.settings.store.url.get_secret_value())
            self._db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
        return self._db.execute(sql, values).fetchall()

    def close(self) -> None:
        if self._db is not None:
            self._db.close()

    # -- at the wire ----------------------------------------------------------------------

    def leaving(self, asked: Asked, machine_ms: int) -> str:
        """A request is about to leave: it must have been written down, under a living lease.
        Returns whose it is."""
        if asked.operation not in ATTEMPTS:
            return ""
        attempt, job = ATTEMPTS[asked.operation]
        found = self.rows(
            UNDER_WAY,
            attempt=attempt,
            job=job,
            channel=asked.account.carrier,
            waybill=asked.waybill,
            machine_ms=machine_ms,
        )
        if len(found) != 1:
            what = f"{asked.operation} of {asked.waybill} left with {len(found)} live attempts"
            self.wrong("inv.C5", what)
        elif asked.operation is Operation.INTERCEPT:
            dedup = ADAPTERS[asked.account.carrier].dedup.value
            if dedup is Dedup.REFERENCE and asked.reference != found[0][0]:
                self.wrong("inv.C5", f"{asked.waybill}: sent as {asked.reference}")
        return str(found[0][0]) if len(found) == 1 else ""

    def read(self, asked: Asked, asked_ms: int) -> None:
        """A reading came back; business time may have leapt while it was under way."""
        told = self.readings.setdefault((asked.account.network, asked.waybill), [])
        told.append((asked_ms, self.world.now))

    # -- what clients are told ------------------------------------------------------------

    def refused(self, name: str, refused: Refused) -> None:
        if refused.code in BUGS:
            self.wrong("reply", f"{name}: {refused}")

    def quoted(self, life: "Life", quote: pb.Quote, since: int) -> None:
        """A price is the contract's for a status that the parcel had; else there is a reason."""
        if not quote.id:
            if not any(action.unmet for action in quote.actions):
                self.wrong("reply", f"{life.waybill}: no quote, and no reason")
            return
        if any(entry.by_other for entry in life.record.journal):
            return  # somebody else's return is told as if it had always been there
        status = STATUSES[quote.status]
        marks = life.record.course()
        times = [since - FRESH_MS, self.world.now]
        told = self.readings.get((life.network, life.waybill), [])
        times += [asked for asked, came in told[-2:] if came >= times[0] and asked < times[0]]
        times += [m.at_ms for m in marks if times[0] <= m.at_ms <= times[1]]
        stood = {carrier.status(marks, at) for at in times}
        if not self.world.parties[life.channel].sees_outlet:
            stood |= (
                {carrier.Status.IN_TRANSIT} if carrier.Status.AT_DESTINATION in stood else set()
            )
        if status not in stood:
            self.wrong("gt.price", f"{life.waybill}: quoted as {status}")
        fee, due = fen(quote.actions[0].fee), self.world.parties[life.channel].fees.get(status)
        if fee != due:
            self.wrong("gt.price", f"{life.waybill}: {fee} quoted for {status}, not {due}")

    def creating(self, life: "Life", quote: pb.Quote, request: str) -> None:
        self.trying[request] = life, fen(quote.actions[0].fee)
        self._ebb(life.merchant)

    def created(
        self, life: "Life", quote: pb.Quote, request: str, answer: pb.InterceptServiceCreateResponse
    ) -> None:
        shown, fee = answer.interception, fen(quote.actions[0].fee)
        self.trying.pop(request, None)
        before = self.requests.setdefault(request, shown.id)
        if before != shown.id:
            self.wrong("inv.I2", f"{request}: {before} and {shown.id}")
        told = (fen(shown.fee), shown.waybill, shown.merchant_id, shown.quote_id, shown.request_id)
        if told != (fee, life.waybill, life.merchant, quote.id, request):
            self.wrong("inv.I3", f"{request} is answered with {told}, the quote said {fee}")
        if millis(shown.created_at) >= millis(quote.expires_at):
            self.wrong("inv.I6", f"{request}: created after its quote had expired")
        self.models.setdefault(shown.id, Model(life, request, fee))
        self._advised(shown, answer.refund_advice)

    def _advised(self, shown: pb.Interception, advice: int) -> None:
        decision = pb.Decision.Name(shown.decision).removeprefix("DECISION_")
        money = pb.MoneyState.Name(shown.money).removeprefix("MONEY_STATE_")
        if money not in PAID[decision].split():
            self.wrong("reply", f"{shown.id}: {decision} and {money}")
        safe = decision in ("ACCEPTED", "LATE_ACCEPTED")
        over = decision in ("REFUSED", "NEVER_SENT", "CANCELLED")
        early = self.world.deals[shown.carrier].promise_on == "payment"
        right = pb.REFUND_ADVICE_SAFE_TO_REFUND if safe or early else pb.REFUND_ADVICE_WAIT
        if advice != (pb.REFUND_ADVICE_DO_NOT_REFUND if over else right):
            self.wrong("reply", f"{shown.id}: {decision}, advised {advice}")

    def create_refused(self, life: "Life", quote: pb.Quote, request: str, refused: Refused) -> None:
        self._ebb(life.merchant)
        self.trying.pop(request, None)
        if request in self.requests:
            self.wrong("inv.I2", f"{request} is {self.requests[request]}, and refused: {refused}")
        reasons = refused.details
        parcel = [m for m in self.models.values() if m.life is life]
        tried = [key for key, (who, _) in self.trying.items() if who is life]
        known = {
            "BALANCE_LOW": self.lows[request] < fen(quote.actions[0].fee),
            "QUOTE_EXPIRED": self.expired(quote),
            "QUOTE_USED": bool(parcel or tried),
            "INTERCEPT_OPEN": bool(parcel or tried),
            "REINTERCEPT_NOT_OFFERED": bool(parcel or tried)
            and not ADAPTERS[life.channel].reintercept.value,
            "NOT_ELIGIBLE": True,  # names those above
        }
        if not known.get(refused.reason, False):
            self.wrong("reply", f"{request} refused without cause: {reasons}")

    def expired(self, quote: pb.Quote) -> bool:
        return self.world.now >= millis(quote.expires_at)

    def _ebb(self, merchant: str) -> None:
        """How little there may have been while a Create was under way."""
        least = self._least(merchant)
        for request, (life, _) in self.trying.items():
            if life.merchant == merchant:
                self.lows[request] = min(self.lows.get(request, least), least)

    def _least(self, merchant: str) -> int:
        """The least that may be in a wallet: whatever may have been taken was taken."""
        taken = sum(fee for life, fee in self.trying.values() if life.merchant == merchant)
        for model in self.models.values():
            if model.life.merchant == merchant and model.columns["money"] in ("", *HELD):
                taken += model.fee
        return self.wallets[merchant].paid - taken

    def withdrawn(self, shown: pb.Interception) -> None:
        if shown.cancel == pb.CANCEL_STATE_NONE:
            self.wrong("reply", f"{shown.id}: a cancel was taken, and nothing shows it")

    def topping_up(self, merchant: str, amount: int) -> None:
        self.wallets[merchant].asked += amount

    def topped_up(self, merchant: str, amount: int) -> None:
        self.wallets[merchant].paid += amount

    def saw(self, merchant: str, available: int, held: int) -> None:
        """A wallet seen while everything moves: within what the answers allow."""
        mine = [m for m in self.models.values() if m.life.merchant == merchant]
        most = self.wallets[merchant].asked + CAP_MINOR * len(mine)
        least = self._least(merchant)
        if not max(0, least) <= available + held <= most or available < 0 or held < 0:
            told = f"{available} and {held} held, {least} to {most} are possible"
            self.wrong("gt.wallet", f"{merchant}: {told}")

    # -- the stream of events -------------------------------------------------------------

    def heard(self, raw: bytes) -> pb.InterceptServiceWatchResponse:
        """Each event once, in order, along an edge, with its evidence; the fee in step."""
        message = pb.InterceptServiceWatchResponse.FromString(raw)
        self.cursor = message.cursor
        if not message.HasField("event"):
            return message
        event, key = message.event, message.event.interception_id
        model = self.models.get(key)
        if model is None:
            life = self.world.crowd.lives[
                message.interception.carrier, message.interception.waybill
            ]
            fee = fen(message.interception.fee)
            model = self.models[key] = Model(life, "", fee)
        column = COLUMNS[event.column]
        if event.seq != model.seq + 1:
            self.wrong("gt.watch", f"{key}: event {event.seq} after {model.seq}")
        if event.from_value != model.columns[column]:
            self.wrong("inv.C9", f"{key}: {column} leaves {event.from_value}")
        if event.to_value not in EDGES[column].get(event.from_value, "").split():
            self.wrong("inv.C9", f"{key}: {column} {event.from_value} to {event.to_value}")
        left = column == "decision" and event.from_value in ("PROCESSING", "UNKNOWN")
        if left and not event.HasField("evidence"):
            self.wrong("inv.C7", f"{key}: left {event.from_value} without evidence")
        if column == "money":
            self._ebb(model.life.merchant)
        model.seq, model.columns[column] = event.seq, event.to_value
        whole = event.seq == message.interception.version
        if whole and model.columns["money"] not in PAID[model.columns["decision"]].split():
            self.wrong("inv.M7", f"{key}: {model.columns}")
        return message

    # -- claims ---------------------------------------------------------------------------

    def claim_refused(self, interception: str, kind: str, refused: Refused) -> None:
        if refused.reason not in ("CLAIM_NO_EVENT", "CLAIM_WINDOW_CLOSED"):
            self.wrong("reply", f"{interception}: a {kind} claim is refused: {refused}")

    def filed(self, claim: claims.Claim, life: "Life", loss: int) -> None:
        if fen(claim.loss) != loss:
            self.wrong("reply", f"{claim.id}: filed for {loss}, shown {fen(claim.loss)}")
        self.filings[claim.id] = life, loss

    def deciding(self, claim: str, key: str, grant: int) -> None:
        self.grants[claim, key] = grant

    def decision_refused(self, claim: str, refused: Refused, *, same: bool) -> None:
        allowed = {"CLAIM_NOT_OPEN", "CLAIM_CAP_REACHED", "DECISION_KEY_REUSED"}
        granted = sum(grant for (key, _), grant in self.grants.items() if key == claim)
        if same and granted > FOUR_EYES_MINOR:
            allowed.add("CLAIM_SAME_ACTOR")
        if refused.reason not in allowed:
            self.wrong("reply", f"{claim}: a decision is refused: {refused}")

    def awarded(self, claim: claims.Claim, award: claims.Award) -> None:
        """One decision, one award; never above the loss, the line, the cap, the grant."""
        amount = fen(award.amount)
        if self.awards.setdefault(award.id, amount) != amount:
            self.wrong("inv.P6", f"{award.id}: {amount}, told {self.awards[award.id]} before")
        _, loss = self.filings[claim.id]
        granted = self.grants[claim.id, award.decision_key]
        if not 0 < amount <= min(loss, CAP_MINOR, granted):
            self.wrong("inv.P1", f"{claim.id}: {amount} for {loss}, {granted} granted")

    def logged(self, event: str, fields: dict[str, Any]) -> None:
        """The gateway's own word that something broke which nobody had foreseen."""
        self.wrong("log", f"{event}: {fields}")

    def counted(self) -> Counter[str]:
        return Counter(model.columns["decision"] for model in self.models.values())


HELD = ("HELD", "CAPTURED")

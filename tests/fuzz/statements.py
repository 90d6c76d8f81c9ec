"""Statement files from a carrier, and statements that name everything of ours in every wrong way.

A file is read or refused in plain words, and quotes nothing; what is read fits the protocol. One
in twenty goes on as a statement of random lines about a real ledger: it is posted or refused, sent
again it changes nothing, and the audit stays silent whatever it says.
"""

import asyncio
import csv
import io
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money as WireMoney

from gateway.domain.carrier import Verdict
from gateway.domain.money import EXPONENTS
from gateway.domain.reconcile import Line
from gateway.domain.refusal import Refusal
from gateway.domain.statement import LineKind, Statement, Step
from gateway.pb.turnback.v1 import operation_service_pb2 as pb
from gateway.rpc.fields import check
from gateway.rpc.reconcile import parts
from gateway.statement_file import COLUMNS, PROBLEMS_MAX, FileLine, Unreadable, read
from gateway.statements import post
from gateway.store.store import Store
from tests.engines import engine
from tests.fuzz.mutate import bent, odd_text
from tests.fuzz.run import Tally, shrunk, timed
from tests.ledgers import START, Desk, month, opened, total

IMPORT_EVERY = 20
FRESH_EVERY = 4  # imports; then something is captured that may be billed, or be missed
IMPORTS = 200  # of one ledger; then a new one, so that neither grows for ever
CANARY = "k3yThatNobodyMaySee"
LINE_MAX = 200
STUCK = "neither posted nor refused"
MESSAGE_MAX = 256 * 1024
CELLS = (
    *("", "0", "1", "-1", "1e3", "NaN", "Infinity", "1" * 5_000, "01", "+1", "1.005", "0.00", "١"),
    *("FEE", "fee", "FEE_CREDIT", "CLAIM", "OTHER", "CNY", "USD", "cny", "ZZZ", "8.00", "-8.00"),
    *("10000000", "10000001", "99999999999.99", '"', "a\nb", "=1+1", CANARY, "2026-09-01"),
    *("2026-02-30T00:00:00Z", "2026-09-01T00:00:00+99:99", "9999-12-31T23:59:59-23:59"),
    *("0000-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z"),
)  # fmt: skip
LARGE = (
    lambda: b",".join([b"a"] * 200_000),
    lambda: b'"' + b"x" * 200_000,
    lambda: (",".join(COLUMNS) + "\n").encode() + b",,,,,,\n" * 30_000,
    lambda: (",".join(COLUMNS) + "\n").encode() + b'1,FEE,"' + b'""' * 60_000 + b'",,1,CNY,\n',
    lambda: b"\n" * 200_000,
    lambda: (",".join(COLUMNS) + "\n1,FEE,,,").encode() + b"9" * 200_000 + b",CNY,\n",
)
Reader = Callable[[bytes], list[FileLine]]
Poster = Callable[[Store, str], Awaitable[Any]]


def file(rng: Random) -> bytes:
    """A file that is right but for what the chance does to it."""
    rows = [[str(n), *_cells(rng)] for n in range(1, rng.choice((1, 2, 3, 12)) + 1)]
    names = list(COLUMNS)
    act = rng.random()
    if act < 0.10:
        return rng.choice(LARGE)() if rng.random() < 0.1 else rng.randbytes(rng.randrange(300))
    if act < 0.55:
        rng.choice(rows)[rng.randrange(len(names))] = (
            rng.choice(CELLS) if rng.random() < 0.7 else odd_text(rng)
        )
    elif act < 0.65:
        names[rng.randrange(len(names))] = rng.choice((CANARY, "at", "", "LINE_NO"))
    elif act < 0.72:
        rng.choice(rows).append(CANARY)
    out = io.StringIO()
    csv.writer(out, lineterminator=rng.choice(("\n", "\r\n"))).writerows([names, *rows])
    data = out.getvalue().encode("utf-8", "surrogatepass")
    return bent(rng, data) if rng.random() < 0.4 else data


def _cells(rng: Random) -> list[str]:
    kind = rng.choice(list(LineKind))
    sign = "-" if kind is LineKind.OTHER and rng.random() < 0.5 else ""
    at = rng.choice(("", "2026-09-30T23:59:59Z", "2026-09-30T23:59:59+08:00"))
    waybill = rng.choice(("", "SF0000000000001", "7-A"))
    amount = f"{sign}{rng.randrange(1, 10**6)}"
    return [kind, rng.choice(("", "r 1", "退回")), waybill, amount, rng.choice(list(EXPONENTS)), at]


def fault(reader: Reader, data: bytes) -> tuple[str, str]:
    """How it ended, and what is wrong about that, or nothing."""
    try:
        lines = reader(data)
    except Unreadable as error:
        told = error.problems
        plain = 0 < len(told) <= PROBLEMS_MAX
        plain = plain and all(len(line) <= LINE_MAX and line.isprintable() for line in told)
        if not plain:
            return "refused", "lines unfit to read"
        return "refused", "it is quoted" if any(CANARY in line for line in told) else ""
    except Exception as error:
        return "broken", f"{type(error).__name__} escaped"
    return "read", unfit(lines)


def unfit(lines: Sequence[FileLine]) -> str:
    """Why what was read cannot be sent."""
    try:
        for part in parts(lines):
            message = pb.OperationServiceImportStatementRequest(
                request_id="fuzz-request",
                carrier="sf",
                sha256="0" * 64,
                statement_no="1",
                period_from=Timestamp(seconds=1),
                period_to=Timestamp(seconds=2),
                total=WireMoney(currency_code="CNY", units=1),
                lines=part,
            )
            if message.ByteSize() > MESSAGE_MAX:
                return "a part is larger than a message"
            check(message)
    except Exception as error:
        return f"read, and cannot be sent: {error}"[:LINE_MAX]
    return ""


# -- statements about a ledger --------------------------------------------------------------


@dataclass(slots=True)
class Ledger:
    """A month of a shop, and all the names that a carrier may use or misuse."""

    desk: Desk
    names: list[str] = field(default_factory=list)
    waybills: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)  # numbers of statements
    imports: int = 0

    @classmethod
    def of(cls, desk: Desk) -> "Ledger":
        made, table = cls(desk), desk.engine.table
        for query in (
            "SELECT id FROM interception",
            "SELECT reference FROM interception",
            "SELECT id FROM claim",
            "SELECT reference FROM claim",
            "SELECT id FROM award",
        ):
            made.names += [row[0] for row in table(query)]
        made.names += ["", "nobody's"]
        made.waybills = [row[0] for row in table("SELECT waybill FROM parcel")] + ["", "SF404"]
        return made

    def lines(self, rng: Random) -> list[Line]:
        made = []
        for number in range(1, rng.choice((1, 2, 5, 9)) + 1):
            kind = rng.choice((*LineKind, LineKind.FEE, LineKind.CLAIM))
            amount = rng.choice((800, 800, 800, 799, 1, 2_500, 1_500, 1_000, 500, 10**12))
            named = rng.random()
            made.append(
                Line(
                    line_no=number * rng.choice((1, 1, 1, 3)) + 10 * number,
                    kind=kind,
                    reference=rng.choice(self.names) if named < 0.7 else "",
                    waybill=rng.choice(self.waybills) if named > 0.4 else "",
                    amount=-amount if kind is LineKind.OTHER and rng.random() < 0.5 else amount,
                    currency=rng.choice(("CNY",) * 9 + ("USD",)),
                    at=0,
                )
            )
        return made

    async def one(self, rng: Random, poster: Poster) -> str:
        """One statement, in parts, perhaps a correction, perhaps again. How it ended."""
        self.imports += 1
        if self.imports % FRESH_EVERY == 0:
            key = await self.desk.create("sf")
            await self.desk.answer(key, Verdict.ACCEPTED)
            self.names.append(key)
            self.waybills.append(self.desk.waybills[key])
        channel = rng.choice(("sf", "zto"))
        number = f"F{rng.randrange(IMPORTS * 2)}"
        mine = [key for key in self.done if key.startswith(channel)]
        corrects = rng.choice(mine).split("/")[1] if mine and rng.random() < 0.4 else ""
        lines = self.lines(rng)
        wrong = total(lines) + (rng.random() < 0.05)
        self.desk.later(rng.choice((0, 1_000, 86_400_000)))
        of: dict[str, Any] = {
            "period_from": START + rng.choice((0, 0, 0, 86_400_000)) - 1,
            "period_to": self.desk.clock.now() + rng.choice((0, 0, 1_000)),
            "sha256": f"{rng.getrandbits(256):064x}",
        }
        places = [lines[start::2] for start in range(2)] if len(lines) > 1 else [lines]
        parts_ = list(enumerate(places, 1))
        rng.shuffle(parts_)
        for _ in range(rng.choice((1, 1, 2))):
            for part, some in parts_:
                command = self.desk.received(
                    channel, number, part, len(places), some, wrong, corrects, **of
                )
                found = await self.desk.store.run(command)
                if isinstance(found, Refusal):
                    return f"import {found.why}"
            ended = await poster(self.desk.store, found.statement.id)
            if not isinstance(ended, Statement) or ended.step is not Step.POSTED:
                return STUCK
        self.done.append(f"{channel}/{number}")
        return "posted"


class Statements:
    def __init__(self, tally: Tally, reader: Reader = read, poster: Poster = post) -> None:
        self._tally = tally
        self._reader = reader
        self._poster = poster

    def file(self, index: int, rng: Random) -> None:
        data = file(rng)
        (ended, why), spent = timed(partial(fault, self._reader, data))
        self._tally.ended[ended] += 1
        self._tally.cost("a file", index, spent, data)
        if why:
            short = shrunk(data, lambda other: fault(self._reader, other)[1] == why)
            self._tally.wrong(index, why, short)

    async def all(self, indexes: Iterable[int]) -> None:
        every = self._tally.each(indexes)
        ended = False
        while not ended:
            with (
                tempfile.TemporaryDirectory(prefix="turnback-fuzz-") as folder,
                engine("sqlite", Path(folder)) as made,
            ):
                desk = await opened(made)
                await month(desk)
                ended = await self._over(Ledger.of(desk), every)
                for finding in await desk.store.audit():
                    said = f"the audit finds {finding.rule}: {finding.rows[0]}"
                    self._tally.wrong(-1, said, b"")
                await desk.store.stop()

    async def _over(self, ledger: Ledger, every: Any) -> bool:
        """Inputs until the ledger is full. Whether there is none left."""
        for index, rng in every:
            if index % IMPORT_EVERY:
                self.file(index, rng)
                continue
            try:
                end = await ledger.one(rng, self._poster)
            except Exception as error:
                end = f"{type(error).__name__} escaped"
                self._tally.wrong(index, end, b"")
            self._tally.ended[end] += 1
            if end == STUCK:
                self._tally.wrong(index, end, b"")
            if ledger.imports >= IMPORTS:
                return False
        return True


def run(tally: Tally, indexes: Iterable[int]) -> None:
    asyncio.run(Statements(tally).all(indexes))

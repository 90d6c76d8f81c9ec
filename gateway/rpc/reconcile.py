"""`turnback reconcile`: a statement file sent to a gateway, part by part, over its public protocol.

Sent again, the same file changes nothing: its request ids come from its hash.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money as WireMoney

from gateway.domain.money import Money
from gateway.domain.statement import LINES_MAX, LineKind
from gateway.pb.turnback.v1 import operation_service_pb2 as pb
from gateway.pb.turnback.v1 import operation_service_pb2_grpc as services
from gateway.statement_file import FileLine

KINDS = {kind: getattr(pb, f"STATEMENT_LINE_KIND_{kind}") for kind in LineKind}
PART_BYTES_MAX = 200 * 1024  # a gateway takes 256 KiB
TIMEOUT_S = 120.0  # the last part is answered when all of them are posted


class Refused(Exception):
    """What the gateway said no to, or that it was not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the file does not say of itself."""

    carrier: str
    account: str
    statement_no: str
    period_from: int
    period_to: int
    total: Money
    corrects: str = ""


@dataclass(frozen=True, slots=True)
class Gate:
    """Where the gateway is, and what opens it."""

    target: str
    token: str = field(repr=False)
    roots: bytes | None = None  # None: plaintext

    def channel(self) -> grpc.Channel:
        if self.roots is None:
            return grpc.insecure_channel(self.target)
        return grpc.secure_channel(self.target, grpc.ssl_channel_credentials(self.roots or None))


def parts(lines: Sequence[FileLine]) -> Iterator[list[pb.StatementLine]]:
    """As many lines in each as a message may hold."""
    part: list[pb.StatementLine] = []
    size = 0
    for line in lines:
        message = _line(line)
        if part and (len(part) >= LINES_MAX or size + message.ByteSize() > PART_BYTES_MAX):
            yield part
            part, size = [], 0
        part.append(message)
        size += message.ByteSize() + 4
    yield part


def send(
    gate: Gate,
    data: bytes,
    lines: Sequence[FileLine],
    said: Said,
    told: Callable[[int, int], None],
) -> pb.OperationServiceImportStatementResponse:
    """Every part in turn; the answer to the last one. `told` hears how many have gone."""
    digest = hashlib.sha256(data).hexdigest()
    every = list(parts(lines))
    answer = pb.OperationServiceImportStatementResponse()
    with gate.channel() as channel:
        make: Any = services.OperationServiceStub
        service: Any = make(channel)
        for number, part in enumerate(every, 1):
            request = pb.OperationServiceImportStatementRequest(
                request_id=f"{digest[:48]}-{number}",
                carrier=said.carrier,
                account=said.account,
                sha256=digest,
                statement_no=said.statement_no,
                period_from=_time(said.period_from),
                period_to=_time(said.period_to),
                total=_money(said.total),
                lines=part,
                part=number,
                parts=len(every),
                corrects_statement_no=said.corrects,
            )
            try:
                answer = service.ImportStatement(
                    request,
                    metadata=(("authorization", f"Bearer {gate.token}"),),
                    timeout=TIMEOUT_S,
                    wait_for_ready=False,
                )
            except grpc.RpcError as error:
                raise Refused(_why(error)) from None
            told(number, len(every))
    return answer


def _why(error: Any) -> str:
    return f"{error.code().name}: {error.details()}"


def _line(line: FileLine) -> pb.StatementLine:
    return pb.StatementLine(
        line_no=line.line_no,
        kind=KINDS[line.kind],
        reference=line.reference,
        waybill=line.waybill,
        amount=_money(line.amount),
        at=None if line.at is None else _time(line.at),
    )


def _time(ms: int) -> Timestamp:
    return Timestamp(seconds=ms // 1000, nanos=ms % 1000 * 1_000_000)


def _money(amount: Money) -> WireMoney:
    units, nanos = amount.units()
    return WireMoney(currency_code=amount.currency, units=units, nanos=nanos)

"""`turnback reconcile`: a statement file sent to a gateway, part by part, over its public protocol.

Sent again, the same file changes nothing: its request ids come from its hash.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.json_format import MessageToJson
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money as WireMoney

from gateway.config import loopback
from gateway.domain.money import Money
from gateway.domain.statement import LINES_MAX, LineKind
from gateway.pb.turnback.v1 import operation_service_pb2 as pb
from gateway.pb.turnback.v1 import operation_service_pb2_grpc as services
from gateway.statement_file import BYTES_MAX, FileLine, Unreadable, time_of

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


def contents(file: Path) -> bytes:
    """Raises Unreadable before it takes in more than a statement may have."""
    with file.open("rb") as opened:
        data = opened.read(BYTES_MAX + 1)
    if len(data) > BYTES_MAX:
        raise Unreadable([f"{file.name}: more than {BYTES_MAX >> 20} MiB"])
    return data


def said(
    carrier: str,
    account: str,
    statement_no: str,
    period: tuple[str, str],
    total: tuple[str, str],
    corrects: str,
) -> Said:
    """The options of the command. Raises Unreadable."""
    problems = []
    times = []
    for name, text in zip(("--from", "--until"), period, strict=True):
        try:
            times.append(time_of(text))
        except ValueError as error:
            problems.append(f"{name}: {error}")
    try:
        amount = Money.parse(*total)
    except ValueError as error:
        problems.append(f"--total, --currency: {error}")
    if problems:
        raise Unreadable(problems)
    return Said(
        carrier=carrier,
        account=account,
        statement_no=statement_no,
        period_from=times[0],
        period_to=times[1],
        total=amount,
        corrects=corrects,
    )


def gate(target: str, token_file: Path, ca_file: Path | None) -> Gate:
    """Raises Unreadable, OSError."""
    host, _, port = target.rpartition(":")
    if not host or not port.isdigit():
        raise Unreadable(["--to: a host and a port, such as 127.0.0.1:50051"])
    if ca_file is None and not loopback(host):
        raise Unreadable(["--to: plaintext off loopback is refused: give --ca-file"])
    token = token_file.read_text("ascii", "replace").strip()
    if not token or not token.isprintable() or not token.isascii():
        raise Unreadable(["--token-file: no token is in it"])
    roots = ca_file.read_bytes() if ca_file else None
    if roots is not None and b"-----BEGIN CERTIFICATE-----" not in roots:
        raise Unreadable(["--ca-file: no PEM certificate is in it"])
    return Gate(target, token, roots)


def send(
    gate: Gate,
    data: bytes,
    lines: Sequence[FileLine],
    said: Said,
    told: Callable[[int], None],
) -> pb.OperationServiceImportStatementResponse:
    """Every part in turn; the answer to the last one. `told` hears how many lines went. Raises
    Refused."""
    digest = hashlib.sha256(data).hexdigest()
    every = list(parts(lines))
    answer = pb.OperationServiceImportStatementResponse()
    bearer = (("authorization", f"Bearer {gate.token}"),)
    with gate.channel() as channel:
        make: Any = services.OperationServiceStub
        service: Any = make(channel)
        for number, part in enumerate(every, 1):
            request = _request(digest, said, part, number, len(every))
            try:
                answer = service.ImportStatement(request, metadata=bearer, timeout=TIMEOUT_S)
            except grpc.RpcError as error:
                raise Refused(_why(error)) from None
            told(len(part))
    return answer


def _request(
    digest: str, said: Said, lines: Sequence[pb.StatementLine], number: int, parts: int
) -> pb.OperationServiceImportStatementRequest:
    return pb.OperationServiceImportStatementRequest(
        request_id=f"{digest[:48]}-{number}",
        carrier=said.carrier,
        account=said.account,
        sha256=digest,
        statement_no=said.statement_no,
        period_from=_time(said.period_from),
        period_to=_time(said.period_to),
        total=_money(said.total),
        lines=lines,
        part=number,
        parts=parts,
        corrects_statement_no=said.corrects,
    )


def as_text(answer: pb.OperationServiceImportStatementResponse) -> str:
    """What came of it: every exception that was told, and the counts."""
    rows = [
        f"line {one.line_no or '–':>6}  {_name(one.kind):<26} {one.waybill:<20} {one.note}"
        f"{_amounts(one)}"
        for one in answer.exceptions
    ]
    if answer.exception_count > len(rows):
        rows.append(f"and {answer.exception_count - len(rows)} more: ListExceptions has them")
    rows.append(
        f"statement {answer.statement_id}: {answer.matched_count} lines matched, "
        f"{answer.differing_count} differ, {answer.unmatched_count} are not ours, "
        f"{answer.exception_count} exceptions{', imported before' * answer.replayed}"
    )
    return "\n".join(rows)


def as_json(answer: pb.OperationServiceImportStatementResponse) -> str:
    return MessageToJson(
        answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def _name(kind: Any) -> str:
    return pb.ExceptionKind.Name(kind).removeprefix("EXCEPTION_KIND_")


def _amounts(one: pb.ExceptionCase) -> str:
    """What the line says, and what it should say, where both are known."""
    if not (one.HasField("actual") and one.HasField("expected")):
        return ""
    actual, expected = (
        Money.of_units(amount.units, amount.nanos, amount.currency_code)
        for amount in (one.actual, one.expected)
    )
    return f": {actual}, not {expected}"


def _why(error: Any) -> str:
    if error.code() is grpc.StatusCode.ALREADY_EXISTS:  # its request_id is the file's own hash
        return (
            "this file was imported before, with another number, period, total or --corrects: "
            "a correction is a file of its own"
        )
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

"""The error contract: what a caller is told, as google.rpc.Status.

Handlers raise Failure (or return what a decision refused through `granted`); the outermost guard
turns it into a status, and whatever else is raised into INTERNAL with an incident id and no text
of its own.

    Failure            a refusal, or a fault that the caller may be told of
"""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import grpc
from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details
from google.rpc import status_pb2

from gateway.domain.refusal import TEXTS, Kind, Refusal, Refusals, Why
from gateway.rpc.wording import words
from gateway.store.writer import Contended, Overloaded, Unavailable

DOMAIN = "turnback.v1"
VIOLATIONS_BYTES_MAX = 3_500  # clients take 8 KiB of metadata, and base64 makes a third more
RETRY_S = 1.0
RETRY_LATER_S = {Why.SAFE_MODE: 30.0}  # a person ends it
T = TypeVar("T")

Code = grpc.StatusCode
CODES: dict[Kind, grpc.StatusCode] = {
    Kind.INVALID: Code.INVALID_ARGUMENT,
    Kind.EXISTS: Code.ALREADY_EXISTS,
    Kind.PRECONDITION: Code.FAILED_PRECONDITION,
    Kind.NOT_FOUND: Code.NOT_FOUND,
    Kind.DENIED: Code.PERMISSION_DENIED,
    Kind.EXHAUSTED: Code.RESOURCE_EXHAUSTED,
    Kind.UNAVAILABLE: Code.UNAVAILABLE,
    Kind.ABORTED: Code.ABORTED,
}
# A foreign id and no id look alike: where ids are not names inside a tenant, both are denied.
FOREIGN = frozenset({Why.INTERCEPTION_UNKNOWN, Why.CLAIM_UNKNOWN, Why.PARCEL_UNKNOWN})
NAMED = frozenset({Why.MERCHANT_UNKNOWN, Why.CLAIM_LINE_UNKNOWN})  # NOT_FOUND in their tenant
CONDITIONS = tuple(Why)[
    tuple(Why).index(Why.WAYBILL_NOT_YOURS) : tuple(Why).index(Why.CARRIER_NOT_CONFIGURED) + 1
]
SUBJECTS = {
    Why.INTERCEPT_OPEN: "interception_id",
    Why.QUOTE_USED: "interception_id",
    Why.CLAIM_EXISTS: "claim_id",
    Why.WAYBILL_REGISTERED: "parcel_id",
}


class Failure(Exception):
    """An answer that is not OK."""

    def __init__(
        self,
        code: grpc.StatusCode,
        reason: str,
        *,
        text: str = "",
        details: Sequence[Message] = (),
        retry_s: float | None = None,
        metadata: dict[str, str] | None = None,
    ) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.text = text
        self.details = details
        self.retry_s = retry_s
        self.metadata = metadata or {}

    def status(self) -> status_pb2.Status:
        said = words(self.reason)
        found = self.text or (said[1] if said else self.reason)
        status = status_pb2.Status(code=self.code.value[0], message=f"{self.reason}: {found}")
        info = details.ErrorInfo(domain=DOMAIN, reason=self.reason, metadata=self.metadata)
        _add(status, info)
        for detail in self.details:
            _add(status, detail)
        if self.retry_s is not None:
            delay = Duration(seconds=int(self.retry_s), nanos=int(self.retry_s % 1 * 1_000_000_000))
            _add(status, details.RetryInfo(retry_delay=delay))
        if said:
            _add(status, details.LocalizedMessage(locale="zh-CN", message=said[0]))
            _add(status, details.LocalizedMessage(locale="en-US", message=said[1]))
        return status


def _add(status: status_pb2.Status, detail: Message) -> None:
    packed = any_pb2.Any()
    packed.Pack(detail)
    status.details.append(packed)


def granted(result: Any) -> Any:
    """The result of a command; raises Failure where it was refused."""
    if isinstance(result, Refusals):
        raise refused(result.unmet)
    if isinstance(result, Refusal):
        raise refused((result,))
    return result


def refused(unmet: Sequence[Refusal]) -> Failure:
    """What the caller is told: conditions of use all together, else the first."""
    ranked = sorted(unmet, key=lambda refusal: RANK[refusal.why])
    first = ranked[0]
    text = TEXTS[first.why]
    if first.why in FOREIGN:
        return Failure(Code.PERMISSION_DENIED, "NOT_YOURS")
    if first.why in NAMED and len(ranked) == 1:
        return Failure(Code.NOT_FOUND, first.why, details=_field(first))
    subject = SUBJECTS.get(first.why)
    metadata = {subject: first.subject} if subject and first.subject else {}
    if text.kind is Kind.INVALID:
        return invalid([(first.field, first.detail or text.en)], first.why)
    if text.kind is not Kind.PRECONDITION:
        waits = text.kind in (Kind.UNAVAILABLE, Kind.EXHAUSTED)
        retry = RETRY_LATER_S.get(first.why, RETRY_S) if waits else None
        extra: tuple[Message, ...] = ()
        if text.kind is Kind.EXHAUSTED:
            extra = (quota("limit", first.detail or text.en),)
        return Failure(CODES[text.kind], first.why, details=extra, retry_s=retry, metadata=metadata)
    several = len(ranked) > 1 and any(refusal.why in CONDITIONS for refusal in ranked)
    reason = Why.NOT_ELIGIBLE if several else first.why
    all_ = dict.fromkeys(str(refusal.why) for refusal in ranked)
    said = f"{TEXTS[Why.NOT_ELIGIBLE].en}: {', '.join(all_)}" if several else ""
    return Failure(
        Code.FAILED_PRECONDITION,
        reason,
        text=said,
        details=(violations(ranked),),
        metadata=metadata,
    )


RANK = {why: rank for rank, why in enumerate(Why)}


def _field(refusal: Refusal) -> tuple[Message, ...]:
    if not refusal.field:
        return ()
    return (_bad_request([(refusal.field, TEXTS[refusal.why].en)]),)


def violations(unmet: Iterable[Refusal]) -> details.PreconditionFailure:
    """Every unmet condition, as far as an error has room; Quote lists them without a limit."""
    failure = details.PreconditionFailure()
    size = 0
    for refusal in unmet:
        violation = failure.violations.add(
            type=refusal.why,
            subject=refusal.detail or refusal.field,
            description=TEXTS[refusal.why].en,
        )
        size += violation.ByteSize()
        if size > VIOLATIONS_BYTES_MAX:
            del failure.violations[-1]
            break
    return failure


def precondition(reason: str, subject: str = "", **metadata: str) -> Failure:
    said = words(reason)
    failure = details.PreconditionFailure()
    failure.violations.add(type=reason, subject=subject, description=said[1] if said else reason)
    return Failure(Code.FAILED_PRECONDITION, reason, details=(failure,), metadata=metadata)


def invalid(fields: Sequence[tuple[str, str]], reason: str = "INVALID_FIELD") -> Failure:
    """Wrong fields, by path. What is said of them never holds what they hold."""
    path, description = fields[0]
    text = f"{path}: {description}" if path else description
    if len(fields) > 1:
        text += f" (and {len(fields) - 1} more)"
    bad = _bad_request(fields)
    return Failure(Code.INVALID_ARGUMENT, reason, text=text, details=(bad,))


def _bad_request(fields: Sequence[tuple[str, str]]) -> details.BadRequest:
    bad = details.BadRequest()
    size = 0
    for path, description in fields:
        violation = bad.field_violations.add(field=path, description=description)
        size += violation.ByteSize()
        if size > VIOLATIONS_BYTES_MAX:
            del bad.field_violations[-1]
            break
    return bad


def quota(subject: str, description: str) -> details.QuotaFailure:
    failure = details.QuotaFailure()
    failure.violations.add(subject=subject, description=description)
    return failure


def not_yours() -> Failure:
    return Failure(Code.PERMISSION_DENIED, "NOT_YOURS")


def not_offered(what: str) -> Failure:
    return Failure(Code.UNIMPLEMENTED, "NOT_OFFERED", text=what)


def page_token(field: str = "page_token") -> Failure:
    return invalid([(field, "not a token of this query")], "PAGE_TOKEN_INVALID")


def unavailable(reason: str, retry_s: float = RETRY_S) -> Failure:
    return Failure(Code.UNAVAILABLE, reason, retry_s=retry_s)


def limited(subject: str, retry_s: float) -> Failure:
    return Failure(
        Code.RESOURCE_EXHAUSTED,
        "RATE_LIMITED",
        details=(quota(subject, "calls of this tenant"),),
        retry_s=max(0.001, retry_s),
    )


def broken(incident: str) -> Failure:
    """A bug: the caller learns a number to report, and nothing else."""
    return Failure(Code.INTERNAL, "INTERNAL", metadata={"incident_id": incident})


def of_store(error: Unavailable) -> Failure:
    """The store did not take the command; the same request id may be sent again."""
    if isinstance(error, Contended):
        return Failure(Code.ABORTED, "CONFLICT", retry_s=RETRY_S)
    return unavailable("OVERLOADED" if isinstance(error, Overloaded) else "STORE_UNAVAILABLE")

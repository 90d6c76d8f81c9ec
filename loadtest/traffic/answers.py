"""What a gateway's answer that is not OK says, and what a client does about it."""

from collections.abc import Sequence
from dataclasses import dataclass

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2 as details
from google.rpc import status_pb2

STATUS_DETAILS = "grpc-status-details-bin"
AGAIN = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.CANCELLED,  # by the library, on its way: it may have been done all the same
    }
)
# The carrier has not told where the parcel is, or is down: a true answer in time, and no failure.
TRUE_WORDS = frozenset({"STATUS_PENDING", "CARRIER_UNAVAILABLE"})
PAUSE_S = 0.2
PAUSE_S_MAX = 3.0


@dataclass(frozen=True, slots=True)
class No:
    """An answer that is not OK."""

    code: grpc.StatusCode
    reason: str
    message: str
    pause_s: float | None  # what RetryInfo says

    @property
    def again(self) -> bool:
        """The same call, with the same request_id, may be answered OK later."""
        return self.code in AGAIN

    @property
    def failure(self) -> bool:
        """Whether it counts as one in the statistics."""
        return self.reason not in TRUE_WORDS

    def __str__(self) -> str:
        return " ".join(filter(None, (self.code.name, self.reason, self.message)))

    def wait_s(self, tries: int) -> float:
        """Before the next try, `tries` having failed: as told, or doubling."""
        told = PAUSE_S * 2 ** min(tries, 8) if self.pause_s is None else self.pause_s
        return min(told, PAUSE_S_MAX)


def no(
    code: grpc.StatusCode, message: str, trailing: Sequence[tuple[str, str | bytes]] | None
) -> No:
    reason, pause_s = "", None
    for key, value in trailing or ():
        if key != STATUS_DETAILS or not isinstance(value, bytes):
            continue
        for part in _status(value).details:
            info, retry = details.ErrorInfo(), details.RetryInfo()
            if part.Unpack(info):
                reason = info.reason
            elif part.Unpack(retry):
                pause_s = _seconds(retry.retry_delay)
    return No(code, reason, message, pause_s)


def _status(raw: bytes) -> status_pb2.Status:
    try:
        return status_pb2.Status.FromString(raw)
    except DecodeError:
        return status_pb2.Status()


def _seconds(span: Duration) -> float:
    return span.seconds + span.nanos / 1e9

"""A typed gRPC user for Locust: one name per method in the statistics, and no other protocol.

Channels are gRPC's own, made to live with gevent (`grpc.experimental.gevent`). Whether an answer is
a failure is the error contract's matter; the first call of a caller counts from when he came, not
from when the generator had time for him.
"""

import itertools
import time
from collections.abc import Iterator, Sequence
from typing import Any

import gevent
import grpc
from google.protobuf.message import Message
from grpc.experimental import gevent as grpc_gevent
from locust import User
from locust.env import Environment

from gateway.pb.turnback.v1 import intercept_service_pb2 as intercepts
from loadtest import client as wire
from loadtest.client import Answer, Method
from loadtest.traffic import answers
from loadtest.traffic.answers import No

CHANNELS = 4  # one connection carries a bounded number of calls at a time
CHANNEL_OPTIONS: Sequence[tuple[str, str | int]] = (
    *wire.OPTIONS,
    ("grpc.use_local_subchannel_pool", 1),  # else all channels share one connection
)
CALL_S = 10.0
IN_FLIGHT_MAX = 1_000  # calls of one worker at one time; above it they wait here
KIND = "grpc"  # in Locust's column "type"


def befriend() -> None:
    """Let gRPC live with gevent, before any channel is opened.

    Each call that is under way holds a thread of gevent's pool. Of the ten that there are by itself
    a few calls to a carrier that hangs would take all, and every other call would wait for them.
    """
    gevent.get_hub().threadpool.maxsize = IN_FLIGHT_MAX
    grpc_gevent.init_gevent()


class Refused(Exception):
    """An answer that is not OK."""

    def __init__(self, no: No) -> None:
        super().__init__(str(no))
        self.no = no


class GrpcUser(User):
    """Give it an address, `host:port`, and a bearer token; then `call` and `watch`."""

    abstract = True

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._channels = itertools.cycle(self._opened())
        self._metadata: Sequence[tuple[str, str]] = ()
        self.calls = 0
        self.came_again = 0  # answers that truly say: not yet

    def _opened(self) -> list[grpc.Channel]:
        address = self.environment.host or self.host
        if not address:
            raise ValueError("no gateway: give its address as --host")
        return [grpc.insecure_channel(address, CHANNEL_OPTIONS) for _ in range(CHANNELS)]

    def identify(self, token: str) -> None:
        self._metadata = (("authorization", f"Bearer {token}"),)

    def call(
        self,
        method: Method[Answer],
        request: Message,
        *,
        measured: bool = True,
        since: float | None = None,
    ) -> Answer:
        """Raises Refused. `since`, on the clock of `time.perf_counter`: when the caller came."""
        ask: Any = next(self._channels).unary_unary(
            f"/turnback.v1.{method.path}",
            request_serializer=_bytes,
            response_deserializer=method.answer.FromString,
        )
        began = time.perf_counter() if since is None else since
        try:
            answer: Answer = ask(request, timeout=CALL_S, metadata=self._metadata)
        except grpc.RpcError as error:
            no = _no(error)
            self._tell(method.path, began, 0, no, measured)
            raise Refused(no) from None
        self._tell(method.path, began, answer.ByteSize(), None, measured)
        return answer

    def watch(
        self,
        request: intercepts.InterceptServiceWatchRequest,
        *,
        measured: bool = False,
        within_s: float | None = None,
    ) -> Iterator[intercepts.InterceptServiceWatchResponse]:
        """Until the stream ends; what is measured is the time to its first message."""
        ask: Any = next(self._channels).unary_stream(
            f"/turnback.v1.{wire.WATCH.path}",
            request_serializer=_bytes,
            response_deserializer=wire.WATCH.answer.FromString,
        )
        began, first = time.perf_counter(), True
        stream = ask(request, timeout=within_s, metadata=self._metadata)
        try:
            for answer in stream:
                if first:
                    self._tell(wire.WATCH.path, began, answer.ByteSize(), None, measured)
                first = False
                yield answer
        except grpc.RpcError as error:
            no = _no(error)
            if first:
                self._tell(wire.WATCH.path, began, 0, no, measured)
            raise Refused(no) from None
        finally:
            stream.cancel()

    def _tell(self, path: str, began: float, size: int, no: No | None, measured: bool) -> None:
        if not measured:
            return
        self.calls += 1
        if no is not None and not no.failure:
            self.came_again += 1
        failed = no is not None and no.failure
        self.environment.events.request.fire(
            request_type=KIND,
            name=path,
            response_time=(time.perf_counter() - began) * 1000,
            response_length=size,
            exception=Refused(no) if failed and no is not None else None,
            context={},
        )


def _bytes(message: Message) -> bytes:
    return message.SerializeToString()


def _no(error: grpc.RpcError) -> No:
    """gRPC's errors of synchronous calls are calls as well."""
    if not isinstance(error, grpc.Call):
        return No(grpc.StatusCode.UNKNOWN, "", type(error).__name__, None)
    trailing = [(key, value) for key, value in error.trailing_metadata() or ()]
    return answers.no(error.code(), error.details() or "", trailing)

"""What the gateway tells of itself: one JSON line per call and effect, and metrics.

Lines carry ids, codes and times; never bodies, names, phone numbers or addresses. A sink that
blocks never blocks the gateway: lines wait in a bounded queue and are dropped, and counted, after.
"""

import queue
import sys
import threading
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, BinaryIO, Protocol

import orjson
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

QUEUE_MAX = 20_000  # lines; some seconds of full load
WRITE_MAX = 1_000  # lines of one write
PAUSE_S = 0.02  # a line waits so long for others: waking for each costs more than writing it
LINE_MAX = 4_096  # bytes of one line
CALL_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.7, 0.8, 0.9, 1.0, 2.0, 5.0)
CARRIER_BUCKETS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0, 6.0, 10.0, 15.0)
BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128)
LINE = orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z
BREAKER = {"closed": 0, "half_open": 1, "open": 2}


class Log(Protocol):
    """What is used of a structlog logger."""

    def info(self, event: str, **fields: Any) -> Any: ...
    def warning(self, event: str, **fields: Any) -> Any: ...
    def error(self, event: str, **fields: Any) -> Any: ...


class Sink:
    """Writes lines on a thread of its own."""

    def __init__(self, stream: BinaryIO, size: int = QUEUE_MAX) -> None:
        self._stream = stream
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._size = size
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        self._thread.start()
        self.dropped = 0

    def msg(self, line: bytes) -> None:
        """Take a line; it is written within PAUSE_S, with those that came by then."""
        if self._lines.qsize() < self._size:
            self._lines.put(line[:LINE_MAX] + b"\n")
        else:
            self.dropped += 1

    debug = info = warning = error = critical = exception = log = msg

    def close(self, timeout_s: float = 2.0) -> None:
        """Write what is left, for so long at most."""
        self._ended.set()
        self._lines.put(None)
        self._thread.join(timeout_s)

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            self._ended.wait(PAUSE_S)
            lines = [line]
            while len(lines) < WRITE_MAX and not self._lines.empty():
                line = self._lines.get()
                if line is None:
                    break
                lines.append(line)
            try:
                self._stream.write(b"".join(lines))
                self._stream.flush()
            except (OSError, ValueError):  # the reader has gone, or the stream is closed
                self.dropped += len(lines)
            if line is None:
                return


def configure(stream: BinaryIO | None = None) -> Sink:
    """Send all log lines to `stream` (standard error unless given) as JSON."""
    sink = Sink(stream or sys.stderr.buffer)
    structlog.configure(
        processors=[_line],
        logger_factory=lambda *_: sink,
        cache_logger_on_first_use=True,
    )
    return sink


def _line(_: Any, level: str, fields: MutableMapping[str, Any]) -> bytes:
    """One line: what happened, how grave, when, and the fields."""
    fields.update(level=level, timestamp=datetime.now(UTC))
    return orjson.dumps(fields, default=str, option=LINE)


def logger() -> Log:
    log: Log = structlog.get_logger()
    return log


class Metrics:
    """Every metric there is, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        made: dict[str, Any] = {"registry": self.registry, "namespace": "turnback"}
        self._calls = Counter("rpc", "Calls answered", ("method", "code"), **made)
        self._call_seconds = Histogram(
            "rpc_seconds", "Time of a call", ("method",), buckets=CALL_BUCKETS, **made
        )
        self._carrier = Counter(
            "carrier_calls", "Calls to carriers", ("channel", "operation", "verdict"), **made
        )
        self._carrier_seconds = Histogram(
            "carrier_seconds",
            "Time of a call to a carrier",
            ("channel", "operation"),
            buckets=CARRIER_BUCKETS,
            **made,
        )
        self._breaker = Gauge(
            "breaker", "0 closed, 1 half open, 2 open", ("channel", "account"), **made
        )
        self._pushes = Counter("pushes", "Pushes of carriers", ("channel", "outcome"), **made)
        self._batch = Histogram("batch_size", "Commands in a commit", buckets=BATCH_BUCKETS, **made)
        self.commits = Counter("commits", "Committed batches", **made)
        self.shed = Counter("shed", "Commands refused for load", **made)
        self.pressure = Gauge(
            "pressure", "Above 0 some calls are shed; 1: all Registers, 2: Quotes too", **made
        )
        self.intake = Gauge("intake", "Commands waiting for a commit", **made)
        self.in_flight = Gauge("rpc_in_flight", "Calls being answered", **made)
        self.watches = Gauge("watches", "Open Watch streams", **made)
        self.store_ready = Gauge("store_ready", "1 while the store can be written", **made)
        self.safe_mode = Gauge("safe_mode", "1 after a restore, while nothing is sent", **made)
        self.oldest_undecided_seconds = Gauge(
            "oldest_undecided_seconds", "Age of the oldest undecided interception", **made
        )
        self._held = Gauge("held_minor", "Fees held, in minor units", ("currency",), **made)
        self._exceptions = Gauge("open_exceptions", "What needs a person", ("kind",), **made)
        self._violations = Gauge("audit_violations", "Rows that break a rule", ("rule",), **made)
        self._children: dict[tuple[Any, ...], Any] = {}

    def _of(self, metric: Any, *labels: str) -> Any:
        """The library finds a child by its labels each time, and checks them; this looks it up."""
        key = (metric, *labels)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = metric.labels(*labels)
        return child

    def rpc(self, method: str, code: str, seconds: float) -> None:
        self._of(self._calls, method, code).inc()
        self._of(self._call_seconds, method).observe(seconds)

    def carrier_call(self, channel: str, operation: str, verdict: str, seconds: float) -> None:
        self._of(self._carrier, channel, operation, verdict).inc()
        self._of(self._carrier_seconds, channel, operation).observe(seconds)

    def breaker(self, channel: str, account: str, state: str) -> None:
        self._breaker.labels(channel, account).set(BREAKER[state])

    def push(self, channel: str, outcome: str) -> None:
        self._of(self._pushes, channel, outcome).inc()

    def batch(self, size: int) -> None:
        self.commits.inc()
        self._batch.observe(size)

    def held(self, by_currency: Mapping[str, int]) -> None:
        for currency, minor in by_currency.items():
            self._held.labels(currency).set(minor)

    def exceptions(self, by_kind: Mapping[str, int]) -> None:
        """The open exceptions as they are now; kinds that are not named have none."""
        self._exceptions.clear()
        for kind, count in by_kind.items():
            self._exceptions.labels(kind).set(count)

    def audit(self, by_rule: Mapping[str, int]) -> None:
        for rule, count in by_rule.items():
            self._violations.labels(rule).set(count)

    async def render(self) -> bytes:
        """The page at /metrics."""
        return generate_latest(self.registry)

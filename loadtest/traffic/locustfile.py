"""What Locust runs: `locust -f loadtest/traffic/locustfile.py`, started by `turnback-load run`.

One user a worker, who lets callers come when the plan says, and does not wait for answers. Master
and workers are Locust's own: the master hands plan and token to its workers, and takes in their
diaries, so that a worker needs nothing but its master's address.
"""

import os
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import gevent
import gevent.pool
from locust import events, task
from locust.env import Environment
from locust.runners import WorkerRunner

from gateway.pb.turnback.v1 import intercept_service_pb2 as intercepts
from loadtest import client as wire
from loadtest import telling
from loadtest.scenario import Line, Parcel
from loadtest.traffic import diary, plan
from loadtest.traffic.users import GrpcUser, Refused, befriend
from loadtest.traffic.visits import Caller, visit

TOKEN = "TURNBACK_LOAD_TOKEN"
LINES, DONE = "turnback-lines", "turnback-done"
GRACE_S = 20.0  # for callers who are still there when the last one has come
FLUSH_S = 0.5
LISTEN_AGAIN_S = 0.2


def arguments(parser: ArgumentParser, **_: Any) -> None:
    parser.add_argument("--plan", default="", help="the run's options, as JSON")
    parser.add_argument("--diary", default="diary.jsonl", help="where the clients' log goes")


def begin(environment: Environment, **_: Any) -> None:
    """Before any channel is opened. The master, or whoever has no master, keeps the diary."""
    befriend()
    runner = environment.runner
    assert runner is not None
    if isinstance(runner, WorkerRunner):
        return
    options: Any = environment.parsed_options
    options.token = os.environ.get(TOKEN, "")  # goes to the workers with the other options
    made, writer, done = plan.loaded(options.plan), diary.Writer(Path(options.diary)), set[int]()

    def lines(msg: Any, **_: Any) -> None:
        writer.write(msg.data["lines"])

    def ended(msg: Any, **_: Any) -> None:
        done.add(msg.data["worker"])
        if len(done) == made.workers:
            gevent.spawn_later(2 * FLUSH_S, runner.quit)  # statistics arrive a little later

    runner.register_message(LINES, lines)
    runner.register_message(DONE, ended)


class Platform(GrpcUser):
    """All callers of one worker, and one ear for what becomes of their parcels."""

    def on_start(self) -> None:
        options: Any = self.environment.parsed_options
        runner = self.environment.runner
        self.worker = max(0, getattr(runner, "worker_index", 0))
        self.plan = plan.Plan(plan.loaded(options.plan))
        self.share = self.plan.share(self.worker)
        self.return_to = self.plan.day.return_to
        self.identify(options.token)
        self.known: list[tuple[str, str]] = []
        self.claimed: set[tuple[str, str]] = set()
        self.lines: list[diary.Line] = []
        self.late_ms: list[float] = []
        self.over = False

    @task
    def serve(self) -> None:
        """The whole run."""
        writing = gevent.spawn(self._write_on)
        listening = gevent.spawn(self._listen)
        callers = gevent.pool.Group()
        self.began = time.perf_counter()
        self.lines.append({"kind": diary.BEGUN, "worker": self.worker, "unix_s": time.time()})
        cpu_s, measured_from = time.process_time(), self.began
        for arrival in self.share:
            due = self.began + arrival.at_s
            if (pause := due - time.perf_counter()) > 0:
                gevent.sleep(pause)
            measured = arrival.at_s >= self.plan.options.warm_s
            if measured and not self.late_ms:
                cpu_s, measured_from = time.process_time(), time.perf_counter()
            if measured:
                self.late_ms.append((time.perf_counter() - due) * 1000)
            callers.spawn(visit, self._caller(arrival, due, measured))
        used_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - measured_from
        callers.join(timeout=GRACE_S)
        unanswered = len(callers)
        callers.kill()  # or they would go on, and nothing of what they do would be in the diary
        self.over = True
        writing.join()  # not killed: it may be half way through a line
        listening.kill()
        self._end(used_s, wall_s, unanswered)

    def _caller(self, arrival: plan.Arrival, due: float, measured: bool) -> Caller:
        return Caller(
            user=self,
            arrival=arrival,
            return_to=self.return_to,
            write=self.lines.append,
            measured=measured,
            since=due,
            known=self.known,
        )

    def _end(self, cpu_s: float, wall_s: float, unanswered: int) -> None:
        late = sorted(self.late_ms) or [0.0]
        self.lines.append(
            {
                "kind": diary.WORKER,
                "worker": self.worker,
                "cpu_s": cpu_s,
                "wall_s": wall_s,
                "calls": self.calls,
                "came_again": self.came_again,
                "unanswered": unanswered,
                "late_p99_ms": late[len(late) * 99 // 100],
                "late_max_ms": late[-1],
            }
        )
        self._flush()
        runner = self.environment.runner
        assert runner is not None
        runner.send_message(DONE, {"worker": self.worker})
        while True:  # until Locust ends the run: a user that returns begins again
            gevent.sleep(60)

    # -- the diary ------------------------------------------------------------------------

    def _write_on(self) -> None:
        while not self.over:
            gevent.sleep(FLUSH_S)
            self._flush()

    def _flush(self) -> None:
        lines, self.lines[:] = list(self.lines), []
        runner = self.environment.runner
        if lines and runner is not None:
            runner.send_message(LINES, {"lines": lines})

    # -- what becomes of the parcels ------------------------------------------------------

    def _listen(self) -> None:
        """One Watch, resumed where it ended; whatever may be claimed is."""
        cursor = ""
        while True:
            request = intercepts.InterceptServiceWatchRequest(cursor=cursor, from_start=not cursor)
            try:
                for answer in self.watch(request):
                    cursor = answer.cursor or cursor
                    self._hear(answer)
            except Refused:
                pass
            gevent.sleep(LISTEN_AGAIN_S)

    def _hear(self, answer: intercepts.InterceptServiceWatchResponse) -> None:
        if answer.event.column != intercepts.EVENT_COLUMN_MOVEMENT:
            return
        shown = answer.interception
        arrival = self.plan.by_key.get((shown.carrier, shown.waybill))
        if arrival is None or arrival.number % self.plan.options.workers != self.worker:
            return
        assert arrival.parcel is not None
        kind = telling.ground(shown, arrival.parcel.outcome)
        if kind is not None and (shown.id, kind) not in self.claimed:
            self.claimed.add((shown.id, kind))
            gevent.spawn(self._claim, shown.id, arrival, kind)

    def _claim(self, interception: str, arrival: plan.Arrival, kind: str) -> None:
        """Line after line, as one merchant would."""
        parcel = arrival.parcel
        assert parcel is not None
        measured = time.perf_counter() - self.began >= self.plan.options.warm_s
        caller = self._caller(arrival, self.began, measured)
        caller.since = None
        for order in parcel.orders:
            for line in order.lines:
                request = telling.filing(interception, parcel, kind, order, line)
                try:
                    claim = caller.ask(wire.FILE, request).claim
                except Refused as refused:
                    told = {"refused": str(refused.no), "again": refused.no.again}
                    self.lines.append(self._filed(interception, parcel, kind, line) | told)
                else:
                    told = {"claim": claim.id}
                    self.lines.append(self._filed(interception, parcel, kind, line) | told)

    @staticmethod
    def _filed(interception: str, parcel: Parcel, kind: str, line: Line) -> diary.Line:
        return {
            "kind": diary.CLAIM,
            "interception": interception,
            "carrier": parcel.carrier,
            "waybill": parcel.waybill,
            "ground": kind,
            "loss": line.listed,
            "value": line.value,
        }


hooks: Any = events  # Locust's own annotations end here
hooks.init_command_line_parser.add_listener(arguments)
hooks.init.add_listener(begin)

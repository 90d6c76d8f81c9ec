"""Locust as processes of its own: one, or a master and its workers, on this machine."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from loadtest.fleet import FleetError
from loadtest.traffic import plan
from loadtest.traffic.plan import Options

TOKEN = "TURNBACK_LOAD_TOKEN"  # in the environment, where no list of processes shows it
LOCUSTFILE = Path(__file__).with_name("locustfile.py")
SPARE_S = 60.0  # for starting, and for callers who are still there at the end
END_S = 15.0
LOCUST_BROKEN = 1  # how Locust ends where it could not run
Json = dict[str, Any]


@dataclass(slots=True)
class Generator:
    """`async with Generator(...) as generator: await generator.ended()`"""

    options: Options
    directory: Path
    address: str
    token: str = field(repr=False)
    port: int = 0  # where workers that others start are awaited; 0: they are started here
    _running: list[asyncio.subprocess.Process] = field(default_factory=list)

    @property
    def diary(self) -> Path:
        return self.directory / "clients.jsonl"

    @property
    def html(self) -> Path:
        return self.directory / "report.html"

    @property
    def statistics(self) -> Path:
        return self.directory / "locust.json"

    @property
    def log(self) -> Path:
        return self.directory / "locust.log"

    async def __aenter__(self) -> Self:
        self.diary.unlink(missing_ok=True)
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def _start(self) -> None:
        workers = self.options.workers
        if workers == 1 and not self.port:
            await self._run(self._leading())
            return
        port = str(self.port or free_port())
        there = ("--master-host", "127.0.0.1", "--master-port", port)
        here = ("--master-bind-host", "127.0.0.1", "--master-bind-port", port)
        await self._run((*self._leading(), "--master", *here, "--expect-workers", str(workers)))
        for _ in range(0 if self.port else workers):
            await self._run((*self._common(), "--worker", *there))

    def _common(self) -> Sequence[str]:
        return ("-f", str(LOCUSTFILE), "--loglevel", "WARNING")

    def _leading(self) -> Sequence[str]:
        """What the one process is told, or the master."""
        workers = str(self.options.workers)
        most_s = f"{int(self.options.whole_s + SPARE_S)}s"
        return (
            *self._common(),
            *("--headless", "--only-summary", "--users", workers, "--spawn-rate", workers),
            *("--run-time", most_s, "--exit-code-on-error", "0", "--host", self.address),
            # Locust adds the ending of the one file, and not that of the other
            *("--html", str(self.html), "--json-file", str(self.statistics.with_suffix(""))),
            *("--diary", str(self.diary), "--plan", plan.dumped(self.options)),
        )

    async def _run(self, arguments: Sequence[str]) -> None:
        with self.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "locust", *arguments),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, TOKEN: self.token},
                start_new_session=True,
            )
        self._running.append(process)

    @property
    def pids(self) -> Sequence[int]:
        return [each.pid for each in self._running if each.returncode is None]

    async def ended(self) -> None:
        """Until the last caller is gone. Raises FleetError where Locust could not run."""
        first = self._running[0]
        try:
            async with asyncio.timeout(self.options.whole_s + 2 * SPARE_S):
                code = await first.wait()
        except TimeoutError:
            raise FleetError(f"Locust did not end{self.tail()}") from None
        if code == LOCUST_BROKEN or not self.statistics.exists():
            raise FleetError(f"Locust ended with {code}{self.tail()}")

    def tail(self) -> str:
        lines = self.log.read_text("utf-8", "replace").splitlines() if self.log.exists() else []
        return "".join(f"\n  {line}" for line in lines[-12:])

    def read_statistics(self) -> list[Json]:
        """Locust's rows: one a method."""
        found: list[Json] = json.loads(self.statistics.read_text("utf-8"))
        return found

    async def stop(self) -> None:
        for process in self._running:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGTERM)
        for process in self._running:
            try:
                async with asyncio.timeout(END_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        number: int = found.getsockname()[1]
        return number

"""A simulator and gateways as separate processes, wired to each other, for one test.

A gateway keeps its ports and its store over a kill and a restart; several are replicas on one
database. Whatever was started is ended when the fleet is left; what the processes log is kept in
the fleet's directory.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import secrets
import signal
import sys
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from loadtest.carriers import CARRIERS, Account, Carrier, new_accounts

READY_S = 30.0
END_S = 15.0  # for an orderly end, then it is killed
LOG_TAIL = 12  # lines shown when a process does not start
TENANT = "mall"
AGREEMENTS = {"interception-service": "2023-08", "platform-interception-technology": "2023-08"}
PAYMENT_AGREEMENT = "password-free-2026"
CAP_MINOR = 100_000  # CNY 1 000 per parcel
USUAL = ("sf", "zto")  # who plays where nobody is named
Json = dict[str, Any]


class FleetError(Exception):
    """A process that is needed did not start, or has ended. The text says why."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Bearer tokens of one tenant, each with one more role than the one before lacks."""

    platform: str = field(repr=False)
    treasury: str = field(repr=False)
    claims: str = field(repr=False)
    operator: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where one gateway answers: kept over its restarts."""

    grpc: str = ""
    push: str = ""
    metrics: str = ""


def gateway(replica: int) -> str:
    """The name of a gateway's process."""
    return f"gateway-{replica}" if replica else "gateway"


class Fleet:
    """`async with Fleet(directory) as fleet:` and every process answers."""

    def __init__(
        self,
        directory: Path,
        *,
        seed: int = 7,
        start_ms: int | None = None,
        frozen: bool = True,
        settings: Mapping[str, Any] | None = None,
        store_url: str = "",
        replicas: int = 1,
        carriers: Sequence[str] = USUAL,
        latency_ms: tuple[int, int] | None = None,
        fill: Callable[[str], Awaitable[None]] | None = None,
        ready_s: float = READY_S,
    ) -> None:
        """`settings` are laid over the gateway's configuration, section by section; without a
        `store_url` the store is a file of the fleet's own. `latency_ms`: median and p99 of every
        carrier's answers. `fill` is given the store's URL before a gateway has it;
        `ready_s`: how long a process may take to answer."""
        self.directory = directory
        self.seed = seed
        self.accounts = new_accounts(carriers)
        self.tokens = Tokens(*(secrets.token_urlsafe(32) for _ in range(4)))
        self.around: dict[str, Sequence[str]] = {}  # what starts a process in its stead, by name
        self.carriers = self.control = ""
        self.store_url = store_url or f"sqlite:///{directory / 'turnback.db'}"
        self.replicas = replicas
        self._addresses = [Addresses()] * replicas
        self._start_ms = start_ms
        self._frozen = frozen
        self._latency_ms = latency_ms
        self._fill = fill
        self._ready_s = ready_s
        self._settings = settings or {}
        self._running: dict[str, asyncio.subprocess.Process] = {}

    async def __aenter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        try:
            await self.start_simulator()
            self.write_config()
            await self.run_to_end("migrate", "--config", str(self.config_file))
            if self._fill is not None:
                await self._fill(self.store_url)
            for replica in range(self.replicas):
                await self.start_gateway(replica=replica)
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

    @property
    def grpc(self) -> str:
        return self._addresses[0].grpc

    @property
    def push(self) -> str:
        return self._addresses[0].push

    @property
    def metrics(self) -> str:
        return self._addresses[0].metrics

    def addresses(self, replica: int) -> Addresses:
        return self._addresses[replica]

    @property
    def config_file(self) -> Path:
        return self.directory / "turnback.toml"

    def log_file(self, name: str) -> Path:
        return self.directory / f"{name}.log"

    # -- processes ------------------------------------------------------------------------

    async def start_simulator(self) -> None:
        arguments = ["serve", "--seed", str(self.seed), "--port", "0", "--control-port", "0"]
        if self._start_ms is not None:
            arguments += ["--start-ms", str(self._start_ms)]
        if self._frozen:
            arguments.append("--frozen")
        ready = await self._start("simulator", "turnback-sim", arguments, {})
        self.carriers, self.control = ready["carriers"], ready["control"]

    async def start_gateway(self, fail_point: str = "", replica: int = 0) -> None:
        """Start it, or start it again on the same store and ports."""
        extra = {"TURNBACK_TEST__FAIL_POINT": fail_point} if fail_point else {}
        for name, address in asdict(self._addresses[replica]).items():
            if address:
                extra[f"TURNBACK_{name.upper()}__PORT"] = address.rsplit(":", 1)[1]
        arguments = ["serve", "--config", str(self.config_file)]
        ready = await self._start(gateway(replica), "turnback", arguments, extra)
        self._addresses[replica] = Addresses(ready["grpc"], ready["push"], ready["metrics"])
        await self.push_to(replica)

    async def kill_gateway(self, replica: int = 0) -> None:
        """As if the power had gone."""
        self.signal_gateway(signal.SIGKILL, replica)
        await self.gateway_ended(replica=replica)

    def signal_gateway(self, number: signal.Signals, replica: int = 0) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._running[gateway(replica)].send_signal(number)

    async def gateway_ended(self, timeout_s: float = END_S, replica: int = 0) -> int:
        """Wait until the gateway has ended, by a fail point for instance. Its exit code."""
        process = self._running[gateway(replica)]
        async with asyncio.timeout(timeout_s):
            code = await process.wait()
        self._running.pop(gateway(replica), None)
        return code

    def gateway_alive(self, replica: int = 0) -> bool:
        process = self._running.get(gateway(replica))
        return process is not None and process.returncode is None

    async def stop_gateway(self, replica: int = 0) -> int:
        """An orderly end. Its exit code."""
        return await self._end(gateway(replica))

    async def restart_gateway(self, settings: Mapping[str, Any]) -> None:
        """Anew on the same store and ports, with these settings over those it had."""
        await self.stop_gateway()
        self._settings = over(self._settings, settings)
        self.write_config()
        await self.start_gateway()

    async def stop(self) -> None:
        for name in (*map(gateway, range(self.replicas)), "simulator"):
            if name in self._running:
                await self._end(name)

    def pid(self, name: str) -> int:
        return self._running[name].pid

    async def run_to_end(self, *arguments: str, good: Collection[int] = (0,)) -> bytes:
        """One `turnback` command, and what it printed."""
        process = await self._run("command", "turnback", arguments, {})
        said, _ = await process.communicate()
        if process.returncode not in good:
            raise FleetError(f"turnback {arguments[0]} failed{self.tail('command')}")
        return said

    def environment(self) -> dict[str, str]:
        """What every process is given beside its own settings."""
        return {k: v for k, v in os.environ.items() if not k.upper().startswith("TURNBACK_")}

    async def _run(
        self, name: str, program: str, arguments: Sequence[str], extra: Mapping[str, str]
    ) -> asyncio.subprocess.Process:
        path = Path(sys.executable).with_name(program)
        if not path.exists():
            raise FleetError(f"{path} is missing: install the project into this environment")
        with self.log_file(name).open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *(*self.around.get(name, ()), str(path)),
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=self.environment() | dict(extra),
                start_new_session=True,  # Ctrl-C is for us; we end them in order
            )

    async def _start(
        self, name: str, program: str, arguments: Sequence[str], extra: Mapping[str, str]
    ) -> Json:
        process = await self._run(name, program, arguments, extra)
        self._running[name] = process
        try:
            return await self._ready(name, process)
        except BaseException:
            await self._end(name)
            raise

    async def _ready(self, name: str, process: asyncio.subprocess.Process) -> Json:
        """The line that says it answers, and on which addresses."""
        assert process.stdout is not None
        try:
            async with asyncio.timeout(self._ready_s):
                line = await process.stdout.readline()
        except TimeoutError:
            late = f"the {name} was not ready in {self._ready_s:.0f} s"
            raise FleetError(f"{late}{self.tail(name)}") from None
        try:
            ready = json.loads(line)
        except ValueError:
            ready = None
        if not isinstance(ready, dict) or ready.get("ready") is not True:
            code = f" (exit code {await process.wait()})" if not line else ""
            raise FleetError(f"the {name} did not start{code}{self.tail(name)}")
        return ready

    def tail(self, name: str) -> str:
        """The last lines of a log, to be shown after a message."""
        try:
            lines = self.log_file(name).read_text("utf-8", "replace").splitlines()
        except OSError:
            lines = []
        return "".join(f"\n  {line}" for line in lines[-LOG_TAIL:])

    async def _end(self, name: str) -> int:
        process = self._running.pop(name)
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(END_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
        return await process.wait()

    # -- wiring ---------------------------------------------------------------------------

    async def push_to(self, replica: int) -> None:
        """Carriers push to this one, as if a balancer had chosen it."""
        push = self._addresses[replica].push
        async with aiohttp.ClientSession() as session:
            for account in self.accounts:
                body = {
                    "carrier": account.carrier,
                    "account": account.user,
                    "credentials": dict(account.simulator_credentials),
                    "push_url": f"{push}/push/{account.carrier}/{account.name}"
                    f"/{account.push_secret}",
                    "options": self._options(CARRIERS[account.carrier]),
                }
                async with session.post(f"{self.control}/accounts", json=body) as answer:
                    if answer.status != 200:
                        raise FleetError(f"the simulator refused an account: {await answer.text()}")

    async def hurry(self) -> None:
        """From now on carriers answer at once."""
        self._latency_ms = None
        await self.push_to(0)

    def write_config(self) -> None:
        settings = over(self._configuration(), self._settings)
        self.config_file.write_text("\n".join(toml(settings)) + "\n", "utf-8")
        self.config_file.chmod(0o600)

    def _configuration(self) -> Json:
        here = {"host": "127.0.0.1", "port": 0}
        return {
            "grpc": dict(here),
            "push": dict(here),
            "metrics": dict(here),
            "store": {"url": self.store_url},
            # nobody is turned away for a busy machine, but where a load wants to see it
            "limits": {"tenant_watches": 8, "late_ms": 10_000},
            "policy": {"agreements": AGREEMENTS},
            "test": {
                "clock_url": f"{self.control}/clock",
                "idle": True,
                "plaintext": True,
                "in_flight_bound_ms": 4_000,
            },
            "tenants": {
                TENANT: {
                    "payment_agreements": [PAYMENT_AGREEMENT],
                    "per_second": 5_000,
                    "tokens": list(self._tokens()),
                }
            },
            "carriers": {account.carrier: self._carrier(account) for account in self.accounts},
        }

    def _tokens(self) -> Iterator[Json]:
        for name, roles in (
            ("platform", []),
            ("treasury", ["treasury"]),
            ("claims", ["claims"]),
            ("operator", ["operator"]),
        ):
            token: str = getattr(self.tokens, name)
            digest = hashlib.sha256(token.encode()).hexdigest()
            yield {"name": name, "sha256": digest, "roles": roles}

    def _options(self, row: Carrier) -> Json:
        """Of the account at the simulator: how it pushes, whose parcels it sees, how slow it is."""
        seen = [f"{each.carrier}/{each.user}" for each in self.accounts if each.carrier in row.sees]
        options = {**row.options, "acts_for": seen}
        if self._latency_ms is not None:
            median_ms, p99_ms = self._latency_ms
            options["latency"] = {"median_ms": median_ms, "p99_ms": p99_ms}
        return options

    def _carrier(self, account: Account) -> Json:
        row, base_url = CARRIERS[account.carrier], f"{self.carriers}/{account.carrier}"
        return {
            "base_url": base_url,
            "provisional": row.provisional,
            "accounts": {
                account.name: {
                    "credentials": dict(account.gateway_credentials),
                    "settings": {**dict.fromkeys(row.sites, base_url), **account.settings},
                    "push_secret": account.push_secret,
                }
            },
            "contract": {
                "currency": row.currency,
                "fees": dict(row.fees),
                "cap_minor": CAP_MINOR,
                "payout": row.payout,
                "complaints": [{"kind": "group", "address": row.group}],
            },
            "limits": {"concurrency": 32, "per_second": 400, "timeout_ms": 2_000},
        }


def over(below: Mapping[str, Any], above: Mapping[str, Any]) -> Json:
    """Both, section by section; where both have a value, the upper one."""
    joined = dict(below)
    for name, value in above.items():
        old = joined.get(name)
        both = isinstance(old, dict) and isinstance(value, Mapping)
        joined[name] = over(old, value) if both and isinstance(old, dict) else value
    return joined


def toml(table: Mapping[str, Any], path: Sequence[str] = ()) -> Iterator[str]:
    """A table of tables, texts, numbers, booleans and lists as TOML."""
    inner = {name: value for name, value in table.items() if isinstance(value, Mapping)}
    if path:
        yield f"[{'.'.join(json.dumps(part) for part in path)}]"
    for name, value in table.items():
        if name not in inner:
            yield f"{json.dumps(name)} = {_toml_value(value)}"
    for name, value in inner.items():
        yield from toml(value, (*path, name))


def _toml_value(value: Any) -> str:
    if isinstance(value, Mapping):
        pairs = (f"{json.dumps(name)} = {_toml_value(each)}" for name, each in value.items())
        return "{ " + ", ".join(pairs) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml_value(each) for each in value) + "]"
    return json.dumps(value, ensure_ascii=False)

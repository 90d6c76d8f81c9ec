"""What a process has used, as the kernel accounts it."""

import os
import time
from contextlib import suppress
from pathlib import Path

US = 1_000_000
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


CPU_CLOCK = 2  # of a whole process, as clock_getcpuclockid(3) makes its number


def cpu_us(pid: int) -> int:
    """User and system time of the process with all its threads, in microseconds. By its CPU clock:
    /proc tells the same, rounded to hundredths of a second."""
    return time.clock_gettime_ns((~pid << 3) | CPU_CLOCK) // 1_000


def family_us(pid: int) -> int:
    """The same of a process and of its children, those that have ended among them."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    ended = (int(fields[13]) + int(fields[14])) * US // os.sysconf("SC_CLK_TCK")
    alive = 0
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split():
        with suppress(OSError):  # it has just ended
            alive += cpu_us(int(child))
    return cpu_us(pid) + ended + alive


def busy_us() -> int:
    """What all processes of the machine have used since it started, in microseconds of one core."""
    user, nice, system, _, _, irq, softirq = map(
        int, Path("/proc/stat").read_text("ascii").split(maxsplit=8)[1:8]
    )
    return (user + nice + system + irq + softirq) * US // os.sysconf("SC_CLK_TCK")


def rss_bytes(pid: int) -> int:
    """Resident memory."""
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * PAGE_BYTES

"""What a process has used, as the kernel accounts it."""

import os
from pathlib import Path

US = 1_000_000
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def cpu_us(pid: int) -> int:
    """User and system time of the process, in microseconds."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * US // os.sysconf("SC_CLK_TCK")


def busy_us() -> int:
    """What all processes of the machine have used since it started, in microseconds of one core."""
    user, nice, system, _, _, irq, softirq = map(
        int, Path("/proc/stat").read_text("ascii").split(maxsplit=8)[1:8]
    )
    return (user + nice + system + irq + softirq) * US // os.sysconf("SC_CLK_TCK")


def rss_bytes(pid: int) -> int:
    """Resident memory."""
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * PAGE_BYTES

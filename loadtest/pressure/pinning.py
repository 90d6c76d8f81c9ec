"""Which process has which core. Linux only; elsewhere nothing is pinned, and that is said."""

import os
import sys
from contextlib import suppress
from pathlib import Path


def cores() -> tuple[int, int] | None:
    """One for the gateway and one for all others; None where this cannot be had."""
    if sys.platform != "linux":
        return None
    allowed = sorted(os.sched_getaffinity(0))
    return (allowed[0], allowed[1]) if len(allowed) > 1 else None


def pin(pid: int, core: int) -> None:
    """The process with all its threads; what they start stays there, too."""
    if sys.platform != "linux":
        return
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(ProcessLookupError):  # it has just ended
            os.sched_setaffinity(int(thread.name), {core})


def unpin(pid: int, like: frozenset[int]) -> None:
    """Back on the cores that it had."""
    if sys.platform != "linux":
        return
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread.name), like)


def mine() -> frozenset[int]:
    """The cores of this process."""
    return frozenset(os.sched_getaffinity(0)) if sys.platform == "linux" else frozenset()

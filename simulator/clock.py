"""Business time: a virtual clock that is set, advanced, scaled and frozen. It never goes back."""

import asyncio
from collections.abc import Callable

SCALE_MAX = 1_000_000.0


class VirtualClock:
    """Business milliseconds as a function of machine milliseconds, with a version to wait for."""

    def __init__(
        self,
        start_ms: int,
        scale: float,
        frozen: bool,
        machine_ms: Callable[[], float],
    ) -> None:
        self._machine_ms = machine_ms
        self._anchor_ms = start_ms
        self._anchored_at = machine_ms()
        self.scale = _checked(scale)
        self.frozen = frozen
        self.version = 1
        self._changed = asyncio.Event()

    def now_ms(self) -> int:
        if self.frozen:
            return self._anchor_ms
        return self._anchor_ms + int((self._machine_ms() - self._anchored_at) * self.scale)

    def machine_ms_until(self, due_ms: int) -> float | None:
        """Machine time to wait for a business time; None while the clock stands still."""
        wait_ms = due_ms - self.now_ms()
        if wait_ms <= 0:
            return 0.0
        return None if self.frozen else wait_ms / self.scale

    def change(
        self,
        set_ms: int | None = None,
        advance_ms: int | None = None,
        scale: float | None = None,
        frozen: bool | None = None,
    ) -> int:
        now_ms = self.now_ms()
        target_ms = now_ms if set_ms is None else set_ms
        target_ms += advance_ms or 0
        if target_ms < now_ms:
            raise ValueError(f"the clock shows {now_ms} and does not go back to {target_ms}")
        if scale is not None:
            self.scale = _checked(scale)
        if frozen is not None:
            self.frozen = frozen
        self._anchor_ms, self._anchored_at = target_ms, self._machine_ms()
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()
        return target_ms

    async def wait_after(self, version: int, wait_ms: int) -> None:
        """Return once the version is greater than `version`, or after `wait_ms` of machine time."""
        if self.version > version:
            return
        changed = self._changed
        try:
            async with asyncio.timeout(wait_ms / 1000):
                await changed.wait()
        except TimeoutError:
            return


def _checked(scale: float) -> float:
    if not 0 < scale <= SCALE_MAX:
        raise ValueError(f"a scale is above 0 and at most {SCALE_MAX:g}")
    return scale

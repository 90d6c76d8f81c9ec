"""The simulator's control API: parcels, the clock, and what really happened."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

PARCELS_MAX = 1_000  # in one request
WAIT_S = 90.0  # the clock answers after the pushes that became due
Json = dict[str, Any]


class SimulatorRefused(Exception):
    """The simulator found a request wrong."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What the clock shows, and the pushes that the last step sent."""

    now_ms: int
    pushes_sent: int
    pushes_pending: int


class Simulation:
    """`async with Simulation(address) as simulation:`"""

    def __init__(self, address: str) -> None:
        self._address = address
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Simulation":
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=WAIT_S))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def _ask(self, verb: str, path: str, body: object = None) -> bytes:
        assert self._session is not None
        payload = None if body is None else orjson.dumps(body)
        async with self._session.request(verb, self._address + path, data=payload) as answer:
            text = await answer.read()
            if answer.status != 200:
                raise SimulatorRefused(f"{verb} {path}: {answer.status} {text[:300]!r}")
            return text

    async def ship(self, parcels: Sequence[Mapping[str, object]]) -> None:
        for start in range(0, len(parcels), PARCELS_MAX):
            part = list(parcels[start : start + PARCELS_MAX])
            await self._ask("POST", "/parcels", {"parcels": part})

    async def now_ms(self) -> int:
        said: Json = orjson.loads(await self._ask("GET", "/clock"))
        return int(said["now_ms"])

    async def move(self, **change: int | float | bool) -> Moment:
        """Change the clock: `set_ms`, `advance_ms`, `scale` or `frozen`."""
        said: Json = orjson.loads(await self._ask("POST", "/clock", change))
        return Moment(int(said["now_ms"]), int(said["pushes_sent"]), int(said["pushes_pending"]))

    async def fault(self, **fault: object) -> None:
        """A fault of a whole carrier."""
        await self._ask("POST", "/faults", fault)

    async def clear(self) -> None:
        """No carrier has a fault of its own any more."""
        await self._ask("DELETE", "/faults")

    async def truth(self, **narrow: str) -> list[Json]:
        """What really happened up to now: one object a parcel."""
        query = "&".join(f"{name}={value}" for name, value in narrow.items())
        text = await self._ask("GET", f"/truth?{query}")
        return [orjson.loads(line) for line in text.splitlines()]

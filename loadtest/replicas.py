"""The gateways as their clients know them: several addresses, of which any will do."""

import asyncio
import random

import grpc.aio

from loadtest.fleet import Fleet

QUICK = [
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 100),
]
PREFERRED = 0.75  # of the calls go to the replica that is to be killed


class Replicas:
    """Which gateways the clients know to be up, and which of them is asked next."""

    def __init__(self, fleet: Fleet, chance: random.Random) -> None:
        self.awake: set[int] = set()
        self.paused: set[int] = set()  # up for all that a client can tell
        self.preferred = -1
        self._chance = chance
        self._any = asyncio.Event()
        self._channels = [
            grpc.aio.insecure_channel(fleet.addresses(replica).grpc, options=QUICK)
            for replica in range(fleet.replicas)
        ]

    async def close(self) -> None:
        for channel in self._channels:
            await channel.close()

    def channel(self, replica: int) -> grpc.aio.Channel:
        return self._channels[replica]

    def up(self, replica: int) -> None:
        self.awake.add(replica)
        self._any.set()

    def down(self, replica: int) -> None:
        self.awake.discard(replica)
        if not self.awake:
            self._any.clear()

    def here(self) -> list[int]:
        """Those that are up and can answer."""
        return sorted(self.awake - self.paused)

    async def choose(self, but: int = -1) -> int:
        """One that is up, rather not the one that has just not answered. Waits for it."""
        await self._any.wait()
        here = sorted(self.awake - {but}) or sorted(self.awake)
        if self.preferred in here and self._chance.random() < PREFERRED:
            return self.preferred
        return self._chance.choice(here)

"""What a Create costs a replica that shares its database, beside one that has it to itself.

Two gateways on one PostgreSQL. In one round the first takes all calls and the other rests, in the
next each takes as many as that; CPU time is each process's own. Rounds alternate, and the ratio of
each pair counts.
"""

import asyncio
import statistics
import sys
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Annotated

import aiohttp
import typer
import uvloop
from rich.console import Console
from rich.progress import Progress

from loadtest import client as wire
from loadtest.bench.operations import accepting
from loadtest.bench.results import WARM
from loadtest.bench.sides import Side
from loadtest.bench.stage import START_MS, Engine, Stage, settings
from loadtest.client import Client
from loadtest.cluster import Cluster, ClusterError
from loadtest.crowd import Crowd
from loadtest.fleet import Fleet, FleetError, gateway
from loadtest.simulation import Simulation

REPLICAS = 2
MERCHANTS = 16  # so that no wallet is hot
CARRIER = "zto"
ROUND = 500  # Creates in a measured round
Pair = tuple[float, float]  # CPU per Create: alone, and the mean of both where both are at it


async def run(rounds: int, callers: int, told: Callable[[], None]) -> list[Pair]:
    count = WARM + rounds * ROUND
    async with AsyncExitStack() as stack:
        place = stack.enter_context(tempfile.TemporaryDirectory(prefix="turnback-sharing-"))
        cluster = await stack.enter_async_context(Cluster())
        fleet = Fleet(
            Path(place),
            start_ms=START_MS,
            settings=settings(CARRIER),
            store_url=cluster.url,
            replicas=REPLICAS,
        )
        await stack.enter_async_context(fleet)
        simulation = await stack.enter_async_context(Simulation(fleet.control))
        crowd = Crowd(fleet, simulation, 7)
        stack.push_async_callback(crowd.close)
        for replica in range(REPLICAS):
            crowd.replicas.up(replica)
        for _ in range(MERCHANTS):
            await crowd.merchant(top_up=count * 10_000)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        stage = Stage(Engine.POSTGRES, CARRIER, fleet, crowd, session, cluster)
        sides = []
        for replica in range(REPLICAS):
            address = fleet.addresses(replica).grpc
            one = await stack.enter_async_context(Client(address, fleet.tokens, tries=1))
            name, pid = gateway(replica), fleet.pid(gateway(replica))
            quoted = await stage.quoted(count if replica else 2 * count)
            ask = accepting(partial(one.call, wire.CREATE))
            sides.append(Side(name, pid, ask, iter(quoted)))
        return await measured(sides, rounds, callers, told)


async def measured(
    sides: list[Side], rounds: int, callers: int, told: Callable[[], None]
) -> list[Pair]:
    await asyncio.gather(*(side.phase(WARM, callers) for side in sides))
    pairs = []
    for _ in range(rounds):
        alone = await sides[0].phase(ROUND, callers)
        told()
        both = await asyncio.gather(*(side.phase(ROUND, callers) for side in sides))
        told()
        pairs.append((alone.cpu_us, statistics.mean(phase.cpu_us for phase in both)))
    return pairs


def command(
    rounds: Annotated[int, typer.Option(help="Pairs of rounds.", min=1)] = 6,
    callers: Annotated[int, typer.Option(help="Calls at one time, of each replica.")] = 32,
) -> None:
    """CPU time per Create of a replica: two on one PostgreSQL, beside one alone."""
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("rounds", total=2 * rounds)
        try:
            pairs = uvloop.run(run(rounds, callers, lambda: progress.advance(bar)))
        except (FleetError, ClusterError) as error:
            print(f"sharing: {error}", file=sys.stderr)
            raise typer.Exit(3) from None
    for alone, both in pairs:
        print(f"alone {alone:.0f} us, each of two {both:.0f} us: {both / alone:.2f}")
    ratio = statistics.median(both / alone for alone, both in pairs)
    print(f"sharing: {ratio:.2f} x a Create of one replica alone")

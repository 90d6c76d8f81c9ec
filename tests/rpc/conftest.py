"""One gateway and one simulator for each module; every test uses parcels of its own."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
import structlog

from gateway import telemetry
from tests.engines import ENGINES, engine
from tests.rpc.world import RECORD, World, living


@pytest.fixture(scope="session", autouse=True)
def _nothing_private_is_ever_said() -> Iterator[None]:
    """No log line, error or metric of all these tests holds a secret or a person."""
    sink = telemetry.configure(RECORD.lines)
    yield
    sink.close()
    structlog.reset_defaults()
    assert b'"event":"rpc"' in RECORD.lines.getvalue() or not RECORD.said
    assert RECORD.leaks() == set()


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=ENGINES)
async def world(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncIterator[World]:
    with engine(request.param, tmp_path_factory.mktemp("rpc")) as made:
        async with living(made.url) as world:
            yield world

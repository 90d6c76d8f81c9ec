"""One gateway and one simulator, as processes, for each module."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.fuzz.target import Target, target


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def found() -> AsyncIterator[Target]:
    async with target() as found:
        yield found

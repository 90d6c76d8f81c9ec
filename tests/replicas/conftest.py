"""A database of a real PostgreSQL for each test; its engine stands in the test's id."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines import Engine, engine


@pytest.fixture(params=["postgres"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with engine(request.param, tmp_path) as made:
        yield made

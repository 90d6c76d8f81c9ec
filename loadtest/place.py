"""Where a run works."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loadtest.fleet import FleetError


@contextmanager
def directory(keep: Path | None) -> Iterator[Path]:
    """A new one to keep, or one for the time of the run. Raises FleetError: what an earlier run
    left, its store above all, would be taken for this one's."""
    if keep is None:
        made = Path(tempfile.mkdtemp(prefix="turnback-load-"))
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)
        return
    try:
        keep.mkdir(parents=True, exist_ok=True)
        if any(keep.iterdir()):
            raise FleetError(f"{keep} is not empty: name a new directory to keep the run in")
    except OSError as error:
        raise FleetError(f"{keep} cannot be used: {error.strerror}") from None
    yield keep.resolve()

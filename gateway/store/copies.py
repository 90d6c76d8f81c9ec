"""Backups of a store and their way back, for either engine: whole, checked, or not at all.

A copy is written beside its name and takes it only when it has been read back. A restore yields a
store that is in safe mode from its first moment, and that no gateway opens before it is whole.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from gateway.store import dump, files
from gateway.store.driver import SafeMode, StoreError


@dataclass(frozen=True, slots=True)
class Copier:
    """One engine's way: both raise StoreError, and leave nothing half made."""

    backup: "Backup"
    restoring: "Restoring"


class Backup(Protocol):
    def __call__(self, url: str, target: Path, tools: Path | None) -> int:
        """Write a copy that is consistent in itself, whoever writes meanwhile. Its schema."""
        ...


class Restoring(Protocol):
    def __call__(
        self,
        url: str,
        source: Path,
        tools: Path | None,
        begin: Callable[[int], SafeMode],
        *,
        force: bool,
    ) -> AbstractContextManager[str]:
        """The URL of the restored store while it is made ready; at the end it is in its place.
        `begin` is told the time of its newest event."""
        ...


COPIERS = {
    "sqlite": Copier(files.backup, files.restoring),
    "postgresql": Copier(dump.backup, dump.restoring),
    "postgres": Copier(dump.backup, dump.restoring),
}


def copier(url: str) -> Copier:
    found = COPIERS.get(urlsplit(url).scheme)
    if found is None:
        raise StoreError("only sqlite:///<path> and postgresql://… are offered")
    return found

"""The clients' own log of a run: a line of JSON for whatever a client was about to do, or was told.

Workers write it by way of their master, as one file. A line says what it is in `kind`; amounts are
in fen, times in ms of machine time unless their name says otherwise.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

Line = dict[str, Any]
BEGUN = "begun"  # a worker's clock starts
ASKING = "asking"  # a Create is about to be sent
VISIT = "visit"  # a caller is done, or has given up
CLAIM = "claim"  # a claim was filed
WORKER = "worker"  # a worker is done: how late it was, and its CPU time


class Writer:
    """Appends lines to a file, as whole lines."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    def write(self, lines: Iterable[Line]) -> None:
        text = b"".join(orjson.dumps(line) + b"\n" for line in lines)
        if text:
            self._file.write(text)

    def close(self) -> None:
        self._file.close()


def read(path: Path) -> Iterator[Line]:
    """Every whole line; the last one may have been cut off with its writer."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield orjson.loads(line)


@dataclass(slots=True)
class Told:
    """What the clients know at the end of the load, by (carrier, waybill)."""

    visits: dict[tuple[str, str], Line] = field(default_factory=dict)
    asked: dict[tuple[str, str], Line] = field(default_factory=dict)
    claims: list[Line] = field(default_factory=list)
    workers: list[Line] = field(default_factory=list)

    @classmethod
    def of(cls, lines: Iterable[Line]) -> "Told":
        told = cls()
        for line in lines:
            match line["kind"]:
                case "visit":
                    told.visits[line["carrier"], line["waybill"]] = line
                case "asking":
                    told.asked[line["carrier"], line["waybill"]] = line
                case "claim":
                    told.claims.append(line)
                case "worker":
                    told.workers.append(line)
        return told

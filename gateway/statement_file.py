"""A statement as a file: CSV with one line of the statement in each row, read strictly.

Nothing is guessed and nothing rounded: what is not written as documented is named by its line and
column, and never quoted.
"""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.domain.money import EXPONENTS, Money
from gateway.domain.statement import AMOUNT_MAX, LINES_MAX, PARTS_MAX, LineKind

COLUMNS = ("line_no", "kind", "reference", "waybill", "amount", "currency", "at")
BYTES_MAX = 16 * 2**20
ROWS_MAX = LINES_MAX * PARTS_MAX
PROBLEMS_MAX = 20
LINE_NO_MAX = 10_000_000
SECONDS_MAX = 253_402_300_799  # the last second of the year 9999
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", re.ASCII)
WAYBILL = re.compile(r"[A-Za-z0-9-]{1,40}")
NUMBER = re.compile(r"[1-9][0-9]{0,7}")


class Unreadable(Exception):
    """The file cannot be read. `problems` says where and why, one line each."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True, slots=True)
class FileLine:
    line_no: int
    kind: LineKind
    reference: str
    waybill: str
    amount: Money
    at: int | None  # ms; None where the carrier does not say


def read(data: bytes) -> list[FileLine]:
    """The lines of a statement file. Raises Unreadable."""
    if len(data) > BYTES_MAX:
        raise Unreadable([f"more than {BYTES_MAX >> 20} MiB"])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable(["not UTF-8"]) from None
    problems: list[str] = []
    lines: list[FileLine] = []
    seen: set[int] = set()
    try:
        for place, row in _rows(text):
            found = _line(place, row, problems)
            if found is not None and found.line_no in seen:
                problems.append(f"line {place}: line_no: twice in the file")
            elif found is not None:
                seen.add(found.line_no)
                lines.append(found)
            if len(problems) >= PROBLEMS_MAX:
                break
            if len(seen) > ROWS_MAX:
                raise Unreadable([f"more than {ROWS_MAX} rows"])
    except csv.Error:
        problems.append("not CSV: a quote or a character that does not belong there")
    if not lines and not problems:
        problems.append("no rows below the names of the columns")
    if problems:
        raise Unreadable(problems[:PROBLEMS_MAX])
    return lines


def _rows(text: str) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Each row by the names of its columns, and the line of the file where it ends."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    names = next(reader, [])
    if sorted(names) != sorted(COLUMNS):
        raise Unreadable([f"line 1: the columns are {', '.join(COLUMNS)}"])
    for row in reader:
        if not row:
            continue
        if len(row) != len(names):
            raise Unreadable([f"line {reader.line_num}: {len(names)} columns, not {len(row)}"])
        yield reader.line_num, dict(zip(names, row, strict=True))


def _line(place: int, row: Mapping[str, str], problems: list[str]) -> FileLine | None:
    """One row; what is wrong with it is added to the problems."""
    values: dict[str, Any] = {}
    for name, reader in READERS.items():
        try:
            values[name] = reader(row)
        except ValueError as error:
            problems.append(f"line {place}: {name}: {error}")
    if len(values) < len(READERS):
        return None
    found = FileLine(**values)
    if found.amount.minor == 0 or (found.amount.minor < 0 and found.kind is not LineKind.OTHER):
        problems.append(f"line {place}: amount: above zero; below it with OTHER only")
        return None
    return found


def _number(row: Mapping[str, str]) -> int:
    text = row["line_no"]
    if not NUMBER.fullmatch(text) or int(text) > LINE_NO_MAX:
        raise ValueError(f"a whole number from 1 to {LINE_NO_MAX}")
    return int(text)


def _kind(row: Mapping[str, str]) -> LineKind:
    text = row["kind"]
    if text not in LineKind.__members__:
        raise ValueError(f"one of {', '.join(LineKind)}")
    return LineKind(text)


def _reference(row: Mapping[str, str]) -> str:
    text = row["reference"]
    if len(text) > 64 or not text.isprintable():
        raise ValueError("at most 64 printable characters")
    return text


def _waybill(row: Mapping[str, str]) -> str:
    text = row["waybill"]
    if text and not WAYBILL.fullmatch(text):
        raise ValueError("at most 40 letters, digits and '-'")
    return text


def _amount(row: Mapping[str, str]) -> Money:
    if row["currency"] not in EXPONENTS:
        raise ValueError(f"its currency is one of {', '.join(sorted(EXPONENTS))}")
    found = Money.parse(row["amount"], row["currency"])
    if abs(found.minor) > AMOUNT_MAX:
        raise ValueError("at most 10^12 minor units")
    return found


def _time(row: Mapping[str, str]) -> int | None:
    return time_of(row["at"]) if row["at"] else None


def time_of(text: str) -> int:
    """Milliseconds of a time with its zone. Raises ValueError."""
    if not TIME.fullmatch(text):
        raise ValueError("a time such as 2026-09-30T23:59:59+08:00")
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("not a time that a calendar has") from None
    seconds = (found - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    if not 0 <= seconds <= SECONDS_MAX:
        raise ValueError("from 1970 to the end of 9999")
    return seconds * 1000


READERS: Mapping[str, Callable[[Mapping[str, str]], Any]] = {
    "line_no": _number,
    "kind": _kind,
    "reference": _reference,
    "waybill": _waybill,
    "amount": _amount,
    "at": _time,
}

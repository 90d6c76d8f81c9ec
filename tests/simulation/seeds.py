"""Seeds that once found a bug. They are played again with every test."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Found:
    seed: int
    size: int
    what: str


FOUND: tuple[Found, ...] = (
    Found(2, 50, "a cancel's late silence hid the acknowledgement of the next: the fee was kept"),
    Found(8, 50, "a late acceptance was laid to an interception that had been refused by it"),
)

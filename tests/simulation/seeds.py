"""Seeds that once found a bug. They are played again with every test."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Found:
    seed: int
    size: int
    what: str


FOUND: tuple[Found, ...] = ()

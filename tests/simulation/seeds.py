"""Seeds that once found a bug. They are played again with every test."""

from dataclasses import dataclass

from tests.simulation.terms import CARRIERS


@dataclass(frozen=True, slots=True)
class Found:
    seed: int
    size: int
    what: str
    carriers: tuple[str, ...] = CARRIERS
    hard: bool = True  # False: its history is from before there were straits


FOUND: tuple[Found, ...] = (
    Found(
        7,
        50,
        "a late acceptance was laid to an interception that had been refused by it",
        hard=False,
    ),
    Found(
        310,
        200,
        "a push in a slow commit was called forgotten: a day had leapt by in a second",
        hard=False,
    ),
    Found(
        278,
        200,
        "a request was on its way for an interception that the reply to an older one had ended",
    ),
    Found(
        77,
        200,
        "a return that another's interception began in the second of our request was called ours",
    ),
    Found(
        59,
        200,
        "a repeat's \"cancelled already\" was called a contradiction of the order's cancellation",
    ),
    Found(
        90,
        200,
        "a late acceptance was missed while a newer interception waited to be sent",
    ),
    Found(
        117,
        200,
        "a return that another began while our request was on its way was called ours",
    ),
)

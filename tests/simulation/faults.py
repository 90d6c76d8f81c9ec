"""Every fault there is, and how often the seed lets it happen."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from simulator.outcomes import FaultName, Operation

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class WireFault:
    """What befalls one request on its way to the carrier, there, or on its way back."""

    weight: int
    arrives: bool = True
    executes: bool | None = True  # None: the seed says
    answers: bool = True
    late: bool = False  # the request arrives after we have given up
    overdue: bool = False  # and even after the carrier's own bound
    operations: frozenset[str] = frozenset()  # empty: all


INTERCEPTS, QUERIES = frozenset({Operation.INTERCEPT}), frozenset({Operation.QUERY})
WIRE: Mapping[str, WireFault] = {
    "connect_refused": WireFault(8, arrives=False),
    "connect_timeout": WireFault(4, arrives=False),
    "timeout_before": WireFault(6, arrives=False, answers=False),
    "timeout_after": WireFault(8, answers=False),
    "late_arrival": WireFault(5, answers=False, late=True),
    "beyond_bound": WireFault(5, answers=False, late=True, overdue=True, operations=INTERCEPTS),
    "slow": WireFault(8),
    "reset_before": WireFault(4, executes=False, answers=False),
    "reset_after": WireFault(6, answers=False),
    "http_500": WireFault(5, executes=None),
    "html_502": WireFault(4, executes=None),
    "http_503": WireFault(4, executes=None),
    "http_504": WireFault(4, executes=None),
    "html_200": WireFault(4, executes=None),
    "empty_200": WireFault(3, executes=None),
    "truncated": WireFault(4),
    "wrong_waybill": WireFault(4),
    "redirect_307": WireFault(3, executes=False),
    "busy_429": WireFault(4, executes=False),
    "busy_code": WireFault(5, executes=False),
    "busy_system": WireFault(4, executes=False),
    "executes_twice": WireFault(3, operations=INTERCEPTS),
    "push_before_reply": WireFault(5, operations=INTERCEPTS),
    "stale_query": WireFault(0, operations=QUERIES),  # in a strait: told of before the request
}
PUSH: Mapping[FaultName, int] = {  # the simulator's own, in a million pushes
    FaultName.PUSH_DUPLICATE: 40_000,
    FaultName.PUSH_REORDER: 40_000,
    FaultName.PUSH_DELAY: 40_000,
    FaultName.PUSH_DROP: 30_000,
    FaultName.PUSH_BAD_SIGNATURE: 40_000,
    FaultName.PUSH_REPLAY: 30_000,
    FaultName.PUSH_AFTER_TERMINAL: 300_000,  # of those that end a parcel's way
}
DOOR: Mapping[str, int] = {  # what befalls a push between the carrier and our door, in a million
    "push_lost": 30_000,
    "push_reply_lost": 30_000,
    "push_tampered": 30_000,
    "push_astray": 20_000,  # to the address of another account
    "push_lie": 20_000,  # behind an unsigned one: somebody else who has come to know the address
}
PROCESS: Mapping[str, int] = {  # what befalls the gateway, in a million of the points it passes
    "store_refuses": 4_000,
    "store_slow": 1_500,
    "paused_in_call": 8_000,  # of the requests to a carrier: a lease ends under a live call
}
ROUND: Mapping[str, int] = {  # and in a million rounds
    "killed": 60_000,
    "crash_armed": 350_000,
    "stopped": 30_000,
    "paused": 60_000,
    "outage": 80_000,
    "silence": 50_000,
    "deaf": 60_000,
    "clock_forward": 30_000,
    "clock_back": 20_000,
    "business_leap": 60_000,
}
STRAIT: Mapping[str, int] = {  # stretches that are worse than chance makes them: the same
    "cut_off": 25_000,  # a carrier that holds up what it is to do, past our deadline
    "forgetful": 15_000,  # one whose answers are from before, and a store that is out meanwhile
}
PLIGHT: Mapping[str, int] = {  # and in a million parcels
    "order": 50_000,  # not picked up yet, at a carrier with a verb for it
    "astray": 30_000,  # lost after it was stopped, mostly before it is turned round
}
CLIENT: Mapping[str, int] = {  # how clients behave, in a million calls or lives
    "gives_up": 60_000,
    "twins": 120_000,
    "other_body": 50_000,
    "second_create": 80_000,
    "withdraws": 180_000,
}


def strikes(chance: Random, share: int) -> bool:
    return chance.randrange(MILLION) < share


def drawn(chance: Random, operation: str) -> str:
    """One of the wire's faults, by weight."""
    fitting = [n for n, f in WIRE.items() if not f.operations or operation in f.operations]
    weights = [WIRE[name].weight for name in fitting]
    return chance.choices(fitting, weights)[0]

"""A small part of `make fuzz`: every kind of input, with the seed of the day a release is cut."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Callable, Iterable

import pytest

from adapters import ADAPTERS
from gateway.domain.carrier import Push
from gateway.pushes import understood
from tests.fuzz import bodies, calls, configs, forged, over_http
from tests.fuzz.pushing import DIALECTS, LARGE, body, gate, large
from tests.fuzz.run import CPU_MAX_NS, Tally, chance, shrunk, timed
from tests.fuzz.target import Target

SEED = 2
Run = Callable[[Tally, Iterable[int]], None]
COUNTS = {"bodies": 20_000, "forged": 5_000, "config": 150, "http": 300, "grpc": 1_500}


def tally(part: str) -> tuple[Tally, range]:
    count = COUNTS[part]
    return Tally(part, SEED, count), range(count)


def good(done: Tally) -> None:
    assert not done.violations, "\n".join(violation.told() for violation in done.violations)
    assert done.inputs == done.total


@pytest.mark.parametrize(("part", "run"), [("bodies", bodies.run), ("forged", forged.run)])
def test_no_push_breaks_or_deceives_the_gateway(part: str, run: Run) -> None:
    done, indexes = tally(part)
    run(done, indexes)
    good(done)
    assert set(done.ended) >= ({"read", "quarantined", "refused"} if part == "bodies" else set())


async def test_every_configuration_is_taken_or_refused_in_plain_words() -> None:
    done, indexes = tally("config")
    await asyncio.to_thread(configs.run, done, indexes)
    good(done)
    assert min(done.ended["accepted"], done.ended["refused"]) > 0


@pytest.mark.asyncio(loop_scope="module")
async def test_no_request_makes_the_door_fail(found: Target) -> None:
    done, indexes = tally("http")
    await over_http.against(found, done, indexes)
    good(done)
    assert {"200", "400", "401", "404", "415"} <= set(done.ended)


@pytest.mark.asyncio(loop_scope="module")
async def test_no_message_makes_a_method_fail(found: Target) -> None:
    done, indexes = tally("grpc")
    await calls.against(found, done, indexes)
    good(done)
    assert {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "UNAUTHENTICATED"} <= set(done.ended)
    for name in ("Quote", "Create", "Cancel", "List", "Watch"):
        assert done.answered[f"/turnback.v1.InterceptService/{name}"], name


@pytest.mark.parametrize("channel", ["sf", "zto"])
@pytest.mark.parametrize("shape", range(len(LARGE)))
def test_the_largest_body_of_each_shape_is_cheap(channel: str, shape: int) -> None:
    rng = chance(SEED, "large", shape)
    data = large(rng, LARGE[shape])
    _, spent = timed(lambda: understood(gate(channel), Push({}, data)))
    assert spent <= CPU_MAX_NS


def test_every_carrier_that_pushes_is_fuzzed() -> None:
    fuzzed = {dialect.channel for dialect in DIALECTS.values()}
    assert fuzzed == {name for name, adapter in ADAPTERS.items() if adapter.push is not None}


def test_an_input_follows_from_its_seed_and_index() -> None:
    for index in (0, 1, 2, 3):
        dialect = list(DIALECTS.values())[index]
        one, two = (body(chance(7, "bodies", index), dialect) for _ in range(2))
        assert one == two
        assert one != body(chance(8, "bodies", index), dialect)


def test_an_input_is_made_short() -> None:
    assert shrunk(b"a" * 40 + b"!" + b"b" * 40, lambda data: b"!" in data) == b"!"


def test_a_violation_is_told_with_its_replay() -> None:
    done = Tally("bodies", 7, 2)
    done.wrong(3, "it broke", b"\x00\xff")
    told = done.violations[0].told()
    assert "python -m tests.fuzz bodies --seed 7 --only 3" in told
    assert "00ff" in told


def test_the_command_says_what_it_did() -> None:
    arguments = ["-m", "tests.fuzz", "bodies", "forged", "--seed", "3", "--count", "40"]
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^bodies: 40 inputs in \d+ s: ", done.stdout)
    assert done.stdout.splitlines()[-1] == "fuzz: 80 inputs, 0 violations"

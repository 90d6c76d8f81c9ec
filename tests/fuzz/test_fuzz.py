"""A small part of `make fuzz`: every kind of input, with the seed of the day a release is cut."""

import asyncio
import csv
import dataclasses
import io
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import partial

import pytest

from gateway.domain.carrier import Credentials, Push, Tier
from gateway.domain.money import Money
from gateway.domain.reconcile import JudgeStatement, PostStatement
from gateway.domain.record import replace
from gateway.domain.statement import LineKind, Step
from gateway.pushes import understood
from gateway.statement_file import FileLine, Unreadable, read
from gateway.statements import networks
from gateway.store.store import Store
from tests.fuzz import bodies, calls, configs, forged, over_http, statements
from tests.fuzz.pushing import CHANNELS, LARGE, PLAIN, large, large_inside, push, source, varied
from tests.fuzz.run import CPU_MAX_NS, Tally, chance, shrunk, timed
from tests.fuzz.target import Target

SEED = 2
Run = Callable[[Tally, Iterable[int]], None]
COUNTS = {"bodies": 20_000, "forged": 5_000, "config": 150, "http": 300, "grpc": 1_500}
COUNTS["statements"] = 5_000


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
    if part == "bodies":
        assert set(done.ended) >= {"read", "quarantined", "refused"}
        assert set(done.answered) == set(CHANNELS)
    else:
        assert set(done.ended) >= {forged.REFUSED, forged.SAME, forged.LESS, forged.HINT}


def test_no_statement_breaks_the_reader_or_the_ledger() -> None:
    done, indexes = tally("statements")
    statements.run(done, indexes)
    good(done)
    assert set(done.ended) >= {"read", "refused", "posted", "import STATEMENT_TOTAL"}
    assert done.ended["posted"] > 100


def careless(data: bytes) -> list[FileLine]:
    rows = csv.DictReader(io.StringIO(data.decode()))
    return [
        FileLine(
            int(row["line_no"]),
            LineKind(row["kind"]),
            row["reference"],
            row["waybill"],
            Money(int(float(row["amount"]) * 100), row["currency"]),
            None,
        )
        for row in rows
    ]


def talkative(data: bytes) -> list[FileLine]:
    try:
        return read(data)
    except Unreadable:
        raise Unreadable([data.decode("utf-8", "replace")[-60:].replace("\n", " ")]) from None


def without_end(data: bytes) -> list[FileLine]:
    return [dataclasses.replace(line, reference=line.reference * 9) for line in read(data)]


@pytest.mark.parametrize("reader", [careless, talkative, without_end])
def test_a_reader_that_is_not_strict_is_found_out(reader: statements.Reader) -> None:
    done = Tally("statements", SEED, 2_000)
    fuzz = statements.Statements(done, reader)
    for index, rng in done.each(range(2_000)):
        fuzz.file(index, rng)
    assert len(done.violations) >= 3


async def hasty(store: Store, key: str) -> object:
    """Posts every line, and never asks what should have been there."""
    of = networks(store.terms.adapters, store.terms)
    while (found := await store.run(PostStatement(key, of))).step is not Step.JUDGING:
        if found.step is Step.POSTED:
            return found
    return await store.run(JudgeStatement(key))


async def test_a_ledger_that_misses_what_is_not_there_is_found_out() -> None:
    done = Tally("statements", SEED, 600)
    await statements.Statements(done, poster=hasty).all(range(0, 600, statements.IMPORT_EVERY))
    assert any("the audit finds R2" in violation.why for violation in done.violations)


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


each = pytest.mark.parametrize("channel", CHANNELS)


@each
def test_the_largest_body_of_each_shape_is_cheap(channel: str) -> None:
    """Bare, and under the right seal in the place of what genuine pushes say."""
    of = source(channel)
    genuine = {(seed.parts.as_form, seed.documents): seed for seed in of.seeds}.values()
    bare = [replace(of.seeds[0].push, body=large(chance(SEED, "", 0), shape)) for shape in LARGE]
    inside = [large_inside(seed, shape) for seed in genuine for shape in PLAIN]
    for given in (*bare, *inside):
        _, spent = timed(partial(understood, of.gate, given))
        assert spent <= CPU_MAX_NS, given.body[:80]


@each
def test_every_carrier_that_pushes_is_fuzzed(channel: str) -> None:
    """What is keyed can be sealed anew, so that what is fuzzed gets past the seal."""
    of = source(channel)
    keyed = [seed for seed in of.seeds if seed.tier is not Tier.T3]
    assert len(of.seeds) >= 5
    assert all(seed.seal is not None for seed in keyed)
    for index, seed in enumerate(seed for seed in of.seeds if seed.guarded):
        sealed = varied(chance(SEED, channel, index), of, seed, hostile=False).push()
        assert understood(of.gate, sealed) is not None


def believing(tier: Tier, given: Push, credentials: Credentials) -> Tier:
    return tier


def test_a_carrier_that_believes_anybody_is_found_out() -> None:
    guarded = [of for of in map(source, CHANNELS) if any(seed.guarded for seed in of.seeds)]
    assert len(guarded) >= 2
    for of in guarded:
        port = of.gate.adapter.push
        assert port is not None
        gullible = replace(port, verify=partial(believing, of.seeds[0].tier))
        adapter = replace(of.gate.adapter, push=gullible)
        done = Tally("forged", SEED, 60)
        fuzz = forged.Forged(
            done, [dataclasses.replace(of, gate=dataclasses.replace(of.gate, adapter=adapter))]
        )
        for index, rng in done.each(i for i in range(100) if i % forged.OPEN_EVERY > 1):
            fuzz.one(index, rng)
        assert len(done.violations) >= 5, of.channel


def test_an_input_follows_from_its_seed_and_index() -> None:
    for index, of in enumerate(map(source, CHANNELS)):
        one, two = (push(chance(7, "bodies", index), of) for _ in range(2))
        assert one == two
        assert one != push(chance(8, "bodies", index), of)


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

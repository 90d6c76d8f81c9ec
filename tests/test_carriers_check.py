"""`turnback carriers check`: credentials tried on every simulated carrier, over HTTP."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from adapters import ADAPTERS
from gateway.check import NO_READ, READS, UNTOLD, WRONG, Checked, check, nobodys, wrong
from gateway.domain.carrier import Answer, Reason, Verdict
from gateway.runner import Endpoint
from simulator.outcomes import Scenario
from simulator.running import Addresses, Settings, running
from tests.dialects.bench import CARRIERS, NOW, bench

READING = tuple(c for c in CARRIERS if any(getattr(ADAPTERS[c], name) for name in READS))


@pytest.fixture
async def carriers() -> AsyncIterator[Addresses]:
    """A simulator with an account of every carrier."""
    async with running(Settings(start_ms=NOW), Scenario()) as addresses:
        async with aiohttp.ClientSession() as session:
            for name in CARRIERS:
                account = bench(name).account
                body = {
                    "carrier": name,
                    "account": account.name,
                    "credentials": dict(account.credentials),
                }
                async with session.post(f"{addresses.control}/accounts", json=body) as answer:
                    assert answer.status == 200, await answer.text()
        yield addresses


def endpoint(name: str, carriers: str) -> Endpoint:
    made, adapter = bench(name), ADAPTERS[name]
    url = f"{carriers}/{name}"
    return Endpoint(
        adapter=adapter,
        account="main",
        base_url=url,
        credentials={**made.credentials, **dict.fromkeys(adapter.sites, url)},
        settings=made.settings,
        concurrency=4,
        per_second=20,
        timeout_s=5.0,
        connect_s=1.0,
    )


async def tried(one: Endpoint) -> Checked:
    (found,) = await check([one])
    return found


@pytest.mark.parametrize("name", CARRIERS)
async def test_good_credentials_are_found_good(name: str, carriers: Addresses) -> None:
    found = await tried(endpoint(name, carriers.carriers))
    if name in READING:
        assert found.well, found
    else:
        assert (found.well, found.said) == (None, NO_READ)


@pytest.mark.parametrize("name", READING)
async def test_wrong_credentials_are_named_as_that(name: str, carriers: Addresses) -> None:
    good = endpoint(name, carriers.carriers)
    said = set()
    for key in ADAPTERS[name].credentials:  # one that pushes are checked with may be wrong unseen
        wrong = {**good.credentials, key: f"wrong{good.credentials[key]}"}
        found = await tried(replace(good, credentials=wrong))
        said.add(found.said)
        assert not any(secret in repr(found) for secret in wrong.values() if len(secret) > 6)
    assert WRONG[Reason.BAD_CREDENTIALS] in said, said


async def test_an_address_where_nobody_is_is_named_as_that(carriers: Addresses) -> None:
    good = endpoint("sf", carriers.carriers)
    found = await tried(replace(good, base_url="http://127.0.0.1:9"))
    assert (found.well, found.said) == (False, WRONG[Reason.NOT_SENT])
    found = await tried(replace(good, base_url=f"{carriers.carriers}/nobody"))
    assert (found.well, found.said) == (False, WRONG[Reason.UNREADABLE])


def test_a_no_that_is_not_listed_is_not_taken_for_good_credentials() -> None:
    for verdict in (Verdict.UNKNOWN, Verdict.REFUSED, Verdict.BUSY):
        assert wrong(Answer(verdict, Reason.UNLISTED, code="9999")) == UNTOLD
    assert wrong(Answer(Verdict.UNKNOWN, Reason.WRONG_WAYBILL)) == UNTOLD
    assert wrong(Answer(Verdict.REFUSED, Reason.UNKNOWN_WAYBILL)) == ""
    assert not nobodys(ADAPTERS["zto"], "9999")
    assert not nobodys(ADAPTERS["zto"], "")


CONFIG = """
[carriers.sf]
base_url = "{url}/sf"
accounts.main = {{ credentials = {{ partner_id = "{partner}", checkword = "{word}" }} }}
[test]
plaintext = true
"""


async def test_the_command_says_it_in_a_line_and_by_its_exit_code(
    carriers: Addresses, tmp_path: Path
) -> None:
    made = bench("sf")
    good = {"partner": made.account.name, "word": made.credentials["checkword"]}
    for given, code, said in (
        (good, 0, "sf/main: the credentials work"),
        (good | {"word": "s3cret"}, 1, f"sf/main: {WRONG[Reason.BAD_CREDENTIALS]} (track, A1006)"),
    ):
        file = tmp_path / "turnback.toml"
        file.write_text(CONFIG.format(url=carriers.carriers, **given), "utf-8")
        done = await _command("check", "sf", "--config", str(file))
        assert (done.returncode, done.stderr) == (code, ""), done
        assert done.stdout.startswith(said)
        assert "s3cret" not in done.stdout
        done = await _command("check", "sf", "--json", "--config", str(file))
        (told,) = json.loads(done.stdout)
        assert (told["carrier"], told["account"], told["well"]) == ("sf", "main", code == 0)
    done = await _command("check", "nobody", "--config", str(file))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "nobody: not configured; configured are: sf\n"


async def test_the_list_is_of_objects() -> None:
    listed = json.loads((await _command("--json")).stdout)
    assert [one["name"] for one in listed] == list(ADAPTERS)
    for one in listed:
        assert one["title"] == ADAPTERS[one["name"]].title
        assert one["operations"]["intercept"] in ("documented", "seen", "assumed")
        assert one["level"] in ("unproven", "listed", "proven", "live")


async def _command(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """In a thread: the simulator answers on this loop."""
    command = [sys.executable, "-m", "gateway", "carriers", *arguments]
    return await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=False, timeout=60
    )

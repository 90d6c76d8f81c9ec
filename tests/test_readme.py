"""README's words, tried: its tables are fresh, its files exist, its first call works."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.docs import CARRIERS, README, SETTINGS, carriers, filled, settings

ROOT = README.parent
BIN = Path(sys.executable).parent


def test_what_comes_from_code_is_fresh() -> None:
    text = README.read_text("utf-8")
    assert filled(text) == text, "run `python -m tests.docs`"
    assert CARRIERS.read_text("utf-8") == carriers(), "run `python -m tests.docs`"
    assert SETTINGS.read_text("utf-8") == settings(), "run `python -m tests.docs`"


def test_every_file_that_is_named_exists() -> None:
    for page in (README, ROOT / "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
            if not target.startswith("http"):
                assert (ROOT / target).exists(), target


@contextmanager
def running(*command: str, cwd: Path, env: dict[str, str]) -> Iterator[dict[str, object]]:
    """A server of ours, from its ready line to SIGTERM; it must end well."""
    with subprocess.Popen(
        [str(BIN / command[0]), *command[1:]],
        cwd=cwd,
        env=os.environ | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0


def ran(*command: str, cwd: Path = ROOT, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=cwd,
        env=os.environ | (env or {}),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_first_call_as_it_is_written(tmp_path: Path) -> None:
    """Both servers, the Python client, `buf curl`, and the audit, on ports of the test's own."""
    simulator = ("turnback-sim", "serve", "--port", "0", "--control-port", "0")
    config = str(ROOT / "docs" / "turnback.toml")
    with running(*simulator, cwd=tmp_path, env={}) as carriers:
        text = (ROOT / "docs" / "turnback.toml").read_text("utf-8")
        text = text.replace("http://127.0.0.1:8701", str(carriers["carriers"]))
        mine = tmp_path / "turnback.toml"
        mine.write_text(text, "utf-8")
        free = {f"TURNBACK_{name}__PORT": "0" for name in ("GRPC", "PUSH", "METRICS")}
        with running("turnback", "serve", "--config", str(mine), cwd=tmp_path, env=free) as gateway:
            env = {"GATEWAY": str(gateway["grpc"]), "CONTROL": str(carriers["control"])}
            said = ran("python", str(ROOT / "docs" / "first_call.py"), env=env)
            assert "DECISION_ACCEPTED, REFUND_ADVICE_SAFE_TO_REFUND" in said
            listed = ran(
                *("buf", "curl", "--protocol", "grpc", "--http2-prior-knowledge"),
                *("-H", "authorization: Bearer try-tenant", "-d", '{"merchant_id": "linxi"}'),
                f"http://{gateway['grpc']}/turnback.v1.InterceptService/List",
            )
            assert json.loads(listed)["interceptions"][0]["decision"] == "DECISION_ACCEPTED"
            audited = ran("turnback", "audit", "--config", str(mine), cwd=tmp_path)
            assert audited.splitlines()[-1].endswith("rules, 0 violations")
        ran("turnback", "audit", "--config", str(mine), "--json", cwd=tmp_path)
    assert ran("turnback", "config", "check", "--config", config).endswith("good\n")


@pytest.mark.parametrize("command", ["turnback", "turnback-sim", "turnback-load"])
def test_every_command_says_what_it_does(command: str) -> None:
    assert "Usage" in ran(command, "--help")


def test_capabilities_are_told_in_both_forms() -> None:
    listed = json.loads(ran("turnback", "carriers", "--json"))
    names = ["sf", "zto", "yto", "jdl", "ldop", "sto", "jt", "kuaidi100", "ups", "yunda"]
    assert [carrier["name"] for carrier in listed] == names
    table = ran("turnback", "carriers")
    assert all(f"| `{name}` |" in table for name in names)


def test_a_wrong_configuration_names_its_field(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('[grpc]\nprot = 1\n[carriers.sf]\nbase_url = "ftp://x"\n', "utf-8")
    done = subprocess.run(
        [str(BIN / "turnback"), "serve", "--config", str(wrong)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 2
    assert "grpc.prot: there is no such setting" in done.stderr
    assert "carriers.sf.base_url" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_keeps_it_from_starting_is_said_in_a_line(tmp_path: Path) -> None:
    """Another gateway on the store, a file that is none, a port that is taken."""
    config = str(ROOT / "docs" / "turnback.toml")
    free = {f"TURNBACK_{name}__PORT": "0" for name in ("GRPC", "PUSH", "METRICS")}

    def refused(**changes: str) -> str:
        done = subprocess.run(
            [str(BIN / "turnback"), "serve", "--config", config],
            cwd=tmp_path,
            env=os.environ | free | changes,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert done.returncode == 3
        assert "Traceback" not in done.stderr
        return done.stderr

    (tmp_path / "none.db").write_bytes(b"not a database" * 100)
    with running("turnback", "serve", "--config", config, cwd=tmp_path, env=free) as gateway:
        taken = str(gateway["push"]).rsplit(":", 1)[1]
        assert "is in use by another gateway" in refused()
        other = {"TURNBACK_STORE__URL": "sqlite:///other.db"}
        for name in ("GRPC", "PUSH", "METRICS"):
            assert "cannot listen on" in refused(**other, **{f"TURNBACK_{name}__PORT": taken})
    assert "cannot be used" in refused(TURNBACK_STORE__URL="sqlite:///none.db")
    nowhere = refused(TURNBACK_STORE__URL="sqlite:///none.db/store.db")
    assert nowhere.strip().endswith(f"{tmp_path}/none.db/store.db cannot be used: Not a directory")
    clock = {"TURNBACK_TEST__CLOCK_URL": "http://127.0.0.1:9/clock"}
    assert "no clock answers" in refused(**clock)

"""An adapter may live outside this repository: a package on the path that a configuration names."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest

from adapters import ADAPTERS
from gateway.config import token_hash
from gateway.pb.turnback.v1 import carrier_service_pb2 as pb
from tests import snail
from tests.test_readme import BIN, ran, running

NAME, SECRET = snail.ADAPTER.name, "k3y-that-nobody-may-see"
HEAD = """
[grpc]
host = "127.0.0.1"
port = 0
[push]
host = "127.0.0.1"
port = 0
[metrics]
host = "127.0.0.1"
port = 0
[store]
url = "sqlite:///{store}"
[tenants.shop]
payment_agreements = ["auto-pay"]
tokens = [{{ name = "erp", sha256 = "{token}", roles = [] }}]
[test]
plaintext = true
"""
CARRIER = """
[carriers.{name}]
adapter = "{module}"
base_url = "http://127.0.0.1:9"
[carriers.{name}.accounts.main]
credentials = {{ shell = "{secret}" }}
[carriers.{name}.contract]
fees = {{ in_transit = 700 }}
cap_minor = 50000
"""
Env = dict[str, str]
Config = Callable[[Mapping[str, str]], Path]
BROKEN = {  # the name of a carrier: its module, and what is said of it
    "gone": ("crawlers.gone", "the module cannot be imported (ModuleNotFoundError)"),
    "bent": ("crawlers.bent", "the module cannot be imported (SyntaxError)"),
    "short": ("crawlers.short", "the module cannot be imported (KeyError)"),
    "empty": ("crawlers.empty", "the module has no ADAPTER that is an Adapter"),
    "other": ("crawlers.other", "the module has no ADAPTER that is an Adapter"),
    "slug": ("crawlers.snail", "the ADAPTER of the module is not called slug"),
}


@pytest.fixture
def env(tmp_path: Path) -> Env:
    """A package that nobody has installed, on the path."""
    package = tmp_path / "theirs" / "crawlers"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    shutil.copy(snail.__file__, package / "snail.py")
    (package / "bent.py").write_text(f"ADAPTER = '{SECRET}' (\n", "utf-8")
    (package / "short.py").write_text(f"ADAPTER = {{}}['{SECRET}']\n", "utf-8")
    (package / "empty.py").touch()
    (package / "other.py").write_text(f"ADAPTER = '{NAME}'\n", "utf-8")
    paths = (str(package.parent), os.environ.get("PYTHONPATH", ""))
    return {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


@pytest.fixture
def config(tmp_path: Path) -> Config:
    def write(modules: Mapping[str, str]) -> Path:
        """The names of carriers, and where their adapters are."""
        path = tmp_path / "turnback.toml"
        head = HEAD.format(store=tmp_path / "t.db", token=token_hash("t"))
        carriers = (
            CARRIER.format(name=name, module=module, secret=SECRET)
            for name, module in modules.items()
        )
        path.write_text(head + "".join(carriers), "utf-8")
        return path

    return write


def test_a_carrier_from_outside_is_served(tmp_path: Path, env: Env, config: Config) -> None:
    assert NAME not in ADAPTERS
    mine = ("--config", str(config({NAME: "crawlers.snail"})))
    assert ran("turnback", "config", "check", *mine, env=env).endswith("good\n")
    told = json.loads(ran("turnback", "carriers", "--json", *mine, env=env))
    (theirs,) = [one for one in told if one["name"] == NAME]
    assert (theirs["level"], set(theirs["operations"])) == ("unproven", {"intercept", "track"})
    ran("turnback", "migrate", *mine, env=env)
    with (
        running("turnback", "serve", *mine, cwd=tmp_path, env=env) as gateway,
        grpc.insecure_channel(str(gateway["grpc"])) as channel,
    ):
        listing: Any = channel.unary_unary(
            "/turnback.v1.CarrierService/List",
            request_serializer=pb.CarrierServiceListRequest.SerializeToString,
            response_deserializer=pb.CarrierServiceListResponse.FromString,
        )
        token = (("authorization", "Bearer t"),)
        listed = listing(pb.CarrierServiceListRequest(), metadata=token, timeout=10)
    (carrier,) = listed.carriers
    assert (carrier.name, carrier.title, carrier.docs) == (NAME, "Snail Mail", snail.ADAPTER.docs)
    offered = {each.operation for each in carrier.capabilities}
    assert offered == {pb.OPERATION_INTERCEPT, pb.OPERATION_TRACK}
    assert carrier.dedup == pb.DEDUP_REFERENCE
    assert carrier.contract.cap.units == 500


@pytest.mark.parametrize("command", [("serve",), ("config", "check")], ids=" ".join)
def test_what_is_wrong_with_one_is_said_in_one_line(
    env: Env, config: Config, command: tuple[str, ...]
) -> None:
    mine = config({name: module for name, (module, _) in BROKEN.items()})
    given = [str(BIN / "turnback"), *command, "--config", str(mine)]
    clean = {k: v for k, v in os.environ.items() if not k.upper().startswith("TURNBACK_")} | env
    done = subprocess.run(given, env=clean, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        f"carriers.{name}.adapter: {said}" for name, (_, said) in BROKEN.items()
    ]

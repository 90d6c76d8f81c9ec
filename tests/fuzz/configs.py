"""Configurations from the settings' own model, mutated, and bytes that are none at all.

`turnback config check` accepts a file or says in plain words what to mend, exit code 2. It never
shows a secret, and whatever it accepts can be built.
"""

import asyncio
import copy
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any, get_args

from pydantic import BaseModel
from typer.testing import CliRunner

from gateway import config
from gateway.__main__ import app
from gateway.assembly import Gateway
from gateway.config import ConfigError, Settings, token_hash
from loadtest.fleet import toml
from tests.fuzz.mutate import bent, odd_text
from tests.fuzz.run import Tally, shrunk

CANARY = "k3yThatNobodyMaySee"
LINE_MAX = 400
INSIDE_WORDS = ("Traceback", "ValidationError", "<class ", "object at 0x")
BUILT_EVERY = 4  # of those accepted
Tree = dict[str, Any]
BASE: Tree = {
    "grpc": {"host": "127.0.0.1", "port": 0},
    "push": {"host": "127.0.0.1", "port": 0},
    "metrics": {"host": "127.0.0.1", "port": 0},
    "store": {"url": "sqlite:///data/turnback.db"},
    "limits": {"concurrency": 100},
    "policy": {"agreements": {"service": "2023-08"}},
    "tenants": {
        "shop": {
            "payment_agreements": ["auto-pay"],
            "tokens": [{"name": "erp", "sha256": token_hash("t"), "roles": ["treasury"]}],
        }
    },
    "carriers": {
        "sf": {
            "base_url": "http://127.0.0.1:8700/sf",
            "accounts": {
                "main": {
                    "credentials": {"partner_id": CANARY + "1", "checkword": CANARY + "2"},
                    "settings": {"monthly_card": "7551234567"},
                    "push_secret": CANARY + "Zk9xT2",
                }
            },
            "contract": {"fees": {"in_transit": 800}, "cap_minor": 80_000},
        },
        "zto": {
            "base_url": "http://127.0.0.1:8700/zto",
            "accounts": {
                "main": {
                    "credentials": {"app_key": CANARY + "3", "app_secret": CANARY + "4"},
                    "previous_credentials": {"app_key": CANARY + "5", "app_secret": CANARY + "6"},
                }
            },
            "contract": {"fees": {"picked_up": 500}},
        },
    },
    "test": {"plaintext": True, "idle": True},
}
NAMES = ("_env_file", "__pydantic_self__", "self", "_secrets_dir", "values", "", "a.b", "k" * 999)
VALUES: tuple[Any, ...] = (
    *(0, 1, -1, 2**31, 2**63 - 1, 10**12, 10**30, 0.5, 1e308, True, False, "", " ", [], {}),
    *([[]], [{}], {"a": {}}, "a\x00b", "/dev/null", "/", "::1", "0.0.0.0", "[::1]", "a:b"),
    *("http://[::1", "http://u:" + CANARY + "@h", "https://" + CANARY + "\u2100@h/", "http://h:x"),
    *("https://h/?" + CANARY, "sqlite:///\x00", "sqlite:////dev/full", "adapters.sf", ".", "..x"),
    *("json", "", "adapters.", "sqlite:///" + "x" * 300, "1e5", "yes", "2023-01-01"),
)
RAW = (
    *(b"a = " + b"9" * 5_000, b"a = " + b"[" * 5_000, b"a." * 5_000 + b"b = 1", b"\xef\xbb\xbf"),
    *(b"a = 1979-13-45", b"a = 1e999999", b"a = nan", b"a = {" * 2_000, b"[[a]]\n[a]", b"a = 0x"),
    *(b"x = '" + CANARY.encode(), b"k = " + CANARY.encode(), b'k = "' + CANARY.encode() + b"\\q"),
)


def fields(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every setting there is, by its path; `*` where a key is a name of our own."""
    for name, field in model.model_fields.items():
        yield (*path, name)
        for kind in kinds(field.annotation):
            own = ("*",) if _mapped(field.annotation) else ()
            yield from fields(kind, (*path, name, *own))


def kinds(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from kinds(inner)


def _mapped(annotation: Any) -> bool:
    return "Mapping" in str(annotation)


PATHS = tuple(dict.fromkeys(fields(Settings)))


def value(rng: Random) -> Any:
    act = rng.random()
    if act < 0.3:
        return rng.choice((1, 5, 1_000, 10**6, 10**12, True, "shop", "localhost"))
    if act < 0.7:
        return copy.deepcopy(rng.choice(VALUES))
    text = odd_text(rng).encode("utf-8", "replace").decode()
    return rng.choice((text, [text], {text or "x": text}, rng.getrandbits(70), -rng.random()))


def holder(rng: Random, tree: Tree, path: tuple[str, ...]) -> tuple[Tree, str]:
    """The table of a setting and its name in it; tables on the way are made."""
    for name in path[:-1]:
        if name == "*":
            name = rng.choice(list(tree) or ["main"])
        inner = tree.get(name)
        if isinstance(inner, list) and inner and isinstance(inner[0], dict):
            inner = inner[0]
        if not isinstance(inner, dict):
            inner = tree[name] = {}
        tree = inner
    return tree, rng.choice(list(tree) or ["x"]) if path[-1] == "*" else path[-1]


def changed(rng: Random) -> Tree:
    tree = copy.deepcopy(BASE)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        table, name = holder(rng, tree, rng.choice(PATHS))
        act = rng.randrange(10)
        if act == 0:
            table.pop(name, None)
        elif act == 1:
            table[rng.choice(NAMES)] = value(rng)
        elif act == 2 and name in table and CANARY not in json.dumps(table[name]):
            table[rng.choice((name.upper(), name + "s", name + " "))] = table.pop(name)
        else:
            table[name] = value(rng)
    return tree


def written(rng: Random) -> bytes:
    act = rng.random()
    if act < 0.10:
        return rng.choice(RAW)
    if act < 0.17:
        return rng.randbytes(rng.randrange(300))
    text = "\n".join(toml(changed(rng) if act < 0.75 else BASE)).encode("utf-8", "replace")
    return bent(rng, text) if act > 0.65 else text


def environment(rng: Random) -> Mapping[str, str]:
    """Sometimes a variable too."""
    if rng.random() > 0.15:
        return {}
    path = [part.upper() if part != "*" else "sf" for part in rng.choice(PATHS)]
    found = rng.choice(("", "x", "5", "{", "[" * 9_000, '{"a": 1}', CANARY, '"' + CANARY, "null"))
    return {"TURNBACK_" + "__".join(path): found}


def fault(path: Path, data: bytes, env: Mapping[str, str]) -> tuple[int, str]:
    """The exit code of the check, and what is wrong about it, or nothing."""
    path.write_bytes(data)
    done = CliRunner().invoke(app, ["config", "check", "--config", str(path)], env=env)
    error = done.exception
    if error is not None and not isinstance(error, SystemExit):
        return done.exit_code, f"{type(error).__name__} escaped"
    said = done.output
    if CANARY in said:
        return done.exit_code, "a secret is shown"
    if any(word in said for word in INSIDE_WORDS):
        return done.exit_code, "not plain words"
    if done.exit_code == 2:
        lines = said.splitlines()
        plain = bool(lines) and all(len(line) <= LINE_MAX for line in lines)
        plain = plain and all(line.isprintable() for line in lines)
        return 2, "" if plain else "lines unfit to read"
    return done.exit_code, "" if done.exit_code == 0 else f"exit code {done.exit_code}"


async def built(path: Path) -> str:
    """What is accepted can be built. Why not, or nothing."""
    try:
        gateway = Gateway(config.load(path))
        await gateway.server.drain(0)
    except ConfigError:
        return ""  # with the variables of its check it was complete
    except Exception as error:
        return f"accepted, and cannot be built: {type(error).__name__}"
    return ""


def checked(tally: Tally, index: int, rng: Random, path: Path) -> None:
    data, env = written(rng), environment(rng)
    code, why = fault(path, data, env)
    tally.ended["accepted" if code == 0 else "refused"] += 1
    if why:
        data = shrunk(data, lambda other: fault(path, other, env)[1] == why)
    elif code == 0 and not env and tally.ended["accepted"] % BUILT_EVERY == 0:
        why = asyncio.run(built(path))
    if why:
        tally.wrong(index, f"{why} {dict(env)}", data)


def run(tally: Tally, indexes: Iterable[int]) -> None:
    tally.flat = False
    with tempfile.TemporaryDirectory(prefix="turnback-fuzz-") as folder:
        path = Path(folder, "turnback.toml")
        for index, rng in tally.each(indexes):
            checked(tally, index, rng, path)

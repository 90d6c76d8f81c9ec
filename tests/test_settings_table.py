"""What is told of the settings: all of them, what they are, and what is so without them."""

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from gateway import settings_table
from gateway.config import Settings

TOLD = {each.key: each for each in settings_table.settings()}


def leaves(schema: Mapping[str, Any], of: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Every setting of a JSON schema, counted by its way there."""
    for name, field in of.get("properties", {}).items():
        options = [field, *field.get("anyOf", ())]
        options += [o["items"] for o in options if "items" in o]
        options += [each for o in options for each in o.get("patternProperties", {}).values()]
        sections = [o["$ref"].rsplit("/", 1)[-1] for o in options if "$ref" in o]
        inner = [schema["$defs"][s] for s in sections if "properties" in schema["$defs"][s]]
        if inner:
            yield from leaves(schema, inner[0], f"{path}{name}.")
        else:
            yield f"{path}{name}"


def bare(key: str) -> str:
    return ".".join(part.removesuffix("[]") for part in key.split(".") if not part.startswith("<"))


def test_every_setting_is_told_and_explained() -> None:
    schema = Settings.model_json_schema()
    assert sorted(map(bare, TOLD)) == sorted(leaves(schema, schema))
    assert [key for key, each in TOLD.items() if not each.meaning.endswith((".", "…"))] == []


@pytest.mark.parametrize("key", [k for k in TOLD if "<" not in k and not k.startswith("test.")])
def test_what_is_left_out_is_what_is_said(key: str) -> None:
    found: Any = Settings()
    for name in key.split("."):
        found = getattr(found, name)
    said = TOLD[key].default
    if said == settings_table.UNSET:
        assert found is None
        return
    value = tomllib.loads(f"it = {said}")["it"]
    found = getattr(found, "get_secret_value", lambda: found)()
    if isinstance(value, list):
        assert sorted(value) == sorted(map(str, found))
    else:
        assert value == found

"""What a text holds, as a tree of dicts, lists and leaves that can be changed and written again.

An element of XML is `{tag: {"@attribute": value, "#": [what is in it]}}`.
"""

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any
from xml.etree.ElementTree import Element, ParseError, fromstring

from tests.fuzz.mutate import json_mutated, odd, pick

TIMES = ("2026-11-03 12:00:00", "2026-02-30 00:00:00", "0001-01-01 00:00:00", "9999-12-31 23:59:59")
INSIDE = "#"
Write = Callable[[Random, Any], str]
Pools = dict[str, list[Any]]  # the values that genuine pushes have under a name


def understood(text: str) -> tuple[Any, Write] | None:
    """The tree that a text holds, and how it is written; None for a text that is only that."""
    if text.startswith("<"):
        try:
            return _tree(fromstring(text)), markup
        except ParseError:
            return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return (found, notation) if isinstance(found, dict | list) else None


def _tree(element: Element) -> Any:
    inside = [_tree(each) for each in element] or [element.text or ""]
    attributes = {f"@{name}": value for name, value in element.attrib.items()}
    return {element.tag: {**attributes, INSIDE: inside}}


def notation(rng: Random, value: Any) -> str:
    """As JSON, escaped or not: NaN, lone surrogates and all."""
    return json.dumps(value, ensure_ascii=rng.random() < 0.5)


def markup(rng: Random, value: Any) -> str:
    """As XML, of whatever has become of the tree."""
    if isinstance(value, list):
        return "".join(markup(rng, each) for each in value)
    if isinstance(value, dict):
        return "".join(_element(rng, tag, inner) for tag, inner in value.items())
    return _escaped(rng, str(value))


def _element(rng: Random, tag: str, inner: Any) -> str:
    if tag == INSIDE:
        return markup(rng, inner)
    if not isinstance(inner, dict):
        return f"<{tag}>{markup(rng, inner)}</{tag}>"
    given = {name[1:]: value for name, value in inner.items() if name.startswith("@")}
    shown = "".join(f' {name}="{_escaped(rng, str(value))}"' for name, value in given.items())
    rest = {name: value for name, value in inner.items() if not name.startswith("@")}
    return f"<{tag}{shown}>{markup(rng, rest)}</{tag}>"


def _escaped(rng: Random, text: str) -> str:
    if rng.random() < 0.95:
        for sign, name in (("&", "&amp;"), ("<", "&lt;"), ('"', "&quot;")):
            text = text.replace(sign, name)
    return text


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf, with the name it stands under."""
    if isinstance(value, dict):
        for inner, other in value.items():
            yield from leaves(other, name if inner == INSIDE else inner)
    elif isinstance(value, list):
        for other in value:
            yield from leaves(other, name)
    else:
        yield name, value


def mapped(value: Any, leaf: Callable[[str, Any], Any], name: str = "") -> Any:
    """The tree with another value in each of its leaves."""
    if isinstance(value, dict):
        return {
            inner: mapped(other, leaf, name if inner == INSIDE else inner)
            for inner, other in value.items()
        }
    if isinstance(value, list):
        return [mapped(other, leaf, name) for other in value]
    return leaf(name, value)


def renewed(value: Any, name: str, text: str) -> Any:
    """The tree with one text in every leaf of that name."""
    return mapped(value, lambda under, usual: text if under == name else usual)


def varied(
    rng: Random, value: Any, pools: Pools, waybills: tuple[str, ...], hostile: bool = True
) -> Any:
    """The same tree with other values in some of its leaves, and mostly one of our parcels."""

    def leaf(name: str, usual: Any) -> Any:
        if usual in waybills:
            ours = rng.choice(waybills[:2]) if rng.random() < 0.8 else rng.choice(waybills)
            return pick(rng, (ours,), odd, 0.95) if hostile else ours
        if rng.random() < 0.6:
            return usual
        known = pools.get(name) or [usual]
        return pick(rng, (*known, *TIMES), odd, 0.85) if hostile else rng.choice(known)

    made = mapped(value, leaf)
    return json_mutated(rng, made) if hostile and rng.random() < 0.4 else made

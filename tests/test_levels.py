"""The level of an adapter is computed out of tests, and is of these sources."""

from xml.etree.ElementTree import Element, SubElement

import pytest

from adapters import ADAPTERS
from adapters.levels import LEVELS, SOURCES
from tests.levels import digest, level, levels


@pytest.mark.parametrize("name", ADAPTERS)
def test_the_level_is_of_these_sources(name: str) -> None:
    assert SOURCES.get(name) == digest(name), "changed since: run `python -m tests.levels`"
    assert name in LEVELS


def case(name: str, bad: str = "") -> Element:
    found = Element("testcase", name=name)
    if bad:
        SubElement(found, bad)
    return found


def test_one_failure_takes_a_level_away() -> None:
    good = [("listed", case("test_a[sf-track]")), ("proven", case("test_b[sf]"))]
    assert levels(good)["sf"] == "proven"
    assert levels(good)["zto"] == "unproven"
    assert levels([*good, ("proven", case("test_c[sf]", "failure"))])["sf"] == "listed"
    assert levels([*good, ("listed", case("test_c[sf.py]", "error"))])["sf"] == "unproven"
    assert levels([*good, ("listed", case("test_c[zto]", "failure"))])["sf"] == "proven"
    assert levels([*good, ("listed", case("test_of_everybody", "failure"))])["sf"] == "unproven"


def test_a_higher_level_needs_the_lower() -> None:
    assert level(["proven"], []) == "unproven"
    assert level(["listed"], []) == "listed"
    assert level(["listed", "proven"], ["listed"]) == "unproven"

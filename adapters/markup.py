"""Strict reading of XML: no DTD, no entities, a bounded number of elements, each field once."""

from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.ElementTree import fromstring

from adapters.strict import distinct

XML_ELEMENTS_MAX = 200  # the longest push has ten routes


def rows(text: str, root: str, row: str) -> list[dict[str, str]]:
    """The attributes of every `row` under `root`; no DTD, no entities, a bounded number."""
    return [dict(element.attrib) for element in _document(text, root).iter(row)]


def fields(text: str, root: str) -> dict[str, Any]:
    """What the elements under `root` hold: each there once, a text or what lies beneath it."""
    tree = _document(text, root)
    distinct(element.tag for element in tree)
    return {element.tag: _held(element) for element in tree}


def _held(element: Element) -> Any:
    if not len(element):
        return element.text or ""
    held = [(child.tag, _held(child)) for child in element]
    named = dict(held)
    return named if len(named) == len(held) else [value for _, value in held]


def _document(text: str, root: str) -> Element:
    if text.count("<") > 2 * XML_ELEMENTS_MAX:
        raise ValueError("too many elements")
    try:
        tree: Element = fromstring(text, forbid_dtd=True)
    except ParseError:
        raise ValueError("not well-formed XML") from None
    if tree.tag != root:
        raise ValueError("another document")
    return tree

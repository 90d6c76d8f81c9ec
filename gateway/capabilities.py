"""What each carrier can do, read off its adapter: an operation that is None is not offered."""

import json
from collections.abc import Mapping

from gateway.domain.carrier import Adapter, Fact

OPERATIONS = (
    "track",
    "intercept",
    "query",
    "cancel",
    "cancel_order",
    "subscribe",
    "push",
    "claim",
    "claim_query",
)
FACTS = (
    "dedup",
    "promise_on",
    "tombstone",
    "in_flight_bound_ms",
    "fee_basis",
    "reintercept",
    "window",
)


def operations(adapter: Adapter) -> dict[str, str]:
    """Operation -> grade of the facts it was written from; absent ones are left out."""
    offered = {name: getattr(adapter, name) for name in OPERATIONS}
    return {name: str(given.grade) for name, given in offered.items() if given is not None}


def facts(adapter: Adapter) -> dict[str, tuple[str, str]]:
    """Fact -> (value, grade)."""
    told: dict[str, Fact[object]] = {name: getattr(adapter, name) for name in FACTS}
    return {name: (_words(fact.value), str(fact.grade)) for name, fact in told.items()}


def _words(value: object) -> str:
    if isinstance(value, frozenset):
        return ", ".join(sorted(str(item) for item in value))
    return {True: "yes", False: "no"}.get(value, str(value)) if type(value) is bool else str(value)


def as_json(adapters: Mapping[str, Adapter]) -> str:
    listed = [
        {
            "name": adapter.name,
            "title": adapter.title,
            "operations": operations(adapter),
            "facts": {
                name: {"value": value, "grade": grade}
                for name, (value, grade) in facts(adapter).items()
            },
        }
        for adapter in adapters.values()
    ]
    return json.dumps(listed, ensure_ascii=False, indent=2)


def as_table(adapters: Mapping[str, Adapter]) -> str:
    """A Markdown table: operations by carrier, each with its grade."""
    names = list(adapters)
    rows = [["", *(adapters[name].title for name in names)]]
    rows += [
        [operation, *(operations(adapters[name]).get(operation, "not offered") for name in names)]
        for operation in OPERATIONS
    ]
    rows += [
        [fact, *(" (".join(facts(adapters[name])[fact]) + ")" for name in names)] for fact in FACTS
    ]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join(lines)

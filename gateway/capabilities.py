"""What each carrier can do, read off its adapter: an operation that is None is not offered."""

import json
from collections.abc import Mapping

from gateway.domain.carrier import Adapter, Fact, Grade

UNPROVEN = "unproven"  # an adapter from elsewhere: nobody here has run the contract over it

OPERATIONS = (
    "token",
    "track",
    "quote",
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
    "zone",
    "subscription_ms",
)


def operations(adapter: Adapter) -> dict[str, str]:
    """Operation -> grade of the facts it was written from; absent ones are left out."""
    offered = {name: getattr(adapter, name) for name in OPERATIONS}
    return {name: str(given.grade) for name, given in offered.items() if given is not None}


def facts(adapter: Adapter) -> dict[str, tuple[str, str]]:
    """Fact -> (value, grade)."""
    told: dict[str, Fact[object] | None] = {name: getattr(adapter, name) for name in FACTS}
    return {
        name: (_words(name, fact.value), str(fact.grade))
        for name, fact in told.items()
        if fact is not None
    }


def _words(name: str, value: object) -> str:
    if name.endswith("_ms") and isinstance(value, int):
        return _span(value)
    if isinstance(value, frozenset):
        return ", ".join(sorted(str(item) for item in value))
    return {True: "yes", False: "no"}.get(value, str(value)) if type(value) is bool else str(value)


def _span(ms: int) -> str:
    days, minutes = divmod(ms // 60_000, 24 * 60)
    return f"{days} days" if days else f"{minutes} min"


def as_json(adapters: Mapping[str, Adapter], levels: Mapping[str, str]) -> str:
    """A list of objects: name, title, network, level, operations (to grade), facts."""
    listed = [
        {
            "name": adapter.name,
            "title": adapter.title,
            "network": adapter.network,
            "provisional": adapter.provisional,
            "level": levels.get(adapter.name, UNPROVEN),
            "operations": operations(adapter),
            "facts": {
                name: {"value": value, "grade": grade}
                for name, (value, grade) in facts(adapter).items()
            },
        }
        for adapter in adapters.values()
    ]
    return json.dumps(listed, ensure_ascii=False, indent=2)


def as_table(adapters: Mapping[str, Adapter], levels: Mapping[str, str]) -> str:
    """A Markdown table: a line for each carrier, its level, its operations with their grades."""
    head = ["carrier", "name", "level", *(name.replace("_", " ") for name in OPERATIONS)]
    rows = [
        [
            adapter.title + (" (provisional)" if adapter.provisional else ""),
            f"`{adapter.name}`",
            levels.get(adapter.name, UNPROVEN),
            *(operations(adapter).get(operation, "–") for operation in OPERATIONS),
        ]
        for adapter in adapters.values()
    ]
    return _table([head, *rows])


def as_facts(adapters: Mapping[str, Adapter]) -> str:
    """A Markdown table of what is declared of each carrier; what is assumed is marked."""
    head = ["carrier", *(fact.removesuffix("_ms").replace("_", " ") for fact in FACTS)]
    rows = [
        [f"`{adapter.name}`", *(_cell(*told.get(fact, ("–", ""))) for fact in FACTS)]
        for adapter in adapters.values()
        for told in [facts(adapter)]
    ]
    return _table([head, *rows])


def _cell(value: str, grade: str) -> str:
    return f"{value}*" if grade == Grade.ASSUMED else value


def _table(rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join(lines)

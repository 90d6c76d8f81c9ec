"""The parts of README that come from code: `python -m tests.docs` writes them anew."""

import re
from pathlib import Path

from adapters import ADAPTERS
from adapters.levels import LEVELS
from gateway import capabilities
from gateway.domain import interception as tables
from gateway.domain.refusal import TEXTS, Kind
from gateway.store.audit import RULES

README = Path(__file__).parent.parent / "README.md"
STATUS_OF = {
    Kind.INVALID: "INVALID_ARGUMENT",
    Kind.EXISTS: "ALREADY_EXISTS",
    Kind.PRECONDITION: "FAILED_PRECONDITION",
    Kind.NOT_FOUND: "NOT_FOUND",
    Kind.DENIED: "PERMISSION_DENIED",
    Kind.EXHAUSTED: "RESOURCE_EXHAUSTED",
    Kind.UNAVAILABLE: "UNAVAILABLE",
    Kind.ABORTED: "ABORTED",
}


def states() -> str:
    """The decision's diagram, edge by edge from the transition table."""
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += [f"    [*] --> {start}" for start in sorted(tables.INITIAL[tables.Column.DECISION])]
    for (source, event), (target, effects) in tables.DECISIONS.items():
        label = event.value + "".join(f" / {effect}" for effect in effects)
        lines.append(f"    {source} --> {target}: {label}")
    return "\n".join([*lines, "```"])


def movements() -> str:
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += [
        f"    {source} --> {target}"
        for source, targets in tables.MOVEMENTS.items()
        for target in sorted(targets)
    ]
    return "\n".join([*lines, "```"])


def matrix() -> str:
    return capabilities.as_table(ADAPTERS, LEVELS)


def facts() -> str:
    return capabilities.as_facts(ADAPTERS)


def refusals() -> str:
    rows = ["| reason | status | 中文 | English |", "|---|---|---|---|"]
    rows += [
        f"| {why} | {STATUS_OF[text.kind]} | {text.zh} | {text.en} |" for why, text in TEXTS.items()
    ]
    return "\n".join(rows)


def rules() -> str:
    rows = ["| rule | what must hold |", "|---|---|"]
    rows += [f"| inv.{rule.name} | {rule.title} |" for rule in RULES]
    return "\n".join(rows)


PARTS = {
    "states": states,
    "movements": movements,
    "matrix": matrix,
    "facts": facts,
    "refusals": refusals,
    "rules": rules,
}


def filled(text: str) -> str:
    """The text with every marked part written anew."""
    for name, part in PARTS.items():
        begin, end = f"<!-- {name}: from code -->", f"<!-- {name} ends -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        made = f"{begin}\n{part()}\n{end}"
        text = pattern.sub(lambda _, made=made: made, text)  # type: ignore[misc]
    return text


if __name__ == "__main__":
    README.write_text(filled(README.read_text("utf-8")), "utf-8")

"""The parts of README that come from code: `python -m tests.docs` writes them anew."""

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from adapters import ADAPTERS
from adapters.levels import LEVELS
from gateway import capabilities, settings_table
from gateway.domain import interception as tables
from gateway.domain.carrier import Adapter, Dedup
from gateway.domain.refusal import TEXTS, Kind
from gateway.store.audit import RULES

README = Path(__file__).parent.parent / "README.md"
CARRIERS = README.parent / "docs" / "carriers.md"
SETTINGS = README.parent / "docs" / "settings.md"
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


# -- a page of each carrier --------------------------------------------------------------------

SETTLED = {
    Dedup.REFERENCE: "the same request is sent again: the carrier knows it by our reference",
    Dedup.WAYBILL: "the same request is sent again while nothing else of ours was sent for the "
    "parcel: the carrier knows it by the waybill; any other no to it is not believed",
}
PAGE = """# The carriers

Written from the adapters by `python -m tests.docs`. Grades: see the matrix in
[README](../README.md); `*` marks what is assumed. Names of credentials and settings are those of
`[carriers.<name>.accounts.<account>]`; the push address is `/push/<name>/<account>/<push_secret>`.
"""


def carriers() -> str:
    return "\n".join([PAGE, *(_carrier(adapter) for adapter in ADAPTERS.values())])


def _carrier(adapter: Adapter) -> str:
    lines = [f"## {adapter.title} (`{adapter.name}`)", "", _facts(adapter), ""]
    lines += [f"- {name}: {told}" for name, told in _configured(adapter) if told]
    lines += [f"- a lost answer: {_settled(adapter)}", ""]
    lines += ["| asked for | code | means | reason |", "|---|---|---|---|"]
    for label, answer in adapter.codes.items():
        question, code = label.split(" ", 1)
        reason = "" if answer.reason == "none" else str(answer.reason)
        mark = "*" if answer.assumed else ""
        lines.append(f"| {question} | `{code}` | {answer.verdict}{mark} | {reason} |")
    return "\n".join([*lines, ""])


def _facts(adapter: Adapter) -> str:
    """What the adapter's own file says first."""
    return (sys.modules[adapter.sign.__module__].__doc__ or "").strip()


def _configured(adapter: Adapter) -> Iterator[tuple[str, str]]:
    def shown(names: Iterable[str]) -> str:
        return ", ".join(f"`{name}`" for name in names)

    elsewhere = {url.removeprefix("https://").split("/")[0] for url in adapter.sites.values()}
    hosts = [host for host in adapter.hosts if host not in elsewhere] or adapter.hosts
    yield "`base_url` in production", " or ".join(f"`https://{host}`" for host in hosts)
    yield "further addresses", shown(f"{name}: {url}" for name, url in adapter.sites.items())
    yield "credentials", shown(adapter.credentials)
    yield "credentials that only some accounts have", shown(adapter.optional_credentials)
    yield "settings", shown(adapter.settings)
    yield "`channel_code` and network", shown(f"{a}: {b}" for a, b in adapter.networks.items())
    yield "waybills", f"`{adapter.waybill}`"
    if adapter.provisional:
        yield "provisional", "refused unless the configuration says `provisional = true`"


def _settled(adapter: Adapter) -> str:
    """What is done about an UNKNOWN; tracking settles it in the end, where there is any."""
    ways = [SETTLED[adapter.dedup.value]] if adapter.dedup.value in SETTLED else []
    if adapter.query is not None:
        ways.append("the query is asked; `none` counts after the in-flight bound")
    if adapter.track is not None:
        ways.append("tracking shows it in the end")
    elif adapter.networks or adapter.query is None:
        ways.append("the network's own channel is asked for tracking, if it is configured")
    return "; ".join(ways)


def settings() -> str:
    return f"""# Every setting

Written from the configuration's classes by `python -m tests.docs`; `turnback config list` prints
the same. One TOML file holds them: `limits.late_ms` is `late_ms` under `[limits]`,
`tenants.<tenant>.per_second` is `per_second` under `[tenants.mall]`, and `[]` is one of a list. A
variable of the environment comes before the file: `TURNBACK_LIMITS__LATE_MS=100`. `turnback config
check` names every field that is wrong.

{settings_table.as_markdown()}
"""


if __name__ == "__main__":
    SETTINGS.write_text(settings(), "utf-8")
    CARRIERS.write_text(carriers(), "utf-8")
    README.write_text(filled(README.read_text("utf-8")), "utf-8")

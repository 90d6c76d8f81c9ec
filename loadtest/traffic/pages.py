"""What a run leaves for people and for CI: JUnit XML, JSON, and Locust's page with the verdict."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from html import escape
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

from loadtest.evidence import Interception, Rule
from loadtest.traffic.charts import Chart, svg
from loadtest.traffic.goals import Reached
from loadtest.traffic.road import MACHINE, Sample, per_second
from loadtest.traffic.run import JUDGE, PROCESSES, Result

LOGS_MAX = 3  # logs shown for the differences of one rule
SHOWN_MAX = 5
ROOT = '<div id="root">'  # of Locust's page; what comes before it is shown above it
MEGABYTE = 1 << 20
OTHERS = "other processes"
STYLE = (
    "#verdict{font:14px system-ui,sans-serif;color:#222;background:#fff;padding:20px 28px}"
    "#verdict table{border-collapse:collapse;margin:8px 0 16px}"
    "#verdict td,#verdict th{padding:3px 12px 3px 0;text-align:left;border-bottom:1px solid #eee}"
    "#verdict .no{color:#b00020}#verdict .yes{color:#1a7f37}#verdict pre{background:#f6f6f6;"
    "padding:8px;overflow:auto}#verdict svg{max-width:860px;display:block;font-size:11px}"
    "#verdict svg .t{font-size:13px;font-weight:600}"
)
Json = dict[str, Any]


def last_line(result: Result) -> str:
    return verdict_line(result.differences)


def verdict_line(found: int) -> str:
    return f"verdict: {found} differences" if found else "verdict: clean"


def log_lines(one: Interception) -> list[str]:
    """The interception's log, as ListEvents told it."""
    lines = [f"log of {one.id}, {one.carrier} {one.waybill}:"]
    for step in one.log:
        change = f"{step.column.lower()} {step.source or '·'} → {step.target}"
        lines.append(f"  {step.at_ms}  {change}  {step.cause}  by {step.actor}  {step.evidence}")
    return [line.rstrip() for line in lines]


def difference_lines(result: Result, rule: Rule) -> list[str]:
    """What differs, and the logs concerned."""
    lines = [f"{key or '-'}: {sentence}" for key, sentence in rule.violations[:SHOWN_MAX]]
    if len(rule.violations) > SHOWN_MAX:
        lines.append(f"and {len(rule.violations) - SHOWN_MAX} more")
    found = result.evidence.interceptions if result.evidence is not None else ()
    by_id = {one.id: one for one in found}
    concerned = dict.fromkeys(key for key, _ in rule.violations if key in by_id)
    for key in list(concerned)[:LOGS_MAX]:
        lines += log_lines(by_id[key])
    return lines


# -- for machines -------------------------------------------------------------------------


def as_json(result: Result, goals: Sequence[Reached]) -> Json:
    return {
        "verdict": last_line(result),
        "options": asdict(result.options),
        "expected": asdict(result.totals),
        "methods": [
            {
                "name": row.name,
                "calls": row.calls,
                "failures": row.failures,
                "p50_ms": row.percentile(50),
                "p99_ms": row.percentile(99),
            }
            for row in result.rows
        ],
        "goals": [
            {"name": one.name, **asdict(one.goal), "value": one.value, "met": one.met}
            for one in goals
        ],
        "generator": result.told.workers,
        "cores": cores(result),
        "rss_bytes": {name: rss(result.samples, name) for name in PROCESSES},
        "pushes": result.pushes,
        "refused": dict(result.refused),
        "repeated_after_load": result.repeated,
        "drained_s": round(result.drained_s, 1),
        "settled_s": round(result.settle_s, 1),
        "outcomes": outcomes(result),
        "rules": [
            {"name": rule.name, "title": rule.title, "differences": rule.violations}
            for rule in result.rules
        ],
    }


def outcomes(result: Result) -> dict[str, int]:
    found = result.evidence.interceptions if result.evidence is not None else ()
    return dict(Counter(f"{one.decision} {one.movement} {one.money}" for one in found))


def cores(result: Result) -> dict[str, float]:
    """What each process used while it was measured, the generators by their own account; and what
    the machine was busy with besides."""
    since = result.options.warm_s
    known = {name for sample in result.samples for name in sample.cpu_us}
    all_used = {name: per_second(result.samples, name, since) for name in known}
    used = {name: all_used.get(name, 0.0) for name in (*PROCESSES, JUDGE)}
    if MACHINE in all_used:
        whole = all_used.pop(MACHINE)
        used[OTHERS] = max(0.0, whole - sum(all_used.values()))
    own = {
        f"locust {line['worker']}": line["cpu_s"] / line["wall_s"] if line["wall_s"] else 0.0
        for line in result.told.workers
    }
    return {name: round(value, 2) for name, value in (used | own).items()}


def rss(samples: Sequence[Sample], name: str) -> dict[str, int]:
    """Resident memory at the beginning, at each quarter, and at the end."""
    seen = [sample.rss_bytes[name] for sample in samples if name in sample.rss_bytes]
    if not seen:
        return {}
    return {f"{part * 25} %": seen[(len(seen) - 1) * part // 4] for part in range(5)}


def junit(result: Result, goals: Sequence[Reached]) -> str:
    root = ElementTree.Element("testsuites", name="turnback load")
    suite = ElementTree.SubElement(root, "testsuite", name="verdict")
    for rule in result.rules:
        case = ElementTree.SubElement(suite, "testcase", classname=rule.name, name=rule.title)
        if rule.violations:
            message = f"{len(rule.violations)} differences"
            failure = ElementTree.SubElement(case, "failure", message=message)
            failure.text = printable("\n".join(difference_lines(result, rule)))
    speed = ElementTree.SubElement(root, "testsuite", name="goals")
    for one in goals:
        case = ElementTree.SubElement(speed, "testcase", classname=one.name, name=one.goal.what)
        if not one.met:
            ElementTree.SubElement(case, "failure", message=str(one))
    for part in (suite, speed):
        part.set("tests", str(len(part)))
        part.set("failures", str(len(part.findall("testcase/failure"))))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def printable(text: str) -> str:
    """XML takes no control characters."""
    return "".join(letter for letter in text if letter >= " " or letter in "\n\t")


# -- for people ---------------------------------------------------------------------------


def with_verdict(page: str, result: Result, goals: Sequence[Reached]) -> str:
    """Locust's page, and above it what became of the money."""
    before, mark, after = page.rpartition(ROOT)
    section = _section(result, goals)
    return f"{before}{section}{mark}{after}" if mark else section + page


def _section(result: Result, goals: Sequence[Reached]) -> str:
    good = "no" if result.differences else "yes"
    told = escape(last_line(result) if result.rules else "not judged")
    parts = [f'<section id="verdict"><style>{STYLE}</style><h1 class="{good}">{told}</h1>']
    parts += [_differences(result), _goals(goals), _used(result), _expected(result)]
    parts += [svg(chart) for chart in drawn(result.samples)]
    return "".join([*parts, "</section>"])


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    cells = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    lines = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><tr>{cells}</tr>{lines}</table>"


def _differences(result: Result) -> str:
    broken = [rule for rule in result.rules if rule.violations]
    parts = [f"<p>{len(result.rules)} rules, {len(broken)} broken.</p>"]
    for rule in broken:
        text = escape("\n".join(difference_lines(result, rule)))
        title = escape(f"{rule.name}: {rule.title}")
        parts.append(f'<h3 class="no">{title}</h3><pre>{text}</pre>')
    return "".join(parts)


def _goals(goals: Sequence[Reached]) -> str:
    rows = [
        (one.name, one.goal.what, f"{one.value:g}", f"{one.goal.most:g}", "" if one.met else "✗")
        for one in goals
    ]
    return _table(("method", "goal", "reached", "at most", ""), rows)


def _used(result: Result) -> str:
    memory = {name: rss(result.samples, name) for name in PROCESSES}
    rows = [
        (name, f"{used:.2f}", *(f"{size / MEGABYTE:.0f}" for size in memory.get(name, {}).values()))
        for name, used in cores(result).items()
    ]
    return _table(("process", "cores", "MiB at 0 %", "25 %", "50 %", "75 %", "100 %"), rows)


def _expected(result: Result) -> str:
    totals, got = result.totals, outcomes(result)
    rows: list[tuple[object, ...]] = [("parcels", totals.interceptions)]
    rows += [("fees kept, fen", totals.kept_minor), ("fees back, fen", totals.returned_minor)]
    rows += [("awards, fen", totals.awards_minor), ("pushes", result.pushes)]
    after = _table(("became", "interceptions"), sorted(got.items()))
    return _table(("expected before the run", ""), rows) + after


def drawn(samples: Sequence[Sample]) -> list[Chart]:
    """States, cores and memory over time."""
    names = sorted({state for sample in samples for state in sample.states})
    states = {
        name: [(sample.at_s, float(sample.states.get(name, 0))) for sample in samples]
        for name in names
    }
    return [
        Chart("Interceptions by state", "", states),
        Chart("Cores used", "", _by_process(samples, _cores)),
        Chart("Resident memory", "MiB", _by_process(samples, _memory)),
    ]


def _by_process(
    samples: Sequence[Sample], line: Callable[[Sequence[Sample], str], list[tuple[float, float]]]
) -> Mapping[str, list[tuple[float, float]]]:
    return {name: line(samples, name) for name in PROCESSES}


def _cores(samples: Sequence[Sample], name: str) -> list[tuple[float, float]]:
    seen = [sample for sample in samples if name in sample.cpu_us]
    return [
        (new.at_s, (new.cpu_us[name] - old.cpu_us[name]) / 1e6 / (new.at_s - old.at_s))
        for old, new in pairwise(seen)
        if new.at_s > old.at_s
    ]


def _memory(samples: Sequence[Sample], name: str) -> list[tuple[float, float]]:
    return [
        (sample.at_s, sample.rss_bytes[name] / MEGABYTE)
        for sample in samples
        if name in sample.rss_bytes
    ]

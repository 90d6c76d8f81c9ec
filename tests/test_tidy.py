"""The house rules as tests: types, lint, formatting, import contracts, sizes, dependencies."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
FUNCTION_LINES_MAX = 60
MODULE_LINES_MAX = 500
CARRIER_LINES_MAX = 250
SOURCES = [
    path
    for folder in ("gateway", "adapters", "simulator", "loadtest", "tests")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "pb" not in path.relative_to(ROOT).parts
]
UNWANTED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check"),
        ("ruff", "format", "--check"),
        ("mypy",),
        ("lint-imports",),
        ("deptry", "."),
    ],
    ids=lambda command: " ".join(command),
)
def test_tool_finds_nothing(command: tuple[str, ...]) -> None:
    done = subprocess.run(
        [BIN / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=_named)
def test_no_function_and_no_module_is_too_long(path: Path) -> None:
    text = path.read_text("utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            lines = node.end_lineno - node.lineno + 1
            assert lines <= FUNCTION_LINES_MAX, f"{node.name}: {lines} lines"
    lines = len(text.splitlines())
    assert lines <= CARRIER_LINES_MAX or path.parent.name != "adapters"
    assert lines <= MODULE_LINES_MAX or "tests" in path.relative_to(ROOT).parts


@pytest.mark.parametrize("path", SOURCES, ids=_named)
def test_nothing_is_left_for_later(path: Path) -> None:
    if path != Path(__file__):
        assert not UNWANTED.search(path.read_text("utf-8"))


def test_the_lock_file_holds_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    asked = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    locked = {
        pin.name.lower(): next(iter(pin.specifier)).version
        for pin in map(Requirement, (ROOT / "requirements.lock").read_text("utf-8").splitlines())
    }
    for requirement in map(Requirement, asked):
        assert requirement.name.lower() in locked, requirement.name
        assert requirement.specifier.contains(locked[requirement.name.lower()]), requirement

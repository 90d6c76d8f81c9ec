"""The workflow that is given as an example: valid, and about commands that there are."""

import re
import subprocess
import sys
from pathlib import Path

import yaml
from typer.testing import CliRunner

from loadtest.__main__ import app

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / "docs" / "load-in-ci.yml"
OPTION = re.compile(r"(?<!\S)--[a-z0-9-]+")


def test_it_is_a_workflow() -> None:
    command = [Path(sys.executable).with_name("check-jsonschema")]
    done = subprocess.run(
        [*command, "--builtin-schema", "vendor.github-workflows", WORKFLOW],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_options_exist() -> None:
    job = yaml.safe_load(WORKFLOW.read_text("utf-8"))["jobs"]["load"]
    runs = [step["run"] for step in job["steps"] if "turnback-load" in step.get("run", "")]
    shown = CliRunner().invoke(app, ["run", "--help"], env={"COLUMNS": "200"}).stdout
    assert runs
    for run in runs:
        for option in OPTION.findall(run):
            assert option in shown, option

"""What is under deploy/: against the published schemas, the gateway's own facts, and itself.

The schemas are those of Kubernetes and of the Compose specification, out of packages.
"""

import copy
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters import ADAPTERS
from gateway.assembly import Gateway
from gateway.config import PREFIX, ConfigError, Settings, load
from tests.rpc.world import settings as some_settings

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "compose.yaml"
DOCKERFILE = DEPLOY / "Dockerfile"
KUBERNETES = sorted((DEPLOY / "kubernetes").glob("*.yaml*"))
OLDEST = "1.30"  # of Kubernetes: the first that can sleep before the end
NEWEST = "1.37"
END_S = 5  # what a gateway needs after its drain: pushes, the last commit
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
IMAGE = re.compile(r"^(?:[a-z0-9.-]+(?::\d+)?/)?(?:[a-z0-9._-]+/)*[a-z0-9._-]+:[\w.-]*\d[\w.-]*$")
Json = dict[str, Any]


def documents(path: Path) -> list[Json]:
    return [each for each in yaml.safe_load_all(path.read_text("utf-8")) if each]


MANIFESTS = [(path.name, each) for path in KUBERNETES for each in documents(path)]
COMPOSED: Json = yaml.safe_load(COMPOSE.read_text("utf-8"))


def of(kind: str, name: str = "") -> Json:
    (found,) = (
        each
        for _, each in MANIFESTS
        if each["kind"] == kind and name in ("", each["metadata"]["name"])
    )
    return found


def pod(kind: str) -> Json:
    found: Json = of(kind)["spec"]["template"]["spec"]
    return found


def container(kind: str) -> Json:
    (found,) = pod(kind)["containers"]
    assert isinstance(found, dict)
    return found


pods = pytest.mark.parametrize("kind", ["Deployment", "Job"])


# -- schemas ----------------------------------------------------------------------------------


def checked(*command: str | Path) -> tuple[int, str]:
    program, *rest = command
    done = subprocess.run(
        [BIN / program, *rest], capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


def kubernetes(path: Path, version: str) -> tuple[int, str]:
    return checked("kubernetes-validate", "--strict", "-k", version, path)


def compose(path: Path) -> tuple[int, str]:
    return checked("check-jsonschema", "--builtin-schema", "vendor.compose-spec", path)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("path", KUBERNETES, ids=lambda path: path.name)
def test_kubernetes_knows_every_field(path: Path, version: str) -> None:
    code, said = kubernetes(path, version)
    assert code == 0, said
    assert "WARN" not in said, said  # a kind without a schema is not checked
    assert said.count(" passed ") == len(documents(path))


def test_compose_knows_every_field() -> None:
    code, said = compose(COMPOSE)
    assert code == 0, said


def misspelt(deployment: Json) -> None:
    (made,) = deployment["spec"]["template"]["spec"]["containers"]
    made["readynessProbe"] = made.pop("readinessProbe")


def text_for_number(deployment: Json) -> None:
    deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = "45s"


@pytest.mark.parametrize("spoil", [misspelt, text_for_number])
def test_a_wrong_manifest_is_refused(tmp_path: Path, spoil: Callable[[Json], None]) -> None:
    spoilt = copy.deepcopy(of("Deployment"))
    spoil(spoilt)
    path = tmp_path / "wrong.yaml"
    path.write_text(json.dumps(spoilt), "utf-8")
    assert kubernetes(path, OLDEST)[0] != 0


def test_a_wrong_compose_file_is_refused(tmp_path: Path) -> None:
    spoilt = copy.deepcopy(COMPOSED)
    spoilt["services"]["postgres"]["imagge"] = spoilt["services"]["postgres"].pop("image")
    path = tmp_path / "compose.json"
    path.write_text(json.dumps(spoilt), "utf-8")
    assert compose(path)[0] != 0


# -- images -----------------------------------------------------------------------------------


def images() -> Iterator[tuple[str, str]]:
    for kind in ("Deployment", "Job"):
        yield kind, container(kind)["image"]
    for name, service in COMPOSED["services"].items():
        yield name, service["image"]
    for line in instructions():
        if line[0] == "FROM":
            yield "FROM", line[1]


def instructions() -> list[list[str]]:
    text = re.sub(r"\\\n", " ", DOCKERFILE.read_text("utf-8"))
    return [line.split() for line in text.splitlines() if line and not line.startswith("#")]


def test_every_image_has_a_version() -> None:
    for where, image in images():
        assert IMAGE.match(image), (where, image)
        name, tag = image.rsplit(":", 1)
        if name.endswith("turnback"):
            assert tag == VERSION, "the version of this source"
    assert of("Job")["metadata"]["name"].endswith(VERSION.replace(".", "-")), "jobs do not change"


def test_the_last_stage_has_no_tools_and_no_root() -> None:
    lines = instructions()
    last = max(number for number, line in enumerate(lines) if line[0] == "FROM")
    assert last > 0, "there is a stage to build in"
    (user,) = (line[1] for line in lines[last:] if line[0] == "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user), "Kubernetes can tell only by a number"
    assert user.split(":") == [str(pod("Deployment")["securityContext"]["runAsUser"])] * 2
    ran = " ".join(" ".join(line) for line in lines[last:] if line[0] == "RUN")
    assert not re.search(r"\b(apt|apk|pip|curl|wget|gcc|make)\b", ran)
    assert [line[1] for line in lines if line[0] == "STOPSIGNAL"] == ["SIGTERM"]


def test_the_image_is_made_of_what_is_there() -> None:
    copied = [
        name
        for line in instructions()
        if line[0] == "COPY" and not line[1].startswith("--from")
        for name in line[1:-1]
    ]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) <= set(copied)
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    assert {line[1:] for line in ignored if line.startswith("!")} == set(copied)
    assert "*" in ignored
    for name in copied:
        assert (ROOT / name).exists(), name
    entries = [s["entrypoint"][0] for s in COMPOSED["services"].values() if "entrypoint" in s]
    scripts = {"turnback", *entries}
    assert scripts <= set(project["project"]["scripts"])


# -- settings ---------------------------------------------------------------------------------


def secret(reference: Mapping[str, str]) -> str:
    """A value for a key that the example of the secrets has; as long as it must be."""
    given: str = of("Secret", reference["name"])["stringData"][reference["key"]]
    assert given
    return given


def configured(kind: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of a pod's container: its files laid out at `place`, its variables set."""
    made, volumes = container(kind), {each["name"]: each for each in pod(kind)["volumes"]}
    for mount in made["volumeMounts"]:
        volume, folder = volumes[mount["name"]], place / mount["mountPath"].lstrip("/")
        folder.mkdir(parents=True, exist_ok=True)
        files: Json = (
            of("ConfigMap", volume["configMap"]["name"])["data"]
            if "configMap" in volume
            else of("Secret", volume["secret"]["secretName"])["stringData"]
        )
        for name, text in files.items():
            (folder / name).write_text(text.replace('"/etc/', f'"{place}/etc/'), "utf-8")
    for variable in made["env"]:
        monkeypatch.setenv(variable["name"], secret(variable["valueFrom"]["secretKeyRef"]))
    given = made["args"][made["args"].index("--config") + 1]
    return load(place / given.lstrip("/"))


@pods
def test_the_settings_load(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = configured(kind, tmp_path, monkeypatch)
    settings.terms(settings.adapters(ADAPTERS))
    assert settings.store.url.get_secret_value().startswith("postgresql://")
    assert settings.grpc.cert_file is not None
    assert not settings.grpc.insecure
    assert settings.test is None
    for carrier in settings.carriers.values():
        assert carrier.host in {host for adapter in ADAPTERS.values() for host in adapter.hosts}


@pods
def test_no_secret_is_in_the_configuration(kind: str) -> None:
    text = of("ConfigMap")["data"]["turnback.toml"]
    for variable in container(kind)["env"]:
        assert set(variable) == {"name", "valueFrom"}, "a value would be readable"
        field = variable["name"].rsplit("__", 1)[1].lower()
        assert not re.search(rf"^\s*{field}\b", text, re.M)


def test_service_links_would_keep_a_gateway_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kubernetes makes variables of the names of Services; ours begin with TURNBACK_."""
    assert of("Service", "turnback-push")["metadata"]["name"].upper().startswith(PREFIX[:-1])
    for kind in ("Deployment", "Job"):
        assert pod(kind)["enableServiceLinks"] is False
    monkeypatch.setenv("TURNBACK_PUSH_SERVICE_HOST", "10.0.0.1")
    with pytest.raises(ConfigError, match="TURNBACK_PUSH_SERVICE_HOST"):
        configured("Deployment", tmp_path, monkeypatch)


def test_compose_uses_the_example_with_other_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("gateway-1", "gateway-2", "migrate"):
        service = COMPOSED["services"][name]
        (mounted,) = service["volumes"]
        source, target, _ = mounted.split(":")
        assert target == "/etc/turnback/turnback.toml"
        for variable, value in service["environment"].items():
            monkeypatch.setenv(variable, value)
        settings = load(DEPLOY / source)
        settings.terms(settings.adapters(ADAPTERS))
        named = COMPOSED["services"]["postgres"]["environment"]
        user, password, base = (named[f"POSTGRES_{n}"] for n in ("USER", "PASSWORD", "DB"))
        url = f"postgresql://{user}:{password}@postgres:5432/{base}"
        assert settings.store.url.get_secret_value() == url
        for carrier in settings.carriers.values():
            host, port = carrier.base_url.split("/")[2].split(":")
            assert port == COMPOSED["services"][host]["command"][4]


# -- ports and probes -------------------------------------------------------------------------


@pytest.fixture
def deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    return configured("Deployment", tmp_path, monkeypatch)


def test_the_ports_are_those_of_the_settings(deployed: Settings) -> None:
    ports = {each["name"]: each["containerPort"] for each in container("Deployment")["ports"]}
    assert ports == {
        "grpc": deployed.grpc.port,
        "push": deployed.push.port,
        "metrics": deployed.metrics.port,
    }
    for name in ("turnback", "turnback-push"):
        (port,) = of("Service", name)["spec"]["ports"]
        assert port["targetPort"] in ports
    allowed = [
        each["port"] for rule in of("NetworkPolicy")["spec"]["ingress"] for each in rule["ports"]
    ]
    assert sorted(allowed) == sorted(ports)
    exposed = {int(port) for line in instructions() if line[0] == "EXPOSE" for port in line[1:]}
    assert exposed == set(ports.values())
    for name in ("gateway-1", "gateway-2"):
        inner = {int(each.rsplit(":", 1)[1]) for each in COMPOSED["services"][name]["ports"]}
        assert inner <= exposed


async def test_every_probe_asks_for_what_the_gateway_answers(tmp_path: Path) -> None:
    gateway = Gateway(some_settings("http://127.0.0.1:1", tmp_path / "none.db"))
    routes = gateway.health_app().router.routes()
    answered = {route.resource.canonical for route in routes if route.resource is not None}
    made = container("Deployment")
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = made[probe]["httpGet"]
        assert asked["path"] in answered
        assert asked["port"] == "metrics"
    assert made["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert made["livenessProbe"]["httpGet"]["path"] == "/healthz", "a store may be down"
    for name in ("gateway-1", "gateway-2"):
        command = COMPOSED["services"][name]["healthcheck"]["test"]
        assert "http://127.0.0.1:9090/readyz" in command[-1]


# -- life and death ---------------------------------------------------------------------------


def test_nobody_is_killed_before_the_end_of_its_drain(deployed: Settings) -> None:
    sleep = container("Deployment")["lifecycle"]["preStop"]["sleep"]["seconds"]
    least = sleep + deployed.limits.drain_s + END_S
    assert pod("Deployment")["terminationGracePeriodSeconds"] > least
    assert sleep > 0, "endpoints are taken back while it still answers"
    assert deployed.limits.lame_duck_ms >= 1_000, "clients hear of it before it takes no more"
    for name in ("gateway-1", "gateway-2"):
        grace = COMPOSED["services"][name]["stop_grace_period"]
        assert int(grace.removesuffix("s")) > deployed.limits.drain_s + END_S


def test_some_gateway_is_always_there() -> None:
    spec = of("Deployment")["spec"]
    assert spec["replicas"] >= 2
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert of("PodDisruptionBudget")["spec"]["maxUnavailable"] < spec["replicas"]
    spread = spec["template"]["spec"]["topologySpreadConstraints"]
    assert {each["topologyKey"] for each in spread} >= {"kubernetes.io/hostname"}


def test_everything_selects_the_gateways_and_only_them() -> None:
    labels = of("Deployment")["spec"]["template"]["metadata"]["labels"]
    others = of("Job")["spec"]["template"]["metadata"]["labels"]
    spread = pod("Deployment")["topologySpreadConstraints"]
    selectors = [
        of("Deployment")["spec"]["selector"]["matchLabels"],
        of("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        of("Service", "turnback")["spec"]["selector"],
        of("Service", "turnback-push")["spec"]["selector"],
        *(each["labelSelector"]["matchLabels"] for each in spread),
    ]
    for selector in selectors:
        assert selector.items() <= labels.items()
        assert not selector.items() <= others.items(), "a migration takes no calls"
    everyone = of("NetworkPolicy")["spec"]["podSelector"]["matchLabels"].items()
    assert everyone <= labels.items()
    assert everyone <= others.items()
    assert of("Service", "turnback")["spec"]["clusterIP"] == "None", "clients balance"
    assert {each["metadata"].get("namespace", "turnback") for _, each in MANIFESTS} == {"turnback"}


@pods
def test_a_pod_may_do_nothing_that_it_does_not_need(kind: str) -> None:
    spec, made = pod(kind), container(kind)
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert made["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert all(mount["readOnly"] for mount in made["volumeMounts"])
    assert {"cpu", "memory"} <= set(made["resources"]["requests"])
    assert "memory" in made["resources"]["limits"]
    namespace = of("Namespace")["metadata"]["labels"]
    assert namespace["pod-security.kubernetes.io/enforce"] == "restricted"


def test_secrets_are_examples_that_nobody_applies_by_mistake() -> None:
    for name, each in MANIFESTS:
        assert (each["kind"] == "Secret") == name.endswith(".example")


def test_compose_shows_nothing_to_other_machines() -> None:
    for name, service in COMPOSED["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
        assert "no-new-privileges:true" in service["security_opt"]
        if name != "postgres":
            assert service["read_only"] is True
            assert service["cap_drop"] == ["ALL"]
    waits = COMPOSED["services"]["gateway-1"]["depends_on"]
    assert waits["migrate"] == {"condition": "service_completed_successfully"}
    database = COMPOSED["services"]["migrate"]["depends_on"]["postgres"]
    assert database == {"condition": "service_healthy"}

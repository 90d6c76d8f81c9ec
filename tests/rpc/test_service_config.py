"""The published service config: it names what exists, repeats what may be repeated, and works."""

import json
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import Parse

from gateway.config import Limits
from gateway.rpc.server import FILES
from loadtest.steady import SERVICE_CONFIG
from tests.rpc.world import METHODS, path

CONFIG: dict[str, Any] = json.loads(SERVICE_CONFIG.read_text("utf-8"))
SERVICES = {s.full_name for file in FILES for s in file.services_by_name.values()}
# Methods without a request id that may be sent twice all the same: they read, or say how a thing is
# to be, or each of their items has an id of its own, or what is written twice is free (a quote).
AGAIN = {
    "BatchRegister",
    "BatchCreate",
    "Quote",
    "BatchQuote",
    "Upsert",
    "SetWaybillService",
    "Get",
    "List",
    "ListEvents",
    "ListEntries",
    "ListExceptions",
    "Audit",
    "Idle",
    "Watch",
}
ATTEMPTS_MAX = 5  # more are not made, whatever a service config says


def said(service: str, method: str) -> dict[str, Any]:
    """The entry that holds for a method: its own, else its service's."""
    by_name = {
        (name["service"], name.get("method", "")): entry
        for entry in CONFIG["methodConfig"]
        for name in entry["name"]
    }
    found: dict[str, Any] = by_name.get((service, method)) or by_name[service, ""]
    return found


def seconds(text: str) -> float:
    return Parse(json.dumps(text), Duration()).ToTimedelta().total_seconds()


def test_it_names_every_service_once_and_nothing_else() -> None:
    named = [
        (name["service"], name.get("method", ""))
        for entry in CONFIG["methodConfig"]
        for name in entry["name"]
    ]
    assert len(named) == len(set(named))
    assert {service for service, method in named if not method} == SERVICES
    every = {(m.containing_service.full_name, m.name) for m in METHODS}
    assert {pair for pair in named if pair[1]} <= every
    assert CONFIG["healthCheckConfig"]["serviceName"] in SERVICES
    assert CONFIG["loadBalancingConfig"] == [{"round_robin": {}}]


@pytest.mark.parametrize("method", METHODS, ids=path)
def test_each_method_has_its_deadline_and_its_repeats(method: Any) -> None:
    entry = said(method.containing_service.full_name, method.name)
    assert "hedgingPolicy" not in entry
    if method.server_streaming:
        assert "timeout" not in entry
        assert entry["waitForReady"] is True
    else:
        longest = max(Limits().answer_within_ms, Limits().quote_read_ms) / 1000
        assert 2 * longest < seconds(entry["timeout"]) <= 30
    again = "request_id" in method.input_type.fields_by_name or method.name in AGAIN
    assert ("retryPolicy" in entry) == again
    if again:
        policy = entry["retryPolicy"]
        assert policy["retryableStatusCodes"] == ["UNAVAILABLE"]
        assert 2 <= policy["maxAttempts"] <= ATTEMPTS_MAX
        assert seconds(policy["initialBackoff"]) <= seconds(policy["maxBackoff"]) <= 5
        assert policy["backoffMultiplier"] > 1


def test_an_overloaded_gateway_is_not_buried_in_repeats() -> None:
    assert 0 < CONFIG["retryThrottling"]["maxTokens"] <= 1_000
    assert 0 < CONFIG["retryThrottling"]["tokenRatio"] <= 0.1

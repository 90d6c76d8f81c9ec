"""Who calls, and what they may do: a bearer token, its tenant, its roles, its rate.

The tenant comes from here and from nowhere else.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor

from gateway.config import Role, Settings
from gateway.pb.turnback.v1 import options_pb2
from gateway.rpc.errors import Failure, limited

TOKEN_MAX = 512
SCHEME = "bearer "
BURST_S = 1.0  # a tenant may save up so much of its rate
ROLES = {
    options_pb2.ROLE_TENANT: Role.TENANT,
    options_pb2.ROLE_TREASURY: Role.TREASURY,
    options_pb2.ROLE_CLAIMS: Role.CLAIMS,
    options_pb2.ROLE_OPERATOR: Role.OPERATOR,
}
Metadata = Iterable[tuple[str, str | bytes]]


@dataclass(frozen=True, slots=True)
class Caller:
    """A credential that was verified."""

    tenant: str
    actor: str  # tenant and name of the credential, as the log and the ledger show it
    roles: frozenset[Role]

    def merchant(self, name: str) -> str:
        """The internal id of a merchant that the tenant calls `name`."""
        return f"{self.tenant}/{name}"


@dataclass(frozen=True, slots=True)
class _Known:
    digest: bytes
    caller: Caller


@dataclass(slots=True)
class Bucket:
    """A rate: tokens come back with time, up to a burst."""

    per_second: float
    level: float
    since: float

    def take(self, now: float) -> float:
        """0 where the call may go on, else the seconds until one may."""
        most = max(1.0, self.per_second * BURST_S)
        self.level = min(most, self.level + max(0.0, now - self.since) * self.per_second)
        self.since = now
        if self.level >= 1.0:
            self.level -= 1.0
            return 0.0
        return (1.0 - self.level) / self.per_second

    def owe(self, calls: int) -> None:
        """More than there is may be spent: nothing is let in until it has come back."""
        self.level -= calls


class Gate:
    """Lets callers in. Denies by default."""

    def __init__(self, settings: Settings) -> None:
        self._known: Mapping[bytes, _Known] = {
            known.digest[:8]: known for known in _known(settings)
        }
        self._rates = {
            name: Bucket(tenant.per_second, tenant.per_second, 0.0)
            for name, tenant in settings.tenants.items()
        }

    def admit(self, metadata: Metadata, role: Role, now: float) -> Caller:
        """The caller, or UNAUTHENTICATED, PERMISSION_DENIED, RESOURCE_EXHAUSTED: in this order."""
        caller = self.caller(metadata)
        if role not in caller.roles:
            raise Failure(
                grpc.StatusCode.PERMISSION_DENIED, "ROLE_MISSING", metadata={"role": str(role)}
            )
        wait = self._rates[caller.tenant].take(now)
        if wait:
            raise limited(caller.tenant, wait)
        return caller

    def charge(self, caller: Caller, calls: int) -> None:
        self._rates[caller.tenant].owe(calls)

    def caller(self, metadata: Metadata) -> Caller:
        given = [value for key, value in metadata if key == "authorization"]
        value = given[0] if len(given) == 1 else ""
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        if len(text) <= TOKEN_MAX and text[: len(SCHEME)].lower() == SCHEME:
            digest = hashlib.sha256(text[len(SCHEME) :].encode("utf-8", "replace")).digest()
            known = self._known.get(digest[:8])
            if known is not None and hmac.compare_digest(known.digest, digest):
                return known.caller
        raise Failure(grpc.StatusCode.UNAUTHENTICATED, "CREDENTIAL_INVALID")


def _known(settings: Settings) -> Iterable[_Known]:
    for name, tenant in settings.tenants.items():
        for token in tenant.tokens:
            roles = token.roles | {Role.TENANT}
            yield _Known(bytes.fromhex(token.sha256), Caller(name, f"{name}:{token.name}", roles))


def role_of(method: MethodDescriptor) -> Role:
    """The role beside the method. Raises KeyError where there is none: nobody may call it."""
    option: Any = options_pb2.role
    return ROLES[method.GetOptions().Extensions[option]]

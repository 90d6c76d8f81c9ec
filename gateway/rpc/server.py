"""The gRPC server: its services, its limits, its end."""

import asyncio
from typing import Any

import grpc
import grpc.aio
from google.protobuf.descriptor import FileDescriptor, ServiceDescriptor
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from gateway.config import ConfigError, Settings
from gateway.pb.turnback.v1 import (
    carrier_service_pb2,
    claim_service_pb2,
    intercept_service_pb2,
    merchant_service_pb2,
    operation_service_pb2,
    parcel_service_pb2,
    wallet_service_pb2,
)
from gateway.rpc.admission import PROBED, STAGES, listen, own_address
from gateway.rpc.auth import Gate
from gateway.rpc.carrier import CarrierService
from gateway.rpc.claim import ClaimService
from gateway.rpc.guard import Guard
from gateway.rpc.intercept import InterceptService
from gateway.rpc.merchant import MerchantService
from gateway.rpc.operation import OperationService
from gateway.rpc.parcel import ParcelService
from gateway.rpc.shell import Errands, Shell
from gateway.rpc.wallet import WalletService

FILES: tuple[FileDescriptor, ...] = (
    parcel_service_pb2.DESCRIPTOR,
    intercept_service_pb2.DESCRIPTOR,
    claim_service_pb2.DESCRIPTOR,
    wallet_service_pb2.DESCRIPTOR,
    merchant_service_pb2.DESCRIPTOR,
    carrier_service_pb2.DESCRIPTOR,
    operation_service_pb2.DESCRIPTOR,
)
HANDSHAKE_MS = 5_000  # a connection that says nothing is closed after it
PING_MS = 60_000  # how often we ask whether a silent client is still there
PING_ANSWER_MS = 20_000
PING_LEAST_MS = 20_000  # clients that ping more often are sent away
PING_STRIKES = 3
FAREWELL_S = 0.2  # for calls that were sent before the client knew: they are told to go elsewhere
LAST_WORDS_S = 0.5  # for answers that are on their way when the last call has ended
HARD_FACTOR = 4  # of the concurrency limit: above it the library refuses without an answer of ours


def options(settings: Settings) -> list[tuple[str, Any]]:
    """Every limit that the library has, and that it leaves open by itself."""
    limits = settings.limits
    return [
        ("grpc.max_receive_message_length", limits.message_bytes),
        ("grpc.max_metadata_size", limits.metadata_bytes),
        ("grpc.absolute_max_metadata_size", limits.metadata_bytes * 2),
        ("grpc.max_concurrent_streams", limits.connection_streams),
        ("grpc.server_handshake_timeout_ms", HANDSHAKE_MS),
        ("grpc.max_connection_idle_ms", limits.connection_idle_s * 1000),
        ("grpc.max_connection_age_ms", limits.connection_age_s * 1000),
        ("grpc.max_connection_age_grace_ms", limits.connection_grace_s * 1000),
        ("grpc.keepalive_time_ms", PING_MS),
        ("grpc.keepalive_timeout_ms", PING_ANSWER_MS),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", PING_LEAST_MS),
        ("grpc.http2.max_ping_strikes", PING_STRIKES),
        ("grpc.so_reuseport", 0),  # a second process on this port is a mistake, not a replica
    ]


def services(shell: Shell, errands: Errands, draining: asyncio.Event) -> dict[str, Any]:
    """Every service of the protocol, by its full name."""
    made = (
        ParcelService(shell),
        InterceptService(shell, errands, draining),
        ClaimService(shell),
        WalletService(shell),
        MerchantService(shell),
        CarrierService(shell),
        OperationService(shell, errands),
    )
    return {f"turnback.v1.{type(service).__name__}": service for service in made}


class Server:
    """The public interface of one process."""

    def __init__(self, shell: Shell) -> None:
        self._settings = shell.settings
        self._store = shell.store
        self.errands = Errands()
        self._guard = Guard(Gate(shell.settings), shell.settings.limits, shell.metrics)
        hard = shell.settings.limits.concurrency * HARD_FACTOR
        self._server = grpc.aio.server(
            options=options(shell.settings), maximum_concurrent_rpcs=hard
        )
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        served = services(shell, self.errands, self._guard.draining)
        self._names = tuple(served)
        for file in FILES:
            for descriptor in file.services_by_name.values():
                self._open(descriptor, served[descriptor.full_name])
        if shell.settings.grpc.reflection:
            names = (*served, health.SERVICE_NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, self._server)
        self.port = 0
        self._own: grpc.aio.Channel | None = None  # on which we call ourselves
        self._listening: asyncio.Task[None] | None = None

    def _open(self, descriptor: ServiceDescriptor, service: Any) -> None:
        """Every method of a service; one without a role or a behaviour stops the start.

        A method that is registered has a queue of its own in the library: nobody waits behind a
        flood of Registers but who registers. It has its price: with each call the library goes
        through all that are. So only those are that a flood is made of."""
        made = {
            method.name: self._guard.handler(method, getattr(service, method.name))
            for method in descriptor.methods
        }
        queued = {n: h for n, h in made.items() if f"{descriptor.name}/{n}" in STAGES}
        others = {n: h for n, h in made.items() if n not in queued}
        name = descriptor.full_name
        self._server.add_registered_method_handlers(name, queued)
        handler = grpc.method_handlers_generic_handler(name, others)
        self._server.add_generic_rpc_handlers((handler,))

    async def start(self) -> int:
        """Listens. Returns the port. Raises ConfigError where it cannot."""
        grpc_ = self._settings.grpc
        host = f"[{grpc_.host}]" if ":" in grpc_.host else grpc_.host
        address, own = f"{host}:{grpc_.port}", own_address()
        try:
            if grpc_.cert_file and grpc_.key_file:
                pair = (grpc_.key_file.read_bytes(), grpc_.cert_file.read_bytes())
                credentials = grpc.ssl_server_credentials([pair])
                self.port = self._server.add_secure_port(address, credentials)
            else:
                self.port = self._server.add_insecure_port(address)
            self._server.add_insecure_port(own)
        except (RuntimeError, OSError) as error:  # the library does not say which it was
            secured = ", or cert_file and key_file are no pair" if grpc_.cert_file else ""
            raise ConfigError([f"grpc: cannot listen on {address}{secured}"]) from error
        await self._server.start()
        await self.ready(True)
        self._own = grpc.aio.insecure_channel(own)
        asks: Any = [self._own.unary_unary(f"/turnback.v1.{method}") for method in PROBED]

        async def call() -> None:
            """Without a credential: refused as soon as they are taken, and in no log."""
            await asyncio.gather(*(ask(b"") for ask in asks), return_exceptions=True)

        heard = listen(self._guard.valve, call, lambda: self._store.late_s, self._guard.say)
        self._listening = asyncio.create_task(heard)
        return self.port

    async def ready(self, serving: bool) -> None:
        """What the health service says, of the server and of each of its services."""
        states = health_pb2.HealthCheckResponse
        for name in ("", *self._names):
            await self._health.set(name, states.SERVING if serving else states.NOT_SERVING)

    async def leave(self) -> None:
        """Tells clients that watch its health to take their calls elsewhere; still takes calls."""
        await self._health.enter_graceful_shutdown()

    async def _silence(self) -> None:
        """Calls ourselves no more; on a channel that is closed nobody may be about to call."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait({self._listening})
        if self._own is not None:
            await self._own.close()

    async def drain(self, grace_s: float) -> None:
        """Takes no more calls, lets those under way end, and what they started as well.

        Clients are sent away (GOAWAY) at the start, not at the end: until then one that balances
        over several gateways would go on sending its share here. They are told UNAVAILABLE for a
        moment before, because the library cancels the calls that wait for it when it stops, and
        nobody repeats a cancelled call.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + grace_s
        await self._silence()
        await self.leave()
        self._guard.drain()
        await asyncio.sleep(min(FAREWELL_S, grace_s))
        going = asyncio.create_task(self._server.stop(max(0.0, end - loop.time())))
        await self._guard.drained(max(0.0, end - loop.time()))
        # health watches and silent connections keep nobody: their last words need a moment
        await self._server.stop(LAST_WORDS_S)
        await going
        await self.errands.drain(max(0.0, end - loop.time()))

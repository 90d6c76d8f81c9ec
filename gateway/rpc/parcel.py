"""ParcelService: what is in the box, told before anybody wants it back."""

from gateway.domain.claim import Award
from gateway.domain.interception import Interception
from gateway.domain.parcel import Alias, Incident, OrderLine, Parcel, ScanRow
from gateway.pb.turnback.v1 import parcel_service_pb2 as pb
from gateway.pb.turnback.v1 import types_pb2 as types
from gateway.rpc import messages
from gateway.rpc.errors import granted, not_yours
from gateway.rpc.registration import network_of, register
from gateway.rpc.shell import Call, Shell


class ParcelService:
    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    async def Register(
        self, request: pb.ParcelServiceRegisterRequest, call: Call
    ) -> pb.ParcelServiceRegisterResponse:
        shell = self._shell
        command = register(request.parcel, "", call.caller, shell.settings, shell.terms)
        before = await self._by_number(command.network, command.waybill)
        parcel: Parcel = granted(await shell.store.run(command))
        return pb.ParcelServiceRegisterResponse(
            parcel=await self.shown(parcel),
            replayed=any(known.id == parcel.id for known in before),
        )

    async def BatchRegister(
        self, request: pb.ParcelServiceBatchRegisterRequest, call: Call
    ) -> pb.ParcelServiceBatchRegisterResponse:
        """Each on its own; commands that are sent one after the other share commits anyway."""
        results = []
        for item in request.items:
            try:
                registered = await self.Register(item, call)
                results.append(pb.ParcelResult(registered=registered))
            except Exception as error:  # the others have their answers all the same
                results.append(pb.ParcelResult(error=call.failure(error).status()))
        return pb.ParcelServiceBatchRegisterResponse(results=results)

    async def Get(
        self, request: pb.ParcelServiceGetRequest, call: Call
    ) -> pb.ParcelServiceGetResponse:
        store = self._shell.store
        if request.parcel_id:
            found = await store.rows(Parcel, "parcel", id=request.parcel_id)
        else:
            key, terms = request.waybill, self._shell.terms
            network = network_of(key.carrier, key.channel_code, terms, "waybill.")
            found = await self._by_number(network, key.waybill) if network is not None else []
            found = [parcel for parcel in found if parcel.tenant == call.caller.tenant]
        if not found or found[0].tenant != call.caller.tenant:
            raise not_yours()
        return pb.ParcelServiceGetResponse(parcel=await self.shown(found[0]))

    async def _by_number(self, network: str, waybill: str) -> list[Parcel]:
        key = {"network": network, "waybill": waybill}
        found, aliased = await self._shell.store.several(
            (Parcel, "parcel_by_number", key), (Parcel, "parcel_by_alias", key)
        )
        return found or aliased

    async def shown(self, parcel: Parcel) -> types.Parcel:
        key = {"parcel": parcel.id}
        lines, scans, aliases, incidents, interceptions, awards = await self._shell.store.several(
            (OrderLine, "lines_of_parcel", key),
            (ScanRow, "scans_of_parcel", key),
            (Alias, "aliases_of_parcel", key),
            (Incident, "incidents_of_parcel", key),
            (Interception, "interceptions_of_parcel", key),
            (Award, "awards_of_parcel", key),
        )
        family = messages.Family(
            parcel,
            lines=lines,
            scans=scans,
            numbers=[alias.waybill for alias in aliases],
            incidents=incidents,
            interceptions=interceptions,
            awarded_minor=sum(award.amount for award in awards),
        )
        return messages.parcel(family, self._shell.terms)

"""The carriers this gateway speaks to: one import and one entry each."""

from collections.abc import Mapping
from types import MappingProxyType

from adapters import jdl, jt, kuaidi100, ldop, sf, sto, ups, yto, yunda, zto
from gateway.domain.carrier import Adapter

ADAPTERS: Mapping[str, Adapter] = MappingProxyType(
    {
        adapter.name: adapter
        for adapter in (
            sf.ADAPTER,
            zto.ADAPTER,
            yto.ADAPTER,
            jdl.ADAPTER,
            ldop.ADAPTER,
            sto.ADAPTER,
            jt.ADAPTER,
            kuaidi100.ADAPTER,
            ups.ADAPTER,
            yunda.ADAPTER,
        )
    }
)

"""The carriers this gateway speaks to: one import and one entry each."""

from collections.abc import Mapping
from types import MappingProxyType

from adapters import kuaidi100, sf, zto
from gateway.domain.carrier import Adapter

ADAPTERS: Mapping[str, Adapter] = MappingProxyType(
    {adapter.name: adapter for adapter in (sf.ADAPTER, zto.ADAPTER, kuaidi100.ADAPTER)}
)

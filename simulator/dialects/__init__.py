"""The carriers that the simulator can be: one line each."""

from simulator.dialect import Dialect
from simulator.dialects import jdl, jt, kuaidi100, ldop, sf, sto, ups, yto, yunda, zto

DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect
    for dialect in (
        sf.DIALECT,
        zto.DIALECT,
        yto.DIALECT,
        jdl.DIALECT,
        ldop.DIALECT,
        sto.DIALECT,
        jt.DIALECT,
        kuaidi100.DIALECT,
        ups.DIALECT,
        yunda.DIALECT,
    )
}

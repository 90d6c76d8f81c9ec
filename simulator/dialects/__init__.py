"""The carriers that the simulator can be: one line each."""

from simulator.dialect import Dialect
from simulator.dialects import sf, ups, zto

DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect for dialect in (sf.DIALECT, zto.DIALECT, ups.DIALECT)
}

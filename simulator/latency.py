"""How long a carrier takes to answer: log-normal, and a pure function of seed and attempt."""

import math
from dataclasses import dataclass
from statistics import NormalDist

from simulator.outcomes import draw

NORMAL = NormalDist()
P99 = NORMAL.inv_cdf(0.99)
STEPS = 1 << 64  # what `draw` draws from
LATENCY_MS_MAX = 60_000


@dataclass(frozen=True, slots=True)
class Latency:
    """Half of the answers come within `median_ms`, 99 of 100 within `p99_ms`. Machine time."""

    median_ms: int
    p99_ms: int

    def __post_init__(self) -> None:
        if not 0 < self.median_ms <= self.p99_ms <= LATENCY_MS_MAX:
            raise ValueError(
                f"latency: 0 < median_ms <= p99_ms <= {LATENCY_MS_MAX}, "
                f"not {self.median_ms} and {self.p99_ms}"
            )

    def ms(self, seed: int, carrier: str, waybill: str, operation: str, nth: int) -> float:
        """Of the nth request (from 1) of this operation for this parcel."""
        number = draw(seed, carrier, waybill, operation, nth, "latency")
        deviates = NORMAL.inv_cdf((number + 0.5) / (STEPS + 1))
        spread = math.log(self.p99_ms / self.median_ms) / P99
        return min(self.median_ms * math.exp(spread * deviates), LATENCY_MS_MAX)

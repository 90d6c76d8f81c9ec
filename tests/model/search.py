"""Breadth first over every interleaving: what is reached, what is broken, what can still end.

A counterexample is found at its least depth, so its trace is as short as any. Afterwards the
graph is walked backwards: a state from which no good one can be reached is a trap. Where no
state is a trap, every fair run ends well, for the graph is finite.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from gateway.domain.carrier import Dedup
from gateway.domain.interception import UNDECIDED, Decision, Money
from tests.model.ours import TAKEN_ON
from tests.model.parts import START, Fate, IllegalStep, Known, State, Step
from tests.model.world import Model, away, key, watched

DOES = "released, and the carrier executes it"
CAN = "released, and the carrier can still execute it"
TWICE = "two effects at the carrier"
IN_FLIGHT = "two requests in flight to a carrier that does not recognise repeats"
UNEARNED = "captured, and the carrier never accepted"
RELEASED = frozenset({DOES, CAN})
TRUTHFUL = (Fate.DELIVERED, Fate.TURNED_OTHERWISE)  # a release is right, whatever was accepted


def broken(model: Model, s: State) -> str:
    """The property that this state breaks, in words; empty where it breaks none."""
    if s.money in (Money.CAPTURED, Money.REFUNDED) and not s.effects:
        return UNEARNED
    if s.effects > 1:
        return TWICE
    if model.carrier.dedup is Dedup.NONE and away(s) > 1:
        return IN_FLIGHT
    if s.money is not Money.RELEASED or s.decision is Decision.LATE_ACCEPTED:
        return ""
    if s.fate in TRUTHFUL:
        return ""
    if s.known in TAKEN_ON:
        return DOES
    return CAN if model.can_execute(s) else ""


def settled(model: Model, s: State) -> bool:
    """Decided, and the money is where the carrier's truth says.

    A fee that stands for an interception that the carrier has withdrawn is right only where the
    parcel came back all the same: what the carrier bills then is for its statement to show.
    """
    if s.decision in UNDECIDED or broken(model, s):
        return False
    withdrawn = s.money is Money.CAPTURED and s.known is Known.CANCELLED
    return not withdrawn or (s.moved and s.fate is Fate.TURNED_OTHERWISE)


@dataclass
class Report:
    """What a search of one row has found."""

    states: int = 0
    steps: int = 0
    faults: dict[str, int] = field(default_factory=dict)  # first state of each, by property
    late: int = 0  # states in LATE_ACCEPTED
    first_late: int = -1
    ends: frozenset[Decision] = frozenset()
    traps: int = 0  # states from which neither an end nor a person can be reached
    alone: bool = False  # whether an end can always be reached without a person
    traces: Callable[[int], list[tuple[Step, State]]] = field(default=lambda _: [])
    first_trap: int = -1

    def shown(self, fault: str = "") -> int:
        """The state to be traced: of this fault, else the soonest one, else the first late one."""
        if fault in self.faults:
            return self.faults[fault]
        return min(self.faults.values(), default=self.first_late)


class Search:
    """All states of one model, in the order in which they are reached."""

    def __init__(self, model: Model, *, stop_at: str = "", states_max: int = 2**31) -> None:
        self.model = model
        self.stop_at = stop_at
        self.states_max = states_max
        self.states: list[State] = [START]
        self._index = {START: 0}
        self._parents = array("l", [-1])
        self._steps: list[Step | None] = [None]
        self._edges: list[array[int]] = []
        self.report = Report(traces=self.trace)

    def run(self) -> Report:
        report = self.report
        done = 0
        while done < len(self.states):
            self._edges.append(array("l"))
            try:
                for step, after in self.model.successors(self.states[done]):
                    self._reach(done, step, after)
            except IllegalStep as error:
                report.faults.setdefault(f"a step that no table has: {error}", done)
            done += 1
            if self.stop_at in report.faults or len(self.states) > self.states_max:
                break
        report.states, report.steps = len(self.states), sum(map(len, self._edges))
        report.ends = frozenset(s.decision for s in self.states if s.decision not in UNDECIDED)
        late = [i for i, s in enumerate(self.states) if s.decision is Decision.LATE_ACCEPTED]
        report.late, report.first_late = len(late), late[0] if late else -1
        if done == len(self.states):
            self._liveness()
        return report

    def _reach(self, source: int, step: Step, after: State) -> None:
        name = key(after)
        found = self._index.get(name)
        if found is None:
            found = self._index[name] = len(self.states)
            self.states.append(after)
            self._parents.append(source)
            self._steps.append(step)
            fault = broken(self.model, after)
            if fault:
                self.report.faults.setdefault(fault, found)
        self._edges[source].append(found)

    def trace(self, to: int) -> list[tuple[Step, State]]:
        """One shortest way to a state, from the start."""
        way = []
        while self._parents[to] >= 0:
            step = self._steps[to]
            assert step is not None
            way.append((step, self.states[to]))
            to = self._parents[to]
        return way[::-1]

    def edges(self) -> Iterator[tuple[int, int]]:
        for source, targets in enumerate(self._edges):
            for target in targets:
                yield source, target

    def _liveness(self) -> None:
        ended = [i for i, s in enumerate(self.states) if settled(self.model, s)]
        looked_after = [i for i, s in enumerate(self.states) if watched(s)]
        back = self._backwards()
        well = _closure(back, [*ended, *looked_after])
        traps = [i for i in range(len(self.states)) if not well[i]]
        self.report.traps = len(traps)
        self.report.first_trap = traps[0] if traps else -1
        self.report.alone = all(_closure(back, ended))

    def _backwards(self) -> "list[array[int]]":
        back: list[array[int]] = [array("l") for _ in self.states]
        for source, target in self.edges():
            back[target].append(source)
        return back


def _closure(back: "list[array[int]]", goals: Iterable[int]) -> bytearray:
    """Which states can reach a goal."""
    reached = bytearray(len(back))
    stack = list(goals)
    for goal in stack:
        reached[goal] = 1
    while stack:
        for source in back[stack.pop()]:
            if not reached[source]:
                reached[source] = 1
                stack.append(source)
    return reached

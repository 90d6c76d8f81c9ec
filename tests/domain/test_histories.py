"""However a truthful carrier's story is told, it ends the same: decision, way back and charge."""

from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.domain.carrier import Answer, Cause, Milestone, Reason, Scan, Tier, Verdict
from gateway.domain.interception import Decision, JobKind, JobState
from gateway.domain.ledger import TransferKind
from gateway.domain.reading import QUIET_MS
from tests.domain.stage import DAY_MS, FEE_MINOR, HOUR_MS, MINUTE_MS, START_MS, Stage, terms_of
from tests.domain.truth import (
    HISTORIES,
    RECEIVED,
    Carrier,
    Delivery,
    Happening,
    History,
    disorder,
    in_order,
)

M, V = Milestone, Verdict
EXAMPLES = 90  # of each kind of history: more than a thousand for each carrier
properties = settings(
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TERMS = terms_of(in_flight_bound_ms=40 * MINUTE_MS)  # past the send deadline: nothing is re-sent


def outcome(
    channel: str, tier: Tier, history: History, deliveries: tuple[Delivery, ...]
) -> tuple[str, str, int]:
    stage = Stage(channel, TERMS)
    ic = Carrier(stage, history, tier).run(deliveries)
    assert stage.moved(TransferKind.CAPTURE) <= FEE_MINOR
    return ic.decision, ic.movement, stage.net


@pytest.mark.parametrize("kind", HISTORIES)
@settings(properties, max_examples=EXAMPLES)
@given(data=st.data())
def test_sf_ends_the_same_however_its_unsigned_pushes_come(kind: str, data: st.DataObject) -> None:
    history = data.draw(HISTORIES[kind]())
    told = data.draw(disorder(history))
    plain = outcome("sf", Tier.T3, history, in_order(history))
    assert outcome("sf", Tier.T3, history, told) == plain


@pytest.mark.parametrize("kind", HISTORIES)
@settings(properties, max_examples=EXAMPLES)
@given(data=st.data())
def test_zto_ends_the_same_however_its_signed_pushes_come(kind: str, data: st.DataObject) -> None:
    history = data.draw(HISTORIES[kind]())
    told = data.draw(disorder(history))
    plain = outcome("zto", Tier.T1, history, in_order(history))
    assert outcome("zto", Tier.T1, history, told) == plain


# -- a carrier that can only push ------------------------------------------------------------

STORIES = {  # that every order of pushes tells alike
    "delivered": (Happening(M.OUT_FOR_DELIVERY), Happening(M.SIGNED)),
    "not shipped": (Happening(M.CANCELLED),),
    "turned round, and still on its way": (
        Happening(M.RETURNING, HOUR_MS, Cause.INTERCEPTION),
        Happening(M.IN_TRANSIT, HOUR_MS, on_return=True),
    ),
}
AMBIGUOUS = {  # stories in which one scan alone means another thing than after the one before
    "its end on the way back comes before its turning round": (
        Happening(M.RETURNING, HOUR_MS, Cause.INTERCEPTION),
        Happening(M.RETURN_SIGNED, HOUR_MS, on_return=True),
    ),
    "signed on the way back under the same number": (
        Happening(M.RETURNING, HOUR_MS, Cause.INTERCEPTION),
        Happening(M.SIGNED, HOUR_MS),
    ),
    "buyer refused, and the return does not say why": (
        Happening(M.ADDRESSEE_REFUSED),
        Happening(M.RETURNING),
        Happening(M.RETURN_SIGNED),
    ),
}


def pushed_only(happenings: tuple[Happening, ...], order: tuple[int, ...]) -> tuple[str, str, int]:
    """The pushes of these scans in this order, long after all of them have happened."""
    history = History(name="pushed only", reply=RECEIVED, happenings=happenings)
    deliveries = tuple(
        Delivery(START_MS + DAY_MS + rank * MINUTE_MS, place) for rank, place in enumerate(order)
    )
    return outcome("mute", Tier.T1, history, deliveries)


@pytest.mark.parametrize("story", STORIES)
def test_pushes_alone_decide_where_the_carrier_can_do_nothing_else(story: str) -> None:
    happenings = STORIES[story]
    plain = pushed_only(happenings, tuple(range(len(happenings))))
    assert plain[0] != Decision.PROCESSING
    for order in permutations(range(len(happenings))):
        assert pushed_only(happenings, order) == plain, order


@pytest.mark.parametrize("story", AMBIGUOUS)
def test_a_story_that_needs_all_its_pushes_ends_the_same_in_every_order(story: str) -> None:
    happenings = AMBIGUOUS[story]
    plain = pushed_only(happenings, tuple(range(len(happenings))))
    assert plain[0] != Decision.PROCESSING
    for order in permutations(range(len(happenings))):
        assert pushed_only(happenings, order) == plain, order


@settings(properties, max_examples=100)
@given(data=st.data())
def test_pushes_in_order_decide_alike_however_late_and_often(data: st.DataObject) -> None:
    happenings = data.draw(st.sampled_from([*STORIES.values(), *AMBIGUOUS.values()]))
    plain = pushed_only(happenings, tuple(range(len(happenings))))
    assert plain[0] != Decision.PROCESSING
    repeats = [data.draw(st.integers(1, 4)) for _ in happenings]
    order = tuple(place for place, times in enumerate(repeats) for _ in range(times))
    assert pushed_only(happenings, order) == plain


def test_pushes_are_believed_when_they_have_been_quiet() -> None:
    stage = Stage("mute")
    stage.create()
    stage.reply(V.RECEIVED)
    stage.wait(HOUR_MS)
    stage.push(Tier.T1, stage.scan(M.SIGNED))  # the scan of its turning round is still to come
    last = stage.now
    while stage.columns == "PROCESSING NONE HELD":
        stage.now = stage.job(JobKind.FOLLOW).due_at
        assert stage.now < last + 2 * QUIET_MS
        (work,) = stage.lease(JobKind.FOLLOW)
        stage.observe(work, None, None)
        if last < START_MS + 20 * HOUR_MS < stage.now:
            last = stage.now
            stage.push(Tier.T1, stage.scan(M.RETURNING, START_MS, cause=Cause.INTERCEPTION))
    assert stage.now >= last + QUIET_MS
    assert stage.columns == "ACCEPTED RETURNED CAPTURED"


def test_what_nobody_signed_does_not_disturb_the_quiet() -> None:
    stage = Stage("mute")
    stage.create()
    stage.reply(V.RECEIVED)
    stage.wait(HOUR_MS)
    stage.push(Tier.T1, stage.scan(M.SIGNED))
    stage.wait(QUIET_MS)
    stage.push(Tier.T3, stage.scan(M.OTHER))
    (work,) = stage.lease(JobKind.FOLLOW)
    stage.observe(work, None, None)
    assert stage.columns == "REFUSED NONE RELEASED"


@pytest.mark.parametrize("pushes", [1, 2, 3])
def test_a_late_return_is_heard_however_many_pushes_tell_of_it(pushes: int) -> None:
    stage = Stage("mute")
    stage.create()
    stage.reply(V.REFUSED, Reason.TOO_LATE)
    turned = stage.scan(M.RETURNING, stage.now + HOUR_MS, cause=Cause.INTERCEPTION)
    scans = (turned, stage.scan(M.IN_TRANSIT), stage.scan(M.AT_DESTINATION))
    for scan in scans[:pushes]:
        stage.wait(12 * HOUR_MS)
        stage.push(Tier.T1, scan)
    for _ in range(pushes):
        stage.now = max(stage.now, stage.job(JobKind.FOLLOW).due_at)
        for work in stage.lease(JobKind.FOLLOW):
            stage.observe(work, None, None)
    assert stage.columns == "LATE_ACCEPTED RETURNING RELEASED"


# -- edges of a story ------------------------------------------------------------------------


def test_a_parcel_found_on_its_way_out_is_not_lost_for_good() -> None:
    happenings = (Happening(M.LOST), Happening(M.FOUND), Happening(M.IN_TRANSIT))
    history = History(name="found", reply=Answer(V.ACCEPTED, reference="c"), happenings=happenings)
    late = tuple(Delivery(START_MS + 5 * DAY_MS, place) for place in range(3))
    skipping = outcome("sf", Tier.T3, history, ())
    assert outcome("sf", Tier.T3, history, in_order(history)) == skipping
    assert outcome("sf", Tier.T3, history, late) == skipping


def test_an_unsigned_push_says_nothing_about_a_scan_that_the_reading_tells_otherwise() -> None:
    stage = Stage("sf")
    stage.accepted()
    stage.wait(DAY_MS)
    forged = stage.scan(M.RETURNING, stage.now - HOUR_MS, back="SF1000000000666")
    stage.push(Tier.T3, forged)
    genuine = stage.scan(M.RETURNING, stage.now - HOUR_MS, back=stage.back)
    stage.look(None, genuine)
    stage.look(None, genuine, stage.scan(M.SIGNED, waybill=stage.back))
    assert stage.known == (stage.waybill, stage.back)
    rows = {scan.return_waybill for scan in stage.scan_rows()}
    assert "SF1000000000666" not in rows


def test_unsigned_scans_do_not_crowd_out_a_reading() -> None:
    stage = Stage("sf")
    stage.accepted()
    stage.wait(DAY_MS)
    flood = [stage.scan(M.OTHER, stage.now - n * 1_000) for n in range(600)]
    for start in range(0, len(flood), 100):
        stage.push(Tier.T3, *flood[start : start + 100])
    turned = stage.scan(M.RETURNING, stage.now - 2_000, back=stage.back)
    stage.look(None, turned, stage.scan(M.SIGNED, waybill=stage.back))
    assert stage.columns == "ACCEPTED RETURNED CAPTURED"


@pytest.mark.parametrize("verdict", [V.BUSY, V.REFUSED])
def test_a_reading_that_was_not_made_proves_nothing(verdict: Verdict) -> None:
    stage = Stage("zto")
    stage.create()
    stage.reply(V.RECEIVED)
    stage.wait(DAY_MS)
    stage.push(Tier.T1, stage.scan(M.SIGNED))  # on the way back, but that push is still to come
    (work,) = stage.lease(JobKind.FOLLOW)
    stage.observe(work, Answer(V.RECEIVED), Answer(verdict, Reason.RATE_LIMITED))
    assert stage.columns == "PROCESSING NONE HELD"


def test_a_crash_after_many_readings_does_not_end_the_asking() -> None:
    stage = Stage("zto")
    stage.create()
    stage.reply(V.RECEIVED)
    for _ in range(6):  # nine minutes of a carrier that takes its time
        stage.now = stage.job(JobKind.FOLLOW).due_at
        (work,) = stage.lease(JobKind.FOLLOW)
        stage.observed(work, Answer(V.RECEIVED), ())
    stage.now = stage.job(JobKind.FOLLOW).due_at
    stage.lease(JobKind.FOLLOW)
    stage.crash()
    stage.lease(JobKind.FOLLOW)
    assert stage.job(JobKind.FOLLOW).state is JobState.LEASED


# -- a carrier that contradicts itself -------------------------------------------------------


def scans_of(stage: Stage) -> st.SearchStrategy[Scan]:
    return st.builds(
        Scan,
        st.sampled_from([stage.waybill, stage.back]),
        st.sampled_from(Milestone),
        st.sampled_from(["1", "2"]),
        st.one_of(st.none(), st.integers(START_MS - DAY_MS, START_MS + 9 * DAY_MS)),
        signer=st.sampled_from(["", "张三", "李四"]),
        return_waybill=st.sampled_from(["", stage.back]),
        cause=st.sampled_from(Cause),
    )


def contradict(stage: Stage, data: st.DataObject) -> None:
    """One more thing that somebody does or says; whatever it is, nothing of ours may raise."""
    stage.wait(data.draw(st.integers(0, DAY_MS)))
    some = data.draw(st.lists(scans_of(stage), max_size=3))
    asked = data.draw(st.sampled_from(Verdict))
    match data.draw(st.sampled_from(["push", "look", "jobs", "crash", "withdraw", "late"])):
        case "push":
            stage.push(data.draw(st.sampled_from(Tier)), *some)
        case "look":
            if stage.job_state(JobKind.FOLLOW) is not JobState.LEASED:
                stage.look(asked, *some)
        case "jobs":
            for work in stage.lease(*JobKind):
                if work.kind is JobKind.FOLLOW:
                    stage.observed(work, Answer(asked), some)
                elif data.draw(st.booleans()):
                    stage.finish(data.draw(answers()), work)
        case "crash":
            stage.crash()
        case "withdraw":
            stage.withdraw()
        case _:
            if stage.work is not None:
                stage.finish(data.draw(answers()))


def answers() -> st.SearchStrategy[Answer]:
    return st.builds(
        Answer,
        st.sampled_from(Verdict),
        st.sampled_from(Reason),
        reference=st.sampled_from(["", "cus-1"]),
        assumed=st.booleans(),
    )


@pytest.mark.parametrize("channel", ["sf", "zto", "mute"])
@settings(properties, max_examples=150)
@given(data=st.data())
def test_contradictions_never_charge_twice_and_never_raise(
    channel: str, data: st.DataObject
) -> None:
    stage = Stage(channel, TERMS if data.draw(st.booleans()) else terms_of())
    stage.create(slot=data.draw(st.booleans()))
    for _ in range(data.draw(st.integers(1, 12))):
        contradict(stage, data)
        stage.audit()
        assert stage.moved(TransferKind.CAPTURE) <= FEE_MINOR
        assert 0 <= stage.net <= FEE_MINOR

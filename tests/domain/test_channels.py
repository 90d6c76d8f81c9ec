"""One parcel over several channels: whose word counts, who is asked, and which one is used."""

import pytest

from adapters import ADAPTERS
from gateway.domain.carrier import Answer, Reason, Status, Verdict
from gateway.domain.fees import Contract, Terms
from gateway.domain.interception import Decision, Interception, JobKind, Money
from gateway.domain.parcel import Parcel, Subscription
from gateway.domain.quote import Quoted
from gateway.domain.record import replace
from gateway.domain.refusal import Refusal, Refusals, Why
from gateway.domain.register import RegisterParcel
from tests.domain.stage import FEES, Stage


def by_two(*accounts: str) -> Stage:
    """Parcels of YTO, over YTO itself (with these accounts) and over Kuaidi100."""
    stage = Stage("sf")
    names = ("yto", "kuaidi100")
    stage.terms = replace(
        stage.terms,
        adapters=ADAPTERS,
        contracts={name: Contract(channel=name, fees=FEES) for name in names},
        accounts={("yto", each): {} for each in accounts} | {("kuaidi100", "main"): {}},
        subscribes=frozenset({"yto"}),
    )
    return stage


def tracker(terms: Terms, account: str) -> tuple[str, str] | None:
    return terms.tracker("kuaidi100", account, "yto")


def test_a_channel_without_tracking_has_its_networks_own_account_asked() -> None:
    terms = by_two("main", "other").terms
    assert terms.tracker("yto", "other", "yto") == ("yto", "other")
    assert tracker(terms, "main") == ("yto", "main")  # the one of the same name
    assert tracker(terms, "else") is None  # which of the two, nobody says
    assert tracker(by_two("only").terms, "else") == ("yto", "only")
    assert tracker(by_two().terms, "main") is None
    assert by_two("main").terms.tracker("kuaidi100", "main", "sto") is None


def registering(stage: Stage, channel: str) -> RegisterParcel:
    return replace(stage.registering(), channel=channel, network="yto", waybill="YT1234567890123")


def test_the_channel_named_last_is_used() -> None:
    stage = by_two("main")
    first: Parcel = stage.do(registering(stage, "kuaidi100"))
    assert stage.book.get(Subscription, first.id) is None
    again: Parcel = stage.do(registering(stage, "yto"))
    assert (again.id, again.channel) == (first.id, "yto")
    assert stage.book.need(Subscription, first.id).due_at == stage.now
    back: Parcel = stage.do(registering(stage, "kuaidi100"))
    assert (back.id, back.channel, back.network) == (first.id, "kuaidi100", "yto")


def test_while_one_is_open_the_parcel_stays_with_its_channel() -> None:
    stage = Stage("sf")
    stage.create()
    other = replace(stage.registering(), channel="zto")
    assert stage.do(other).channel == "sf"
    stage.reply(Verdict.REFUSED, Reason.TOO_LATE)
    assert stage.do(other).channel == "zto"
    (ic,) = stage.book.all(Interception)
    assert ic.channel == "sf"  # what was asked over a channel stays its own


@pytest.mark.parametrize(
    ("said", "decision", "money"),
    [
        (Answer(Verdict.RECEIVED, assumed=True), Decision.REFUSED, Money.RELEASED),
        (Answer(Verdict.RECEIVED), Decision.UNKNOWN, Money.HELD),
    ],
)
def test_a_status_that_tells_nothing_of_interceptions_does_not_hold_a_no_back(
    said: Answer, decision: Decision, money: Money
) -> None:
    """A carrier's clear no with an unlisted code is believed after a look that shows nothing."""
    stage = Stage("zto")
    stage.create()
    stage.reply(Verdict.REFUSED, Reason.UNLISTED)
    (work,) = stage.lease(JobKind.FOLLOW)
    ic = stage.observed(work, said, ())
    assert (ic.decision, ic.money) == (decision, money)


def test_a_parcel_whose_account_is_gone_is_nobodys_to_send() -> None:
    stage = Stage("sf")
    stage.register()
    stage.terms = replace(stage.terms, accounts={("sf", "other"): {}})
    told = stage.do(stage.quoting())
    assert isinstance(told, Refusals)
    assert [refusal.why for refusal in told.unmet] == [Why.CARRIER_NOT_CONFIGURED]


def test_a_status_that_nobody_can_tell_has_to_be_declared() -> None:
    stage = Stage("mute")
    stage.register(Status.UNKNOWN)
    quoted: Quoted = stage.do(stage.quoting())
    assert [refusal.why for refusal in quoted.unmet] == [Why.STATUS_UNDECLARED]
    assert quoted.quote is None
    declared = Stage("mute")
    declared.register(Status.IN_TRANSIT)
    assert declared.do(declared.quoting()).quote is not None


@pytest.mark.parametrize(("channel", "account"), [("sf", "other"), ("zto", "main")])
def test_a_quote_is_of_its_channel_and_account(channel: str, account: str) -> None:
    """Its price, its verb and its send slot are theirs: over another one a quote is asked anew."""
    stage = Stage("sf")
    stage.terms = replace(stage.terms, accounts={**stage.terms.accounts, ("sf", "other"): {}})
    stage.register()
    old = stage.quote().quote
    assert old is not None
    stage.do(replace(stage.registering(), channel=channel, account=account))
    refused = stage.do(stage.creating(old.id))
    assert isinstance(refused, Refusal)
    assert refused.why is Why.QUOTE_EXPIRED
    assert stage.book.all(Interception) == []
    new = stage.do(stage.quoting()).quote
    created = stage.do(stage.creating(new.id)).interception
    parcel = stage.book.need(Parcel, new.parcel)
    assert (created.channel, created.account) == (parcel.channel, parcel.account)
    assert (new.channel, new.account) == (parcel.channel, parcel.account)

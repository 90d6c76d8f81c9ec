"""Bugs that are planted on purpose: what is broken, and the lines that break it.

Each must be found, by the simulation or by a suite. A snippet that no longer stands in its file, or
stands there twice, fails a test: the table follows the code.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    path: str  # below the root
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Bug:
    name: str
    what: str
    edits: tuple[Edit, ...]
    suite: str  # who finds it where the simulation does not


LIFECYCLE = "gateway/domain/lifecycle.py"
REPLY = "gateway/domain/reply.py"
READING = "gateway/domain/reading.py"
TABLES = "gateway/domain/interception.py"
CLAIM = "gateway/domain/claim.py"
CREATE = "gateway/domain/create.py"
DUE = "gateway/domain/due.py"
LEASING = "gateway/domain/leasing.py"
LEDGER = "gateway/domain/ledger.py"
PORT = "gateway/domain/carrier.py"
PARCEL = "gateway/domain/parcel.py"
REGISTER = "gateway/domain/register.py"
PUSHES = "gateway/pushes.py"
SQLITE = "gateway/store/sqlite.py"
WORKER = "gateway/worker.py"
DOMAIN = "tests/domain tests/test_adapters.py"
STORE = "gateway/store/store.py"
POSTGRES = "gateway/store/postgres.py"
SETS = "gateway/store/sets.py"
FEED = "gateway/rpc/feed.py"
STREAMS = "tests/rpc/test_feed.py"
MATCHING = "gateway/domain/matching.py"
POSTING = "gateway/domain/posting.py"
RECONCILE = "gateway/domain/reconcile.py"
BILLS = "tests/domain/test_matching.py tests/store/test_statements.py"


def bug(name: str, what: str, path: str, old: str, new: str, suite: str = DOMAIN) -> Bug:
    return Bug(name, what, (Edit(path, old, new),), suite)


BUGS: tuple[Bug, ...] = (
    # -- money ------------------------------------------------------------------------------
    bug(
        "capture_twice",
        "a fee is captured twice",
        LIFECYCLE,
        "    post(book, move_, env.new_id(), env.now)\n",
        "    post(book, move_, env.new_id(), env.now)\n"
        "    if kind is TransferKind.CAPTURE:\n"
        "        again = Move(kind=kind, amount=1, currency=ic.currency, merchant=ic.merchant,\n"
        "            channel=ic.channel, interception=ic.id, dedup=f'x:{ic.id}', actor=actor,\n"
        "            cause=cause)\n"
        "        post(book, again, env.new_id(), env.now)\n",
    ),
    bug(
        "refund_on_time_out",
        "an answer that was lost is a refusal, and the fee goes back",
        REPLY,
        "        case _:\n            return E.LOSE, reason\n",
        "        case _:\n            return E.REFUSE, reason\n",
    ),
    bug(
        "late_charges",
        "a late acceptance captures what was released",
        TABLES,
        "(D.REFUSED, E.LATE): (D.LATE_ACCEPTED, ()),",
        "(D.REFUSED, E.LATE): (D.LATE_ACCEPTED, (F.CAPTURE,)),",
    ),
    bug(
        "hold_unchecked",
        "a hold is not checked against the balance",
        CREATE,
        "    if quote.fee_minor > available(book, quote.merchant, quote.currency):\n",
        "    if quote.fee_minor > 10**12:\n",
    ),
    bug(
        "cancel_releases",
        "a cancel releases a fee that was captured",
        TABLES,
        "(D.ACCEPTED, E.CANCEL_ACK): (D.CANCELLED, (F.REFUND,)),",
        "(D.ACCEPTED, E.CANCEL_ACK): (D.CANCELLED, (F.RELEASE,)),",
    ),
    bug(
        "cancel_keeps",
        "a withdrawn interception keeps its fee, whatever the contract says",
        TABLES,
        "(D.ACCEPTED, E.CANCEL_ACK): (D.CANCELLED, (F.REFUND,)),",
        "(D.ACCEPTED, E.CANCEL_ACK): (D.CANCELLED, ()),",
    ),
    bug(
        "float_fee",
        "a fee passes through a float",
        "gateway/domain/eligibility.py",
        "    return case.contract.fees.get(case.status)\n",
        "    fee = case.contract.fees.get(case.status)\n"
        "    return None if fee is None else int(fee / 100 * 1.1 / 1.1 * 100)\n",
    ),
    bug(
        "price_moves",
        "the fee that is held is not the one that was quoted",
        CREATE,
        "        fee_minor=quote.fee_minor,\n",
        "        fee_minor=quote.fee_minor and quote.fee_minor + 1,\n",
    ),
    bug(
        "wrong_account",
        "a released fee goes to the carrier",
        LEDGER,
        "    K.RELEASE: (A.HELD, A.AVAILABLE),\n",
        "    K.RELEASE: (A.HELD, A.FEES_PAYABLE),\n",
    ),
    bug(
        "half_entry",
        "a transfer changes one of its two cached balances",
        LEDGER,
        "    for account, change in ((source, -move.amount), (target, move.amount)):\n",
        "    for account, change in ((target, move.amount),):\n",
    ),
    bug(
        "broken_promise_kept",
        "a parcel delivered against the promise keeps its fee",
        READING,
        "        if refund and ic.money is Money.CAPTURED:\n",
        "        if refund and failure == 'CARRIER' and ic.money is Money.CAPTURED:\n",
    ),
    bug(
        "top_up_again",
        "a top-up that is repeated is refused instead of answered",
        "gateway/domain/merchant.py",
        '        again = repeated(book.get(Request, key), "TopUp", mark)\n',
        '        again = repeated(None, "TopUp", mark)\n',
    ),
    # -- decisions --------------------------------------------------------------------------
    bug(
        "blind_resend",
        "a request is sent again to a carrier that recognises no repeats",
        REPLY,
        "    return adapter.dedup.value is Dedup.REFERENCE and not by_order(ic)\n",
        "    return adapter is not None and not by_order(ic)\n",
    ),
    bug(
        "absent_too_early",
        "a query's `none` is believed before the in-flight bound",
        READING,
        "    if live or asked_ms < last + terms.in_flight_bound_ms(ic.channel):\n",
        "    if live:\n",
    ),
    bug(
        "no_such_order",
        "a cancel's `no such order` releases the fee",
        REPLY,
        "        case V.CANCELLED if ic.movement is Movement.NONE:\n",
        "        case V.CANCELLED | V.ABSENT if ic.movement is Movement.NONE:\n",
    ),
    bug(
        "lost_is_not_sent",
        "a lost answer is taken for a request that never left",
        REPLY,
        "        case _:\n            return E.LOSE, reason\n",
        "        case _:\n            return E.NOT_SENT, reason\n",
    ),
    Bug(
        "stale_cancel",
        "a cancel that was given up hides what the carrier says of the next one",
        (
            Edit(
                REPLY,
                "ic.cancel not in (Cancel.ASKED, Cancel.SENT):\n",
                "ic.cancel is not Cancel.SENT:\n",
            ),
            Edit(
                REPLY,
                "        case _ if not live or ic.cancel is not Cancel.SENT:\n",
                "        case _ if ic.cancel is not Cancel.SENT:\n",
            ),
        ),
        DOMAIN,
    ),
    bug(
        "crash_is_not_sent",
        "an attempt that a crash left open is taken for one that never left",
        DUE,
        'ic = move(book, ic, Event.LOSE, env, terms, cause="LEASE_ENDED")',
        'ic = move(book, ic, Event.NOT_SENT, env, terms, cause="LEASE_ENDED")',
    ),
    bug(
        "timer_decides",
        "the send deadline ends what the carrier may have",
        DUE,
        "        or ic.decision is not Decision.QUEUED\n",
        "        or ic.decision not in (Decision.QUEUED, Decision.UNKNOWN)\n",
    ),
    bug(
        "receipt_is_promise",
        "a receipt is taken for an acceptance",
        REPLY,
        '            return (E.ACCEPT if override and not answer.assumed else E.RECEIPT), ""\n',
        '            return (E.ACCEPT if terms or override else E.RECEIPT), ""\n',
    ),
    bug(
        "unreadable_is_yes",
        "an answer that cannot be read is an acceptance",
        PORT,
        "    except BROKEN:\n        return UNREADABLE\n",
        "    except BROKEN:\n        return Answer(Verdict.ACCEPTED)\n",
    ),
    bug(
        "unreadable_is_no",
        "an answer that cannot be read is a refusal",
        PORT,
        "    except BROKEN:\n        return UNREADABLE\n",
        "    except BROKEN:\n        return Answer(Verdict.REFUSED)\n",
    ),
    bug(
        "server_error_is_no",
        "a carrier's 5xx is a refusal",
        PORT,
        '        return Answer(Verdict.UNKNOWN, Reason.NO_ANSWER, code=f"http {reply.status}")\n',
        '        return Answer(Verdict.REFUSED, Reason.CARRIER_SYSTEM, code=f"{reply.status}")\n',
    ),
    bug(
        "wrong_waybill",
        "an answer about another parcel counts",
        PORT,
        "    if waybills and not spoken_of <= set(waybills):\n",
        "    if waybills and len(spoken_of) > 9:\n",
    ),
    bug(
        "anothers_return",
        "a return for another cause is taken for ours",
        READING,
        "    if here.cause not in (Cause.INTERCEPTION, Cause.UNSTATED):\n        return False\n",
        "",
    ),
    bug(
        "return_before_us",
        "a return that began before our request is taken for ours",
        READING,
        "    return here.returning_at >= ic.sent_at - CLOCK_SLACK_MS\n",
        "    return here.returning_at > 0\n",
    ),
    bug(
        "anothers_query",
        "a query's yes counts although ours may not be the one",
        READING,
        "    known = ic.decision is D.PROCESSING  # the carrier has confirmed that it has ours\n",
        "    known = True\n",
    ),
    bug(
        "delivered_is_back",
        "a parcel that the buyer signed for is back at its sender",
        PARCEL,
        "    if not on_return or other_number or scan.signer is Signer.ADDRESSEE:\n",
        "    if other_number and scan.signer is Signer.ADDRESSEE:\n",
    ),
    bug(
        "untrusted_scans",
        "scans of unsigned pushes move an interception",
        PARCEL,
        "    trusted = [scan for scan in scans if scan.tier == Tier.T1]\n",
        "    trusted = list(scans)\n",
    ),
    bug(
        "two_open",
        "a parcel is intercepted while an interception of it is open",
        "gateway/domain/eligibility.py",
        "        if interception.open:\n",
        "        if interception.open and not interception.sent_at:\n",
    ),
    bug(
        "quote_expired",
        "a quote is good for ever",
        CREATE,
        "    if env.now >= quote.expires_at or parcel.purged_at:\n",
        "    if env.now >= 2 * quote.expires_at or parcel.purged_at:\n",
    ),
    bug(
        "stale_price",
        "a status of any age is good enough to price from",
        "gateway/domain/quote.py",
        "    fresh = parcel.read_at and now - parcel.read_at < terms.policy.status_fresh_ms\n",
        "    fresh = parcel.read_at and now >= parcel.read_at\n",
    ),
    bug(
        "late_untold",
        "nobody is told of a late acceptance",
        REPLY,
        "    open_exception(book, ExceptionKind.LATE_ACCEPTANCE, ic.id",
        "    env.new_id() or open_exception(book, ExceptionKind.LATE_ACCEPTANCE, ic.id",
    ),
    bug(
        "refund_advised",
        "the buyer's refund is advised before anything is decided",
        CREATE,
        '    return "SAFE_TO_REFUND" if promise is Promise.PAYMENT else "WAIT"\n',
        '    return "SAFE_TO_REFUND" if promise else "WAIT"\n',
    ),
    bug(
        "late_misattributed",
        "a late acceptance is laid to one that was refused because of it",
        READING,
        "            ic.sent_at > 0 and ic.reason not in OTHER_CAUSES,\n",
        "",
    ),
    bug(
        "push_let_go",
        "what a push asked is let go when the carrier was silent twelve times",
        READING,
        "LOOKS_MAX = 120 ",
        "LOOKS_MAX = 12 ",
    ),
    # -- idempotency and the log ------------------------------------------------------------
    bug(
        "replay_forgotten",
        "a Create that is repeated is not recognised",
        CREATE,
        '    again = repeated(book.get(Request, key), "Create", mark)\n',
        '    again = repeated(None, "Create", mark)\n',
    ),
    bug(
        "other_body",
        "a request id is good for another body too",
        "gateway/domain/command.py",
        "    if found.method != method or found.fingerprint != fingerprint:\n",
        "    if found.method != method:\n",
    ),
    bug(
        "event_gap",
        "events are numbered with gaps",
        LIFECYCLE,
        "    seq = interception.version + 1\n",
        "    seq = interception.version + (1 if interception.version != 2 else 2)\n",
    ),
    bug(
        "stream_stops",
        "the stream of events counts a commit for an event",
        SQLITE,
        "        self._position += done.events\n",
        "        self._position += 1\n",
    ),
    bug(
        "reference_changes",
        "every attempt has a request number of its own",
        LIFECYCLE,
        "        key=interception.id,\n        waybill=interception.waybill,\n",
        '        key=f"{interception.id}{interception.version}",\n'
        "        waybill=interception.waybill,\n",
    ),
    # -- jobs, leases, crashes --------------------------------------------------------------
    bug(
        "stale_lease",
        "whoever has lost a lease still ends its job",
        REPLY,
        "    fenced = job.gen == command.gen and job.state is JobState.LEASED\n",
        "    fenced = job.gen >= command.gen\n",
    ),
    bug(
        "lease_unchecked",
        "a lease is not looked at before the socket opens",
        WORKER,
        "        answer = NOT_SENT\n        if not self._late(work):\n",
        "        answer = NOT_SENT\n        if work.lease_until:\n",
        "tests/test_worker.py",
    ),
    bug(
        "attempt_unwritten",
        "a request leaves before its attempt is written",
        LEASING,
        "    attempt = book.put(attempted(ic, AttemptKind.POST, job, env))\n",
        "    attempt = attempted(ic, AttemptKind.POST, job, env)\n",
    ),
    bug(
        "business_lease",
        "leases are counted in business time",
        LEASING,
        "            lease_until=env.machine_ms + terms.lease_ms,\n",
        "            lease_until=env.now + terms.lease_ms,\n",
    ),
    bug(
        "walls_clock",
        "leases and rates are counted on the wall's clock, which may be set",
        "gateway/clock.py",
        "        return self._began_ms + self.steady_ms()\n",
        "        return self.wall_ms()\n",
        "tests/test_clock.py",
    ),
    bug(
        "same_generation",
        "a job that is leased again keeps its generation",
        LEASING,
        "            gen=job.gen + 1,\n",
        "            gen=max(1, job.gen),\n",
    ),
    bug(
        "job_dropped",
        "the job of a process that died is done",
        DUE,
        "    waiting = replace(job, state=JobState.WAIT, owner=",
        "    waiting = replace(job, state=JobState.DONE, owner=",
    ),
    bug(
        "answer_let_go",
        "what the store refuses is taken for done",
        STORE,
        "                return [(False, error) for _ in commands]\n",
        "                return [(True, None) for _ in commands]\n",
    ),
    bug(
        "half_batch",
        "what a failed transaction has written stays",
        SQLITE,
        '    if db.in_transaction:\n        db.execute("ROLLBACK")\n',
        '    if db.in_transaction:\n        db.execute("COMMIT")\n',
        "tests/test_refusing.py",
    ),
    # -- replicas on PostgreSQL -------------------------------------------------------------
    bug(
        "wallet_not_locked",
        "on PostgreSQL a wallet is read without its lock",
        SETS,
        '"ORDER BY id FOR NO KEY UPDATE"\n',
        '"ORDER BY id"\n',
        "tests/store/test_store.py",
    ),
    bug(
        "jobs_not_locked",
        "on PostgreSQL two replicas take up one job",
        SETS,
        "ORDER BY id FOR NO KEY UPDATE SKIP LOCKED",
        "ORDER BY id",
        "tests/store/test_store.py",
    ),
    bug(
        "positions_at_once",
        "on PostgreSQL positions of the log are taken in the order of statements",
        SETS,
        "(SELECT pg_advisory_xact_lock(hashtext('turnback positions')))",
        "(SELECT hashtext('turnback positions'))",
        "tests/store/test_store.py",
    ),
    bug(
        "commit_lost_is_done",
        "a COMMIT whose answer is lost counts as done",
        POSTGRES,
        "            if not await self._took_place(number):\n",
        "            if not await self._took_place(0):\n",
        "tests/replicas/test_lines.py",
    ),
    bug(
        "commit_lost_is_undone",
        "a COMMIT whose answer is lost counts as not done",
        POSTGRES,
        "                return found is not None and found >= number\n",
        "                return found is not None and found > number\n",
        "tests/replicas/test_lines.py",
    ),
    bug(
        "stood_still_and_sent",
        "a replica that stood still sends without a look at its lease",
        "gateway/runner.py",
        "        if not PERMIT.get()():\n",
        "        if PERMIT.get() is None:\n",
        "tests/test_runner.py",
    ),
    # -- pushes -----------------------------------------------------------------------------
    bug(
        "acknowledged_first",
        "a push is acknowledged before it is kept",
        PUSHES,
        "            fresh = await asyncio.shield(keep)\n",
        "            fresh = not keep.done()\n            await asyncio.sleep(0)\n",
    ),
    bug(
        "forged_taken",
        "the signature of a push is not compared",
        "adapters/zto.py",
        '    return TIERS.get(fields["msg_type"]) if genuine and ours else None\n',
        '    return TIERS.get(fields["msg_type"]) if genuine or ours else None\n',
    ),
    bug(
        "address_open",
        "the secret part of a push's address is not compared",
        PUSHES,
        "        if gate is None or gate.adapter.push is None or not gate.opened_by(secret):\n",
        "        if gate is None or gate.adapter.push is None:\n",
    ),
    bug(
        "inbox_forgotten",
        "a push that a crash left behind is never applied",
        PUSHES,
        "                    if row.id not in self._at_work:\n",
        "                    if row.id in self._at_work:\n",
        "tests/test_pushes.py",
    ),
    bug(
        "poison_dropped",
        "a push that breaks what applies it is acknowledged and not kept",
        PUSHES,
        '            log.exception("push not applied", inbox=row.id, error=type(error).__name__)\n'
        "        return bool(await self._store.run(ReceivePush(row)))\n",
        '            log.exception("push not applied", inbox=row.id, error=type(error).__name__)\n'
        "        return True\n",
        "tests/test_pushes.py",
    ),
    # -- the embedded store -----------------------------------------------------------------
    bug(
        "loop_stands_still",
        "the event loop waits for another program that writes the file",
        SQLITE,
        "            _patience(db, 0)  # the event loop is not to stand still\n",
        "            _patience(db, PATIENCE_MS)\n",
        "tests/store/test_sqlite.py",
    ),
    bug(
        "undone_too_soon",
        "a batch is taken back while the thread is still at it",
        SQLITE,
        "                await self._aside(_undo, db)\n",
        "                _undo(db)\n",
        "tests/store/test_sqlite.py",
    ),
    bug(
        "out_of_turn",
        "safe mode is switched in the middle of a batch",
        SQLITE,
        "            await self._aside(switch, self._db, mode)\n",
        "            pass\n        await self._aside(switch, self._db, mode)\n",
        "tests/store/test_sqlite.py",
    ),
    # -- claims -----------------------------------------------------------------------------
    bug(
        "cap_per_claim",
        "the cap is counted per claim, and not per parcel",
        CLAIM,
        "        cap=ic.cap_minor - sum(a.amount for a in awards),\n",
        "        cap=ic.cap_minor - mine,\n",
    ),
    bug(
        "value_unlimited",
        "awards are not limited by the value of the line",
        CLAIM,
        "        value=line.value_minor - of_line,\n",
        "        value=2 * line.value_minor - of_line,\n",
    ),
    bug(
        "loss_again",
        "every part of an award is measured against the whole loss",
        CLAIM,
        "        loss=claim.loss_minor - mine,\n",
        "        loss=claim.loss_minor,\n",
    ),
    bug(
        "granted_again",
        "what was granted before is granted once more",
        CLAIM,
        "        granted=granted - mine,\n",
        "        granted=granted,\n",
    ),
    Bug(
        "found_and_paid",
        "a loss is awarded after the parcel was found",
        (
            Edit(
                CLAIM,
                "    if claim.kind is ClaimKind.LOST and event_at(book, ic, claim.kind) is None:\n",
                "    if claim.kind is ClaimKind.LOST and ic is None:\n",
            ),
            Edit(
                CLAIM,
                "        if claim.state in LIVE:\n            book.put(\n",
                "        if claim.state in ():\n            book.put(\n",
            ),
        ),
        DOMAIN,
    ),
    bug(
        "two_officers",
        "a decision that two officers give is paid twice",
        CLAIM,
        '    before = repeated(book.get(Request, command.decision), "Decision", said)\n',
        '    before = repeated(None, "Decision", said)\n',
    ),
    bug(
        "paid_twice",
        "an award is settled twice",
        "gateway/domain/payout.py",
        "    if any(paid):\n",
        "    if all(paid):\n",
    ),
    bug(
        "same_person",
        "whoever filed a claim decides it, however high it is",
        CLAIM,
        "    if high and command.actor == claim.filed_by:\n",
        "    if high and command.actor != command.actor:\n",
    ),
    # -- what only the suites can see -------------------------------------------------------
    bug(
        "unlisted_unseen",
        "an unlisted refusal is believed without a look",
        REPLY,
        "    if hold or askable(book, ic, terms):\n",
        "    if hold:\n",
    ),
    bug(
        "repeat_refused",
        "a carrier that knows waybills alone refuses a repeat, and the first request is forgotten",
        REPLY,
        '            return (E.RECEIPT, "DUPLICATE") if ours else (E.LOSE, reason)\n',
        '            return (E.RECEIPT, "DUPLICATE") if ours else (E.REFUSE, reason)\n',
        "tests/model/test_ties.py",
    ),
    bug(
        "old_no_believed",
        "the no to an old attempt is believed while another is on its way",
        REPLY,
        "ic.decision in UNDECIDED and _others(book, ic, attempt, LIVE):\n",
        "not ic.decision:\n",
    ),
    bug(
        "queued_and_blamed",
        "what a parcel does is laid to an interception that waits to be sent",
        READING,
        "            ic.open and ic.sent_at > 0,\n",
        "            ic.open,\n",
    ),
    bug(
        "asked_too_early",
        "a query that was asked before the carrier had ours counts",
        READING,
        "    if command.asked is not None and command.asked_ms < _answered_ms(book, ic):\n",
        "    if command.asked is not None and command.asked_ms < 0:\n",
    ),
    bug(
        "page_skipped",
        "a full page of the log is taken for all there is",
        FEED,
        "    return last if len(told) >= PAGE else max(last, newest)\n",
        "    return max(last, newest)\n",
        STREAMS,
    ),
    bug(
        "foreign_events",
        "a stream is told of other tenants' events",
        FEED,
        "            self.tenant == scope.tenant\n",
        "            self.tenant\n",
        STREAMS,
    ),
    bug(
        "behind_the_ring",
        "who is behind what is kept of the log goes on with what is kept",
        FEED,
        "        if self._after is None or position < self._after:\n",
        "        if self._after is None:\n",
        STREAMS,
    ),
    bug(
        "scans_in_order",
        "scans are folded in the order in which they came",
        PARCEL,
        "    trusted.sort(key=lambda scan: (scan.at, RANK[scan.milestone], scan.id))\n",
        "    trusted.sort(key=lambda scan: (scan.arrived_at, scan.id))\n",
    ),
    # -- carriers' statements ----------------------------------------------------------------
    bug(
        "billed_twice_paid",
        "a second fee for one interception is taken for ours",
        MATCHING,
        "    if found.bills:\n",
        "    if len(found.bills) > 1:\n",
        BILLS,
    ),
    bug(
        "refused_and_billed",
        "a bill is taken for the yes to what was refused",
        MATCHING,
        "    accept = ic.decision in UNDECIDED and 0 < ic.sent_at < statement.period_to\n",
        "    accept = not ic.promised_at and 0 < ic.sent_at < statement.period_to\n",
        BILLS,
    ),
    bug(
        "anybodys_account",
        "a bill of one account pays for an interception of another one",
        MATCHING,
        "    return (row.channel, row.account) == (statement.channel, statement.account)\n",
        "    return row.channel == statement.channel\n",
        BILLS,
    ),
    bug(
        "credited_twice",
        "a fee that was given back is given back again",
        MATCHING,
        "    wrong = [one for one in found.stands if one.suspended and not one.credited]\n",
        "    wrong = [one for one in found.stands if one.suspended]\n",
        BILLS,
    ),
    bug(
        "award_paid_again",
        "an award that was paid is open as before",
        POSTING,
        "                left[row.award] -= amount\n",
        "                left[row.award] -= 0\n",
        BILLS,
    ),
    bug(
        "correction_adds",
        "a correction takes back nothing of what it replaces",
        POSTING,
        "    if match.transfer is not None:\n",
        "    if match.transfer is None:\n",
        BILLS,
    ),
    bug(
        "any_total",
        "a statement whose lines are not its total is posted",
        RECONCILE,
        "    if s.sum_minor != s.total_minor:\n",
        "    if s.sum_minor > s.total_minor:\n",
        BILLS,
    ),
    bug(
        "first_chunk_only",
        "what comes after the first hundred lines is left out",
        RECONCILE,
        "    if last >= of.last_line:\n",
        "    if last:\n",
        BILLS,
    ),
    bug(
        "missed_too_soon",
        "a fee is missed on the statement of the day after",
        RECONCILE,
        "            judged_to=min(s.period_to - contract.billed_within_ms, env.now),\n",
        "            judged_to=min(s.period_to, env.now),\n",
        BILLS,
    ),
    bug(
        "quote_of_another_account",
        "a quote is used though its parcel is registered over another account",
        CREATE,
        "    if (parcel.channel, parcel.account) != (quote.channel, quote.account):\n",
        "    if parcel.network == quote.channel and False:\n",
    ),
    bug(
        "filing_doubled",
        "a filing whose holder has gone is sent again, though a carrier makes two claims of it",
        DUE,
        "        return desk.unheard(book, job, env, terms)\n",
        "        return job\n",
    ),
    bug(
        "withdrawn_for_ever",
        "a withdrawal that was sent outlives the return of its parcel",
        READING,
        "    over = not MOVEMENTS[ic.movement]  # whatever the carrier may still answer\n",
        "    over = False\n",
    ),
    bug(
        "return_of_one",
        "of parcels that come back under one number only one is told so",
        REGISTER,
        "    return [alias for alias in found if newest_at - alias.at <= EPOCH_GAP_MS]\n",
        "    return [alias for alias in found if newest_at - alias.at <= EPOCH_GAP_MS][:1]\n",
        "tests/store/test_returning.py",
    ),
    bug(
        "quotes_unbounded",
        "quotes open as many calls of a carrier account as there are parcels",
        WORKER,
        "            self._quoting[key] += 1\n",
        "            self._quoting[key] += 0\n",
        "tests/test_worker.py",
    ),
)

-- What must hold of every ledger, one query per rule. Each returns the rows that break it, as
-- (id, fault), and none on a correct ledger. The first comment of a rule is its title. Only what
-- SQLite and PostgreSQL both understand stands here; {moves} is the ledger's table of moves.

-- name: M1
-- Every transfer sums to zero, between the two accounts its kind says
SELECT transfer AS id, 'does not sum to zero' AS fault
FROM entry GROUP BY transfer HAVING SUM(amount) <> 0 OR COUNT(*) <> 2
UNION ALL
SELECT t.id, 'accounts or amount are not those of a ' || t.kind
FROM transfer t
LEFT JOIN account s ON s.id = t.source
LEFT JOIN account g ON g.id = t.target
WHERE s.id IS NULL OR g.id IS NULL OR s.id = g.id OR t.amount <= 0
    OR s.currency <> t.currency OR g.currency <> t.currency
    OR (t.kind, s.kind, g.kind) NOT IN (VALUES {moves})
UNION ALL
SELECT t.id, 'account of another merchant or carrier'
FROM transfer t
JOIN interception i ON i.id = t.interception
JOIN account a ON a.id IN (t.source, t.target)
WHERE (a.kind IN ('AVAILABLE', 'HELD', 'AWARDED') AND a.owner <> i.merchant)
    OR (a.kind IN ('FEES_PAYABLE', 'CLAIMS_RECEIVABLE') AND a.owner <> i.channel);

-- name: M2
-- Every cached balance is the sum of its entries
SELECT a.id AS id, 'balance is not the sum of the entries' AS fault
FROM account a
LEFT JOIN (SELECT account, SUM(amount) AS total FROM entry GROUP BY account) e ON e.account = a.id
WHERE a.balance <> COALESCE(e.total, 0);

-- name: M3
-- No wallet and no held account is below zero
SELECT id AS id, 'below zero, or without a balance' AS fault
FROM account WHERE kind IN ('AVAILABLE', 'HELD') AND (balance IS NULL OR balance < 0);

-- name: M4
-- What a merchant has on hold is the fees of its interceptions that are held
SELECT a.id AS id, 'held is not the sum of the fees held' AS fault
FROM account a
WHERE a.kind = 'HELD' AND a.balance <> (
    SELECT COALESCE(SUM(i.fee_minor), 0) FROM interception i
    WHERE i.merchant = a.owner AND i.currency = a.currency AND i.money = 'HELD');

-- name: M5
-- Every fee was held exactly once, in full
SELECT i.id AS id, 'not exactly one hold of the fee' AS fault
FROM interception i
LEFT JOIN transfer t ON t.interception = i.id AND t.kind = 'hold'
GROUP BY i.id, i.fee_minor, i.money
HAVING COUNT(t.id) <> CASE WHEN i.fee_minor > 0 THEN 1 ELSE 0 END
    OR COALESCE(SUM(t.amount), 0) <> i.fee_minor
    OR (i.fee_minor = 0) <> (i.money = 'NONE');

-- name: M6
-- Every hold is settled at most once, and exactly once when it is no longer held
SELECT i.id AS id, 'captures and releases do not fit ' || i.money AS fault
FROM interception i
LEFT JOIN transfer t ON t.interception = i.id AND t.kind IN ('capture', 'release')
GROUP BY i.id, i.money
HAVING COUNT(t.id) <> CASE WHEN i.money IN ('NONE', 'HELD') THEN 0 ELSE 1 END;

-- name: M7
-- The money column says what the ledger says, and no refund is above its capture
SELECT id AS id, 'the ledger does not say ' || money AS fault
FROM (
    SELECT i.id, i.money, i.fee_minor AS fee,
        COALESCE(SUM(CASE WHEN t.kind = 'capture' THEN t.amount END), 0) AS captured,
        COALESCE(SUM(CASE WHEN t.kind = 'release' THEN t.amount END), 0) AS released,
        COALESCE(SUM(CASE WHEN t.kind = 'refund' THEN t.amount END), 0) AS refunded
    FROM interception i
    LEFT JOIN transfer t ON t.interception = i.id AND t.kind IN ('capture', 'release', 'refund')
    GROUP BY i.id, i.money, i.fee_minor) AS settled
WHERE captured <> CASE WHEN money IN ('CAPTURED', 'REFUNDED') THEN fee ELSE 0 END
    OR released <> CASE WHEN money = 'RELEASED' THEN fee ELSE 0 END
    OR (refunded > 0) <> (money = 'REFUNDED')
    OR refunded > captured;

-- name: M9
-- All accounts of a currency sum to zero; what crosses to the outside has a reference there
SELECT a.currency AS id, 'all accounts together are not zero' AS fault
FROM account a
LEFT JOIN (SELECT account, SUM(amount) AS total FROM entry GROUP BY account) e ON e.account = a.id
GROUP BY a.currency HAVING SUM(COALESCE(a.balance, e.total, 0)) <> 0
UNION ALL
SELECT t.id, 'no external reference of its own'
FROM transfer t
JOIN account a ON a.id = t.source OR a.id = t.target
WHERE a.kind = 'OUTSIDE'
    AND (t.cause = '' OR substr(t.dedup, length(t.dedup) - length(t.cause)) <> ':' || t.cause);

-- name: M10
-- Nothing is captured after it was released
SELECT r.interception AS id, 'released and captured' AS fault
FROM transfer r
JOIN transfer c ON c.interception = r.interception AND c.kind = 'capture'
WHERE r.kind = 'release';

-- name: M11
-- What is owed to a carrier for its work is the fees that stand captured, less what it has billed
SELECT a.id AS id, 'fees payable are not the fees captured' AS fault
FROM account a
WHERE a.kind = 'FEES_PAYABLE' AND (
    SELECT COALESCE(SUM(t.amount), 0) FROM transfer t WHERE t.target = a.id AND t.kind = 'capture'
) - (
    SELECT COALESCE(SUM(t.amount), 0) FROM transfer t WHERE t.source = a.id AND t.kind = 'refund'
) <> (
    SELECT COALESCE(SUM(i.fee_minor), 0) FROM interception i
    WHERE i.channel = a.owner AND i.currency = a.currency AND i.money = 'CAPTURED')
UNION ALL
SELECT a.id, 'fees payable are not what is captured and not billed'
FROM account a
WHERE a.kind = 'FEES_PAYABLE' AND (
    SELECT COALESCE(SUM(e.amount), 0) FROM entry e WHERE e.account = a.id
) <> (
    SELECT COALESCE(SUM(i.fee_minor), 0) FROM interception i
    WHERE i.channel = a.owner AND i.currency = a.currency AND i.money = 'CAPTURED'
) - (
    SELECT COALESCE(SUM(CASE l.kind WHEN 'FEE' THEN l.amount ELSE -l.amount END), 0)
    FROM statement s
    JOIN line_match m ON m.statement = s.id AND m.carried IS NULL
    JOIN statement_line l ON l.id = m.id
    JOIN transfer t ON t.id = m.transfer
    WHERE s.channel = a.owner AND l.currency = a.currency
        AND t.kind IN ('statement_fee', 'statement_credit')
        AND NOT EXISTS (SELECT 1 FROM withdrawal w WHERE w.id = m.id))
UNION ALL
SELECT i.id, 'captured for a carrier without an account'
FROM interception i
WHERE i.money = 'CAPTURED' AND NOT EXISTS (
    SELECT 1 FROM account a
    WHERE a.kind = 'FEES_PAYABLE' AND a.owner = i.channel AND a.currency = i.currency);

-- name: C6
-- Nothing is sent before its fee is held, nor after it was decided
SELECT a.id AS id, 'started before the fee was held' AS fault
FROM attempt a
JOIN interception i ON i.id = a.interception
WHERE i.fee_minor > 0 AND NOT EXISTS (
    SELECT 1 FROM transfer t
    WHERE t.interception = i.id AND t.kind = 'hold' AND t.at <= a.started_at)
UNION ALL
SELECT a.id, 'sent after the decision'
FROM attempt a
JOIN interception i ON i.id = a.interception
WHERE a.kind = 'post' AND i.decided_at > 0 AND a.started_at > i.decided_at;

-- name: C7
-- PROCESSING and UNKNOWN are left only with evidence of the same interception
SELECT e.id AS id, 'left ' || e.source || ' without evidence' AS fault
FROM event e
LEFT JOIN evidence v ON v.id = e.evidence AND v.interception = e.interception
WHERE e.col = 'decision' AND e.source IN ('PROCESSING', 'UNKNOWN') AND v.id IS NULL;

-- name: C8
-- NEVER_SENT: every attempt is known not to have arrived; ABSENT is what a query said
SELECT a.id AS id, 'may have arrived' AS fault
FROM attempt a
JOIN interception i ON i.id = a.interception
WHERE i.decision = 'NEVER_SENT' AND a.kind = 'post'
    AND COALESCE(a.outcome, '') NOT IN ('not_sent', 'busy', 'absent')
UNION ALL
SELECT a.id, 'called absent, and no query said so'
FROM attempt a
WHERE a.outcome = 'absent' AND NOT EXISTS (
    SELECT 1 FROM evidence v
    WHERE v.interception = a.interception AND v.kind = 'query' AND v.verdict = 'absent'
        AND v.at >= a.started_at);

-- name: C9
-- Every event is an edge, they are numbered without a gap, and the columns are their fold
SELECT e.id AS id, 'no edge of the table' AS fault
FROM event e
LEFT JOIN edge g ON g.col = e.col AND g.source = e.source AND g.target = e.target
WHERE g.col IS NULL
UNION ALL
SELECT i.id, 'events are not numbered 1 to version'
FROM interception i
LEFT JOIN event e ON e.interception = i.id
GROUP BY i.id, i.version
HAVING COUNT(e.id) <> i.version OR COUNT(DISTINCT e.seq) <> i.version
    OR MIN(e.seq) <> 1 OR MAX(e.seq) <> i.version
UNION ALL
SELECT id, 'does not begin where the one before it ended'
FROM (
    SELECT id, col, source, LAG(target) OVER (PARTITION BY interception, col ORDER BY seq) AS before
    FROM event) AS step
WHERE source <> COALESCE(before, CASE WHEN col IN ('decision', 'money') THEN '' ELSE 'NONE' END)
UNION ALL
SELECT i.id, 'columns are not the fold of the events'
FROM interception i
LEFT JOIN (
    SELECT interception,
        MAX(CASE WHEN col = 'decision' THEN target END) AS decision,
        MAX(CASE WHEN col = 'movement' THEN target END) AS movement,
        MAX(CASE WHEN col = 'money' THEN target END) AS money,
        MAX(CASE WHEN col = 'cancel' THEN target END) AS cancel
    FROM (
        SELECT interception, col, target,
            ROW_NUMBER() OVER (PARTITION BY interception, col ORDER BY seq DESC) AS back
        FROM event) AS newest
    WHERE back = 1
    GROUP BY interception) f ON f.interception = i.id
WHERE i.decision <> COALESCE(f.decision, '') OR i.money <> COALESCE(f.money, '')
    OR i.movement <> COALESCE(f.movement, 'NONE') OR i.cancel <> COALESCE(f.cancel, 'NONE')
UNION ALL
SELECT i.id, 'not updated at its last event'
FROM interception i
JOIN event e ON e.interception = i.id AND e.seq = i.version
WHERE i.updated_at <> e.at;

-- name: C10
-- One live attempt of a kind per interception
SELECT interception AS id, 'two live attempts to ' || kind AS fault
FROM attempt WHERE ended_at IS NULL GROUP BY interception, kind HAVING COUNT(*) > 1;

-- name: C11
-- Attempts are fenced by generation, and a reply counts once
SELECT a.interception AS id, 'two attempts of one generation' AS fault
FROM attempt a GROUP BY a.interception, a.kind, a.gen HAVING COUNT(*) > 1
UNION ALL
SELECT v.attempt, 'two replies of one attempt'
FROM evidence v WHERE v.attempt IS NOT NULL GROUP BY v.attempt HAVING COUNT(*) > 1
UNION ALL
SELECT v.id, 'a reply without its attempt'
FROM evidence v
LEFT JOIN attempt a ON a.id = v.attempt AND a.interception = v.interception
WHERE v.kind IN ('reply', 'cancel') AND a.id IS NULL
UNION ALL
SELECT a.id, 'of a generation its job never had'
FROM attempt a
LEFT JOIN job j ON j.subject = a.interception
    AND j.kind = CASE WHEN a.kind = 'post' THEN 'submit' ELSE 'withdraw' END
WHERE j.id IS NULL OR j.gen < a.gen;

-- name: C12
-- What was cancelled before pick-up was not shipped, and nothing else was not
SELECT i.id AS id, i.path || ' and ' || i.movement AS fault
FROM interception i
WHERE i.promised_at > 0
    AND (CASE WHEN i.path = 'cancelled_before_pickup' THEN 1 ELSE 0 END)
    <> (CASE WHEN i.movement = 'NOT_SHIPPED' THEN 1 ELSE 0 END);

-- name: C13
-- What a row repeats of others is what they say: request, parcel and quote
SELECT i.id AS id, 'no such request made it' AS fault
FROM interception i
LEFT JOIN request r ON r.id = i.tenant || '/' || i.request_id
WHERE r.id IS NULL OR r.subject <> i.id OR r.method <> 'Create'
UNION ALL
SELECT i.id, 'network is not its parcel''s, or quoted status not its quote''s'
FROM interception i
JOIN parcel p ON p.id = i.parcel
JOIN quote q ON q.id = i.quote
WHERE i.network <> p.network OR i.quoted_status <> q.status
UNION ALL
SELECT a.id, 'a return waybill on another network than its parcel'
FROM alias a
JOIN parcel p ON p.id = a.parcel
WHERE a.network <> p.network;

-- name: I5
-- At most one open interception per parcel
SELECT parcel AS id, 'two open interceptions' AS fault
FROM interception
WHERE decision IN ('QUEUED', 'SENDING', 'PROCESSING', 'UNKNOWN', 'ACCEPTED')
    AND movement IN ('NONE', 'RETURNING', 'LOST')
GROUP BY parcel HAVING COUNT(*) > 1;

-- name: K2
-- Every push is applied at most once, under the key of its own carrier account
SELECT MIN(id) AS id, 'applied twice' AS fault
FROM inbox WHERE status = 'applied' GROUP BY channel, account, sha256 HAVING COUNT(*) > 1
UNION ALL
SELECT id, 'two rows of one event key' FROM inbox GROUP BY id HAVING COUNT(*) > 1
UNION ALL
SELECT id, 'key of another carrier account'
FROM inbox
WHERE substr(id, 1, length(channel) + length(account) + 2) <> channel || '/' || account || '/';

-- name: K3
-- Nothing moves on evidence that was not verified, or of too low a tier
SELECT v.id AS id, 'evidence of a push that was not verified' AS fault
FROM evidence v
JOIN inbox b ON b.id = v.inbox
WHERE b.verified = 0 OR v.tier <> b.tier
UNION ALL
SELECT id, 'applied without being verified'
FROM inbox WHERE verified = 0 AND (applied_at IS NOT NULL OR status = 'applied')
UNION ALL
SELECT e.id, 'moved by evidence of a low tier'
FROM event e
JOIN evidence v ON v.id = e.evidence
WHERE v.tier <> 1;

-- name: K6
-- No push lies unread for a day without an exception
-- A new one is judged as of :earlier, for one that business time has just leapt over may be in the
-- very commit that applies it; a quarantined one has had its exception from the first.
SELECT b.id AS id, b.status || ' for more than a day' AS fault
FROM inbox b
WHERE b.status IN ('new', 'quarantined')
    AND b.received_at < CASE b.status WHEN 'new' THEN :earlier ELSE :now END - 86400000
    AND NOT EXISTS (SELECT 1 FROM exception x WHERE x.subject = b.id);

-- name: P1
-- Awards stay within the loss, the value of the line and the cap of the parcel
SELECT w.parcel AS id, 'awards above the cap of the parcel' AS fault
FROM award w
JOIN claim c ON c.id = w.claim
JOIN interception i ON i.id = c.interception
GROUP BY w.parcel HAVING SUM(w.amount) > MAX(i.cap_minor)
UNION ALL
SELECT c.id, 'awards above the loss'
FROM claim c
JOIN award w ON w.claim = c.id
GROUP BY c.id, c.loss_minor HAVING SUM(w.amount) > c.loss_minor
UNION ALL
SELECT l.id, 'awards above the value of the line'
FROM (
    SELECT parcel, order_no, line_no, SUM(amount) AS total
    FROM award GROUP BY parcel, order_no, line_no) AS w
JOIN order_line l ON l.parcel = w.parcel AND l.order_no = w.order_no AND l.line_no = w.line_no
WHERE (l.paid_minor > 0 AND w.total > l.paid_minor)
    OR (l.declared_minor > 0 AND w.total > l.declared_minor)
    OR (l.list_minor > 0 AND w.total > l.list_minor)
    OR (l.paid_minor <= 0 AND l.declared_minor <= 0 AND l.list_minor <= 0)
UNION ALL
SELECT id, 'award of nothing' FROM award WHERE amount <= 0
UNION ALL
SELECT w.id, 'award for another line than its claim'
FROM award w
LEFT JOIN claim c ON c.id = w.claim AND c.parcel = w.parcel AND c.currency = w.currency
    AND c.order_no = w.order_no AND c.line_no = w.line_no
WHERE c.id IS NULL;

-- name: P2
-- Every award has exactly one entry, and nothing is paid out without an award
SELECT w.id AS id, 'not exactly one entry of the award' AS fault
FROM award w
LEFT JOIN transfer t ON t.dedup = 'award:' || w.id AND t.award = w.id AND t.kind = 'award'
GROUP BY w.id HAVING COUNT(t.id) <> 1
UNION ALL
SELECT t.id, 'paid without an award'
FROM transfer t
LEFT JOIN award w ON w.id = t.award
WHERE t.kind IN ('award', 'payout', 'settle_offline') AND w.id IS NULL
UNION ALL
SELECT t.id, 'paid under the key of another award'
FROM transfer t
WHERE t.kind IN ('payout', 'settle_offline')
    AND substr(t.dedup, 1, length(t.award) + 8) <> 'payout:' || t.award || ':';

-- name: P3
-- The entry of an award is its amount, and its pay-outs are not above it
SELECT w.id AS id, 'entry or pay-outs are not the amount' AS fault
FROM award w
JOIN transfer t ON t.award = w.id
GROUP BY w.id, w.amount
HAVING SUM(CASE WHEN t.kind = 'award' THEN t.amount ELSE 0 END) <> w.amount
    OR SUM(CASE WHEN t.kind IN ('payout', 'settle_offline') THEN t.amount ELSE 0 END) > w.amount
UNION ALL
SELECT t.id, 'another currency than its award'
FROM transfer t
JOIN award w ON w.id = t.award
WHERE t.currency <> w.currency;

-- name: P4
-- An award rests on an incident, a loss or a failed return before it, or on a parcel gone stale
SELECT w.id AS id, 'nothing happened that it could rest on' AS fault
FROM award w
JOIN claim c ON c.id = w.claim
WHERE NOT EXISTS (
    SELECT 1 FROM incident n WHERE n.parcel = w.parcel AND n.at <= w.at + :slack_ms)
AND NOT EXISTS (
    SELECT 1 FROM event e
    WHERE e.interception = c.interception AND e.col = 'movement' AND e.at <= w.at
        AND (e.target = 'LOST' OR (e.target = 'RETURN_FAILED' AND e.cause <> 'SENDER_REFUSED')))
AND NOT EXISTS (
    SELECT 1 FROM exception x
    WHERE x.subject = c.interception AND x.kind = 'STALE' AND c.kind = 'lost');

-- name: P5
-- No loss is awarded after the parcel was found; one found after its award has an exception
SELECT w.id AS id, 'awarded after it was found' AS fault
FROM award w
JOIN claim c ON c.id = w.claim
JOIN event e ON e.interception = c.interception AND e.col = 'movement'
WHERE c.kind = 'lost' AND e.at < w.at
    AND (e.target = 'RETURNED' OR (e.source = 'LOST' AND e.target = 'RETURNING'))
    AND NOT EXISTS (
        SELECT 1 FROM event later
        WHERE later.interception = e.interception AND later.col = 'movement'
            AND later.target = 'LOST' AND later.seq > e.seq AND later.at <= w.at)
UNION ALL
SELECT w.id, 'found after its award, and nobody was told'
FROM award w
JOIN claim c ON c.id = w.claim
JOIN event e ON e.interception = c.interception AND e.col = 'movement'
WHERE c.kind = 'lost' AND e.at > w.at AND (e.target = 'RETURNED' OR e.source = 'LOST')
    AND NOT EXISTS (
        SELECT 1 FROM exception x WHERE x.subject = c.interception AND x.kind = 'RECOVERY');

-- name: P6
-- One decision of a claim makes one award
SELECT MIN(id) AS id, 'decided twice' AS fault
FROM award GROUP BY decision_key HAVING COUNT(*) > 1;

-- name: P7
-- Whoever filed a claim does not award it above the threshold
SELECT w.id AS id, 'filed and awarded by the same actor' AS fault
FROM award w
JOIN claim c ON c.id = w.claim
WHERE w.actor = c.filed_by AND w.amount > :four_eyes_above_minor;

-- name: R1
-- A file is one statement, its lines make its total, and each line is posted once, as one thing
SELECT MIN(id) AS id, 'one file, two statements' AS fault
FROM statement GROUP BY sha256 HAVING COUNT(*) > 1
UNION ALL
SELECT MIN(id), 'two statements of one number'
FROM statement WHERE corrected IS NULL AND step NOT IN ('RECEIVING', 'ARRIVED')
GROUP BY channel, account, number HAVING COUNT(*) > 1
UNION ALL
SELECT s.id, 'its lines are not its total'
FROM statement s
LEFT JOIN statement_line l ON l.statement = s.id AND l.currency = s.currency
WHERE s.step <> 'RECEIVING'
GROUP BY s.id, s.total_minor
HAVING s.total_minor <> COALESCE(
    SUM(CASE WHEN l.kind IN ('FEE', 'OTHER') THEN l.amount ELSE -l.amount END), 0)
UNION ALL
SELECT s.id, 'parts or lines are missing'
FROM statement s
LEFT JOIN statement_part p ON p.statement = s.id
WHERE s.step <> 'RECEIVING'
GROUP BY s.id, s.parts
HAVING COUNT(p.id) <> s.parts OR COALESCE(SUM(p.lines), 0) <> (
    SELECT COUNT(*) FROM statement_line l WHERE l.statement = s.id)
UNION ALL
SELECT l.id, 'posted without a match'
FROM statement s
JOIN statement_line l ON l.statement = s.id
LEFT JOIN line_match m ON m.id = l.id AND m.statement = l.statement
WHERE s.step = 'POSTED' AND m.id IS NULL
UNION ALL
SELECT id, 'matched twice' FROM line_match GROUP BY id HAVING COUNT(*) > 1
UNION ALL
SELECT m.id, 'its entry is not what it says'
FROM line_match m
JOIN statement_line l ON l.id = m.id
LEFT JOIN transfer t ON t.id = m.transfer
WHERE m.carried IS NULL
    AND NOT (t.id IS NULL AND l.kind = 'CLAIM' AND m.state <> 'UNMATCHED')
    AND (t.id IS NULL OR t.amount <> ABS(l.amount) OR t.currency <> l.currency
        OR t.dedup <> 'statement:' || l.id
        OR t.kind <> CASE
            WHEN m.state = 'UNMATCHED' AND (l.kind = 'FEE' OR (l.kind = 'OTHER' AND l.amount > 0))
                THEN 'statement_unmatched'
            WHEN m.state = 'UNMATCHED' THEN 'statement_unmatched_credit'
            WHEN l.kind = 'FEE' THEN 'statement_fee'
            WHEN l.kind = 'CLAIM' THEN 'statement_claim'
            WHEN EXISTS (
                SELECT 1 FROM line_match b WHERE b.id = m.settles AND b.state = 'UNMATCHED')
                THEN 'statement_unmatched_credit'
            ELSE 'statement_credit' END)
UNION ALL
SELECT t.id, 'an entry that no line of a statement made'
FROM transfer t
LEFT JOIN line_match m ON m.transfer = t.id AND m.carried IS NULL
LEFT JOIN withdrawal w ON w.transfer = t.id
WHERE t.kind LIKE 'statement%' AND m.id IS NULL AND w.id IS NULL
UNION ALL
SELECT w.id, 'withdrawn, and its entry is not taken back'
FROM withdrawal w
JOIN line_match m ON m.id = w.id
LEFT JOIN transfer t ON t.id = m.transfer
LEFT JOIN transfer b ON b.id = w.transfer
WHERE (m.transfer IS NULL) <> (w.transfer IS NULL)
    OR t.amount <> b.amount OR t.source <> b.target OR t.target <> b.source
UNION ALL
SELECT m.settles, 'given back twice'
FROM line_match m
WHERE m.settles IS NOT NULL AND m.carried IS NULL
    AND NOT EXISTS (SELECT 1 FROM withdrawal w WHERE w.id = m.id)
GROUP BY m.settles HAVING COUNT(*) > 1;

-- name: R2
-- A captured fee is billed once, where statements cover it, and a line is ours; else a person knows
SELECT i.id AS id, 'captured and not billed, and nobody was told' AS fault
FROM (
    SELECT channel, account, MIN(period_from) AS since, MAX(judged_to) AS until
    FROM statement WHERE step = 'POSTED' GROUP BY channel, account) AS span
JOIN interception i ON i.channel = span.channel AND i.account = span.account
JOIN transfer t ON t.interception = i.id AND t.kind = 'capture'
WHERE i.money = 'CAPTURED' AND t.at >= span.since AND t.at < span.until
    AND NOT EXISTS (SELECT 1 FROM line_match m JOIN statement_line l ON l.id = m.id
        WHERE m.interception = i.id AND m.carried IS NULL AND l.kind = 'FEE'
        AND NOT EXISTS (SELECT 1 FROM withdrawal w WHERE w.id = m.id))
    AND NOT EXISTS (SELECT 1 FROM difference d JOIN exception x ON x.id = d.id
        WHERE d.interception = i.id AND x.kind = 'FEE_NOT_BILLED')
UNION ALL
SELECT m.interception, 'two fees stand against one interception, and nobody was told'
FROM line_match m
JOIN statement_line l ON l.id = m.id AND l.kind = 'FEE'
WHERE m.interception IS NOT NULL AND m.carried IS NULL AND m.state <> 'UNMATCHED'
    AND NOT EXISTS (SELECT 1 FROM withdrawal w WHERE w.id = m.id)
    AND NOT EXISTS (SELECT 1 FROM line_match c WHERE c.settles = m.id AND c.carried IS NULL
        AND NOT EXISTS (SELECT 1 FROM withdrawal w WHERE w.id = c.id))
    AND NOT EXISTS (SELECT 1 FROM difference d JOIN exception x ON x.id = d.id
        WHERE d.interception = m.interception AND d.line_no = 0 AND x.kind = 'FEE_BILLED_TWICE')
GROUP BY m.interception HAVING COUNT(*) > 1
UNION ALL
SELECT m.id, m.state || ', and nobody was told'
FROM line_match m
JOIN statement_line l ON l.id = m.id
WHERE m.state <> 'MATCHED' AND m.carried IS NULL AND NOT EXISTS (
    SELECT 1 FROM difference d WHERE d.statement = m.statement AND d.line_no = l.line_no)
UNION ALL
SELECT MIN(d.id), 'two exceptions of one line'
FROM difference d WHERE d.line_no > 0 GROUP BY d.statement, d.line_no HAVING COUNT(*) > 1
UNION ALL
SELECT m.id, 'matched with what is another account''s'
FROM line_match m
JOIN statement s ON s.id = m.statement
LEFT JOIN interception i ON i.id = m.interception
LEFT JOIN claim c ON c.id = m.claim
WHERE i.channel <> s.channel OR i.account <> s.account
    OR c.channel <> s.channel OR c.account <> s.account;

-- name: R3
-- What a carrier owes for awards is the awards, less what it has paid to us or to merchants
SELECT a.id AS id, 'claims receivable are not awards less payments' AS fault
FROM account a
WHERE a.kind = 'CLAIMS_RECEIVABLE' AND (
    SELECT COALESCE(SUM(e.amount), 0) FROM entry e WHERE e.account = a.id
) <> (
    SELECT COALESCE(SUM(t.amount), 0) FROM transfer t
    WHERE t.target = a.id AND t.kind = 'settle_offline'
) - (
    SELECT COALESCE(SUM(w.amount), 0) FROM award w JOIN claim c ON c.id = w.claim
    WHERE c.channel = a.owner AND w.currency = a.currency
) + (
    SELECT COALESCE(SUM(l.amount), 0)
    FROM statement s
    JOIN line_match m ON m.statement = s.id AND m.carried IS NULL
    JOIN statement_line l ON l.id = m.id
    JOIN transfer t ON t.id = m.transfer
    WHERE s.channel = a.owner AND l.currency = a.currency AND t.kind = 'statement_claim'
        AND NOT EXISTS (SELECT 1 FROM withdrawal w WHERE w.id = m.id))
UNION ALL
SELECT t.id, 'paid for an award that the carrier pays to the merchant'
FROM transfer t
JOIN award w ON w.id = t.award
WHERE t.kind = 'statement_claim' AND w.channel = 'offline';

-- name: O1
-- Whatever is not settled, or promised and not back, has a live job or an open exception
SELECT i.id AS id, i.decision || ' ' || i.movement || ' with nobody at work' AS fault
FROM interception i
WHERE (i.money = 'HELD' OR i.decision IN ('QUEUED', 'SENDING', 'PROCESSING', 'UNKNOWN')
    OR (i.decision IN ('ACCEPTED', 'LATE_ACCEPTED') AND i.movement IN ('NONE', 'RETURNING')))
AND NOT EXISTS (
    SELECT 1 FROM job j WHERE j.subject = i.id AND j.state IN ('wait', 'leased'))
AND NOT EXISTS (
    SELECT 1 FROM exception x WHERE x.subject = i.id AND x.closed_at IS NULL);

-- name: O8
-- Nothing personal is left of a parcel that was purged, and none waits a day too long for it
SELECT p.id AS id, 'a person is left' AS fault
FROM person p JOIN parcel ON parcel.id = p.parcel
WHERE parcel.purged_at > 0
    AND p.name || p.phone || p.province || p.city || p.district || p.street <> ''
UNION ALL
SELECT l.id, 'a title is left'
FROM order_line l JOIN parcel ON parcel.id = l.parcel
WHERE parcel.purged_at > 0 AND l.title <> ''
UNION ALL
SELECT s.id, 'a place is left'
FROM scan s JOIN parcel ON parcel.id = s.parcel
WHERE parcel.purged_at > 0 AND s.place <> ''
UNION ALL
SELECT c.id, 'a description is left'
FROM claim c JOIN parcel ON parcel.id = c.parcel
WHERE parcel.purged_at > 0 AND c.description <> ''
UNION ALL
SELECT f.id, 'a proof is left'
FROM proof f JOIN claim c ON c.id = f.claim JOIN parcel ON parcel.id = c.parcel
WHERE parcel.purged_at > 0 AND (f.text <> '' OR f.uri <> 'erased')
UNION ALL
SELECT b.id, 'a push is kept too long'
FROM inbox b
WHERE :machine_ms > 0 AND b.status <> 'new' AND b.received_at <= :before AND length(b.body) > 0
    AND NOT EXISTS (SELECT 1 FROM exception x WHERE x.subject = b.id
        AND x.closed_at IS NULL AND x.opened_at > :before)
UNION ALL
SELECT p.id, 'its personal data is kept too long'
FROM parcel p
WHERE :machine_ms > 0 AND p.purged_at = 0 AND p.registered_at <= :before
    AND NOT EXISTS (SELECT 1 FROM interception i WHERE i.parcel = p.id
        AND (i.decision IN ('QUEUED', 'SENDING', 'PROCESSING', 'UNKNOWN')
            OR (i.decision IN ('ACCEPTED', 'LATE_ACCEPTED') AND i.movement IN ('NONE', 'RETURNING'))
            OR i.decided_at > :before))
    AND NOT EXISTS (SELECT 1 FROM claim c WHERE c.parcel = p.id
        AND (c.state IN ('FILED', 'UNDER_REVIEW', 'PARTLY_AWARDED')
            OR c.filed_at > :before OR c.decided_at > :before))
    AND NOT EXISTS (SELECT 1 FROM scan s WHERE s.parcel = p.id
        AND (s.at > :before OR s.arrived_at > :before))
    AND NOT EXISTS (SELECT 1 FROM exception x WHERE x.subject = p.id
        AND COALESCE(x.closed_at, x.opened_at) > :before)
    AND NOT EXISTS (SELECT 1 FROM interception i JOIN exception x ON x.subject = i.id
        WHERE i.parcel = p.id AND COALESCE(x.closed_at, x.opened_at) > :before)
    AND NOT EXISTS (SELECT 1 FROM claim c JOIN exception x ON x.subject = c.id
        WHERE c.parcel = p.id AND COALESCE(x.closed_at, x.opened_at) > :before);

-- name: O2
-- No lease outlives its end by a minute while a worker is alive
SELECT id AS id, 'leased and forgotten' AS fault
FROM job
WHERE state = 'leased' AND lease_until < :machine_ms - :grace_ms;

-- Every statement the gateway runs, by name. Parameters are written :name; `IN (:keys)` takes a
-- list of ids. Only what SQLite and PostgreSQL both understand stands here.
--
-- `-- by: x` before a condition: it holds where :x is given. Of a statement's conditions of this
-- kind the first that is given stands as it is, for an index to serve: the way in. All others are
-- asked as `(:x = '' OR …)`, which no index is tried for, of the rows that the way in brings. So a
-- list is as many statements as it has ways in, and the same index serves it at any size.
--
-- `-- at once` after a name: few rows, each found by its key, whatever else there is. An embedded
-- store reads them where the event loop runs; all others may take their time, and have a thread.

-- name: insert_merchant
INSERT INTO merchant (
    id, tenant, kind, cross_border, cancel_order, store_status, contract_signed, wallet_open,
    currency, updated_at
) VALUES (
    :id, :tenant, :kind, :cross_border, :cancel_order, :store_status, :contract_signed,
    :wallet_open, :currency, :updated_at
);

-- name: update_merchant
UPDATE merchant SET
    kind = :kind, cross_border = :cross_border, cancel_order = :cancel_order,
    store_status = :store_status, contract_signed = :contract_signed,
    wallet_open = :wallet_open, updated_at = :updated_at
WHERE id = :id;

-- name: insert_agreement
INSERT INTO agreement (
    id, merchant, agreement, agreement_version, kind, signed_at
) VALUES (
    :id, :merchant, :agreement, :agreement_version, :kind, :signed_at
);

-- name: update_agreement
UPDATE agreement SET
    agreement_version = :agreement_version, kind = :kind, signed_at = :signed_at
WHERE id = :id;

-- name: insert_waybill_service
INSERT INTO waybill_service (
    id, merchant, network, opened
) VALUES (
    :id, :merchant, :network, :opened
);

-- name: update_waybill_service
UPDATE waybill_service SET
    opened = :opened
WHERE id = :id;

-- name: insert_parcel
INSERT INTO parcel (
    id, tenant, merchant, network, channel, account, waybill, epoch, currency, declared, status,
    status_at, read_at, registered_at, purged_at
) VALUES (
    :id, :tenant, :merchant, :network, :channel, :account, :waybill, :epoch, :currency,
    :declared, :status, :status_at, :read_at, :registered_at, :purged_at
);

-- name: update_parcel
UPDATE parcel SET
    channel = :channel, account = :account, status = :status, status_at = :status_at, read_at = :read_at,
    registered_at = :registered_at, purged_at = :purged_at
WHERE id = :id;

-- name: insert_order_line
INSERT INTO order_line (
    id, parcel, order_no, line_no, parcels, cancelled, title, category, quantity, paid_minor,
    declared_minor, list_minor
) VALUES (
    :id, :parcel, :order_no, :line_no, :parcels, :cancelled, :title, :category, :quantity, :paid_minor,
    :declared_minor, :list_minor
);

-- name: update_order_line
UPDATE order_line SET
    cancelled = :cancelled, title = :title
WHERE id = :id;

-- name: insert_person
INSERT INTO person (
    id, parcel, role, name, phone, province, city, district, street
) VALUES (
    :id, :parcel, :role, :name, :phone, :province, :city, :district, :street
);

-- name: update_person
UPDATE person SET
    name = :name, phone = :phone, province = :province, city = :city, district = :district,
    street = :street
WHERE id = :id;

-- name: insert_alias
INSERT INTO alias (
    id, parcel, waybill, network, at
) VALUES (
    :id, :parcel, :waybill, :network, :at
);

-- name: insert_subscription
INSERT INTO subscription (
    id, parcel, due_at, attempts
) VALUES (
    :id, :parcel, :due_at, :attempts
);

-- name: update_subscription
UPDATE subscription SET
    due_at = :due_at, attempts = :attempts
WHERE id = :id;

-- name: insert_scan
INSERT INTO scan (
    id, parcel, waybill, milestone, code, at, arrived_at, marked, place, signer, return_waybill,
    cause, tier
) VALUES (
    :id, :parcel, :waybill, :milestone, :code, :at, :arrived_at, :marked, :place, :signer,
    :return_waybill, :cause, :tier
);

-- name: update_scan
UPDATE scan SET
    at = :at, marked = :marked, place = :place, signer = :signer,
    return_waybill = :return_waybill, cause = :cause, tier = :tier
WHERE id = :id;

-- name: insert_incident
INSERT INTO incident (
    id, parcel, kind, source, evidence, at
) VALUES (
    :id, :parcel, :kind, :source, :evidence, :at
);

-- name: insert_quote
INSERT INTO quote (
    id, tenant, merchant, parcel, channel, status, fee_minor, cap_minor, currency, created_at,
    expires_at, used_by, account
) VALUES (
    :id, :tenant, :merchant, :parcel, :channel, :status, :fee_minor, :cap_minor, :currency,
    :created_at, :expires_at, :used_by, :account
);

-- name: update_quote
UPDATE quote SET
    expires_at = :expires_at, used_by = :used_by
WHERE id = :id;

-- name: insert_interception
INSERT INTO interception (
    id, tenant, merchant, parcel, quote, channel, account, waybill, fee_minor, cap_minor,
    currency, agreement, cancel_ticket, decision, movement, failure, money, cancel, path,
    reason, carrier_code, reference, assumed, version, created_at, sent_at, decided_at,
    promised_at, send_deadline, evidence_by, request_id, network, quoted_status, updated_at
) VALUES (
    :id, :tenant, :merchant, :parcel, :quote, :channel, :account, :waybill, :fee_minor,
    :cap_minor, :currency, :agreement, :cancel_ticket, :decision, :movement, :failure, :money,
    :cancel, :path, :reason, :carrier_code, :reference, :assumed, :version, :created_at,
    :sent_at, :decided_at, :promised_at, :send_deadline, :evidence_by, :request_id, :network,
    :quoted_status, :updated_at
);

-- name: update_interception
UPDATE interception SET
    decision = :decision, movement = :movement, failure = :failure, money = :money,
    cancel = :cancel, path = :path, reason = :reason, carrier_code = :carrier_code,
    reference = :reference, assumed = :assumed, version = :version, sent_at = :sent_at,
    decided_at = :decided_at, promised_at = :promised_at, updated_at = :updated_at
WHERE id = :id AND version <= :version;

-- name: insert_attempt
INSERT INTO attempt (
    id, interception, kind, gen, started_at, started_ms, ended_at, ended_ms, outcome
) VALUES (
    :id, :interception, :kind, :gen, :started_at, :started_ms, :ended_at, :ended_ms, :outcome
);

-- name: update_attempt
UPDATE attempt SET
    ended_at = :ended_at, ended_ms = :ended_ms, outcome = :outcome
WHERE id = :id;

-- name: insert_inbox
INSERT INTO inbox (
    id, channel, account, tier, verified, body, content_type, sha256, received_at, applied_at,
    status
) VALUES (
    :id, :channel, :account, :tier, :verified, :body, :content_type, :sha256, :received_at,
    :applied_at, :status
);

-- name: update_inbox
UPDATE inbox SET
    body = :body, applied_at = :applied_at, status = :status
WHERE id = :id;

-- name: insert_evidence
INSERT INTO evidence (
    id, interception, kind, tier, attempt, inbox, verdict, reason, code, reference, assumed, at
) VALUES (
    :id, :interception, :kind, :tier, :attempt, :inbox, :verdict, :reason, :code, :reference,
    :assumed, :at
);

-- name: insert_event
INSERT INTO event (
    id, interception, tenant, seq, col, source, target, cause, evidence, actor, at
) VALUES (
    :id, :interception, :tenant, :seq, :col, :source, :target, :cause, :evidence, :actor, :at
);

-- name: insert_job
INSERT INTO job (
    id, subject, kind, channel, account, state, gen, owner, lease_until, due_at, attempts, crashes
) VALUES (
    :id, :subject, :kind, :channel, :account, :state, :gen, :owner, :lease_until, :due_at,
    :attempts, :crashes
);

-- name: update_job
UPDATE job SET
    state = :state, gen = :gen, owner = :owner, lease_until = :lease_until, due_at = :due_at,
    attempts = :attempts, crashes = :crashes
WHERE id = :id;

-- name: insert_exception
INSERT INTO exception (
    id, subject, tenant, kind, detail, opened_at, closed_at, closed_by, resolution
) VALUES (
    :id, :subject, :tenant, :kind, :detail, :opened_at, :closed_at, :closed_by, :resolution
);

-- name: update_exception
UPDATE exception SET
    detail = :detail, opened_at = :opened_at, closed_at = :closed_at, closed_by = :closed_by,
    resolution = :resolution
WHERE id = :id;

-- name: insert_account
INSERT INTO account (
    id, kind, owner, currency, balance
) VALUES (
    :id, :kind, :owner, :currency, :balance
);

-- name: update_account
UPDATE account SET
    balance = :balance
WHERE id = :id;

-- name: insert_claim
INSERT INTO claim (
    id, tenant, merchant, interception, parcel, channel, account, kind, order_no, line_no,
    loss_minor, granted_minor, currency, description, state, desk, reference, reason, filed_by,
    filed_at, decided_at, version
) VALUES (
    :id, :tenant, :merchant, :interception, :parcel, :channel, :account, :kind, :order_no,
    :line_no, :loss_minor, :granted_minor, :currency, :description, :state, :desk, :reference,
    :reason, :filed_by, :filed_at, :decided_at, :version
);

-- name: update_claim
UPDATE claim SET
    granted_minor = :granted_minor, state = :state, desk = :desk, reference = :reference,
    reason = :reason, decided_at = :decided_at, version = :version, description = :description
WHERE id = :id AND version <= :version;

-- name: insert_proof
INSERT INTO proof (
    id, claim, kind, uri, text, sha256, supplied_at
) VALUES (
    :id, :claim, :kind, :uri, :text, :sha256, :supplied_at
);

-- name: update_proof
UPDATE proof SET
    uri = :uri, text = :text
WHERE id = :id;

-- name: insert_award
INSERT INTO award (
    id, claim, parcel, order_no, line_no, amount, currency, channel, decision_key, actor, at
) VALUES (
    :id, :claim, :parcel, :order_no, :line_no, :amount, :currency, :channel, :decision_key,
    :actor, :at
);

-- name: insert_transfer
INSERT INTO transfer (
    id, kind, source, target, amount, currency, interception, award, dedup, actor, cause, at
) VALUES (
    :id, :kind, :source, :target, :amount, :currency, :interception, :award, :dedup, :actor,
    :cause, :at
);

-- name: insert_statement
INSERT INTO statement (
    id, tenant, channel, account, sha256, number, period_from, period_to, total_minor, currency,
    sum_minor, parts, corrects, corrected, actor, received_at, arrived, last_line, step, cursor, judged_to,
    awards_to, posted_at
) VALUES (
    :id, :tenant, :channel, :account, :sha256, :number, :period_from, :period_to, :total_minor,
    :currency, :sum_minor, :parts, :corrects, :corrected, :actor, :received_at, :arrived,
    :last_line, :step, :cursor, :judged_to, :awards_to, :posted_at
);

-- name: update_statement
UPDATE statement SET
    sum_minor = :sum_minor, corrected = :corrected, arrived = :arrived,
    last_line = :last_line, step = :step, cursor = :cursor, judged_to = :judged_to,
    awards_to = :awards_to, posted_at = :posted_at
WHERE id = :id;

-- name: insert_statement_part
INSERT INTO statement_part (
    id, statement, part, lines, fingerprint, at
) VALUES (
    :id, :statement, :part, :lines, :fingerprint, :at
);

-- name: insert_statement_line
INSERT INTO statement_line (
    id, statement, part, line_no, kind, reference, waybill, amount, currency, at, mark
) VALUES (
    :id, :statement, :part, :line_no, :kind, :reference, :waybill, :amount, :currency, :at,
    :mark
);

-- name: insert_line_match
INSERT INTO line_match (
    id, statement, state, interception, claim, award, settles, carried, transfer
) VALUES (
    :id, :statement, :state, :interception, :claim, :award, :settles, :carried, :transfer
);

-- name: insert_withdrawal
INSERT INTO withdrawal (
    id, statement, transfer
) VALUES (
    :id, :statement, :transfer
);

-- name: insert_difference
INSERT INTO difference (
    id, statement, line_no, waybill, interception, claim, award, expected, actual, currency
) VALUES (
    :id, :statement, :line_no, :waybill, :interception, :claim, :award, :expected, :actual,
    :currency
);

-- name: insert_request
INSERT INTO request (
    id, method, fingerprint, subject, at
) VALUES (
    :id, :method, :fingerprint, :subject, :at
);


-- Loading a batch: by id, or by the id of the parent. -------------------------------------

-- name: load_request
SELECT * FROM request WHERE id IN (:keys);

-- name: load_inbox
SELECT * FROM inbox WHERE id IN (:keys);

-- name: load_quote
SELECT * FROM quote WHERE id IN (:keys);

-- name: load_award
SELECT * FROM award WHERE id IN (:keys);

-- name: load_claim
SELECT * FROM claim WHERE id IN (:keys);

-- name: load_interception
SELECT * FROM interception WHERE id IN (:keys);

-- name: load_alias_by_number
SELECT * FROM alias WHERE (network || '/' || waybill) IN (:keys);

-- name: load_parcel_by_number
SELECT * FROM parcel WHERE (network || '/' || waybill) IN (:keys);

-- name: load_parcel
SELECT * FROM parcel WHERE id IN (:keys);

-- name: load_merchant
SELECT * FROM merchant WHERE id IN (:keys);

-- name: load_account
SELECT * FROM account WHERE id IN (:keys);

-- name: load_transfer
SELECT * FROM transfer WHERE dedup IN (:keys);

-- name: load_exception
SELECT * FROM exception WHERE id IN (:keys);

-- name: agreement_of
SELECT * FROM agreement WHERE merchant IN (:keys);

-- name: waybill_service_of
SELECT * FROM waybill_service WHERE merchant IN (:keys);

-- name: order_line_of
SELECT * FROM order_line WHERE parcel IN (:keys) ORDER BY id;

-- name: person_of
SELECT * FROM person WHERE parcel IN (:keys);

-- name: subscription_of
SELECT * FROM subscription WHERE id IN (:keys);

-- name: subscriptions_due
SELECT * FROM subscription WHERE due_at <= :now ORDER BY due_at, id LIMIT :limit;

-- name: alias_of
SELECT * FROM alias WHERE parcel IN (:keys);

-- name: scan_of
SELECT * FROM scan WHERE parcel IN (:keys);

-- name: incident_of
SELECT * FROM incident WHERE parcel IN (:keys);

-- name: interception_of
SELECT * FROM interception WHERE parcel IN (:keys) ORDER BY created_at, id;

-- name: claim_of
SELECT * FROM claim WHERE parcel IN (:keys) ORDER BY filed_at, id;

-- name: award_of
SELECT * FROM award WHERE claim IN (:keys) ORDER BY at, id;

-- name: proof_of
SELECT * FROM proof WHERE claim IN (:keys) ORDER BY id;

-- name: attempt_of
SELECT * FROM attempt WHERE interception IN (:keys) ORDER BY started_at, id;

-- name: evidence_of
SELECT * FROM evidence WHERE interception IN (:keys) ORDER BY at, id;

-- name: job_of
SELECT * FROM job WHERE subject IN (:keys);

-- name: exception_of
SELECT * FROM exception WHERE subject IN (:keys);

-- name: jobs_due
SELECT * FROM job WHERE kind IN (:kinds)
    AND state = 'wait' AND due_at <= :now
    AND (CASE WHEN kind IN ('submit', 'withdraw') THEN 'send ' ELSE 'read ' END
        || channel || '/' || account) NOT IN (:busy)
    ORDER BY due_at, id LIMIT :limit;

-- name: jobs_expired
SELECT job.* FROM job JOIN interception ON interception.id = job.subject
    WHERE job.kind = 'submit' AND job.state = 'wait' AND job.due_at <= :now
    AND interception.decision = 'QUEUED' AND interception.send_deadline <= :now
    ORDER BY job.due_at, job.id LIMIT :limit;

-- name: jobs_left
SELECT * FROM job WHERE kind IN (:kinds)
    AND state = 'leased' AND lease_until <= :machine_ms ORDER BY lease_until, id LIMIT :limit;

-- Where other writers share the store: the parcels that everything named hangs on, and jobs as
-- they stand once their parcels are locked. What names a parcel never names another.

-- name: parcels_of
SELECT interception.parcel AS id FROM request
    JOIN interception ON interception.id = request.subject WHERE request.id IN (:requests)
UNION SELECT claim.parcel FROM request
    JOIN claim ON claim.id = request.subject WHERE request.id IN (:requests)
UNION SELECT award.parcel FROM request
    JOIN award ON award.id = request.subject WHERE request.id IN (:requests)
UNION SELECT parcel FROM quote WHERE id IN (:quotes)
UNION SELECT parcel FROM interception WHERE id IN (:interceptions)
UNION SELECT parcel FROM claim WHERE id IN (:claims)
UNION SELECT parcel FROM award WHERE id IN (:awards)
UNION SELECT parcel FROM alias WHERE (network || '/' || waybill) IN (:waybills)
UNION SELECT id FROM parcel WHERE (network || '/' || waybill) IN (:waybills);

-- name: jobs_of_parcels
SELECT job.* FROM job JOIN interception ON interception.id = job.subject
    WHERE job.id IN (:jobs) AND interception.parcel IN (:keys)
UNION ALL
SELECT job.* FROM job JOIN claim ON claim.id = job.subject
    WHERE job.id IN (:jobs) AND claim.parcel IN (:keys)
    ORDER BY due_at, id;

-- Statements: a chunk of lines, and whatever of ours it may be about. ------------------------

-- name: load_statement
SELECT * FROM statement WHERE id IN (:keys);

-- name: load_statement_by_number
SELECT * FROM statement WHERE (channel || '/' || account || '/' || number) IN (:keys);

-- name: load_statement_line
SELECT * FROM statement_line WHERE id IN (:keys);

-- name: part_of
SELECT * FROM statement_part WHERE statement IN (:keys);

-- name: lines_after
SELECT * FROM statement_line WHERE statement = :statement AND line_no > :after
    ORDER BY line_no LIMIT :limit;

-- name: lines_like
SELECT * FROM statement_line WHERE statement IN (:keys) AND mark IN (:marks);

-- name: named_by_lines
SELECT id FROM interception WHERE id IN (:keys)
UNION SELECT id FROM interception WHERE reference <> '' AND reference IN (:keys)
UNION SELECT interception.id FROM parcel JOIN interception ON interception.parcel = parcel.id
    WHERE (parcel.network || '/' || parcel.waybill) IN (:waybills)
UNION SELECT interception.id FROM alias JOIN interception ON interception.parcel = alias.parcel
    WHERE (alias.network || '/' || alias.waybill) IN (:waybills);

-- name: claimed_by_lines
SELECT id FROM claim WHERE id IN (:keys)
UNION SELECT id FROM claim WHERE reference <> '' AND reference IN (:keys)
UNION SELECT claim FROM award WHERE id IN (:keys)
UNION SELECT claim.id FROM parcel JOIN claim ON claim.parcel = parcel.id
    WHERE (parcel.network || '/' || parcel.waybill) IN (:waybills)
UNION SELECT claim.id FROM alias JOIN claim ON claim.parcel = alias.parcel
    WHERE (alias.network || '/' || alias.waybill) IN (:waybills);

-- name: load_line_match
SELECT * FROM line_match WHERE id IN (:keys);

-- name: match_of_interception
SELECT * FROM line_match WHERE interception IN (:keys);

-- name: match_of_claim
SELECT * FROM line_match WHERE claim IN (:keys);

-- name: load_withdrawal
SELECT * FROM withdrawal WHERE id IN (:keys);

-- name: difference_of
SELECT * FROM difference WHERE interception IN (:keys);

-- name: difference_of_claims
SELECT * FROM difference WHERE claim IN (:keys);

-- name: load_transfer_by_id
SELECT * FROM transfer WHERE id IN (:keys);

-- What the statements of an account should have said by now: ids, and what a page begins after. -

-- name: judged_span
SELECT COALESCE(MIN(period_from), 0) AS since, COALESCE(MAX(judged_to), 0) AS until,
    COALESCE(MAX(awards_to), 0) AS paid
    FROM statement WHERE channel = :channel AND account = :account
    AND step IN ('JUDGING', 'POSTED');

-- name: unbilled
SELECT transfer.at, interception.id
    FROM account
    JOIN transfer ON transfer.target = account.id AND transfer.kind = 'capture'
    JOIN interception ON interception.id = transfer.interception
    WHERE account.owner = :channel AND account.kind = 'FEES_PAYABLE'
    AND transfer.at >= :since AND transfer.at < :until
    AND (transfer.at > :after OR (transfer.at = :after AND interception.id > :last))
    AND interception.account = :account AND interception.money = 'CAPTURED'
    AND NOT EXISTS (SELECT 1 FROM line_match m JOIN statement_line l ON l.id = m.id
        WHERE m.interception = interception.id AND m.carried IS NULL AND l.kind = 'FEE'
        AND NOT EXISTS (SELECT 1 FROM withdrawal w WHERE w.id = m.id))
    AND NOT EXISTS (SELECT 1 FROM difference d JOIN exception x ON x.id = d.id
        WHERE d.interception = interception.id AND x.kind = 'FEE_NOT_BILLED')
    ORDER BY transfer.at, interception.id LIMIT :limit;

-- name: uncredited
SELECT transfer.at, interception.id
    FROM account
    JOIN transfer ON transfer.source = account.id AND transfer.kind = 'refund'
    JOIN interception ON interception.id = transfer.interception
    WHERE account.owner = :channel AND account.kind = 'FEES_PAYABLE' AND transfer.at < :until
    AND (transfer.at > :after OR (transfer.at = :after AND interception.id > :last))
    AND interception.account = :account
    AND EXISTS (SELECT 1 FROM line_match m
        JOIN statement_line l ON l.id = m.id
        JOIN statement s ON s.id = m.statement
        WHERE m.interception = interception.id AND m.carried IS NULL AND l.kind = 'FEE'
        AND m.state <> 'UNMATCHED' AND s.period_to <= :billed
        AND NOT EXISTS (SELECT 1 FROM withdrawal w WHERE w.id = m.id)
        AND NOT EXISTS (SELECT 1 FROM line_match c WHERE c.settles = m.id AND c.carried IS NULL
            AND NOT EXISTS (SELECT 1 FROM withdrawal w WHERE w.id = c.id)))
    AND NOT EXISTS (SELECT 1 FROM difference d JOIN exception x ON x.id = d.id
        WHERE d.interception = interception.id AND x.kind = 'REFUND_NOT_CREDITED')
    ORDER BY transfer.at, interception.id LIMIT :limit;

-- name: unpaid
SELECT transfer.at, award.id
    FROM account
    JOIN transfer ON transfer.source = account.id AND transfer.kind = 'award'
    JOIN award ON award.id = transfer.award
    JOIN claim ON claim.id = award.claim
    WHERE account.owner = :channel AND account.kind = 'CLAIMS_RECEIVABLE'
    AND transfer.at >= :since AND transfer.at < :until
    AND (transfer.at > :after OR (transfer.at = :after AND award.id > :last))
    AND claim.account = :account
    AND NOT EXISTS (SELECT 1 FROM transfer p WHERE p.award = award.id AND p.kind = 'settle_offline')
    AND NOT EXISTS (SELECT 1 FROM line_match m
        WHERE m.claim = claim.id AND m.award = award.id AND m.carried IS NULL
        AND m.state <> 'UNMATCHED'
        AND NOT EXISTS (SELECT 1 FROM withdrawal w WHERE w.id = m.id))
    AND (SELECT COALESCE(SUM(l.amount), 0) FROM line_match m JOIN statement_line l ON l.id = m.id
        WHERE m.claim = claim.id AND m.award IS NULL AND m.carried IS NULL
        AND m.state <> 'UNMATCHED'
        AND NOT EXISTS (SELECT 1 FROM withdrawal w WHERE w.id = m.id))
        < (SELECT SUM(b.amount) FROM award b WHERE b.claim = claim.id
        AND (b.at < award.at OR (b.at = award.at AND b.id <= award.id)))
    AND NOT EXISTS (SELECT 1 FROM difference d JOIN exception x ON x.id = d.id
        WHERE d.claim = claim.id AND d.award = award.id AND x.kind = 'AWARD_UNPAID')
    ORDER BY transfer.at, award.id LIMIT :limit;

-- name: half_posted
SELECT id FROM statement WHERE step NOT IN ('RECEIVING', 'POSTED') ORDER BY received_at, id
    LIMIT 1000;

-- name: differences
SELECT * FROM difference ORDER BY statement, line_no, id;

-- name: statement_counts
SELECT m.state, COUNT(*) AS n FROM line_match m WHERE m.statement = :statement GROUP BY m.state;

-- name: difference_count
SELECT COUNT(*) AS n FROM difference WHERE statement = :statement;

-- name: newest_event_at
SELECT COALESCE(MAX(at), 0) AS at FROM event;

-- name: next_due
-- at once
SELECT MIN(due_at) AS due FROM job WHERE state = 'wait';

-- name: leased
SELECT COUNT(*) AS n FROM job WHERE state = 'leased';

-- name: due_count
SELECT (SELECT COUNT(*) FROM job WHERE state = 'wait' AND due_at <= :now)
    + (SELECT COUNT(*) FROM subscription WHERE due_at <= :now) AS n;

-- name: expire_leases
UPDATE job SET lease_until = :now WHERE state = 'leased' AND owner <> :owner;

-- name: inbox_new
SELECT * FROM inbox WHERE status = 'new' ORDER BY received_at, id LIMIT :limit;

-- What is old enough to be erased: `gateway/domain/retention.py` decides, this only looks. ---

-- name: parcels_to_purge
SELECT parcel.id FROM parcel
    WHERE parcel.purged_at = 0 AND parcel.registered_at <= :before
    AND NOT EXISTS (SELECT 1 FROM interception i WHERE i.parcel = parcel.id
        AND (i.decision IN ('QUEUED', 'SENDING', 'PROCESSING', 'UNKNOWN')
            OR (i.decision IN ('ACCEPTED', 'LATE_ACCEPTED') AND i.movement IN ('NONE', 'RETURNING'))
            OR i.decided_at > :before))
    AND NOT EXISTS (SELECT 1 FROM claim c WHERE c.parcel = parcel.id
        AND (c.state IN ('FILED', 'UNDER_REVIEW', 'PARTLY_AWARDED')
            OR c.filed_at > :before OR c.decided_at > :before))
    AND NOT EXISTS (SELECT 1 FROM scan s WHERE s.parcel = parcel.id
        AND (s.at > :before OR s.arrived_at > :before))
    AND NOT EXISTS (SELECT 1 FROM exception x WHERE x.subject = parcel.id
        AND COALESCE(x.closed_at, x.opened_at) > :before)
    AND NOT EXISTS (SELECT 1 FROM interception i JOIN exception x ON x.subject = i.id
        WHERE i.parcel = parcel.id AND COALESCE(x.closed_at, x.opened_at) > :before)
    AND NOT EXISTS (SELECT 1 FROM claim c JOIN exception x ON x.subject = c.id
        WHERE c.parcel = parcel.id AND COALESCE(x.closed_at, x.opened_at) > :before)
    ORDER BY parcel.registered_at, parcel.id LIMIT :limit;

-- name: pushes_to_purge
SELECT inbox.id FROM inbox
    WHERE inbox.status <> 'new' AND inbox.received_at <= :before AND length(inbox.body) > 0
    AND NOT EXISTS (SELECT 1 FROM exception x WHERE x.subject = inbox.id
        AND x.closed_at IS NULL AND x.opened_at > :before)
    ORDER BY inbox.received_at, inbox.id LIMIT :limit;

-- Reading for answers. ---------------------------------------------------------------------

-- name: newest_position
-- at once
SELECT COALESCE(MAX(position), 0) AS position FROM event;

-- name: events_of_all
-- at once
SELECT event.* FROM event WHERE position > :after ORDER BY position LIMIT :limit;

-- name: events_of_tenant
SELECT event.* FROM event WHERE tenant = :tenant AND position > :after
    ORDER BY position LIMIT :limit;

-- name: events_of_interception
SELECT event.* FROM event WHERE tenant = :tenant AND interception = :interception
    AND position > :after ORDER BY position LIMIT :limit;

-- Along the log: a join would gather and sort all that a merchant ever had, for every page.
-- name: events_of_merchant
SELECT event.* FROM event WHERE tenant = :tenant AND position > :after
    AND (SELECT merchant FROM interception WHERE id = event.interception) = :merchant
    ORDER BY position LIMIT :limit;

-- name: inbox_count
SELECT COUNT(*) AS n FROM inbox WHERE status = 'new';

-- name: lines_of_parcel
-- at once
SELECT * FROM order_line WHERE parcel = :parcel ORDER BY id;

-- name: people_of_parcel
-- at once
SELECT * FROM person WHERE parcel = :parcel;

-- name: aliases_of_parcel
-- at once
SELECT * FROM alias WHERE parcel = :parcel;

-- name: scans_of_parcel
-- at once
SELECT * FROM scan WHERE parcel = :parcel ORDER BY at, id;

-- name: incidents_of_parcel
-- at once
SELECT * FROM incident WHERE parcel = :parcel ORDER BY at, id;

-- name: interceptions_of_parcel
-- at once
SELECT * FROM interception WHERE parcel = :parcel ORDER BY created_at, id;

-- name: claims_of_parcel
-- at once
SELECT * FROM claim WHERE parcel = :parcel ORDER BY filed_at, id;

-- name: parcel_by_number
-- at once
SELECT * FROM parcel WHERE network = :network AND waybill = :waybill
    ORDER BY epoch DESC LIMIT 1;

-- name: parcel
-- at once
SELECT * FROM parcel WHERE id = :id;

-- name: quote
-- at once
SELECT * FROM quote WHERE id = :id;

-- name: interception
-- at once
SELECT * FROM interception WHERE id = :id;

-- name: claim
-- at once
SELECT * FROM claim WHERE id = :id;

-- name: merchant
-- at once
SELECT * FROM merchant WHERE id = :id;

-- name: oldest_undecided
SELECT MIN(created_at) AS at FROM interception
    WHERE (decision = 'PROCESSING' OR decision = 'QUEUED' OR decision = 'SENDING'
        OR decision = 'UNKNOWN');

-- name: held_by_currency
SELECT currency, SUM(balance) AS minor FROM account WHERE kind = 'HELD' GROUP BY currency;

-- name: open_exceptions_by_kind
SELECT kind, COUNT(*) AS n FROM exception WHERE closed_at IS NULL GROUP BY kind;

-- Lists, newest first; exceptions oldest first. A filter that is empty or 0 asks for any; the
-- cursor is (time, id) of the last row seen, or the time that the list begins at. Lists of values
-- come as one text: ",A,B,".

-- name: interceptions
SELECT interception.* FROM interception
    WHERE created_at >= :after AND (created_at, id) < (:cursor_at, :cursor_id)
    -- by: waybill
    AND parcel IN (SELECT parcel.id FROM parcel WHERE parcel.waybill = :waybill
        UNION SELECT alias.parcel FROM alias WHERE alias.waybill = :waybill)
    -- by: order_no
    AND parcel IN (SELECT order_line.parcel FROM order_line WHERE order_line.order_no = :order_no)
    -- by: cancel_ticket
    AND cancel_ticket <> '' AND cancel_ticket = :cancel_ticket
    -- by: merchant
    AND merchant = :merchant
    -- by: tenant
    AND tenant = :tenant
    AND (:channel = '' OR channel = :channel)
    AND (:stands = '' OR :stands LIKE '%,' || decision || '/' || movement || ',%')
    AND (:decisions = '' OR :decisions LIKE '%,' || decision || ',%')
    AND (:moneys = '' OR :moneys LIKE '%,' || money || ',%')
    ORDER BY created_at DESC, id DESC LIMIT :limit;

-- name: claims
SELECT claim.* FROM claim
    WHERE filed_at >= :after AND (filed_at, id) < (:cursor_at, :cursor_id)
    AND (:interception = '' OR interception = :interception)
    -- by: interception
    AND parcel = (SELECT i.parcel FROM interception i WHERE i.id = :interception)
    -- by: waybill
    AND parcel IN (SELECT parcel.id FROM parcel WHERE parcel.waybill = :waybill
        UNION SELECT alias.parcel FROM alias WHERE alias.waybill = :waybill)
    -- by: merchant
    AND merchant = :merchant
    -- by: tenant
    AND tenant = :tenant
    AND (:channel = '' OR channel = :channel)
    AND (:states = '' OR :states LIKE '%,' || state || ',%')
    ORDER BY filed_at DESC, id DESC LIMIT :limit;

-- Of a merchant: those of one interception or claim, or else those of one of its accounts, on one
-- side. Of several accounts at once either engine would gather and sort all there ever were.
-- name: transfers_of_merchant
SELECT transfer.* FROM transfer
    WHERE at >= :after AND (at, id) < (:cursor_at, :cursor_id)
    -- by: claim
    AND award IN (SELECT award.id FROM award WHERE award.claim = :claim)
    -- by: interception
    AND interception = :interception
    -- by: source
    AND source = :source
    -- by: target
    AND target = :target
    -- by: merchant
    AND (source IN (SELECT account.id FROM account WHERE account.owner = :merchant)
        OR target IN (SELECT account.id FROM account WHERE account.owner = :merchant))
    AND (:wanted = '' OR :wanted LIKE '%,' || kind || ',%')
    ORDER BY at DESC, id DESC LIMIT :limit;

-- name: account_ids_of_merchant
-- at once
SELECT id FROM account WHERE owner = :merchant ORDER BY id;

-- name: exceptions
SELECT exception.id, exception.kind, exception.detail, exception.opened_at,
    exception.closed_at, exception.closed_by, exception.resolution,
    COALESCE(interception.id, '') AS interception,
    COALESCE(claim.id, '') AS claim,
    COALESCE(interception.merchant, claim.merchant, '') AS merchant,
    COALESCE(statement.channel, interception.channel, claim.channel, '') AS channel,
    COALESCE(interception.waybill, difference.waybill, '') AS waybill,
    COALESCE(difference.award, '') AS award, COALESCE(difference.statement, '') AS statement,
    COALESCE(difference.line_no, 0) AS line_no, difference.expected, difference.actual,
    COALESCE(difference.currency, '') AS currency
    FROM exception
    LEFT JOIN difference ON difference.id = exception.id
    LEFT JOIN statement ON statement.id = difference.statement
    LEFT JOIN claim ON claim.id = COALESCE(difference.claim, exception.subject)
    LEFT JOIN interception ON interception.id
        = COALESCE(difference.interception, claim.interception, exception.subject)
    WHERE (exception.opened_at, exception.id) > (:cursor_at, :cursor_id)
    AND exception.opened_at < :before
    AND (exception.tenant = :tenant
        OR (exception.tenant = '' AND interception.id IS NULL AND claim.id IS NULL))
    AND (:claim = '' OR claim.id = :claim)
    AND (:interception = '' OR interception.id = :interception)
    -- by: claim
    AND exception.id IN (SELECT x.id FROM exception x WHERE x.subject = :claim
        UNION SELECT d.id FROM difference d WHERE d.claim = :claim)
    -- by: interception
    AND exception.id IN (SELECT x.id FROM exception x WHERE x.subject = :interception
        UNION SELECT d.id FROM difference d WHERE d.interception = :interception
        UNION SELECT x.id FROM interception i JOIN claim c ON c.parcel = i.parcel
            JOIN exception x ON x.subject = c.id WHERE i.id = :interception
        UNION SELECT d.id FROM interception i JOIN claim c ON c.parcel = i.parcel
            JOIN difference d ON d.claim = c.id WHERE i.id = :interception)
    -- by: statement
    AND exception.id IN (SELECT d.id FROM difference d WHERE d.statement = :statement)
    -- by: open
    AND exception.closed_at IS NULL
    AND (:wanted = '' OR :wanted LIKE '%,' || exception.kind || ',%')
    AND (:channel = ''
        OR COALESCE(statement.channel, interception.channel, claim.channel) = :channel)
    AND (:merchant = '' OR COALESCE(interception.merchant, claim.merchant) = :merchant)
    ORDER BY exception.opened_at, exception.id LIMIT :limit;

-- name: parcel_by_alias
-- at once
SELECT parcel.* FROM parcel JOIN alias ON alias.parcel = parcel.id
    WHERE (alias.network || '/' || alias.waybill) = :network || '/' || :waybill
    ORDER BY alias.at DESC, parcel.id;

-- name: request
-- at once
SELECT * FROM request WHERE id = :id;

-- name: transfer
-- at once
SELECT * FROM transfer WHERE id = :id;

-- name: transfers_of_interception
-- at once
SELECT * FROM transfer WHERE interception = :interception ORDER BY at, id;

-- name: transfers_of_award
-- at once
SELECT * FROM transfer WHERE award = :award ORDER BY at, id;

-- name: accounts_of_merchant
SELECT account.id, account.kind, account.owner, account.currency,
    COALESCE(account.balance,
        (SELECT COALESCE(SUM(amount), 0) FROM entry WHERE entry.account = account.id)) AS balance
    FROM account WHERE owner = :merchant ORDER BY id;

-- name: agreements_of_merchant
-- at once
SELECT * FROM agreement WHERE merchant = :merchant ORDER BY id;

-- name: services_of_merchant
-- at once
SELECT * FROM waybill_service WHERE merchant = :merchant ORDER BY id;

-- name: attempts_of_interception
-- at once
SELECT * FROM attempt WHERE interception = :interception ORDER BY started_at, id;

-- name: evidence_of_interception
-- at once
SELECT * FROM evidence WHERE interception = :interception ORDER BY at, id;

-- name: evidence_by_id
-- at once
SELECT * FROM evidence WHERE id IN (:keys);

-- name: interceptions_by_id
-- at once
SELECT * FROM interception WHERE id IN (:keys);

-- What interceptions show of other rows: a row for each of them, lists as JSON, oldest first.
-- name: beside
-- at once
SELECT i.id AS interception,
    COALESCE((SELECT MAX(a.waybill) FROM alias a WHERE a.parcel = i.parcel), '')
        AS return_waybill,
    (SELECT json_group_array(l.order_no) FROM (SELECT order_no FROM order_line
        WHERE order_line.parcel = i.parcel ORDER BY order_line.id) l) AS order_nos,
    (SELECT json_group_array(c.id) FROM (SELECT id FROM claim WHERE claim.parcel = i.parcel
        AND claim.interception = i.id ORDER BY claim.filed_at, claim.id) c) AS claim_ids,
    (SELECT COUNT(*) FROM exception x WHERE x.subject = i.id AND x.closed_at IS NULL)
        AS open_exceptions
    FROM interception i WHERE i.id IN (:keys);

-- name: exceptions_of
-- at once
SELECT * FROM exception WHERE subject = :subject ORDER BY opened_at, id;

-- name: proofs_of_claim
-- at once
SELECT * FROM proof WHERE claim = :claim ORDER BY id;

-- name: awards_of_claim
-- at once
SELECT * FROM award WHERE claim = :claim ORDER BY at, id;

-- name: awards_of_parcel
-- at once
SELECT * FROM award WHERE parcel = :parcel ORDER BY at, id;

-- name: open_lanes
SELECT channel, account FROM job WHERE state = 'wait'
    UNION SELECT channel, account FROM job WHERE state = 'leased';

-- After a restore: pages of ids, each after the last one of the page before. ----------------

-- name: safe_mode
-- at once
SELECT * FROM safe_mode;

-- name: taken_at
SELECT COALESCE(MAX(at), 0) AS at FROM event WHERE at < :since;

-- name: doubtful
SELECT id FROM interception WHERE id > :last
    AND (decision IN ('QUEUED', 'SENDING', 'PROCESSING', 'UNKNOWN')
        OR cancel IN ('ASKED', 'SENT')
        OR (decision IN ('ACCEPTED', 'LATE_ACCEPTED')
            AND movement IN ('NONE', 'RETURNING', 'LOST')))
    ORDER BY id LIMIT :limit;

-- name: claims_being_filed
SELECT claim.id FROM claim JOIN job ON job.subject = claim.id AND job.kind = 'claim'
    WHERE claim.id > :last AND job.state IN ('wait', 'leased')
    ORDER BY claim.id LIMIT :limit;

-- name: quotes_open
SELECT id FROM quote WHERE id > :last AND used_by IS NULL AND expires_at > :now
    ORDER BY id LIMIT :limit;

-- name: parcels_read
SELECT id FROM parcel WHERE id > :last AND read_at > :since AND read_at < :until
    ORDER BY id LIMIT :limit;

-- name: unread
SELECT interception.id, interception.channel, interception.waybill, interception.decision,
    interception.movement FROM interception JOIN parcel ON parcel.id = interception.parcel
    WHERE interception.id > :last AND parcel.read_at < :since
    AND (interception.decision IN ('PROCESSING', 'UNKNOWN')
        OR (interception.decision IN ('ACCEPTED', 'LATE_ACCEPTED')
            AND interception.movement IN ('NONE', 'RETURNING', 'LOST')))
    ORDER BY interception.id LIMIT :limit;

-- name: unread_count
SELECT COUNT(*) AS n FROM interception JOIN parcel ON parcel.id = interception.parcel
    WHERE parcel.read_at < :since
    AND (interception.decision IN ('PROCESSING', 'UNKNOWN')
        OR (interception.decision IN ('ACCEPTED', 'LATE_ACCEPTED')
            AND interception.movement IN ('NONE', 'RETURNING', 'LOST')));

-- name: undecided_by_decision
SELECT decision, COUNT(*) AS n FROM interception
    WHERE (decision = 'PROCESSING' OR decision = 'QUEUED' OR decision = 'SENDING'
        OR decision = 'UNKNOWN') GROUP BY decision ORDER BY decision;

-- name: due_reads
SELECT COUNT(*) AS n FROM job
    WHERE state = 'wait' AND due_at <= :now AND kind IN ('follow', 'claim_follow');

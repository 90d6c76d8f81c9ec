-- The schema states the invariants first; code comes second, the audit third.
-- Words in braces are filled in by the driver: {int} {bytes} {end} by its dialect, the lists of
-- values and the edges by the tables in gateway/domain.

CREATE TABLE merchant (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL,
    cross_border {int} NOT NULL CHECK (cross_border IN (0, 1)),
    cancel_order {int} NOT NULL CHECK (cancel_order IN (0, 1)),
    store_status TEXT NOT NULL CHECK (store_status IN ({store_status})),
    contract_signed {int} NOT NULL CHECK (contract_signed IN (0, 1)),
    wallet_open {int} NOT NULL CHECK (wallet_open IN (0, 1)),
    currency TEXT NOT NULL CHECK (length(currency) = 3),
    updated_at {int} NOT NULL
) {end};

CREATE TABLE agreement (
    id TEXT PRIMARY KEY,
    merchant TEXT NOT NULL REFERENCES merchant (id),
    agreement TEXT NOT NULL,
    agreement_version TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ({agreement_kind})),
    signed_at {int} NOT NULL
) {end};
CREATE INDEX agreement_of_merchant ON agreement (merchant);

CREATE TABLE waybill_service (
    id TEXT PRIMARY KEY,
    merchant TEXT NOT NULL REFERENCES merchant (id),
    network TEXT NOT NULL,
    opened {int} NOT NULL CHECK (opened IN (0, 1))
) {end};
CREATE INDEX waybill_service_of_merchant ON waybill_service (merchant);

CREATE TABLE parcel (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL REFERENCES merchant (id),
    network TEXT NOT NULL,
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    waybill TEXT NOT NULL,
    epoch {int} NOT NULL CHECK (epoch > 0),
    currency TEXT NOT NULL,
    declared TEXT NOT NULL CHECK (declared IN ({status})),
    status TEXT NOT NULL CHECK (status IN ({status})),
    status_at {int} NOT NULL,
    read_at {int} NOT NULL,
    registered_at {int} NOT NULL,
    purged_at {int} NOT NULL,
    UNIQUE (network, waybill, epoch)
) {end};
CREATE INDEX parcel_number ON parcel ((network || '/' || waybill));
CREATE INDEX parcel_by_waybill ON parcel (waybill);
CREATE INDEX parcel_kept ON parcel (registered_at, id) WHERE purged_at = 0;

CREATE TABLE order_line (
    id TEXT PRIMARY KEY,
    parcel TEXT NOT NULL REFERENCES parcel (id),
    order_no TEXT NOT NULL,
    line_no TEXT NOT NULL,
    parcels {int} NOT NULL CHECK (parcels > 0),
    cancelled {int} NOT NULL CHECK (cancelled IN (0, 1)),
    title TEXT NOT NULL,
    category TEXT NOT NULL,
    quantity {int} NOT NULL CHECK (quantity > 0),
    paid_minor {int} NOT NULL CHECK (paid_minor >= 0),
    declared_minor {int} NOT NULL CHECK (declared_minor >= 0),
    list_minor {int} NOT NULL CHECK (list_minor >= 0)
) {end};
-- With all that a list shows of them: their rows lie apart, and are not looked up.
CREATE INDEX order_line_of_parcel ON order_line (parcel, id, order_no);
CREATE INDEX order_line_by_order ON order_line (order_no);

CREATE TABLE person (
    id TEXT PRIMARY KEY,
    parcel TEXT NOT NULL REFERENCES parcel (id),
    role TEXT NOT NULL CHECK (role IN ('sender', 'receiver')),
    name TEXT NOT NULL,
    phone TEXT NOT NULL,
    province TEXT NOT NULL,
    city TEXT NOT NULL,
    district TEXT NOT NULL,
    street TEXT NOT NULL
) {end};
CREATE INDEX person_of_parcel ON person (parcel);

CREATE TABLE alias (
    id TEXT PRIMARY KEY,
    parcel TEXT NOT NULL REFERENCES parcel (id),
    waybill TEXT NOT NULL,
    network TEXT NOT NULL,
    at {int} NOT NULL
) {end};
CREATE UNIQUE INDEX one_alias ON alias (parcel, waybill);
CREATE INDEX alias_number ON alias ((network || '/' || waybill));
CREATE INDEX alias_by_number ON alias (waybill);

-- Parcels that the carrier is asked to push about. Once it has been, the time is that of renewal.
CREATE TABLE subscription (
    id TEXT PRIMARY KEY,
    parcel TEXT NOT NULL REFERENCES parcel (id),
    due_at {int} NOT NULL,
    attempts {int} NOT NULL CHECK (attempts >= 0),
    CHECK (id = parcel)
) {end};
CREATE INDEX subscription_due ON subscription (due_at);

CREATE TABLE scan (
    id TEXT PRIMARY KEY,
    parcel TEXT NOT NULL REFERENCES parcel (id),
    waybill TEXT NOT NULL,
    milestone TEXT NOT NULL CHECK (milestone IN ({milestone})),
    code TEXT NOT NULL,
    at {int} NOT NULL,
    arrived_at {int} NOT NULL,
    marked {int} NOT NULL CHECK (marked IN (0, 1)),
    place TEXT NOT NULL,
    signer TEXT NOT NULL CHECK (signer IN ({signer})),
    return_waybill TEXT NOT NULL,
    cause TEXT NOT NULL CHECK (cause IN ({cause})),
    tier {int} NOT NULL CHECK (tier BETWEEN 1 AND 3)
) {end};
CREATE INDEX scan_of_parcel ON scan (parcel);

CREATE TABLE incident (
    id TEXT PRIMARY KEY,
    parcel TEXT NOT NULL REFERENCES parcel (id),
    kind TEXT NOT NULL,
    source TEXT NOT NULL CHECK (source IN ('carrier', 'merchant', 'operator')),
    evidence TEXT NOT NULL,
    at {int} NOT NULL
) {end};
CREATE INDEX incident_of_parcel ON incident (parcel);

CREATE TABLE quote (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL REFERENCES merchant (id),
    parcel TEXT NOT NULL REFERENCES parcel (id),
    channel TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ({status})),
    fee_minor {int} NOT NULL CHECK (fee_minor >= 0),
    cap_minor {int} NOT NULL CHECK (cap_minor >= 0),
    currency TEXT NOT NULL,
    created_at {int} NOT NULL,
    expires_at {int} NOT NULL CHECK (expires_at > created_at),
    used_by TEXT UNIQUE,
    account TEXT NOT NULL
) {end};

CREATE TABLE request (
    id TEXT PRIMARY KEY,
    method TEXT NOT NULL,
    fingerprint TEXT NOT NULL CHECK (length(fingerprint) = 64),
    subject TEXT NOT NULL,
    at {int} NOT NULL
) {end};

-- The last four columns repeat what its request, parcel, quote and last event say.
CREATE TABLE interception (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL REFERENCES merchant (id),
    parcel TEXT NOT NULL REFERENCES parcel (id),
    quote TEXT NOT NULL UNIQUE REFERENCES quote (id),
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    waybill TEXT NOT NULL,
    fee_minor {int} NOT NULL CHECK (fee_minor >= 0),
    cap_minor {int} NOT NULL CHECK (cap_minor >= 0),
    currency TEXT NOT NULL,
    agreement TEXT NOT NULL,
    cancel_ticket TEXT NOT NULL,
    decision TEXT NOT NULL CHECK (decision IN ({decision})),
    movement TEXT NOT NULL CHECK (movement IN ({movement})),
    failure TEXT NOT NULL CHECK (failure IN ('', 'DELIVERED', 'CARRIER', 'SENDER_REFUSED')),
    money TEXT NOT NULL CHECK (money IN ({money})),
    cancel TEXT NOT NULL CHECK (cancel IN ({cancel})),
    path TEXT NOT NULL,
    reason TEXT NOT NULL,
    carrier_code TEXT NOT NULL,
    reference TEXT NOT NULL,
    assumed {int} NOT NULL CHECK (assumed IN (0, 1)),
    version {int} NOT NULL CHECK (version > 0),
    created_at {int} NOT NULL,
    sent_at {int} NOT NULL,
    decided_at {int} NOT NULL,
    promised_at {int} NOT NULL,
    send_deadline {int} NOT NULL,
    evidence_by {int} NOT NULL,
    request_id TEXT NOT NULL,
    network TEXT NOT NULL,
    quoted_status TEXT NOT NULL CHECK (quoted_status IN ({status})),
    updated_at {int} NOT NULL,
    CHECK ((fee_minor = 0) = (money = 'NONE')),
    CHECK ((movement = 'RETURN_FAILED') = (failure <> '')),
    CHECK ((decision IN ({undecided})) = (decided_at = 0)),
    CHECK (decision NOT IN ({undecided}) OR money IN ('NONE', 'HELD')),
    CHECK (decision IN ({undecided}) OR money <> 'HELD'),
    CHECK (decision <> 'ACCEPTED' OR money IN ('NONE', 'CAPTURED', 'REFUNDED')),
    CHECK (decision NOT IN ('REFUSED', 'NEVER_SENT', 'LATE_ACCEPTED')
        OR money IN ('NONE', 'RELEASED')),
    CHECK (decision IN ('ACCEPTED', 'LATE_ACCEPTED', 'CANCELLED') OR movement = 'NONE')
) {end};
CREATE UNIQUE INDEX one_open_interception ON interception (parcel)
    WHERE decision IN ({open_decision}) AND movement IN ({open_movement});
CREATE INDEX interception_of_parcel ON interception (parcel);
CREATE INDEX interception_by_time ON interception (tenant, created_at, id);
CREATE INDEX interception_by_merchant ON interception (merchant, created_at, id);
CREATE INDEX interception_by_ticket ON interception (cancel_ticket) WHERE cancel_ticket <> '';
CREATE INDEX interception_by_reference ON interception (reference) WHERE reference <> '';
CREATE INDEX interception_undecided ON interception (created_at) WHERE decision IN ({undecided});

CREATE TABLE edge (
    col TEXT NOT NULL,
    source TEXT NOT NULL,
    target TEXT NOT NULL,
    PRIMARY KEY (col, source, target)
) {end};

CREATE TABLE attempt (
    id TEXT PRIMARY KEY,
    interception TEXT NOT NULL REFERENCES interception (id),
    kind TEXT NOT NULL CHECK (kind IN ({attempt_kind})),
    gen {int} NOT NULL CHECK (gen > 0),
    started_at {int} NOT NULL,
    started_ms {int} NOT NULL,
    ended_at {int},
    ended_ms {int},
    outcome TEXT CHECK (outcome IN ({outcome})),
    CHECK ((ended_at IS NULL) = (outcome IS NULL))
) {end};
CREATE UNIQUE INDEX one_live_attempt ON attempt (interception, kind) WHERE ended_at IS NULL;
CREATE INDEX attempt_of_interception ON attempt (interception);

CREATE TABLE inbox (
    id TEXT PRIMARY KEY,
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    tier {int} NOT NULL CHECK (tier BETWEEN 1 AND 3),
    verified {int} NOT NULL CHECK (verified IN (0, 1)),
    body {bytes} NOT NULL,
    content_type TEXT NOT NULL,
    sha256 TEXT NOT NULL CHECK (length(sha256) = 64),
    received_at {int} NOT NULL,
    applied_at {int},
    status TEXT NOT NULL CHECK (status IN ({inbox_status})),
    CHECK ((status IN ('applied', 'unmatched')) = (applied_at IS NOT NULL)),
    CHECK (verified = 1 OR applied_at IS NULL)
) {end};
CREATE INDEX inbox_new ON inbox (received_at) WHERE status = 'new';
CREATE INDEX inbox_kept ON inbox (received_at, id) WHERE length(body) > 0;

CREATE TABLE evidence (
    id TEXT PRIMARY KEY,
    interception TEXT NOT NULL REFERENCES interception (id),
    kind TEXT NOT NULL CHECK (kind IN ({evidence_kind})),
    tier {int} NOT NULL CHECK (tier BETWEEN 1 AND 3),
    attempt TEXT UNIQUE REFERENCES attempt (id),
    inbox TEXT REFERENCES inbox (id),
    verdict TEXT NOT NULL,
    reason TEXT NOT NULL,
    code TEXT NOT NULL,
    reference TEXT NOT NULL,
    assumed {int} NOT NULL CHECK (assumed IN (0, 1)),
    at {int} NOT NULL
) {end};
CREATE INDEX evidence_of_interception ON evidence (interception);

CREATE TABLE event (
    position {position},
    id TEXT NOT NULL UNIQUE,
    interception TEXT NOT NULL REFERENCES interception (id),
    tenant TEXT NOT NULL,
    seq {int} NOT NULL CHECK (seq > 0),
    col TEXT NOT NULL,
    source TEXT NOT NULL,
    target TEXT NOT NULL,
    cause TEXT NOT NULL,
    evidence TEXT REFERENCES evidence (id),
    actor TEXT NOT NULL,
    at {int} NOT NULL,
    UNIQUE (interception, seq),
    FOREIGN KEY (col, source, target) REFERENCES edge (col, source, target),
    CHECK (col <> 'decision' OR source NOT IN ('PROCESSING', 'UNKNOWN') OR evidence IS NOT NULL)
) {end};

CREATE TABLE job (
    id TEXT PRIMARY KEY,
    subject TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ({job_kind})),
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ({job_state})),
    gen {int} NOT NULL,
    owner TEXT NOT NULL,
    lease_until {int} NOT NULL,
    due_at {int} NOT NULL,
    attempts {int} NOT NULL CHECK (attempts >= 0),
    crashes {int} NOT NULL CHECK (crashes >= 0),
    UNIQUE (subject, kind),
    CHECK ((state = 'leased') = (owner <> ''))
) {end};
CREATE INDEX job_due ON job (due_at) WHERE state = 'wait';
CREATE INDEX job_leased ON job (lease_until) WHERE state = 'leased';

CREATE TABLE exception (
    id TEXT PRIMARY KEY,
    subject TEXT NOT NULL,
    tenant TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ({exception_kind})),
    detail TEXT NOT NULL,
    opened_at {int} NOT NULL,
    closed_at {int},
    closed_by TEXT NOT NULL,
    resolution TEXT NOT NULL,
    CHECK ((closed_at IS NULL) = (closed_by = ''))
) {end};
CREATE INDEX exception_of_subject ON exception (subject);
CREATE INDEX exception_open ON exception (opened_at, id) WHERE closed_at IS NULL;
CREATE INDEX exception_by_time ON exception (opened_at, id);

CREATE TABLE account (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ({account_kind})),
    owner TEXT NOT NULL,
    currency TEXT NOT NULL,
    balance {int} CHECK (balance >= 0),
    CHECK ((kind IN ('AVAILABLE', 'HELD')) = (balance IS NOT NULL))
) {end};
CREATE INDEX account_of_owner ON account (owner);

CREATE TABLE claim (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    merchant TEXT NOT NULL REFERENCES merchant (id),
    interception TEXT NOT NULL REFERENCES interception (id),
    parcel TEXT NOT NULL REFERENCES parcel (id),
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ({claim_kind})),
    order_no TEXT NOT NULL,
    line_no TEXT NOT NULL,
    loss_minor {int} NOT NULL CHECK (loss_minor > 0),
    granted_minor {int} NOT NULL CHECK (granted_minor >= 0),
    currency TEXT NOT NULL,
    description TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ({claim_state})),
    desk TEXT NOT NULL CHECK (desk IN ({desk})),
    reference TEXT NOT NULL,
    reason TEXT NOT NULL,
    filed_by TEXT NOT NULL,
    filed_at {int} NOT NULL,
    decided_at {int} NOT NULL,
    version {int} NOT NULL
) {end};
CREATE UNIQUE INDEX one_claim ON claim (interception, order_no, line_no, kind)
    WHERE state <> 'WITHDRAWN';
CREATE INDEX claim_of_parcel ON claim (parcel);
CREATE INDEX claim_by_reference ON claim (reference) WHERE reference <> '';
CREATE INDEX claim_by_time ON claim (tenant, filed_at, id);
CREATE INDEX claim_by_merchant ON claim (merchant, filed_at, id);

CREATE TABLE proof (
    id TEXT PRIMARY KEY,
    claim TEXT NOT NULL REFERENCES claim (id),
    kind TEXT NOT NULL,
    uri TEXT NOT NULL,
    text TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    supplied_at {int} NOT NULL,
    CHECK ((uri = '') <> (text = ''))
) {end};
CREATE INDEX proof_of_claim ON proof (claim);

CREATE TABLE award (
    id TEXT PRIMARY KEY,
    claim TEXT NOT NULL REFERENCES claim (id),
    parcel TEXT NOT NULL REFERENCES parcel (id),
    order_no TEXT NOT NULL,
    line_no TEXT NOT NULL,
    amount {int} NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    channel TEXT NOT NULL CHECK (channel IN ({payout})),
    decision_key TEXT NOT NULL UNIQUE,
    actor TEXT NOT NULL CHECK (actor <> ''),
    at {int} NOT NULL
) {end};
CREATE INDEX award_of_claim ON award (claim);
CREATE INDEX award_of_parcel ON award (parcel);

CREATE TABLE transfer (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ({transfer_kind})),
    source TEXT NOT NULL REFERENCES account (id),
    target TEXT NOT NULL REFERENCES account (id),
    amount {int} NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    interception TEXT REFERENCES interception (id),
    award TEXT REFERENCES award (id),
    dedup TEXT NOT NULL UNIQUE,
    actor TEXT NOT NULL CHECK (actor <> ''),
    cause TEXT NOT NULL CHECK (cause <> ''),
    at {int} NOT NULL,
    CHECK (source <> target),
    CHECK (kind NOT IN ('hold', 'capture', 'release', 'refund') OR interception IS NOT NULL),
    CHECK (kind NOT IN ('award', 'payout', 'settle_offline') OR award IS NOT NULL)
) {end};
CREATE UNIQUE INDEX one_hold ON transfer (interception) WHERE kind = 'hold';
CREATE UNIQUE INDEX one_settlement ON transfer (interception) WHERE kind IN ('capture', 'release');
CREATE UNIQUE INDEX one_refund ON transfer (interception) WHERE kind = 'refund';
CREATE UNIQUE INDEX one_award ON transfer (award) WHERE kind = 'award';
CREATE INDEX transfer_of_interception ON transfer (interception);
CREATE INDEX transfer_of_award ON transfer (award) WHERE award IS NOT NULL;
CREATE INDEX transfer_by_source ON transfer (source, at, id);
CREATE INDEX transfer_by_target ON transfer (target, at, id);

-- What carriers say we owe each other. A statement's progress changes; the rest is written once.
CREATE TABLE statement (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    sha256 TEXT NOT NULL UNIQUE CHECK (length(sha256) = 64),
    number TEXT NOT NULL CHECK (number <> ''),
    period_from {int} NOT NULL,
    period_to {int} NOT NULL,
    total_minor {int} NOT NULL,
    currency TEXT NOT NULL CHECK (length(currency) = 3),
    sum_minor {int} NOT NULL,
    parts {int} NOT NULL CHECK (parts BETWEEN 1 AND {parts_max}),
    corrects TEXT REFERENCES statement (id),
    corrected TEXT REFERENCES statement (id) DEFERRABLE INITIALLY DEFERRED,
    actor TEXT NOT NULL CHECK (actor <> ''),
    received_at {int} NOT NULL,
    arrived {int} NOT NULL CHECK (arrived BETWEEN 0 AND parts),
    last_line {int} NOT NULL CHECK (last_line >= 0),
    step TEXT NOT NULL CHECK (step IN ({statement_step})),
    cursor {int} NOT NULL CHECK (cursor BETWEEN 0 AND last_line OR corrects IS NOT NULL),
    judged_to {int} NOT NULL,
    awards_to {int} NOT NULL,
    posted_at {int} NOT NULL,
    CHECK (period_from < period_to),
    CHECK (substr(sha256, 1, 32) = id),
    CHECK (corrects IS NULL OR corrects <> id),
    CHECK ((step = 'RECEIVING') = (arrived < parts)),
    CHECK (step = 'RECEIVING' OR sum_minor = total_minor),
    CHECK ((step = 'POSTED') = (posted_at > 0)),
    CHECK (corrected IS NULL OR step = 'POSTED')
) {end};
CREATE UNIQUE INDEX one_correction ON statement (corrects) WHERE step <> 'RECEIVING';
CREATE UNIQUE INDEX one_standing_statement
    ON statement ((channel || '/' || account || '/' || number))
    WHERE corrected IS NULL AND step <> 'RECEIVING' AND step <> 'ARRIVED';
CREATE INDEX statement_by_number ON statement ((channel || '/' || account || '/' || number));

CREATE TABLE statement_part (
    id TEXT PRIMARY KEY,
    statement TEXT NOT NULL REFERENCES statement (id),
    part {int} NOT NULL CHECK (part BETWEEN 1 AND {parts_max}),
    lines {int} NOT NULL CHECK (lines BETWEEN 1 AND {lines_max}),
    fingerprint TEXT NOT NULL CHECK (length(fingerprint) = 64),
    at {int} NOT NULL,
    CHECK (id = statement || '/' || part)
) {end};
CREATE INDEX part_of_statement ON statement_part (statement);

CREATE TABLE statement_line (
    id TEXT PRIMARY KEY,
    statement TEXT NOT NULL REFERENCES statement (id),
    part {int} NOT NULL,
    line_no {int} NOT NULL CHECK (line_no > 0),
    kind TEXT NOT NULL CHECK (kind IN ({line_kind})),
    reference TEXT NOT NULL,
    waybill TEXT NOT NULL,
    amount {int} NOT NULL CHECK (amount <> 0),
    currency TEXT NOT NULL CHECK (length(currency) = 3),
    at {int} NOT NULL,
    mark TEXT NOT NULL,
    UNIQUE (statement, line_no),
    CHECK (id = statement || '/' || line_no),
    CHECK (kind = 'OTHER' OR amount > 0)
) {end};
CREATE INDEX line_by_mark ON statement_line (statement, mark);

CREATE TABLE line_match (
    id TEXT PRIMARY KEY REFERENCES statement_line (id),
    statement TEXT NOT NULL REFERENCES statement (id),
    state TEXT NOT NULL CHECK (state IN ({match_state})),
    interception TEXT REFERENCES interception (id),
    claim TEXT REFERENCES claim (id),
    award TEXT REFERENCES award (id),
    settles TEXT REFERENCES statement_line (id),
    carried TEXT REFERENCES line_match (id),
    transfer TEXT REFERENCES transfer (id),
    CHECK (interception IS NULL OR claim IS NULL),
    CHECK (award IS NULL OR claim IS NOT NULL),
    CHECK (state = 'UNMATCHED' OR interception IS NOT NULL OR claim IS NOT NULL)
) {end};
CREATE UNIQUE INDEX one_entry_of_line ON line_match (transfer) WHERE carried IS NULL;
CREATE INDEX match_that_settles ON line_match (settles) WHERE settles IS NOT NULL;
CREATE UNIQUE INDEX carried_once ON line_match (statement, carried);
CREATE INDEX match_of_interception ON line_match (interception);
CREATE INDEX match_of_claim ON line_match (claim);
CREATE INDEX match_of_statement ON line_match (statement);

CREATE TABLE withdrawal (
    id TEXT PRIMARY KEY REFERENCES line_match (id),
    statement TEXT NOT NULL REFERENCES statement (id),
    transfer TEXT UNIQUE REFERENCES transfer (id)
) {end};

CREATE TABLE difference (
    id TEXT PRIMARY KEY REFERENCES exception (id),
    statement TEXT NOT NULL REFERENCES statement (id),
    line_no {int} NOT NULL CHECK (line_no >= 0),
    waybill TEXT NOT NULL,
    interception TEXT REFERENCES interception (id),
    claim TEXT REFERENCES claim (id),
    award TEXT REFERENCES award (id),
    expected {int},
    actual {int},
    currency TEXT NOT NULL,
    CHECK (line_no > 0 OR interception IS NOT NULL)
) {end};
CREATE INDEX difference_of_statement ON difference (statement, line_no);
CREATE INDEX difference_of_interception ON difference (interception);
CREATE INDEX difference_of_claim ON difference (claim);

-- Writers that share the store. Each counts its own batches here, inside them: whether the one
-- whose commit was not answered took place is then a matter of reading the row.
CREATE TABLE replica (
    id TEXT PRIMARY KEY,
    batch {int} NOT NULL CHECK (batch >= 0),
    seen_at {int} NOT NULL
) {end};

-- A row is here while nothing may be sent: after a restore, until somebody has looked.
CREATE TABLE safe_mode (
    id TEXT PRIMARY KEY CHECK (id = 'store'),
    reason TEXT NOT NULL,
    since {int} NOT NULL
) {end};

-- Both sides of every transfer, for sums: what leaves is negative.
CREATE VIEW entry AS
    SELECT id AS transfer, source AS account, -amount AS amount, currency FROM transfer
    UNION ALL
    SELECT id AS transfer, target AS account, amount AS amount, currency FROM transfer;

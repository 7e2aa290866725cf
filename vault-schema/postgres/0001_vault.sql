-- The vault, on PostgreSQL. README.md beside this folder explains each table.
-- Everything lies in the schema `sealift`, so that a vault can share a database with its source.
-- No extension, no sequence, no rule across shards: the token spreads the entries.

-- One row: this vault.
CREATE TABLE sealift.vault (
    one          bigint PRIMARY KEY CONSTRAINT one_vault_a_database CHECK (one = 1),
    vault        bytea  NOT NULL CONSTRAINT vault_id_is_128_bits CHECK (octet_length(vault) = 16),
    format       bigint NOT NULL,
    created_at   text   NOT NULL,
    key_check    bytea  NOT NULL,
    origin       text   NOT NULL,
    verifier_key text   NOT NULL
);

-- A way to unlock the vault: a passphrase, a recovery code, a key file.
CREATE TABLE sealift.slot (
    slot       bigint PRIMARY KEY,
    body       text NOT NULL,
    created_at text NOT NULL,
    opened_at  text
);

-- A wrapped key and its state.
CREATE TABLE sealift.key (
    key        bigint PRIMARY KEY,
    purpose    text NOT NULL CONSTRAINT purpose_is_known
               CHECK (purpose IN ('data', 'token', 'format', 'run', 'control', 'index', 'ledger')),
    subject    text NOT NULL,
    version    bigint NOT NULL,
    state      text NOT NULL CONSTRAINT state_is_known
               CHECK (state IN ('pre_activation', 'active', 'suspended', 'deactivated', 'compromised', 'destroyed')),
    created_at text NOT NULL,
    changed_at text NOT NULL,
    wrapped    bytea,
    CONSTRAINT one_key_a_version UNIQUE (purpose, subject, version),
    CONSTRAINT destroyed_keys_are_gone CHECK ((wrapped IS NULL) = (state = 'destroyed'))
);

-- A domain: columns of one domain share tokens. Its number stands in the token.
CREATE TABLE sealift.domain (
    domain    bigint PRIMARY KEY CONSTRAINT domain_fits_its_code CHECK (domain BETWEEN 1 AND 32767),
    name      text NOT NULL CONSTRAINT one_domain_a_name UNIQUE,
    class     text NOT NULL,
    treatment text NOT NULL,
    mac       bytea NOT NULL
);

-- Somebody who may ask, and the hash of the credential by which they are known.
CREATE TABLE sealift.caller (
    name            text PRIMARY KEY,
    role            text NOT NULL,
    credential      text NOT NULL CONSTRAINT one_caller_a_credential UNIQUE,
    credential_hash bytea NOT NULL,
    approver_key    bytea NOT NULL,
    created_at      text NOT NULL,
    expires_at      text,
    revoked_at      text,
    mac             bytea NOT NULL
);

-- A purpose in force, as an approved plan brought it.
CREATE TABLE sealift.purpose (
    name   text PRIMARY KEY,
    body   text NOT NULL,
    policy text NOT NULL,
    mac    bytea NOT NULL
);

-- A run: one execution over the columns of one policy in one source.
CREATE TABLE sealift.run (
    run              bigint PRIMARY KEY,
    source           text NOT NULL,
    policy           text NOT NULL,
    policy_hash      text NOT NULL,
    plan             text NOT NULL,
    fingerprint      text NOT NULL,
    phase            text NOT NULL CONSTRAINT phase_is_known
                     CHECK (phase IN ('planned', 'approved', 'backed_up', 'sealed', 'rewritten', 'verified',
                                      'purge_approved', 'purged', 'closed', 'rolling_back', 'rolled_back')),
    condition        text CONSTRAINT condition_is_known CHECK (condition IN ('paused', 'failed')),
    condition_reason text NOT NULL DEFAULT '',
    planned_by       text NOT NULL,
    planned_at       text NOT NULL,
    backup_dir       text NOT NULL,
    verified_digest  text,
    segment          bigint,
    mac              bytea NOT NULL,
    CONSTRAINT purge_follows_verify
        CHECK (phase NOT IN ('purge_approved', 'purged', 'closed') OR verified_digest IS NOT NULL)
);

-- A column that an open run works on. Two open runs never share one.
CREATE TABLE sealift.claim (
    column_name text NOT NULL,
    source      text NOT NULL,
    run         bigint NOT NULL REFERENCES sealift.run (run),
    CONSTRAINT one_live_run_per_column PRIMARY KEY (source, column_name)
);

-- A signature under a plan or a purge.
CREATE TABLE sealift.approval (
    run       bigint NOT NULL REFERENCES sealift.run (run),
    kind      text NOT NULL CONSTRAINT approval_kind_is_known CHECK (kind IN ('plan', 'purge')),
    caller    text NOT NULL,
    digest    text NOT NULL,
    signature bytea NOT NULL,
    signed_at text NOT NULL,
    CONSTRAINT one_signature_a_caller PRIMARY KEY (run, kind, caller)
);

-- A slice of a table, as the backup cut it.
CREATE TABLE sealift.range (
    run       bigint NOT NULL REFERENCES sealift.run (run),
    unit      bigint NOT NULL,
    tbl       bigint NOT NULL,
    number    bigint NOT NULL,
    lower     bytea,
    upper     bytea,
    row_count bigint NOT NULL,
    originals bigint NOT NULL,
    PRIMARY KEY (run, unit, number)
);

-- A finished file in the backup folder. A file without a row here is void.
CREATE TABLE sealift.file (
    run     bigint NOT NULL REFERENCES sealift.run (run),
    name    text NOT NULL,
    kind    text NOT NULL CONSTRAINT file_kind_is_known CHECK (kind IN ('backup', 'token', 'stage', 'increment')),
    unit    bigint NOT NULL,
    range   bigint NOT NULL,
    epoch   bigint NOT NULL,
    number  bigint NOT NULL,
    sha256  bytea NOT NULL CONSTRAINT file_hash_is_256_bits CHECK (octet_length(sha256) = 32),
    bytes   bigint NOT NULL,
    records bigint NOT NULL,
    PRIMARY KEY (run, name)
);

-- How far the load of a run's sealed values has come.
CREATE TABLE sealift.load (
    run        bigint PRIMARY KEY REFERENCES sealift.run (run),
    segment    bigint NOT NULL,
    domain     bigint,
    token      bytea,
    root_state bytea NOT NULL,
    entries    bigint NOT NULL,
    done       boolean NOT NULL
);

-- A process at work on a run: where it runs, what it does, what it waits for.
CREATE TABLE sealift.worker (
    worker     text PRIMARY KEY,
    run        bigint NOT NULL,
    host       text NOT NULL,
    pid        bigint NOT NULL,
    born       text NOT NULL,
    since      text NOT NULL,
    doing      text NOT NULL,
    waits      text NOT NULL,
    expires_ms bigint NOT NULL
);

-- A piece of a run's work: who holds it, until when, and how often it was taken.
CREATE TABLE sealift.lease (
    run        bigint NOT NULL,
    task       text NOT NULL CONSTRAINT task_is_known CHECK (task IN ('backup', 'seal', 'rewrite', 'alone')),
    unit       bigint NOT NULL,
    tbl        bigint NOT NULL,
    range      bigint NOT NULL,
    lower      bytea,
    upper      bytea,
    is_last    boolean NOT NULL,
    done       boolean NOT NULL,
    epoch      bigint NOT NULL,
    worker     text,
    slot       bigint,
    expires_ms bigint NOT NULL,
    CONSTRAINT one_holder_a_piece PRIMARY KEY (run, task, unit, range),
    CONSTRAINT a_holder_has_a_slot CHECK ((worker IS NULL) = (slot IS NULL))
);

-- The rows a second that somebody set for a run; 0: as fast as it goes.
CREATE TABLE sealift.rate (
    run        bigint PRIMARY KEY,
    rows_per_s bigint NOT NULL CONSTRAINT rate_is_not_negative CHECK (rows_per_s >= 0)
);

-- A sealed value. One partition a domain, made with the domain. There are as many as values: their
-- numbers are as small as they may be, and come first, where nothing has to be filled up.
CREATE TABLE sealift.entry (
    domain   smallint NOT NULL,
    kind     smallint NOT NULL,
    segment  integer  NOT NULL,
    token    bytea    NOT NULL,
    envelope bytea    NOT NULL,
    PRIMARY KEY (domain, token)
) PARTITION BY LIST (domain);

-- Which token stands for the value of a keyed digest (`dedupe`); it decides the winner.
CREATE TABLE sealift.blind (
    domain bigint NOT NULL,
    digest bytea  NOT NULL,
    token  bytea  NOT NULL,
    PRIMARY KEY (domain, digest)
);

-- Entries that came together, and the root over them.
CREATE TABLE sealift.segment (
    segment bigint PRIMARY KEY,
    run     bigint,
    entries bigint NOT NULL,
    root    bytea
);

-- A row that could not be tokenised.
CREATE TABLE sealift.quarantine (
    run       bigint NOT NULL REFERENCES sealift.run (run),
    unit      bigint NOT NULL,
    tbl       bigint NOT NULL,
    "row"     text NOT NULL,
    row_key   bytea NOT NULL,
    reason    text NOT NULL,
    cells     bigint NOT NULL,
    state     text NOT NULL CONSTRAINT quarantine_state_is_known CHECK (state IN ('waiting', 'replayed', 'waived')),
    waived_by text,
    CONSTRAINT a_waiver_has_a_name CHECK ((state = 'waived') = (waived_by IS NOT NULL)),
    PRIMARY KEY (run, unit, tbl, "row")
);

-- The keyed digest of what one of the steward's checks answered.
CREATE TABLE sealift.check (
    run    bigint NOT NULL REFERENCES sealift.run (run),
    name   text NOT NULL,
    moment text NOT NULL CONSTRAINT moment_is_known CHECK (moment IN ('before', 'after', 'purge')),
    digest bytea NOT NULL,
    PRIMARY KEY (run, name, moment)
);

-- The ledger, entry by entry, as canonical JSON.
CREATE TABLE sealift.ledger (
    sequence bigint PRIMARY KEY,
    run      bigint,
    body     bytea NOT NULL
);

-- One row: the ledger's size and the roots of its complete subtrees.
CREATE TABLE sealift.ledger_head (
    one   bigint PRIMARY KEY CONSTRAINT one_head CHECK (one = 1),
    state bytea NOT NULL
);

-- A signed head.
CREATE TABLE sealift.checkpoint (
    size bigint PRIMARY KEY,
    note text NOT NULL
);

-- Requests recorded together before a value left, and not yet in the ledger.
CREATE TABLE sealift.intake (
    writer text NOT NULL,
    number bigint NOT NULL,
    body   bytea NOT NULL,
    mac    bytea NOT NULL,
    PRIMARY KEY (writer, number)
);

-- It stays for a second: packing it would cost more than it saves.
ALTER TABLE sealift.intake ALTER COLUMN body SET STORAGE EXTERNAL;

-- The last number of each writer that is in the ledger.
CREATE TABLE sealift.intake_done (
    writer text PRIMARY KEY,
    number bigint NOT NULL
);

-- A caller's leave to send large requests under a purpose, until some time.
CREATE TABLE sealift.unlock (
    caller   text NOT NULL,
    purpose  text NOT NULL,
    until    text NOT NULL,
    given_by text NOT NULL,
    mac      bytea NOT NULL,
    CONSTRAINT nobody_unlocks_for_himself CHECK (given_by <> caller),
    PRIMARY KEY (caller, purpose)
);

-- How many tokens a caller has used under a purpose in the minute or day that began then.
CREATE TABLE sealift.quota (
    caller  text NOT NULL,
    purpose text NOT NULL,
    per     text NOT NULL CONSTRAINT stretch_is_known CHECK (per IN ('minute', 'day')),
    began_s bigint NOT NULL,
    used    bigint NOT NULL,
    PRIMARY KEY (caller, purpose, per)
);

-- When a credential was last used: a note, not evidence.
CREATE TABLE sealift.credential_use (
    credential text PRIMARY KEY,
    used_at    text NOT NULL
);

-- One row: how often rows that grant were changed. A server reads them again when it has moved.
CREATE TABLE sealift.grants_version (
    one     bigint PRIMARY KEY CONSTRAINT one_version CHECK (one = 1),
    version bigint NOT NULL
);

-- How far a place outside, a hook or an anchor, was told what is on the ledger.
CREATE TABLE sealift.told (
    place text PRIMARY KEY,
    size  bigint NOT NULL,
    at    text NOT NULL
);

-- A caller's reason, sealed; erasing it leaves the ledger intact.
CREATE TABLE sealift.reason (
    digest text PRIMARY KEY,
    sealed bytea NOT NULL
);

CREATE INDEX ledger_by_run ON sealift.ledger (run, sequence) WHERE run IS NOT NULL;

-- Every credential is held against the entries about its caller: these few are found at once.
CREATE INDEX ledger_about_callers ON sealift.ledger (sequence)
    WHERE run IS NULL AND position('"action":"caller_'::bytea IN body) > 0;

CREATE INDEX ledger_about_policies ON sealift.ledger (sequence)
    WHERE run IS NULL AND position('"action":"policy_'::bytea IN body) > 0;
CREATE INDEX file_by_range ON sealift.file (run, unit, range);
CREATE INDEX lease_open ON sealift.lease (run, task, unit, range) WHERE NOT done;
CREATE INDEX lease_by_holder ON sealift.lease (worker) WHERE worker IS NOT NULL;

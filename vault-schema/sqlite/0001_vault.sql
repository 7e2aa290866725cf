-- The vault, on SQLite. README.md beside this folder explains each table.
-- Every object begins with `sealift_`, so that a vault can share a file with its source.

-- One row: this vault.
CREATE TABLE sealift_vault (
    one          INTEGER PRIMARY KEY CONSTRAINT one_vault_a_file CHECK (one = 1),
    vault        BLOB    NOT NULL CONSTRAINT vault_id_is_128_bits CHECK (length(vault) = 16),
    format       INTEGER NOT NULL,
    created_at   TEXT    NOT NULL,
    key_check    BLOB    NOT NULL,
    origin       TEXT    NOT NULL,
    verifier_key TEXT    NOT NULL
) STRICT;

-- A way to unlock the vault: a passphrase, a recovery code, a key file.
CREATE TABLE sealift_slot (
    slot       INTEGER PRIMARY KEY,
    body       TEXT NOT NULL,
    created_at TEXT NOT NULL,
    opened_at  TEXT
) STRICT;

-- A wrapped key and its state.
CREATE TABLE sealift_key (
    key        INTEGER PRIMARY KEY,
    purpose    TEXT NOT NULL CONSTRAINT purpose_is_known
               CHECK (purpose IN ('data', 'token', 'format', 'run', 'control', 'index', 'ledger')),
    subject    TEXT NOT NULL,
    version    INTEGER NOT NULL,
    state      TEXT NOT NULL CONSTRAINT state_is_known
               CHECK (state IN ('pre_activation', 'active', 'suspended', 'deactivated', 'compromised', 'destroyed')),
    created_at TEXT NOT NULL,
    changed_at TEXT NOT NULL,
    wrapped    BLOB,
    CONSTRAINT one_key_a_version UNIQUE (purpose, subject, version),
    CONSTRAINT destroyed_keys_are_gone CHECK ((wrapped IS NULL) = (state = 'destroyed'))
) STRICT;

-- A domain: columns of one domain share tokens. Its number stands in the token.
CREATE TABLE sealift_domain (
    domain    INTEGER PRIMARY KEY CONSTRAINT domain_fits_its_code CHECK (domain BETWEEN 1 AND 32767),
    name      TEXT NOT NULL CONSTRAINT one_domain_a_name UNIQUE,
    class     TEXT NOT NULL,
    treatment TEXT NOT NULL,
    mac       BLOB NOT NULL
) STRICT;

-- Somebody who may ask, and the hash of the credential by which they are known.
CREATE TABLE sealift_caller (
    name            TEXT PRIMARY KEY,
    role            TEXT NOT NULL,
    credential      TEXT NOT NULL CONSTRAINT one_caller_a_credential UNIQUE,
    credential_hash BLOB NOT NULL,
    approver_key    BLOB NOT NULL,
    created_at      TEXT NOT NULL,
    expires_at      TEXT,
    revoked_at      TEXT,
    mac             BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- A purpose in force, as an approved plan brought it.
CREATE TABLE sealift_purpose (
    name   TEXT PRIMARY KEY,
    body   TEXT NOT NULL,
    policy TEXT NOT NULL,
    mac    BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- A run: one execution over the columns of one policy in one source.
CREATE TABLE sealift_run (
    run              INTEGER PRIMARY KEY,
    source           TEXT NOT NULL,
    policy           TEXT NOT NULL,
    policy_hash      TEXT NOT NULL,
    plan             TEXT NOT NULL,
    fingerprint      TEXT NOT NULL,
    phase            TEXT NOT NULL CONSTRAINT phase_is_known
                     CHECK (phase IN ('planned', 'approved', 'backed_up', 'sealed', 'rewritten', 'verified',
                                      'purge_approved', 'purged', 'closed', 'rolling_back', 'rolled_back')),
    condition        TEXT CONSTRAINT condition_is_known CHECK (condition IN ('paused', 'failed')),
    condition_reason TEXT NOT NULL DEFAULT '',
    planned_by       TEXT NOT NULL,
    planned_at       TEXT NOT NULL,
    backup_dir       TEXT NOT NULL,
    verified_digest  TEXT,
    segment          INTEGER,
    mac              BLOB NOT NULL,
    CONSTRAINT purge_follows_verify
        CHECK (phase NOT IN ('purge_approved', 'purged', 'closed') OR verified_digest IS NOT NULL)
) STRICT;

-- A column that an open run works on. Two open runs never share one.
CREATE TABLE sealift_claim (
    column_name TEXT NOT NULL,
    source      TEXT NOT NULL,
    run         INTEGER NOT NULL REFERENCES sealift_run (run),
    CONSTRAINT one_live_run_per_column PRIMARY KEY (source, column_name)
) STRICT, WITHOUT ROWID;

-- A signature under a plan or a purge.
CREATE TABLE sealift_approval (
    run       INTEGER NOT NULL REFERENCES sealift_run (run),
    kind      TEXT NOT NULL CONSTRAINT approval_kind_is_known CHECK (kind IN ('plan', 'purge')),
    caller    TEXT NOT NULL,
    digest    TEXT NOT NULL,
    signature BLOB NOT NULL,
    signed_at TEXT NOT NULL,
    CONSTRAINT one_signature_a_caller PRIMARY KEY (run, kind, caller)
) STRICT, WITHOUT ROWID;

-- A slice of a table, as the backup cut it.
CREATE TABLE sealift_range (
    run       INTEGER NOT NULL REFERENCES sealift_run (run),
    unit      INTEGER NOT NULL,
    tbl       INTEGER NOT NULL,
    number    INTEGER NOT NULL,
    lower     BLOB,
    upper     BLOB,
    row_count INTEGER NOT NULL,
    originals INTEGER NOT NULL,
    PRIMARY KEY (run, unit, number)
) STRICT, WITHOUT ROWID;

-- A finished file in the backup folder. A file without a row here is void.
CREATE TABLE sealift_file (
    run     INTEGER NOT NULL REFERENCES sealift_run (run),
    name    TEXT NOT NULL,
    kind    TEXT NOT NULL CONSTRAINT file_kind_is_known CHECK (kind IN ('backup', 'token', 'stage', 'increment')),
    unit    INTEGER NOT NULL,
    range   INTEGER NOT NULL,
    epoch   INTEGER NOT NULL,
    number  INTEGER NOT NULL,
    sha256  BLOB NOT NULL CONSTRAINT file_hash_is_256_bits CHECK (length(sha256) = 32),
    bytes   INTEGER NOT NULL,
    records INTEGER NOT NULL,
    PRIMARY KEY (run, name)
) STRICT, WITHOUT ROWID;

-- How far the load of a run's sealed values has come.
CREATE TABLE sealift_load (
    run        INTEGER PRIMARY KEY REFERENCES sealift_run (run),
    segment    INTEGER NOT NULL,
    domain     INTEGER,
    token      BLOB,
    root_state BLOB NOT NULL,
    entries    INTEGER NOT NULL,
    done       INTEGER NOT NULL CHECK (done IN (0, 1))
) STRICT;

-- A process at work on a run: where it runs, what it does, what it waits for.
CREATE TABLE sealift_worker (
    worker     TEXT PRIMARY KEY,
    run        INTEGER NOT NULL,
    host       TEXT NOT NULL,
    pid        INTEGER NOT NULL,
    born       TEXT NOT NULL,
    since      TEXT NOT NULL,
    doing      TEXT NOT NULL,
    waits      TEXT NOT NULL,
    expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A piece of a run's work: who holds it, until when, and how often it was taken.
CREATE TABLE sealift_lease (
    run        INTEGER NOT NULL,
    task       TEXT NOT NULL CONSTRAINT task_is_known CHECK (task IN ('backup', 'seal', 'rewrite', 'alone')),
    unit       INTEGER NOT NULL,
    tbl        INTEGER NOT NULL,
    range      INTEGER NOT NULL,
    lower      BLOB,
    upper      BLOB,
    is_last    INTEGER NOT NULL,
    done       INTEGER NOT NULL,
    epoch      INTEGER NOT NULL,
    worker     TEXT,
    slot       INTEGER,
    expires_ms INTEGER NOT NULL,
    CONSTRAINT one_holder_a_piece PRIMARY KEY (run, task, unit, range),
    CONSTRAINT a_holder_has_a_slot CHECK ((worker IS NULL) = (slot IS NULL))
) STRICT, WITHOUT ROWID;

-- The rows a second that somebody set for a run; 0: as fast as it goes.
CREATE TABLE sealift_rate (
    run        INTEGER PRIMARY KEY,
    rows_per_s INTEGER NOT NULL CONSTRAINT rate_is_not_negative CHECK (rows_per_s >= 0)
) STRICT;

-- A sealed value.
CREATE TABLE sealift_entry (
    domain   INTEGER NOT NULL,
    token    BLOB    NOT NULL,
    segment  INTEGER NOT NULL,
    kind     INTEGER NOT NULL,
    envelope BLOB    NOT NULL,
    PRIMARY KEY (domain, token)
) STRICT, WITHOUT ROWID;

-- Which token stands for the value of a keyed digest (`dedupe`); it decides the winner.
CREATE TABLE sealift_blind (
    domain INTEGER NOT NULL,
    digest BLOB    NOT NULL,
    token  BLOB    NOT NULL,
    PRIMARY KEY (domain, digest)
) STRICT, WITHOUT ROWID;

-- Entries that came together, and the root over them.
CREATE TABLE sealift_segment (
    segment INTEGER PRIMARY KEY,
    run     INTEGER,
    entries INTEGER NOT NULL,
    root    BLOB
) STRICT;

-- A row that could not be tokenised.
CREATE TABLE sealift_quarantine (
    run       INTEGER NOT NULL REFERENCES sealift_run (run),
    unit      INTEGER NOT NULL,
    tbl       INTEGER NOT NULL,
    row       TEXT NOT NULL,
    row_key   BLOB NOT NULL,
    reason    TEXT NOT NULL,
    cells     INTEGER NOT NULL,
    state     TEXT NOT NULL CONSTRAINT quarantine_state_is_known CHECK (state IN ('waiting', 'replayed', 'waived')),
    waived_by TEXT,
    CONSTRAINT a_waiver_has_a_name CHECK ((state = 'waived') = (waived_by IS NOT NULL)),
    PRIMARY KEY (run, unit, tbl, row)
) STRICT, WITHOUT ROWID;

-- The keyed digest of what one of the steward's checks answered.
CREATE TABLE sealift_check (
    run    INTEGER NOT NULL REFERENCES sealift_run (run),
    name   TEXT NOT NULL,
    moment TEXT NOT NULL CONSTRAINT moment_is_known CHECK (moment IN ('before', 'after', 'purge')),
    digest BLOB NOT NULL,
    PRIMARY KEY (run, name, moment)
) STRICT, WITHOUT ROWID;

-- The ledger, entry by entry, as canonical JSON.
CREATE TABLE sealift_ledger (
    sequence INTEGER PRIMARY KEY,
    run      INTEGER,
    body     BLOB NOT NULL
) STRICT;

-- One row: the ledger's size and the roots of its complete subtrees.
CREATE TABLE sealift_ledger_head (
    one   INTEGER PRIMARY KEY CONSTRAINT one_head CHECK (one = 1),
    state BLOB NOT NULL
) STRICT;

-- A signed head.
CREATE TABLE sealift_checkpoint (
    size INTEGER PRIMARY KEY,
    note TEXT NOT NULL
) STRICT;

-- Requests recorded together before a value left, and not yet in the ledger.
CREATE TABLE sealift_intake (
    writer TEXT NOT NULL,
    number INTEGER NOT NULL,
    body   BLOB NOT NULL,
    mac    BLOB NOT NULL,
    PRIMARY KEY (writer, number)
) STRICT, WITHOUT ROWID;

-- The last number of each writer that is in the ledger.
CREATE TABLE sealift_intake_done (
    writer TEXT PRIMARY KEY,
    number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A caller's leave to send large requests under a purpose, until some time.
CREATE TABLE sealift_unlock (
    caller   TEXT NOT NULL,
    purpose  TEXT NOT NULL,
    until    TEXT NOT NULL,
    given_by TEXT NOT NULL,
    mac      BLOB NOT NULL,
    CONSTRAINT nobody_unlocks_for_himself CHECK (given_by <> caller),
    PRIMARY KEY (caller, purpose)
) STRICT, WITHOUT ROWID;

-- How many tokens a caller has used under a purpose in the minute or day that began then.
CREATE TABLE sealift_quota (
    caller  TEXT NOT NULL,
    purpose TEXT NOT NULL,
    per     TEXT NOT NULL CONSTRAINT stretch_is_known CHECK (per IN ('minute', 'day')),
    began_s INTEGER NOT NULL,
    used    INTEGER NOT NULL,
    PRIMARY KEY (caller, purpose, per)
) STRICT, WITHOUT ROWID;

-- When a credential was last used: a note, not evidence.
CREATE TABLE sealift_credential_use (
    credential TEXT PRIMARY KEY,
    used_at    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One row: how often rows that grant were changed. A server reads them again when it has moved.
CREATE TABLE sealift_grants_version (
    one     INTEGER PRIMARY KEY CONSTRAINT one_version CHECK (one = 1),
    version INTEGER NOT NULL
) STRICT;

-- How far a place outside, a hook or an anchor, was told what is on the ledger.
CREATE TABLE sealift_told (
    place TEXT PRIMARY KEY,
    size  INTEGER NOT NULL,
    at    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- A caller's reason, sealed; erasing it leaves the ledger intact.
CREATE TABLE sealift_reason (
    digest TEXT PRIMARY KEY,
    sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sealift_ledger_by_run ON sealift_ledger (run, sequence) WHERE run IS NOT NULL;

-- Every credential is held against the entries about its caller: these few are found at once.
CREATE INDEX sealift_ledger_about_callers ON sealift_ledger (sequence)
    WHERE run IS NULL AND instr(body, CAST('"action":"caller_' AS BLOB)) > 0;

CREATE INDEX sealift_ledger_about_policies ON sealift_ledger (sequence)
    WHERE run IS NULL AND instr(body, CAST('"action":"policy_' AS BLOB)) > 0;
CREATE INDEX sealift_file_by_range ON sealift_file (run, unit, range);
CREATE INDEX sealift_lease_open ON sealift_lease (run, task, unit, range) WHERE NOT done;
CREATE INDEX sealift_lease_by_holder ON sealift_lease (worker) WHERE worker IS NOT NULL;

//! A vault as rows of plain cells: what a copy of it is made of, whichever engine it lies in.
//!
//! It knows no engine and no file. The engines' tables bear these names behind their own prefix, and
//! a test compares the list with the schemas.

use async_trait::async_trait;

use super::{BackupError, VaultError};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellKind {
    /// A number of 64 bits.
    Number,
    /// A text.
    Text,
    /// Bytes.
    Bytes,
    /// Yes or no.
    Flag,
}

/// One cell of a copied row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArchiveCell {
    /// Nothing.
    Null,
    /// A number; a flag is 0 or 1.
    Number(i64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// A table of the vault.
#[derive(Debug)]
pub struct ArchiveTable {
    /// Its name, without what an engine puts before it.
    pub name: &'static str,
    /// Its columns.
    pub columns: &'static [(&'static str, CellKind)],
    /// How many of the columns, from the first, are the order of its rows.
    pub keys: usize,
}

use CellKind::{Bytes, Flag, Number, Text};

/// Every table of a vault, each behind the tables that it refers to; the one that makes a database a
/// vault comes last, so that half a vault is none.
pub const ARCHIVE_TABLES: &[ArchiveTable] = &[
    ArchiveTable {
        name: "slot",
        columns: &[("slot", Number), ("body", Text), ("created_at", Text), ("opened_at", Text)],
        keys: 1,
    },
    ArchiveTable {
        name: "key",
        columns: &[
            ("key", Number),
            ("purpose", Text),
            ("subject", Text),
            ("version", Number),
            ("state", Text),
            ("created_at", Text),
            ("changed_at", Text),
            ("wrapped", Bytes),
        ],
        keys: 1,
    },
    ArchiveTable {
        name: "domain",
        columns: &[
            ("domain", Number),
            ("name", Text),
            ("class", Text),
            ("treatment", Text),
            ("mac", Bytes),
        ],
        keys: 1,
    },
    ArchiveTable {
        name: "caller",
        columns: &[
            ("name", Text),
            ("role", Text),
            ("credential", Text),
            ("credential_hash", Bytes),
            ("approver_key", Bytes),
            ("created_at", Text),
            ("expires_at", Text),
            ("revoked_at", Text),
            ("mac", Bytes),
        ],
        keys: 1,
    },
    ArchiveTable {
        name: "purpose",
        columns: &[("name", Text), ("body", Text), ("policy", Text), ("mac", Bytes)],
        keys: 1,
    },
    ArchiveTable {
        name: "run",
        columns: &[
            ("run", Number),
            ("source", Text),
            ("policy", Text),
            ("policy_hash", Text),
            ("plan", Text),
            ("fingerprint", Text),
            ("phase", Text),
            ("condition", Text),
            ("condition_reason", Text),
            ("planned_by", Text),
            ("planned_at", Text),
            ("backup_dir", Text),
            ("verified_digest", Text),
            ("segment", Number),
            ("mac", Bytes),
        ],
        keys: 1,
    },
    ArchiveTable {
        name: "claim",
        columns: &[("source", Text), ("column_name", Text), ("run", Number)],
        keys: 2,
    },
    ArchiveTable {
        name: "approval",
        columns: &[
            ("run", Number),
            ("kind", Text),
            ("caller", Text),
            ("digest", Text),
            ("signature", Bytes),
            ("signed_at", Text),
        ],
        keys: 3,
    },
    ArchiveTable {
        name: "range",
        columns: &[
            ("run", Number),
            ("unit", Number),
            ("number", Number),
            ("tbl", Number),
            ("lower", Bytes),
            ("upper", Bytes),
            ("row_count", Number),
            ("originals", Number),
        ],
        keys: 3,
    },
    ArchiveTable {
        name: "file",
        columns: &[
            ("run", Number),
            ("name", Text),
            ("kind", Text),
            ("unit", Number),
            ("range", Number),
            ("epoch", Number),
            ("number", Number),
            ("sha256", Bytes),
            ("bytes", Number),
            ("records", Number),
        ],
        keys: 2,
    },
    ArchiveTable {
        name: "load",
        columns: &[
            ("run", Number),
            ("segment", Number),
            ("domain", Number),
            ("token", Bytes),
            ("root_state", Bytes),
            ("entries", Number),
            ("done", Flag),
        ],
        keys: 1,
    },
    ArchiveTable {
        name: "lease",
        columns: &[
            ("run", Number),
            ("task", Text),
            ("unit", Number),
            ("tbl", Number),
            ("range", Number),
            ("lower", Bytes),
            ("upper", Bytes),
            ("is_last", Flag),
            ("done", Flag),
            ("epoch", Number),
            ("worker", Text),
            ("slot", Number),
            ("expires_ms", Number),
        ],
        keys: 4,
    },
    ArchiveTable { name: "rate", columns: &[("run", Number), ("rows_per_s", Number)], keys: 1 },
    ArchiveTable {
        name: "entry",
        columns: &[
            ("domain", Number),
            ("token", Bytes),
            ("segment", Number),
            ("kind", Number),
            ("envelope", Bytes),
        ],
        keys: 2,
    },
    ArchiveTable {
        name: "blind",
        columns: &[("domain", Number), ("digest", Bytes), ("token", Bytes)],
        keys: 2,
    },
    ArchiveTable {
        name: "segment",
        columns: &[("segment", Number), ("run", Number), ("entries", Number), ("root", Bytes)],
        keys: 1,
    },
    ArchiveTable {
        name: "quarantine",
        columns: &[
            ("run", Number),
            ("unit", Number),
            ("tbl", Number),
            ("row", Text),
            ("row_key", Bytes),
            ("reason", Text),
            ("cells", Number),
            ("state", Text),
            ("waived_by", Text),
        ],
        keys: 4,
    },
    ArchiveTable {
        name: "check",
        columns: &[("run", Number), ("name", Text), ("moment", Text), ("digest", Bytes)],
        keys: 3,
    },
    ArchiveTable {
        name: "ledger",
        columns: &[("sequence", Number), ("run", Number), ("body", Bytes)],
        keys: 1,
    },
    ArchiveTable { name: "ledger_head", columns: &[("one", Number), ("state", Bytes)], keys: 1 },
    ArchiveTable { name: "checkpoint", columns: &[("size", Number), ("note", Text)], keys: 1 },
    ArchiveTable {
        name: "intake",
        columns: &[("writer", Text), ("number", Number), ("body", Bytes), ("mac", Bytes)],
        keys: 2,
    },
    ArchiveTable { name: "intake_done", columns: &[("writer", Text), ("number", Number)], keys: 1 },
    ArchiveTable {
        name: "told",
        columns: &[("place", Text), ("size", Number), ("at", Text)],
        keys: 1,
    },
    ArchiveTable { name: "reason", columns: &[("digest", Text), ("sealed", Bytes)], keys: 1 },
    ArchiveTable {
        name: "unlock",
        columns: &[
            ("caller", Text),
            ("purpose", Text),
            ("until", Text),
            ("given_by", Text),
            ("mac", Bytes),
        ],
        keys: 2,
    },
    ArchiveTable {
        name: "quota",
        columns: &[
            ("caller", Text),
            ("purpose", Text),
            ("per", Text),
            ("began_s", Number),
            ("used", Number),
        ],
        keys: 3,
    },
    ArchiveTable {
        name: "credential_use",
        columns: &[("credential", Text), ("used_at", Text)],
        keys: 1,
    },
    ArchiveTable {
        name: "grants_version",
        columns: &[("one", Number), ("version", Number)],
        keys: 1,
    },
    ArchiveTable {
        name: "vault",
        columns: &[
            ("one", Number),
            ("vault", Bytes),
            ("format", Number),
            ("created_at", Text),
            ("key_check", Bytes),
            ("origin", Text),
            ("verifier_key", Text),
        ],
        keys: 1,
    },
];

/// Tables that no copy has: who is at work just now is not at work in what is put back. The leases
/// are copied, because they say where tables were cut; nobody renews them there, and they run out.
pub const NOT_COPIED: &[&str] = &["worker"];

/// Why a copy of a vault could not be made or put back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The vault did not do what was asked.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The file could not be written or read.
    #[error(transparent)]
    File(#[from] BackupError),
}

/// Takes the rows of a vault, table by table in the order of [`ARCHIVE_TABLES`].
pub trait ArchiveSink: Send {
    /// Takes one row.
    ///
    /// # Errors
    ///
    /// [`BackupError`] where it cannot be kept; the copy ends there.
    fn row(&mut self, table: usize, cells: &[ArchiveCell]) -> Result<(), BackupError>;
}

/// A vault that is put back from a copy. Until [`VaultRebuild::finish`] the database holds none.
#[async_trait]
pub trait VaultRebuild: Send {
    /// Adds rows of one table.
    ///
    /// # Errors
    ///
    /// [`VaultError`] where a row does not fit; nothing of the copy stays then.
    async fn add(&mut self, table: usize, rows: Vec<Vec<ArchiveCell>>) -> Result<(), VaultError>;

    /// Commits all of it.
    ///
    /// # Errors
    ///
    /// [`VaultError`] where it could not be committed.
    async fn finish(self: Box<Self>) -> Result<(), VaultError>;
}

/// A copy of the vault that was put back as a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultCopy {
    /// Its file.
    pub file: String,
    /// Its rows.
    pub rows: u64,
}

/// Copies the vault for a purge: afterwards the vault is the only place that has the originals.
#[async_trait]
pub trait VaultCopies: Send + Sync {
    /// Copies the vault, puts the copy back into another vault and reads that through. The copy is
    /// on the ledger afterwards.
    ///
    /// # Errors
    ///
    /// What stood in the way. There is no copy then that counts.
    async fn copy(&self) -> Result<VaultCopy, Box<dyn std::error::Error + Send + Sync>>;
}

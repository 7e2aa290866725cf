//! What the rows of a vault's tables say: the columns have the same names in every engine.
//!
//! Knows no statement and no connection.

use crate::crypto::VaultId;
use crate::ledger::ApprovalKind;
use crate::lifecycle::{Phase, RunId};
use crate::ports::{
    ApprovalRow, CallerRow, CheckRow, Condition, DomainRow, FileKind, FileRow, FileSeal, KeyRow,
    PurposeRow, QuarantineRow, QuarantineState, RangeRow, RunRow, SegmentRow, SlotRow, ToldRow,
    UnlockRow, VaultError, VaultHeader,
};
use crate::token::DomainId;
use crate::value::RowKey;

/// A row, read by the names of its columns. What is not of the type that the schema says is a mistake
/// of ours, and panics as the driver does.
pub(super) trait Columns {
    fn text(&self, column: &str) -> String;
    fn text_if_any(&self, column: &str) -> Option<String>;
    fn bytes(&self, column: &str) -> Vec<u8>;
    fn bytes_if_any(&self, column: &str) -> Option<Vec<u8>>;
    fn number(&self, column: &str) -> i64;
    fn number_if_any(&self, column: &str) -> Option<i64>;

    fn unsigned(&self, column: &str) -> u64 {
        u64::try_from(self.number(column)).unwrap_or(0)
    }

    fn small(&self, column: &str) -> u32 {
        u32::try_from(self.number(column)).unwrap_or(0)
    }

    fn tiny(&self, column: &str) -> u16 {
        u16::try_from(self.number(column)).unwrap_or(0)
    }

    fn small_if_any(&self, column: &str) -> Option<u32> {
        self.number_if_any(column).and_then(|number| u32::try_from(number).ok())
    }

    fn key_if_any(&self, column: &str, malformed: &str) -> Result<Option<RowKey>, VaultError> {
        let key = self.bytes_if_any(column).map(|bytes| RowKey::decode(&bytes));
        key.transpose().map_err(|_| inconsistent(malformed))
    }
}

macro_rules! columns {
    ($row:ty) => {
        impl Columns for $row {
            fn text(&self, column: &str) -> String {
                sqlx::Row::get(self, column)
            }

            fn text_if_any(&self, column: &str) -> Option<String> {
                sqlx::Row::get(self, column)
            }

            fn bytes(&self, column: &str) -> Vec<u8> {
                sqlx::Row::get(self, column)
            }

            fn bytes_if_any(&self, column: &str) -> Option<Vec<u8>> {
                sqlx::Row::get(self, column)
            }

            fn number(&self, column: &str) -> i64 {
                sqlx::Row::get(self, column)
            }

            fn number_if_any(&self, column: &str) -> Option<i64> {
                sqlx::Row::get(self, column)
            }
        }
    };
}

columns!(sqlx::postgres::PgRow);
columns!(sqlx::sqlite::SqliteRow);

fn inconsistent(what: &str) -> VaultError {
    VaultError::Inconsistent(what.to_owned())
}

pub(super) fn header(row: &impl Columns) -> Result<VaultHeader, sqlx::Error> {
    let vault = <[u8; 16]>::try_from(row.bytes("vault").as_slice())
        .map_err(|_| sqlx::Error::Protocol("the vault's id is not 16 bytes".into()))?;
    Ok(VaultHeader {
        vault: VaultId(vault),
        format: row.small("format"),
        created_at: row.text("created_at"),
        key_check: row.bytes("key_check"),
        origin: row.text("origin"),
        verifier_key: row.text("verifier_key"),
    })
}

pub(super) fn slot(row: &impl Columns) -> SlotRow {
    SlotRow {
        slot: row.small("slot"),
        body: row.text("body"),
        created_at: row.text("created_at"),
        opened_at: row.text_if_any("opened_at"),
    }
}

pub(super) fn key(row: &impl Columns) -> KeyRow {
    KeyRow {
        key: row.small("key"),
        purpose: row.text("purpose"),
        subject: row.text("subject"),
        version: row.small("version"),
        state: row.text("state"),
        created_at: row.text("created_at"),
        changed_at: row.text("changed_at"),
        wrapped: row.bytes_if_any("wrapped"),
    }
}

pub(super) fn domain(row: &impl Columns) -> DomainRow {
    DomainRow {
        domain: DomainId(row.tiny("domain")),
        name: row.text("name"),
        class: row.text("class"),
        treatment: row.text("treatment"),
        mac: row.bytes("mac"),
    }
}

pub(super) fn caller(row: &impl Columns) -> CallerRow {
    CallerRow {
        name: row.text("name"),
        role: row.text("role"),
        credential: row.text("credential"),
        credential_hash: row.bytes("credential_hash"),
        approver_key: row.bytes("approver_key"),
        created_at: row.text("created_at"),
        expires_at: row.text_if_any("expires_at"),
        revoked_at: row.text_if_any("revoked_at"),
        mac: row.bytes("mac"),
    }
}

pub(super) fn purpose(row: &impl Columns) -> PurposeRow {
    PurposeRow {
        name: row.text("name"),
        body: row.text("body"),
        policy: row.text("policy"),
        mac: row.bytes("mac"),
    }
}

pub(super) fn unlock(row: &impl Columns) -> UnlockRow {
    UnlockRow {
        caller: row.text("caller"),
        purpose: row.text("purpose"),
        until: row.text("until"),
        given_by: row.text("given_by"),
        mac: row.bytes("mac"),
    }
}

pub(super) fn run(row: &impl Columns) -> Result<RunRow, VaultError> {
    Ok(RunRow {
        run: RunId(row.small("run")),
        source: row.text("source"),
        policy: row.text("policy"),
        policy_hash: row.text("policy_hash"),
        plan: row.text("plan"),
        fingerprint: row.text("fingerprint"),
        phase: Phase::from_name(&row.text("phase"))
            .ok_or_else(|| inconsistent("a run has no known phase"))?,
        condition: match row.text_if_any("condition").as_deref() {
            None => None,
            Some("paused") => Some(Condition::Paused),
            Some(_) => Some(Condition::Failed),
        },
        condition_reason: row.text("condition_reason"),
        planned_by: row.text("planned_by"),
        planned_at: row.text("planned_at"),
        backup_dir: row.text("backup_dir"),
        verified_digest: row.text_if_any("verified_digest"),
        segment: row.small_if_any("segment"),
        mac: row.bytes("mac"),
    })
}

pub(super) fn approval(row: &impl Columns) -> ApprovalRow {
    ApprovalRow {
        run: RunId(row.small("run")),
        kind: match row.text("kind").as_str() {
            "purge" => ApprovalKind::Purge,
            _ => ApprovalKind::Plan,
        },
        digest: row.text("digest"),
        caller: row.text("caller"),
        signature: row.bytes("signature"),
        signed_at: row.text("signed_at"),
    }
}

pub(super) fn range(row: &impl Columns) -> Result<RangeRow, VaultError> {
    let key = |column| row.key_if_any(column, "a range has a malformed key");
    Ok(RangeRow {
        unit: row.tiny("unit"),
        table: row.tiny("tbl"),
        number: row.small("number"),
        lower: key("lower")?,
        upper: key("upper")?,
        rows: row.unsigned("row_count"),
        originals: row.unsigned("originals"),
    })
}

pub(super) fn file(row: &impl Columns) -> Result<FileRow, VaultError> {
    let kind = row.text("kind");
    Ok(FileRow {
        kind: FileKind::ALL
            .into_iter()
            .find(|known| known.name() == kind)
            .ok_or_else(|| inconsistent("a file has no known kind"))?,
        unit: row.tiny("unit"),
        range: row.small("range"),
        epoch: row.unsigned("epoch"),
        number: row.small("number"),
        seal: FileSeal {
            name: row.text("name"),
            sha256: <[u8; 32]>::try_from(row.bytes("sha256").as_slice())
                .map_err(|_| inconsistent("a file's hash is not 32 bytes"))?,
            bytes: row.unsigned("bytes"),
            records: row.unsigned("records"),
        },
    })
}

pub(super) fn quarantined(row: &impl Columns) -> Result<QuarantineRow, VaultError> {
    Ok(QuarantineRow {
        unit: row.tiny("unit"),
        table: row.tiny("tbl"),
        row: row.text("row"),
        key: RowKey::decode(&row.bytes("row_key"))
            .map_err(|_| inconsistent("a quarantined row has a malformed key"))?,
        reason: row.text("reason"),
        cells: row.unsigned("cells"),
        state: match row.text("state").as_str() {
            "waived" => QuarantineState::Waived,
            "replayed" => QuarantineState::Replayed,
            _ => QuarantineState::Waiting,
        },
        waived_by: row.text_if_any("waived_by"),
    })
}

pub(super) fn check(row: &impl Columns) -> CheckRow {
    CheckRow { name: row.text("name"), moment: row.text("moment"), digest: row.bytes("digest") }
}

pub(super) fn segment(row: &impl Columns) -> SegmentRow {
    SegmentRow {
        segment: row.small("segment"),
        run: row.small_if_any("run").map(RunId),
        entries: row.unsigned("entries"),
        root: row.bytes_if_any("root"),
    }
}

pub(super) fn told(row: &impl Columns) -> ToldRow {
    ToldRow { place: row.text("place"), size: row.unsigned("size"), at: row.text("at") }
}

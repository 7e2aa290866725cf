//! How a command ends: the exit code, what happened, what to do about it.

use std::error::Error;
use std::fmt;
use std::path::Path;

use crate::access::RoleError;
use crate::crypto::SlotError;
use crate::engine::postgres::Refusal;
use crate::keystore::{PassphraseError, SecretFileError};
use crate::ports::{BackupError, Remedy, ScratchError, SourceError, VaultError};
use crate::run::{Mismatch, MismatchKind, RetrieveError, RunError};
use crate::upkeep::UpkeepError;

/// How a command ended. The numbers are part of the public interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// The command did what it was asked, and the answer is yes.
    Done = 0,
    /// It finished, and the answer is no: a mismatch, residue, quarantine left.
    Finding = 1,
    /// It could not finish: bad arguments, no connection, a broken vault.
    Failed = 2,
    /// It refused: the phase or the policy does not allow this act.
    Refused = 3,
    /// A way back did not end: some cells hold tokens and some originals, until it is mended.
    Critical = 4,
}

/// Why a command did not end with [`Outcome::Done`]: one sentence, its causes, a hint.
#[derive(Debug)]
pub struct Failure {
    /// How the process ends.
    pub outcome: Outcome,
    error: Box<dyn Error + Send + Sync>,
    hint: Option<String>,
}

impl Failure {
    /// It could not finish.
    pub fn failed(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { outcome: Outcome::Failed, error: error.into(), hint: None }
    }

    /// It refuses.
    pub fn refused(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { outcome: Outcome::Refused, error: error.into(), hint: None }
    }

    /// It finished, and the answer is no.
    pub fn finding(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { outcome: Outcome::Finding, error: error.into(), hint: None }
    }

    /// What went wrong, for whoever says it in words of its own.
    pub(super) fn into_error(self) -> Box<dyn Error + Send + Sync> {
        self.error
    }

    /// A file could not be read.
    pub(super) fn unreadable(file: &Path, error: &std::io::Error) -> Self {
        Self::failed(format!("`{}` cannot be read: {error}", file.display()))
            .hint("check the name, and that you may read it")
    }

    /// A file or a folder could not be written.
    pub(super) fn unwritable(file: &Path, error: &std::io::Error) -> Self {
        Self::failed(format!("`{}` cannot be written: {error}", file.display()))
            .hint("name a place that you may write to, with room on its disk")
    }

    /// A row of the vault is not what Sealift writes.
    pub(super) fn malformed(what: impl fmt::Display) -> Self {
        Self::failed(format!("{what} of the vault is malformed"))
            .hint("the vault is not as it was written; compare it with a backup before going on")
    }

    /// What cannot happen has happened.
    pub(super) fn fault(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::failed(error).hint("a fault of the program: please report it with these two lines")
    }

    /// Says what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says what to do about it, in place of what was said.
    #[must_use]
    pub(super) fn replace_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says what to do about it, unless somebody said so already.
    #[must_use]
    pub fn or_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint.get_or_insert_with(|| hint.into());
        self
    }
}

impl Failure {
    /// Whether another process has done what this one had begun, or has taken it over.
    pub(super) fn is_passed_over(&self) -> bool {
        matches!(
            self.error.downcast_ref::<VaultError>(),
            Some(VaultError::LeaseLost { .. } | VaultError::PhaseMoved { .. })
        ) || matches!(self.error.downcast_ref::<RunError>(), Some(RunError::LeaseLost { .. }))
    }

    /// Whether somebody wanted the work to end here: a pause, an interrupt, a closed window.
    pub(super) fn is_wanted(&self) -> bool {
        self.error.downcast_ref::<RunError>().is_some_and(RunError::is_wanted)
    }

    /// Whether more than the moment was wrong: the same command would not get further by itself.
    pub(super) fn is_lasting(&self) -> bool {
        let error = self.error.as_ref();
        let remedy = error
            .downcast_ref::<RunError>()
            .map(RunError::remedy)
            .or_else(|| error.downcast_ref::<SourceError>().map(SourceError::remedy))
            .or_else(|| error.downcast_ref::<VaultError>().map(VaultError::remedy))
            .or_else(|| error.downcast_ref::<BackupError>().map(BackupError::remedy));
        match remedy {
            Some(remedy) => remedy != Remedy::RetryLater,
            // A check that does not hold has no error of its own.
            None => self.outcome == Outcome::Finding,
        }
    }

    /// Whether source or vault did not answer: there is nothing to roll back over.
    pub(super) fn is_away(&self) -> bool {
        matches!(
            self.error.downcast_ref::<SourceError>(),
            Some(SourceError::Open { .. } | SourceError::Engine { .. })
        ) || matches!(
            self.error.downcast_ref::<VaultError>(),
            Some(VaultError::Open { .. } | VaultError::Moved { .. } | VaultError::Engine { .. })
        )
    }

    /// Whether the folder of a run's backup is not where it was, or is not the run's.
    pub(super) fn is_without_folder(&self) -> bool {
        matches!(self.error.downcast_ref::<BackupError>(), Some(BackupError::NoMarker { .. }))
    }

    /// The same, with another exit code.
    pub(super) fn ending(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// Whether a lock was waited for too long.
    pub(super) fn is_locked(&self) -> bool {
        matches!(self.error.downcast_ref::<VaultError>(), Some(VaultError::Locked { .. }))
            || matches!(self.error.downcast_ref::<SourceError>(), Some(SourceError::Locked { .. }))
    }
}

/// What may be done where nobody said anything better.
fn hint_of(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done | Outcome::Finding => "`sealift report` says what was found",
        Outcome::Failed => "`sealift status` says where runs stand, `sealift --help` what there is",
        Outcome::Refused => "`sealift status` says what may come next",
        Outcome::Critical => "docs/RUNBOOK.md says what to do, case by case",
    }
}

/// The sentence, its causes in one line, and the hint in another.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sealift: {}", self.error)?;
        let mut cause = self.error.source();
        let mut last = self.error.to_string();
        while let Some(error) = cause {
            let text = error.to_string();
            // Some wrappers say what their cause says, alone or with words of their own before it.
            if !last.contains(&text) {
                write!(f, ": {text}")?;
                last = text;
            }
            cause = error.source();
        }
        let hint = self.hint.as_deref().unwrap_or_else(|| hint_of(self.outcome));
        write!(f, "\nhint: {hint}")
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        let (outcome, hint) = of_source(&error);
        let told = match &error {
            SourceError::Blocked { hint, .. } => Some(hint.clone()),
            SourceError::Open { source, .. } | SourceError::Engine { source, .. } => {
                refusal(source.as_ref())
            }
            _ => None,
        };
        let hint = told.or_else(|| hint.map(str::to_owned));
        Self { outcome, error: Box::new(error), hint }
    }
}

fn of_source(error: &SourceError) -> (Outcome, Option<&'static str>) {
    let hint = match error {
        SourceError::Blocked { .. } => {
            return (Outcome::Refused, Some("end it, then purge again: nothing was destroyed"));
        }
        SourceError::Open { url, .. } if url.starts_with("postgres") => {
            "check `--source`: it is `postgres://USER@HOST:PORT/DATABASE`, the password in PGPASSWORD, \
             ~/.pgpass or the URL; TLS by `?sslmode=verify-full`"
        }
        SourceError::Open { .. } => {
            "check `--source`: `sqlite:` and the path of a file, or `postgres://USER@HOST/DATABASE`"
        }
        SourceError::NotADatabase { .. } => {
            "the file is no SQLite database, or it is encrypted; check `--source`"
        }
        SourceError::Damaged { .. } => {
            "is it a whole copy? `sqlite3 FILE 'PRAGMA integrity_check'` says what is broken; mend \
             it or restore it first"
        }
        SourceError::ReadOnly { .. } => {
            "a run writes tokens: give the file write permission (`chmod u+w FILE`)"
        }
        SourceError::Locked { .. } => {
            "another program holds the write lock; try again when it is done, nothing was changed"
        }
        SourceError::Full => "make room on the disk, then run again: it goes on where it stopped",
        SourceError::OtherVault { .. } => {
            "open the vault that owns these tokens with `--vault`; its runs have to end first"
        }
        SourceError::NotOneValue => "a check is one SELECT that returns one value",
        SourceError::Engine { .. } | SourceError::Inconsistent(_) => {
            "what was committed stays as it is; `sealift status` says where the run stands"
        }
    };
    (Outcome::Failed, Some(hint))
}

/// What helps where a server of PostgreSQL was refused, by TLS or by us, or refuses us.
fn refusal(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    error.downcast_ref::<Refusal>().map(Refusal::hint)
}

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Self {
        let (outcome, hint) = of_vault(&error);
        let told = match &error {
            VaultError::Open { source, .. } | VaultError::Engine { source, .. } => {
                refusal(source.as_ref())
            }
            _ => None,
        };
        let hint = told.or_else(|| hint.map(str::to_owned));
        Self { outcome, error: Box::new(error), hint }
    }
}

fn of_vault(error: &VaultError) -> (Outcome, Option<&'static str>) {
    match error {
        VaultError::Open { .. } | VaultError::NoVault { .. } => (
            Outcome::Failed,
            Some(
                "check `--vault`, or make a vault: `sealift init --caller NAME --credential-file FILE`",
            ),
        ),
        VaultError::Exists { .. } => {
            (Outcome::Refused, Some("name another file with `--vault`; nothing was changed"))
        }
        VaultError::Newer { .. } => {
            (Outcome::Failed, Some("use the Sealift that wrote it, or a newer one"))
        }
        VaultError::Older { .. } => (
            Outcome::Failed,
            Some("finish its runs with the build that made it; `sealift init` makes a new vault"),
        ),
        VaultError::Locked { .. } => {
            (Outcome::Failed, Some("another command works on the vault; try again"))
        }
        VaultError::Full => (
            Outcome::Failed,
            Some("make room on the disk, then run again: it goes on where it stopped"),
        ),
        VaultError::Moved { .. } => (
            Outcome::Failed,
            Some("put the vault's file back where it was, then give the same command again"),
        ),
        VaultError::PhaseMoved { .. } => {
            (Outcome::Refused, Some("somebody else moved it; see `sealift status`"))
        }
        VaultError::ColumnTaken { .. } => (
            Outcome::Refused,
            Some("let that run end first: `sealift status`, then purge it or `sealift rollback`"),
        ),
        VaultError::LeaseLost { .. } => {
            (Outcome::Failed, Some("see `sealift status` for who works on it"))
        }
        VaultError::RunAtWork { .. } => {
            (Outcome::Refused, Some("wait for it, or see `sealift status`"))
        }
        VaultError::BlindTaken | VaultError::EntriesTaken | VaultError::IntakeMoved => {
            (Outcome::Failed, Some("try again"))
        }
        VaultError::Inconsistent(_) | VaultError::Engine { .. } => (
            Outcome::Failed,
            Some("the vault is not as it was written; compare it with a backup before going on"),
        ),
    }
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        let hint = match &error {
            BackupError::Folder { .. } => "check `[backup] dir` of the policy",
            BackupError::NoMarker { .. } => {
                "the folder is gone, or belongs to another run or vault: put it back from a copy, or \
                 start from the folder where the run began; a run that has written nothing to the \
                 source can be given up without it: `sealift rollback`"
            }
            BackupError::Missing { .. } | BackupError::Altered { .. } => {
                "put the file back from a copy of the folder; the source still has what it has"
            }
            BackupError::Full { .. } => {
                "make room on the disk, then run again: it goes on where it stopped"
            }
            BackupError::Io { source, .. } => match source.kind() {
                std::io::ErrorKind::AlreadyExists => {
                    "name another file; what is there is never written over"
                }
                std::io::ErrorKind::InvalidInput => "name an age public key; it begins with `age1`",
                _ => "check the disk and the permissions of the folder",
            },
        };
        Self { outcome: Outcome::Failed, error: Box::new(error), hint: Some(hint.to_owned()) }
    }
}

impl From<RetrieveError> for Failure {
    fn from(error: RetrieveError) -> Self {
        match error {
            RetrieveError::Run(error) => error.into(),
            RetrieveError::Scratch(ScratchError::Database(error)) => Self::failed(error)
                .hint("nothing of the backup stays there; check `--into`, and that it has room"),
            RetrieveError::Scratch(error @ ScratchError::Unfit { .. }) => {
                Self::failed(error).hint("restore into SQLite instead: `--into sqlite:PATH`")
            }
            RetrieveError::Scratch(error) => Self::refused(error)
                .hint("name a database without these tables; nothing was written"),
        }
    }
}

impl Failure {
    /// Why a copy of a vault cannot be read or written.
    pub(super) fn of_copy(error: BackupError) -> Self {
        match &error {
            BackupError::Missing { .. } => {
                Self::failed(error).hint("name a file that `sealift vault backup` wrote")
            }
            BackupError::Altered { .. } => {
                Self::failed(error).hint("take another copy; this one was put nowhere")
            }
            _ => error.into(),
        }
    }
}

impl From<UpkeepError> for Failure {
    fn from(error: UpkeepError) -> Self {
        match error {
            UpkeepError::Vault(error) => error.into(),
            UpkeepError::File(error) => Self::of_copy(error),
            other => Self::failed(other).hint("take another copy; this one was put nowhere"),
        }
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Source(error) => error.into(),
            RunError::Vault(error) => error.into(),
            RunError::Backup(error) => error.into(),
            error => {
                let (outcome, hint) = of_run(&error);
                Self { outcome, error: Box::new(error), hint: Some(hint.to_owned()) }
            }
        }
    }
}

/// Whether there is nothing but originals, some of them in rows that wait in quarantine.
fn is_of_quarantine(mismatch: &Mismatch) -> bool {
    matches!(mismatch.kind, MismatchKind::Original | MismatchKind::Quarantined)
}

/// What helps where nothing tells a table's tokens from originals.
const BY_HAND: &str = "write the original where a token stands (`sealift backup restore RUN --into` has them before a \
     purge, `sealift detokenize --domain` opens them after one), then the same command again: where \
     none of them is a token any more, it leaves them as they are";

fn of_run(error: &RunError) -> (Outcome, &'static str) {
    match error {
        RunError::Mismatches(found)
            if found.iter().all(|mismatch| mismatch.kind == MismatchKind::Original) =>
        {
            (
                Outcome::Finding,
                "somebody stored originals after the last sweep: `sealift run` makes tokens of them. \
                 Where they come all the time, keep their writers quiet while it verifies",
            )
        }
        RunError::Mismatches(found) if found.iter().all(is_of_quarantine) => (
            Outcome::Finding,
            "see `sealift quarantine list`; mend the rows and replay them, or waive them by name, then \
             `sealift run`",
        ),
        RunError::Mismatches(_) => (
            Outcome::Finding,
            "nothing is purged while this lasts; repair what is named (write the value itself where \
             somebody copied a token), then `sealift run`",
        ),
        // As after a session that somebody ended while the log was retired.
        RunError::Residue { places, .. }
            if places.split(", ").all(|it| it.starts_with("pg_wal/") || it.ends_with(" more")) =>
        {
            (
                Outcome::Finding,
                "the backup is still there, and the server's own log is no place to remove a file from: \
             purge again, and the log is retired anew. Where a table outside the policy keeps \
             copies, its writers rest meanwhile: what they write brings copies into the log",
            )
        }
        RunError::Residue { .. } => (
            Outcome::Finding,
            "the backup is still there; remove what is named, or rewrite it (VACUUM FULL), and purge \
             again. Where a table outside the policy keeps copies, its writers rest from that \
             VACUUM FULL until the purge has ended",
        ),
        RunError::Scratch { .. } => (
            Outcome::Failed,
            "make room on its disk, and see that you may write there; then the same command again. It \
             lies beside the vault's file, or beside the run's backup where the vault is on a server: \
             a vault that is moved to another disk (`--vault`) takes it along",
        ),
        RunError::VaultCopy(_) => (
            Outcome::Failed,
            "make room beside the backup folder, and see `sealift vault check`; then purge again: \
             the run's backup is still there",
        ),
        RunError::Quarantine { .. } => (
            Outcome::Finding,
            "see `sealift quarantine list`; mend the rows and replay them, or waive them by name",
        ),
        RunError::OutsideWindow => {
            (Outcome::Refused, "run again when the window is open; it goes on where it stopped")
        }
        RunError::Paused => {
            (Outcome::Failed, "`sealift resume` lets it go on, then `sealift run` goes on")
        }
        RunError::Stopped => (Outcome::Failed, "go on with `sealift run`"),
        RunError::Busy { .. } => {
            (Outcome::Failed, "stop the writers of that table for a moment, then run again")
        }
        RunError::WindowRefused { .. } => (
            Outcome::Failed,
            "mend the row or the constraint, then the same command again: what is written already \
                 stays, and it goes on behind it",
        ),
        RunError::LeaseLost { .. } => (Outcome::Failed, "see `sealift status` for who works on it"),
        RunError::OldVault { .. } => (
            Outcome::Failed,
            "this vault is an older copy, restored from a dump perhaps; open the current one \
                 with `--vault`. Nothing was changed; keep vault, source and backup folder as they are",
        ),
        RunError::TablesLost { .. } => (
            Outcome::Refused,
            "`sealift rollback` needs none of them: it looks at every cell and puts the originals \
             back; then plan again",
        ),
        RunError::Unclear { .. } => (Outcome::Failed, BY_HAND),
        RunError::NoKey(_) => (Outcome::Failed, "see `sealift keys list`"),
        RunError::Record { .. } => {
            (Outcome::Failed, "put the file back from a copy of the backup folder")
        }
        RunError::Spellings { .. } => (
            Outcome::Refused,
            "the vault would keep one of them: `lossy_ok = true` on the columns of the domain \
             accepts that, or take their `normalise` away; roll back, and plan again",
        ),
        RunError::Collision { .. }
        | RunError::Unauthentic { .. }
        | RunError::Counts { .. }
        | RunError::Inconsistent(_)
        | RunError::Source(_)
        | RunError::Vault(_)
        | RunError::Backup(_) => (
            Outcome::Failed,
            "do not purge; keep vault, backup and source as they are, and look into it",
        ),
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::failed(error).hint("check the disk, and that the folder may be written to")
    }
}

impl From<SecretFileError> for Failure {
    fn from(error: SecretFileError) -> Self {
        let hint = match &error {
            SecretFileError::Exists(_) => {
                "name another file, or move that one away: it may be the only copy of a secret"
            }
            SecretFileError::Io { verb: "written", .. } => {
                "name a file in a folder that exists and that you may write to"
            }
            SecretFileError::Io { .. } => "check the name, and that you may read it",
            SecretFileError::TooLong(_) | SecretFileError::NotOneLine(_) => {
                "name a file with the secret as its only line"
            }
        };
        Self::failed(error).hint(hint)
    }
}

impl From<PassphraseError> for Failure {
    fn from(error: PassphraseError) -> Self {
        Self::failed(error).hint("set SEALIFT_PASSPHRASE, or use `--passphrase-file FILE`")
    }
}

impl From<SlotError> for Failure {
    fn from(error: SlotError) -> Self {
        let hint = match &error {
            SlotError::EmptyPassphrase => "give it a passphrase of several words",
            SlotError::Params(_) => {
                "64 MiB and 3 passes are the least: `--kdf-memory-mib 128 --kdf-passes 4` is usual"
            }
            SlotError::Memory { .. } => "free memory on this machine, or use a larger one",
            SlotError::WrongKind { .. } | SlotError::WrongSecret { .. } => {
                "check SEALIFT_PASSPHRASE or the file that you named, and `--vault`"
            }
            SlotError::UnknownVersion { .. } => "use the Sealift that wrote it, or a newer one",
            SlotError::Unauthentic { .. } => {
                "the vault is not as it was written; compare it with a backup before going on"
            }
        };
        Self::failed(error).hint(hint)
    }
}

impl From<RoleError> for Failure {
    fn from(error: RoleError) -> Self {
        Self::failed(error).hint(
            "`steward`, `approver` and `auditor` are built in; any other name is a role that \
             purposes of a policy name",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the disk says: {0}")]
    struct Wrapper(#[source] std::io::Error);

    #[test]
    fn a_cause_that_was_said_is_not_said_again() {
        let failure = Failure::failed(Wrapper(std::io::Error::other("it is full")));
        let said = failure.to_string();
        assert_eq!(said.matches("it is full").count(), 1, "{said}");
    }

    #[test]
    fn no_failure_is_without_a_hint() {
        for failure in [Failure::failed("a"), Failure::refused("b"), Failure::finding("c")] {
            assert!(failure.to_string().contains("\nhint: "), "{failure}");
        }
    }
}

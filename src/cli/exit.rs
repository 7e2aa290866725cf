//! How a command ends: the exit code, what happened, what to do about it.

use std::error::Error;
use std::fmt;

use crate::ports::{BackupError, SourceError, VaultError};
use crate::run::RunError;

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

    /// Whether a lock was waited for too long.
    pub(super) fn is_locked(&self) -> bool {
        matches!(self.error.downcast_ref::<VaultError>(), Some(VaultError::Locked { .. }))
            || matches!(self.error.downcast_ref::<SourceError>(), Some(SourceError::Locked { .. }))
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
            // A transparent wrapper says what its cause says.
            if text != last {
                write!(f, ": {text}")?;
            }
            last = text;
            cause = error.source();
        }
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        let (outcome, hint) = of_source(&error);
        Self { outcome, error: Box::new(error), hint: hint.map(str::to_owned) }
    }
}

fn of_source(error: &SourceError) -> (Outcome, Option<&'static str>) {
    let hint = match error {
        SourceError::Open { url, .. } if url.starts_with("postgres") => {
            "check `--source`: it is `postgres://USER@HOST:PORT/DATABASE`, the password in PGPASSWORD, \
             ~/.pgpass or the URL; TLS by `?sslmode=verify-full`; a pooler has to pool sessions"
        }
        SourceError::Open { .. } => "check `--source`: it is `sqlite:` and the path of a file",
        SourceError::NotADatabase { .. } => {
            "the file is no SQLite database, or it is encrypted; check `--source`"
        }
        SourceError::ReadOnly { .. } => "a run writes tokens: give the file write permission",
        SourceError::Locked { .. } => {
            "another program holds the write lock; try again when it is done, nothing was changed"
        }
        SourceError::Full => "make room on the disk, then run again: it goes on where it stopped",
        SourceError::OtherVault { .. } => {
            "open the vault that owns these tokens with `--vault`; its runs have to end first"
        }
        SourceError::Engine { .. } | SourceError::Inconsistent(_) => {
            "what was committed stays as it is; `sealift status` says where the run stands"
        }
    };
    (Outcome::Failed, Some(hint))
}

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Self {
        let (outcome, hint) = of_vault(&error);
        Self { outcome, error: Box::new(error), hint: hint.map(str::to_owned) }
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
        VaultError::Locked { .. } => {
            (Outcome::Failed, Some("another command works on the vault; try again"))
        }
        VaultError::Full => (
            Outcome::Failed,
            Some("make room on the disk, then run again: it goes on where it stopped"),
        ),
        VaultError::PhaseMoved { .. } => {
            (Outcome::Refused, Some("somebody else moved it; see `sealift status`"))
        }
        VaultError::ColumnTaken { .. } => (
            Outcome::Refused,
            Some("let that run end first: `sealift status`, then purge it or `sealift rollback`"),
        ),
        VaultError::BlindTaken | VaultError::EntriesTaken => (Outcome::Failed, Some("try again")),
        VaultError::LeaseLost { .. } => {
            (Outcome::Failed, Some("see `sealift status` for who works on it"))
        }
        VaultError::RunAtWork { .. } => {
            (Outcome::Refused, Some("wait for it, or see `sealift status`"))
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
                "the folder belongs to another run or vault; start from the folder where the run began"
            }
            BackupError::Missing { .. } | BackupError::Altered { .. } => {
                "put the file back from a copy of the folder; the source still has what it has"
            }
            BackupError::Full { .. } => {
                "make room on the disk, then run again: it goes on where it stopped"
            }
            BackupError::Io { .. } => "check the disk and the permissions of the folder",
        };
        Self { outcome: Outcome::Failed, error: Box::new(error), hint: Some(hint.to_owned()) }
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

fn of_run(error: &RunError) -> (Outcome, &'static str) {
    match error {
        RunError::Mismatches(_) => (
            Outcome::Finding,
            "nothing is purged while this lasts; repair what is named, then `sealift verify`",
        ),
        RunError::Residue { .. } => (
            Outcome::Finding,
            "the backup is still there; look for readers of the file, purge again",
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
        RunError::WindowRefused { .. } => {
            (Outcome::Failed, "mend the row or the constraint, then run again; nothing was written")
        }
        RunError::LeaseLost { .. } => (Outcome::Failed, "see `sealift status` for who works on it"),
        RunError::OldVault { .. } => {
            (Outcome::Failed, "this vault is an older copy; open the current one with `--vault`")
        }
        RunError::NoKey(_) => (Outcome::Failed, "see `sealift keys list`"),
        RunError::Record { .. } => {
            (Outcome::Failed, "put the file back from a copy of the backup folder")
        }
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
        Self::failed(error)
    }
}

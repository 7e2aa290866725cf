//! The folder of a run that is lost, in the hands of who needs nothing of it.

use std::path::{Path, PathBuf};

use crate::lifecycle::RunId;
use crate::ports::{BackupError, BackupStore, PlainReader, RecordReader, RecordWriter};

/// Where the folder of a run should be. There is nothing to read, and nothing is written: a folder that
/// was made anew would look like the run's own.
pub struct LostFolder {
    dir: PathBuf,
}

impl LostFolder {
    /// The place of a run's folder.
    #[must_use]
    pub fn of(base: &Path, run: RunId) -> Self {
        Self { dir: base.join(run.to_string()) }
    }

    fn lost(&self) -> BackupError {
        BackupError::NoMarker { dir: self.place() }
    }
}

impl BackupStore for LostFolder {
    fn create(&self, _name: &str) -> Result<Box<dyn RecordWriter>, BackupError> {
        Err(self.lost())
    }

    fn open(&self, _name: &str, _sha256: &[u8; 32]) -> Result<Box<dyn RecordReader>, BackupError> {
        Err(self.lost())
    }

    fn create_plain(&self, _name: &str) -> Result<Box<dyn RecordWriter>, BackupError> {
        Err(self.lost())
    }

    fn open_plain(
        &self,
        _name: &str,
        _sha256: &[u8; 32],
    ) -> Result<Box<dyn PlainReader>, BackupError> {
        Err(self.lost())
    }

    fn open_unrecorded(&self, _name: &str) -> Result<Box<dyn RecordReader>, BackupError> {
        Err(self.lost())
    }

    fn rename(&self, _from: &str, _to: &str) -> Result<(), BackupError> {
        Err(self.lost())
    }

    fn remove(&self, _name: &str) -> Result<(), BackupError> {
        Err(self.lost())
    }

    fn destroy(&self) -> Result<u64, BackupError> {
        Err(self.lost())
    }

    fn note_ledger(&self, _size: u64) -> Result<(), BackupError> {
        // The note warns whoever goes on with the files; nobody can.
        Ok(())
    }

    fn place(&self) -> String {
        self.dir.display().to_string()
    }
}

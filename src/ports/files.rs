//! The files beside a run: backup, increments and token files, which are encrypted; stage files, whose
//! records are sealed values already.

use zeroize::Zeroizing;

use super::Remedy;

/// What is remembered of a finished file. A file without a recorded seal is void.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSeal {
    /// The name inside the run's folder.
    pub name: String,
    /// SHA-256 of the file as it lies on disk.
    pub sha256: [u8; 32],
    /// Its length in bytes.
    pub bytes: u64,
    /// Records in it.
    pub records: u64,
}

/// Why a file could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The folder cannot be used.
    #[error("backup folder `{dir}` cannot be used")]
    Folder {
        /// The folder.
        dir: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The folder is not the run's.
    #[error("backup folder `{dir}` holds no marker of this run")]
    NoMarker {
        /// The folder.
        dir: String,
    },
    /// A file is not there.
    #[error("backup file `{name}` is missing")]
    Missing {
        /// The file.
        name: String,
    },
    /// A file is not the one that was written: its hash or its encryption says so.
    #[error("backup file `{name}` was altered or cut short")]
    Altered {
        /// The file.
        name: String,
    },
    /// There is no room left.
    #[error("no space is left in backup folder `{dir}`")]
    Full {
        /// The folder.
        dir: String,
    },
    /// Anything else that the system said.
    #[error("backup file `{name}` cannot be read or written")]
    Io {
        /// The file.
        name: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl BackupError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Full { .. } => Remedy::RetryLater,
            Self::Folder { .. } | Self::NoMarker { .. } => Remedy::ChangeRequest,
            Self::Missing { .. } | Self::Altered { .. } | Self::Io { .. } => Remedy::Escalate,
        }
    }
}

/// Where a run's encrypted files lie. Opened for one run, with its identity.
pub trait BackupStore: Send + Sync {
    /// Begins a file, in place of a void one of the same name.
    fn create(&self, name: &str) -> Result<Box<dyn RecordWriter>, BackupError>;

    /// Opens a finished file, after comparing the whole of it with the recorded hash.
    fn open(&self, name: &str, sha256: &[u8; 32]) -> Result<Box<dyn RecordReader>, BackupError>;

    /// Begins a file whose records are sealed already, in place of a void one of the same name. They lie
    /// as they are: encrypted once more, they would be no better kept.
    fn create_plain(&self, name: &str) -> Result<Box<dyn RecordWriter>, BackupError>;

    /// Opens such a file, after comparing the whole of it with the hash that it had when it was finished.
    fn open_plain(
        &self,
        name: &str,
        sha256: &[u8; 32],
    ) -> Result<Box<dyn PlainReader>, BackupError>;

    /// Opens a file that nobody recorded. Its end is authenticated by its encryption; that it is the
    /// newest of its name is not known.
    fn open_unrecorded(&self, name: &str) -> Result<Box<dyn RecordReader>, BackupError>;

    /// Gives a finished file another name, in place of a file that has it.
    fn rename(&self, from: &str, to: &str) -> Result<(), BackupError>;

    /// Removes a file; one that is not there is no error.
    fn remove(&self, name: &str) -> Result<(), BackupError>;

    /// Removes the run's folder with everything in it, overwritten first.
    fn destroy(&self) -> Result<u64, BackupError>;

    /// Notes how large the vault's ledger is, unless a larger one is noted: a vault that has fewer
    /// entries is an older copy, and must not go on with these files.
    fn note_ledger(&self, size: u64) -> Result<(), BackupError>;

    /// Where it lies, for messages and the report.
    fn place(&self) -> String;
}

/// Writes records to a file, in order.
pub trait RecordWriter: Send {
    /// Appends a record.
    fn write(&mut self, record: &[u8]) -> Result<(), BackupError>;

    /// Ends the file and makes it durable: file and folder are synced before this returns.
    fn finish(self: Box<Self>) -> Result<FileSeal, BackupError>;
}

/// Reads the records of a file that was not encrypted, in order.
pub trait PlainReader: Send {
    /// The next record, where the one before lay; `None` at the end of the file.
    fn read(&mut self) -> Result<Option<&[u8]>, BackupError>;
}

/// Reads the records of a file, in order.
pub trait RecordReader: Send {
    /// The next record, or `None` at the authenticated end of the file.
    fn read(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, BackupError>;
}

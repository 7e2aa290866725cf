//! A copy of a vault in one file: a line of JSON with what unlocks it, then an `age` file.
//!
//! ```text
//! {"sealift":"vault backup", "vault": …, "slots": […], "identity": {…}}\n   readable by anyone
//! age-encryption.org/v1 …                                                records, to the end
//! ```
//!
//! The line holds wrapped keys only. What lies behind it opens with the identity that the line wraps,
//! and with the recipients that were named: `tail -n +2 FILE | age -d -i KEY`.
//!
//! **Invariant:** a file has its name when it is whole, on disk, and known to the ledger; until then it
//! is another one beside it. A file that is there already is never written over.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use age::x25519::{Identity, Recipient};
use sha2::{Digest, Sha256};

use super::{Hashing, failed, reader, sync_folder, writer};
use crate::ports::{BackupError, RecordReader, RecordWriter};

/// The longest first line that is read.
const LINE_BYTES_MAX: u64 = 16 << 20;

/// A file with a copy of a vault.
pub struct VaultFile {
    path: PathBuf,
}

impl VaultFile {
    /// Names the file.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    fn dir(&self) -> PathBuf {
        match self.path.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir.to_owned(),
            _ => PathBuf::from("."),
        }
    }

    fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Where the file lies until it is whole.
    fn unfinished(&self) -> PathBuf {
        self.dir().join(format!("{}.unfinished", self.name()))
    }

    /// The file as it lies until it has its name.
    #[must_use]
    pub fn unnamed(&self) -> Self {
        Self { path: self.unfinished() }
    }

    /// Gives the file its name.
    ///
    /// # Errors
    ///
    /// [`BackupError`] where there is such a file already, or it cannot be renamed.
    pub fn give_name(&self) -> Result<(), BackupError> {
        self.is_free()?;
        // ORDER: the bytes are on disk; then the name, then the folder that has it.
        fs::rename(self.unfinished(), &self.path)
            .and_then(|()| sync_folder(&self.dir()))
            .map_err(|error| failed(&self.dir(), &self.name(), error))
    }

    /// Removes what has no name yet.
    pub fn give_up(&self) {
        // What stays behind is written over by the next who makes this file.
        let _ = fs::remove_file(self.unfinished());
    }

    fn is_free(&self) -> Result<(), BackupError> {
        if self.path.exists() {
            let error = io::Error::new(io::ErrorKind::AlreadyExists, "it is there already");
            return Err(failed(&self.dir(), &self.name(), error));
        }
        Ok(())
    }

    /// Begins the file; only its owner can read it. It has no name before it is [given
    /// one](Self::give_name).
    ///
    /// `line` is the first line, without its end; `identity` opens what follows, and so does each of
    /// `others`, which are `age` public keys.
    ///
    /// # Errors
    ///
    /// [`BackupError`] where there is such a file already, or it cannot be made.
    pub fn create(
        &self,
        line: &str,
        identity: &str,
        others: &[String],
    ) -> Result<Box<dyn RecordWriter>, BackupError> {
        let io = |error| failed(&self.dir(), &self.name(), error);
        self.is_free()?;
        let invalid = |what: &'static str| io(io::Error::new(io::ErrorKind::InvalidInput, what));
        let identity = Identity::from_str(identity)
            .map_err(|_| invalid("its identity is not an age identity"))?;
        let mut recipients = vec![identity.to_public()];
        for other in others {
            let other = Recipient::from_str(other)
                .map_err(|_| invalid("a recipient is not an age public key"))?;
            recipients.push(other);
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(self.unfinished()).map_err(io)?;
        let mut out = Hashing { inner: BufWriter::new(file), hash: Sha256::new(), bytes: 0 };
        out.write_all(line.as_bytes()).and_then(|()| out.write_all(b"\n")).map_err(io)?;
        writer(&self.dir(), &self.name(), out, &recipients)
    }

    /// The first line, as it was written.
    ///
    /// # Errors
    ///
    /// [`BackupError`] where there is no such file, or it does not begin with a line.
    pub fn line(&self) -> Result<String, BackupError> {
        self.parts().map(|(line, _)| line)
    }

    /// Opens what follows the first line.
    ///
    /// # Errors
    ///
    /// [`BackupError::Altered`] where the identity does not open it.
    pub fn open(&self, identity: &str) -> Result<Box<dyn RecordReader>, BackupError> {
        let (_, rest) = self.parts()?;
        let altered = || BackupError::Altered { name: self.name() };
        let identity = Identity::from_str(identity).map_err(|_| altered())?;
        reader(&self.dir(), &self.name(), rest, &identity)
    }

    fn parts(&self) -> Result<(String, BufReader<File>), BackupError> {
        let io = |error| failed(&self.dir(), &self.name(), error);
        let mut file = BufReader::with_capacity(1 << 16, File::open(&self.path).map_err(io)?);
        let mut line = String::new();
        file.by_ref().take(LINE_BYTES_MAX).read_line(&mut line).map_err(io)?;
        if line.pop() == Some('\n') {
            Ok((line, file))
        } else {
            Err(BackupError::Altered { name: self.name() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::new_identity;

    #[test]
    fn the_line_is_readable_and_the_rest_opens_with_the_identity_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = VaultFile::at(&folder.path().join("vault.backup"));
        let identity = new_identity();
        let mut writer = file.create("{}", &identity, &[]).unwrap();
        writer.write(b"alice@example.com").unwrap();
        writer.finish().unwrap();
        assert!(file.line().is_err(), "it has no name yet");
        assert_eq!(file.unnamed().line().unwrap(), "{}");
        file.give_name().unwrap();
        assert_eq!(file.line().unwrap(), "{}");
        let mut reader = file.open(&identity).unwrap();
        assert_eq!(reader.read().unwrap().unwrap().as_slice(), b"alice@example.com");
        assert!(reader.read().unwrap().is_none());
        let other = file.open(&new_identity()).err().unwrap();
        assert!(matches!(other, BackupError::Altered { .. }));
        assert!(!folder.path().join("vault.backup.unfinished").exists());
    }

    #[test]
    fn a_file_that_is_there_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.backup");
        fs::write(&path, "precious").unwrap();
        assert!(VaultFile::at(&path).create("{}", &new_identity(), &[]).is_err());
        assert!(VaultFile::at(&path).give_name().is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }
}

//! Files that hold one secret line: recovery codes, key files, credentials, passphrases.
//!
//! It does not know what the line means.
//!
//! **Invariant:** a secret file is never overwritten, and is readable by its owner alone from the
//! moment it exists.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// A secret is one line; more than this was named by mistake.
const FILE_BYTES_MAX: usize = 4096;

/// Why a secret file was not read or written. No variant carries its contents.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretFileError {
    /// The file exists; what it holds may be the only copy of another secret.
    #[error("file `{}` exists and is not overwritten", .0.display())]
    Exists(PathBuf),
    /// The file is longer than a secret can be.
    #[error("file `{}` is longer than {FILE_BYTES_MAX} bytes", .0.display())]
    TooLong(PathBuf),
    /// The file is not one line of UTF-8.
    #[error("file `{}` is not one line of text", .0.display())]
    NotOneLine(PathBuf),
    /// The system refused.
    #[error("file `{}` could not be {verb}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        verb: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Writes `line` and a line end into a new file that only its owner can read, and makes it durable.
///
/// # Errors
///
/// Returns [`SecretFileError::Exists`] and changes nothing where there is a file already.
pub fn write_secret_file(path: &Path, line: &str) -> Result<(), SecretFileError> {
    let failed = |source: io::Error| {
        if source.kind() == io::ErrorKind::AlreadyExists {
            SecretFileError::Exists(path.to_owned())
        } else {
            SecretFileError::Io { path: path.to_owned(), verb: "written", source }
        }
    };
    let mut file = create_private(path).map_err(failed)?;
    file.write_all(line.as_bytes()).map_err(failed)?;
    file.write_all(b"\n").map_err(failed)?;
    file.sync_all().map_err(failed)
}

/// Reads the one line of a secret file, without its line end.
///
/// # Errors
///
/// Returns [`SecretFileError`] where it cannot be read, or is not one line.
pub fn read_secret_file(path: &Path) -> Result<Zeroizing<String>, SecretFileError> {
    let failed = |source| SecretFileError::Io { path: path.to_owned(), verb: "read", source };
    let file = File::open(path).map_err(failed)?;
    // The room is taken at once: a buffer that grew would leave the secret behind.
    let mut bytes = Zeroizing::new(vec![0; FILE_BYTES_MAX + 1]);
    let length = read_up_to(file, &mut bytes).map_err(failed)?;
    if length > FILE_BYTES_MAX {
        return Err(SecretFileError::TooLong(path.to_owned()));
    }
    let not_one_line = || SecretFileError::NotOneLine(path.to_owned());
    let text = std::str::from_utf8(&bytes[..length]).map_err(|_| not_one_line())?;
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.contains(['\n', '\r']) {
        return Err(not_one_line());
    }
    Ok(Zeroizing::new(line.to_owned()))
}

fn read_up_to(mut file: File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(unix)]
fn create_private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

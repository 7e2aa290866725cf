//! Which file a vault was opened in.
//!
//! A file that is moved away or deleted stays open, and takes what is written to it: it would be told
//! as kept, and nobody would find it again.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::ports::VaultError;

/// The file that stood at a path when it was opened.
pub(super) struct Place {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Place {
    /// The file at a path, which has to be open: on some file systems a file becomes another one when
    /// it is first opened for writing.
    pub(super) fn of(path: PathBuf) -> std::io::Result<Self> {
        let file = std::fs::metadata(&path)?;
        Ok(Self { path, device: file.dev(), inode: file.ino() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file still stands at its path. It is looked at and not opened: to close a file
    /// again would end SQLite's locks on it.
    pub(super) fn stands(&self, url: &str) -> Result<(), VaultError> {
        let moved = || VaultError::Moved { url: url.to_owned() };
        let file = std::fs::metadata(&self.path).map_err(|error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => moved(),
            _ => VaultError::Engine { doing: "looking at its file", source: Box::new(error) },
        })?;
        if (file.dev(), file.ino()) == (self.device, self.inode) { Ok(()) } else { Err(moved()) }
    }
}

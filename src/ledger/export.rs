//! An export: a handful of files that prove themselves, without a database and without Sealift.
//!
//! It writes no file: names and bytes go out, names and bytes come back to be checked.

use std::collections::BTreeMap;

use super::check::check;
use super::succession::KeyChain;
use super::tree::Head;
use super::verdict::Verdict;

/// The files of an export, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    files: BTreeMap<String, Vec<u8>>,
}

/// Why an export cannot be checked at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// A file without which nothing can be said is not there.
    #[error("the export has no file `{0}`")]
    Missing(&'static str),
    /// The fingerprint given is not one.
    #[error("the fingerprint of a key is 64 hex digits")]
    Fingerprint,
    /// The checkpoint given cannot be read.
    #[error("the checkpoint given is not a signed checkpoint")]
    Checkpoint,
}

impl Export {
    /// The entries: canonical bytes, one a line, in order.
    pub const ENTRIES: &'static str = "entries.jsonl";
    /// The newest checkpoint.
    pub const CHECKPOINT: &'static str = "checkpoint.txt";
    /// The earlier checkpoints, oldest first, an empty line between two.
    pub const CHECKPOINTS: &'static str = "checkpoints.txt";
    /// The head of the tree under the newest checkpoint; see [`Head::to_text`].
    pub const HEAD: &'static str = "head.txt";
    /// The keys, oldest first, `origin+hash+base64` a line; the last one signed.
    pub const PUBLIC_KEY: &'static str = "public-key.txt";
    /// What this is and how to check it.
    pub const README: &'static str = "README.txt";
    /// The verifier that needs nothing but Python.
    pub const VERIFIER: &'static str = "verify.py";
    /// What the verifier asks where the entries are not what was signed: where was it?
    pub const LOCATOR: &'static str = "locate.py";

    /// Makes the files.
    ///
    /// `entries` are stored bytes in order. `head` is the head as stored, `newest` the checkpoint
    /// over it, `earlier` the notes before, oldest first, `keys` those that signed them. Nothing is checked here, on purpose: an
    /// export of a ledger that was tampered with must be possible, so that the auditor sees it.
    #[must_use]
    pub fn new<'a>(
        entries: impl IntoIterator<Item = &'a [u8]>,
        head: &Head,
        newest: &str,
        earlier: &[String],
        keys: &KeyChain,
    ) -> Self {
        let mut lines = Vec::new();
        for entry in entries {
            lines.extend(entry);
            lines.push(b'\n');
        }
        let readme = include_str!("export_readme.txt")
            .replace("{FINGERPRINT}", &keys.newest().fingerprint());
        let files = [
            (Self::ENTRIES, lines),
            (Self::CHECKPOINT, newest.as_bytes().to_vec()),
            (Self::CHECKPOINTS, earlier.join("\n").into_bytes()),
            (Self::HEAD, head.to_text().into_bytes()),
            (Self::PUBLIC_KEY, keys.to_text().into_bytes()),
            (Self::README, readme.into_bytes()),
            (Self::VERIFIER, include_bytes!("verify.py").to_vec()),
            (Self::LOCATOR, include_bytes!("locate.py").to_vec()),
        ];
        Self { files: files.map(|(name, bytes)| (name.to_owned(), bytes)).into() }
    }

    /// Takes files that were read back, by name. Others than an export's own are passed over.
    #[must_use]
    pub fn from_files(files: BTreeMap<String, Vec<u8>>) -> Self {
        Self { files }
    }

    /// The files, by name.
    #[must_use]
    pub fn files(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.files
    }

    /// Checks the export against itself, and against what the auditor kept.
    ///
    /// `expected_key` is the fingerprint that `init` printed, in any case; `since` a checkpoint
    /// that was kept elsewhere. What is not given is not checked, and a note says so.
    ///
    /// # Errors
    ///
    /// Returns [`ExportError`] if there is nothing to check: a file is missing, or what was given
    /// cannot be read. Everything that is *wrong* is a finding of the verdict.
    pub fn check(
        &self,
        expected_key: Option<&str>,
        since: Option<&str>,
    ) -> Result<Verdict, ExportError> {
        check(self, expected_key, since)
    }

    pub(super) fn file(&self, name: &'static str) -> Result<&[u8], ExportError> {
        self.files.get(name).map(Vec::as_slice).ok_or(ExportError::Missing(name))
    }
}

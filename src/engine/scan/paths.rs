//! Named files and folders: dumps, logs, exports, archives of a log.
//!
//! What a file is, is read off its first bytes, not off its name.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{ByteScan, Layout, Reading, ScanError, Stock, Subject};
use crate::ports::{Originals, ScanDepth};
use crate::residue::codec::Codec;
use crate::residue::pages::postgres::{LogReader, Page, RelationKind};
use crate::residue::{FileClass, Filter, ScanReport, SkippedFile};

/// How much of a file is looked at to tell what it is.
const HEAD_BYTES: usize = 8_192;

/// Compressed or encrypted in a way that is not undone here, by the first bytes.
const CLOSED: [(&[u8], &str); 21] = [
    (b"PK\x03\x04", "a zip archive"),
    (b"\xfd7zXZ\0", "compressed by xz"),
    (b"BZh", "compressed by bzip2"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x04\x22\x4d\x18", "an lz4 frame"),
    (b"Rar!", "a rar archive"),
    (b"age-encryption.org/", "encrypted by age"),
    (b"PGDMP", "a custom-format dump, compressed inside"),
    (b"\x8c\x0d\x04", "encrypted by OpenPGP"),
    (b"-----BEGIN PGP MESSAGE", "encrypted by OpenPGP"),
    (b"Salted__", "encrypted by OpenSSL"),
    (b"LUKS\xba\xbe", "an encrypted volume"),
    (b"\x78\x9c", "compressed by zlib"),
    (b"\x78\xda", "compressed by zlib"),
    (b"\x1f\x9d", "compressed by compress"),
    (b"LZIP", "compressed by lzip"),
    (b"\x89LZO", "compressed by lzop"),
    (b"\xff\x06\x00\x00sNaPpY", "compressed by snappy"),
    (b"PAR1", "a Parquet file, compressed inside"),
    (b"ORC", "an ORC file, compressed inside"),
    (b"Obj\x01", "an Avro file, compressed inside"),
];

/// Files below some paths.
#[derive(Debug, Default)]
pub struct Named {
    subjects: Vec<Subject>,
    skipped: Vec<SkippedFile>,
}

impl Named {
    /// Lists every file at and below these paths. Symbolic links inside folders are not followed.
    ///
    /// # Errors
    ///
    /// [`ScanError::Read`] where one of the paths themselves cannot be looked at.
    pub fn list(paths: &[PathBuf]) -> Result<Self, ScanError> {
        let mut named = Self::default();
        for path in paths {
            let failed = |source| ScanError::Read { name: path.display().to_string(), source };
            let meta = std::fs::metadata(path).map_err(failed)?;
            if meta.is_dir() {
                named.folder(path);
            } else {
                named.file(path);
            }
        }
        // ORDER: a log of changes is put together from its files in the order of their names.
        named.subjects.sort_by(|one, other| one.name.cmp(&other.name));
        named.subjects.dedup_by(|one, other| one.name == other.name);
        Ok(named)
    }

    /// Whether there is nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.subjects.is_empty() && self.skipped.is_empty()
    }

    /// Scans all of it.
    ///
    /// Busies all cores; an async caller awaits around it.
    ///
    /// # Errors
    ///
    /// [`ScanError::Originals`] where the originals cannot be read. A file that cannot be read is
    /// named in the report.
    pub fn scan(
        &self,
        filter: &Filter,
        digest_key: [u8; 32],
        originals: &(dyn Originals + Sync),
        depth: ScanDepth,
    ) -> Result<ScanReport, ScanError> {
        let mut scan = ByteScan::new(filter, digest_key, originals, depth, Layout::default());
        for skipped in &self.skipped {
            scan.skip(&skipped.name, &skipped.why);
        }
        scan.run(&self.subjects, &Files)?;
        scan.finish()
    }

    /// What is listed, and what is known not to be read.
    pub(crate) fn into_parts(self) -> (Vec<Subject>, Vec<SkippedFile>) {
        (self.subjects, self.skipped)
    }

    fn skip(&mut self, path: &Path, why: impl std::fmt::Display) {
        let (name, why) = (path.display().to_string(), why.to_string());
        self.skipped.push(SkippedFile { name, why });
    }

    fn folder(&mut self, path: &Path) {
        let entries = match std::fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) => return self.skip(path, error),
        };
        for entry in entries {
            match entry.and_then(|entry| Ok((entry.path(), entry.file_type()?))) {
                Ok((path, kind)) if kind.is_dir() => self.folder(&path),
                Ok((path, kind)) if kind.is_file() => self.file(&path),
                Ok((path, kind)) if kind.is_symlink() => {
                    self.skip(&path, "a symbolic link; name what it leads to");
                }
                // Sockets and devices hold nothing that stays.
                Ok(_) => {}
                Err(error) => self.skip(path, error),
            }
        }
    }

    fn file(&mut self, path: &Path) {
        let mut head = Vec::new();
        let opened = File::open(path);
        let read = opened.and_then(|file| file.take(HEAD_BYTES as u64).read_to_end(&mut head));
        if let Err(error) = read {
            return self.skip(path, error);
        }
        if let Some((_, what)) = CLOSED.iter().find(|(magic, _)| head.starts_with(magic)) {
            self.skip(path, what);
        }
        let name = path.display().to_string();
        let reading = reading(&head, &name);
        self.subjects.push(Subject { name, class: FileClass::Other, reading });
    }
}

/// How a file is read that begins so.
fn reading(head: &[u8], name: &str) -> Reading {
    if head.starts_with(&[0x1f, 0x8b]) {
        return Reading::Packed(Codec::Gzip);
    }
    if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return Reading::Packed(Codec::Zstd);
    }
    if LogReader::is_log(head) {
        return Reading::Log;
    }
    if Page::read(head).is_some() {
        // Which relation it was is not known, nor what is live in it.
        let owner = name.to_owned();
        return Reading::Pages { kind: RelationKind::Other, owner, first_block: 0 };
    }
    Reading::Plain
}

/// Opens files by their own names.
pub(crate) struct Files;

impl Stock for Files {
    fn open(&self, subject: &Subject) -> io::Result<Option<Box<dyn Read + Send + '_>>> {
        opened(Path::new(&subject.name))
    }
}

/// Opens a file; `None` where it is gone.
pub(crate) fn opened<'f>(path: &Path) -> io::Result<Option<Box<dyn Read + Send + 'f>>> {
    match File::open(path) {
        Ok(file) => Ok(Some(Box::new(file))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compressed_or_encrypted_in_a_way_that_is_not_undone_is_not_covered() {
        let folder = tempfile::tempdir().unwrap();
        for (at, (magic, _)) in CLOSED.iter().enumerate() {
            let content = [magic, b" and something that nobody can read".as_slice()].concat();
            std::fs::write(folder.path().join(format!("{at:02}")), content).unwrap();
        }
        std::fs::write(folder.path().join("plain.csv"), "id,name\n").unwrap();
        let (subjects, skipped) = Named::list(&[folder.path().to_owned()]).unwrap().into_parts();
        assert_eq!(subjects.len(), CLOSED.len() + 1, "what can be read of them is searched too");
        let mut told: Vec<&str> = skipped.iter().map(|file| file.why.as_str()).collect();
        let mut expected: Vec<&str> = CLOSED.iter().map(|(_, what)| *what).collect();
        told.sort_unstable();
        expected.sort_unstable();
        assert_eq!(told, expected);
    }
}

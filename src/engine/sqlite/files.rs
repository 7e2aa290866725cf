//! The files of a SQLite database: which there are, and a residue scan over them.
//!
//! It reads files as bytes, beside SQLite and not through it. It does not know which values are
//! sought.
//!
//! **Invariant:** POSIX drops every lock that a process holds on a file as soon as the process
//! closes *any* descriptor of that file, SQLite's locks too. So a [`FileScan`] of a database on
//! which this process holds a lock that matters must live until that lock is no longer needed;
//! [`FileScan::finish`] gives the report and keeps the descriptors open.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rayon::prelude::*;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::residue::pages::sqlite::{PageMap, Structure};
use crate::residue::{
    Candidate, Confirm, FileClass, FileReport, Filter, Hit, Place, ReadAt, ScanReport, Tally,
};
use crate::value::Original;

/// How much of a file one worker looks at.
const PIECE_BYTES: usize = 1 << 20;
/// How many pieces are read, and then looked at, together.
const PIECES: usize = 8;
/// How many candidates one round may hold: some 60 bytes each.
const CANDIDATES_MAX: usize = 1 << 20;

/// One file of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub class: FileClass,
}

impl DatabaseFile {
    /// Its name, without folders.
    #[must_use]
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// Why the files of a database could not be scanned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilesError {
    /// The folder of the database could not be listed.
    #[error("folder `{}` cannot be listed", .path.display())]
    List {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file could not be opened or read.
    #[error("file `{}` cannot be read", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Lists the files of a database that are there, the database first.
///
/// # Errors
///
/// Returns [`FilesError::List`] where the folder cannot be read.
pub fn list(database: &Path) -> Result<Vec<DatabaseFile>, FilesError> {
    let folder = match database.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = database.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let failed = |source| FilesError::List { path: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in folder.read_dir().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let other = entry.file_name().to_string_lossy().into_owned();
        if let Some(class) = other.strip_prefix(&name).and_then(class_of) {
            files.push(DatabaseFile { path: folder.join(entry.file_name()), class });
        }
    }
    files.sort_by(|left, right| (left.class, &left.path).cmp(&(right.class, &right.path)));
    Ok(files)
}

// SPEC: https://www.sqlite.org/tempfiles.html, sections 2.1 to 2.4. A super-journal is named
// `-mj` and random hex digits.
fn class_of(suffix: &str) -> Option<FileClass> {
    match suffix {
        "" => Some(FileClass::Database),
        "-wal" => Some(FileClass::Wal),
        "-shm" => Some(FileClass::SharedMemory),
        "-journal" => Some(FileClass::Journal),
        _ if suffix.starts_with("-mj") => Some(FileClass::SuperJournal),
        _ => None,
    }
}

/// A scan of files for residue, in rounds: [`FileScan::next_round`], every original past
/// [`FileScan::check`], [`FileScan::end_round`]; until there is no further round.
///
/// A round ends when all files are read or when it holds a million candidates, so memory is bounded
/// (some 80 MiB beside the filter) however much is found. Most scans have one round.
pub struct FileScan<'a> {
    filter: &'a Filter,
    digest_key: Zeroizing<[u8; 32]>,
    files: Opened,
    progress: Vec<Progress>,
    /// Which file is being read.
    at: usize,
    candidates_max: usize,
    confirm: Option<Confirm<'a>>,
    /// A log or a journal has content: pages of the database may be older than what SQL sees, so
    /// nothing in it is called live.
    has_side_file: bool,
}

struct Opened(Vec<(DatabaseFile, File)>);

/// Files that were scanned, kept open to the end of the process.
///
/// POSIX drops every lock that a process holds on a file when any descriptor of it is closed, the
/// locks of SQLite's own connections included.
static KEPT_OPEN: Mutex<Vec<File>> = Mutex::new(Vec::new());

impl Drop for Opened {
    fn drop(&mut self) {
        if let Ok(mut kept) = KEPT_OPEN.lock() {
            kept.extend(self.0.drain(..).map(|(_, file)| file));
        }
    }
}

/// What is known of the pages of a file.
enum PageStructure {
    NotRead,
    NotUnderstood,
    Known(PageMap),
}

/// How far one file was read.
struct Progress {
    /// Where the next piece begins.
    offset: u64,
    /// How many bytes went into the hash. More than `offset` where a round was cut short.
    hashed: u64,
    hash: Sha256,
    tally: Tally,
    structure: PageStructure,
}

impl<'a> FileScan<'a> {
    /// Opens the files.
    ///
    /// # Errors
    ///
    /// Returns [`FilesError::Read`] where one cannot be opened.
    pub fn open(
        files: Vec<DatabaseFile>,
        filter: &'a Filter,
        digest_key: [u8; 32],
    ) -> Result<Self, FilesError> {
        let mut opened = Vec::with_capacity(files.len());
        let mut progress = Vec::with_capacity(files.len());
        for file in files {
            let handle = File::open(&file.path)
                .map_err(|source| FilesError::Read { path: file.path.clone(), source })?;
            opened.push((file, handle));
            progress.push(Progress {
                offset: 0,
                hashed: 0,
                hash: Sha256::new(),
                tally: Tally::default(),
                structure: PageStructure::NotRead,
            });
        }
        let side_files = [FileClass::Wal, FileClass::Journal];
        let has_side_file = opened.iter().any(|(file, handle): &(DatabaseFile, File)| {
            // A length that cannot be read is no length of zero.
            side_files.contains(&file.class) && handle.metadata().map_or(true, |it| it.len() > 0)
        });
        Ok(Self {
            filter,
            digest_key: Zeroizing::new(digest_key),
            files: Opened(opened),
            progress,
            at: 0,
            candidates_max: CANDIDATES_MAX,
            confirm: None,
            has_side_file,
        })
    }

    /// Confirms after this many candidates rather than after a million.
    #[must_use]
    pub fn with_candidates_max(mut self, candidates_max: usize) -> Self {
        self.candidates_max = candidates_max.max(1);
        self
    }

    /// Reads on, until all files are read or the round is full. Returns whether there is a round:
    /// then every original must be checked, and the round ended.
    ///
    /// Busies all cores; an async caller awaits around it.
    ///
    /// # Errors
    ///
    /// Returns [`FilesError::Read`] where a file cannot be read.
    pub fn next_round(&mut self) -> Result<bool, FilesError> {
        let mut candidates = Vec::new();
        let mut buffer = Zeroizing::new(vec![0; PIECES * PIECE_BYTES + Filter::LOOK_AHEAD_BYTES]);
        while self.at < self.files.0.len() && candidates.len() < self.candidates_max {
            self.read_on(&mut buffer, &mut candidates)?;
        }
        if candidates.is_empty() {
            return Ok(false);
        }
        self.confirm = Some(Confirm::new(self.filter, *self.digest_key, candidates));
        Ok(true)
    }

    /// Compares one original with what the round found.
    ///
    /// # Errors
    ///
    /// Returns [`FilesError::Read`] where a file cannot be read.
    pub fn check(&mut self, original: &Original) -> Result<(), FilesError> {
        match &mut self.confirm {
            Some(confirm) => confirm.check(original, &self.files),
            None => Ok(()),
        }
    }

    /// Counts the round's hits, each by its place.
    ///
    /// # Errors
    ///
    /// Returns [`FilesError::Read`] where a file cannot be read.
    pub fn end_round(&mut self) -> Result<(), FilesError> {
        let hits = self.confirm.take().map(Confirm::finish).unwrap_or_default();
        for hit in hits {
            let place = self.locate(&hit)?;
            self.progress[hit.file as usize].tally.add(hit, place);
        }
        Ok(())
    }

    /// Puts the report together.
    #[must_use]
    pub fn finish(&mut self) -> ScanReport {
        let reports = self.files.0.iter().zip(&mut self.progress).map(|((file, _), progress)| {
            let sha256 = data_encoding::HEXLOWER.encode(&progress.hash.clone().finalize());
            let tally = std::mem::take(&mut progress.tally);
            FileReport::new(file.name(), file.class, progress.hashed, sha256, tally)
        });
        ScanReport::new(self.filter, reports.collect())
    }

    /// Finds a hit's place. The structure of a file is read at its first hit: most scans after a
    /// purge need none.
    fn locate(&mut self, hit: &Hit) -> Result<Place, FilesError> {
        let index = hit.file as usize;
        if self.has_side_file || self.files.0[index].0.class != FileClass::Database {
            return Ok(Place::Unknown);
        }
        if matches!(self.progress[index].structure, PageStructure::NotRead) {
            let pages = PageMap::read(hit.file, &self.files)?;
            self.progress[index].structure =
                pages.map_or(PageStructure::NotUnderstood, PageStructure::Known);
        }
        match &self.progress[index].structure {
            PageStructure::Known(pages) => pages.place(hit.offset, &self.files),
            PageStructure::NotRead | PageStructure::NotUnderstood => Ok(Place::Unknown),
        }
    }

    /// Reads one buffer of the current file, hashes what is new and probes all of it.
    fn read_on(
        &mut self,
        buffer: &mut [u8],
        candidates: &mut Vec<Candidate>,
    ) -> Result<(), FilesError> {
        let file = u32::try_from(self.at).unwrap_or(u32::MAX);
        let progress = &mut self.progress[self.at];
        let length = self.files.read_at(file, progress.offset, buffer)?;
        let is_end = length < buffer.len();
        let starts = if is_end { length } else { length - Filter::LOOK_AHEAD_BYTES };

        let (bytes, from) = (&buffer[..length], progress.offset);
        let known = usize::try_from(progress.hashed - from).unwrap_or(usize::MAX);
        let room = self.candidates_max - candidates.len();
        let hash = &mut progress.hash;
        let (probed, ()) = rayon::join(
            || probe_pieces(self.filter, file, from, bytes, starts, room),
            || hash.update(bytes.get(known..).unwrap_or_default()),
        );
        progress.hashed = progress.hashed.max(from + length as u64);

        let (found, looked_at) = probed;
        candidates.extend(found);
        progress.offset += looked_at as u64;
        if is_end && looked_at == starts {
            self.at += 1;
        }
        Ok(())
    }
}

impl std::fmt::Debug for FileScan<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let files: Vec<_> = self.files.0.iter().map(|(file, _)| file).collect();
        f.debug_struct("FileScan").field("files", &files).finish_non_exhaustive()
    }
}

impl ReadAt for Opened {
    type Error = FilesError;

    fn read_at(&self, file: u32, offset: u64, buffer: &mut [u8]) -> Result<usize, FilesError> {
        let (file, handle) = &self.0[file as usize];
        let mut filled = 0;
        while filled < buffer.len() {
            match handle.read_at(&mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(length) => filled += length,
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(FilesError::Read { path: file.path.clone(), source }),
            }
        }
        Ok(filled)
    }
}

/// Looks at the pieces of a buffer on all cores, and returns what was found with how many starts
/// were looked at: all, unless there was no room.
pub(crate) fn probe_pieces(
    filter: &Filter,
    file: u32,
    from: u64,
    bytes: &[u8],
    starts: usize,
    room: usize,
) -> (Vec<Candidate>, usize) {
    let pieces: Vec<_> = (0..starts)
        .step_by(PIECE_BYTES)
        .collect::<Vec<_>>()
        .into_par_iter()
        .map(|start| {
            let starts = PIECE_BYTES.min(starts - start);
            let end = bytes.len().min(start + starts + Filter::LOOK_AHEAD_BYTES);
            let place = (file, from + start as u64);
            let mut found = Vec::new();
            let looked_at = filter.probe(place, &bytes[start..end], starts, room, &mut found);
            (start, starts, looked_at, found)
        })
        .collect();

    let mut candidates = Vec::new();
    for (start, starts, looked_at, found) in pieces {
        // What later pieces found is looked for again in the next round.
        if !candidates.is_empty() && candidates.len() + found.len() > room {
            return (candidates, start);
        }
        candidates.extend(found);
        if looked_at < starts {
            return (candidates, start + looked_at);
        }
    }
    (candidates, starts)
}

/// Looks at every unused byte of a database's pages; `None` where the file is no SQLite database or
/// is not understood. The log must have been checkpointed and truncated before.
///
/// # Errors
///
/// Returns [`FilesError::Read`] where the file cannot be read.
pub fn structure(database: &Path) -> Result<Option<Structure>, FilesError> {
    let handle = File::open(database)
        .map_err(|source| FilesError::Read { path: database.to_owned(), source })?;
    let file = DatabaseFile { path: database.to_owned(), class: FileClass::Database };
    let files = Opened(vec![(file, handle)]);
    PageMap::read(0, &files)?.map(|pages| pages.structure(&files)).transpose()
}

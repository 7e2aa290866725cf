//! A residue scan over files of any kind, read once from front to back.
//!
//! Whoever scans says how each file is to be read and opens it; here it is hashed, searched on all
//! cores, and unpacked where values lie compressed in it. Which values are sought is not known here:
//! the originals are streamed past the candidates once for each round.
//!
//! **Invariant:** memory is bounded whatever is found: a round ends with `CANDIDATES_MAX`
//! candidates, of which `SNIPPET_BYTES` bytes each are kept, in memory only, and wiped.

mod fill;
mod log;
mod paths;
mod planted;
mod slots;

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use self::fill::{Hashing, Room, Source};
use self::log::Log;
pub use self::paths::Named;
pub(crate) use self::paths::opened;
pub(crate) use self::planted::{Memory, finds, marker, planted};
use self::slots::{Slots, Spot};
use crate::ports::{Originals, ScanDepth};
use crate::residue::codec::{Codec, Stride, each_embedded};
use crate::residue::pages::postgres::{RelationKind, holds_live};
use crate::residue::{
    Candidate, Confirm, FileClass, FileReport, Filter, Place, ScanReport, SkippedFile, Tally,
};

/// How much is looked at by one core.
const PIECE_BYTES: usize = 1 << 20;
/// How much is looked at together, while as much is read.
const WINDOW_BYTES: usize = 8 * PIECE_BYTES;
/// How many candidates a round holds.
const CANDIDATES_MAX: usize = 150_000;
/// How many candidates of one value that lay compressed are kept.
const CANDIDATES_A_VALUE: usize = 8_192;
/// A control looks after so many candidates whether one is confirmed, and after sixteen times as
/// many the next time: every look has the originals come by.
const CONTROL_MIN: usize = 1;
const CONTROL_GROWS: usize = 16;
/// How many bytes are kept at a candidate: what is longer counts as found in part.
pub(super) const SNIPPET_BYTES: usize = 256;

/// How a file is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reading {
    /// As it is.
    Plain,
    /// As it is: words that people have written, and no server. An original among them is a copy, or
    /// a word that means something else there.
    Settings,
    /// Compressed as a whole.
    Packed(Codec),
    /// Pages of a relation of PostgreSQL.
    Pages {
        /// What they hold.
        kind: RelationKind,
        /// The relation, as messages name it.
        owner: String,
        /// The first block of this file.
        first_block: u32,
    },
    /// The log of changes of a PostgreSQL server.
    Log,
}

/// A file to be scanned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subject {
    /// What reports call it, and how it is opened.
    pub(crate) name: String,
    /// What kind of file it is.
    pub(crate) class: FileClass,
    /// How it is read.
    pub(crate) reading: Reading,
}

/// Opens files.
pub(crate) trait Stock {
    /// Opens one; `None` where it is gone.
    fn open(&self, subject: &Subject) -> io::Result<Option<Box<dyn io::Read + Send + '_>>>;
}

/// What servers differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Bytes of a page.
    pub(crate) page_bytes: usize,
    /// Bytes of a page of the log.
    pub(crate) log_page_bytes: usize,
    /// The database whose changes count; 0 where all do.
    pub(crate) database: u32,
}

impl Default for Layout {
    fn default() -> Self {
        Self { page_bytes: 8_192, log_page_bytes: 8_192, database: 0 }
    }
}

/// Why a scan broke off.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// The originals could not be read a second time.
    #[error("the originals cannot be read")]
    Originals(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A file could not be read.
    #[error("file `{name}` cannot be read")]
    Read {
        /// The file.
        name: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// A scan in progress.
pub(crate) struct ByteScan<'a> {
    filter: &'a Filter,
    digest_key: Zeroizing<[u8; 32]>,
    originals: &'a (dyn Originals + Sync),
    depth: ScanDepth,
    layout: Layout,
    slots: Slots,
    log: Log,
    tallies: Vec<Tally>,
    files: Vec<FileReport>,
    skipped: Vec<SkippedFile>,
    /// Classes that a control has seen enough of.
    content: BTreeSet<FileClass>,
    /// After how many candidates a control looks next.
    control_at: usize,
}

/// A run of bytes of the file that is being read.
struct Window<'b> {
    /// Where it begins in the file.
    offset: u64,
    bytes: &'b [u8],
    /// How many of them were not looked at before as pages.
    fresh: usize,
    /// How many of them may begin a value.
    starts: usize,
}

impl<'a> ByteScan<'a> {
    /// Begins.
    pub(crate) fn new(
        filter: &'a Filter,
        digest_key: [u8; 32],
        originals: &'a (dyn Originals + Sync),
        depth: ScanDepth,
        layout: Layout,
    ) -> Self {
        Self {
            filter,
            digest_key: Zeroizing::new(digest_key),
            originals,
            depth,
            layout,
            slots: Slots::default(),
            log: Log::new(layout),
            tallies: Vec::new(),
            files: Vec::new(),
            skipped: Vec::new(),
            content: BTreeSet::new(),
            control_at: CONTROL_MIN,
        }
    }

    /// Scans files, all of the log in the order of its addresses and after one another.
    ///
    /// Busies all cores; an async caller awaits around it.
    pub(crate) fn run(
        &mut self,
        subjects: &[Subject],
        stock: &(dyn Stock + Sync),
    ) -> Result<(), ScanError> {
        let room = || Room::of(WINDOW_BYTES + self.ahead());
        let mut rooms = [room(), room()];
        for subject in subjects {
            if self.content.contains(&subject.class) {
                continue;
            }
            let opened = match stock.open(subject) {
                Ok(Some(opened)) => opened,
                Ok(None) => {
                    // What belongs to the database comes and goes; what was named has to be read.
                    if subject.class == FileClass::Other {
                        self.skip(&subject.name, &"it went away before it was read");
                    }
                    continue;
                }
                Err(error) => {
                    self.skip(&subject.name, &error);
                    continue;
                }
            };
            self.tallies.push(Tally::default());
            let hash = Arc::new(Mutex::new((Sha256::new(), 0)));
            let hashing = Hashing::new(opened, Arc::clone(&hash));
            let outcome = match Source::new(hashing, &subject.reading) {
                Ok(source) => self.file(subject, source, &mut rooms)?,
                Err(error) => Err(error),
            };
            if let Err(error) = outcome {
                self.skip(&subject.name, &error);
            }
            let hash = hash.lock().unwrap_or_else(PoisonError::into_inner);
            let sha256 = data_encoding::HEXLOWER.encode(&hash.0.clone().finalize());
            let (name, class) = (subject.name.clone(), subject.class);
            self.files.push(FileReport::new(name, class, hash.1, sha256, Tally::default()));
            if self.depth == ScanDepth::Control && self.slots.len() >= self.control_at {
                self.confirm()?;
                self.control_at = self.control_at.saturating_mul(CONTROL_GROWS);
                let is_of_class = |file: &FileReport| file.class == subject.class;
                let mut files = self.files.iter().zip(&self.tallies);
                if files.any(|(file, tally)| is_of_class(file) && tally.total() > 0) {
                    self.content.insert(subject.class);
                }
            }
        }
        Ok(())
    }

    /// Names a file that is not read.
    pub(crate) fn skip(&mut self, name: &str, why: &dyn std::fmt::Display) {
        self.skipped.push(SkippedFile { name: name.to_owned(), why: why.to_string() });
    }

    /// Ends, and puts the report together.
    pub(crate) fn finish(mut self) -> Result<ScanReport, ScanError> {
        let last = self.log.finish();
        self.search_records(&last)?;
        self.confirm()?;
        if self.log.cut() > 0 {
            let cut = self.log.cut();
            // Without its beginning a record cannot be unpacked; its bytes are searched as they are.
            self.skipped.push(SkippedFile {
                name: "write-ahead log".to_owned(),
                why: format!("{cut} records are cut, so that what is compressed in them is unread"),
            });
        }
        for (file, tally) in self.files.iter_mut().zip(self.tallies) {
            let class = file.class;
            let (name, sha256) = (std::mem::take(&mut file.name), std::mem::take(&mut file.sha256));
            *file = FileReport::new(name, class, file.bytes, sha256, tally);
        }
        let mut report = ScanReport::new(self.filter, self.files);
        report.skipped = self.skipped;
        Ok(report)
    }

    /// How many bytes behind a window are looked at with it: a multiple of the page, so that every
    /// page lies whole in the window where it begins.
    fn ahead(&self) -> usize {
        self.layout.page_bytes.max(self.layout.log_page_bytes).max(SNIPPET_BYTES)
    }

    /// Reads one file to its end, or until a control has seen enough.
    fn file(
        &mut self,
        subject: &Subject,
        mut source: Source<'_>,
        rooms: &mut [Room; 2],
    ) -> Result<io::Result<()>, ScanError> {
        let ahead = self.ahead();
        let [now, next] = rooms;
        let mut offset = 0;
        let mut carried = 0;
        now.begin_with(&[]);
        if let Err(error) = now.fill(&mut source, WINDOW_BYTES) {
            return Ok(Err(error));
        }
        loop {
            let bytes = now.held();
            let is_end = bytes.len() - carried < WINDOW_BYTES;
            let starts = if is_end { bytes.len() } else { bytes.len() - ahead };
            next.begin_with(&bytes[starts..]);
            let window = Window { offset, bytes, fresh: bytes.len() - carried, starts };
            // The next bytes are read while these are searched.
            let (searched, read) = rayon::join(
                || self.window(subject, &window),
                || if is_end { Ok(()) } else { next.fill(&mut source, WINDOW_BYTES) },
            );
            searched?;
            if let Err(error) = read {
                return Ok(Err(error));
            }
            let is_content =
                self.depth == ScanDepth::Control && self.slots.len() >= self.control_at;
            if is_end || is_content {
                return Ok(Ok(()));
            }
            offset += starts as u64;
            carried = ahead;
            std::mem::swap(now, next);
        }
    }

    /// Searches one window, as it is and unpacked.
    fn window(&mut self, subject: &Subject, window: &Window<'_>) -> Result<(), ScanError> {
        let file = self.file_number();
        let mut at = 0;
        while at < window.starts {
            let room = self.room();
            let (found, looked_at) = crate::engine::sqlite::files::probe_pieces(
                self.filter,
                0,
                window.offset + at as u64,
                &window.bytes[at..],
                window.starts - at,
                room,
            );
            for candidate in found {
                let from = usize::try_from(candidate.offset - window.offset).unwrap_or(usize::MAX);
                let spot = Spot {
                    file,
                    offset: candidate.offset,
                    via: None,
                    place: self.place(subject, window, from),
                };
                let end = window.bytes.len().min(from + SNIPPET_BYTES);
                self.slots.add(candidate, spot, &window.bytes[from..end]);
            }
            at += looked_at;
            if self.room() == 0 {
                self.confirm()?;
            }
        }
        let fresh = window.bytes.len() - window.fresh;
        match &subject.reading {
            Reading::Pages { .. } => self.unpack_pages(subject, window, fresh),
            Reading::Log => {
                let base = window.offset + fresh as u64;
                let records = self.log.read(file, base, &window.bytes[fresh..]);
                self.search_records(&records)
            }
            Reading::Plain | Reading::Settings | Reading::Packed(_) => Ok(()),
        }
    }

    fn room(&self) -> usize {
        CANDIDATES_MAX.saturating_sub(self.slots.len())
    }

    fn file_number(&self) -> u32 {
        u32::try_from(self.tallies.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }

    /// Where a candidate lies, as far as the file's structure is known.
    fn place(&self, subject: &Subject, window: &Window<'_>, from: usize) -> Place {
        if subject.reading == Reading::Settings {
            return Place::Live { page: 0, owner: subject.name.clone() };
        }
        let Reading::Pages { kind, owner, first_block } = &subject.reading else {
            return Place::Unknown;
        };
        let page_bytes = self.layout.page_bytes as u64;
        let offset = window.offset + from as u64;
        let start = offset / page_bytes * page_bytes;
        let block = u32::try_from(offset / page_bytes).unwrap_or(u32::MAX);
        let (page, owner) = (first_block.saturating_add(block), owner.clone());
        // The page reaches into the next window, or began in the last one: read what is here of it.
        let begins = start.checked_sub(window.offset).and_then(|at| usize::try_from(at).ok());
        let bytes = begins.and_then(|at| window.bytes.get(at..at + self.layout.page_bytes));
        let within = usize::try_from(offset - start).unwrap_or(0);
        match bytes {
            Some(bytes) if holds_live(bytes, *kind, within) => Place::Live { page, owner },
            Some(_) | None => Place::Unused { page, owner },
        }
    }

    /// Looks into compressed values on the pages of a relation.
    fn unpack_pages(
        &mut self,
        subject: &Subject,
        window: &Window<'_>,
        fresh: usize,
    ) -> Result<(), ScanError> {
        let file = self.file_number();
        let (filter, page_bytes) = (self.filter, self.layout.page_bytes);
        let pages: Vec<_> = window.bytes[fresh..].chunks(page_bytes).enumerate().collect();
        let look = |(number, page): &(usize, &[u8])| {
            let mut found = Vec::new();
            each_embedded(page, Stride::Aligned, |at, codec, unpacked| {
                for (candidate, snippet) in
                    slots::probe_all(filter, &unpacked.bytes, CANDIDATES_A_VALUE)
                {
                    found.push(((fresh + number * page_bytes + at, codec), candidate, snippet));
                }
            });
            found
        };
        self.in_rounds(&pages, look, |scan, (from, codec)| {
            let offset = window.offset + from as u64;
            let place = scan.place(subject, window, from);
            Spot { file, offset, via: Some(codec), place }
        })
    }

    /// Looks into the records of the log: what is compressed, and what lies across pages.
    fn search_records(&mut self, records: &[log::Record]) -> Result<(), ScanError> {
        let filter = self.filter;
        self.in_rounds(records, |record| record.candidates(filter), |_, spot| spot)
    }

    /// Looks into items on all cores. Those for whose candidates there is no room are looked into when
    /// what was found before them is confirmed: a text that repeats itself is met thousands of times.
    fn in_rounds<T: Sync, S: Send>(
        &mut self,
        items: &[T],
        look: impl Fn(&T) -> Vec<(S, Candidate, Zeroizing<Vec<u8>>)> + Sync,
        spot: impl Fn(&Self, S) -> Spot,
    ) -> Result<(), ScanError> {
        let mut left: Vec<&T> = items.iter().collect();
        while !left.is_empty() {
            let room = AtomicUsize::new(self.room());
            let take = |found: usize| {
                let less = |room: usize| Some(room.saturating_sub(found));
                let _ = room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
            };
            let looked = left.par_iter().map(|item| {
                let found = (room.load(Ordering::Relaxed) > 0).then(|| look(item))?;
                take(found.len());
                Some(found)
            });
            let looked: Vec<_> = looked.collect();
            let mut later = Vec::new();
            for (item, found) in left.into_iter().zip(looked) {
                if found.is_none() {
                    later.push(item);
                }
                for (at, candidate, snippet) in found.into_iter().flatten() {
                    let spot = spot(self, at);
                    self.slots.add(candidate, spot, &snippet);
                }
            }
            if self.room() == 0 {
                self.confirm()?;
            }
            left = later;
        }
        Ok(())
    }

    /// Ends a round: the originals come by, and what is one of them is counted.
    fn confirm(&mut self) -> Result<(), ScanError> {
        if self.slots.is_empty() {
            return Ok(());
        }
        let mut slots = std::mem::take(&mut self.slots);
        let mut confirm = Confirm::new(self.filter, *self.digest_key, slots.candidates());
        self.originals
            .each(&mut |original| {
                // Reading from memory cannot fail.
                let _ = confirm.check(original, &slots);
            })
            .map_err(ScanError::Originals)?;
        for mut hit in confirm.finish() {
            let spot = slots.spot(hit.file);
            if self.log.is_foreign(spot.file, spot.offset) {
                continue;
            }
            (hit.file, hit.offset) = (spot.file, spot.offset);
            self.tallies[spot.file as usize].add_via(hit, spot.place.clone(), spot.via);
        }
        Ok(())
    }
}

//! What a scan found, and what that proves.
//!
//! A report is made to be kept: it holds counts, offsets and keyed digests, never a value. This
//! file does not know how the scan was done.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::codec::Codec;
use super::confirm::{Extent, Hit};
use super::encoding::Encoding;
use super::filter::{Filter, Unsearchable};

/// How many hits a report lists for each file; the others are counted.
const LISTED_MAX: usize = 100;

/// What kind of file was scanned.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FileClass {
    /// The database itself.
    Database,
    /// The write-ahead log.
    Wal,
    /// The index of the write-ahead log: frame numbers, no content.
    SharedMemory,
    /// A rollback journal.
    Journal,
    /// The journal of a transaction over several databases: names of files, no content.
    SuperJournal,
    /// Any other file that was named: a dump, an export, a copy.
    Other,
    /// What a server writes about its work.
    ServerLog,
    /// What a server keeps beside relations and log: temporary files, counters, slots.
    ServerFiles,
}

impl FileClass {
    /// Whether files of this class ever hold values.
    #[must_use]
    pub fn holds_values(self) -> bool {
        match self {
            Self::Database
            | Self::Wal
            | Self::Journal
            | Self::Other
            | Self::ServerLog
            | Self::ServerFiles => true,
            Self::SharedMemory | Self::SuperJournal => false,
        }
    }
}

/// Where in a database's own structure a hit lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Inside a row or an index entry that SQL still sees: a copy in a column that the run does not
    /// cover, not residue.
    Live {
        /// The page, as the engine counts: SQLite from 1, PostgreSQL from 0.
        page: u32,
        /// The table or index that owns it.
        owner: String,
    },
    /// In the unused part of a page that is in use.
    Unused {
        /// The page, as the engine counts: SQLite from 1, PostgreSQL from 0.
        page: u32,
        /// The table or index that owns it.
        owner: String,
    },
    /// On a page that nothing uses.
    Free {
        /// The page, as the engine counts: SQLite from 1, PostgreSQL from 0.
        page: u32,
    },
    /// Nothing is known: the file has no structure that can be read.
    Unknown,
}

/// How many hits, by how much of an original lies there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HitCounts {
    /// Whole originals outside live content.
    pub whole: u64,
    /// Beginnings of originals outside live content.
    pub part: u64,
    /// Originals, whole or in part, inside live content.
    pub live: u64,
}

impl HitCounts {
    /// What counts as residue.
    #[must_use]
    pub fn residue(&self) -> u64 {
        self.whole + self.part
    }

    /// Everything that was found.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.residue() + self.live
    }
}

/// How many hits, by where in the database's own structure they lie.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlaceCounts {
    /// In rows and index entries that SQL still sees.
    pub live: u64,
    /// In the unused part of pages that are in use.
    pub unused: u64,
    /// On pages that nothing uses.
    pub free: u64,
    /// In files whose structure is not read: logs, journals, dumps.
    pub unknown: u64,
}

impl PlaceCounts {
    /// Everything that was found.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.live + self.unused + self.free + self.unknown
    }
}

/// One hit in a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocatedHit {
    /// What was found.
    pub hit: Hit,
    /// Where that is.
    pub place: Place,
}

/// Adds up the hits of one file, so that no list of all of them is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    hits: HitCounts,
    places: PlaceCounts,
    by_encoding: BTreeMap<Encoding, u64>,
    by_codec: BTreeMap<Codec, u64>,
    by_owner: BTreeMap<String, u64>,
    listed: Vec<LocatedHit>,
}

impl Tally {
    /// Everything that was counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.hits.total()
    }

    /// Counts a hit that lay compressed, or did not.
    pub fn add_via(&mut self, hit: Hit, place: Place, codec: Option<Codec>) {
        if let Some(codec) = codec {
            *self.by_codec.entry(codec).or_default() += 1;
        }
        self.add(hit, place);
    }

    /// Counts a hit, and lists it where there is room.
    pub fn add(&mut self, hit: Hit, place: Place) {
        match (&place, hit.extent) {
            (Place::Live { .. }, _) => self.hits.live += 1,
            (_, Extent::Whole) => self.hits.whole += 1,
            (_, Extent::Part) => self.hits.part += 1,
        }
        match &place {
            Place::Live { .. } => self.places.live += 1,
            Place::Unused { .. } => self.places.unused += 1,
            Place::Free { .. } => self.places.free += 1,
            Place::Unknown => self.places.unknown += 1,
        }
        *self.by_encoding.entry(hit.encoding).or_default() += 1;
        if let Place::Live { owner, .. } | Place::Unused { owner, .. } = &place {
            *self.by_owner.entry(owner.clone()).or_default() += 1;
        }
        if self.listed.len() < LISTED_MAX {
            self.listed.push(LocatedHit { hit, place });
        }
    }
}

/// What one file was, and what was found in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileReport {
    /// Its name, without folders.
    pub name: String,
    /// What kind of file it is.
    pub class: FileClass,
    /// How many bytes were scanned: all it had.
    pub bytes: u64,
    /// SHA-256 of those bytes, in hex.
    pub sha256: String,
    /// How many hits.
    pub hits: HitCounts,
    /// The same hits by place; all zero in reports from before places were counted.
    #[serde(default)]
    pub places: PlaceCounts,
    /// How many hits in each form.
    pub by_encoding: BTreeMap<Encoding, u64>,
    /// How many hits lay compressed, by how.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_codec: BTreeMap<Codec, u64>,
    /// How many hits lie in each table or index.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_owner: BTreeMap<String, u64>,
    /// The first hits.
    pub listed: Vec<LocatedHit>,
}

/// A file that was not read, or not to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedFile {
    /// Its name.
    pub name: String,
    /// Why, in a few words.
    pub why: String,
}

impl FileReport {
    /// Puts a file's facts together.
    #[must_use]
    pub fn new(name: String, class: FileClass, bytes: u64, sha256: String, tally: Tally) -> Self {
        let Tally { hits, places, by_encoding, by_codec, by_owner, listed } = tally;
        Self { name, class, bytes, sha256, hits, places, by_encoding, by_codec, by_owner, listed }
    }
}

/// What a whole scan covered and found. A file that was not there is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanReport {
    /// See [`Filter::config_hash`].
    pub config: String,
    /// How many values were searched for, repeated ones counted each time.
    pub values_searched: u64,
    /// How many values there are to search for, those that no byte scan can find among them. A
    /// control may search for a part of them.
    #[serde(default)]
    pub values_known: u64,
    /// How many could not be, and why.
    pub not_byte_searchable: Unsearchable,
    /// Every file that was read.
    pub files: Vec<FileReport>,
    /// Files that were not, or not to their end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<SkippedFile>,
    /// Classes in which the scan found what it had planted there itself: a control where no
    /// original ever was.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub planted: BTreeSet<FileClass>,
}

impl ScanReport {
    /// Puts a scan's facts together.
    #[must_use]
    pub fn new(filter: &Filter, files: Vec<FileReport>) -> Self {
        Self {
            config: Filter::config_hash(),
            values_searched: filter.values(),
            values_known: filter.values() + filter.unsearchable().total(),
            not_byte_searchable: filter.unsearchable(),
            files,
            skipped: Vec::new(),
            planted: BTreeSet::new(),
        }
    }

    /// All hits in files of this class; `None` where there is no such file with content.
    #[must_use]
    pub fn hits_in(&self, class: FileClass) -> Option<HitCounts> {
        let mut files =
            self.files.iter().filter(|file| file.class == class && file.bytes > 0).peekable();
        files.peek()?;
        Some(files.fold(HitCounts::default(), |sum, file| HitCounts {
            whole: sum.whole + file.hits.whole,
            part: sum.part + file.hits.part,
            live: sum.live + file.hits.live,
        }))
    }

    fn classes(&self) -> BTreeSet<FileClass> {
        self.files.iter().filter(|file| file.bytes > 0).map(|file| file.class).collect()
    }
}

/// What two scans together prove about database files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// The same scan found originals before and finds none now.
    Clean {
        /// Values that no byte scan can search for; they need the proof by structure.
        not_byte_searchable: u64,
    },
    /// No residue, but originals in live content: copies outside the columns of the run. The word
    /// clean is not used of such files.
    UncoveredCopies {
        /// How many.
        hits: u64,
    },
    /// Originals survive.
    Residue {
        /// How many hits.
        hits: u64,
        /// In which files.
        files: Vec<String>,
    },
    /// Nothing was found, and that proves nothing.
    NotEvidence {
        /// Each reason why not.
        reasons: Vec<Doubt>,
    },
}

/// Why a zero is not evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// The two scans did not look in the same way.
    OtherConfig,
    /// The two scans did not look for the same values: they knew of different numbers of them, or
    /// the first looked for more.
    OtherValues,
    /// No value was searched for.
    NoValues,
    /// The database file is not among the files scanned.
    NoDatabase,
    /// Files of this class are there now, and the scan before found nothing in that class.
    NoControl(FileClass),
}

/// Two reports, weighed against each other.
#[derive(Debug)]
pub struct Evidence;

impl Evidence {
    /// Says what a scan after the purge proves, given the same scan before it.
    ///
    /// A class of files that held values before and is absent now (a write-ahead log that was
    /// truncated) needs no control. A class that is there now needs a non-zero from before.
    #[must_use]
    pub fn weigh(before: &ScanReport, after: &ScanReport) -> Verdict {
        let with_residue: Vec<_> =
            after.files.iter().filter(|file| file.hits.residue() > 0).collect();
        if !with_residue.is_empty() {
            return Verdict::Residue {
                hits: with_residue.iter().map(|file| file.hits.residue()).sum(),
                files: with_residue.iter().map(|file| file.name.clone()).collect(),
            };
        }
        let reasons = Self::doubts(before, after);
        if !reasons.is_empty() {
            return Verdict::NotEvidence { reasons };
        }
        match after.files.iter().map(|file| file.hits.live).sum() {
            0 => Verdict::Clean { not_byte_searchable: after.not_byte_searchable.total() },
            hits => Verdict::UncoveredCopies { hits },
        }
    }

    fn doubts(before: &ScanReport, after: &ScanReport) -> Vec<Doubt> {
        let mut doubts = Vec::new();
        if before.config != after.config {
            doubts.push(Doubt::OtherConfig);
        }
        // A control that has found a part of them shows what it can; one that knew of others does not.
        if before.values_known != after.values_known
            || before.values_searched > after.values_searched
        {
            doubts.push(Doubt::OtherValues);
        }
        if after.values_searched == 0 {
            doubts.push(Doubt::NoValues);
        }
        let classes = after.classes();
        if !classes.contains(&FileClass::Database) && !classes.contains(&FileClass::Other) {
            doubts.push(Doubt::NoDatabase);
        }
        let uncontrolled = classes
            .into_iter()
            .filter(|class| class.holds_values() && !before.planted.contains(class))
            .filter(|class| before.hits_in(*class).is_none_or(|hits| hits.total() == 0));
        doubts.extend(uncontrolled.map(Doubt::NoControl));
        doubts
    }
}

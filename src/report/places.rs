//! Where originals were found, by the kind of place, before a purge and after it.
//!
//! It knows figures of two scans and nothing else.

use schemars::JsonSchema;
use serde::Serialize;

use crate::residue::{FileClass, FileReport, ScanReport};

/// Originals found in one kind of place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PlaceLine {
    /// The kind of place.
    pub place: PlaceKind,
    /// How many the scan before found; null where there was no scan or no such file.
    pub before: Option<u64>,
    /// How many the scan after found; null where there was no scan or no such file.
    pub after: Option<u64>,
}

/// A kind of place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlaceKind {
    /// Rows and index entries of the database that SQL still sees.
    Live,
    /// Unused parts of pages that are in use.
    UnusedSpace,
    /// Pages that nothing uses.
    FreePages,
    /// Elsewhere in the database file.
    Elsewhere,
    /// The write-ahead log.
    Wal,
    /// Rollback journals.
    Journal,
    /// Any other file that was named.
    OtherFiles,
    /// What a server writes about its work.
    ServerLog,
    /// What a server keeps beside relations and log.
    ServerFiles,
}

impl PlaceKind {
    /// Every kind, in the order of a report.
    pub const ALL: [Self; 9] = [
        Self::Live,
        Self::UnusedSpace,
        Self::FreePages,
        Self::Elsewhere,
        Self::Wal,
        Self::Journal,
        Self::OtherFiles,
        Self::ServerLog,
        Self::ServerFiles,
    ];

    /// What readers call it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Live => "live rows and indexes",
            Self::UnusedSpace => "unused parts of pages",
            Self::FreePages => "free pages",
            Self::Elsewhere => "elsewhere in the database",
            Self::Wal => "write-ahead log",
            Self::Journal => "rollback journal",
            Self::OtherFiles => "other files",
            Self::ServerLog => "server log",
            Self::ServerFiles => "other files of the server",
        }
    }

    fn class(self) -> FileClass {
        match self {
            Self::Live | Self::UnusedSpace | Self::FreePages | Self::Elsewhere => {
                FileClass::Database
            }
            Self::Wal => FileClass::Wal,
            Self::Journal => FileClass::Journal,
            Self::OtherFiles => FileClass::Other,
            Self::ServerLog => FileClass::ServerLog,
            Self::ServerFiles => FileClass::ServerFiles,
        }
    }

    fn hits(self, file: &FileReport) -> u64 {
        // Reports from before places were counted tell only what is live.
        let is_placed = file.places.total() == file.hits.total();
        let (live, unused, free, elsewhere) = if is_placed {
            (file.places.live, file.places.unused, file.places.free, file.places.unknown)
        } else {
            (file.hits.live, 0, 0, file.hits.residue())
        };
        match self {
            Self::Live => live,
            Self::UnusedSpace => unused,
            Self::FreePages => free,
            Self::Elsewhere => elsewhere,
            Self::Wal | Self::Journal | Self::OtherFiles | Self::ServerLog | Self::ServerFiles => {
                file.hits.total()
            }
        }
    }
}

/// Every kind of place that one of the scans looked into; none without a scan.
pub(super) fn lines(before: Option<&ScanReport>, after: Option<&ScanReport>) -> Vec<PlaceLine> {
    PlaceKind::ALL
        .into_iter()
        .map(|place| PlaceLine { place, before: hits(before, place), after: hits(after, place) })
        .filter(|line| line.before.or(line.after).is_some())
        .filter(|line| line.place != PlaceKind::Elsewhere || line.before.max(line.after) > Some(0))
        .collect()
}

fn hits(scan: Option<&ScanReport>, place: PlaceKind) -> Option<u64> {
    let mut files =
        scan?.files.iter().filter(|file| file.class == place.class() && file.bytes > 0).peekable();
    files.peek()?;
    Some(files.map(|file| place.hits(file)).sum())
}

//! The files of a PostgreSQL server: which there are, what each is, and how they can be read.
//!
//! They are read through the file system where the data directory is on this machine and is this
//! server's, else through the server where the role may, else not at all; which of these it was, and
//! what could not be reached, is said in every report.
//!
//! The directories of other databases are left out: they are other sources.

mod inventory;
mod read;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use sqlx::postgres::PgConnection;

use self::inventory::{Found, Relations};
use self::read::{Reach, ServerStock};
use super::connect::Address;
use crate::engine::scan::{
    ByteScan, Layout, Memory, Named, Reading, ScanError, Subject, finds, marker, planted,
};
use crate::policy::TableName;
use crate::ports::{Originals, PageFacts, ScanDepth, SourceError};
use crate::residue::pages::postgres::{RelationKind, Repeats, examine};
use crate::residue::{FileClass, Filter, ScanReport, SkippedFile};

/// The data directory of the server, where it is on this machine and this process may look into it.
pub(super) async fn data_folder(
    connection: &mut PgConnection,
) -> Result<Option<PathBuf>, sqlx::Error> {
    Ok(match Reach::find(connection).await? {
        Reach::Local(root) => Some(root),
        Reach::Server | Reach::None => None,
    })
}

/// A server's files.
pub(super) struct ServerFiles {
    reach: Reach,
    layout: Layout,
    relations: Relations,
    found: Found,
}

impl ServerFiles {
    /// Finds out what can be read, after everything in memory was written to disk.
    pub(super) async fn list(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let reach = Reach::find(connection).await?;
        let layout = inventory::layout(connection).await?;
        let relations = Relations::read(connection).await?;
        let mut found = Found::default();
        if !reach.is_none() && sqlx::raw_sql("CHECKPOINT").execute(&mut *connection).await.is_err()
        {
            found.note(
                "tables and indexes",
                "this role may not have the server write its memory to disk (CHECKPOINT), so that \
                 files can be older than what they hold",
            );
        }
        found.list(connection, &reach, &relations, layout.database).await?;
        Ok(Self { reach, layout, relations, found })
    }

    /// Scans all files, and the named ones beside them.
    pub(super) async fn scan(
        self,
        address: &Address,
        sought: &Sought<'_>,
        named: &[String],
    ) -> Result<ScanReport, SourceError> {
        let (mut subjects, mut skipped) = (self.found.subjects, self.found.skipped);
        add_named(named, &mut subjects, &mut skipped)?;
        let planted = match sought.depth {
            ScanDepth::Control => {
                subjects.retain(|subject| subject.class == FileClass::Database);
                subjects.sort_by_key(|subject| !inventory::is_of_user(&subject.name));
                self.reach.plant(address, self.layout).await
            }
            ScanDepth::Whole => BTreeSet::new(),
        };
        let stock = self.reach.stock(address).await?;
        let report = tokio::task::block_in_place(|| {
            let mut scan = ByteScan::new(
                sought.filter,
                sought.digest_key,
                sought.originals,
                sought.depth,
                self.layout,
            );
            for file in &skipped {
                scan.skip(&file.name, &file.why);
            }
            scan.run(&subjects, stock.as_ref())?;
            scan.finish()
        });
        let mut report = report.map_err(failed)?;
        report.planted = planted;
        Ok(report)
    }

    /// Takes apart the pages of some tables, of their indexes and of the values moved out of them,
    /// and those of the statistics.
    pub(super) async fn structure(
        self,
        address: &Address,
        tables: &[TableName],
    ) -> Result<Option<Structure>, SourceError> {
        if self.reach.is_none() {
            return Ok(None);
        }
        let stock = self.reach.stock(address).await?;
        let is_meant = |subject: &&Subject| self.relations.is_of(&subject.name, tables);
        let subjects: Vec<&Subject> = self.found.subjects.iter().filter(is_meant).collect();
        let page_bytes = self.layout.page_bytes;
        let facts = tokio::task::block_in_place(|| {
            let mut found = Structure::default();
            for files in relation_by_relation(&subjects) {
                let is_of_statistics = self.relations.is_of_statistics(&files[0].name);
                found.add(taken_apart(stock.as_ref(), &files, page_bytes)?, is_of_statistics);
            }
            Ok::<_, ScanError>(found)
        });
        facts.map(Some).map_err(failed)
    }
}

/// What the pages of some tables, their indexes and the statistics hold beside what SQL sees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Structure {
    /// Pages that were taken apart.
    pages: u64,
    /// Those with something beside.
    with_remains: u64,
    /// Those among them that are of the statistics.
    statistics_with_remains: u64,
}

impl Structure {
    fn add(&mut self, (pages, with_remains): (u64, u64), is_of_statistics: bool) {
        self.pages += pages;
        self.with_remains += with_remains;
        if is_of_statistics {
            self.statistics_with_remains += with_remains;
        }
    }

    /// Whether the statistics have something beside, and nothing else does.
    pub(super) fn is_statistics_alone(&self) -> bool {
        self.statistics_with_remains > 0 && self.statistics_with_remains == self.with_remains
    }

    /// What a purge is told.
    pub(super) fn facts(&self) -> PageFacts {
        PageFacts { pages: self.pages, pages_with_remains: self.with_remains }
    }
}

/// What is looked for.
pub(super) struct Sought<'a> {
    pub(super) filter: &'a Filter,
    pub(super) digest_key: [u8; 32],
    pub(super) originals: &'a (dyn Originals + Sync),
    pub(super) depth: ScanDepth,
}

/// The files of each relation whose pages are taken apart, in the order of their blocks.
///
/// An index that is no B-tree is left out: while it is built it lets parts of its own entries lie. It is a
/// new file that was built from tokens, and searched like any other.
fn relation_by_relation<'s>(subjects: &[&'s Subject]) -> Vec<Vec<&'s Subject>> {
    let mut relations: BTreeMap<&str, BTreeMap<u32, &Subject>> = BTreeMap::new();
    for subject in subjects {
        if let Reading::Pages {
            kind: RelationKind::Heap | RelationKind::BTree,
            owner,
            first_block,
        } = &subject.reading
        {
            relations.entry(owner).or_default().insert(*first_block, subject);
        }
    }
    relations.into_values().map(|files| files.into_values().collect()).collect()
}

/// How many pages a relation has, and in how many of them something lies beside what SQL sees. A page
/// counts once, whatever lies on it.
fn taken_apart(
    stock: &dyn crate::engine::scan::Stock,
    files: &[&Subject],
    page_bytes: usize,
) -> Result<(u64, u64), ScanError> {
    let (mut pages, mut with_remains) = (0, 0);
    let mut waiting: BTreeMap<u32, Vec<Repeats>> = BTreeMap::new();
    for file in files {
        let Reading::Pages { kind, first_block, .. } = &file.reading else { continue };
        let mut block = *first_block;
        let read = each_page(stock, file, page_bytes, |page| {
            let facts = examine(page, *kind);
            let repeats =
                Repeats::of(page).filter(|it| facts.is_hole_alone() && it.block() > block);
            match repeats {
                _ if facts.is_without_remains() => {}
                Some(repeats) if *kind == RelationKind::BTree => {
                    waiting.entry(repeats.block()).or_default().push(repeats);
                }
                Some(_) | None => with_remains += 1,
            }
            let answered = waiting.remove(&block).unwrap_or_default();
            with_remains += answered.iter().filter(|repeats| !repeats.is_of(page)).count() as u64;
            pages += 1;
            block += 1;
        });
        read.map_err(|source| ScanError::Read { name: file.name.clone(), source })?;
    }
    // What a page that is not there would begin with, nobody knows.
    Ok((pages, with_remains + waiting.values().map(Vec::len).sum::<usize>() as u64))
}

fn each_page(
    stock: &dyn crate::engine::scan::Stock,
    subject: &Subject,
    page_bytes: usize,
    mut visit: impl FnMut(&[u8]),
) -> std::io::Result<()> {
    let Some(mut file) = stock.open(subject)? else { return Ok(()) };
    let mut buffer = zeroize::Zeroizing::new(vec![0; page_bytes * 128]);
    loop {
        let mut filled = 0;
        while filled < buffer.len() {
            match std::io::Read::read(&mut file, &mut buffer[filled..])? {
                0 => break,
                length => filled += length,
            }
        }
        buffer[..filled].chunks(page_bytes).for_each(&mut visit);
        if filled < buffer.len() {
            return Ok(());
        }
    }
}

fn add_named(
    named: &[String],
    subjects: &mut Vec<Subject>,
    skipped: &mut Vec<SkippedFile>,
) -> Result<(), SourceError> {
    let paths: Vec<PathBuf> = named.iter().map(PathBuf::from).collect();
    let (more, missed) = Named::list(&paths).map_err(failed)?.into_parts();
    // Names that are given are those of this machine.
    subjects.extend(more);
    skipped.extend(missed);
    Ok(())
}

impl Reach {
    /// Plants a text in the log of changes, and one in memory for the classes of files that hold no
    /// original as a rule; says in which classes the scan finds them.
    ///
    /// Of the log only what was planted is read: originals may have left it long ago.
    async fn plant(&self, address: &Address, layout: Layout) -> BTreeSet<FileClass> {
        let mut classes = tokio::task::block_in_place(planted);
        if !self.is_none() && self.plants_in_log(address, layout).await.unwrap_or(false) {
            classes.insert(FileClass::Wal);
        }
        classes
    }

    /// Plants a text in the log and looks for it there: once more where it came to lie across two
    /// files, or on a page that begins with a record of somebody else's.
    async fn plants_in_log(&self, address: &Address, layout: Layout) -> Result<bool, sqlx::Error> {
        const TRIES: usize = 5;
        for _ in 0..TRIES {
            if self.plants_once(address, layout).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn plants_once(&self, address: &Address, layout: Layout) -> Result<bool, sqlx::Error> {
        // The record ends at the address that comes back: nobody else's lies in between, whatever
        // others write meanwhile.
        // language=PostgreSQL
        const PLANT: &str = "SELECT pg_catalog.pg_logical_emit_message(true, 'sealift', $1)::text";
        // language=PostgreSQL
        const PLACE: &str = "
            SELECT 'pg_wal/' || (f.place).file_name, (f.place).file_offset::int8,
                   pg_catalog.pg_current_wal_flush_lsn() >= $1::text::pg_catalog.pg_lsn
            FROM (SELECT pg_catalog.pg_walfile_name_offset(
                $1::text::pg_catalog.pg_lsn) AS place) AS f";
        let (marker, filter) = marker();
        let text = std::str::from_utf8(marker.expose()).unwrap_or_default().to_owned();
        let mut connection = address.connect().await?;
        // The file is read, not the server's memory.
        sqlx::raw_sql("SET synchronous_commit = on").execute(&mut connection).await?;
        let end: String = sqlx::query_scalar(PLANT).bind(text).fetch_one(&mut connection).await?;
        let (name, offset, is_written): (String, i64, bool) =
            sqlx::query_as(PLACE).bind(&end).fetch_one(&mut connection).await?;
        super::connect::close(connection).await;
        // Which file an address between two belongs to, versions of the server see differently.
        if !is_written || offset == 0 {
            return Ok(false);
        }
        let page = layout.log_page_bytes as u64;
        // It is shorter than a page, so it begins on that of its end or on the one before.
        let offset = (offset.unsigned_abs() / page).saturating_sub(1) * page;
        let subject = Subject { name, class: FileClass::Wal, reading: Reading::Log };
        let Ok(stock) = self.stock(address).await else { return Ok(false) };
        let found = tokio::task::block_in_place(|| {
            let read = stock.open(&subject).ok().flatten().and_then(|file| part_of(file, offset));
            let memory = Memory::of(read.unwrap_or_default());
            finds(&[subject], &memory, marker, &filter, Layout { database: 0, ..layout })
        });
        Ok(found)
    }

    async fn stock(
        &self,
        address: &Address,
    ) -> Result<Box<dyn crate::engine::scan::Stock + Send + Sync>, SourceError> {
        Ok(match self {
            Self::Local(root) => Box::new(read::LocalStock::new(root.clone())),
            Self::Server => Box::new(ServerStock::open(address).await?),
            Self::None => Box::new(read::LocalStock::new(PathBuf::from("/nonexistent"))),
        })
    }
}

/// A part of a file that is large enough for what was planted.
fn part_of(mut file: Box<dyn std::io::Read + Send + '_>, offset: u64) -> Option<Vec<u8>> {
    use std::io::Read as _;
    const PART_BYTES: u64 = 1 << 16;
    std::io::copy(&mut file.by_ref().take(offset), &mut std::io::sink()).ok()?;
    let mut part = Vec::new();
    file.take(PART_BYTES).read_to_end(&mut part).ok()?;
    Some(part)
}

fn failed(error: ScanError) -> SourceError {
    SourceError::Engine { doing: "scanning its files", source: Box::new(error) }
}

/// What the pages of a relation are, by its kind and its access method.
fn kind_of(relation: &str, method: Option<&str>) -> RelationKind {
    match (relation, method) {
        ("r" | "t" | "m", _) => RelationKind::Heap,
        ("i", Some("btree")) => RelationKind::BTree,
        ("i", _) => RelationKind::OtherIndex,
        _ => RelationKind::Other,
    }
}

//! The files of a PostgreSQL server: which there are, what each is, and how they can be read.
//!
//! They are read through the file system where the data directory is on this machine and is this
//! server's, else through the server where the role may, else not at all; which of these it was, and
//! what could not be reached, is said in every report.
//!
//! The directories of other databases are left out: they are other sources.

mod inventory;
mod read;

use std::collections::BTreeSet;
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
use crate::residue::pages::postgres::{PageFacts as Facts, RelationKind, examine};
use crate::residue::{FileClass, Filter, ScanReport, SkippedFile};

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
    ) -> Result<Option<PageFacts>, SourceError> {
        if self.reach.is_none() {
            return Ok(None);
        }
        let stock = self.reach.stock(address).await?;
        let subjects: Vec<&Subject> = self
            .found
            .subjects
            .iter()
            .filter(|subject| self.relations.is_of(&subject.name, tables))
            .collect();
        let page_bytes = self.layout.page_bytes;
        let facts = tokio::task::block_in_place(|| {
            let mut facts = Facts::default();
            for subject in subjects {
                let Reading::Pages { kind, .. } = &subject.reading else { continue };
                let read = each_page(stock.as_ref(), subject, page_bytes, |page| {
                    facts.add(&summary(&examine(page, *kind)));
                });
                read.map_err(|source| ScanError::Read { name: subject.name.clone(), source })?;
            }
            Ok::<_, ScanError>(facts)
        });
        let facts = facts.map_err(failed)?;
        Ok(Some(PageFacts { pages: facts.pages, pages_with_remains: facts.unread }))
    }
}

/// What is looked for.
pub(super) struct Sought<'a> {
    pub(super) filter: &'a Filter,
    pub(super) digest_key: [u8; 32],
    pub(super) originals: &'a (dyn Originals + Sync),
    pub(super) depth: ScanDepth,
}

/// A page counts once, whatever lies on it.
fn summary(page: &Facts) -> Facts {
    let has_remains = u64::from(!page.is_without_remains());
    Facts { pages: page.pages, unread: has_remains, ..Facts::default() }
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

    async fn plants_in_log(&self, address: &Address, layout: Layout) -> Result<bool, sqlx::Error> {
        // language=PostgreSQL
        const PLANT: &str = "SELECT pg_catalog.pg_logical_emit_message(true, 'sealift', $1)";
        // language=PostgreSQL
        const PLACE: &str = "
            SELECT 'pg_wal/' || (f.place).file_name, (f.place).file_offset::int8
            FROM (SELECT pg_catalog.pg_walfile_name_offset(
                pg_catalog.pg_current_wal_insert_lsn()) AS place) AS f";
        let (marker, filter) = marker();
        let text = std::str::from_utf8(marker.expose()).unwrap_or_default().to_owned();
        let mut connection = address.connect().await?;
        let (name, offset): (String, i64) =
            sqlx::query_as(PLACE).fetch_one(&mut connection).await?;
        sqlx::query(PLANT).bind(text).execute(&mut connection).await?;
        super::connect::close(connection).await;
        let page = layout.log_page_bytes as u64;
        let offset = offset.unsigned_abs() / page * page;
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
    const PART_BYTES: u64 = 1 << 18;
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

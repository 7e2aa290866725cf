//! Behind the rollback: every cell of the tables with a key, beside what the backup has of it.

use std::collections::{HashMap, HashSet};

use super::{Unknown, cell_name};
use crate::plan::{UnitMode, UnitTable};
use crate::ports::{FileKind, FileRow, Limit, RangeRow, Row, WalkFilter};
use crate::run::batch::BYTES_MAX;
use crate::run::column::Column;
use crate::run::error::{Mismatch, MismatchKind, RunError};
use crate::run::increments::read_increment;
use crate::run::job::{Job, table_of};
use crate::run::record::{BackupCell, TokenCell, TokenRecord};
use crate::run::seal::read_backup;
use crate::run::sweep::sweep_range;
use crate::run::verify::entries_of;
use crate::token::{DomainId, TokenBody};
use crate::value::Original;

/// Compares every cell with the backup: no token of ours is left, and where a cell was backed up
/// and not changed since, it is what it was.
pub(super) async fn compare(job: &Job) -> Result<(), RunError> {
    let (mut found, mut strays) = (Vec::new(), Vec::new());
    let ranges = job.vault.ranges(job.run).await?;
    let files = job.vault.files(job.run).await?;
    for unit in job.plan.units.iter().filter(|unit| unit.mode == UnitMode::Ranges) {
        for range in ranges.iter().filter(|range| range.unit == unit.id) {
            let table = table_of(unit, range.table)?;
            let columns = job.columns(table).await?;
            let look = Look { job, table, columns: &columns };
            look.range(range, &files, &mut found, &mut strays).await?;
        }
    }
    found.extend(lost(job, &files, &ranges, strays).await?);
    if found.is_empty() { Ok(()) } else { Err(RunError::Mismatches(found)) }
}

/// A cell that holds what has the shape of a token.
struct Left {
    stray: Stray,
    /// Whether the backup has an original of this cell.
    is_backed_up: bool,
}

/// A cell that the backup does not have, with the shape of a token that the vault does not know.
struct Stray {
    domain: DomainId,
    cell: Unknown,
}

impl Stray {
    fn token(&self) -> (DomainId, TokenBody) {
        (self.domain, self.cell.token.clone())
    }
}

/// A table that is compared.
struct Look<'l> {
    job: &'l Job,
    table: &'l UnitTable,
    columns: &'l [Column],
}

/// The digest of the newest original of each cell, by row key and column.
type Newest = HashMap<(Vec<u8>, usize), [u8; 16]>;

impl Look<'_> {
    async fn range(
        &self,
        range: &RangeRow,
        files: &[FileRow],
        found: &mut Vec<Mismatch>,
        strays: &mut Vec<Stray>,
    ) -> Result<(), RunError> {
        let newest = self.newest(range, files)?;
        let mut position = range.lower.clone();
        loop {
            let limit = Limit { rows: 10_000, bytes: BYTES_MAX };
            let (after, upto) = (position.as_ref(), range.upper.as_ref());
            let rows =
                self.job.source.walk(self.table, after, upto, limit, &WalkFilter::All).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            position = Some(last.key.clone());
            let left: Vec<Left> =
                rows.iter().flat_map(|row| self.tokens_left(row, &newest)).collect();
            let tokens = left.iter().map(|left| left.stray.token()).collect();
            let known = entries_of(self.job, tokens).await?;
            for Left { stray, is_backed_up } in left {
                match (is_backed_up, known.contains_key(&stray.token())) {
                    (true, true) => {
                        let (kind, place) = (MismatchKind::Different, stray.cell.place);
                        found.push(Mismatch { kind, place });
                    }
                    (true, false) => found.push(stray.cell.named()),
                    (false, true) => {}
                    (false, false) => strays.push(stray),
                }
            }
        }
    }

    fn newest(&self, range: &RangeRow, files: &[FileRow]) -> Result<Newest, RunError> {
        let mut newest = Newest::new();
        let mut expect = |key: Vec<u8>, at: usize, cell: &BackupCell| {
            if let (BackupCell::Value(original), Some(column)) = (cell, self.columns.get(at)) {
                newest.insert((key, at), column.second_digest(&self.job.keys, original));
            }
        };
        let of = |kind: FileKind, number: u32| {
            let of_unit = files.iter().filter(|file| file.unit == range.unit);
            of_unit.filter(move |file| file.kind == kind && file.range == number)
        };
        for file in of(FileKind::Backup, range.number) {
            for record in read_backup(self.job, file)? {
                for (at, cell) in record.cells.iter().enumerate() {
                    expect(record.key.encode(), at, cell);
                }
            }
        }
        let swept = of(FileKind::Increment, sweep_range(range.table));
        for file in of(FileKind::Increment, range.number).chain(swept) {
            for record in read_increment(self.job, file)? {
                expect(record.key.encode(), usize::from(record.column), &record.cell);
            }
        }
        Ok(newest)
    }

    /// The tokens of a row that the backup does not have as originals.
    fn tokens_left(&self, row: &Row, newest: &Newest) -> Vec<Left> {
        let key = row.key.encode();
        let left = |(at, (column, cell)): (usize, (&Column, &Option<Original>))| {
            // A cell that an application changed since is not in the backup as it is now: only a token
            // that is still there is a fault of ours.
            let cell = cell.as_ref()?;
            let token = column.treatment.recognise(cell)?;
            let known = newest.get(&(key.clone(), at));
            if known.is_some_and(|known| *known == column.second_digest(&self.job.keys, cell)) {
                return None;
            }
            let place = cell_name(self.table, at, &row.key);
            let stray = Stray { domain: column.domain_id(), cell: Unknown { at, token, place } };
            Some(Left { stray, is_backed_up: known.is_some() })
        };
        self.columns.iter().zip(&row.cells).enumerate().filter_map(left).collect()
    }
}

/// Those of the strays that this run has written: their rows were moved or their tokens copied, and the
/// vault has lost their entries. What else has the shape of a token is somebody's word, and stays.
async fn lost(
    job: &Job,
    files: &[FileRow],
    ranges: &[RangeRow],
    strays: Vec<Stray>,
) -> Result<Vec<Mismatch>, RunError> {
    if strays.is_empty() {
        return Ok(Vec::new());
    }
    let asked: HashSet<(DomainId, &TokenBody)> =
        strays.iter().map(|stray| (stray.domain, &stray.cell.token)).collect();
    let mut written: HashSet<(DomainId, TokenBody)> = HashSet::new();
    let mut domains: HashMap<(u16, u16), Vec<DomainId>> = HashMap::new();
    for unit in &job.plan.units {
        for (table, at) in unit.tables.iter().zip(0..) {
            let columns = job.columns(table).await?;
            domains.insert((unit.id, at), columns.iter().map(Column::domain_id).collect());
        }
    }
    let mut see = |table: (u16, u16), at: usize, token: TokenBody| {
        let Some(domain) = domains.get(&table).and_then(|domains| domains.get(at)) else { return };
        if asked.contains(&(*domain, &token)) {
            written.insert((*domain, token));
        }
    };
    for range in ranges {
        let of_range = |file: &&FileRow| file.unit == range.unit && file.range == range.number;
        for file in files.iter().filter(of_range).filter(|file| file.kind == FileKind::Token) {
            let mut reader = job.files.open(&file.seal.name, &file.seal.sha256)?;
            while let Some(record) = reader.read()? {
                let record = TokenRecord::decode(&record)
                    .map_err(|source| RunError::Record { name: file.seal.name.clone(), source })?;
                for (at, cell) in record.cells.into_iter().enumerate() {
                    if let TokenCell::Sealed { token, .. } = cell {
                        see((range.unit, range.table), at, token);
                    }
                }
            }
        }
    }
    for file in files.iter().filter(|file| file.kind == FileKind::Increment) {
        for record in read_increment(job, file)? {
            if let Some(token) = record.token {
                see((file.unit, record.table), usize::from(record.column), token);
            }
        }
    }
    let is_ours = |stray: &Stray| written.contains(&stray.token());
    Ok(strays.into_iter().filter(is_ours).map(|stray| stray.cell.named()).collect())
}

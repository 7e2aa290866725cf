//! The records of a copy: what tables there are, their rows, and how many there were.
//!
//! ```text
//! first    | 0x01 | JSON {"tables": [{"name", "columns": [name, …]}, …]}
//! a row    | 0x02 | table 2 | cells: 0x00 null, 0x01 number 8, 0x02 text, 0x03 bytes (length 4 ‖ …)
//! last     | 0x03 | JSON {"rows": {table: count, …}}
//! ```
//!
//! Numbers are big-endian. It knows neither vaults nor files.

use serde::{Deserialize, Serialize};

use super::RowCounts;
use crate::ports::{ARCHIVE_TABLES, ArchiveCell};

const FIRST: u8 = 1;
const ROW: u8 = 2;
const LAST: u8 = 3;

/// What is wrong with a record. Nothing of what it holds is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// It ends before it should.
    #[error("it is cut short")]
    Short,
    /// It begins with no known sign, or a cell does.
    #[error("it is of an unknown kind")]
    Unknown,
    /// It goes on behind its end, or a text is none.
    #[error("it is malformed")]
    Malformed,
}

/// The tables of a copy, as its first record lists them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tables {
    pub(super) tables: Vec<TableNames>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TableNames {
    pub(super) name: String,
    pub(super) columns: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Totals {
    pub(super) rows: RowCounts,
}

/// A record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// The first.
    Tables(Tables),
    /// A row.
    Row(usize, Vec<ArchiveCell>),
    /// The last.
    Totals(Totals),
}

impl Tables {
    /// The tables of this version.
    pub(super) fn known() -> Self {
        let tables = ARCHIVE_TABLES
            .iter()
            .map(|table| TableNames {
                name: table.name.to_owned(),
                columns: table.columns.iter().map(|(name, _)| (*name).to_owned()).collect(),
            })
            .collect();
        Self { tables }
    }
}

pub(super) fn tables() -> Vec<u8> {
    let json = serde_json::to_vec(&Tables::known()).unwrap_or_default();
    [&[FIRST], json.as_slice()].concat()
}

pub(super) fn totals(rows: &RowCounts) -> Vec<u8> {
    let json = serde_json::to_vec(&Totals { rows: rows.clone() }).unwrap_or_default();
    [&[LAST], json.as_slice()].concat()
}

pub(super) fn row(table: usize, cells: &[ArchiveCell]) -> Vec<u8> {
    let mut bytes = vec![ROW];
    bytes.extend(u16::try_from(table).unwrap_or(u16::MAX).to_be_bytes());
    for cell in cells {
        match cell {
            ArchiveCell::Null => bytes.push(0),
            ArchiveCell::Number(number) => {
                bytes.push(1);
                bytes.extend(number.to_be_bytes());
            }
            ArchiveCell::Text(text) => counted(&mut bytes, 2, text.as_bytes()),
            ArchiveCell::Bytes(value) => counted(&mut bytes, 3, value),
        }
    }
    bytes
}

fn counted(bytes: &mut Vec<u8>, sign: u8, value: &[u8]) {
    bytes.push(sign);
    bytes.extend(u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(value);
}

/// Reads a record.
///
/// # Errors
///
/// [`RecordError`]; nothing of it is taken then.
pub(super) fn decode(bytes: &[u8]) -> Result<Record, RecordError> {
    let (sign, rest) = bytes.split_first().ok_or(RecordError::Short)?;
    let malformed = |_| RecordError::Malformed;
    match *sign {
        FIRST => serde_json::from_slice(rest).map(Record::Tables).map_err(malformed),
        LAST => serde_json::from_slice(rest).map(Record::Totals).map_err(malformed),
        ROW => {
            let mut rest = Rest(rest);
            let table = u16::from_be_bytes(rest.array()?);
            let mut cells = Vec::new();
            while !rest.0.is_empty() {
                cells.push(rest.cell()?);
            }
            Ok(Record::Row(usize::from(table), cells))
        }
        _ => Err(RecordError::Unknown),
    }
}

struct Rest<'b>(&'b [u8]);

impl<'b> Rest<'b> {
    fn take(&mut self, length: usize) -> Result<&'b [u8], RecordError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(RecordError::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        self.take(N)?.try_into().map_err(|_| RecordError::Short)
    }

    fn counted(&mut self) -> Result<Vec<u8>, RecordError> {
        let length = u32::from_be_bytes(self.array()?) as usize;
        Ok(self.take(length)?.to_vec())
    }

    fn cell(&mut self) -> Result<ArchiveCell, RecordError> {
        let [sign] = self.array()?;
        match sign {
            0 => Ok(ArchiveCell::Null),
            1 => Ok(ArchiveCell::Number(i64::from_be_bytes(self.array()?))),
            2 => String::from_utf8(self.counted()?)
                .map(ArchiveCell::Text)
                .map_err(|_| RecordError::Malformed),
            3 => self.counted().map(ArchiveCell::Bytes),
            _ => Err(RecordError::Unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_cell() -> impl Strategy<Value = ArchiveCell> {
        prop_oneof![
            Just(ArchiveCell::Null),
            any::<i64>().prop_map(ArchiveCell::Number),
            ".{0,40}".prop_map(ArchiveCell::Text),
            prop::collection::vec(any::<u8>(), 0..40).prop_map(ArchiveCell::Bytes),
        ]
    }

    proptest! {
        #[test]
        fn a_row_comes_back(table in 0_usize..40, cells in prop::collection::vec(any_cell(), 0..12)) {
            prop_assert_eq!(decode(&row(table, &cells)), Ok(Record::Row(table, cells)));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
        }
    }

    #[test]
    fn a_row_that_is_cut_is_refused() {
        let whole = row(3, &[ArchiveCell::Number(7), ArchiveCell::Text("alice".into())]);
        for end in 4..whole.len() {
            // A cut between two cells leaves a row of fewer cells: whoever takes it counts them.
            if end != 12 {
                assert_eq!(decode(&whole[..end]), Err(RecordError::Short), "cut at {end}");
            }
        }
    }

    #[test]
    fn the_tables_and_the_totals_come_back() {
        assert_eq!(decode(&tables()), Ok(Record::Tables(Tables::known())));
        let rows = RowCounts::from([("entry".to_owned(), 9)]);
        assert_eq!(decode(&totals(&rows)), Ok(Record::Totals(Totals { rows })));
    }
}

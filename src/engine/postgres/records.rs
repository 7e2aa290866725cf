//! Many rows in one answer: one string of records, in the order of the rows.
//!
//! A row of its own costs server and driver several times what its values do, an array for each column
//! twice as much as this. This file knows how the server writes a record (`record_send`, unchanged
//! since version 8), and no table.

use sqlx::postgres::{PgRow, PgValueFormat};
use sqlx::{Row as _, ValueRef as _};

/// Records that follow each other, read from front to back, and field by field.
pub(super) struct Records<'r> {
    rest: &'r [u8],
    fields_left: usize,
}

impl<'r> Records<'r> {
    /// The records in a column of an answer; none at all where it is NULL, as what is gathered of no
    /// rows is.
    pub(super) fn of(row: &'r PgRow, at: usize) -> Result<Self, sqlx::Error> {
        let value = row.try_get_raw(at)?;
        if value.is_null() {
            return Ok(Self { rest: &[], fields_left: 0 });
        }
        if value.format() != PgValueFormat::Binary {
            return Err(malformed());
        }
        let rest = value.as_bytes().map_err(sqlx::Error::Decode)?;
        Ok(Self { rest, fields_left: 0 })
    }

    /// How many bytes are left.
    pub(super) fn bytes_left(&self) -> usize {
        self.rest.len()
    }

    /// Goes to the next record, which has to have so many fields; `false` where none is left.
    ///
    /// `fields 4 | (type 4 | length 4 | bytes) …`, a length of -1 for NULL.
    pub(super) fn next_of(&mut self, fields: usize) -> Result<bool, sqlx::Error> {
        if self.fields_left != 0 {
            return Err(malformed());
        }
        if self.rest.is_empty() {
            return Ok(false);
        }
        self.fields_left = usize::try_from(self.number()?).map_err(|_| malformed())?;
        if self.fields_left == fields { Ok(true) } else { Err(malformed()) }
    }

    /// The next field; `None` for NULL.
    pub(super) fn field(&mut self) -> Result<Option<&'r [u8]>, sqlx::Error> {
        self.fields_left = self.fields_left.checked_sub(1).ok_or_else(malformed)?;
        let _type = self.number()?;
        let length = self.number()?;
        if length == -1 {
            return Ok(None);
        }
        let length = usize::try_from(length).map_err(|_| malformed())?;
        let (field, rest) = self.rest.split_at_checked(length).ok_or_else(malformed)?;
        self.rest = rest;
        Ok(Some(field))
    }

    /// The next field, so many bytes that are not NULL.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], sqlx::Error> {
        self.field()?.and_then(|field| field.try_into().ok()).ok_or_else(malformed)
    }

    /// The next field, a text that is not NULL.
    pub(super) fn text(&mut self) -> Result<&'r str, sqlx::Error> {
        text(self.field()?.ok_or_else(malformed)?)
    }

    fn number(&mut self) -> Result<i32, sqlx::Error> {
        let (number, rest) = self.rest.split_first_chunk::<4>().ok_or_else(malformed)?;
        self.rest = rest;
        Ok(i32::from_be_bytes(*number))
    }
}

/// A field that is text.
pub(super) fn text(field: &[u8]) -> Result<&str, sqlx::Error> {
    std::str::from_utf8(field).map_err(|_| malformed())
}

fn malformed() -> sqlx::Error {
    sqlx::Error::Protocol("a record did not come as records do".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_one_by_one_and_a_cut_record_is_refused() {
        const TEXT: [u8; 4] = [0, 0, 0, 25];
        let record = [
            &[0, 0, 0, 3][..],
            &TEXT,
            &[0, 0, 0, 2],
            b"ab",
            &TEXT,
            &[255; 4],
            &TEXT,
            &[0, 0, 0, 1],
            b"c",
        ]
        .concat();
        let two = [&record[..], &record].concat();
        let mut records = Records { rest: &two, fields_left: 0 };
        for _ in 0..2 {
            assert!(records.next_of(3).unwrap());
            assert_eq!(records.field().unwrap(), Some(&b"ab"[..]));
            assert_eq!(records.field().unwrap(), None);
            assert!(records.next_of(3).is_err(), "a field is left");
            assert_eq!(records.array::<1>().unwrap(), *b"c");
            assert!(records.field().is_err(), "none is left");
        }
        assert!(!records.next_of(3).unwrap());
        assert!(Records { rest: &record, fields_left: 0 }.next_of(2).is_err());
        for end in 1..record.len() {
            let mut cut = Records { rest: &record[..end], fields_left: 0 };
            let read = (|| {
                cut.next_of(3)?;
                cut.text()?;
                cut.field()?;
                cut.text()
            })();
            assert!(read.is_err(), "{end}");
        }
    }
}

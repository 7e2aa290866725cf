//! Many rows in one answer: each column an array, its elements in the order of the rows.
//!
//! A row of its own costs server and driver several times what its values do. This file knows how an
//! array travels (`array_send` of the server's own, unchanged since version 8), and no table.

use sqlx::postgres::{PgRow, PgValueFormat};
use sqlx::{Row as _, ValueRef as _};

/// The elements of one array, front to back.
pub(super) struct Elements<'r> {
    rest: &'r [u8],
    left: usize,
}

impl<'r> Elements<'r> {
    /// The array in a column of an answer; none at all where it is NULL, as that of no rows is.
    ///
    /// `dimensions 4 | has NULLs 4 | type 4 | (length 4 | lower bound 4) | (length 4 | bytes) …`, a
    /// length of -1 for NULL.
    pub(super) fn of(row: &'r PgRow, at: usize) -> Result<Self, sqlx::Error> {
        let value = row.try_get_raw(at)?;
        if value.is_null() {
            return Ok(Self { rest: &[], left: 0 });
        }
        if value.format() != PgValueFormat::Binary {
            return Err(malformed());
        }
        let mut array = Self { rest: value.as_bytes().map_err(sqlx::Error::Decode)?, left: 0 };
        let dimensions = array.number()?;
        let (_has_nulls, _type) = (array.number()?, array.number()?);
        match dimensions {
            0 => {}
            1 => {
                array.left = usize::try_from(array.number()?).map_err(|_| malformed())?;
                array.number()?;
            }
            _ => return Err(malformed()),
        }
        Ok(array)
    }

    /// How many are left.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// The next element; `None` for NULL.
    pub(super) fn next(&mut self) -> Result<Option<&'r [u8]>, sqlx::Error> {
        self.left = self.left.checked_sub(1).ok_or_else(malformed)?;
        let length = self.number()?;
        if length == -1 {
            return Ok(None);
        }
        let length = usize::try_from(length).map_err(|_| malformed())?;
        let (element, rest) = self.rest.split_at_checked(length).ok_or_else(malformed)?;
        self.rest = rest;
        Ok(Some(element))
    }

    /// The next element, which is not NULL.
    pub(super) fn bytes(&mut self) -> Result<&'r [u8], sqlx::Error> {
        self.next()?.ok_or_else(malformed)
    }

    /// The next element, a text that is not NULL.
    pub(super) fn text(&mut self) -> Result<&'r str, sqlx::Error> {
        text(self.bytes()?)
    }

    /// The next element, a `bigint` that is not NULL.
    pub(super) fn bigint(&mut self) -> Result<i64, sqlx::Error> {
        self.bytes()?.try_into().map(i64::from_be_bytes).map_err(|_| malformed())
    }

    fn number(&mut self) -> Result<i32, sqlx::Error> {
        let (number, rest) = self.rest.split_first_chunk::<4>().ok_or_else(malformed)?;
        self.rest = rest;
        Ok(i32::from_be_bytes(*number))
    }
}

/// An element that is text.
pub(super) fn text(element: &[u8]) -> Result<&str, sqlx::Error> {
    std::str::from_utf8(element).map_err(|_| malformed())
}

fn malformed() -> sqlx::Error {
    sqlx::Error::Protocol("an array did not come as arrays do".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_come_one_by_one_and_a_cut_one_is_refused() {
        let bytes = [&[0, 0, 0, 2][..], b"ab", &[255; 4], &[0, 0, 0, 1], b"c"].concat();
        let mut elements = Elements { rest: &bytes, left: 3 };
        assert_eq!(elements.next().unwrap(), Some(&b"ab"[..]));
        assert_eq!(elements.next().unwrap(), None);
        assert_eq!(elements.text().unwrap(), "c");
        assert!(elements.next().is_err());
        let mut cut = Elements { rest: &bytes[..5], left: 3 };
        assert!(cut.next().is_err());
    }
}

//! SQLite's storage classes to and from originals and keys, byte for byte.
//!
//! Text is read as the bytes that SQLite holds, because SQLite does not insist on UTF-8 and keeps
//! NUL characters. Text that is not UTF-8 is bound as a blob and cast, which keeps its bytes.

use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, Row as _, TypeInfo, ValueRef};

use crate::ports::SourceError;
use crate::value::{KeyPart, Original, ValueType};

/// The type and the canonical bytes of one column of a row; `None` for NULL.
fn raw(row: &SqliteRow, column: usize) -> Result<Option<(ValueType, Vec<u8>)>, sqlx::Error> {
    let value = row.try_get_raw(column)?;
    if value.is_null() {
        return Ok(None);
    }
    let kind = match value.type_info().name() {
        "INTEGER" => ValueType::Integer,
        "REAL" => ValueType::Real,
        "BLOB" => ValueType::Blob,
        _ => ValueType::Text,
    };
    let bytes = match kind {
        ValueType::Integer => row.try_get_unchecked::<i64, _>(column)?.to_be_bytes().to_vec(),
        ValueType::Real => {
            row.try_get_unchecked::<f64, _>(column)?.to_bits().to_be_bytes().to_vec()
        }
        ValueType::Text | ValueType::Blob => row.try_get_unchecked::<Vec<u8>, _>(column)?,
    };
    Ok(Some((kind, bytes)))
}

/// Reads a cell.
pub(crate) fn original(row: &SqliteRow, column: usize) -> Result<Option<Original>, sqlx::Error> {
    Ok(raw(row, column)?.map(|(kind, bytes)| Original::new(kind, bytes)))
}

/// Reads a part of a key, which is never NULL.
pub(crate) fn key_part(row: &SqliteRow, column: usize) -> Result<KeyPart, SourceError> {
    let value = raw(row, column)
        .map_err(|error| SourceError::Engine { doing: "reading a key", source: Box::new(error) })?;
    let (kind, bytes) = value.ok_or_else(|| {
        SourceError::Inconsistent(
            "a key holds NULL, which it did not when the run was planned".into(),
        )
    })?;
    Ok(KeyPart { kind, bytes })
}

/// Whether a value has to be bound as a blob and cast: text that is not UTF-8.
pub(crate) fn needs_cast(kind: ValueType, bytes: &[u8]) -> bool {
    kind == ValueType::Text && std::str::from_utf8(bytes).is_err()
}

/// Binds a value of this type; text that [`needs_cast`] goes as a blob.
pub(crate) fn bind(
    arguments: &mut SqliteArguments,
    kind: ValueType,
    bytes: &[u8],
) -> Result<(), sqlx::Error> {
    let number = || {
        <[u8; 8]>::try_from(bytes)
            .map_err(|_| sqlx::Error::Protocol("a number is not eight bytes".into()))
    };
    let bound = match kind {
        ValueType::Integer => arguments.add(i64::from_be_bytes(number()?)),
        ValueType::Real => arguments.add(f64::from_bits(u64::from_be_bytes(number()?))),
        ValueType::Blob => arguments.add(bytes.to_vec()),
        ValueType::Text => match std::str::from_utf8(bytes) {
            Ok(text) => arguments.add(text.to_owned()),
            Err(_) => arguments.add(bytes.to_vec()),
        },
    };
    bound.map_err(sqlx::Error::Encode)
}

/// Binds a cell.
pub(crate) fn bind_cell(
    arguments: &mut SqliteArguments,
    cell: Option<&Original>,
) -> Result<(), sqlx::Error> {
    match cell {
        Some(original) => bind(arguments, original.kind(), original.expose()),
        None => arguments.add(None::<i64>).map_err(sqlx::Error::Encode),
    }
}

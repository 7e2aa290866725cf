//! The records of a run's files: what they say, byte by byte. `docs/FORMATS.md` has the same.
//!
//! All numbers are big-endian. A record never refers to another, so a file can be read from any of
//! its records on.

use zeroize::Zeroizing;

use crate::ports::RowStamp;
use crate::token::TokenBody;
use crate::value::{Original, RowKey, ValueType};

/// The bytes are not a record of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("record is malformed at byte {at}")]
pub struct RecordError {
    /// Where reading stopped.
    pub at: usize,
}

/// One row of a backup file.
#[derive(Debug)]
pub struct BackupRecord {
    /// The row.
    pub key: RowKey,
    /// Its stamp, where the engine gives one and every cell is NULL, empty, or an original that looks
    /// like one: what a stamp says need not be looked at again then.
    pub stamp: Option<RowStamp>,
    /// Its in-scope cells, in the order of the unit's columns.
    pub cells: Vec<BackupCell>,
}

/// One cell of a backup file or an increment.
#[derive(Debug)]
pub enum BackupCell {
    /// NULL.
    Null,
    /// Empty, and kept so by policy.
    Empty,
    /// An original.
    Value(Original),
    /// A token that was there before the run; rollback leaves it.
    Token(TokenBody),
}

/// One row of a token file, as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenRecord {
    /// The row.
    pub(crate) key: Vec<u8>,
    /// Its stamp, where each of its originals has a token.
    pub(crate) stamp: Option<RowStamp>,
    /// Its in-scope cells.
    pub(crate) cells: Vec<TokenCell>,
}

/// One cell of a token file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TokenCell {
    /// Nothing that has a token: a value that can have none.
    None,
    /// NULL.
    Null,
    /// Empty, and kept so by policy.
    Empty,
    /// The token of an original, and the keyed digest by which the original is recognised; for
    /// deterministic kinds the token is that digest, and none is kept.
    Sealed {
        /// The token.
        token: TokenBody,
        /// Keyed digest of the value.
        digest: Option<[u8; 16]>,
    },
    /// A token that was there before the run.
    Token(TokenBody),
}

/// One sealed value of a stage file.
#[derive(Debug, Clone)]
pub(crate) struct StageRecord {
    /// The domain.
    pub(crate) domain: u16,
    /// The token.
    pub(crate) token: TokenBody,
    /// The type of the value.
    pub(crate) kind: ValueType,
    /// The envelope.
    pub(crate) envelope: Vec<u8>,
}

/// One cell of an increment.
#[derive(Debug)]
pub(crate) struct IncrementRecord {
    /// The table within the unit.
    pub(crate) table: u16,
    /// The column within the table.
    pub(crate) column: u16,
    /// The row.
    pub(crate) key: RowKey,
    /// What the cell held.
    pub(crate) cell: BackupCell,
    /// The token that was drawn for it, where it held an original.
    pub(crate) token: Option<TokenBody>,
}

const NULL: u8 = 0;
const EMPTY: u8 = 1;
const VALUE: u8 = 2;
const TOKEN: u8 = 3;
const SEALED: u8 = 4;
const UNFIT: u8 = 5;

/// Writes a record into one buffer.
struct Writer(Zeroizing<Vec<u8>>);

impl Writer {
    /// A buffer with room for the whole record: one that grew would leave originals behind.
    fn with_room(bytes: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(bytes)))
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(bytes);
    }

    fn stamp(&mut self, stamp: Option<&RowStamp>) {
        self.bytes(stamp.map_or(&[], |stamp| &stamp.0));
    }

    fn cell(&mut self, cell: &BackupCell) {
        match cell {
            BackupCell::Null => self.0.push(NULL),
            BackupCell::Empty => self.0.push(EMPTY),
            BackupCell::Value(original) => {
                self.0.extend_from_slice(&[VALUE, original.kind().code()]);
                self.bytes(original.expose());
            }
            BackupCell::Token(token) => {
                self.0.push(TOKEN);
                self.bytes(token.as_bytes());
            }
        }
    }
}

/// Reads a record from front to back.
struct Reader<'r> {
    bytes: &'r [u8],
    at: usize,
}

impl<'r> Reader<'r> {
    fn new(bytes: &'r [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn malformed(&self) -> RecordError {
        RecordError { at: self.at }
    }

    fn take(&mut self, length: usize) -> Result<&'r [u8], RecordError> {
        let part = self
            .bytes
            .get(self.at..)
            .and_then(|rest| rest.get(..length))
            .ok_or(self.malformed())?;
        self.at += length;
        Ok(part)
    }

    fn byte(&mut self) -> Result<u8, RecordError> {
        Ok(self.take(1)?[0])
    }

    fn short(&mut self) -> Result<u16, RecordError> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn part(&mut self) -> Result<&'r [u8], RecordError> {
        let length = self.take(4)?;
        let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]);
        self.take(length as usize)
    }

    fn key(&mut self) -> Result<RowKey, RecordError> {
        let malformed = self.malformed();
        RowKey::decode(self.part()?).map_err(|_| malformed)
    }

    fn stamp(&mut self) -> Result<Option<RowStamp>, RecordError> {
        let malformed = self.malformed();
        match self.part()? {
            [] => Ok(None),
            stamp => stamp.try_into().map(|stamp| Some(RowStamp(stamp))).map_err(|_| malformed),
        }
    }

    fn kind(&mut self) -> Result<ValueType, RecordError> {
        let malformed = self.malformed();
        ValueType::from_code(self.byte()?).ok_or(malformed)
    }

    fn cell(&mut self) -> Result<BackupCell, RecordError> {
        let malformed = self.malformed();
        match self.byte()? {
            NULL => Ok(BackupCell::Null),
            EMPTY => Ok(BackupCell::Empty),
            VALUE => {
                let kind = self.kind()?;
                let bytes = self.part()?.to_vec();
                let number = matches!(kind, ValueType::Integer | ValueType::Real);
                if number && bytes.len() != 8 {
                    return Err(malformed);
                }
                Ok(BackupCell::Value(Original::new(kind, bytes)))
            }
            TOKEN => Ok(BackupCell::Token(TokenBody::new(self.part()?))),
            _ => Err(malformed),
        }
    }

    fn end(self) -> Result<(), RecordError> {
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.malformed()) }
    }
}

impl BackupCell {
    /// How many bytes it takes in a record, at most.
    fn room(&self) -> usize {
        6 + match self {
            Self::Null | Self::Empty => 0,
            Self::Value(original) => original.len(),
            Self::Token(token) => token.as_bytes().len(),
        }
    }
}

impl BackupRecord {
    /// `length 4 | row key | length 4 | stamp | cells 2 | cell …`, a cell being `0`, `1`,
    /// `2 | type 1 | length 4 | bytes` or `3 | length 4 | token`; a stamp is empty or of 18 bytes.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let key = self.key.encode();
        let room = self.cells.iter().map(BackupCell::room).sum::<usize>();
        let mut writer = Writer::with_room(key.len() + 10 + RowStamp::BYTES + room);
        writer.bytes(&key);
        writer.stamp(self.stamp.as_ref());
        let cells = u16::try_from(self.cells.len()).unwrap_or(u16::MAX);
        writer.0.extend_from_slice(&cells.to_be_bytes());
        for cell in &self.cells {
            writer.cell(cell);
        }
        writer.0
    }

    /// Reads what [`BackupRecord::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::new(bytes);
        let key = reader.key()?;
        let stamp = reader.stamp()?;
        let count = reader.short()?;
        let cells = (0..count).map(|_| reader.cell()).collect::<Result<_, _>>()?;
        reader.end()?;
        Ok(Self { key, stamp, cells })
    }
}

impl TokenRecord {
    /// `length 4 | row key | length 4 | stamp | cells 2 | cell …`, a cell being `0`, `1`, `5`,
    /// `3 | length 4 | token` or `4 | length 4 | token | length 4 | digest` (an empty digest where the
    /// token is it). The stamp of a row with a value that can have no token is left out.
    #[must_use]
    pub(crate) fn encoded(
        key: &[u8],
        stamp: Option<&RowStamp>,
        cells: &[TokenCell],
    ) -> Zeroizing<Vec<u8>> {
        let room = key.len() + 10 + RowStamp::BYTES + 25 * cells.len();
        let mut writer = Writer::with_room(room);
        let is_whole = cells.iter().all(|cell| {
            matches!(cell, TokenCell::Null | TokenCell::Empty | TokenCell::Sealed { .. })
        });
        writer.bytes(key);
        writer.stamp(stamp.filter(|_| is_whole));
        let count = u16::try_from(cells.len()).unwrap_or(u16::MAX);
        writer.0.extend_from_slice(&count.to_be_bytes());
        for cell in cells {
            match cell {
                TokenCell::None => writer.0.push(UNFIT),
                TokenCell::Null => writer.0.push(NULL),
                TokenCell::Empty => writer.0.push(EMPTY),
                TokenCell::Token(token) => {
                    writer.0.push(TOKEN);
                    writer.bytes(token.as_bytes());
                }
                TokenCell::Sealed { token, digest } => {
                    writer.0.push(SEALED);
                    writer.bytes(token.as_bytes());
                    writer.bytes(digest.as_ref().map_or(&[], |digest| digest.as_slice()));
                }
            }
        }
        writer.0
    }

    /// Reads what [`TokenRecord::encoded`] wrote.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::new(bytes);
        let key = reader.part()?.to_vec();
        let stamp = reader.stamp()?;
        let count = reader.short()?;
        let mut cells = Vec::with_capacity(usize::from(count));
        for _ in 0..count {
            let malformed = reader.malformed();
            cells.push(match reader.byte()? {
                UNFIT => TokenCell::None,
                NULL => TokenCell::Null,
                EMPTY => TokenCell::Empty,
                TOKEN => TokenCell::Token(TokenBody::new(reader.part()?)),
                SEALED => {
                    let token = TokenBody::new(reader.part()?);
                    let digest = match reader.part()? {
                        [] => None,
                        digest => Some(<[u8; 16]>::try_from(digest).map_err(|_| malformed)?),
                    };
                    TokenCell::Sealed { token, digest }
                }
                _ => return Err(malformed),
            });
        }
        reader.end()?;
        Ok(Self { key, stamp, cells })
    }
}

impl StageRecord {
    /// `domain 2 | type 1 | length 4 | token | length 4 | envelope`, in place of what `into` held: the
    /// value is sealed, and nothing of it has to be wiped.
    pub(crate) fn encode(&self, into: &mut Vec<u8>) {
        into.clear();
        Self::begin(into, self.domain, self.kind, &self.token, self.envelope.len());
        into.extend_from_slice(&self.envelope);
    }

    /// Writes what comes before the envelope, which has so many bytes.
    pub(crate) fn begin(
        into: &mut Vec<u8>,
        domain: u16,
        kind: ValueType,
        token: &TokenBody,
        envelope: usize,
    ) {
        let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes();
        let token = token.as_bytes();
        into.extend_from_slice(&domain.to_be_bytes());
        into.push(kind.code());
        into.extend_from_slice(&length(token.len()));
        into.extend_from_slice(token);
        into.extend_from_slice(&length(envelope));
    }

    /// Reads what [`StageRecord::encode`] writes.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::new(bytes);
        let domain = reader.short()?;
        let kind = reader.kind()?;
        let token = TokenBody::new(reader.part()?);
        let envelope = reader.part()?.to_vec();
        reader.end()?;
        Ok(Self { domain, token, kind, envelope })
    }
}

impl IncrementRecord {
    /// `table 2 | column 2 | length 4 | row key | cell | length 4 | token` (empty for none).
    #[must_use]
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let key = self.key.encode();
        let token = self.token.as_ref().map_or(&[][..], TokenBody::as_bytes);
        let mut writer = Writer::with_room(12 + key.len() + self.cell.room() + token.len());
        writer.0.extend_from_slice(&self.table.to_be_bytes());
        writer.0.extend_from_slice(&self.column.to_be_bytes());
        writer.bytes(&key);
        writer.cell(&self.cell);
        writer.bytes(token);
        writer.0
    }

    /// Reads what [`IncrementRecord::encode`] wrote.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::new(bytes);
        let table = reader.short()?;
        let column = reader.short()?;
        let key = reader.key()?;
        let cell = reader.cell()?;
        let token = match reader.part()? {
            [] => None,
            token => Some(TokenBody::new(token)),
        };
        reader.end()?;
        Ok(Self { table, column, key, cell, token })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::KeyPart;

    fn key() -> RowKey {
        RowKey(vec![KeyPart::integer(42)])
    }

    #[test]
    fn a_backup_record_comes_back() {
        let record = BackupRecord {
            key: key(),
            stamp: Some(RowStamp([6; RowStamp::BYTES])),
            cells: vec![
                BackupCell::Null,
                BackupCell::Empty,
                BackupCell::Value(Original::text("alice@example.com")),
                BackupCell::Token(TokenBody::new(&[7; 16])),
            ],
        };
        let again = BackupRecord::decode(&record.encode()).unwrap();
        assert_eq!(again.key, record.key);
        assert_eq!(again.stamp, record.stamp);
        assert_eq!(format!("{:?}", again.cells), format!("{:?}", record.cells));
        assert_eq!(*again.encode(), *record.encode());
    }

    #[test]
    fn a_cut_record_is_refused_at_every_byte() {
        let record = IncrementRecord {
            table: 0,
            column: 3,
            key: key(),
            cell: BackupCell::Value(Original::integer(7)),
            token: Some(TokenBody::new(&[1; 16])),
        };
        let bytes = record.encode();
        for end in 0..bytes.len() {
            assert!(IncrementRecord::decode(&bytes[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn a_token_record_comes_back() {
        let stamp = RowStamp([6; RowStamp::BYTES]);
        let mut record = TokenRecord {
            key: key().encode(),
            stamp: Some(stamp.clone()),
            cells: vec![
                TokenCell::Null,
                TokenCell::Empty,
                TokenCell::Sealed { token: TokenBody::new(&[1; 16]), digest: None },
                TokenCell::Sealed { token: TokenBody::new(&[2; 16]), digest: Some([3; 16]) },
            ],
        };
        let again = |record: &TokenRecord| {
            let bytes = TokenRecord::encoded(&record.key, Some(&stamp), &record.cells);
            TokenRecord::decode(&bytes).unwrap()
        };
        assert_eq!(again(&record), record);
        // What the stamp would say is not all that has to be known of the row.
        for cell in [TokenCell::None, TokenCell::Token(TokenBody::new(&[4; 16]))] {
            record.cells.push(cell);
            record.stamp = None;
            assert_eq!(again(&record), record);
            record.cells.pop();
        }
    }
}

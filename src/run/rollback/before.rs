//! What the backup knows of cells besides their originals: which were tokens already, and how they were
//! spelled.

use std::collections::{HashMap, VecDeque};

use crate::crypto::KeyRing;
use crate::run::column::Column;
use crate::run::record::BackupCell;
use crate::token::TokenBody;
use crate::value::{Original, RowKey};

/// Cells that were tokens before the run: they stay.
pub(super) enum Before {
    /// By row key and column.
    Cells(HashMap<(Vec<u8>, usize), TokenBody>),
    /// Of a table without a key: how often each token stood in each column. So many stay, whichever
    /// rows they stand in.
    Counted(HashMap<(usize, TokenBody), u64>),
}

impl Before {
    /// None, of rows that have a key.
    pub(super) fn none() -> Self {
        Self::Cells(HashMap::new())
    }

    pub(super) fn add(&mut self, key: &RowKey, cells: Vec<BackupCell>) {
        for (at, cell) in cells.into_iter().enumerate() {
            let BackupCell::Token(token) = cell else { continue };
            match self {
                Self::Cells(known) => {
                    known.insert((key.encode(), at), token);
                }
                Self::Counted(known) => *known.entry((at, token)).or_default() += 1,
            }
        }
    }

    /// Whether a token is one that stays; each is asked for once.
    pub(super) fn keeps(&mut self, key: &[u8], at: usize, token: &TokenBody) -> bool {
        match self {
            Self::Cells(known) => known.get(&(key.to_vec(), at)) == Some(token),
            Self::Counted(known) => match known.get_mut(&(at, token.clone())) {
                Some(left) if *left > 0 => {
                    *left -= 1;
                    true
                }
                Some(_) | None => false,
            },
        }
    }
}

/// How cells were spelled before the run, of columns whose tokens open to one spelling of several:
/// the vault has that one alone, the backup has each cell's own.
#[derive(Default)]
pub(super) struct Spelled {
    /// By row key and column.
    cells: HashMap<(Vec<u8>, usize), Original>,
    /// Of a table without a key: the rows that had these tokens, each given back once. Where rows
    /// differ in nothing but spelling, each spelling comes back as often as it was there.
    rows: HashMap<Vec<u8>, VecDeque<SpelledRow>>,
    /// Of a table without a key, by column and token: the spelling, where there is but one.
    alike: HashMap<(usize, TokenBody), Option<Original>>,
}

/// The cells of a row as they were spelled, of the columns where that is asked.
pub(super) type SpelledRow = Vec<Option<Original>>;

impl Spelled {
    /// Whether there is anything to know of these columns.
    pub(super) fn is_wanted(columns: &[Column]) -> bool {
        columns.iter().any(|column| column.treatment.is_lossy_ok())
    }

    pub(super) fn add(&mut self, columns: &[Column], key: &RowKey, at: usize, cell: &BackupCell) {
        let is_lossy = columns.get(at).is_some_and(|column| column.treatment.is_lossy_ok());
        match cell {
            BackupCell::Value(original) if is_lossy => {
                self.cells.insert((key.encode(), at), original.duplicate());
            }
            _ => {}
        }
    }

    /// Takes in a row of a table without a key.
    pub(super) fn add_row(&mut self, keys: &KeyRing, columns: &[Column], cells: Vec<BackupCell>) {
        let tokens: Vec<Option<TokenBody>> = columns
            .iter()
            .zip(&cells)
            .map(|(column, cell)| match cell {
                BackupCell::Value(original) => column.derive(keys, original).ok(),
                BackupCell::Null | BackupCell::Empty | BackupCell::Token(_) => None,
            })
            .collect();
        let mut row = SpelledRow::with_capacity(cells.len());
        for (at, (column, cell)) in columns.iter().zip(cells).enumerate() {
            let own = match cell {
                BackupCell::Value(original) if column.treatment.is_lossy_ok() => Some(original),
                _ => None,
            };
            if let (Some(own), Some(Some(token))) = (&own, tokens.get(at)) {
                self.alike
                    .entry((at, token.clone()))
                    .and_modify(|known| {
                        if known.as_ref().is_some_and(|known| !known.same_as(own)) {
                            *known = None;
                        }
                    })
                    .or_insert_with(|| Some(own.duplicate()));
            }
            row.push(own);
        }
        self.rows.entry(identity(columns, &tokens)).or_default().push_back(row);
    }

    /// The row of a table without a key that had these tokens; each is given once, in the order of the
    /// backup, which is most often theirs.
    pub(super) fn take_row(
        &mut self,
        columns: &[Column],
        tokens: &[Option<TokenBody>],
    ) -> Option<SpelledRow> {
        if self.rows.is_empty() {
            return None;
        }
        self.rows.get_mut(&identity(columns, tokens))?.pop_front()
    }

    /// What a cell gets whose token opens to a value: that value as the cell had it, where it is the
    /// same one. A token that was moved here from another row opens to another.
    pub(super) fn of(
        &self,
        keys: &KeyRing,
        column: &Column,
        (row, at): (&RowKey, usize),
        token: &TokenBody,
        spelled: Option<&SpelledRow>,
        opened: Original,
    ) -> Original {
        if !column.treatment.is_lossy_ok() {
            return opened;
        }
        let of_row = spelled.and_then(|row| row.get(at)).and_then(Option::as_ref);
        let of_cell = || self.cells.get(&(row.encode(), at));
        let alike = || self.alike.get(&(at, token.clone())).and_then(Option::as_ref);
        match of_row.or_else(of_cell).or_else(alike) {
            Some(own) if column.digest(keys, own) == column.digest(keys, &opened) => {
                own.duplicate()
            }
            _ => opened,
        }
    }
}

/// What a row of a table without a key is known by: its tokens, of the columns where they follow from
/// the values.
fn identity(columns: &[Column], tokens: &[Option<TokenBody>]) -> Vec<u8> {
    let mut identity = Vec::new();
    for (column, token) in columns.iter().zip(tokens) {
        let token = token.as_ref().filter(|_| column.treatment.is_deterministic());
        let bytes = token.map_or(&[][..], TokenBody::as_bytes);
        identity.extend_from_slice(&bytes.len().to_be_bytes());
        identity.extend_from_slice(bytes);
    }
    identity
}

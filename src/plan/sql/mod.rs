//! SQL texts, read for what they do with the values of columns: compare, sort, search, compute.
//!
//! Names are resolved to columns of tables through aliases, joins, subqueries, common table
//! expressions and views. This room knows a catalog and no policy: which use of a column matters is
//! for others to say.
//!
//! **Invariant:** nothing of a text's literals leaves this room. A [`Use`] holds places in the
//! catalog, fixed words and names of functions, because a literal may be an original.

mod expression;
mod function;
mod lexical;
mod name;
mod parse;
mod plpgsql;
mod query;
mod reader;
mod relation;
mod statement;

pub(super) use reader::Reader;

/// A column of a table: places in [`crate::catalog::Catalog::tables`] and in its columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ColumnAt {
    pub(super) table: usize,
    pub(super) column: usize,
}

/// What a text does with the values of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) column: ColumnAt,
    pub(super) how: How,
}

/// How the values of a column are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum How {
    /// `ORDER BY`.
    Sorts,
    /// `<`, `>`, `BETWEEN`.
    Ranges,
    /// `min`, `max`, by this name.
    Extreme(String),
    /// Searched by a pattern, with this operator.
    Matches(&'static str),
    /// Given to a function that looks inside, by this name.
    Calls(String),
    /// Made part of a longer text.
    Concatenates,
    /// Calculated with.
    Calculates,
    /// Cast to a type that is not a text.
    Casts,
    /// Looked into as JSON.
    OpensJson,
    /// Compared or sorted under a collation of its own.
    Collates,
    /// Compared for equality.
    Compares(With),
    /// Equal values are brought together, by this keyword.
    Groups(&'static str),
    /// Written.
    Writes(With),
}

/// What a value is compared with or written from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum With {
    /// A value that stands in the text.
    Literal,
    /// The empty text.
    Empty,
    /// A parameter.
    Parameter,
    /// Something computed.
    Computed,
    /// Another column.
    Column(ColumnAt),
}

/// What was read in a text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Reading {
    /// What the understood part of it does.
    pub(super) uses: Vec<Use>,
    /// The columns that the other part names; empty where everything was understood.
    pub(super) named: Vec<ColumnAt>,
}

impl Reading {
    /// Adds what another part of the same text does.
    fn join(&mut self, other: Self) {
        self.uses.extend(other.uses);
        self.named.extend(other.named);
    }
}

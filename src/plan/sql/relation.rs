//! What can be named inside a query: relations with their columns, and what each stands for.
//!
//! Knows no syntax.

use super::{ColumnAt, With};

/// What an expression stands for: the columns whose values it may be, and what else.
#[derive(Debug, Clone, Default)]
pub(super) struct Meaning {
    /// The columns whose values come through unchanged.
    pub(super) columns: Vec<ColumnAt>,
    /// What else it may be.
    pub(super) others: Vec<Other>,
    /// The parts of a row value `(a, b)`.
    pub(super) parts: Vec<Meaning>,
    /// It is a column of `OLD` or `NEW`.
    pub(super) is_row: bool,
}

/// What an expression may be besides the value of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Other {
    /// A value that stands in the text.
    Literal,
    /// The empty text.
    Empty,
    /// A parameter.
    Parameter,
    /// Something computed.
    Computed,
}

impl Meaning {
    /// The value of a column.
    pub(super) fn column(column: ColumnAt) -> Self {
        Self { columns: vec![column], ..Self::default() }
    }

    /// Something that is no column's value.
    pub(super) fn other(other: Other) -> Self {
        Self { others: vec![other], ..Self::default() }
    }

    /// Something computed.
    pub(super) fn computed() -> Self {
        Self::other(Other::Computed)
    }

    /// A row value.
    pub(super) fn row(parts: Vec<Self>) -> Self {
        Self { parts, ..Self::default() }
    }

    /// What one of several expressions stands for.
    pub(super) fn any(meanings: impl IntoIterator<Item = Self>) -> Self {
        let mut any = Self::default();
        for meaning in meanings {
            for column in meaning.columns {
                if !any.columns.contains(&column) {
                    any.columns.push(column);
                }
            }
            for other in meaning.others {
                if !any.others.contains(&other) {
                    any.others.push(other);
                }
            }
            any.is_row |= meaning.is_row;
        }
        any
    }

    /// What remains where only the result of a computation is known. Computing with nothing but
    /// values of the text gives no column's value either way.
    pub(super) fn looked_into(self) -> Self {
        match self.others.as_slice() {
            [one @ (Other::Literal | Other::Parameter)] if self.columns.is_empty() => {
                Self::other(*one)
            }
            _ => Self::computed(),
        }
    }

    /// What a comparison with this is a comparison with. A fallback beside a column
    /// (`coalesce(email, '')`) is not what somebody searches for.
    pub(super) fn withs(&self) -> Vec<With> {
        if self.columns.is_empty() {
            self.sources()
        } else {
            self.columns.iter().map(|&column| With::Column(column)).collect()
        }
    }

    /// Everything that a value written from this may come from.
    pub(super) fn sources(&self) -> Vec<With> {
        let columns = self.columns.iter().map(|&column| With::Column(column));
        let others = self.others.iter().map(|other| match other {
            Other::Literal => With::Literal,
            Other::Empty => With::Empty,
            Other::Parameter => With::Parameter,
            Other::Computed => With::Computed,
        });
        columns.chain(others).collect()
    }
}

/// One column of a query's result.
#[derive(Debug, Clone)]
pub(super) struct Output {
    /// Its name; empty where it has none.
    pub(super) name: String,
    /// What it stands for.
    pub(super) meaning: Meaning,
}

/// Something that stands in `FROM`, or `OLD`, `NEW`, `excluded`.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    /// How it is called here.
    pub(super) name: String,
    /// Its columns.
    pub(super) columns: Vec<Output>,
    /// Its columns are found only by `name.column`.
    pub(super) is_qualified_only: bool,
}

impl Relation {
    /// A relation in `FROM`.
    pub(super) fn new(name: impl Into<String>, columns: Vec<Output>) -> Self {
        Self { name: name.into(), columns, is_qualified_only: false }
    }

    /// A relation such as `OLD`.
    pub(super) fn row(name: &str, columns: Vec<Output>) -> Self {
        Self { name: name.to_owned(), columns, is_qualified_only: true }
    }

    /// Finds a column by name.
    pub(super) fn column(&self, name: &str) -> Option<&Output> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }
}

/// What can be named at one level of nesting.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    /// What stands in `FROM`.
    pub(super) relations: Vec<Relation>,
    /// The columns of the result, which SQLite also lets conditions name.
    pub(super) results: Vec<Output>,
}

//! What an engine counted in the tables in scope: figures that a catalog does not hold.
//!
//! An engine fills these by reading each table once. They hold counts and no value.

use serde::{Deserialize, Serialize};

use super::model::TypeCounts;
use super::query_text::QueryText;
use crate::policy::{ColumnName, TableName};

/// All figures of one source.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Facts {
    /// The tables in scope that exist, in no order that matters.
    pub tables: Vec<TableFacts>,
    /// What became of trying tokens against `CHECK` constraints.
    pub check_trials: Vec<CheckTrial>,
    /// Queries of applications: what a developer handed in, what a server counted.
    #[serde(default)]
    pub queries: Vec<QueryText>,
    /// In-scope values in columns that the policy leaves out.
    #[serde(default)]
    pub copies: Vec<CopyFacts>,
    /// Free bytes on the disk of the source, where known.
    pub disk_free_bytes: Option<u64>,
}

impl Facts {
    /// Finds the figures of a table.
    #[must_use]
    pub fn table(&self, name: &TableName) -> Option<&TableFacts> {
        self.tables.iter().find(|table| &table.table == name)
    }
}

/// The figures of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableFacts {
    /// The table.
    pub table: TableName,
    /// Its rows.
    pub rows: u64,
    /// Its columns in scope that exist.
    pub columns: Vec<ColumnFacts>,
    /// Columns of its keys that hold NULL in at least one row.
    pub null_keys: Vec<String>,
    /// The tables that its rows lie in, with the rows of each; empty where it holds them itself.
    #[serde(default)]
    pub parts: Vec<(TableName, u64)>,
}

impl TableFacts {
    /// Finds the figures of a column.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&ColumnFacts> {
        self.columns.iter().find(|column| column.column == name)
    }
}

/// The figures of one column in scope.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ColumnFacts {
    /// The column.
    pub column: String,
    /// NULLs.
    pub nulls: u64,
    /// Empty texts.
    pub empties: u64,
    /// Values by storage class; empty ones too, NULLs not.
    pub types: TypeCounts,
    /// The longest value, in bytes.
    pub bytes_max: u64,
    /// All values together, in bytes.
    pub bytes_total: u64,
    /// Texts that are not UTF-8.
    pub invalid_utf8: u64,
    /// Texts with a NUL character inside.
    pub embedded_nul: u64,
    /// Values of 12 to 19 digits (spaces and hyphens aside) whose last is a correct check digit.
    pub luhn_valid: u64,
    /// Texts that are a UUID of version 8.
    pub uuid_v8: u64,
    /// Texts that are a token by the grammar, within the column's template where it has one.
    pub token_shaped: u64,
    /// The fewest ASCII digits in a text that is not empty.
    pub digits_min: Option<u64>,
    /// The fewest ASCII letters and digits in a text that is not empty.
    pub alnum_min: Option<u64>,
    /// Distinct values, by type and bytes, of those that get a token.
    pub distinct: u64,
    /// Whether `distinct` was counted rather than estimated.
    pub distinct_exact: bool,
    /// How often the most frequent of them occurs, at most.
    pub top_count_max: u64,
    /// Reals that equal an integer (`1.0`), while the column holds integers too.
    pub whole_reals: u64,
}

/// One `CHECK`, evaluated over real rows with tokens in the place of the values in scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckTrial {
    /// The table.
    pub table: TableName,
    /// The expression.
    pub expression: String,
    /// How many rows were tried.
    pub rows: u64,
    /// How many of them it refused.
    pub refused: u64,
    /// Whether the engine could evaluate it at all.
    pub evaluated: bool,
}

/// Values of one column in scope that another column holds, which is not in scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyFacts {
    /// The column in scope.
    pub of: ColumnName,
    /// The other one.
    pub at: ColumnName,
    /// Distinct values that were looked for.
    pub distinct: u64,
    /// Whether these are all; else a share of them, drawn by hash.
    pub distinct_exact: bool,
    /// How many of them were met as a whole.
    pub matched: u64,
    /// Cells that are one of them.
    pub cells: u64,
    /// Cells of longer text that have one of them inside.
    pub containing: u64,
    /// Rows of the other table that were read.
    pub rows_read: u64,
    /// Rows that it has, about; `None` where nothing tells.
    pub rows_about: Option<u64>,
    /// Whether all were read.
    pub is_whole: bool,
}

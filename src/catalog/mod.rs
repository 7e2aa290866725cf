//! What a database looks like: a snapshot of its catalog that the plan is tested against.
//!
//! The snapshot is data: it holds what an engine's catalog queries found, and nothing here talks
//! to a database. Our own objects (`sealift_…`) are left out of it by the engine.
//!
//! **Invariant:** the [`Catalog::fingerprint`] does not change by our own work.

mod objects;
mod parts;
pub mod postgres;
pub mod sqlite_ddl;
pub mod sqlite_text;
pub mod sqlite_trigger;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use objects::{Objects, differences};

use crate::policy::TableName;

/// Which database engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// SQLite 3.
    Sqlite,
    /// PostgreSQL, 13 and later.
    Postgres,
}

/// A whole catalog, in the engine's order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Catalog {
    /// The engine.
    pub engine: EngineKind,
    /// Its version, as it says it.
    pub version: String,
    /// Text encoding, as the engine says it (`UTF-8`).
    pub encoding: String,
    /// Bytes of the whole database.
    pub bytes: u64,
    /// Tables, ordinary and virtual.
    pub tables: Vec<Table>,
    /// Views.
    pub views: Vec<View>,
    /// Triggers, on tables and on views.
    pub triggers: Vec<Trigger>,
    /// Facts about the engine as a whole, for the plan (`journal_mode` → `wal`).
    pub settings: Vec<(String, String)>,
    /// What only PostgreSQL has; `None` for other engines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgres: Option<postgres::PostgresCatalog>,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Its name.
    pub name: TableName,
    /// What kind of table it is.
    pub kind: TableKind,
    /// The statement that made it, where the engine keeps one.
    pub sql: String,
    /// `STRICT` (SQLite): types are enforced.
    pub strict: bool,
    /// `WITHOUT ROWID` (SQLite).
    pub without_rowid: bool,
    /// Columns in order, generated and hidden ones too.
    pub columns: Vec<Column>,
    /// Indexes, those of constraints too.
    pub indexes: Vec<Index>,
    /// Foreign keys that this table has.
    pub foreign_keys: Vec<ForeignKey>,
    /// `CHECK` constraints, as expressions without the word and the outer brackets.
    pub checks: Vec<CheckConstraint>,
}

/// What kind of table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableKind {
    /// An ordinary table.
    Ordinary,
    /// A virtual table of this module (`fts5`).
    Virtual(String),
    /// A table that a virtual table keeps its content in.
    Shadow,
    /// A partitioned table: its rows lie in its partitions.
    Partitioned,
    /// A table of another server.
    Foreign,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of the catalog, not a mode")]
pub struct Column {
    /// Its name.
    pub name: String,
    /// The declared type, as it was written (`NVARCHAR(40)`), or empty.
    pub declared: String,
    /// What the engine makes of the type.
    pub affinity: Affinity,
    /// `NOT NULL`.
    pub not_null: bool,
    /// The place in the primary key, from 1; `None` if it is not part of it.
    pub primary_key: Option<u32>,
    /// Computed from other columns.
    pub generated: Option<Generated>,
    /// The collation, where it is not the engine's byte order (`NOCASE`).
    pub collation: Option<String>,
    /// The default, as an expression.
    pub default: Option<String>,
    /// This column is the row id under another name (SQLite `INTEGER PRIMARY KEY`).
    pub rowid_alias: bool,
    /// Hidden (virtual tables).
    pub hidden: bool,
}

/// What SQLite makes of a declared type (<https://www.sqlite.org/datatype3.html>, section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Affinity {
    /// Numbers become text.
    Text,
    /// Text that looks like a number becomes one.
    Numeric,
    /// As `Numeric`.
    Integer,
    /// As `Numeric`, and integers become reals.
    Real,
    /// Values stay as they are.
    Blob,
}

/// How a column is computed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generated {
    /// Kept on disk rather than computed when read.
    pub stored: bool,
    /// The expression, where the engine tells.
    pub expression: String,
}

/// One index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// No two rows are equal in its columns.
    pub unique: bool,
    /// Why it is there.
    pub origin: IndexOrigin,
    /// Its keys in order.
    pub keys: Vec<IndexKey>,
    /// The condition of a partial index.
    pub predicate: Option<String>,
    /// The statement that made it; empty for indexes of constraints.
    pub sql: String,
}

/// Why an index is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IndexOrigin {
    /// `PRIMARY KEY`.
    PrimaryKey,
    /// `UNIQUE`.
    UniqueConstraint,
    /// `CREATE INDEX`.
    Created,
}

/// One key of an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexKey {
    /// The column, or `None` for an expression.
    pub column: Option<String>,
    /// The collation under which it sorts (`BINARY`, `NOCASE`).
    pub collation: String,
    /// Descending.
    pub descending: bool,
}

/// One foreign key of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignKey {
    /// The columns of this table.
    pub columns: Vec<String>,
    /// The table that they point to.
    pub parent: TableName,
    /// The columns that they point to (resolved, also where the declaration leaves them out).
    pub parent_columns: Vec<String>,
    /// `NO ACTION`, `CASCADE`, …
    pub on_update: String,
    /// `NO ACTION`, `CASCADE`, …
    pub on_delete: String,
}

/// One `CHECK`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckConstraint {
    /// Its name, where it has one.
    pub name: Option<String>,
    /// The expression.
    pub expression: String,
}

/// One view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// Its name.
    pub name: TableName,
    /// The statement that made it.
    pub sql: String,
}

/// A column whose type makes room for tokens during a run, and is put back by a rollback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnChange {
    /// Its table; a partition or an heir has a change of its own.
    pub table: TableName,
    /// The column.
    pub column: String,
    /// The type that it has, as the engine writes it.
    pub from: String,
    /// The type that it gets.
    pub to: String,
}

/// One trigger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// Its name.
    pub name: String,
    /// The table or view it is on.
    pub table: TableName,
    /// The statement that made it.
    pub sql: String,
}

impl Catalog {
    /// Finds a table by its exact name.
    #[must_use]
    pub fn table(&self, name: &TableName) -> Option<&Table> {
        self.tables.iter().find(|table| &table.name == name)
    }

    /// The catalog as canonical text: one line a fact, sorted by name, free of what our own work
    /// changes (sizes, versions, row ids).
    #[must_use]
    pub fn canonical_text(&self) -> String {
        self.text_with(|table| table.sql.clone())
    }

    /// As [`Catalog::canonical_text`], told of a database whose columns have yet to be changed as it
    /// will read once they are.
    #[must_use]
    pub fn canonical_text_before(&self, changes: &[ColumnChange]) -> String {
        self.text_with(|table| postgres::changed(table, changes, |one| &one.from))
    }

    /// As [`Catalog::canonical_text`], told of a database whose columns were changed: of these only
    /// the new type counts.
    #[must_use]
    pub fn canonical_text_after(&self, changes: &[ColumnChange]) -> String {
        self.text_with(|table| postgres::changed(table, changes, |one| &one.to))
    }

    fn text_with(&self, sql: impl Fn(&Table) -> String) -> String {
        let facts = self.facts_with(sql).into_iter();
        let mut lines: Vec<String> = facts.map(|(object, sql)| format!("{object} {sql}")).collect();
        lines.sort();
        lines.join("\n")
    }

    /// What there is, by kind and name, and how it was made.
    fn facts_with(&self, sql: impl Fn(&Table) -> String) -> Vec<(String, String)> {
        let mut facts = vec![("encoding".to_owned(), self.encoding.clone())];
        for table in &self.tables {
            facts.push((format!("table {}", table.name), flat(&sql(table))));
            for index in &table.indexes {
                if !index.sql.is_empty() {
                    facts.push((format!("index {}", index.name), flat(&index.sql)));
                }
            }
        }
        for view in &self.views {
            facts.push((format!("view {}", view.name), flat(&view.sql)));
        }
        for trigger in &self.triggers {
            facts.push((format!("trigger {}", trigger.name), flat(&trigger.sql)));
        }
        facts
    }

    /// SHA-256 of [`Catalog::canonical_text`], in lowercase hex.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        data_encoding::HEXLOWER.encode(&Sha256::digest(self.canonical_text().as_bytes()))
    }
}

impl Table {
    /// Finds a column by its exact name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// Line breaks inside a statement would make two texts out of one.
fn flat(sql: &str) -> String {
    sql.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r")
}

//! What only PostgreSQL has: facts about tables, triggers and the role that the plan looks at.
//!
//! Data, like the rest of the snapshot. Tables of schema `public` are named without a schema, as in
//! a policy.

use serde::{Deserialize, Serialize};

use super::{ColumnChange, Table};
use crate::policy::{ColumnName, TableName};

/// The schema that an unqualified table name means.
pub const DEFAULT_SCHEMA: &str = "public";

/// The schema that everything of our own lies in.
pub const OWN_SCHEMA: &str = "sealift";

/// Everything that only PostgreSQL has.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PostgresCatalog {
    /// A fact sheet for each table.
    pub tables: Vec<PostgresTable>,
    /// A fact sheet for each trigger that is not the server's own.
    pub triggers: Vec<PostgresTrigger>,
    /// What views and materialised views read.
    pub views: Vec<PostgresView>,
    /// What policies of row security read.
    #[serde(default)]
    pub policies: Vec<PostgresPolicy>,
    /// Event triggers that are switched on.
    pub event_triggers: Vec<EventTrigger>,
    /// The role of the session.
    pub role: Role,
}

/// A trigger that fires where objects are changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventTrigger {
    /// Its name.
    pub name: String,
    /// When it fires: `ddl_command_start`, `sql_drop`, …
    pub event: String,
    /// The commands that it is limited to; none: any.
    pub tags: Vec<String>,
}

/// What a role may do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of the catalog, not a mode")]
pub struct Role {
    /// Its name.
    pub name: String,
    /// A superuser.
    pub is_superuser: bool,
    /// Row security does not hold for it.
    pub bypasses_row_security: bool,
    /// It may make the schema `sealift`, or may use the one that is there.
    pub may_make_schema: bool,
    /// The schema `sealift` is there, whoever made it.
    #[serde(default)]
    pub has_schema: bool,
    /// Its statements and their parameters may appear in the server's log.
    pub is_logged: bool,
    /// It may make temporary tables.
    #[serde(default)]
    pub may_make_temporary: bool,
}

/// Facts about one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of the catalog, not a mode")]
pub struct PostgresTable {
    /// The table.
    pub name: TableName,
    /// Facts about its columns.
    pub columns: Vec<PostgresColumn>,
    /// Tables that inherit from it, or are its partitions.
    pub children: Vec<TableName>,
    /// Columns by which it, or a table above it, is partitioned, also inside an expression.
    pub partition_key: Vec<String>,
    /// Keys that tell each of its rows from every other, the primary key first: unique at once, over
    /// whole columns that are NOT NULL, compared as the columns themselves compare.
    pub keys: Vec<Vec<String>>,
    /// Row security is switched on.
    pub has_row_security: bool,
    /// Row security holds for the owner too.
    pub forces_row_security: bool,
    /// Row security holds for the role: the server would leave rows out, and refuses to read instead.
    #[serde(default)]
    pub hides_rows: bool,
    /// The role may use the schema that it lies in.
    #[serde(default)]
    pub may_use_schema: bool,
    /// The role may read it as a whole: a right to each of its columns does not reach where a row
    /// lies (`ctid`) and who wrote it (`xmin`).
    #[serde(default)]
    pub may_select: bool,
    /// Rules on UPDATE.
    pub update_rules: Vec<String>,
    /// Publications that it is in.
    pub publications: Vec<String>,
    /// Why the server refuses every UPDATE of it for the sake of its publications, as it says it.
    #[serde(default)]
    pub update_refused: Option<String>,
    /// Conditions by which publications leave out rows of it.
    #[serde(default)]
    pub publication_filters: Vec<PublicationFilter>,
    /// How subscribers find its rows.
    pub replica_identity: ReplicaIdentity,
    /// The role owns it.
    pub is_owned: bool,
    /// The role may lock it against writers: that needs UPDATE on the whole table, or ownership.
    #[serde(default)]
    pub may_lock: bool,
    /// Transactions since its oldest row was frozen.
    pub frozen_age: i64,
    /// Not ordinary storage: `unlogged`.
    pub is_unlogged: bool,
    /// What stands in the way of a rebuild, each as a sentence without a full stop.
    #[serde(default)]
    pub unrebuildable: Vec<String>,
    /// Bytes of its rows, with what is stored apart from them.
    #[serde(default)]
    pub row_bytes: u64,
    /// Bytes of its indexes.
    #[serde(default)]
    pub index_bytes: u64,
    /// Its dead rows are cleared up only where somebody asks for it.
    #[serde(default)]
    pub is_not_vacuumed: bool,
    /// Exclusion constraints: name and definition.
    pub exclusions: Vec<(String, String)>,
    /// Keys of indexes that are expressions: name of the index and text.
    pub index_expressions: Vec<(String, String)>,
    /// Foreign keys that the table has, by name.
    pub foreign_keys: Vec<PostgresForeignKey>,
}

/// How subscribers of a publication find the row that an UPDATE is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplicaIdentity {
    /// By these columns of a key: none where there is no primary key.
    Key(Vec<String>),
    /// By the whole old row.
    Full,
    /// Not at all.
    #[default]
    Nothing,
}

/// A condition by which a publication leaves out rows of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicationFilter {
    /// The publication.
    pub publication: String,
    /// The columns of the table that the condition reads.
    pub columns: Vec<String>,
    /// The publication hands on what an UPDATE changes.
    pub is_of_updates: bool,
}

/// A foreign key as PostgreSQL keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostgresForeignKey {
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<String>,
    /// Where it points.
    pub parent: TableName,
    /// The columns there.
    pub parent_columns: Vec<String>,
    /// `NO ACTION`, `CASCADE`, …
    pub on_update: String,
    /// It can wait for the end of a transaction.
    pub is_deferrable: bool,
    /// Every row is known to keep it; not so where it is `NOT VALID`.
    pub is_validated: bool,
    /// It follows from the foreign key of a partitioned table, on either side.
    pub is_inherited: bool,
}

/// Facts about one column.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of the catalog, not a mode")]
pub struct PostgresColumn {
    /// Its name.
    pub name: String,
    /// The type below all domains, as the catalog names it: `text`, `varchar`, `int8`.
    pub base_type: String,
    /// How many characters it takes at most.
    pub chars_max: Option<u64>,
    /// Its domain, where it has one.
    pub domain: Option<String>,
    /// Its collation calls unequal texts equal.
    pub is_nondeterministic: bool,
    /// It numbers its rows itself (`GENERATED … AS IDENTITY`).
    pub is_identity: bool,
    /// It comes from a table above, and its type changes with the one there.
    #[serde(default)]
    pub is_inherited: bool,
    /// Rules, policies and conditions of triggers that read it: a change of its type has to make
    /// them anew.
    pub dependents: Vec<String>,
    /// What reads it and cannot be made anew by the way, so that its type stays as it is.
    pub holders: Vec<String>,
    /// The role may write it.
    pub may_update: bool,
}

/// Facts about one trigger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of the catalog, not a mode")]
pub struct PostgresTrigger {
    /// Its name.
    pub name: String,
    /// Its table.
    pub table: TableName,
    /// It fires before the row is written.
    pub is_before: bool,
    /// It fires for each row.
    pub is_for_each_row: bool,
    /// It fires on UPDATE, in our sessions.
    pub fires_on_update: bool,
    /// The columns that it is limited to; none: any.
    pub update_of: Vec<String>,
    /// It sees the old rows as a table.
    pub has_old_table: bool,
    /// The language of its function.
    pub language: String,
    /// The name of its function.
    pub function: String,
    /// The text of its function.
    pub body: String,
}

impl PostgresTrigger {
    /// Whether an `UPDATE` of ours that sets these columns fires it.
    #[must_use]
    pub fn fires_on_update_of<'a>(&self, mut columns: impl Iterator<Item = &'a str>) -> bool {
        let is_named = |column: &str| self.update_of.iter().any(|name| name == column);
        self.fires_on_update && (self.update_of.is_empty() || columns.any(is_named))
    }
}

/// What a policy of row security reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostgresPolicy {
    /// Its name.
    pub name: String,
    /// The table whose rows it shows or hides.
    pub table: TableName,
    /// Columns of that table, and of others that it asks.
    pub reads: Vec<ColumnName>,
}

/// What a view reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostgresView {
    /// Its name.
    pub name: TableName,
    /// It keeps a copy of what it reads.
    pub is_materialised: bool,
    /// The role owns it.
    pub is_owned: bool,
    /// What hangs on it beside views, rules and triggers, so that it cannot be made anew.
    pub holders: Vec<String>,
    /// Columns of tables and of other views.
    pub reads: Vec<ColumnName>,
}

impl PostgresCatalog {
    /// Finds the facts of a table.
    #[must_use]
    pub fn table(&self, name: &TableName) -> Option<&PostgresTable> {
        self.tables.iter().find(|table| &table.name == name)
    }

    /// The tables that a table inherits from or is a partition of, the nearest first.
    #[must_use]
    pub fn above(&self, name: &TableName) -> Vec<&TableName> {
        let mut above: Vec<&TableName> = Vec::new();
        let mut below: Vec<&TableName> = vec![name];
        while !below.is_empty() {
            let next: Vec<&TableName> = self
                .tables
                .iter()
                .filter(|table| table.children.iter().any(|child| below.contains(&child)))
                .map(|table| &table.name)
                .filter(|table| !above.contains(table))
                .collect();
            above.extend(&next);
            below = next;
        }
        above
    }

    /// The views that show a column, directly, by way of other views, or through a table above it; a
    /// view comes after those that it reads.
    #[must_use]
    pub fn views_over(&self, table: &TableName, column: &str) -> Vec<&PostgresView> {
        let above = self.above(table);
        let mut reached: Vec<&PostgresView> = Vec::new();
        loop {
            let next = self.views.iter().find(|view| {
                !reached.iter().any(|known| known.name == view.name)
                    && view.reads.iter().any(|read| {
                        ((&read.table == table || above.contains(&&read.table))
                            && read.column == column)
                            || reached.iter().any(|known| known.name == read.table)
                    })
            });
            match next {
                Some(view) => reached.push(view),
                None => return reached,
            }
        }
    }
}

impl PostgresCatalog {
    /// A table with all that inherit from it or from what it inherits from, and have a column: its
    /// partitions and theirs. What happens to the column's type happens to all of them.
    #[must_use]
    pub fn family(&self, table: &TableName, column: &str) -> Vec<&PostgresTable> {
        let has = |sheet: &&PostgresTable| sheet.column(column).is_some();
        let mut family: Vec<&PostgresTable> = self.table(table).into_iter().filter(has).collect();
        loop {
            let next = self.tables.iter().filter(has).find(|sheet| {
                !family.iter().any(|known| known.name == sheet.name)
                    && family.iter().any(|known| {
                        known.children.contains(&sheet.name) || sheet.children.contains(&known.name)
                    })
            });
            match next {
                Some(sheet) => family.push(sheet),
                None => return family,
            }
        }
    }
}

/// The lines of a table, those of changed columns told as they are afterwards; `expected` is the
/// type that such a column is to have now.
pub(super) fn changed(
    table: &Table,
    changes: &[ColumnChange],
    expected: impl Fn(&ColumnChange) -> &str,
) -> String {
    let own: Vec<&ColumnChange> =
        changes.iter().filter(|change| change.table == table.name).collect();
    let line = |line: &str| {
        let change = own.iter().find(|change| {
            line.starts_with(&format!("column {} {} not_null=", change.column, expected(change)))
        });
        match change {
            Some(change) => format!("column {} {}", change.column, change.to),
            None => line.to_owned(),
        }
    };
    table.sql.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

impl PostgresTable {
    /// Finds the facts of a column.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&PostgresColumn> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Whether the role may read every row of it.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.may_use_schema && self.may_select && !self.hides_rows
    }
}

impl PostgresColumn {
    /// Whether the column takes any text that is short enough.
    #[must_use]
    pub fn is_text(&self) -> bool {
        matches!(self.base_type.as_str(), "text" | "varchar" | "bpchar" | "citext")
    }

    /// Whether the column takes arrays of such texts.
    #[must_use]
    pub fn is_text_array(&self) -> bool {
        matches!(self.base_type.as_str(), "_text" | "_varchar" | "_bpchar" | "_citext")
    }

    /// Whether every value of the type is told by its text, and comes back from it.
    #[must_use]
    pub fn is_told_by_text(&self) -> bool {
        const TOLD: [&str; 18] = [
            "int2",
            "int4",
            "int8",
            "numeric",
            "float4",
            "float8",
            "bool",
            "date",
            "time",
            "timetz",
            "timestamp",
            "timestamptz",
            "interval",
            "inet",
            "cidr",
            "macaddr",
            "macaddr8",
            "uuid",
        ];
        TOLD.contains(&self.base_type.as_str()) || self.is_text()
    }

    /// Whether the column takes whole JSON documents.
    #[must_use]
    pub fn is_json(&self) -> bool {
        matches!(self.base_type.as_str(), "json" | "jsonb")
    }
}

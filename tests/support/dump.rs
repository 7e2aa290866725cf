//! A database as text: everything that a user of it can see, in the order in which it lies there.
//!
//! It is to `.dump` of the SQLite shell what a weighing is to a look: storage classes, row ids and
//! the bytes of every value are in it too.

use std::fmt::Write as _;
use std::path::Path;

use super::db::{Db, quoted};

/// Settings that lie in the file.
const SETTINGS: [&str; 6] =
    ["user_version", "application_id", "encoding", "page_size", "auto_vacuum", "journal_mode"];

/// Writes the whole database down, line by line.
pub(crate) fn dump(path: &Path) -> String {
    text_of(path, "1")
}

/// As [`dump`], without the tables of a vault in the same file.
pub(crate) fn dump_beside_vault(path: &Path) -> String {
    text_of(path, "tbl_name NOT LIKE 'sealift\\_%' ESCAPE '\\'")
}

fn text_of(path: &Path, which: &str) -> String {
    let mut db = Db::reading(path);
    let mut text = String::new();
    for setting in SETTINGS {
        let value = db.value(format!("PRAGMA {setting}"));
        writeln!(text, "{setting} = {value}").unwrap();
    }
    let objects = db.rows(format!(
        "SELECT type, name, tbl_name, ifnull(sql, 'automatic') FROM sqlite_schema \
         WHERE {which} ORDER BY rowid"
    ));
    for object in &objects {
        text.push_str(&object.join(" | "));
        text.push('\n');
    }
    for object in objects.iter().filter(|object| object[0] == "table") {
        rows_of(&mut db, &object[1], &mut text);
    }
    text
}

fn rows_of(db: &mut Db, table: &str, text: &mut String) {
    let literal = table.replace('\'', "''");
    let kind = db.rows(format!(
        "SELECT type, CAST(wr AS TEXT) FROM pragma_table_list WHERE schema = 'main' AND name = '{literal}'"
    ));
    let [kind, without_rowid] = kind[0].as_slice() else { panic!("two columns") };
    // The rows of a virtual table lie in its shadow tables, and those are looked at.
    if kind == "virtual" {
        return;
    }
    let columns = db.column(format!(
        "SELECT name FROM pragma_table_xinfo('{literal}') WHERE hidden <> 1 ORDER BY cid"
    ));
    let mut cells: Vec<String> = columns
        .iter()
        .map(|column| {
            let column = quoted(column);
            format!(
                "CASE typeof({column}) WHEN 'null' THEN 'null' \
                 WHEN 'integer' THEN 'integer:' || {column} \
                 WHEN 'real' THEN 'real:' || quote({column}) \
                 ELSE typeof({column}) || ':' || hex(CAST({column} AS BLOB)) END"
            )
        })
        .collect();
    let order = if without_rowid == "1" { "" } else { "ORDER BY rowid" };
    if without_rowid != "1" {
        cells.insert(0, "CAST(rowid AS TEXT)".to_owned());
    }
    let cells = cells.join(" || ' | ' || ");
    writeln!(text, "rows of {table}").unwrap();
    for row in db.column(format!("SELECT {cells} FROM {} NOT INDEXED {order}", quoted(table))) {
        text.push_str(&row);
        text.push('\n');
    }
}

/// Holds that two dumps are equal, and shows the first line in which they are not.
#[track_caller]
pub(crate) fn assert_same(before: &str, after: &str) {
    if before == after {
        return;
    }
    let cut = |line: Option<&str>| {
        line.map_or("(nothing)".to_owned(), |line| line.chars().take(300).collect())
    };
    let (mut was, mut is) = (before.lines(), after.lines());
    loop {
        let (old, new) = (was.next(), is.next());
        assert!(old == new, "was: {}\nis:  {}", cut(old), cut(new));
        assert!(old.is_some(), "the dumps differ in line ends only");
    }
}

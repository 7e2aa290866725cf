//! Reads the catalog of a SQLite database into a [`Catalog`].
//!
//! Uses the pragmas where they tell, and the text of `sqlite_schema` where they do not. It judges
//! nothing; names are resolved to the letters that the database has, because SQLite lets a foreign
//! key or a trigger write them in any case.
//!
//! **Invariant:** reads only. Objects of SQLite (`sqlite_…`) and of our own (`sealift_…`) are left
//! out, so that our work does not change what is found.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::foreign_keys;
use crate::catalog::{
    Affinity, Catalog, Column, EngineKind, Generated, Index, IndexKey, IndexOrigin, Table,
    TableKind, Trigger, View, sqlite_ddl,
};
use crate::policy::TableName;

/// The catalog could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// A query over the catalog failed.
    #[error("cannot read {what} of the database")]
    Query {
        /// Which part.
        what: String,
        /// What SQLite said.
        #[source]
        source: sqlx::Error,
    },
}

/// A row of `sqlite_schema`.
struct Entry {
    kind: String,
    name: String,
    table: String,
    sql: String,
}

/// A row of `pragma_table_list`.
struct Listed {
    name: String,
    kind: String,
    without_rowid: bool,
    strict: bool,
}

/// Reads the catalog of the database `main`.
///
/// Several statements are needed; whoever wants one state of them all begins a transaction first.
///
/// # Errors
///
/// Returns [`CatalogError`] where SQLite refuses a query, as it does for a damaged schema.
pub async fn read(conn: &mut SqliteConnection) -> Result<Catalog, CatalogError> {
    let version = scalar(conn, "the version", "SELECT sqlite_version()").await?;
    let encoding = scalar(conn, "the encoding", "SELECT encoding FROM pragma_encoding").await?;
    let schema = entries(conn).await?;
    let listed = listed(conn).await?;

    let mut tables = Vec::new();
    for entry in schema.iter().filter(|entry| entry.kind == "table" && is_theirs(entry)) {
        tables.push(table(conn, entry, &listed, &schema).await?);
    }
    foreign_keys::resolve(&mut tables);

    let views = schema
        .iter()
        .filter(|entry| entry.kind == "view" && is_theirs(entry))
        .map(|entry| View { name: TableName::bare(&entry.name), sql: entry.sql.clone() })
        .collect();
    let triggers = schema
        .iter()
        .filter(|entry| entry.kind == "trigger" && is_theirs(entry))
        .map(|entry| Trigger {
            name: entry.name.clone(),
            table: TableName::bare(exact(&schema, &entry.table)),
            sql: entry.sql.clone(),
        })
        .collect();
    let settings = settings(conn, &schema).await?;
    let bytes = number(&settings, "page_count").saturating_mul(number(&settings, "page_size"));
    Ok(Catalog {
        engine: EngineKind::Sqlite,
        version,
        encoding,
        bytes,
        tables,
        views,
        triggers,
        settings,
        postgres: None,
    })
}

/// Whether an object belongs to somebody else than SQLite and Sealift.
fn is_theirs(entry: &Entry) -> bool {
    [&entry.name, &entry.table].iter().all(|name| {
        let name = name.to_ascii_lowercase();
        !name.starts_with("sqlite_") && !name.starts_with("sealift_")
    })
}

async fn entries(conn: &mut SqliteConnection) -> Result<Vec<Entry>, CatalogError> {
    // language=SQLite
    const SQL: &str =
        "SELECT type, name, tbl_name, coalesce(sql, '') FROM main.sqlite_schema ORDER BY rowid";
    let rows = sqlx::query(SQL).fetch_all(conn).await.map_err(failed("the schema"))?;
    rows.iter()
        .map(|row| {
            Ok(Entry {
                kind: row.try_get(0)?,
                name: row.try_get(1)?,
                table: row.try_get(2)?,
                sql: row.try_get(3)?,
            })
        })
        .collect::<Result<_, sqlx::Error>>()
        .map_err(failed("the schema"))
}

async fn listed(conn: &mut SqliteConnection) -> Result<Vec<Listed>, CatalogError> {
    // language=SQLite
    const SQL: &str = "SELECT name, type, wr, strict FROM pragma_table_list WHERE schema = 'main'";
    let rows = sqlx::query(SQL).fetch_all(conn).await.map_err(failed("the list of tables"))?;
    rows.iter()
        .map(|row| {
            Ok(Listed {
                name: row.try_get(0)?,
                kind: row.try_get(1)?,
                without_rowid: row.try_get(2)?,
                strict: row.try_get(3)?,
            })
        })
        .collect::<Result<_, sqlx::Error>>()
        .map_err(failed("the list of tables"))
}

async fn table(
    conn: &mut SqliteConnection,
    entry: &Entry,
    listed: &[Listed],
    schema: &[Entry],
) -> Result<Table, CatalogError> {
    let known = listed.iter().find(|listed| listed.name == entry.name);
    let kind = match (sqlite_ddl::virtual_table(&entry.sql), known.map(|k| k.kind.as_str())) {
        (Some((module, _)), _) if is_virtual(&entry.sql) => TableKind::Virtual(module),
        (_, Some("shadow")) => TableKind::Shadow,
        _ => TableKind::Ordinary,
    };
    let name = &entry.name;
    if matches!(kind, TableKind::Virtual(_)) {
        // The module may not be loaded here, and then SQLite knows no columns either.
        let columns = columns(conn, entry).await.unwrap_or_default();
        return Ok(bare_table(entry, kind, columns));
    }
    let mut columns = columns(conn, entry).await?;
    let indexes = indexes(conn, name, schema).await?;
    let without_rowid = known.is_some_and(|known| known.without_rowid);
    let strict = known.is_some_and(|known| known.strict);
    // `ANY` is NUMERIC like any unknown word, but keeps values as they are in `STRICT` tables.
    for column in columns.iter_mut().filter(|c| strict && c.declared.eq_ignore_ascii_case("ANY")) {
        column.affinity = Affinity::Blob;
    }
    mark_rowid_alias(&mut columns, &indexes, without_rowid);
    Ok(Table {
        name: TableName::bare(name),
        kind,
        sql: entry.sql.clone(),
        strict,
        without_rowid,
        columns,
        indexes,
        foreign_keys: foreign_keys::read(conn, name).await?,
        checks: sqlite_ddl::table(&entry.sql).checks,
    })
}

fn is_virtual(sql: &str) -> bool {
    crate::catalog::sqlite_text::lexemes(sql)
        .get(1)
        .is_some_and(|lexeme| lexeme.is_keyword("VIRTUAL"))
}

fn bare_table(entry: &Entry, kind: TableKind, columns: Vec<Column>) -> Table {
    Table {
        name: TableName::bare(&entry.name),
        kind,
        sql: entry.sql.clone(),
        strict: false,
        without_rowid: false,
        columns,
        indexes: Vec::new(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
    }
}

async fn columns(conn: &mut SqliteConnection, entry: &Entry) -> Result<Vec<Column>, CatalogError> {
    // language=SQLite
    const SQL: &str = "SELECT name, type, \"notnull\", dflt_value, pk, hidden
        FROM pragma_table_xinfo(?1, 'main') ORDER BY cid";
    let what = || format!("the columns of `{}`", entry.name);
    let rows = sqlx::query(SQL)
        .bind(&entry.name)
        .fetch_all(conn)
        .await
        .map_err(|source| CatalogError::Query { what: what(), source })?;
    let text = sqlite_ddl::table(&entry.sql);
    rows.iter()
        .map(|row| column(row, &text))
        .collect::<Result<_, _>>()
        .map_err(|source| CatalogError::Query { what: what(), source })
}

fn column(row: &SqliteRow, text: &sqlite_ddl::TableText) -> Result<Column, sqlx::Error> {
    let name: String = row.try_get(0)?;
    let declared: String = row.try_get(1)?;
    let primary_key: i64 = row.try_get(4)?;
    let hidden: i64 = row.try_get(5)?;
    let written = text.columns.iter().find(|column| column.name.eq_ignore_ascii_case(&name));
    // SPEC: <https://www.sqlite.org/pragma.html#pragma_table_xinfo>: 2 is virtual, 3 is stored.
    let generated = matches!(hidden, 2 | 3).then(|| Generated {
        stored: hidden == 3,
        expression: written.and_then(|column| column.generated.clone()).unwrap_or_default(),
    });
    Ok(Column {
        affinity: affinity(&declared),
        not_null: row.try_get(2)?,
        default: row.try_get(3)?,
        primary_key: u32::try_from(primary_key).ok().filter(|&place| place > 0),
        generated,
        collation: written
            .and_then(|column| column.collation.clone())
            .filter(|collation| !collation.eq_ignore_ascii_case("BINARY"))
            .map(|collation| collation.to_ascii_uppercase()),
        rowid_alias: false,
        hidden: hidden == 1,
        name,
        declared,
    })
}

/// What SQLite makes of a declared type.
///
/// SPEC: <https://www.sqlite.org/datatype3.html#determination_of_column_affinity>; the order of
/// the rules matters (`CHARINT` is an integer).
#[must_use]
pub fn affinity(declared: &str) -> Affinity {
    let declared = declared.to_ascii_uppercase();
    let has = |words: &[&str]| words.iter().any(|word| declared.contains(word));
    if has(&["INT"]) {
        Affinity::Integer
    } else if has(&["CHAR", "CLOB", "TEXT"]) {
        Affinity::Text
    } else if declared.is_empty() || has(&["BLOB"]) {
        Affinity::Blob
    } else if has(&["REAL", "FLOA", "DOUB"]) {
        Affinity::Real
    } else {
        Affinity::Numeric
    }
}

/// `INTEGER PRIMARY KEY` is the row id itself, and then it has no index of its own; that is how to
/// tell it from `INTEGER PRIMARY KEY DESC`, which is not.
fn mark_rowid_alias(columns: &mut [Column], indexes: &[Index], without_rowid: bool) {
    let parts = columns.iter().filter(|column| column.primary_key.is_some()).count();
    let has_index = indexes.iter().any(|index| index.origin == IndexOrigin::PrimaryKey);
    if parts != 1 || has_index || without_rowid {
        return;
    }
    for column in columns.iter_mut().filter(|column| column.primary_key.is_some()) {
        column.rowid_alias = column.declared.eq_ignore_ascii_case("INTEGER");
    }
}

async fn indexes(
    conn: &mut SqliteConnection,
    table: &str,
    schema: &[Entry],
) -> Result<Vec<Index>, CatalogError> {
    // language=SQLite
    const LIST: &str = "SELECT name, \"unique\", origin FROM pragma_index_list(?1, 'main')
        ORDER BY seq DESC";
    // language=SQLite
    const KEYS: &str = "SELECT name, coalesce(coll, 'BINARY'), \"desc\"
        FROM pragma_index_xinfo(?1, 'main') WHERE key = 1 ORDER BY seqno";
    let failed = |source| CatalogError::Query { what: format!("the indexes of `{table}`"), source };
    let rows = sqlx::query(LIST).bind(table).fetch_all(&mut *conn).await.map_err(failed)?;
    let mut indexes = Vec::new();
    for row in rows {
        let name: String = row.try_get(0).map_err(failed)?;
        if name.to_ascii_lowercase().starts_with("sealift_") {
            continue;
        }
        let origin: String = row.try_get(2).map_err(failed)?;
        let keys = sqlx::query(KEYS).bind(&name).fetch_all(&mut *conn).await.map_err(failed)?;
        let keys = keys
            .iter()
            .map(|row| {
                Ok(IndexKey {
                    column: row.try_get(0)?,
                    collation: row.try_get::<String, _>(1)?.to_ascii_uppercase(),
                    descending: row.try_get(2)?,
                })
            })
            .collect::<Result<_, sqlx::Error>>()
            .map_err(failed)?;
        let sql = schema
            .iter()
            .find(|entry| entry.kind == "index" && entry.name == name)
            .map_or_else(String::new, |entry| entry.sql.clone());
        indexes.push(Index {
            unique: row.try_get(1).map_err(failed)?,
            origin: match origin.as_str() {
                "pk" => IndexOrigin::PrimaryKey,
                "u" => IndexOrigin::UniqueConstraint,
                _ => IndexOrigin::Created,
            },
            keys,
            predicate: sqlite_ddl::index(&sql).0,
            sql,
            name,
        });
    }
    Ok(indexes)
}

/// The name of a table or view in the letters of the schema.
fn exact(schema: &[Entry], name: &str) -> String {
    schema
        .iter()
        .filter(|entry| matches!(entry.kind.as_str(), "table" | "view"))
        .find(|entry| entry.name.eq_ignore_ascii_case(name))
        .map_or_else(|| name.to_owned(), |entry| entry.name.clone())
}

async fn settings(
    conn: &mut SqliteConnection,
    schema: &[Entry],
) -> Result<Vec<(String, String)>, CatalogError> {
    // language=SQLite
    const PRAGMAS: [(&str, &str); 7] = [
        ("journal_mode", "SELECT journal_mode FROM pragma_journal_mode"),
        ("page_size", "SELECT CAST(page_size AS TEXT) FROM pragma_page_size"),
        ("page_count", "SELECT CAST(page_count AS TEXT) FROM pragma_page_count"),
        ("freelist_count", "SELECT CAST(freelist_count AS TEXT) FROM pragma_freelist_count"),
        ("auto_vacuum", "SELECT CAST(auto_vacuum AS TEXT) FROM pragma_auto_vacuum"),
        ("application_id", "SELECT CAST(application_id AS TEXT) FROM pragma_application_id"),
        ("user_version", "SELECT CAST(user_version AS TEXT) FROM pragma_user_version"),
    ];
    let mut settings = Vec::new();
    for (name, sql) in PRAGMAS {
        settings.push((name.to_owned(), scalar(conn, name, sql).await?));
    }
    let own = |prefix: &str| {
        let names = schema.iter().map(|entry| entry.name.as_str());
        names.filter(|name| name.starts_with(prefix)).collect::<Vec<_>>().join(", ")
    };
    for (setting, prefix) in [("statistics", "sqlite_stat"), ("sequence", "sqlite_sequence")] {
        let tables = own(prefix);
        if !tables.is_empty() {
            settings.push((setting.to_owned(), tables));
        }
    }
    Ok(settings)
}

fn number(settings: &[(String, String)], name: &str) -> u64 {
    let value = settings.iter().find(|(setting, _)| setting == name);
    value.and_then(|(_, value)| value.parse().ok()).unwrap_or_default()
}

async fn scalar(
    conn: &mut SqliteConnection,
    what: &str,
    sql: &'static str,
) -> Result<String, CatalogError> {
    sqlx::query_scalar(sql).fetch_one(conn).await.map_err(failed(what))
}

fn failed(what: &str) -> impl Fn(sqlx::Error) -> CatalogError {
    move |source| CatalogError::Query { what: what.to_owned(), source }
}

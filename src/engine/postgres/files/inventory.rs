//! What is where: relations by the names of their files, every file below the data directory, and
//! what lies out of reach, each with who keeps it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use sqlx::Row as _;
use sqlx::postgres::PgConnection;

use super::kind_of;
use super::read::Reach;
use crate::engine::postgres::shape::schema_of;
use crate::engine::scan::{Layout, Reading, Subject};
use crate::policy::TableName;
use crate::residue::pages::postgres::RelationKind;
use crate::residue::{FileClass, SkippedFile};

/// Folders below the data directory are no deeper than this.
const DEPTH_MAX: usize = 8;
/// Relations are cut into files of so many blocks, at the default of 1 GiB.
const SEGMENT_BYTES: u64 = 1 << 30;

/// What the files of this server look like.
pub(super) async fn layout(connection: &mut PgConnection) -> Result<Layout, sqlx::Error> {
    // language=PostgreSQL
    const SIZES: &str = "SELECT pg_catalog.current_setting('block_size')::int8,
        pg_catalog.current_setting('wal_block_size')::int8,
        (SELECT oid::int8 FROM pg_catalog.pg_database
         WHERE datname = pg_catalog.current_database())";
    let row = sqlx::query(SIZES).fetch_one(connection).await?;
    let size = |at| usize::try_from(row.get::<i64, _>(at)).unwrap_or(8_192);
    let database = u32::try_from(row.get::<i64, _>(2)).unwrap_or(0);
    Ok(Layout { page_bytes: size(0), log_page_bytes: size(1), database })
}

/// Which file belongs to which relation.
pub(super) struct Relations {
    by_path: HashMap<String, Relation>,
}

struct Relation {
    /// As messages name it.
    owner: String,
    kind: RelationKind,
    /// The table that it is, indexes, or holds values of.
    table: (String, String),
}

impl Relations {
    pub(super) async fn read(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        // An index and the table of moved values belong to a table; so does the index of the latter.
        // language=PostgreSQL
        const RELATIONS: &str = "
            SELECT pg_catalog.pg_relation_filepath(c.oid), c.relkind::text, m.amname::text,
                   n.nspname::text, c.relname::text, tn.nspname::text, t.relname::text
            FROM pg_catalog.pg_class c
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            LEFT JOIN pg_catalog.pg_am m ON m.oid = c.relam
            LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
            LEFT JOIN pg_catalog.pg_class o ON o.reltoastrelid = coalesce(i.indrelid, c.oid)
                 AND o.reltoastrelid <> 0
            LEFT JOIN pg_catalog.pg_class t ON t.oid = coalesce(o.oid, i.indrelid, c.oid)
            LEFT JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
            WHERE pg_catalog.pg_relation_filepath(c.oid) IS NOT NULL";
        let mut by_path = HashMap::new();
        for row in sqlx::query(RELATIONS).fetch_all(connection).await? {
            let text = |at| row.get::<Option<String>, _>(at).unwrap_or_default();
            let method = row.get::<Option<String>, _>(2);
            let relkind = text(1);
            let (schema, name) = (text(3), text(4));
            let table = (text(5), text(6));
            let owner = match relkind.as_str() {
                "t" => format!("{}.{} (values moved out)", table.0, table.1),
                "i" => format!("{schema}.{name} (index of {})", table.1),
                _ => format!("{schema}.{name}"),
            };
            let kind = kind_of(&relkind, method.as_deref());
            by_path.insert(text(0), Relation { owner, kind, table });
        }
        Ok(Self { by_path })
    }

    /// Whether a file belongs to one of these tables, or to the statistics.
    pub(super) fn is_of(&self, path: &str, tables: &[TableName]) -> bool {
        let is_one = |(schema, name): (&str, &str)| {
            tables.iter().any(|table| schema_of(table) == schema && table.name == name)
        };
        self.is_of_statistics(path) || self.table_of(path).is_some_and(is_one)
    }

    /// Whether a file belongs to the statistics.
    pub(super) fn is_of_statistics(&self, path: &str) -> bool {
        self.table_of(path).is_some_and(|(schema, name)| {
            schema == "pg_catalog" && ["pg_statistic", "pg_statistic_ext_data"].contains(&name)
        })
    }

    /// The table whose rows, index or moved values a file holds: schema and name.
    fn table_of(&self, path: &str) -> Option<(&str, &str)> {
        let (main, _, fork) = taken_apart(path);
        let relation = self.by_path.get(main).filter(|_| fork.is_empty())?;
        Some((relation.table.0.as_str(), relation.table.1.as_str()))
    }

    fn reading(&self, path: &str) -> Reading {
        let (main, segment, fork) = taken_apart(path);
        let (owner, kind) = match self.by_path.get(main) {
            Some(relation) => (relation.owner.clone(), relation.kind),
            None => (format!("file {main}, of no relation"), RelationKind::Other),
        };
        let kind = if fork.is_empty() { kind } else { RelationKind::Other };
        let first_block = u32::try_from(segment * (SEGMENT_BYTES / 8_192)).unwrap_or(0);
        Reading::Pages { kind, owner, first_block }
    }
}

/// `base/5/1234_fsm.1` → `base/5/1234`, 1, `fsm`.
fn taken_apart(path: &str) -> (&str, u64, &str) {
    let name = path.rfind('/').map_or(0, |at| at + 1);
    let end = path[name..].find(['.', '_']).map_or(path.len(), |at| name + at);
    let (main, rest) = path.split_at(end);
    let (fork, segment) = rest.split_once('.').unwrap_or((rest, "0"));
    (main, segment.parse().unwrap_or(0), fork.trim_start_matches('_'))
}

/// Whether a file is of a relation that came after the server's own.
pub(super) fn is_of_user(path: &str) -> bool {
    const FIRST: u64 = 16_384;
    let (main, _, fork) = taken_apart(path);
    let number = main.rsplit('/').next().and_then(|name| name.parse::<u64>().ok());
    fork.is_empty() && number.is_some_and(|number| number >= FIRST)
}

/// What there is.
#[derive(Default)]
pub(super) struct Found {
    pub(super) subjects: Vec<Subject>,
    pub(super) skipped: Vec<SkippedFile>,
}

impl Found {
    /// Names something that is not covered.
    pub(super) fn note(&mut self, name: impl Into<String>, why: impl Into<String>) {
        self.skipped.push(SkippedFile { name: name.into(), why: why.into() });
    }

    /// Lists everything.
    pub(super) async fn list(
        &mut self,
        connection: &mut PgConnection,
        reach: &Reach,
        relations: &Relations,
        database: u32,
    ) -> Result<(), sqlx::Error> {
        match reach {
            Reach::None => {
                self.note(
                    "the files of the server",
                    "this role may not read them: tables, indexes, free space, temporary files, the \
                     write-ahead log. A superuser may, or a role that is granted pg_monitor and \
                     EXECUTE on pg_read_binary_file(text,bigint,bigint,boolean), \
                     pg_ls_dir(text,boolean,boolean) and pg_stat_file(text,boolean)",
                );
            }
            Reach::Local(root) => {
                let mut files = Vec::new();
                self.walk(root, Path::new(""), 0, &mut files);
                self.take(files, relations, database);
            }
            Reach::Server => {
                let files = walk_server(connection).await?;
                self.take(files, relations, database);
            }
        }
        self.log(connection, reach).await
    }

    fn take(&mut self, mut files: Vec<String>, relations: &Relations, database: u32) {
        files.retain(|path| is_ours(path, database));
        // ORDER: classes together, and the log of changes in the order of its names.
        let mut subjects: Vec<Subject> = files
            .into_iter()
            .map(|path| {
                let (class, reading) = class_of(&path, relations);
                Subject { name: path, class, reading }
            })
            .collect();
        subjects.sort_by(|one, two| (one.class, &one.name).cmp(&(two.class, &two.name)));
        self.subjects.extend(subjects);
    }

    fn walk(&mut self, root: &Path, below: &Path, depth: usize, files: &mut Vec<String>) {
        let entries = match root.join(below).read_dir() {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => return self.note(below.display().to_string(), error.to_string()),
        };
        for entry in entries.flatten() {
            let path = below.join(entry.file_name());
            // A tablespace, and a log that lies elsewhere, are links.
            let Ok(meta) = std::fs::metadata(root.join(&path)) else { continue };
            if meta.is_dir() && depth < DEPTH_MAX {
                self.walk(root, &path, depth + 1, files);
            } else if meta.is_file() {
                files.push(path.display().to_string());
            }
        }
    }

    /// What the server writes about its work, where that lies outside the data directory.
    async fn log(
        &mut self,
        connection: &mut PgConnection,
        reach: &Reach,
    ) -> Result<(), sqlx::Error> {
        // language=PostgreSQL
        const SETTINGS: &str = "SELECT name, setting FROM pg_catalog.pg_settings
            WHERE name IN ('logging_collector', 'log_directory', 'log_destination')";
        let mut settings = HashMap::new();
        for row in sqlx::query(SETTINGS).fetch_all(&mut *connection).await? {
            let value = row.get::<Option<String>, _>(1).unwrap_or_default();
            settings.insert(row.get::<String, _>(0), value);
        }
        let is = |name: &str| settings.get(name).map(String::as_str).unwrap_or_default();
        if ["syslog", "eventlog"].iter().any(|other| is("log_destination").contains(other)) {
            self.note("the server's log", "it goes to the system's log, whose keeper has to look");
        }
        if is("logging_collector") == "on" {
            let folder = PathBuf::from(is("log_directory"));
            // A folder inside the data directory was listed with it.
            if folder.is_absolute() || folder.as_os_str().is_empty() {
                match reach {
                    Reach::Local(_) => self.log_folder(&folder, None),
                    Reach::Server | Reach::None => self.note(
                        "the server's log",
                        "it lies outside the data directory and is not read through the server",
                    ),
                }
            }
            return Ok(());
        }
        match reach {
            Reach::Local(root) => self.log_of_process(root),
            Reach::Server | Reach::None => self.note(
                "the server's log",
                "it goes where whoever started the server sends it, which cannot be read from here",
            ),
        }
        Ok(())
    }

    /// Without a collector the log is what the server's first process writes as errors.
    fn log_of_process(&mut self, root: &Path) {
        let text = std::fs::read_to_string(root.join("postmaster.pid")).unwrap_or_default();
        let process = text.lines().next().unwrap_or_default();
        let place = std::fs::read_link(format!("/proc/{process}/fd/2"));
        match place {
            Ok(place) if place == Path::new("/dev/null") => {}
            Ok(place) if place.is_file() => {
                let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
                // Older ones are kept beside it: `name.1`, `name.2.gz`.
                self.log_folder(place.parent().unwrap_or(root), Some(&name));
            }
            Ok(place) => {
                let why = format!("it goes to {}, whose keeper has to look", place.display());
                self.note("the server's log", why);
            }
            Err(_) => self.note("the server's log", "where it goes is not known here"),
        }
    }

    fn log_folder(&mut self, folder: &Path, only: Option<&str>) {
        let entries = match folder.read_dir() {
            Ok(entries) => entries,
            Err(error) => return self.note(folder.display().to_string(), error.to_string()),
        };
        let wanted = |name: &str| only.is_none_or(|only| name.starts_with(only));
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_file() && wanted(&entry.file_name().to_string_lossy()) {
                let is_gz = path.extension().is_some_and(|end| end == "gz");
                let gzip = crate::residue::codec::Codec::Gzip;
                self.subjects.push(Subject {
                    name: path.display().to_string(),
                    class: FileClass::ServerLog,
                    reading: if is_gz { Reading::Packed(gzip) } else { Reading::Plain },
                });
            }
        }
    }
}

/// Every file below the data directory, as the server lists it.
async fn walk_server(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    // language=PostgreSQL
    const LIST: &str = "
        SELECT f.name, (pg_catalog.pg_stat_file($1 || f.name, true)).isdir
        FROM pg_catalog.pg_ls_dir($2, true, false) AS f (name)";
    let mut files = Vec::new();
    let mut waiting = vec![(String::new(), 0)];
    while let Some((below, depth)) = waiting.pop() {
        let folder = if below.is_empty() { "." } else { below.as_str() };
        let rows = sqlx::query(LIST).bind(&below).bind(folder).fetch_all(&mut *connection).await?;
        for row in rows {
            let name: String = row.get(0);
            match row.get::<Option<bool>, _>(1) {
                Some(true) if depth < DEPTH_MAX => {
                    waiting.push((format!("{below}{name}/"), depth + 1));
                }
                Some(false) => files.push(format!("{below}{name}")),
                // It is gone by now.
                Some(true) | None => {}
            }
        }
    }
    Ok(files)
}

/// Whether a file is this database's or the server's, not another database's.
fn is_ours(path: &str, database: u32) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let (["base", owner, _, ..] | ["pg_tblspc", _, _, owner, _, ..]) = parts.as_slice() else {
        return true;
    };
    owner.parse::<u32>().map_or(true, |number| number == database)
}

fn class_of(path: &str, relations: &Relations) -> (FileClass, Reading) {
    let parts: Vec<&str> = path.split('/').collect();
    let is_number = |name: &str| name.starts_with(|letter: char| letter.is_ascii_digit());
    match parts.as_slice() {
        ["base", _, name] | ["global", name] | ["pg_tblspc", _, _, _, name]
            if is_number(name) && !path.contains("pgsql_tmp") =>
        {
            (FileClass::Database, relations.reading(path))
        }
        ["pg_wal", name] if name.len() == 24 => (FileClass::Wal, Reading::Log),
        ["pg_wal", ..] => (FileClass::Wal, Reading::Plain),
        ["log" | "pg_log", ..] => (FileClass::ServerLog, Reading::Plain),
        [name] if Path::new(name).extension().is_some_and(|end| end == "conf") => {
            (FileClass::ServerFiles, Reading::Settings)
        }
        _ => (FileClass::ServerFiles, Reading::Plain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_says_relation_segment_and_fork() {
        assert_eq!(taken_apart("base/5/1234"), ("base/5/1234", 0, ""));
        assert_eq!(taken_apart("base/5/1234.2"), ("base/5/1234", 2, ""));
        assert_eq!(taken_apart("base/5/1234_fsm"), ("base/5/1234", 0, "fsm"));
        assert_eq!(taken_apart("base/5/1234_vm.1"), ("base/5/1234", 1, "vm"));
    }

    #[test]
    fn files_of_other_databases_are_left_alone() {
        assert!(is_ours("base/5/1234", 5) && is_ours("pg_wal/000000010000000000000001", 5));
        assert!(is_ours("base/pgsql_tmp/pgsql_tmp1.0", 5));
        assert!(!is_ours("base/4/1234", 5));
        assert!(!is_ours("pg_tblspc/16400/PG_15_202209061/4/1234", 5));
        assert!(is_ours("pg_tblspc/16400/PG_15_202209061/5/1234", 5));
    }
}

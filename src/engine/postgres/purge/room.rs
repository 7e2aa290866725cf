//! Room for a purge: on each disk of the server, what its largest step writes anew, and the
//! write-ahead log that piles up beside it.
//!
//! A table without room ends the statement that writes it; a log without room ends the server. So both
//! are counted before anything is locked, where the disks of the server are disks of this machine.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use sqlx::postgres::PgConnection;

use crate::engine::postgres::files;
use crate::engine::postgres::shape::table_sql;
use crate::plan::readable_bytes;
use crate::policy::TableName;

/// Files of the log that are there beside what was written: the one that is written to, the next, and
/// one that retiring the log begins.
const SEGMENTS_AHEAD: u64 = 3;

/// What some step lacks, and what to do about it; `None` where there is room, or nobody can tell.
pub(super) async fn lack(
    connection: &mut PgConnection,
    tables: &[TableName],
    views: &[TableName],
) -> Result<Option<(String, String)>, sqlx::Error> {
    let Some(root) = files::data_folder(connection).await? else {
        return of_largest_table(connection, tables).await;
    };
    let mut disks = Disks::default();
    let settings = Settings::read(connection).await?;
    let log_folder = root.join("pg_wal");
    // ORDER: a disk bears the name of the folder by which it is met first.
    let (Some(_), Some(of_log)) = (disks.of(&root), disks.of(&log_folder)) else { return Ok(None) };
    let sorts_on = settings.sorts_in.as_ref().and_then(|place| disks.of(&root.join(place)));
    let mut rewrites = Vec::new();
    for rewrite in sizes(connection, tables, views).await? {
        let mut files: Vec<(usize, u64)> = Vec::new();
        for (place, bytes) in &rewrite.files {
            files.extend(disks.of(&root.join(place)).map(|disk| (disk, *bytes)));
        }
        if rewrite.largest_index_bytes > settings.memory_bytes {
            files.extend(sorts_on.map(|disk| (disk, rewrite.largest_index_bytes)));
        }
        let log_bytes = if settings.is_logged { rewrite.log_bytes() } else { 0 };
        rewrites.push(Rewrite { what: rewrite.what, files, log_bytes });
    }
    let log = Log {
        disk: of_log,
        present_bytes: bytes_in(&log_folder),
        max_bytes: settings.log_bytes_max,
        segment_bytes: settings.segment_bytes,
        keeper: keeper(connection, &settings, &log_folder).await?,
    };
    Ok(worst(&rewrites, &log, &disks.0).map(|lack| lack.told(&log)))
}

/// Where nobody but the server can look at its folders: whether the largest table finds room a second
/// time, as far as the disk can be asked.
async fn of_largest_table(
    connection: &mut PgConnection,
    tables: &[TableName],
) -> Result<Option<(String, String)>, sqlx::Error> {
    // language=PostgreSQL
    const PLACE: &str = "SELECT setting FROM pg_catalog.pg_settings
        WHERE name = 'data_directory' AND setting IS NOT NULL";
    // language=PostgreSQL
    const SIZE: &str = "SELECT pg_catalog.pg_total_relation_size($1::pg_catalog.regclass)";
    let place: Option<String> = sqlx::query_scalar(PLACE).fetch_optional(&mut *connection).await?;
    let Some(place) = place else { return Ok(None) };
    // A server elsewhere has its disk elsewhere.
    let Some(disk) = Disk::of(Path::new(&place), 0) else { return Ok(None) };
    for table in tables {
        let size: i64 =
            sqlx::query_scalar(SIZE).bind(table_sql(table)?).fetch_one(&mut *connection).await?;
        let what = format!("table `{table}`");
        let lack = Lack { what: &what, disk: &disk, file_bytes: size.unsigned_abs(), log_bytes: 0 };
        if lack.missing_bytes() > 0 {
            return Ok(Some((lack.fact(), lack.make_room())));
        }
    }
    Ok(None)
}

/// A disk of the server.
#[derive(Debug)]
struct Disk {
    /// What the system tells disks apart by.
    device: u64,
    /// The folder by which it was met.
    place: String,
    free_bytes: u64,
}

impl Disk {
    fn of(folder: &Path, device: u64) -> Option<Self> {
        let disk = rustix::fs::statvfs(folder).ok()?;
        let free_bytes = disk.f_bavail.saturating_mul(disk.f_frsize);
        Some(Self { device, place: folder.display().to_string(), free_bytes })
    }
}

/// The disks that were met, each once.
#[derive(Debug, Default)]
struct Disks(Vec<Disk>);

impl Disks {
    /// The disk that a folder lies on, a link followed; `None` where it cannot be seen.
    fn of(&mut self, folder: &Path) -> Option<usize> {
        let device = std::fs::metadata(folder).ok()?.dev();
        if let Some(at) = self.0.iter().position(|disk| disk.device == device) {
            return Some(at);
        }
        self.0.push(Disk::of(folder, device)?);
        Some(self.0.len() - 1)
    }
}

/// What the server was told about its log and its memory.
struct Settings {
    /// Files that are written anew are in the log as well.
    is_logged: bool,
    /// What the log grows to while nobody keeps it: `max_wal_size` from checkpoint to checkpoint, and
    /// `wal_keep_size` before that.
    log_bytes_max: u64,
    /// What slots may keep at the most, where there is such a limit.
    slot_bytes_max: Option<u64>,
    segment_bytes: u64,
    /// What an index is sorted in before files are taken for it.
    memory_bytes: u64,
    /// The tablespace where indexes are sorted, below the data directory; `None` where several take
    /// turns.
    sorts_in: Option<String>,
}

impl Settings {
    async fn read(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        // language=PostgreSQL
        const SQL: &str = "SELECT pg_catalog.current_setting('wal_level') <> 'minimal',
                pg_catalog.pg_size_bytes(pg_catalog.current_setting('max_wal_size'))
                    + pg_catalog.pg_size_bytes(pg_catalog.current_setting('wal_keep_size')),
                pg_catalog.pg_size_bytes(pg_catalog.current_setting('max_slot_wal_keep_size')),
                pg_catalog.pg_size_bytes(pg_catalog.current_setting('wal_segment_size')),
                pg_catalog.pg_size_bytes(pg_catalog.current_setting('maintenance_work_mem')),
                CASE WHEN pg_catalog.current_setting('temp_tablespaces') = ''
                     THEN pg_catalog.pg_tablespace_location(d.dattablespace) END
            FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()";
        let (is_logged, log, slots, segment, memory, sorts_in): (
            bool,
            i64,
            i64,
            i64,
            i64,
            Option<String>,
        ) = sqlx::query_as(SQL).fetch_one(connection).await?;
        Ok(Self {
            is_logged,
            log_bytes_max: log.unsigned_abs(),
            slot_bytes_max: u64::try_from(slots).ok(),
            segment_bytes: segment.unsigned_abs(),
            memory_bytes: memory.unsigned_abs(),
            sorts_in,
        })
    }
}

/// What a relation takes that is written anew.
struct Sizes {
    what: String,
    /// Bytes of its files, by the tablespace below the data directory.
    files: Vec<(String, u64)>,
    largest_index_bytes: u64,
    /// How often it goes into the log: a view is filled row by row before it is rewritten.
    times: u64,
}

impl Sizes {
    /// Bytes that it adds to the log: its new files, and some sixteenth for the heads of records.
    fn log_bytes(&self) -> u64 {
        let new_bytes: u64 = self.files.iter().map(|(_, bytes)| bytes).sum();
        new_bytes.saturating_add(new_bytes / 16).saturating_mul(self.times)
    }
}

/// The sizes of tables and views, in the order in which a purge writes them.
async fn sizes(
    connection: &mut PgConnection,
    tables: &[TableName],
    views: &[TableName],
) -> Result<Vec<Sizes>, sqlx::Error> {
    // The values that were moved out of rows lie in a table of their own, which has an index.
    // language=PostgreSQL
    const SQL: &str = "
        WITH wanted AS (
            SELECT w.at, c.oid, c.reltoastrelid AS moved
            FROM unnest($1::text[]) WITH ORDINALITY AS w (name, at)
            JOIN pg_catalog.pg_class c ON c.oid = w.name::pg_catalog.regclass
        ), part AS (
            SELECT at, oid FROM wanted
            UNION ALL SELECT at, moved FROM wanted WHERE moved <> 0
            UNION ALL SELECT wanted.at, i.indexrelid FROM wanted
                JOIN pg_catalog.pg_index i ON i.indrelid IN (wanted.oid, wanted.moved)
        ), sized AS (
            SELECT part.at, c.relkind, pg_catalog.pg_relation_size(c.oid) AS bytes,
                   CASE WHEN c.reltablespace = 0 THEN d.dattablespace ELSE c.reltablespace END AS space
            FROM part JOIN pg_catalog.pg_class c ON c.oid = part.oid
            JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
        )
        SELECT at, pg_catalog.pg_tablespace_location(space), coalesce(sum(bytes), 0)::int8,
               coalesce(max(bytes) FILTER (WHERE relkind = 'i'), 0)::int8
        FROM sized GROUP BY at, space ORDER BY at, space";
    let names = tables.iter().chain(views).map(table_sql).collect::<Result<Vec<_>, _>>()?;
    let rows: Vec<(i64, String, i64, i64)> =
        sqlx::query_as(SQL).bind(&names).fetch_all(connection).await?;
    let table = |name: &TableName| (format!("table `{name}`"), 1);
    let view = |name: &TableName| (format!("materialized view `{name}`"), 3);
    let written = tables.iter().map(table).chain(views.iter().map(view));
    let sizes = written.zip(1_i64..).map(|((what, times), number)| {
        let of_it = rows.iter().filter(|(at, ..)| *at == number);
        Sizes {
            what,
            times,
            largest_index_bytes: of_it.clone().map(|row| row.3.unsigned_abs()).max().unwrap_or(0),
            files: of_it.map(|row| (row.1.clone(), row.2.unsigned_abs())).collect(),
        }
    });
    Ok(sizes.collect())
}

/// Bytes of the files in a folder.
fn bytes_in(folder: &Path) -> u64 {
    let files = folder.read_dir().into_iter().flatten().flatten();
    let known = files.filter_map(|file| file.metadata().ok());
    known.filter(std::fs::Metadata::is_file).map(|file| file.len()).sum()
}

/// Who keeps files of the log that the server itself would remove.
#[derive(Debug)]
enum Keeper {
    /// Nobody who is far behind.
    Nobody,
    /// A logical slot: it needs the whole log of a transaction that has not ended.
    Transactions,
    /// Somebody who is so far behind that nothing goes while the purge writes.
    Behind {
        /// Who.
        who: String,
        /// What helps.
        remedy: &'static str,
        /// What is kept at the most, where there is a limit.
        bytes_max: Option<u64>,
    },
}

async fn keeper(
    connection: &mut PgConnection,
    settings: &Settings,
    log_folder: &Path,
) -> Result<Keeper, sqlx::Error> {
    // language=PostgreSQL
    const SLOTS: &str = "SELECT slot_name::text, slot_type = 'logical',
            greatest(0, pg_catalog.pg_wal_lsn_diff(
                pg_catalog.pg_current_wal_lsn(), restart_lsn))::int8
        FROM pg_catalog.pg_replication_slots WHERE restart_lsn IS NOT NULL ORDER BY 3 DESC";
    // language=PostgreSQL
    const ARCHIVE: &str = "SELECT pg_catalog.current_setting('archive_mode') <> 'off',
            coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false)
            OR (pg_catalog.current_setting('archive_command') = ''
                AND coalesce(pg_catalog.current_setting('archive_library', true), '') = '')
        FROM pg_catalog.pg_stat_archiver";
    let (is_archived, is_stuck): (bool, bool) =
        sqlx::query_as(ARCHIVE).fetch_one(&mut *connection).await?;
    let waiting_bytes = waiting(&log_folder.join("archive_status")) * settings.segment_bytes;
    if is_archived && (is_stuck || waiting_bytes > settings.log_bytes_max) {
        let who = if is_stuck {
            "the archive takes no files of the log".to_owned()
        } else {
            format!("the archive of the log is {} behind", readable_bytes(waiting_bytes))
        };
        let remedy = "mend the archive (`archive_command`) and let it catch up";
        return Ok(Keeper::Behind { who, remedy, bytes_max: None });
    }
    let slots: Vec<(String, bool, i64)> = sqlx::query_as(SLOTS).fetch_all(connection).await?;
    let Some((name, _, behind)) = slots.first() else { return Ok(Keeper::Nobody) };
    if behind.unsigned_abs() > settings.log_bytes_max {
        return Ok(Keeper::Behind {
            who: format!(
                "replication slot `{name}` is {} behind",
                readable_bytes(behind.unsigned_abs())
            ),
            remedy: "let the consumer of the slot catch up",
            bytes_max: settings.slot_bytes_max,
        });
    }
    let is_logical = slots.iter().any(|(_, is_logical, _)| *is_logical);
    Ok(if is_logical { Keeper::Transactions } else { Keeper::Nobody })
}

/// Files of the log that the archive has not taken.
fn waiting(folder: &Path) -> u64 {
    let files = folder.read_dir().into_iter().flatten().flatten();
    files.filter(|file| file.path().extension().is_some_and(|end| end == "ready")).count() as u64
}

/// A step of the purge.
#[derive(Debug)]
struct Rewrite {
    /// What it writes anew.
    what: String,
    /// Bytes of new files, by disk: they are there beside the old ones until the step ends.
    files: Vec<(usize, u64)>,
    /// Bytes that it adds to the log.
    log_bytes: u64,
}

/// The log of the server, and what becomes of it while a purge writes.
#[derive(Debug)]
struct Log {
    /// The disk that it lies on.
    disk: usize,
    /// Bytes of its files now. Where nobody keeps them they are used again.
    present_bytes: u64,
    /// What it grows to while nobody keeps it.
    max_bytes: u64,
    segment_bytes: u64,
    keeper: Keeper,
}

impl Log {
    /// Bytes by which it has grown when so many were written since the purge began, some of them by
    /// the step at hand. What retiring it writes is among them.
    fn grown_bytes(&self, written: u64, by_step: u64) -> u64 {
        // Checkpoints take away what is older than the last one, and begin in time for this bound.
        let bounded = written.min(self.max_bytes.saturating_sub(self.present_bytes));
        let grown = match &self.keeper {
            Keeper::Nobody => bounded,
            Keeper::Transactions => bounded.max(by_step),
            Keeper::Behind { bytes_max: None, .. } => written,
            Keeper::Behind { bytes_max: Some(kept), .. } => {
                let most = self.max_bytes.max(*kept).saturating_sub(self.present_bytes);
                written.min(most)
            }
        };
        grown.saturating_add(self.segment_bytes.saturating_mul(SEGMENTS_AHEAD))
    }
}

/// What a step lacks on a disk.
#[derive(Debug, Clone, Copy)]
struct Lack<'l> {
    what: &'l str,
    disk: &'l Disk,
    file_bytes: u64,
    log_bytes: u64,
}

/// The step that lacks most, and the disk on which it does.
fn worst<'l>(rewrites: &'l [Rewrite], log: &Log, disks: &'l [Disk]) -> Option<Lack<'l>> {
    let mut lacks = Vec::new();
    let mut written = 0_u64;
    for rewrite in rewrites {
        written = written.saturating_add(rewrite.log_bytes);
        for (at, disk) in disks.iter().enumerate() {
            let here = rewrite.files.iter().filter(|(on, _)| *on == at);
            let file_bytes: u64 = here.map(|(_, bytes)| bytes).sum();
            let is_of_log = at == log.disk;
            let log_bytes = if is_of_log { log.grown_bytes(written, rewrite.log_bytes) } else { 0 };
            lacks.push(Lack { what: &rewrite.what, disk, file_bytes, log_bytes });
        }
    }
    lacks.retain(|lack| lack.missing_bytes() > 0);
    lacks.into_iter().max_by_key(Lack::missing_bytes)
}

impl Lack<'_> {
    /// How much more room it takes.
    fn missing_bytes(&self) -> u64 {
        self.file_bytes.saturating_add(self.log_bytes).saturating_sub(self.disk.free_bytes)
    }

    /// What it needs, where, and what there is.
    fn fact(&self) -> String {
        let (place, free) = (&self.disk.place, readable_bytes(self.disk.free_bytes));
        let (files, log) = (readable_bytes(self.file_bytes), readable_bytes(self.log_bytes));
        let needed = match (self.file_bytes, self.log_bytes) {
            (_, 0) => format!("needs {files} in `{place}` to be written anew"),
            (0, _) => {
                format!("needs {log} in `{place}` for the write-ahead log of being written anew")
            }
            _ => format!(
                "needs {files} in `{place}` to be written anew, and {log} for the write-ahead log \
                 beside it"
            ),
        };
        format!("{} {needed}; {free} are free there", self.what)
    }

    fn make_room(&self) -> String {
        let missing = readable_bytes(self.missing_bytes());
        format!(
            "make room for {missing} more there, then purge again: nothing was locked or changed"
        )
    }

    /// What stands in the way, and what to do about it.
    fn told(&self, log: &Log) -> (String, String) {
        let (fact, make_room) = (self.fact(), self.make_room());
        if self.log_bytes == 0 {
            return (fact, make_room);
        }
        match &log.keeper {
            Keeper::Behind { who, remedy, .. } => (
                format!("{fact}; {who}, so that the log only grows meanwhile"),
                format!("{remedy}, or {make_room}"),
            ),
            Keeper::Nobody if self.missing_bytes() < self.log_bytes => (
                fact,
                format!("lower `max_wal_size` for as long as the purge takes, or {make_room}"),
            ),
            Keeper::Nobody | Keeper::Transactions => (fact, make_room),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;
    const SEGMENT: u64 = 16 << 20;
    const AHEAD: u64 = SEGMENTS_AHEAD * SEGMENT;

    fn disk(device: u64, free_bytes: u64) -> Disk {
        Disk { device, place: format!("/disk{device}"), free_bytes }
    }

    fn log(disk: usize, keeper: Keeper) -> Log {
        let (max_bytes, present_bytes) = (GIB, 0);
        Log { disk, present_bytes, max_bytes, segment_bytes: SEGMENT, keeper }
    }

    /// A table on the first disk, and what it adds to the log.
    fn table(bytes: u64) -> Rewrite {
        Rewrite { what: "table `people`".to_owned(), files: vec![(0, bytes)], log_bytes: bytes }
    }

    fn behind(bytes_max: Option<u64>) -> Keeper {
        let who = "replication slot `copies` is 2.0 GiB behind".to_owned();
        Keeper::Behind { who, remedy: "let the consumer of the slot catch up", bytes_max }
    }

    #[test]
    fn a_table_and_its_log_need_room_at_once_where_they_share_a_disk() {
        let (steps, log) = ([table(GIB / 2)], log(0, Keeper::Nobody));
        assert!(worst(&steps, &log, &[disk(1, GIB + AHEAD)]).is_none());
        let disks = [disk(1, GIB + AHEAD - 1)];
        let lack = worst(&steps, &log, &disks).unwrap();
        assert_eq!((lack.file_bytes, lack.log_bytes), (GIB / 2, GIB / 2 + AHEAD));
        assert_eq!(lack.missing_bytes(), 1);
    }

    #[test]
    fn apart_each_disk_is_asked_for_what_goes_there() {
        let (steps, log) = ([table(GIB / 2)], log(1, Keeper::Nobody));
        let enough = [disk(1, GIB / 2), disk(2, GIB / 2 + AHEAD)];
        assert!(worst(&steps, &log, &enough).is_none());
        let disks = [disk(1, GIB), disk(2, GIB / 2)];
        let lack = worst(&steps, &log, &disks).unwrap();
        assert_eq!((lack.disk.device, lack.file_bytes, lack.missing_bytes()), (2, 0, AHEAD));
    }

    #[test]
    fn tables_come_one_after_the_other_and_their_log_stays_up_to_a_bound() {
        let steps = [table(3 * GIB), table(GIB), table(2 * GIB)];
        let disks = [disk(1, 4 * GIB + AHEAD - 1)];
        let lack = worst(&steps, &log(0, Keeper::Nobody), &disks);
        assert_eq!(lack.map(|lack| lack.missing_bytes()), Some(1), "the largest, and max_wal_size");
        // What is there already is used again.
        let full = Log { present_bytes: GIB, ..log(0, Keeper::Nobody) };
        assert!(worst(&steps, &full, &[disk(1, 3 * GIB + AHEAD)]).is_none());
    }

    #[test]
    fn the_log_of_a_transaction_stays_for_a_logical_slot_and_all_of_it_for_one_that_is_behind() {
        assert_eq!(log(0, Keeper::Nobody).grown_bytes(9 * GIB, 4 * GIB), GIB + AHEAD);
        assert_eq!(log(0, Keeper::Transactions).grown_bytes(9 * GIB, 4 * GIB), 4 * GIB + AHEAD);
        assert_eq!(log(0, behind(None)).grown_bytes(9 * GIB, 4 * GIB), 9 * GIB + AHEAD);
        assert_eq!(log(0, behind(Some(5 * GIB))).grown_bytes(9 * GIB, 4 * GIB), 5 * GIB + AHEAD);
    }

    #[test]
    fn without_a_log_of_new_files_a_table_needs_its_own_room_and_no_more() {
        let step = Rewrite { log_bytes: 0, ..table(GIB) };
        assert!(worst(&[step], &log(0, behind(None)), &[disk(1, GIB + AHEAD)]).is_none());
        assert!(worst(&[], &log(0, Keeper::Nobody), &[disk(1, 0)]).is_none());
    }

    #[test]
    fn what_is_lacking_is_told_with_need_place_and_remedy() {
        let steps = [table(2 * GIB)];
        let disks = [disk(1, GIB)];
        let (log, short) = (log(0, behind(None)), log(0, Keeper::Nobody));
        let (fact, hint) = worst(&steps, &log, &disks).unwrap().told(&log);
        assert_eq!(
            fact,
            "table `people` needs 2.0 GiB in `/disk1` to be written anew, and 2.0 GiB for the \
             write-ahead log beside it; 1.0 GiB are free there; replication slot `copies` is 2.0 GiB \
             behind, so that the log only grows meanwhile"
        );
        assert!(
            hint.starts_with("let the consumer of the slot catch up, or make room for 3.0 GiB")
        );
        let (_, hint) = worst(&[table(GIB / 2)], &short, &disks).unwrap().told(&short);
        assert!(hint.starts_with("lower `max_wal_size`"), "{hint}");
        let lack =
            Lack { what: "table `people`", disk: &disks[0], file_bytes: GIB + 1, log_bytes: 0 };
        assert_eq!(lack.told(&log), (lack.fact(), lack.make_room()));
        assert_eq!(lack.missing_bytes(), 1);
    }
}

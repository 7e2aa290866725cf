//! The guard, part by part: each test fails when its part is taken out of the statement.

use sealift::engine::postgres::source::PostgresSource;
use sealift::lifecycle::RunId;
use sealift::plan::{UnitColumn, UnitTable, Walk};
use sealift::policy::TableName;
use sealift::ports::{
    Counts, CursorId, Interval, Limit, Pass, Row, RowWrite, Source, SourceIdentity, Step,
    WalkFilter, WriteOutcome,
};
use sealift::value::{Original, RowKey};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use tokio::runtime::{Builder, Runtime};

use crate::support::Postgres;

const PEOPLE: &str = "
    CREATE TABLE people (id integer PRIMARY KEY, email text);
    INSERT INTO people SELECT i, 'person' || i || '@example.com' FROM generate_series(1, 20) AS i;";

const WHOLE: Limit = Limit { rows: 100, bytes: 1 << 20 };

/// A batch over the whole table, read and not yet written.
struct Batch {
    runtime: Runtime,
    source: PostgresSource,
    read: Vec<Row>,
    step: Step,
}

fn table() -> UnitTable {
    UnitTable {
        table: TableName::bare("people"),
        walk: Walk::Key(vec!["id".to_owned()]),
        columns: vec![UnitColumn { rule: 0, column: "email".to_owned(), domain: "d".to_owned() }],
        rows: 20,
        suppressed_triggers: Vec::new(),
    }
}

impl Batch {
    fn read(db: &Postgres) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let cursor = CursorId { run: RunId(7), pass: Pass::Rewrite, unit: 0, range: 0 };
        let (source, read, epoch) = runtime.block_on(async {
            let source = PostgresSource::open(&db.url()).await.unwrap();
            let identity = SourceIdentity { id: "x".to_owned(), vault: "v".to_owned() };
            source.prepare(&identity).await.unwrap();
            let state = source.take(cursor, 1).await.unwrap();
            let all = WalkFilter::All;
            let read = source.walk(&table(), None, None, WHOLE, &all).await.unwrap();
            (source, read, state.epoch)
        });
        let to = read.last().map(|row| row.key.clone());
        let interval = Some(Interval { after: None, upto: to.clone() });
        let counts = Counts { rows: read.len() as u64, ..Counts::default() };
        let step = Step { cursor, epoch, from: None, to, done: false, counts, interval };
        Self { runtime, source, read, step }
    }

    fn write(&self) -> WriteOutcome {
        self.write_of(&self.read)
    }

    fn write_of(&self, read: &[Row]) -> WriteOutcome {
        let writes: Vec<RowWrite> = read
            .iter()
            .map(|row| RowWrite { key: row.key.clone(), cells: vec![Some(token(&row.key))] })
            .collect();
        let table = table();
        let write = self.source.write(&table, &self.step, read, &writes, 0);
        self.runtime.block_on(write).unwrap()
    }

    fn rows_counted(&self) -> u64 {
        let cursors = self.source.cursors(RunId(7), Pass::Rewrite);
        self.runtime.block_on(cursors).unwrap().iter().map(|(_, _, state)| state.counts.rows).sum()
    }
}

fn token(key: &RowKey) -> Original {
    Original::text(&format!("token-{key}"))
}

fn tokens(db: &mut Postgres) -> usize {
    db.column("SELECT email FROM people WHERE email LIKE 'token-%'").len()
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_walk_reads_numbers_as_numbers_and_each_row_once() {
    let db = Postgres::with(PEOPLE);
    let batch = Batch::read(&db);
    let keys: Vec<String> = batch.read.iter().map(|row| row.key.to_string()).collect();
    let wanted: Vec<String> = (1..=20).map(|id| format!("\"{id}\"")).collect();
    assert_eq!(keys, wanted);
    let limit = Limit { rows: 7, bytes: 1 << 20 };
    let after = Some(&batch.read[8].key);
    let walk = WalkFilter::All;
    let table = table();
    let some = batch.source.walk(&table, after, None, limit, &walk);
    let some = batch.runtime.block_on(some).unwrap();
    assert_eq!(some.first().map(|row| row.key.to_string()), Some("\"10\"".to_owned()));
    assert_eq!(some.len(), 7);
    let limit = Limit { rows: 100, bytes: 50 };
    // Of how large rows are, a session that has read none knows nothing.
    let fresh = batch.runtime.block_on(PostgresSource::open(&db.url())).unwrap();
    let few = batch.runtime.block_on(fresh.walk(&table, None, None, limit, &walk)).unwrap();
    assert_eq!(few.len(), 3, "19 bytes each: the third reaches the limit");
    let next = batch.source.walk(&table, None, None, limit, &walk);
    let next = batch.runtime.block_on(next).unwrap();
    assert_eq!(next.len(), 1, "one that knows it asks for fewer, so that none is left over");
}

/// Small rows come many at a time, a large one is where an answer ends, and no row is lost between the
/// two ways to read.
#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn rows_of_any_size_are_read_once_and_within_the_limit() {
    let mut db = Postgres::with(PEOPLE);
    db.exec(
        "UPDATE people SET email = repeat('x', 5000) WHERE id IN (1, 6, 7, 20);
         UPDATE people SET email = NULL WHERE id IN (2, 8, 9);
         INSERT INTO people SELECT i, 'small' FROM generate_series(21, 60) AS i",
    );
    let batch = Batch::read(&db);
    for bytes in [1, 20, 60, 4_999, 5_001, 20_000, 30_000] {
        for filter in [WalkFilter::All, WalkFilter::Stamped { seed: 7 }] {
            let mut sizes = Vec::new();
            let mut read: Vec<Row> = Vec::new();
            loop {
                let after = read.last().map(|row| &row.key);
                let limit = Limit { rows: 25, bytes };
                let (source, table) = (&batch.source, table());
                let rows = source.walk(&table, after, None, limit, &filter);
                let rows = batch.runtime.block_on(rows).unwrap();
                if rows.is_empty() {
                    break;
                }
                // Whatever is in an answer before its last row is less than the limit.
                let before: usize = rows[..rows.len() - 1].iter().map(Row::bytes).sum();
                assert!(before < bytes, "{before} of {bytes}");
                sizes.push(rows.len());
                read.extend(rows);
            }
            assert_eq!(read.len(), 60, "{sizes:?}");
            let same = read.iter().zip(&batch.read).all(|(one, two)| one.same_as(two));
            assert!(same, "within {bytes} bytes");
            if bytes == 30_000 {
                assert_eq!(sizes, [25, 25, 10]);
            }
        }
    }
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn rows_and_cursor_are_written_together() {
    let mut db = Postgres::with(PEOPLE);
    let batch = Batch::read(&db);
    assert_eq!(batch.write(), WriteOutcome::Written);
    assert_eq!((tokens(&mut db), batch.rows_counted()), (20, 20));
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_row_that_was_changed_and_changed_back_is_another_version() {
    let mut db = Postgres::with(PEOPLE);
    let batch = Batch::read(&db);
    db.exec("UPDATE people SET email = 'meanwhile' WHERE id = 7");
    db.exec("UPDATE people SET email = 'person7@example.com' WHERE id = 7");
    assert_eq!(batch.write(), WriteOutcome::Changed);
    assert_eq!((tokens(&mut db), batch.rows_counted()), (0, 0), "nothing was written");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_row_in_the_place_of_another_is_not_it() {
    // The key part: where a row lies and who wrote it belong to row 2, the key says row 1.
    let mut db = Postgres::with(PEOPLE);
    let mut batch = Batch::read(&db);
    let version = batch.read[1].version;
    batch.read[0].version = version;
    assert_eq!(batch.write_of(&batch.read[..1]), WriteOutcome::Changed);
    assert_eq!(tokens(&mut db), 0);
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_row_that_lies_elsewhere_is_another_version() {
    // The place part: same key, same writer, another place.
    let mut db = Postgres::with(PEOPLE);
    let mut batch = Batch::read(&db);
    let elsewhere = batch.read[5].version.unwrap();
    batch.read[0].version.as_mut().unwrap().item = elsewhere.item;
    assert_eq!(batch.write_of(&batch.read[..1]), WriteOutcome::Changed);
    assert_eq!(tokens(&mut db), 0);
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_row_that_somebody_else_wrote_is_another_version() {
    // The writer part: same key, same place, another transaction.
    let mut db = Postgres::with(PEOPLE);
    let mut batch = Batch::read(&db);
    batch.read[0].version.as_mut().unwrap().writer = 3;
    assert_eq!(batch.write_of(&batch.read[..1]), WriteOutcome::Changed);
    assert_eq!(tokens(&mut db), 0);
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_table_that_inherits_is_left_alone() {
    // The clone has the key, the place and the writer of a row of the table itself.
    let mut db = Postgres::with(PEOPLE);
    db.exec(
        "BEGIN; TRUNCATE people; CREATE TABLE clones () INHERITS (people);
         INSERT INTO people SELECT i, 'person' || i || '@example.com' FROM generate_series(1, 20) AS i;
         INSERT INTO clones VALUES (1, 'a clone'); COMMIT",
    );
    let batch = Batch::read(&db);
    assert_eq!(batch.read.len(), 20, "the walk sees the table itself only");
    assert_eq!(batch.write(), WriteOutcome::Written);
    assert_eq!(db.value("SELECT email FROM clones"), "a clone");
}

/// Undoes the write of one row.
const UNDO: &str = "
    CREATE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN IF NEW.id = 5 THEN NEW.email := OLD.email; END IF; RETURN NEW; END';
    CREATE TRIGGER undo BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION undo();";

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_trigger_that_undoes_the_write_is_noticed() {
    let mut db = Postgres::with(PEOPLE);
    db.exec(UNDO);
    let batch = Batch::read(&db);
    assert!(matches!(batch.write(), WriteOutcome::Rejected(_)));
    assert_eq!((tokens(&mut db), batch.rows_counted()), (0, 0), "nothing was written");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_trigger_that_leaves_a_row_out_is_noticed() {
    let mut db = Postgres::with(PEOPLE);
    db.exec(
        "CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN IF NEW.id = 5 THEN RETURN NULL; END IF; RETURN NEW; END';
         CREATE TRIGGER skip BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION skip();",
    );
    let batch = Batch::read(&db);
    assert_eq!(batch.write(), WriteOutcome::Changed);
    assert_eq!(tokens(&mut db), 0);
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_trigger_that_came_during_the_run_finds_what_it_names() {
    let mut db = Postgres::with(PEOPLE);
    let batch = Batch::read(&db);
    // The shape of the table is known to the session, without a trigger.
    db.exec(
        "CREATE TABLE seen (id integer);
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN INSERT INTO seen VALUES (NEW.id); RETURN NULL; END';
         CREATE TRIGGER f AFTER UPDATE ON people FOR EACH ROW EXECUTE FUNCTION f();",
    );
    assert_eq!(batch.write(), WriteOutcome::Written);
    assert_eq!(db.value("SELECT count(*)::text FROM seen"), "20");
    assert_eq!(batch.rows_counted(), 20);
}

/// A column with a length cuts spaces off the end of what is too long for it, without a word.
#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_text_that_its_column_cuts_is_noticed() {
    let mut db = Postgres::with(PEOPLE);
    db.exec("ALTER TABLE people ALTER email TYPE varchar(40)");
    let batch = Batch::read(&db);
    let spaced = Original::text(&format!("token-{}", " ".repeat(60)));
    let write =
        |row: &Row| RowWrite { key: row.key.clone(), cells: vec![Some(spaced.duplicate())] };
    let writes: Vec<RowWrite> = batch.read.iter().map(write).collect();
    let table = table();
    let written = batch.source.write(&table, &batch.step, &batch.read, &writes, 0);
    assert!(matches!(batch.runtime.block_on(written).unwrap(), WriteOutcome::Rejected(_)));
    assert_eq!((tokens(&mut db), batch.rows_counted()), (0, 0), "nothing was written");
}

/// Of a table without triggers nobody looks at what a row of text holds after it was written.
#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_trigger_that_came_during_the_run_and_undoes_the_write_is_noticed() {
    let mut db = Postgres::with(PEOPLE);
    let batch = Batch::read(&db);
    db.exec(UNDO);
    assert_eq!(batch.write(), WriteOutcome::Changed, "the shape is another one");
    assert!(matches!(batch.write(), WriteOutcome::Rejected(_)));
    assert_eq!((tokens(&mut db), batch.rows_counted()), (0, 0), "nothing was written");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_range_that_was_passed_on_is_not_taken_under_an_earlier_lease() {
    let db = Postgres::with(PEOPLE);
    let batch = Batch::read(&db);
    let take = |epoch| {
        let taken = batch.source.take_as(batch.step.cursor, epoch, 1);
        batch.runtime.block_on(taken).unwrap().map(|state| state.epoch)
    };
    assert_eq!(take(7), Some(7));
    assert_eq!(take(6), None, "whoever was passed over takes nothing");
    // The answer to an earlier try may have been lost.
    assert_eq!(take(7), Some(7));
    let cursors = batch.source.cursors(RunId(7), Pass::Rewrite);
    assert_eq!(batch.runtime.block_on(cursors).unwrap()[0].2.epoch, 7);
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_batch_of_an_earlier_epoch_is_void() {
    let mut db = Postgres::with(PEOPLE);
    let batch = Batch::read(&db);
    let taken = batch.source.take(batch.step.cursor, 1);
    assert_eq!(batch.runtime.block_on(taken).unwrap().epoch, 2);
    assert_eq!(batch.write(), WriteOutcome::LeaseLost);
    assert_eq!(tokens(&mut db), 0);
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_batch_is_written_once_however_often_it_is_sent() {
    let db = Postgres::with(PEOPLE);
    let batch = Batch::read(&db);
    assert_eq!(batch.write(), WriteOutcome::Written);
    assert_eq!(batch.write(), WriteOutcome::LeaseLost, "the cursor has moved on");
    assert_eq!(batch.rows_counted(), 20);
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn commits_wait_for_the_disk_whatever_the_database_says() {
    let mut db = Postgres::with(&format!(
        "{PEOPLE} CREATE TABLE levels (level text);
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             INSERT INTO public.levels VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$;
         CREATE TRIGGER note AFTER UPDATE ON people FOR EACH STATEMENT EXECUTE FUNCTION note();"
    ));
    let name = db.name().to_owned();
    db.exec(format!("ALTER DATABASE {name} SET synchronous_commit = off"));
    let batch = Batch::read(&db);
    assert_eq!(batch.write(), WriteOutcome::Written);
    assert_eq!(db.column("SELECT DISTINCT level FROM levels"), ["on"]);
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_row_whose_write_fails_leaves_the_cursor_where_it_was() {
    let mut db = Postgres::with(PEOPLE);
    let batch = Batch::read(&db);
    db.exec(
        "ALTER TABLE people ADD CONSTRAINT no_token CHECK (id <> 7 OR email NOT LIKE 'token-%')",
    );
    assert!(matches!(batch.write(), WriteOutcome::Rejected(_)));
    let cursors = batch.runtime.block_on(batch.source.cursors(RunId(7), Pass::Rewrite)).unwrap();
    assert_eq!(cursors[0].2.position, None, "rows and cursor are one transaction");
    assert_eq!((tokens(&mut db), batch.rows_counted()), (0, 0));
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_lost_connection_is_made_again_and_the_batch_written_once() {
    let mut db = Postgres::with(PEOPLE);
    let batch = Batch::read(&db);
    db.exec(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE application_name LIKE 'sealift%' AND datname = current_database()",
    );
    assert_eq!(batch.write(), WriteOutcome::Written);
    assert_eq!((tokens(&mut db), batch.rows_counted()), (20, 20));
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_lock_that_is_held_for_a_while_is_waited_for() {
    let mut db = Postgres::with(PEOPLE);
    let batch = Batch::read(&db);
    let options = db.another();
    let holder = std::thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut connection = options.connect().await.unwrap();
            let hold =
                "BEGIN; SELECT FROM people WHERE id = 3 FOR UPDATE; SELECT pg_sleep(3); ROLLBACK";
            sqlx::raw_sql(AssertSqlSafe(hold)).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        });
    });
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(batch.write(), WriteOutcome::Written);
    holder.join().unwrap();
    assert_eq!(tokens(&mut db), 20);
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_column_that_was_retyped_during_the_run_stops_it() {
    let mut db = Postgres::with(PEOPLE);
    let batch = Batch::read(&db);
    db.exec("ALTER TABLE people ALTER email TYPE varchar(200)");
    let writes =
        [RowWrite { key: batch.read[0].key.clone(), cells: vec![Some(token(&batch.read[0].key))] }];
    let table = table();
    let write = batch.source.write(&table, &batch.step, &batch.read[..1], &writes, 0);
    assert!(batch.runtime.block_on(write).is_err());
    assert_eq!(tokens(&mut db), 0);
}

/// Rows that a sweep of a run looks at.
fn swept(batch: &Batch, run: RunId) -> usize {
    let filter = WalkFilter::Originals {
        run,
        globs: vec![Some("slk001_*".to_owned())],
        keeps_empty: vec![false],
    };
    let table = table();
    let walk = batch.source.walk(&table, None, None, WHOLE, &filter);
    batch.runtime.block_on(walk).unwrap().len()
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_sweep_passes_over_rows_that_stand_as_its_run_wrote_them_and_over_no_other() {
    let mut db = Postgres::with(PEOPLE);
    let batch = Batch::read(&db);
    assert_eq!(swept(&batch, RunId(7)), 20, "nothing is written yet");
    assert_eq!(batch.write(), WriteOutcome::Written);
    assert_eq!(swept(&batch, RunId(7)), 0);
    assert_eq!(swept(&batch, RunId(8)), 20, "another run has written nothing");
    db.exec("UPDATE people SET email = 'late@example.com' WHERE id = 3");
    db.exec("UPDATE people SET id = 21 WHERE id = 4");
    db.exec("INSERT INTO people VALUES (22, 'new@example.com')");
    assert_eq!(swept(&batch, RunId(7)), 3);
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn what_a_trigger_or_a_rule_may_have_written_in_our_transaction_is_swept() {
    let trigger = "CREATE FUNCTION back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF pg_trigger_depth() = 1 THEN
                UPDATE public.people SET email = OLD.email WHERE id = OLD.id;
            END IF;
            RETURN NULL;
        END $$;
        CREATE TRIGGER back AFTER UPDATE ON people FOR EACH ROW EXECUTE FUNCTION back();";
    let rule = "CREATE TABLE seen (id integer);
        CREATE RULE seen AS ON UPDATE TO people DO ALSO INSERT INTO seen VALUES (NEW.id);";
    for more in [trigger, rule] {
        let db = Postgres::with(&format!("{PEOPLE} {more}"));
        let batch = Batch::read(&db);
        batch.write();
        assert_eq!(swept(&batch, RunId(7)), 20, "{more}");
    }
}

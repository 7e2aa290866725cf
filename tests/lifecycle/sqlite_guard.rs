//! The guard of a source in a file, part by part: each test fails when its part is taken out. What
//! PostgreSQL's is made of is in `postgres::guard`.

use sealift::engine::sqlite::source::SqliteSource;
use sealift::lifecycle::RunId;
use sealift::plan::{UnitColumn, UnitTable, Walk};
use sealift::policy::TableName;
use sealift::ports::{
    Counts, CursorId, CursorState, Interval, Limit, Pass, Row, RowWrite, Source, SourceIdentity,
    Step, WalkFilter, WriteOutcome,
};
use sealift::value::{Original, RowKey};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::support::{Db, Desk, plan_and_approve};

const PEOPLE: &str = "
    CREATE TABLE people (id INTEGER PRIMARY KEY, email);
    INSERT INTO people WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20)
        SELECT i, 'person' || i || '@example.com' FROM n;";

const WHOLE: Limit = Limit { rows: 100, bytes: 1 << 20 };

const CURSOR: CursorId = CursorId { run: RunId(7), pass: Pass::Rewrite, unit: 0, range: 0 };

/// A batch over the whole table, read and not yet written; and a session of somebody else's.
struct Batch {
    runtime: Runtime,
    source: SqliteSource,
    read: Vec<Row>,
    step: Step,
    version: i64,
    db: Db,
    _folder: TempDir,
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
    fn read(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("people.db");
        let mut db = Db::open(&path);
        db.exec("PRAGMA journal_mode = WAL");
        db.exec(format!("{PEOPLE} {more}"));
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let url = format!("sqlite:{}", path.display());
        let (source, version, read, epoch) = runtime.block_on(async {
            let source = SqliteSource::open(&url).await.unwrap();
            let identity = SourceIdentity { id: "x".to_owned(), vault: "v".to_owned() };
            source.prepare(&identity).await.unwrap();
            let state = source.take(CURSOR, 1).await.unwrap();
            let version = source.version().await.unwrap();
            let read = source.walk(&table(), None, None, WHOLE, &WalkFilter::All).await.unwrap();
            (source, version, read, state.epoch)
        });
        let to = read.last().map(|row| row.key.clone());
        let interval = Some(Interval { after: None, upto: to.clone() });
        let counts = Counts { rows: read.len() as u64, ..Counts::default() };
        let step = Step { cursor: CURSOR, epoch, from: None, to, done: false, counts, interval };
        Self { runtime, source, read, step, version, db, _folder: folder }
    }

    fn write(&self) -> WriteOutcome {
        let writes: Vec<RowWrite> = self
            .read
            .iter()
            .map(|row| RowWrite { key: row.key.clone(), cells: vec![Some(token(&row.key))] })
            .collect();
        let table = table();
        let write = self.source.write(&table, &self.step, &self.read, &writes, self.version);
        self.runtime.block_on(write).unwrap()
    }

    fn cursor(&self) -> CursorState {
        let cursors = self.runtime.block_on(self.source.cursors(RunId(7), Pass::Rewrite)).unwrap();
        cursors.into_iter().next().unwrap().2
    }

    /// Rows that hold a token, rows that the cursor has counted.
    fn written(&mut self) -> (i64, u64) {
        let tokens = self.db.number("SELECT count(*) FROM people WHERE email LIKE 'token-%'");
        (tokens, self.cursor().counts.rows)
    }
}

fn token(key: &RowKey) -> Original {
    Original::text(&format!("token-{key}"))
}

#[test]
fn rows_and_cursor_are_written_together() {
    let mut batch = Batch::read("");
    assert_eq!(batch.write(), WriteOutcome::Written);
    assert_eq!(batch.written(), (20, 20));
    assert_eq!(batch.cursor().position, batch.step.to);
}

#[test]
fn a_row_whose_write_fails_leaves_the_cursor_where_it_was() {
    let mut batch = Batch::read(
        "CREATE TRIGGER no_token BEFORE UPDATE ON people WHEN NEW.id = 7
         BEGIN SELECT RAISE(ABORT, 'no token here'); END;",
    );
    assert!(matches!(batch.write(), WriteOutcome::Rejected(_)));
    assert_eq!(batch.cursor().position, None, "rows and cursor are one transaction");
    assert_eq!(batch.written(), (0, 0));
}

#[test]
fn a_row_that_somebody_else_changed_is_not_written_over() {
    let mut batch = Batch::read("");
    batch.db.exec("UPDATE people SET email = 'meanwhile@example.com' WHERE id = 7");
    assert_eq!(batch.write(), WriteOutcome::Changed);
    assert_eq!(batch.written(), (0, 0));
}

#[test]
fn a_row_that_came_into_the_batch_is_not_passed_over() {
    let mut batch = Batch::read("");
    batch.db.exec("INSERT INTO people VALUES (-1, 'new@example.com')");
    assert_eq!(batch.write(), WriteOutcome::Changed);
    assert_eq!(batch.written(), (0, 0));
}

#[test]
fn a_value_of_another_type_is_another_value() {
    let mut batch = Batch::read("UPDATE people SET email = '7' WHERE id = 7;");
    batch.db.exec("UPDATE people SET email = 7 WHERE id = 7");
    assert_eq!(batch.write(), WriteOutcome::Changed);
}

#[test]
fn what_somebody_wrote_elsewhere_in_the_file_hinders_nothing() {
    let mut batch = Batch::read("CREATE TABLE others (id INTEGER);");
    batch.db.exec("INSERT INTO others VALUES (1)");
    assert_eq!(batch.write(), WriteOutcome::Written);
    assert_eq!(batch.written(), (20, 20));
}

#[test]
fn a_trigger_that_leaves_a_row_out_is_noticed() {
    let mut batch = Batch::read(
        "CREATE TRIGGER skip BEFORE UPDATE ON people WHEN NEW.id = 5
         BEGIN SELECT RAISE(IGNORE); END;",
    );
    assert_eq!(batch.write(), WriteOutcome::Changed);
    assert_eq!(batch.written(), (0, 0));
}

#[test]
fn a_batch_of_an_earlier_epoch_is_void() {
    let mut batch = Batch::read("");
    let taken = batch.runtime.block_on(batch.source.take(CURSOR, 1)).unwrap();
    assert_eq!(taken.epoch, 2);
    assert_eq!(batch.write(), WriteOutcome::LeaseLost);
    assert_eq!(batch.written(), (0, 0));
}

#[test]
fn a_batch_is_written_once_however_often_it_is_sent() {
    let mut batch = Batch::read("");
    assert_eq!(batch.write(), WriteOutcome::Written);
    assert_eq!(batch.write(), WriteOutcome::LeaseLost, "the cursor has moved on");
    assert_eq!(batch.written(), (20, 20));
}

#[test]
fn a_range_that_was_passed_on_is_not_taken_under_an_earlier_lease() {
    let batch = Batch::read("");
    let take = |epoch| {
        let taken = batch.source.take_as(CURSOR, epoch, 1);
        batch.runtime.block_on(taken).unwrap().map(|state| state.epoch)
    };
    assert_eq!(take(7), Some(7));
    assert_eq!(take(6), None, "whoever was passed over takes nothing");
    assert_eq!(batch.cursor().epoch, 7);
}

#[test]
fn nobody_reads_beside_writes_that_a_trigger_may_spread() {
    let beside = |more: &str| {
        let batch = Batch::read(more);
        batch.runtime.block_on(batch.source.beside()).unwrap().is_some()
    };
    assert!(beside(""), "with a write-ahead log and no trigger");
    let trigger = "CREATE TRIGGER t AFTER UPDATE ON people BEGIN SELECT 1; END;";
    assert!(!beside(trigger));
    assert!(!beside("CREATE TABLE o (i); CREATE TRIGGER t AFTER INSERT ON o BEGIN SELECT 1; END;"));
}

#[test]
fn a_file_is_untouched_until_somebody_commits_or_a_trigger_may_have() {
    let mut batch = Batch::read("");
    let untouched = |batch: &Batch| {
        batch.runtime.block_on(batch.source.is_untouched_since(batch.version)).unwrap()
    };
    assert_eq!(batch.write(), WriteOutcome::Written);
    assert!(untouched(&batch), "our own writes do not count");
    batch.db.exec("UPDATE people SET email = 'late@example.com' WHERE id = 1");
    assert!(!untouched(&batch));
    let trigger = "CREATE TRIGGER t AFTER UPDATE ON people BEGIN SELECT 1; END;";
    assert!(!untouched(&Batch::read(trigger)));
}

#[test]
fn a_token_is_in_the_source_only_after_its_entry_is_in_the_vault() {
    let desk = Desk::new();
    let mut db = Db::open(&desk.source());
    db.exec(PEOPLE);
    desk.write(
        "shop.toml",
        "[source]\nname = \"people\"\n\n[[column]]\nname = \"people.email\"\nclass = \"contact\"\n\
         token = \"keyed\"\n",
    );
    let run = plan_and_approve(&desk);
    desk.run(&["run", &run, "--until", "sealed"]).done();
    // Values that the backup does not know need an entry of their own, which the vault never gets.
    db.exec("UPDATE people SET email = 'late' || id || '@example.com' WHERE id <= 5");
    let mut vault = Db::open(&desk.vault());
    vault.exec(
        "CREATE TRIGGER full BEFORE INSERT ON sealift_entry BEGIN SELECT RAISE(ABORT, 'no'); END",
    );
    desk.run(&["run", &run]).ends(2);
    let tokens = "SELECT count(*) FROM people WHERE id <= 5 AND email LIKE 'slk%'";
    assert_eq!(db.number(tokens), 0, "no token without an entry");
    vault.exec("DROP TRIGGER full");
    drop((vault, db));
    desk.run(&["run", &run]).done();
    let mut db = Db::open(&desk.source());
    assert_eq!(db.number(tokens), 5);
    desk.run(&["rollback", &run]).done();
    assert_eq!(db.value("SELECT email FROM people WHERE id = 3"), "late3@example.com");
}

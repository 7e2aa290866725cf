//! How much is read: blocks spread over a table of any size, whole tables when asked.

use std::time::{Duration, Instant};

use super::fixture::fill_music;
use crate::support::{Db, Desk};

/// A table of so many rows, with a hole of a million ids in its middle, and one by a text key.
fn large(desk: &Desk, rows: u64) {
    Db::open(&desk.source()).exec(format!(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT);
         CREATE TABLE people_by_code (code TEXT PRIMARY KEY, email TEXT) WITHOUT ROWID;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
         INSERT INTO people
         SELECT i + CASE WHEN i > {rows} / 2 THEN 1000000000 ELSE 0 END,
                'person' || i || '@example.com' FROM n;
         INSERT INTO people_by_code
         SELECT printf('P-%012d', id), email FROM people;"
    ));
}

/// The numbers in the line of a table: `sampled R of about A rows`.
fn figures(text: &str, table: &str) -> Vec<u64> {
    let line = text.lines().find(|line| line.starts_with(&format!("{table}  ("))).unwrap();
    line.split_whitespace().filter_map(|word| word.replace([',', '('], "").parse().ok()).collect()
}

#[test]
fn a_sample_reads_what_was_asked_and_tells_how_much_there_is() {
    let desk = Desk::bare();
    large(&desk, 60_000);

    let answer = desk.run(&["scan", "--rows", "1000"]).done();

    let people = figures(&answer.stdout, "people");
    assert!((800..=1_100).contains(&people[0]), "{answer}");
    assert!((45_000..=75_000).contains(&people[1]), "{answer}");
    let by_code = figures(&answer.stdout, "people_by_code");
    assert!((800..=1_100).contains(&by_code[0]), "{answer}");
    assert_eq!(by_code.len(), 1, "texts do not tell how many there are: {answer}");
    assert!(answer.stdout.contains("--whole"), "{answer}");
}

#[test]
fn the_newest_rows_are_in_every_sample() {
    let desk = Desk::bare();
    Db::open(&desk.source()).exec(
        "CREATE TABLE letters (id INTEGER PRIMARY KEY, contact TEXT);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
         INSERT INTO letters
         SELECT i, CASE WHEN i > 99990 THEN 'person' || i || '@example.com' END FROM n;",
    );

    let answer = desk.json(&["scan"]).done();

    let object = answer.objects().into_iter().find(|object| object["kind"] == "email").unwrap();
    assert_eq!(object["evidence"]["tested"], 10, "{object}");
}

#[test]
fn a_whole_scan_reads_every_row() {
    let desk = Desk::bare();
    large(&desk, 9_000);

    let answer = desk.run(&["scan", "--whole"]).done();

    assert!(answer.stdout.contains("people  (all 9,000 rows)"), "{answer}");
    assert!(answer.stdout.contains("people_by_code  (all 9,000 rows)"), "{answer}");
}

#[test]
fn a_scan_goes_on_beside_a_writer_and_changes_nothing() {
    let desk = Desk::bare();
    fill_music(&desk.source(), 60);
    let mut writer = Db::open(&desk.source());
    writer.exec("PRAGMA journal_mode = WAL");
    writer.exec("BEGIN IMMEDIATE; INSERT INTO genre VALUES (99, 'Polka')");

    desk.run(&["scan"]).done().mentions(&["e-mail address"]);

    writer.exec("COMMIT");
    assert_eq!(writer.number("SELECT count(*) FROM genre WHERE genre_id = 99"), 1);
    assert_eq!(
        writer.number("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'sealift%'"),
        0,
        "a scan leaves no object behind"
    );
}

#[test]
fn a_file_that_may_not_be_written_can_be_scanned() {
    let desk = Desk::bare();
    fill_music(&desk.source(), 60);
    let mut permissions = std::fs::metadata(desk.source()).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(desk.source(), permissions).unwrap();
    let before = std::fs::read(desk.source()).unwrap();

    desk.run(&["scan"]).done().mentions(&["e-mail address"]);

    assert_eq!(std::fs::read(desk.source()).unwrap(), before);
}

#[test]
fn a_locked_database_is_waited_for_and_then_named() {
    let desk = Desk::bare();
    fill_music(&desk.source(), 5);
    let mut owner = Db::open(&desk.source());
    owner.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
    let begun = Instant::now();

    desk.run(&["scan"]).fails(2, &["locked"]);

    assert!(begun.elapsed() < Duration::from_secs(60));
}

#[test]
fn values_of_any_size_and_any_bytes_are_read_in_bounded_memory() {
    let desk = Desk::bare();
    Db::open(&desk.source()).exec(
        "CREATE TABLE files (id INTEGER PRIMARY KEY, content BLOB, page TEXT, note TEXT);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
         INSERT INTO files
         SELECT i, zeroblob(4000000), CAST(zeroblob(200000) AS TEXT), CAST(x'fffe80' AS TEXT)
         FROM n;",
    );

    let answer = desk.run(&["scan", "--whole"]).done();

    assert!(answer.stdout.contains("1 table, 4 columns"), "{answer}");
}

#[test]
fn text_in_utf_16_is_read_like_any_other() {
    let desk = Desk::bare();
    let mut db = Db::open(&desk.source());
    db.exec("PRAGMA encoding = 'UTF-16'");
    db.exec(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
         INSERT INTO people SELECT i, 'pérson' || i || '@example.com' FROM n;",
    );
    drop(db);

    desk.run(&["scan"]).done().mentions(&["people  (all 500 rows)", "e-mail address"]);
}

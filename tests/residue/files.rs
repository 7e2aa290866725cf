//! A real SQLite database: originals are found before a purge, and gone after one.

use std::path::{Path, PathBuf};

use sealift::engine::sqlite::files::{self, DatabaseFile, FileScan};
use sealift::residue::pages::sqlite::PageMap;
use sealift::residue::{Evidence, FileClass, Place, ScanReport, Verdict};
use sealift::value::Original;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use super::{DIGEST_KEY, InMemory, filter_of};

const ROWS: usize = 2_000;

fn email(n: usize) -> String {
    format!("person{n}.of.nowhere@example.com")
}

fn letter(n: usize) -> String {
    format!("Dear person {n}, this is a letter of its own kind. {}", "Words. ".repeat(1_500))
}

/// What the run covers: every address and a few letters that reach over several pages.
fn originals() -> Vec<Original> {
    let mut originals: Vec<_> = (0..ROWS).map(|n| Original::text(&email(n))).collect();
    originals.extend((0..ROWS).step_by(100).map(|n| Original::text(&letter(n))));
    originals
}

async fn open(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).create_if_missing(true).connect().await.unwrap()
}

async fn run(db: &mut SqliteConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(db).await.unwrap();
}

/// A database of people with letters, in this journal mode.
async fn filled(folder: &Path) -> (PathBuf, SqliteConnection) {
    let path = folder.join("crm.db");
    let mut db = open(&path).await;
    run(
        &mut db,
        "CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT NOT NULL, letter TEXT);
         CREATE TABLE copies (email TEXT);
         CREATE INDEX people_by_email ON people (email)",
    )
    .await;
    let mut batch = db.begin().await.unwrap();
    for n in 0..ROWS {
        sqlx::query("INSERT INTO people (email, letter) VALUES (?, ?)")
            .bind(email(n))
            .bind((n % 100 == 0).then(|| letter(n)))
            .execute(&mut *batch)
            .await
            .unwrap();
    }
    batch.commit().await.unwrap();
    (path, db)
}

const REWRITE: &str = "UPDATE people SET email = 'tok_' || hex(randomblob(16)), letter = NULL";
const PURGE: &str = "VACUUM; PRAGMA wal_checkpoint(TRUNCATE)";

fn scan_with(files: Vec<DatabaseFile>, candidates_max: usize) -> ScanReport {
    let originals = originals();
    let filter = filter_of(&originals);
    let mut scan =
        FileScan::open(files, &filter, DIGEST_KEY).unwrap().with_candidates_max(candidates_max);
    while scan.next_round().unwrap() {
        for original in &originals {
            scan.check(original).unwrap();
        }
        scan.end_round().unwrap();
    }
    scan.finish()
}

fn scan(path: &Path) -> ScanReport {
    scan_with(files::list(path).unwrap(), usize::MAX)
}

#[tokio::test]
async fn originals_are_found_live_then_as_residue_then_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let (path, mut db) = filled(folder.path()).await;

    let before = scan(&path);
    let hits = before.files[0].hits;
    // Each address lies in the table and in the index, each letter in the table.
    assert!(hits.live >= (2 * ROWS + ROWS / 100) as u64, "{hits:?}");

    run(&mut db, "PRAGMA secure_delete = OFF").await;
    run(&mut db, REWRITE).await;
    let rewritten = scan(&path);
    assert!(rewritten.files[0].hits.residue() > 0, "{:?}", rewritten.files[0].hits);
    assert_eq!(rewritten.files[0].hits.live, 0);
    assert!(matches!(Evidence::weigh(&before, &rewritten), Verdict::Residue { .. }));

    run(&mut db, PURGE).await;
    let after = scan(&path);
    assert!(matches!(Evidence::weigh(&before, &after), Verdict::Clean { .. }), "{after:?}");
}

#[tokio::test]
async fn the_log_keeps_originals_until_it_is_truncated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crm.db");
    let mut first = open(&path).await;
    run(&mut first, "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0").await;
    first.close().await.unwrap();
    let (path, mut db) = filled(folder.path()).await;
    run(&mut db, "PRAGMA secure_delete = ON").await;
    run(&mut db, REWRITE).await;

    let before = scan(&path);
    assert!(before.hits_in(FileClass::Wal).unwrap().residue() > 0);

    run(&mut db, PURGE).await;
    let after = scan(&path);
    assert_eq!(after.hits_in(FileClass::Wal), None, "a log of no bytes is absent");
    assert_eq!(after.hits_in(FileClass::Database).unwrap().total(), 0);
}

#[tokio::test]
async fn a_persistent_journal_keeps_originals_whatever_is_done_to_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let (path, mut db) = filled(folder.path()).await;
    run(&mut db, "PRAGMA journal_mode = PERSIST; PRAGMA secure_delete = ON").await;
    run(&mut db, REWRITE).await;
    let hits = scan(&path).hits_in(FileClass::Journal).unwrap();
    assert!(hits.residue() > 0);
}

#[tokio::test]
async fn a_copy_in_another_column_is_told_from_residue_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let (path, mut db) = filled(folder.path()).await;
    let before = scan(&path);
    run(&mut db, "INSERT INTO copies SELECT email FROM people WHERE id <= 3").await;
    run(&mut db, REWRITE).await;
    run(&mut db, PURGE).await;

    let after = scan(&path);
    assert_eq!(Evidence::weigh(&before, &after), Verdict::UncoveredCopies { hits: 3 });
    for located in &after.files[0].listed {
        let Place::Live { owner, .. } = &located.place else { panic!("{located:?}") };
        assert_eq!(owner, "copies");
    }
}

#[tokio::test]
async fn rounds_of_any_size_find_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (path, db) = filled(folder.path()).await;
    db.close().await.unwrap();
    let whole = scan(&path);
    assert_eq!(scan_with(files::list(&path).unwrap(), 701), whole);
}

#[tokio::test]
async fn every_file_is_hashed_from_end_to_end() {
    use sha2::Digest as _;
    let folder = tempfile::tempdir().unwrap();
    let (path, db) = filled(folder.path()).await;
    db.close().await.unwrap();
    let bytes = std::fs::read(&path).unwrap();
    for candidates_max in [500, usize::MAX] {
        let report = scan_with(files::list(&path).unwrap(), candidates_max);
        let hash = data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(&bytes));
        assert_eq!((report.files[0].bytes, &report.files[0].sha256), (bytes.len() as u64, &hash));
    }
}

#[tokio::test]
async fn structure_sees_what_a_rewrite_leaves_and_vacuum_removes() {
    let folder = tempfile::tempdir().unwrap();
    let (path, mut db) = filled(folder.path()).await;
    run(&mut db, "PRAGMA secure_delete = OFF").await;
    run(&mut db, REWRITE).await;
    let dirty = files::structure(&path).unwrap().unwrap();
    assert!(!dirty.is_without_remains(), "{dirty:?}");
    assert!(dirty.free_pages > 0 && dirty.unused_bytes_set > 0, "{dirty:?}");

    run(&mut db, "PRAGMA secure_delete = ON").await;
    run(&mut db, PURGE).await;
    let clean = files::structure(&path).unwrap().unwrap();
    assert!(clean.is_without_remains(), "{clean:?}");
    assert!(clean.pages > 10);
}

#[tokio::test]
async fn what_vacuum_itself_moves_on_inner_pages_is_no_remains() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.db");
    let mut db = open(&path).await;
    // Small pages, so that few rows make many inner ones.
    run(
        &mut db,
        "PRAGMA page_size = 1024;
         PRAGMA secure_delete = ON;
         CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT);
         INSERT INTO people
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
         SELECT i, printf('%0*d', 20 + i * 7919 % 90, i) FROM n;
         VACUUM",
    )
    .await;
    let clean = files::structure(&path).unwrap().unwrap();
    assert!(clean.pages > 4_000 && clean.is_without_remains(), "{clean:?}");

    run(&mut db, "PRAGMA secure_delete = OFF; DELETE FROM people WHERE id = 30000").await;
    let dirty = files::structure(&path).unwrap().unwrap();
    assert_eq!(dirty.pages_with_unused_set, 1, "a row's page is looked at: {dirty:?}");
}

#[tokio::test]
async fn what_vacuum_copies_between_the_pages_of_an_index_is_no_remains() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("indexed.db");
    let mut db = open(&path).await;
    run(
        &mut db,
        "PRAGMA page_size = 1024;
         PRAGMA secure_delete = ON;
         CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT);
         INSERT INTO people
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
         SELECT i, printf('slk%08x%0*d', i * 2654435761 % 4294967296, 20 + i * 7919 % 40, i) FROM n;
         CREATE INDEX people_by_name ON people (name);
         VACUUM",
    )
    .await;
    let clean = files::structure(&path).unwrap().unwrap();
    assert!(clean.copied_bytes > 0, "nothing was moved: {clean:?}");
    assert!(clean.is_without_remains(), "{clean:?}");

    // The same bytes are remains once the row that they repeat is gone.
    run(&mut db, "PRAGMA secure_delete = OFF; DELETE FROM people WHERE id % 3 = 0").await;
    let dirty = files::structure(&path).unwrap().unwrap();
    assert!(dirty.pages_with_unused_set > 0, "{dirty:?}");
}

#[tokio::test]
async fn a_damaged_database_is_read_without_harm() {
    damaged(12).await;
}

mod soak {
    #[tokio::test]
    #[ignore = "minutes long; tests/soak.sh runs it"]
    async fn a_database_damaged_in_many_ways_is_read_without_harm() {
        super::damaged(400).await;
    }
}

async fn damaged(ways: u32) {
    let folder = tempfile::tempdir().unwrap();
    let (path, mut db) = filled(folder.path()).await;
    run(&mut db, REWRITE).await;
    db.close().await.unwrap();
    let whole = std::fs::read(&path).unwrap();
    let mut place = 1_usize;
    for _ in 0..ways {
        let mut damaged = whole.clone();
        for _ in 0..6 {
            place = place.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888);
            // Where pages and cells begin, most bytes are lengths and offsets.
            let at = (place >> 40) % 30 * 4_096 + (place >> 20) % 200;
            damaged[at] = place.to_le_bytes()[7];
        }
        std::fs::write(&path, &damaged).unwrap();
        let understood = files::structure(&path).unwrap();
        assert!(understood.is_none_or(|facts| facts.pages > 0));
    }
}

#[test]
fn only_the_files_of_this_database_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.db", "a.db-wal", "a.db-shm", "a.db-journal", "a.db-mj1F", "a.db.bak", "b.db"] {
        std::fs::write(folder.path().join(name), b"").unwrap();
    }
    let listed = files::list(&folder.path().join("a.db")).unwrap();
    let listed: Vec<_> = listed.iter().map(|file| (file.name(), file.class)).collect();
    let expected = [
        ("a.db", FileClass::Database),
        ("a.db-wal", FileClass::Wal),
        ("a.db-shm", FileClass::SharedMemory),
        ("a.db-journal", FileClass::Journal),
        ("a.db-mj1F", FileClass::SuperJournal),
    ];
    assert_eq!(listed, expected.map(|(name, class)| (name.to_owned(), class)));
}

#[test]
fn a_file_that_is_no_database_is_not_understood() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump.sql");
    std::fs::write(&path, format!("INSERT INTO people VALUES ('{}')", email(1))).unwrap();
    assert_eq!(files::structure(&path).unwrap(), None);
    let file = DatabaseFile { path, class: FileClass::Other };
    let report = scan_with(vec![file], usize::MAX);
    assert_eq!(report.files[0].hits.whole, 1);
    assert_eq!(report.files[0].listed[0].place, Place::Unknown);
}

#[tokio::test]
async fn a_report_tells_no_value() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _db) = filled(folder.path()).await;
    let report = scan(&path);
    let printed = format!("{report:?} {}", serde_json::to_string(&report).unwrap());
    assert!(report.files[0].hits.total() > 0);
    assert!(!printed.contains("nowhere") && !printed.contains("Dear"), "{printed}");
}

/// Found by fuzzing: seconds were spent on pages of which there was not one byte.
#[test]
fn a_header_that_counts_pages_which_are_not_there_is_not_followed_into_nothing() {
    let mut bytes = include_bytes!("../fuzz/small.db").to_vec();
    let there = u64::from(u32::from_be_bytes(bytes[28..32].try_into().unwrap()));
    for (counted, wanted) in [(there, there), (there + 1, there), (1 << 24, there), (1, 1)] {
        bytes[28..32].copy_from_slice(&u32::try_from(counted).unwrap().to_be_bytes());
        let files = InMemory(vec![bytes.clone()]);
        let Some(map) = PageMap::read(0, &files).unwrap() else {
            assert!(counted < there, "{counted} pages");
            continue;
        };
        assert_eq!(map.structure(&files).unwrap().pages, wanted);
    }
}

//! The cases of `docs/RUNBOOK.md`, each brought about, told in the words of the page, and mended as it
//! says.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::{Answer, Db, Desk, actions, assert_same, dump, plan_and_approve};

/// The page.
const PAGE: &str = include_str!("../../docs/RUNBOOK.md");

/// What the page has messages say, and this file, `full_disk` or `failure` brings about.
const BROUGHT_ABOUT: [&str; 16] = [
    "no space is left …",
    "… is locked …",
    "… kept changing …",
    "rows are in quarantine",
    "table … cannot be rewritten",
    "check `…` does not hold",
    "the catalog of the source is not the one …",
    "verification found … mismatch",
    "… has lost the tables that Sealift keeps there",
    "tokens and originals of table … cannot be told apart",
    "the vault is older than its source",
    "backup file … is missing",
    "… was altered",
    "… stands for two different values",
    "… failed authentication",
    "… holds a token that the vault does not know",
];

/// The messages in the first column of the page's tables: what stands in backticks.
fn told_by_the_page() -> Vec<String> {
    let mut told = Vec::new();
    let mut is_of_messages = false;
    for line in PAGE.lines() {
        let Some(row) = line.strip_prefix("| ") else {
            is_of_messages &= line.starts_with("|-");
            continue;
        };
        if row.starts_with("it says |") {
            is_of_messages = true;
        } else if is_of_messages {
            let first = row.split(" | ").next().unwrap();
            // A message that has a backtick in it stands in two.
            let mark = if first.starts_with("``") { "``" } else { "`" };
            let spans = first.split(mark).skip(1).step_by(2);
            told.extend(spans.map(str::to_owned));
        }
    }
    told
}

/// Holds that a command said what the page has it say.
#[track_caller]
pub(super) fn says(answer: &Answer, message: &str) {
    assert!(told_by_the_page().iter().any(|told| told == message), "the page has no `{message}`");
    let mut rest = answer.stderr.as_str();
    for part in message.split('…').map(str::trim).filter(|part| !part.is_empty()) {
        let Some(at) = rest.find(part) else { panic!("nothing says `{message}`: {answer}") };
        rest = &rest[at + part.len()..];
    }
}

#[test]
fn every_case_of_the_page_is_brought_about_by_a_test() {
    let told = told_by_the_page();
    assert!(told.len() > 10, "the page's tables are read: {told:?}");
    for message in &told {
        assert!(BROUGHT_ABOUT.contains(&message.as_str()), "nobody brings `{message}` about");
    }
    for message in BROUGHT_ABOUT {
        assert!(told.iter().any(|told| told == message), "the page does not say `{message}`");
    }
}

const PEOPLE: i64 = 60;

const POLICY: &str = "
[source]
name = \"shop\"

[[column]]
name  = \"people.email\"
class = \"contact\"
token = \"keyed\"

[[column]]
name  = \"hearsay.said\"
class = \"contact\"
token = \"keyed\"
";

/// People with a key, hearsay without one: ranges, and a window.
fn begun(first: &str, last: &str) -> (Desk, String, String) {
    let desk = Desk::new();
    let mut db = Db::open(&desk.source());
    db.exec("PRAGMA journal_mode = WAL");
    db.exec("CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT)");
    db.exec("CREATE TABLE hearsay (said TEXT)");
    for sql in ["people SELECT i, 'person' || i || '@example.com'", "hearsay SELECT 'words ' || i"]
    {
        db.exec(format!(
            "INSERT INTO {sql} FROM (WITH RECURSIVE n (i) AS
                (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {PEOPLE}) SELECT i FROM n)"
        ));
    }
    drop(db);
    desk.write("shop.toml", &format!("{first}{POLICY}{last}"));
    let before = dump(&desk.source());
    let run = plan_and_approve(&desk);
    (desk, run, before)
}

#[track_caller]
fn is_verified(desk: &Desk, run: &str) {
    desk.run(&["run", run]).done();
    assert_eq!(desk.json(&["status", run]).done().text("phase"), "verified");
}

#[track_caller]
fn is_rolled_back(desk: &Desk, run: &str, before: &str) {
    desk.run(&["rollback", run]).done();
    assert_same(before, &dump(&desk.source()));
}

/// What a command says while others write to the table without a key all the time.
fn beside_busy_writers(desk: &Desk, typed: &[&str]) -> Answer {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for row in 1..=3 {
            let (source, stop) = (desk.source(), &stop);
            scope.spawn(move || {
                let mut db = Db::open(&source);
                while !stop.load(Ordering::SeqCst) {
                    let _ = db.try_exec(format!(
                        "UPDATE hearsay SET said = 'words of ' || hex(randomblob(8)) WHERE rowid = {row}"
                    ));
                    std::thread::sleep(Duration::from_micros(300));
                }
            });
        }
        let answer = desk.run(typed);
        stop.store(true, Ordering::SeqCst);
        answer
    })
}

#[test]
fn another_writer_is_waited_for_and_the_same_command_goes_on() {
    let (desk, mut run, before) = begun("", "");
    desk.run(&["run", &run, "--until", "sealed"]).done();
    let mut other = Db::open(&desk.source());
    other.exec("BEGIN IMMEDIATE");
    says(&desk.run(&["run", &run]).fails(2, &[]), "… is locked …");
    other.exec("ROLLBACK");
    drop(other);
    let mut answer = beside_busy_writers(&desk, &["run", &run]);
    for _ in 0..5 {
        if answer.code == 2 {
            break;
        }
        // They were late for once, and the table was rewritten.
        desk.run(&["rollback", &run]).done();
        run = plan_and_approve(&desk);
        answer = beside_busy_writers(&desk, &["run", &run]);
    }
    says(&answer.fails(2, &[]), "… kept changing …");
    is_verified(&desk, &run);
    desk.run(&["rollback", &run]).done();
    let now = dump(&desk.source());
    assert_eq!(now.lines().count(), before.lines().count(), "but for the words of the writer");
}

#[test]
fn rows_in_quarantine_are_mended_and_replayed() {
    let (desk, run, _) = begun("", "\n[limits]\nvalue_bytes_max = 4096\n");
    Db::open(&desk.source())
        .exec("UPDATE people SET email = printf('%.*c', 5000, 'x') || '@example.com' WHERE id = 7");
    says(&desk.run(&["run", &run]).fails(1, &[]), "rows are in quarantine");
    desk.run(&["quarantine", "list", &run]).mentions(&["people"]);
    Db::open(&desk.source()).exec("UPDATE people SET email = 'short@example.com' WHERE id = 7");
    desk.run(&["quarantine", "replay", &run]).done();
    is_verified(&desk, &run);
}

#[test]
fn a_table_that_cannot_be_rewritten_is_when_its_row_is_mended() {
    let (desk, run, before) = begun("", "");
    desk.run(&["run", &run, "--until", "backed_up"]).done();
    // What no token can be made of came into a table that is written as a whole.
    let mut db = Db::open(&desk.source());
    db.exec("UPDATE hearsay SET said = CAST(zeroblob(20000000) AS TEXT) WHERE rowid = 3");
    says(&desk.run(&["run", &run]).ends(2), "table … cannot be rewritten");
    db.exec("UPDATE hearsay SET said = 'words 3' WHERE rowid = 3");
    drop(db);
    is_verified(&desk, &run);
    is_rolled_back(&desk, &run, &before);
}

#[test]
fn a_check_that_does_not_hold_is_looked_at_and_the_run_rolled_back() {
    let check = "
[[check]]
name   = \"addresses at an example\"
sql    = \"select count(*) from people where email like '%@example.com'\"
expect = \"unchanged\"
";
    let (desk, run, before) = begun("", check);
    says(&desk.run(&["run", &run]).fails(1, &[]), "check `…` does not hold");
    is_rolled_back(&desk, &run, &before);
}

#[test]
fn a_table_that_somebody_changed_is_changed_back_and_the_run_resumed() {
    let (desk, run, before) = begun("", "");
    desk.run(&["run", &run, "--until", "sealed"]).done();
    Db::open(&desk.source()).exec("CREATE INDEX somebody_s ON people (id, email)");
    says(&desk.run(&["run", &run]).fails(3, &[]), "the catalog of the source is not the one …");
    Db::open(&desk.source()).exec("DROP INDEX somebody_s");
    desk.run(&["resume", &run]).done();
    is_verified(&desk, &run);
    is_rolled_back(&desk, &run, &before);
}

#[test]
fn a_cell_that_holds_what_it_should_not_is_named_mended_and_verified() {
    let (desk, run, before) = begun("", "");
    is_verified(&desk, &run);
    let mut db = Db::open(&desk.source());
    let was = db.value("SELECT email FROM people WHERE id = 3");
    db.exec("UPDATE people SET email = (SELECT email FROM people WHERE id = 4) WHERE id = 3");
    let answer = desk.run(&["verify", &run]).fails(1, &["people"]);
    says(&answer, "verification found … mismatch");
    desk.run(&["purge", &run, "--confirm", &run]).ends(3);
    db.exec(format!("UPDATE people SET email = '{was}' WHERE id = 3"));
    drop(db);
    desk.run(&["verify", &run]).done();
    is_rolled_back(&desk, &run, &before);
}

#[test]
fn originals_that_came_late_are_told_apart_from_what_a_hand_has_to_mend() {
    let (desk, run, _) = begun("", "");
    is_verified(&desk, &run);
    let mut db = Db::open(&desk.source());
    db.exec("UPDATE people SET email = 'late@example.com' WHERE id = 2");
    desk.run(&["verify", &run]).fails(1, &["people", "`sealift run` makes tokens of them"]);
    db.exec("UPDATE people SET email = (SELECT email FROM people WHERE id = 4) WHERE id = 3");
    let both = desk.run(&["verify", &run]).fails(1, &["repair what is named"]);
    let first = both.stderr.lines().find(|line| line.starts_with("mismatch:")).unwrap();
    assert!(first.contains("another value"), "what is worse comes first: {both}");
    db.exec("UPDATE people SET email = 'another@example.com' WHERE id = 3");
    desk.run(&["verify", &run]).fails(1, &["`sealift run` makes tokens of them"]);
    drop(db);
    is_verified(&desk, &run);
}

#[test]
fn an_older_vault_is_refused_and_the_current_one_goes_on() {
    let (desk, run, before) = begun("", "");
    let old = fs::read(desk.vault()).unwrap();
    is_verified(&desk, &run);
    let current = fs::read(desk.vault()).unwrap();
    fs::write(desk.vault(), old).unwrap();
    for verb in ["run", "rollback"] {
        let answer = desk.run(&[verb, &run]).fails(2, &["open the current one"]);
        says(&answer, "the vault is older than its source");
    }
    fs::write(desk.vault(), current).unwrap();
    is_rolled_back(&desk, &run, &before);
}

#[test]
fn a_backup_file_that_was_touched_is_put_back_from_a_copy() {
    let (desk, run, before) = begun("", "");
    desk.run(&["run", &run, "--until", "backed_up"]).done();
    let folder = desk.path(&format!("sealift-backup/{run}"));
    let files = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let files: Vec<_> =
        files.filter(|file| file.extension().is_some_and(|end| end == "backup")).collect();
    let [file, other] = &files[..] else { panic!("one file a table: {files:?}") };
    let was = fs::read(file).unwrap();
    fs::remove_file(file).unwrap();
    says(&desk.run(&["run", &run]).fails(2, &["from a copy"]), "backup file … is missing");
    let mut altered = was.clone();
    let last = altered.len() - 1;
    altered[last] ^= 1;
    fs::write(file, altered).unwrap();
    says(&desk.run(&["run", &run]).fails(2, &["from a copy"]), "… was altered");
    desk.run(&["backup", "verify", &run]).ends(1);
    // Another file of the run, whole, and opened by the same key.
    fs::copy(other, file).unwrap();
    says(&desk.run(&["run", &run]).fails(2, &["from a copy"]), "… was altered");
    fs::write(file, was).unwrap();
    desk.run(&["backup", "verify", &run]).done();
    is_verified(&desk, &run);
    is_rolled_back(&desk, &run, &before);
}

#[cfg(feature = "failpoints")]
#[test]
fn a_token_of_two_values_stops_the_run_and_the_source_is_as_it_was() {
    let (desk, run, before) = begun("", "");
    let mut command = desk.command(&["run", &run]);
    command.env("SEALIFT_BEND", "mac.same");
    let answer = desk.finish(command, "").fails(2, &["do not purge"]);
    says(&answer, "… stands for two different values");
    assert_same(&before, &dump(&desk.source()));
    is_rolled_back(&desk, &run, &before);
}

/// Alters the entry that a token of `people` opens by.
fn alter_an_entry(desk: &Desk) {
    // The envelope of another token, of the same domain.
    Db::open(&desk.vault()).exec(
        "UPDATE sealift_entry SET envelope =
             (SELECT envelope FROM sealift_entry AS other WHERE other.domain = sealift_entry.domain
              ORDER BY token DESC LIMIT 1)
         WHERE (domain, token) = (SELECT domain, token FROM sealift_entry ORDER BY domain, token LIMIT 1)",
    );
}

/// Step 5 of the page: the cells of a table put back by hand, then the same command.
fn put_back_by_hand(desk: &Desk, run: &str, before: &str) {
    desk.run(&["backup", "restore", run, "--into", "sqlite:originals.db"]).done();
    let mut db = Db::open(&desk.source());
    db.exec(format!("ATTACH '{}' AS kept", desk.path("originals.db").display()));
    db.exec(
        "UPDATE people SET email = (SELECT was.email FROM kept.people AS was WHERE was.id = people.id)
         WHERE email LIKE 'slk%'",
    );
    drop(db);
    is_rolled_back(desk, run, before);
}

#[test]
fn an_altered_entry_is_named_and_its_cells_are_put_back_from_the_backup() {
    let (desk, run, before) = begun("", "");
    is_verified(&desk, &run);
    desk.run(&["vault", "backup", "--output", "vault.copy"]).done();
    alter_an_entry(&desk);
    says(&desk.run(&["verify", &run]).fails(1, &[]), "… failed authentication");
    desk.run(&["vault", "check"]).ends(1);
    says(&desk.run(&["rollback", &run]).fails(4, &["Do not purge"]), "… failed authentication");
    assert!(actions(&desk).iter().any(|action| action == "rollback_failed"));
    // A copy of the vault from before does not know what was done since.
    desk.run(&["vault", "restore", "vault.copy", "--vault", "sqlite:restored.db"]).done();
    let older = desk.run(&["rollback", &run, "--vault", "sqlite:restored.db"]);
    says(&older.fails(2, &[]), "the vault is older than its source");
    put_back_by_hand(&desk, &run, &before);
}

#[test]
fn what_a_destroyed_key_kept_shut_is_put_back_from_the_backup() {
    let (desk, run, before) = begun("", "");
    is_verified(&desk, &run);
    Db::open(&desk.vault()).exec(
        "UPDATE sealift_key SET state = 'destroyed', wrapped = NULL WHERE purpose = 'data'
         AND subject = (SELECT max(subject) FROM sealift_key WHERE purpose = 'data')",
    );
    says(&desk.run(&["rollback", &run]).fails(4, &["Do not purge"]), "… failed authentication");
    put_back_by_hand(&desk, &run, &before);
}

/// What somebody does who clears away what looks strange.
const DROP_OURS: &str = "DROP TABLE sealift_cursor; DROP TABLE sealift_source";

#[test]
fn a_source_that_lost_our_tables_in_the_middle_of_a_run_is_rolled_back() {
    let (desk, run, before) = begun("", "");
    desk.run(&["run", &run, "--until", "backed_up"]).done();
    let mut db = Db::open(&desk.source());
    db.exec("UPDATE hearsay SET said = CAST(zeroblob(20000000) AS TEXT) WHERE rowid = 3");
    desk.run(&["run", &run]).ends(2);
    db.exec("UPDATE hearsay SET said = 'words 3' WHERE rowid = 3");
    db.exec(DROP_OURS);
    drop(db);
    let answer = desk.run(&["run", &run]).fails(3, &["`sealift rollback`"]);
    says(&answer, "… has lost the tables that Sealift keeps there");
    is_rolled_back(&desk, &run, &before);
}

/// Codes of six digits: some of them are the tokens of others.
#[test]
fn cells_that_may_be_either_are_put_back_by_hand() {
    let desk = Desk::new();
    let mut db = Db::open(&desk.source());
    db.exec("CREATE TABLE badges (code TEXT)");
    db.exec(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000)
         INSERT INTO badges SELECT CAST(100000 + i * 37 AS TEXT) FROM n",
    );
    let kind = "token = \"format\"\nformat = \"digits\"";
    let column = format!("[[column]]\nname = \"badges.code\"\nclass = \"contact\"\n{kind}\n");
    desk.write("shop.toml", &format!("[source]\nname = \"shop\"\n\n{column}"));
    let codes = "SELECT code FROM badges ORDER BY code";
    let before = db.column(codes);
    let run = plan_and_approve(&desk);
    is_verified(&desk, &run);
    db.exec(DROP_OURS);
    // Some have their original again: so what may be either is not what all the others are.
    db.exec("UPDATE badges SET code = CAST(100000 + rowid * 37 AS TEXT) WHERE rowid <= 20");
    let tokens = db.column(codes);

    let answer = desk.run(&["rollback", &run]);

    let answer = answer.fails(4, &["`badges`", "sealift backup restore"]);
    says(&answer, "tokens and originals of table … cannot be told apart");
    assert!(db.column(codes) == tokens, "nothing was written");

    desk.run(&["backup", "restore", &run, "--into", "sqlite:originals.db"]).done();
    db.exec(format!("ATTACH '{}' AS kept", desk.path("originals.db").display()));
    db.exec("DELETE FROM badges; INSERT INTO badges SELECT code FROM kept.badges");
    desk.run(&["rollback", &run]).done();
    assert!(db.column(codes) == before, "an original was taken for a token");
}

#[test]
fn a_rollback_whose_source_is_gone_goes_on_when_it_is_back() {
    let (desk, run, before) = begun("", "");
    is_verified(&desk, &run);
    let away = desk.path("away.db");
    Db::open(&desk.source()).exec("PRAGMA wal_checkpoint(TRUNCATE)");
    fs::rename(desk.source(), &away).unwrap();
    desk.run(&["rollback", &run]).fails(2, &["--source"]);
    fs::rename(&away, desk.source()).unwrap();
    is_rolled_back(&desk, &run, &before);
}

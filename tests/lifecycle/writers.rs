//! Writers beside a run: what they write last is what the tokens open to.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::{
    Db, Desk, Journal, POLICY, Seed, exported, plan_and_approve, shop, tokens_open_to,
};

const CUSTOMERS: u64 = 400;

/// What an application remembers having written: email and phone of each customer.
type Memory = BTreeMap<u64, (String, Option<String>)>;

/// Writes as an application would until it is told to stop, and says what it wrote last.
fn write_until(source: &std::path::Path, memory: &mut Memory, stop: &AtomicBool) -> u64 {
    let mut db = Db::open(source);
    let mut seed = Seed::new(7);
    let mut writes = 0;
    while !stop.load(Ordering::SeqCst) {
        writes += 1;
        let id = 1 + seed.below(CUSTOMERS);
        let email = format!("written{writes:05}.later@example.net");
        match seed.below(6) {
            0 => {
                let id = 10 * CUSTOMERS + writes;
                db.exec(format!(
                    "INSERT INTO customers (id, name, email) VALUES ({id}, 'Newcomer {id}', '{email}')"
                ));
                memory.insert(id, (email, None));
            }
            1 => {
                db.exec(format!("UPDATE customers SET phone = NULL WHERE id = {id}"));
                memory.get_mut(&id).unwrap().1 = None;
            }
            2 => {
                // There and back: the cell holds again what the backup may know already.
                let phone = format!("+44 7700 8{writes:05}");
                db.exec(format!("UPDATE customers SET phone = 'for a moment' WHERE id = {id}"));
                db.exec(format!("UPDATE customers SET phone = '{phone}' WHERE id = {id}"));
                memory.get_mut(&id).unwrap().1 = Some(phone);
            }
            _ => {
                db.exec(format!("UPDATE customers SET email = '{email}' WHERE id = {id}"));
                memory.get_mut(&id).unwrap().0 = email;
            }
        }
        std::thread::sleep(Duration::from_millis(2 + seed.below(20)));
    }
    writes
}

fn the_last_word_is_the_application_s(journal: Journal) {
    let desk = Desk::new();
    shop(&desk, journal, CUSTOMERS);
    // The writer moves customers away from their orders' addresses, so the check on the join goes.
    desk.write("shop.toml", POLICY.split("[[check]]").next().unwrap());
    let mut memory = read_all(&desk);
    let run = plan_and_approve(&desk);
    let stop = AtomicBool::new(false);
    let (first, writes) = std::thread::scope(|scope| {
        let source = desk.source();
        let (memory, stop) = (&mut memory, &stop);
        let writer = scope.spawn(move || write_until(&source, memory, stop));
        let first = desk.run(&["run", &run]);
        stop.store(true, Ordering::SeqCst);
        (first, writer.join().unwrap())
    });
    assert!(writes > 10, "the writer was at work: {writes}");
    // 1: it stored an original after the last sweep, and verification has named it.
    assert!([0, 1].contains(&first.code), "{first}");

    // Whatever came after the verification: the next run of it sweeps that up.
    let verified = desk.run(&["verify", &run]);
    if verified.code != 0 {
        verified.ends(1);
        desk.run(&["run", &run]).done();
    }
    assert_eq!(desk.json(&["status", &run]).done().text("phase"), "verified");
    let after = read_all(&desk);
    assert_eq!(after.len(), memory.len(), "no row is lost and none is added");
    let mut pairs = Vec::new();
    for (id, (email, phone)) in &memory {
        let (email_token, phone_token) = &after[id];
        assert!(email_token.starts_with("slk"), "customer {id}");
        pairs.push((email_token.clone(), email.clone()));
        assert_eq!(phone.is_none(), phone_token.is_none(), "the phone of customer {id}");
        pairs.extend(phone_token.clone().zip(phone.clone()));
    }
    tokens_open_to(&desk, None, &pairs);

    desk.run(&["rollback", &run]).done();
    assert_eq!(read_all(&desk), memory, "rolled back to the application's last word");
}

fn read_all(desk: &Desk) -> Memory {
    let rows = Db::reading(&desk.source()).rows(
        "SELECT CAST(id AS TEXT), email, ifnull(phone, ''), CAST(phone IS NULL AS TEXT)
         FROM customers",
    );
    let parse = |row: Vec<String>| {
        let [id, email, phone, is_null] = row.try_into().unwrap();
        (id.parse().unwrap(), (email, (is_null == "0").then_some(phone)))
    };
    rows.into_iter().map(parse).collect()
}

#[test]
fn a_writer_beside_a_run_has_the_last_word_with_a_rollback_journal() {
    the_last_word_is_the_application_s(Journal::Delete);
}

#[test]
fn a_writer_beside_a_run_has_the_last_word_with_a_write_ahead_log() {
    the_last_word_is_the_application_s(Journal::Wal);
}

/// An application that copies what it reads copies tokens. No value is lost by it, and verification cannot
/// tell it from a token that went into the wrong row: it says so, and the value itself is the way on.
#[test]
fn a_token_that_an_application_copied_is_named_and_its_value_written_once_more_goes_on() {
    let desk = Desk::new();
    shop(&desk, Journal::Wal, 20);
    let mut db = Db::open(&desk.source());
    let email = db.column("SELECT email FROM customers WHERE id = 2").remove(0);
    let run = plan_and_approve(&desk);
    desk.run(&["run", &run, "--until", "rewritten"]).done();
    db.exec("UPDATE orders SET email = (SELECT email FROM customers WHERE id = 1) WHERE id = 40");
    let answer = desk.run(&["run", &run]);
    answer.fails(1, &["`orders.email` of row 40", "a token of another value", "sealift run"]);

    db.exec(format!("UPDATE orders SET email = '{email}' WHERE id = 40"));
    desk.run(&["run", &run]).done();
    let token = db.column("SELECT email FROM orders WHERE id = 40").remove(0);
    tokens_open_to(&desk, None, &[(token, email)]);
}

#[test]
fn a_busy_table_out_of_scope_keeps_no_window_from_opening() {
    let desk = Desk::new();
    shop(&desk, Journal::Wal, CUSTOMERS);
    let run = plan_and_approve(&desk);
    let stop = AtomicBool::new(false);
    let answer = std::thread::scope(|scope| {
        let source = desk.source();
        let stop = &stop;
        scope.spawn(move || {
            let mut db = Db::open(&source);
            while !stop.load(Ordering::SeqCst) {
                db.exec("UPDATE tally SET orders = orders + 1");
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let answer = desk.run(&["run", &run]);
        stop.store(true, Ordering::SeqCst);
        answer
    });

    answer.done();
}

/// Rows of more than one batch, in a file that may be read beside a write but for its trigger.
fn people_with(desk: &Desk, trigger: &str) {
    let mut db = Db::open(&desk.source());
    db.exec("PRAGMA journal_mode = WAL");
    db.exec("CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT)");
    db.exec(
        "INSERT INTO people WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
         SELECT i, 'person' || i || '@example.com' FROM n",
    );
    db.exec(trigger);
    desk.write(
        "shop.toml",
        "[source]\nname = \"people\"\n\n[[column]]\nname = \"people.email\"\nclass = \"contact\"\n\
         token = \"keyed\"\n",
    );
}

/// Does something while a command is within its first read of a batch.
fn while_it_reads(desk: &Desk, arguments: &[&str], act: impl FnOnce()) {
    let file = desk.path("held");
    let mut command = desk.command(arguments);
    command.env("SEALIFT_HOLD_AT", format!("rewrite.within_read={}", file.display()));
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    let begun = std::time::Instant::now();
    while !file.exists() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the place was not reached");
        std::thread::sleep(Duration::from_millis(5));
    }
    act();
    fs::remove_file(&file).unwrap();
    assert!(child.wait().unwrap().success());
}

/// As long as nobody can have made a trigger, our own writes change no row of the next batch.
#[test]
fn nothing_is_read_ahead_once_somebody_may_have_made_a_trigger() {
    let desk = Desk::new();
    people_with(&desk, "");
    let run = plan_and_approve(&desk);
    desk.run(&["run", &run, "--until", "sealed"]).done();
    let mut db = Db::open(&desk.source());
    while_it_reads(&desk, &["run", &run, "--until", "rewritten"], || {
        db.exec(
            "CREATE TRIGGER onwards AFTER UPDATE ON people WHEN NEW.id = 1 AND NEW.email LIKE 'slk%'
             BEGIN UPDATE people SET email = 'later@example.com' WHERE id = 900; END",
        );
    });
    db.exec("DROP TRIGGER onwards");
    desk.run(&["rollback", &run]).done();
    let found = db.column("SELECT email FROM people WHERE id = 900");
    assert_eq!(found, ["later@example.com"]);
}

/// What is written between the moment whose version counts and the read may be missing in neither.
#[test]
fn what_is_written_while_a_batch_is_read_is_the_last_word() {
    let desk = Desk::new();
    people_with(&desk, "");
    let run = plan_and_approve(&desk);
    desk.run(&["run", &run, "--until", "sealed"]).done();
    let mut db = Db::open(&desk.source());
    while_it_reads(&desk, &["run", &run], || {
        db.exec("UPDATE people SET email = 'meanwhile@example.com' WHERE id = 7");
    });
    let token = db.column("SELECT email FROM people WHERE id = 7").remove(0);
    assert!(token.starts_with("slk"), "{token}");
    desk.run(&["rollback", &run]).done();
    let back = db.column("SELECT email FROM people WHERE id = 7");
    assert_eq!(back, ["meanwhile@example.com"]);
}

/// While a batch is written the next one is read. Where the first has to be made anew, what was read is
/// not taken for it.
#[test]
fn a_batch_that_does_not_go_through_is_not_followed_by_what_was_read_ahead() {
    let desk = Desk::new();
    people_with(
        &desk,
        "ALTER TABLE people ADD COLUMN strict INTEGER DEFAULT 0
             CHECK (strict = 0 OR email LIKE '%@example.com')",
    );
    let policy = fs::read_to_string(desk.path("shop.toml")).unwrap();
    desk.write("shop.toml", &format!("{policy}\n[limits]\nquarantine_max = 5\n"));
    let run = plan_and_approve(&desk);
    desk.run(&["run", &run, "--until", "sealed"]).done();
    // No token was refused when it was planned.
    let mut db = Db::open(&desk.source());
    db.exec("UPDATE people SET strict = 1 WHERE id = 7");
    desk.run(&["run", &run]).ends(1);
    let left = db.column("SELECT id FROM people WHERE email NOT LIKE 'slk%'");
    assert_eq!(left, ["7"], "the row that the database refuses, and no other");
}

#[test]
fn what_a_trigger_writes_into_a_row_of_the_next_batch_is_its_last_word() {
    let desk = Desk::new();
    people_with(
        &desk,
        "CREATE TRIGGER onwards AFTER UPDATE ON people WHEN NEW.id = 1 AND NEW.email LIKE 'slk%'
         BEGIN UPDATE people SET email = 'later@example.com' WHERE id = 900; END",
    );
    let run = plan_and_approve(&desk);
    desk.run(&["run", &run]).done();
    desk.run(&["rollback", &run]).done();
    let mut db = Db::open(&desk.source());
    let found = db.column("SELECT email FROM people WHERE id = 900");
    assert_eq!(found, ["later@example.com"]);
}

#[test]
fn what_a_trigger_puts_behind_the_cursor_is_swept_though_nobody_else_wrote() {
    let desk = Desk::new();
    people_with(
        &desk,
        "CREATE TRIGGER back AFTER UPDATE ON people WHEN NEW.id = 1200 AND NEW.email LIKE 'slk%'
         BEGIN UPDATE people SET email = 'later@example.com' WHERE id = 1; END",
    );
    let run = plan_and_approve(&desk);
    desk.run(&["run", &run, "--until", "rewritten"]).done();
    let mut db = Db::open(&desk.source());
    assert_eq!(db.number("SELECT count(*) FROM people WHERE email LIKE 'slk%'"), 1200);
}

#[test]
fn originals_that_come_as_quickly_as_they_are_swept_are_told_and_counted() {
    let desk = Desk::new();
    people_with(&desk, "");
    let run = plan_and_approve(&desk);
    desk.run(&["run", &run, "--until", "sealed"]).done();
    let stop = AtomicBool::new(false);
    let answer = std::thread::scope(|scope| {
        let (source, stop) = (desk.source(), &stop);
        scope.spawn(move || {
            let mut db = Db::open(&source);
            let mut id = 0;
            while !stop.load(Ordering::SeqCst) {
                id = (id + 7) % 1200 + 1;
                db.exec(format!(
                    "UPDATE people SET email = 'late' || {id} || '@example.com' WHERE id = {id}"
                ));
                std::thread::sleep(Duration::from_micros(500));
            }
        });
        let answer = desk.run(&["run", &run, "--until", "rewritten"]);
        stop.store(true, Ordering::SeqCst);
        answer
    });
    answer.done().mentions(&["originals still come into `people`"]);
    let entries = fs::read_to_string(exported(&desk).join("entries.jsonl")).unwrap();
    assert!(entries.contains("still_arriving"), "{entries}");

    let left = Db::reading(&desk.source())
        .number("SELECT count(*) FROM people WHERE email NOT LIKE 'slk%'");
    assert!(left > 0, "the writer was at work to the end");
    let status = desk.json(&["status", &run]).done();
    assert_eq!(status.number("/originals/people.email"), u64::try_from(left).unwrap());
    // Nobody writes any more: the next command moves what is left.
    desk.run(&["run", &run]).done();
}

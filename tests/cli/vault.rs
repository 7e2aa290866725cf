//! The vault read through, and its copies: what was changed, deleted or is older is named.

use sealift::ports::{ARCHIVE_TABLES, NOT_COPIED};

use crate::support::{Db, Desk, Journal, Postgres, shop, verified};

fn verified_shop() -> Desk {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 12);
    verified(&desk);
    desk
}

/// The findings of a check, as (kind, place).
fn findings(desk: &Desk) -> Vec<(String, String)> {
    let answer = desk.json(&["vault", "check"]);
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    answer.last()["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| (text(&finding["kind"]), text(&finding["place"])))
        .collect()
}

#[track_caller]
fn names(desk: &Desk, kind: &str, place: &str) {
    let found = findings(desk);
    let is_named = found.iter().any(|(is, at)| is == kind && at.contains(place));
    assert!(is_named, "`{kind}` at `{place}` is not among {found:?}");
}

#[test]
fn a_sound_vault_has_no_findings() {
    let desk = verified_shop();
    desk.run(&["vault", "check"]).done().mentions(&["open to the values of their tokens"]);
    assert_eq!(findings(&desk), []);
}

#[test]
fn a_check_names_what_is_gone_swapped_altered_or_older() {
    let desk = verified_shop();
    let saved = desk.save();
    let entry = "(domain, token) = (SELECT domain, token FROM sealift_entry LIMIT 1)";

    Db::open(&desk.vault()).exec(format!("DELETE FROM sealift_entry WHERE {entry}"));
    names(&desk, "segment", "1 entries are gone");
    desk.run(&["vault", "check"]).ends(1);

    desk.restore(&saved);
    Db::open(&desk.vault())
        .exec(format!("UPDATE sealift_entry SET envelope = zeroblob(60) WHERE {entry}"));
    names(&desk, "unauthentic", "entry `");

    desk.restore(&saved);
    Db::open(&desk.vault()).exec(format!("UPDATE sealift_entry SET segment = 9 WHERE {entry}"));
    names(&desk, "segment_record", "segment 9");

    desk.restore(&saved);
    Db::open(&desk.vault())
        .exec("UPDATE sealift_segment SET entries = entries - 1, root = zeroblob(32)");
    names(&desk, "segment", "segment 1");

    desk.restore(&saved);
    Db::open(&desk.vault()).exec(
        "UPDATE sealift_ledger
         SET body = CAST(replace(CAST(body AS TEXT), 'alice', 'mallo') AS BLOB)
         WHERE json_extract(body, '$.action') = 'planned'",
    );
    names(&desk, "ledger", "their tree is not the one of the head");

    desk.restore(&saved);
    Db::open(&desk.vault()).exec("UPDATE sealift_domain SET class = 'public'");
    names(&desk, "no_domain", "was altered");
}

#[test]
fn an_entry_that_is_older_than_the_ledger_is_named() {
    let desk = verified_shop();
    // The same value sealed another time: it opens, and its token is right, but it is not the entry
    // that the ledger knows.
    let email = "domain = (SELECT domain FROM sealift_domain WHERE name = 'email')";
    let first = format!("{email} AND token = (SELECT min(token) FROM sealift_entry WHERE {email})");
    let mut db = Db::open(&desk.vault());
    let row = &db.rows(format!("SELECT quote(domain), quote(token), quote(segment), quote(kind), quote(envelope) FROM sealift_entry WHERE {first}"))[0];
    let row = row.join(", ");
    db.exec(format!("DELETE FROM sealift_entry WHERE {first}"));
    drop(db);
    let emails: Vec<String> =
        (1..=12).map(|id| format!("person{id:05}.of.nowhere@example.com")).collect();
    let arguments =
        ["tokenize", "--purpose", "support_case", "--reason", "again", "--domain", "email"];
    desk.tell_as("carol", &arguments, &emails.join("\n")).done();
    let mut db = Db::open(&desk.vault());
    let again = db.value(format!("SELECT quote(envelope) FROM sealift_entry WHERE {first}"));
    assert!(!row.contains(&again), "it was sealed a second time");
    db.exec(format!("UPDATE sealift_entry SET segment = 1 WHERE {first}"));
    db.exec("DELETE FROM sealift_segment WHERE run IS NULL");
    drop(db);
    names(&desk, "segment", "replaced by another, or by an older one");
}

#[test]
fn a_copy_that_was_cut_or_altered_is_put_nowhere() {
    let desk = verified_shop();
    desk.run(&["vault", "backup", "--output", "vault.backup"]).done();
    let good = std::fs::read(desk.path("vault.backup")).unwrap();
    let line = good.iter().position(|byte| *byte == b'\n').unwrap();
    let mut flipped = good.clone();
    flipped[line + 400] ^= 1;
    let mut other_line = good.clone();
    let identity = good.windows(12).position(|w| w == b"\"identity\":\"").unwrap();
    other_line[identity + 80] ^= 1;
    for (what, bad) in [
        ("cut", good[..good.len() - 1].to_vec()),
        ("its end gone", good[..line + 600].to_vec()),
        ("flipped", flipped),
        ("another identity", other_line),
        ("only a line", good[..=line].to_vec()),
        ("no line", good[..line].to_vec()),
        ("empty", Vec::new()),
        ("something else", b"a letter\n".to_vec()),
    ] {
        std::fs::write(desk.path("bad.backup"), bad).unwrap();
        let answer =
            desk.run(&["--vault", "sqlite:new.db", "vault", "restore", "bad.backup"]).ends(2);
        assert!(answer.stderr.contains("hint:"), "{what}: {answer}");
        assert!(!desk.path("new.db").exists(), "{what}: something was put back");
    }
    let folder = std::fs::read_dir(desk.folder()).unwrap();
    let left: Vec<_> = folder
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with('.') || name.contains("unfinished"))
        .collect();
    assert!(left.is_empty(), "scratch is left: {left:?}");
}

#[test]
fn a_copy_is_not_put_back_over_a_vault() {
    let desk = verified_shop();
    desk.run(&["vault", "backup", "--output", "vault.backup"]).done();
    desk.run(&["vault", "restore", "vault.backup"]).fails(3, &["holds a vault already", "hint:"]);
}

#[test]
fn a_file_that_is_there_and_a_recipient_that_is_none_are_told_with_what_to_do() {
    let desk = verified_shop();
    let backup = ["vault", "backup", "--output", "vault.backup"];
    desk.run(&backup).done();
    desk.run(&backup).fails(2, &["it is there already", "hint: name another file"]);
    desk.run(&["vault", "backup", "--output", "other.backup", "--recipient", "bob"])
        .fails(2, &["not an age public key", "begins with `age1`"]);
    assert!(!desk.path("other.backup").exists());
}

/// What a process leaves that is killed between the two steps of `init`: nobody can open it.
#[test]
fn a_vault_that_was_never_finished_says_so_and_how_to_begin_again() {
    let desk = Desk::new();
    let mut vault = Db::open(&desk.vault());
    vault.exec("DELETE FROM sealift_slot; DELETE FROM sealift_caller; DELETE FROM sealift_key");
    drop(vault);
    let init = ["init", "--caller", "alice", "--credential-file", "alice-2.key"];
    desk.run(&init).fails(3, &["was never finished", "remove the file", "sealift init"]);
    assert!(!desk.path("alice-2.key").exists(), "no credential without a vault");
    std::fs::remove_file(desk.vault()).unwrap();
    desk.run(&init).done();
}

#[test]
fn only_a_steward_copies_or_restores_a_vault() {
    let desk = verified_shop();
    desk.run(&["vault", "backup", "--output", "vault.backup"]).done();
    for caller in ["bob", "carol", "dave"] {
        desk.run_as(caller, &["vault", "backup", "--output", "other.backup"]).ends(3);
        desk.run_as(caller, &["vault", "check"]).ends(3);
        let restore = ["--vault", "sqlite:new.db", "vault", "restore", "vault.backup"];
        desk.run_as(caller, &restore).ends(3);
        assert!(!desk.path("new.db").exists());
    }
}

#[test]
fn the_copies_of_a_vault_are_on_its_ledger() {
    let desk = verified_shop();
    desk.run(&["vault", "backup", "--output", "vault.backup"]).done();
    let vault = ["--vault", "sqlite:new.db"];
    desk.run(&[&vault[..], &["vault", "restore", "vault.backup"]].concat()).done();
    let mut db = Db::open(&desk.path("new.db"));
    let actions =
        "SELECT json_extract(body, '$.action') FROM sealift_ledger ORDER BY sequence DESC";
    assert_eq!(db.column(actions)[0], "vault_restored");
    let mut db = Db::open(&desk.vault());
    assert_eq!(db.column(actions)[0], "vault_backed_up");
}

#[test]
fn a_copy_has_every_table_and_column_of_a_sqlite_vault() {
    let desk = Desk::new();
    let found = Db::open(&desk.vault()).rows(
        "SELECT substr(t.name, 9), c.name FROM sqlite_schema t, pragma_table_info(t.name) c
         WHERE t.type = 'table' AND t.name LIKE 'sealift\\_%' ESCAPE '\\'
           AND t.name <> 'sealift_migration'",
    );
    assert_eq!(copied(found), listed());
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_copy_has_every_table_and_column_of_a_postgres_vault() {
    let mut db = Postgres::with("");
    let _desk = Desk::between("sqlite:shop.db", &db.url());
    let found = db.rows(
        "SELECT c.relname::text, a.attname::text FROM pg_class c
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE c.relnamespace = 'sealift'::regnamespace AND c.relkind IN ('r', 'p')
           AND NOT c.relispartition AND c.relname <> 'migration'",
    );
    assert_eq!(copied(found), listed());
}

fn copied(mut found: Vec<Vec<String>>) -> Vec<Vec<String>> {
    found.retain(|column| !NOT_COPIED.contains(&column[0].as_str()));
    sorted(found)
}

fn sorted(mut rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
    rows.sort();
    rows
}

fn listed() -> Vec<Vec<String>> {
    let all = ARCHIVE_TABLES.iter().flat_map(|table| {
        table.columns.iter().map(|(column, _)| vec![table.name.to_owned(), (*column).to_owned()])
    });
    sorted(all.collect())
}

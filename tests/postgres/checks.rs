//! What is asked before and after a run: an answer that changes, comes too late or not at all blocks
//! what follows; and an older copy of a vault is refused before it does harm.

use std::path::Path;
use std::process::Command;

use crate::support::{Answer, Desk, Postgres, plan_and_approve, tokens_open_to};

const POLICY: &str = r#"
[source]
name = "crm"

[[column]]
name  = "people.email"
class = "contact"
token = "random"

[[purpose]]
name  = "support_case"
roles = ["support"]
may   = ["detokenize"]
show  = { contact = "plain" }
max_tokens_per_request = 1000
"#;

const PEOPLE: &str = "
    CREATE TABLE people (id bigint PRIMARY KEY, email text, city text);
    INSERT INTO people SELECT i, 'person' || i || '@example.com', 'X' FROM generate_series(1, 200) AS i;
    CREATE TABLE orders (id bigint PRIMARY KEY, person bigint REFERENCES people (id));
    INSERT INTO orders SELECT i, i FROM generate_series(1, 50) AS i;
    CREATE FUNCTION asked() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM public.people';";

fn check(sql: &str) -> String {
    format!(
        "{POLICY}\n[[check]]\nname = \"people are there\"\nsql = \"{sql}\"\nexpect = \"unchanged\"\n"
    )
}

fn stage(policy: &str) -> (Postgres, Desk, String) {
    let db = Postgres::with(PEOPLE);
    let desk = Desk::over(&db.url());
    desk.write("shop.toml", policy);
    let run = plan_and_approve(&desk);
    (db, desk, run)
}

fn phase(desk: &Desk, run: &str) -> String {
    desk.json(&["status", run]).done().text("phase")
}

fn redefine(db: &mut Postgres, body: &str) {
    db.exec(format!(
        "CREATE OR REPLACE FUNCTION public.asked() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN {body} END'"
    ));
}

const AS_BEFORE: &str = "RETURN (SELECT count(*) FROM public.people);";

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_check_that_changes_slows_down_or_breaks_blocks_what_follows() {
    let (mut db, desk, run) = stage(&check("SELECT public.asked()"));
    desk.run(&["run", &run, "--until", "rewritten"]).done();
    let blocked = |desk: &Desk, code: i32, words: &[&str]| -> Answer {
        let answer = desk.run(&["run", &run]).fails(code, words);
        assert_eq!(phase(desk, &run), "rewritten");
        answer
    };
    redefine(&mut db, "RETURN 7;");
    blocked(&desk, 1, &["check `people are there` does not hold"]);
    redefine(&mut db, "PERFORM pg_sleep(60); RETURN 200;");
    blocked(&desk, 1, &["check `people are there` has become slow", "within 5 s"]);
    redefine(&mut db, "RETURN 1 / 0;");
    blocked(&desk, 2, &["running a check of the policy"]);
    redefine(&mut db, AS_BEFORE);
    desk.run(&["run", &run]).done();
    assert_eq!(phase(&desk, &run), "verified");

    desk.run_as("bob", &["approve", &run, "--purge"]).done();
    desk.run(&["keys", "slot", "check", "--recovery-file", "recovery.txt"]).done();
    redefine(&mut db, "RETURN 8;");
    desk.run(&["purge", &run, "--confirm", &run]).fails(1, &["check `people are there`"]);
    assert_eq!(phase(&desk, &run), "purge_approved");
    redefine(&mut db, AS_BEFORE);
    desk.run(&["purge", &run, "--confirm", &run]).done();
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_check_that_cannot_be_run_ends_the_run_before_its_first_write() {
    let (mut db, desk, run) = stage(&check("SELECT count(*) FROM nowhere"));
    desk.run(&["run", &run]).fails(2, &["running a check of the policy"]);
    assert_eq!(phase(&desk, &run), "approved");
    assert_eq!(db.value("SELECT count(*)::text FROM pg_namespace WHERE nspname = 'sealift'"), "0");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_foreign_key_or_an_index_that_is_not_sound_any_more_blocks_what_follows() {
    let policy = format!(
        "{POLICY}\n[[column]]\nname = \"orders.note\"\nclass = \"contact\"\ntoken = \"random\"\n"
    );
    let mut db = Postgres::with(PEOPLE);
    db.exec("ALTER TABLE orders ADD note text");
    let desk = Desk::over(&db.url());
    desk.write("shop.toml", &policy);
    let run = plan_and_approve(&desk);
    desk.run(&["run", &run, "--until", "rewritten"]).done();
    // Behind the server's back, as a restore without triggers does it.
    db.exec("SET session_replication_role = replica; INSERT INTO orders VALUES (51, 99999); RESET session_replication_role");
    desk.run(&["run", &run]).fails(1, &["check `sealift: foreign keys of orders` does not hold"]);
    db.exec("DELETE FROM orders WHERE id = 51");
    db.exec("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'people_pkey'::regclass");
    let refused = desk.run(&["run", &run]);
    assert!(matches!(refused.code, 1 | 3), "{refused}");
    db.exec("UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'people_pkey'::regclass");
    desk.run(&["run", &run]).done();
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_vault_that_is_older_than_its_source_is_refused_before_it_touches_anything() {
    for saved_at in ["approved", "sealed"] {
        let mut db = Postgres::with(PEOPLE);
        let mut vault = Postgres::with("");
        let desk = Desk::between(&db.url(), &vault.url());
        desk.write("shop.toml", POLICY);
        let run = plan_and_approve(&desk);
        if saved_at != "approved" {
            desk.run(&["run", &run, "--until", saved_at]).done();
        }
        let old = vault.copy();
        desk.run(&["run", &run]).done();
        let (now, folder) = (db.dump(), files(&desk));
        let current = vault.copy();
        vault.be(&old);
        let mut refused = vec![vec!["run", run.as_str()], vec!["rollback", run.as_str()]];
        if saved_at != "sealed" {
            // What was sealed is in this copy; that somebody has gone on is noted beside the backup.
            refused.push(vec!["plan", "--policy", "shop.toml"]);
        }
        for arguments in refused {
            desk.run(&arguments).fails(2, &["the vault is older than its source", "older copy"]);
        }
        assert_eq!(db.dump(), now, "the source was not touched");
        assert_eq!(files(&desk), folder, "nor was the backup");
        vault.be(&current);
        desk.run(&["rollback", &run]).done();
        assert_eq!(db.value("SELECT email FROM people WHERE id = 5"), "person5@example.com");
    }
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_vault_that_was_restored_in_the_database_of_its_source_is_known_by_its_backup_folder() {
    let mut db = Postgres::with(PEOPLE);
    let desk = Desk::between(&db.url(), &db.url());
    desk.write("shop.toml", POLICY);
    let run = plan_and_approve(&desk);
    // Schema `sealift` as it was, cursors and all: what `pg_restore --schema` brings back.
    db.exec(SAVE);
    desk.run(&["run", &run]).done();
    let folder = files(&desk);
    let tokens = db.column("SELECT email FROM people ORDER BY id");
    db.exec(RESTORE);
    desk.run(&["run", &run]).fails(2, &["the vault is older than its source"]);
    desk.run(&["rollback", &run]).fails(2, &["the vault is older than its source"]);
    assert_eq!(files(&desk), folder, "the only backup was not written over");
    assert_eq!(db.column("SELECT email FROM people ORDER BY id"), tokens);
}

/// Keeps the tables of schema `sealift` in temporary ones, which no catalog has.
const SAVE: &str = "DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'sealift' AND c.relkind IN ('r', 'p') AND NOT c.relispartition LOOP
        EXECUTE format('CREATE TEMPORARY TABLE %I AS SELECT * FROM sealift.%I', 'saved_' || name, name);
    END LOOP; END $$";

/// Brings them back, and removes what came since.
const RESTORE: &str = "SET session_replication_role = replica;
    DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'sealift' AND c.relkind IN ('r', 'p') AND NOT c.relispartition LOOP
        EXECUTE format('DELETE FROM sealift.%I', name);
        IF to_regclass('pg_temp.saved_' || name) IS NULL THEN
            EXECUTE format('DROP TABLE sealift.%I', name);
        ELSE
            EXECUTE format('INSERT INTO sealift.%I SELECT * FROM %I', name, 'saved_' || name);
        END IF;
    END LOOP; END $$;
    RESET session_replication_role";

/// The files of the backup, with the sizes and the time of their last change.
fn files(desk: &Desk) -> Vec<(String, u64, std::time::SystemTime)> {
    fn walk(folder: &Path, found: &mut Vec<(String, u64, std::time::SystemTime)>) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let (path, known) = (entry.path(), entry.metadata().unwrap());
            if known.is_dir() {
                walk(&path, found);
            } else {
                found.push((path.display().to_string(), known.len(), known.modified().unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    walk(&desk.path("sealift-backup"), &mut found);
    found.sort();
    assert!(!found.is_empty(), "there is a backup");
    found
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_database_with_its_vault_that_moves_by_dump_and_restore_goes_on_elsewhere() {
    let mut db = Postgres::with(PEOPLE);
    let desk = Desk::between(&db.url(), &db.url());
    desk.write("shop.toml", POLICY);
    let run = plan_and_approve(&desk);
    desk.run(&["run", &run]).done();
    let copy = db.copy();
    let tokens = db.column("SELECT email FROM people ORDER BY id");
    let emails = (1..).map(|id| format!("person{id}@example.com"));
    let pairs: Vec<_> = tokens.into_iter().zip(emails).collect();
    let mut command: Command = desk.command(&[
        "detokenize",
        "--purpose",
        "support_case",
        "--reason",
        "a move",
        &pairs[0].0,
    ]);
    command.env("SEALIFT_VAULT", copy.url()).env("SEALIFT_CREDENTIAL_FILE", "carol.key");
    let opened = desk.finish(command, "").done();
    assert_eq!(opened.stdout.trim(), pairs[0].1);
    tokens_open_to(&desk, None, &pairs);
}

//! What a policy says beside its columns is kept: triggers that stay silent, a backup that is kept,
//! hours in which nothing runs.

use crate::support::{Db, Desk, assert_same, dump, verified};

const COLUMN: &str = r#"
[source]
name = "audited"

[[column]]
name  = "people.email"
class = "contact"
token = "keyed"
"#;

/// A table whose trigger copies what was there before.
fn audited(desk: &Desk, policy: &str) {
    let mut db = Db::open(&desk.source());
    db.exec("CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT)");
    db.exec("CREATE TABLE history (email TEXT)");
    db.exec(
        "CREATE TRIGGER people_history AFTER UPDATE OF email ON people BEGIN
             INSERT INTO history VALUES (OLD.email);
         END",
    );
    for id in 1..=30 {
        db.exec(format!("INSERT INTO people VALUES ({id}, 'person{id}@example.com')"));
    }
    desk.write("shop.toml", &format!("{COLUMN}{policy}"));
}

#[test]
fn a_trigger_that_copies_originals_blocks_unless_it_is_suppressed() {
    let desk = Desk::new();
    audited(&desk, "");
    desk.run(&["plan", "--policy", "shop.toml"])
        .ends(3)
        .mentions(&["people_history", "suppress_triggers"]);
}

#[test]
fn a_suppressed_trigger_is_silent_for_the_run_and_back_for_everybody_else() {
    let desk = Desk::new();
    audited(&desk, "\n[[table]]\nname = \"people\"\nsuppress_triggers = [\"people_history\"]\n");
    let before = dump(&desk.source());
    verified(&desk);
    let mut db = Db::open(&desk.source());
    assert_eq!(db.number("SELECT count(*) FROM history"), 0);
    assert_eq!(db.number("SELECT count(*) FROM people WHERE email LIKE 'slk%'"), 30);
    desk.run(&["rollback"]).done();
    assert_eq!(db.number("SELECT count(*) FROM history"), 0);
    drop(db);
    assert_same(&before, &dump(&desk.source()));
    let mut db = Db::open(&desk.source());
    db.exec("UPDATE people SET email = 'new@example.com' WHERE id = 1");
    assert_eq!(db.column("SELECT email FROM history"), ["person1@example.com"]);
}

#[test]
fn a_backup_is_kept_as_long_as_the_policy_says() {
    let desk = Desk::new();
    audited(
        &desk,
        "\n[[table]]\nname = \"people\"\nsuppress_triggers = [\"people_history\"]\n
         [backup]\nretention_days = 30\n",
    );
    let run = verified(&desk);
    desk.run_as("bob", &["approve", &run, "--purge"]).done();
    desk.run(&["keys", "slot", "check", "--recovery-file", "recovery.txt"]).done();
    desk.run(&["purge", &run, "--confirm", &run]).done();
    let folder = desk.path("sealift-backup").join(&run);
    assert!(folder.join("RUN").exists(), "the backup stays in {}", folder.display());
    let keys = desk.json(&["keys", "list"]).done();
    let key = keys.objects().into_iter().find(|key| key["purpose"] == "run").unwrap();
    assert_eq!(key["state"], "active", "and so does the key that opens it");
}

#[test]
fn outside_its_window_nothing_runs() {
    let desk = Desk::new();
    let now = jiff::Timestamp::now().in_tz("UTC").unwrap();
    let (from, until) = ((now.hour() + 2) % 24, (now.hour() + 3) % 24);
    audited(
        &desk,
        &format!(
            "\n[[table]]\nname = \"people\"\nsuppress_triggers = [\"people_history\"]\n
             [window]\nfrom = \"{from:02}:00\"\nuntil = \"{until:02}:00\"\nzone = \"UTC\"\n"
        ),
    );
    desk.run(&["plan", "--policy", "shop.toml"]).done();
    desk.run_as("bob", &["approve"]).done();
    let before = dump(&desk.source());
    desk.run(&["run"]).fails(3, &["window"]);
    assert_same(&before, &dump(&desk.source()));
}

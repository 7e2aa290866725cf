//! Rehearsals: what they find, what they leave, what they refuse.

use crate::support::{
    Db, Desk, Journal, Needle, actions, dump, found_in, plan_and_approve, shop, to_phase,
};

const PEOPLE: &str =
    "CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT, changed INTEGER DEFAULT 0);
    INSERT INTO people (email) VALUES ('alice@example.com'), ('bob@example.com'), (NULL);
    CREATE TABLE log (at INTEGER PRIMARY KEY, what TEXT);";

const POLICY: &str = "[source]\nname = \"people\"\n
    [[column]]\nname = \"people.email\"\nclass = \"contact\"\ntoken = \"keyed\"\nwaive = [\"low_entropy\"]\n";

fn people(sql: &str, policy: &str) -> (Desk, String) {
    let desk = Desk::new();
    Db::open(&desk.source()).exec(format!("{PEOPLE}{sql}"));
    desk.write("shop.toml", &format!("{POLICY}{policy}"));
    let run = plan_and_approve(&desk);
    (desk, run)
}

#[test]
fn every_shape_of_table_and_value_is_rehearsed() {
    for journal in [Journal::Delete, Journal::Wal] {
        let desk = Desk::new();
        shop(&desk, journal, 200);
        let run = to_phase(&desk, "approved");
        let before = dump(&desk.source());
        let rehearsed = desk.json(&["rehearse", &run]).done();
        assert_eq!(rehearsed.text("result"), "held", "{rehearsed}");
        assert_eq!(rehearsed.last()["left_out"], serde_json::json!([]), "{rehearsed}");
        assert!(dump(&desk.source()) == before, "the source was touched");
        let needle = [Needle::new("home-0001@example.org")];
        assert!(found_in(&desk.path("sealift-backup"), &needle).is_empty());
    }
}

#[test]
fn a_check_that_will_not_hold_is_found_before_the_run() {
    let (desk, run) = people(
        "",
        "[[check]]\nname = \"addresses look like addresses\"
         sql = \"select count(*) from people where email like '%@%'\"\nexpect = \"unchanged\"\n",
    );
    let answer = desk.run(&["rehearse", &run]);
    let words = ["failed at `run`", "check `addresses look like addresses` does not hold"];
    let answer = answer.fails(1, &words);
    assert!(answer.stdout.contains("the copy is destroyed"), "{answer}");
    assert!(!desk.path("sealift-backup").exists(), "what was made for it is gone");
    desk.run(&["status", &run]).done().mentions(&["did not hold"]);
    let addresses =
        Db::open(&desk.source()).number("SELECT count(*) FROM people WHERE email LIKE '%@%'");
    assert_eq!(addresses, 2, "the source was touched");
}

#[test]
fn what_triggers_write_on_the_way_is_named_and_no_failure() {
    let (desk, run) = people(
        "CREATE TRIGGER touched AFTER UPDATE OF email ON people BEGIN
            UPDATE people SET changed = changed + 1 WHERE id = new.id;
            INSERT INTO log (what) VALUES ('changed'); END;",
        "",
    );
    let rehearsed = desk.json(&["rehearse", &run]).done();
    let beside = rehearsed.last()["beside"].clone();
    assert_eq!(beside, serde_json::json!(["people.changed", "log has 4 rows, and had 0"]));
    assert_eq!(rehearsed.text("result"), "held");
}

#[test]
fn a_copy_goes_where_it_is_said_and_stays_only_if_it_is_said() {
    let (desk, run) = people("", "");
    desk.write("there.db", "something");
    desk.run(&["rehearse", &run, "--into", "sqlite:there.db"]).fails(3, &["not empty"]);
    assert_eq!(std::fs::read_to_string(desk.path("there.db")).unwrap(), "something");
    desk.run(&["rehearse", &run, "--into", "postgres://nobody@localhost/x"]).fails(3, &["engine"]);
    desk.run(&["rehearse", &run, "--into", "sqlite:new.db"]).done();
    assert!(!desk.path("new.db").exists());

    let kept = desk.run(&["rehearse", &run, "--into", "sqlite:new.db", "--keep"]).done();
    kept.mentions(&["holds originals in plain text"]);
    let found = Db::open(&desk.path("new.db")).number("SELECT count(*) FROM people");
    assert_eq!(found, 3);
    let folder = desk.path("sealift-backup").join(format!("rehearsal-{run}"));
    assert!(folder.exists());
    desk.run(&["rehearse", &run]).fails(3, &["it was kept"]);
    std::fs::remove_dir_all(folder).unwrap();
    desk.run(&["rehearse", &run]).done();
}

#[test]
fn only_a_steward_rehearses_and_a_changed_source_is_planned_anew() {
    let (desk, run) = people("", "");
    for caller in ["bob", "carol", "dave"] {
        desk.run_as(caller, &["rehearse", &run]).ends(3);
    }
    assert!(!actions(&desk).contains(&"rehearsal_started".to_owned()));
    Db::open(&desk.source()).exec("CREATE INDEX later ON people (email)");
    desk.run(&["rehearse", &run]).fails(3, &["catalog", "plan again"]);
}

#[test]
fn the_estimate_of_a_run_that_was_rehearsed_is_what_the_rehearsal_took() {
    let (desk, run) = people("", "");
    let rehearsed = desk.json(&["rehearse", &run]).done();
    let (took, reckoned) =
        (rehearsed.number("/counts/verify_ms"), rehearsed.number("/counts/verify_ms_estimated"));
    let planned = rehearsed.number("/estimate/passes/verify_ms");
    assert_eq!(planned, (reckoned * took.max(1) / reckoned).max(1), "the whole source was copied");
    let ran = desk.json(&["run", &run]).done();
    let verify = ran.last()["estimates"].as_array().unwrap().clone();
    let verify = verify.into_iter().find(|check| check["what"] == "verify").unwrap();
    assert_eq!(verify["estimated"].as_u64(), Some(planned), "{ran}");
}

/// A rehearsal that dies leaves its folder and its copy; the next one clears them away.
#[cfg(feature = "failpoints")]
#[test]
fn a_rehearsal_that_dies_is_cleared_away_by_the_next() {
    let (desk, run) = people("", "");
    for place in ["seal.after_vault_commit", "rewrite.after_commit", "rollback.before_traces"] {
        for into in [None, Some("sqlite:elsewhere.db")] {
            let mut typed = vec!["rehearse", &run];
            typed.extend(into.iter().flat_map(|into| ["--into", into]));
            let mut command = desk.command(&typed);
            command.env("SEALIFT_DIE_AT", place);
            assert_eq!(desk.finish(command, "").code, -1, "it dies at `{place}`");
            let folder = desk.path("sealift-backup").join(format!("rehearsal-{run}"));
            assert!(folder.exists());
            desk.run(&typed).done();
            assert!(!folder.exists() && !desk.path("elsewhere.db").exists());
        }
    }
    desk.run(&["run", &run]).done();
}

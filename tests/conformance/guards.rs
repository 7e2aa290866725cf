//! Guards that no accident of a test shows: something is made wrong on purpose, and has to be found.

use super::every_engine;
use super::stage::{Engine, Stage};
use crate::support::{Answer, Db, actions, plan_and_approve, verified};
use sealift::token::{DomainId, second::token_text};

every_engine! {
    a_token_derived_wrong_is_found_by_the_derivation_of_verify_itself,
    a_value_that_went_and_came_back_around_a_death_is_backed_up_anew,
    a_token_that_came_behind_a_rollback_is_opened_too,
    an_original_that_is_back_is_never_taken_for_a_token,
    a_row_that_cannot_be_put_back_is_named,
    a_run_whose_tables_were_lost_is_put_back_and_not_gone_on_with,
    a_run_beside_which_another_was_purged_goes_on,
    a_rollback_whose_tables_were_lost_looks_at_every_cell_again,
    a_rollback_that_died_behind_its_last_look_only_ends,
    cells_say_what_they_are_where_no_cursor_does,
}

/// Seal and rewrite share one derivation. If it is wrong they agree with each other, and only code that
/// shares nothing with it can tell.
fn a_token_derived_wrong_is_found_by_the_derivation_of_verify_itself(mut stage: Stage) {
    let before = stage.all_cells();
    let run = plan_and_approve(&stage.desk);
    stage.desk.run(&["run", &run, "--until", "backed_up"]).done();
    let mut command = stage.desk.command(&["run", &run]);
    command.env("SEALIFT_BEND", "mac.bent");
    let answer = stage.desk.finish(command, "").fails(1, &["mismatch"]);
    assert!(!answer.stderr.contains("@example.com"), "{answer}");
    stage.desk.run(&["verify", &run]).ends(1);
    let phase = stage.desk.json(&["status", &run]).done().text("phase");
    assert_eq!(phase, "rewritten", "nothing is purged from there");
    stage.desk.run(&["rollback", &run]).done();
    assert_eq!(stage.all_cells(), before);
}

/// The backup knows `a`, an increment of a batch that never was knows `b`, and the cell holds `a` again:
/// its newest entry is not its value, though every token would open.
fn a_value_that_went_and_came_back_around_a_death_is_backed_up_anew(mut stage: Stage) {
    let body = |body: &str| format!("UPDATE notes SET body = '{body}' WHERE code = 'N1'");
    stage.exec(body("A note as it was"));
    let before = stage.all_cells();
    let run = plan_and_approve(&stage.desk);
    stage.desk.run(&["run", &run, "--until", "sealed"]).done();
    stage.exec(body("Another note"));
    let mut command = stage.desk.command(&["run", &run]);
    command.env("SEALIFT_DIE_AT", "rewrite.after_vault_commit");
    stage.desk.finish(command, "").ends(-1);
    stage.exec(body("A note as it was"));
    // Until what the dead process held is free.
    let mut answer = stage.desk.run(&["run", &run]);
    for _ in 0..60 {
        if answer.code != 2 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(250));
        answer = stage.desk.run(&["run", &run]);
    }
    answer.done();
    stage.desk.run(&["verify", &run]).done();
    // The way back without the vault: what the backup itself takes for the newest.
    stage.desk.run(&["backup", "restore", &run, "--into", "sqlite:look.db"]).done();
    let mut look = Db::reading(&stage.desk.path("look.db"));
    assert_eq!(look.column("SELECT body FROM notes WHERE code = 'N1'"), ["A note as it was"]);
    stage.desk.run(&["rollback", &run]).done();
    assert_eq!(stage.all_cells(), before);
}

/// Rows of `notes` beside those that are there, in the order of their keys behind `M`.
fn many_notes(stage: &mut Stage) {
    stage.exec(
        "WITH RECURSIVE number (i) AS (SELECT 10001 UNION ALL SELECT i + 1 FROM number WHERE i < 16000)
         INSERT INTO notes SELECT 'M' || i, 'A note with the number ' || i FROM number",
    );
}

/// While a range is put back, an application moves a row behind the cursor, and copies a token there.
fn a_token_that_came_behind_a_rollback_is_opened_too(mut stage: Stage) {
    many_notes(&mut stage);
    // Put back in a window, before the notes.
    let in_one = "domain = \"body\"\ntoken = \"random\"\ndedupe = true";
    let of_notes = ("token = \"random\"\nempty", &*format!("{in_one}\nempty"));
    with_calls(&mut stage, in_one, of_notes);
    let run = verified(&stage.desk);
    let mut command = stage.desk.command(&["rollback", &run]);
    command.env("SEALIFT_DIE_AT", "rollback.after_commit");
    stage.desk.finish(command, "").ends(-1);
    let tokens = "SELECT CAST(count(*) AS text) FROM notes WHERE body LIKE 'slr%'";
    assert_ne!(stage.column(tokens), ["0"], "it died on the way");
    stage.exec("UPDATE notes SET code = 'A0' WHERE code = 'M16000'");
    stage.exec("UPDATE notes SET body = (SELECT body FROM notes WHERE code = 'M15999') WHERE code = 'M10001'");
    stage.exec("INSERT INTO calls SELECT body, 'C' FROM notes WHERE code = 'M15998'");

    stage.desk.run(&["rollback", &run]).done();

    assert_eq!(stage.column(tokens), ["0"]);
    let copied = "SELECT phone FROM calls WHERE who = 'C'";
    assert_eq!(stage.column(copied), ["A note with the number 15998"]);
    let moved = "SELECT body FROM notes WHERE code IN ('A0', 'M10001') ORDER BY code";
    assert_eq!(
        stage.column(moved),
        ["A note with the number 16000", "A note with the number 15999"]
    );
    stage.is_left_clean();
}

/// A table without a key, first in the policy, with telephone numbers and codes of six digits. Tokens of
/// six digits are numbers like any other: some of the codes are the tokens of others.
fn with_badges(stage: &mut Stage) {
    let badges =
        if matches!(stage.engine, Engine::Postgres(_)) { "public.badges" } else { "badges" };
    stage.exec(format!("CREATE TABLE {badges} (phone text, code text)"));
    stage.exec(
        "WITH RECURSIVE number (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number WHERE i < 3000)
         INSERT INTO badges SELECT '+49 30 ' || i, CAST(100000 + i * 37 AS text) FROM number",
    );
    let policy = std::fs::read_to_string(stage.desk.path("shop.toml")).unwrap();
    let rule = |name: &str, kind: &str| {
        format!("[[column]]\nname = \"badges.{name}\"\nclass = \"contact\"\ntoken = {kind}\n\n")
    };
    let first = rule("phone", "\"keyed\"") + &rule("code", "\"format\"\nformat = \"digits\"");
    stage.desk.write("shop.toml", &policy.replacen("[[column]]", &format!("{first}[[column]]"), 1));
}

/// Where a window is opened once more, for a token that came into another column, codes stay as they are.
fn an_original_that_is_back_is_never_taken_for_a_token(mut stage: Stage) {
    with_badges(&mut stage);
    let codes = "SELECT code FROM badges WHERE phone <> 'late' ORDER BY phone";
    let before = stage.column(codes);
    let run = verified(&stage.desk);
    let token = stage.column("SELECT min(phone) FROM badges").remove(0);
    let mut command = stage.desk.command(&["rollback", &run]);
    command.env("SEALIFT_DIE_AT", "rollback.after_window_commit");
    stage.desk.finish(command, "").ends(-1);
    stage.exec(format!("INSERT INTO badges VALUES ('{token}', 'late')"));

    stage.desk.run(&["rollback", &run]).done();

    let again = "SELECT code FROM badges WHERE code <> 'late' ORDER BY phone";
    assert!(stage.column(again) == before, "a number was taken for a token");
    let late = stage.column("SELECT phone FROM badges WHERE code = 'late'");
    assert!(late[0].starts_with("+49 30 "), "{late:?}");
}

/// Has a command die at a place.
fn dies_at(stage: &Stage, arguments: &[&str], place: &str) {
    let mut command = stage.desk.command(arguments);
    command.env("SEALIFT_DIE_AT", place);
    stage.desk.finish(command, "").ends(-1);
}

/// What a command answers once nothing is held any more for a process that died.
fn once_free(stage: &Stage, arguments: &[&str]) -> Answer {
    for _ in 0..60 {
        let answer = stage.desk.run(arguments);
        let held = ["another process works", "is locked", "locked by another"];
        if !held.iter().any(|word| answer.stderr.contains(word)) {
            return answer;
        }
        std::thread::sleep(std::time::Duration::from_millis(250));
    }
    panic!("the dead process still holds something");
}

/// In the middle of the rewrite: what holds a token and what an original, the cursors alone have known.
fn a_run_whose_tables_were_lost_is_put_back_and_not_gone_on_with(mut stage: Stage) {
    many_notes(&mut stage);
    let before = stage.all_cells();
    let run = plan_and_approve(&stage.desk);
    dies_at(&stage, &["run", &run], "rewrite.after_commit");
    let half = stage.all_cells();
    assert_ne!(half, before, "it has written");
    stage.lose_tables();

    once_free(&stage, &["run", &run]).fails(3, &["has lost the tables", "`sealift rollback`"]);

    assert_eq!(stage.all_cells(), half, "nothing more was written");
    once_free(&stage, &["rollback", &run]).done();
    assert_eq!(stage.all_cells(), before);
    stage.is_left_clean();
}

/// A purge drops the cursors of every run, and leaves what says whose tokens these are.
fn a_run_beside_which_another_was_purged_goes_on(mut stage: Stage) {
    many_notes(&mut stage);
    let before = stage.all_cells();
    let run = plan_and_approve(&stage.desk);
    dies_at(&stage, &["run", &run], "rewrite.after_commit");
    let is_sqlite = matches!(stage.engine, Engine::Sqlite(_));
    stage.exec(format!("DROP TABLE sealift{}cursor", if is_sqlite { '_' } else { '.' }));

    once_free(&stage, &["run", &run]).done();

    let tokens = "SELECT CAST(count(*) AS text) FROM notes WHERE body LIKE 'slr%'";
    assert!(stage.column(tokens)[0].parse::<u32>().unwrap() > 6_000);
    stage.desk.run(&["rollback", &run]).done();
    assert!(stage.all_cells() == before);
    stage.is_left_clean();
}

fn a_rollback_whose_tables_were_lost_looks_at_every_cell_again(mut stage: Stage) {
    many_notes(&mut stage);
    let before = stage.all_cells();
    for place in ["rollback.after_begin", "rollback.after_commit", "rollback.before_traces"] {
        let run = verified(&stage.desk);
        dies_at(&stage, &["rollback", &run], place);
        // Behind the last look its entry says that there is none to come.
        let is_swept = place == "rollback.before_traces";
        let tokens = "SELECT CAST(count(*) AS text) FROM notes WHERE body LIKE 'slr%'";
        assert_eq!(stage.column(tokens) == ["0"], is_swept, "at `{place}`");
        stage.lose_tables();

        once_free(&stage, &["rollback", &run]).done();

        assert_eq!(stage.all_cells(), before, "after a death at `{place}`");
        stage.is_left_clean();
    }
}

fn a_rollback_that_died_behind_its_last_look_only_ends(mut stage: Stage) {
    let before = stage.all_cells();
    let run = verified(&stage.desk);
    dies_at(&stage, &["rollback", &run], "rollback.after_traces");

    once_free(&stage, &["rollback", &run]).done().mentions(&["every original is back"]);

    assert_eq!(stage.all_cells(), before);
    let actions = actions(&stage.desk);
    let told = |action: &str| actions.iter().filter(|told| *told == action).count();
    assert_eq!((told("rollback_swept"), told("rollback_anew")), (1, 0), "{actions:?}");
    stage.is_left_clean();
}

/// An application that has not met tokens writes a value that it has already, and finds no conflict. One
/// row of thousands cannot be put back then: it is named, and those before it are back.
fn a_row_that_cannot_be_put_back_is_named(mut stage: Stage) {
    many_notes(&mut stage);
    stage.exec("CREATE UNIQUE INDEX once ON notes (body) WHERE code BETWEEN 'M10001' AND 'M16000'");
    let before = stage.all_cells();
    let run = verified(&stage.desk);
    stage.exec("INSERT INTO notes VALUES ('M15999a', 'A note with the number 15000')");

    let answer = stage.desk.run(&["rollback", &run]);
    answer.fails(4, &["table `", "notes` cannot be rewritten", "row \"M15000\""]);

    let tokens = "SELECT CAST(count(*) AS text) FROM notes WHERE body LIKE 'slr%'";
    let left: u32 = stage.column(tokens)[0].parse().unwrap();
    assert!((1_000..1_100).contains(&left), "{left} rows keep their token");
    stage.exec("DELETE FROM notes WHERE code = 'M15999a'");
    stage.desk.run(&["rollback", &run]).done();
    assert!(stage.all_cells() == before);
    stage.exec("DROP INDEX once");
    stage.is_left_clean();
}

/// No shape tells the codes from their tokens, and the source has lost what said whether its window was
/// rewritten, or put back since.
fn cells_say_what_they_are_where_no_cursor_does(mut stage: Stage) {
    with_badges(&mut stage);
    let codes = "SELECT code FROM badges ORDER BY phone";
    let before = stage.column(codes);
    let run = verified(&stage.desk);
    stage.lose_tables();

    stage.desk.run(&["rollback", &run]).done();

    assert!(stage.column(codes) == before, "tokens are left");

    let run = verified(&stage.desk);
    dies_at(&stage, &["rollback", &run], "rollback.after_window_commit");
    stage.lose_tables();

    once_free(&stage, &["rollback", &run]).done();

    assert!(stage.column(codes) == before, "a number was taken for a token");
    stage.is_left_clean();
}

/// A table without a key, so that its rows cannot be compared with the backup afterwards. Its column is
/// the first of the policy, which `edit` has another word in.
fn with_calls(stage: &mut Stage, rule: &str, edit: (&str, &str)) {
    // Where the vault is in the database too, its schema has the name of the role and comes first.
    let calls = if matches!(stage.engine, Engine::Postgres(_)) { "public.calls" } else { "calls" };
    stage.exec(format!("CREATE TABLE {calls} (phone text, who text)"));
    stage.exec("INSERT INTO calls VALUES ('+49 30 1234', 'A'), ('+49 30 5678', 'B')");
    let policy = std::fs::read_to_string(stage.desk.path("shop.toml")).unwrap();
    assert!(policy.contains(edit.0));
    let first =
        format!("[[column]]\nname = \"calls.phone\"\nclass = \"contact\"\n{rule}\n\n[[column]]");
    let policy = policy.replacen(edit.0, edit.1, 1).replacen("[[column]]", &first, 1);
    stage.desk.write("shop.toml", &policy);
}

/// A cell whose entry is gone keeps its token: the rollback says where, and does not end.
fn a_token_that_the_vault_lost_is_named(mut stage: Stage) {
    with_calls(&mut stage, "domain = \"calls\"\ntoken = \"keyed\"", ("", ""));
    let run = verified(&stage.desk);
    Db::open(&stage.desk.vault()).exec(
        "DELETE FROM sealift_entry WHERE domain =
            (SELECT domain FROM sealift_domain WHERE name = 'calls')
            AND token = (SELECT max(token) FROM sealift_entry e WHERE e.domain = sealift_entry.domain)",
    );

    let answer = stage.desk.run(&["rollback", &run]);
    answer.fails(4, &["calls.phone", "the vault does not know", "Do not purge"]);

    let tokens = "SELECT CAST(count(*) AS text) FROM calls WHERE phone LIKE 'slk%'";
    assert_eq!(stage.column(tokens), ["2"], "its table is left as it was");
}

/// The application has given a row another key, so that the backup does not know it, and the entry of its
/// token is gone: what the run has written is known all the same. What somebody else wrote is not asked
/// for, however much it looks like a token.
fn a_lost_token_of_a_row_that_was_moved_is_named(mut stage: Stage) {
    let run = verified(&stage.desk);
    let body = stage.column("SELECT max(body) FROM notes WHERE body LIKE 'slr%'").remove(0);
    stage.exec(format!("UPDATE notes SET code = 'moved' WHERE body = '{body}'"));
    let mut vault = Db::open(&stage.desk.vault());
    let domain = "(SELECT domain FROM sealift_domain WHERE name LIKE '%.notes.body')";
    let number = vault.number(format!("SELECT {domain}"));
    let somebody_s = token_text('r', DomainId(u16::try_from(number).unwrap()), [7; 16]);
    stage.exec(format!("INSERT INTO notes VALUES ('other', '{somebody_s}')"));
    vault.exec(format!("DELETE FROM sealift_entry WHERE domain = {domain}"));

    let answer = stage.desk.run(&["rollback", &run]);
    let answer = answer.fails(4, &["`notes.body` of row \"moved\"", "the vault does not know"]);
    assert!(!answer.stderr.contains("row \"other\""), "{answer}");
}

#[test]
fn a_lost_token_of_a_row_that_was_moved_is_named_by_the_way_back() {
    a_lost_token_of_a_row_that_was_moved_is_named(Stage::sqlite());
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_lost_token_of_a_row_that_was_moved_is_named_by_the_way_back_on_postgres() {
    a_lost_token_of_a_row_that_was_moved_is_named(Stage::postgres());
}

#[test]
fn a_token_that_the_vault_lost_is_named_by_the_way_back() {
    a_token_that_the_vault_lost_is_named(Stage::sqlite());
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_token_that_the_vault_lost_is_named_by_the_way_back_on_postgres() {
    a_token_that_the_vault_lost_is_named(Stage::postgres());
}

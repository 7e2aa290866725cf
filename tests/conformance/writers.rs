//! Beside a busy application: nothing that it writes is lost.

use super::every_engine;
use super::stage::{Engine, PEOPLE, Stage};
use crate::support::{Db, tokens_open_to};

every_engine! {
    what_an_application_writes_between_and_during_the_passes_is_kept,
    what_comes_behind_a_window_becomes_tokens_and_what_goes_is_no_mismatch,
}

/// Writes come after each pass; each changes a value, changes it back, adds a row and takes one away.
fn what_an_application_writes_between_and_during_the_passes_is_kept(mut stage: Stage) {
    let run = crate::support::plan_and_approve(&stage.desk);
    let mut expected = Vec::new();
    for (round, phase) in (1_u32..).zip(["backed_up", "sealed", "rewritten"]) {
        stage.desk.run(&["run", &run, "--until", phase]).done();
        let codes = stage.column("SELECT code FROM notes WHERE body IS NOT NULL ORDER BY code");
        let (changed, gone) = (&codes[0], &codes[10]);
        let body = format!("Written after {phase}");
        stage.exec(format!("UPDATE notes SET body = 'meanwhile' WHERE code = '{changed}'"));
        stage.exec(format!("UPDATE notes SET body = '{body}' WHERE code = '{changed}'"));
        stage.exec(format!("DELETE FROM notes WHERE code = '{gone}'"));
        stage.exec(format!("INSERT INTO notes VALUES ('{round}', 'Arrived after {phase}')"));
        expected.retain(|(code, _)| code != changed && code != gone);
        expected.push((changed.clone(), body));
        expected.push((round.to_string(), format!("Arrived after {phase}")));
        // This table goes through a window.
        let id = i64::from(round * round) * 1_000_003;
        stage.exec(format!("UPDATE people SET name = '{phase}' WHERE id = {id}"));
    }
    assert_eq!(stage.desk.json(&["run", &run]).done().text("phase"), "verified");

    let left = stage.column("SELECT CAST(count(*) AS text) FROM notes");
    assert_eq!(left, [PEOPLE.to_string()], "three came, three went");
    for (code, body) in &expected {
        let query = format!("SELECT body FROM notes WHERE code = '{code}'");
        let token = stage.column(&query).remove(0);
        tokens_open_to(&stage.desk, None, &[(token, body.clone())]);
    }

    stage.desk.run(&["rollback", &run]).done();
    for (code, body) in expected {
        let back = stage.column(&format!("SELECT body FROM notes WHERE code = '{code}'")).remove(0);
        assert_eq!(back, body, "the newest value comes back, not the one of the backup");
    }
    let names = "SELECT name FROM people WHERE name IN ('backed_up', 'sealed', 'rewritten')";
    assert_eq!(stage.column(names).len(), 3);
    stage.is_left_clean();
}

/// A table without a key, and tables that a foreign key joins, are rewritten in one transaction. What
/// comes behind it is rewritten in another.
fn what_comes_behind_a_window_becomes_tokens_and_what_goes_is_no_mismatch(mut stage: Stage) {
    let policy = std::fs::read_to_string(stage.desk.path("shop.toml")).unwrap();
    let column = "\n[[column]]\nname = \"visits.who\"\nclass = \"contact\"\n";
    stage.desk.write("shop.toml", &format!("{policy}{column}"));
    // A role that is called as our schema makes its tables there.
    let place = if matches!(stage.engine, Engine::Sqlite(_)) { "main" } else { "public" };
    stage.exec(format!("CREATE TABLE {place}.visits (who text, at integer)"));
    for at in 1..=12 {
        stage.exec(format!("INSERT INTO visits VALUES ('Visitor {at}', {at})"));
    }
    let run = crate::support::to_phase(&stage.desk, "rewritten");
    stage.exec("UPDATE visits SET who = 'Written over' WHERE at = 1");
    stage.exec("DELETE FROM visits WHERE at = 2");
    stage.exec("INSERT INTO visits VALUES ('Late', 13), ('Late', 14), (NULL, 15)");
    stage.exec("UPDATE people SET name = 'Renamed', phone = '+44 7700 900999' WHERE id = 1000003");
    stage.exec("INSERT INTO people VALUES (9, 'Late Person', 'late@example.com', NULL, 'Here')");
    stage.exec("INSERT INTO orders VALUES ('late', 1, 'late@example.com', 5)");
    assert_eq!(stage.desk.json(&["run", &run]).done().text("phase"), "verified");

    let visits = stage.column("SELECT coalesce(who, '∅') FROM visits ORDER BY at");
    let person = "FROM people WHERE id IN (9, 1000003) ORDER BY id";
    let names = stage.column(&format!("SELECT name {person}"));
    let phone = stage.column("SELECT phone FROM people WHERE id = 1000003");
    let joined = stage
        .column("SELECT p.email FROM people p JOIN orders o ON o.email = p.email WHERE p.id = 9");
    let values = [
        (&visits[0], "Written over"),
        (&visits[1], "Visitor 3"),
        (&visits[11], "Late"),
        (&visits[12], "Late"),
        (&names[0], "Late Person"),
        (&names[1], "Renamed"),
        (&phone[0], "+44 7700 900999"),
        (&joined[0], "late@example.com"),
    ];
    let pairs: Vec<(String, String)> =
        values.map(|(token, value)| (token.clone(), value.to_owned())).into();
    tokens_open_to(&stage.desk, None, &pairs);

    // The backup knows what came late, too.
    stage.desk.run(&["backup", "verify", &run]).done();
    stage.desk.run(&["backup", "restore", &run, "--into", "sqlite:look.db"]).done();
    let mut look = Db::reading(&stage.desk.path("look.db"));
    let late = "SELECT (SELECT count(*) FROM visits WHERE who IN ('Late', 'Written over'))
        || ' ' || (SELECT count(*) FROM people WHERE name IN ('Late Person', 'Renamed'))";
    assert_eq!(look.value(late), "3 2");

    stage.desk.run(&["rollback", &run]).done();
    let visits = stage.column("SELECT coalesce(who, '∅') FROM visits ORDER BY at");
    assert_eq!(visits[..2], ["Written over", "Visitor 3"]);
    assert_eq!(visits[11..], ["Late", "Late", "∅"]);
    assert_eq!(stage.column(&format!("SELECT name {person}")), ["Late Person", "Renamed"]);
    stage.is_left_clean();
}

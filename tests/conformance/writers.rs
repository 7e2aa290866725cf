//! Beside a busy application: nothing that it writes is lost.

use super::every_engine;
use super::stage::{PEOPLE, Stage};
use crate::support::tokens_open_to;

every_engine! {
    what_an_application_writes_between_and_during_the_passes_is_kept,
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
        if phase != "rewritten" {
            // This table goes through a window, which has no sweep behind it.
            let id = i64::from(round * round) * 1_000_003;
            stage.exec(format!("UPDATE people SET name = '{phase}' WHERE id = {id}"));
        }
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
    let names = stage.column("SELECT name FROM people WHERE name IN ('backed_up', 'sealed')");
    assert_eq!(names.len(), 2);
    stage.is_left_clean();
}

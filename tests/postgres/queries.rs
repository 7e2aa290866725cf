//! What a server knows of an application's queries: the plan says which will not work as before.

use serde_json::Value;

use crate::support::{Cluster, Desk, Postgres, plan_and_approve};

const POLICY: &str = "[source]\nname = \"crm\"\n
[[column]]\nname = \"people.email\"\nclass = \"contact\"\ntoken = \"keyed\"\n";

const SCHEMA: &str = "
    CREATE TABLE people (id integer PRIMARY KEY, email text, city text);
    CREATE TABLE log (id integer, what text);
    CREATE VIEW sorted AS SELECT id FROM people ORDER BY email;
    CREATE VIEW plain AS SELECT id, email FROM people;
    CREATE VIEW above AS SELECT id FROM plain WHERE email LIKE '%@example.com';
    CREATE MATERIALIZED VIEW hosts AS SELECT split_part(email, '@', 2) AS host FROM people;
    CREATE FUNCTION by_address(wanted text) RETURNS SETOF integer LANGUAGE sql AS
        'SELECT id FROM people WHERE email = wanted';
    CREATE FUNCTION by_city(wanted text) RETURNS SETOF integer LANGUAGE sql AS
        'SELECT id FROM people WHERE city = wanted';
    CREATE FUNCTION greet(whom integer) RETURNS text LANGUAGE plpgsql AS $$
        DECLARE found text;
        BEGIN
            SELECT upper(email) INTO STRICT found FROM people WHERE id = whom;
            RETURN found;
        END $$;
    CREATE FUNCTION search(part text) RETURNS SETOF integer LANGUAGE plpgsql AS $$
        BEGIN
            RETURN QUERY EXECUTE 'SELECT id FROM people WHERE email ILIKE $1' USING part;
        END $$;
    CREATE FUNCTION count_all() RETURNS bigint LANGUAGE plpgsql AS
        $$ BEGIN RETURN (SELECT count(*) FROM people); END $$;
    CREATE PROCEDURE tidy() LANGUAGE plpgsql AS $$
        BEGIN DELETE FROM people WHERE email NOT LIKE '%@%'; END $$;
    CREATE FUNCTION notes_insert() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.email LIKE '%@example.com' THEN INSERT INTO log VALUES (NEW.id, 'ours'); END IF;
            RETURN NEW;
        END $$;
    CREATE TRIGGER notes_insert AFTER INSERT ON people FOR EACH ROW EXECUTE FUNCTION notes_insert();
    CREATE RULE kept AS ON DELETE TO people DO ALSO INSERT INTO log VALUES (OLD.id, lower(OLD.email));";

/// The objects that queries of the plan are about, with the fact.
fn broken(desk: &Desk) -> Vec<(String, String)> {
    let answer = desk.json(&["plan", "--policy", "shop.toml", "--dry-run"]);
    let last = answer.last();
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    let findings = last["findings"].as_array().unwrap().iter();
    let findings = findings.filter(|finding| finding["pitfall"] == "queries");
    findings.map(|finding| (text(finding, "object"), text(finding, "fact"))).collect()
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn functions_procedures_triggers_rules_and_views_that_break_are_named() {
    let db = Postgres::with(SCHEMA);
    let desk = Desk::over(&db.url());
    desk.write("shop.toml", POLICY);
    let found = broken(&desk);
    for (object, fact) in [
        ("view sorted", "sorts by `people.email`"),
        ("view above", "searches `people.email` with LIKE"),
        ("view hosts", "gives `people.email` to split_part()"),
        ("function by_address", "compares `people.email` with a parameter"),
        ("function greet", "gives `people.email` to upper()"),
        ("function search", "searches `people.email` with ILIKE"),
        ("procedure tidy", "searches `people.email` with LIKE"),
        ("function notes_insert, trigger of people", "searches `people.email` with LIKE"),
        ("rule kept of people", "gives `people.email` to lower()"),
    ] {
        let is_said = found.iter().any(|(name, said)| name == object && said.contains(fact));
        assert!(is_said, "{object}: {fact}\n{found:#?}");
    }
    for whole in ["view plain", "function by_city", "function count_all"] {
        assert!(found.iter().all(|(name, _)| name != whole), "{whole} works: {found:#?}");
    }
    assert!(!format!("{found:?}").contains("example.com"), "no literal is repeated");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_body_in_the_form_of_the_standard_is_read_too() {
    let mut db =
        Postgres::with("CREATE TABLE people (id integer PRIMARY KEY, email text, city text);");
    let version: u32 = db.value("SELECT current_setting('server_version_num')").parse().unwrap();
    if version < 140_000 {
        // Servers before 14 have no such bodies.
        return;
    }
    db.exec(
        "CREATE FUNCTION first_of() RETURNS text RETURN (SELECT min(email) FROM people);
         CREATE PROCEDURE tidy() BEGIN ATOMIC
             DELETE FROM people WHERE city = 'X';
             UPDATE people SET city = lower(email);
         END;",
    );
    let desk = Desk::over(&db.url());
    desk.write("shop.toml", POLICY);
    let found = broken(&desk);
    for (object, fact) in
        [("function first_of", "min of `people.email`"), ("procedure tidy", "lower()")]
    {
        let is_said = found.iter().any(|(name, said)| name == object && said.contains(fact));
        assert!(is_said, "{object}: {fact}\n{found:#?}");
    }
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn statements_that_the_server_has_counted_are_named_with_their_calls() {
    let server = Cluster::with(&[("shared_preload_libraries", "pg_stat_statements")]);
    let mut db = Postgres::on(
        &server.url(),
        "CREATE TABLE people (id integer PRIMARY KEY, email text, city text);
         CREATE EXTENSION pg_stat_statements;",
    );
    for _ in 0..3 {
        db.column("SELECT city FROM people WHERE email LIKE 'a%'");
        db.column("SELECT email FROM people WHERE id = 5");
    }
    let desk = Desk::over(&db.url());
    desk.write("shop.toml", POLICY);
    // Twice: what the first plan asked is not taken for the application's.
    broken(&desk);
    let found = broken(&desk);
    // Nor what a run asks and writes.
    let run = plan_and_approve(&desk);
    desk.run(&["run", &run]).done();
    desk.run(&["rollback", &run]).done();
    assert_eq!(broken(&desk), found);
    assert_eq!(found.len(), 1, "{found:#?}");
    let (object, fact) = &found[0];
    assert!(object.starts_with("pg_stat_statements "), "{object}");
    assert!(fact.contains("searches `people.email` with LIKE"), "{fact}");
    assert!(fact.contains("3 calls"), "{fact}");
    let id = object.trim_start_matches("pg_stat_statements ");
    let text = db.value(format!("SELECT query FROM pg_stat_statements WHERE queryid = {id}"));
    assert!(text.contains("LIKE"), "the id leads to the statement: {text}");
}

//! `rebuild`: a table is filled anew with tokens, and everything that hangs on it is as it was; or it
//! is refused, and nothing has happened.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Answer, Desk, Postgres, assert_same};

const FIXTURE: &str = include_str!("fixtures/rebuild.sql");

const POLICY: &str = r#"
[source]
name = "crm"

[[column]]
name  = "Sales dept.person.email"
class = "contact"
token = "keyed"

[[column]]
name  = "Sales dept.person.phone"
class = "contact"
token = "random"

[[column]]
name  = "Sales dept.person.code"
class = "identity"
token = "keyed"

[[column]]
name  = "Sales dept.person.tag"
class = "identity"
token = "keyed"

[[table]]
name = "Sales dept.person"
suppress_triggers = ["on_update"]
"#;

/// A small table, for what is not about what hangs on it.
const SMALL: &str = "
    CREATE TABLE people (id int PRIMARY KEY, email text NOT NULL UNIQUE);
    INSERT INTO people SELECT i, 'person' || i || '@example.com' FROM generate_series(1, 60) AS i;";

const SMALL_POLICY: &str = "[source]\nname = \"crm\"\n
    [[column]]\nname = \"people.email\"\nclass = \"contact\"\ntoken = \"keyed\"\n";

const PLAN: [&str; 5] = ["plan", "--policy", "shop.toml", "--strategy", "rebuild"];

fn stage(fixture: &str, policy: &str) -> (Postgres, Desk) {
    let db = Postgres::with(fixture);
    let desk = Desk::over(&db.url());
    desk.write("shop.toml", policy);
    (db, desk)
}

fn approved(desk: &Desk) -> String {
    let run = desk.json(&PLAN).done().text("run");
    desk.run_as("bob", &["approve", &run]).done();
    run
}

fn dry_run(desk: &Desk) -> Answer {
    desk.run(&[&PLAN[..], &["--dry-run"]].concat())
}

/// The schema as `pg_dump` writes it, without our own.
fn schema(db: &mut Postgres) -> String {
    // The packages of `tests/matrix.sh` hold the server alone: what it says itself, then.
    let Some(program) = db.pg_dump_program() else { return db.objects().join("\n") };
    let output = Command::new(program)
        .args(["--schema-only", "--exclude-schema", "sealift", &db.url()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter(|line| !line.contains("restrict")).collect::<Vec<_>>().join("\n")
}

/// Which object a table is, and in which file its rows lie.
fn place(db: &mut Postgres, table: &str) -> (String, String) {
    let sql =
        |what: &str| format!("SELECT {what}::text FROM pg_class WHERE oid = '{table}'::regclass");
    (db.value(sql("oid")), db.value(sql("relfilenode")))
}

/// Everything of the rows that is not in scope, and in which order they lie.
const REST: &str = "SELECT concat_ws('|', id, town, stay, size, md5(note), weight, boss)
    FROM \"Sales dept\".person ORDER BY ctid";

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_rebuilt_table_is_what_it_was_but_for_its_tokens() {
    let (mut db, desk) = stage(FIXTURE, POLICY);
    let (before, objects, all) = (schema(&mut db), db.objects().join("\n"), db.pg_dump());
    let (rest, there) = (db.column(REST), place(&mut db, "\"Sales dept\".person"));

    let run = approved(&desk);
    desk.run(&["run", &run]).done();

    assert_same(&before, &schema(&mut db));
    assert_same(&objects, &db.objects().join("\n"));
    assert_same(&rest.join("\n"), &db.column(REST).join("\n"));
    let now = place(&mut db, "\"Sales dept\".person");
    assert_eq!(there.0, now.0, "the same table");
    assert_ne!(there.1, now.1, "filled anew");
    let tokens = "SELECT count(*)::text FROM \"Sales dept\".person WHERE email LIKE 'slk%'
        AND (phone LIKE 'slr%' OR phone IS NULL) AND code LIKE 'slk%'
        AND convert_from(tag, 'UTF8') LIKE 'slk%'";
    assert_eq!(db.value(tokens), "60");
    assert_eq!(db.value("SELECT count(*)::text FROM seen"), "0", "no trigger fired");
    let second = "INSERT INTO letter VALUES (99, 7)";
    assert!(db.try_exec(second).is_err(), "foreign keys hold");

    desk.run(&["rollback", &run]).done();
    assert_same(&all.join("\n"), &db.pg_dump().join("\n"));
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn the_plan_says_what_each_strategy_would_cost_and_why_one_is_not_possible() {
    let (mut db, desk) = stage(SMALL, SMALL_POLICY);
    let said = dry_run(&desk).done();
    for words in ["`in-place`: the rewrite takes", "`rebuild`, as planned: the rewrite takes"] {
        assert!(said.stdout.contains(words), "{said}");
    }

    db.exec("CREATE VIEW by_key AS SELECT id, email FROM people GROUP BY id");
    let said = dry_run(&desk);
    assert_eq!(said.code, 3, "{said}");
    assert!(said.stdout.contains("by_key"), "{said}");
    let in_place = desk.run(&["plan", "--policy", "shop.toml", "--dry-run"]).done();
    assert!(in_place.stdout.contains("`rebuild` is not possible"), "{in_place}");
}

/// What is done to the small table, and what the refusal says of it.
const REFUSED: [(&str, &str); 14] = [
    ("CREATE TABLE more () INHERITS (people)", "inherits"),
    ("ALTER TABLE people ADD CONSTRAINT late CHECK (id > 0) NOT VALID", "NOT VALID"),
    (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
      CREATE TRIGGER sees BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION f()",
        "trigger `sees`",
    ),
    (
        "CREATE PUBLICATION half FOR TABLE people WITH (publish = 'insert, update')",
        "publication `half`",
    ),
    (
        "CREATE TABLE child (id int REFERENCES people); ALTER TABLE child DISABLE TRIGGER ALL",
        "switched off",
    ),
    ("CREATE VIEW by_key AS SELECT id, email FROM people GROUP BY id", "depends on"),
    ("ALTER TABLE people ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY", "row security"),
    (
        "CREATE FUNCTION e() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
      CREATE EVENT TRIGGER sees_all ON ddl_command_end EXECUTE FUNCTION e()",
        "event trigger",
    ),
    ("ALTER TABLE people ADD COLUMN page xml", "column `page` holds `xml`"),
    (
        "CREATE DOMAIN page AS xml; CREATE TYPE book AS (id int, pages page[]);
      ALTER TABLE people ADD COLUMN books book[]",
        "column `books` holds `xml`",
    ),
    ("ALTER TABLE people ADD COLUMN of regclass", "column `of` holds `regclass`"),
    (
        "CREATE TABLE paid (id int, person int CONSTRAINT paid_person REFERENCES people)
          PARTITION BY RANGE (id);
      CREATE TABLE paid_1 (id int, person int CONSTRAINT mine REFERENCES people);
      ALTER TABLE paid ATTACH PARTITION paid_1 FOR VALUES FROM (0) TO (9)",
        "foreign key `mine` of `paid_1`",
    ),
    (
        "CREATE TABLE paid (id int, person int CONSTRAINT paid_person REFERENCES people)
          PARTITION BY RANGE (id);
      CREATE TABLE paid_1 PARTITION OF paid FOR VALUES FROM (0) TO (9);
      COMMENT ON CONSTRAINT paid_person ON paid_1 IS 'who'",
        "foreign key `paid_person` of `paid_1`",
    ),
    (
        "CREATE FUNCTION same(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1';
      ALTER TABLE people ADD COLUMN again int GENERATED ALWAYS AS (same(id)) STORED",
        "generated column `again` calls function",
    ),
];

/// The same, for what servers know from PostgreSQL 18 on: a key that does not rest on a btree.
const REFUSED_FROM_18: (&str, &str) = (
    "ALTER TABLE people ADD COLUMN room int4range, ADD COLUMN stay daterange,
      ADD CONSTRAINT one_guest UNIQUE (room, stay WITHOUT OVERLAPS) WITH (fillfactor = 70)",
    "the definition of `one_guest`",
);

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_table_that_could_not_be_put_back_exactly_is_refused_with_the_reason() {
    let newer = (Postgres::with("").version() >= 18).then_some(REFUSED_FROM_18);
    for (change, expected) in REFUSED.into_iter().chain(newer) {
        let (mut db, desk) = stage(SMALL, SMALL_POLICY);
        db.exec(change);
        let said = dry_run(&desk);
        assert_eq!(said.code, 3, "{change}: {said}");
        let words = said.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            words.contains("cannot be rebuilt") && words.contains(expected),
            "{change}: {said}"
        );
    }
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn what_changed_since_the_backup_is_sealed_before_the_table_is_rebuilt() {
    let (mut db, desk) = stage(SMALL, SMALL_POLICY);
    let run = approved(&desk);
    desk.run(&["run", &run, "--until", "sealed"]).done();
    db.exec(
        "UPDATE people SET email = 'late@example.com' WHERE id = 7;
             INSERT INTO people VALUES (99, 'new@example.com'); DELETE FROM people WHERE id = 8",
    );
    let now = db.pg_dump();

    desk.run(&["run", &run]).done();
    assert_eq!(db.value("SELECT count(*)::text FROM people WHERE email LIKE 'slk%'"), "60");

    desk.run(&["rollback", &run]).done();
    assert_same(&now.join("\n"), &db.pg_dump().join("\n"));
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_transaction_that_began_before_finds_the_rows_afterwards() {
    let (mut db, desk) = stage(SMALL, SMALL_POLICY);
    let run = approved(&desk);
    desk.run(&["run", &run, "--until", "sealed"]).done();
    db.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class");

    desk.run(&["run", &run]).done();

    assert_eq!(db.value("SELECT count(*)::text FROM people"), "60", "its snapshot is older");
    db.exec("COMMIT");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_process_that_is_killed_while_indexes_are_made_leaves_the_table_as_it_was() {
    let (mut db, desk) = stage(SMALL, SMALL_POLICY);
    db.exec(
        "CREATE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
                 'BEGIN PERFORM pg_sleep(0.05); RETURN $1; END';
             CREATE INDEX people_slow ON people (slow(id))",
    );
    let (before, there) = (schema(&mut db), place(&mut db, "people"));
    let run = approved(&desk);
    desk.run(&["run", &run, "--until", "sealed"]).done();
    let sql = "SELECT string_agg(email, ',' ORDER BY id) FROM people";
    let rows = db.value(sql);

    let mut child = desk.command(&["run", &run]);
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let building = "SELECT count(*)::text FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE 'CREATE INDEX people_slow%'";
    let begun = Instant::now();
    while db.value(building) == "0" {
        assert!(begun.elapsed() < Duration::from_mins(1), "it never came to the index");
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();

    assert_eq!(db.value(sql), rows, "readers wait until the server has given it up");
    assert_same(&before, &schema(&mut db));
    assert_eq!(place(&mut db, "people"), there);

    desk.run(&["run", &run]).done();
    assert_same(&before, &schema(&mut db));
    assert_eq!(db.value("SELECT count(*)::text FROM people WHERE email LIKE 'slk%'"), "60");
}

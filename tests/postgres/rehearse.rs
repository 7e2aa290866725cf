//! Rehearsals on PostgreSQL: the schema is copied by the server's own words, whatever is in it.

use std::time::{Duration, Instant};

use crate::support::{Desk, Postgres, plan_and_approve};

/// Of nearly everything one: what depends on what is for the copy to find out.
const GROWN: &str = r#"
    SET check_function_bodies = off;
    CREATE SCHEMA app;
    CREATE TYPE app.mood AS ENUM ('sad', 'it''s ok');
    CREATE TYPE app.place AS (street text, number int);
    CREATE DOMAIN app.mail AS text CONSTRAINT not_blank CHECK (VALUE <> '');
    CREATE TYPE app.span AS RANGE (subtype = float8, subtype_diff = float8mi);
    CREATE COLLATION app.folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    CREATE SEQUENCE app.tickets AS integer START 40 INCREMENT 2 MAXVALUE 999999 CACHE 1 CYCLE;
    CREATE FUNCTION app.later() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM app.people';
    CREATE FUNCTION app.is_fine(email text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
        $$ BEGIN RETURN length(email) < 4000; END $$;
    CREATE TABLE app.people (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        gone int, "E mail" app.mail NOT NULL, name text COLLATE app.folded DEFAULT 'nobody',
        mood app.mood, home app.place, born date, twice bigint GENERATED ALWAYS AS (born - DATE '1900-01-01') STORED,
        ticket int DEFAULT nextval('app.tickets'), CONSTRAINT fine CHECK (app.is_fine("E mail")),
        CONSTRAINT one_each UNIQUE ("E mail") DEFERRABLE INITIALLY DEFERRED) WITH (fillfactor = 70);
    ALTER TABLE app.people DROP COLUMN gone;
    ALTER SEQUENCE app.tickets OWNED BY app.people.ticket;
    CREATE INDEX lower_name ON app.people (lower(name)) WHERE name IS NOT NULL;
    CREATE STATISTICS app.both ON born, mood FROM app.people;
    CREATE TABLE app.orders (id int, person bigint REFERENCES app.people ON DELETE CASCADE, region text NOT NULL,
        note text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
    CREATE TABLE app.orders_eu PARTITION OF app.orders FOR VALUES IN ('eu', 'it''s') PARTITION BY RANGE (id);
    CREATE TABLE app.orders_eu_low PARTITION OF app.orders_eu FOR VALUES FROM (MINVALUE) TO (50);
    CREATE TABLE app.orders_eu_high PARTITION OF app.orders_eu FOR VALUES FROM (50) TO (MAXVALUE);
    CREATE TABLE app.orders_rest PARTITION OF app.orders DEFAULT;
    CREATE INDEX of_person ON app.orders (person);
    CREATE TABLE app.base (id int PRIMARY KEY, said text);
    CREATE TABLE app.child (more text) INHERITS (app.base);
    CREATE UNLOGGED TABLE app.cache (k text PRIMARY KEY, v jsonb);
    CREATE TABLE app.boss (id int PRIMARY KEY, above int REFERENCES app.boss, during app.span, EXCLUDE USING gist (during WITH &&));
    CREATE VIEW app.named WITH (security_barrier = true) AS SELECT id, "E mail" AS mail FROM app.people;
    CREATE VIEW app.again AS SELECT mail FROM app.named;
    CREATE MATERIALIZED VIEW app.counted AS SELECT mood, count(*) AS many FROM app.people GROUP BY mood;
    CREATE UNIQUE INDEX on_counted ON app.counted (mood);
    CREATE TABLE app.audit (at serial PRIMARY KEY, what text);
    CREATE FUNCTION app.noted() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO app.audit (what) VALUES (TG_OP); RETURN NEW; END $$;
    CREATE TRIGGER noted AFTER UPDATE ON app.orders_rest FOR EACH ROW EXECUTE FUNCTION app.noted();
    CREATE TRIGGER asleep BEFORE DELETE ON app.people FOR EACH ROW EXECUTE FUNCTION app.noted();
    ALTER TABLE app.people DISABLE TRIGGER asleep;
    CREATE RULE kept AS ON DELETE TO app.cache DO INSTEAD NOTHING;
    ALTER TABLE app.cache ENABLE ROW LEVEL SECURITY;
    CREATE POLICY mine ON app.cache FOR SELECT TO public USING (k <> 'secret');
    INSERT INTO app.people ("E mail", name, mood, home, born)
        SELECT 'person' || n || '@example.com', 'Person ' || n, 'sad', ROW('A "street"', n)::app.place, DATE '1970-01-01' + n::int
        FROM generate_series(1, 120) AS n;
    INSERT INTO app.orders SELECT n, n, CASE n % 3 WHEN 0 THEN 'eu' WHEN 1 THEN 'it''s' ELSE 'asia' END, E'tab\there\\' || n
        FROM generate_series(1, 120) AS n;
    INSERT INTO app.child VALUES (1, 'said', 'more');
    INSERT INTO app.boss VALUES (1, NULL, '[1,2)'), (2, 1, '[3,4)'), (3, 2, '[5,6)');
    REFRESH MATERIALIZED VIEW app.counted;
    SELECT setval('app.audit_at_seq', 77);
"#;

const POLICY: &str = "[source]\nname = \"grown\"\n
    [[column]]\nname = \"app.people.\\\"E mail\\\"\"\nclass = \"contact\"\ntoken = \"keyed\"\nwaive = [\"low_entropy\"]\n
    [[column]]\nname = \"app.orders.note\"\nclass = \"contact\"\ntoken = \"random\"\n
    [[check]]\nname = \"orders have people\"
    sql = \"select count(*) from app.orders o join app.people p on p.id = o.person\"\nexpect = \"unchanged\"\n";

/// What stands beside tables, and what a copy cannot have.
const BESIDE: &str = "
    CREATE AGGREGATE app.total (bigint) (SFUNC = int8pl, STYPE = bigint, INITCOND = '0');
    CREATE AGGREGATE app.greatest_of (text) (SFUNC = text_larger, STYPE = text, SORTOP = >);
    CREATE VIEW app.totals AS SELECT app.total(id) AS ids, app.greatest_of(said) AS said FROM app.base;
    CREATE TEXT SEARCH DICTIONARY app.stem (TEMPLATE = snowball, language = 'english');
    CREATE TEXT SEARCH CONFIGURATION app.words (COPY = pg_catalog.english);
    ALTER TEXT SEARCH CONFIGURATION app.words ALTER MAPPING FOR asciiword, word WITH app.stem, simple;
    CREATE INDEX found ON app.base USING gin (to_tsvector('app.words', said));
    ALTER TABLE app.base REPLICA IDENTITY FULL;
    CREATE UNIQUE INDEX by_what ON app.audit (at);
    ALTER TABLE app.audit REPLICA IDENTITY USING INDEX by_what;
    CREATE PUBLICATION parts FOR TABLE app.base, app.audit;
    CREATE PUBLICATION whole FOR ALL TABLES WITH (publish = 'insert, delete');
    CREATE TABLE app.ddl (tag text);
    CREATE FUNCTION app.watch() RETURNS event_trigger LANGUAGE plpgsql AS
        'BEGIN INSERT INTO app.ddl VALUES (tg_tag); END';
    CREATE EVENT TRIGGER watched ON ddl_command_end WHEN TAG IN ('CREATE SCHEMA') EXECUTE FUNCTION app.watch();
    CREATE FOREIGN DATA WRAPPER elsewhere;
    CREATE SERVER far FOREIGN DATA WRAPPER elsewhere;
    CREATE FOREIGN TABLE app.remote (id int) SERVER far;
    CREATE VIEW app.of_remote AS SELECT id FROM app.remote;
    CREATE OPERATOR app.=== (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq);
    CREATE CAST (app.mood AS integer) WITH INOUT;
    ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO pg_monitor;
    GRANT SELECT ON app.base TO pg_read_all_stats;";

fn grown() -> (Postgres, Desk, String) {
    grown_with("")
}

fn grown_with(more: &str) -> (Postgres, Desk, String) {
    let db = Postgres::with(&format!("{GROWN}{more}"));
    let desk = Desk::over(&db.url());
    desk.write("shop.toml", POLICY);
    let run = plan_and_approve(&desk);
    (db, desk, run)
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_grown_schema_is_copied_as_it_is() {
    let (mut db, desk, run) = grown();
    let before = db.dump();
    let rehearsed = desk.json(&["rehearse", &run]).done();
    assert_eq!(rehearsed.last()["left_out"], serde_json::json!([]), "{rehearsed}");
    // Two orders of three lie where a trigger notes each update.
    let beside = &rehearsed.last()["beside"];
    assert_eq!(beside[0], "app.audit has 80 rows, and had 0", "{rehearsed}");
    assert!(db.dump() == before, "the source was touched");

    let sampled = desk.json(&["rehearse", &run, "--rows", "30"]).done();
    assert_eq!(sampled.text("result"), "held", "{sampled}");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn what_a_copy_has_not_is_named_whatever_its_kind() {
    let (mut db, desk, run) = grown_with(BESIDE);
    let before = db.dump();
    let rehearsed = desk.json(&["rehearse", &run]).done();
    let last = rehearsed.last();
    let left_out: Vec<&str> =
        last["left_out"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let wanted = [
        "view app.of_remote: ",
        "cast ",
        "default acl for role",
        "foreign table app.remote: it leads to what lies elsewhere",
        "foreign-data wrapper elsewhere: it leads to what lies elsewhere",
        "operator app.===",
        "server far: it leads to what lies elsewhere",
        "what others own or may do (pg_read_all_stats): ",
    ];
    for name in wanted {
        let found = left_out.iter().filter(|told| told.starts_with(name)).count();
        assert_eq!(found, 1, "{name} of {left_out:#?}");
    }
    assert_eq!(left_out.len(), wanted.len(), "{left_out:#?}");
    // The event trigger saw the copy's own schema being made, so it was there.
    let beside: Vec<&str> =
        last["beside"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(beside.iter().any(|name| name.starts_with("app.ddl has ")), "{beside:?}");
    assert!(db.dump() == before, "the source was touched");

    let mut scratch = Postgres::with("");
    desk.run(&["rehearse", &run, "--into", &scratch.url()]).done();
    let left = "(SELECT count(*) FROM pg_event_trigger) + (SELECT count(*) FROM pg_publication)
        + (SELECT count(*) FROM pg_namespace WHERE nspname = 'app')";
    assert_eq!(scratch.value(format!("SELECT ({left})::text")), "0");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn an_update_that_a_publication_would_refuse_is_none_to_rehearse_but_to_plan_for() {
    let (mut db, desk, run) = grown();
    // The plan knew nothing of it.
    db.exec(
        "ALTER TABLE app.orders_rest REPLICA IDENTITY NOTHING;
         CREATE PUBLICATION parts FOR TABLE app.orders_rest",
    );
    let before = db.dump();
    desk.run(&["rehearse", &run]).fails(3, &["is not the one that was planned for", "plan again"]);
    let plan = desk.json(&["plan", "--policy", "shop.toml"]).ends(3);
    plan.mentions(&["app.orders_rest", "it is published by"]);
    assert_eq!(desk.json(&["status", &run]).done().text("phase"), "approved");
    assert_eq!(db.dump(), before, "the source is as it was");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn nobody_else_is_let_into_the_copy() {
    let (mut db, desk, run) = grown();
    desk.run(&["rehearse", &run, "--keep"]).done();
    let copy = format!("sealift_rehearsal_{run}");
    let may =
        db.value(format!("SELECT has_database_privilege('pg_monitor', '{copy}', 'CONNECT')::text"));
    // Whoever is in it is told to go, and waited for by the server for five seconds only.
    let begun = Instant::now();
    while let Err(error) = db.try_exec(format!("DROP DATABASE {copy} WITH (FORCE)")) {
        assert!(begun.elapsed() < Duration::from_mins(1), "the copy stays: {error}");
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(may, "false");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn an_empty_database_of_somebody_s_takes_the_copy_and_is_empty_again() {
    let (_db, desk, run) = grown();
    let mut scratch = Postgres::with("");
    let typed = ["rehearse", &run, "--into", &scratch.url()];
    desk.run(&typed).done().mentions(&["the copy is destroyed"]);
    let objects =
        "SELECT count(*)::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";
    assert_eq!(scratch.value(objects), "0");
    let schemas = "SELECT string_agg(nspname, ' ') FROM pg_namespace WHERE nspname !~ '^pg_'";
    assert_eq!(scratch.value(schemas).split(' ').count(), 2, "{}", scratch.value(schemas));
    scratch.exec("CREATE TABLE theirs (id int)");
    desk.run(&typed).fails(3, &["is not empty"]);
    assert_eq!(scratch.value("SELECT count(*)::text FROM theirs"), "0");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn the_source_itself_is_no_place_for_its_copy() {
    let (db, desk, run) = grown();
    desk.run(&["rehearse", &run, "--into", &db.url()]).fails(3, &["is the source itself"]);
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_role_that_may_not_create_a_database_is_told_what_helps() {
    let (mut db, desk, run) = grown();
    let role = format!("sealift_rehearser_{}", std::process::id());
    db.exec(format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'invented'; GRANT USAGE ON SCHEMA app TO {role};
         GRANT SELECT ON ALL TABLES IN SCHEMA app TO {role}"
    ));
    let url = db.url();
    let (_, place) = url.split_once('@').unwrap();
    let theirs = format!("postgres://{role}:invented@{place}");
    let mut command = desk.command(&["rehearse", &run]);
    command.env("SEALIFT_SOURCE", &theirs);
    let answer = desk.finish(command, "");
    db.exec(format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    answer.fails(3, &["may not create a database", "--into"]);
}

#[cfg(feature = "failpoints")]
#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_database_of_a_rehearsal_that_died_is_cleared_away() {
    let (mut db, desk, run) = grown();
    let mut scratch = Postgres::with("");
    for into in [None, Some(scratch.url())] {
        let mut typed = vec!["rehearse", &run];
        if let Some(url) = &into {
            typed.extend(["--into", url]);
        }
        let mut command = desk.command(&typed);
        command.env("SEALIFT_DIE_AT", "rewrite.after_commit");
        assert_eq!(desk.finish(command, "").code, -1);
        desk.run(&typed).done();
    }
    let left =
        format!("SELECT count(*)::text FROM pg_database WHERE datname = 'sealift_rehearsal_{run}'");
    assert_eq!(db.value(left), "0");
    assert_eq!(scratch.value("SELECT count(*)::text FROM pg_tables WHERE schemaname = 'app'"), "0");
}

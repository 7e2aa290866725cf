//! What a run does with the policy's consent: named triggers stay silent, generated columns follow.

use crate::support::{Desk, Postgres, assert_same, plan_and_approve, to_phase};

const TABLE: &str = "
    CREATE TABLE t (id integer PRIMARY KEY, email text NOT NULL, shout text GENERATED ALWAYS AS
                        (upper(email)) STORED, words tsvector, touched integer DEFAULT 0);
    CREATE INDEX by_shout ON t (shout);
    CREATE INDEX by_word ON t USING gin (words);
    CREATE TABLE history (email text);
    CREATE FUNCTION remember() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO public.history VALUES (OLD.email); RETURN NULL; END $$;
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN NEW.touched := NEW.touched + 1; RETURN NEW; END $$;
    CREATE TRIGGER remembers AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION remember();
    CREATE TRIGGER touches BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch();
    ALTER TABLE t ENABLE ALWAYS TRIGGER touches;
    CREATE TRIGGER fill BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION
        tsvector_update_trigger('words', 'pg_catalog.simple', 'email');
    INSERT INTO t (id, email) SELECT i, 'alice' || i || '@example.com' FROM generate_series(1, 300) AS i;";

const POLICY: &str = "
[source]
name = \"crm\"

[[column]]
name  = \"t.email\"
class = \"contact\"
token = \"keyed\"

[[table]]
name              = \"t\"
suppress_triggers = [\"remembers\", \"touches\"]
generated_columns = \"recompute\"
";

const TRIGGERS: &str = "SELECT string_agg(tgname::text || ' ' || tgenabled::text, ', ' ORDER BY tgname) FROM pg_trigger WHERE NOT tgisinternal";

fn stage() -> (Postgres, Desk) {
    let db = Postgres::with(TABLE);
    let desk = Desk::over(&db.url());
    desk.write("shop.toml", POLICY);
    (db, desk)
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn suppressed_triggers_are_silent_and_generated_columns_follow() {
    let (mut db, desk) = stage();
    let before = db.dump();
    let run = to_phase(&desk, "verified");
    assert_eq!(db.value("SELECT count(*)::text FROM history"), "0", "nobody copied an original");
    assert_eq!(db.value("SELECT max(touched)::text FROM t"), "0");
    assert_eq!(db.value(TRIGGERS), "fill O, remembers O, touches A");
    assert_eq!(db.value("SELECT count(*)::text FROM t WHERE shout = upper(email)"), "300");
    let found =
        "SELECT count(*)::text FROM t WHERE words @@ to_tsquery('simple', 'alice7 & example')
                 OR words::text LIKE '%example%'";
    assert_eq!(db.value(found), "0", "no word of an original is found");
    db.exec("UPDATE t SET touched = touched WHERE id = 1");
    assert_eq!(db.value("SELECT count(*)::text FROM history"), "1", "others fire them as ever");
    db.exec(
        "DELETE FROM history; ALTER TABLE t DISABLE TRIGGER USER; UPDATE t SET touched = 0;
             ALTER TABLE t ENABLE TRIGGER USER; ALTER TABLE t ENABLE ALWAYS TRIGGER touches",
    );
    desk.run(&["rollback", &run]).done();
    assert_same(&before.join("\n"), &db.dump().join("\n"));
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_run_killed_at_any_moment_leaves_no_trigger_off() {
    let (mut db, desk) = stage();
    let run = plan_and_approve(&desk);
    desk.run(&["run", &run, "--until", "sealed"]).done();
    for moment in [80, 140, 200, 260, 320] {
        let mut command = desk.command(&["run", &run]);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let mut child = command.spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(moment));
        // It may have ended already.
        let _ = child.kill();
        child.wait().unwrap();
        assert_eq!(db.value(TRIGGERS), "fill O, remembers O, touches A", "after {moment} ms");
        assert_eq!(db.value("SELECT count(*)::text FROM history"), "0");
    }
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_trigger_finds_the_tables_that_it_names_without_a_schema() {
    let mut db = Postgres::with(
        "CREATE SCHEMA shop; CREATE TABLE shop.t (id integer PRIMARY KEY, email text);
         CREATE TABLE shop.changes (id integer);
         CREATE FUNCTION shop.note() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN INSERT INTO changes VALUES (NEW.id); RETURN NULL; END $$;
         CREATE TRIGGER notes AFTER UPDATE ON shop.t
             FOR EACH ROW EXECUTE FUNCTION shop.note();
         INSERT INTO shop.t SELECT i, 'alice' || i || '@example.com' FROM generate_series(1, 40) i;
         DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = shop, public',
             current_database()); END $$;",
    );
    let desk = Desk::over(&db.url());
    desk.write(
        "shop.toml",
        &POLICY.split("[[table]]").next().unwrap().replace("t.email", "shop.t.email"),
    );
    let run = to_phase(&desk, "verified");
    assert_eq!(db.value("SELECT count(*)::text FROM shop.changes"), "40");
    desk.run(&["rollback", &run]).done();
    assert_eq!(db.value("SELECT count(*)::text FROM shop.changes"), "80");
}

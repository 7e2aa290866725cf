//! The plan names what can go wrong in PostgreSQL, before anything is written.

use sealift::catalog::Catalog;
use sealift::engine::postgres::source::PostgresSource;
use sealift::plan::{Facts, Strategy, Verdict, assess, blast_radius};
use sealift::policy::Policy;
use sealift::ports::Source as _;
use serde_json::Value;

use crate::support::{Cluster, Desk, Postgres};

const BEGIN: &str = "[source]\nname = \"crm\"\n";

/// A column of the policy.
fn column(name: &str, more: &str) -> String {
    format!("\n[[column]]\nname = \"{name}\"\nclass = \"contact\"\ntoken = \"keyed\"\n{more}\n")
}

/// The findings of a plan over a fixture, as (pitfall, verdict, object).
fn findings(sql: &str, policy: &str) -> Vec<(String, String, String)> {
    let db = Postgres::with(sql);
    let desk = Desk::over(&db.url());
    desk.write("shop.toml", &format!("{BEGIN}{policy}"));
    named(&desk)
}

/// What a plan names at a desk.
fn named(desk: &Desk) -> Vec<(String, String, String)> {
    let answer = desk.json(&["plan", "--policy", "shop.toml", "--dry-run"]);
    let last = answer.last();
    let findings = last["findings"].as_array().unwrap_or_else(|| panic!("no findings: {answer}"));
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    findings.iter().map(|f| (text(f, "pitfall"), text(f, "verdict"), text(f, "object"))).collect()
}

#[track_caller]
fn holds(sql: &str, policy: &str, pitfall: &str, verdict: &str) {
    let found = findings(sql, policy);
    let is_there = found.iter().any(|(name, what, _)| name == pitfall && what == verdict);
    assert!(is_there, "`{pitfall}` does not say `{verdict}`: {found:?}");
}

#[track_caller]
fn is_silent(sql: &str, policy: &str, verdict: &str) {
    let found = findings(sql, policy);
    assert!(found.iter().all(|(_, what, _)| what != verdict), "{found:?}");
}

const T: &str = "CREATE TABLE t (id integer PRIMARY KEY, email text, other text);";

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn an_ordinary_table_is_not_blocked() {
    is_silent(T, &column("t.email", ""), "blocks");
    is_silent(T, &column("public.t.email", ""), "blocks");
    let quoted = "CREATE SCHEMA \"Ä.b\"; CREATE TABLE \"Ä.b\".\"select\" (\"Ÿ \"\"id\" text PRIMARY KEY, \"from\" text);";
    let name = r#"\"Ä.b\".select.from"#;
    is_silent(quoted, &column(name, ""), "blocks");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn what_has_no_room_for_a_token_blocks() {
    for declared in [
        "varchar(20)",
        "char(10)",
        "integer",
        "numeric(10,2)",
        "date",
        "timestamptz",
        "uuid",
        "jsonb",
        "inet",
        "text[]",
        "boolean",
        "mood",
    ] {
        let sql = format!(
            "CREATE TYPE mood AS ENUM ('fine'); CREATE TABLE t (id integer PRIMARY KEY, v {declared});"
        );
        holds(&sql, &column("t.v", ""), "type_fit", "blocks");
    }
    let sql =
        "CREATE DOMAIN short AS varchar(12); CREATE TABLE t (id integer PRIMARY KEY, v short);";
    holds(sql, &column("t.v", ""), "type_fit", "blocks");
    let sql = "CREATE TABLE t (id integer PRIMARY KEY, v jsonb);";
    holds(sql, &column("t.v", "template = '\"{token}\"'"), "type_fit", "handled");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn checks_and_domains_are_tried_with_tokens() {
    let check = "CREATE TABLE t (id integer PRIMARY KEY, email text CHECK (email LIKE '%@%'));
                 INSERT INTO t VALUES (1, 'alice@example.com');";
    holds(check, &column("t.email", ""), "check_constraint", "blocks");
    let template = "template = \"{token}@tokens.invalid\"";
    holds(check, &column("t.email", template), "check_constraint", "handled");
    let domain = "CREATE DOMAIN address AS text CHECK (VALUE LIKE '%@%');
                  CREATE TABLE t (id integer PRIMARY KEY, email address);";
    holds(domain, &column("t.email", ""), "check_constraint", "blocks");
    holds(domain, &column("t.email", template), "check_constraint", "handled");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn what_an_update_sets_off_is_named() {
    let email = column("t.email", "");
    let generated = "CREATE TABLE t (id integer PRIMARY KEY, email text,
                     host text GENERATED ALWAYS AS (split_part(email, '@', 2)) STORED);";
    holds(generated, &email, "generated_column", "blocks");
    let recomputed =
        format!("{email}\n[[table]]\nname = \"t\"\ngenerated_columns = \"recompute\"\n");
    holds(generated, &recomputed, "generated_column", "handled");
    is_silent(generated, &recomputed, "blocks");
    let unique = generated.replace("STORED", "STORED UNIQUE");
    holds(&unique, &recomputed, "generated_column", "blocks");
    let trigger = |when: &str, body: &str| {
        format!(
            "{T} CREATE TABLE audit (v text);
             CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$;
             CREATE TRIGGER f {when} ON t FOR EACH ROW EXECUTE FUNCTION f();"
        )
    };
    let copies = trigger("AFTER UPDATE", "INSERT INTO audit VALUES (OLD.email); RETURN NULL;");
    holds(&copies, &email, "trigger_function", "blocks");
    let suppressed = format!("{email}\n[[table]]\nname = \"t\"\nsuppress_triggers = [\"f\"]\n");
    holds(&copies, &suppressed, "trigger_function", "handled");
    let changes = trigger("BEFORE UPDATE", "NEW.email := lower(NEW.email); RETURN NEW;");
    holds(&changes, &email, "trigger_function", "blocks");
    let stamps = trigger("BEFORE UPDATE", "NEW.other := now()::text; RETURN NEW;");
    holds(&stamps, &email, "trigger_function", "warns");
    let elsewhere =
        trigger("AFTER UPDATE OF other", "INSERT INTO audit VALUES (OLD.email); RETURN NULL;");
    is_silent(&elsewhere, &email, "blocks");
    let rule = format!("{T} CREATE RULE r AS ON UPDATE TO t DO ALSO NOTHING;");
    holds(&rule, &email, "rule", "blocks");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_default_that_is_a_value_is_named_and_not_shown() {
    let email = column("t.email", "");
    let with = |default: &str| T.replace("email text", &format!("email text DEFAULT {default}"));
    let given = with("'nobody@example.com'");
    holds(&given, &email, "column_default", "warns");
    assert!(!said(&given, &email).contains("nobody@example.com"));
    for none in ["NULL", "''", "current_user"] {
        let found = findings(&with(none), &email);
        assert!(found.iter().all(|(name, _, _)| name != "column_default"), "{none}: {found:?}");
    }
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn what_hangs_on_a_column_is_named() {
    let email = column("t.email", "");
    let view = format!(
        "{T} CREATE VIEW v AS SELECT email AS e FROM t; CREATE MATERIALIZED VIEW w AS SELECT e FROM v;"
    );
    holds(&view, &email, "view_over_column", "warns");
    holds(&view, &email, "view_over_column", "handled");
    let lower = format!("{T} CREATE UNIQUE INDEX i ON t (lower(email));");
    holds(&lower, &email, "index_over_column", "blocks");
    let narrow = "CREATE TABLE t (id integer PRIMARY KEY, email varchar(20));
                  CREATE VIEW v AS SELECT email FROM t;";
    let widened = column("t.email", "fit = \"widen\"");
    holds(narrow, &widened, "recreated", "handled");
    holds(narrow, &widened, "type_fit", "handled");
    is_silent(narrow, &widened, "blocks");
    holds(narrow, &email, "type_fit", "blocks");
    let partial = format!("{T} CREATE INDEX i ON t (other) WHERE email LIKE 'a%';");
    holds(&partial, &email, "index_over_column", "warns");
    let exclusion = format!("{T} ALTER TABLE t ADD EXCLUDE USING hash (email WITH =);");
    holds(&exclusion, &email, "exclusion", "blocks");
    let parent = "CREATE TABLE p (email text PRIMARY KEY, id integer NOT NULL UNIQUE);
                  CREATE TABLE t (id integer PRIMARY KEY, email text REFERENCES p ON UPDATE SET NULL);";
    let both = column("t.email", "domain = \"d\"") + &column("p.email", "domain = \"d\"");
    for action in ["SET NULL", "SET DEFAULT", "RESTRICT", "CASCADE", "NO ACTION"] {
        let sql = parent.replace("SET NULL", action);
        holds(&sql, &both, "foreign_key_action", "handled");
        is_silent(&sql, &both, "blocks");
    }
    let parts = "CREATE TABLE p (email text PRIMARY KEY, id integer NOT NULL UNIQUE);
                 CREATE TABLE t (id integer, email text REFERENCES p, PRIMARY KEY (id)) PARTITION BY HASH (id);
                 CREATE TABLE t0 PARTITION OF t FOR VALUES WITH (MODULUS 1, REMAINDER 0);";
    is_silent(parts, &both, "blocks");
    holds(parts, &column("t.email", ""), "foreign_key", "blocks");
    holds(parts, &column("p.email", ""), "foreign_key", "blocks");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn tables_of_another_kind_are_named() {
    let email = column("t.email", "");
    let unkeyed = "CREATE TABLE t (email text);";
    holds(unkeyed, &email, "no_key", "warns");
    let random = email.replace("keyed", "random");
    holds(unkeyed, &random, "no_key", "blocks");
    let natural = "CREATE TABLE t (email text PRIMARY KEY);";
    holds(natural, &email, "no_key", "warns");
    holds(natural, &email, "key_in_scope", "warns");
    let parts = "CREATE TABLE t (id integer, email text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
                 CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (100);";
    holds(parts, &email, "partitioned", "handled");
    is_silent(parts, &email, "blocks");
    is_silent(parts, &column("t1.email", ""), "blocks");
    let two = format!("{parts} CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (100) TO (200);");
    holds(&two, &column("t1.email", ""), "partitioned", "warns");
    let none = "CREATE TABLE t (id integer, email text) PARTITION BY RANGE (id);";
    holds(none, &email, "partitioned", "warns");
    for key in ["LIST (email)", "HASH (lower(email))"] {
        let by = format!("CREATE TABLE t (id integer, email text) PARTITION BY {key};");
        holds(&by, &email, "partitioned", "blocks");
    }
    let below = "CREATE TABLE t (id integer, email text) PARTITION BY LIST (id);
                 CREATE TABLE t1 PARTITION OF t DEFAULT PARTITION BY HASH (email);";
    holds(below, &email, "partitioned", "blocks");
    let elsewhere = "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w;
                     CREATE TABLE t (id integer, email text) PARTITION BY LIST (id);
                     CREATE FOREIGN TABLE t1 PARTITION OF t DEFAULT SERVER s;";
    holds(elsewhere, &email, "partitioned", "blocks");
    let heirs = format!("{T} CREATE TABLE u () INHERITS (t);");
    holds(&heirs, &email, "inheritance", "handled");
    is_silent(&heirs, &email, "blocks");
    holds(&heirs, &column("u.email", ""), "inheritance", "warns");
    let secured = format!("{T} ALTER TABLE t ENABLE ROW LEVEL SECURITY;");
    holds(&secured, &email, "row_security", "handled");
    let full =
        format!("{T} ALTER TABLE t REPLICA IDENTITY FULL; CREATE PUBLICATION p FOR TABLE t;");
    holds(&full, &email, "publication", "warns");
    let nothing =
        format!("{T} ALTER TABLE t REPLICA IDENTITY NOTHING; CREATE PUBLICATION p FOR TABLE t;");
    holds(&nothing, &email, "publication", "blocks");
    if Postgres::with("").version() >= 15 {
        // A list of columns without all that subscribers find a row by: only the server knows the rule.
        let short = format!(
            "{T} ALTER TABLE t REPLICA IDENTITY FULL; CREATE PUBLICATION p FOR TABLE t (id);"
        );
        holds(&short, &email, "publication", "blocks");
        let by_city = format!("{T} CREATE PUBLICATION p FOR TABLE t WHERE (email <> '');");
        holds(&by_city, &email, "publication", "blocks");
    }
}

/// Whether the findings hold one of this pitfall and verdict about this object.
fn is_about(sql: &str, policy: &str, wanted: (&str, &str, &str)) -> bool {
    let found = findings(sql, policy);
    found.iter().any(|(name, what, object)| (&**name, &**what, &**object) == wanted)
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_publication_that_filters_by_a_column_in_scope_blocks() {
    if Postgres::with("").version() < 15 {
        return;
    }
    let (email, other) = (column("t.email", ""), column("t.other", ""));
    let full = format!("{T} ALTER TABLE t REPLICA IDENTITY FULL;");
    let wanted = ("publication", "blocks", "publication pb");
    let by_email =
        format!("{full} CREATE PUBLICATION pb FOR TABLE t WHERE (email LIKE '%@ex.org');");
    assert!(is_about(&by_email, &email, wanted));
    is_silent(&by_email, &other, "blocks");
    assert!(!said(&by_email, &email).contains("ex.org"));
    // What is in the list of columns is not read by the condition for that.
    let listed = format!(
        "{full} CREATE PUBLICATION pb FOR TABLE t (id, email, other) WHERE (other <> 'x');"
    );
    assert!(!is_about(&listed, &email, wanted));
    assert!(is_about(&listed, &other, wanted));
    // Nobody hears of an UPDATE.
    let inserts = by_email.replace("');", "') WITH (publish = 'insert');");
    is_silent(&inserts, &email, "blocks");
    let parts =
        "CREATE TABLE t (id integer PRIMARY KEY, email text, other text) PARTITION BY RANGE (id);
                 CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (100);
                 ALTER TABLE t REPLICA IDENTITY FULL; ALTER TABLE t1 REPLICA IDENTITY FULL;";
    let of_whole = format!(
        "{parts} CREATE PUBLICATION pb FOR TABLE t WHERE (email LIKE '%@ex.org')
         WITH (publish_via_partition_root = true);"
    );
    let of_part =
        format!("{parts} CREATE PUBLICATION pb FOR TABLE t1 WHERE (email LIKE '%@ex.org');");
    for sql in [of_whole, of_part] {
        assert!(is_about(&sql, &email, wanted), "{sql}");
        assert!(is_about(&sql, &column("t1.email", ""), wanted), "{sql}");
        assert!(!is_about(&sql, &other, wanted), "{sql}");
    }
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_policy_over_a_column_in_scope_is_named() {
    let (email, other) = (column("t.email", ""), column("t.other", ""));
    let own = format!(
        "{T} ALTER TABLE t ENABLE ROW LEVEL SECURITY;
         CREATE POLICY pol ON t USING (email LIKE '%@ex.org');"
    );
    let wanted = ("row_security", "warns", "policy pol of table t");
    assert!(is_about(&own, &email, wanted));
    is_silent(&own, &email, "blocks");
    assert!(!is_about(&own, &other, wanted));
    assert!(!said(&own, &email).contains("ex.org"));
    let asked = format!(
        "{T} CREATE TABLE d (id integer PRIMARY KEY, owner integer);
         ALTER TABLE d ENABLE ROW LEVEL SECURITY;
         CREATE POLICY pol ON d USING (EXISTS (
             SELECT FROM t WHERE t.id = d.owner AND t.email = current_user));"
    );
    let wanted = ("row_security", "warns", "policy pol of table d");
    assert!(is_about(&asked, &email, wanted));
    assert!(!is_about(&asked, &other, wanted));
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_role_without_rights_is_told_before_the_first_write() {
    let mut db = Postgres::with(T);
    let role = format!("poor_{}", std::process::id());
    db.exec(format!("CREATE ROLE {role} LOGIN PASSWORD 'invented'; GRANT SELECT ON t TO {role};"));
    let (_, rest) = db.url().rsplit_once('@').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    // The owner of the server has the statements of this role logged.
    db.exec(format!("ALTER ROLE {role} SET log_statement = 'all'"));
    let desk = Desk::over(&format!("postgres://{role}:invented@{rest}"));
    desk.write("shop.toml", &format!("{BEGIN}{}", column("t.email", "")));
    let answer = desk.run(&["plan", "--policy", "shop.toml", "--dry-run"]).ends(3);
    let refused = named(&desk);
    db.exec(format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    answer.mentions(&[
        "may not make the schema",
        "may not read and write `t.email`",
        "does not own",
    ]);
    for (pitfall, verdict) in [("privileges", "blocks"), ("server_log", "warns")] {
        let is_there = refused.iter().any(|(name, what, _)| name == pitfall && what == verdict);
        assert!(is_there, "`{pitfall}` does not say `{verdict}`: {refused:?}");
    }
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn what_the_server_does_beside_is_named() {
    let email = column("t.email", "");
    let trigger = format!(
        "{T} CREATE FUNCTION e() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
         CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION e();"
    );
    holds(&trigger, &email, "event_trigger", "warns");
    let is_unsafe = Postgres::with("").value("SELECT current_setting('fsync')") == "off";
    let found = findings(T, &email);
    assert_eq!(found.iter().any(|(name, _, _)| name == "server_state"), is_unsafe, "{found:?}");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_table_near_a_wraparound_is_named() {
    let db = Postgres::with(T);
    let mut catalog = catalog_of(&db);
    let policy = format!("{BEGIN}{}", column("t.email", ""));
    let policy = Policy::parse(&policy, "crm.toml").unwrap();
    for (age, verdict) in
        [(100, None), (1_200_000_000, Some(Verdict::Warns)), (2_000_000_000, Some(Verdict::Blocks))]
    {
        catalog.postgres.as_mut().unwrap().tables[0].frozen_age = age;
        let plan = assess(&catalog, &policy, &Facts::default(), Strategy::InPlace);
        let found = plan.findings.iter().find(|finding| finding.pitfall == "wraparound");
        assert_eq!(found.map(|finding| finding.verdict), verdict, "at {age}");
    }
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn what_keeps_old_rows_and_old_changes_is_named() {
    let cluster = Cluster::with(&[("max_prepared_transactions", "1"), ("archive_mode", "on")]);
    let mut db = Postgres::on(&cluster.url(), T);
    let desk = Desk::over(&db.url());
    desk.write("shop.toml", &format!("{BEGIN}{}", column("t.email", "")));
    db.exec("SELECT pg_create_physical_replication_slot('berlin', true)");
    db.exec("ALTER TABLE t SET (autovacuum_enabled = off)");
    db.exec("BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'forgotten'");
    let plan = desk.json(&["plan", "--policy", "shop.toml", "--dry-run"]);
    let found = named(&desk);
    db.exec("ROLLBACK PREPARED 'forgotten'");
    for pitfall in ["autovacuum", "log_of_changes", "open_transaction"] {
        let is_there = found.iter().any(|(name, what, _)| name == pitfall && what == "warns");
        assert!(is_there, "`{pitfall}` is not named: {found:?}");
    }
    plan.mentions(&[
        "it is kept for replication slots: `berlin`; it is archived",
        "autovacuum is off for it",
        "1 prepared transaction",
    ]);
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_transaction_that_is_open_for_long_is_named() {
    let db = Postgres::with(T);
    let mut catalog = catalog_of(&db);
    let policy = format!("{BEGIN}{}", column("t.email", ""));
    let policy = Policy::parse(&policy, "crm.toml").unwrap();
    for (age, verdict) in [("0", None), ("3600", Some(Verdict::Warns))] {
        let found = catalog.settings.iter_mut().find(|(name, _)| name == "oldest_transaction_s");
        age.clone_into(&mut found.expect("it is read").1);
        let plan = assess(&catalog, &policy, &Facts::default(), Strategy::InPlace);
        let found = plan.findings.iter().find(|finding| finding.pitfall == "open_transaction");
        assert_eq!(found.map(|finding| finding.verdict), verdict, "after {age} s");
    }
}

/// What a plan says of a fixture, in words.
fn said(sql: &str, policy: &str) -> String {
    let db = Postgres::with(sql);
    let desk = Desk::over(&db.url());
    desk.write("shop.toml", &format!("{BEGIN}{policy}"));
    desk.json(&["plan", "--policy", "shop.toml", "--dry-run"]).last()["findings"].to_string()
}

/// What the rewrite of a fixture touches, in words.
fn touched(sql: &str, policy: &str) -> String {
    let db = Postgres::with(sql);
    let catalog = catalog_of(&db);
    let policy = Policy::parse(&format!("{BEGIN}{policy}"), "crm.toml").unwrap();
    let plan = assess(&catalog, &policy, &Facts::default(), Strategy::InPlace);
    let touched = blast_radius(&catalog, &policy, &Facts::default(), &plan.findings);
    touched.iter().fold(String::new(), |all, one| all + &one.effect + "\n")
}

fn catalog_of(db: &Postgres) -> Catalog {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let url = db.url();
    runtime.block_on(async { PostgresSource::open(&url).await.unwrap().catalog().await }).unwrap()
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_trigger_is_told_by_where_originals_go_and_what_it_sets() {
    let email = column("t.email", "");
    let trigger = |when: &str, body: &str| {
        format!(
            "{T} ALTER TABLE t ADD updated_at timestamptz; CREATE TABLE public.\"History of t\" (v text);
             CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$;
             CREATE TRIGGER f {when} ON t FOR EACH ROW EXECUTE FUNCTION f();"
        )
    };
    let history = trigger(
        "AFTER UPDATE",
        "INSERT INTO public.\"History of t\" VALUES (OLD.email); RETURN NULL;",
    );
    let found = said(&history, &email);
    assert!(found.contains("public.history of t` would receive originals"), "{found}");
    let stamp = trigger("BEFORE UPDATE", "NEW.updated_at := now(); RETURN NEW;");
    let found = said(&stamp, &email);
    assert!(found.contains("sets `updated_at` of each row"), "{found}");
    // What is touched says the same of a trigger as what is found.
    for (when, effect) in [
        ("BEFORE INSERT OR UPDATE", "is called for each row"),
        ("BEFORE DELETE OR UPDATE OF email", "is called for each row"),
        ("BEFORE INSERT OR UPDATE OF updated_at", "it does not fire for the rewrite"),
        ("AFTER INSERT OR DELETE", "it does not fire for the rewrite"),
    ] {
        let touched = touched(&trigger(when, "RETURN NEW;"), &email);
        assert!(touched.contains(effect), "{when}: {touched}");
    }
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn words_for_a_search_are_copies_and_named() {
    let email = column("t.email", "");
    let plain = format!("{T} ALTER TABLE t ADD words tsvector;");
    holds(&plain, &email, "full_text_column", "warns");
    let elsewhere = format!("{T} CREATE TABLE found (id integer PRIMARY KEY, words tsvector);");
    holds(&elsewhere, &email, "full_text_column", "warns");
    let filled = format!(
        "{plain} CREATE TRIGGER fill BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION
         tsvector_update_trigger('words', 'pg_catalog.simple', 'email');"
    );
    holds(&filled, &email, "full_text_column", "handled");
    is_silent(&filled, &email, "blocks");
    let suppressed = format!("{email}\n[[table]]\nname = \"t\"\nsuppress_triggers = [\"fill\"]\n");
    holds(&filled, &suppressed, "full_text_column", "blocks");
    let generated = format!(
        "{T} ALTER TABLE t ADD words tsvector GENERATED ALWAYS AS (to_tsvector('simple', email)) STORED;"
    );
    holds(&generated, &email, "full_text_column", "handled");
    holds(&generated, &email, "generated_column", "blocks");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn what_the_server_keeps_beside_is_named() {
    let email = column("t.email", "");
    holds(T, &email, "server_statistics", "handled");
    holds(&T.replace("CREATE TABLE", "CREATE UNLOGGED TABLE"), &email, "unlogged", "warns");
}

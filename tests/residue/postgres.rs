//! The files of a real PostgreSQL server: originals are in them before a purge, and in none after.
//!
//! Each test has a server of its own: what is looked at is every file of it.

use std::fmt::Write as _;
use std::path::Path;

use sqlx::{ConnectOptions as _, Connection as _};

use crate::support::{Cluster, Desk, Needle, Postgres, found_in, to_phase};

const PEOPLE: u32 = 400;

const POLICY: &str = r#"
[source]
name = "crm"

[[column]]
name  = "people.email"
class = "contact"
token = "keyed"

[[column]]
name  = "people.city"
class = "contact"
token = "keyed"
waive = ["low_entropy"]

[[column]]
name  = "people.letter"
class = "contact"
token = "random"

[[column]]
name  = "people.diary"
class = "contact"
token = "random"
"#;

/// A value that nobody else has: its words are of its own kind, so that little of it is repeated.
fn words(seed: u32, count: u32) -> String {
    let mut text = String::new();
    let mut state = u64::from(seed) << 20 | 0x9e37_79b9;
    for _ in 0..count {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        write!(text, "w{:08x} the one and only ", state >> 32).unwrap();
    }
    text
}

fn email(n: u32) -> String {
    format!("invented.person{n:05}@example.com")
}

fn city(n: u32) -> String {
    format!("Inventedborough {}", n % 4)
}

/// Long enough to be compressed in its row.
fn letter(n: u32) -> String {
    format!("Letter {n}: {}", words(n, 120))
}

/// So long that it is moved out of its row.
fn diary(n: u32) -> String {
    format!("Diary {n}: {}", words(n + 100_000, 900))
}

fn filled() -> String {
    let mut sql = String::from(
        "CREATE TABLE people (id bigint PRIMARY KEY, email text NOT NULL, city text, letter text,
             diary text COMPRESSION pglz, born text);
         CREATE INDEX people_by_email ON people (email);
         CREATE STATISTICS people_places ON email, city FROM people;
         ALTER TABLE people ALTER letter SET COMPRESSION lz4;",
    );
    for n in 0..PEOPLE {
        let (letter, diary) = if n % 20 == 0 {
            (format!("'{}'", letter(n)), format!("'{}'", diary(n)))
        } else {
            ("NULL".to_owned(), "NULL".to_owned())
        };
        writeln!(
            sql,
            "INSERT INTO people VALUES ({n}, '{}', '{}', {letter}, {diary}, 'out of scope');",
            email(n),
            city(n)
        )
        .unwrap();
    }
    // A column that is dropped stays in the rows.
    sql.push_str(
        "ALTER TABLE people ADD mailed_to text;
         UPDATE people SET mailed_to = email;
         ALTER TABLE people DROP mailed_to;
         CREATE MATERIALIZED VIEW addresses AS SELECT id, email FROM people;
         CREATE MATERIALIZED VIEW domains AS SELECT DISTINCT split_part(email, '@', 1) FROM addresses;
         ANALYZE;",
    );
    sql
}

fn needles() -> Vec<Needle> {
    let mut needles: Vec<Needle> = (0..PEOPLE).map(|n| Needle::new(email(n))).collect();
    needles.extend((0..4).map(|n| Needle::new(city(n))));
    for n in (0..PEOPLE).step_by(20) {
        // The middle of a value is as much of an original as its beginning.
        for text in [letter(n), diary(n)] {
            needles.push(Needle::new(&text.as_bytes()[..40]));
        }
    }
    needles
}

/// A desk over a database of a server's own.
struct Crm {
    desk: Desk,
    db: Postgres,
    server: Cluster,
}

/// A program that ends with the test, also where that fails.
struct Reader(std::process::Child);

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Crm {
    /// A server whose files of the log are small, so that they are soon retired and searched.
    fn on(settings: &[(&str, &str)], more: &str) -> Self {
        Self::made(settings, &[], more)
    }

    /// On a server that does not notice bytes that are planted in its pages: from 18 on they have
    /// checksums unless somebody says otherwise.
    fn on_unchecked(settings: &[(&str, &str)], more: &str) -> Self {
        let has_checksums = Postgres::with("").version() >= 18;
        Self::made(settings, if has_checksums { &["--no-data-checksums"] } else { &[] }, more)
    }

    /// Arguments are those of `initdb`.
    fn made(settings: &[(&str, &str)], arguments: &[&str], more: &str) -> Self {
        let mut all = vec![
            ("max_prepared_transactions", "4"),
            ("wal_level", "logical"),
            ("min_wal_size", "2MB"),
        ];
        all.extend_from_slice(settings);
        let server = Cluster::made(&all, &[&["--wal-segsize", "1"], arguments].concat());
        server.start();
        Self::over(server, more)
    }

    fn over(server: Cluster, more: &str) -> Self {
        let mut sql = filled() + more;
        let mut there = Postgres::existing(&server.url());
        if !there.knows("default_toast_compression", "lz4") {
            // It was built without.
            sql = sql.replace("ALTER TABLE people ALTER letter SET COMPRESSION lz4;", "");
        }
        if there.version() < 14 {
            // There it is pglz alone, and nothing to say about it.
            sql = sql.replace(" COMPRESSION pglz", "");
        }
        let db = Postgres::on(&server.url(), &sql);
        let desk = Desk::over(&db.url());
        desk.write("shop.toml", POLICY);
        Self { desk, db, server }
    }

    /// A run that is approved to be purged.
    fn to_purge(&self) -> String {
        let run = to_phase(&self.desk, "purge_approved");
        self.desk.run(&["keys", "slot", "check", "--recovery-file", "recovery.txt"]).done();
        run
    }

    /// A program that copies the log of changes as it is written.
    fn reader_of_the_log(&self) -> Option<Reader> {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = self.server.path("received");
        std::fs::create_dir(&folder).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
        let mut db = Postgres::existing(&self.server.url());
        let programs = db.value("SELECT setting FROM pg_config WHERE name = 'BINDIR'");
        let program = std::path::Path::new(&programs).join("pg_receivewal");
        if !program.exists() {
            // The packages of `tests/matrix.sh` hold the server alone.
            return None;
        }
        let child = self
            .server
            .unprivileged(program.to_str().unwrap())
            .args(["--directory", folder.to_str().unwrap(), "--dbname", &self.server.url()])
            .spawn()
            .unwrap();
        let child = Reader(child);
        let begun = std::time::Instant::now();
        while db.value("SELECT count(*)::text FROM pg_stat_replication WHERE state = 'streaming'")
            == "0"
        {
            assert!(begun.elapsed().as_secs() < 60, "nobody reads the log");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        Some(child)
    }

    fn purged(&self, run: &str) -> crate::support::Answer {
        self.desk.run(&["purge", run, "--confirm", run]).done()
    }

    fn report(&self, run: &str) -> serde_json::Value {
        let report = self.desk.run(&["report", run, "--format", "json"]).done();
        serde_json::from_str(&report.stdout).unwrap()
    }

    /// Hits of the verb in some files, by the word that reports use for how they lay compressed.
    fn scanned(&self, path: &Path) -> (u64, Vec<String>) {
        let answer = self.desk.json(&["residue", "scan", path.to_str().unwrap()]);
        let mut codecs = Vec::new();
        for object in answer.objects() {
            if let Some(found) = object["by_codec"].as_object() {
                codecs.extend(found.keys().cloned());
            }
        }
        codecs.sort();
        codecs.dedup();
        (answer.last()["hits"].as_u64().unwrap(), codecs)
    }
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn no_original_is_left_in_any_file_of_the_server() {
    let mut crm = Crm::over(Cluster::with(&[]), "");
    crm.db.exec("CHECKPOINT");
    let needles = needles();
    let before = found_in(&crm.server.path(""), &needles);
    for place in ["/base/", "/pg_wal/"] {
        assert!(before.iter().any(|line| line.contains(place)), "no control in {place}");
    }
    let settings = "SELECT string_agg(name || setting || source, ',' ORDER BY name)
        FROM pg_settings WHERE name IN ('wal_recycle', 'wal_keep_size')";
    let set = crm.db.value(settings);

    let run = crm.to_purge();
    let rewritten = found_in(&crm.server.path(""), &needles);
    assert!(rewritten.len() > needles.len(), "the run alone leaves originals in the files");
    let answer = crm.purged(&run);

    assert_eq!(found_in(&crm.server.path(""), &needles), [""; 0], "{answer}");
    let report = crm.report(&run);
    assert_eq!(report["certificate"]["word"], "CLEAN", "{}", report["certificate"]);
    assert_eq!(crm.db.value(settings), set, "settings are put back");
    let emails = "SELECT count(*)::text FROM addresses WHERE email LIKE '%example.com'";
    assert_eq!(crm.db.value(emails), "0", "the view was filled anew");
    let steps = report["certificate"]["steps"].to_string();
    let order = ["VACUUM FULL people", "CHECKPOINT", "copy of the vault", "retire the log"];
    let places = order.map(|step| steps.find(step).unwrap_or_else(|| panic!("{step}: {steps}")));
    assert!(places.is_sorted(), "the vault is copied before the log goes: {steps}");
    let copies = report["certificate"]["vault_copies"].as_array().unwrap();
    let copy = crm.desk.path(copies[0]["file"].as_str().unwrap());
    crm.desk.run(&["vault", "restore", copy.to_str().unwrap(), "--vault", "sqlite:back.db"]).done();
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_log_that_is_compressed_and_recycled_is_retired_all_the_same() {
    // Files of the log are kept for use, under names of the future, with all that is in them.
    let mut crm = Crm::on(
        &[("wal_compression", "on"), ("min_wal_size", "16MB"), ("max_wal_size", "32MB")],
        "",
    );
    let run = crm.to_purge();
    crm.db.exec("SELECT pg_switch_wal()");
    crm.db.exec("CHECKPOINT");
    let newest = crm.db.value("SELECT pg_walfile_name(pg_current_wal_insert_lsn())");
    let waiting: Vec<String> = crm
        .db
        .column("SELECT name FROM pg_ls_waldir()")
        .into_iter()
        .filter(|name| name.len() == 24 && *name > newest)
        .collect();
    let holds = |name: &String| crm.scanned(&crm.server.path("data/pg_wal").join(name)).0 > 0;
    assert!(waiting.iter().any(holds), "none of {waiting:?} holds originals");

    let answer = crm.purged(&run);

    assert_eq!(found_in(&crm.server.path(""), &needles()), [""; 0], "{answer}");
    assert_eq!(crm.report(&run)["certificate"]["word"], "CLEAN");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_purge_killed_while_it_retires_the_log_leaves_settings_that_the_next_puts_back() {
    // An archive that takes nothing keeps every file of the log.
    let mut crm = Crm::on(&[("archive_mode", "on"), ("archive_command", "false")], "");
    crm.db.exec("ALTER SYSTEM SET wal_keep_size = '3MB'");
    crm.db.exec("SELECT pg_reload_conf()");
    let run = crm.to_purge();
    let set = "SELECT string_agg(name || '=' || setting, ' ' ORDER BY name)
        FROM pg_file_settings WHERE name IN ('wal_recycle', 'wal_keep_size')";
    let before = crm.db.value(set);
    assert_eq!(before, "wal_keep_size=3MB");

    let mut child = crm.desk.command(&["purge", &run, "--confirm", &run]).spawn().unwrap();
    let begun = std::time::Instant::now();
    while !crm.db.value(set).contains("wal_recycle") {
        assert!(begun.elapsed().as_secs() < 60, "the log is never retired");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_ne!(crm.db.value(set), before, "it was killed in the middle");

    // The archive is still in the way: what it keeps is found, and nothing is called purged.
    let answer = crm.desk.run(&["purge", &run, "--confirm", &run]);
    answer.fails(1, &["originals survive", "pg_wal/"]);
    assert_eq!(crm.db.value(set), before, "put back as they were before the first purge");
    let ours = "SELECT count(*)::text FROM pg_tables WHERE tablename = 'server_setting'";
    assert_eq!(crm.db.value(ours), "0");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn dead_bytes_of_a_table_that_no_run_covers_are_found_in_holes_and_compressed() {
    let mut crm = Crm::on_unchecked(
        &[("autovacuum", "off")],
        "CREATE TABLE letters (id bigint, body text COMPRESSION pglz);
         INSERT INTO letters SELECT id, letter FROM people WHERE letter IS NOT NULL;
         DELETE FROM letters;
         CREATE TABLE parcels (id bigint, state text);
         INSERT INTO parcels SELECT g, 'sent' FROM generate_series(1, 3) AS g;",
    );
    crm.db.exec("VACUUM (TRUNCATE FALSE) letters");
    let run = crm.to_purge();
    let file = crm.db.value("SELECT pg_relation_filepath('parcels')");
    crm.db.exec("CHECKPOINT");
    crm.server.stop();
    let path = crm.server.path("data").join(file);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4_000..4_000 + email(7).len()].copy_from_slice(email(7).as_bytes());
    std::fs::write(&path, bytes).unwrap();
    crm.server.start();
    crm.db.reconnect();

    let answer = crm.desk.run(&["purge", &run, "--confirm", &run]);
    let answer = answer.fails(1, &["originals survive", "public.parcels", "public.letters"]);
    assert!(!answer.stderr.contains("invented.person"), "{answer}");
    let report = crm.report(&run);
    assert_eq!(report["certificate"]["word"], "RESIDUE");

    crm.db.exec("VACUUM FULL letters");
    crm.db.exec("VACUUM FULL parcels");
    crm.purged(&run);
    assert_eq!(crm.report(&run)["certificate"]["word"], "CLEAN");
    assert_eq!(found_in(&crm.server.path(""), &needles()), [""; 0]);
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_view_that_is_filled_behind_a_function_keeps_its_copies_and_is_not_called_clean() {
    let crm = Crm::on(
        &[],
        "CREATE FUNCTION everybody() RETURNS SETOF text LANGUAGE plpgsql AS
             $$ BEGIN RETURN QUERY EXECUTE 'SELECT email FROM public.people'; END $$;
         CREATE MATERIALIZED VIEW hidden AS SELECT * FROM everybody() AS e (email);",
    );
    let run = crm.to_purge();
    crm.purged(&run);
    let certificate = crm.report(&run)["certificate"].clone();
    assert_eq!(certificate["word"], "PURGED, COPIES REMAIN", "{certificate}");
    assert!(certificate.to_string().contains("hidden"), "{certificate}");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn what_lies_compressed_in_pages_and_in_the_log_is_found() {
    // Before version 15 the log knew one way to compress, and a server may be built without the others.
    let mut there = Postgres::with("");
    let ways = [("lz4", "lz4"), ("pglz", "on"), ("zstd", "zstd")];
    let known = ways.into_iter().filter(|(_, way)| there.knows("wal_compression", way));
    let mut known: Vec<_> = known.collect();
    if there.version() < 15 {
        known = vec![("pglz", "on")];
    }
    for (codec, setting) in known {
        let mut crm = Crm::on(&[("wal_compression", setting)], "");
        to_phase(&crm.desk, "sealed");
        // The first change of a page after a checkpoint writes all of it, compressed, into the log.
        crm.db.exec(
            "CHECKPOINT; SELECT pg_switch_wal(); CHECKPOINT;
             UPDATE people SET born = 'still out of scope'; SELECT pg_switch_wal();",
        );
        let (hits, codecs) = crm.scanned(&crm.server.path("data/pg_wal"));
        assert!(hits > 100, "{codec}: {hits}");
        assert!(codecs.contains(&codec.to_owned()), "{codec} is not among {codecs:?}");
        if codec == "lz4" {
            let (hits, codecs) = crm.scanned(&crm.server.path("data/base"));
            assert!(hits > 1_000, "{hits}");
            assert_eq!(codecs, ["lz4", "pglz"], "letters and diaries");
        }
    }
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn whoever_keeps_originals_alive_is_named_and_nothing_is_destroyed() {
    let mut crm = Crm::on(&[], "");
    let run = crm.to_purge();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let refused = |crm: &Crm, what: &[&str]| {
        let answer = crm.desk.run(&["purge", &run, "--confirm", &run, "--wait", "1"]);
        answer.fails(3, what);
        let status = crm.desk.json(&["status", &run]).done();
        assert_eq!(status.text("phase"), "purge_approved");
    };

    let mut other = runtime.block_on(crm.db.another().connect()).unwrap();
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM people";
    runtime.block_on(sqlx::raw_sql(begin).execute(&mut other)).unwrap();
    refused(&crm, &["the purge is blocked", "session ", "still sees rows", "hint:"]);
    runtime.block_on(other.close()).unwrap();

    crm.db.exec("SELECT pg_create_physical_replication_slot('left_behind', true)");
    refused(&crm, &["replication slot `left_behind`", "hint:"]);
    crm.db.exec("SELECT pg_drop_replication_slot('left_behind')");

    crm.db.exec("BEGIN; CREATE TABLE pending (); PREPARE TRANSACTION 'half done'");
    refused(&crm, &["prepared transaction `half done`"]);
    crm.db.exec("ROLLBACK PREPARED 'half done'");

    crm.purged(&run);
    assert_eq!(crm.report(&run)["certificate"]["word"], "CLEAN");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn copies_in_a_history_table_are_named_and_not_called_clean() {
    let crm = Crm::on(
        &[],
        "CREATE TABLE history (id bigint, email text);
         CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN INSERT INTO history VALUES (OLD.id, OLD.email); RETURN NEW; END $$;
         CREATE TRIGGER keep AFTER UPDATE ON people FOR EACH ROW EXECUTE FUNCTION keep();
         UPDATE people SET born = 'long ago';
         DROP TRIGGER keep ON people;",
    );
    let run = crm.to_purge();
    crm.purged(&run).mentions(&["history.email"]);
    let report = crm.report(&run);
    assert_eq!(report["certificate"]["word"], "PURGED, COPIES REMAIN", "{report}");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_role_that_may_not_read_the_files_claims_nothing_about_them() {
    let crm = Crm::on(
        &[],
        "CREATE ROLE owner LOGIN PASSWORD 'an-invented-password';
         ALTER TABLE people OWNER TO owner; ALTER MATERIALIZED VIEW addresses OWNER TO owner;
         ALTER MATERIALIZED VIEW domains OWNER TO owner;
         GRANT CREATE ON SCHEMA public TO owner;
         DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO owner', current_database()); END $$;",
    );
    let url = crm.db.url().replace("sealift:", "owner:");
    let desk = Desk::over(&url);
    desk.write("shop.toml", POLICY);
    let crm = Crm { desk, ..crm };
    let run = crm.to_purge();
    crm.purged(&run).mentions(&["not covered", "superuser"]);
    let certificate = crm.report(&run)["certificate"].clone();
    assert_eq!(certificate["word"], "PURGED, NOT PROVEN", "{certificate}");
    assert!(certificate["not_covered"].to_string().contains("may not read"), "{certificate}");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_role_that_may_read_files_through_the_server_proves_as_much_as_it_reads() {
    let crm = Crm::on(
        &[],
        "CREATE ROLE reader LOGIN PASSWORD 'an-invented-password';
         ALTER TABLE people OWNER TO reader; ALTER MATERIALIZED VIEW addresses OWNER TO reader;
         ALTER MATERIALIZED VIEW domains OWNER TO reader;
         DO $$ BEGIN EXECUTE format('ALTER DATABASE %I OWNER TO reader', current_database()); END $$;
         GRANT EXECUTE ON FUNCTION pg_read_binary_file(text, bigint, bigint, boolean),
             pg_ls_dir(text, boolean, boolean), pg_stat_file(text, boolean) TO reader;
         ALTER SCHEMA public OWNER TO reader;",
    );
    let url = crm.db.url().replace("sealift:", "reader:");
    let desk = Desk::over(&url);
    desk.write("shop.toml", POLICY);
    let mut crm = Crm { desk, ..crm };
    crm.db.exec("CHECKPOINT");
    let run = to_phase(&crm.desk, "purge_approved");
    crm.desk.run(&["keys", "slot", "check", "--recovery-file", "recovery.txt"]).done();
    crm.db.exec("CHECKPOINT");
    // It cannot retire the log: what is in it is found, and the purge ends there.
    let answer = crm.desk.run(&["purge", &run, "--confirm", &run]);
    answer.fails(1, &["originals survive", "pg_wal/"]);
    let report = crm.report(&run);
    assert_eq!(report["certificate"]["word"], "RESIDUE", "{report}");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_dump_in_a_named_folder_stops_the_purge_until_it_is_gone() {
    use std::io::Write as _;
    let crm = Crm::on(&[], "");
    crm.desk.write("shop.toml", &format!("{POLICY}\n[purge]\nscan = [\"dumps\"]\n"));
    std::fs::create_dir(crm.desk.path("dumps")).unwrap();
    let run = crm.to_purge();
    let dump = crm.desk.path("dumps/people.sql.gz");
    let file = std::fs::File::create(&dump).unwrap();
    let mut packer = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    write!(packer, "INSERT INTO people VALUES (7, '{}');", email(7)).unwrap();
    packer.finish().unwrap();

    let answer = crm.desk.run(&["purge", &run, "--confirm", &run]);
    let answer = answer.fails(1, &["originals survive", "people.sql.gz"]);
    assert!(!answer.stderr.contains("invented.person"), "{answer}");
    std::fs::remove_file(&dump).unwrap();
    crm.purged(&run);
    assert_eq!(crm.report(&run)["certificate"]["word"], "CLEAN");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn copies_elsewhere_that_nobody_is_named_for_are_not_called_clean() {
    // What the server shows: an archive, a publication, a slot that somebody reads from.
    let named = "[[elsewhere]]\nkind = \"archive\"\nname = \"s3://crm/wal\"\n\
         owner = \"storage team\"\nexpires = 2027-01-31\n\n\
         [[elsewhere]]\nkind = \"snapshot\"\nname = \"nightly\"\n\
         owner = \"machine room\"\nexpires = \"2026-12-31\"\n";
    let replica = "replica:pg_receivewal:database team:2027-02-28";
    let subscriber = "subscriber:reports:reporting team:2027-02-28";
    let typed = ["--elsewhere", subscriber, "--elsewhere", replica];
    for (arguments, word) in [(&[][..], "PURGED, WITH LIMITS"), (&typed[..], "CLEAN")] {
        let crm = Crm::on(
            &[("archive_mode", "on"), ("archive_command", "true")],
            "CREATE PUBLICATION reports FOR TABLE people;",
        );
        // Somebody who reads the log of changes, as a replica does.
        let reader = crm.reader_of_the_log();
        crm.desk.write("shop.toml", &format!("{POLICY}\n{named}"));
        let run = crm.to_purge();
        let mut purge = vec!["purge", run.as_str(), "--confirm", run.as_str()];
        purge.extend_from_slice(arguments);
        let answer = crm.desk.run(&purge).done();
        answer.mentions(&["archive `s3://crm/wal`, with storage team until 2027-01-31"]);

        let certificate = crm.report(&run)["certificate"].clone();
        assert_eq!(certificate["word"], word, "{certificate}");
        let of = |kind: &str| {
            let copies = certificate["elsewhere"].as_array().unwrap().iter();
            copies.into_iter().find(|copy| copy["kind"] == kind).unwrap().clone()
        };
        assert_eq!(of("archive")["owner"], "storage team");
        assert!(of("archive")["known"].as_str().unwrap().contains("archive_mode is on"));
        assert_eq!(of("snapshot")["expires"], "2026-12-31");
        assert!(of("snapshot")["known"].as_str().unwrap().contains("cannot know of it"));
        let is_named = of("subscriber")["owner"] == "reporting team";
        let is_covered = !certificate["not_covered"].to_string().contains("`reports`");
        assert_eq!((is_named, is_covered), (word == "CLEAN", word == "CLEAN"), "{certificate}");
        let step = certificate["steps"].as_array().unwrap().iter();
        let mut outcomes = step.map(|step| step["outcome"].as_str().unwrap());
        assert!(outcomes.any(|outcome| outcome.starts_with("purge address ")), "{certificate}");
        if reader.is_some() {
            let known = of("replica")["known"].as_str().unwrap().to_owned();
            assert_eq!(of("replica")["name"], "pg_receivewal");
            assert!(known.contains("streaming"), "{certificate}");
        }
    }
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn what_others_write_between_the_lock_and_the_rewrite_is_verified_too() {
    let mut crm = Crm::on(&[], "");
    let run = crm.to_purge();
    // An older snapshot has the purge wait, behind its verification and before the rewrite.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut other = runtime.block_on(crm.db.another().connect()).unwrap();
    let look = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class";
    runtime.block_on(sqlx::raw_sql(look).execute(&mut other)).unwrap();
    let mut purge = crm.desk.command(&["purge", &run, "--confirm", &run]);
    purge.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let purge = purge.spawn().unwrap();
    let locked = "SELECT count(*)::text FROM pg_locks WHERE mode = 'ShareRowExclusiveLock'
        AND granted AND relation = 'people'::regclass";
    let begun = std::time::Instant::now();
    while crm.db.value(locked) == "0" {
        assert!(begun.elapsed().as_secs() < 120, "the purge never locks the table");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    // It waits for the lock, and is there before the rewrite.
    crm.db.exec("UPDATE people SET email = 'back.again@example.com' WHERE id = 3");
    runtime.block_on(other.close()).unwrap();
    let answer = purge.wait_with_output().unwrap();

    assert!(!answer.status.success(), "{answer:?}");
    let said = String::from_utf8_lossy(&answer.stderr);
    assert!(said.contains("people.email") && !said.contains("back.again"), "{said}");
    let status = crm.desk.json(&["status", &run]).done();
    assert_ne!(status.text("phase"), "purged");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn statistics_that_no_analyze_renews_keep_no_original() {
    // A column without a target, a table that has lost its rows, and values that no byte scan finds.
    let mut crm = Crm::on(
        &[],
        "CREATE TABLE moved (id bigint PRIMARY KEY, email text, town text);
         INSERT INTO moved SELECT id, email, 'T' || id % 5 FROM people;
         ALTER TABLE people ADD town text;
         UPDATE people SET town = 'T' || id % 5;
         CREATE STATISTICS towns (mcv) ON town, city FROM people;
         ANALYZE people; ANALYZE moved; DELETE FROM moved;
         ALTER TABLE people ALTER town SET STATISTICS 0;",
    );
    let more = "[[column]]\nname = \"people.town\"\nclass = \"contact\"\ntoken = \"random\"\n\
         [[column]]\nname = \"moved.town\"\nclass = \"contact\"\ntoken = \"random\"\n\
         [[column]]\nname = \"moved.email\"\nclass = \"contact\"\ntoken = \"random\"\n";
    crm.desk.write("shop.toml", &format!("{POLICY}\n{more}"));
    let run = crm.to_purge();
    let known = "SELECT string_agg(tablename || '.' || attname, ' ' ORDER BY 1) FROM pg_stats
        WHERE most_common_vals::text ~ '(T[0-4]|invented.person)'
           OR histogram_bounds::text ~ '(T[0-4]|invented.person)'";
    let before = crm.db.value(known);
    assert!(before.contains("people.town") && before.contains("moved.town"), "{before}");

    crm.purged(&run);

    let left = "SELECT count(*)::text FROM pg_stats WHERE schemaname = 'public'
        AND (most_common_vals::text ~ '(T[0-4]|invented.person)'
             OR histogram_bounds::text ~ '(T[0-4]|invented.person)')";
    assert_eq!(crm.db.value(left), "0");
    // The server's own tables are whole: it gathers anew, and forgets.
    crm.db.exec("INSERT INTO moved VALUES (1, 'b', 'X'), (2, 'b', 'X'); ANALYZE moved");
    crm.db.exec("ALTER TABLE people ALTER town SET STATISTICS 10; ANALYZE people");
    crm.db.exec("DROP STATISTICS towns");
    assert_eq!(found_in(&crm.server.path(""), &needles()), [""; 0]);
    assert_eq!(crm.report(&run)["certificate"]["word"], "CLEAN");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn indexes_of_every_kind_over_several_columns_leave_nothing_to_explain() {
    let mut crm = Crm::on(
        &[],
        "CREATE INDEX ON people (city, email); CREATE INDEX ON people (city) INCLUDE (email, born);
         CREATE INDEX ON people (email, id); CREATE INDEX ON people USING hash (email);
         CREATE INDEX ON people USING spgist (email); CREATE INDEX ON people USING brin (email);
         CREATE INDEX ON people USING gin (to_tsvector('simple', email));
         INSERT INTO people (id, email, city) SELECT g, 'invented.more' || g || '@example.com',
             'Inventedborough ' || g % 4 FROM generate_series(1000, 5000) AS g;",
    );
    let run = crm.to_purge();
    crm.purged(&run);
    let certificate = crm.report(&run)["certificate"].clone();
    assert_eq!(certificate["word"], "CLEAN", "{certificate}");
    let more: Vec<Needle> =
        (1000..5000).map(|n| Needle::new(format!("invented.more{n}@example.com"))).collect();
    assert_eq!(found_in(&crm.server.path(""), &more), [""; 0]);
    crm.db.exec("SELECT 1");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_word_of_the_servers_settings_is_named_and_does_not_end_the_purge() {
    // `Australia` stands in the settings that every server begins with.
    let crm = Crm::on(&[], "UPDATE people SET city = 'Australia' WHERE id = 3;");
    let run = crm.to_purge();
    crm.purged(&run);
    let certificate = crm.report(&run)["certificate"].clone();
    assert_eq!(certificate["word"], "PURGED, COPIES REMAIN", "{certificate}");
    let files = certificate["scan_after"]["files"].as_array().unwrap();
    let settings = files.iter().find(|file| file["name"] == "postgresql.conf").unwrap();
    assert!(settings["live"].as_u64().unwrap() > 0, "{settings}");
    assert!(settings["owners"]["postgresql.conf"].as_u64().unwrap() > 0, "{settings}");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn statistics_are_written_anew_when_nobody_sees_the_old_ones_any_more() {
    use std::sync::atomic::{AtomicBool, Ordering};
    // Sessions that come and go: there is never a moment without a snapshot.
    let mut crm = Crm::on(&[], "");
    let run = crm.to_purge();
    let is_over = AtomicBool::new(false);
    let options = crm.db.another();
    let visitor = |pause: u64| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut session = runtime.block_on(options.connect()).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(pause));
        while !is_over.load(Ordering::SeqCst) {
            let look = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class;
                SELECT pg_sleep(1.5); COMMIT";
            runtime.block_on(sqlx::raw_sql(look).execute(&mut session)).unwrap();
        }
        runtime.block_on(session.close()).unwrap();
    };
    let answer = std::thread::scope(|scope| {
        scope.spawn(|| visitor(0));
        scope.spawn(|| visitor(700));
        let answer = crm.desk.run(&["purge", &run, "--confirm", &run]);
        is_over.store(true, Ordering::SeqCst);
        answer
    });
    answer.done();
    crm.db.exec("CHECKPOINT");
    assert_eq!(found_in(&crm.server.path(""), &needles()), [""; 0]);
    assert_eq!(crm.report(&run)["certificate"]["word"], "CLEAN");
}

//! Networks and servers with faults: a run goes on, or ends with 2 and goes on when it is called
//! again; nothing is lost, and nothing is counted twice.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Cluster, Desk, Fault, Postgres, Proxy, plan_and_approve, tokens_open_to};

const POLICY: &str = r#"
[source]
name = "crm"

[[column]]
name  = "people.email"
class = "contact"
token = "keyed"

[[purpose]]
name  = "support_case"
roles = ["support"]
may   = ["detokenize"]
show  = { contact = "plain" }
max_tokens_per_request = 1000
"#;

/// Rows of the table.
const ROWS: u32 = 300;

fn people(rows: u32) -> String {
    format!(
        "CREATE TABLE people (id bigint PRIMARY KEY, email text);
         INSERT INTO people SELECT i, 'person' || i || '@example.com' FROM generate_series(1, {rows}) AS i;"
    )
}

/// Where the vault lies in a test of a network.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Faulty {
    Source,
    Vault,
}

/// A desk whose source, or whose vault, lies behind a network.
struct Setting {
    proxy: Proxy,
    desk: Desk,
    run: String,
    db: Postgres,
    _vault: Option<Postgres>,
}

impl Setting {
    fn of(faulty: Faulty) -> Self {
        let db = Postgres::with(&people(ROWS));
        let (proxy, desk, vault) = match faulty {
            Faulty::Source => {
                let proxy = Proxy::before(&db.url());
                let desk = Desk::over(&proxy.of(&db.url()));
                (proxy, desk, None)
            }
            Faulty::Vault => {
                let vault = Postgres::with("");
                let proxy = Proxy::before(&vault.url());
                let desk = Desk::between(&db.url(), &proxy.of(&vault.url()));
                (proxy, desk, Some(vault))
            }
        };
        desk.write("shop.toml", POLICY);
        let run = plan_and_approve(&desk);
        Self { proxy, desk, run, db, _vault: vault }
    }

    /// Runs until the run is verified; each time that it ends before, it ends with 2 and a hint.
    #[track_caller]
    fn run_to_the_end(&mut self) -> usize {
        for times in 1..20 {
            let answer = self.desk.run(&["run", &self.run]);
            if answer.code == 0 {
                self.is_whole();
                return times;
            }
            answer.fails(2, &[]);
        }
        panic!("it never ends");
    }

    /// Holds that every row was counted once, and that every token opens to what was there.
    #[track_caller]
    fn is_whole(&mut self) {
        is_whole(&self.desk, &self.run, &mut self.db, ROWS);
    }
}

#[track_caller]
fn is_whole(desk: &Desk, run: &str, db: &mut Postgres, rows: u32) {
    let status = desk.json(&["status", run]).done();
    assert_eq!(status.text("phase"), "verified");
    assert_eq!(status.number("/counts/rows"), u64::from(rows), "{status}");
    let tokens = db.column("SELECT email FROM people ORDER BY id");
    let pairs: Vec<_> =
        tokens.into_iter().zip((1..).map(|id| format!("person{id}@example.com"))).collect();
    assert_eq!(pairs.len(), rows as usize);
    tokens_open_to(desk, None, &pairs);
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_source_that_is_cut_off_in_a_statement_is_asked_again() {
    let mut setting = Setting::of(Faulty::Source);
    setting.proxy.set(Fault::CutBefore("UPDATE ONLY", 3));
    assert_eq!(setting.run_to_the_end(), 1, "one call is enough");
    assert_eq!(setting.proxy.left(), 0, "the faults came");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_commit_of_the_source_whose_answer_was_lost_is_counted_once() {
    let mut setting = Setting::of(Faulty::Source);
    setting.desk.run(&["run", &setting.run, "--until", "sealed"]).done();
    setting.proxy.set(Fault::CutAfter("COMMIT", 4));
    setting.run_to_the_end();
    assert_eq!(setting.proxy.left(), 0, "the faults came");
    setting.proxy.set(Fault::CutAfter("COMMIT", 4));
    for _ in 0..10 {
        if setting.desk.run(&["rollback", &setting.run]).code == 0 {
            break;
        }
    }
    let back = setting.db.column("SELECT email FROM people ORDER BY id");
    assert_eq!(back.first().map(String::as_str), Some("person1@example.com"));
    assert!(back.iter().all(|email| email.ends_with("@example.com")), "all are back");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_vault_that_is_cut_off_in_a_statement_is_asked_again() {
    let mut setting = Setting::of(Faulty::Vault);
    setting.proxy.set(Fault::CutBefore("INSERT INTO sealift.", 5));
    setting.run_to_the_end();
    assert_eq!(setting.proxy.left(), 0, "the faults came");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_commit_of_the_vault_whose_answer_was_lost_ends_the_command_and_the_next_goes_on() {
    let mut setting = Setting::of(Faulty::Vault);
    setting.proxy.set(Fault::CutAfter("COMMIT", 6));
    let times = setting.run_to_the_end();
    assert!(times > 1, "what a COMMIT came to is not guessed");
    let lost = setting.desk.said().into_iter().find(|answer| answer.code == 2).unwrap();
    lost.mentions(&["what came of it is not known", "goes on where it stopped"]);
    setting.desk.run(&["ledger", "export", "--output", "ledger"]).done();
    assert_eq!(setting.desk.run(&["ledger", "verify", "ledger"]).code, 0);
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_slow_network_only_takes_longer() {
    for faulty in [Faulty::Source, Faulty::Vault] {
        let mut setting = Setting::of(faulty);
        setting.proxy.set(Fault::Late(Duration::from_millis(3)));
        assert_eq!(setting.run_to_the_end(), 1);
    }
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn an_answer_that_never_comes_is_noticed() {
    for (faulty, statement) in [(Faulty::Source, "COMMIT"), (Faulty::Vault, "INSERT INTO sealift.")]
    {
        let mut setting = Setting::of(faulty);
        if faulty == Faulty::Source {
            setting.desk.run(&["run", &setting.run, "--until", "sealed"]).done();
        }
        setting.proxy.set(Fault::Swallowed(statement, 1));
        let begun = Instant::now();
        setting.run_to_the_end();
        assert_eq!(setting.proxy.left(), 0, "the fault came");
        let took = begun.elapsed();
        assert!(took < Duration::from_mins(1), "noticed after {took:?}");
        assert!(took > Duration::from_secs(4), "nobody is hasty: {took:?}");
    }
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_server_that_lets_nobody_in_ends_the_command_before_anything_is_changed() {
    let setting = Setting::of(Faulty::Source);
    setting.proxy.set(Fault::Refused);
    setting.desk.run(&["run", &setting.run]).fails(2, &["cannot be opened", "check `--source`"]);
    setting.proxy.set(Fault::None);
    setting.desk.run(&["run", &setting.run]).done();
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_server_that_is_stopped_and_comes_back_is_waited_for() {
    let server = Cluster::with(&[]);
    let mut db = Postgres::on(&server.url(), &people(20_000));
    let desk = Desk::between(&db.url(), &db.url());
    desk.write("shop.toml", POLICY);
    let run = plan_and_approve(&desk);
    for (round, until) in ["backed_up", "sealed", "rewritten", "verified"].into_iter().enumerate() {
        let child = begun(&desk, &["run", &run, "--until", until]);
        // Another moment in each pass.
        std::thread::sleep(Duration::from_millis(150 + 100 * round as u64));
        server.stop();
        std::thread::sleep(Duration::from_secs(1));
        server.start();
        let code = ended(child);
        assert!(matches!(code, 0 | 2), "ended with {code}");
        if code == 2 {
            // A COMMIT was under way, or a read that cannot be begun again in its middle.
            desk.run(&["run", &run, "--until", until]).done();
        }
    }
    db.reconnect();
    let status = desk.json(&["status", &run]).done();
    assert_eq!(status.text("phase"), "verified");
    assert_eq!(status.number("/counts/rows"), 20_000);
    assert_eq!(db.value("SELECT count(*)::text FROM people WHERE email LIKE '%@%'"), "0");
    let tokens = db.column("SELECT email FROM people ORDER BY id LIMIT 500");
    let pairs: Vec<_> =
        tokens.into_iter().zip((1..).map(|id| format!("person{id}@example.com"))).collect();
    tokens_open_to(&desk, None, &pairs);
}

fn begun(desk: &Desk, arguments: &[&str]) -> Child {
    let mut command = desk.command(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn ended(mut child: Child) -> i32 {
    child.wait().unwrap().code().unwrap_or(-1)
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn limits_that_the_role_was_given_end_no_session_of_ours() {
    let mut db = Postgres::with(&people(ROWS));
    let role = format!("hasty_{}", db.name());
    db.exec(format!("CREATE ROLE {role} LOGIN SUPERUSER PASSWORD 'invented'"));
    for (setting, value) in [
        ("statement_timeout", "1ms"),
        ("lock_timeout", "1ms"),
        ("idle_in_transaction_session_timeout", "1ms"),
        ("idle_session_timeout", "50ms"),
        ("transaction_timeout", "50ms"),
        ("default_transaction_read_only", "on"),
        ("default_transaction_isolation", "serializable"),
        ("search_path", "nowhere"),
        ("synchronous_commit", "off"),
        ("bytea_output", "escape"),
    ] {
        // Older servers do not know all of them.
        let _ = db.try_exec(format!("ALTER ROLE {role} SET {setting} = '{value}'"));
    }
    let url = db.url_of(&role, "invented");
    let desk = Desk::between(&url, &url);
    desk.write("shop.toml", POLICY);
    let run = plan_and_approve(&desk);
    desk.run(&["run", &run]).done();
    is_whole(&desk, &run, &mut db, ROWS);
    desk.run(&["rollback", &run]).done();
    db.exec(format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_vault_whose_disk_is_full_says_so_and_goes_on_when_there_is_room() {
    // Segments of one megabyte: the write-ahead log itself stays below the limit of the files.
    let server = Cluster::made(&[], &["--wal-segsize", "1"]);
    server.start_with_small_files(3 << 19);
    let mut db = Postgres::with(&people(20_000));
    let vault = Postgres::on(&server.url(), "");
    let desk = Desk::between(&db.url(), &vault.url());
    desk.write("shop.toml", POLICY);
    let run = plan_and_approve(&desk);
    let full =
        desk.run(&["run", &run]).fails(2, &["no space is left where the vault lies", "make room"]);
    assert!(!full.stderr.contains("compare it with a backup"), "{full}");
    assert_eq!(db.value("SELECT count(*)::text FROM people WHERE email LIKE '%@%'"), "20000");
    // A limit is lifted by a start without it: not every root may raise that of a process.
    server.stop();
    server.start();
    desk.run(&["run", &run]).done();
    assert_eq!(db.value("SELECT count(*)::text FROM people WHERE email LIKE '%@%'"), "0");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_row_that_a_check_refuses_once_tokenised_waits_in_quarantine() {
    // The plan tries a thousand rows, and this one is not among them.
    let mut db = Postgres::with(&people(1_500));
    db.exec("ALTER TABLE people ADD CONSTRAINT late CHECK (id <> 1400 OR email LIKE '%@%')");
    let desk = Desk::over(&db.url());
    desk.write("shop.toml", POLICY);
    let run = plan_and_approve(&desk);
    // One more than the budget, which is none.
    let answer = desk.run(&["run", &run]).ends(1);
    answer.mentions(&["quarantine"]);
    assert_eq!(db.value("SELECT email FROM people WHERE id = 1400"), "person1400@example.com");
    let list = desk.run(&["quarantine", "list", &run]);
    list.clone().mentions(&["late"]);
    assert!(!format!("{list}").contains("@example.com"), "{list}");
    db.exec("ALTER TABLE people DROP CONSTRAINT late");
    // The catalog is not the one that was signed any more: the way back is open, the way on is not.
    desk.run(&["run", &run]).fails(3, &["catalog"]);
    desk.run(&["rollback", &run]).done();
    assert_eq!(db.value("SELECT count(*)::text FROM people WHERE email LIKE '%@%'"), "1500");
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_value_beyond_the_limit_is_named_before_the_run_and_kept_out_of_it() {
    let mut db = Postgres::with(&people(10));
    db.exec("UPDATE people SET email = repeat('x', 5000) WHERE id = 4");
    let desk = Desk::over(&db.url());
    desk.write(
        "shop.toml",
        &format!("{POLICY}\n[limits]\nvalue_bytes_max = \"4 KiB\"\nquarantine_max = 1\n"),
    );
    desk.run(&["plan", "--policy", "shop.toml", "--dry-run"])
        .ends(3)
        .mentions(&["people.email", "5000"]);
    db.exec("UPDATE people SET email = 'person4@example.com' WHERE id = 4");
    let run = plan_and_approve(&desk);
    desk.run(&["run", &run, "--until", "backed_up"]).done();
    db.exec("UPDATE people SET email = repeat('x', 5000) WHERE id = 4");
    desk.run(&["run", &run]).ends(1);
    desk.run(&["quarantine", "list", &run]).mentions(&["people", "longer than 4096 bytes"]);
    assert_eq!(db.value("SELECT length(email)::text FROM people WHERE id = 4"), "5000");
    db.exec("UPDATE people SET email = 'person4@example.com' WHERE id = 4");
    desk.run(&["quarantine", "replay", &run]).done();
    desk.run(&["run", &run]).done();
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_token_is_in_the_source_only_after_its_entry_is_in_the_vault() {
    let mut setting = Setting::of(Faulty::Vault);
    setting.desk.run(&["run", &setting.run, "--until", "sealed"]).done();
    // Values that the backup does not know need an entry of their own, which the vault never gets.
    let changed = "UPDATE people SET email = 'person' || id || '@example.com ' WHERE id <= 5";
    setting.db.exec(changed);
    setting.proxy.set(Fault::CutBefore("sealift.entry (", u32::MAX));
    setting.desk.run(&["run", &setting.run]).fails(2, &["goes on where it stopped"]);
    assert!(setting.proxy.left() < u32::MAX, "the fault came");
    let left = "SELECT count(*)::text FROM people WHERE id <= 5 AND email LIKE 'person%'";
    assert_eq!(setting.db.value(left), "5", "no token without an entry");
    setting.db.exec("UPDATE people SET email = 'person' || id || '@example.com' WHERE id <= 5");
    setting.proxy.set(Fault::None);
    setting.run_to_the_end();
}

/// A recorded increment is taken as "its values are in the vault": the two come together or not at all.
#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn an_increment_whose_entries_did_not_come_did_not_come_either() {
    let mut setting = Setting::of(Faulty::Vault);
    setting.desk.run(&["run", &setting.run, "--until", "sealed"]).done();
    setting.db.exec("UPDATE people SET email = 'late' || id || '@example.com' WHERE id <= 5");
    setting.proxy.set(Fault::CutBefore("sealift.entry (", u32::MAX));
    setting.desk.run(&["run", &setting.run]).fails(2, &["goes on where it stopped"]);
    assert!(setting.proxy.left() < u32::MAX, "the fault came");
    setting.proxy.set(Fault::None);
    let answer = setting.desk.json(&["run", &setting.run]).done();
    assert_eq!(answer.text("phase"), "verified", "every token opens: {answer}");
    setting.desk.run(&["rollback", &setting.run]).done();
    let back = "SELECT count(*)::text FROM people WHERE email = 'late' || id || '@example.com'";
    assert_eq!(setting.db.value(back), "5");
}

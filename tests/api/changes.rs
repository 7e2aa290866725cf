//! What changes under a running service: keys, purposes, certificates, the data themselves, its end.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use super::desk::{credential, desk, desk_over, email, requests, token};
use crate::support::{Db, Desk, Postgres, Reply, Server, reply_of};

fn request(carol: &str, purpose: &str, tokens: &[&str]) -> String {
    let body = json!({"purpose": purpose, "reason": "while it changes", "tokens": tokens});
    format!(
        "POST /v1/detokenize HTTP/1.1\r\nhost: s\r\nauthorization: Bearer {carol}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.to_string().len()
    )
}

fn asked(stream: &mut TcpStream, request: &str) -> Reply {
    stream.write_all(request.as_bytes()).unwrap();
    reply_of(stream).expect("the connection stays")
}

/// Asks on one connection, again and again, while something changes; every request is answered.
#[track_caller]
fn answered_throughout(server: &Server, desk: &Desk, change: impl FnOnce()) -> usize {
    let request = request(&credential(desk, "carol"), "support_case", &[&token(desk, "email", 1)]);
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asker = scope.spawn(|| {
            let (mut stream, mut answers) = (server.connect(), 0);
            while !is_done.load(Ordering::Relaxed) {
                let reply = asked(&mut stream, &request);
                assert_eq!(reply.results()[0]["value"], email(1));
                answers += 1;
            }
            answers
        });
        let changed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(change));
        // What changed has to have arrived.
        std::thread::sleep(Duration::from_millis(1_500));
        is_done.store(true, Ordering::Relaxed);
        if let Err(panic) = changed {
            std::panic::resume_unwind(panic);
        }
        asker.join().unwrap()
    })
}

#[test]
fn keys_purposes_and_callers_change_and_no_request_is_dropped() {
    let desk = desk();
    let server = Server::start(&desk);
    let answers = answered_throughout(&server, &desk, || {
        desk.run(&["keys", "rotate", "email"]).done();
        let policy = std::fs::read_to_string(desk.path("people.toml")).unwrap();
        desk.write(
            "more.toml",
            &policy.replace("max_tokens_per_day     = 5", "max_tokens_per_day = 9"),
        );
        desk.run(&["policy", "apply", "--policy", "more.toml"]).done();
        let add = ["caller", "add", "erin", "--role", "support", "--credential-file", "erin.key"];
        desk.run(&add).done();
        desk.run(&["keys", "rewrap"]).done();
    });
    assert!(answers > 0);
    let erin = credential(&desk, "erin");
    server.detokenize(&erin, "support_case", &[&token(&desk, "email", 2)]).results();
    assert!(super::desk::log(&desk).contains("unlocked with the new root key"));
    server.end();

    // Reasons from before, during and after are there still, under the new root key.
    let listed = desk.json_as("dave", &["access", "report", "--requests"]).done();
    let reasons: Vec<_> = listed.objects().into_iter().map(|line| line["reason"].clone()).collect();
    assert!(reasons.len() > answers, "{} of {answers}", reasons.len());
    assert!(reasons.iter().all(serde_json::Value::is_string), "{reasons:?}");
}

#[test]
fn a_root_key_that_cannot_be_unlocked_anew_ends_answers_and_says_so() {
    let desk = desk();
    let words = |words: &str| {
        desk.write("passphrase.txt", words);
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(desk.path("passphrase.txt"), private).unwrap();
    };
    words(crate::support::PASSPHRASE);
    let server = Server::start_with(&desk, &["--passphrase-file", "passphrase.txt"]);
    let carol = credential(&desk, "carol");
    let one = token(&desk, "email", 1);
    server.detokenize(&carol, "support_case", &[&one]).results();

    words("some other words that open nothing at all");
    desk.run(&["keys", "rewrap"]).done();
    let began = Instant::now();
    while server.detokenize(&carol, "support_case", &[&one]).status == 200 {
        assert!(began.elapsed() < Duration::from_secs(5), "it goes on with keys of another root");
    }
    server.detokenize(&carol, "support_case", &[&one]).fails(503, "unavailable");
    assert!(super::desk::log(&desk).contains("start the service again"));
    // The right words bring it back by itself.
    words(crate::support::PASSPHRASE);
    let began = Instant::now();
    while server.detokenize(&carol, "support_case", &[&one]).status != 200 {
        assert!(began.elapsed() < Duration::from_secs(20), "it does not come back");
        std::thread::sleep(Duration::from_millis(200));
    }
    server.end();
}

#[test]
fn who_asked_before_the_end_is_answered_and_who_asks_later_is_not() {
    let desk = desk();
    let server = Server::start(&desk);
    let carol = credential(&desk, "carol");
    let tokens: Vec<String> = (1..=40).map(|n| token(&desk, "email", n)).collect();
    let many: Vec<&str> = tokens.iter().cycle().take(4_800).map(String::as_str).collect();
    let (half, large) =
        (request(&carol, "support_case", &[&tokens[0]]), request(&carol, "support_case", &many));
    // One request is under way by half, of another the answer is not read yet.
    let (mut slow, mut long) = (server.connect(), server.connect());
    slow.write_all(&half.as_bytes()[..half.len() - 10]).unwrap();
    long.write_all(large.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(400));

    server.tell_to_end();
    let began = Instant::now();
    while TcpStream::connect(server.address()).is_ok() {
        assert!(began.elapsed() < Duration::from_secs(5), "it still listens");
        std::thread::sleep(Duration::from_millis(50));
    }
    slow.write_all(&half.as_bytes()[half.len() - 10..]).unwrap();
    assert_eq!(reply_of(&mut slow).unwrap().results()[0]["value"], email(1));
    assert_eq!(reply_of(&mut long).unwrap().results().len(), 4_800);
    drop((slow, long));
    server.end();
    assert_eq!(requests(&desk).len(), 2);
}

const MOVING: &str = r#"
[source]
name = "people"

[[column]]
name   = "people.email"
class  = "contact"
domain = "email"

[[purpose]]
name  = "application"
roles = ["support"]
may   = ["detokenize", "tokenize", "search"]
show  = { contact = "plain", email = "plain" }
pass_originals = true

[[purpose]]
name  = "find"
roles = ["support"]
may   = ["search"]
show  = { contact = "match" }

[approval]
plan  = 0
purge = 0
"#;

/// As `docs/ACCESS.md` has it: reads go through the service before the run, during it and after it,
/// and never show anything but the value.
#[test]
fn an_application_that_moves_over_reads_every_value_before_during_and_after_the_run() {
    const ROWS: u64 = 6_000;
    let desk = Desk::new();
    desk.write("moving.toml", MOVING);
    let mut db = Db::open(&desk.source());
    db.exec("PRAGMA journal_mode = WAL");
    db.exec("CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT)");
    db.exec(format!(
        "INSERT INTO people WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n
         WHERE i < {ROWS}) SELECT i, 'person' || i || '.of.nowhere@example.com' FROM n"
    ));
    // The purpose is in force before the run is even planned.
    desk.run(&["policy", "apply", "--policy", "moving.toml"]).done();
    desk.run(&["plan", "--policy", "moving.toml"]).done();
    let server = Server::start(&desk);
    let carol = credential(&desk, "carol");
    let is_done = AtomicBool::new(false);

    let (passed, opened) = std::thread::scope(|scope| {
        let application = scope.spawn(|| {
            let mut stream = server.connect();
            let (mut passed, mut opened, mut round) = (0_u64, 0_u64, 0);
            loop {
                let is_last = is_done.load(Ordering::Relaxed);
                let ids: Vec<u64> = (0..20).map(|at| (round * 997 + at * 331) % ROWS + 1).collect();
                round += 1;
                let cells: Vec<String> = ids
                    .iter()
                    .map(|id| db.value(format!("SELECT email FROM people WHERE id = {id}")))
                    .collect();
                let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
                let results = asked(&mut stream, &request(&carol, "application", &cells)).results();
                for (id, result) in ids.into_iter().zip(results) {
                    assert_eq!(result["value"], email(id), "{result}");
                    if result["passed"] == true { passed += 1 } else { opened += 1 }
                }
                if is_last {
                    return (passed, opened);
                }
            }
        });
        std::thread::sleep(Duration::from_millis(300));
        let run = desk.run(&["run"]);
        std::thread::sleep(Duration::from_millis(300));
        is_done.store(true, Ordering::Relaxed);
        run.done();
        application.join().unwrap()
    });
    assert!(passed > 0 && opened > 0, "{passed} passed, {opened} opened");

    // Writes tokenize, and are found by their token, as the table for SQL says.
    let new = json!({"purpose": "application", "reason": "r", "domain": "email",
                     "values": ["new@example.com", email(7)]});
    let made = server.post(&carol, "/v1/tokenize", &new).results();
    let mut db = Db::open(&desk.source());
    let insert = made[0]["token"].as_str().unwrap();
    db.exec(format!("INSERT INTO people (email) VALUES ('{insert}')"));
    let mut search = new;
    search["purpose"] = json!("find");
    let there = server.post(&carol, "/v1/search", &search).results();
    let of = |at: usize| there[at]["token"].as_str().unwrap().to_owned();
    let mut id = |token: &str| db.value(format!("SELECT id FROM people WHERE email = '{token}'"));
    assert_eq!(id(&of(0)), (ROWS + 1).to_string());
    assert_eq!(id(&of(1)), "7");
    server.end();
    let report = desk.json_as("dave", &["access", "report"]).done();
    let objects = report.objects();
    let application = objects.iter().find(|object| object["purpose"] == "application").unwrap();
    assert_eq!(application["passed"], passed);
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_leader_that_stands_still_holds_nobody_up_on_postgres() {
    let mut postgres = Postgres::with("");
    let desk = desk_over(&postgres);
    let (leader, other) = (Server::start(&desk), Server::start(&desk));
    let carol = credential(&desk, "carol");
    let one = token(&desk, "email", 1);
    // Whoever leads has said so by bringing something into the tree.
    leader.detokenize(&carol, "support_case", &[&one]).results();
    std::thread::sleep(Duration::from_secs(1));
    leader.signal("STOP");
    other.detokenize(&carol, "support_case", &[&one]).results();

    let began = Instant::now();
    while postgres.value("SELECT count(*)::text FROM sealift.intake") != "0" {
        assert!(began.elapsed() < Duration::from_secs(12), "what it recorded waits");
        std::thread::sleep(Duration::from_millis(100));
    }
    leader.signal("CONT");
    other.detokenize(&carol, "support_case", &[&one]).results();
    other.end();
    leader.end();
    assert_eq!(requests(&desk).len(), 3, "each is one entry, once");
}

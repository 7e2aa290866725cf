//! Nothing is released without its record, and each record is one entry.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::desk::{credential, desk, desk_over, email, requests, token};
use crate::support::{Db, Desk, Postgres, Server, exported};

/// Asks on several connections until told to stop; says under which reasons values came back.
fn load(servers: &[&Server], desk: &Desk, while_it_runs: impl FnOnce()) -> Vec<String> {
    let carol = credential(desk, "carol");
    let tokens: Vec<String> = (1..=8).map(|n| token(desk, "email", n)).collect();
    let (stop, number) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let askers: Vec<_> = (0..8)
            .map(|at| {
                let (server, carol, tokens) = (servers[at % servers.len()], &carol, &tokens);
                let (stop, number) = (&stop, &number);
                scope.spawn(move || {
                    let mut answered = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        let n = number.fetch_add(1, Ordering::Relaxed);
                        let reason = format!("case {n}");
                        let which = usize::try_from(n % 8).unwrap();
                        let body = json!({"purpose": "support_case", "reason": reason,
                                          "tokens": [tokens[which]]});
                        let head = format!(
                            "POST /v1/detokenize HTTP/1.1\r\nhost: s\r\nconnection: close\r\n\
                             authorization: Bearer {carol}\r\ncontent-type: application/json\r\n\
                             content-length: {}\r\n\r\n{body}",
                            body.to_string().len()
                        );
                        let Ok(mut stream) = std::net::TcpStream::connect(server.address()) else {
                            continue;
                        };
                        let _ = std::io::Write::write_all(&mut stream, head.as_bytes());
                        let reply = crate::support::reply_of(&mut stream);
                        if reply.is_some_and(|reply| reply.body.contains(&email(n % 8 + 1))) {
                            answered.push(reason);
                        }
                    }
                    answered
                })
            })
            .collect();
        while_it_runs();
        stop.store(true, Ordering::Relaxed);
        askers.into_iter().flat_map(|asker| asker.join().unwrap()).collect()
    })
}

/// How many requests the ledger has, and that writers' numbers are whole.
fn whole_ledger(desk: &Desk) -> usize {
    let entries = requests(desk);
    let mut numbers: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for entry in &entries {
        let details = &entry["details"];
        if let Some(writer) = details["intake_writer"].as_str() {
            let number = details["intake_number"].as_u64().unwrap();
            numbers.entry(writer.to_owned()).or_default().push(number);
        }
    }
    for (writer, numbers) in numbers {
        let expected: Vec<u64> = (1..=numbers.len() as u64).collect();
        assert_eq!(numbers, expected, "writer {writer} has gaps or doubles");
    }
    let folder = exported(desk);
    let folder = folder.to_str().unwrap();
    desk.run(&["ledger", "verify", folder]).done();
    let all = fs::read_to_string(format!("{folder}/entries.jsonl")).unwrap();
    for finding in ["intake_missing", "intake_altered", "intake_repeated"] {
        assert!(!all.contains(finding), "{finding}");
    }
    entries.len()
}

#[track_caller]
fn killed_under_load(desk: &Desk) {
    let mut answered = Vec::new();
    for round in 0..3 {
        let server = Server::start(desk);
        let pid = server.id();
        let got = load(&[&server], desk, || {
            std::thread::sleep(Duration::from_millis(700 + 200 * round));
            std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
            std::thread::sleep(Duration::from_millis(100));
        });
        assert!(!got.is_empty(), "it answered before it was killed");
        answered.extend(got.into_iter().map(|reason| format!("{reason} of round {round}")));
        drop(server);
    }
    // Whatever opens the vault next brings what is left into the tree.
    desk.run(&["caller", "list"]).done();
    let recorded = whole_ledger(desk);
    assert!(recorded >= answered.len(), "{} answers, {recorded} records", answered.len());
    // The client's own list against the ledger: each answer has the entry with its very reason.
    let listed = desk.json_as("dave", &["access", "report", "--requests"]).done();
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for line in listed.objects() {
        *reasons.entry(line["reason"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    for reason in answered {
        let (words, _) = reason.split_once(" of round").unwrap();
        let left = reasons.get_mut(words).filter(|left| **left > 0);
        *left.unwrap_or_else(|| panic!("no entry for {reason}")) -= 1;
    }
}

#[test]
fn killed_under_load_no_value_was_released_without_its_record() {
    killed_under_load(&desk());
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn killed_under_load_no_value_was_released_without_its_record_on_postgres() {
    let postgres = Postgres::with("");
    killed_under_load(&desk_over(&postgres));
}

#[track_caller]
fn two_servers(desk: &Desk) {
    let log = |name: &str| fs::File::create(desk.path(name)).unwrap();
    let one = Server::start_with_log(desk, &[], log("one.log"));
    let two = Server::start_with_log(desk, &[], log("two.log"));
    let answered = load(&[&one, &two], desk, || {
        std::thread::sleep(Duration::from_secs(2));
        // A third process brings records into the tree at the same time.
        desk.run(&["caller", "list"]).done();
    });
    one.end();
    two.end();
    assert!(!answered.is_empty());
    for name in ["one.log", "two.log"] {
        let told = fs::read_to_string(desk.path(name)).unwrap();
        assert!(!told.contains("not as they were"), "nobody has tampered: {told}");
    }
    assert_eq!(whole_ledger(desk), answered.len(), "each request is one entry, once");
}

#[test]
fn two_servers_and_a_command_integrate_at_once_and_the_log_is_one() {
    two_servers(&desk());
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn two_servers_and_a_command_integrate_at_once_and_the_log_is_one_on_postgres() {
    let postgres = Postgres::with("");
    two_servers(&desk_over(&postgres));
}

/// Requests whose records wait, because nobody has brought them into the tree.
fn recorded_and_killed(desk: &Desk, count: usize) {
    // The integrator of the service is kept away while it records.
    let mut vault = Db::open(&desk.vault());
    vault.exec(
        "CREATE TRIGGER stay BEFORE DELETE ON sealift_intake
         BEGIN SELECT RAISE(ABORT, 'not now'); END",
    );
    let server = Server::start(desk);
    let carol = credential(desk, "carol");
    let one = token(desk, "email", 1);
    for _ in 0..count {
        server.detokenize(&carol, "support_case", &[&one]).results();
    }
    server.kill();
    vault.exec("DROP TRIGGER stay");
}

fn findings(desk: &Desk) -> Vec<(String, u64, u64)> {
    desk.run(&["caller", "list"]).done();
    let entries = fs::read_to_string(exported(desk).join("entries.jsonl")).unwrap();
    entries
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|entry| entry["action"].as_str().unwrap().starts_with("intake_"))
        .map(|entry| {
            let details = &entry["details"];
            let number = |name: &str| details[name].as_u64().unwrap();
            let action = entry["action"].as_str().unwrap().to_owned();
            (action, number("intake_from"), number("intake_through"))
        })
        .collect()
}

#[test]
fn a_deleted_record_leaves_a_gap_that_the_ledger_names() {
    let desk = desk();
    recorded_and_killed(&desk, 8);
    let mut vault = Db::open(&desk.vault());
    let writer = vault
        .value("SELECT writer FROM sealift_intake GROUP BY writer ORDER BY count(*) DESC LIMIT 1");
    vault.exec(format!("DELETE FROM sealift_intake WHERE writer = '{writer}' AND number = 2"));
    drop(vault);

    assert_eq!(findings(&desk), [("intake_missing".to_owned(), 2, 2)]);
}

#[test]
fn an_altered_record_is_named_and_not_believed() {
    let desk = desk();
    recorded_and_killed(&desk, 4);
    let mut vault = Db::open(&desk.vault());
    vault.exec(
        "UPDATE sealift_intake SET body = CAST(replace(CAST(body AS TEXT), 'carol', 'alice') AS BLOB)
         WHERE number = 1",
    );
    drop(vault);

    let named = findings(&desk);
    assert!(named.iter().any(|(action, ..)| action == "intake_altered"), "{named:?}");
    assert!(requests(&desk).iter().all(|entry| entry["actor"] == "carol"));
}

#[test]
fn a_reason_is_kept_sealed_under_its_digest_before_the_value_leaves() {
    let desk = desk();
    let server = Server::start(&desk);
    let carol = credential(&desk, "carol");
    let one = token(&desk, "email", 1);
    server.detokenize(&carol, "support_case", &[&one]).results();
    server.detokenize(&carol, "support_case", &[&one]).results();
    server.kill();
    let mut vault = Db::open(&desk.vault());
    let kept = vault.column("SELECT digest FROM sealift_reason");
    let plain = Sha256::digest(b"case 4711").into_iter().map(|byte| format!("{byte:02x}"));
    assert_ne!(kept, [plain.collect::<String>()], "a digest of the words alone could be guessed");
    drop(vault);
    desk.run(&["caller", "list"]).done();
    let listed = || desk.json_as("dave", &["access", "report", "--requests"]).done().objects();
    assert_eq!(listed()[1]["reason"], "case 4711");
    assert_eq!(listed()[1]["caller"], "carol");
    desk.run_as("carol", &["access", "report", "--requests"]).fails(3, &["access report"]);
    let entries = requests(&desk);
    assert_eq!(entries.len(), 2);
    for entry in entries {
        let hash = entry["details"]["reason_hash"].as_str().unwrap().to_owned();
        assert!(kept.contains(&hash), "the words of each request are kept");
    }
}

#[test]
fn a_reason_that_was_erased_or_exchanged_is_not_shown_and_the_ledger_stands() {
    let desk = desk();
    let ask = |reason: &str| {
        let one = token(&desk, "email", 1);
        let arguments = ["detokenize", "--purpose", "support_case", "--reason", reason, &one];
        desk.run_as("carol", &arguments).done();
    };
    ask("case 1");
    ask("case 2 \u{1b}[2J");
    ask("case 3");
    let digests: Vec<String> = requests(&desk)
        .iter()
        .map(|entry| entry["details"]["reason_hash"].as_str().unwrap().to_owned())
        .collect();
    let mut vault = Db::open(&desk.vault());
    vault.exec(format!("DELETE FROM sealift_reason WHERE digest = '{}'", digests[0]));
    vault.exec(format!(
        "UPDATE sealift_reason SET sealed = (SELECT sealed FROM sealift_reason WHERE digest = '{}')
         WHERE digest = '{}'",
        digests[1], digests[2]
    ));
    drop(vault);

    let listed = desk.json_as("dave", &["access", "report", "--requests"]).done();
    let reasons: Vec<_> = listed.objects().iter().map(|line| line["reason"].clone()).collect();
    assert_eq!(reasons[..3], [json!(null), json!("case 2 \u{1b}[2J"), json!(null)]);
    let text = desk.run_as("dave", &["access", "report", "--requests"]).done();
    assert!(!text.stdout.contains('\u{1b}'), "what moves a cursor is shown, not done: {text}");
    assert_eq!(whole_ledger(&desk), 3);
}

//! The order of a handler: authenticate, decide, record, open, answer. Each of these tests fails when
//! its step is moved.

use std::time::Duration;

use serde_json::json;

use super::desk::{credential, desk, email, requests, token};
use crate::support::{Db, Server};

const NO_RECORDS: &str = "CREATE TRIGGER no_records BEFORE INSERT ON sealift_intake
    BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";

#[test]
fn authenticate_comes_first_before_the_body_and_before_any_decision() {
    let desk = desk();
    let server = Server::start(&desk);
    let stranger = "slc_00000000_0000000000000000000000000000000000000000000000000000";

    // A body that is not even JSON, of a stranger: he is told nothing but that.
    server.post_bytes(stranger, "/v1/detokenize", b"{").fails(401, "unauthenticated");
    server.send("POST", "/v1/detokenize", &[], b"{").fails(401, "unauthenticated");
    let body = json!({"purpose": "nonesuch", "reason": "r", "tokens": ["x"]});
    let reply = server.post(stranger, "/v1/detokenize", &body);
    reply.fails(401, "unauthenticated");
    assert!(reply.says("www-authenticate: bearer"), "{reply:?}");
    // He is told so without having sent his body at all.
    let head = "POST /v1/detokenize HTTP/1.1\r\nhost: s\r\ncontent-type: application/json\r\n\
                content-length: 1000000\r\n\r\n";
    let reply = server.raw(head.as_bytes()).unwrap();
    reply.fails(401, "unauthenticated");
    server.end();
    assert!(requests(&desk).is_empty(), "who is not known is not on the ledger");
}

#[test]
fn decide_comes_before_record_so_that_the_record_says_how_it_went() {
    let desk = desk();
    let server = Server::start(&desk);
    let carol = credential(&desk, "carol");
    server.detokenize(&carol, "campaign", &[&token(&desk, "email", 1)]);
    server.end();

    let entry = requests(&desk).pop().unwrap();
    assert_eq!(entry["action"], "detokenize_refused");
    assert_eq!(entry["details"]["refusal"], "role_not_named");
    assert!(entry["details"].get("token_digests").is_none(), "nothing of what was refused");
}

#[test]
fn record_comes_before_open_so_that_what_cannot_be_recorded_is_not_opened() {
    let desk = desk();
    let mut vault = Db::open(&desk.vault());
    vault.exec(NO_RECORDS);
    let server = Server::start(&desk);
    let carol = credential(&desk, "carol");
    let one = token(&desk, "email", 1);

    for _ in 0..3 {
        let reply = server.detokenize(&carol, "support_case", &[&one]);
        reply.fails(503, "unrecorded");
        assert!(reply.head.contains("retry-after: "), "{reply:?}");
        assert!(!reply.body.contains("nowhere"), "{reply:?}");
    }
    // Refusals are recorded as well, or not told.
    server.detokenize(&carol, "campaign", &[&one]).fails(503, "unrecorded");
    let body = json!({"purpose": "support_case", "reason": "r", "domain": "email",
                      "values": ["unrecorded@example.com"]});
    let before = vault.value("SELECT count(*) FROM sealift_entry");
    server.post(&carol, "/v1/tokenize", &body).fails(503, "unrecorded");
    assert_eq!(vault.value("SELECT count(*) FROM sealift_entry"), before, "nothing was sealed");
    let body = json!({"purpose": "lookup", "reason": "r", "domain": "email", "values": [email(1)]});
    let reply = server.post(&carol, "/v1/search", &body);
    reply.fails(503, "unrecorded");
    assert!(!reply.body.contains(&one), "nothing was found");

    vault.exec("DROP TRIGGER no_records");
    let reply = server.detokenize(&carol, "support_case", &[&one]);
    assert_eq!(reply.results()[0]["value"], email(1), "it goes on when it can");
    server.end();
    // Whatever was tried in vain left no gap that looks like a deleted record.
    desk.run(&["status"]).done();
    assert_eq!(requests(&desk).len(), 1);
}

#[test]
fn what_fails_after_the_record_is_on_the_ledger_for_values_too() {
    let desk = desk();
    let server = Server::start(&desk);
    let carol = credential(&desk, "carol");
    let ask = |path: &str, purpose: &str, domain: &str| {
        let body =
            json!({"purpose": purpose, "reason": "r", "domain": domain, "values": ["a", "b"]});
        server.post(&carol, path, &body)
    };
    // ORDER: record, then touch the vault for the values: also where the domain is none of his.
    ask("/v1/tokenize", "support_case", "diagnosis").fails(403, "domain_denied");
    ask("/v1/search", "lookup", "pan").fails(403, "domain_denied");
    Db::open(&desk.vault()).exec("ALTER TABLE sealift_entry RENAME TO sealift_hidden");
    ask("/v1/tokenize", "support_case", "email").fails(503, "unavailable");
    ask("/v1/search", "lookup", "email").fails(503, "unavailable");
    Db::open(&desk.vault()).exec("ALTER TABLE sealift_hidden RENAME TO sealift_entry");
    server.end();

    let recorded: Vec<(String, String)> = requests(&desk)
        .iter()
        .map(|entry| (entry["action"].to_string(), entry["counts"]["asked"].to_string()))
        .collect();
    let expected = ["tokenize_refused", "search_refused", "tokenize", "search"]
        .map(|action| (format!("\"{action}\""), "2".to_owned()));
    assert_eq!(recorded, expected);
}

#[test]
fn open_comes_after_record_so_that_a_request_that_fails_later_is_on_the_ledger() {
    let desk = desk();
    let server = Server::start(&desk);
    let carol = credential(&desk, "carol");
    let one = token(&desk, "email", 1);
    // Whoever opened before recording would fail here, and record nothing.
    Db::open(&desk.vault()).exec("ALTER TABLE sealift_entry RENAME TO sealift_hidden");

    let reply = server.detokenize(&carol, "support_case", &[&one]);
    reply.fails(503, "unavailable");

    Db::open(&desk.vault()).exec("ALTER TABLE sealift_hidden RENAME TO sealift_entry");
    server.end();
    let entry = requests(&desk).pop().unwrap();
    assert_eq!(entry["action"], "detokenize");
    assert_eq!(entry["counts"]["domain email"], 1);
}

#[test]
fn answer_comes_last_a_value_is_with_the_caller_only_when_its_record_is_durable() {
    let desk = desk();
    let server = Server::start(&desk);
    let carol = credential(&desk, "carol");
    let one = token(&desk, "email", 1);
    let mut vault = Db::open(&desk.vault());

    for _ in 0..5 {
        server.detokenize(&carol, "support_case", &[&one]).results();
        // Seen by another connection, at once: in the intake, or in the tree already.
        let recorded = vault.value(
            "SELECT (SELECT count(*) FROM sealift_intake)
                  + (SELECT count(*) FROM sealift_intake_done)",
        );
        assert_ne!(recorded, "0");
        std::thread::sleep(Duration::from_millis(20));
    }
    server.kill();
    desk.run(&["status"]).done();
    desk.run(&["caller", "list"]).done();
    assert_eq!(requests(&desk).len(), 5);
}

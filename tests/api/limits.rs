//! How much, until when, and for whom.

use std::time::{Duration, Instant};

use super::desk::{credential, desk, desk_over, email, requests, token};
use crate::support::{Db, Desk, Postgres, Server};

#[test]
fn a_request_past_a_limit_is_refused_and_uses_nothing() {
    let desk = desk();
    let server = Server::start(&desk);
    let carol = credential(&desk, "carol");
    let one = token(&desk, "email", 1);
    let ask = |count: usize| server.detokenize(&carol, "few", &vec![one.as_str(); count]);

    ask(4).fails(422, "too_many_tokens");
    assert_eq!(ask(3).results().len(), 3);
    let refused = ask(3);
    refused.fails(429, "rate_limited");
    assert!(refused.head.contains("retry-after: "), "{refused:?}");
    assert_eq!(ask(2).results().len(), 2, "what was refused has used nothing");
    ask(1).fails(429, "rate_limited");
    server.end();

    // A limit outlives the process, and holds for the command line too.
    let arguments = ["detokenize", "--purpose", "few", "--reason", "r", &one];
    desk.run_as("carol", &arguments).fails(3, &["5 tokens a day", "5 were used"]);
    let last = requests(&desk).pop().unwrap();
    assert_eq!(last["details"]["refusal"], "rate_reached");
}

#[test]
fn who_may_not_use_a_purpose_uses_nothing_of_its_limits_and_what_is_past_them_is_not_opened() {
    let desk = desk();
    let server = Server::start(&desk);
    let one = token(&desk, "email", 1);
    let mut vault = Db::open(&desk.vault());

    // ORDER: authorise, then limits: otherwise a stranger to the purpose could use it up.
    for _ in 0..4 {
        let dave = credential(&desk, "dave");
        server.detokenize(&dave, "few", &[&one]).fails(403, "purpose_denied");
        server.detokenize(&dave, "few", &[one.as_str(); 4]).fails(403, "purpose_denied");
    }
    assert_eq!(vault.value("SELECT count(*) FROM sealift_quota"), "0");
    // ORDER: limits, then open: the entries are not even looked for.
    let carol = credential(&desk, "carol");
    vault.exec("ALTER TABLE sealift_entry RENAME TO sealift_hidden");
    server.detokenize(&carol, "few", &[one.as_str(); 4]).fails(422, "too_many_tokens");
    server.detokenize(&carol, "export", &[one.as_str(); 3]).fails(403, "bulk_locked");
    vault.exec("ALTER TABLE sealift_hidden RENAME TO sealift_entry");
    drop(vault);
    server.end();
    // ORDER: limits, then record: the record says what came of them.
    let kinds: Vec<String> = requests(&desk)
        .iter()
        .map(|entry| entry["details"]["refusal"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds[..8], vec!["verb_denied"; 8]);
    assert_eq!(kinds[8..], ["too_many", "bulk_locked"]);
}

#[test]
fn a_clock_that_jumps_gives_no_tokens_back_and_ends_nothing() {
    let desk = desk();
    let server = Server::start(&desk);
    let carol = credential(&desk, "carol");
    let one = token(&desk, "email", 1);
    server.detokenize(&carol, "few", &[one.as_str(); 3]).results();
    // As if what was used had been counted by a clock that was a day ahead.
    let mut vault = Db::open(&desk.vault());
    vault.exec("UPDATE sealift_quota SET began_s = began_s + 86400");
    server.detokenize(&carol, "few", &[one.as_str(); 2]).results();
    server.detokenize(&carol, "few", &[one.as_str()]).fails(429, "rate_limited");
    // As if it had been counted by one that was a day behind: that day is over.
    vault.exec("UPDATE sealift_quota SET began_s = began_s - 2 * 86400");
    server.detokenize(&carol, "few", &[one.as_str(); 3]).results();
    server.end();

    // Records of a writer stay in its order, whatever their times say.
    let numbers: Vec<u64> = requests(&desk)
        .iter()
        .filter(|entry| entry["action"] == "detokenize")
        .map(|entry| entry["details"]["intake_number"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers.len(), 3);
}

#[test]
fn the_last_use_of_a_credential_is_said() {
    let desk = desk();
    let server = Server::start(&desk);
    let began = jiff::Timestamp::now().as_second();
    server.get_as(&credential(&desk, "carol"), "/v1/purposes").json();
    server.end();

    let used = |answer: &crate::support::Answer, name: &str| {
        let objects = answer.objects();
        let caller = objects.iter().find(|object| object["caller"] == name).unwrap();
        let at = caller["used_at"].as_str()?.parse::<jiff::Timestamp>().unwrap();
        Some(at.as_second())
    };
    let listed = desk.json(&["caller", "list"]).done();
    assert!(used(&listed, "carol").unwrap() >= began, "by the service");
    // The command line notes a use once in ten seconds.
    assert!(used(&listed, "alice").unwrap() >= began - 60, "by the command line");
    assert_eq!(used(&listed, "bob"), None, "never");
    desk.run(&["caller", "list"]).done().mentions(&["never used"]);
    // A credential that is void is not used by being presented.
    desk.run(&["caller", "revoke", "dave"]).done();
    let before = used(&desk.json(&["caller", "list"]).done(), "dave");
    desk.run_as("dave", &["caller", "list"]).ends(3);
    assert_eq!(used(&desk.json(&["caller", "list"]).done(), "dave"), before);
}

#[test]
fn a_purpose_is_refused_outside_its_validity_and_for_other_roles() {
    let desk = desk();
    let server = Server::start(&desk);
    let carol = credential(&desk, "carol");
    let one = token(&desk, "email", 1);

    let refusals: Vec<String> = ["ended", "campaign", "nonesuch"]
        .iter()
        .map(|purpose| {
            let reply = server.detokenize(&carol, purpose, &[&one]);
            reply.fails(403, "purpose_denied");
            let message = reply.json()["error"]["message"].as_str().unwrap().to_owned();
            message.replace(purpose, "P")
        })
        .collect();
    assert!(refusals.iter().all(|message| *message == refusals[0]), "{refusals:?}");
    for caller in ["alice", "bob", "dave"] {
        let reply = server.detokenize(&credential(&desk, caller), "support_case", &[&one]);
        reply.fails(403, "purpose_denied");
    }
    server.end();
    let kinds: Vec<String> = requests(&desk)
        .iter()
        .filter_map(|entry| Some(entry["details"]["refusal"].as_str()?.to_owned()))
        .collect();
    let expected = [
        "no_longer_valid",
        "role_not_named",
        "purpose_unknown",
        "role_not_named",
        "verb_denied",
        "verb_denied",
    ];
    assert_eq!(kinds, expected);
}

#[track_caller]
fn revocation_is_honoured_within_a_second(desk: &Desk) {
    let server = Server::start(desk);
    let carol = credential(desk, "carol");
    let one = token(desk, "email", 1);
    assert_eq!(server.detokenize(&carol, "support_case", &[&one]).results()[0]["value"], email(1));

    desk.run(&["caller", "revoke", "carol"]).done();
    let revoked = Instant::now();
    while server.detokenize(&carol, "support_case", &[&one]).status == 200 {
        assert!(revoked.elapsed() < Duration::from_secs(1), "it still answers");
    }
    server.detokenize(&carol, "support_case", &[&one]).fails(401, "unauthenticated");
    server.end();
}

#[test]
fn a_revoked_credential_is_refused_within_a_second() {
    revocation_is_honoured_within_a_second(&desk());
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_revoked_credential_is_refused_within_a_second_on_postgres() {
    let postgres = Postgres::with("");
    revocation_is_honoured_within_a_second(&desk_over(&postgres));
}

#[test]
fn a_credential_ends_when_it_says() {
    let desk = desk();
    let end = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(3);
    let arguments = ["caller", "add", "erin", "--role", "support", "--credential-file", "erin.key"];
    desk.run(&[&arguments[..], &["--expires", &end.to_string()]].concat()).done();
    let server = Server::start(&desk);
    let erin = credential(&desk, "erin");
    let one = token(&desk, "email", 1);

    while jiff::Timestamp::now() < end {
        let reply = server.detokenize(&erin, "support_case", &[&one]);
        assert!(reply.status == 200 || jiff::Timestamp::now() >= end, "{reply:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
    server.detokenize(&erin, "support_case", &[&one]).fails(401, "unauthenticated");
}

#[test]
fn a_large_request_needs_an_unlock_by_a_second_person_which_ends() {
    let desk = desk();
    let server = Server::start(&desk);
    let carol = credential(&desk, "carol");
    let one = token(&desk, "email", 1);
    let ask = |count: usize| server.detokenize(&carol, "export", &vec![one.as_str(); count]);

    assert_eq!(ask(2).results().len(), 2);
    ask(3).fails(403, "bulk_locked");
    let unlock = ["access", "unlock", "carol", "--purpose", "export", "--reason", "case 4711"];
    for caller in ["alice", "carol", "dave"] {
        desk.run_as(caller, &unlock).fails(3, &["access unlock"]);
    }
    desk.run_as("bob", &["access", "unlock", "nobody", "--purpose", "export", "--reason", "r"])
        .fails(2, &["nobody"]);
    desk.run_as("bob", &["access", "unlock", "carol", "--purpose", "none", "--reason", "r"])
        .fails(2, &["none"]);
    desk.run_as("bob", &unlock).done().mentions(&["carol", "until"]);
    let unlocked = Instant::now();
    while ask(3).status != 200 {
        assert!(unlocked.elapsed() < Duration::from_secs(1), "it is not unlocked yet");
    }
    // Whoever can only write the tables cannot make it last, nor give one.
    let mut vault = Db::open(&desk.vault());
    vault.exec("UPDATE sealift_unlock SET until = '2999-01-01T00:00:00Z'");
    vault.exec("UPDATE sealift_grants_version SET version = version + 1");
    let altered = Instant::now();
    while ask(3).status == 200 {
        assert!(altered.elapsed() < Duration::from_secs(1), "an altered row unlocks");
    }
    ask(3).fails(403, "bulk_locked");
}

#[test]
fn a_use_in_an_emergency_is_recorded_as_such_and_named_until_it_is_reviewed() {
    let desk = desk();
    let one = token(&desk, "diagnosis", 1);
    let arguments = ["detokenize", "--purpose", "emergency", "--reason", "r", &one];
    desk.run_as("dave", &["access", "report"]).done();
    assert_eq!(desk.run_as("carol", &arguments).done().stdout, "ailment 1\n");

    assert_eq!(requests(&desk).pop().unwrap()["counts"]["break_glass"], 1);
    desk.run_as("dave", &["access", "report"]).ends(1).mentions(&[
        "1 uses are to be reviewed",
        "`carol` detokenize under `emergency`, 1 asked: “r”",
    ]);
    let review = ["access", "review", "emergency", "--reason", "looked at"];
    for caller in ["alice", "carol"] {
        desk.run_as(caller, &review).fails(3, &["access review"]);
    }
    desk.run_as("dave", &review).done();
    desk.run_as("dave", &["access", "report"]).done();
    desk.run_as("carol", &arguments).done();
    desk.run_as("dave", &["access", "report"]).ends(1);
}

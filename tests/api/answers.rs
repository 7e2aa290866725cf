//! What is answered to those who may ask.

use serde_json::json;

use super::desk::{PEOPLE, credential, desk, email, log, requests, token};
use crate::support::Server;

#[test]
fn one_answer_a_token_in_the_order_asked() {
    let desk = desk();
    let server = Server::start(&desk);
    let carol = credential(&desk, "carol");
    let [email_token, pan, diagnosis] =
        ["email", "pan", "diagnosis"].map(|column| token(&desk, column, 3));

    let asked = [pan.as_str(), diagnosis.as_str(), "no token at all", email_token.as_str()];
    let reply = server.detokenize(&carol, "support_case", &asked);

    assert_eq!(
        reply.results(),
        [
            json!({"token": pan, "value": "***************0003"}),
            json!({"token": diagnosis, "code": "refused"}),
            json!({"token": "no token at all", "code": "refused"}),
            json!({"token": email_token, "value": email(3)}),
        ]
    );
    assert!(reply.says("cache-control: no-store"), "{reply:?}");
    assert!(reply.head.contains("x-request-id: "), "{reply:?}");
    server.end();
    let entries = requests(&desk);
    let entry = entries.last().unwrap();
    assert_eq!(entry["action"], "detokenize");
    assert_eq!(entry["actor"], "carol");
    assert_eq!(entry["purpose"], "support_case");
    assert_eq!(entry["counts"]["asked"], 4);
    assert_eq!(entry["counts"]["domain email"], 1);
    assert_eq!(entry["details"]["token_digests"].as_array().unwrap().len(), 3);
    assert_eq!(entry["details"]["intake_number"], 1);
    for secret in [email(3), email_token, "4000".to_owned(), "case 4711".to_owned(), carol] {
        assert!(!log(&desk).contains(&secret), "the log holds `{secret}`");
        assert!(!entry.to_string().contains(&secret), "the entry holds `{secret}`");
    }
}

#[test]
fn values_get_the_tokens_that_stand_for_them() {
    let desk = desk();
    let server = Server::start(&desk);
    let carol = credential(&desk, "carol");
    let known = token(&desk, "email", 5);

    let body = json!({"purpose": "support_case", "reason": "new", "domain": "email",
                      "values": [email(5), "new@example.com", known]});
    let results = server.post(&carol, "/v1/tokenize", &body).results();

    assert_eq!(results[0]["token"], known.as_str());
    let [new, shaped] = [1, 2].map(|at: usize| results[at]["token"].as_str().unwrap().to_owned());
    assert_ne!(shaped, known, "a token-shaped value is a value like any other");
    let reply = server.detokenize(&carol, "support_case", &[&new, &shaped]);
    assert_eq!(reply.results()[0]["value"], "new@example.com");
    assert_eq!(reply.results()[1]["value"], known.as_str());
    let body = json!({"purpose": "support_case", "reason": "new", "domain": "diagnosis",
                      "values": ["x"]});
    server.post(&carol, "/v1/tokenize", &body).fails(403, "domain_denied");
}

#[test]
fn a_domain_that_the_purpose_does_not_show_is_a_refusal_on_the_ledger_and_in_the_log_once() {
    let desk = desk();
    let server = Server::start(&desk);
    let carol = credential(&desk, "carol");
    let ask = |path: &str, purpose: &str, domain: &str| {
        let body = json!({"purpose": purpose, "reason": "r", "domain": domain, "values": ["x"]});
        server.post(&carol, path, &body).fails(403, "domain_denied");
    };
    ask("/v1/tokenize", "support_case", "diagnosis");
    ask("/v1/search", "lookup", "pan");
    ask("/v1/search", "lookup", "nonesuch");
    server.end();
    let typed = ["tokenize", "--purpose", "support_case", "--reason", "r", "--domain", "diagnosis"];
    desk.tell_as("carol", &typed, "x").fails(3, &["shows no domain `diagnosis` to `tokenize`"]);

    let entries = requests(&desk);
    let actions: Vec<_> = entries.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    let refused = ["tokenize_refused", "search_refused", "search_refused", "tokenize_refused"];
    assert_eq!(actions, refused);
    for entry in &entries {
        assert_eq!(entry["details"]["refusal"], "domain_denied");
        assert_eq!(entry["counts"], json!({"asked": 1}));
    }
    // Each answer is in this log too, with its code.
    let log = log(&desk);
    let told = log.lines().filter(|line| line.contains("refused"));
    assert_eq!(told.filter(|line| line.contains("domain_denied")).count(), 3, "{log}");
    let report = desk.json_as("dave", &["access", "report"]).done().objects();
    let refused = |purpose: &str| {
        let line = report.iter().find(|line| line["purpose"] == purpose && line["requests"] == 2);
        line.map(|line| line["refused"].clone())
    };
    assert_eq!(refused("support_case"), Some(json!(2)));
    assert_eq!(refused("lookup"), Some(json!(2)));
}

#[test]
fn search_says_which_token_stands_for_a_value() {
    let desk = desk();
    let server = Server::start(&desk);
    let carol = credential(&desk, "carol");
    let search = |purpose: &str, domain: &str, values: &[&str]| {
        let body = json!({"purpose": purpose, "reason": "who", "domain": domain, "values": values});
        server.post(&carol, "/v1/search", &body)
    };

    let there = email(7);
    let reply = search("lookup", "email", &[&there, "nobody@example.com"]);
    let refused = json!({"code": "refused"});
    assert_eq!(reply.results(), [json!({"token": token(&desk, "email", 7)}), refused.clone()]);
    let reply = search("lookup", "alias", &["alias 9", "alias 999"]);
    assert_eq!(reply.results(), [json!({"token": token(&desk, "alias", 9)}), refused]);
    search("lookup", "nick", &["nick 9"]).fails(422, "invalid");
    search("lookup", "pan", &["x"]).fails(403, "domain_denied");
    search("support_case", "email", &[&there]).fails(403, "purpose_denied");
}

#[test]
fn originals_pass_where_the_purpose_says_so_and_are_counted() {
    let desk = desk();
    let server = Server::start(&desk);
    let carol = credential(&desk, "carol");
    let known = token(&desk, "email", 2);
    let unknown = "slk001_00000000000000000000000000zz";
    let shouted = known.to_uppercase();

    let asked = [known.as_str(), "still@example.com", unknown, &shouted];
    let results = server.detokenize(&carol, "mixed", &asked).results();
    assert_eq!(results[0]["value"], email(2));
    assert_eq!(results[1]["value"], "still@example.com");
    assert_eq!(results[1]["passed"], true);
    assert_eq!(results[2]["code"], "refused", "nothing echoes what is shaped like a token");
    assert_eq!(results[3]["code"], "refused", "nothing echoes what is shaped like a token");
    let results = server.detokenize(&carol, "support_case", &["still@example.com"]).results();
    assert_eq!(results[0]["code"], "refused", "off by default");
    server.end();
    let entries = requests(&desk);
    assert_eq!(entries[entries.len() - 2]["counts"]["passed"], 1);
    let answer = desk.tell_as(
        "carol",
        &["detokenize", "--purpose", "mixed", "--reason", "r"],
        &format!("{known}\nstill@example.com"),
    );
    assert_eq!(answer.done().stdout, format!("{}\nstill@example.com\n", email(2)));
}

#[test]
fn a_large_answer_is_streamed_and_whole() {
    let desk = desk();
    let server = Server::start(&desk);
    let carol = credential(&desk, "carol");
    let tokens: Vec<String> = (1..=PEOPLE).map(|n| token(&desk, "email", n)).collect();
    let many: Vec<&str> = tokens.iter().cycle().take(4_500).map(String::as_str).collect();

    let reply = server.detokenize(&carol, "support_case", &many);

    assert!(reply.says("transfer-encoding: chunked"), "{}", reply.head);
    let results = reply.results();
    assert_eq!(results.len(), 4_500);
    for (at, result) in results.iter().enumerate() {
        assert_eq!(result["value"], email(at as u64 % PEOPLE + 1));
    }
}

#[test]
fn whoever_asks_sees_the_purposes_of_his_role_and_runs_only_if_he_may() {
    let desk = desk();
    let server = Server::start(&desk);
    let names = |caller: &str| -> Vec<String> {
        let reply = server.get_as(&credential(&desk, caller), "/v1/purposes");
        let purposes = reply.json()["purposes"].as_array().unwrap().clone();
        purposes.iter().map(|purpose| purpose["name"].as_str().unwrap().to_owned()).collect()
    };

    assert_eq!(
        names("carol"),
        ["emergency", "ended", "export", "few", "lookup", "mixed", "support_case"]
    );
    assert_eq!(names("dave").len(), 8);
    let carol = credential(&desk, "carol");
    server.get_as(&carol, "/v1/runs").fails(403, "role_denied");
    let dave = credential(&desk, "dave");
    let runs = server.get_as(&dave, "/v1/runs").json()["runs"].clone();
    assert_eq!(runs[0]["phase"], "verified");
    let run = runs[0]["run"].as_str().unwrap();
    assert_eq!(server.get_as(&dave, &format!("/v1/runs/{run}")).json(), runs[0]);
    server.get_as(&dave, "/v1/runs/ffffffff").fails(404, "unknown_run");
    server.get_as(&dave, "/v1/runs/%ff").fails(404, "unknown_run");
}

#[test]
fn large_values_are_sent_while_they_are_opened_and_are_not_held() {
    const EACH: usize = 400 << 10;
    let desk = desk();
    let server = Server::start(&desk);
    let carol = credential(&desk, "carol");
    let values: Vec<String> = (0..20).map(|n| format!("{n:02}").repeat(EACH / 2)).collect();
    let body = json!({"purpose": "support_case", "reason": "r", "domain": "email",
                      "values": values});
    let made = server.post(&carol, "/v1/tokenize", &body).results();
    let tokens: Vec<&str> = made.iter().map(|result| result["token"].as_str().unwrap()).collect();
    let many: Vec<&str> = tokens.iter().copied().cycle().take(400).collect();
    let before = server.memory_kib();

    // 400 tokens, 160 MB.
    let reply = server.detokenize(&carol, "support_case", &many);

    assert!(reply.says("transfer-encoding: chunked"), "{}", reply.head);
    let results = reply.results();
    assert_eq!(results.len(), many.len());
    for (at, result) in results.iter().enumerate() {
        assert!(result["value"] == values[at % 20].as_str(), "value {at}");
    }
    let held = (server.memory_kib() - before) >> 10;
    assert!(held < 40, "{held} MiB more than before were held for it");
    let one = server.detokenize(&carol, "support_case", &[tokens[3]]).results();
    assert!(one[0]["value"] == values[3].as_str());
}

#[test]
fn the_report_of_a_run_is_the_one_that_the_command_line_gives() {
    let desk = desk();
    let server = Server::start(&desk);
    let dave = credential(&desk, "dave");
    let runs = server.get_as(&dave, "/v1/runs").json();
    let run = runs["runs"][0]["run"].as_str().unwrap().to_owned();
    let path = format!("/v1/runs/{run}/report");

    let reply = server.get_as(&dave, &path);

    assert!(reply.says("content-type: application/json"), "{}", reply.head);
    let typed = desk.run_as("dave", &["--format", "json", "report", &run]).done();
    assert_eq!(reply.json(), serde_json::from_str::<serde_json::Value>(&typed.stdout).unwrap());
    let page = server.send(
        "GET",
        &path,
        &[&format!("authorization: Bearer {dave}"), "accept: text/html"],
        b"",
    );
    assert!(page.says("content-type: text/html; charset=utf-8"), "{}", page.head);
    assert!(page.body.contains(&run));
    server.get_as(&credential(&desk, "carol"), &path).fails(403, "role_denied");
    server.get(&path).fails(401, "unauthenticated");
    server.get_as(&dave, "/v1/runs/ffffffff/report").fails(404, "unknown_run");
    assert!(!reply.body.contains("nowhere"));
}

#[test]
fn it_says_how_it_is_without_a_credential() {
    let desk = desk();
    let server = Server::start(&desk);

    assert_eq!(server.get("/healthz").json(), json!({"status": "ok"}));
    assert_eq!(server.get("/readyz").json(), json!({"status": "ok"}));
    let page = server.get("/");
    assert!(page.says("content-type: text/html; charset=utf-8"), "{page:?}");
    assert!(page.body.contains("/v1/detokenize"), "{page:?}");
    assert_eq!(server.get("/openapi.json").json()["openapi"], "3.1.0");
    server.detokenize(&credential(&desk, "carol"), "support_case", &["x"]);
    let figures = server.get("/metrics").body;
    assert!(figures.contains("sealift_tokens_total{answer=\"refused\"} 1"), "{figures}");
}

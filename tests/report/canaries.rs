//! Canaries: values, credentials and reasons that are looked for in everything that leaves a vault,
//! as they are and in whatever writing a machine might give them.

use std::fs;

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE, Engine as _};
use serde_json::{Value, json};

use crate::support::{
    Db, Desk, Journal, Needle, PASSPHRASE, Server, found_in, originals, plan_and_approve, shop,
};

const CUSTOMERS: u64 = 7;

/// What nobody else would write: an original of the database, one that is only asked about, and words
/// of a reason.
const STORED: &str = "canary.stored+4711@example.com";
const ASKED: &str = "canary.asked-by-mistake@example.com";
const REASON: &str = "canary reason: the neighbour called";

/// A text in every writing in which it might leave: hex, base64 at each of its three places, UTF-16,
/// escaped for an address and for JSON.
fn disguises(secret: &[u8]) -> Vec<Needle> {
    let mut shapes = vec![secret.to_vec()];
    for shift in 0..3 {
        let padded = [vec![b'x'; shift], secret.to_vec()].concat();
        for text in [BASE64_STANDARD.encode(&padded), BASE64_URL_SAFE.encode(&padded)] {
            // The first and the last letters hold bits of what stands beside it.
            let letters = text.trim_end_matches('=').as_bytes();
            let inner = &letters[if shift == 0 { 0 } else { 4 }..letters.len() - 2];
            shapes.push(inner.to_vec());
        }
    }
    let text = String::from_utf8_lossy(secret);
    let wide: Vec<u16> = text.encode_utf16().collect();
    shapes.push(wide.iter().flat_map(|unit| unit.to_le_bytes()).collect());
    shapes.push(wide.iter().flat_map(|unit| unit.to_be_bytes()).collect());
    let escaped = |keep: &dyn Fn(u8) -> bool, upper: bool| -> Vec<u8> {
        secret
            .iter()
            .map(|byte| match (keep(*byte), upper) {
                (true, _) => char::from(*byte).to_string(),
                (false, true) => format!("%{byte:02X}"),
                (false, false) => format!("%{byte:02x}"),
            })
            .collect::<String>()
            .into_bytes()
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    for upper in [true, false] {
        shapes.push(escaped(&plain, upper));
        shapes.push(escaped(&|_| false, upper));
    }
    let numbered: Vec<String> =
        text.chars().map(|letter| format!("\\u{:04x}", u32::from(letter))).collect();
    shapes.push(numbered.concat().into_bytes());
    shapes.into_iter().map(Needle::new).collect()
}

/// The secrets of the desk: credentials as text and as bytes, the recovery code, the passphrase.
fn secrets(desk: &Desk) -> Vec<Needle> {
    let mut all = Vec::new();
    for name in ["alice", "bob", "carol", "dave"] {
        let line = fs::read_to_string(desk.path(&format!("{name}.key"))).unwrap();
        // Behind the id, which is no secret.
        let secret = line.trim().rsplit('_').next().unwrap().to_owned();
        all.extend(disguises(secret.as_bytes()));
        let mut alphabet = data_encoding::Specification::new();
        alphabet.symbols.push_str("0123456789abcdefghjkmnpqrstvwxyz");
        alphabet.check_trailing_bits = false;
        let bytes = alphabet.encoding().unwrap().decode(secret.as_bytes()).unwrap();
        all.extend(disguises(&bytes));
    }
    all.extend(disguises(desk.recovery_code().as_bytes()));
    all.extend(disguises(PASSPHRASE.as_bytes()));
    all
}

/// The credential of somebody who does not exist.
fn stranger() -> String {
    format!("slc_00c0ffee_{}", "canary0".repeat(8).get(..52).unwrap())
}

const NOTIFY: &str = r#"
[[hook]]
name    = "log"
command = ["sh", "-c", "cat >> out/hooks.jsonl; env >> out/hook-environment.txt"]

[[anchor]]
name = "worm"
file = "out/anchored.txt"

[volume]
tokens_per_hour = 1
"#;

/// A run's whole life with canaries in it, each thing that leaves in the folder `out`.
fn everything_that_leaves() -> Desk {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, CUSTOMERS);
    Db::open(&desk.source()).exec(format!("UPDATE customers SET email = '{STORED}' WHERE id = 2"));
    fs::create_dir(desk.path("out")).unwrap();
    desk.write("notify.toml", NOTIFY);
    let told = |who: &str, arguments: &[&str]| {
        desk.run_as(who, &[&["--notify", "notify.toml"], arguments].concat())
    };
    told("alice", &["plan", "--policy", "shop.toml", "--output", "out/plan.html"]).done();
    let run = plan_and_approve(&desk);
    told("alice", &["run", &run]).done();
    let token = Db::reading(&desk.source()).value("SELECT email FROM customers WHERE id = 2");
    served(&desk, &run, &token);
    let asked = ["detokenize", "--purpose", "support_case", "--reason", REASON];
    told("carol", &[&asked[..], &[&token, &token]].concat()).done();
    told("carol", &[&asked[..], &[ASKED]].concat()).ends(3);
    told("bob", &["approve", &run, "--purge"]).done();
    desk.run(&["keys", "slot", "check", "--recovery-file", "recovery.txt"]).done();
    told("alice", &["purge", &run, "--confirm", &run]).done();
    for form in ["html", "json", "csv", "txt"] {
        let (one, all) = (format!("out/run.{form}"), format!("out/period.{form}"));
        told("alice", &["report", &run, "--output", &one, "--issue"]).done();
        told("alice", &["report", "--all", "--output", &all, "--issue"]).done();
    }
    told("alice", &["ledger", "export", "--output", "out/ledger"]).done();
    told("alice", &["ledger", "prove", "--output", "out/proof.json", "1", "2"]);
    for (name, verb) in [
        ("status.json", &["status", "--all"][..]),
        ("access.json", &["access", "report"]),
        ("history.json", &["policy", "history"]),
        ("callers.json", &["caller", "list"]),
        ("keys.json", &["keys", "list"]),
        ("backups.json", &["backup", "list"]),
    ] {
        let answer = desk.json(verb);
        fs::write(desk.path(&format!("out/{name}")), answer.stdout + &answer.stderr).unwrap();
    }
    desk
}

/// What a service answers to who may not see, and what it writes down of it.
fn served(desk: &Desk, run: &str, token: &str) {
    let server = Server::start_with(desk, &[]);
    let carol = fs::read_to_string(desk.path("carol.key")).unwrap().trim().to_owned();
    let mut answers = Vec::new();
    let body = |purpose: &str, token: &str| -> Value {
        json!({"purpose": purpose, "reason": REASON, "tokens": [token]})
    };
    // Permitted once: the answer is the value, and is no part of what must not hold it.
    let opened = server.post(&carol, "/v1/detokenize", &body("support_case", token));
    assert!(opened.body.contains(STORED), "{opened:?}");
    for (credential, purpose, token) in
        [(stranger(), "support_case", token), (carol.clone(), "campaign", token)]
    {
        answers.push(server.post(&credential, "/v1/detokenize", &body(purpose, token)));
    }
    // Whoever asks gets back what was asked about, beside the refusal, and nothing else of it.
    let mut refused = server.post(&carol, "/v1/detokenize", &body("support_case", ASKED));
    let echo = format!("\"token\":\"{ASKED}\"");
    assert_eq!(refused.body.matches(&echo).count(), 1, "{refused:?}");
    refused.body = refused.body.replace(&echo, "");
    answers.push(refused);
    answers.push(server.post_bytes(&carol, "/v1/detokenize", format!("{{{ASKED}").as_bytes()));
    answers.push(server.get(&format!("/v1/{}", ASKED.replace('@', "%40"))));
    answers.push(server.get(&format!("/v1/runs/{run}?{}", stranger())));
    for path in ["/metrics", "/openapi.json", "/healthz", "/readyz"] {
        answers.push(server.get(path));
    }
    let alice = fs::read_to_string(desk.path("alice.key")).unwrap().trim().to_owned();
    answers.push(server.get_as(&alice, &format!("/v1/runs/{run}/report")));
    assert!(answers.last().unwrap().body.contains("sealift/report/"), "{:?}", answers.last());
    server.end();
    let said: Vec<String> =
        answers.iter().map(|answer| format!("{}\n{}\n", answer.head, answer.body)).collect();
    fs::write(desk.path("out/answers.txt"), said.concat()).unwrap();
    fs::copy(desk.path("serve.log"), desk.path("out/serve.log")).unwrap();
}

#[test]
fn no_canary_is_in_anything_that_leaves_in_whatever_writing() {
    let desk = everything_that_leaves();
    let mut needles = secrets(&desk);
    for canary in [STORED, ASKED, REASON, &stranger()[13..]] {
        needles.extend(disguises(canary.as_bytes()));
    }
    for original in originals(CUSTOMERS) {
        needles.push(original);
    }
    let out = desk.path("out");
    for file in ["hooks.jsonl", "anchored.txt", "answers.txt", "serve.log", "period.html"] {
        assert!(fs::metadata(out.join(file)).unwrap().len() > 100, "{file}");
    }
    assert_eq!(found_in(&out, &needles), [""; 0]);
    // And in what was said besides: everything but the answers to who may see.
    for said in desk.said().iter().filter(|said| !said.typed.contains("detokenize")) {
        fs::write(desk.path("said.txt"), format!("{}{}", said.stdout, said.stderr)).unwrap();
        assert_eq!(found_in(&desk.path("said.txt"), &needles), [""; 0], "{}", said.typed);
    }
}

/// The guard: each writing is found where it stands.
#[test]
fn a_canary_is_found_in_every_writing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("leak");
    let needles = disguises(STORED.as_bytes());
    let base64 = |before: &str| BASE64_STANDARD.encode(format!("{before}{STORED} and more"));
    let wide: Vec<u8> = STORED.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let escaped: String = STORED
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'.' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect();
    for leak in [
        STORED.as_bytes().to_vec(),
        data_encoding::HEXUPPER.encode(STORED.as_bytes()).into_bytes(),
        base64("").into_bytes(),
        base64("{\"").into_bytes(),
        base64("\"").into_bytes(),
        wide,
        escaped.into_bytes(),
    ] {
        fs::write(&file, [b"before ".as_slice(), &leak, b" after"].concat()).unwrap();
        assert_ne!(found_in(&file, &needles), [""; 0], "{}", String::from_utf8_lossy(&leak));
    }
}

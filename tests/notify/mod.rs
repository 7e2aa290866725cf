//! Somebody is told: of what goes wrong, of what waits, of a token that nobody may have. And nobody
//! is told a value.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;

use serde_json::Value;

use crate::support::{Answer, Db, Desk, Journal, found_in, originals, plan_and_approve, shop};

const CUSTOMERS: u64 = 4;

/// Everything is appended to a file; checkpoints too.
const NOTIFY: &str = r#"
[[hook]]
name    = "log"
command = ["sh", "-c", "cat >> alerts.jsonl"]

[[anchor]]
name = "worm"
file = "anchored.txt"

[volume]
tokens_per_hour = 5
"#;

fn desk() -> Desk {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, CUSTOMERS);
    desk.write("notify.toml", NOTIFY);
    desk
}

/// Runs a verb, as somebody, with the notify file.
fn run_as(desk: &Desk, who: &str, arguments: &[&str]) -> Answer {
    desk.run_as(who, &[&["--notify", "notify.toml"], arguments].concat())
}

fn told(desk: &Desk) -> Vec<Value> {
    let lines = fs::read_to_string(desk.path("alerts.jsonl")).unwrap_or_default();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn kinds(desk: &Desk) -> Vec<String> {
    told(desk).iter().map(|alert| alert["kind"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_waits_and_what_goes_wrong_is_told_once_and_in_order() {
    let desk = desk();
    run_as(&desk, "alice", &["plan", "--policy", "shop.toml"]).done();
    let run = desk.json(&["status"]).done().text("run");
    assert_eq!(kinds(&desk), ["awaiting_approval"]);

    run_as(&desk, "bob", &["approve", &run]).done();
    run_as(&desk, "alice", &["pause", &run]).done();
    run_as(&desk, "alice", &["resume", &run]).done();
    // Without the file nobody is told; with the next command they are.
    desk.run(&["run", &run]).done();
    assert_eq!(kinds(&desk), ["awaiting_approval", "paused"]);
    run_as(&desk, "alice", &["status"]).done();
    assert_eq!(kinds(&desk), ["awaiting_approval", "paused", "awaiting_approval"]);
    run_as(&desk, "alice", &["status"]).done();
    assert_eq!(told(&desk).len(), 3, "once");

    let last = told(&desk).pop().unwrap();
    assert_eq!(last["run"], run.as_str());
    assert_eq!(last["next"], format!("sealift approve {run} --purge"));
}

/// Somebody else writes to the source and does not end: the rewrite waits, and no batch is done.
#[test]
fn a_run_that_hangs_is_told_of_while_it_hangs() {
    let desk = desk();
    desk.write("notify.toml", &format!("{NOTIFY}\n[behind]\ntimes = 2\nseconds = 0\n"));
    let run = plan_and_approve(&desk);
    desk.run(&["run", &run, "--until", "sealed"]).done();
    run_as(&desk, "alice", &["status"]).done();
    let mut other = Db::open(&desk.source());
    other.exec("BEGIN IMMEDIATE; UPDATE tally SET orders = orders");

    let mut child = desk
        .command(&["--notify", "notify.toml", "run", &run])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let begun = std::time::Instant::now();
    while !kinds(&desk).contains(&"behind_estimate".to_owned()) {
        assert!(begun.elapsed().as_secs() < 40, "nobody was told: {:?}", kinds(&desk));
        assert!(child.try_wait().unwrap().is_none(), "the run did not wait");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let alert = told(&desk).into_iter().find(|it| it["kind"] == "behind_estimate").unwrap();
    assert_eq!(alert["run"], run.as_str());
    assert!(alert["text"].as_str().unwrap().contains("`rewrite`"), "{alert}");
    assert!(alert["text"].as_str().unwrap().contains("so far"), "{alert}");
    assert_eq!(desk.json(&["status", &run]).done().text("phase"), "sealed");

    other.exec("ROLLBACK");
    assert!(child.wait().unwrap().success());
    let so_far =
        told(&desk).into_iter().filter(|it| it["kind"] == "behind_estimate").filter(|it| {
            it["text"].as_str().unwrap().contains("`rewrite` of run")
                && it["text"].as_str().unwrap().contains("so far")
        });
    assert_eq!(so_far.count(), 1, "once");
    desk.run(&["ledger", "export", "--output", "ledger"]).done();
    desk.run(&["ledger", "verify", "ledger"]).done();
}

#[test]
fn checkpoints_are_kept_outside_and_the_ledger_is_held_against_them() {
    let desk = desk();
    run_as(&desk, "alice", &["plan", "--policy", "shop.toml"]).done();
    run_as(&desk, "alice", &["ledger", "heartbeat"]).done();

    let kept = fs::read_to_string(desk.path("anchored.txt")).unwrap();
    let notes: Vec<&str> = kept.split("\n\n").collect();
    assert_eq!(notes.len(), 4, "two notes, each of two parts: {kept}");
    fs::write(desk.path("kept.txt"), format!("{}\n\n{}", notes[2], notes[3])).unwrap();
    desk.run(&["ledger", "export", "--output", "ledger"]).done();
    desk.run(&["ledger", "verify", "ledger", "--since", "kept.txt"]).done();
    let report = desk.run(&["report", "--format", "json"]).done();
    let report: Value = serde_json::from_str(&report.stdout).unwrap();
    assert_eq!(report["header"]["anchors"][0]["place"], "worm");
}

#[test]
fn a_token_that_stands_for_nobody_rings_when_it_is_opened() {
    let desk = desk();
    let run = plan_and_approve(&desk);
    desk.run(&["run", &run]).done();
    let planted = desk.json(&["honeytoken", "plant", "--domain", "email", "--place", "a dump"]);
    let token = planted.done().text("token");
    let real = Db::open(&desk.source()).value("SELECT email FROM customers WHERE id = 3");
    let open = |token: &str| {
        let reason = "--reason=a trial";
        run_as(&desk, "carol", &["detokenize", "--purpose", "support_case", reason, token]).done()
    };

    open(&real);
    assert_eq!(kinds(&desk), [""; 0], "a token that stands for somebody is no alert");
    let opened = open(&token);
    assert!(opened.stdout.contains("@example.invalid"), "it looks like any other: {opened}");

    let alerts = told(&desk);
    assert_eq!(kinds(&desk), ["honeytoken"]);
    assert_eq!(alerts[0]["actor"], "carol");
    let listed = desk.json(&["honeytoken", "list"]).done();
    assert_eq!(listed.objects()[0]["opened_by_entries"][0], alerts[0]["seq"]);
    for _ in 0..5 {
        open(&real);
    }
    assert_eq!(kinds(&desk), ["honeytoken", "volume"], "the sixth and seventh within the hour");
    desk.run(&["verify", &run]).done();
    desk.run(&["vault", "check"]).done();
}

/// Takes one request after the other, answers with these statuses, and hands out what was sent.
fn listening(statuses: &'static [u16]) -> (String, mpsc::Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/alerts", listener.local_addr().unwrap());
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for status in statuses {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(digits) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = digits.trim().parse().unwrap();
                }
                if line == "\r\n" {
                    break;
                }
                head.push_str(&line);
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let answer =
                format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).unwrap();
            sender.send((head, String::from_utf8(body).unwrap())).unwrap();
        }
    });
    (url, receiver)
}

#[test]
fn a_webhook_that_did_not_take_an_alert_gets_it_again() {
    let desk = desk();
    let (url, sent) = listening(&[500, 200]);
    desk.write("header.txt", "Authorization: Bearer an-invented-credential\n");
    desk.write(
        "notify.toml",
        &format!("[[hook]]\nname = \"web\"\nurl = \"{url}\"\nheader_file = \"header.txt\"\n"),
    );

    let answer = run_as(&desk, "alice", &["plan", "--policy", "shop.toml"]).done();
    assert!(answer.stderr.contains("answered 500"), "{answer}");
    assert!(!answer.stderr.contains("an-invented-credential"), "{answer}");
    run_as(&desk, "alice", &["notify"]).done().mentions(&["1 alert told"]);

    let (first, again) = (sent.recv().unwrap(), sent.recv().unwrap());
    assert_eq!(first.1, again.1, "the same alert");
    assert!(again.0.contains("Bearer an-invented-credential"), "{}", again.0);
    assert_eq!(serde_json::from_str::<Value>(&again.1).unwrap()["kind"], "awaiting_approval");
}

#[test]
fn a_notify_file_that_is_not_understood_stops_a_verb_before_it_begins() {
    let desk = desk();
    for (text, words) in [
        ("[[hook]]\nname = \"a\"\nurl = \"ftp://x\"\n", "exactly one"),
        ("[[hook]]\nname = \"a\"\ncolour = 1\n", "line 3"),
        ("", "no hook"),
    ] {
        desk.write("notify.toml", text);
        run_as(&desk, "alice", &["plan", "--policy", "shop.toml"]).fails(2, &[words, "hint:"]);
    }
    fs::remove_file(desk.path("notify.toml")).unwrap();
    run_as(&desk, "alice", &["status"]).fails(2, &["notify.toml", "hint:"]);
    desk.run(&["status", "--all"]).done();
}

/// What is planted must not come out again: originals, the passphrase, credentials, the words of a
/// reason, in no alert, no anchor, no report, no proof, no export.
#[test]
fn nothing_that_leaves_holds_an_original_or_a_secret() {
    let desk = desk();
    let run = plan_and_approve(&desk);
    run_as(&desk, "alice", &["run", &run]).done();
    let token = Db::open(&desk.source()).value("SELECT email FROM customers WHERE id = 3");
    let reason = "--reason=the canary sings in the words of a reason";
    let typed = ["detokenize", "--purpose", "support_case", reason, &token];
    run_as(&desk, "carol", &typed).done();
    run_as(&desk, "alice", &["notify", "--try"]).done();
    desk.run(&["ledger", "export", "--output", "out/ledger"]).done();
    desk.run(&["ledger", "prove", "--run", &run, "--output", "out/proof.json"]).done();
    for form in ["html", "json", "csv", "txt"] {
        desk.run(&["report", &run, "--output", &format!("out/report.{form}")]).done();
    }
    for file in ["alerts.jsonl", "anchored.txt"] {
        fs::copy(desk.path(file), desk.path("out").join(file)).unwrap();
    }

    let mut canaries = originals(CUSTOMERS);
    for secret in ["alice.key", "bob.key", "carol.key", "recovery.txt"] {
        let text = fs::read_to_string(desk.path(secret)).unwrap();
        canaries.push(crate::support::Needle::new(text.trim().as_bytes()));
    }
    canaries.push(crate::support::Needle::new(crate::support::PASSPHRASE.as_bytes()));
    canaries.push(crate::support::Needle::new("the canary sings".as_bytes()));
    assert_eq!(found_in(&desk.path("out"), &canaries), [""; 0]);
}

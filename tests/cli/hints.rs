//! Ways to fail, verb by verb: each names its object, says what to do, and says nothing twice.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::{Answer, Desk, Journal, PASSPHRASE, shop, to_phase};

/// What is set otherwise than the desk has it.
type Otherwise = &'static [(&'static str, &'static str)];

/// Who types what under which settings, how it ends, and what is named.
type Way = (&'static str, &'static str, Otherwise, i32, &'static str);

const ALL: Otherwise = &[];

/// Ways to fail on a desk whose run `RUN` is verified.
const WAYS: &[Way] = &[
    // What is typed.
    ("alice", "frobnicate", ALL, 2, "frobnicate"),
    ("alice", "plan", ALL, 2, "--policy"),
    ("alice", "plan --polcy shop.toml", ALL, 2, "--polcy"),
    ("alice", "--format xml status", ALL, 2, "xml"),
    ("alice", "scan --rows none", ALL, 2, "--rows"),
    ("alice", "purge one two three", ALL, 2, "two"),
    // init
    ("alice", "init --caller zoe --credential-file zoe.key", ALL, 3, "vault"),
    ("alice", "init --caller zoe --credential-file alice.key", NEW, 2, "alice.key"),
    ("alice", "init --caller zoe --credential-file no/zoe.key", NEW, 2, "no/zoe.key"),
    ("alice", "init --caller zoe --role ST! --credential-file z.key", NEW, 2, "ST!"),
    ("alice", "init --caller zoe --credential-file z.key --kdf-passes 1", NEW, 2, "`t`"),
    ("alice", "init --caller zoe --credential-file z.key", EMPTY_NEW, 2, "passphrase"),
    (
        "alice",
        "init --caller zoe --credential-file z.key --recovery-file bob.key",
        NEW,
        2,
        "bob.key",
    ),
    ("alice", "init --caller zoe --credential-file z.key", FTP_VAULT, 2, "ftp"),
    // caller
    ("alice", "caller add zoe --role ST! --credential-file z.key", ALL, 2, "ST!"),
    ("alice", "caller add zoe --role Approver --credential-file z.key", ALL, 2, "approver"),
    ("alice", "caller add bob --role approver --credential-file b2.key", ALL, 3, "bob"),
    ("alice", "caller add zoe --role support --credential-file bob.key", ALL, 2, "bob.key"),
    ("alice", "caller add zoe --role support --credential-file no/z.key", ALL, 2, "no/z.key"),
    ("alice", "caller add z --role s --credential-file z.key --expires soon", ALL, 2, "soon"),
    ("alice", "caller revoke zoe", ALL, 2, "zoe"),
    ("carol", "caller list", ALL, 3, "support"),
    // keys
    ("alice", "keys rotate nothing", ALL, 2, "nothing"),
    ("alice", "keys slot add", ALL, 2, "nothing to add"),
    ("alice", "keys slot add --key-file bob.key", ALL, 2, "bob.key"),
    ("alice", "keys slot add --new-passphrase-file no.txt", ALL, 2, "no.txt"),
    ("alice", "keys slot check", ALL, 2, "nothing to check"),
    ("alice", "keys slot check --recovery-file no.txt", ALL, 2, "no.txt"),
    ("alice", "keys slot check --recovery-file bob.key", ALL, 2, "bob.key"),
    ("alice", "keys slot check --key-file bob.key", ALL, 2, "bob.key"),
    ("alice", "keys slot remove 9", ALL, 2, "slot 9"),
    ("alice", "keys slot remove 1", ALL, 3, "slot"),
    // how the vault is opened
    ("alice", "caller list", &[("SEALIFT_PASSPHRASE", "another")], 2, "passphrase"),
    ("alice", "caller list", &[("SEALIFT_PASSPHRASE", "")], 2, "passphrase"),
    ("alice", "--passphrase-file no.txt caller list", ALL, 2, "no.txt"),
    ("alice", "--passphrase-file plan.html caller list", ALL, 2, "plan.html"),
    ("alice", "--unlock-recovery-file bob.key caller list", ALL, 2, "bob.key"),
    ("alice", "--unlock-key-file no.key caller list", ALL, 2, "no.key"),
    ("alice", "--unlock-key-file a --unlock-recovery-file b caller list", ALL, 2, "two ways"),
    ("nobody", "caller list", ALL, 2, "nobody.key"),
    ("alice", "--as-file shop.toml caller list", ALL, 2, "shop.toml"),
    ("alice", "status", &[("SEALIFT_VAULT", "sqlite:no.db")], 2, "no.db"),
    ("alice", "status", &[("SEALIFT_VAULT", "sqlite:shop.toml")], 2, "shop.toml"),
    ("alice", "status", FTP_VAULT, 2, "ftp"),
    ("alice", "status", &[("SEALIFT_VAULT", "postgres://127.0.0.1:1/none")], 2, "127.0.0.1"),
    // policy and plan
    ("alice", "policy check no.toml", ALL, 2, "no.toml"),
    ("alice", "policy check plan.html", ALL, 2, "plan.html"),
    ("alice", "plan --policy no.toml", ALL, 2, "no.toml"),
    ("alice", "plan --policy shop.toml --output plan.docx", ALL, 2, "plan.docx"),
    ("alice", "plan --policy shop.toml --dry-run --output no/plan.html", ALL, 2, "no/plan.html"),
    ("alice", "plan --policy shop.toml --dry-run --queries no.sql", ALL, 2, "no.sql"),
    ("alice", "plan --policy shop.toml --dry-run --format csv", ALL, 2, "table"),
    ("alice", "plan --policy shop.toml", ALL, 3, "blocked"),
    ("alice", "plan --reissue 00000000", ALL, 2, "00000000"),
    ("bob", "plan --policy shop.toml", ALL, 3, "approver"),
    // scan
    ("alice", "scan", &[("SEALIFT_SOURCE", "sqlite:no.db")], 2, "no.db"),
    ("alice", "scan", &[("SEALIFT_SOURCE", "sqlite:alice.key")], 2, "alice.key"),
    ("alice", "scan", &[("SEALIFT_SOURCE", "sqlite:cut.db")], 2, "cut.db"),
    ("alice", "scan", &[("SEALIFT_SOURCE", "mysql://alice:secret@localhost/crm")], 2, "mysql"),
    ("alice", "scan", &[("SEALIFT_SOURCE", "shop.db")], 2, "shop.db"),
    ("alice", "scan", &[("SEALIFT_SOURCE", "postgres://127.0.0.1:1/none")], 2, "127.0.0.1"),
    ("alice", "scan --table nothing", ALL, 2, "nothing"),
    ("alice", "scan --policy no.toml", ALL, 2, "no.toml"),
    ("alice", "scan --write-policy shop.toml", ALL, 3, "shop.toml"),
    ("alice", "scan --write-policy no/p.toml", ALL, 2, "no/p.toml"),
    // the life of a run
    ("bob", "approve 00000000", ALL, 2, "00000000"),
    ("bob", "approve RUN", ALL, 3, "RUN"),
    ("bob", "approve", ALL, 2, "run RUN is `verified`"),
    ("alice", "approve RUN --purge", ALL, 3, "approve"),
    ("alice", "run 00000000", ALL, 2, "00000000"),
    ("alice", "run RUN --until tomorrow", ALL, 2, "tomorrow"),
    ("alice", "run xyz", ALL, 2, "xyz"),
    ("alice", "verify 00000000", ALL, 2, "00000000"),
    ("alice", "verify RUN", &[("SEALIFT_SOURCE", "sqlite:no.db")], 2, "no.db"),
    ("alice", "verify RUN", &[("SEALIFT_SOURCE", "sqlite:cut.db")], 2, "cut.db"),
    ("alice", "purge RUN", ALL, 3, "RUN"),
    ("alice", "purge RUN --confirm 00000000", ALL, 3, "RUN"),
    ("alice", "purge RUN --confirm RUN", ALL, 3, "RUN"),
    ("bob", "purge RUN --confirm RUN", ALL, 3, "approver"),
    ("carol", "rollback RUN", ALL, 3, "support"),
    ("alice", "rollback 00000000", ALL, 2, "00000000"),
    ("alice", "throttle RUN --rate 0", ALL, 2, "`0` is not a rate"),
    ("alice", "throttle RUN --rate -5", ALL, 2, "`-5` is not a rate"),
    ("alice", "pause 00000000", ALL, 2, "00000000"),
    ("alice", "resume 00000000", ALL, 2, "00000000"),
    ("alice", "status 00000000", ALL, 2, "00000000"),
    ("alice", "quarantine list 00000000", ALL, 2, "00000000"),
    ("alice", "quarantine replay RUN --row ab", ALL, 2, "quarantine"),
    ("alice", "quarantine waive RUN --row ab --reason r", ALL, 2, "quarantine"),
    // values
    ("carol", "detokenize --purpose no --reason r slk0", ALL, 3, "no"),
    (
        "carol",
        "tokenize --purpose support_case --reason r --domain no --values-file shop.toml",
        ALL,
        3,
        "no",
    ),
    (
        "carol",
        "tokenize --purpose no --reason r --domain email --values-file no.txt",
        ALL,
        2,
        "no.txt",
    ),
    (
        "carol",
        "tokenize --purpose p --reason r --domain email secret@example.com",
        ALL,
        2,
        "standard input",
    ),
    // report and ledger
    ("alice", "report 00000000", ALL, 2, "00000000"),
    ("alice", "report RUN --output no/report.html", ALL, 2, "no/report.html"),
    ("alice", "report RUN --close", ALL, 3, "RUN"),
    ("alice", "report --schema --output no/schema.json", ALL, 2, "no/schema.json"),
    ("alice", "ledger verify no", ALL, 2, "no"),
    ("alice", "ledger verify empty", ALL, 2, "entries.jsonl"),
    ("alice", "ledger verify ledger --since no.txt", ALL, 2, "no.txt"),
    ("alice", "ledger export --output shop.toml", ALL, 2, "shop.toml"),
    ("alice", "man --output shop.toml", ALL, 2, "shop.toml"),
    ("alice", "completions tcsh", ALL, 2, "tcsh"),
    ("alice", "demo --keep shop.toml", ALL, 2, "shop.toml"),
];

const NEW: Otherwise = &[("SEALIFT_VAULT", "sqlite:new.db")];
const EMPTY_NEW: Otherwise = &[("SEALIFT_VAULT", "sqlite:new.db"), ("SEALIFT_PASSPHRASE", "")];
const FTP_VAULT: Otherwise = &[("SEALIFT_VAULT", "ftp://alice:secret@example.com/vault.db")];

/// Why an answer is not one that a person can work with.
fn unkind(answer: &Answer, code: i32, names: &str) -> Option<String> {
    let errors: Vec<&str> =
        answer.stderr.lines().filter(|line| line.starts_with("sealift: ")).collect();
    let hints = answer.stderr.lines().filter(|line| line.starts_with("hint: ")).count();
    let parts: Vec<&str> = errors.first().map_or(Vec::new(), |line| line.split(": ").collect());
    let mut seen = BTreeMap::new();
    for part in parts.iter().filter(|part| part.len() > 12) {
        *seen.entry(part.trim()).or_insert(0) += 1;
    }
    if answer.code != code {
        Some(format!("ended with {}, not with {code}", answer.code))
    } else if errors.len() != 1 || hints != 1 {
        Some(format!("{} errors and {hints} hints", errors.len()))
    } else if !answer.stderr.contains(names) {
        Some(format!("does not name `{names}`"))
    } else if let Some((part, _)) = seen.iter().find(|(_, times)| **times > 1) {
        Some(format!("says `{part}` twice"))
    } else if ["a fault of the program", "panicked", "secret@", PASSPHRASE, "os error 2) (os"]
        .iter()
        .any(|word| answer.stderr.contains(word))
    {
        Some("says what nobody should read".to_owned())
    } else {
        None
    }
}

#[test]
fn every_way_to_fail_names_its_object_and_a_remedy() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 12);
    let run = to_phase(&desk, "verified");
    desk.write("plan.html", "<html>\n\n<p>no policy, no passphrase</p>\n</html>\n");
    std::fs::create_dir(desk.path("empty")).unwrap();
    desk.run(&["ledger", "export", "--output", "ledger"]).done();
    let whole = std::fs::read(desk.source()).unwrap();
    std::fs::write(desk.path("cut.db"), &whole[..whole.len() / 2]).unwrap();

    let mut unkindly = Vec::new();
    for (who, typed, otherwise, code, names) in WAYS {
        let typed = typed.replace("RUN", &run);
        let typed: Vec<&str> = typed.split(' ').collect();
        let mut command = desk.command(&typed);
        command.env("SEALIFT_CREDENTIAL_FILE", format!("{who}.key"));
        command.envs(otherwise.iter().copied());
        let answer = desk.finish(command, "");
        if let Some(why) = unkind(&answer, *code, &names.replace("RUN", &run)) {
            unkindly.push(format!("{why}:\n{answer}"));
        }
    }
    assert!(unkindly.is_empty(), "{} unkind answers\n{}", unkindly.len(), unkindly.join("\n"));

    // None of it has moved the run or touched the source.
    assert_eq!(desk.json(&["verify", &run]).done().text("phase"), "verified");
}

/// All sources below a folder.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// What comes after the bracket that is opened at the start of a text.
fn after_bracket(text: &str) -> Option<&str> {
    let mut depth = 0;
    for (at, each) in text.char_indices() {
        match each {
            '(' => depth += 1,
            ')' if depth == 1 => return text.get(at + 1..),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[test]
fn no_verb_fails_without_saying_what_to_do() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli"), &mut files);
    let mut silent = Vec::new();
    for file in files.iter().filter(|file| !file.ends_with("exit.rs")) {
        let text = std::fs::read_to_string(file).unwrap();
        for made in ["Failure::failed", "Failure::refused", "Failure::finding"] {
            for (at, _) in text.match_indices(made) {
                let rest = &text[at + made.len()..];
                let after = after_bracket(rest).filter(|_| rest.starts_with('('));
                // Where a closure makes the failure, whoever calls it says what to do.
                let is_hinted = after.is_some_and(|after| {
                    let after = after.trim_start();
                    after.starts_with(".hint(")
                        || after.trim_start_matches([',', '\n', ' ']).starts_with("))")
                });
                if !is_hinted {
                    let line = text[..at].lines().count();
                    silent.push(format!("{}:{line}", file.display()));
                }
            }
        }
    }
    assert!(silent.is_empty(), "failures without a hint:\n{}", silent.join("\n"));
}

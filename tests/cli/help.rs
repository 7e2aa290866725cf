//! Help, colour, and what a verb says at its end.

use crate::support::{Desk, Journal, shop, to_phase};

#[test]
fn help_opens_with_what_people_type_and_names_every_verb() {
    let help = Desk::bare().run(&["--help"]).done();
    for verb in [
        "init",
        "caller",
        "plan",
        "approve",
        "run",
        "verify",
        "purge",
        "rollback",
        "status",
        "quarantine",
        "detokenize",
        "tokenize",
        "report",
        "ledger",
        "keys",
    ] {
        assert!(help.stdout.contains(verb), "`{verb}` is missing: {help}");
    }
    let example = help.stdout.find("sealift plan").unwrap_or_else(|| panic!("no example: {help}"));
    let options = help.stdout.find("Options:").unwrap_or_else(|| panic!("no options: {help}"));
    assert!(example < options, "examples come first: {help}");
}

/// Every verb that has no verbs below it, as words.
fn verbs(command: &clap::Command, path: &[String], found: &mut Vec<Vec<String>>) {
    let below: Vec<&clap::Command> =
        command.get_subcommands().filter(|verb| verb.get_name() != "help").collect();
    if below.is_empty() {
        found.push(path.to_vec());
    }
    for verb in below {
        verbs(verb, &[path, &[verb.get_name().to_owned()]].concat(), found);
    }
}

#[test]
fn the_help_of_every_verb_opens_with_an_example_of_it() {
    let desk = Desk::bare();
    let mut found = Vec::new();
    verbs(&sealift::cli::command(), &[], &mut found);
    assert!(found.len() > 25, "{found:?}");
    for verb in found {
        let mut typed: Vec<&str> = verb.iter().map(String::as_str).collect();
        typed.push("--help");
        let help = desk.run(&typed).done();
        assert!(help.stdout.starts_with("Examples:\n"), "{help}");
        let head = help.stdout.split("Usage:").next().unwrap_or_default();
        assert!(head.contains(&format!("  sealift {}", verb.join(" "))), "{help}");
    }
}

#[test]
fn the_version_is_printed() {
    let version = Desk::bare().run(&["--version"]).done();

    assert!(version.stdout.contains(env!("CARGO_PKG_VERSION")), "{version}");
}

#[test]
fn what_is_piped_has_no_colour() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 3);
    let mut command = desk.command(&["plan", "--policy", "shop.toml"]);
    command.env("NO_COLOR", "1");
    for answer in [
        desk.finish(command, ""),
        desk.run(&["plan", "--policy", "shop.toml"]),
        desk.run(&["frobnicate"]),
        desk.run(&["--help"]),
    ] {
        assert!(!answer.stdout.contains('\u{1b}') && !answer.stderr.contains('\u{1b}'), "{answer}");
    }
}

#[test]
fn each_step_says_who_does_what_next() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 3);

    let plan = desk.run(&["plan", "--policy", "shop.toml"]).done();
    plan.mentions(&["sealift approve"]);
    let run = desk.json(&["status"]).done().text("run");
    desk.run_as("bob", &["approve", &run]).done().mentions(&["sealift run"]);
    desk.run(&["run", &run]).done().mentions(&["--purge"]);
    let next = desk.run_as("bob", &["approve", &run, "--purge"]).done();
    next.mentions(&["sealift keys slot check"]);
}

/// A life in which every verb has its say; `RUN` stands for the run.
const LIFE: &[(&str, &str)] = &[
    ("alice", "caller add erin --role auditor --credential-file erin.key"),
    ("alice", "caller list"),
    ("alice", "caller revoke erin"),
    ("alice", "policy check shop.toml"),
    ("alice", "scan"),
    ("alice", "scan --write-policy drafted.toml"),
    ("alice", "plan --policy shop.toml --dry-run"),
    ("alice", "plan --policy shop.toml --output plan.html"),
    ("alice", "plan --reissue RUN --output again.html"),
    ("bob", "approve RUN --document plan.html"),
    ("alice", "run RUN --until sealed"),
    ("alice", "pause RUN"),
    ("alice", "resume RUN"),
    ("alice", "run RUN"),
    ("alice", "verify RUN"),
    ("alice", "status"),
    ("alice", "quarantine list RUN"),
    ("alice", "keys list"),
    ("alice", "keys slot add --key-file second.key"),
    ("alice", "keys slot remove 3"),
    ("alice", "keys slot check --recovery-file recovery.txt"),
    ("bob", "approve RUN --purge"),
    ("alice", "purge RUN --confirm RUN"),
    ("alice", "report RUN --output report.html --close"),
    ("alice", "report RUN"),
    ("alice", "ledger checkpoint"),
    ("alice", "ledger export --output ledger"),
    ("alice", "ledger verify ledger"),
    ("alice", "keys rotate email"),
    ("alice", "keys rewrap"),
    ("alice", "status --all"),
    ("alice", "man --output man"),
];

#[test]
fn with_json_every_verb_prints_objects_alone_and_never_colour() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 3);
    let mut run = String::new();
    for (who, typed) in LIFE {
        let typed = typed.replace("RUN", &run);
        let typed: Vec<&str> = typed.split(' ').collect();
        let answer =
            desk.run_as(who, &[&["--format", "json", "--color", "always"], &typed[..]].concat());
        let answer = answer.done();
        assert!(!answer.stdout.contains('\u{1b}'), "{answer}");
        if typed == ["report", &run] {
            // The report is one object in many lines: a document to keep.
            let report: serde_json::Value = serde_json::from_str(&answer.stdout).unwrap();
            assert!(report.is_object());
            continue;
        }
        assert!(typed[0] == "quarantine" || !answer.objects().is_empty(), "{answer}");
        if typed[0] == "plan" && run.is_empty() {
            run = answer.last()["run"].as_str().unwrap_or_default().to_owned();
        }
    }
    desk.json(&["completions", "bash"]).done();
    let schema = desk.json(&["report", "--schema"]).done();
    assert!(serde_json::from_str::<serde_json::Value>(&schema.stdout).is_ok());
}

#[test]
fn colour_comes_where_it_is_asked_for_and_nowhere_else() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 3);
    let run = to_phase(&desk, "verified");
    let colour = |arguments: &[&str], no_color: bool| {
        let mut command = desk.command(arguments);
        if no_color {
            command.env("NO_COLOR", "1");
        }
        let answer = desk.finish(command, "").done();
        answer.stdout.contains('\u{1b}') || answer.stderr.contains('\u{1b}')
    };
    for verb in [&["status"][..], &["scan"], &["verify", &run], &["caller", "list"]] {
        assert!(colour(&[&["--color", "always"], verb].concat(), false), "{verb:?}");
        assert!(!colour(&[&["--color", "never"], verb].concat(), false), "{verb:?}");
        assert!(!colour(verb, true), "{verb:?}");
        assert!(!colour(verb, false), "{verb:?}: not on a terminal");
    }
}

#[test]
fn status_says_how_far_each_table_is() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 30);
    let run = desk.json(&["plan", "--policy", "shop.toml"]).done().text("run");
    desk.run_as("bob", &["approve", &run]).done();
    let of = |name: &str| {
        let last = desk.json(&["status", &run]).done().last();
        let table = last["tables"].as_array().unwrap().iter().find(|t| t["table"] == "customers");
        table.and_then(|table| table[name].as_u64())
    };
    assert_eq!((of("rows"), of("backed_up"), of("sealed")), (Some(30), Some(0), Some(0)));

    desk.run(&["run", &run, "--until", "sealed"]).done();
    assert_eq!((of("backed_up"), of("sealed"), of("rewritten")), (Some(30), Some(30), Some(0)));
    desk.run(&["status"]).done().mentions(&["customers", "sealed 100 %", "rewritten   0 %"]);
    let mut alone = desk.command(&["status"]);
    alone.env_remove("SEALIFT_SOURCE");
    desk.finish(alone, "").done().mentions(&["rewritten     ?", "name it with `--source`"]);

    desk.run(&["run", &run]).done();
    assert_eq!(of("rewritten"), Some(30));
}

#[test]
fn the_run_may_be_left_out_or_cut_short_where_only_one_is_open() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 3);
    let run = desk.json(&["plan", "--policy", "shop.toml"]).done().text("run");
    assert_eq!(run.len(), 8, "eight hexadecimal digits");

    desk.run_as("bob", &["approve"]).done();
    desk.run(&["run", &run[..4]]).done();
    desk.run(&["rollback"]).done();
}

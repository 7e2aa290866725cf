//! The tour goes through, says what it measured, and leaves what it says it leaves.

mod pictures;
mod screen;

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Answer, Db, Desk, Needle, found_in};

/// A tour of few customers whose temporary files lie at this desk.
fn tour(desk: &Desk, columns: &str, more: &[&str]) -> Answer {
    let mut all = vec!["--color", "never"];
    all.extend_from_slice(more);
    if !more.contains(&"--customers") {
        all.extend(["--customers", "300"]);
    }
    let mut command = desk.command(&all);
    command.env("TMPDIR", desk.folder()).env("COLUMNS", columns);
    desk.finish(command, "")
}

/// What a tour measured, as programs read it.
fn measured(desk: &Desk, more: &[&str]) -> Value {
    let mut all = vec!["--format", "json", "demo"];
    all.extend_from_slice(more);
    let said = tour(desk, "80", &all).done();
    assert_eq!(said.stdout.lines().count(), 1, "{}", said.stdout);
    serde_json::from_str(&said.stdout).unwrap()
}

fn folder_of(measured: &Value) -> PathBuf {
    PathBuf::from(measured["folder"].as_str().unwrap())
}

fn folders(desk: &Desk) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(desk.folder()).unwrap();
    entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect()
}

#[test]
fn every_figure_of_the_tour_is_what_its_files_say() {
    let desk = Desk::bare();
    let measured = measured(&desk, &["--seed", "11"]);
    let folder = folder_of(&measured);
    let mut shop = Db::reading(&folder.join("shop.db"));
    for (table, rows) in measured["rows"].as_object().unwrap() {
        assert_eq!(rows.as_i64().unwrap(), shop.number(format!("SELECT count(*) FROM {table}")));
    }
    assert_eq!(measured["customers"], 300);

    let report: Value =
        serde_json::from_slice(&std::fs::read(folder.join("report.json")).unwrap()).unwrap();
    let certificate = &report["certificate"];
    let originals = &measured["originals"];
    assert_eq!(originals["word"], certificate["word"]);
    assert_eq!(certificate["not_covered"], serde_json::json!([]));
    assert_eq!(originals["word"], "CLEAN");
    assert_eq!(originals["statement"], certificate["statement"]);
    let hits = |scan: &Value| scan["residue"].as_u64().unwrap() + scan["live"].as_u64().unwrap();
    assert_eq!(originals["before_at_least"], hits(&certificate["scan_before"]));
    assert_eq!(originals["after"], hits(&certificate["scan_after"]));
    assert_eq!(originals["after"], 0);

    let entries = std::fs::read_to_string(folder.join("ledger/entries.jsonl")).unwrap();
    assert_eq!(measured["ledger"]["entries"], entries.lines().count());
    assert_eq!(measured["ledger"]["python_agrees"], true);

    // What is shown as the row's present state is in the database, and its originals are nowhere.
    for field in measured["row"].as_array().unwrap() {
        let is_there = |state: &str| {
            let needle = Needle::new(field[state].as_str().unwrap().as_bytes().to_vec());
            !found_in(&folder.join("shop.db"), &[needle]).is_empty()
        };
        assert!(is_there("after") && !is_there("before"), "{field}");
    }
    let steps: f64 = measured["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["seconds"].as_f64().unwrap())
        .sum();
    assert!(steps <= measured["seconds"].as_f64().unwrap());
}

#[test]
fn each_sees_what_the_purpose_shows_and_marketing_sees_nothing() {
    let desk = Desk::bare();
    let measured = measured(&desk, &[]);
    let row = measured["row"].as_array().unwrap();
    let names: Vec<_> = row.iter().map(|field| field["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["name", "email", "phone", "card"]);
    let before = |at: usize| row[at]["before"].as_str().unwrap();
    let view = |role: &str| {
        let views = measured["views"].as_array().unwrap();
        views.iter().find(|view| view["role"] == role).unwrap()["seen"].clone()
    };
    let plain: Vec<_> = (0..4).map(before).collect();
    assert_eq!(view("fraud"), serde_json::json!(plain));
    let support = view("support");
    assert_eq!(support[1], before(1));
    let masked = support[0].as_str().unwrap();
    assert!(masked.ends_with("***") && masked.starts_with(before(0).chars().next().unwrap()));
    assert_eq!(support[3], format!("************{}", &before(3)[12..]));
    assert_eq!(view("marketing"), serde_json::json!([null, null, null, null]));
}

#[test]
fn each_command_that_the_screen_ends_with_works_when_it_is_pasted() {
    for columns in ["80", "44"] {
        let desk = Desk::bare();
        let said = tour(&desk, columns, &["demo"]).done().stdout;
        let pasted = commands(&said);
        assert_eq!(pasted.len(), 3, "{said}");
        let shell = |command: &str| {
            // A plain shell in the folder where the tour was typed, without settings of ours.
            let mut shell = Command::new("sh");
            desk.dress(&mut shell).args(["-ec", command]);
            for name in ["VAULT", "SOURCE", "PASSPHRASE", "CREDENTIAL_FILE"] {
                shell.env_remove(format!("SEALIFT_{name}"));
            }
            desk.finish(shell, "")
        };
        let address = said.lines().find(|line| line.trim_start().starts_with("email")).unwrap();
        let address = address.split_whitespace().nth(1).unwrap().to_owned();
        shell(&pasted[0]).done();
        assert_eq!(shell(&pasted[1]).done().stdout.trim(), address);
        shell(&pasted[2]).done().mentions(&["consistent"]);
    }
}

/// The commands under the last heading, their lines put together as a shell does.
fn commands(screen: &str) -> Vec<String> {
    let (_, next) = screen.split_once("What to try next").unwrap();
    let joined = next.replace("\\\n", "");
    let program = env!("CARGO_BIN_EXE_sealift");
    joined.lines().filter(|line| line.trim().starts_with(program)).map(str::to_owned).collect()
}

#[test]
fn nothing_but_a_command_is_wider_than_the_terminal() {
    for columns in ["80", "60", "44", "200"] {
        let desk = Desk::bare();
        let said = tour(&desk, columns, &["demo", "--customers", "40"]).done().stdout;
        let (_, screen) = said.split_once('─').unwrap();
        let width = columns.parse::<usize>().unwrap().min(80);
        for line in screen.lines().skip(1) {
            let is_command = line.contains(desk.folder().to_str().unwrap())
                || line.contains(env!("CARGO_BIN_EXE_sealift"))
                || line.contains("slk");
            let drawn = unicode_width::UnicodeWidthStr::width(line);
            assert!(is_command || drawn <= width, "{columns}: {line}");
        }
    }
}

#[test]
fn the_folder_says_what_is_what_and_nobody_else_may_look_into_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = Desk::bare();
    let measured = measured(&desk, &["--keep", "kept/here"]);
    let folder = desk.path("kept/here");
    assert_eq!(folder_of(&measured), folder);
    assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    let readme = std::fs::read_to_string(folder.join("README.txt")).unwrap();
    for kept in measured["files"].as_array().unwrap() {
        let name = kept["name"].as_str().unwrap();
        assert!(folder.join(name).exists(), "{name}");
    }
    for name in ["report.html", "shop.db", "shop.toml", "vault.db", "recovery.txt", "env.sh"] {
        assert!(folder.join(name).exists() && readme.contains(name), "{name}");
    }
    let mut shell = Command::new("sh");
    let command = ". kept/here/env.sh && sealift status --all && sealift caller list";
    desk.dress(&mut shell).args(["-ec", command]);
    desk.finish(shell, "").done().mentions(&["closed", "carol"]);
}

#[test]
fn a_folder_that_is_there_is_refused_and_left_alone() {
    let desk = Desk::bare();
    desk.write("mine", "not yours");
    std::fs::create_dir(desk.path("there")).unwrap();
    for name in ["mine", "there"] {
        let said = tour(&desk, "80", &["demo", "--keep", name]);
        assert_eq!(said.code, 2, "{}", said.stderr);
        said.mentions(&["is there already", "hint:"]);
    }
    tour(&desk, "80", &["demo", "--keep", "mine/below"]).fails(2, &["cannot be made"]);
    assert_eq!(std::fs::read_to_string(desk.path("mine")).unwrap(), "not yours");
    assert_eq!(std::fs::read_dir(desk.path("there")).unwrap().count(), 0);
}

#[test]
fn a_tour_that_is_stopped_takes_its_folder_back() {
    let desk = Desk::bare();
    let mut command = desk.command(&["demo", "--customers", "200000"]);
    let mut child = command.env("TMPDIR", desk.folder()).spawn().unwrap();
    let begun = Instant::now();
    while folders(&desk).is_empty() {
        assert!(begun.elapsed() < Duration::from_mins(1));
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(300));
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2));
    assert_eq!(folders(&desk), Vec::<PathBuf>::new());
}

#[test]
fn what_the_verbs_say_is_folded_unless_it_is_asked_for() {
    let desk = Desk::bare();
    let quiet = tour(&desk, "80", &["demo", "--customers", "40"]).done();
    assert!(!quiet.stdout.contains("$ sealift"), "{}", quiet.stdout);
    assert_eq!(quiet.stderr, "");
    let said = tour(&desk, "80", &["demo", "--customers", "40", "--verbose"]).done();
    said.mentions(&["alice$ sealift plan", "bob$ sealift approve", "next: an approver"]);
}

//! Reports of real runs, issued by the program.

use std::fs;

use crate::support::{Answer, Desk, Journal, found_in, originals, plan_and_approve, shop};

const CUSTOMERS: u64 = 14;

/// The forms of a report and the ends of their files.
const FORMS: [&str; 4] = ["html", "json", "csv", "txt"];

/// Writes every form of the report into a folder of its own.
fn issued(desk: &Desk, run: &str, into: &str) {
    fs::create_dir_all(desk.path(into)).unwrap();
    for form in FORMS {
        desk.run(&["report", run, "--output", &format!("{into}/report.{form}")]).done();
    }
}

fn text(desk: &Desk, file: &str) -> String {
    fs::read_to_string(desk.path(file)).unwrap()
}

fn parsed(answer: &Answer) -> serde_json::Value {
    serde_json::from_str(&answer.stdout).unwrap()
}

/// A run of the shop, with every form of its report at each step of its life.
fn life() -> (Desk, String) {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, CUSTOMERS);
    let run = plan_and_approve(&desk);
    issued(&desk, &run, "reports/approved");
    desk.run(&["run", &run]).done();
    issued(&desk, &run, "reports/verified");
    desk.run_as("bob", &["approve", &run, "--purge"]).done();
    desk.run(&["keys", "slot", "check", "--recovery-file", "recovery.txt"]).done();
    desk.run(&["purge", &run, "--confirm", &run]).done();
    issued(&desk, &run, "reports/purged");
    desk.run(&["report", &run, "--close"]).done();
    issued(&desk, &run, "reports/closed");
    (desk, run)
}

#[test]
fn no_form_of_a_report_holds_an_original_at_any_time() {
    let (desk, _) = life();

    assert_eq!(found_in(&desk.path("reports"), &originals(CUSTOMERS)), [""; 0]);
}

#[test]
fn an_ending_that_names_no_form_is_refused_before_a_run_is_closed() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 3);
    let run = plan_and_approve(&desk);
    desk.run(&["run", &run]).done();
    desk.run_as("bob", &["approve", &run, "--purge"]).done();
    desk.run(&["keys", "slot", "check", "--recovery-file", "recovery.txt"]).done();
    desk.run(&["purge", &run, "--confirm", &run]).done();

    for file in ["report.docx", "report"] {
        let asked = desk.run(&["report", &run, "--output", file, "--close"]);
        asked.fails(2, &["no report is written as", file, "hint:", ".html"]);
        desk.run(&["report", "--all", "--output", file]).fails(2, &["no report is written as"]);
        assert!(!desk.path(file).exists(), "{file}");
    }

    assert_eq!(desk.json(&["status", &run]).done().text("phase"), "purged");
    desk.run(&["--format", "json", "report", &run, "--output", "report"]).done();
}

#[test]
fn the_same_vault_gives_the_same_bytes() {
    let (desk, run) = life();

    issued(&desk, &run, "again");

    for form in FORMS {
        let (one, two) = (format!("reports/closed/report.{form}"), format!("again/report.{form}"));
        assert!(text(&desk, &one) == text(&desk, &two), "{form}");
    }
}

#[test]
fn a_report_says_whether_its_run_is_finished() {
    let (desk, _) = life();
    let unfinished = ["This run is not finished.", "This run is not closed."];
    for (when, form, finished) in [
        ("approved", "html", false),
        ("verified", "html", false),
        ("purged", "html", false),
        ("closed", "html", true),
        ("approved", "txt", false),
        ("closed", "txt", true),
    ] {
        let report = text(&desk, &format!("reports/{when}/report.{form}"));
        let said = unfinished.iter().any(|words| report.contains(words));
        assert_eq!(said, !finished, "{when}, {form}");
    }
}

#[test]
fn the_cells_of_the_tables_and_of_the_columns_add_up_to_those_of_the_run() {
    let (desk, run) = life();

    let report = parsed(&desk.run(&["report", &run, "--format", "json"]).done());

    let sum = |list: &serde_json::Value, name: &str| -> u64 {
        list.as_array().unwrap().iter().map(|line| line[name].as_u64().unwrap()).sum()
    };
    assert_eq!(report["counts"]["reconciles"], true);
    assert_eq!(sum(&report["coverage"], "cells"), report["counts"]["cells"].as_u64().unwrap());
    for table in report["coverage"].as_array().unwrap() {
        assert_eq!(table["reconciles"], true, "{table}");
        assert!(table["columns_all"].as_u64() >= table["columns_in_scope"].as_u64(), "{table}");
    }
    let opened = report["verification"]["opened"].as_u64().unwrap();
    assert_eq!(sum(&report["scope"]["columns"], "verified"), opened);
    let scan = &report["certificate"]["scan_before"];
    let hits = scan["residue"].as_u64().unwrap() + scan["live"].as_u64().unwrap();
    assert_eq!(sum(&report["certificate"]["places"], "before"), hits, "each hit has its place");
}

#[test]
fn the_work_of_a_run_is_timed() {
    let (desk, run) = life();

    let report = parsed(&desk.run(&["report", &run, "--format", "json"]).done());

    let stages = report["stages"].as_array().unwrap();
    let work: Vec<&str> = stages
        .iter()
        .filter(|stage| stage["kind"] == "work")
        .map(|stage| stage["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        work,
        [
            "back up, control scan",
            "seal",
            "rewrite",
            "verify",
            "verify under the exclusive lock",
            "rewrite the files",
            "scan the files",
            "destroy the backup",
        ]
    );
}

#[test]
fn a_real_report_fits_the_schema() {
    let (desk, run) = life();
    let bare = Desk::bare();

    let schema = parsed(&bare.run(&["report", "--schema"]).done());

    assert!(!bare.vault().exists(), "the schema needs no vault");
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    for when in ["approved", "verified", "purged", "closed"] {
        let report = text(&desk, &format!("reports/{when}/report.json"));
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(&report).map(|error| error.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new(), "{when}");
    }
    let report = desk.run(&["report", &run, "--format", "json"]).done();
    assert_eq!(parsed(&report)["schema"], "sealift/report/2");
}

#[test]
fn a_report_of_a_run_that_was_rolled_back_says_what_was_put_back() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, CUSTOMERS);
    let run = plan_and_approve(&desk);
    desk.run(&["run", &run]).done();
    desk.run(&["rollback", &run]).done();

    issued(&desk, &run, "reports");
    let report = parsed(&desk.run(&["report", &run, "--format", "json"]).done());

    assert_eq!(report["summary"]["verdict"], "ROLLED BACK");
    assert_eq!(report["summary"]["figures"][0]["name"], "values put back");
    assert_eq!(report["summary"]["figures"][0]["number"], report["counts"]["parts"][0]["cells"]);
    assert_eq!(found_in(&desk.path("reports"), &originals(CUSTOMERS)), [""; 0]);
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, CUSTOMERS);
    let run = plan_and_approve(&desk);

    desk.run(&["report", &run, "--output", "nowhere/report.html"])
        .fails(2, &["nowhere/report.html", "hint:"]);
}

//! The report over a period: what it says, and that nobody can change it unnoticed.

use sealift::report::{
    CertificateStatus, GapKind, HandedReport, PeriodReport, ReportFinding, Support, Tone,
};
use serde_json::Value;

use super::compare;
use super::quarter::quarter;
use crate::support::{Desk, Journal, plan_and_approve, shop};

#[test]
fn a_quarter_reads_like_this() {
    let report = PeriodReport::of(&quarter());
    compare("quarter.json", &report.to_json());
    compare("quarter.html", &report.to_html());
    compare("quarter.csv", &report.to_csv());
    compare("quarter.txt", &report.to_text());
}

#[test]
fn equal_evidence_gives_an_equal_quarter() {
    let written = || {
        let report = PeriodReport::of(&quarter());
        [report.to_json(), report.to_html(), report.to_csv(), report.to_text()].concat()
    };
    assert_eq!(written(), written());
}

#[test]
fn the_schema_of_periods_that_is_checked_in_is_the_one_that_is_printed() {
    compare("../../docs/report-period.schema.json", &PeriodReport::json_schema());
}

#[test]
fn a_quarter_fits_its_schema() {
    let schema: Value = serde_json::from_str(&PeriodReport::json_schema()).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let report: Value = serde_json::from_str(&PeriodReport::of(&quarter()).to_json()).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(&report).map(|error| error.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new());
    let mut other = report;
    other["runs"][0]["extra"] = 1.into();
    assert!(!validator.is_valid(&other), "a field that nobody described");
}

#[test]
fn a_quarter_tells_runs_purges_readers_and_gaps_apart() {
    let report = PeriodReport::of(&quarter());
    let states: Vec<(&str, u64)> =
        report.states.iter().map(|state| (state.phase.name(), state.runs)).collect();
    assert_eq!(states, [("planned", 1), ("closed", 1), ("rolled_back", 1)]);
    assert_eq!(report.purges.len(), 1);
    assert_eq!(report.purges[0].status, CertificateStatus::Clean);

    // A column counts by the newest run that stands, and says how many worked on it.
    assert_eq!(report.columns.len(), 3);
    assert!(report.columns.iter().all(|column| column.runs == 3));

    let domain = |name: &str| report.domains.iter().find(|it| it.domain == name).unwrap();
    assert_eq!((domain("email").asked, domain("email").is_never_read), (1_247, false));
    assert_eq!(
        (domain("crm.cards.pan").asked, domain("crm.cards.pan").is_never_read),
        (0, true),
        "it may be read, and nobody did"
    );
    assert!(!domain("crm.patients.sex").is_never_read, "nobody may read it");

    assert_eq!(report.access[0].name, "audit_sample");
    assert_eq!(report.access[0].used.requests, 0);
    assert_eq!((report.access[1].used.requests, report.access[1].used.refused), (2, 1));
    assert_eq!(report.access_beyond[0].name, "winter_campaign");

    let kinds: Vec<GapKind> = report.gaps.iter().map(|gap| gap.kind).collect();
    assert_eq!(
        kinds,
        [
            GapKind::Silence,
            GapKind::Silence,
            GapKind::Silence,
            GapKind::Unanchored,
            GapKind::Unsigned
        ]
    );
    assert_eq!(report.summary.tone, Tone::Warn);

    // One run is not rewritten yet: together they support less than the closed one alone.
    let treated = report.controls.iter().find(|line| line.control == "Art. 32(1)(a)").unwrap();
    assert_eq!((treated.support, treated.supported_by, treated.runs), (Support::Partly, 1, 2));
}

type Spoil = Box<dyn Fn(&mut Value)>;

fn kinds(report: &Value) -> Vec<ReportFinding> {
    let handed = HandedReport::read(report.to_string().as_bytes()).unwrap();
    handed.check(None, None, None).unwrap().findings
}

#[test]
fn a_figure_of_a_quarter_that_was_changed_is_named() {
    let report: Value = serde_json::from_str(&PeriodReport::of(&quarter()).to_json()).unwrap();
    assert_eq!(kinds(&report), []);
    let left_out = |report: &mut Value| {
        let entries = report["proofs"]["entries"].as_array_mut().unwrap();
        entries.retain(|entry| !entry["entry"].as_str().unwrap().contains("mallory"));
    };
    let put = |place: &'static str, value: Value| -> Spoil {
        Box::new(move |report: &mut Value| {
            *report.pointer_mut(place).unwrap_or_else(|| panic!("{place}")) = value.clone();
        })
    };
    let spoils: Vec<(Spoil, &str)> = vec![
        (put("/runs/0/phase", "verified".into()), "runs"),
        (put("/runs/0/parts/0/cells", 9.into()), "runs"),
        (put("/runs/1/restored", 0.into()), "runs"),
        (put("/totals/opened", 1.into()), "totals"),
        (put("/states/0/runs", 2.into()), "totals"),
        (put("/ledger/acts/0/entries", 7.into()), "acts of the period"),
        (put("/ledger/silences", Value::Array(Vec::new())), "acts of the period"),
        (put("/access/1/used/requests", 1.into()), "access"),
        (put("/access_beyond", Value::Array(Vec::new())), "access"),
        (put("/domains/2/asked", 1.into()), "domains"),
        (put("/header/begin", 3.into()), "period"),
        (put("/header/until", "2026-04-01T00:00:00Z".into()), "period"),
        (Box::new(left_out), "entries of the period"),
    ];
    for (spoil, part) in spoils {
        let mut other = report.clone();
        spoil(&mut other);
        let found = kinds(&other);
        let is_named = found.iter().any(
            |finding| matches!(finding, ReportFinding::Differs { part: found } if *found == part),
        );
        assert!(is_named, "{part}: {found:?}");
    }
}

#[test]
fn a_run_that_is_left_out_of_a_quarter_is_noticed_from_the_entries_alone() {
    let mut report: Value = serde_json::from_str(&PeriodReport::of(&quarter()).to_json()).unwrap();
    let run = report["runs"][2].clone();
    report["runs"].as_array_mut().unwrap().pop();
    report["states"].as_array_mut().unwrap().remove(0);
    report["totals"]["runs"] = 2.into();
    for name in ["rows", "cells", "opened"] {
        let less = report["totals"][name].as_u64().unwrap() - run[name].as_u64().unwrap();
        report["totals"][name] = less.into();
    }
    let found = kinds(&report);
    assert!(matches!(found[..], [ReportFinding::LeftOut { .. }]), "{found:?}");
}

/// A page may show one checkpoint and prove its entries by another one, older or of its own.
#[test]
fn a_checkpoint_that_is_shown_has_to_be_the_one_that_signs() {
    let period = PeriodReport::of(&quarter()).to_json();
    let run = sealift::report::Report::of(&super::fixture::closed()).to_json();
    for report in [period, run] {
        let report: Value = serde_json::from_str(&report).unwrap();
        // The run of the fixture has facts that its entries do not: nothing is added to what that gives.
        let known = kinds(&report);
        let expected = [ReportFinding::Differs { part: "checkpoint" }];
        assert!(!known.contains(&expected[0]), "{known:?}");
        let note = report["header"]["checkpoint"]["note"].as_str().unwrap().to_owned();
        for (place, value) in [
            ("/header/checkpoint/note", Value::from(note.replace("5f0d", "5f0e"))),
            ("/header/checkpoint/note", Value::from("")),
            ("/header/checkpoint/size", 1.into()),
            ("/header/checkpoint", Value::Null),
            ("/proofs", Value::Null),
        ] {
            let mut other = report.clone();
            *other.pointer_mut(place).unwrap() = value;
            let mut found = kinds(&other);
            found.retain(|finding| !known.contains(finding));
            assert_eq!(found, expected, "{place}");
            assert!(found[0].to_string().contains("the checkpoint that the report shows"));
        }
    }
}

#[test]
fn a_period_that_is_none_is_refused_with_what_is_wanted() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 3);
    let run = plan_and_approve(&desk);
    desk.run(&["report", "--since", "soon"]).fails(2, &["`--since soon`", "2026-03-31"]);
    desk.run(&["report", "--since", "2026-12-01", "--until", "2026-11-01"])
        .fails(2, &["ends before it begins"]);
    desk.run(&["report", &run, "--until", "2020-01-01"]).fails(2, &["no signed entry"]);
    desk.run(&["report", "--all", &run]).ends(2);
    desk.run(&["report", "--all", "--close"]).ends(2);
    let nothing = desk.json(&["report", "--until", "2020-01-01", "--output", "old.json"]).done();
    assert_eq!(nothing.last()["runs"], 0);
    desk.run(&["report", "verify", "old.json"]).done();
}

/// The report of a past period is not changed by what came later.
#[test]
fn a_period_is_told_as_it_was_when_it_ended() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 3);
    let run = plan_and_approve(&desk);
    let until = jiff::Timestamp::now().to_string();
    let first = desk.run(&["report", "--until", &until, "--format", "json"]).done().stdout;
    desk.run(&["run", &run]).done();
    let again = desk.run(&["report", "--until", &until, "--format", "json"]).done().stdout;
    let parsed = |text: &str| -> Value { serde_json::from_str(text).unwrap() };
    let (first, again) = (parsed(&first), parsed(&again));
    assert_eq!(first["runs"][0]["phase"], "approved");
    for part in ["runs", "totals", "ledger", "approvals", "access", "columns"] {
        assert_eq!(first[part], again[part], "{part}");
    }
}

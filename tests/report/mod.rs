//! What a report promises to whoever reads it.
//!
//! The goldens beside this file are written anew by `SEALIFT_BLESS=1 cargo test --test it report::`;
//! read the difference before you commit it.

use std::path::Path;

use sealift::ledger::Digest;
use sealift::lifecycle::Phase;
use sealift::policy::ColumnName;
use sealift::report::{
    BackupFate, CertificateStatus, ClaimLevel, ClaimState, Evidence, PeriodReport, QuarantineCause,
    QuarantineFact, QuarantineState, Report, RowDigest, StepState, UncoveredCopy,
};

mod browser;
mod canaries;
mod fixture;
mod forged;
mod handed;
mod issued;
mod numbers;
mod period;
mod quarter;
mod recomputed;

use fixture::{closed, counts, planned, rolled_back, scan, with_quarantine, with_residue};
use quarter::quarter;

fn status_of(evidence: &Evidence) -> CertificateStatus {
    Report::of(evidence).certificate.status
}

/// All that a report writes, in every form.
fn written(evidence: &Evidence) -> String {
    let report = Report::of(evidence);
    [report.to_json(), report.to_html(), report.to_csv()].concat()
}

#[track_caller]
fn compare(golden: &str, written: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/report").join(golden);
    if std::env::var_os("SEALIFT_BLESS").is_some() {
        std::fs::write(&path, written).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == written, "{golden} differs; SEALIFT_BLESS=1 writes it anew");
}

#[test]
fn a_closed_run_reads_like_this() {
    let report = Report::of(&closed());
    compare("closed.json", &report.to_json());
    compare("closed.html", &report.to_html());
    compare("closed.csv", &report.to_csv());
}

#[test]
fn a_planned_run_reads_like_this() {
    let report = Report::of(&planned());
    compare("planned.json", &report.to_json());
    compare("planned.html", &report.to_html());
}

#[test]
fn the_schema_that_is_checked_in_is_the_one_that_is_printed() {
    compare("../../docs/report.schema.json", &Report::json_schema());
}

/// The validator is another project's: it knows nothing of the types that the schema came from.
#[test]
fn every_report_fits_its_schema() {
    let schema: serde_json::Value = serde_json::from_str(&Report::json_schema()).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    for evidence in [closed(), planned(), rolled_back(), with_quarantine(), with_residue()] {
        let report: serde_json::Value =
            serde_json::from_str(&Report::of(&evidence).to_json()).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(&report).map(|error| error.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new());
        let mut other = report.clone();
        other["header"]["phase"] = "dreamt".into();
        assert!(!validator.is_valid(&other), "a phase that there is not");
        let mut other = report.clone();
        other["extra"] = 1.into();
        assert!(!validator.is_valid(&other), "a field that nobody described");
    }
}

#[test]
fn every_field_of_a_report_is_described() {
    fn walk(value: &serde_json::Value, at: &str, missing: &mut Vec<String>) {
        let Some(map) = value.as_object() else { return };
        if let Some(properties) = map.get("properties").and_then(|it| it.as_object()) {
            for (name, property) in properties {
                if property.get("description").is_none() {
                    missing.push(format!("{at}/{name}"));
                }
            }
        }
        for (name, value) in map {
            walk(value, &format!("{at}/{name}"), missing);
        }
    }
    let mut missing = Vec::new();
    for schema in [Report::json_schema(), PeriodReport::json_schema()] {
        walk(&serde_json::from_str(&schema).unwrap(), "", &mut missing);
    }
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn equal_evidence_gives_equal_bytes() {
    assert_eq!(written(&closed()), written(&closed()));
}

#[test]
fn clean_is_said_of_a_covered_and_proven_purge() {
    let report = Report::of(&closed());
    assert_eq!(report.certificate.status, CertificateStatus::Clean);
    assert_eq!(report.certificate.not_covered, Vec::<String>::new());
    assert!(report.to_html().contains("CLEAN"));
}

/// Each change takes away one leg that the word stands on.
#[test]
fn clean_is_said_of_nothing_less() {
    type Spoil = fn(&mut Evidence);
    let row = || RowDigest::parse("0badcafe").unwrap();
    let waived = QuarantineFact {
        row: row(),
        cause: QuarantineCause::Check,
        cells: 2,
        state: QuarantineState::Waived { by: "carol".into() },
    };
    let spoils: [(&str, Spoil, CertificateStatus); 15] = [
        ("not purged", |e| e.phase = Phase::PurgeApproved, CertificateStatus::NotPurged),
        ("no purge on record", |e| e.purge = None, CertificateStatus::NotPurged),
        ("no control", |e| e.residue_before = None, CertificateStatus::NotEvidence),
        ("no scan", |e| e.residue_after = None, CertificateStatus::NotEvidence),
        (
            "an empty control",
            |e| e.residue_before = Some(scan(0, 0)),
            CertificateStatus::NotEvidence,
        ),
        ("a hit", |e| e.residue_after = Some(scan(1, 0)), CertificateStatus::Residue),
        ("a live hit", |e| e.residue_after = Some(scan(0, 1)), CertificateStatus::UncoveredCopies),
        (
            "a copy",
            |e| {
                let column = ColumnName::parse("notes.body").unwrap();
                let purge = e.purge.as_mut().unwrap();
                purge.uncovered_copies = vec![UncoveredCopy { column, cells: 4 }];
            },
            CertificateStatus::UncoveredCopies,
        ),
        (
            "something not covered",
            |e| e.purge.as_mut().unwrap().not_covered = vec!["a replica".into()],
            CertificateStatus::Limited,
        ),
        (
            "a backup that is kept",
            |e| e.purge.as_mut().unwrap().backup = BackupFate::KeptUntil("2026-04-01".into()),
            CertificateStatus::Limited,
        ),
        (
            "short values without a proof by structure",
            |e| e.purge.as_mut().unwrap().structure = None,
            CertificateStatus::Limited,
        ),
        (
            "a copy elsewhere that nobody is named for",
            |e| {
                let copy = &mut e.purge.as_mut().unwrap().elsewhere[0];
                (copy.owner, copy.expires) = (None, None);
            },
            CertificateStatus::Limited,
        ),
        (
            "a step that fell short, and values that cannot be searched for",
            |e| e.purge.as_mut().unwrap().steps[2].falls_short = true,
            CertificateStatus::Limited,
        ),
        (
            "a page with remains",
            |e| {
                let facts = e.purge.as_mut().unwrap().structure.as_mut().unwrap();
                facts.pages_with_remains = 1;
            },
            CertificateStatus::Limited,
        ),
        (
            "a mismatch",
            |e| {
                e.verification.insert("mismatches".into(), 1);
            },
            CertificateStatus::Limited,
        ),
    ];
    for (name, spoil, expected) in spoils {
        let mut evidence = closed();
        spoil(&mut evidence);
        assert_eq!(status_of(&evidence), expected, "{name}");
        assert!(!written(&evidence).contains("CLEAN"), "{name}");
    }
    let mut evidence = closed();
    evidence.quarantine = vec![waived];
    assert_eq!(status_of(&evidence), CertificateStatus::Limited, "a waived row");
    assert!(!written(&evidence).contains("CLEAN"), "a waived row");
}

#[test]
fn counts_that_do_not_add_up_are_said_not_to() {
    let mut evidence = closed();
    evidence.counts.insert("cells".into(), 24_001);
    let report = Report::of(&evidence);
    assert_eq!(report.counts.reconciles, Some(false));
    assert_eq!(report.certificate.status, CertificateStatus::Limited);
    assert_eq!(
        report.counts.equation,
        "24001 cells = 23410 tokenized + 512 null + 0 empty + 78 already_token + 0 quarantined + 0 \
         vanished"
    );
    assert_eq!(Report::of(&planned()).counts.reconciles, None);
}

#[test]
fn a_huge_count_cannot_wrap_around_and_fit() {
    let mut evidence = closed();
    evidence.counts = counts(&[("cells", 0), ("tokenized", u64::MAX), ("null", 1)]);
    assert_eq!(Report::of(&evidence).counts.reconciles, Some(false));
}

#[test]
fn a_verification_that_does_not_count_mismatches_has_not_passed() {
    let mut evidence = closed();
    evidence.verification.remove("mismatches");
    assert_eq!(Report::of(&evidence).verification.passed, Some(false));
}

#[test]
fn the_medium_is_never_claimed() {
    for evidence in [closed(), planned()] {
        let report = Report::of(&evidence);
        let media = report.certificate.claims.iter().find(|c| c.level == ClaimLevel::Media);
        assert_eq!(media.map(|claim| claim.state), Some(ClaimState::NotClaimed));
        assert!(report.risks.iter().any(|risk| risk.about == "media"));
    }
}

#[test]
fn whoever_needs_no_approval_is_told_to_the_reader() {
    let mut evidence = closed();
    evidence.policy.approval.plan = 0;
    evidence.policy.approval.purge = 0;
    let report = Report::of(&evidence);
    let about: Vec<&str> = report.risks.iter().map(|risk| risk.about.as_str()).collect();
    assert!(about.starts_with(&["approval of the plan", "approval of the purge"]), "{about:?}");
}

#[test]
fn a_run_that_turned_back_shows_what_it_left_out() {
    let mut evidence = closed();
    evidence.phase = Phase::RolledBack;
    evidence.entries.truncate(5);
    evidence.purge = None;
    let report = Report::of(&evidence);
    let state = |phase: Phase| report.header.steps.iter().find(|s| s.phase == phase).unwrap().state;
    assert_eq!(state(Phase::Rewritten), StepState::Done);
    assert_eq!(state(Phase::Verified), StepState::LeftOut);
    assert_eq!(state(Phase::RolledBack), StepState::Current);
    assert_eq!(report.certificate.status, CertificateStatus::NotPurged);
}

/// Names that try to be something else: markup, an attribute, a formula, another direction.
const TRICKY: [&str; 6] = [
    "<script>alert(1)</script>",
    "x\" onload=\"alert(1)",
    "=HYPERLINK(\"http://example.com\")",
    "</style><img src=x>",
    "a\u{202e}b",
    "line\nbreak,comma",
];

fn with_tricky_names() -> Evidence {
    let mut evidence = closed();
    evidence.source = TRICKY[0].into();
    for (at, name) in TRICKY.into_iter().enumerate() {
        let mut column = evidence.plan.columns[at % 3].clone();
        column.name.table.name = name.into();
        column.class = name.into();
        column.domain = name.into();
        column.declared = name.into();
        evidence.plan.findings[0].object = name.into();
        evidence.plan.columns.push(column);
        let mut entry = evidence.entries[0].clone();
        entry.actor = name.into();
        entry.object = name.into();
        evidence.entries.push(entry);
    }
    evidence
}

#[test]
fn a_name_cannot_become_markup() {
    let html = Report::of(&with_tricky_names()).to_html();
    // The page's own data and its own script come last, and are the only ones.
    let (page, own) = html.split_once("<script type=\"application/json\" id=\"report\">").unwrap();
    for markup in ["<script", "<img", "onload=\"", "\u{202e}"] {
        assert!(!page.contains(markup), "{markup}");
    }
    assert_eq!(own.matches("<script").count(), 1);
    assert_eq!(own.matches("</script>").count(), 2);
    let (data, _) = own.split_once("</script>").unwrap();
    assert!(!data.contains('<'), "no text of the data can end its element");
    assert_eq!(html.matches("</style>").count(), 1);
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
}

#[test]
fn a_name_cannot_become_a_formula() {
    let csv = Report::of(&with_tricky_names()).to_csv();
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(records.len(), 9);
    for field in records.iter().flatten() {
        assert!(!field.starts_with(['=', '+', '-', '@']), "{field}");
    }
}

#[test]
fn a_page_needs_nothing_from_outside() {
    let html = Report::of(&closed()).to_html() + &PeriodReport::of(&quarter()).to_html();
    // `url(#…)` names a pattern of the page itself.
    let html = html.replace("url(#", "");
    for outside in ["http://", "https://", "src=", "@import", "url(", "<link", "fetch(", "import("]
    {
        assert!(!html.contains(outside), "{outside}");
    }
}

#[test]
fn a_page_can_be_read_by_ear() {
    let html = Report::of(&closed()).to_html();
    assert!(html.contains("<html lang=\"en\">"));
    assert_eq!(html.matches("<h1>").count(), 1);
    let tables = html.matches("<table>").count();
    assert!(tables > 8);
    assert_eq!(tables, html.matches("<caption>").count());
    let pictures = html.matches("role=\"img\"").count();
    assert!(pictures > 5, "{pictures}");
    for said in ["<title>", "<desc>"] {
        let of_page = usize::from(said == "<title>");
        assert_eq!(html.matches(said).count(), pictures + of_page, "{said}");
    }
    let mute = html.matches("<svg class=\"swatch\" aria-hidden=\"true\"").count()
        + html.matches("<svg class=\"patterns\" aria-hidden=\"true\"").count();
    assert_eq!(html.matches("<svg").count(), pictures + mute);
    for landmark in ["<header>", "<nav aria-label", "<main id", "<footer>"] {
        assert_eq!(html.matches(landmark).count(), 1, "{landmark}");
    }
    assert!(!html.contains("<th>"), "a heading says what it is the heading of");
}

#[test]
fn every_tag_that_opens_closes() {
    let mut pages = vec![PeriodReport::of(&quarter()).to_html()];
    pages.extend([closed(), planned(), with_tricky_names()].map(|it| Report::of(&it).to_html()));
    for html in pages {
        for tag in
            ["div", "p", "span", "table", "tr", "td", "th", "li", "ol", "ul", "section", "svg"]
        {
            let opened = html.matches(&format!("<{tag}>")).count()
                + html.matches(&format!("<{tag} ")).count();
            assert_eq!(opened, html.matches(&format!("</{tag}>")).count(), "{tag}");
        }
    }
}

/// What a database says about a row may quote it; the report keeps the cause and drops the words.
#[test]
fn a_row_in_quarantine_is_named_by_its_digest_alone() {
    let said = "CHECK constraint failed: alice@example.com";
    let mut evidence = closed();
    evidence.quarantine = vec![QuarantineFact {
        row: RowDigest::parse(&Digest::of(b"row").to_string()).unwrap(),
        cause: QuarantineCause::of(said),
        cells: 1,
        state: QuarantineState::Waiting,
    }];
    assert!(!written(&evidence).contains("alice@example.com"));
    assert_eq!(Report::of(&evidence).counts.quarantine[0].cause, QuarantineCause::Check);
    assert!(RowDigest::parse("alice@example.com").is_err());
}

/// Reads the palettes out of the page, and reckons WCAG's contrast of every text on its ground.
#[test]
fn text_stands_out_from_its_ground() {
    let html = Report::of(&closed()).to_html();
    let pairs = [
        ("ink", "paper"),
        ("ink", "sheet"),
        ("soft", "paper"),
        ("soft", "sheet"),
        ("accent", "paper"),
        ("good", "good-bg"),
        ("warn", "warn-bg"),
        ("bad", "bad-bg"),
        ("quiet", "quiet-bg"),
        ("ink", "good-bg"),
        ("ink", "warn-bg"),
        ("ink", "bad-bg"),
        ("ink", "quiet-bg"),
        ("good", "sheet"),
        ("warn", "sheet"),
        ("quiet", "sheet"),
    ];
    let palettes: Vec<&str> = html.split(":root {").skip(1).collect();
    assert_eq!(palettes.len(), 3, "light, dark, paper");
    for palette in palettes.iter().map(|text| &text[..text.find('}').unwrap()]) {
        for (text, ground) in pairs {
            let (Some(text_at), Some(ground_at)) = (colour(palette, text), colour(palette, ground))
            else {
                panic!("{text} or {ground} is in no palette")
            };
            let (one, two) = (luminance(text_at), luminance(ground_at));
            let contrast = (one.max(two) + 0.05) / (one.min(two) + 0.05);
            assert!(contrast >= 4.5, "{text} on {ground}: {contrast:.2}");
        }
    }
}

fn colour(palette: &str, name: &str) -> Option<[u8; 3]> {
    let from = palette.split(&format!("--{name}: #")).nth(1)?;
    let digits = &from[..from.find(';')?];
    let wide: String = match digits.len() {
        3 => digits.chars().flat_map(|digit| [digit, digit]).collect(),
        _ => digits.to_owned(),
    };
    let at = |from: usize| u8::from_str_radix(&wide[from..from + 2], 16).ok();
    Some([at(0)?, at(2)?, at(4)?])
}

fn luminance(colour: [u8; 3]) -> f64 {
    let [red, green, blue] = colour.map(|part| {
        let part = f64::from(part) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

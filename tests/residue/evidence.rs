//! A zero is evidence only beside an earlier non-zero.

use std::collections::{BTreeMap, BTreeSet};

use sealift::residue::{
    Doubt, Evidence, FileClass, FileReport, Filter, HitCounts, PlaceCounts, ScanReport,
    Unsearchable, Verdict,
};

fn file(class: FileClass, bytes: u64, whole: u64, live: u64) -> FileReport {
    FileReport {
        name: format!("crm.db {class:?}"),
        class,
        bytes,
        sha256: String::new(),
        hits: HitCounts { whole, part: 0, live },
        places: PlaceCounts { live, unknown: whole, ..PlaceCounts::default() },
        by_encoding: BTreeMap::new(),
        by_codec: BTreeMap::new(),
        by_owner: BTreeMap::new(),
        listed: Vec::new(),
    }
}

fn report(files: Vec<FileReport>) -> ScanReport {
    ScanReport {
        config: Filter::config_hash(),
        values_searched: 100,
        values_known: 103,
        not_byte_searchable: Unsearchable { integer: 3, ..Unsearchable::default() },
        files,
        skipped: Vec::new(),
        planted: BTreeSet::new(),
    }
}

fn before() -> ScanReport {
    report(vec![file(FileClass::Database, 4_096, 90, 0), file(FileClass::Wal, 4_096, 50, 0)])
}

#[test]
fn nothing_left_of_what_was_there_is_clean() {
    let after = report(vec![file(FileClass::Database, 4_096, 0, 0)]);
    let verdict = Evidence::weigh(&before(), &after);
    assert_eq!(verdict, Verdict::Clean { not_byte_searchable: 3 });
}

#[test]
fn an_empty_log_counts_as_absent() {
    let empty = [file(FileClass::Database, 4_096, 0, 0), file(FileClass::Journal, 0, 0, 0)];
    assert!(matches!(Evidence::weigh(&before(), &report(empty.into())), Verdict::Clean { .. }));
}

#[test]
fn anything_left_is_residue_and_names_its_file() {
    let after = report(vec![file(FileClass::Database, 4_096, 0, 0), file(FileClass::Wal, 9, 2, 0)]);
    let files = vec!["crm.db Wal".to_owned()];
    assert_eq!(Evidence::weigh(&before(), &after), Verdict::Residue { hits: 2, files });
}

#[test]
fn a_zero_without_an_earlier_hit_is_no_evidence() {
    let zero = report(vec![file(FileClass::Database, 4_096, 0, 0)]);
    let reasons = vec![Doubt::NoControl(FileClass::Database)];
    assert_eq!(Evidence::weigh(&zero, &zero), Verdict::NotEvidence { reasons });
}

#[test]
fn each_class_of_files_needs_its_own_control() {
    let after =
        report(vec![file(FileClass::Database, 4_096, 0, 0), file(FileClass::Journal, 512, 0, 0)]);
    let reasons = vec![Doubt::NoControl(FileClass::Journal)];
    assert_eq!(Evidence::weigh(&before(), &after), Verdict::NotEvidence { reasons });
}

#[test]
fn what_the_scan_planted_is_a_control_where_no_original_ever_was() {
    let mut before = before();
    before.planted.insert(FileClass::ServerLog);
    let log = file(FileClass::ServerLog, 512, 0, 0);
    let after = report(vec![file(FileClass::Database, 4_096, 0, 0), log]);
    assert!(matches!(Evidence::weigh(&before, &after), Verdict::Clean { .. }));
    before.planted.clear();
    assert!(matches!(Evidence::weigh(&before, &after), Verdict::NotEvidence { .. }));
}

#[test]
fn another_scan_is_no_control() {
    let after = report(vec![file(FileClass::Database, 4_096, 0, 0)]);
    let mut other = before();
    other.config = "another".to_owned();
    other.values_known = 102;
    let reasons = vec![Doubt::OtherConfig, Doubt::OtherValues];
    assert_eq!(Evidence::weigh(&other, &after), Verdict::NotEvidence { reasons });
}

#[test]
fn a_control_that_looked_for_a_part_of_the_values_is_one_and_one_that_looked_for_more_is_none() {
    let after = report(vec![file(FileClass::Database, 4_096, 0, 0)]);
    let mut part = before();
    part.values_searched = 20;
    assert!(matches!(Evidence::weigh(&part, &after), Verdict::Clean { .. }));
    part.values_searched = 101;
    let reasons = vec![Doubt::OtherValues];
    assert_eq!(Evidence::weigh(&part, &after), Verdict::NotEvidence { reasons });
}

#[test]
fn a_scan_that_missed_the_database_is_no_evidence() {
    let verdict = Evidence::weigh(&before(), &report(Vec::new()));
    assert_eq!(verdict, Verdict::NotEvidence { reasons: vec![Doubt::NoDatabase] });
}

#[test]
fn live_copies_are_neither_residue_nor_clean() {
    let after = report(vec![file(FileClass::Database, 4_096, 0, 7)]);
    assert_eq!(Evidence::weigh(&before(), &after), Verdict::UncoveredCopies { hits: 7 });
}

#[test]
fn a_report_comes_back_from_json() {
    let report = before();
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<ScanReport>(&json).unwrap(), report);
}

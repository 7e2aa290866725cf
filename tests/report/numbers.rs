//! Every number that a page shows is one of its data, or made of one in a way that is known.
//!
//! The page is read as somebody sees it: its words, without its markup, its script and its data.

use std::collections::BTreeSet;

use sealift::report::{PeriodReport, Report};
use sealift::words::duration;
use serde_json::Value;

use super::fixture::{closed, planned, rolled_back, with_quarantine, with_residue};
use super::quarter::quarter;

/// The pieces of text of a page that a reader sees; names, hashes and commands apart.
fn seen(page: &str) -> Vec<String> {
    let (words, _) = page.split_once("<script type=").unwrap();
    let (_, body) = words.split_once("<body>").unwrap();
    let mut pieces = Vec::new();
    let mut rest = body;
    while let Some(at) = rest.find('<') {
        pieces.push(&rest[..at]);
        rest = &rest[at..];
        let end = rest.find('>').unwrap() + 1;
        let tag = &rest[..end];
        rest = &rest[end..];
        // A name, a moment and a command are texts of the data, whole; `texts_of` holds them.
        for skipped in ["code", "time", "pre", "title", "desc"] {
            if tag == format!("<{skipped}>") || tag.starts_with(&format!("<{skipped} ")) {
                let close = format!("</{skipped}>");
                rest = &rest[rest.find(&close).unwrap() + close.len()..];
            }
        }
    }
    let as_seen = |piece: &&str| piece.trim().replace("&#39;", "'").replace("&quot;", "\"");
    pieces.iter().map(as_seen).filter(|piece| !piece.is_empty()).collect()
}

/// The numbers in a text, with their thousands and decimals.
fn numbers_in(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut number = String::new();
    let letters: Vec<char> = text.chars().chain([' ']).collect();
    for (at, letter) in letters.iter().enumerate() {
        let next = letters.get(at + 1).is_some_and(char::is_ascii_digit);
        let is_mark = (*letter == ',' || *letter == '.') && next && !number.is_empty();
        if letter.is_ascii_digit() || is_mark {
            number.push(*letter);
        } else if !number.is_empty() {
            found.push(std::mem::take(&mut number).replace(',', ""));
        }
    }
    found
}

/// What the data holds: its numbers as they may be shown, and the numbers in its texts.
fn known(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Number(number) => {
            into.insert(number.to_string());
            if let Some(millis) = number.as_u64() {
                into.extend(numbers_in(&duration(millis)));
            }
            if let Some(share) = number.as_f64().filter(|share| *share <= 1.0) {
                // A share is shown in percent, with up to two digits.
                for digits in 0..3 {
                    into.insert(format!("{:.digits$}", share * 100.0));
                }
            }
        }
        Value::String(text) => into.extend(numbers_in(text)),
        Value::Array(list) => list.iter().for_each(|it| known(it, into)),
        Value::Object(map) => {
            for (name, it) in map {
                into.extend(numbers_in(name));
                known(it, into);
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// Sums and lengths that a page draws from its data, and words of its own with a number in them.
fn derived(report: &Value) -> BTreeSet<String> {
    let mut made = BTreeSet::new();
    for step in report["certificate"]["steps"].as_array().into_iter().flatten() {
        let at = |name: &str| step[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        let millis = at("finished_at").as_millisecond() - at("started_at").as_millisecond();
        made.extend(numbers_in(&duration(millis.unsigned_abs())));
    }
    let sum = |list: &Value, name: &str| -> u64 {
        list.as_array().into_iter().flatten().filter_map(|it| it[name].as_u64()).sum()
    };
    made.insert(sum(&report["counts"]["parts"], "cells").to_string());
    let length = |list: &Value| list.as_array().map_or(0, Vec::len).to_string();
    made.insert(length(&report["scope"]["columns"]));
    made.insert(length(&report["verification"]["segments"]));
    // NIST SP 800-57, SHA-256 and the like.
    made.extend(["800", "57", "256", "16", "0"].map(str::to_owned));
    made
}

fn unexplained(json: &str, page: &str) -> (usize, Vec<String>) {
    let report: Value = serde_json::from_str(json).unwrap();
    let mut all = derived(&report);
    // What the page carries as proofs explains nothing that it shows.
    let mut shown = report.clone();
    shown["proofs"] = Value::Null;
    known(&shown, &mut all);
    let mut count = 0;
    let mut strange = Vec::new();
    for piece in seen(page) {
        for number in numbers_in(&piece) {
            count += 1;
            if !all.contains(&number) {
                strange.push(format!("{number} in `{piece}`"));
            }
        }
    }
    (count, strange)
}

#[test]
fn no_number_of_a_page_is_without_its_place_in_the_data() {
    let mut pages: Vec<(String, String)> =
        [closed(), planned(), rolled_back(), with_quarantine(), with_residue()]
            .iter()
            .map(Report::of)
            .map(|report| (report.to_json(), report.to_html()))
            .collect();
    let quarter = PeriodReport::of(&quarter());
    pages.push((quarter.to_json(), quarter.to_html()));
    for (json, page) in pages {
        let (count, strange) = unexplained(&json, &page);
        assert_eq!(strange, Vec::<String>::new());
        assert!(count > 50, "{count}");
        // The guard: a number that is not there is noticed.
        let spoiled =
            page.replacen("<p class=\"brand\">", "<p>987654321</p><p class=\"brand\">", 1);
        assert_eq!(unexplained(&json, &spoiled).1.len(), 1);
    }
}

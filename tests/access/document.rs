//! The tables of `docs/ACCESS.md` say what the code does, row by row.

use std::fmt::Write as _;

use sealift::access::{Decision, Role, Shown, Verb, may, show};
use sealift::policy::Form;
use sealift::value::Original;

const DOCUMENT: &str = include_str!("../../docs/ACCESS.md");

/// The cells of the table whose first head is `head`, without the two lines on top.
fn table(head: &str) -> Vec<Vec<String>> {
    let start = format!("| {head} |");
    DOCUMENT
        .lines()
        .skip_while(|line| !line.starts_with(&start))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()
        })
        .collect()
}

/// What stands between backticks; the cell itself where there are none.
fn code(cell: &str) -> &str {
    cell.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')).unwrap_or(cell)
}

fn word(decision: Decision) -> &'static str {
    match decision {
        Decision::Permit => "yes",
        Decision::ByPurpose => "by purpose",
        Decision::Refuse => "–",
    }
}

#[test]
fn the_table_of_verbs_is_what_is_decided() {
    let roles: [Role; 4] =
        ["steward", "approver", "auditor", "support"].map(|it| it.parse().unwrap());
    let decided: Vec<Vec<String>> = Verb::ALL
        .iter()
        .map(|verb| {
            let cells = roles.iter().map(|role| word(may(role, *verb)).to_owned());
            std::iter::once(format!("`{}`", verb.name())).chain(cells).collect()
        })
        .collect();
    assert_eq!(table("verb"), decided);
}

/// Reads the example of a row of the table of forms.
fn original(kind: &str, written: &str) -> Original {
    let bytes = written.strip_prefix("x'").and_then(|rest| rest.strip_suffix('\''));
    let bytes = bytes.map(|hex| data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap());
    match (kind, bytes) {
        ("integer", None) => Original::integer(written.parse().unwrap()),
        ("real", None) => Original::real(written.parse().unwrap()),
        ("blob", Some(bytes)) => Original::new(sealift::value::ValueType::Blob, bytes),
        (_, Some(bytes)) => Original::new(sealift::value::ValueType::Text, bytes),
        (_, None) => Original::text(written),
    }
}

/// Writes what is shown as a cell of that table.
fn cell(shown: Option<Shown>, original: &Original) -> String {
    match shown {
        None => "refused".to_owned(),
        Some(Shown::Whole(whole)) if whole.same_as(original) => "the value".to_owned(),
        Some(Shown::Whole(_)) => "another value".to_owned(),
        Some(Shown::Part(text)) => format!("`{}`", text.as_str()),
    }
}

#[test]
fn the_table_of_forms_is_what_is_shown() {
    let rows = table("what the value is");
    assert!(rows.len() >= 15, "the table of forms has {} rows", rows.len());
    let mut wrong = String::new();
    for row in rows {
        let original = original(&row[0], code(&row[1]));
        let forms = [Form::Plain, Form::Last4, Form::Masked, Form::Match];
        let shown = forms.map(|form| cell(show(form, &original), &original));
        if row[2..] != shown {
            writeln!(wrong, "{} {}: {shown:?}, not {:?}", row[0], row[1], &row[2..]).unwrap();
        }
    }
    assert_eq!(wrong, "");
}

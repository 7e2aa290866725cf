//! What kind of value a column holds: by its name, by its values, and never by a value that is kept.

mod by_name;
mod by_value;
mod documents;
mod nothing_kept;
mod patterns;

use sealift::classify::{Detectors, Finding, Profile, Subject};
use sealift::value::Original;

/// The findings for a column of a table, given its values as text.
fn findings(table: &str, column: &str, values: &[&str]) -> Vec<Finding> {
    beside(table, column, &[], values)
}

/// The same, with other columns beside it.
fn beside(table: &str, column: &str, siblings: &[&str], values: &[&str]) -> Vec<Finding> {
    let originals: Vec<Original> = values.iter().map(|value| Original::text(value)).collect();
    of(table, column, siblings, &originals)
}

/// The same, of values of any type.
fn of(table: &str, column: &str, siblings: &[&str], values: &[Original]) -> Vec<Finding> {
    let detectors = Detectors::new(&[]).unwrap();
    let subject = Subject { table, column, declared: "", siblings };
    let mut profile = Profile::new(&detectors, &subject);
    for value in values {
        profile.add(value);
    }
    profile.findings()
}

/// The word of the only finding, or `-` where there is none.
fn kind(findings: &[Finding]) -> &str {
    match findings {
        [] => "-",
        [one] => one.kind.name(),
        more => panic!("{} findings", more.len()),
    }
}

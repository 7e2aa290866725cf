//! `[[pattern]]`: kinds of value that a scan looks for beside those that are built in.

use std::collections::HashMap;

use regex::Regex;

use super::{
    super::{
        PatternRule, measure,
        reader::{Reader, Section},
    },
    NAME, columns,
};

/// Reads every `[[pattern]]`.
pub(super) fn patterns<'t>(reader: &mut Reader<'t>, root: Section<'t>) -> Vec<PatternRule> {
    let mut seen = HashMap::new();
    let mut patterns = Vec::new();
    for section in reader.tables(root, "pattern", &["name", "class", "regex", "column"]) {
        let name =
            reader.required(section, "name", NAME, |text| measure::is_name(text).then_some(text));
        let class =
            reader.required(section, "class", NAME, |text| measure::is_name(text).then_some(text));
        let expected = "a regular expression that does not match the empty text";
        let regex = reader.required(section, "regex", expected, |text| {
            Regex::new(text).ok().filter(|regex| !regex.is_match("")).map(|_| text)
        });
        let expected = "a regular expression for the names of columns";
        let column =
            reader.parsed(section, "column", expected, |text| Regex::new(text).ok().map(|_| text));
        let (Some(name), Some(class), Some(regex)) = (name, class, regex) else { continue };
        if let Some(first) = seen.insert(name.value, name.at) {
            columns::duplicate(reader, name.at, "pattern.name", name.value, first);
            continue;
        }
        patterns.push(PatternRule {
            name: name.value.to_owned(),
            class: class.value.to_owned(),
            regex: regex.value.to_owned(),
            column: column.map(|column| column.value.to_owned()),
        });
    }
    patterns
}

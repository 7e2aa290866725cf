//! Reads keys of a TOML document, and keeps every error with its place.
//!
//! It knows types and words, not what a policy means.
//!
//! **Invariant:** where a function gives `None` for a key that is there, an error was noted; a
//! policy is made only where none was.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    errors::{PolicyError, PolicyErrors, PolicyProblem, nearest},
    measure,
};

/// What stands for a limit that is not set.
const UNLIMITED: &str = "unlimited";

/// The text being read, and what was found wrong with it so far.
pub(super) struct Reader<'t> {
    text: &'t str,
    file: &'t str,
    errors: Vec<(usize, PolicyError)>,
}

/// One table of the document.
#[derive(Clone, Copy)]
pub(super) struct Section<'t> {
    /// What messages call it; empty for the document itself.
    path: &'static str,
    at: usize,
    table: &'t DeTable<'t>,
}

/// A value with its place.
#[derive(Clone)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) at: usize,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str, file: &'t str) -> Self {
        Self { text, file, errors: Vec::new() }
    }

    /// Whether nothing was found wrong so far.
    pub(super) fn is_clean(&self) -> bool {
        self.errors.is_empty()
    }

    /// Ends the reading: what was found wrong, in the order of the file.
    pub(super) fn into_errors(mut self) -> PolicyErrors {
        self.errors.sort_by_key(|(at, _)| *at);
        PolicyErrors(self.errors.into_iter().map(|(_, error)| error).collect())
    }

    /// Notes an error about `key` at a place.
    pub(super) fn note(&mut self, at: usize, key: &str, problem: PolicyProblem) {
        let (line, column) = self.position(at);
        let (file, key) = (self.file.to_owned(), key.to_owned());
        self.errors.push((at, PolicyError { file, line, column, key, problem }));
    }

    /// Notes that two keys contradict each other.
    pub(super) fn conflict(&mut self, at: usize, key: &str, rule: impl Into<String>) {
        let problem = PolicyProblem::Conflict { key: key.to_owned(), rule: rule.into() };
        self.note(at, key, problem);
    }

    /// The line of a place, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.position(at).0
    }

    fn position(&self, at: usize) -> (usize, usize) {
        let before = &self.text[..self.text.floor_char_boundary(at)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// Opens the document, and notes the keys it should not have.
    pub(super) fn document(&mut self, table: &'t DeTable<'t>, keys: &[&str]) -> Section<'t> {
        let section = Section { path: "", at: 0, table };
        self.refuse_other_keys(section, keys);
        section
    }

    /// Opens `[name]`, where it is there.
    pub(super) fn table(
        &mut self,
        parent: Section<'t>,
        name: &'static str,
        keys: &[&str],
    ) -> Option<Section<'t>> {
        let found = parent.find(name)?;
        let Some(table) = found.get_ref().as_table() else {
            self.wrong_type(found, name, &format!("a table `[{name}]`"));
            return None;
        };
        let section = Section { path: name, at: found.span().start, table };
        self.refuse_other_keys(section, keys);
        Some(section)
    }

    /// Opens every `[[name]]`.
    pub(super) fn tables(
        &mut self,
        parent: Section<'t>,
        name: &'static str,
        keys: &[&str],
    ) -> Vec<Section<'t>> {
        let Some(found) = parent.find(name) else { return Vec::new() };
        let expected = format!("tables `[[{name}]]`");
        let Some(array) = found.get_ref().as_array() else {
            self.wrong_type(found, name, &expected);
            return Vec::new();
        };
        let mut sections = Vec::new();
        for item in array {
            let Some(table) = item.get_ref().as_table() else {
                self.wrong_type(item, name, &expected);
                continue;
            };
            let section = Section { path: name, at: item.span().start, table };
            self.refuse_other_keys(section, keys);
            sections.push(section);
        }
        sections
    }

    fn refuse_other_keys(&mut self, section: Section<'t>, keys: &[&str]) {
        for key in section.table.keys() {
            if keys.contains(&key.get_ref().as_ref()) {
                continue;
            }
            let path = section.path_of(key.get_ref());
            let problem = PolicyProblem::UnknownKey {
                key: path.clone(),
                expected: keys.iter().map(|&key| key.to_owned()).collect(),
                nearest: nearest(key.get_ref(), keys.iter().copied()),
            };
            self.note(key.span().start, &path, problem);
        }
    }

    /// Notes that a key without a default is missing.
    pub(super) fn missing(&mut self, section: Section<'t>, name: &str, expected: &str) {
        let key = section.path_of(name);
        let expected = expected.to_owned();
        self.note(section.at, &key.clone(), PolicyProblem::Missing { key, expected });
    }

    /// Reads a text, where it is there.
    pub(super) fn text(
        &mut self,
        section: Section<'t>,
        name: &str,
        expected: &str,
    ) -> Option<At<&'t str>> {
        let found = section.find(name)?;
        let value = found.get_ref().as_str();
        if value.is_none() {
            self.wrong_type(found, &section.path_of(name), expected);
        }
        value.map(|value| At { value, at: found.span().start })
    }

    /// Reads a text that `read` understands, where it is there.
    pub(super) fn parsed<T>(
        &mut self,
        section: Section<'t>,
        name: &str,
        expected: &str,
        read: impl FnOnce(&'t str) -> Option<T>,
    ) -> Option<At<T>> {
        let text = self.text(section, name, expected)?;
        let value = read(text.value);
        if value.is_none() {
            self.invalid(text.at, &section.path_of(name), text.value, expected);
        }
        value.map(|value| At { value, at: text.at })
    }

    /// Reads a text that has to be there.
    pub(super) fn required<T>(
        &mut self,
        section: Section<'t>,
        name: &str,
        expected: &str,
        read: impl FnOnce(&'t str) -> Option<T>,
    ) -> Option<At<T>> {
        if section.find(name).is_none() {
            self.missing(section, name, expected);
        }
        self.parsed(section, name, expected, read)
    }

    /// Reads one of several words, where it is there.
    pub(super) fn word<T: Copy>(
        &mut self,
        section: Section<'t>,
        name: &str,
        words: &[(&str, T)],
    ) -> Option<At<T>> {
        let found = section.find(name)?;
        self.word_of(found, &section.path_of(name), words)
    }

    /// Reads one of several words at a place of its own.
    pub(super) fn word_of<T: Copy>(
        &mut self,
        found: &Spanned<DeValue<'t>>,
        key: &str,
        words: &[(&str, T)],
    ) -> Option<At<T>> {
        let names = || words.iter().map(|(word, _)| *word);
        let Some(text) = found.get_ref().as_str() else {
            let list: Vec<String> = names().map(|word| format!("`{word}`")).collect();
            self.wrong_type(found, key, &format!("one of {}", list.join(", ")));
            return None;
        };
        let word = words.iter().find(|(word, _)| *word == text);
        if word.is_none() {
            let problem = PolicyProblem::UnknownWord {
                key: key.to_owned(),
                found: text.to_owned(),
                expected: names().map(str::to_owned).collect(),
                nearest: nearest(text, names()),
            };
            self.note(found.span().start, key, problem);
        }
        word.map(|(_, value)| At { value: *value, at: found.span().start })
    }

    /// Reads `true` or `false`, where it is there.
    pub(super) fn truth(&mut self, section: Section<'t>, name: &str) -> Option<At<bool>> {
        let found = section.find(name)?;
        let value = found.get_ref().as_bool();
        if value.is_none() {
            self.wrong_type(found, &section.path_of(name), "`true` or `false`");
        }
        value.map(|value| At { value, at: found.span().start })
    }

    /// Reads a whole number within a range, where it is there.
    pub(super) fn number<T: TryFrom<u64>>(
        &mut self,
        section: Section<'t>,
        name: &str,
        range: Range<u64>,
    ) -> Option<At<T>> {
        let found = section.find(name)?;
        self.number_of(found, &section.path_of(name), range)
    }

    /// Reads a whole number at a place of its own.
    pub(super) fn number_of<T: TryFrom<u64>>(
        &mut self,
        found: &Spanned<DeValue<'t>>,
        key: &str,
        range: Range<u64>,
    ) -> Option<At<T>> {
        let expected = whole_number(&range);
        let at = found.span().start;
        let Some(integer) = found.get_ref().as_integer() else {
            self.wrong_type(found, key, &expected);
            return None;
        };
        let value = u64::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .filter(|number| range.contains(number))
            .and_then(|number| T::try_from(number).ok());
        if value.is_none() {
            self.invalid(at, key, &integer.to_string(), &expected);
        }
        value.map(|value| At { value, at })
    }

    /// Reads a whole number or `unlimited`; `None` is without limit, as where it is not there.
    pub(super) fn limit<T: TryFrom<u64>>(
        &mut self,
        section: Section<'t>,
        name: &str,
        range: Range<u64>,
    ) -> Option<T> {
        let found = section.find(name)?;
        if let Some(text) = found.get_ref().as_str() {
            if text != UNLIMITED {
                let expected = format!("{}, or `{UNLIMITED}`", whole_number(&range));
                self.invalid(found.span().start, &section.path_of(name), text, &expected);
            }
            return None;
        }
        self.number(section, name, range).map(|found| found.value)
    }

    /// Reads a size, as bytes or with a unit, where it is there.
    pub(super) fn size(&mut self, section: Section<'t>, name: &str) -> Option<At<u64>> {
        let found = section.find(name)?;
        if found.get_ref().is_integer() {
            return self.number(section, name, 1..1 << 63);
        }
        self.parsed(section, name, "a size as `64 KiB` or `16 MiB`, above 0", |text| {
            measure::size_bytes(text).filter(|bytes| (1..1 << 63).contains(bytes))
        })
    }

    /// Reads a size or `unlimited`; `None` is without limit, as where it is not there.
    pub(super) fn size_limit(&mut self, section: Section<'t>, name: &str) -> Option<u64> {
        if section.find(name)?.get_ref().as_str() == Some(UNLIMITED) {
            return None;
        }
        self.size(section, name).map(|found| found.value)
    }

    /// Reads the values of a list, where it is there; `what` says what they are.
    pub(super) fn list(
        &mut self,
        section: Section<'t>,
        name: &str,
        what: &str,
    ) -> Option<At<&'t [Spanned<DeValue<'t>>]>> {
        let found = section.find(name)?;
        let array = found.get_ref().as_array();
        if array.is_none() {
            self.wrong_type(found, &section.path_of(name), &format!("a list of {what}"));
        }
        array.map(|array| At { value: array.as_ref(), at: found.span().start })
    }

    /// Reads a list of texts that `accept` takes, where it is there.
    pub(super) fn texts(
        &mut self,
        section: Section<'t>,
        name: &str,
        what: &str,
        accept: impl Fn(&str) -> bool,
    ) -> Option<At<Vec<String>>> {
        let list = self.list(section, name, what)?;
        let key = section.path_of(name);
        let mut texts = Vec::new();
        for item in list.value {
            match item.get_ref().as_str() {
                Some(text) if accept(text) => texts.push(text.to_owned()),
                Some(text) => {
                    self.invalid(item.span().start, &key, text, &format!("a list of {what}"));
                }
                None => self.wrong_type(item, &key, &format!("a list of {what}")),
            }
        }
        Some(At { value: texts, at: list.at })
    }

    /// Notes a value of another type.
    pub(super) fn wrong_type(&mut self, found: &Spanned<DeValue<'t>>, key: &str, expected: &str) {
        let problem = PolicyProblem::WrongType {
            key: key.to_owned(),
            found: type_name(found.get_ref()),
            expected: expected.to_owned(),
        };
        self.note(found.span().start, key, problem);
    }

    /// Notes a value that is not taken.
    pub(super) fn invalid(&mut self, at: usize, key: &str, found: &str, expected: &str) {
        let problem = PolicyProblem::Invalid {
            key: key.to_owned(),
            found: found.to_owned(),
            expected: expected.to_owned(),
        };
        self.note(at, key, problem);
    }
}

impl<'t> Section<'t> {
    /// Where the table begins.
    pub(super) fn at(self) -> usize {
        self.at
    }

    /// A key as messages name it: `column.token`.
    pub(super) fn path_of(self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// The value of a key, where it is there.
    pub(super) fn find(self, name: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.table.iter().find(|(key, _)| key.get_ref() == name).map(|(_, value)| value)
    }

    /// Where a key's value is, or else where the table begins.
    pub(super) fn place_of(self, name: &str) -> usize {
        self.find(name).map_or(self.at, |value| value.span().start)
    }
}

/// Large bounds are no news to a reader, so they are left out.
fn whole_number(range: &Range<u64>) -> String {
    if range.end > 1 << 31 {
        format!("a whole number from {}", range.start)
    } else {
        format!("a whole number from {} to {}", range.start, range.end - 1)
    }
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "a truth value",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

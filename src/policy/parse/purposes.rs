//! `[[purpose]]`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    super::{
        ColumnRule, Form, Permission, Purpose,
        errors::{PolicyProblem, nearest},
        measure,
        reader::{At, Reader, Section},
    },
    NAME, columns,
};

const KEYS: [&str; 12] = [
    "name",
    "roles",
    "may",
    "show",
    "max_tokens_per_request",
    "max_tokens_per_minute",
    "max_tokens_per_day",
    "valid_from",
    "valid_until",
    "pass_originals",
    "unlock_above",
    "break_glass",
];

const PERMISSIONS: [(&str, Permission); 3] = [
    ("detokenize", Permission::Detokenize),
    ("tokenize", Permission::Tokenize),
    ("search", Permission::Search),
];

const FORMS: [(&str, Form); 4] = [
    ("plain", Form::Plain),
    ("last4", Form::Last4),
    ("masked", Form::Masked),
    ("match", Form::Match),
];

/// Classes that every policy knows, whether or not one of its columns has them: purposes outlive
/// runs, and the vault may hold other sources.
const BUILT_IN_CLASSES: [&str; 5] = ["contact", "identity", "payment", "financial", "health"];

/// How many tokens a request may carry, where the purpose does not say.
const TOKENS_PER_REQUEST: u32 = 100;

const INSTANT: &str = "a time with date and offset, as `2026-01-31T00:00:00Z`";

/// Reads every `[[purpose]]`. `columns` are those that were read, for the names in `show`.
pub(super) fn purposes<'t>(
    reader: &mut Reader<'t>,
    root: Section<'t>,
    source: &str,
    columns: &[ColumnRule],
) -> Vec<Purpose> {
    // Where a column could not be read, what it would have named is not known either; the names in
    // `show` are then left to the next reading, so that one mistake is not told twice.
    let is_complete = reader.is_clean();
    let mut known: BTreeSet<String> = BUILT_IN_CLASSES.map(str::to_owned).into();
    for rule in columns {
        known.insert(rule.class.clone());
        known.insert(rule.domain.clone().unwrap_or_else(|| format!("{source}.{}", rule.name)));
    }
    let mut seen = HashMap::new();
    let mut purposes = Vec::new();
    for section in reader.tables(root, "purpose", &KEYS) {
        let Some(purpose) = purpose(reader, section, is_complete.then_some(&known)) else {
            continue;
        };
        let at = section.place_of("name");
        if let Some(first) = seen.insert(purpose.name.clone(), at) {
            columns::duplicate(reader, at, "purpose.name", &purpose.name, first);
            continue;
        }
        purposes.push(purpose);
    }
    purposes
}

/// Reads one `[[purpose]]`; `None` where it lacks a name, roles or forms.
fn purpose<'t>(
    reader: &mut Reader<'t>,
    section: Section<'t>,
    known: Option<&BTreeSet<String>>,
) -> Option<Purpose> {
    let name = reader
        .required(section, "name", NAME, |text| measure::is_name(text).then(|| text.to_owned()));
    let roles = roles(reader, section);
    let may = permissions(reader, section);
    let show = forms(reader, section, known);
    let per_request = reader.number(section, "max_tokens_per_request", 1..1 << 32);
    let per_minute = reader.limit(section, "max_tokens_per_minute", 1..1 << 32);
    let per_day = reader.limit(section, "max_tokens_per_day", 1..1 << 63);
    let from = instant(reader, section, "valid_from");
    let until = instant(reader, section, "valid_until");
    if let (Some(from), Some(until)) = (&from, &until)
        && from.value.1 >= until.value.1
    {
        reader.conflict(until.at, "purpose.valid_until", "is not after `valid_from`");
    }
    let pass_originals = reader.truth(section, "pass_originals");
    let unlock_above = reader.limit(section, "unlock_above", 1..1 << 32);
    let break_glass = reader.truth(section, "break_glass");
    Some(Purpose {
        name: name?.value,
        roles: roles?,
        may,
        show: show?,
        max_tokens_per_request: per_request.map_or(TOKENS_PER_REQUEST, |found| found.value),
        max_tokens_per_minute: per_minute,
        max_tokens_per_day: per_day,
        valid_from: from.map(|found| found.value.0),
        valid_until: until.map(|found| found.value.0),
        pass_originals: pass_originals.is_some_and(|found| found.value),
        unlock_above,
        break_glass: break_glass.is_some_and(|found| found.value),
    })
}

fn roles<'t>(reader: &mut Reader<'t>, section: Section<'t>) -> Option<Vec<String>> {
    let expected = "names of roles, at least one";
    if section.find("roles").is_none() {
        reader.missing(section, "roles", &format!("a list of {expected}"));
    }
    let roles = reader.texts(section, "roles", expected, measure::is_name)?;
    // Where the only role was not a name, that was noted already.
    if section.find("roles")?.get_ref().as_array()?.is_empty() {
        reader.invalid(roles.at, &section.path_of("roles"), "[]", &format!("a list of {expected}"));
    }
    Some(roles.value)
}

fn permissions<'t>(reader: &mut Reader<'t>, section: Section<'t>) -> Vec<Permission> {
    let what = "`detokenize`, `tokenize`, `search`, at least one";
    let Some(list) = reader.list(section, "may", what) else {
        return vec![Permission::Detokenize];
    };
    if list.value.is_empty() {
        reader.invalid(list.at, &section.path_of("may"), "[]", &format!("a list of {what}"));
    }
    let words = list.value.iter().filter_map(|item| {
        reader.word_of(item, &section.path_of("may"), &PERMISSIONS).map(|word| word.value)
    });
    let mut permissions: Vec<Permission> = Vec::new();
    for permission in words {
        if !permissions.contains(&permission) {
            permissions.push(permission);
        }
    }
    permissions
}

fn forms<'t>(
    reader: &mut Reader<'t>,
    section: Section<'t>,
    known: Option<&BTreeSet<String>>,
) -> Option<BTreeMap<String, Form>> {
    let expected = "classes or domains with the form in which each is shown, as \
                    `{ contact = \"plain\" }`";
    let Some(found) = section.find("show") else {
        reader.missing(section, "show", expected);
        return None;
    };
    let Some(table) = found.get_ref().as_table() else {
        reader.wrong_type(found, &section.path_of("show"), expected);
        return None;
    };
    let mut forms = BTreeMap::new();
    for (name, value) in table {
        let key = section.path_of(&format!("show.{}", name.get_ref()));
        if let Some(known) = known
            && !known.contains(name.get_ref().as_ref())
        {
            let problem = PolicyProblem::UnknownWord {
                key: section.path_of("show"),
                found: name.get_ref().to_string(),
                expected: known.iter().cloned().collect(),
                nearest: nearest(name.get_ref(), known.iter().map(String::as_str)),
            };
            reader.note(name.span().start, &key, problem);
        }
        if let Some(form) = reader.word_of(value, &key, &FORMS) {
            forms.insert(name.get_ref().to_string(), form.value);
        }
    }
    Some(forms)
}

/// A time as TOML writes it, or the same as text.
fn instant<'t>(
    reader: &mut Reader<'t>,
    section: Section<'t>,
    name: &str,
) -> Option<At<(String, jiff::Timestamp)>> {
    let found = section.find(name)?;
    let Some(written) = found.get_ref().as_datetime() else {
        return reader.parsed(section, name, INSTANT, measure::rfc3339);
    };
    let at = found.span().start;
    let value = measure::rfc3339(&written.to_string());
    if value.is_none() {
        reader.invalid(at, &section.path_of(name), &written.to_string(), INSTANT);
    }
    value.map(|value| At { value, at })
}

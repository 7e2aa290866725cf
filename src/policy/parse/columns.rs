//! `[[column]]` and `[[table]]`.

use std::collections::HashMap;

use super::{
    super::{
        ColumnName, ColumnRule, EmptyRule, Fit, FormatShape, GeneratedRule, Normalise, TableName,
        TableRule, TokenKind, Waiver,
        errors::PolicyProblem,
        measure,
        reader::{At, Reader, Section},
    },
    NAME,
};
use crate::token::Template;

const COLUMN_KEYS: [&str; 12] = [
    "name",
    "class",
    "domain",
    "token",
    "format",
    "template",
    "empty",
    "fit",
    "waive",
    "normalise",
    "lossy_ok",
    "dedupe",
];

const TOKENS: [(&str, TokenKind); 4] = [
    ("keyed", TokenKind::Keyed),
    ("random", TokenKind::Random),
    ("format", TokenKind::Format),
    ("uuid", TokenKind::Uuid),
];

const FORMATS: [(&str, FormatShape); 3] =
    [("card", FormatShape::Card), ("digits", FormatShape::Digits), ("alnum", FormatShape::Alnum)];

const EMPTY_RULES: [(&str, EmptyRule); 2] =
    [("tokenize", EmptyRule::Tokenize), ("keep", EmptyRule::Keep)];

const FITS: [(&str, Fit); 2] = [("refuse", Fit::Refuse), ("widen", Fit::Widen)];

const GENERATED: [(&str, GeneratedRule); 2] =
    [("refuse", GeneratedRule::Refuse), ("recompute", GeneratedRule::Recompute)];

const WAIVERS: [(&str, Waiver); 1] = [("low_entropy", Waiver::LowEntropy)];

const NORMAL_FORMS: [(&str, Normalise); 5] = [
    ("none", Normalise::None),
    ("nfc", Normalise::Nfc),
    ("casefold", Normalise::Casefold),
    ("trim", Normalise::Trim),
    ("digits", Normalise::Digits),
];

/// Reads every `[[column]]`; there has to be one.
pub(super) fn columns<'t>(
    reader: &mut Reader<'t>,
    root: Section<'t>,
    source: &str,
) -> Vec<ColumnRule> {
    if root.find("column").is_none() {
        reader.missing(root, "column", "at least one table `[[column]]`");
        return Vec::new();
    }
    let sections = reader.tables(root, "column", &COLUMN_KEYS);
    if sections.is_empty() && root.find("column").is_some_and(|value| value.get_ref().is_array()) {
        reader.missing(root, "column", "at least one table `[[column]]`");
    }
    let mut seen = HashMap::new();
    let mut domains = Domains::default();
    let mut columns = Vec::new();
    for section in sections {
        let Some(rule) = column(reader, section) else { continue };
        let at = section.place_of("name");
        if let Some(first) = seen.insert(rule.name.clone(), at) {
            duplicate(reader, at, "column.name", &rule.name.to_string(), first);
            continue;
        }
        domains.add(reader, section, source, &rule);
        columns.push(rule);
    }
    columns
}

/// Reads every `[[table]]`.
pub(super) fn tables<'t>(reader: &mut Reader<'t>, root: Section<'t>) -> Vec<TableRule> {
    let mut seen = HashMap::new();
    let mut tables = Vec::new();
    for section in reader.tables(root, "table", &["name", "suppress_triggers", "generated_columns"])
    {
        let name = reader.required(section, "name", "`table` or `schema.table`", |text| {
            TableName::parse(text).ok()
        });
        let triggers = reader
            .texts(section, "suppress_triggers", "names of triggers", |text| !text.is_empty());
        let generated = reader.word(section, "generated_columns", &GENERATED);
        let Some(name) = name else { continue };
        if let Some(first) = seen.insert(name.value.clone(), name.at) {
            duplicate(reader, name.at, "table.name", &name.value.to_string(), first);
            continue;
        }
        let suppress_triggers = triggers.map(|list| list.value).unwrap_or_default();
        let generated_columns = value_or(generated, GeneratedRule::default());
        tables.push(TableRule { name: name.value, suppress_triggers, generated_columns });
    }
    tables
}

/// Notes that a name is taken.
pub(super) fn duplicate(reader: &mut Reader<'_>, at: usize, key: &str, name: &str, first: usize) {
    let first_line = reader.line(first);
    let (name, key) = (name.to_owned(), key.to_owned());
    reader.note(at, &key.clone(), PolicyProblem::Duplicate { key, name, first_line });
}

/// Reads one `[[column]]`; `None` where it has no name, class or kind of token.
fn column<'t>(reader: &mut Reader<'t>, section: Section<'t>) -> Option<ColumnRule> {
    let name =
        reader.required(section, "name", "`table.column` or `schema.table.column`", |text| {
            ColumnName::parse(text).ok()
        });
    let class =
        reader.required(section, "class", NAME, |text| measure::is_name(text).then_some(text));
    let domain = reader.parsed(section, "domain", "a name of up to 255 characters", |text| {
        measure::is_domain(text).then_some(text)
    });
    let token = reader.word(section, "token", &TOKENS);
    let format = reader.word(section, "format", &FORMATS);
    let template = reader.parsed(section, "template", "a text with `{token}` once in it", |text| {
        Template::parse(text).ok()
    });
    let empty = reader.word(section, "empty", &EMPTY_RULES);
    let fit = reader.word(section, "fit", &FITS);
    let waive = waivers(reader, section);
    let normalise = reader.word(section, "normalise", &NORMAL_FORMS);
    let lossy_ok = reader.truth(section, "lossy_ok");
    let dedupe = reader.truth(section, "dedupe");
    if token.is_none() && section.find("token").is_some() {
        return None;
    }
    let rule = ColumnRule {
        name: name?.value,
        class: class?.value.to_owned(),
        domain: domain.map(|domain| domain.value.to_owned()),
        token: value_or(token, TokenKind::Keyed),
        format: format.map(|format| format.value),
        template: template.map(|template| template.value.to_string()),
        empty: value_or(empty, EmptyRule::default()),
        fit: value_or(fit, Fit::default()),
        waive,
        normalise: value_or(normalise, Normalise::default()),
        lossy_ok: value_or(lossy_ok, false),
        dedupe: value_or(dedupe, false),
    };
    refuse_contradictions(reader, section, &rule);
    Some(rule)
}

fn value_or<T>(found: Option<At<T>>, default: T) -> T {
    found.map_or(default, |found| found.value)
}

fn waivers<'t>(reader: &mut Reader<'t>, section: Section<'t>) -> Vec<Waiver> {
    let Some(list) = reader.list(section, "waive", "findings: `low_entropy`") else {
        return Vec::new();
    };
    let words = list.value.iter().filter_map(|item| {
        reader.word_of(item, &section.path_of("waive"), &WAIVERS).map(|waiver| waiver.value)
    });
    let mut waivers: Vec<Waiver> = words.collect();
    waivers.dedup();
    waivers
}

fn refuse_contradictions(reader: &mut Reader<'_>, section: Section<'_>, rule: &ColumnRule) {
    let mut refuse = |key: &str, text: &str| {
        reader.conflict(section.place_of(key), &section.path_of(key), text);
    };
    let kind = rule.token;
    let has_format = section.find("format").is_some();
    if kind == TokenKind::Format && !has_format {
        refuse("format", "is missing; `token = \"format\"` needs `card`, `digits` or `alnum`");
    }
    if kind != TokenKind::Format && has_format {
        refuse("format", "is only for `token = \"format\"`");
    }
    if rule.template.is_some() && matches!(kind, TokenKind::Format | TokenKind::Uuid) {
        refuse("template", "is only for `keyed` and `random`; other tokens have a shape already");
    }
    if rule.dedupe && kind != TokenKind::Random {
        refuse("dedupe", "is only for `token = \"random\"`; other tokens are equal by themselves");
    }
    if rule.normalise != Normalise::None && kind == TokenKind::Random && !rule.dedupe {
        refuse("normalise", "has no effect on `random` tokens without `dedupe = true`");
    }
    if rule.lossy_ok && rule.normalise == Normalise::None {
        refuse("lossy_ok", "accepts what `normalise` does, and there is no `normalise`");
    }
}

/// What the columns of each domain have in common, and where it was said first.
#[derive(Default)]
struct Domains {
    first: HashMap<String, First>,
}

struct First {
    at: usize,
    rule: ColumnRule,
}

impl Domains {
    /// Adds a column to its domain: one class, one kind of token, one equality.
    fn add(
        &mut self,
        reader: &mut Reader<'_>,
        section: Section<'_>,
        source: &str,
        rule: &ColumnRule,
    ) {
        let domain = rule.domain.clone().unwrap_or_else(|| format!("{source}.{}", rule.name));
        let Some(First { at, rule: first }) = self.first.get(&domain) else {
            self.first.insert(domain, First { at: section.at(), rule: rule.clone() });
            return;
        };
        let line = reader.line(*at);
        let differing = [
            ("class", first.class != rule.class),
            ("token", first.token != rule.token),
            ("format", first.format != rule.format),
            ("normalise", first.normalise != rule.normalise),
            ("dedupe", first.dedupe != rule.dedupe),
        ];
        for (key, _) in differing.into_iter().filter(|(_, differs)| *differs) {
            let text = format!(
                "differs within domain `{domain}`: `{}` on line {line} has another, and columns \
                 of a domain share it",
                first.name
            );
            reader.conflict(section.place_of(key), &section.path_of(key), text);
        }
    }
}

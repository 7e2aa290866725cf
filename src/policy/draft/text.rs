//! A draft as the text of a policy file.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::super::{ColumnName, Fit, FormatShape, Normalise, TableName, Waiver};
use super::{Draft, Drafted};

/// How wide a comment gets.
const WIDTH: usize = 98;

impl Draft {
    /// The policy file.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for remark in &self.remarks {
            comment(&mut text, remark);
        }
        let _ = writeln!(text, "[source]\nname = {}", quoted(&self.source));
        self.columns_text(&mut text);
        self.left_out_text(&mut text);
        self.triggers_text(&mut text);
        self.purpose_text(&mut text);
        self.checks_text(&mut text);
        text.push('\n');
        comment(&mut text, "How many have to sign, none of them who planned the run.");
        text.push_str("[approval]\nplan  = 1\npurge = 1\n");
        text
    }

    fn columns_text(&self, text: &mut String) {
        let mut table = None;
        for one in &self.columns {
            if table != Some(&one.rule.name.table) {
                table = Some(&one.rule.name.table);
                let head = format!("# --- {} ", flat(&one.rule.name.table.to_string()));
                let _ = write!(text, "\n{head:-<WIDTH$}\n");
            }
            text.push('\n');
            comment(text, &one.why);
            for note in &one.notes {
                comment(text, note);
            }
            column(text, one);
        }
    }

    fn left_out_text(&self, text: &mut String) {
        if self.left_out.is_empty() {
            return;
        }
        text.push('\n');
        comment(text, "Found, and left out because a run could not take it as it is:");
        for (name, reason) in &self.left_out {
            comment(text, &format!("- `{name}`: {reason}"));
        }
    }

    fn triggers_text(&self, text: &mut String) {
        for (table, triggers) in &self.suppressed {
            if !self.columns.iter().any(|one| one.rule.name.table == *table) {
                continue;
            }
            text.push('\n');
            comment(
                text,
                "A decision: these triggers do not fire for the rewrite. Whoever approves the plan \
                 signs it.",
            );
            for (_, reason) in triggers {
                comment(text, &format!("- {reason}"));
            }
            let names: Vec<String> = triggers.iter().map(|(name, _)| quoted(name)).collect();
            let _ = writeln!(
                text,
                "[[table]]\nname = {}\nsuppress_triggers = [{}]",
                quoted(&table.to_string()),
                names.join(", ")
            );
        }
    }

    fn purpose_text(&self, text: &mut String) {
        let mut show: BTreeMap<&str, &str> = BTreeMap::new();
        for one in &self.columns {
            let form = if one.rule.class == "payment" { "last4" } else { "masked" };
            show.insert(&one.rule.class, form);
        }
        if show.is_empty() {
            return;
        }
        text.push('\n');
        comment(
            text,
            "An example to change: who may see what, for what. Forms are `plain`, `last4`, `masked` \
             and `match`; without a purpose nobody sees anything.",
        );
        let show: Vec<String> = show
            .into_iter()
            .map(|(class, form)| format!("{} = {}", key(class), quoted(form)))
            .collect();
        let _ = writeln!(
            text,
            "[[purpose]]\nname  = \"support_case\"\nroles = [\"support\"]\nmay   = [\"detokenize\"]\n\
             show  = {{ {} }}",
            show.join(", ")
        );
    }

    /// A check for each foreign key whose columns are in the draft: it has to join as many rows as
    /// before.
    fn checks_text(&self, text: &mut String) {
        let is_in = |name: &ColumnName| self.columns.iter().any(|one| one.rule.name == *name);
        let mut names = Vec::new();
        for (child, parent) in &self.joins {
            let name = format!("{child} still joins {parent}");
            if !is_in(child) || !is_in(parent) || names.contains(&name) {
                continue;
            }
            // Names come from the catalog; doubling the quote is all that quoting is.
            let sql = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
            let table = |table: &TableName| match &table.schema {
                Some(schema) => format!("{}.{}", sql(schema), sql(&table.name)),
                None => sql(&table.name),
            };
            let statement = format!(
                "select count(*) from {} as child join {} as parent on child.{} = parent.{}",
                table(&child.table),
                table(&parent.table),
                sql(&child.column),
                sql(&parent.column)
            );
            let _ = writeln!(
                text,
                "\n[[check]]\nname   = {}\nsql    = {}\nexpect = \"unchanged\"",
                quoted(&name),
                quoted(&statement)
            );
            names.push(name);
        }
    }
}

fn column(text: &mut String, one: &Drafted) {
    let rule = &one.rule;
    let mut lines = vec![("name", quoted(&rule.name.to_string())), ("class", quoted(&rule.class))];
    lines.extend(rule.domain.as_ref().map(|domain| ("domain", quoted(domain))));
    lines.push(("token", quoted(rule.token.name())));
    lines.extend(rule.format.map(|shape| {
        let word = match shape {
            FormatShape::Card => "card",
            FormatShape::Digits => "digits",
            FormatShape::Alnum => "alnum",
        };
        ("format", quoted(word))
    }));
    lines.extend(rule.template.as_ref().map(|template| ("template", quoted(template))));
    let normalise = match rule.normalise {
        Normalise::None => None,
        Normalise::Nfc => Some("nfc"),
        Normalise::Casefold => Some("casefold"),
        Normalise::Trim => Some("trim"),
        Normalise::Digits => Some("digits"),
    };
    lines.extend(normalise.map(|word| ("normalise", quoted(word))));
    lines.extend(rule.lossy_ok.then(|| ("lossy_ok", "true".to_owned())));
    let waivers: Vec<String> = rule
        .waive
        .iter()
        .map(|waiver| match waiver {
            Waiver::LowEntropy => quoted("low_entropy"),
        })
        .collect();
    lines.extend((!waivers.is_empty()).then(|| ("waive", format!("[{}]", waivers.join(", ")))));
    lines.extend((rule.fit == Fit::Widen).then(|| ("fit", quoted("widen"))));
    let width = lines.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    text.push_str("[[column]]\n");
    for (key, value) in lines {
        let _ = writeln!(text, "{key:<width$} = {value}");
    }
}

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for each in text.chars() {
        match each {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            control if control.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(control));
            }
            plain => quoted.push(plain),
        }
    }
    quoted.push('"');
    quoted
}

/// A key as TOML writes it.
fn key(text: &str) -> String {
    let is_bare = |each: char| each.is_ascii_alphanumeric() || matches!(each, '_' | '-');
    if text.chars().all(is_bare) { text.to_owned() } else { quoted(text) }
}

/// A text on one line, whatever names it holds.
fn flat(text: &str) -> String {
    text.chars().map(|each| if each.is_control() { ' ' } else { each }).collect()
}

/// Writes a comment, in lines of readable width.
fn comment(text: &mut String, words: &str) {
    let mut line = String::from("#");
    for word in flat(words).split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH && line.len() > 1 {
            text.push_str(&line);
            text.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    text.push_str(&line);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_letters_come_back() {
        for name in ["a\"b", "a\\b", "zeile\nzwei", "имя", "🦀", "tab\there"] {
            let text = format!("x = {}", quoted(name));
            let table: toml::Table = toml::from_str(&text).unwrap();
            assert_eq!(table["x"].as_str(), Some(name));
        }
    }

    #[test]
    fn a_comment_stays_a_comment_over_all_its_lines() {
        let mut text = String::new();
        comment(&mut text, &"word\nname = \"x\" ".repeat(40));
        assert!(text.lines().count() > 3);
        assert!(text.lines().all(|line| line.starts_with("# ") && line.len() <= WIDTH));
    }
}

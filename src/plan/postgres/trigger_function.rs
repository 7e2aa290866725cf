//! Triggers that our UPDATE fires: what they copy, change, refuse, or only do once more.
//!
//! A function's text is read as far as words tell; what cannot be read is taken for the worst.

use std::sync::LazyLock;

use regex::Regex;

use super::super::case::{Case, blocks, handled, listed, warns};
use super::super::model::Finding;
use super::{facts, full_text_column};
use crate::catalog::Table;
use crate::catalog::postgres::PostgresTrigger;
use crate::policy::TableName;

const PITFALL: &str = "trigger_function";

/// Functions of the server that copy nothing out of the row.
const HARMLESS: [&str; 1] = ["suppress_redundant_updates_trigger"];

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let Some(postgres) = facts(case) else { return Vec::new() };
    let mut findings = Vec::new();
    for table in case.tables() {
        let columns: Vec<&str> =
            case.of_table(&table.name).map(|column| column.column.name.as_str()).collect();
        let suppressed = case.suppressed(&table.name);
        for trigger in &postgres.triggers {
            let is_mine = trigger.table == table.name;
            if is_mine && trigger.fires_on_update_of(columns.iter().copied()) {
                let is_suppressed = suppressed.contains(&trigger.name);
                let named = case.named_as(&table.name);
                findings.push(of_trigger(table, named, trigger, &columns, is_suppressed));
            }
        }
    }
    findings
}

fn of_trigger(
    table: &Table,
    named: &TableName,
    trigger: &PostgresTrigger,
    columns: &[&str],
    is_suppressed: bool,
) -> Finding {
    let object = format!("trigger {}", trigger.name);
    let suppress = format!(
        "add to the policy: [[table]] name = {:?}, suppress_triggers = [{:?}]",
        named.to_string(),
        trigger.name
    );
    let danger = danger(trigger, columns);
    let fact = danger.clone().unwrap_or_else(|| side_effect(table, trigger));
    if is_suppressed {
        return handled(PITFALL, object, fact, "the policy suppresses it for the rewrite");
    }
    match danger {
        Some(_) => blocks(PITFALL, object, fact, suppress),
        None if full_text_column::fills(trigger) => handled(
            PITFALL,
            object,
            fact,
            "it fills its column from tokens as it did from originals",
        ),
        None => warns(PITFALL, object, fact, format!("if it should not be: {suppress}")),
    }
}

/// What a trigger does that no original leaves by: a rollback does not undo it.
fn side_effect(table: &Table, trigger: &PostgresTrigger) -> String {
    let text = Text::of(&trigger.body);
    let others: Vec<&str> = table
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .filter(|name| trigger.is_before && trigger.is_for_each_row && text.assigns(name))
        .collect();
    let written = text.writes_to();
    if !others.is_empty() {
        format!(
            "function `{}` sets {} of each row that is rewritten, and of each that a rollback \
             brings back",
            trigger.function,
            listed(others)
        )
    } else if !written.is_empty() {
        format!(
            "function `{}` writes to {} for each row or batch that is rewritten, and for each that \
             a rollback brings back",
            trigger.function,
            listed(written)
        )
    } else {
        format!("function `{}` is called for each row or batch that is rewritten", trigger.function)
    }
}

/// Why a trigger must not fire, where something in its text says so.
fn danger(trigger: &PostgresTrigger, columns: &[&str]) -> Option<String> {
    if HARMLESS.contains(&trigger.function.as_str()) || full_text_column::fills(trigger) {
        return None;
    }
    if !matches!(trigger.language.as_str(), "plpgsql" | "sql") {
        return Some(format!(
            "function `{}` is written in {}, and what it does with old values cannot be read",
            trigger.function, trigger.language
        ));
    }
    let text = Text::of(&trigger.body);
    let into = match text.writes_to() {
        tables if tables.is_empty() => String::new(),
        tables => format!(": {} would receive originals", listed(tables)),
    };
    if trigger.has_old_table {
        return Some(format!("function `{}` sees the old rows as a table{into}", trigger.function));
    }
    let old = text.old_columns(columns);
    if !old.is_empty() {
        return Some(format!(
            "function `{}` uses the old {}, and may copy it{into}",
            trigger.function,
            listed(old)
        ));
    }
    if text.raises() {
        return Some(format!("function `{}` raises, and may refuse tokens", trigger.function));
    }
    if trigger.is_before && trigger.is_for_each_row {
        if text.returns_null() {
            return Some(format!("function `{}` may leave rows out", trigger.function));
        }
        let changed: Vec<&str> =
            columns.iter().copied().filter(|column| text.assigns(column)).collect();
        if !changed.is_empty() {
            return Some(format!(
                "function `{}` changes the new {}",
                trigger.function,
                listed(changed)
            ));
        }
    }
    None
}

/// The text of a function in lower case, without comments.
struct Text(String);

/// A comparison of an old value with a new one tells whether a row changed, and copies nothing.
static COMPARED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let value = |row: &str| format!(r#"\(?{row}(?:\.(?:\w+|\*|"[^"]*"))?\)?"#);
    let between = r"\s*(?:is\s+(?:not\s+)?distinct\s+from|<>|!=|=)\s*";
    let (old, new) = (value("old"), value("new"));
    Regex::new(&format!(r"\b(?:{old}{between}{new}|{new}{between}{old})")).ok()
});

static COMMENT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?s)--[^\n]*|/\*.*?\*/").ok());

static OLD: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"\bold\b(?:\s*\.\s*(?:(\w+)|"([^"]*)"))?"#).ok());

/// What a statement writes to.
static WRITTEN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let name = r#"((?:"[^"]+"|\w+)(?:\s*\.\s*(?:"[^"]+"|\w+))?)"#;
    Regex::new(&format!(r"\b(?:insert\s+into|update(?:\s+only)?|copy)\s+{name}\s*(?:\(|values|select|set|as\b|default|\w+\s+set\b)")).ok()
});

impl Text {
    fn of(body: &str) -> Self {
        let text = body.to_lowercase();
        let bare = COMMENT.as_ref().map(|comment| comment.replace_all(&text, " ").into_owned());
        Self(bare.unwrap_or(text))
    }

    /// The columns whose old value is used for more than a comparison; `row` for all at once.
    fn old_columns(&self, columns: &[&str]) -> Vec<String> {
        let (Some(compared), Some(old)) = (COMPARED.as_ref(), OLD.as_ref()) else {
            return vec!["row".to_owned()];
        };
        let rest = compared.replace_all(&self.0, " ");
        let mut used: Vec<String> = Vec::new();
        for found in old.captures_iter(&rest) {
            let name = found.get(1).or_else(|| found.get(2)).map(|name| name.as_str());
            let is_in_scope =
                name.is_none_or(|name| columns.iter().any(|column| column.to_lowercase() == name));
            let name = name.unwrap_or("row").to_owned();
            if is_in_scope && !used.contains(&name) {
                used.push(name);
            }
        }
        used
    }

    fn raises(&self) -> bool {
        let levels = ["notice", "debug", "log", "info", "warning"];
        let mut words = self.0.split(|sign: char| !sign.is_alphanumeric() && sign != '_');
        let mut found = false;
        while let Some(word) = words.next() {
            let level = (word == "raise").then(|| words.by_ref().find(|word| !word.is_empty()));
            found |= level.is_some_and(|level| !level.is_some_and(|word| levels.contains(&word)));
        }
        found
    }

    /// The tables that the text writes to, as it names them.
    fn writes_to(&self) -> Vec<String> {
        let Some(written) = WRITTEN.as_ref() else { return Vec::new() };
        let mut tables: Vec<String> = Vec::new();
        for found in written.captures_iter(&self.0).filter_map(|found| found.get(1)) {
            let name = found.as_str().replace('"', "");
            if name != "set" && !tables.contains(&name) {
                tables.push(name);
            }
        }
        tables
    }

    fn returns_null(&self) -> bool {
        has(&self.0, r"\breturn\s+null\b")
    }

    fn assigns(&self, column: &str) -> bool {
        let column = regex::escape(&column.to_lowercase());
        has(&self.0, &format!(r#"\bnew\s*\.\s*"?{column}"?\s*:?=|\binto\s+new\b|\bnew\s*:?=\s"#))
    }
}

fn has(text: &str, pattern: &str) -> bool {
    // A pattern that cannot be read is taken as found: that errs on the safe side.
    Regex::new(pattern).map_or(true, |pattern| pattern.is_match(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn before(body: &str) -> PostgresTrigger {
        PostgresTrigger {
            name: "t".into(),
            table: TableName::bare("people"),
            is_before: true,
            is_for_each_row: true,
            fires_on_update: true,
            update_of: Vec::new(),
            has_old_table: false,
            language: "plpgsql".into(),
            function: "f".into(),
            body: body.into(),
        }
    }

    #[test]
    fn a_time_stamp_kept_by_comparison_is_harmless() {
        let body = "BEGIN IF NEW IS DISTINCT FROM OLD OR old.email <> new.email THEN
            NEW.updated_at := now(); END IF; RETURN NEW; END";
        assert_eq!(danger(&before(body), &["email"]), None);
    }

    #[test]
    fn a_copy_of_the_old_value_is_found_under_any_writing() {
        for body in [
            "BEGIN INSERT INTO audit VALUES (OLD.email); RETURN NEW; END",
            "BEGIN INSERT INTO audit SELECT OLD.*; RETURN NEW; END",
            "BEGIN INSERT INTO audit VALUES (to_jsonb(OLD)); RETURN NEW; END",
            "BEGIN NEW.previous := OLD . \"email\"; RETURN NEW; END",
        ] {
            assert!(danger(&before(body), &["email"]).is_some(), "{body}");
        }
        let other = "BEGIN INSERT INTO audit VALUES (OLD.id); RETURN NEW; END";
        assert_eq!(danger(&before(other), &["email"]), None);
    }

    #[test]
    fn what_changes_or_refuses_a_row_is_found() {
        for body in [
            "BEGIN NEW.email = lower(NEW.email); RETURN NEW; END",
            "BEGIN IF now() > '2000-01-01' THEN RETURN NULL; END IF; RETURN NEW; END",
            "BEGIN IF NEW.email !~ '@' THEN RAISE EXCEPTION 'no'; END IF; RETURN NEW; END",
        ] {
            assert!(danger(&before(body), &["email"]).is_some(), "{body}");
        }
        let commented = "BEGIN -- return null; raise exception\n RETURN NEW; END";
        assert_eq!(danger(&before(commented), &["email"]), None);
        let notice = "BEGIN RAISE NOTICE 'x'; RETURN NEW; END";
        assert_eq!(danger(&before(notice), &["email"]), None);
    }
}

//! `sealift scan`: which columns hold something sensitive, and does the policy reach them all?
//!
//! Needs no vault and no credential, and writes nothing but the policy that it is asked to draft;
//! but for a scan of a run that was purged, which goes on the ledger.
//!
//! **Invariant:** names, counts and our own words are printed, never a value.

mod came_back;
mod json;
mod text;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use super::args::Scan;
use super::exit::{Failure, Outcome};
use super::output::Output;
use super::policy;
use super::settings::Settings;
use crate::catalog::{Catalog, Table, TableKind};
use crate::classify::{Detectors, Pattern};
use crate::plan::{CopyFacts, full_text_follows, keeps_text, shows_another};
use crate::policy::{ColumnName, ColumnRule, Draft, Policy, TableName, TokenKind};
use crate::ports::{SampleSize, Source};
use crate::run::{self, ScannedColumn, ScannedTable};
use crate::words::{grouped, shell_word};

/// Rows of a table that are read, unless somebody says otherwise.
pub(super) const ROWS: u64 = 10_000;

/// What a scan found out, and what it is held against.
struct Found<'f> {
    catalog: &'f Catalog,
    policy: Option<&'f Policy>,
    tables: Vec<ScannedTable>,
    copies: Vec<CopyFacts>,
    took: Duration,
}

impl Found<'_> {
    fn columns(&self) -> impl Iterator<Item = &ScannedColumn> {
        self.tables.iter().flat_map(|table| &table.columns)
    }

    /// The rule of the policy for a column.
    fn rule(&self, name: &ColumnName) -> Option<&ColumnRule> {
        let covering = self.catalog.rule_of(self.policy?, &name.table, &name.column);
        covering.map(|(_, rule)| rule)
    }

    /// Whether originals stand among the tokens of a column that the policy covers.
    fn came_back(&self, column: &ScannedColumn) -> bool {
        let is_told_apart = |rule: &ColumnRule| {
            // Tokens of the other kinds cannot be told from originals by their look.
            matches!(rule.token, TokenKind::Keyed | TokenKind::Random)
        };
        column.tokens > 0
            && column.originals > 0
            && self.rule(&column.name).is_some_and(is_told_apart)
    }

    /// Whether the policy reaches a column: by a rule, or by triggers that carry tokens over.
    fn is_covered(&self, name: &ColumnName) -> bool {
        self.rule(name).is_some()
            || self.policy.is_some_and(|policy| {
                self.catalog.table(&name.table).is_some_and(|table| {
                    keeps_text(table) && full_text_follows(self.catalog, policy, table)
                })
            })
    }

    /// Columns that hold something sensitive.
    fn sensitive(&self) -> usize {
        self.columns().filter(|column| !column.findings.is_empty()).count()
    }

    /// Whether the policy leaves something out, or something came back.
    fn is_open(&self) -> bool {
        self.policy.is_some()
            && (!self.copies.is_empty()
                || self.columns().any(|column| {
                    self.came_back(column)
                        || (!column.findings.is_empty() && !self.is_covered(&column.name))
                }))
    }
}

pub(super) async fn scan(
    settings: &Settings,
    out: &Output,
    typed: Scan,
) -> Result<Outcome, Failure> {
    if let Some(run) = &typed.run {
        return came_back::scan(settings, out, run).await;
    }
    if let Some(file) = typed.write_policy.as_deref().filter(|file| file.exists()) {
        return Err(exists(file));
    }
    let policy = typed.policy.as_deref().map(policy::read).transpose()?;
    let detectors = detectors(policy.as_ref())?;
    let source = settings.open_source_to_read().await?;
    // What is shown, and written into a draft, has no password in it.
    let url = &settings.source_shown()?;
    let begun = Instant::now();
    let catalog = source.catalog().await?;
    let policy = policy.map(|policy| policy::named_as_in(&catalog, policy));
    if let Some(policy) = &policy {
        same_database(out, &catalog, policy, url)?;
    }
    let tables = chosen(&catalog, &typed.table)?;
    let size = if typed.whole {
        SampleSize::Whole
    } else {
        SampleSize::Blocks { rows: typed.rows.unwrap_or(ROWS) }
    };
    let progress = out.progress();
    let scanned = run::scan(source.as_ref(), &tables, size, detectors, progress.as_ref()).await?;
    let copies = match &policy {
        Some(policy) => {
            let size =
                if typed.whole { size } else { SampleSize::Blocks { rows: run::COPY_ROWS_MAX } };
            run::copies(source.as_ref(), &catalog, policy, size, progress.as_ref()).await?
        }
        None => Vec::new(),
    };
    let found = Found {
        catalog: &catalog,
        policy: policy.as_ref(),
        tables: scanned,
        copies,
        took: begun.elapsed(),
    };
    if out.is_json() {
        json::tell(out, &found);
    } else {
        text::tell(out, &found, url);
    }
    let written = match &typed.write_policy {
        Some(file) => write(source.as_ref(), out, &found, url, file).await?,
        None => false,
    };
    next(out, &found, &typed, url, written);
    Ok(if found.is_open() { Outcome::Finding } else { Outcome::Done })
}

fn exists(file: &Path) -> Failure {
    Failure::refused(format!("`{}` is there already", file.display()))
        .hint("name another file with `--write-policy`; nothing was overwritten")
}

fn detectors(policy: Option<&Policy>) -> Result<Detectors, Failure> {
    let patterns: Vec<Pattern> = policy
        .into_iter()
        .flat_map(|policy| &policy.patterns)
        .map(|rule| Pattern {
            name: rule.name.clone(),
            class: rule.class.clone(),
            regex: rule.regex.clone(),
            column: rule.column.clone(),
        })
        .collect();
    Detectors::new(&patterns).map_err(|error| {
        Failure::failed(error)
            .hint("correct the `[[pattern]]`; policies/reference.toml explains it")
    })
}

/// A policy drafted for another database would call everything here uncovered.
fn same_database(
    out: &Output,
    catalog: &Catalog,
    policy: &Policy,
    url: &str,
) -> Result<(), Failure> {
    let mut missing: Vec<&TableName> = Vec::new();
    for rule in &policy.columns {
        if catalog.table(&rule.name.table).is_none() && !missing.contains(&&rule.name.table) {
            missing.push(&rule.name.table);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = missing.iter().map(|name| format!("`{name}`")).collect();
    let text = format!(
        "the policy was drafted for source `{}`, and `{}` has no {} {}",
        policy.source,
        url,
        if names.len() == 1 { "table" } else { "tables" },
        listed(&names, 8)
    );
    let is_other = policy.columns.iter().all(|rule| catalog.table(&rule.name.table).is_none());
    if is_other {
        return Err(Failure::failed(text).hint(
            "name the source that the policy is for with `--source`, or draft one for this",
        ));
    }
    out.note(format!("note: {text}"));
    Ok(())
}

/// Whether a table holds rows of its own that can be read.
fn is_read(table: &Table) -> bool {
    table.kind == TableKind::Ordinary || keeps_text(table)
}

/// Whether a table has rows that the role may not read: it was scanned as if it were empty.
fn is_withheld(catalog: &Catalog, table: &Table) -> bool {
    let sheet = catalog.postgres.as_ref().and_then(|postgres| postgres.table(&table.name));
    table.kind == TableKind::Ordinary && sheet.is_some_and(|sheet| !sheet.is_readable())
}

/// The tables to be read: those that were named, or all that hold rows of their own.
fn chosen<'c>(catalog: &'c Catalog, wanted: &[String]) -> Result<Vec<&'c Table>, Failure> {
    let ordinary = || catalog.tables.iter().filter(|table| is_read(table));
    if wanted.is_empty() {
        return Ok(ordinary().collect());
    }
    let mut chosen = Vec::new();
    for name in wanted {
        let is_named = |table: &&Table| {
            table.name.name == *name || TableName::parse(name).is_ok_and(|name| table.name == name)
        };
        let table = ordinary().find(is_named).ok_or_else(|| {
            let names: Vec<String> = ordinary().map(|table| format!("`{}`", table.name)).collect();
            Failure::failed(format!("the source has no table `{name}`")).hint(if names.is_empty() {
                "it has no tables".to_owned()
            } else {
                format!("its tables are {}", listed(&names, 12))
            })
        })?;
        if !chosen.iter().any(|known: &&Table| known.name == table.name) {
            chosen.push(table);
        }
    }
    Ok(chosen)
}

/// Names with commas between; past a number of them only how many more there are.
fn listed(names: &[String], most: usize) -> String {
    let shown: Vec<&str> = names.iter().take(most).map(String::as_str).collect();
    let more = names.len().saturating_sub(most);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

/// What was not read because it shows what other tables hold.
fn shown(catalog: &Catalog) -> Option<String> {
    let count = |is: fn(&Table) -> bool| catalog.tables.iter().filter(|table| is(table)).count();
    let parts: Vec<String> = [
        (catalog.views.len(), "view", "views"),
        (count(shows_another), "full-text table", "full-text tables"),
        (
            count(|table| table.kind == TableKind::Shadow),
            "table that a virtual one keeps for itself",
            "tables that virtual ones keep for themselves",
        ),
    ]
    .into_iter()
    .filter(|(number, ..)| *number > 0)
    .map(|(number, one, more)| counted(number, one, more))
    .collect();
    (!parts.is_empty()).then(|| {
        format!("Not read, because they show what other tables hold: {}.", parts.join(", "))
    })
}

/// What could not be read, whatever it holds.
fn unknown(catalog: &Catalog) -> Option<String> {
    let names: Vec<String> = catalog
        .tables
        .iter()
        .filter(|table| is_withheld(catalog, table) || !(is_read(table) || shows_another(table)))
        .filter_map(|table| match &table.kind {
            TableKind::Virtual(module) => {
                Some(format!("`{}` (virtual table of module `{module}`)", table.name))
            }
            TableKind::Foreign => Some(format!("`{}` (lies on another server)", table.name)),
            TableKind::Ordinary => {
                Some(format!("`{}` (the role may not read all of it)", table.name))
            }
            TableKind::Shadow | TableKind::Partitioned => None,
        })
        .collect();
    let names = (!names.is_empty()).then(|| listed(&names, 12))?;
    Some(format!("Not read, and not known to be free of anything: {names}."))
}

fn counted(number: usize, one: &str, more: &str) -> String {
    format!("{} {}", grouped(number as u64), if number == 1 { one } else { more })
}

/// Drafts a policy and writes it to a new file; whether there was anything to write.
async fn write(
    source: &dyn Source,
    out: &Output,
    found: &Found<'_>,
    url: &str,
    file: &Path,
) -> Result<bool, Failure> {
    let path = url.split_once(':').map_or(url, |(_, path)| path);
    let stem = Path::new(path)
        .file_stem()
        .map_or_else(|| "source".to_owned(), |stem| stem.to_string_lossy().into_owned());
    let rows: u64 = found.tables.iter().map(|table| table.extent.rows_read).sum();
    let name = Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned());
    let head = format!(
        "Drafted by `sealift scan` from `{}`: {} tables, {} columns, {} rows read. A draft: read \
         it, change it, and have somebody approve its plan. Each column says why it is here.",
        name.unwrap_or_else(|| path.to_owned()),
        found.tables.len(),
        found.columns().count(),
        grouped(rows)
    );
    let draft: Draft = run::draft(source, found.catalog, &found.tables, &stem, &head).await?;
    if draft.is_empty() {
        out.line("No column is to be moved, so no policy was written.");
        for (name, reason) in draft.left_out() {
            out.line(format!("  left out: {name}: {reason}"));
        }
        return Ok(false);
    }
    let mut new = OpenOptions::new().write(true).create_new(true).open(file).map_err(|error| {
        if error.kind() == std::io::ErrorKind::AlreadyExists {
            return exists(file);
        }
        Failure::unwritable(file, &error)
    })?;
    new.write_all(draft.text().as_bytes()).map_err(|error| Failure::unwritable(file, &error))?;
    out.line(format!(
        "Drafted {} columns into {}{}",
        draft.len(),
        file.display(),
        match draft.left_out().len() {
            0 => String::new(),
            left_out => format!(", left {left_out} out; the file says why"),
        }
    ));
    Ok(true)
}

/// Who does what next.
fn next(out: &Output, found: &Found<'_>, typed: &Scan, url: &str, written: bool) {
    let source = shell_word(url);
    if let Some(file) = typed.write_policy.as_deref().filter(|_| written) {
        let file = shell_word(&file.display().to_string());
        out.next("a steward", &format!("sealift plan --source {source} --policy {file} --dry-run"));
    } else if let Some(file) = &typed.policy {
        let file = shell_word(&file.display().to_string());
        let verb = if found.is_open() {
            format!(
                "sealift scan --source {source} --policy {file}   # after adding what is missing"
            )
        } else {
            format!("sealift plan --source {source} --policy {file} --dry-run")
        };
        out.next("a steward", &verb);
    } else if found.sensitive() > 0 {
        out.next(
            "a steward",
            &format!("sealift scan --source {source} --write-policy policy.toml"),
        );
    }
}

//! What breaks: the queries of an application, read from files, and what the plan says of them.

use std::path::{Path, PathBuf};

use anstyle::AnsiColor;

use super::exit::Failure;
use super::output::Output;
use crate::plan::{Finding, QueryText, Verdict};

/// A larger file is no list of queries; it may be a dump.
const BYTES_MAX: u64 = 16 << 20;

/// Reads the files and cuts them into statements, each named by its file and line.
pub(super) fn read(files: &[PathBuf]) -> Result<Vec<QueryText>, Failure> {
    let mut queries = Vec::new();
    for file in files {
        queries.extend(read_one(file)?);
    }
    Ok(queries)
}

fn read_one(file: &Path) -> Result<Vec<QueryText>, Failure> {
    let shown = file.display();
    let hint = "name a file of SQL statements with `--queries FILE`, a semicolon after each";
    let unreadable =
        |error| Failure::failed(format!("queries `{shown}` cannot be read: {error}")).hint(hint);
    let bytes = std::fs::metadata(file).map_err(unreadable)?.len();
    if bytes > BYTES_MAX {
        return Err(Failure::failed(format!(
            "queries `{shown}` has {bytes} bytes, and {BYTES_MAX} are read"
        ))
        .hint("is it a dump of the database? leave rows out, or cut the file in several"));
    }
    let text = std::fs::read(file).map_err(unreadable)?;
    let text = String::from_utf8(text)
        .map_err(|_| Failure::failed(format!("queries `{shown}` is not UTF-8")).hint(hint))?;
    let name = file.file_name().map_or_else(|| shown.to_string(), |n| n.display().to_string());
    let queries = QueryText::split(&name, text.trim_start_matches('\u{feff}'));
    if queries.is_empty() {
        return Err(Failure::failed(format!("queries `{shown}` holds no statement")).hint(hint));
    }
    Ok(queries)
}

/// Answers the developer's first question.
pub(super) fn tell(out: &Output, breaking: &[&Finding], asked: &[QueryText]) {
    if breaking.is_empty() && asked.is_empty() {
        return;
    }
    out.heading("What breaks");
    for finding in breaking {
        let verdict = out.verdict(Verdict::Warns.name(), AnsiColor::Yellow);
        out.line(format!("{verdict} {}: {}", finding.object, finding.fact));
        for remedy in finding.remedy.split("; ") {
            out.line(format!("    {remedy}"));
        }
    }
    if asked.is_empty() {
        out.line("  queries of the application: `--queries FILE` reads them too");
    } else {
        let broken = breaking.iter().filter(|f| asked.iter().any(|q| q.source == f.object)).count();
        out.line(format!("  {broken} of {} queries that were handed in break", asked.len()));
    }
}

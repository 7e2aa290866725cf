//! The queries of an application, read from files for the plan, which says what breaks.

use std::path::{Path, PathBuf};

use super::exit::Failure;
use super::output::Output;
use crate::plan::{Assessment, QueryText};

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

/// Says how many of the queries that were handed in break, or that the source keeps; which ones, the
/// plan says.
pub(super) fn tell(out: &Output, plan: &Assessment, asked: &[QueryText]) {
    if asked.is_empty() {
        return;
    }
    let breaks = |query: &&QueryText| plan.findings.iter().any(|f| f.object == query.source);
    let broken = asked.iter().filter(breaks).count();
    out.line(format!(
        "{broken} of {} queries that were handed in or found in the source break.",
        asked.len()
    ));
}

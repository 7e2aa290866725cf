//! What a scan found, as a table that a person can read.

use anstyle::AnsiColor;
use unicode_width::UnicodeWidthStr;

use super::super::output::Output;
use super::{Found, counted, listed, shown, unknown};
use crate::plan::{copied_line, copied_remedy};
use crate::policy::because;
use crate::ports::SampleExtent;
use crate::run::{ScannedColumn, ScannedTable};
use crate::words::grouped;

/// From here on a finding is called sure, and from here on likely.
const SURE: f64 = 0.9;
const LIKELY: f64 = 0.7;

/// One line of the table.
struct Line {
    column: String,
    what: String,
    class: String,
    confidence: (String, AnsiColor),
    policy: Option<(&'static str, AnsiColor)>,
    evidence: String,
}

pub(super) fn tell(out: &Output, found: &Found<'_>, url: &str) {
    out.heading(&format!("Scan of {}", plain(url)));
    let tables: Vec<(&ScannedTable, Vec<Line>)> =
        found.tables.iter().map(|table| (table, lines(found, table))).collect();
    let widest = |of: fn(&Line) -> &str| {
        tables.iter().flat_map(|(_, lines)| lines).map(|line| of(line).width()).max().unwrap_or(0)
    };
    let widths = Widths {
        column: widest(|line| &line.column).min(40),
        what: widest(|line| &line.what),
        class: widest(|line| &line.class),
    };
    for (table, lines) in tables.iter().filter(|(_, lines)| !lines.is_empty()) {
        out.line("");
        out.heading(&format!("{}  ({})", plain(&table.table.to_string()), extent(table.extent)));
        for line in lines {
            out.line(written(out, line, &widths));
        }
    }
    copies(out, found);
    out.line("");
    quiet(out, &tables);
    for line in [shown(found.catalog), unknown(found.catalog)].into_iter().flatten() {
        out.line(plain(&line));
    }
    summary(out, found);
}

struct Widths {
    column: usize,
    what: usize,
    class: usize,
}

fn lines(found: &Found<'_>, table: &ScannedTable) -> Vec<Line> {
    table.columns.iter().flat_map(|column| of_column(found, column)).collect()
}

fn of_column(found: &Found<'_>, column: &ScannedColumn) -> Vec<Line> {
    let rule = found.rule(&column.name);
    let policy = found.policy.map(|_| {
        if found.is_covered(&column.name) {
            ("covered", AnsiColor::Green)
        } else {
            ("not covered", AnsiColor::Red)
        }
    });
    let name = plain(&column.name.column);
    let mut lines: Vec<Line> = column
        .findings
        .iter()
        .map(|finding| Line {
            column: name.clone(),
            what: plain(finding.kind.title()),
            class: plain(&finding.class),
            confidence: confidence(finding.confidence),
            policy,
            evidence: plain(&because(finding)),
        })
        .collect();
    let Some(rule) = rule else { return lines };
    if found.came_back(column) {
        lines.push(Line {
            column: name,
            what: "originals again".to_owned(),
            class: plain(&rule.class),
            confidence: confidence(1.0),
            policy: Some(("came back", AnsiColor::Red)),
            evidence: format!(
                "{} of {} values are no tokens",
                grouped(column.originals),
                grouped(column.originals + column.tokens)
            ),
        });
    } else if column.tokens > 0 && column.originals == 0 {
        lines.push(Line {
            column: name,
            what: "tokens".to_owned(),
            class: plain(&rule.class),
            confidence: confidence(1.0),
            policy,
            evidence: format!("{} tokens and no original", grouped(column.tokens)),
        });
    }
    lines
}

fn confidence(confidence: f64) -> (String, AnsiColor) {
    let (word, color) = if confidence >= SURE {
        ("sure", AnsiColor::Green)
    } else if confidence >= LIKELY {
        ("likely", AnsiColor::Yellow)
    } else {
        ("maybe", AnsiColor::Cyan)
    };
    (format!("{word} {confidence:.2}"), color)
}

/// The evidence comes last, so that a narrow terminal breaks that and nothing else.
fn written(out: &Output, line: &Line, widths: &Widths) -> String {
    let (word, color) = &line.confidence;
    let policy = line
        .policy
        .map(|(word, color)| format!("  {}", out.verdict(&pad(word, 11), color)))
        .unwrap_or_default();
    format!(
        "  {}  {}  {}  {}{policy}  {}",
        pad(&line.column, widths.column),
        pad(&line.what, widths.what),
        pad(&line.class, widths.class),
        out.verdict(&pad(word, 11), *color),
        line.evidence
    )
}

/// A text and as many spaces as it lacks on a screen.
fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// Names are whatever a catalog holds; control characters would steer the terminal.
fn plain(text: &str) -> String {
    text.chars().map(|each| if each.is_control() { '\u{fffd}' } else { each }).collect()
}

fn extent(extent: SampleExtent) -> String {
    let rows = grouped(extent.rows_read);
    let mut text = match extent.rows_about {
        _ if extent.is_whole => format!("all {rows} rows"),
        Some(about) => format!("sampled {rows} of about {} rows", grouped(about)),
        None => format!("sampled {rows} rows of more"),
    };
    if extent.passed_over > 0 {
        text = format!("{text}, {} values over 1 MiB passed over", grouped(extent.passed_over));
    }
    text
}

fn copies(out: &Output, found: &Found<'_>) {
    let Some(policy) = found.policy.filter(|_| !found.copies.is_empty()) else { return };
    out.line("");
    out.heading("Copies of covered values in columns that the policy leaves out");
    for copy in &found.copies {
        out.line(format!(
            "  {} `{}`: {}",
            out.verdict("copied", AnsiColor::Red),
            plain(&copy.of.to_string()),
            plain(&copied_line(copy))
        ));
        let remedy = copied_remedy(found.catalog, policy, &found.copies, copy);
        out.line(format!("    {}", plain(&remedy)));
    }
}

/// Tables without a finding, so that nobody wonders whether they were read.
fn quiet(out: &Output, tables: &[(&ScannedTable, Vec<Line>)]) {
    let names: Vec<String> = tables
        .iter()
        .filter(|(table, lines)| lines.is_empty() && table.extent.rows_read > 0)
        .map(|(table, _)| plain(&table.table.to_string()))
        .collect();
    if !names.is_empty() {
        out.line(format!("Nothing found in {}.", listed(&names, 12)));
    }
    let empty = tables.iter().filter(|(table, _)| table.extent.rows_read == 0).count();
    if empty > 0 {
        out.line(format!("{} without a row.", counted(empty, "table is", "tables are")));
    }
}

fn summary(out: &Output, found: &Found<'_>) {
    let rows: u64 = found.tables.iter().map(|table| table.extent.rows_read).sum();
    let seconds = found.took.as_secs_f64();
    let columns = found.columns().count();
    if found.tables.is_empty() {
        out.line("The source has no tables.");
        return;
    }
    let sensitive = found.sensitive();
    out.line(format!(
        "{}, {}: {}. {} rows read in {seconds:.1} s, {} rows/s.",
        counted(found.tables.len(), "table", "tables"),
        counted(columns, "column", "columns"),
        match sensitive {
            0 => "none holds anything sensitive".to_owned(),
            one_or_more => {
                counted(one_or_more, "holds something sensitive", "hold something sensitive")
            }
        },
        grouped(rows),
        grouped(rate(rows, seconds))
    ));
    let sampled = found.tables.iter().filter(|table| !table.extent.is_whole).count();
    if sampled > 0 {
        out.line(format!(
            "{} sampled; `--whole` reads every row.",
            counted(sampled, "table was", "tables were")
        ));
    }
    if found.policy.is_some() {
        let uncovered = found
            .columns()
            .filter(|column| !column.findings.is_empty() && !found.is_covered(&column.name))
            .count();
        let came_back = found.columns().filter(|column| found.came_back(column)).count();
        if found.is_open() {
            out.line(format!(
                "{}: {}, {}, {}.",
                out.verdict("open", AnsiColor::Red),
                counted(uncovered, "column not covered", "columns not covered"),
                counted(came_back, "column with originals again", "columns with originals again"),
                counted(found.copies.len(), "copy", "copies")
            ));
        } else {
            out.line(out.verdict("The policy covers all that was found.", AnsiColor::Green));
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate for people"
)]
fn rate(rows: u64, seconds: f64) -> u64 {
    (rows as f64 / seconds.max(0.001)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_any_script_take_the_room_they_need() {
        for name in ["email", "имя", "名前", "שם", "नाम", "e\u{301}"] {
            assert_eq!(pad(name, 12).width(), 12, "{name}");
        }
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        assert_eq!(plain("a\u{1b}[31mb\nc"), "a\u{fffd}[31mb\u{fffd}c");
    }
}

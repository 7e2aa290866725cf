//! `sealift report` over several runs, all of them, or a period. Needs no passphrase, except to issue.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde_json::json;

use super::args::Report as Typed;
use super::desk::find_run;
use super::exit::{Failure, Outcome};
use super::output::{Output, print_bytes};
use super::report::{Form, Written, form_of, issue, written};
use super::settings::Settings;
use crate::ports::{RunRow, Vault};
use crate::report::{Asked, Period, PeriodReport};
use crate::serve::period_evidence;

/// What `--since` and `--until` want.
const DATES: &str = "a day as 2026-03-31, which is taken whole and in UTC, or a moment as \
                     2026-03-31T18:00:00Z";

/// Whether more than the report of one run is meant.
pub(super) fn is_meant(typed: &Typed) -> bool {
    typed.all || typed.since.is_some() || typed.until.is_some() || typed.run.len() > 1
}

pub(super) async fn report(
    settings: &Settings,
    out: &Output,
    typed: &Typed,
) -> Result<Outcome, Failure> {
    let period = period(typed)?;
    if typed.close {
        return Err(Failure::failed("`--close` closes one run")
            .hint("sealift report RUN --output report.html --close"));
    }
    let vault = settings.open_vault().await?;
    let (asked, rows) = asked(vault.as_ref(), typed).await?;
    let wanted = rows.len();
    let evidence =
        period_evidence(vault.as_ref(), asked, rows, period).await?.ok_or_else(|| {
            Failure::failed("no checkpoint was signed yet, so there is nothing to prove")
                .hint("sealift ledger checkpoint")
        })?;
    if asked == Asked::Named && evidence.runs.len() < wanted {
        return Err(Failure::failed(
            "a run that was named has no signed entry before the period ends",
        )
        .hint("`sealift status --all` says when each was planned"));
    }
    let report = PeriodReport::of(&evidence);
    let Some(form) = form_of(out.format(), typed.output.as_deref())? else {
        for line in report.to_text().lines() {
            out.line(line);
        }
        next(out);
        return Ok(Outcome::Done);
    };
    let text = match form {
        Form::Html => report.to_html(),
        Form::Csv => report.to_csv(),
        Form::Text => report.to_text(),
        Form::Json => report.to_json(),
    };
    let Some(file) = &typed.output else {
        print_bytes(text.as_bytes())?;
        return Ok(Outcome::Done);
    };
    written(file, &text)?;
    if typed.issue {
        let json = report.to_json();
        let about = "report over a period".to_owned();
        issue(settings, &Written { form, text: &text, json: &json }, about, None).await?;
    }
    out.object(&json!({
        "runs": report.totals.runs, "entries": report.ledger.entries,
        "verdict": report.summary.verdict, "output": file.display().to_string(),
    }));
    out.line(format!(
        "the report over {} is in {}",
        crate::words::counted(report.totals.runs, "run", "runs"),
        file.display()
    ));
    next(out);
    Ok(Outcome::Done)
}

fn next(out: &Output) {
    out.next("an auditor", "sealift ledger export --output ledger/");
}

/// The runs that were asked about, oldest first.
async fn asked(vault: &dyn Vault, typed: &Typed) -> Result<(Asked, Vec<RunRow>), Failure> {
    if typed.run.is_empty() {
        let asked = if typed.all { Asked::All } else { Asked::Period };
        return Ok((asked, vault.runs().await?));
    }
    let mut rows: Vec<RunRow> = Vec::new();
    for run in &typed.run {
        let row = find_run(vault, Some(run), |_| true).await?;
        if !rows.iter().any(|known| known.run == row.run) {
            rows.push(row);
        }
    }
    Ok((Asked::Named, rows))
}

fn period(typed: &Typed) -> Result<Period, Failure> {
    let since = typed.since.as_deref().map(|text| moment(text, "--since")).transpose()?;
    let until = typed.until.as_deref().map(|text| moment(text, "--until")).transpose()?;
    let since = since.map(|(first, _)| first.to_string());
    let until = until.map(|(_, last)| last.to_string());
    Period::between(since, until)
        .map_err(|error| Failure::failed(error).hint("`--since` comes before `--until`"))
}

/// When what was typed begins, and when it has ended.
fn moment(text: &str, flag: &str) -> Result<(Timestamp, Timestamp), Failure> {
    let wrong = || Failure::failed(format!("`{flag} {text}` is no day and no moment")).hint(DATES);
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok((at, at));
    }
    let day: Date = text.parse().map_err(|_| wrong())?;
    let at = |day: Date| day.to_zoned(TimeZone::UTC).map(|at| at.timestamp());
    let next = day.checked_add(1.day()).map_err(|_| wrong())?;
    Ok((at(day).map_err(|_| wrong())?, at(next).map_err(|_| wrong())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_taken_whole_and_a_moment_exactly() {
        let told = |text: &str| {
            moment(text, "--since").map(|(from, to)| [from.to_string(), to.to_string()])
        };
        let day = told("2026-02-28").unwrap();
        assert_eq!(day, ["2026-02-28T00:00:00Z", "2026-03-01T00:00:00Z"]);
        let at = told("2026-02-28T12:00:00+02:00").unwrap();
        assert_eq!(at, ["2026-02-28T10:00:00Z", "2026-02-28T10:00:00Z"]);
        for wrong in ["yesterday", "2026-02-30", "28.02.2026", ""] {
            assert!(told(wrong).is_err(), "{wrong}");
        }
    }
}

//! The document of a plan: made, written, printed, and made again.

use std::path::Path;

use anstyle::AnsiColor;
use serde_json::json;

use super::args::Format;
use super::desk::find_run;
use super::exit::{Failure, Outcome};
use super::output::{Output, print_bytes};
use super::settings::Settings;
use crate::ports::RunRow;
use crate::report::{DocumentForm, LineTone, PlanDocument, StoredDocument, StoredPlan, TextLine};

/// What the program calls itself in a document.
pub(super) const TOOL: &str = concat!("sealift ", env!("CARGO_PKG_VERSION"));

/// Parses the plan that a run's row holds, its document too.
pub(super) fn stored(row: &RunRow) -> Result<StoredPlan, Failure> {
    serde_json::from_str(&row.plan)
        .map_err(|_| Failure::malformed(format!("the row of run {}", row.run)))
}

/// Where a source is, without what opens it: no user, no password, no parameter.
pub(super) fn place_of(url: &str) -> String {
    let bare = url.split(['?', '#']).next().unwrap_or_default();
    match bare.split_once("://") {
        Some((scheme, rest)) => {
            let authority = rest.find('/').unwrap_or(rest.len());
            let host = rest[..authority].rfind('@').map_or(0, |at| at + 1);
            format!("{scheme}://{}", &rest[host..])
        }
        None => bare.to_owned(),
    }
}

/// The form that a file's name asks for.
pub(super) fn form_of(file: &Path) -> Result<DocumentForm, Failure> {
    file.extension().and_then(|end| end.to_str()).and_then(DocumentForm::of_file).ok_or_else(|| {
        Failure::failed(format!(
            "`{}` does not say in which form a plan is written",
            file.display()
        ))
        .hint("let the name end in .html, .json or .txt")
    })
}

/// Writes a document to a file.
pub(super) fn write(file: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(file, text).map_err(|error| Failure::unwritable(file, &error))
}

/// A document in one of its forms.
pub(super) fn draw(document: &PlanDocument, form: DocumentForm) -> String {
    match form {
        DocumentForm::Html => document.to_html(),
        DocumentForm::Json => document.to_json(),
        DocumentForm::Text => document.to_text(),
    }
}

/// Prints the lines of a document in the colours of their tones.
pub(super) fn print<'l>(out: &Output, lines: impl IntoIterator<Item = &'l TextLine>) {
    for line in lines {
        match line.tone {
            LineTone::Heading => out.heading(&line.text),
            LineTone::Good => out.line(out.toned(&line.text, AnsiColor::Green)),
            LineTone::Warn => out.line(out.toned(&line.text, AnsiColor::Yellow)),
            LineTone::Bad => out.line(out.toned(&line.text, AnsiColor::Red)),
            LineTone::Plain => out.line(&line.text),
        }
    }
}

/// Prints a page where one was asked for; `false` where not.
pub(super) fn is_page(out: &Output, document: &PlanDocument) -> Result<bool, Failure> {
    match out.format() {
        Format::Html => {
            print_bytes(document.to_html().as_bytes())?;
            Ok(true)
        }
        Format::Csv => Err(Failure::failed("a plan has no form as a table")
            .hint("use --format text, json or html, or --output plan.html")),
        Format::Text | Format::Json => Ok(false),
    }
}

/// Makes the document of a recorded run again, and says whether it is what was recorded.
pub(super) async fn reissue(
    settings: &Settings,
    out: &Output,
    run: &str,
    output: Option<&Path>,
) -> Result<Outcome, Failure> {
    let vault = settings.open_vault().await?;
    let row = find_run(vault.as_ref(), Some(run), |_| true).await?;
    let Some(kept) = stored(&row)?.document else {
        return Err(Failure::failed(format!("run {} was planned without a document", row.run))
            .hint("plan again to get one"));
    };
    let form = match (output, out.format()) {
        (Some(file), _) => form_of(file)?,
        (None, Format::Html) => DocumentForm::Html,
        (None, Format::Json) => DocumentForm::Json,
        (None, Format::Text | Format::Csv) => DocumentForm::Text,
    };
    let text = kept.draw(form).map_err(|_| {
        Failure::failed(format!("this version cannot draw the document of run {}", row.run))
            .hint("its JSON comes out as it was: `--output plan.json`")
    })?;
    if let Some(file) = output {
        write(file, &text)?;
    } else {
        print_bytes(text.as_bytes())?;
        return same(&row, &kept, form, &text);
    }
    let file = output.map(|file| file.display().to_string()).unwrap_or_default();
    let outcome = same(&row, &kept, form, &text)?;
    out.object(&json!({
        "run": row.run.to_string(), "output": file, "sha256": kept.sha256(form),
    }));
    out.line(format!("the document of run {} is in {file}, byte for byte as recorded", row.run));
    out.line(format!("  sha256 {}", kept.sha256(form)));
    out.next("an approver", &format!("sealift approve {} --document {file}", row.run));
    Ok(outcome)
}

/// A later version may draw a document in another way: the recorded hash stays what was signed.
fn same(
    row: &RunRow,
    kept: &StoredDocument,
    form: DocumentForm,
    text: &str,
) -> Result<Outcome, Failure> {
    if kept.recognise(text.as_bytes()) == Some(form) {
        return Ok(Outcome::Done);
    }
    Err(Failure::finding(format!(
        "{TOOL} draws the document of run {} otherwise than it was recorded: sha256 {} is on record",
        row.run,
        kept.sha256(form)
    ))
    .hint("what was signed is the recorded one; its JSON comes out as it was: `--output plan.json`"))
}

#[cfg(test)]
mod tests {
    use super::place_of;

    #[test]
    fn a_place_holds_nothing_that_opens_it() {
        for (url, place) in [
            ("sqlite:crm.db", "sqlite:crm.db"),
            ("sqlite:crm.db?mode=ro", "sqlite:crm.db"),
            (
                "postgres://app:s3cret@db.example.com/crm?sslmode=require",
                "postgres://db.example.com/crm",
            ),
            ("postgres://app:p%40s@s@host:5432/crm", "postgres://host:5432/crm"),
            ("postgres:///crm", "postgres:///crm"),
        ] {
            assert_eq!(place_of(url), place);
        }
    }
}

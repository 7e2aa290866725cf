//! The sections about the evidence: approvals, certificate, keys, access, risks, timeline, checking.

use super::markup::{Cell, Markup};
use super::pictures;
use crate::crypto::KeyState;
use crate::policy::{Form, Permission};
use crate::report::certificate::class_title;
use crate::report::{
    Certificate, CertificateStatus, CheckpointPart, Claim, ClaimState, Command, KeyLine,
    PurposeLine, Report, RiskKind, ScanFigures, Tone,
};
use crate::words::{between, capital, duration, grouped};

pub(super) fn approvals(markup: &mut Markup, report: &Report) {
    let part = &report.approvals;
    markup
        .raw("<p>The policy asks for <strong>")
        .number(u64::from(part.plan_required))
        .raw("</strong> under the plan and <strong>")
        .number(u64::from(part.purge_required))
        .raw("</strong> under the purge, by callers who did not plan it.");
    if part.purge_wait_s > 0 {
        markup.raw(" The purge waits <strong>").number(part.purge_wait_s).raw("</strong> s.");
    }
    if part.legal_hold {
        markup.raw(" <strong>A legal hold forbids the purge.</strong>");
    }
    markup.raw("</p>\n");
    if part.signatures.is_empty() {
        markup.paragraph("Nobody has signed.");
        return;
    }
    let rows: Vec<Vec<Cell>> = part
        .signatures
        .iter()
        .map(|row| {
            vec![
                Cell::Text(row.caller.clone()),
                Cell::Badge(Tone::Quiet, row.kind.to_owned()),
                Cell::Time(row.signed_at.clone()),
                Cell::Hash(row.digest.clone()),
            ]
        })
        .collect();
    markup.table("Signatures", &["who", "signed the", "when", "digest"], &rows);
}

pub(super) fn certificate(markup: &mut Markup, report: &Report) {
    let certificate = &report.certificate;
    markup.raw("<p>").badge(certificate.status.tone(), certificate.word).raw(" ");
    markup.text(&capital(&certificate.statement)).raw(".</p>\n");
    let rows: Vec<Vec<Cell>> = certificate
        .claims
        .iter()
        .map(|claim| {
            vec![
                Cell::Text(claim.level.title().to_owned()),
                Cell::Badge(claim_tone(claim), claim.state.title().to_owned()),
                Cell::Text(claim.statement.clone()),
            ]
        })
        .collect();
    markup.table("Three levels of claim", &["level", "state", "what is claimed"], &rows);
    markup.raw("<h3>Not covered</h3>\n");
    if certificate.status == CertificateStatus::NotPurged {
        markup.paragraph("Nothing is claimed yet, so nothing is covered.");
    } else if certificate.not_covered.is_empty() {
        markup.paragraph("Nothing else in the files of the database. The medium is never covered.");
    } else {
        markup.list(certificate.not_covered.iter().map(String::as_str));
    }
    if !certificate.came_back.is_empty() {
        markup.raw("<h3>What came back since</h3>\n");
        let lines: Vec<String> = certificate
            .came_back
            .iter()
            .map(|found| format!("{}: {} cells hold originals", found.column, found.cells))
            .collect();
        markup.list(lines.iter().map(String::as_str));
    }
    copies_elsewhere(markup, certificate);
    if !certificate.vault_copies.is_empty() {
        markup.raw("<h3>Copies of the vault</h3>\n");
        markup.paragraph(
            "What is in them is sealed. Those from before the end of the purge also have the key that \
             opened the run's backup: with a copy of the backup folder, if somebody kept one, and a \
             way into the vault, they open it. Take a new copy, and destroy these.",
        );
        let rows: Vec<Vec<Cell>> = certificate
            .vault_copies
            .iter()
            .map(|copy| {
                vec![
                    Cell::Time(copy.at.clone()),
                    Cell::Text(copy.file.clone()),
                    Cell::Text(copy.sha256.chars().take(16).collect()),
                ]
            })
            .collect();
        markup.table("Copies from before the end of the purge", &["when", "file", "hash"], &rows);
    }
    if !certificate.doubts.is_empty() {
        markup.raw("<h3>Why a zero is no evidence here</h3>\n");
        markup.list(certificate.doubts.iter().map(String::as_str));
    }
    if !certificate.steps.is_empty() {
        markup.raw("<h3>What was done</h3>\n");
        let rows: Vec<Vec<Cell>> = certificate
            .steps
            .iter()
            .map(|step| {
                vec![
                    Cell::Text(step.name.clone()),
                    Cell::Text(step.outcome.clone()),
                    Cell::Time(step.started_at.clone()),
                    between(&step.started_at, &step.finished_at)
                        .map_or(Cell::Empty, |millis| Cell::Text(duration(millis))),
                ]
            })
            .collect();
        markup.table("Steps of the purge", &["step", "outcome", "began", "took"], &rows);
    }
}

fn copies_elsewhere(markup: &mut Markup, certificate: &Certificate) {
    if certificate.elsewhere.is_empty() {
        return;
    }
    markup.raw("<h3>Copies elsewhere</h3>\n");
    markup.paragraph(
        "Nothing here was read. Each is its owner's to purge by the day that is given; one without an \
         owner is not covered.",
    );
    let or_nobody = |text: &Option<String>| Cell::text_or_empty(text.as_deref());
    let rows: Vec<Vec<Cell>> = certificate
        .elsewhere
        .iter()
        .map(|copy| {
            vec![
                Cell::Text(copy.kind.clone()),
                Cell::Code(copy.name.clone()),
                or_nobody(&copy.owner),
                or_nobody(&copy.expires),
                Cell::Text(copy.known.clone()),
            ]
        })
        .collect();
    let heads = ["copy", "name", "owner", "gone by", "how it is known"];
    markup.table("Copies of the source that lie elsewhere", &heads, &rows);
}

pub(super) fn originals(markup: &mut Markup, report: &Report) {
    let certificate = &report.certificate;
    if certificate.scan_before.is_none() && certificate.scan_after.is_none() {
        markup.paragraph(
            "The files were not scanned yet. The first scan comes with the backup, while the \
             originals are still there; the second follows the purge.",
        );
        return;
    }
    markup.paragraph(
        "The same scan reads every byte of the files twice: while the originals are there, and \
         after the purge. The first is the positive control: had it found nothing, a zero later \
         would prove nothing. It finds an original as often as it lies there, in rows, indexes, \
         unused space and logs.",
    );
    pictures::places(markup, report);
    let rows: Vec<Vec<Cell>> = certificate
        .places
        .iter()
        .map(|line| {
            let number = |hits: Option<u64>| hits.map_or(Cell::Empty, Cell::Number);
            vec![Cell::Text(line.place.title().to_owned()), number(line.before), number(line.after)]
        })
        .collect();
    markup.table("Originals found, by kind of place", &["place", "before", "after"], &rows);
    if certificate.scan_after.is_none() {
        markup.paragraph("There was no scan after a purge yet.");
    }
    copies(markup, certificate);
    if let Some(scan) = &certificate.scan_before {
        markup.raw("<h3>Scan before the purge</h3>\n");
        files(markup, "Files scanned before the purge", scan);
    }
    if let Some(scan) = &certificate.scan_after {
        markup.raw("<h3>Scan after the purge</h3>\n");
        files(markup, "Files scanned after the purge", scan);
    }
}

fn copies(markup: &mut Markup, certificate: &Certificate) {
    if certificate.uncovered_copies.is_empty() {
        return;
    }
    markup.raw("<h3>Copies outside the policy</h3>\n");
    let rows: Vec<Vec<Cell>> = certificate
        .uncovered_copies
        .iter()
        .map(|copy| vec![Cell::Code(copy.column.clone()), Cell::Number(copy.cells)])
        .collect();
    markup.table("Originals of this run in other columns", &["column", "cells"], &rows);
}

fn files(markup: &mut Markup, caption: &'static str, scan: &ScanFigures) {
    markup
        .raw("<p><strong>")
        .number(scan.values_searched)
        .raw("</strong> values searched for; <strong>")
        .number(scan.not_byte_searchable)
        .raw("</strong> are not byte-searchable and need the proof by structure.</p>\n");
    let rows: Vec<Vec<Cell>> = scan
        .files
        .iter()
        .map(|file| {
            vec![
                Cell::Code(file.name.clone()),
                Cell::Text(class_title(file.class).to_owned()),
                Cell::Number(file.bytes),
                Cell::Number(file.residue),
                Cell::Number(file.live),
                Cell::Hash(file.sha256.clone()),
            ]
        })
        .collect();
    let heads = ["file", "class", "bytes", "residue", "in live rows", "SHA-256"];
    markup.table(caption, &heads, &rows);
}

/// A medium that is not claimed is no surprise; any other claim that fails is.
pub(super) fn claim_tone(claim: &Claim) -> Tone {
    match claim.state {
        ClaimState::Proven => Tone::Good,
        ClaimState::Limited => Tone::Warn,
        ClaimState::Pending | ClaimState::NotClaimed => Tone::Quiet,
        ClaimState::NotProven => Tone::Bad,
    }
}

pub(super) fn keys(markup: &mut Markup, report: &Report) {
    key_table(markup, &report.keys);
}

/// Writes keys and where they stand.
pub(super) fn key_table(markup: &mut Markup, keys: &[KeyLine]) {
    if keys.is_empty() {
        markup.paragraph("No key is on record for this run.");
        return;
    }
    let rows: Vec<Vec<Cell>> = keys
        .iter()
        .map(|key| {
            let tone = match key.state {
                KeyState::Active => Tone::Good,
                KeyState::Compromised => Tone::Bad,
                KeyState::Suspended => Tone::Warn,
                KeyState::PreActivation | KeyState::Deactivated | KeyState::Destroyed => {
                    Tone::Quiet
                }
            };
            vec![
                Cell::Number(u64::from(key.id)),
                Cell::Text(key.purpose.name().to_owned()),
                Cell::text_or_empty(Some(key.subject.as_str()).filter(|name| !name.is_empty())),
                Cell::Number(u64::from(key.version)),
                Cell::Badge(tone, key.state.name().replace('_', " ")),
                Cell::Time(key.created_at.clone()),
                Cell::Time(key.changed_at.clone()),
            ]
        })
        .collect();
    let heads = ["key", "purpose", "of", "version", "state", "made", "changed"];
    markup.table("Keys and their states (NIST SP 800-57)", &heads, &rows);
}

pub(super) fn access(markup: &mut Markup, report: &Report) {
    markup.paragraph(
        "Whatever is not declared here is refused. Each request is on the ledger before a value \
         leaves.",
    );
    if report.access.is_empty() {
        markup.paragraph("No purpose is declared: nobody can read a value back through the API.");
        return;
    }
    declared(markup, &report.access);
    used(markup, report);
}

/// Writes what purposes allow.
pub(super) fn declared(markup: &mut Markup, purposes: &[PurposeLine]) {
    let rows: Vec<Vec<Cell>> = purposes
        .iter()
        .map(|purpose| {
            let shown: Vec<String> = purpose
                .show
                .iter()
                .map(|(what, form)| format!("{what}: {}", form_name(*form)))
                .collect();
            let may: Vec<&str> = purpose.may.iter().map(|may| permission_name(*may)).collect();
            vec![
                Cell::Code(purpose.name.clone()),
                Cell::Text(purpose.roles.join(", ")),
                Cell::Text(may.join(", ")),
                Cell::Text(shown.join(", ")),
                Cell::Text(limits(purpose)),
                Cell::Text(validity(purpose)),
            ]
        })
        .collect();
    let heads = ["purpose", "roles", "may", "sees", "limits (tokens)", "valid"];
    markup.table("Purposes, as declared", &heads, &rows);
}

/// What was asked, beside what is declared.
fn used(markup: &mut Markup, report: &Report) {
    let rows: Vec<Vec<Cell>> = report
        .access
        .iter()
        .map(|purpose| {
            let used = &purpose.used;
            let by: Vec<String> = used
                .callers
                .iter()
                .map(|(caller, requests)| format!("{caller}: {}", grouped(*requests)))
                .collect();
            let asked: Vec<String> = used
                .domains
                .iter()
                .map(|(domain, values)| format!("{domain}: {}", grouped(*values)))
                .collect();
            vec![
                Cell::Code(purpose.name.clone()),
                Cell::Number(used.requests),
                Cell::Number(used.refused),
                Cell::Number(used.unreviewed),
                Cell::text_or_empty(Some(asked.join(", ").as_str()).filter(|it| !it.is_empty())),
                Cell::text_or_empty(Some(by.join(", ").as_str()).filter(|it| !it.is_empty())),
                if used.last.is_empty() { Cell::Empty } else { Cell::Time(used.last.clone()) },
            ]
        })
        .collect();
    let heads = [
        "purpose",
        "requests",
        "refused",
        "to review",
        "asked for, by domain",
        "requests by",
        "last",
    ];
    markup.table("Purposes, as they were used", &heads, &rows);
    if report.access_beyond.is_empty() {
        return;
    }
    let rows: Vec<Vec<Cell>> = report
        .access_beyond
        .iter()
        .flat_map(|other| {
            other.domains.iter().map(|(domain, values)| {
                vec![
                    Cell::Code(other.purpose.clone()),
                    Cell::Code(domain.clone()),
                    Cell::Number(*values),
                ]
            })
        })
        .collect();
    let heads = ["purpose", "domain", "asked for"];
    markup.table("Asked for under purposes of other policies", &heads, &rows);
}

fn limits(purpose: &PurposeLine) -> String {
    let mut limits =
        vec![format!("{} a request", grouped(u64::from(purpose.max_tokens_per_request)))];
    if let Some(limit) = purpose.max_tokens_per_minute {
        limits.push(format!("{} a minute", grouped(u64::from(limit))));
    }
    if let Some(limit) = purpose.max_tokens_per_day {
        limits.push(format!("{} a day", grouped(limit)));
    }
    limits.join(", ")
}

fn validity(purpose: &PurposeLine) -> String {
    match (&purpose.valid_from, &purpose.valid_until) {
        (None, None) => "always".to_owned(),
        (Some(from), None) => format!("from {from}"),
        (None, Some(until)) => format!("until {until}"),
        (Some(from), Some(until)) => format!("{from} to {until}"),
    }
}

fn permission_name(permission: Permission) -> &'static str {
    match permission {
        Permission::Detokenize => "detokenize",
        Permission::Tokenize => "tokenize",
        Permission::Search => "search",
    }
}

pub(super) fn form_name(form: Form) -> &'static str {
    match form {
        Form::Plain => "plain",
        Form::Last4 => "last4",
        Form::Masked => "masked",
        Form::Match => "match",
    }
}

pub(super) fn risks(markup: &mut Markup, report: &Report) {
    let rows: Vec<Vec<Cell>> = report
        .risks
        .iter()
        .map(|risk| {
            let tone = match risk.kind {
                RiskKind::Exception => Tone::Warn,
                RiskKind::Residual => Tone::Quiet,
            };
            vec![
                Cell::Text(risk.about.clone()),
                Cell::Badge(tone, risk.kind.name().to_owned()),
                Cell::Text(risk.statement.clone()),
            ]
        })
        .collect();
    markup.table("What was accepted, and what remains", &["about", "kind", "statement"], &rows);
}

pub(super) fn stages(markup: &mut Markup, report: &Report) {
    if report.stages.is_empty() {
        markup.paragraph("No work is on the ledger yet.");
        return;
    }
    pictures::stages(markup, report);
    let rows: Vec<Vec<Cell>> = report
        .stages
        .iter()
        .map(|stage| {
            vec![
                Cell::Text(stage.name.to_owned()),
                Cell::Badge(Tone::Quiet, stage.kind.title().to_owned()),
                Cell::Text(stage.by.clone()),
                Cell::Time(stage.from.clone()),
                Cell::Text(duration(stage.millis)),
            ]
        })
        .collect();
    markup.table("Work and waiting", &["what", "kind", "by", "began", "took"], &rows);
    markup.note(
        "Work that was interrupted counts from when it was taken up last; what came before is \
         waiting here.",
    );
}

pub(super) fn timeline(markup: &mut Markup, report: &Report) {
    markup.paragraph("Every entry of the run, as it is signed; the ledger has their details.");
    if report.timeline.is_empty() {
        markup.paragraph("The ledger has no entry of this run.");
        return;
    }
    markup.raw("<ol class=\"timeline\">\n");
    for entry in &report.timeline {
        let moved = entry.phase_after.filter(|after| entry.phase_before != Some(*after));
        markup.raw(if moved.is_some() {
            "<li class=\"moved\" id=\"entry-"
        } else {
            "<li id=\"entry-"
        });
        markup
            .length(entry.seq)
            .raw("\"><p class=\"what\"><strong>")
            .text(&entry.action.replace('_', " "))
            .raw("</strong> by ")
            .text(&entry.actor)
            .raw(" <span class=\"object\">")
            .text(&entry.object)
            .raw("</span></p><p class=\"note\">#")
            .number(entry.seq)
            .raw(" · ")
            .time(&entry.at);
        if let Some(after) = moved {
            let before = entry.phase_before.map_or("new", crate::lifecycle::Phase::name);
            markup.raw(" · ").text(&before.replace('_', " ")).raw(" → ");
            markup.text(&after.name().replace('_', " "));
        }
        for (name, count) in &entry.counts {
            markup.raw(" · ").number(*count).raw(" ").text(&name.replace('_', " "));
        }
        markup.raw("</p></li>\n");
    }
    markup.raw("</ol>\n");
}

pub(super) fn how_to_verify(markup: &mut Markup, report: &Report) {
    commands(markup, &report.how_to_verify);
    checkpoint(markup, report.header.checkpoint.as_ref());
}

/// Writes what the page has checked itself, and how to check it without the page.
pub(super) fn commands(markup: &mut Markup, commands: &[Command]) {
    super::control_sections::checks(markup);
    markup.raw("<h3>How you check it without this page</h3>\n<ol class=\"commands\">\n");
    for command in commands {
        markup.raw("<li>").text(command.shows).raw("<pre tabindex=\"0\"><code>");
        markup.text(&command.line).raw("</code></pre></li>\n");
    }
    markup.raw("</ol>\n");
}

/// Writes the checkpoint of a report, to be kept elsewhere.
pub(super) fn checkpoint(markup: &mut Markup, checkpoint: Option<&CheckpointPart>) {
    let Some(checkpoint) = checkpoint else {
        markup.paragraph("No checkpoint was signed yet.");
        return;
    };
    markup.raw("<h3>The latest checkpoint</h3>\n<p>");
    match checkpoint.size {
        Some(size) => markup.raw("It covers ").number(size).raw(" entries. "),
        None => markup.raw(""),
    };
    markup
        .raw("Keep it where the operator cannot reach it: a ledger that is put back then shows.</p>\n")
        .raw("<pre tabindex=\"0\"><code>")
        .text(&checkpoint.note)
        .raw("</code></pre>\n");
}

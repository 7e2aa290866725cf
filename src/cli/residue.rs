//! `sealift residue scan`: files searched for what the vault knows.

use std::path::PathBuf;

use serde_json::json;

use super::args::Residue;
use super::desk::Desk;
use super::exit::{Failure, Outcome};
use super::output::Output;
use super::settings::Settings;
use crate::access::Verb;
use crate::engine::scan::{Named, ScanError};
use crate::ports::ScanDepth;
use crate::residue::{FileReport, Place, ScanReport};
use crate::run::{FromVault, random};

/// How many places of one file are printed.
const PLACES_MAX: usize = 10;

pub(super) async fn residue(
    settings: &Settings,
    out: &Output,
    typed: Residue,
) -> Result<Outcome, Failure> {
    let Residue::Scan { paths, domain } = typed;
    let named = listed(&paths)?;
    let desk = Desk::open(settings, Verb::ResidueScan).await?;
    known_domains(&desk, &domain).await?;
    let only = (!domain.is_empty()).then_some(domain.as_slice());
    let originals = FromVault::new(desk.vault.clone(), desk.keys.clone(), only).await?;
    let filter = originals.filter().await?;
    if filter.values() == 0 {
        return Err(Failure::refused("the vault holds no value that can be searched for").hint(
            "values come into the vault with `sealift run`; short ones cannot be searched for",
        ));
    }
    let report =
        tokio::task::block_in_place(|| named.scan(&filter, random(), &originals, ScanDepth::Whole));
    let report = report.map_err(|error| failed(&error))?;
    let mut draft = desk.draft("residue_scanned", format!("{} paths", paths.len()));
    let hits: u64 = report.files.iter().map(|file| file.hits.total()).sum();
    draft.counts.insert("values_searched".into(), report.values_searched);
    draft.counts.insert("files".into(), report.files.len() as u64);
    draft.counts.insert("bytes".into(), report.files.iter().map(|file| file.bytes).sum());
    draft.counts.insert("hits".into(), hits);
    draft.counts.insert("not_covered".into(), report.skipped.len() as u64);
    desk.commit(Vec::new(), draft).await?;
    tell(out, &report, hits);
    Ok(if hits == 0 && report.skipped.is_empty() { Outcome::Done } else { Outcome::Finding })
}

fn listed(paths: &[PathBuf]) -> Result<Named, Failure> {
    let named = Named::list(paths).map_err(|error| failed(&error))?;
    if named.is_empty() {
        return Err(Failure::failed("there is no file at these paths")
            .hint("name files, or folders that hold files"));
    }
    Ok(named)
}

fn failed(error: &ScanError) -> Failure {
    let hint = match error {
        ScanError::Originals(_) => "check the vault: `sealift status --all`",
        ScanError::Read { .. } => "check the path, and that it may be read",
    };
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    Failure::failed(format!("{error}{}", cause.unwrap_or_default())).hint(hint)
}

async fn known_domains(desk: &Desk, wanted: &[String]) -> Result<(), Failure> {
    let known = desk.vault.domains().await?;
    for name in wanted {
        if !known.iter().any(|row| row.name == *name) {
            let names: Vec<&str> = known.iter().map(|row| row.name.as_str()).collect();
            return Err(Failure::failed(format!("the vault has no domain `{name}`"))
                .hint(format!("it has: {}", names.join(", "))));
        }
    }
    Ok(())
}

fn tell(out: &Output, report: &ScanReport, hits: u64) {
    for file in &report.files {
        out.object(&json!({
            "file": file.name, "bytes": file.bytes, "sha256": file.sha256,
            "hits": file.hits.total(), "by_encoding": file.by_encoding, "by_codec": file.by_codec,
            "places": file.listed,
        }));
        if file.hits.total() > 0 {
            out.line(format!("{}: {} found", file.name, file.hits.total()));
            places(out, file);
        }
    }
    for skipped in &report.skipped {
        out.object(&json!({"not_covered": skipped.name, "why": skipped.why}));
        out.line(format!("{}: not covered: {}", skipped.name, skipped.why));
    }
    let bytes: u64 = report.files.iter().map(|file| file.bytes).sum();
    let unsearchable = report.not_byte_searchable.total();
    out.object(&json!({
        "files": report.files.len(), "bytes": bytes, "values_searched": report.values_searched,
        "not_byte_searchable": unsearchable, "hits": hits, "not_covered": report.skipped.len(),
    }));
    out.line(format!(
        "{hits} found of {} values in {} files, {bytes} bytes; {} not covered",
        report.values_searched,
        report.files.len(),
        report.skipped.len()
    ));
    if unsearchable > 0 {
        out.line(format!("{unsearchable} values are too short to be searched for in bytes"));
    }
}

fn places(out: &Output, file: &FileReport) {
    for located in file.listed.iter().take(PLACES_MAX) {
        let hit = &located.hit;
        let place = match &located.place {
            Place::Live { page, owner } | Place::Unused { page, owner } => {
                format!(", page {page} of {owner}")
            }
            Place::Free { page } => format!(", free page {page}"),
            Place::Unknown => String::new(),
        };
        let form = hit.encoding.name();
        out.line(format!("  at {}{place}: {form}, {}", hit.offset, hit.digest));
    }
    let more = file.hits.total().saturating_sub(PLACES_MAX as u64);
    if more > 0 {
        out.line(format!("  and {more} more"));
    }
}

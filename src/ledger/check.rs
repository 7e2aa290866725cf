//! Checking an export: whose key, which checkpoints, and whether the entries are what was signed.
//!
//! Where they are not, `locate` says what happened to them.

use std::collections::BTreeMap;

use super::checkpoint::{Checkpoint, CheckpointError, VerifierKey};
use super::digest::Digest;
use super::entry::Entry;
use super::export::{Export, ExportError};
use super::locate::locate;
use super::tree::{Head, Range, leaf_hash};
use super::verdict::{Finding, Note, Verdict};

/// One line of `entries.jsonl`.
pub(super) struct Line {
    /// The leaf hash of its bytes.
    pub(super) leaf: Digest,
    /// Its `seq` and `prev`, if it is an entry.
    pub(super) place: Option<(u64, Digest)>,
}

/// What is known to be signed, and the lines to hold against it.
pub(super) struct Evidence {
    /// The complete lines.
    pub(super) lines: Vec<Line>,
    /// Whether bytes follow the last complete line.
    pub(super) has_fragment: bool,
    /// The roots that were signed, by size; the largest is the one that counts.
    pub(super) roots: BTreeMap<u64, Digest>,
    /// The leaf hash of the last signed entry, if the export proves it.
    pub(super) last: Option<Digest>,
}

/// See [`Export::check`].
pub(super) fn check(
    export: &Export,
    expected_key: Option<&str>,
    since: Option<&str>,
) -> Result<Verdict, ExportError> {
    if expected_key.is_some_and(|text| !is_fingerprint(text)) {
        return Err(ExportError::Fingerprint);
    }
    let entries = export.file(Export::ENTRIES)?;
    let newest = export.file(Export::CHECKPOINT)?;
    let key = export.file(Export::PUBLIC_KEY)?;

    let mut verdict =
        Verdict { size: 0, fingerprint: String::new(), findings: Vec::new(), notes: Vec::new() };
    if expected_key.is_none() {
        verdict.notes.push(Note::NoKey);
    }
    if since.is_none() {
        verdict.notes.push(Note::NoCheckpoint);
    }

    let Some(key) = text(key).and_then(|key| VerifierKey::parse(key).ok()) else {
        verdict.findings.push(Finding::Malformed { file: Export::PUBLIC_KEY, line: 1 });
        return Ok(verdict);
    };
    verdict.fingerprint = key.fingerprint();
    if let Some(expected) = expected_key.filter(|expected| !key.has_fingerprint(expected)) {
        verdict.findings.push(Finding::WrongKey {
            expected: expected.to_ascii_lowercase(),
            found: key.fingerprint(),
        });
    }

    // Without a newest checkpoint nothing says where the ledger ends: every line might be inserted.
    let newest = match text(newest).map(|note| Checkpoint::parse(note, &key)) {
        Some(Ok(newest)) => newest,
        Some(Err(CheckpointError::Unsigned)) => {
            let place = format!("`{}`", Export::CHECKPOINT);
            verdict.findings.push(Finding::BadSignature { place });
            return Ok(verdict);
        }
        Some(Err(_)) | None => {
            verdict.findings.push(Finding::Malformed { file: Export::CHECKPOINT, line: 1 });
            return Ok(verdict);
        }
    };

    let mut forks = Forks { roots: BTreeMap::from([(newest.size, newest.root)]), sizes: vec![] };
    let earlier = export.files().get(Export::CHECKPOINTS).map_or(&[][..], Vec::as_slice);
    for checkpoint in read_earlier(earlier, &key, &mut verdict) {
        forks.add(&checkpoint);
    }
    verdict.size = forks.roots.last_key_value().map_or(0, |(size, _)| *size);
    let since = read_since(since, &key, &mut verdict, &mut forks)?;

    let evidence = gather(entries, export, forks.roots);
    judge(&evidence, forks.sizes, since.as_ref(), &mut verdict);
    verdict.shorten();
    Ok(verdict)
}

/// The signed roots, and the sizes at which two of them contradict each other.
struct Forks {
    roots: BTreeMap<u64, Digest>,
    sizes: Vec<u64>,
}

impl Forks {
    fn add(&mut self, checkpoint: &Checkpoint) {
        let root = self.roots.entry(checkpoint.size).or_insert(checkpoint.root);
        if *root != checkpoint.root {
            self.sizes.push(checkpoint.size);
        }
    }
}

fn is_fingerprint(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// Reads `checkpoints.txt`. A note holds one empty line and an empty line stands between two, so
/// the pieces between empty lines are, in turn, text and signatures.
fn read_earlier(bytes: &[u8], key: &VerifierKey, verdict: &mut Verdict) -> Vec<Checkpoint> {
    if bytes.is_empty() {
        return Vec::new();
    }
    let malformed = |line| Finding::Malformed { file: Export::CHECKPOINTS, line };
    let Some(text) = text(bytes).and_then(|text| text.strip_suffix('\n')) else {
        verdict.findings.push(malformed(1));
        return Vec::new();
    };

    let mut checkpoints = Vec::new();
    let mut line = 1;
    let mut pieces = text.split("\n\n");
    let mut number = 0;
    while let Some(body) = pieces.next() {
        number += 1;
        let signatures = pieces.next().unwrap_or_default();
        match Checkpoint::parse(&format!("{body}\n\n{signatures}\n"), key) {
            Ok(checkpoint) => checkpoints.push(checkpoint),
            Err(CheckpointError::Unsigned) => {
                let place = format!("note {number} of `{}`", Export::CHECKPOINTS);
                verdict.findings.push(Finding::BadSignature { place });
            }
            Err(_) => verdict.findings.push(malformed(line)),
        }
        line += newlines(body) + newlines(signatures) + 4;
    }
    checkpoints
}

fn newlines(text: &str) -> u64 {
    text.bytes().map(|byte| u64::from(byte == b'\n')).sum()
}

/// Reads the checkpoint that the auditor kept. One that lies beyond the export shows a roll back;
/// any other is a signed root like the export's own.
fn read_since(
    since: Option<&str>,
    key: &VerifierKey,
    verdict: &mut Verdict,
    forks: &mut Forks,
) -> Result<Option<Checkpoint>, ExportError> {
    let Some(note) = since else { return Ok(None) };
    match Checkpoint::parse(note, key) {
        Ok(since) if since.size > verdict.size => {
            let (have, since) = (verdict.size, since.size);
            verdict.findings.push(Finding::RolledBack { have, since });
            Ok(None)
        }
        Ok(since) => {
            forks.add(&since);
            Ok(Some(since))
        }
        Err(CheckpointError::Unsigned) => {
            let place = "the checkpoint given".to_owned();
            verdict.findings.push(Finding::BadSignature { place });
            Ok(None)
        }
        Err(_) => Err(ExportError::Checkpoint),
    }
}

fn gather(entries: &[u8], export: &Export, roots: BTreeMap<u64, Digest>) -> Evidence {
    let mut pieces: Vec<&[u8]> = entries.split(|byte| *byte == b'\n').collect();
    let has_fragment = pieces.pop().is_some_and(|rest| !rest.is_empty());
    let lines = pieces
        .into_iter()
        .map(|line| Line {
            leaf: leaf_hash(line),
            place: Entry::parse(line).ok().map(|entry| (entry.seq, entry.prev)),
        })
        .collect();

    // The head needs no signature of its own: it is one if it adds up to the root that has one.
    let last = export
        .files()
        .get(Export::HEAD)
        .and_then(|bytes| Head::from_text(text(bytes)?).ok())
        .filter(|head| roots.last_key_value() == Some((&head.size(), &head.root())))
        .map(|head| head.last());
    Evidence { lines, has_fragment, roots, last }
}

fn judge(
    evidence: &Evidence,
    mut forks: Vec<u64>,
    since: Option<&Checkpoint>,
    verdict: &mut Verdict,
) {
    let leaves = evidence.lines.iter().map(|line| line.leaf);
    let fits = fits(leaves, &evidence.roots);
    let is_intact =
        evidence.roots.last_key_value().is_some_and(|(size, _)| fits.get(size) == Some(&true));
    if is_intact {
        verdict.findings.extend(beyond_the_signature(evidence));
        let contradicted = fits.iter().filter(|(_, fits)| !**fits).map(|(size, _)| *size);
        forks.extend(contradicted);
    } else {
        let located = locate(evidence);
        let is_compared = since.is_none_or(|since| since.size <= located.proven);
        verdict.findings.extend(located.findings);
        verdict.notes.extend(located.notes);
        if let Some(since) = since.filter(|_| !is_compared) {
            verdict.notes.push(Note::NotCompared { size: since.size });
        }
    }
    forks.sort_unstable();
    forks.dedup();
    verdict.findings.extend(forks.into_iter().map(|size| Finding::Forked { size }));
}

/// Says for each signed size that the leaves reach whether their root there is the signed one.
pub(super) fn fits(
    leaves: impl Iterator<Item = Digest>,
    roots: &BTreeMap<u64, Digest>,
) -> BTreeMap<u64, bool> {
    let mut range = Range::default();
    let mut fits = BTreeMap::new();
    let mut look = |range: &Range| {
        if let Some(root) = roots.get(&range.size()) {
            fits.insert(range.size(), range.root() == *root);
        }
    };
    look(&range);
    for leaf in leaves {
        range.append(leaf);
        look(&range);
    }
    fits
}

/// What can be wrong where every signed entry is intact: lines after them, or signed entries that
/// break the format, which no correct writer signs.
fn beyond_the_signature(evidence: &Evidence) -> Vec<Finding> {
    let signed = evidence.roots.last_key_value().map_or(0, |(size, _)| *size);
    let mut findings = Vec::new();
    let mut prev = Digest::ZERO;
    let mut line = 0;
    for read in &evidence.lines {
        let is_signed = line < signed;
        let is_linked = read.place == Some((line, prev));
        line += 1;
        prev = read.leaf;
        match read.place {
            Some(_) if is_signed && is_linked => {}
            Some(_) if !is_signed => findings.push(Finding::Inserted { line }),
            Some(_) | None => {
                findings.push(Finding::Malformed { file: Export::ENTRIES, line });
            }
        }
    }
    if evidence.has_fragment {
        findings.push(Finding::Malformed { file: Export::ENTRIES, line: line + 1 });
    }
    findings
}

//! Checking an export: whose key, which checkpoints, and whether the entries are what was signed.
//!
//! Where they are not, `locate` says what happened to them.

use std::collections::BTreeMap;

use super::checkpoint::{Checkpoint, CheckpointError};
use super::digest::Digest;
use super::entry::Entry;
use super::export::{Export, ExportError};
use super::locate::locate;
use super::succession::{KEY_REPLACED, KeyChain};
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
    let mut verdict = Verdict::begun(expected_key, since)?;
    let entries = export.file(Export::ENTRIES)?;
    let newest = export.file(Export::CHECKPOINT)?;
    let keys = text(export.file(Export::PUBLIC_KEY)?).unwrap_or_default();
    let Some(keys) = key_of(keys, Export::PUBLIC_KEY, expected_key, &mut verdict) else {
        return Ok(verdict);
    };

    // Without a newest checkpoint nothing says where the ledger ends: every line might be inserted.
    let newest = match text(newest).map(|note| Checkpoint::parse(note, keys.newest())) {
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
    for checkpoint in read_earlier(earlier, &keys, &mut verdict) {
        forks.add(&checkpoint);
    }
    verdict.size = forks.roots.last_key_value().map_or(0, |(size, _)| *size);
    let since = read_since(since, &keys, &mut verdict)?;
    if let Some(since) = &since {
        forks.add(since);
    }
    let (evidence, links) = gather(entries, export, forks.roots);
    for (old, new) in keys.unlinked(&links) {
        verdict.findings.push(Finding::unlinked(old, new));
    }
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

/// What could not be checked.
pub(super) type Notes = Vec<Note>;

/// Reads the keys, and compares them with the fingerprint that the auditor has. `None` where there is
/// no key to go on with; the verdict says why.
pub(super) fn key_of(
    text: &str,
    file: &'static str,
    expected_key: Option<&str>,
    verdict: &mut Verdict,
) -> Option<KeyChain> {
    let keys = match KeyChain::parse(text) {
        Ok(keys) => keys,
        Err(line) => {
            verdict.findings.push(Finding::Malformed { file, line });
            return None;
        }
    };
    verdict.fingerprint = keys.newest().fingerprint();
    if let Some(expected) = expected_key.filter(|expected| !keys.newest().has_fingerprint(expected))
    {
        if keys.keys().iter().any(|key| key.has_fingerprint(expected)) {
            verdict.notes.push(Note::EarlierKey { now: verdict.fingerprint.clone() });
        } else {
            verdict.findings.push(Finding::WrongKey {
                expected: expected.to_ascii_lowercase(),
                found: verdict.fingerprint.clone(),
            });
        }
    }
    Some(keys)
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// Reads `checkpoints.txt`. A note holds one empty line and an empty line stands between two, so
/// the pieces between empty lines are, in turn, text and signatures.
fn read_earlier(bytes: &[u8], keys: &KeyChain, verdict: &mut Verdict) -> Vec<Checkpoint> {
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
        match keys.checkpoint(&format!("{body}\n\n{signatures}\n")) {
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
pub(super) fn read_since(
    since: Option<&str>,
    keys: &KeyChain,
    verdict: &mut Verdict,
) -> Result<Option<Checkpoint>, ExportError> {
    let Some(note) = since else { return Ok(None) };
    match keys.checkpoint(note) {
        Ok(since) if since.size > verdict.size => {
            let (have, since) = (verdict.size, since.size);
            verdict.findings.push(Finding::RolledBack { have, since });
            Ok(None)
        }
        Ok(since) => Ok(Some(since)),
        Err(CheckpointError::Unsigned) => {
            let place = "the checkpoint given".to_owned();
            verdict.findings.push(Finding::BadSignature { place });
            Ok(None)
        }
        Err(_) => Err(ExportError::Checkpoint),
    }
}

/// Takes the entries apart. Those that replace a key are handed out as well.
fn gather(entries: &[u8], export: &Export, roots: BTreeMap<u64, Digest>) -> (Evidence, Vec<Entry>) {
    let mut pieces: Vec<&[u8]> = entries.split(|byte| *byte == b'\n').collect();
    let has_fragment = pieces.pop().is_some_and(|rest| !rest.is_empty());
    let mut replaced = Vec::new();
    let lines = pieces
        .into_iter()
        .map(|line| {
            let entry = Entry::parse(line).ok();
            let place = entry.as_ref().map(|entry| (entry.seq, entry.prev));
            replaced.extend(entry.filter(|entry| entry.action == KEY_REPLACED));
            Line { leaf: leaf_hash(line), place }
        })
        .collect();

    // The head needs no signature of its own: it is one if it adds up to the root that has one.
    let last = export
        .files()
        .get(Export::HEAD)
        .and_then(|bytes| Head::from_text(text(bytes)?).ok())
        .filter(|head| roots.last_key_value() == Some((&head.size(), &head.root())))
        .map(|head| head.last());
    (Evidence { lines, has_fragment, roots, last }, replaced)
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

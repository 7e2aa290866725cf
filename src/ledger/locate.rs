//! Where the entries are not what was signed: what happened, and to which.
//!
//! Each entry names the hash of the one before. From the last leaf, which the head proves, the
//! links are walked backwards: an entry that is what its successor says is genuine. One that is not
//! was altered; one that is not there was removed; a line that no place claims was inserted.
//!
//! **Invariant:** nothing here decides *whether* the entries were tampered with. The signed root
//! has decided that; this file finds words for it.

use std::collections::BTreeMap;

use super::check::{Evidence, Line, fits};
use super::digest::Digest;
use super::export::Export;
use super::verdict::{Finding, Note};

/// What `locate` found.
pub(super) struct Located {
    pub(super) findings: Vec<Finding>,
    pub(super) notes: Vec<Note>,
    /// How many entries from the start are proven by a signed root.
    pub(super) proven: u64,
}

/// The walk's result: which line stands for which entry.
struct Walk {
    /// The line of each entry, by `seq`.
    picks: BTreeMap<u64, usize>,
    /// The entries whose line is not what its successor links to.
    altered: Vec<u64>,
}

/// Says what happened to entries whose root is not the signed one.
pub(super) fn locate(evidence: &Evidence) -> Located {
    let signed = evidence.roots.last_key_value().map_or(0, |(size, _)| *size);
    let Walk { picks, mut altered } = walk(evidence, signed);
    let (filled, mut findings, unused) = fill_gaps(&evidence.lines, &picks, signed);
    altered.extend(filled);

    let proven = proven(evidence, &picks);
    let mut notes = Vec::new();
    if evidence.last.is_none() && signed > 0 {
        notes.push(Note::NoHead);
    }
    let damaged = altered.iter().copied().chain(findings.iter().map(place)).max();
    if let Some(damaged) = damaged.filter(|damaged| proven < *damaged) {
        notes.push(Note::Unproven { from: proven, to: damaged - 1 });
    }

    findings.extend(altered.into_iter().map(|seq| Finding::Altered { seq }));
    findings.sort_by_key(place);
    findings.extend(first_out_of_order(&picks).map(|seq| Finding::Reordered { seq }));
    findings.extend(unused.into_iter().map(|index| {
        let line = number(index) + 1;
        match evidence.lines[index].place {
            Some(_) => Finding::Inserted { line },
            None => Finding::Malformed { file: Export::ENTRIES, line },
        }
    }));
    if evidence.has_fragment && number(evidence.lines.len()) >= signed {
        let line = number(evidence.lines.len()) + 1;
        findings.push(Finding::Malformed { file: Export::ENTRIES, line });
    }
    if findings.is_empty() {
        findings.push(somewhere_after(proven, &evidence.roots));
    }
    Located { findings, notes, proven }
}

/// Walks from the last entry to the first, and picks a line for each.
fn walk(evidence: &Evidence, signed: u64) -> Walk {
    let mut candidates: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (index, line) in evidence.lines.iter().enumerate() {
        if let Some((seq, _)) = line.place.filter(|(seq, _)| *seq < signed) {
            candidates.entry(seq).or_default().push(index);
        }
    }

    let mut walk = Walk { picks: BTreeMap::new(), altered: Vec::new() };
    let mut wanted = evidence.last.map(|leaf| (signed.saturating_sub(1), leaf));
    let mut upper = evidence.lines.len();
    for (seq, lines) in candidates.into_iter().rev() {
        // A link from an entry that is missing or altered says nothing.
        let leaf = wanted.take().filter(|(at, _)| *at == seq).map(|(_, leaf)| leaf);
        let genuine: Vec<usize> = lines
            .iter()
            .copied()
            .filter(|index| leaf.is_none_or(|leaf| evidence.lines[*index].leaf == leaf))
            .collect();
        let is_genuine = !genuine.is_empty();
        let choice = if is_genuine { genuine } else { lines };
        // Of several copies the one that stands right before its successor is the entry.
        let below = choice.iter().copied().filter(|index| *index < upper).max();
        let Some(pick) = below.or_else(|| choice.into_iter().max()) else { continue };

        walk.picks.insert(seq, pick);
        upper = pick;
        if is_genuine {
            wanted = link_of(&evidence.lines[pick]);
        } else {
            walk.altered.push(seq);
        }
    }
    walk
}

/// Which entry this line says came before it, and with which leaf hash.
fn link_of(line: &Line) -> Option<(u64, Digest)> {
    line.place.and_then(|(seq, prev)| Some((seq.checked_sub(1)?, prev)))
}

/// Explains the entries for which no line was picked. A line that stands where such an entry should
/// is that entry, altered; where none does, it was removed, or cut off at the end.
fn fill_gaps(
    lines: &[Line],
    picks: &BTreeMap<u64, usize>,
    signed: u64,
) -> (Vec<u64>, Vec<Finding>, Vec<usize>) {
    let mut is_free = vec![true; lines.len()];
    for index in picks.values() {
        is_free[*index] = false;
    }

    let (mut altered, mut missing) = (Vec::new(), Vec::new());
    let mut next_seq = 0;
    let mut next_line = 0;
    let ends = picks.iter().map(|(seq, line)| (*seq, *line)).chain([(signed, lines.len())]);
    for (seq, line) in ends {
        let mut free = (next_line..line).filter(|index| is_free[*index]).collect::<Vec<_>>();
        free.truncate(usize::try_from(seq - next_seq).unwrap_or(usize::MAX));
        for index in &free {
            is_free[*index] = false;
            altered.push(next_seq);
            next_seq += 1;
        }
        if seq == signed && next_seq < signed {
            missing.push(Finding::Truncated { have: next_seq, signed });
        } else {
            missing.extend((next_seq..seq).map(|seq| Finding::Removed { seq }));
        }
        next_seq = seq + 1;
        next_line = line + 1;
    }
    let unused = (0..lines.len()).filter(|index| is_free[*index]).collect();
    (altered, missing, unused)
}

/// The largest signed size up to which the picked lines are what was signed.
fn proven(evidence: &Evidence, picks: &BTreeMap<u64, usize>) -> u64 {
    let unbroken = (0..).zip(picks).take_while(|(count, (seq, _))| count == *seq);
    let leaves = unbroken.map(|(_, (_, index))| evidence.lines[*index].leaf);
    fits(leaves, &evidence.roots)
        .into_iter()
        .filter(|(_, fits)| *fits)
        .map(|(size, _)| size)
        .max()
        .unwrap_or(0)
}

/// The first entry that stands behind one that should come later.
fn first_out_of_order(picks: &BTreeMap<u64, usize>) -> Option<u64> {
    let mut lowest_after = usize::MAX;
    let mut first = None;
    for (seq, line) in picks.iter().rev() {
        if *line > lowest_after {
            first = Some(*seq);
        }
        lowest_after = lowest_after.min(*line);
    }
    first
}

/// What is left to say where every line and every link looks right: one was altered and the links
/// after it made to fit, after the last checkpoint that still holds.
fn somewhere_after(proven: u64, roots: &BTreeMap<u64, Digest>) -> Finding {
    let broken = roots.keys().copied().find(|size| *size > proven).unwrap_or(proven + 1);
    match (proven, broken - 1) {
        (from, to) if from == to => Finding::Altered { seq: from },
        (from, to) => Finding::AlteredBetween { from, to },
    }
}

/// The entry at which a finding stands, to bring findings into the ledger's order.
fn place(finding: &Finding) -> u64 {
    match finding {
        Finding::Altered { seq } | Finding::Removed { seq } => *seq,
        Finding::Truncated { have, .. } => *have,
        _ => u64::MAX,
    }
}

fn number(index: usize) -> u64 {
    u64::try_from(index).unwrap_or(u64::MAX)
}

//! Proofs to hand out: a few entries, each with the hashes that lead to a signed root.
//!
//! Whoever gets one sees these entries and no other, and can tell that they stand in the ledger that
//! the checkpoint signs. It knows no storage: bytes come in, a bundle or a verdict comes out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::{Notes, key_of, read_since};
use super::checkpoint::{Checkpoint, CheckpointError};
use super::digest::Digest;
use super::entry::Entry;
use super::export::ExportError;
use super::proof::{ProofError, check_consistency, check_inclusion, consistency, inclusions};
use super::succession::{KeyChain, Succession};
use super::tree::leaf_hash;
use super::verdict::{Finding, Note, Verdict};

/// Names the shape of a bundle.
pub const PROOF_SCHEMA: &str = "sealift/proof/1";

/// Where findings say that the keys and the checkpoint of a bundle stand.
const KEYS: &str = "keys";
const CHECKPOINT: &str = "checkpoint";

/// Entries with their proofs, under one checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProofBundle {
    /// Names the shape of this object: `sealift/proof/1`.
    pub schema: String,
    /// The ledger's keys, oldest first, in the form of a signed note's verifier key.
    pub keys: Vec<String>,
    /// The signed note under which the entries are proven.
    pub checkpoint: String,
    /// The entries, in the order of the ledger.
    pub entries: Vec<ProvenEntry>,
    /// That an older checkpoint is the beginning of this one; `null` where none was asked about.
    pub consistency: Option<ConsistencyProof>,
}

/// One entry, and the way from it to the root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProvenEntry {
    /// Its place in the ledger.
    pub seq: u64,
    /// The entry as it stands in the ledger, byte for byte.
    pub entry: String,
    /// Hashes from the leaf to the root (RFC 6962, section 2.1.1), in hex.
    #[schemars(with = "Vec<String>")]
    pub proof: Vec<Digest>,
}

/// That one tree is the beginning of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsistencyProof {
    /// The older checkpoint, as the signed note.
    pub since: String,
    /// Hashes from one to the other (RFC 6962, section 2.1.2), in hex.
    #[schemars(with = "Vec<String>")]
    pub proof: Vec<Digest>,
}

/// Why a bundle cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The entry lies beyond what the checkpoint signs.
    #[error("entry {seq} is not among the {size} entries that are signed")]
    Unsigned {
        /// The entry.
        seq: u64,
        /// How many are signed.
        size: u64,
    },
    /// The checkpoint of the vault, or the one that was given, is not one of this ledger's.
    #[error("{0} is not a checkpoint of this ledger")]
    Checkpoint(&'static str),
    /// What was stored does not add up to what was signed.
    #[error("the ledger is not what its checkpoint signs")]
    Inconsistent,
    /// A stored entry is no text.
    #[error("entry {0} is not what an entry holds")]
    Malformed(u64),
    /// There is no such tree.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl ProofBundle {
    /// Proves the entries `wanted` of the ledger's stored `bodies` under the checkpoint `note`, and
    /// that `since` is its beginning. Entries that replaced the ledger's key come along.
    ///
    /// # Errors
    ///
    /// Returns [`BundleError`] where an entry is not signed, or the bodies are not what was.
    pub fn of(
        bodies: &[Vec<u8>],
        keys: &KeyChain,
        note: &str,
        wanted: &[u64],
        since: Option<&str>,
    ) -> Result<Self, BundleError> {
        let unknown = |what| move |_| BundleError::Checkpoint(what);
        let signed = keys.checkpoint(note).map_err(unknown("what is stored as one"))?;
        let size = usize::try_from(signed.size).unwrap_or(usize::MAX);
        let bodies = bodies.get(..size).ok_or(BundleError::Inconsistent)?;
        let leaves: Vec<Digest> = bodies.iter().map(|body| leaf_hash(body)).collect();
        let mut places = wanted.to_vec();
        if keys.keys().len() > 1 {
            let is_link = |body: &Vec<u8>| {
                Entry::parse(body).is_ok_and(|entry| Succession::of(&entry).is_some())
            };
            places.extend((0..).zip(bodies).filter(|(_, body)| is_link(body)).map(|(seq, _)| seq));
        }
        places.sort_unstable();
        places.dedup();
        if let Some(seq) = places.iter().copied().find(|seq| *seq >= signed.size) {
            return Err(BundleError::Unsigned { seq, size: signed.size });
        }
        let (root, proofs) = inclusions(&leaves, &places, signed.size)?;
        if root != signed.root {
            return Err(BundleError::Inconsistent);
        }
        let entries = places
            .iter()
            .zip(proofs)
            .map(|(seq, proof)| {
                let body = usize::try_from(*seq).ok().and_then(|at| bodies.get(at));
                let text = body.and_then(|body| std::str::from_utf8(body).ok());
                let entry = text.ok_or(BundleError::Malformed(*seq))?.to_owned();
                Ok(ProvenEntry { seq: *seq, entry, proof })
            })
            .collect::<Result<_, BundleError>>()?;
        let consistency = since
            .map(|note| {
                let old = keys.checkpoint(note).map_err(unknown("the file that was given"))?;
                let proof = consistency(&leaves, old.size, signed.size)?;
                Ok::<_, BundleError>(ConsistencyProof { since: note.to_owned(), proof })
            })
            .transpose()?;
        Ok(Self {
            schema: PROOF_SCHEMA.to_owned(),
            keys: keys.keys().iter().map(ToString::to_string).collect(),
            checkpoint: note.to_owned(),
            entries,
            consistency,
        })
    }

    /// Takes a bundle out of parsed JSON; `None` where it is none, or one of another shape.
    #[must_use]
    pub fn deserialize(value: &serde_json::Value) -> Option<Self> {
        let bundle: Self = serde::Deserialize::deserialize(value).ok()?;
        (bundle.schema == PROOF_SCHEMA).then_some(bundle)
    }

    /// The entries, parsed. One that cannot be is left out; [`check`](Self::check) names it.
    #[must_use]
    pub fn parsed(&self) -> Vec<Entry> {
        self.entries
            .iter()
            .filter_map(|proven| Entry::parse(proven.entry.as_bytes()).ok())
            .collect()
    }

    /// Writes the bundle as JSON, indented, with a newline at its end.
    #[must_use]
    pub fn to_json(&self) -> String {
        #[expect(clippy::expect_used, reason = "a bundle is texts and numbers")]
        let mut json = serde_json::to_string_pretty(self).expect("a bundle has a JSON form");
        json.push('\n');
        json
    }

    /// Checks the bundle against itself, and against what the auditor kept.
    ///
    /// # Errors
    ///
    /// Returns [`ExportError`] where what was given cannot be read. Everything that is *wrong* is a
    /// finding of the verdict.
    pub fn check(
        &self,
        expected_key: Option<&str>,
        since: Option<&str>,
    ) -> Result<Verdict, ExportError> {
        let mut verdict = Verdict::begun(expected_key, since)?;
        let mut text = self.keys.join("\n");
        text.push('\n');
        let Some(keys) = key_of(&text, KEYS, expected_key, &mut verdict) else {
            return Ok(verdict);
        };
        let newest = match Checkpoint::parse(&self.checkpoint, keys.newest()) {
            Ok(newest) => newest,
            Err(CheckpointError::Unsigned) => {
                verdict.findings.push(Finding::BadSignature { place: format!("`{CHECKPOINT}`") });
                return Ok(verdict);
            }
            Err(_) => {
                verdict.findings.push(Finding::Malformed { file: CHECKPOINT, line: 1 });
                return Ok(verdict);
            }
        };
        verdict.size = newest.size;
        let given = self.compare(since, &keys, &newest, &mut verdict)?;
        let entries = self.parsed();
        for (old, new) in keys.unlinked(&entries) {
            verdict.findings.push(Finding::unlinked(old, new));
        }
        for proven in &self.entries {
            if !proven.holds(&newest) {
                verdict.findings.push(Finding::NotInLedger { seq: proven.seq });
            }
        }
        verdict.notes.extend(given);
        verdict.shorten();
        Ok(verdict)
    }

    /// Compares with the checkpoint that the auditor kept, and checks the proof that the bundle has.
    fn compare(
        &self,
        since: Option<&str>,
        keys: &KeyChain,
        newest: &Checkpoint,
        verdict: &mut Verdict,
    ) -> Result<Notes, ExportError> {
        let proven = self.consistency.as_ref().map(|proof| proof.against(keys, newest));
        if let Some(Err(finding)) = &proven {
            verdict.findings.push(finding.clone());
        }
        let Some(kept) = read_since(since, keys, verdict)? else { return Ok(Vec::new()) };
        if kept.size == newest.size {
            if kept.root != newest.root {
                verdict.findings.push(Finding::Forked { size: kept.size });
            }
            return Ok(Vec::new());
        }
        match proven {
            Some(Ok(old)) if old.size == kept.size => {
                if old.root != kept.root {
                    verdict.findings.push(Finding::Forked { size: kept.size });
                }
                Ok(Vec::new())
            }
            Some(Err(_)) => Ok(Vec::new()),
            Some(Ok(_)) | None => Ok(vec![Note::NotCompared { size: kept.size }]),
        }
    }
}

impl ProvenEntry {
    fn holds(&self, newest: &Checkpoint) -> bool {
        let leaf = leaf_hash(self.entry.as_bytes());
        let is_placed =
            Entry::parse(self.entry.as_bytes()).is_ok_and(|entry| entry.seq == self.seq);
        is_placed && check_inclusion(&self.proof, leaf, self.seq, newest.size, newest.root).is_ok()
    }
}

impl ConsistencyProof {
    fn against(&self, keys: &KeyChain, newest: &Checkpoint) -> Result<Checkpoint, Finding> {
        let old = keys.checkpoint(&self.since).map_err(|_| Finding::BadSignature {
            place: "the older checkpoint of the proof".to_owned(),
        })?;
        check_consistency(&self.proof, old.size, old.root, newest.size, newest.root)
            .map_err(|_| Finding::Forked { size: old.size })?;
        Ok(old)
    }
}

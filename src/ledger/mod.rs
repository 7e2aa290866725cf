//! The ledger: entries in a Merkle tree, signed checkpoints, and how anyone can check them.
//!
//! An [`Entry`] is canonical JSON; its bytes are a leaf of an RFC 6962 tree; a [`Checkpoint`] signs
//! the tree's size and root. An [`Export`] is a folder that proves itself without a database. This
//! room knows no storage, no clock and no vault: bytes come in, bytes and verdicts go out.
//!
//! ```text
//! Draft ──Head::enter──▶ Entry ──canonical──▶ leaf ──▶ Head ──root──▶ Checkpoint (signed note)
//!                                                                        │
//! entries.jsonl  checkpoint.txt  checkpoints.txt  head.txt  ◀──Export────┘
//! ```
//!
//! **Invariant:** the stored bytes of an entry are what is hashed, and they are the only encoding
//! of that entry: [`Entry::parse`] refuses every other.
//!
//! **Invariant:** no entry holds an original, a key or a reason in words. Reasons are digests over
//! the reason and 32 random bytes, so that erasing the reason leaves nothing to guess against.

mod approval;
mod bundle;
mod canonical;
mod check;
mod checkpoint;
mod digest;
mod entry;
mod export;
mod intake;
mod locate;
pub mod proof;
mod purge;
mod replay;
mod row_set;
mod succession;
mod tree;
mod verdict;

pub use approval::{ApprovalKind, approval_message, policy_message, reason_digest};
pub use bundle::{BundleError, ConsistencyProof, PROOF_SCHEMA, ProofBundle, ProvenEntry};
pub use canonical::{CanonicalError, canonical_json};
pub use checkpoint::{Checkpoint, CheckpointError, SigningIdentity, VerifierKey};
pub use digest::{Digest, DigestError};
pub use entry::{Draft, Entered, Entry, EntryError};
pub use export::{Export, ExportError};
pub use intake::IntakeRecord;
pub use purge::{CopyFact, NamedBy, PageFacts, PurgeFacts, ScrubStep, VaultCopyFact};
pub(crate) use purge::{RESIDUE_FOUND, SCRUBBED};
pub use replay::{ReplayError, replay};
pub use row_set::{RowSetError, RowSetRoot};
pub use succession::{KEY_REPLACED, KeyChain, Succession};
pub use tree::{Head, HeadError, leaf_hash, node_hash, root_of};
pub use verdict::{Finding, Note, Verdict};

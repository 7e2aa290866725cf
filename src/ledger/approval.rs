//! What an approver signs, and how a reason stands on the ledger without its words.
//!
//! It knows no key: bytes go out, and the caller signs or stores them.

use sha2::{Digest as _, Sha256};

use super::canonical::canonical_texts;
use super::digest::Digest;
use crate::lifecycle::RunId;

/// Names the statement and its version, so that no other signed bytes can be taken for it.
const STATEMENT: &str = "sealift/v1/approval";
/// Separates a signature under purposes from one under a plan or a purge.
const POLICY_STATEMENT: &str = "sealift/v1/approve-purposes";

/// What is approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ApprovalKind {
    /// A plan: the digest is its fingerprint.
    Plan,
    /// A purge: the digest is the verified digest.
    Purge,
}

impl ApprovalKind {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Purge => "purge",
        }
    }
}

/// Returns the bytes that `approver` signs: canonical JSON, all members text.
///
/// Vault, run, kind and digest are all in it, so a signature for one cannot serve for another.
#[must_use]
pub fn approval_message(
    vault_id_hex: &str,
    run: RunId,
    kind: ApprovalKind,
    digest_hex: &str,
    approver: &str,
) -> Vec<u8> {
    let run = run.to_string();
    canonical_texts(&mut [
        ("statement", STATEMENT),
        ("vault", vault_id_hex),
        ("run", &run),
        ("kind", kind.name()),
        ("digest", digest_hex),
        ("approver", approver),
    ])
}

/// Returns the bytes that `approver` signs under purposes that were proposed without a run.
#[must_use]
pub fn policy_message(vault_id_hex: &str, digest_hex: &str, approver: &str) -> Vec<u8> {
    canonical_texts(&mut [
        ("statement", POLICY_STATEMENT),
        ("vault", vault_id_hex),
        ("digest", digest_hex),
        ("approver", approver),
    ])
}

/// Returns SHA-256(salt ‖ reason), the only trace of a reason on the ledger.
///
/// The salt is drawn per reason and sealed with it. Once both are erased, the digest confirms no
/// guess at the words.
#[must_use]
pub fn reason_digest(salt: &[u8; 32], reason: &str) -> Digest {
    let hash = Sha256::new().chain_update(salt).chain_update(reason.as_bytes()).finalize();
    Digest::from_bytes(hash.into())
}

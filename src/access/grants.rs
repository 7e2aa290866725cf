//! Rows that grant, and the MAC that makes them count.
//!
//! ```text
//! mac = ControlKey::mac(table, fields)      fields in the order of the struct, see `fields`
//! an optional text:  0            where there is none
//!                    1 | text     where there is one, so that "" is not the same as nothing
//! numbers: big-endian
//! ```
//!
//! It knows no row as it is stored; whoever reads one lends its parts. A MAC says that the holder
//! of the control key once wrote the row, not that it is the newest: an older row, put back with
//! its MAC, is what the ledger is compared for.
//!
//! **Invariant:** every part of a row that grants something is a field. What a row holds beside
//! them (a run's phase, its condition) is on the ledger and grants nothing by itself.

use crate::crypto::ControlKey;
use crate::lifecycle::RunId;
use crate::token::DomainId;

/// A row that grants.
pub trait Grant {
    /// The name of the table in the MAC: a row cannot pass for one of another table.
    const TABLE: &'static str;

    /// The fields in the MAC, in an order that never changes.
    fn fields(&self) -> Vec<Vec<u8>>;

    /// Makes the row's MAC.
    #[must_use]
    fn mac(&self, key: &ControlKey) -> [u8; 32] {
        let fields = self.fields();
        let fields: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
        key.mac(Self::TABLE, &fields)
    }

    /// Says whether `mac` is the row's, in constant time. A row without its MAC grants nothing.
    #[must_use]
    fn is_genuine(&self, key: &ControlKey, mac: &[u8]) -> bool {
        let fields = self.fields();
        let fields: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
        key.check(Self::TABLE, &fields, mac)
    }
}

/// Grants a role to the holder of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallerGrant<'g> {
    /// The caller's name.
    pub name: &'g str,
    /// The name of the role.
    pub role: &'g str,
    /// The id in the credential, as text.
    pub credential: &'g str,
    /// The hash of the credential's secret.
    pub credential_hash: &'g [u8],
    /// The public half of the key that approves.
    pub approver_key: &'g [u8],
    /// When the credential was made.
    pub created_at: &'g str,
    /// When it ends.
    pub expires_at: Option<&'g str>,
    /// When it was revoked.
    pub revoked_at: Option<&'g str>,
}

impl Grant for CallerGrant<'_> {
    const TABLE: &'static str = "caller";

    fn fields(&self) -> Vec<Vec<u8>> {
        vec![
            self.name.into(),
            self.role.into(),
            self.credential.into(),
            self.credential_hash.into(),
            self.approver_key.into(),
            self.created_at.into(),
            optional(self.expires_at),
            optional(self.revoked_at),
        ]
    }
}

/// Grants what a purpose says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PurposeGrant<'g> {
    /// The purpose's name.
    pub name: &'g str,
    /// The purpose as JSON, byte for byte as stored.
    pub body: &'g str,
    /// The hash of the policy that brought it.
    pub policy: &'g str,
}

impl Grant for PurposeGrant<'_> {
    const TABLE: &'static str = "purpose";

    fn fields(&self) -> Vec<Vec<u8>> {
        vec![self.name.into(), self.body.into(), self.policy.into()]
    }
}

/// Lets a caller send large requests under a purpose, until some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnlockGrant<'g> {
    /// The caller.
    pub caller: &'g str,
    /// The purpose.
    pub purpose: &'g str,
    /// Until when.
    pub until: &'g str,
    /// Who gave it.
    pub given_by: &'g str,
}

impl Grant for UnlockGrant<'_> {
    const TABLE: &'static str = "unlock";

    fn fields(&self) -> Vec<Vec<u8>> {
        vec![self.caller.into(), self.purpose.into(), self.until.into(), self.given_by.into()]
    }
}

/// Puts a domain into a class, which says in which form purposes see its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DomainGrant<'g> {
    /// The domain's number.
    pub domain: DomainId,
    /// Its name.
    pub name: &'g str,
    /// Its class.
    pub class: &'g str,
    /// How its tokens are made, byte for byte as stored.
    pub treatment: &'g str,
}

impl Grant for DomainGrant<'_> {
    const TABLE: &'static str = "domain";

    fn fields(&self) -> Vec<Vec<u8>> {
        vec![
            self.domain.to_be_bytes().into(),
            self.name.into(),
            self.class.into(),
            self.treatment.into(),
        ]
    }
}

/// Lets a run work on the columns of its policy, as it was planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunGrant<'g> {
    /// The run.
    pub run: RunId,
    /// The source's name.
    pub source: &'g str,
    /// The policy, byte for byte as stored.
    pub policy: &'g str,
    /// The hash of the policy's file.
    pub policy_hash: &'g str,
    /// The plan, byte for byte as stored.
    pub plan: &'g str,
    /// What is signed.
    pub fingerprint: &'g str,
    /// Who planned it, and so may not approve it.
    pub planned_by: &'g str,
    /// When.
    pub planned_at: &'g str,
    /// The backup folder.
    pub backup_dir: &'g str,
}

impl Grant for RunGrant<'_> {
    const TABLE: &'static str = "run";

    fn fields(&self) -> Vec<Vec<u8>> {
        vec![
            self.run.0.to_be_bytes().into(),
            self.source.into(),
            self.policy.into(),
            self.policy_hash.into(),
            self.plan.into(),
            self.fingerprint.into(),
            self.planned_by.into(),
            self.planned_at.into(),
            self.backup_dir.into(),
        ]
    }
}

fn optional(text: Option<&str>) -> Vec<u8> {
    text.map_or_else(|| vec![0], |text| [&[1], text.as_bytes()].concat())
}

//! MACs: over rows that grant, over what must be found again without being shown, over values.
//!
//! All are HMAC-SHA-256 over fields, each behind its length. This file knows no table and no
//! token format; it is told a label and parts.

use subtle::ConstantTimeEq;

use super::fields::{concatenated, hmac};
use super::key::{ControlKey, IndexKey, TokenKey};

/// Separates the MAC over rows from everything else a control key could ever be used for.
const ROW_LABEL: &[u8] = b"sealift/v1/row";
/// Separates keyed digests from everything else an index key could ever be used for.
const DIGEST_LABEL: &[u8] = b"sealift/v1/digest";

impl ControlKey {
    /// Makes the MAC over one row of `table`, given its fields in a fixed order.
    #[must_use]
    pub fn mac(&self, table: &str, fields: &[&[u8]]) -> [u8; 32] {
        let head = [ROW_LABEL, table.as_bytes()];
        hmac(self.ready(), head.into_iter().chain(fields.iter().copied()))
    }

    /// Says whether `mac` is the MAC over that row, in constant time.
    #[must_use]
    pub fn check(&self, table: &str, fields: &[&[u8]], mac: &[u8]) -> bool {
        self.mac(table, fields).ct_eq(mac).into()
    }
}

impl IndexKey {
    /// Makes the keyed digest of `parts` for the use that `label` names.
    ///
    /// Cut to 128 bits: it finds things again, and no one without the key can confirm a guess.
    #[must_use]
    pub fn digest(&self, label: &str, parts: &[&[u8]]) -> [u8; 16] {
        let head = [DIGEST_LABEL, label.as_bytes()];
        first_half(hmac(self.ready(), head.into_iter().chain(parts.iter().copied())))
    }
}

impl TokenKey {
    /// Makes the MAC over the concatenation of `parts`. Whoever calls frames them; the token room
    /// does (see `docs/FORMATS.md`).
    ///
    /// This is the one on the hot path; `verifier_hmac` computes the same with other code.
    #[must_use]
    pub fn hmac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mac = concatenated(self.ready(), parts);
        // A test bends it, to see that verification does not take its word for it.
        #[cfg(feature = "failpoints")]
        if fail::eval("mac.bent", |_| ()).is_some() {
            return mac.map(|byte| byte ^ 1);
        }
        // Or has all values meet in one token.
        #[cfg(feature = "failpoints")]
        if fail::eval("mac.same", |_| ()).is_some() {
            return [7; 32];
        }
        mac
    }
}

fn first_half(mac: [u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&mac[..16]);
    half
}

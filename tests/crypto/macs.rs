//! A MAC is over fields, not over their concatenation, and two implementations agree on it.

use proptest::prelude::*;
use sealift::crypto::{ControlKey, IndexKey, TokenKey};

#[test]
fn a_row_with_a_changed_field_or_of_another_table_fails() {
    let key = ControlKey::generate(&mut rand::rng());
    let mac = key.mac("caller", &[b"alice", b"steward"]);

    assert!(key.check("caller", &[b"alice", b"steward"], &mac));
    assert!(!key.check("caller", &[b"alice", b"approver"], &mac));
    assert!(!key.check("caller", &[b"alices", b"teward"], &mac));
    assert!(!key.check("caller", &[b"alice", b"steward", b""], &mac));
    assert!(!key.check("purpose", &[b"alice", b"steward"], &mac));
    assert!(!key.check("caller", &[b"alice", b"steward"], &mac[..31]));
    assert!(!key.check("caller", &[b"alice", b"steward"], &[]));
}

#[test]
fn a_digest_depends_on_its_label() {
    let key = IndexKey::generate(&mut rand::rng());
    assert_ne!(key.digest("ledger", &[b"x"]), key.digest("quarantine", &[b"x"]));
}

proptest! {
    #[test]
    fn the_two_implementations_agree(
        parts in proptest::collection::vec(any::<Vec<u8>>(), 0..6),
        label in ".{0,20}",
    ) {
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let token = TokenKey::generate(&mut rand::rng());
        let index = IndexKey::generate(&mut rand::rng());

        prop_assert_eq!(token.hmac(&parts), token.verifier_hmac(&parts));
        prop_assert_eq!(index.digest(&label, &parts), index.verifier_digest(&label, &parts));
    }

    #[test]
    fn a_moved_border_changes_the_digest(bytes in proptest::collection::vec(any::<u8>(), 1..40)) {
        let key = IndexKey::generate(&mut rand::rng());
        let macs: std::collections::BTreeSet<_> = (0..=bytes.len())
            .map(|at| key.digest("border", &[&bytes[..at], &bytes[at..]]))
            .collect();
        prop_assert_eq!(macs.len(), bytes.len() + 1);
    }
}

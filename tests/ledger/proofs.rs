//! Proofs to hand out: whoever gets one can tell what is in the ledger without seeing the rest.

use proptest::prelude::*;
use sealift::ledger::{BundleError, Digest, Finding, Note, ProofBundle};

use super::fixture::{Ledger, judge, judge_proof};

fn ledger() -> Ledger {
    Ledger::of("case", 20, &[0, 5, 12, 20])
}

#[test]
fn entries_are_proven_under_the_newest_checkpoint() {
    let ledger = ledger();
    for wanted in [&[0][..], &[19], &[3, 11, 12], &[]] {
        let proof = ledger.proof(wanted, None);
        let verdict = judge_proof(&proof, Some(&ledger.fingerprint()), Some(&ledger.notes[3]));
        assert!(verdict.is_consistent() && verdict.notes.is_empty(), "{verdict}");
        let seqs: Vec<u64> = proof.entries.iter().map(|proven| proven.seq).collect();
        assert_eq!(seqs, wanted, "these entries and no other");
    }
}

#[test]
fn an_older_checkpoint_is_proven_to_be_the_beginning() {
    let ledger = ledger();
    let key = ledger.fingerprint();
    for kept in &ledger.notes {
        let proof = ledger.proof(&[4], Some(kept));
        let verdict = judge_proof(&proof, Some(&key), Some(kept));
        assert!(verdict.is_consistent() && verdict.notes.is_empty(), "{verdict}");
    }
    let verdict = judge_proof(&ledger.proof(&[4], None), Some(&key), Some(&ledger.notes[1]));
    assert_eq!(verdict.notes, [Note::NotCompared { size: 5 }]);
}

#[test]
fn what_was_not_given_is_named_as_not_checked() {
    let verdict = judge_proof(&ledger().proof(&[1], None), None, None);
    assert_eq!(verdict.notes, [Note::NoKey, Note::NoCheckpoint]);
}

#[test]
fn an_entry_that_is_not_the_one_of_the_ledger_is_named() {
    type Spoil = fn(&mut ProofBundle);
    let spoils: [Spoil; 6] = [
        |proof| proof.entries[1].entry = proof.entries[1].entry.replace("alice", "mabel"),
        |proof| proof.entries[1].entry = proof.entries[0].entry.clone(),
        |proof| proof.entries[1].entry = "{}".to_owned(),
        |proof| proof.entries[1].proof[0] = Digest::ZERO,
        |proof| proof.entries[1].proof.truncate(1),
        |proof| proof.entries[1].proof.push(Digest::ZERO),
    ];
    let ledger = ledger();
    for spoil in spoils {
        let mut proof = ledger.proof(&[3, 11], None);
        spoil(&mut proof);
        let verdict = judge_proof(&proof, Some(&ledger.fingerprint()), None);
        assert_eq!(verdict.findings, [Finding::NotInLedger { seq: 11 }]);
    }
    let mut moved = ledger.proof(&[3], None);
    moved.entries[0].seq = 4;
    let verdict = judge_proof(&moved, None, None);
    assert_eq!(verdict.findings, [Finding::NotInLedger { seq: 4 }]);
}

#[test]
fn another_history_is_a_fork_and_an_older_one_a_roll_back() {
    let (ledger, other) = (ledger(), Ledger::of("another case", 20, &[12, 20]));
    let key = ledger.fingerprint();
    let proof = ledger.proof(&[4], Some(&ledger.notes[2]));
    for (kept, size) in [(&other.notes[0], 12), (&other.notes[1], 20)] {
        let verdict = judge_proof(&proof, Some(&key), Some(kept));
        assert_eq!(verdict.findings, [Finding::Forked { size }]);
    }
    let mut forged = proof.clone();
    forged.consistency.as_mut().unwrap().since.clone_from(&other.notes[0]);
    assert_eq!(judge_proof(&forged, Some(&key), None).findings, [Finding::Forked { size: 12 }]);
    let older = Ledger::of("case", 12, &[12]);
    let verdict = judge_proof(&older.proof(&[4], None), Some(&key), Some(&ledger.notes[3]));
    assert_eq!(verdict.findings, [Finding::RolledBack { have: 12, since: 20 }]);
}

#[test]
fn a_proof_of_another_ledger_has_the_wrong_key_and_a_touched_one_a_bad_signature() {
    let ledger = ledger();
    let verdict = judge_proof(&ledger.proof(&[1], None), Some(&"0".repeat(64)), None);
    assert!(matches!(verdict.findings[..], [Finding::WrongKey { .. }]));
    let mut touched = ledger.proof(&[1], None);
    touched.checkpoint = touched.checkpoint.replace("\n20\n", "\n19\n");
    let verdict = judge_proof(&touched, None, None);
    assert_eq!(verdict.findings, [Finding::BadSignature { place: "`checkpoint`".to_owned() }]);
    for keys in [vec![], vec!["no key".to_owned()]] {
        let unkeyed = ProofBundle { keys, ..ledger.proof(&[1], None) };
        let verdict = judge_proof(&unkeyed, None, None);
        assert_eq!(verdict.findings, [Finding::Malformed { file: "keys", line: 1 }]);
    }
}

#[test]
fn what_is_not_signed_or_not_what_was_signed_is_not_proven() {
    let ledger = ledger();
    let of = |lines: &[Vec<u8>], wanted| {
        ProofBundle::of(lines, &ledger.chain(), &ledger.notes[2], &[wanted], None)
    };
    assert_eq!(of(&ledger.lines(), 12), Err(BundleError::Unsigned { seq: 12, size: 12 }));
    let mut lines = ledger.lines();
    lines.swap(2, 3);
    assert_eq!(of(&lines, 5), Err(BundleError::Inconsistent));
    assert_eq!(of(&lines[..4], 3), Err(BundleError::Inconsistent));
}

#[test]
fn a_key_that_was_replaced_leads_to_the_one_that_signs() {
    let mut ledger = Ledger::of("case", 6, &[3, 6]);
    let first = ledger.fingerprint();
    ledger.rotate([9; 32]);
    ledger.sign();
    ledger.rotate([10; 32]);
    ledger.sign();
    let now = ledger.fingerprint();

    for kept in &ledger.notes {
        let verdict = judge(&ledger.export(), Some(&first), Some(kept));
        assert!(verdict.is_consistent(), "{verdict}");
        assert_eq!(verdict.notes, [Note::EarlierKey { now: now.clone() }]);
        assert!(judge(&ledger.export(), Some(&now), Some(kept)).is_consistent());
    }
    let proof = ledger.proof(&[2], None);
    assert_eq!(proof.entries.len(), 3, "the entries that replaced a key come along");
    assert!(judge_proof(&proof, Some(&first), None).is_consistent());
    let mut unproven = proof;
    unproven.entries.remove(1);
    let verdict = judge_proof(&unproven, Some(&first), None);
    assert!(matches!(verdict.findings[..], [Finding::UnlinkedKey { .. }]), "{verdict}");
}

/// Who holds neither key cannot put one of his own behind a key that is trusted.
#[test]
fn a_key_that_the_trusted_one_did_not_sign_is_not_followed() {
    let trusted = Ledger::of("case", 6, &[6]);
    let mut forgery = Ledger::of("case", 6, &[]);
    forgery.identity =
        sealift::ledger::SigningIdentity::from_seed(super::fixture::ORIGIN, &[66; 32]).unwrap();
    // His entry says that the old key signed; what it carries is his own signature twice.
    forgery.rotate([67; 32]);
    forgery.keys = vec![trusted.keys[0].clone(), forgery.identity.verifier_key()];
    forgery.sign();

    let verdict = judge(&forgery.export(), Some(&trusted.fingerprint()), None);
    assert!(matches!(verdict.findings[..], [Finding::UnlinkedKey { .. }]), "{verdict}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// Whatever is changed in a proof, both verifiers notice, and say the same.
    #[test]
    fn no_change_of_a_proof_goes_unnoticed(
        at in any::<prop::sample::Index>(), bit in 0..8_u8, size in 1..40_u64,
        wanted in any::<prop::sample::Index>(),
    ) {
        let ledger = Ledger::of("case", size, &[size / 2, size]);
        let proof = ledger.proof(&[wanted.index(usize::try_from(size).unwrap()) as u64], Some(&ledger.notes[0]));
        let key = ledger.fingerprint();
        prop_assert!(judge_proof(&proof, Some(&key), Some(&ledger.notes[0])).is_consistent());
        let mut bytes = proof.to_json().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let Ok(changed) = serde_json::from_slice::<ProofBundle>(&bytes) else { return Ok(()) };
        prop_assume!(changed != proof && changed.schema == proof.schema);
        // A word before the signature's is a signature by somebody else, which is passed over.
        let verdict = judge_proof(&changed, Some(&key), Some(&ledger.notes[0]));
        prop_assert!(!verdict.is_consistent() || changed.entries == proof.entries);
    }
}

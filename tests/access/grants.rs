//! Who can only write the vault's tables cannot grant himself anything.

use std::collections::BTreeSet;

use sealift::access::grants::{CallerGrant, DomainGrant, Grant, PurposeGrant, RunGrant};
use sealift::crypto::ControlKey;
use sealift::lifecycle::RunId;
use sealift::token::DomainId;

const ALICE: CallerGrant<'_> = CallerGrant {
    name: "alice",
    role: "support",
    credential: "0000002a",
    credential_hash: &[7; 32],
    approver_key: &[8; 32],
    created_at: "2026-01-01T00:00:00Z",
    expires_at: Some("2027-01-01T00:00:00Z"),
    revoked_at: Some("2026-06-01T00:00:00Z"),
};

const RUN: RunGrant<'_> = RunGrant {
    run: RunId(1),
    source: "crm",
    policy: "{}",
    policy_hash: "00",
    plan: "[]",
    fingerprint: "11",
    planned_by: "alice",
    planned_at: "2026-01-01T00:00:00Z",
    backup_dir: "sealift-backup",
};

fn differ<G: Grant>(grants: &[G]) {
    let key = ControlKey::generate(&mut rand::rng());
    let macs: BTreeSet<[u8; 32]> = grants.iter().map(|grant| grant.mac(&key)).collect();
    assert_eq!(macs.len(), grants.len());
    assert!(grants.iter().all(|grant| grant.is_genuine(&key, &grant.mac(&key))));
    assert!(grants[1..].iter().all(|grant| !grant.is_genuine(&key, &grants[0].mac(&key))));
}

#[test]
fn every_part_of_a_caller_is_under_its_mac() {
    differ(&[
        ALICE,
        CallerGrant { name: "bob", ..ALICE },
        CallerGrant { role: "steward", ..ALICE },
        CallerGrant { credential: "0000002b", ..ALICE },
        CallerGrant { credential_hash: &[9; 32], ..ALICE },
        CallerGrant { approver_key: &[9; 32], ..ALICE },
        CallerGrant { created_at: "2026-01-02T00:00:00Z", ..ALICE },
        CallerGrant { expires_at: None, ..ALICE },
        CallerGrant { expires_at: Some(""), ..ALICE },
        CallerGrant { revoked_at: None, ..ALICE },
        CallerGrant { revoked_at: Some(""), ..ALICE },
        CallerGrant { expires_at: ALICE.revoked_at, revoked_at: ALICE.expires_at, ..ALICE },
    ]);
}

#[test]
fn every_part_of_a_purpose_is_under_its_mac() {
    let purpose = PurposeGrant { name: "support_case", body: "{}", policy: "00" };
    differ(&[
        purpose,
        PurposeGrant { name: "marketing", ..purpose },
        PurposeGrant { body: "{ }", ..purpose },
        PurposeGrant { policy: "01", ..purpose },
    ]);
}

#[test]
fn every_part_of_a_domain_is_under_its_mac() {
    let domain =
        DomainGrant { domain: DomainId(1), name: "email", class: "contact", treatment: "{}" };
    differ(&[
        domain,
        DomainGrant { domain: DomainId(2), ..domain },
        DomainGrant { name: "phone", ..domain },
        DomainGrant { class: "health", ..domain },
        DomainGrant { treatment: "[]", ..domain },
    ]);
}

#[test]
fn every_part_of_a_run_that_grants_is_under_its_mac() {
    differ(&[
        RUN,
        RunGrant { run: RunId(2), ..RUN },
        RunGrant { source: "erp", ..RUN },
        RunGrant { policy: "{ }", ..RUN },
        RunGrant { policy_hash: "01", ..RUN },
        RunGrant { plan: "{}", ..RUN },
        RunGrant { fingerprint: "12", ..RUN },
        RunGrant { planned_by: "bob", ..RUN },
        RunGrant { planned_at: "2026-01-02T00:00:00Z", ..RUN },
        RunGrant { backup_dir: "/elsewhere", ..RUN },
    ]);
}

#[test]
fn a_row_without_a_mac_or_under_another_key_grants_nothing() {
    let key = ControlKey::generate(&mut rand::rng());
    let other = ControlKey::generate(&mut rand::rng());
    assert!(!ALICE.is_genuine(&key, &[]));
    assert!(!ALICE.is_genuine(&key, &[0; 32]));
    assert!(!ALICE.is_genuine(&key, &ALICE.mac(&other)));
}

#[test]
fn no_two_tables_share_a_name_in_the_mac() {
    let names = BTreeSet::from([
        CallerGrant::TABLE,
        PurposeGrant::TABLE,
        DomainGrant::TABLE,
        RunGrant::TABLE,
    ]);
    assert_eq!(names.len(), 4);
}

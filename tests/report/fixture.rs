//! A small invented run, as evidence.

use std::collections::{BTreeMap, BTreeSet};

use sealift::crypto::{KeyPurpose, KeyState};
use sealift::ledger::{
    ApprovalKind, Checkpoint, Digest, Draft, Entry, Head, ProofBundle, SigningIdentity,
};
use sealift::lifecycle::{Event, Phase, RunId};
use sealift::plan::{
    Assessment, ColumnPlan, Estimate, Extent, Finding, TypeCounts, Unit, UnitColumn, UnitMode,
    UnitTable, Verdict, Walk,
};
use sealift::policy::{ColumnName, Policy};
use sealift::report::{
    AnchorFact, ApprovalFact, BackupFate, CheckFact, ClaimLevel, Condition, ElsewhereLine,
    Evidence, KeyFact, PurgeFacts, PurgeStep, QuarantineCause, QuarantineFact, QuarantineState,
    RowDigest, SegmentFact, StructureFacts, UnitFact, Usage, VaultCopyLine,
};
use sealift::residue::{FileClass, FileReport, HitCounts, PlaceCounts, ScanReport, Unsearchable};

const POLICY: &str = r#"
[source]
name = "crm"

[[column]]
name   = "customers.email"
class  = "contact"
domain = "email"
token  = "keyed"
normalise = "casefold"
lossy_ok = true

[[column]]
name   = "cards.pan"
class  = "payment"
token  = "random"

[[column]]
name   = "patients.sex"
class  = "health"
token  = "keyed"
waive  = ["low_entropy"]

[[purpose]]
name  = "support_case"
roles = ["support"]
may   = ["detokenize", "search"]
show  = { contact = "plain", payment = "last4" }
max_tokens_per_request = 1500

[approval]
plan  = 1
purge = 1
"#;

/// A run that went through its whole life, with nothing left uncovered.
pub(super) fn closed() -> Evidence {
    let policy = Policy::parse(POLICY, "crm.toml").expect("the policy is valid");
    let Signed { entries, proofs, fingerprint } = signed();
    Evidence {
        tool: "sealift 0.1.0".into(),
        vault: "5f0d1c2b3a49587766554433221100ff".into(),
        origin: "sealift/5f0d1c2b".into(),
        key_fingerprint: fingerprint,
        run: RunId(0x7f3a_0c11),
        source: "crm".into(),
        phase: Phase::Closed,
        condition: None,
        plan: plan(),
        entries,
        checkpoint: Some(proofs.checkpoint.clone()),
        approvals: vec![
            approval(ApprovalKind::Plan, "2026-03-01T09:10:00Z"),
            approval(ApprovalKind::Purge, "2026-03-02T08:00:00Z"),
        ],
        keys: keys(),
        segments: vec![SegmentFact { number: 1, entries: 17_204, root: Some(Digest::of(b"root")) }],
        counts: rewritten(),
        units: vec![
            unit(0, &[("tokenized", 7_774), ("already_token", 26), ("null", 200)]),
            unit(1, &[("tokenized", 7_774), ("already_token", 26), ("null", 200)]),
            unit(2, &[("tokenized", 7_862), ("already_token", 26), ("null", 112)]),
        ],
        opened: counts(&[
            ("cards.pan", 7_800),
            ("customers.email", 7_800),
            ("patients.sex", 7_888),
        ]),
        verification: verified(),
        checks: vec![CheckFact { name: "orders still join".into(), holds: Some(true) }],
        residue_left: 0,
        residue_before: Some(scan(1_877, 30_000)),
        residue_after: Some(scan(0, 0)),
        purge: Some(PurgeFacts {
            steps: vec![
                step("PRAGMA secure_delete = ON", "on", "08:01:00", "08:01:09"),
                step("VACUUM", "the file is rewritten", "08:01:09", "08:01:12"),
                step("PRAGMA wal_checkpoint(TRUNCATE)", "the log is empty", "08:01:12", "08:01:12"),
            ],
            statements: BTreeMap::from([(
                ClaimLevel::DatabaseFiles,
                "Every page was taken apart, too; unused parts are zero".into(),
            )]),
            uncovered_copies: Vec::new(),
            not_covered: Vec::new(),
            structure: Some(StructureFacts { pages: 1_204, pages_with_remains: 0 }),
            backup: BackupFate::Destroyed,
            vault_copies: vec![VaultCopyLine {
                at: "2026-03-02T08:01:12Z".into(),
                file: "sealift-backup/vault-7f3a0c11-1.copy".into(),
                sha256: "5e".repeat(32),
            }],
            elsewhere: vec![ElsewhereLine {
                kind: "backup".into(),
                name: "nightly dump".into(),
                owner: Some("storage team".into()),
                expires: Some("2026-06-30".into()),
                known: "named in the policy; the source cannot know of it".into(),
            }],
        }),
        quarantine: Vec::new(),
        purposes: policy.purposes.clone(),
        usage: BTreeMap::from([("support_case".into(), used())]),
        anchors: vec![AnchorFact {
            place: "file /mnt/worm/crm.txt".into(),
            size: 31,
            at: "2026-03-02T08:05:01Z".into(),
        }],
        proofs: Some(proofs),
        policy,
    }
}

fn rewritten() -> BTreeMap<String, u64> {
    counts(&[
        ("rows", 24_000),
        ("cells", 24_000),
        ("tokenized", 23_410),
        ("null", 512),
        ("empty", 0),
        ("already_token", 78),
        ("quarantined", 0),
    ])
}

fn verified() -> BTreeMap<String, u64> {
    counts(&[
        ("rows", 24_000),
        ("opened", 23_488),
        ("null", 512),
        ("empty", 0),
        ("waived", 0),
        ("entries", 17_204),
        ("mismatches", 0),
    ])
}

fn used() -> Usage {
    Usage {
        requests: 41,
        refused: 2,
        passed: 0,
        unreviewed: 0,
        last: "2026-03-01T17:45:10Z".into(),
        domains: counts(&[("email", 1_204)]),
        callers: counts(&[("carol", 38), ("mallory", 3)]),
    }
}

/// The run's entries in a ledger of other people's, and the proofs that they are there.
struct Signed {
    entries: Vec<Entry>,
    proofs: ProofBundle,
    fingerprint: String,
}

fn signed() -> Signed {
    let identity = SigningIdentity::from_seed("sealift/5f0d1c2b", &[7; 32]).expect("a name");
    let (mut head, mut bodies, mut entries) = (Head::new(), Vec::new(), Vec::new());
    let mut other = life()[0].clone();
    (other.run, other.phase_before, other.phase_after) = (None, None, None);
    other.action = "detokenize".into();
    other.object = "purpose support_case".into();
    for entry in std::iter::repeat_n(other, 12).chain(life()) {
        let is_ours = entry.run.is_some();
        let entered = head.enter(draft(entry)).expect("an entry in canonical form");
        bodies.push(entered.bytes);
        if is_ours {
            entries.push(entered.entry);
        }
    }
    let note = Checkpoint::sign(&identity, head.size(), head.root()).expect("a name");
    let wanted: Vec<u64> = entries.iter().map(|entry| entry.seq).collect();
    let key = identity.verifier_key();
    let fingerprint = key.fingerprint();
    let proofs = ProofBundle::of(&bodies, &key.into(), &note, &wanted, None);
    Signed { entries, proofs: proofs.expect("the note signs these"), fingerprint }
}

pub(super) fn draft(entry: Entry) -> Draft {
    Draft {
        at: entry.at,
        actor: entry.actor,
        action: entry.action,
        object: entry.object,
        run: entry.run,
        purpose: entry.purpose,
        phase_before: entry.phase_before,
        phase_after: entry.phase_after,
        counts: entry.counts,
        key_ids: entry.key_ids,
        policy: entry.policy,
        details: entry.details,
        tool: entry.tool,
    }
}

/// The same run before anybody approved it.
pub(super) fn planned() -> Evidence {
    let mut evidence = closed();
    evidence.phase = Phase::Planned;
    evidence.entries.truncate(1);
    evidence.checkpoint = None;
    evidence.proofs = None;
    evidence.anchors.clear();
    evidence.usage.clear();
    evidence.approvals.clear();
    evidence.segments.clear();
    evidence.counts.clear();
    evidence.units.clear();
    evidence.opened.clear();
    evidence.verification.clear();
    evidence.checks.clear();
    evidence.residue_before = None;
    evidence.residue_after = None;
    evidence.purge = None;
    evidence
}

/// The same run, rolled back after its rewrite.
pub(super) fn rolled_back() -> Evidence {
    let mut evidence = closed();
    evidence.phase = Phase::RolledBack;
    evidence.entries.truncate(5);
    let back = [
        (Event::RollbackStarted, Phase::Rewritten, Phase::RollingBack, "2026-03-01T10:00:00Z"),
        (Event::RolledBack, Phase::RollingBack, Phase::RolledBack, "2026-03-01T10:01:30Z"),
    ];
    for (event, before, after, at) in back {
        let mut entry = evidence.entries[0].clone();
        entry.action = event.name().into();
        entry.at = at.into();
        (entry.phase_before, entry.phase_after) = (Some(before), Some(after));
        entry.seq = 12 + evidence.entries.len() as u64;
        entry.counts = counts(&[("restored", 23_410)]);
        evidence.entries.push(entry);
    }
    evidence.approvals.truncate(1);
    evidence.verification.clear();
    evidence.opened.clear();
    evidence.checks.clear();
    evidence.residue_after = None;
    evidence.purge = None;
    evidence
}

/// The same run with rows that nobody could tokenise: one was replayed, one waived.
pub(super) fn with_quarantine() -> Evidence {
    let row = |digest: &str, cause, cells, state| QuarantineFact {
        row: RowDigest::parse(digest).expect("hex digits"),
        cause,
        cells,
        state,
    };
    let waived = QuarantineState::Waived { by: "carol".into() };
    let mut evidence = closed();
    evidence.quarantine = vec![
        row("0badcafe", QuarantineCause::Check, 2, waived),
        row("0badf00d", QuarantineCause::Unique, 1, QuarantineState::Replayed),
    ];
    evidence.counts.insert("tokenized".into(), 23_408);
    evidence.counts.insert("quarantined".into(), 2);
    evidence.units[0].counts.insert("tokenized".into(), 7_772);
    evidence.units[0].counts.insert("quarantined".into(), 2);
    evidence
}

/// The same run, whose purge found originals after it had rewritten the files.
pub(super) fn with_residue() -> Evidence {
    let mut evidence = closed();
    evidence.phase = Phase::PurgeApproved;
    evidence.condition = Some(Condition::Failed);
    evidence.entries.truncate(8);
    evidence.residue_after = Some(scan(12, 0));
    evidence.residue_left = 12;
    evidence.purge = None;
    evidence
}

pub(super) fn counts(list: &[(&str, u64)]) -> BTreeMap<String, u64> {
    list.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

/// What the rewrite counted in one table of 8,000 rows.
fn unit(unit: u16, list: &[(&str, u64)]) -> UnitFact {
    let mut counts = counts(&[("rows", 8_000), ("cells", 8_000)]);
    counts.extend(list.iter().map(|(name, count)| ((*name).to_owned(), *count)));
    UnitFact { unit, counts }
}

pub(super) fn scan(residue: u64, live: u64) -> ScanReport {
    ScanReport {
        config: "c0ffee".into(),
        values_searched: 23_410,
        values_known: 23_413,
        not_byte_searchable: Unsearchable { short_text: 3, ..Unsearchable::default() },
        files: vec![FileReport {
            name: "crm.db".into(),
            class: FileClass::Database,
            bytes: 4_931_584,
            sha256: Digest::of(&residue.to_be_bytes()).to_string(),
            hits: HitCounts { whole: residue, part: 0, live },
            places: PlaceCounts { live, unused: residue, free: 0, unknown: 0 },
            by_encoding: BTreeMap::new(),
            by_codec: BTreeMap::new(),
            by_owner: BTreeMap::new(),
            listed: Vec::new(),
        }],
        skipped: Vec::new(),
        planted: BTreeSet::new(),
    }
}

pub(super) fn column(name: &str, rule: usize, policy: &Policy) -> ColumnPlan {
    let of = &policy.columns[rule];
    ColumnPlan {
        name: ColumnName::parse(name).expect("a column's name"),
        rule,
        class: of.class.clone(),
        domain: policy.domain_of(of),
        token: of.token,
        format: of.format,
        dedupe: of.dedupe,
        recognisable: true,
        declared: "TEXT".into(),
        rows: 8_000,
        cells: 7_800,
        nulls: 200,
        empties: 0,
        token_shaped: 26,
        types: TypeCounts { text: 7_800, ..TypeCounts::default() },
        bytes_max: 44,
        bytes_total: 171_600,
        distinct: [7_790, 7_800, 3][rule],
        distinct_exact: true,
        top_share: [0.000_3, 0.000_2, 0.52][rule],
        waived: of.waive.clone(),
    }
}

fn plan() -> Assessment {
    let policy = Policy::parse(POLICY, "crm.toml").expect("the policy is valid");
    let names = ["customers.email", "cards.pan", "patients.sex"];
    let columns: Vec<ColumnPlan> =
        names.iter().enumerate().map(|(rule, name)| column(name, rule, &policy)).collect();
    let units = columns
        .iter()
        .zip(0..)
        .map(|(column, id)| Unit {
            id,
            strategy: sealift::plan::Strategy::InPlace,
            mode: if id == 2 { UnitMode::Window } else { UnitMode::Ranges },
            tables: vec![UnitTable {
                table: column.name.table.clone(),
                walk: if id == 2 { Walk::RowId } else { Walk::Key(vec!["id".into()]) },
                columns: vec![UnitColumn {
                    rule: column.rule,
                    column: column.name.column.clone(),
                    domain: column.domain.clone(),
                }],
                rows: column.rows,
                suppressed_triggers: Vec::new(),
            }],
        })
        .collect();
    let finding = |pitfall: &str, verdict, object: &str, fact: &str, remedy: &str| Finding {
        pitfall: pitfall.into(),
        verdict,
        object: object.into(),
        fact: fact.into(),
        remedy: remedy.into(),
    };
    Assessment {
        strategies: Vec::new(),
        findings: vec![
            finding(
                "low_entropy",
                Verdict::Warns,
                "patients.sex",
                "3 distinct values in 7800; the top one is 52 % of them",
                "accepted by `waive`; who approves the plan signs it",
            ),
            finding(
                "statistics",
                Verdict::Handled,
                "database",
                "`sqlite_stat4` keeps samples of indexed values",
                "the purge runs ANALYZE before it rewrites the file",
            ),
        ],
        units,
        columns,
        estimate: Estimate::default(),
        fingerprint: Digest::of(b"plan").to_string(),
        changes: Vec::new(),
        fingerprint_after: None,
        objects: std::collections::BTreeMap::new(),
        restores: None,
        extent: Some(Extent {
            tables: 9,
            columns: 61,
            columns_of: counts(&[("cards", 5), ("customers", 11), ("patients", 8)]),
        }),
    }
}

fn life() -> Vec<Entry> {
    let facts = [
        ("planned", "alice", None, Phase::Planned, "2026-03-01T09:00:00Z"),
        (
            Event::Approved.name(),
            "bob",
            Some(Phase::Planned),
            Phase::Approved,
            "2026-03-01T09:10:00Z",
        ),
        (
            Event::BackedUp.name(),
            "alice",
            Some(Phase::Approved),
            Phase::BackedUp,
            "2026-03-01T09:30:00Z",
        ),
        (
            Event::Sealed.name(),
            "alice",
            Some(Phase::BackedUp),
            Phase::Sealed,
            "2026-03-01T09:31:20Z",
        ),
        (
            Event::Rewritten.name(),
            "alice",
            Some(Phase::Sealed),
            Phase::Rewritten,
            "2026-03-01T09:32:10Z",
        ),
        (
            Event::Verified.name(),
            "alice",
            Some(Phase::Rewritten),
            Phase::Verified,
            "2026-03-01T09:33:00Z",
        ),
        (
            Event::PurgeApproved.name(),
            "bob",
            Some(Phase::Verified),
            Phase::PurgeApproved,
            "2026-03-02T08:00:00Z",
        ),
        (
            Event::Verified.name(),
            "alice",
            Some(Phase::PurgeApproved),
            Phase::PurgeApproved,
            "2026-03-02T08:01:09Z",
        ),
        (
            Event::Purged.name(),
            "alice",
            Some(Phase::PurgeApproved),
            Phase::Purged,
            "2026-03-02T08:01:15Z",
        ),
        (Event::Closed.name(), "alice", Some(Phase::Purged), Phase::Closed, "2026-03-02T08:05:00Z"),
    ];
    facts
        .into_iter()
        .zip(12..)
        .map(|((action, actor, before, after, at), seq)| Entry {
            seq,
            prev: Digest::ZERO,
            at: at.into(),
            actor: actor.into(),
            action: action.into(),
            object: "run 7f3a0c11".into(),
            run: Some(RunId(0x7f3a_0c11)),
            purpose: None,
            phase_before: before,
            phase_after: Some(after),
            counts: match action {
                "sealed" => counts(&[("entries", 17_204), ("segment", 1)]),
                "rewritten" => rewritten(),
                // Before the purge and once more inside its lock.
                "verified" => verified(),
                _ => BTreeMap::new(),
            },
            key_ids: vec![4],
            policy: None,
            details: BTreeMap::new(),
            tool: "sealift 0.1.0".into(),
        })
        .collect()
}

fn approval(kind: ApprovalKind, at: &str) -> ApprovalFact {
    ApprovalFact {
        kind,
        caller: "bob".into(),
        digest: Digest::of(kind.name().as_bytes()).to_string(),
        signed_at: at.into(),
    }
}

fn keys() -> Vec<KeyFact> {
    let key = |id, purpose, subject: &str, state, changed_at: &str| KeyFact {
        id,
        purpose,
        subject: subject.into(),
        version: 1,
        state,
        created_at: "2026-03-01T08:50:00Z".into(),
        changed_at: changed_at.into(),
    };
    vec![
        key(4, KeyPurpose::Data, "email", KeyState::Active, "2026-03-01T08:50:00Z"),
        key(5, KeyPurpose::Token, "email", KeyState::Active, "2026-03-01T08:50:00Z"),
        key(9, KeyPurpose::Run, "7f3a0c11", KeyState::Destroyed, "2026-03-02T08:01:15Z"),
        key(1, KeyPurpose::Ledger, "", KeyState::Active, "2026-03-01T08:50:00Z"),
    ]
}

fn step(name: &str, outcome: &str, from: &str, until: &str) -> PurgeStep {
    PurgeStep {
        name: name.into(),
        outcome: outcome.into(),
        falls_short: false,
        started_at: format!("2026-03-02T{from}Z"),
        finished_at: format!("2026-03-02T{until}Z"),
    }
}

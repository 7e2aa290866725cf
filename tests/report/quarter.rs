//! A quarter of an invented vault: a run that was closed, one that was rolled back, one that is only
//! planned; somebody who read, and a night without a heartbeat.

use std::collections::BTreeMap;

use sealift::ledger::{Checkpoint, Digest, Draft, Entry, Head, ProofBundle, SigningIdentity};
use sealift::lifecycle::RunId;
use sealift::report::{
    AnchorFact, Asked, DomainFact, Evidence, Period, PeriodEvidence, Stretch, Usage,
};

use super::fixture::{closed, counts, draft, planned, rolled_back};

const BACK: RunId = RunId(0x22bb_0001);
const YOUNG: RunId = RunId(0x30c0_ffee);

/// The quarter, with every entry of it.
pub(super) fn quarter() -> PeriodEvidence {
    let runs = [
        at(closed(), closed().run, "2026-03"),
        at(rolled_back(), BACK, "2026-04"),
        at(planned(), YOUNG, "2026-05"),
    ];
    let mut drafts = vec![act("caller_added", "alice", "2026-02-27T10:00:00Z")];
    drafts.extend(runs[0].entries.iter().cloned().map(draft));
    drafts.extend(a_day());
    drafts.extend(runs[1].entries.iter().cloned().map(draft));
    drafts.extend(runs[2].entries.iter().cloned().map(draft));
    drafts.push(act("policy_proposed", "alice", "2026-06-02T09:00:00Z"));
    told(runs, drafts)
}

fn told(runs: [Evidence; 3], drafts: Vec<Draft>) -> PeriodEvidence {
    let identity = SigningIdentity::from_seed("sealift/5f0d1c2b", &[7; 32]).expect("a name");
    let (mut head, mut bodies, mut entries) = (Head::new(), Vec::new(), Vec::new());
    for draft in drafts {
        let entered = head.enter(draft).expect("an entry in canonical form");
        bodies.push(entered.bytes);
        entries.push(entered.entry);
    }
    let note = Checkpoint::sign(&identity, head.size(), head.root()).expect("a name");
    let period = Period::between(
        Some("2026-03-01T00:00:00Z".to_owned()),
        Some("2026-06-01T00:00:00Z".to_owned()),
    )
    .expect("a quarter");
    let range = period.range_of(entries.iter().map(|entry| entry.at.as_str()));
    let inside: Vec<Entry> =
        entries.iter().filter(|entry| range.contains(&entry.seq)).cloned().collect();
    let wanted: Vec<u64> = (0..head.size()).collect();
    let key = identity.verifier_key();
    let runs = runs.map(|mut run| {
        run.entries = entries.iter().filter(|entry| entry.run == Some(run.run)).cloned().collect();
        run
    });
    let mut purposes = runs[0].purposes.clone();
    let mut unused = purposes[0].clone();
    "audit_sample".clone_into(&mut unused.name);
    unused.show.retain(|what, _| what == "payment");
    purposes.push(unused);
    let domain = |name: &str, class: &str| DomainFact { name: name.into(), class: class.into() };
    PeriodEvidence {
        tool: "sealift 0.1.0".into(),
        vault: runs[0].vault.clone(),
        origin: runs[0].origin.clone(),
        key_fingerprint: key.fingerprint(),
        asked: Asked::Period,
        proofs: ProofBundle::of(&bodies, &key.into(), &note, &wanted, None).ok(),
        checkpoint: Some(note),
        younger: 3,
        domains: vec![
            domain("email", "contact"),
            domain("crm.cards.pan", "payment"),
            domain("crm.patients.sex", "health"),
        ],
        purposes,
        anchors: vec![AnchorFact {
            place: "file /mnt/worm/crm.txt".into(),
            size: 12,
            at: "2026-03-02T08:05:01Z".into(),
        }],
        told: Stretch::of(inside),
        range,
        period,
        runs: runs.to_vec(),
        is_whole: true,
    }
}

/// The same run under another number, in another month.
fn at(mut evidence: Evidence, run: RunId, month: &str) -> Evidence {
    evidence.run = run;
    evidence.usage = BTreeMap::<String, Usage>::new();
    for entry in &mut evidence.entries {
        entry.run = Some(run);
        entry.object = format!("run {run}");
        entry.at = entry.at.replace("2026-03", month);
    }
    for approval in &mut evidence.approvals {
        approval.signed_at = approval.signed_at.replace("2026-03", month);
    }
    evidence
}

fn act(action: &str, actor: &str, at: &str) -> Draft {
    Draft {
        at: at.into(),
        actor: actor.into(),
        action: action.into(),
        object: "ledger".into(),
        tool: "sealift 0.1.0".into(),
        ..Draft::default()
    }
}

/// A day on which somebody read, and a night in which nobody watched.
fn a_day() -> Vec<Draft> {
    let asked = |action: &str, actor: &str, purpose: &str, at: &str, email: u64| {
        let mut draft = act(action, actor, at);
        draft.purpose = Some(purpose.into());
        draft.object = format!("purpose {purpose}");
        draft.counts = counts(&[("asked", email), ("domain email", email)]);
        draft.details.insert("reason_hash".into(), Digest::of(at.as_bytes()).to_string().into());
        draft
    };
    vec![
        act("heartbeat", "system", "2026-03-03T08:00:00Z"),
        act("heartbeat", "system", "2026-03-03T08:10:00Z"),
        asked("detokenize", "carol", "support_case", "2026-03-03T08:12:00Z", 1_204),
        asked("detokenize_refused", "mallory", "support_case", "2026-03-03T08:13:30Z", 3),
        asked("detokenize", "carol", "winter_campaign", "2026-03-03T08:14:00Z", 40),
        act("heartbeat", "system", "2026-03-03T08:24:00Z"),
        act("heartbeat", "system", "2026-03-03T23:40:00Z"),
    ]
}

//! Which entries are alerts. One function says so; everybody asks it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{ALERT_SCHEMA, Alert, AlertKind, BEHIND, BehindConfig, HONEYTOKEN_PLANTED};
use crate::ledger::Entry;
use crate::lifecycle::{Event, Phase, RunId};
use crate::plan::{Estimate, EstimateUnit, compare_estimates};

/// What is known of a run beside its entries.
#[derive(Debug, Clone)]
pub struct RunFacts {
    /// Signatures that its plan needs.
    pub plan_approvals: u32,
    /// Signatures that its purge needs.
    pub purge_approvals: u32,
    /// What its plan estimated.
    pub estimate: Estimate,
    /// When work is behind that.
    pub behind: BehindConfig,
}

/// How many tokens each caller has asked for in each hour, and how many are too many.
#[derive(Debug, Clone, Default)]
pub struct Volume {
    /// The most in an hour.
    pub tokens_per_hour: u64,
    asked: BTreeMap<(String, String), u64>,
}

impl Volume {
    /// Counts from nothing.
    #[must_use]
    pub fn of(tokens_per_hour: u64) -> Self {
        Self { tokens_per_hour, asked: BTreeMap::new() }
    }

    /// Counts a request; says the sum where it goes past the limit with this one.
    pub fn count(&mut self, entry: &Entry) -> Option<u64> {
        let is_permitted = ["detokenize", "search"].contains(&entry.action.as_str());
        let asked = entry.counts.get("asked").copied().filter(|_| is_permitted)?;
        // The hour of an RFC 3339 time in UTC.
        let hour = entry.at.get(..13)?.to_owned();
        let sum = self.asked.entry((entry.actor.clone(), hour)).or_default();
        let before = std::mem::replace(sum, sum.saturating_add(asked));
        (before <= self.tokens_per_hour && *sum > self.tokens_per_hour).then_some(*sum)
    }
}

/// The keyed digests of the tokens that stand for nobody.
#[must_use]
pub fn honeytokens<'e>(entries: impl IntoIterator<Item = &'e Entry>) -> BTreeSet<String> {
    let planted = entries.into_iter().filter(|entry| entry.action == HONEYTOKEN_PLANTED);
    planted
        .filter_map(|entry| Some(entry.details.get("token_digest")?.as_str()?.to_owned()))
        .collect()
}

/// What of `entry` somebody should be told. `volume` counts on.
pub fn alerts(
    ledger: &str,
    entry: &Entry,
    run: impl Fn(RunId) -> Option<RunFacts>,
    planted: &BTreeSet<String>,
    volume: &mut Volume,
) -> Vec<Alert> {
    let mut told = Vec::new();
    let mut tell = |kind: AlertKind, text: String, next: String| {
        told.push(Alert {
            schema: ALERT_SCHEMA,
            kind,
            ledger: ledger.to_owned(),
            seq: entry.seq,
            at: entry.at.clone(),
            actor: entry.actor.clone(),
            run: entry.run,
            purpose: entry.purpose.clone(),
            text,
            next,
        });
    };
    if let Some(id) = entry.run {
        of_run(entry, id, &run, &mut tell);
    }
    of_requests(entry, planted, volume, &mut tell);
    match entry.action.as_str() {
        "policy_proposed" => tell(
            AlertKind::AwaitingApproval,
            "purposes were proposed and wait for a signature".to_owned(),
            "sealift policy history".to_owned(),
        ),
        "intake_missing" | "intake_altered" | "intake_repeated" => tell(
            AlertKind::IntakeAltered,
            format!("recorded requests are not as they were ({})", entry.action),
            "sealift ledger export --output ledger/".to_owned(),
        ),
        _ => {}
    }
    told
}

fn of_run(
    entry: &Entry,
    id: RunId,
    run: &impl Fn(RunId) -> Option<RunFacts>,
    tell: &mut impl FnMut(AlertKind, String, String),
) {
    let phase = entry.phase_after.map_or("unknown", Phase::name);
    let status = || format!("sealift status {id}");
    match entry.action.as_str() {
        "failed" if entry.phase_after == Some(Phase::RollingBack) => tell(
            AlertKind::RollbackFailed,
            format!("the rollback of run {id} failed"),
            format!("sealift rollback {id}"),
        ),
        "failed" => {
            tell(AlertKind::Failed, format!("run {id} failed in phase `{phase}`"), status());
        }
        "paused" if entry.details.contains_key("why") => tell(
            AlertKind::Drifted,
            format!("run {id} is paused: the catalog is not the one that was planned for"),
            status(),
        ),
        "paused" => tell(
            AlertKind::Paused,
            format!("run {id} is paused in phase `{phase}`"),
            format!("sealift resume {id}"),
        ),
        BEHIND => tell(AlertKind::BehindEstimate, behind_words(entry, id), status()),
        "mismatch" => tell(
            AlertKind::Drifted,
            format!("a verification of run {id} found cells that do not open to their original"),
            format!("sealift report {id}"),
        ),
        "residue_found" => tell(
            AlertKind::Drifted,
            format!("the purge of run {id} found originals in the files"),
            format!("sealift report {id}"),
        ),
        "approval_voided" => tell(
            AlertKind::Drifted,
            format!("an approval of run {id} is void: what was signed has changed"),
            status(),
        ),
        _ => {}
    }
    if let Some(rows) = entry.counts.get("quarantined").filter(|rows| **rows > 0) {
        tell(
            AlertKind::Quarantined,
            format!("{rows} cells of run {id} are in quarantine"),
            format!("sealift quarantine list {id}"),
        );
    }
    let Some(facts) = run(id) else { return };
    let waits = |event: &str, needed: u32| entry.action == event && needed > 0;
    if waits("planned", facts.plan_approvals) {
        let text = format!("the plan of run {id} waits for a signature");
        tell(AlertKind::AwaitingApproval, text, format!("sealift approve {id}"));
    }
    if waits(Event::Verified.name(), facts.purge_approvals)
        && entry.phase_before != entry.phase_after
    {
        let text = format!("run {id} is verified; its purge waits for a signature");
        tell(AlertKind::AwaitingApproval, text, format!("sealift approve {id} --purge"));
    }
    for check in compare_estimates(&facts.estimate, |action, name| {
        entry.counts.get(name).copied().filter(|_| entry.action == action)
    }) {
        let is_behind =
            check.unit == EstimateUnit::Ms && facts.behind.is_past(check.estimated, check.actual);
        if is_behind {
            let [took, planned] = [check.actual, check.estimated].map(crate::words::duration);
            let text = format!("`{}` of run {id} took {took}; the plan said {planned}", check.what);
            tell(AlertKind::BehindEstimate, text, status());
        }
    }
}

/// What the entry says of work that is not done yet.
fn behind_words(entry: &Entry, id: RunId) -> String {
    let pass = entry.details.get("pass").and_then(Value::as_str).unwrap_or("work");
    let ms = |name: &str| crate::words::duration(entry.counts.get(name).copied().unwrap_or(0));
    let (so_far, planned) = (ms("so_far_ms"), ms("estimated_ms"));
    format!("`{pass}` of run {id} takes {so_far} so far; the plan said {planned}")
}

fn of_requests(
    entry: &Entry,
    planted: &BTreeSet<String>,
    volume: &mut Volume,
    tell: &mut impl FnMut(AlertKind, String, String),
) {
    let digests = entry.details.get("token_digests").and_then(Value::as_array);
    let opened = digests.into_iter().flatten().filter_map(Value::as_str);
    let hits = opened.filter(|digest| planted.contains(*digest)).count();
    let reason = || format!("sealift access reason {}", entry.seq);
    if hits > 0 {
        let text = format!("`{}` asked for a token that stands for nobody", entry.actor);
        tell(AlertKind::Honeytoken, text, reason());
    }
    if let Some(sum) = volume.count(entry) {
        let text = format!(
            "`{}` asked for {} values within an hour; {} were expected at most",
            entry.actor,
            crate::words::grouped(sum),
            crate::words::grouped(volume.tokens_per_hour)
        );
        tell(AlertKind::Volume, text, reason());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::PassTimes;

    fn entry(action: &str) -> Entry {
        let draft = crate::ledger::Draft {
            at: "2026-01-31T09:30:00Z".to_owned(),
            actor: "carol".to_owned(),
            action: action.to_owned(),
            ..Default::default()
        };
        Entry::place(draft, 7, crate::ledger::Digest::ZERO)
    }

    fn kinds(entry: &Entry, volume: &mut Volume) -> Vec<AlertKind> {
        let planted = BTreeSet::from(["aa".to_owned()]);
        alerts("l", entry, |_| None, &planted, volume).iter().map(|alert| alert.kind).collect()
    }

    #[test]
    fn each_kind_of_trouble_has_its_alert_and_a_good_day_has_none() {
        let of_run = |action: &str, phase: Phase| {
            let mut entry = entry(action);
            entry.run = Some(RunId(1));
            (entry.phase_before, entry.phase_after) = (Some(phase), Some(phase));
            entry
        };
        let quiet = &mut Volume::of(10);
        for (entry, kind) in [
            (of_run("failed", Phase::Sealed), AlertKind::Failed),
            (of_run("failed", Phase::RollingBack), AlertKind::RollbackFailed),
            (of_run("paused", Phase::Sealed), AlertKind::Paused),
            (of_run("mismatch", Phase::Rewritten), AlertKind::Drifted),
            (of_run("residue_found", Phase::PurgeApproved), AlertKind::Drifted),
            (entry("policy_proposed"), AlertKind::AwaitingApproval),
            (entry("intake_missing"), AlertKind::IntakeAltered),
        ] {
            assert_eq!(kinds(&entry, quiet), [kind], "{}", entry.action);
        }
        for action in ["sealed", "rewritten", "verified", "detokenize", "caller_added"] {
            assert_eq!(kinds(&of_run(action, Phase::Verified), quiet), [], "{action}");
        }
        let mut drifted = of_run("paused", Phase::Sealed);
        drifted.details.insert("why".to_owned(), "the catalog".into());
        assert_eq!(kinds(&drifted, quiet), [AlertKind::Drifted]);
        let mut rewritten = of_run("rewritten", Phase::Rewritten);
        rewritten.counts.insert("quarantined".to_owned(), 2);
        assert_eq!(kinds(&rewritten, quiet), [AlertKind::Quarantined]);
    }

    #[test]
    fn a_volume_is_told_once_an_hour_and_a_honeytoken_each_time() {
        let volume = &mut Volume::of(10);
        let mut asked = entry("detokenize");
        asked.counts.insert("asked".to_owned(), 6);
        assert_eq!(kinds(&asked, volume), []);
        assert_eq!(kinds(&asked, volume), [AlertKind::Volume]);
        assert_eq!(kinds(&asked, volume), []);
        asked.at = "2026-01-31T10:00:00Z".to_owned();
        assert_eq!(kinds(&asked, volume), [], "another hour begins at nothing");
        asked.actor = "dave".to_owned();
        asked.details.insert("token_digests".to_owned(), serde_json::json!(["bb", "aa"]));
        assert_eq!(kinds(&asked, volume), [AlertKind::Honeytoken]);
        assert_eq!(kinds(&asked, volume), [AlertKind::Honeytoken, AlertKind::Volume]);
    }

    #[test]
    fn work_that_took_much_longer_than_planned_is_told() {
        let passes = PassTimes { rewrite_ms: 100_000, ..PassTimes::default() };
        let estimate = Estimate { passes, ..Estimate::default() };
        let behind = BehindConfig::default();
        let facts = RunFacts { plan_approvals: 1, purge_approvals: 0, estimate, behind };
        let told = |took_ms: u64| {
            let mut entry = entry("rewritten");
            entry.run = Some(RunId(1));
            entry.counts.insert("took_ms".to_owned(), took_ms);
            let (none, mut volume) = (BTreeSet::new(), Volume::of(10));
            alerts("l", &entry, |_| Some(facts.clone()), &none, &mut volume).len()
        };
        assert_eq!((told(150_000), told(190_000), told(400_000)), (0, 0, 1));
    }

    #[test]
    fn a_plan_that_needs_a_signature_waits_for_one() {
        let mut planned = entry("planned");
        planned.run = Some(RunId(1));
        let told = |needed: u32| {
            let facts = RunFacts {
                plan_approvals: needed,
                purge_approvals: 0,
                estimate: Estimate::default(),
                behind: BehindConfig::default(),
            };
            let (none, mut volume) = (BTreeSet::new(), Volume::of(10));
            alerts("l", &planned, |_| Some(facts.clone()), &none, &mut volume).len()
        };
        assert_eq!((told(0), told(1)), (0, 1));
    }
}

//! `sealift plan`: what a run would do, and what stands in its way. Writes nothing to the source.

use anstyle::AnsiColor;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::args::Plan;
use super::desk::{Desk, new_run_id, now};
use super::exit::{Failure, Outcome};
use super::job::{run_grant, same_source};
use super::output::Output;
use super::settings::Settings;
use super::{policy, queries};
use crate::access::Verb;
use crate::access::grants::Grant;
use crate::lifecycle::Phase;
use crate::plan::{Assessment, Finding, QueryText, Strategy, UnitMode, Verdict, assess};
use crate::policy::{ColumnRule, OnFailure, Policy};
use crate::ports::{Change, RunRow, Source, Vault};

pub(super) async fn plan(
    settings: &Settings,
    out: &Output,
    typed: Plan,
) -> Result<Outcome, Failure> {
    let policy = policy::read(&typed.policy)?;
    let queries = queries::read(&typed.queries)?;
    if typed.dry_run {
        let source = settings.open_source().await?;
        let plan = look(source.as_ref(), &policy, &queries).await?;
        tell(out, &policy, &plan, &queries, None);
        return Ok(outcome(&plan));
    }
    let desk = Desk::open(settings, Verb::Plan).await?;
    let source = settings.open_source().await?;
    same_source(&desk, source.as_ref()).await?;
    let mut plan = look(source.as_ref(), &policy, &queries).await?;
    plan.findings.extend(of_vault(desk.vault.as_ref(), &policy, &plan).await?);
    plan.findings.sort_by_key(|finding| finding.verdict);
    if plan.is_blocked() {
        tell(out, &policy, &plan, &queries, None);
        return Ok(Outcome::Refused);
    }
    let run = record(&desk, &policy, &plan).await?;
    tell(out, &policy, &plan, &queries, Some(run.run));
    if policy.approval.plan == 0 {
        out.next(&desk.caller.name, &format!("sealift run {}", run.run));
    } else {
        out.next("an approver", &format!("sealift approve {}", run.run));
    }
    Ok(Outcome::Done)
}

async fn look(
    source: &dyn Source,
    policy: &Policy,
    queries: &[QueryText],
) -> Result<Assessment, Failure> {
    let catalog = source.catalog().await?;
    let mut facts = source.facts(&catalog, policy).await?;
    facts.queries.extend_from_slice(queries);
    Ok(assess(&catalog, policy, &facts, Strategy::InPlace))
}

/// What the vault knows that the source does not tell.
async fn of_vault(
    vault: &dyn Vault,
    policy: &Policy,
    plan: &Assessment,
) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    if policy.on_failure == OnFailure::Rollback {
        findings.push(Finding {
            pitfall: "on_failure".to_owned(),
            verdict: Verdict::Warns,
            object: "policy".to_owned(),
            fact: "`on_failure = \"rollback\"` is understood and not carried out yet".to_owned(),
            remedy: "a run that fails holds where it is: `sealift rollback` puts it back"
                .to_owned(),
        });
    }
    let domains = vault.domains().await?;
    for rule in &policy.columns {
        let name = policy.domain_of(rule);
        let Some(row) = domains.iter().find(|row| row.name == name) else { continue };
        let Ok(known) = serde_json::from_str::<ColumnRule>(&row.treatment) else { continue };
        if row.class != rule.class || !same_tokens(&known, rule) {
            findings.push(Finding {
                pitfall: "domain".to_owned(),
                verdict: Verdict::Blocks,
                object: rule.name.to_string(),
                fact: format!(
                    "domain `{name}` of this vault has class `{}` and {} tokens",
                    row.class,
                    known.token.name()
                ),
                remedy: "treat the column as the domain is treated, or name another `domain`"
                    .to_owned(),
            });
        }
    }
    for run in vault.runs().await? {
        let done = !matches!(run.phase, Phase::Planned | Phase::Approved | Phase::RolledBack);
        let Ok(earlier) = serde_json::from_str::<Assessment>(&run.plan) else { continue };
        if run.source != policy.source || !done {
            continue;
        }
        for column in plan.columns.iter().filter(|column| !column.recognisable) {
            if earlier.columns.iter().any(|before| before.name == column.name) {
                findings.push(Finding {
                    pitfall: "recognisable".to_owned(),
                    verdict: Verdict::Blocks,
                    object: column.name.to_string(),
                    fact: format!(
                        "run {} has put tokens there that cannot be told from values",
                        run.run
                    ),
                    remedy: "leave the column out of this policy".to_owned(),
                });
            }
        }
    }
    Ok(findings)
}

fn same_tokens(one: &ColumnRule, two: &ColumnRule) -> bool {
    one.token == two.token
        && one.format == two.format
        && one.normalise == two.normalise
        && one.dedupe == two.dedupe
}

/// Records the run; one of the same columns that is still planned is replaced.
async fn record(desk: &Desk, policy: &Policy, plan: &Assessment) -> Result<RunRow, Failure> {
    let runs = desk.vault.runs().await?;
    let dir = std::path::absolute(&policy.backup.dir)?;
    let plan_json = serde_json::to_string(plan).map_err(Failure::failed)?;
    let mut row = RunRow {
        run: new_run_id(&runs),
        source: policy.source.clone(),
        policy: serde_json::to_string(policy).map_err(Failure::failed)?,
        policy_hash: policy.hash.clone(),
        fingerprint: signed(desk, policy, plan, &plan_json),
        plan: plan_json,
        phase: Phase::Planned,
        condition: None,
        condition_reason: String::new(),
        planned_by: desk.caller.name.clone(),
        planned_at: now(),
        backup_dir: dir.display().to_string(),
        verified_digest: None,
        segment: None,
        mac: Vec::new(),
    };
    row.mac = run_grant(&row).mac(desk.keys.control()).to_vec();
    let columns: Vec<String> = policy.columns.iter().map(|rule| rule.name.to_string()).collect();
    let mut changes: Vec<Change> = runs
        .iter()
        .filter(|old| old.phase == Phase::Planned && old.source == policy.source)
        .filter(|old| shares_column(old, policy))
        .map(|old| Change::RemoveRun(old.run))
        .collect();
    let replaced = changes.len() as u64;
    changes.push(Change::InsertRun(Box::new(row.clone()), columns));
    let mut draft = desk.draft("planned", format!("run {}", row.run));
    draft.run = Some(row.run);
    draft.policy = Some(policy.hash.clone());
    draft.counts.insert("columns".into(), policy.columns.len() as u64);
    draft.counts.insert("cells".into(), plan.estimate.cells);
    draft.counts.insert("replaced".into(), replaced);
    draft.details.insert("fingerprint".into(), row.fingerprint.clone().into());
    desk.commit(changes, draft).await?;
    Ok(row)
}

fn shares_column(old: &RunRow, policy: &Policy) -> bool {
    serde_json::from_str::<Policy>(&old.policy).is_ok_and(|known| {
        known.columns.iter().any(|one| policy.columns.iter().any(|two| one.name == two.name))
    })
}

/// What an approver signs: vault, source, policy, catalog, and the plan as it was shown.
fn signed(desk: &Desk, policy: &Policy, plan: &Assessment, plan_json: &str) -> String {
    let mut hash = Sha256::new();
    let vault = desk.keys.vault().to_string();
    for field in
        ["sealift/v1/plan", &vault, &policy.source, &policy.hash, &plan.fingerprint, plan_json]
    {
        hash.update((field.len() as u64).to_be_bytes());
        hash.update(field.as_bytes());
    }
    data_encoding::HEXLOWER.encode(&hash.finalize())
}

fn outcome(plan: &Assessment) -> Outcome {
    if plan.is_blocked() { Outcome::Refused } else { Outcome::Done }
}

fn tell(
    out: &Output,
    policy: &Policy,
    plan: &Assessment,
    asked: &[QueryText],
    run: Option<crate::lifecycle::RunId>,
) {
    for finding in &plan.findings {
        out.object(&json!({"finding": finding}));
    }
    out.object(&json!({
        "run": run.map(|run| run.to_string()),
        "blocked": plan.is_blocked(),
        "findings": plan.findings,
        "estimate": plan.estimate,
        "units": plan.units,
        "columns": plan.columns,
        "fingerprint": plan.fingerprint,
    }));
    out.heading(&format!("Plan for `{}`", policy.source));
    for column in &plan.columns {
        out.line(format!(
            "  {:<40} {:<10} {:<7} {:>10} cells, {} distinct",
            column.name.to_string(),
            column.class,
            column.token.name(),
            column.cells,
            if column.distinct_exact {
                column.distinct.to_string()
            } else {
                format!("about {}", column.distinct)
            }
        ));
    }
    for unit in plan.units.iter().filter(|unit| unit.mode == UnitMode::Window) {
        let tables: Vec<String> = unit.tables.iter().map(|t| t.table.to_string()).collect();
        out.line(format!("  in one transaction under the write lock: {}", tables.join(", ")));
    }
    let (breaking, others): (Vec<&Finding>, Vec<&Finding>) =
        plan.findings.iter().partition(|finding| finding.pitfall == "queries");
    for finding in others {
        let color = match finding.verdict {
            Verdict::Blocks => AnsiColor::Red,
            Verdict::Warns => AnsiColor::Yellow,
            Verdict::Handled => AnsiColor::Green,
        };
        out.line(format!(
            "{} {}: {}",
            out.verdict(finding.verdict.name(), color),
            finding.object,
            finding.fact
        ));
        out.line(format!("  {}", finding.remedy));
    }
    queries::tell(out, &breaking, asked);
    let estimate = &plan.estimate;
    out.line(format!(
        "Estimate: {} cells, {} entries, {} s, {} MiB of disk, writers wait {} s at the longest",
        estimate.cells,
        estimate.entries,
        estimate.seconds,
        estimate.disk_needed_bytes.div_ceil(1 << 20),
        estimate.write_lock_seconds
    ));
    match run {
        Some(run) => out.line(format!("Run {run} is planned.")),
        None if plan.is_blocked() => out.line("The plan is blocked: nothing was recorded."),
        None => out.line("Nothing was recorded."),
    }
}

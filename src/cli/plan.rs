//! `sealift plan`: what a run would do, and what stands in its way. Writes nothing to the source.

use std::path::Path;

use serde_json::json;

use super::args::Plan;
use super::desk::{Desk, new_run_id, now};
use super::exit::{Failure, Outcome};
use super::job::{run_grant, same_source};
use super::output::Output;
use super::settings::Settings;
use super::{plan_document, policy, queries};
use crate::access::Verb;
use crate::access::grants::Grant;
use crate::catalog::Catalog;
use crate::lifecycle::{Phase, RunId};
use crate::plan::{Assessment, Facts, Finding, QueryText, Strategy, Verdict, assess};
use crate::policy::{ColumnRule, Policy};
use crate::ports::{Change, RunRow, SampleSize, Silent, Source, Vault};
use crate::report::{
    DocumentForm, PlanDocument, PlanFacts, PlanVerdict, Recorded, StoredDocument, StoredPlan,
    plan_digest,
};
use crate::run::{COPY_ROWS_MAX, copies};
use crate::words::shell_word;

pub(super) async fn plan(
    settings: &Settings,
    out: &Output,
    typed: Plan,
) -> Result<Outcome, Failure> {
    let output = typed.output.as_deref();
    if let Some(run) = &typed.reissue {
        return plan_document::reissue(settings, out, run, output).await;
    }
    // ORDER: before anything is read, so that a name without a form costs nobody a minute.
    output.map(plan_document::form_of).transpose()?;
    let file = typed
        .policy
        .ok_or_else(|| Failure::failed("no policy is named").hint("name it: `--policy FILE`"))?;
    let policy = policy::read(&file)?;
    let queries = queries::read(&typed.queries)?;
    let strategy = Strategy::from(typed.strategy);
    if typed.dry_run {
        let source = settings.open_source().await?;
        let (policy, seen) =
            Seen::look(settings, source.as_ref(), policy, &queries, strategy).await?;
        let document = seen.document(&policy, &now(), None, true);
        tell(out, &seen, &document, output)?;
        unblocked(&seen.plan)?;
        let file = shell_word(&file.display().to_string());
        out.next("a steward", &format!("sealift plan --policy {file}"));
        return Ok(Outcome::Done);
    }
    let desk = Desk::open(settings, Verb::Plan).await?;
    let source = settings.open_source().await?;
    same_source(&desk, source.as_ref()).await?;
    let (policy, mut seen) =
        Seen::look(settings, source.as_ref(), policy, &queries, strategy).await?;
    seen.plan.findings.extend(of_vault(desk.vault.as_ref(), &policy, &seen.plan).await?);
    seen.plan.findings.sort_by_key(|finding| finding.verdict);
    if seen.plan.is_blocked() {
        let document = seen.document(&policy, &now(), None, false);
        tell(out, &seen, &document, output)?;
        unblocked(&seen.plan)?;
    }
    let (run, document) = record(&desk, &policy, &seen).await?;
    tell(out, &seen, &document, output).map_err(|failure| {
        failure
            .or_hint(format!("the run is recorded; `sealift plan --reissue {run} --output FILE`"))
    })?;
    if policy.approval.plan == 0 {
        out.next(&desk.caller.name, &format!("sealift run {run}"));
    } else {
        let document =
            output.map(|file| format!(" --document {}", shell_word(&file.display().to_string())));
        out.next("an approver", &format!("sealift approve {run}{}", document.unwrap_or_default()));
    }
    Ok(Outcome::Done)
}

/// Plans a run over a copy, in a vault that was made for it, and says what was reckoned.
pub(super) async fn on_copy(
    settings: &Settings,
    policy: Policy,
    strategy: Strategy,
) -> Result<(RunId, Assessment), Failure> {
    let desk = Desk::open(settings, Verb::Plan).await?;
    let source = settings.open_source().await?;
    let (policy, seen) = Seen::look(settings, source.as_ref(), policy, &[], strategy).await?;
    if let Some(found) = seen.plan.findings.iter().find(|found| found.verdict == Verdict::Blocks) {
        return Err(Failure::refused(format!("`{}` blocks: {}", found.object, found.fact))
            .hint(found.remedy.clone()));
    }
    let (run, _) = record(&desk, &policy, &seen).await?;
    Ok((run, seen.plan))
}

/// What was seen of a source, and what follows from it.
struct Seen {
    place: String,
    identity: Option<String>,
    catalog: Catalog,
    facts: Facts,
    plan: Assessment,
    strategy: Strategy,
}

impl Seen {
    /// Reads the source and judges it. The policy comes back with its tables named as the catalog
    /// names them.
    async fn look(
        settings: &Settings,
        source: &dyn Source,
        policy: Policy,
        queries: &[QueryText],
        strategy: Strategy,
    ) -> Result<(Policy, Self), Failure> {
        let catalog = source.catalog().await?;
        let policy = policy::named_as_in(&catalog, policy);
        let mut facts = source.facts(&catalog, &policy).await?;
        facts.queries.extend_from_slice(queries);
        let size = SampleSize::Blocks { rows: COPY_ROWS_MAX };
        facts.copies = copies(source, &catalog, &policy, size, &Silent).await?;
        let plan = assess(&catalog, &policy, &facts, strategy);
        let identity = source.identity().await?.map(|identity| identity.id);
        let place = plan_document::place_of(settings.source_url()?);
        Ok((policy, Self { place, identity, catalog, facts, plan, strategy }))
    }

    fn document(
        &self,
        policy: &Policy,
        planned_at: &str,
        recorded: Option<Recorded<'_>>,
        is_dry_run: bool,
    ) -> PlanDocument {
        PlanDocument::of(&PlanFacts {
            tool: plan_document::TOOL,
            place: Some(&self.place),
            identity: self.identity.as_deref(),
            catalog: &self.catalog,
            facts: &self.facts,
            policy,
            plan: &self.plan,
            strategy: self.strategy,
            planned_at,
            recorded,
            is_dry_run,
        })
    }
}

/// What the vault knows that the source does not tell.
async fn of_vault(
    vault: &dyn Vault,
    policy: &Policy,
    plan: &Assessment,
) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
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

/// Records the run with its document; a run of the same columns that is still planned is replaced.
async fn record(
    desk: &Desk,
    policy: &Policy,
    seen: &Seen,
) -> Result<(RunId, PlanDocument), Failure> {
    let runs = desk.vault.runs().await?;
    let dir = std::path::absolute(&policy.backup.dir)
        .map_err(|error| Failure::unwritable(std::path::Path::new(&policy.backup.dir), &error))?;
    let (run, planned_at, vault) = (new_run_id(&runs), now(), desk.keys.vault().to_string());
    let recorded = Recorded { run, planned_by: &desk.caller.name, vault: &vault };
    let document = seen.document(policy, &planned_at, Some(recorded), false);
    let kept = StoredDocument::of(&document);
    let hashes = DocumentForm::ALL.map(|form| (form, kept.sha256(form)));
    let stored = StoredPlan { assessment: seen.plan.clone(), document: Some(kept) };
    let plan_json = serde_json::to_string(&stored).map_err(Failure::fault)?;
    let mut row = RunRow {
        run,
        source: policy.source.clone(),
        policy: serde_json::to_string(policy).map_err(Failure::fault)?,
        policy_hash: policy.hash.clone(),
        fingerprint: plan_digest(&vault, &policy.source, &policy.hash, &stored, &plan_json),
        plan: plan_json,
        phase: Phase::Planned,
        condition: None,
        condition_reason: String::new(),
        planned_by: desk.caller.name.clone(),
        planned_at,
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
    let mut draft = desk.draft("planned", format!("run {run}"));
    draft.run = Some(run);
    draft.policy = Some(policy.hash.clone());
    draft.counts.insert("columns".into(), policy.columns.len() as u64);
    draft.counts.insert("cells".into(), seen.plan.estimate.cells);
    draft.counts.insert("replaced".into(), replaced);
    draft.details.insert("source".into(), row.source.clone().into());
    draft.details.insert("fingerprint".into(), row.fingerprint.clone().into());
    for (form, hash) in hashes {
        let name = match form {
            DocumentForm::Html => "document",
            DocumentForm::Json => "document_json",
            DocumentForm::Text => "document_text",
        };
        draft.details.insert(name.into(), hash.into());
    }
    changes.push(Change::InsertRun(Box::new(row), columns));
    desk.commit(changes, draft).await?;
    Ok((run, document))
}

fn shares_column(old: &RunRow, policy: &Policy) -> bool {
    serde_json::from_str::<Policy>(&old.policy).is_ok_and(|known| {
        known.columns.iter().any(|one| policy.columns.iter().any(|two| one.name == two.name))
    })
}

/// A blocked plan is a refusal, and says so beside what it found.
fn unblocked(plan: &Assessment) -> Result<(), Failure> {
    match plan.findings.iter().filter(|finding| finding.verdict == Verdict::Blocks).count() {
        0 => Ok(()),
        1 => Err(blocked("the plan is blocked by 1 finding")),
        many => Err(blocked(&format!("the plan is blocked by {many} findings"))),
    }
}

fn blocked(what: &str) -> Failure {
    Failure::refused(what.to_owned())
        .hint("each finding marked `blocks` says what to do about it; then plan again")
}

/// Writes the document where it was asked for, and tells the plan.
fn tell(
    out: &Output,
    seen: &Seen,
    document: &PlanDocument,
    output: Option<&Path>,
) -> Result<(), Failure> {
    if let Some(file) = output {
        plan_document::write(file, &plan_document::draw(document, plan_document::form_of(file)?))?;
    } else if plan_document::is_page(out, document)? {
        return Ok(());
    }
    let kept = StoredDocument::of(document);
    let form = output.map_or(Ok(DocumentForm::Html), plan_document::form_of)?;
    let plan = &seen.plan;
    for finding in &plan.findings {
        out.object(&json!({"finding": finding}));
    }
    out.object(&json!({
        "run": document.head.run,
        "blocked": plan.is_blocked(),
        "findings": plan.findings,
        "estimate": plan.estimate,
        "units": plan.units,
        "columns": plan.columns,
        "fingerprint": plan.fingerprint,
        "fingerprint_after": plan.fingerprint_after,
        "changes": plan.changes,
        "document": {
            "sha256": kept.sha256(form),
            "form": form.name(),
            "output": output.map(|file| file.display().to_string()),
        },
    }));
    if !out.is_json() {
        in_words(out, document, output, &kept.sha256(form));
        queries::tell(out, plan, &seen.facts.queries);
    }
    Ok(())
}

fn in_words(out: &Output, document: &PlanDocument, output: Option<&Path>, hash: &str) {
    if let Some(file) = output {
        plan_document::print(out, &document.to_brief());
        out.line("");
        out.line(format!("The plan is in {}.", file.display()));
        out.line(format!("  sha256 {hash}"));
    } else {
        plan_document::print(out, &document.to_lines());
        out.line(format!("document {hash}  (the page: --output plan.html)"));
    }
    match &document.head.run {
        Some(run) => out.line(format!("Run {run} is planned.")),
        None if document.summary.verdict == PlanVerdict::Blocked => {
            out.line("The plan is blocked: nothing was recorded.");
        }
        None => out.line("Nothing was recorded."),
    }
}

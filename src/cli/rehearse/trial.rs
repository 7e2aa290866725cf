//! The trial itself: plan, run, verify, checks and rollback on the copy, by what the verbs do.
//!
//! Vault, keys and caller are made for it and thrown away with it; nobody else can use them.

use std::sync::Arc;
use std::time::Instant;

use rand::Rng as _;
use secrecy::SecretString;

use super::folder::Folder;
use crate::cli::args::{Format, Init, OneRun, Run};
use crate::cli::exit::Failure;
use crate::cli::output::{Capture, Output};
use crate::cli::settings::{Settings, Unlock};
use crate::cli::{init, plan, rollback, run};
use crate::engine::postgres::is_postgres;
use crate::ledger::Entry;
use crate::lifecycle::RunId;
use crate::plan::{Assessment, Estimate, Strategy, UnitMode};
use crate::policy::{OnFailure, Policy, Waiver};
use crate::ports::{SourceCopy, TableStanding};
use crate::run::{Differences, differences};

/// Who works in the throw-away vault.
const CALLER: &str = "rehearsal";

/// What came of a trial.
pub(super) struct Tried {
    /// What was reckoned for the copy.
    pub(super) estimate: Estimate,
    /// The entries of its ledger.
    pub(super) entries: Vec<Entry>,
    pub(super) rollback_ms: u64,
    pub(super) differences: Differences,
    /// The copy as it stood at the start.
    pub(super) before: Vec<TableStanding>,
    /// What the copy looks like, as canonical text.
    pub(super) schema: String,
}

/// Where a trial stopped, and why.
pub(super) struct Stopped {
    pub(super) step: &'static str,
    pub(super) failure: Failure,
}

/// Says at which step something failed.
trait At<T> {
    fn at(self, step: &'static str) -> Result<T, Stopped>;
}

impl<T, E: Into<Failure>> At<T> for Result<T, E> {
    fn at(self, step: &'static str) -> Result<T, Stopped> {
        self.map_err(|error| Stopped { step, failure: error.into() })
    }
}

/// Goes there and back on a copy.
pub(super) async fn go(
    settings: &Settings,
    copy: &dyn SourceCopy,
    folder: &Folder,
    (policy, planned): (&Policy, &Assessment),
    (workers, out): (Option<u16>, &Output),
) -> Result<Tried, Stopped> {
    let inner = inner_settings(settings, copy, folder);
    let capture = Capture::new(Arc::from(out.progress()));
    let quiet = Output::captured(Format::Json, capture);
    let before = copy.standing().await.at("copy")?;
    let schema = schema_of(&inner).await.at("copy")?;
    let made = Init {
        caller: CALLER.to_owned(),
        role: "steward".to_owned(),
        credential_file: folder.file("steward.key"),
        recovery_file: Some(folder.file("recovery.txt")),
        kdf_memory_mib: 64,
        kdf_passes: 3,
    };
    Box::pin(init::init(&inner, &quiet, made)).await.at("vault")?;
    let (run, plan) = Box::pin(plan::on_copy(&inner, alike(policy, folder), strategy(planned)))
        .await
        .at("plan")?;
    let typed = Run { run: Some(run.to_string()), until: None, workers };
    Box::pin(run::run(&inner, &quiet, typed)).await.at("run")?;
    let begun = Instant::now();
    let typed = OneRun { run: Some(run.to_string()) };
    Box::pin(rollback::rollback(&inner, &quiet, &typed)).await.at("rollback")?;
    let rollback_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let after = copy.standing().await.at("compare")?;
    let now = schema_of(&inner).await.at("compare")?;
    let entries = entries_of(&inner, run).await.at("compare")?;
    let differences = differences(&plan, &before, &after, (&schema, &now));
    Ok(Tried { estimate: plan.estimate, entries, rollback_ms, differences, before, schema })
}

/// What the verbs work on here. The vault lies where the real one would: in a file, or, where vault
/// and source both are servers, beside the copy's tables, so that workers share the run.
fn inner_settings(settings: &Settings, copy: &dyn SourceCopy, folder: &Folder) -> Settings {
    let mut secret = [0_u8; 32];
    rand::rng().fill_bytes(&mut secret);
    let passphrase = SecretString::from(data_encoding::HEXLOWER.encode(&secret));
    Settings {
        vault: if settings.can_be_joined() && is_postgres(copy.url()) {
            copy.url().to_owned()
        } else {
            format!("sqlite:{}", folder.file("vault.db").display())
        },
        source: Some(copy.url().to_owned()),
        unlock: Unlock::Passphrase { file: None, environment: Some(passphrase) },
        credential_file: Some(folder.file("steward.key")),
        notify: None,
    }
}

/// The policy as it is tried: what it treats stays, who signs and when one may does not matter here.
fn alike(policy: &Policy, folder: &Folder) -> Policy {
    let mut policy = policy.clone();
    policy.approval.plan = 0;
    policy.window = None;
    policy.on_failure = OnFailure::Hold;
    policy.purposes.clear();
    policy.backup.dir = folder.file("backup").display().to_string();
    policy.backup.recipients.clear();
    for rule in &mut policy.columns {
        // The plan of the run has judged it; a sample has fewer values than the whole.
        if !rule.waive.contains(&Waiver::LowEntropy) {
            rule.waive.push(Waiver::LowEntropy);
        }
    }
    policy
}

fn strategy(plan: &Assessment) -> Strategy {
    let rebuilds = |unit: &crate::plan::Unit| {
        unit.strategy == Strategy::Rebuild && unit.mode == UnitMode::Window
    };
    if plan.units.iter().any(rebuilds) { Strategy::Rebuild } else { Strategy::InPlace }
}

async fn schema_of(settings: &Settings) -> Result<String, Failure> {
    Ok(settings.open_source_to_read().await?.catalog().await?.canonical_text())
}

async fn entries_of(settings: &Settings, run: RunId) -> Result<Vec<Entry>, Failure> {
    Ok(settings.open_vault().await?.ledger_of(run).await?)
}

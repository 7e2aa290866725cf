//! The command line: one file per verb.
//!
//! A verb reads settings, unlocks what it needs, asks `access` whether the caller may, and lets
//! `run` or `serve` do the work. It decides nothing else. Results go to standard output, everything
//! else to standard error.

mod access;
mod access_reason;
mod access_report;
mod access_use;
mod approve;
mod args;
mod backup;
mod caller;
mod demo;
mod desk;
mod detokenize;
mod estimates;
mod examples;
mod exit;
mod honeytoken;
mod init;
mod job;
mod keys;
mod keys_ledger;
mod ledger;
mod ledger_prove;
mod left;
mod manual;
mod next;
mod notify;
mod output;
mod parse;
mod pause;
mod plan;
mod plan_document;
mod policy;
mod policy_apply;
mod policy_words;
mod process;
mod purge;
mod quarantine;
mod queries;
mod rehearse;
mod report;
mod report_period;
mod report_verify;
mod residue;
mod restore;
mod rollback;
mod run;
mod scan;
mod search;
mod serve;
mod settings;
mod status;
mod tables;
mod throttle;
mod tokenize;
mod vault;
mod vault_trial;
mod verify;

use std::sync::Arc;

pub use args::{Args, Verb};
pub use exit::{Failure, Outcome};
pub use output::{Capture, Heard, Output};
pub use parse::{command, parse};
pub(crate) use serve::serve_at;
pub use settings::{Settings, Unlock};

/// Does what was typed.
///
/// # Errors
///
/// [`Failure`] says how the process ends, what happened and what to do about it.
pub async fn run(args: Args) -> Result<Outcome, Failure> {
    let out = Output::new(args.format, args.color).given(next::Given::of(&args));
    answer(args, &out).await
}

/// Does what was typed, and keeps what it says instead of printing it.
///
/// # Errors
///
/// As [`run`].
pub async fn run_captured(args: Args, capture: &Arc<Capture>) -> Result<Outcome, Failure> {
    let out = Output::captured(args.format, Arc::clone(capture));
    answer(args, &out).await
}

async fn answer(args: Args, out: &Output) -> Result<Outcome, Failure> {
    let settings = Settings::from_args(&args)?;
    let watch = notify::Watch::begin(&settings).await?;
    let outcome = dispatch(&settings, out, args.verb).await;
    if let Some(watch) = watch {
        watch.end(&settings).await;
    }
    settings.tidy_vault().await;
    outcome
}

async fn dispatch(settings: &Settings, out: &Output, verb: Verb) -> Result<Outcome, Failure> {
    match verb {
        Verb::Init(typed) => init::init(settings, out, typed).await,
        Verb::Caller(typed) => caller::caller(settings, out, typed).await,
        Verb::Keys(typed) => keys::keys(settings, out, typed).await,
        Verb::Policy(typed) => policy::policy(settings, out, &typed).await,
        Verb::Scan(typed) => scan::scan(settings, out, typed).await,
        Verb::Plan(typed) => plan::plan(settings, out, typed).await,
        Verb::Approve(typed) => approve::approve(settings, out, typed).await,
        Verb::Run(typed) => run::run(settings, out, typed).await,
        Verb::Rehearse(typed) => rehearse::rehearse(settings, out, typed).await,
        Verb::Verify(typed) => verify::verify(settings, out, &typed).await,
        Verb::Purge(typed) => purge::purge(settings, out, typed).await,
        Verb::Rollback(typed) => rollback::rollback(settings, out, &typed).await,
        Verb::Restore(typed) => restore::restore(settings, out, typed).await,
        Verb::Pause(typed) => pause::pause(settings, out, &typed).await,
        Verb::Resume(typed) => pause::resume(settings, out, &typed).await,
        Verb::Throttle(typed) => throttle::throttle(settings, out, &typed).await,
        Verb::Status(typed) => status::status(settings, out, &typed).await,
        Verb::Quarantine(typed) => quarantine::quarantine(settings, out, typed).await,
        Verb::Detokenize(typed) => detokenize::detokenize(settings, out, typed).await,
        Verb::Tokenize(typed) => tokenize::tokenize(settings, out, typed).await,
        Verb::Search(typed) => search::search(settings, out, typed).await,
        Verb::Access(typed) => access::access(settings, out, typed).await,
        Verb::Honeytoken(typed) => honeytoken::honeytoken(settings, out, typed).await,
        Verb::Notify(typed) => notify::notify(settings, out, typed).await,
        Verb::Serve(typed) => serve::serve(settings, out, typed).await,
        Verb::Residue(typed) => residue::residue(settings, out, typed).await,
        Verb::Report(typed) => report::report(settings, out, typed).await,
        Verb::Backup(typed) => backup::backup(settings, out, typed).await,
        Verb::Vault(typed) => vault::vault(settings, out, typed).await,
        Verb::Ledger(typed) => ledger::ledger(settings, out, typed).await,
        Verb::Demo(typed) => demo::demo(out, typed).await,
        Verb::Completions { shell } => manual::completions(shell),
        Verb::Man { output } => manual::man(out, output.as_deref()),
    }
}

//! `sealift policy`: is it understood, and where is it not?

use serde_json::json;

use super::args::Policy as Typed;
use super::exit::{Failure, Outcome};
use super::output::Output;
use super::settings::Settings;
use crate::catalog::postgres::DEFAULT_SCHEMA;
use crate::catalog::{Catalog, EngineKind};
use crate::policy::Policy;

/// The policy with its tables named as the catalog of the source names them.
pub(super) fn named_as_in(catalog: &Catalog, policy: Policy) -> Policy {
    match catalog.engine {
        EngineKind::Sqlite => policy,
        EngineKind::Postgres => policy.with_default_schema(DEFAULT_SCHEMA),
    }
}

pub(super) async fn policy(
    settings: &Settings,
    out: &Output,
    typed: &Typed,
) -> Result<Outcome, Failure> {
    match typed {
        Typed::Check { file } => check(out, file),
        Typed::Explain { file } => super::policy_words::explain(out, file),
        Typed::Apply(typed) => super::policy_apply::apply(settings, out, typed).await,
        Typed::History => super::policy_apply::history(settings, out).await,
    }
}

fn check(out: &Output, file: &std::path::Path) -> Result<Outcome, Failure> {
    let policy = read(file)?;
    out.object(&json!({
        "policy": policy.hash, "source": policy.source, "columns": policy.columns.len(),
        "purposes": policy.purposes.len(),
    }));
    out.line(format!(
        "{}: {} columns, {} purposes, source `{}`",
        file.display(),
        policy.columns.len(),
        policy.purposes.len(),
        policy.source
    ));
    let file = crate::words::shell_word(&file.display().to_string());
    out.next("a steward", &format!("sealift plan --policy {file}"));
    Ok(Outcome::Done)
}

/// Reads a policy file.
pub(super) fn read(file: &std::path::Path) -> Result<Policy, Failure> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::failed(format!("policy `{name}` cannot be read: {error}"))
            .hint("name it with `--policy FILE`; policies/ holds worked examples")
    })?;
    Policy::parse(&text, &name).map_err(|errors| {
        Failure::failed(errors).hint("policies/reference.toml explains every key and its default")
    })
}

//! What the vault says about itself, and how the service is.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

use super::auth::Known;
use super::error::ApiError;
use super::openapi::{Problems, Unwell};
use super::page::PAGE_POLICY;
use super::router::App;
use super::types::{Health, PurposeView, PurposesResponse, RunView, RunsResponse};
use crate::access::{Decision, Verb, may};
use crate::policy::Purpose;
use crate::ports::{Condition, RunRow};

/// Lists the purposes that the caller's role may use.
///
/// Whoever may read the history of policies (steward, approver, auditor) gets all of them.
#[utoipa::path(
    get, path = "/v1/purposes", tag = "reads", security(("credential" = [])),
    responses((status = 200, description = "Purposes in force", body = PurposesResponse), Problems)
)]
pub(super) async fn purposes(known: Known) -> Json<PurposesResponse> {
    let reads_all = may(&known.caller.role, Verb::PolicyHistory) == Decision::Permit;
    let role = known.caller.role.name();
    let mut purposes: Vec<PurposeView> = known
        .grants
        .purposes
        .values()
        .map(|in_force| &in_force.purpose)
        .filter(|purpose| reads_all || purpose.roles.iter().any(|named| named == role))
        .map(view)
        .collect();
    purposes.sort_by(|one, two| one.name.cmp(&two.name));
    Json(PurposesResponse { purposes })
}

fn view(purpose: &Purpose) -> PurposeView {
    PurposeView {
        name: purpose.name.clone(),
        may: purpose.may.clone(),
        show: purpose.show.clone(),
        max_tokens_per_request: purpose.max_tokens_per_request,
        max_tokens_per_minute: purpose.max_tokens_per_minute,
        max_tokens_per_day: purpose.max_tokens_per_day,
        valid_from: purpose.valid_from.clone(),
        valid_until: purpose.valid_until.clone(),
        pass_originals: purpose.pass_originals,
    }
}

/// Lists runs. For stewards, approvers and auditors.
#[utoipa::path(
    get, path = "/v1/runs", tag = "reads", security(("credential" = [])),
    responses((status = 200, description = "Runs, oldest first", body = RunsResponse), Problems)
)]
pub(super) async fn runs(
    State(app): State<Arc<App>>,
    known: Known,
) -> Result<Json<RunsResponse>, ApiError> {
    known.permit(Verb::Status)?;
    let rows = app.service.runs().await.map_err(|error| ApiError::of(&error, ""))?;
    Ok(Json(RunsResponse { runs: rows.iter().map(run_view).collect() }))
}

/// Says where one run stands. For stewards, approvers and auditors.
#[utoipa::path(
    get, path = "/v1/runs/{run_id}", tag = "reads", security(("credential" = [])),
    params(("run_id" = String, Path, description = "Eight hex digits", example = "7f3a0c11")),
    responses(
        (status = 200, description = "The run", body = RunView),
        (status = 404, description = "There is no such run", body = super::error::Envelope),
        Problems
    )
)]
pub(super) async fn run(
    State(app): State<Arc<App>>,
    known: Known,
    run: Result<Path<String>, PathRejection>,
) -> Result<Json<RunView>, ApiError> {
    known.permit(Verb::Status)?;
    Ok(Json(run_view(&row_of(&app, run).await?)))
}

async fn row_of(app: &App, run: Result<Path<String>, PathRejection>) -> Result<RunRow, ApiError> {
    let Path(run) = run.map_err(|_| ApiError::no_run())?;
    let rows = app.service.runs().await.map_err(|error| ApiError::of(&error, ""))?;
    rows.into_iter().find(|row| row.run.to_string() == run).ok_or_else(ApiError::no_run)
}

/// Gives the report of a run. For stewards, approvers and auditors.
///
/// The same as `sealift report RUN --format json` writes; its shape is that of `sealift report --schema`.
/// With `accept: text/html` it is the page for people.
#[utoipa::path(
    get, path = "/v1/runs/{run_id}/report", tag = "reads", security(("credential" = [])),
    params(("run_id" = String, Path, description = "Eight hex digits", example = "7f3a0c11")),
    responses(
        (status = 200, description = "The report", content(
            (serde_json::Value = "application/json"),
            (String = "text/html")
        )),
        (status = 404, description = "There is no such run", body = super::error::Envelope),
        Problems
    )
)]
pub(super) async fn report(
    State(app): State<Arc<App>>,
    known: Known,
    headers: HeaderMap,
    run: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    known.permit(Verb::Report)?;
    let row = row_of(&app, run).await?;
    let report = app.service.report(row).await.map_err(|error| ApiError::of(&error, ""))?;
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if accepted.is_some_and(|accepted| accepted.trim_start().starts_with("text/html")) {
        let kinds = [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CONTENT_SECURITY_POLICY, PAGE_POLICY),
        ];
        return Ok((kinds, report.to_html()).into_response());
    }
    Ok(([(header::CONTENT_TYPE, "application/json")], report.to_json()).into_response())
}

fn run_view(row: &RunRow) -> RunView {
    RunView {
        run: row.run.to_string(),
        source: row.source.clone(),
        phase: row.phase.name(),
        condition: row.condition.map(Condition::name),
        planned_by: row.planned_by.clone(),
        planned_at: row.planned_at.clone(),
        policy_hash: row.policy_hash.clone(),
    }
}

/// Says that the process is there.
#[utoipa::path(
    get, path = "/healthz", tag = "health",
    responses((status = 200, description = "It is there", body = Health), Unwell)
)]
pub(super) async fn healthz() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Says whether requests would be answered now: the vault said so less than a second ago.
#[utoipa::path(
    get, path = "/readyz", tag = "health",
    responses((status = 200, description = "Requests are answered", body = Health), Unwell)
)]
pub(super) async fn readyz(State(app): State<Arc<App>>) -> Result<Json<Health>, ApiError> {
    if app.service.is_ready() {
        Ok(Json(Health { status: "ok" }))
    } else {
        Err(ApiError::not_ready())
    }
}

/// Figures in the text format of Prometheus.
#[utoipa::path(
    get, path = "/metrics", tag = "health",
    responses(
        (status = 200, description = "The figures", body = String,
         content_type = "application/openmetrics-text"),
        Unwell
    )
)]
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    let text = app.metrics.text().ok_or_else(ApiError::fault)?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

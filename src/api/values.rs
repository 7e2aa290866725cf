//! Tokens to values and values to tokens.
//!
//! The order is the one of [`crate::serve`]: [`Known`] has authenticated; the service decides and
//! records before it opens; what is here only answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Extension;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::auth::Known;
use super::body::Sent;
use super::error::ApiError;
use super::gate::Place;
use super::openapi::Problems;
use super::router::App;
use super::stream::{Writer, streamed};
use super::types::{
    DetokenizeRequest, DetokenizeResponse, ValueResult, ValuesRequest, ValuesResponse, checked,
};
use crate::access::Caller;
use crate::serve::{Asked, Grants, ServeError};
use crate::value::Original;

/// An answer that refuses a token leaves at a multiple of this time after its request came: looking
/// for a token that is there and for one that is not differ by less.
const REFUSALS_EVERY: Duration = Duration::from_millis(5);

/// Opens tokens for a purpose.
///
/// One answer for each token, in the order asked, so that one refusal does not hide the rest.
/// `refused` is the only code of a token: unknown, denied and altered tokens look alike. The request
/// is on the ledger before it is answered. Answers that are large are streamed.
#[utoipa::path(
    post, path = "/v1/detokenize", tag = "values", security(("credential" = [])),
    request_body = DetokenizeRequest,
    responses((status = 200, description = "One answer a token", body = DetokenizeResponse), Problems)
)]
pub(super) async fn detokenize(
    State(app): State<Arc<App>>,
    known: Known,
    Extension(place): Extension<Place>,
    Sent(sent, held): Sent<DetokenizeRequest>,
) -> Result<Response, ApiError> {
    let began = Instant::now();
    let DetokenizeRequest { purpose, reason, domain, tokens } = sent;
    checked(&purpose, &reason, domain.as_deref())?;
    if tokens.is_empty() {
        return Err(ApiError::invalid("`tokens` holds one token at least"));
    }
    let asked = Asked { purpose, reason, domain };
    let request = asked.request(&known.caller);
    let opening = app.service.detokenize(known.grants, &request, tokens).await;
    let told = |error: ServeError| told(&error, &asked, &known.caller.name);
    let mut opening = opening.map_err(told)?;
    let mut writer = Writer::new();
    if let Some(piece) = app.service.open(&mut opening).await.map_err(told)? {
        writer.write(&piece);
    }
    // What does not fit one piece is sent while it is opened.
    if !opening.is_done() {
        return Ok(streamed(app, opening, writer, (place, held)));
    }
    let refused = writer.count(&app.metrics);
    let response = json(writer.finish());
    if refused > 0 {
        tokio::time::sleep(until_next(began.elapsed(), REFUSALS_EVERY)).await;
    }
    Ok(response)
}

fn until_next(taken: Duration, every: Duration) -> Duration {
    let (taken, every) = (taken.as_nanos(), every.as_nanos());
    let left = every - taken % every;
    Duration::from_nanos(u64::try_from(left).unwrap_or(0))
}

fn json(body: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Gives values their tokens.
///
/// Values that the vault does not have are sealed. A value that looks like a token is a value like
/// any other. The request is on the ledger before it is answered.
#[utoipa::path(
    post, path = "/v1/tokenize", tag = "values", security(("credential" = [])),
    request_body = ValuesRequest,
    responses((status = 200, description = "One token a value", body = ValuesResponse), Problems)
)]
pub(super) async fn tokenize(
    State(app): State<Arc<App>>,
    known: Known,
    Sent(sent, _held): Sent<ValuesRequest>,
) -> Result<axum::Json<ValuesResponse>, ApiError> {
    let service = &app.service;
    about_values(known, sent, async |grants, caller, asked, values| {
        service.tokenize(grants, caller, asked, values).await
    })
    .await
}

/// Says which tokens stand for values.
///
/// The purpose has to show the domain in the form `match`. A value for which no token stands is
/// `refused`. The request is on the ledger before it is answered.
#[utoipa::path(
    post, path = "/v1/search", tag = "values", security(("credential" = [])),
    request_body = ValuesRequest,
    responses((status = 200, description = "One answer a value", body = ValuesResponse), Problems)
)]
pub(super) async fn search(
    State(app): State<Arc<App>>,
    known: Known,
    Sent(sent, _held): Sent<ValuesRequest>,
) -> Result<axum::Json<ValuesResponse>, ApiError> {
    let service = &app.service;
    about_values(known, sent, async |grants, caller, asked, values| {
        service.search(grants, caller, asked, values).await
    })
    .await
}

/// Answers a request about values of one domain: checks it, lets `answer` find the token of each
/// value, if it has one, and says so.
async fn about_values<T: Into<Option<Original>>>(
    known: Known,
    sent: ValuesRequest,
    answer: impl AsyncFnOnce(Arc<Grants>, Caller, Asked, Vec<Original>) -> Result<Vec<T>, ServeError>,
) -> Result<axum::Json<ValuesResponse>, ApiError> {
    let ValuesRequest { purpose, reason, domain, values } = sent;
    checked(&purpose, &reason, Some(&domain))?;
    if values.is_empty() {
        return Err(ApiError::invalid("`values` holds one value at least"));
    }
    let values = values.into_iter().map(|value| value.0).collect();
    let asked = Asked { purpose, reason, domain: Some(domain) };
    let name = known.caller.name.clone();
    let tokens = answer(known.grants, known.caller, asked.clone(), values).await;
    let tokens = tokens.map_err(|error| told(&error, &asked, &name))?;
    let results = tokens.into_iter().map(|token| {
        let token: Option<Original> = token.into();
        let token = token.and_then(|token| token.as_text().map(str::to_owned));
        let code = if token.is_none() { Some("refused") } else { None };
        ValueResult { token, code }
    });
    Ok(axum::Json(ValuesResponse { results: results.collect() }))
}

/// What the caller is told; the log has the kind.
fn told(error: &ServeError, asked: &Asked, caller: &str) -> ApiError {
    if let ServeError::Refused(refusal) = error {
        let kind = refusal.kind();
        tracing::info!(caller, purpose = asked.purpose, kind, "refused");
    }
    ApiError::of(error, &asked.purpose)
}

//! What every request goes through: an id, a place among those that are worked on, a time limit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use rand::Rng;
use tokio::sync::OwnedSemaphorePermit;
use tracing::Instrument as _;

use super::error::ApiError;
use super::router::App;
use crate::value::base32;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How long a request may take until its answer begins.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// Held while a request is worked on, and while its answer is streamed.
#[derive(Clone)]
pub(super) struct Place {
    #[expect(dead_code, reason = "held, not read")]
    permit: Arc<OwnedSemaphorePermit>,
}

pub(super) async fn gate(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let id = request_id();
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().cloned();
    let path = path.as_ref().map_or("other", MatchedPath::as_str);
    // Who watches over the service is answered also when it is busy.
    let is_watched = matches!(path, "/healthz" | "/readyz" | "/metrics");
    let place = Arc::clone(&app.requests).try_acquire_owned();
    let mut response = match place {
        Err(_) if !is_watched => ApiError::busy().into_response(),
        place => {
            if let Ok(permit) = place {
                request.extensions_mut().insert(Place { permit: Arc::new(permit) });
            }
            // Whatever is said meanwhile has the request's id beside it, also where faults alone are said.
            let answer =
                next.run(request).instrument(tracing::error_span!("request", request_id = id));
            let answered = tokio::time::timeout(ANSWER_WITHIN, answer).await;
            answered.unwrap_or_else(|_| ApiError::timeout().into_response())
        }
    };
    let mut code = "";
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        code = error.code;
        let headers = response.headers().clone();
        response = error.told(&id);
        // What the router says beside the status: `allow`.
        if let Some(allow) = headers.get(header::ALLOW) {
            response.headers_mut().insert(header::ALLOW, allow.clone());
        }
    }
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, value);
    }
    let status = response.status().as_u16();
    let taken = began.elapsed();
    app.metrics.answered(path, status, taken);
    let taken_us = u64::try_from(taken.as_micros()).unwrap_or(u64::MAX);
    if status >= 500 {
        tracing::warn!(request_id = id, %method, path, status, code, taken_us, "answered");
    } else {
        tracing::debug!(request_id = id, %method, path, status, code, taken_us, "answered");
    }
    response
}

/// Milliseconds and 80 random bits, so that ids sort by time.
fn request_id() -> String {
    let mut bytes = [0; 16];
    rand::rng().fill_bytes(&mut bytes[6..]);
    let millis = jiff::Timestamp::now().as_millisecond().to_be_bytes();
    bytes[..6].copy_from_slice(&millis[2..]);
    base32::encode(&bytes)
}

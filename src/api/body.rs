//! Bodies: read within limits of size and time, then parsed.
//!
//! It is an extractor that comes after [`Known`](super::auth::Known) in every handler: nobody who is
//! not known makes the service hold a body.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use futures::StreamExt as _;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::error::ApiError;
use super::router::App;

/// The largest body.
pub(super) const BODY_BYTES_MAX: usize = 8 << 20;

/// Large bodies are counted in these.
pub(super) const BODY_UNIT: usize = 64 << 10;

/// How long a body may take to arrive.
const ARRIVES_WITHIN: Duration = Duration::from_secs(10);

/// A body of JSON.
pub(super) struct Sent<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Sent<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        if !is_json(&parts.headers) {
            return Err(ApiError::not_json());
        }
        let announced = announced(&parts.headers);
        if announced.is_some_and(|bytes| bytes > BODY_BYTES_MAX) {
            return Err(ApiError::too_large(BODY_BYTES_MAX));
        }
        // A body that does not say how long it is counts as a long one.
        let expected = announced.unwrap_or(BODY_BYTES_MAX);
        let _held = if expected > BODY_UNIT {
            let units = u32::try_from(expected.div_ceil(BODY_UNIT)).unwrap_or(u32::MAX);
            let held = Arc::clone(&app.bodies).try_acquire_many_owned(units);
            Some(held.map_err(|_| ApiError::busy())?)
        } else {
            None
        };
        let whole = tokio::time::timeout(ARRIVES_WITHIN, read(body, announced.unwrap_or(0)));
        let bytes = whole.await.map_err(|_| ApiError::slow_body())??;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| ApiError::malformed(&error))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let sent = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = sent.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn read(body: Body, room: usize) -> Result<Zeroizing<Vec<u8>>, ApiError> {
    let mut whole = Zeroizing::new(Vec::with_capacity(room));
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| ApiError::cut_body())?;
        if whole.len() + piece.len() > BODY_BYTES_MAX {
            return Err(ApiError::too_large(BODY_BYTES_MAX));
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole)
}

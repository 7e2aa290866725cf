//! Bodies: read within limits of size and time, then parsed.
//!
//! It is an extractor that comes after [`Known`](super::auth::Known) in every handler: nobody who is
//! not known makes the service hold a body.

use std::sync::Arc;
use std::time::Duration;

use axum::body::BodyDataStream;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use futures::StreamExt as _;
use serde::de::DeserializeOwned;
use tokio::sync::OwnedSemaphorePermit;
use zeroize::Zeroizing;

use super::error::ApiError;
use super::router::App;

/// The largest body.
pub(super) const BODY_BYTES_MAX: usize = 8 << 20;

/// Large bodies are counted in these.
pub(super) const BODY_UNIT: usize = 64 << 10;

/// How long a body may take to arrive.
const ARRIVES_WITHIN: Duration = Duration::from_secs(10);

/// Of a body that is too large, so much is read and thrown away: a client that sends all before it
/// reads anything would otherwise see a connection cut, and not the answer.
const THROWN_AWAY_MAX: usize = 128 << 20;

/// How long that may take.
const THROWN_AWAY_WITHIN: Duration = Duration::from_secs(8);

/// Bytes that a large body counts for, as long as what was made of it lives.
pub(super) type Held = Option<OwnedSemaphorePermit>;

/// A body of JSON, and its place among the large ones.
pub(super) struct Sent<T>(pub(super) T, pub(super) Held);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Sent<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        if !is_json(&parts.headers) {
            return Err(ApiError::not_json());
        }
        let announced = announced(&parts.headers);
        if announced.is_some_and(|bytes| bytes > BODY_BYTES_MAX) {
            // Whoever asks first, is told before he sends.
            if !parts.headers.contains_key(header::EXPECT) {
                throw_away(body.into_data_stream()).await;
            }
            return Err(ApiError::too_large(BODY_BYTES_MAX));
        }
        // A body that does not say how long it is counts as a long one.
        let expected = announced.unwrap_or(BODY_BYTES_MAX);
        let held = if expected > BODY_UNIT {
            let units = u32::try_from(expected.div_ceil(BODY_UNIT)).unwrap_or(u32::MAX);
            let held = Arc::clone(&app.bodies).try_acquire_many_owned(units);
            Some(held.map_err(|_| ApiError::busy())?)
        } else {
            None
        };
        let mut pieces = body.into_data_stream();
        let whole = read(&mut pieces, announced.unwrap_or(0));
        let whole = tokio::time::timeout(ARRIVES_WITHIN, whole).await;
        let Some(bytes) = whole.map_err(|_| ApiError::slow_body())?? else {
            throw_away(pieces).await;
            return Err(ApiError::too_large(BODY_BYTES_MAX));
        };
        let parsed = serde_json::from_slice(&bytes);
        parsed.map(|sent| Self(sent, held)).map_err(|error| ApiError::malformed(&error))
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

/// Reads a body; `None` where it is too large.
async fn read(
    pieces: &mut BodyDataStream,
    room: usize,
) -> Result<Option<Zeroizing<Vec<u8>>>, ApiError> {
    let mut whole = Zeroizing::new(Vec::with_capacity(room));
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| ApiError::cut_body())?;
        if whole.len() + piece.len() > BODY_BYTES_MAX {
            return Ok(None);
        }
        whole.extend_from_slice(&piece);
    }
    Ok(Some(whole))
}

async fn throw_away(mut pieces: BodyDataStream) {
    let read = async {
        let mut bytes = 0;
        while bytes < THROWN_AWAY_MAX
            && let Some(Ok(piece)) = pieces.next().await
        {
            bytes += piece.len();
        }
    };
    // Who is slower than that finds the connection closed.
    let _ = tokio::time::timeout(THROWN_AWAY_WITHIN, read).await;
}

//! Every route on one screen.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;

use super::error::{ApiError, OnPanic};
use super::metrics::Metrics;
use super::{gate, openapi, page, reads, values};
use crate::serve::Service;

/// Requests that are worked on at once; one more is told to come back.
const REQUESTS_MAX: usize = 512;

/// Bytes of large bodies that are held at once, in units of [`BODY_UNIT`](super::body::BODY_UNIT).
const BODY_UNITS_MAX: usize = 1_024;

/// What handlers share.
pub(super) struct App {
    pub(super) service: Arc<Service>,
    pub(super) metrics: Metrics,
    pub(super) requests: Arc<Semaphore>,
    pub(super) bodies: Arc<Semaphore>,
}

impl App {
    pub(super) fn new(service: Arc<Service>) -> Arc<Self> {
        Arc::new(Self {
            service,
            metrics: Metrics::new(),
            requests: Arc::new(Semaphore::new(REQUESTS_MAX)),
            bodies: Arc::new(Semaphore::new(BODY_UNITS_MAX)),
        })
    }
}

pub(super) fn router(app: &Arc<App>) -> Router {
    Router::new()
        .route("/v1/detokenize", post(values::detokenize))
        .route("/v1/tokenize", post(values::tokenize))
        .route("/v1/search", post(values::search))
        .route("/v1/purposes", get(reads::purposes))
        .route("/v1/runs", get(reads::runs))
        .route("/v1/runs/{run_id}", get(reads::run))
        .route("/v1/runs/{run_id}/report", get(reads::report))
        .route("/healthz", get(reads::healthz))
        .route("/readyz", get(reads::readyz))
        .route("/metrics", get(reads::metrics))
        .route("/openapi.json", get(openapi::serve))
        .route("/", get(page::serve))
        .fallback(async || ApiError::no_route())
        .method_not_allowed_fallback(async || ApiError::no_method())
        .layer(CatchPanicLayer::custom(OnPanic))
        .layer(from_fn_with_state(Arc::clone(app), gate::gate))
        .with_state(Arc::clone(app))
}

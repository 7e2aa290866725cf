//! The one error envelope, and the one function that says which error gets which status.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Serialize;
use tower_http::catch_panic::ResponseForPanic;
use utoipa::ToSchema;

use crate::access::Refusal;
use crate::serve::ServeError;

/// How long a caller who comes too early waits, in seconds.
const RETRY_AFTER_S: u64 = 1;

/// An error as it is told. The gate adds the request's id and writes the body.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
    retry_after_s: Option<u64>,
}

/// Why a request got no answer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Envelope {
    /// What happened.
    pub(super) error: EnvelopeError,
}

/// What happened.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EnvelopeError {
    /// A stable word, for programs.
    #[schema(example = "purpose_denied")]
    pub(super) code: &'static str,
    /// A sentence, for people. It holds neither tokens nor values.
    pub(super) message: String,
    /// Names this request in the log of the service.
    pub(super) request_id: String,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after_s: None }
    }

    fn later(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { retry_after_s: Some(RETRY_AFTER_S), ..Self::new(status, code, message) }
    }

    pub(super) fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is nothing under this path")
    }

    pub(super) fn no_method() -> Self {
        let message = "this path does not take this method";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
    }

    pub(super) fn no_run() -> Self {
        Self::new(StatusCode::NOT_FOUND, "unknown_run", "the vault has no such run")
    }

    /// One answer for a credential that is missing, malformed, unknown, revoked or at its end.
    pub(super) fn unauthenticated() -> Self {
        let message = "send a credential in force: `Authorization: Bearer slc_…`";
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", message)
    }

    pub(super) fn role_denied() -> Self {
        Self::new(StatusCode::FORBIDDEN, "role_denied", "your role may not do this")
    }

    pub(super) fn not_json() -> Self {
        let message = "the body is JSON: send `content-type: application/json`";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", message)
    }

    /// Says where, never what: the parser's own words may quote a value.
    pub(super) fn malformed(error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let message =
            format!("the body is not what `/openapi.json` says, at line {line}, column {column}");
        let code = if error.is_data() { "wrong_type" } else { "malformed" };
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", message)
    }

    pub(super) fn too_large(max: usize) -> Self {
        let message = format!("a body has {max} bytes at most; send several requests");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
    }

    pub(super) fn slow_body() -> Self {
        let message = "the body did not arrive in time";
        Self::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", message)
    }

    pub(super) fn cut_body() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", "the body ended before its end")
    }

    pub(super) fn busy() -> Self {
        let message = "more is asked at once than can be answered; try again";
        Self::later(StatusCode::SERVICE_UNAVAILABLE, "busy", message)
    }

    pub(super) fn timeout() -> Self {
        let message = "the answer took too long; try again";
        Self::later(StatusCode::SERVICE_UNAVAILABLE, "timeout", message)
    }

    pub(super) fn not_ready() -> Self {
        let message = "the vault does not answer";
        Self::later(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
    }

    pub(super) fn fault() -> Self {
        let message = "a fault of the service; its log names this request";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "fault", message)
    }

    /// Unknown and not shown are not told apart.
    fn domain_denied() -> Self {
        let message = "this purpose does not show such a domain";
        Self::new(StatusCode::FORBIDDEN, "domain_denied", message)
    }

    /// Says it in the log: the kind of a refusal, the cause of a failure.
    pub(super) fn of(error: &ServeError, purpose: &str) -> Self {
        match error {
            ServeError::Refused(refusal) => Self::of_refusal(refusal, purpose),
            ServeError::NoDomain(_) => Self::domain_denied(),
            ServeError::NotSearchable(_) | ServeError::Misfit { .. } => {
                Self::invalid(error.to_string())
            }
            ServeError::Loading(_) => {
                Self::later(StatusCode::SERVICE_UNAVAILABLE, "loading", error.to_string())
            }
            ServeError::Busy => Self::busy(),
            ServeError::Unavailable => Self::not_ready(),
            ServeError::Unrecorded(_) => {
                let message = "the request could not be recorded, so nothing was opened";
                Self::later(StatusCode::SERVICE_UNAVAILABLE, "unrecorded", message)
            }
            ServeError::Vault(_) | ServeError::Run(_) => {
                tracing::error!(error = %crate::serve::chain(error), "a request failed");
                Self::not_ready()
            }
        }
    }

    /// What a caller is told depends only on what he asked, not on why he is refused: a purpose that
    /// does not exist and one that is not for him look alike.
    fn of_refusal(refusal: &Refusal, purpose: &str) -> Self {
        match refusal.code() {
            "too_many_tokens" => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "too_many_tokens", refusal.to_string())
            }
            "domain_denied" => Self::domain_denied(),
            "bulk_locked" => Self::new(StatusCode::FORBIDDEN, "bulk_locked", refusal.to_string()),
            "rate_limited" => Self {
                retry_after_s: refusal.passes_after_s(Timestamp::now()),
                ..Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", refusal.to_string())
            },
            code => {
                let message = format!("you may not do this for purpose `{purpose}`");
                Self::new(StatusCode::FORBIDDEN, code, message)
            }
        }
    }

    /// The response with its body. Only the gate calls it: it knows the id.
    pub(super) fn told(self, request_id: &str) -> Response {
        let envelope = Envelope {
            error: EnvelopeError {
                code: self.code,
                message: self.message,
                request_id: request_id.to_owned(),
            },
        };
        let mut response = (self.status, axum::Json(envelope)).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// A handler that panicked ends its request, and nothing else.
#[derive(Clone)]
pub(super) struct OnPanic;

impl ResponseForPanic for OnPanic {
    type ResponseBody = axum::body::Body;

    fn response_for_panic(&mut self, _: Box<dyn std::any::Any + Send + 'static>) -> Response {
        ApiError::fault().into_response()
    }
}

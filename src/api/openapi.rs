//! The `OpenAPI` document, made from the handlers and their types.

use axum::Json;
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{IntoResponses, Modify, OpenApi};

use super::error::Envelope;
use super::{reads, values};

/// What any request with a credential may be answered with, besides its result.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "they describe responses, and are not made")]
pub(super) enum Problems {
    /// The body is not what this document says: `malformed`, `wrong_type`
    #[response(status = 400)]
    Malformed(Envelope),
    /// No credential in force: `unauthenticated`
    #[response(status = 401)]
    Unauthenticated(Envelope),
    /// Refused as a whole: `purpose_denied`, `domain_denied`, `role_denied`, `bulk_locked`
    #[response(status = 403)]
    Denied(Envelope),
    /// The body arrives too slowly: `body_too_slow`
    #[response(status = 408)]
    Slow(Envelope),
    /// The body is too large: `body_too_large`
    #[response(status = 413)]
    TooLarge(Envelope),
    /// The body is not JSON: `not_json`
    #[response(status = 415)]
    NotJson(Envelope),
    /// What is asked cannot be: `invalid`, `too_many_tokens`
    #[response(status = 422)]
    Invalid(Envelope),
    /// The purpose permits no more for now: `rate_limited`. Come back after `retry-after`
    #[response(status = 429)]
    RateLimited(Envelope),
    /// A fault of the service: `fault`
    #[response(status = 500)]
    Fault(Envelope),
    /// Not now: `busy`, `unavailable`, `unrecorded`, `loading`, `timeout`. Come back after `retry-after`
    #[response(status = 503)]
    Later(Envelope),
}

/// What a request without a credential may be answered with, besides its result.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "they describe responses, and are not made")]
pub(super) enum Unwell {
    /// A fault of the service: `fault`
    #[response(status = 500)]
    Fault(Envelope),
    /// Not now: `unavailable`. Come back after `retry-after`
    #[response(status = 503)]
    Later(Envelope),
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Sealift",
        description = "Values back, by purpose and for a reason. Every request under `/v1` carries \
                       a credential, every request for values is on the ledger before it is \
                       answered, and every error has the same form.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        values::detokenize,
        values::tokenize,
        values::search,
        reads::purposes,
        reads::runs,
        reads::run,
        reads::report,
        reads::healthz,
        reads::readyz,
        reads::metrics,
    ),
    modifiers(&Credential),
    tags(
        (name = "values", description = "Tokens to values and values to tokens"),
        (name = "reads", description = "What the vault says about itself"),
        (name = "health", description = "For whoever watches over the service"),
    )
)]
struct Api;

struct Credential;

impl Modify for Credential {
    fn modify(&self, document: &mut Document) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("credential", scheme);
    }
}

/// The `OpenAPI` 3.1 document of the service.
#[must_use]
pub fn document() -> Document {
    Api::openapi()
}

pub(super) async fn serve() -> Json<Document> {
    Json(document())
}

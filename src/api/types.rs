//! What travels: the bodies of requests and responses, from which the `OpenAPI` document is made.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::ApiError;
use super::sent_value::SentValue;
use crate::policy::{Form, Permission};
use crate::words::says_something;

/// Characters of a reason.
const REASON_CHARS_MAX: usize = 1_000;

/// Characters of the name of a purpose or a domain.
const NAME_CHARS_MAX: usize = 300;

/// Tokens, and why their values are needed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DetokenizeRequest {
    /// The purpose, as `GET /v1/purposes` lists it.
    #[schema(example = "support_case", max_length = 300)]
    pub(super) purpose: String,
    /// Why, in words. It is kept sealed; the ledger holds a digest.
    #[schema(example = "case 4711", max_length = 1000)]
    #[schema(pattern = r"[^\s\u0000-\u001f\u007f-\u009f\ufeff]")]
    pub(super) reason: String,
    /// The domain of the tokens. Needed for tokens that do not name one (`format`, `uuid`).
    #[serde(default)]
    #[schema(max_length = 300)]
    pub(super) domain: Option<String>,
    /// The tokens, or cells with a template around a token.
    #[schema(min_items = 1)]
    pub(super) tokens: Vec<String>,
}

/// Values, and the domain in which they get their tokens.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ValuesRequest {
    /// The purpose, as `GET /v1/purposes` lists it.
    #[schema(example = "onboarding", max_length = 300)]
    pub(super) purpose: String,
    /// Why, in words. It is kept sealed; the ledger holds a digest.
    #[schema(example = "new customer", max_length = 1000)]
    #[schema(pattern = r"[^\s\u0000-\u001f\u007f-\u009f\ufeff]")]
    pub(super) reason: String,
    /// The domain.
    #[schema(example = "email", max_length = 300)]
    pub(super) domain: String,
    /// The values.
    #[schema(min_items = 1)]
    pub(super) values: Vec<SentValue>,
}

/// One answer for each token, in the order asked.
#[derive(Serialize, ToSchema)]
pub(super) struct DetokenizeResponse {
    /// The answers.
    pub(super) results: Vec<TokenResult>,
}

/// The answer for one token: `value`, or `base64` for what is no text, or `code`.
#[derive(Serialize, ToSchema)]
pub(super) struct TokenResult {
    /// The token as it was sent.
    pub(super) token: String,
    /// The value in the purpose's form; numbers in decimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<String>,
    /// The value, where it is not text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) base64: Option<String>,
    /// `refused`: unknown, denied and altered alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<&'static str>,
    /// `true` where the text is no token and came back as it was (`pass_originals`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) passed: Option<bool>,
}

/// One answer for each value, in the order sent.
#[derive(Serialize, ToSchema)]
pub(super) struct ValuesResponse {
    /// The answers.
    pub(super) results: Vec<ValueResult>,
}

/// The answer for one value: `token`, or `code`.
#[derive(Serialize, ToSchema)]
pub(super) struct ValueResult {
    /// What stands for the value, as a cell holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<String>,
    /// `refused`: no token stands for this value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<&'static str>,
}

/// Purposes that the caller's role may use.
#[derive(Serialize, ToSchema)]
pub(super) struct PurposesResponse {
    /// The purposes, by name.
    pub(super) purposes: Vec<PurposeView>,
}

/// A purpose in force.
#[derive(Serialize, ToSchema)]
pub(super) struct PurposeView {
    /// Its name.
    pub(super) name: String,
    /// What it may be used for.
    #[schema(value_type = Vec<String>, example = json!(["detokenize"]))]
    pub(super) may: Vec<Permission>,
    /// Class or domain → the form in which its values are shown.
    #[schema(value_type = BTreeMap<String, String>, example = json!({"contact": "plain"}))]
    pub(super) show: BTreeMap<String, Form>,
    /// Tokens or values of one request.
    pub(super) max_tokens_per_request: u32,
    /// Tokens or values of one caller in a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_tokens_per_minute: Option<u32>,
    /// Tokens or values of one caller in a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_tokens_per_day: Option<u64>,
    /// Before it the purpose is refused (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) valid_from: Option<String>,
    /// From then on the purpose is refused (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) valid_until: Option<String>,
    /// Whether a text that is no token comes back as it is.
    pub(super) pass_originals: bool,
}

/// Runs of the vault.
#[derive(Serialize, ToSchema)]
pub(super) struct RunsResponse {
    /// The runs, oldest first.
    pub(super) runs: Vec<RunView>,
}

/// One run.
#[derive(Serialize, ToSchema)]
pub(super) struct RunView {
    /// Its id.
    #[schema(example = "7f3a0c11")]
    pub(super) run: String,
    /// The source's name in the policy.
    pub(super) source: String,
    /// Where it stands.
    #[schema(example = "verified")]
    pub(super) phase: &'static str,
    /// `paused` or `failed`, where it does not go on by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) condition: Option<&'static str>,
    /// Who planned it.
    pub(super) planned_by: String,
    /// When (RFC 3339).
    pub(super) planned_at: String,
    /// SHA-256 of its policy's file.
    pub(super) policy_hash: String,
}

/// How the service is.
#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    /// `ok`.
    #[schema(value_type = String, example = "ok")]
    pub(super) status: &'static str,
}

/// Refuses words that are longer than they may be.
pub(super) fn checked(purpose: &str, reason: &str, domain: Option<&str>) -> Result<(), ApiError> {
    let is_long = |text: &str, max: usize| text.len() > max && text.chars().count() > max;
    if !says_something(reason) {
        return Err(ApiError::invalid("say why in `reason`"));
    }
    if is_long(reason, REASON_CHARS_MAX) {
        let message = format!("`reason` has {REASON_CHARS_MAX} characters at most");
        return Err(ApiError::invalid(message));
    }
    if is_long(purpose, NAME_CHARS_MAX) || is_long(domain.unwrap_or_default(), NAME_CHARS_MAX) {
        return Err(ApiError::invalid(format!("a name has {NAME_CHARS_MAX} characters at most")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use regex::Regex;
    use utoipa::PartialSchema;

    use super::*;

    /// What the document says of a reason is what is asked of it: of every character there is.
    #[test]
    fn the_document_says_which_reasons_say_something() {
        for schema in [DetokenizeRequest::schema(), ValuesRequest::schema()] {
            let schema = serde_json::to_value(schema).unwrap();
            let pattern = schema["properties"]["reason"]["pattern"].as_str().unwrap();
            let pattern = Regex::new(pattern).unwrap();
            assert!(!pattern.is_match(""));
            for each in ('\0'..=char::MAX).map(String::from) {
                assert_eq!(pattern.is_match(&each), says_something(&each), "{each:?}");
            }
        }
    }
}

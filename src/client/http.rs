//! A service, asked over HTTP.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{ClientError, Opened};

/// How long an answer is waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// How often a request is sent where the service says that it may be sent again.
const TRIES: u32 = 4;

/// The longest that is waited before it is sent again.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Asks a service for values. Cheap to clone; one is enough for a program.
///
/// ```no_run
/// # async fn example() -> Result<(), sealift::ClientError> {
/// let credential = std::fs::read_to_string("carol.key").unwrap_or_default();
/// let client = sealift::Client::new("http://127.0.0.1:8460", credential.trim().into())?;
/// let answers =
///     client.detokenize("support_case", "case 4711", &["slk001_h1s8d9p5sf99kvp82s78gmbgtwfn"]).await?;
/// if let Some(address) = answers[0].as_text() {
///     send_mail_to(address);
/// }
/// # Ok(())
/// # }
/// # fn send_mail_to(_: &str) {}
/// ```
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    credential: SecretString,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client({})", self.url)
    }
}

#[derive(Deserialize)]
struct Answers {
    results: Vec<Answer>,
}

#[derive(Deserialize)]
struct Answer {
    value: Option<String>,
    base64: Option<String>,
    token: Option<String>,
    code: Option<String>,
}

impl Client {
    /// A client of the service under `url`, by a credential.
    ///
    /// Certificates are those that the system trusts.
    ///
    /// # Errors
    ///
    /// [`ClientError::Unusable`] where the address is none, or plain HTTP beyond this machine.
    pub fn new(url: &str, credential: SecretString) -> Result<Self, ClientError> {
        Self::with_roots(url, credential, &[])
    }

    /// As [`Client::new`], trusting these certificates (PEM) too.
    ///
    /// # Errors
    ///
    /// [`ClientError::Unusable`] where a certificate or the address is none.
    pub fn with_roots(
        url: &str,
        credential: SecretString,
        roots: &[&[u8]],
    ) -> Result<Self, ClientError> {
        let unusable = |_| ClientError::Unusable("the address is not one of a service");
        let parsed = reqwest::Url::parse(url).map_err(|_| {
            ClientError::Unusable("the address is not one of a service: `https://host:port`")
        })?;
        let is_loopback = matches!(parsed.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        if parsed.scheme() != "https" && !is_loopback {
            return Err(ClientError::Unusable(
                "values travel by https, except on this machine itself",
            ));
        }
        // Whoever installed one before knows better.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder().timeout(ANSWER_WITHIN).no_proxy();
        for root in roots {
            let certificate = reqwest::Certificate::from_pem(root)
                .map_err(|_| ClientError::Unusable("a root certificate is not PEM"))?;
            builder = builder.add_root_certificate(certificate);
        }
        let http = builder.build().map_err(unusable)?;
        Ok(Self { http, url: url.trim_end_matches('/').to_owned(), credential })
    }

    /// Opens tokens for a purpose; one answer a token, in the order asked.
    ///
    /// # Errors
    ///
    /// [`ClientError::Answered`] where the request as a whole is refused.
    pub async fn detokenize(
        &self,
        purpose: &str,
        reason: &str,
        tokens: &[&str],
    ) -> Result<Vec<Opened>, ClientError> {
        let body = json!({"purpose": purpose, "reason": reason, "tokens": tokens});
        self.opened(&body).await
    }

    /// Opens tokens that do not name their domain (`format`, `uuid`).
    ///
    /// # Errors
    ///
    /// As [`Client::detokenize`].
    pub async fn detokenize_in(
        &self,
        domain: &str,
        purpose: &str,
        reason: &str,
        tokens: &[&str],
    ) -> Result<Vec<Opened>, ClientError> {
        let body =
            json!({"domain": domain, "purpose": purpose, "reason": reason, "tokens": tokens});
        self.opened(&body).await
    }

    /// Gives values their tokens; one a value, in the order given.
    ///
    /// # Errors
    ///
    /// [`ClientError::Answered`] where the request as a whole is refused.
    pub async fn tokenize(
        &self,
        domain: &str,
        purpose: &str,
        reason: &str,
        values: &[&str],
    ) -> Result<Vec<String>, ClientError> {
        let body =
            json!({"domain": domain, "purpose": purpose, "reason": reason, "values": values});
        let answers = self.post("/v1/tokenize", &body).await?;
        Ok(answers.into_iter().filter_map(|answer| answer.token).collect())
    }

    /// Says which token stands for each value; `None` where none does.
    ///
    /// # Errors
    ///
    /// [`ClientError::Answered`] where the request as a whole is refused.
    pub async fn search(
        &self,
        domain: &str,
        purpose: &str,
        reason: &str,
        values: &[&str],
    ) -> Result<Vec<Option<String>>, ClientError> {
        let body =
            json!({"domain": domain, "purpose": purpose, "reason": reason, "values": values});
        let answers = self.post("/v1/search", &body).await?;
        Ok(answers.into_iter().map(|answer| answer.token).collect())
    }

    async fn opened(&self, body: &Value) -> Result<Vec<Opened>, ClientError> {
        let answers = self.post("/v1/detokenize", body).await?;
        Ok(answers
            .into_iter()
            .map(|Answer { value, base64, code, .. }| match (value, base64) {
                (Some(text), _) if code.is_none() => Opened::Text(Zeroizing::new(text)),
                (None, Some(text)) => data_encoding::BASE64
                    .decode(text.as_bytes())
                    .map_or(Opened::Refused, |bytes| Opened::Bytes(Zeroizing::new(bytes))),
                _ => Opened::Refused,
            })
            .collect())
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Vec<Answer>, ClientError> {
        let mut tried = 0;
        loop {
            tried += 1;
            let error = match self.post_once(path, body).await {
                Ok(answers) => return Ok(answers),
                Err((error, wait)) => {
                    // A rate that is used up comes back in a minute or a day, not in a moment.
                    let is_worth_it = matches!(error, ClientError::Answered { status: 503, .. });
                    match wait.filter(|_| is_worth_it && tried < TRIES) {
                        Some(wait) => {
                            tokio::time::sleep(wait.min(WAIT_MAX)).await;
                            continue;
                        }
                        None => error,
                    }
                }
            };
            return Err(error);
        }
    }

    async fn post_once(
        &self,
        path: &str,
        body: &Value,
    ) -> Result<Vec<Answer>, (ClientError, Option<Duration>)> {
        let transport =
            |error: reqwest::Error| (ClientError::Transport(Box::new(error.without_url())), None);
        let text = Zeroizing::new(format!("Bearer {}", self.credential.expose_secret()));
        let mut authorization = HeaderValue::from_str(&text)
            .map_err(|_| (ClientError::Unusable("the credential is malformed"), None))?;
        authorization.set_sensitive(true);
        let request = self.http.post(format!("{}{path}", self.url)).json(body);
        let response =
            request.header(AUTHORIZATION, authorization).send().await.map_err(transport)?;
        let status = response.status();
        if status.is_success() {
            let answers: Answers = response.json().await.map_err(transport)?;
            return Ok(answers.results);
        }
        let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let wait = seconds.and_then(|text| text.parse().ok()).map(Duration::from_secs);
        let told: Value = response.json().await.map_err(transport)?;
        let text = |name: &str| told["error"][name].as_str().unwrap_or_default().to_owned();
        let error = ClientError::Answered {
            status: status.as_u16(),
            code: text("code"),
            message: text("message"),
            request_id: text("request_id"),
        };
        Err((error, wait))
    }
}

//! Answers written as JSON, piece by piece; large ones while they are opened.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use tokio::sync::mpsc;

use super::metrics::Metrics;
use super::router::App;
use super::types::TokenResult;
use crate::serve::{Answer, Opening, Piece};

/// How long a piece of an answer may wait for whoever reads it.
const READ_WITHIN: Duration = Duration::from_secs(30);

const HEAD: &[u8] = b"{\"results\":[";
const TAIL: &[u8] = b"]}";

/// Writes the body of an answer, and counts what is in it.
pub(super) struct Writer {
    body: Vec<u8>,
    is_first: bool,
    shown: u64,
    passed: u64,
    refused: u64,
}

impl Writer {
    pub(super) fn new() -> Self {
        Self { body: HEAD.to_vec(), is_first: true, shown: 0, passed: 0, refused: 0 }
    }

    /// Writes answers beside their tokens.
    pub(super) fn write(&mut self, piece: &Piece) {
        for (token, answer) in piece.tokens.iter().zip(&piece.answers) {
            if !std::mem::take(&mut self.is_first) {
                self.body.push(b',');
            }
            let result = self.result(token, answer);
            // Text into memory: there is nothing that could fail.
            let _ = serde_json::to_writer(&mut self.body, &result);
        }
    }

    fn result(&mut self, token: &str, answer: &Answer) -> TokenResult {
        let token = token.to_owned();
        let nothing = TokenResult { token, value: None, base64: None, code: None, passed: None };
        match answer {
            Answer::Shown(shown) => {
                self.shown += 1;
                let value = shown.text().map(|text| text.to_string());
                let base64 = shown.base64().map(|text| text.to_string());
                TokenResult { value, base64, ..nothing }
            }
            Answer::Passed => {
                self.passed += 1;
                TokenResult { value: Some(nothing.token.clone()), passed: Some(true), ..nothing }
            }
            Answer::Refused => {
                self.refused += 1;
                TokenResult { code: Some("refused"), ..nothing }
            }
        }
    }

    /// Notes what was answered, and says how much of it was refused.
    pub(super) fn count(&self, metrics: &Metrics) -> u64 {
        metrics.tokens("shown", self.shown);
        metrics.tokens("passed", self.passed);
        metrics.tokens("refused", self.refused);
        self.refused
    }

    /// What is written so far.
    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.body)
    }

    /// The rest of the body.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.body.extend_from_slice(TAIL);
        self.body
    }
}

/// Sends what is written, then opens and sends the rest piece by piece: no more than two of them are
/// held. Where the vault fails in the middle, the body ends before its end, which every reader of HTTP
/// notices. `held` is let go of at the end.
pub(super) fn streamed(
    app: Arc<App>,
    mut opening: Opening,
    mut writer: Writer,
    held: impl Send + 'static,
) -> Response {
    let (sender, mut pieces) = mpsc::channel::<Result<Bytes, std::io::Error>>(1);
    tokio::spawn(async move {
        let _held = held;
        loop {
            let written = Bytes::from(writer.take());
            if sender.send_timeout(Ok(written), READ_WITHIN).await.is_err() {
                return;
            }
            match app.service.open(&mut opening).await {
                Ok(Some(piece)) => writer.write(&piece),
                Ok(None) => break,
                Err(error) => {
                    tracing::error!(error = %crate::serve::chain(&error), "an answer was cut off");
                    let cut = std::io::Error::other("the vault does not answer");
                    let _ = sender.send_timeout(Err(cut), READ_WITHIN).await;
                    return;
                }
            }
        }
        writer.count(&app.metrics);
        let _ = sender.send_timeout(Ok(Bytes::from(writer.finish())), READ_WITHIN).await;
    });
    let body = futures::stream::poll_fn(move |context| pieces.poll_recv(context));
    ([(header::CONTENT_TYPE, "application/json")], Body::from_stream(body)).into_response()
}

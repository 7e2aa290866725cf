//! Figures for whoever watches over the service. No caller, no purpose, no token stands in them.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    path: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    answer: &'static str,
}

/// What is counted.
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    tokens: Family<Answer, Counter>,
    seconds: Histogram,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("sealift");
        let requests = Family::<Answered, Counter>::default();
        let tokens = Family::<Answer, Counter>::default();
        let seconds = Histogram::new(exponential_buckets(0.000_5, 2.0, 15));
        registry.register("requests", "Requests by path and status", requests.clone());
        registry.register("tokens", "Tokens by their answer", tokens.clone());
        registry.register("request_seconds", "Time until an answer begins", seconds.clone());
        Self { registry, requests, tokens, seconds }
    }

    pub(super) fn answered(&self, path: &str, status: u16, taken: Duration) {
        let labels = Answered { path: path.to_owned(), status };
        self.requests.get_or_create(&labels).inc();
        self.seconds.observe(taken.as_secs_f64());
    }

    pub(super) fn tokens(&self, answer: &'static str, count: u64) {
        if count > 0 {
            self.tokens.get_or_create(&Answer { answer }).inc_by(count);
        }
    }

    /// The figures in the text format of Prometheus.
    pub(super) fn text(&self) -> Option<String> {
        let mut text = String::new();
        encode(&mut text, &self.registry).ok().map(|()| text)
    }
}

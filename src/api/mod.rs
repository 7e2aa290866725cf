//! The service over HTTP: JSON in, JSON out, one error envelope.
//!
//! It knows neither keys nor SQL: [`Service`](crate::serve::Service) decides, records, opens. What
//! is here reads requests within limits, finds out who asks, and turns answers into responses.
//!
//! **Invariant:** the order of a handler is authenticate, decide, record, open, answer. Who is not
//! known by a credential is told so before the body is read.
//!
//! **Invariant:** no value and no token stands in a log line, a metric or an error.

mod auth;
mod body;
mod error;
mod gate;
mod listen;
mod metrics;
mod openapi;
mod page;
mod reads;
mod router;
mod sent_value;
mod stream;
mod tls;
mod types;
mod values;

pub use listen::{Listen, ListenError, serve};
pub use openapi::document;
pub use tls::{TlsError, TlsFiles};

//! What only PostgreSQL has: its guard, its retries, its errors, its pitfalls.

mod faults;
mod guard;
mod pitfalls;
mod pooler;
mod silence;
mod tls;

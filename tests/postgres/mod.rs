//! What only PostgreSQL has: its guard, its retries, its errors, its pitfalls.

mod grown;
mod guard;
mod pitfalls;
mod silence;
mod walks;

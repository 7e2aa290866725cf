//! What only PostgreSQL has: its guard, its retries, its errors, its pitfalls.

mod consent;
mod grown;
mod guard;
mod pitfalls;
mod silence;
mod types;
mod walks;
mod widen;

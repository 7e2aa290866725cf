//! What only PostgreSQL has: its guard, its retries, its errors, its pitfalls.

mod carried;
mod checks;
mod consent;
mod faults;
mod grown;
mod guard;
mod hazards;
mod load;
mod pitfalls;
mod pooler;
mod queries;
mod rebuild;
mod rehearse;
mod role;
mod silence;
mod statistics;
mod tls;
mod types;
mod unchanged;
mod walks;
mod widen;

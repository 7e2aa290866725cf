//! Several workers and several processes on one run: who does what, and who may not any more.
//!
//! Real processes and real signals. Leases are short here, so that a test takes seconds.

mod ahead;
mod joining;
mod leases;
mod stage;
mod stopped;
mod throttle;
mod writers;

//! What the end-to-end tests share: a desk with a vault, callers and a source; databases; bytes.
//!
//! It uses the program as people do, by its command line, and calls nothing of the library.

mod answer;
mod bytes;
mod cluster;
mod db;
mod desk;
mod dump;
mod ledger;
mod life;
mod postgres;
mod proxy;
mod seed;
mod server;
mod shop;
mod small_disk;

pub(crate) use answer::Answer;
pub(crate) use bytes::{Needle, found_in};
pub(crate) use cluster::Cluster;
pub(crate) use db::Db;
pub(crate) use desk::{Desk, PASSPHRASE};
pub(crate) use dump::{assert_same, dump, dump_beside_vault};
pub(crate) use ledger::{actions, exported};
pub(crate) use life::{PASSES, plan_and_approve, to_phase, tokens_open_to, verified};
pub(crate) use postgres::Postgres;
pub(crate) use proxy::{Fault, Proxy};
pub(crate) use seed::Seed;
pub(crate) use server::{Reply, Server, reply_of};
pub(crate) use shop::{Journal, POLICY, originals, shop};
pub(crate) use small_disk::SmallDisk;

//! `sealift demo`: the guided tour.

use super::args::Demo;
use super::exit::{Failure, Outcome};
use super::output::Output;

pub(super) async fn demo(out: &Output, typed: Demo) -> Result<Outcome, Failure> {
    crate::demo::tour(out, typed.keep, typed.customers).await
}

//! `sealift demo`: the guided tour.

use super::args::Demo;
use super::exit::{Failure, Outcome};
use super::output::Output;
use crate::demo::Options;

pub(super) async fn demo(out: &Output, typed: Demo) -> Result<Outcome, Failure> {
    let Demo { keep, customers, seed, verbose, serve, listen } = typed;
    let serve = serve.then_some(listen);
    let columns = Output::columns();
    crate::demo::tour(out, Options { keep, customers, seed, verbose, columns, serve }).await
}

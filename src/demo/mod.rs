//! The guided tour: an invented database goes through its whole life, by what the verbs call.
//!
//! It prints only what it measured. It decides nothing: each step is a verb, parsed as if it had
//! been typed, and what the verb answers to programs is what is shown.
//!
//! **Invariant:** no figure, word or value on the screen is written here: each comes out of a verb's
//! answer, a report, the ledger, the database or a clock.

mod folder;
mod leave;
mod measured;
mod screen;
mod serve;
mod shop;
mod tour;
mod watch;

pub use measured::{Field, Kept, Ledger, Measured, Next, Originals, Pass, Scanned, Step, View};
pub use screen::screen;

use std::path::PathBuf;

use folder::Folder;

use crate::cli::{Failure, Outcome, Output};

/// What a tour is to be like.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it happens; else in a fresh folder for temporary files.
    pub keep: Option<PathBuf>,
    /// How many customers.
    pub customers: u32,
    /// Which.
    pub seed: u64,
    /// Whether to show what every verb prints.
    pub verbose: bool,
    /// How wide the terminal is.
    pub columns: usize,
    /// Where to answer requests afterwards.
    pub serve: Option<std::net::SocketAddr>,
}

/// Goes through the whole life of a run, and ends with a screen that says what was measured.
///
/// Everything stays in the folder, and the screen says where that is: what it shows can be opened,
/// and its commands can be pasted. Where the tour does not end well, a folder that nobody named is
/// removed.
///
/// # Errors
///
/// [`Failure`] of the first verb that does not end well.
pub async fn tour(out: &Output, options: Options) -> Result<Outcome, Failure> {
    let folder = Folder::make(options.keep.clone())?;
    let toured = tokio::select! {
        toured = tour::Tour::new(out, &folder, &options).run() => toured,
        _ = tokio::signal::ctrl_c() => Err(Failure::failed("the tour was stopped")),
    };
    let measured = match toured {
        Ok(measured) => measured,
        Err(failure) => {
            folder.abandon();
            return Err(failure);
        }
    };
    out.object(&serde_json::to_value(&measured).map_err(Failure::failed)?);
    for line in screen(&measured, options.columns, out.is_colored()) {
        out.line(line);
    }
    if let Some(address) = options.serve {
        return serve::serve(out, &folder, &measured.row, address).await;
    }
    Ok(Outcome::Done)
}

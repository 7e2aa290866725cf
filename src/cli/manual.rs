//! `sealift completions` and `sealift man`: what shells and readers need, from the definitions that
//! the program itself parses by.

use std::io::Write as _;
use std::path::Path;

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use serde_json::json;

use super::args::Args;
use super::exit::{Failure, Outcome};
use super::output::Output;

/// Writes what a shell needs to complete commands, to standard output.
pub(super) fn completions(shell: Shell) -> Result<Outcome, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "sealift", &mut text);
    print(&text)
}

/// Writes a manual page for the program and one for each verb; without a folder, the first of them
/// to standard output.
pub(super) fn man(out: &Output, folder: Option<&Path>) -> Result<Outcome, Failure> {
    let Some(folder) = folder else {
        let mut text = Vec::new();
        clap_mangen::Man::new(Args::command()).render(&mut text)?;
        return print(&text);
    };
    let unwritable = |error| {
        Failure::failed(format!("`{}` cannot be written: {error}", folder.display()))
            .hint("name a folder that you may write to with `--output DIR`")
    };
    std::fs::create_dir_all(folder).map_err(unwritable)?;
    clap_mangen::generate_to(Args::command(), folder).map_err(unwritable)?;
    let pages = pages(&Args::command());
    out.object(&json!({"output": folder.display().to_string(), "pages": pages}));
    out.line(format!("{pages} manual pages are in {}", folder.display()));
    let page = crate::words::shell_word(&folder.join("sealift.1").display().to_string());
    out.line(format!("read one: man {page}"));
    Ok(Outcome::Done)
}

fn pages(command: &Command) -> usize {
    1 + command.get_subcommands().map(pages).sum::<usize>()
}

/// A closed pipe is no failure: whoever read it has enough.
fn print(text: &[u8]) -> Result<Outcome, Failure> {
    match std::io::stdout().write_all(text) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(Outcome::Done),
    }
}

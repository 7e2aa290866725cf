//! `sealift completions` and `sealift man`: what shells and readers need, from the definitions that
//! the program itself parses by.

use std::path::Path;

use clap::Command;
use clap_complete::Shell;
use serde_json::json;

use super::exit::{Failure, Outcome};
use super::output::{Output, print_bytes};
use super::parse::command;

/// Writes what a shell needs to complete commands, to standard output.
pub(super) fn completions(shell: Shell) -> Result<Outcome, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command(), "sealift", &mut text);
    print_bytes(&text)?;
    Ok(Outcome::Done)
}

/// Writes a manual page for the program and one for each verb; without a folder, the first of them
/// to standard output.
pub(super) fn man(out: &Output, folder: Option<&Path>) -> Result<Outcome, Failure> {
    let Some(folder) = folder else {
        let mut text = Vec::new();
        let rendered = clap_mangen::Man::new(with_end(command())).render(&mut text);
        rendered.map_err(Failure::fault)?;
        print_bytes(&text)?;
        return Ok(Outcome::Done);
    };
    let unwritable = |error| {
        Failure::failed(format!("`{}` cannot be written: {error}", folder.display()))
            .hint("name a folder that you may write to with `--output DIR`")
    };
    std::fs::create_dir_all(folder).map_err(unwritable)?;
    clap_mangen::generate_to(with_end(command()), folder).map_err(unwritable)?;
    let pages = pages(&command());
    out.object(&json!({"output": folder.display().to_string(), "pages": pages}));
    out.line(format!("{pages} manual pages are in {}", folder.display()));
    let page = crate::words::shell_word(&folder.join("sealift.1").display().to_string());
    out.line(format!("read one: man {page}"));
    Ok(Outcome::Done)
}

/// Pages end with what help opens with: examples come last in a manual.
fn with_end(command: Command) -> Command {
    let names: Vec<String> =
        command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    let mut command =
        names.into_iter().fold(command, |command, name| command.mut_subcommand(name, with_end));
    let head = command.get_before_help().map(ToString::to_string);
    let tail = command.get_after_help().map(ToString::to_string);
    let end: Vec<String> = head.into_iter().chain(tail).collect();
    if !end.is_empty() {
        command = command.after_help(end.join("\n\n"));
    }
    command
}

fn pages(command: &Command) -> usize {
    1 + command.get_subcommands().map(pages).sum::<usize>()
}

//! What was typed, understood or not: the definitions of `args` with their examples, and a mistake
//! in the house's own words.
//!
//! **Invariant:** a value that was typed where none belongs is not repeated: it may be an original.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory as _, FromArgMatches as _};

use super::args::Args;
use super::examples::with_examples;
use super::exit::Outcome;

/// Verbs whose stray arguments are probably originals.
const TAKES_VALUES: [&str; 2] = ["tokenize", "search"];

/// What the program understands, each verb with its examples.
#[must_use]
pub fn command() -> Command {
    with_examples(Args::command())
}

/// Understands what was typed, or says why not and how the process ends.
///
/// # Errors
///
/// [`Outcome`] where help was asked for, or something was typed that is not understood; what there
/// is to say was said.
pub fn parse(typed: impl IntoIterator<Item = OsString>) -> Result<Args, Outcome> {
    let typed: Vec<OsString> = typed.into_iter().collect();
    understood(typed.iter().cloned()).map_err(|error| {
        if !error.use_stderr() {
            // A closed pipe is no failure: whoever read it has enough.
            let _ = error.print();
            return Outcome::Done;
        }
        if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            let _ = error.print();
        } else {
            super::output::note(mistake(&error, &typed));
        }
        Outcome::Failed
    })
}

/// Understands what was typed.
pub(super) fn understood(typed: impl IntoIterator<Item = OsString>) -> Result<Args, clap::Error> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(typed)?;
    Args::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// What was not understood, and a hint, each in a line.
fn mistake(error: &clap::Error, typed: &[OsString]) -> String {
    let verb = verb(typed);
    let help = match verb.as_str() {
        "" => "`sealift --help` lists the verbs".to_owned(),
        verb => format!("`sealift {verb} --help` shows how it is meant"),
    };
    let stray = match (error.kind(), error.get(ContextKind::InvalidArg)) {
        (ErrorKind::UnknownArgument, Some(ContextValue::String(stray))) => Some(stray),
        _ => None,
    };
    if stray.is_some_and(|stray| !stray.starts_with('-')) && TAKES_VALUES.contains(&verb.as_str()) {
        return format!(
            "sealift: `{verb}` takes no value as an argument, where other users of the machine can \
             read it\nhint: send values on standard input, one a line; {help}"
        );
    }
    let text = error.render().to_string();
    let mut said = Vec::new();
    let mut tips = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("Usage:") {
            break;
        }
        match line.strip_prefix("tip: ") {
            Some(tip) => tips.push(tip.to_owned()),
            None if line.is_empty() || line.starts_with("For more information") => {}
            None => said.push(line.strip_prefix("error: ").unwrap_or(line)),
        }
    }
    tips.push(help);
    format!("sealift: {}\nhint: {}", said.join(" "), tips.join("; "))
}

/// The verb that was typed, as far as there is one.
fn verb(typed: &[OsString]) -> String {
    let command = Args::command();
    let mut at = &command;
    let mut path = Vec::new();
    for word in typed.iter().skip(1).filter_map(|word| word.to_str()) {
        if let Some(below) = at.find_subcommand(word) {
            path.push(word);
            at = below;
        }
    }
    path.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(typed: &[&str]) -> String {
        let typed: Vec<OsString> =
            std::iter::once("sealift").chain(typed.iter().copied()).map(OsString::from).collect();
        mistake(&understood(typed.iter().cloned()).unwrap_err(), &typed)
    }

    #[test]
    fn a_mistake_is_named_with_the_remedy() {
        assert_eq!(
            said(&["plan"]),
            "sealift: the following required arguments were not provided: --policy <FILE>\n\
             hint: `sealift plan --help` shows how it is meant"
        );
        assert_eq!(
            said(&["--format", "paper", "status"]),
            "sealift: invalid value 'paper' for '--format <FORMAT>' [possible values: text, json, \
             html, csv]\nhint: `sealift status --help` shows how it is meant"
        );
        let said = said(&["plam"]);
        assert!(said.contains("hint: ") && said.contains("'plan'"), "{said}");
    }

    #[test]
    fn a_value_among_the_arguments_is_not_repeated() {
        let typed = ["tokenize", "--purpose", "p", "--reason", "r", "--domain", "email"];
        let said = said(&[&typed[..], &["alice@example.com"]].concat());
        assert!(!said.contains("alice") && said.contains("standard input"), "{said}");
        let typed: Vec<&str> = "--passphrase=open-sesame status".split(' ').collect();
        assert!(!self::said(&typed).contains("sesame"));
    }
}

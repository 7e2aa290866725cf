//! The notify file: who is told of what, and where checkpoints are kept.
//!
//! It opens nothing: paths and addresses stay what they are.

use std::path::PathBuf;

use serde::Deserialize;

use super::AlertKind;

/// So many values of one caller within an hour are usual where the file does not say.
const TOKENS_PER_HOUR: u64 = 10_000;

/// Work is behind when it takes more than so many times as long as the plan said …
const BEHIND_TIMES: u32 = 2;

/// … and so many seconds more.
const BEHIND_SECONDS: u32 = 60;

/// A notify file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotifyConfig {
    /// Who is told.
    #[serde(default, rename = "hook")]
    pub hooks: Vec<Hook>,
    /// Where checkpoints are kept.
    #[serde(default, rename = "anchor")]
    pub anchors: Vec<Anchor>,
    /// What is unusual.
    #[serde(default)]
    pub volume: VolumeConfig,
    /// When work is behind its estimate.
    #[serde(default)]
    pub behind: BehindConfig,
}

/// When work is behind its estimate: both have to be passed, because seconds matter to nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BehindConfig {
    /// So many times as long as the plan said …
    pub times: u32,
    /// … and so many seconds longer.
    pub seconds: u32,
}

impl Default for BehindConfig {
    fn default() -> Self {
        Self { times: BEHIND_TIMES, seconds: BEHIND_SECONDS }
    }
}

impl BehindConfig {
    /// Whether work that took so long, in milliseconds, is behind.
    #[must_use]
    pub fn is_past(self, estimated: u64, took: u64) -> bool {
        took > estimated.saturating_mul(u64::from(self.times))
            && took > estimated.saturating_add(u64::from(self.seconds) * 1_000)
    }
}

/// What is unusual.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VolumeConfig {
    /// The most values that one caller asks for within an hour.
    pub tokens_per_hour: u64,
}

impl Default for VolumeConfig {
    fn default() -> Self {
        Self { tokens_per_hour: TOKENS_PER_HOUR }
    }
}

/// Somebody who is told of alerts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// What it is called; the vault remembers under this name what it was told.
    pub name: String,
    /// What it is told of; without it, everything.
    pub on: Option<Vec<AlertKind>>,
    /// The address that alerts are posted to.
    pub url: Option<String>,
    /// A file whose only line is a header to send along, as `Authorization: Bearer …`.
    pub header_file: Option<PathBuf>,
    /// The program that gets each alert on its standard input.
    pub command: Option<Vec<String>>,
}

/// A place where checkpoints are kept out of the vault's reach.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anchor {
    /// What it is called.
    pub name: String,
    /// The file to which each checkpoint is appended.
    pub file: Option<PathBuf>,
    /// The program that gets each checkpoint on its standard input.
    pub command: Option<Vec<String>>,
    /// Whether it is printed to standard error.
    #[serde(default)]
    pub print: bool,
}

/// Where something is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'c> {
    /// An address.
    Url(&'c str),
    /// A program and its arguments.
    Command(&'c [String]),
    /// A file.
    File(&'c std::path::Path),
    /// Standard error.
    Print,
}

/// Why a notify file is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// It is no TOML of this shape.
    #[error("line {line}: {what}")]
    Shape {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// It names nobody.
    #[error("it names no hook and no anchor")]
    Empty,
    /// A hook or an anchor has no place, or more than one.
    #[error("`{name}` has to name exactly one of {places}")]
    Places {
        /// The hook or the anchor.
        name: String,
        /// What it may name.
        places: &'static str,
    },
    /// Two have one name.
    #[error("two are called `{0}`")]
    Twice(String),
}

impl NotifyConfig {
    /// Reads a notify file.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the line or the hook.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let line = text.get(..at).unwrap_or_default().matches('\n').count() + 1;
            ConfigError::Shape { line, what: error.message().to_owned() }
        })?;
        if config.hooks.is_empty() && config.anchors.is_empty() {
            return Err(ConfigError::Empty);
        }
        let mut names: Vec<&str> = Vec::new();
        for hook in &config.hooks {
            hook.place()?;
            names.push(&hook.name);
        }
        for anchor in &config.anchors {
            anchor.place()?;
            names.push(&anchor.name);
        }
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(ConfigError::Twice(pair[0].to_owned())),
            None => Ok(config),
        }
    }
}

impl Hook {
    /// Whether it is told of this kind.
    #[must_use]
    pub fn wants(&self, kind: AlertKind) -> bool {
        self.on.as_ref().is_none_or(|kinds| kinds.contains(&kind))
    }

    /// Where its alerts go.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Places`] where it names none or several.
    pub fn place(&self) -> Result<Place<'_>, ConfigError> {
        match (&self.url, self.command.as_deref()) {
            (Some(url), None) if url.starts_with("http://") || url.starts_with("https://") => {
                Ok(Place::Url(url))
            }
            (None, Some(command)) if !command.is_empty() => Ok(Place::Command(command)),
            _ => Err(places(&self.name, "`url` (http or https) and `command`")),
        }
    }
}

impl Anchor {
    /// Where its checkpoints go.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Places`] where it names none or several.
    pub fn place(&self) -> Result<Place<'_>, ConfigError> {
        match (&self.file, self.command.as_deref(), self.print) {
            (Some(file), None, false) => Ok(Place::File(file)),
            (None, Some(command), false) if !command.is_empty() => Ok(Place::Command(command)),
            (None, None, true) => Ok(Place::Print),
            _ => Err(places(&self.name, "`file`, `command` and `print = true`")),
        }
    }
}

fn places(name: &str, places: &'static str) -> ConfigError {
    ConfigError::Places { name: name.to_owned(), places }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_understood_says_where() {
        let said = |text: &str| NotifyConfig::parse(text).unwrap_err().to_string();
        assert!(said("").contains("no hook"));
        assert!(said("[[hook]]\nname = \"a\"\nurl = \"ftp://x\"").contains("exactly one"));
        assert!(
            said("[[hook]]\nname = \"a\"\non = [\"dreams\"]\nurl = \"http://x\"")
                .contains("line 3")
        );
        assert!(said("[[hook]]\nname = \"a\"\ncolour = 1").contains("line 3"));
        let two =
            "[[anchor]]\nname = \"a\"\nfile = \"x\"\n[[hook]]\nname = \"a\"\nurl = \"http://x\"";
        assert_eq!(said(two), "two are called `a`");
        assert!(
            said("[[anchor]]\nname = \"a\"\nfile = \"x\"\nprint = true").contains("exactly one")
        );
    }

    #[test]
    fn a_hook_is_told_of_what_it_names_or_of_everything() {
        let text = "[[hook]]\nname = \"a\"\non = [\"failed\"]\ncommand = [\"tell\"]\n\
                    [[hook]]\nname = \"b\"\nurl = \"https://x\"";
        let config = NotifyConfig::parse(text).unwrap();
        let wants = |at: usize, kind| config.hooks[at].wants(kind);
        assert!(wants(0, AlertKind::Failed) && !wants(0, AlertKind::Paused));
        assert!(AlertKind::ALL.iter().all(|kind| wants(1, *kind)));
        assert_eq!(config.volume.tokens_per_hour, TOKENS_PER_HOUR);
    }
}

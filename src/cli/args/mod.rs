//! What can be typed. The help of every verb comes from the comments here, and from `examples`.

mod evidence;
mod run;
mod values;
mod vault;

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

pub(super) use self::evidence::{Ledger, Report, ReportVerb, VerifyReport};
pub(super) use self::run::{
    Approve, BackupRestore, BackupVerb, OfflineFolder, OneRun, Plan, Purge, Quarantine, Rehearse,
    Residue, Restore, Run, Scan, Status, Throttle,
};
pub(super) use self::values::{Detokenize, Serve, Tokenize};
pub(super) use self::vault::{
    Access, ApplyPolicy, Caller, Honeytoken, Init, Keys, Notify, Policy, Slot, VaultVerb,
};
use crate::words::says_something;

/// Words that say something: a reason of blanks is none.
fn words(typed: &str) -> Result<String, &'static str> {
    if says_something(typed) { Ok(typed.to_owned()) } else { Err("say why, in words") }
}

/// What help opens with, below the examples.
const SETTINGS: &str = "\
Settings come from options or from the environment: SEALIFT_VAULT, SEALIFT_SOURCE,
SEALIFT_CREDENTIAL_FILE; the passphrase from SEALIFT_PASSPHRASE, --passphrase-file or a prompt.";

/// Where options stand that every verb takes.
const EVERYWHERE: &str = "Options of every verb";

const CODES: &str = "\
Exit codes:
  0  done
  1  done, and the answer is no: a mismatch, residue, quarantine left, some tokens refused
  2  could not finish: bad arguments, no connection, wrong passphrase, wrong vault
  3  refused: a blocked plan, a changed catalog, a missing approval, an unknown purpose
  4  critical: a rollback did not end; docs/RUNBOOK.md says what to do

Documentation: README.md, docs/";

/// Move sensitive columns out of a database and into a privacy vault: online, verified, and
/// provably gone.
#[derive(Debug, Parser)]
#[command(name = "sealift", version, before_help = SETTINGS, after_help = CODES, max_term_width = 100)]
pub struct Args {
    /// The vault: `sqlite:PATH` or `postgres://USER@HOST/DATABASE`
    #[arg(long, global = true, help_heading = EVERYWHERE, env = "SEALIFT_VAULT", value_name = "URL", hide_env_values = true)]
    pub vault: Option<String>,

    /// The source: `sqlite:PATH` or `postgres://USER@HOST/DATABASE`
    #[arg(long, global = true, help_heading = EVERYWHERE, env = "SEALIFT_SOURCE", value_name = "URL", hide_env_values = true)]
    pub source: Option<String>,

    /// A file with the passphrase as its only line
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,

    /// Unlock with a recovery code instead of the passphrase
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "FILE")]
    pub unlock_recovery_file: Option<PathBuf>,

    /// Unlock with a key file instead of the passphrase
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "FILE")]
    pub unlock_key_file: Option<PathBuf>,

    /// The credential of whoever asks
    #[arg(
        long,
        global = true,
        help_heading = EVERYWHERE,
        env = "SEALIFT_CREDENTIAL_FILE",
        value_name = "FILE",
        hide_env_values = true
    )]
    pub as_file: Option<PathBuf>,

    /// Who is told of what happens, and where checkpoints are kept
    #[arg(
        long,
        global = true,
        help_heading = EVERYWHERE,
        env = "SEALIFT_NOTIFY",
        value_name = "FILE",
        hide_env_values = true
    )]
    pub notify: Option<PathBuf>,

    /// How results are printed
    #[arg(long, global = true, help_heading = EVERYWHERE, value_enum, default_value_t = Format::Text)]
    pub format: Format,

    /// Whether to colour (`NO_COLOR` is respected)
    #[arg(long, global = true, help_heading = EVERYWHERE, value_enum, default_value_t = Color::Auto)]
    pub color: Color,

    /// What to do
    #[command(subcommand)]
    pub verb: Verb,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line, and nothing else on standard output.
    Json,
    /// A page (`report`).
    Html,
    /// A table (`report`).
    Csv,
}

/// Whether to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Make a vault, its keys and its first caller
    Init(Init),
    /// Add, list and revoke those who may ask
    #[command(subcommand)]
    Caller(Caller),
    /// List, rotate and rewrap keys; add, check and remove ways to unlock
    #[command(subcommand)]
    Keys(Keys),
    /// Check and explain policies; change the purposes in force
    #[command(subcommand)]
    Policy(Policy),
    /// Find the columns that hold something sensitive; needs no vault
    Scan(Scan),
    /// Say what a run would do, and what stands in its way
    Plan(Plan),
    /// Sign a plan, or a purge
    Approve(Approve),
    /// Back up, seal, rewrite, verify; again to resume
    Run(Run),
    /// Try a run on a copy of its source, there and back
    Rehearse(Rehearse),
    /// Open every token again and compare
    Verify(OneRun),
    /// Remove the originals for good
    Purge(Purge),
    /// Put the originals back
    Rollback(OneRun),
    /// Put the originals back after a purge, as a run of its own that approvers sign
    Restore(Restore),
    /// Let a run stop at its next batch
    Pause(OneRun),
    /// Let a paused run go on
    Resume(OneRun),
    /// How fast a run may go, also while it is at work
    Throttle(Throttle),
    /// Where runs stand
    Status(Status),
    /// Rows that could not be tokenised
    #[command(subcommand)]
    Quarantine(Quarantine),
    /// Tokens to values, under a purpose
    Detokenize(Detokenize),
    /// Values to tokens, under a purpose
    Tokenize(Tokenize),
    /// Which tokens stand for these values? Under a purpose that shows the form `match`
    Search(Tokenize),
    /// Answer requests over HTTP
    Serve(Serve),
    /// Who may see what, and who did
    #[command(subcommand)]
    Access(Access),
    /// Search files for originals that the vault knows: dumps, logs, exports
    #[command(subcommand)]
    Residue(Residue),
    /// Tokens that stand for nobody: opening one is an alert
    #[command(subcommand)]
    Honeytoken(Honeytoken),
    /// Tell hooks and anchors what they were not told yet
    Notify(Notify),
    /// What happened to a run, for people and for auditors
    Report(Report),
    /// The encrypted files of a run: list them, read them through, restore from them
    #[command(subcommand)]
    Backup(BackupVerb),
    /// Copy the vault, put a copy back, read it through
    #[command(subcommand)]
    Vault(VaultVerb),
    /// Export and check the ledger
    #[command(subcommand)]
    Ledger(Ledger),
    /// A guided tour on an invented database
    Demo(Demo),
    /// What a shell needs to complete commands, on standard output
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// The manual: one page on standard output, or a page for each verb in a folder
    Man {
        /// The folder
        #[arg(long, value_name = "DIR")]
        output: Option<PathBuf>,
    },
}

impl Args {
    /// What is logged where `SEALIFT_LOG` says nothing: of a service, who was refused too.
    #[must_use]
    pub fn logs(&self) -> &'static str {
        if matches!(self.verb, Verb::Serve(_)) { "sealift=info,error" } else { "error" }
    }
}

/// `demo`
#[derive(Debug, ClapArgs)]
pub struct Demo {
    /// Do it in this folder, which must not be there yet; else in a fresh one for temporary files
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// How many customers to invent
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub customers: u32,
    /// Which customers: one seed, one database
    #[arg(long, value_name = "N", default_value_t = 7)]
    pub seed: u64,
    /// Show what every verb prints
    #[arg(long)]
    pub verbose: bool,
    /// Then answer requests over HTTP, with a line of `curl` for each purpose
    #[arg(long)]
    pub serve: bool,
    /// Where to answer them
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8460", requires = "serve")]
    pub listen: std::net::SocketAddr,
}

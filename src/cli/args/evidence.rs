//! What can be typed for reports and the ledger.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

/// `report`
#[derive(Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that can be typed")]
pub struct Report {
    /// About a report that is there
    #[command(subcommand)]
    pub verb: Option<ReportVerb>,
    /// The run; without it the newest. Several of them make one report over all
    pub run: Vec<String>,
    /// One report over every run of the vault
    #[arg(long, conflicts_with = "run")]
    pub all: bool,
    /// One report over a period: its first day in UTC (2026-03-01), or a moment (RFC 3339)
    #[arg(long, value_name = "DATE")]
    pub since: Option<String>,
    /// The last day of the period, or the moment at which it ends
    #[arg(long, value_name = "DATE")]
    pub until: Option<String>,
    /// Where it is written; .html, .json, .csv and .txt say in which form
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Close the run: the report's hash goes on the ledger
    #[arg(long, conflicts_with_all = ["all", "since", "until"])]
    pub close: bool,
    /// Put the hash of the file on the ledger, so that anyone can tell it from another
    #[arg(long, requires = "output")]
    pub issue: bool,
    /// Print the JSON Schema of reports instead, with `--all` of those over many runs; needs no vault
    #[arg(long, conflicts_with_all = ["run", "close", "since", "until"])]
    pub schema: bool,
}

/// `report …`
#[derive(Debug, Subcommand)]
pub enum ReportVerb {
    /// Check a report that somebody handed over; needs no vault
    Verify(VerifyReport),
}

/// `report verify`
#[derive(Debug, ClapArgs)]
pub struct VerifyReport {
    /// The report, as .json or .html
    pub file: PathBuf,
    /// The fingerprint that `init` printed
    #[arg(long, value_name = "FINGERPRINT")]
    pub key: Option<String>,
    /// An earlier checkpoint that was kept elsewhere
    #[arg(long, value_name = "FILE")]
    pub since: Option<PathBuf>,
    /// An export of the ledger: was it issued, is anything left out?
    #[arg(long, value_name = "DIR")]
    pub ledger: Option<PathBuf>,
}

/// `ledger`
#[derive(Debug, Subcommand)]
pub enum Ledger {
    /// Write the ledger to a folder that proves itself
    Export {
        /// The folder
        #[arg(long, value_name = "DIR")]
        output: PathBuf,
    },
    /// Check an export, or a proof; needs no vault
    Verify {
        /// The folder of an export, or the file of a proof
        #[arg(value_name = "PATH")]
        dir: PathBuf,
        /// The fingerprint that `init` printed
        #[arg(long, value_name = "FINGERPRINT")]
        key: Option<String>,
        /// An earlier checkpoint that was kept elsewhere
        #[arg(long, value_name = "FILE")]
        since: Option<PathBuf>,
    },
    /// Sign and print the ledger's head
    Checkpoint,
    /// Write entries with the proof that they stand in the ledger, and nothing else of it
    Prove {
        /// The entries
        #[arg(value_name = "SEQ", required_unless_present_any = ["run", "since"])]
        entries: Vec<u64>,
        /// All entries of a run
        #[arg(long, value_name = "RUN")]
        run: Option<String>,
        /// Also prove that the ledger begins with this older checkpoint
        #[arg(long, value_name = "FILE")]
        since: Option<PathBuf>,
        /// Where it is written; without it, to standard output
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Put a sign of life on the ledger, so that silence shows
    Heartbeat,
}

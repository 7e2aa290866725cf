//! What can be typed about a run, from the scan before it to the backups after it.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

use crate::policy::{CopyKind, CopyRule};

/// `scan`
#[derive(Debug, ClapArgs)]
pub struct Scan {
    /// Hold the source against this policy: what is left out, what came back, what was copied
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Draft a policy into this new file, with the reason beside each column
    #[arg(long, value_name = "FILE")]
    pub write_policy: Option<PathBuf>,
    /// Rows to read of each table, in blocks spread over it [default: 10000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub rows: Option<u64>,
    /// Read every row
    #[arg(long, conflicts_with = "rows")]
    pub whole: bool,
    /// Read this table only; may be given several times
    #[arg(long, value_name = "TABLE")]
    pub table: Vec<String>,
    /// Has an original come back since this run was purged? Reads every row of its tables; what is
    /// found goes on the ledger, and the certificate says so
    #[arg(long, value_name = "RUN", conflicts_with_all = ["policy", "write_policy", "rows", "table"])]
    pub run: Option<String>,
}

/// `plan`
#[derive(Debug, ClapArgs)]
pub struct Plan {
    /// The policy
    #[arg(long, value_name = "FILE", required_unless_present = "reissue")]
    pub policy: Option<PathBuf>,
    /// Queries of the application, in SQL: which of them will break? May be repeated
    #[arg(long, value_name = "FILE")]
    pub queries: Vec<PathBuf>,
    /// How tables are rewritten; the plan says what each would cost
    #[arg(long, value_enum, default_value_t = StrategyArg::InPlace)]
    pub strategy: StrategyArg,
    /// Look only: needs no vault and records nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Write the plan as a document for whoever approves it: .html, .json or .txt
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Make the document of a recorded run again; needs neither policy nor passphrase
    #[arg(long, value_name = "RUN", conflicts_with_all = ["policy", "dry_run"])]
    pub reissue: Option<String>,
}

/// How tables are rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StrategyArg {
    /// Row by row, beside other users of the database
    InPlace,
    /// Each table filled anew, in a transaction that nobody looks into (PostgreSQL)
    Rebuild,
}

impl From<StrategyArg> for crate::plan::Strategy {
    fn from(typed: StrategyArg) -> Self {
        match typed {
            StrategyArg::InPlace => Self::InPlace,
            StrategyArg::Rebuild => Self::Rebuild,
        }
    }
}

/// `approve`
#[derive(Debug, ClapArgs)]
pub struct Approve {
    /// The run; may be left out where only one is open
    pub run: Option<String>,
    /// Sign the purge instead of the plan
    #[arg(long)]
    pub purge: bool,
    /// The plan's document as you have read it; refused where it is not the one on record
    #[arg(long, value_name = "FILE", conflicts_with = "purge")]
    pub document: Option<PathBuf>,
    /// Sign the purposes that a steward proposed with this file (`policy apply`)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["run", "purge", "document"])]
    pub policy: Option<PathBuf>,
    /// As it was proposed: this purpose goes out of force
    #[arg(long, value_name = "PURPOSE", requires = "policy")]
    pub remove: Vec<String>,
}

/// `run`
#[derive(Debug, ClapArgs)]
#[expect(clippy::struct_field_names, reason = "it is called what it is typed as")]
pub struct Run {
    /// The run; may be left out where only one is open
    pub run: Option<String>,
    /// Stop once this phase is reached: `backed_up`, sealed, rewritten, verified
    #[arg(long, value_name = "PHASE")]
    pub until: Option<String>,
    /// How many workers this process has, on PostgreSQL [default: one more than cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub workers: Option<u16>,
}

/// `rehearse`
#[derive(Debug, ClapArgs)]
pub struct Rehearse {
    /// The run; may be left out where only one is open
    pub run: Option<String>,
    /// Copy at most so many rows of each table [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub rows: Option<u64>,
    /// Where the copy goes: an empty database, or a file that is not there yet [default: a new
    /// database beside the source, or a file beside the run's backup]
    #[arg(long, value_name = "URL")]
    pub into: Option<String>,
    /// Leave the copy for looking; it holds originals in plain text
    #[arg(long)]
    pub keep: bool,
    /// How many workers, on PostgreSQL [default: one more than cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub workers: Option<u16>,
}

/// `throttle`
#[derive(Debug, ClapArgs)]
pub struct Throttle {
    /// The run; may be left out where only one is open
    pub run: Option<String>,
    /// Rows a second that are rewritten at most, or `unlimited`
    // A negative number is an answer of ours, and no option that clap would look for.
    #[arg(long, value_name = "ROWS_PER_S", allow_negative_numbers = true)]
    pub rate: String,
}

/// A verb about one run.
#[derive(Debug, ClapArgs)]
pub struct OneRun {
    /// The run; may be left out where only one is open
    pub run: Option<String>,
}

/// `restore`
#[derive(Debug, ClapArgs)]
pub struct Restore {
    /// The run that was purged; or the run that brings its originals back
    pub run: String,
    /// Why; kept sealed
    #[arg(long, value_name = "TEXT", value_parser = super::words)]
    pub reason: Option<String>,
}

/// `purge`
#[derive(Debug, ClapArgs)]
pub struct Purge {
    /// The run; may be left out where only one is open
    pub run: Option<String>,
    /// The run's id once more: what is purged does not come back
    #[arg(long, value_name = "RUN")]
    pub confirm: Option<String>,
    /// How long to wait for sessions that still see originals (PostgreSQL)
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub wait: u64,
    /// Who keeps a copy of the source, and until when, beside the policy's `[[elsewhere]]`; may be
    /// given several times
    #[arg(long, value_name = CopyRule::FORM, value_parser = copy_elsewhere)]
    pub elsewhere: Vec<CopyRule>,
}

/// A copy as it is typed.
fn copy_elsewhere(text: &str) -> Result<CopyRule, String> {
    CopyRule::parse(text).ok_or_else(|| {
        let kinds = CopyKind::ALL.map(CopyKind::name).join(", ");
        format!(
            "wanted `{}`, as `replica:crm-2:database team:2027-01-31`; kinds are {kinds}",
            CopyRule::FORM
        )
    })
}

/// `residue`
#[derive(Debug, Subcommand)]
pub enum Residue {
    /// Search every byte of files and folders; gzip and zstd are unpacked
    Scan {
        /// Files and folders
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// Search for the originals of this domain only; may be given several times
        #[arg(long, value_name = "DOMAIN")]
        domain: Vec<String>,
    },
}

/// `status`
#[derive(Debug, ClapArgs)]
pub struct Status {
    /// The run
    pub run: Option<String>,
    /// Closed and rolled back ones too
    #[arg(long)]
    pub all: bool,
    /// Again every two seconds
    #[arg(long)]
    pub watch: bool,
    /// Count the originals that are left in tables of any size; reads every row of them
    #[arg(long)]
    pub originals: bool,
}

/// `quarantine`
#[derive(Debug, Subcommand)]
pub enum Quarantine {
    /// List rows that wait
    List {
        /// The run
        run: Option<String>,
    },
    /// Try the rows again with the next `run`
    Replay {
        /// The run
        run: Option<String>,
        /// One row, by its digest; without it all of them
        #[arg(long)]
        row: Option<String>,
    },
    /// Accept that a row keeps its originals
    Waive {
        /// The run
        run: Option<String>,
        /// The row, by its digest
        #[arg(long)]
        row: String,
        /// Why
        #[arg(long, value_parser = super::words)]
        reason: String,
    },
}

/// `backup`
#[derive(Debug, Subcommand)]
pub enum BackupVerb {
    /// Which files each run has: of which table, how large, how old, how many keys open them
    List {
        /// The run; without it all of them
        run: Option<String>,
    },
    /// Open every file to its end, and compare counts and hashes with the ledger
    Verify {
        /// The run; may be left out where only one has a backup
        run: Option<String>,
        /// Without a vault
        #[command(flatten)]
        offline: OfflineFolder,
    },
    /// Write originals down in a scratch database, or put single tables back in place
    Restore(BackupRestore),
    /// Destroy backups that are past the time for which their policy keeps them
    Prune {
        /// Only this run's; needed for one that was rolled back
        run: Option<String>,
    },
}

/// A run's folder, where there is no vault to ask.
#[derive(Debug, ClapArgs)]
pub struct OfflineFolder {
    /// The run's folder, where there is no vault to ask
    #[arg(long, value_name = "DIR", requires = "identity_file", conflicts_with = "run")]
    pub folder: Option<PathBuf>,
    /// A file with the age identity of one of the policy's recipients
    #[arg(long, value_name = "FILE", requires = "folder")]
    pub identity_file: Option<PathBuf>,
}

/// `backup restore`
#[derive(Debug, ClapArgs)]
pub struct BackupRestore {
    /// The run; may be left out where only one has a backup
    pub run: Option<String>,
    /// A database that takes them; it must not have these tables yet
    #[arg(long, value_name = "URL", required_unless_present = "in_place")]
    pub into: Option<String>,
    /// Into the cells of the source that hold their tokens
    #[arg(long, conflicts_with_all = ["into", "folder"])]
    pub in_place: bool,
    /// Only this table; may be repeated
    #[arg(long, value_name = "TABLE")]
    pub table: Vec<String>,
    /// Without a vault
    #[command(flatten)]
    pub offline: OfflineFolder,
}

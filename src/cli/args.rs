//! What can be typed. The help of every verb comes from the comments here, and from `examples`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

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

/// `init`
#[derive(Debug, ClapArgs)]
pub struct Init {
    /// The first caller
    #[arg(long, value_name = "NAME")]
    pub caller: String,
    /// The first caller's role
    #[arg(long, default_value = "steward")]
    pub role: String,
    /// Where the first caller's credential is written
    #[arg(long, value_name = "FILE")]
    pub credential_file: PathBuf,
    /// Where the recovery code is written; without it, it is printed once
    #[arg(long, value_name = "FILE")]
    pub recovery_file: Option<PathBuf>,
    /// Memory of the passphrase's key derivation, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 128)]
    pub kdf_memory_mib: u32,
    /// Passes of the passphrase's key derivation
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub kdf_passes: u32,
}

/// `caller`
#[derive(Debug, Subcommand)]
pub enum Caller {
    /// Add a caller and write the credential to a file
    Add {
        /// The name
        name: String,
        /// steward, approver, auditor, or a name that purposes use
        #[arg(long)]
        role: String,
        /// Where the credential is written
        #[arg(long, value_name = "FILE")]
        credential_file: PathBuf,
        /// When it ends (RFC 3339)
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
    },
    /// List callers
    List,
    /// Revoke a caller's credential
    Revoke {
        /// The name
        name: String,
    },
}

/// `keys`
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// List keys and their states
    List,
    /// Make a new data key for a domain, for new values; or a new key for the ledger
    Rotate {
        /// The domain
        #[arg(required_unless_present = "ledger")]
        domain: Option<String>,
        /// The key that signs the ledger, instead of a domain's; the old one signs the new one
        #[arg(long, conflicts_with = "domain")]
        ledger: bool,
    },
    /// Draw a new root key and wrap every key with it
    Rewrap,
    /// Ways to unlock the vault
    #[command(subcommand)]
    Slot(Slot),
}

/// `keys slot`
#[derive(Debug, Subcommand)]
pub enum Slot {
    /// Add a way to unlock
    Add {
        /// Write a new recovery code to this file
        #[arg(long, value_name = "FILE", group = "new")]
        recovery_file: Option<PathBuf>,
        /// Write a new key file
        #[arg(long, value_name = "FILE", group = "new")]
        key_file: Option<PathBuf>,
        /// Take a new passphrase from this file
        #[arg(long, value_name = "FILE", group = "new")]
        new_passphrase_file: Option<PathBuf>,
    },
    /// Show that a way to unlock really opens
    Check {
        /// The recovery code
        #[arg(long, value_name = "FILE", group = "which")]
        recovery_file: Option<PathBuf>,
        /// The key file
        #[arg(long, value_name = "FILE", group = "which")]
        key_file: Option<PathBuf>,
    },
    /// Remove a way to unlock
    Remove {
        /// Its number
        slot: u32,
    },
}

/// `policy`
#[derive(Debug, Subcommand)]
pub enum Policy {
    /// Say whether a policy is understood, and where it is not
    Check {
        /// The file
        file: PathBuf,
    },
    /// Say in words what a policy means
    Explain {
        /// The file
        file: PathBuf,
    },
    /// Propose the purposes of a policy; they are in force when enough approvers have signed
    Apply(ApplyPolicy),
    /// List what was put into force, when and by whom
    History,
}

/// `policy apply`
#[derive(Debug, ClapArgs)]
pub struct ApplyPolicy {
    /// The policy; only its purposes count
    #[arg(long = "policy", value_name = "FILE")]
    pub file: PathBuf,
    /// Take this purpose out of force, which the file must not name; may be repeated
    #[arg(long, value_name = "PURPOSE")]
    pub remove: Vec<String>,
}

/// `honeytoken`
#[derive(Debug, Subcommand)]
pub enum Honeytoken {
    /// Make one, to be planted where only a thief would find it
    Plant {
        /// The domain whose tokens it looks like
        #[arg(long)]
        domain: String,
        /// Where it will be planted: a backup, an export, a row
        #[arg(long, value_name = "TEXT")]
        place: String,
        /// An invented value for it; without it one is drawn
        #[arg(long, value_name = "FILE")]
        value_file: Option<PathBuf>,
    },
    /// List them, and which were opened
    List,
}

/// `notify`
#[derive(Debug, ClapArgs)]
pub struct Notify {
    /// Send each hook a trial instead
    #[arg(long = "try")]
    pub try_out: bool,
}

/// `access`
#[derive(Debug, Subcommand)]
pub enum Access {
    /// Who may read which domain, beside who did
    Report {
        /// List every request, with the reason that was given
        #[arg(long)]
        requests: bool,
    },
    /// Let a caller send large requests under a purpose for a while
    Unlock {
        /// The caller
        caller: String,
        /// The purpose
        #[arg(long)]
        purpose: String,
        /// How long, in minutes
        #[arg(long, value_name = "N", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=60))]
        minutes: u32,
        /// Why; kept sealed
        #[arg(long)]
        reason: String,
    },
    /// Show the reason that stands behind an entry of the ledger
    Reason {
        /// The entry
        #[arg(value_name = "SEQ")]
        entry: u64,
    },
    /// Erase reasons; the ledger keeps their digests, which confirm no guess from then on
    Forget {
        /// The reason behind this entry
        #[arg(long, value_name = "SEQ", required_unless_present = "before")]
        entry: Option<u64>,
        /// All that were given before this time (RFC 3339)
        #[arg(long, value_name = "TIME", conflicts_with = "entry")]
        before: Option<String>,
    },
    /// Say that the uses of a purpose for emergencies were looked at
    Review {
        /// The purpose
        purpose: String,
        /// What was found; kept sealed
        #[arg(long)]
        reason: String,
    },
}

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
    /// How many workers this process has, on PostgreSQL [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub workers: Option<u16>,
}

/// `throttle`
#[derive(Debug, ClapArgs)]
pub struct Throttle {
    /// The run; may be left out where only one is open
    pub run: Option<String>,
    /// Rows a second that are rewritten at most, or `unlimited`
    #[arg(long, value_name = "ROWS_PER_S")]
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
    #[arg(long, value_name = "TEXT")]
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
        #[arg(long)]
        reason: String,
    },
}

/// `detokenize`
#[derive(Debug, ClapArgs)]
pub struct Detokenize {
    /// Under which purpose
    #[arg(long)]
    pub purpose: String,
    /// Why; kept sealed
    #[arg(long)]
    pub reason: String,
    /// The domain of `format` and `uuid` tokens, which do not name one
    #[arg(long)]
    pub domain: Option<String>,
    /// The tokens; without any they are read from standard input, one a line
    pub tokens: Vec<String>,
}

/// `tokenize`
#[derive(Debug, ClapArgs)]
pub struct Tokenize {
    /// Under which purpose
    #[arg(long)]
    pub purpose: String,
    /// Why; kept sealed
    #[arg(long)]
    pub reason: String,
    /// The domain
    #[arg(long)]
    pub domain: String,
    /// A file with the values, one a line; without it they are read from standard input
    #[arg(long, value_name = "FILE")]
    pub values_file: Option<PathBuf>,
}

/// `serve`
#[derive(Debug, ClapArgs)]
pub struct Serve {
    /// Where to listen; plain HTTP only on a loopback address
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8460")]
    pub listen: std::net::SocketAddr,
    /// The certificate and those above it (PEM); read again when it changes
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Who signs the certificates of clients (PEM); without it clients need none
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub client_ca: Option<PathBuf>,
}

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

/// `vault`
#[derive(Debug, Subcommand)]
pub enum VaultVerb {
    /// Copy the vault into one encrypted file, and try the copy out
    Backup {
        /// The file; it must not be there yet
        #[arg(long, value_name = "FILE")]
        output: PathBuf,
        /// An age public key that can open the copy too; may be given again
        #[arg(long, value_name = "AGE1…")]
        recipient: Vec<String>,
    },
    /// Put a copy back where no vault is
    Restore {
        /// The file that `vault backup` wrote
        file: PathBuf,
        /// Put it back even where something in it does not hold
        #[arg(long)]
        accept_findings: bool,
    },
    /// Open every sealed value, derive its token again, compare all of it with the ledger
    Check,
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

//! What can be typed about a vault: who may do what, keys, purposes, notices, copies.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

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
        #[arg(long, value_parser = super::words)]
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
        #[arg(long, value_parser = super::words)]
        reason: String,
    },
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

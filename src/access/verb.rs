//! The table role × verb.
//!
//! It knows no purpose: of a verb that needs one it says only that it does.
//!
//! **Invariant:** [`may`] is the only function that says which role may use which verb.
//! `docs/ACCESS.md` shows it as a table, and a test compares the two.

use crate::policy::Permission;

use super::Role;

/// Whether a role may use a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use = "a decision that is not looked at permits everything"]
pub enum Decision {
    /// It may.
    Permit,
    /// It may under a purpose that names the role; [`super::decide`] says whether this one does.
    ByPurpose,
    /// It may not, whatever a purpose says.
    Refuse,
}

/// Defines the verbs once, so that none is missing from `ALL`.
macro_rules! verbs {
    ($($(#[$doc:meta])* $verb:ident = $name:literal,)+) => {
        /// A verb of the command line. One that does something else with an option is two.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Verb {
            $($(#[$doc])* $verb,)+
        }

        impl Verb {
            /// Every verb, in the order of `docs/ACCESS.md`.
            pub const ALL: &'static [Self] = &[$(Self::$verb,)+];

            /// The verb as typed after `sealift`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$verb => $name,)+
                }
            }
        }
    };
}

verbs! {
    /// Makes a vault.
    Init = "init",
    /// Makes a caller and shows the credential once.
    CallerAdd = "caller add",
    /// Lists callers, their roles and until when.
    CallerList = "caller list",
    /// Makes a credential void.
    CallerRevoke = "caller revoke",
    /// Lists keys and their states.
    KeysList = "keys list",
    /// Makes a new version of a key, for new values.
    KeysRotate = "keys rotate",
    /// Gives the ledger a new key, which the old one introduces.
    KeysRotateLedger = "keys rotate --ledger",
    /// Wraps the keys anew.
    KeysRewrap = "keys rewrap",
    /// Adds a way to unlock the vault.
    SlotAdd = "keys slot add",
    /// Removes one.
    SlotRemove = "keys slot remove",
    /// Proves that one opens the vault.
    SlotCheck = "keys slot check",
    /// Reads schema and samples of a source.
    Scan = "scan",
    /// Looks whether originals came back since a purge.
    ScanRun = "scan --run",
    /// Plans a run and stores it.
    Plan = "plan",
    /// Plans, and stores nothing.
    PlanDryRun = "plan --dry-run",
    /// Signs a plan.
    Approve = "approve",
    /// Signs a purge.
    ApprovePurge = "approve --purge",
    /// Backs up, seals, rewrites, verifies.
    Run = "run",
    /// Opens every token and compares.
    Verify = "verify",
    /// Removes the originals. There is no way back.
    Purge = "purge",
    /// Puts originals back before a purge.
    Rollback = "rollback",
    /// Puts originals back after one.
    Restore = "restore",
    /// Holds a run.
    Pause = "pause",
    /// Lets it go on.
    Resume = "resume",
    /// Sets how fast a run may go.
    Throttle = "throttle",
    /// Says where runs stand and what they wait for.
    Status = "status",
    /// Lists rows that could not be tokenised.
    QuarantineList = "quarantine list",
    /// Tries them again.
    QuarantineReplay = "quarantine replay",
    /// Accepts them by name.
    QuarantineWaive = "quarantine waive",
    /// Lists the files of a run's backup.
    BackupList = "backup list",
    /// Reads a run's backup and compares its hashes.
    BackupVerify = "backup verify",
    /// Writes originals from a run's backup.
    BackupRestore = "backup restore",
    /// Destroys backups that are past their time.
    BackupPrune = "backup prune",
    /// Copies the vault.
    VaultBackup = "vault backup",
    /// Puts a vault back from a copy.
    VaultRestore = "vault restore",
    /// Reads a vault through and says what does not hold.
    VaultCheck = "vault check",
    /// Tries a run on a copy.
    Rehearse = "rehearse",
    /// Token → value.
    Detokenize = "detokenize",
    /// Value → token.
    Tokenize = "tokenize",
    /// Which token stands for this value?
    Search = "search",
    /// Reads a policy and says what is wrong with it.
    PolicyCheck = "policy check",
    /// Changes the purposes in force.
    PolicyApply = "policy apply",
    /// Says in words what a policy means.
    PolicyExplain = "policy explain",
    /// Lists the policies that were in force.
    PolicyHistory = "policy history",
    /// Answers requests over HTTP.
    Serve = "serve",
    /// Says who could see what, and who did.
    AccessReport = "access report",
    /// Lets a caller send large requests for a while.
    AccessUnlock = "access unlock",
    /// Says that the uses of a purpose for emergencies were looked at.
    AccessReview = "access review",
    /// Shows the reason that a caller gave.
    AccessReason = "access reason",
    /// Erases reasons.
    AccessForget = "access forget",
    /// Makes a token that stands for nobody.
    HoneytokenPlant = "honeytoken plant",
    /// Lists them, and which were opened.
    HoneytokenList = "honeytoken list",
    /// Tells hooks and anchors what is on the ledger.
    Notify = "notify",
    /// Searches files for originals.
    ResidueScan = "residue scan",
    /// Writes the report of a run.
    Report = "report",
    /// Issues the report and closes the run.
    ReportClose = "report --close",
    /// Checks a report against its ledger.
    ReportVerify = "report verify",
    /// Writes the ledger for others to check.
    LedgerExport = "ledger export",
    /// Checks such an export.
    LedgerVerify = "ledger verify",
    /// Signs the ledger as it stands.
    LedgerCheckpoint = "ledger checkpoint",
    /// Writes entries with the proof that they are in the ledger.
    LedgerProve = "ledger prove",
    /// Puts a sign of life on the ledger.
    LedgerHeartbeat = "ledger heartbeat",
    /// Shows all of this on invented data.
    Demo = "demo",
}

impl Verb {
    /// The verb that a purpose's permission stands for.
    #[must_use]
    pub fn by(permission: Permission) -> Self {
        match permission {
            Permission::Detokenize => Self::Detokenize,
            Permission::Tokenize => Self::Tokenize,
            Permission::Search => Self::Search,
        }
    }

    /// Whether the verb works without a vault, so that there is nobody to ask for a credential.
    #[must_use]
    pub fn is_open(self) -> bool {
        nature(self) == Nature::Open
    }
}

/// What a verb does, as far as roles are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nature {
    /// Touches no vault that is there already.
    Open,
    /// Reads what the vault says about itself: never a value, never a key.
    Reads,
    /// Changes something, or reads originals to do so.
    Works,
    /// Signs what somebody else has planned.
    Signs,
    /// Says that what was done was looked at. Not by those who did it.
    Reviews,
    /// Gives out a value, or says which token stands for one.
    Reveals,
}

/// Says whether `role` may use `verb`.
pub fn may(role: &Role, verb: Verb) -> Decision {
    // Spelled out, so that a new role or a new kind of verb does not compile until someone has
    // decided what it may.
    match (nature(verb), role) {
        (Nature::Open, Role::Steward | Role::Approver | Role::Auditor | Role::Other(_))
        | (Nature::Reads, Role::Steward | Role::Approver | Role::Auditor)
        | (Nature::Works, Role::Steward)
        | (Nature::Signs | Nature::Reviews, Role::Approver)
        | (Nature::Reviews, Role::Auditor) => Decision::Permit,

        (Nature::Reveals, Role::Steward | Role::Other(_)) => Decision::ByPurpose,

        // Who signs what a purpose may show must not be the one it shows it to, and who checks
        // the evidence needs none of the values.
        (Nature::Reveals, Role::Approver | Role::Auditor)
        // Nobody signs his own work: the steward approves nothing, the approver runs nothing.
        | (Nature::Signs, Role::Steward | Role::Auditor | Role::Other(_))
        | (Nature::Reviews, Role::Steward | Role::Other(_))
        | (Nature::Works, Role::Approver | Role::Auditor | Role::Other(_))
        | (Nature::Reads, Role::Other(_)) => Decision::Refuse,
    }
}

fn nature(verb: Verb) -> Nature {
    match verb {
        Verb::Init
        | Verb::Scan
        | Verb::PlanDryRun
        | Verb::PolicyCheck
        | Verb::PolicyExplain
        | Verb::ReportVerify
        | Verb::LedgerVerify
        | Verb::Demo => Nature::Open,

        Verb::CallerList
        | Verb::KeysList
        | Verb::Status
        | Verb::QuarantineList
        | Verb::BackupList
        | Verb::PolicyHistory
        | Verb::AccessReport
        | Verb::HoneytokenList
        | Verb::Notify
        | Verb::Report
        | Verb::LedgerExport
        | Verb::LedgerProve => Nature::Reads,

        Verb::CallerAdd
        | Verb::CallerRevoke
        | Verb::KeysRotate
        | Verb::KeysRotateLedger
        | Verb::KeysRewrap
        | Verb::AccessForget
        | Verb::LedgerHeartbeat
        | Verb::HoneytokenPlant
        | Verb::SlotAdd
        | Verb::SlotRemove
        | Verb::SlotCheck
        | Verb::ScanRun
        | Verb::Plan
        | Verb::Run
        | Verb::Verify
        | Verb::Purge
        // It says whether a value is in the vault, of any value that somebody puts into a file.
        | Verb::ResidueScan
        | Verb::Rollback
        | Verb::Restore
        | Verb::Pause
        | Verb::Resume
        | Verb::Throttle
        | Verb::QuarantineReplay
        | Verb::QuarantineWaive
        | Verb::BackupVerify
        | Verb::BackupRestore
        | Verb::BackupPrune
        | Verb::VaultBackup
        | Verb::VaultRestore
        | Verb::VaultCheck
        | Verb::Rehearse
        | Verb::PolicyApply
        | Verb::Serve
        | Verb::ReportClose
        | Verb::LedgerCheckpoint => Nature::Works,

        Verb::Approve | Verb::ApprovePurge | Verb::AccessUnlock => Nature::Signs,

        Verb::AccessReview | Verb::AccessReason => Nature::Reviews,

        Verb::Detokenize | Verb::Tokenize | Verb::Search => Nature::Reveals,
    }
}

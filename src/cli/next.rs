//! Who does what next: commands that run as they are shown.
//!
//! A next command names what was typed as an option and is not in the environment; the verbs
//! themselves know only runs and files.

use super::args::{Args, Verb};
use crate::lifecycle::Phase;
use crate::ports::{Condition, RunRow};
use crate::words::shell_word;

/// Settings that were typed, and that the next command needs too.
#[derive(Debug, Clone, Default)]
pub(super) struct Given {
    vault: Option<String>,
    source: Option<String>,
    unlock: Vec<String>,
    credential: Option<String>,
}

impl Given {
    /// What was typed and is not in the environment.
    pub(super) fn of(args: &Args) -> Self {
        let typed = |option: &str, variable: &str, value: Option<String>| {
            let value =
                value.filter(|value| std::env::var(variable).ok().as_ref() != Some(value))?;
            Some(format!("{option} {}", shell_word(&value)))
        };
        let path = |file: &std::path::PathBuf| file.display().to_string();
        let unlock = [
            ("--passphrase-file", &args.passphrase_file),
            ("--unlock-recovery-file", &args.unlock_recovery_file),
            ("--unlock-key-file", &args.unlock_key_file),
        ];
        // The first credential is in no environment yet. Whoever approves is somebody else, and so
        // is whoever comes after them.
        let credential = match &args.verb {
            Verb::Approve(_) => None,
            Verb::Init(init) => Some(path(&init.credential_file)),
            _ => args.as_file.as_ref().map(path),
        };
        Self {
            vault: typed("--vault", "SEALIFT_VAULT", args.vault.clone()),
            source: typed("--source", "SEALIFT_SOURCE", args.source.clone()),
            unlock: unlock
                .into_iter()
                .filter_map(|(option, file)| {
                    Some(format!("{option} {}", shell_word(&path(file.as_ref()?))))
                })
                .collect(),
            credential: typed("--as-file", "SEALIFT_CREDENTIAL_FILE", credential),
        }
    }

    /// The command with what it needs of it.
    pub(super) fn complete(&self, command: &str) -> String {
        let (command, remark) = match command.split_once("   #") {
            Some((command, remark)) => (command, format!("   #{remark}")),
            None => (command, String::new()),
        };
        let mut words = command.split_whitespace().skip(1);
        let (verb, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let looks_only = command.contains(" --dry-run") || (verb, second) == ("ledger", "verify");
        let needs_vault = !looks_only && !matches!(verb, "scan" | "policy" | "demo" | "");
        let needs_source =
            matches!(verb, "scan" | "plan" | "run" | "verify" | "purge" | "rollback");
        let is_open = verb == "status" || (verb == "report" && !command.contains(" --close"));
        let mut whole = command.to_owned();
        let mut add = |option: &String| {
            let name = option.split(' ').next().unwrap_or_default();
            if !command.contains(&format!(" {name}")) {
                whole.push(' ');
                whole.push_str(option);
            }
        };
        if needs_vault {
            self.vault.iter().for_each(&mut add);
        }
        if needs_source {
            self.source.iter().for_each(&mut add);
        }
        if needs_vault && !is_open {
            self.unlock.iter().for_each(&mut add);
        }
        if needs_vault && !is_open && verb != "approve" {
            self.credential.iter().for_each(&mut add);
        }
        whole + &remark
    }
}

/// Who does what next about a run.
pub(super) fn of_run(row: &RunRow) -> (String, String) {
    let run = row.run;
    let steward = row.planned_by.clone();
    if row.condition == Some(Condition::Paused) {
        return (steward, format!("sealift resume {run}"));
    }
    match row.phase {
        Phase::Planned => ("an approver".to_owned(), format!("sealift approve {run}")),
        Phase::Approved | Phase::BackedUp | Phase::Sealed | Phase::Rewritten => {
            (steward, format!("sealift run {run}"))
        }
        Phase::Verified => ("an approver".to_owned(), format!("sealift approve {run} --purge")),
        Phase::PurgeApproved => (steward, format!("sealift purge {run} --confirm {run}")),
        Phase::Purged => (steward, format!("sealift report {run} --close --output report.html")),
        Phase::RollingBack => (steward, format!("sealift rollback {run}")),
        Phase::Closed => {
            ("an auditor".to_owned(), "sealift ledger export --output ledger/".to_owned())
        }
        Phase::RolledBack => (steward, "sealift scan --write-policy policy.toml".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn complete(typed: &[&str], next: &str) -> String {
        let args = Args::try_parse_from([&["sealift"], typed].concat()).unwrap();
        Given::of(&args).complete(next)
    }

    #[test]
    fn a_next_command_names_what_was_typed() {
        let typed = [
            "--vault",
            "sqlite:my vault.db",
            "--source",
            "sqlite:crm.db",
            "--passphrase-file",
            "pw",
            "--as-file",
            "alice.key",
            "run",
        ];
        assert_eq!(
            complete(&typed, "sealift verify 7f3a0c11"),
            "sealift verify 7f3a0c11 --vault 'sqlite:my vault.db' --source sqlite:crm.db \
             --passphrase-file pw --as-file alice.key"
        );
        // An approver has a credential of their own, and status needs none.
        assert_eq!(
            complete(&typed, "sealift approve 7f3a0c11"),
            "sealift approve 7f3a0c11 --vault 'sqlite:my vault.db' --passphrase-file pw"
        );
        assert_eq!(
            complete(&typed, "sealift status"),
            "sealift status --vault 'sqlite:my vault.db'"
        );
        assert_eq!(
            complete(&typed, "sealift ledger verify ledger/ --key ab"),
            "sealift ledger verify ledger/ --key ab"
        );
        assert_eq!(
            complete(&typed, "sealift plan --source sqlite:o.db --policy p --dry-run   # later"),
            "sealift plan --source sqlite:o.db --policy p --dry-run   # later"
        );
    }

    #[test]
    fn the_credential_of_an_approver_is_not_handed_on() {
        let typed = ["--vault", "sqlite:v.db", "--as-file", "bob.key", "approve"];
        assert_eq!(
            complete(&typed, "sealift run 7f3a0c11"),
            "sealift run 7f3a0c11 --vault sqlite:v.db"
        );
    }

    #[test]
    fn the_first_credential_is_named_after_init() {
        let typed = ["init", "--caller", "alice", "--credential-file", "alice.key"];
        assert_eq!(
            complete(&typed, "sealift caller list"),
            "sealift caller list --as-file alice.key"
        );
    }
}

//! Who does what next: commands that run as they are shown.
//!
//! A next command names what was typed as an option and is not in the environment; the verbs
//! themselves know only runs and files.

use super::args::{Args, Verb};
use super::desk::parse_slot;
use super::exit::Failure;
use super::restore::restores;
use crate::crypto::SlotKind;
use crate::lifecycle::Phase;
use crate::policy::Policy;
use crate::ports::{Condition, QuarantineState, RunRow, SlotRow, Vault};
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
            Some(format!("{option} {}", shell_word(&without_password(&value))))
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
        let reads_a_file = verb == "policy" && matches!(second, "check" | "explain");
        let needs_vault = !looks_only && !reads_a_file && !matches!(verb, "scan" | "demo" | "");
        let needs_source = matches!(
            verb,
            "scan" | "plan" | "rehearse" | "run" | "verify" | "purge" | "rollback" | "restore"
        );
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

/// A URL without a password, which belongs into no output, also where it was typed: PGPASSWORD or
/// ~/.pgpass has it.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://").filter(|(scheme, _)| *scheme != "sqlite")
    else {
        return url.to_owned();
    };
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let place = match place.rsplit_once('@') {
        Some((user, host)) => format!("{}@{host}", user.split(':').next().unwrap_or_default()),
        None => place.to_owned(),
    };
    let kept: Vec<&str> = query
        .split('&')
        .filter(|each| !each.is_empty() && !each.starts_with("password="))
        .collect();
    let mark = if kept.is_empty() { "" } else { "?" };
    format!("{scheme}://{place}{mark}{}", kept.join("&"))
}

/// Who does what next about a run of a vault.
///
/// # Errors
///
/// [`Failure`] where the vault does not answer.
pub(super) async fn in_vault(vault: &dyn Vault, row: &RunRow) -> Result<(String, String), Failure> {
    let has_stopped = match row.phase {
        Phase::Rewritten => row.condition != Some(Condition::Paused),
        Phase::Sealed => row.condition == Some(Condition::Failed),
        Phase::Planned
        | Phase::Approved
        | Phase::BackedUp
        | Phase::Verified
        | Phase::PurgeApproved
        | Phase::Purged
        | Phase::Closed
        | Phase::RollingBack
        | Phase::RolledBack => false,
    };
    if has_stopped {
        let rows = vault.quarantine(row.run).await?;
        if rows.iter().any(|row| row.state == QuarantineState::Waiting) {
            let command = format!("sealift quarantine list {}", row.run);
            return Ok((row.planned_by.clone(), command));
        }
    }
    Ok(of_run(row, &vault.slots().await?))
}

/// The second way into the vault, tried since the plan: a purge leaves nothing but the keys.
fn second_way(row: &RunRow, slots: &[SlotRow]) -> Option<String> {
    if slots.iter().any(|slot| slot.opened_at.as_ref().is_some_and(|at| *at > row.planned_at)) {
        return None;
    }
    let is_there = |kind: SlotKind| {
        slots.iter().filter_map(|slot| parse_slot(slot).ok()).any(|slot| slot.kind == kind)
    };
    let command = if is_there(SlotKind::RecoveryCode) {
        "sealift keys slot check --recovery-file recovery.txt   # has to open before the purge"
    } else if is_there(SlotKind::KeyFile) {
        "sealift keys slot check --key-file vault.key   # has to open before the purge"
    } else {
        "sealift keys slot add --recovery-file recovery.txt   # a purge wants a second way in"
    };
    Some(command.to_owned())
}

/// Whether the policy wants nobody else's signature under the purge.
fn needs_no_signature(row: &RunRow) -> bool {
    serde_json::from_str::<Policy>(&row.policy).is_ok_and(|policy| policy.approval.purge == 0)
}

fn of_run(row: &RunRow, slots: &[SlotRow]) -> (String, String) {
    let run = row.run;
    let steward = row.planned_by.clone();
    if row.condition == Some(Condition::Paused) {
        return (steward, format!("sealift resume {run}"));
    }
    if restores(row).is_some() && matches!(row.phase, Phase::Approved | Phase::RollingBack) {
        return (steward, format!("sealift restore {run}"));
    }
    match row.phase {
        Phase::Planned => ("an approver".to_owned(), format!("sealift approve {run}")),
        Phase::Approved | Phase::BackedUp | Phase::Sealed | Phase::Rewritten => {
            (steward, format!("sealift run {run}"))
        }
        Phase::Verified if !needs_no_signature(row) => {
            ("an approver".to_owned(), format!("sealift approve {run} --purge"))
        }
        Phase::Verified | Phase::PurgeApproved => {
            let purge = || format!("sealift purge {run} --confirm {run}");
            (steward, second_way(row, slots).unwrap_or_else(purge))
        }
        Phase::Purged => (steward, format!("sealift report {run} --close --output report.html")),
        Phase::RollingBack => (steward, format!("sealift rollback {run}")),
        Phase::Closed => {
            ("an auditor".to_owned(), "sealift ledger export --output ledger/".to_owned())
        }
        // Whoever planned it has a policy, which a scan would not overwrite.
        Phase::RolledBack => (steward, "sealift plan --policy FILE".to_owned()),
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
    fn a_password_that_was_typed_is_not_said_again() {
        let source = "postgres://bob:se/c@ret@db:5433/crm?sslmode=require&password=secret";
        let typed = ["--vault", "postgres://v:secret@h/v", "--source", source, "run"];
        assert_eq!(
            complete(&typed, "sealift run 7f3a0c11"),
            "sealift run 7f3a0c11 --vault postgres://v@h/v --source \
             'postgres://bob@db:5433/crm?sslmode=require'"
        );
        let file = ["--vault", "sqlite:a:b@c.db", "status"];
        assert_eq!(complete(&file, "sealift status"), "sealift status --vault sqlite:a:b@c.db");
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

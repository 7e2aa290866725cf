//! What a tour leaves behind: notes and settings in its folder, and a command for each who uses
//! Sealift.
//!
//! It runs none of them.

use std::fs;
use std::path::Path;

use super::folder::{
    ENV, EXPORT, FINGERPRINT, Folder, PLAN, README, REPORT, SECRET, SOURCE, VAULT,
};
use super::measured::{Field, Kept, Next};
use super::shop::{PASSPHRASE, REASON, STEWARD};
use crate::cli::Failure;
use crate::words::shell_word;

/// Writes what a newcomer needs to go on from here.
pub(super) fn notes(folder: &Folder) -> Result<(), Failure> {
    let settings = [
        ("DEMO", folder.path().display().to_string()),
        ("SEALIFT_VAULT", folder.url(VAULT)),
        ("SEALIFT_SOURCE", folder.url(SOURCE)),
        ("SEALIFT_PASSPHRASE", PASSPHRASE.to_owned()),
        ("SEALIFT_CREDENTIAL_FILE", folder.credential(STEWARD)),
    ];
    let mut lines = vec![format!(
        "# Settings for the database and the vault of this tour. As it stands you are {STEWARD}."
    )];
    lines.extend(
        settings.iter().map(|(name, value)| format!("export {name}={}", shell_word(value))),
    );
    if let Some(bin) = std::env::current_exe().ok().as_deref().and_then(Path::parent) {
        lines.push(format!("export PATH={}:\"$PATH\"", shell_word(&bin.display().to_string())));
    }
    fs::write(folder.file(ENV), lines.join("\n") + "\n")?;
    let readme = include_str!("readme.txt").replace("{env}", &shell_word(&folder.name(ENV)));
    fs::write(folder.file(README), readme)?;
    Ok(())
}

/// What is worth looking at.
pub(super) fn files() -> Vec<Kept> {
    vec![
        Kept { name: REPORT, what: "what happened, on one page" },
        Kept { name: PLAN, what: "what was signed at first" },
        Kept { name: EXPORT, what: "what an auditor checks" },
        Kept { name: SOURCE, what: "the shop as it is now" },
        Kept { name: README, what: "what else is here" },
    ]
}

/// One command for each who uses Sealift. A test runs them as they stand here.
pub(super) fn next(folder: &Folder, row: &[Field]) -> Vec<Next> {
    let (vault, source, secret) = (folder.url(VAULT), folder.url(SOURCE), folder.name(SECRET));
    let carol = folder.credential("carol");
    let address = row.iter().find(|field| field.name == "email").or(row.first());
    let token = address.map_or("", |field| field.after.as_str());
    let mut check = words(&["ledger", "verify", &folder.name(EXPORT), "--key"]);
    check.push(format!("\"$(cat {})\"", shell_word(&folder.name(FINGERPRINT))));
    vec![
        Next {
            who: "Data steward",
            why: "what is sensitive in a database?",
            words: words(&["scan", "--source", &source]),
        },
        Next {
            who: "Application developer",
            why: "whose address is this token?",
            words: words(&[
                "detokenize",
                "--vault",
                &vault,
                "--passphrase-file",
                &secret,
                "--as-file",
                &carol,
                "--purpose",
                "support_case",
                "--reason",
                REASON,
                token,
            ]),
        },
        Next { who: "Auditor", why: "is the ledger what was signed?", words: check },
    ]
}

fn words(typed: &[&str]) -> Vec<String> {
    let typed = typed.iter().map(|word| shell_word(word));
    std::iter::once(shell_word(&program())).chain(typed).collect()
}

/// This program, as it can be typed where the tour was started.
fn program() -> String {
    let Ok(exe) = std::env::current_exe() else { return "sealift".to_owned() };
    let is_on_path = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path)
            .find_map(|folder| fs::canonicalize(folder.join("sealift")).ok())
            .is_some_and(|first| fs::canonicalize(&exe).is_ok_and(|exe| exe == first))
    });
    if is_on_path {
        return "sealift".to_owned();
    }
    let below = std::env::current_dir().ok().and_then(|here| {
        let below = exe.strip_prefix(here).ok()?;
        // A word without a folder would be looked for on the path.
        let is_bare = below.components().count() < 2;
        Some(if is_bare { Path::new(".").join(below) } else { below.to_owned() })
    });
    below.unwrap_or(exe).display().to_string()
}

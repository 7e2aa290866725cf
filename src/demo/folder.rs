//! The folder of a tour: where its database, its vault and everything else lie.
//!
//! It knows no verb. What is in it belongs to invented people, and so do the keys.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::cli::Failure;

/// The files of a tour, by what they are.
pub(super) const SOURCE: &str = "shop.db";
pub(super) const POLICY_FILE: &str = "shop.toml";
pub(super) const PLAN: &str = "plan.html";
pub(super) const VAULT: &str = "vault.db";
pub(super) const REPORT: &str = "report.html";
pub(super) const REPORT_DATA: &str = "report.json";
pub(super) const RECOVERY: &str = "recovery.txt";
pub(super) const SECRET: &str = "passphrase";
pub(super) const EXPORT: &str = "ledger";
pub(super) const FINGERPRINT: &str = "fingerprint";
pub(super) const README: &str = "README.txt";
pub(super) const ENV: &str = "env.sh";

/// How often a fresh name is drawn before something else must be wrong.
const NAMES_MAX: usize = 16;

/// The folder of a tour.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    is_named: bool,
}

impl Folder {
    /// Makes the folder that was named, or a fresh one where temporary files lie. Nobody else may
    /// look into it.
    pub(super) fn make(named: Option<PathBuf>) -> Result<Self, Failure> {
        if let Some(path) = named {
            let unusable = |error: std::io::Error| {
                Failure::failed(format!("`{}` cannot be made: {error}", path.display()))
                    .hint("name another folder with --keep")
            };
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(unusable)?;
            }
            return match build(&path) {
                Ok(()) => Ok(Self { path: std::path::absolute(path)?, is_named: true }),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                    Err(Failure::failed(format!("`{}` is there already", path.display()))
                        .hint("name a folder that is not there yet with --keep"))
                }
                Err(error) => Err(unusable(error)),
            };
        }
        let parent = std::path::absolute(std::env::temp_dir())?;
        for _ in 0..NAMES_MAX {
            let path = parent.join(format!("sealift-demo-{:06x}", rand::random::<u32>() >> 8));
            match build(&path) {
                Ok(()) => return Ok(Self { path, is_named: false }),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(Failure::failed(format!(
                        "no folder can be made in `{}`: {error}",
                        parent.display()
                    ))
                    .hint("name one with --keep"));
                }
            }
        }
        Err(Failure::failed(format!("`{}` is full of tours", parent.display()))
            .hint("remove its folders `sealift-demo-…`, or name another with --keep"))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A file in it, as it is typed.
    pub(super) fn name(&self, name: &str) -> String {
        self.file(name).display().to_string()
    }

    /// A database in it, as it is typed.
    pub(super) fn url(&self, name: &str) -> String {
        format!("sqlite:{}", self.name(name))
    }

    /// Somebody's credential.
    pub(super) fn credential(&self, caller: &str) -> String {
        self.name(&format!("{caller}.key"))
    }

    /// How much lies in it.
    pub(super) fn bytes(&self) -> u64 {
        bytes_of(&self.path)
    }

    /// Takes back what a tour made that did not end well. A folder that was named stays: whoever
    /// named it may want to look.
    pub(super) fn abandon(&self) {
        if !self.is_named {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

fn build(path: &Path) -> std::io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(path)
}

fn bytes_of(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .filter_map(|entry| {
            let kind = entry.file_type().ok()?;
            if kind.is_dir() {
                Some(bytes_of(&entry.path()))
            } else {
                entry.metadata().ok().map(|facts| facts.len())
            }
        })
        .sum()
}

//! The folder in which a copy of a vault is tried out: beside the copy, gone again afterwards.
//!
//! A lock of the operating system says whether somebody still works in it; one that nobody holds is
//! cleared by the next who tries a copy in the same place. All that is in it is sealed.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use super::exit::Failure;
use super::settings::Settings;

/// What the names of these folders begin with.
const NAMED: &str = ".sealift-trial.";

/// Held by who works in the folder.
const LOCK: &str = "lock";

/// A folder for a vault that is gone again when this is dropped.
pub(super) struct Trial {
    folder: PathBuf,
    /// Held, where the file system knows locks: it keeps others from clearing the folder.
    _lock: File,
}

impl Trial {
    /// Clears what others left that died, and makes a folder.
    pub(super) fn beside(copy: &Path) -> Result<Self, Failure> {
        let dir = copy.parent().filter(|dir| !dir.as_os_str().is_empty());
        let dir = dir.unwrap_or(Path::new("."));
        clear(dir);
        let name = copy.file_name().unwrap_or_default().to_string_lossy();
        let folder = dir.join(format!("{NAMED}{name}.{}", std::process::id()));
        let unmade = |error: std::io::Error| {
            Failure::failed(format!("folder `{}` cannot be made: {error}", folder.display()))
                .hint("a copy is tried out beside its file: make room there, or write it elsewhere")
        };
        fs::create_dir(&folder).map_err(unmade)?;
        let lock = OpenOptions::new().create_new(true).write(true).open(folder.join(LOCK));
        let lock = lock.map_err(|error| {
            let _ = fs::remove_dir_all(&folder);
            unmade(error)
        })?;
        let _ = lock.try_lock();
        Ok(Self { folder, _lock: lock })
    }

    /// The same settings, with the vault of the trial instead of the vault.
    pub(super) fn settings(&self, settings: &Settings) -> Settings {
        let vault = format!("sqlite:{}", self.folder.join("vault.db").display());
        Settings { vault, ..settings.clone() }
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        // What stays behind where this fails is sealed, and the next trial clears it.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Removes folders whose lock nobody holds.
fn clear(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(NAMED) {
            continue;
        }
        let path = entry.path();
        let Ok(lock) = OpenOptions::new().write(true).open(path.join(LOCK)) else { continue };
        if lock.try_lock().is_ok() {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_trial_left_is_cleared_and_what_lives_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let dead = dir.path().join(format!("{NAMED}a.copy.1"));
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join(LOCK), "").unwrap();
        fs::write(dead.join("vault.db"), "sealed").unwrap();
        let living = dir.path().join(format!("{NAMED}b.copy.2"));
        fs::create_dir(&living).unwrap();
        let lock = File::create(living.join(LOCK)).unwrap();
        lock.try_lock().unwrap();

        let trial = Trial::beside(&dir.path().join("c.copy")).unwrap();
        let own = trial.folder.clone();
        assert!(!dead.exists() && living.exists() && own.exists());
        drop(trial);
        assert!(!own.exists());
    }
}

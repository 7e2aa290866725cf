//! The folder of a rehearsal: its throw-away vault, its keys, its backup, and a SQLite copy.
//!
//! It lies beside the run's backup, where room for one was planned. A lock of the operating system
//! says whether somebody still works in it; one that nobody holds is cleared by the next rehearsal.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::cli::exit::Failure;
use crate::engine::sqlite::rehearsal::remove;
use crate::lifecycle::RunId;

/// What the names of these folders begin with.
const NAMED: &str = "rehearsal-";

/// Held by who works in the folder.
const LOCK: &str = "lock";

/// Names a copy that lies elsewhere.
const ELSEWHERE: &str = "copy-at";

/// The folder of a rehearsal.
pub(super) struct Folder {
    path: PathBuf,
    lock: File,
    /// The folder of backups was made for it.
    made_base: Option<PathBuf>,
}

impl Folder {
    /// Clears what rehearsals left that died, and makes a new folder that only its owner can read.
    pub(super) fn make(base: &Path, run: RunId) -> Result<Self, Failure> {
        let path = base.join(format!("{NAMED}{run}"));
        let unwritable = |error: std::io::Error| Failure::unwritable(&path, &error);
        let is_new = !base.exists();
        let private = |path: &Path| fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        private(base).map_err(unwritable)?;
        clear(base);
        if path.exists() {
            let kept = path.join(LOCK).exists();
            let why = if kept { "another rehearsal of this run is at work" } else { "it was kept" };
            return Err(Failure::refused(format!("`{}` is there: {why}", path.display())).hint(
                if kept {
                    "wait until it ends".to_owned()
                } else {
                    format!("look, then remove it: `rm -r {}`", path.display())
                },
            ));
        }
        private(&path).map_err(unwritable)?;
        let file = path.join(LOCK);
        let lock =
            OpenOptions::new().create_new(true).write(true).open(file).map_err(unwritable)?;
        lock.try_lock().map_err(|error| {
            Failure::failed(format!("folder {} cannot be locked: {error}", path.display()))
                .hint("let the folder of the backups lie on a file system that knows locks")
        })?;
        Ok(Self { path, lock, made_base: is_new.then(|| base.to_owned()) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Notes that a copy lies elsewhere, so that it can be cleared.
    pub(super) fn note_copy(&self, copy: &Path) -> Result<(), Failure> {
        let file = self.file(ELSEWHERE);
        let place = std::path::absolute(copy)?;
        fs::write(&file, place.as_os_str().as_encoded_bytes())
            .map_err(|error| Failure::unwritable(&file, &error))
    }

    /// Leaves it to whoever wants to look.
    pub(super) fn keep(self) {
        let _ = fs::remove_file(self.file(LOCK));
    }

    /// Removes it; says whether nothing is left.
    pub(super) fn remove(self) -> bool {
        drop(self.lock);
        let removed = fs::remove_dir_all(&self.path);
        if let Some(base) = &self.made_base {
            // Only where nothing else came into it.
            let _ = fs::remove_dir(base);
        }
        match removed {
            Ok(()) => true,
            Err(error) => error.kind() == ErrorKind::NotFound,
        }
    }
}

/// Removes folders whose lock nobody holds, with the copies that they name. One without a lock was
/// kept by somebody.
fn clear(base: &Path) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let path = entry.path();
        if !entry.file_name().to_string_lossy().starts_with(NAMED) {
            continue;
        }
        let Ok(lock) = OpenOptions::new().write(true).open(path.join(LOCK)) else { continue };
        if lock.try_lock().is_err() {
            continue;
        }
        if let Ok(copy) = fs::read_to_string(path.join(ELSEWHERE)) {
            let _ = remove(Path::new(&copy));
        }
        let _ = fs::remove_dir_all(&path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_rehearsal_left_is_cleared_and_what_lives_or_was_kept_is_not() {
        let base = tempfile::tempdir().unwrap();
        let dead = base.path().join("rehearsal-00000001");
        let elsewhere = base.path().join("elsewhere.db");
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join(LOCK), "").unwrap();
        fs::write(&elsewhere, "originals").unwrap();
        fs::write(dead.join(ELSEWHERE), elsewhere.as_os_str().as_encoded_bytes()).unwrap();
        let kept = Folder::make(base.path(), RunId(2)).unwrap();
        assert!(!dead.exists() && !elsewhere.exists());
        kept.keep();
        let alive = Folder::make(base.path(), RunId(3)).unwrap();
        assert!(Folder::make(base.path(), RunId(3)).is_err(), "somebody works there");
        assert!(base.path().join("rehearsal-00000002").exists(), "it was kept");
        assert!(Folder::make(base.path(), RunId(2)).is_err(), "it was kept");
        assert!(alive.remove());
        assert!(!base.path().join("rehearsal-00000003").exists());
    }
}

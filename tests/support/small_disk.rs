//! A small disk that can be filled: a file system in memory, seen by one process and by those that are
//! started beside it.
//!
//! Mounting is for root, or for whoever may make a name space of users. Where neither is let, files
//! may not grow beyond a limit instead, and a program that goes on is ended by the system.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What fills the disk.
const FILLER: &str = "filler";

/// So much is left on a full disk: less than a page of a database.
const LEFT_BYTES: u64 = 2_048;

/// A disk in a folder.
pub(crate) struct SmallDisk {
    folder: PathBuf,
    /// Keeps the mount alive; `None` where none could be made.
    keeper: Option<Child>,
    is_full: bool,
}

impl SmallDisk {
    /// A disk of so many bytes where the folder is; what is in the folder is not seen there.
    pub(crate) fn at(folder: &Path, bytes: u64) -> Self {
        fs::create_dir_all(folder).unwrap();
        let keeper = keeper(folder, bytes);
        Self { folder: folder.to_owned(), keeper, is_full: false }
    }

    /// Whether it is a disk, and no limit that stands for one.
    pub(crate) fn is_real(&self) -> bool {
        self.keeper.is_some()
    }

    /// A file on it, as this process sees it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        match &self.keeper {
            Some(keeper) => {
                let root = PathBuf::from(format!("/proc/{}/root", keeper.id()));
                root.join(self.folder.strip_prefix("/").unwrap()).join(name)
            }
            None => self.folder.join(name),
        }
    }

    /// Leaves no room.
    pub(crate) fn fill(&mut self) {
        self.fill_but(LEFT_BYTES);
    }

    /// Leaves room for so many bytes.
    pub(crate) fn fill_but(&mut self, left: u64) {
        self.is_full = true;
        if self.keeper.is_none() {
            return;
        }
        let mut filler = fs::File::create(self.file(FILLER)).unwrap();
        let mut written = 0;
        while let Ok(bytes) = filler.write(&[0; 512]) {
            written += bytes as u64;
        }
        filler.set_len(written.saturating_sub(left)).unwrap();
    }

    /// Makes room again.
    pub(crate) fn make_room(&mut self) {
        self.is_full = false;
        if self.keeper.is_some() {
            fs::remove_file(self.file(FILLER)).unwrap();
        }
    }

    /// The same command, where the disk is.
    pub(crate) fn beside(&self, command: &Command) -> Command {
        let mut there = match &self.keeper {
            Some(keeper) => {
                let mut enter = Command::new("nsenter");
                enter.arg(format!("--target={}", keeper.id()));
                if !rustix::process::geteuid().is_root() {
                    enter.args(["--user", "--preserve-credentials"]);
                }
                enter.args(["--mount", "--wd=/", "--"]);
                enter
            }
            None => Command::new("env"),
        };
        if self.keeper.is_none() && self.is_full {
            there = Command::new("prlimit");
            there.arg("--fsize=8192");
        }
        // The folder is entered anew: the one that was open is without the disk.
        let folder = command.get_current_dir().unwrap();
        there.args(["env", "--chdir"]).arg(folder).arg(command.get_program());
        there.args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => there.env(name, value),
                None => there.env_remove(name),
            };
        }
        there
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if let Some(keeper) = &mut self.keeper {
            let _ = keeper.kill();
            let _ = keeper.wait();
        }
    }
}

/// Mounts the disk in a name space of its own, for as long as this process reads from us.
fn keeper(folder: &Path, bytes: u64) -> Option<Child> {
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    let script = "mount -t tmpfs -o size=\"$1\" tmpfs \"$2\" && echo mounted && exec cat";
    command.args(["--mount", "sh", "-c", script, "sh"]).arg(bytes.to_string()).arg(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    let mut said = String::new();
    let _ = BufReader::new(child.stdout.take()?).read_line(&mut said);
    if said.trim() == "mounted" {
        return Some(child);
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

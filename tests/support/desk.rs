//! A desk: a folder with a vault, its callers' credentials and a source, and the program at hand.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock};

use tempfile::TempDir;

use super::answer::Answer;

/// What opens the vaults of the tests.
pub(crate) const PASSPHRASE: &str = "an invented passphrase, for tests only";

/// The program.
const SEALIFT: &str = env!("CARGO_BIN_EXE_sealift");

/// A vault with its callers, made once: each desk begins with a copy.
static BEGINNING: OnceLock<BTreeMap<String, Vec<u8>>> = OnceLock::new();

/// A folder to work in. Alice is its steward, Bob approves, Carol is in support, Dave audits.
pub(crate) struct Desk {
    folder: TempDir,
    vault: String,
    source: String,
    said: Mutex<Vec<Answer>>,
}

/// A folder as it was at some moment.
pub(crate) struct Saved(TempDir);

impl Desk {
    /// A desk with a vault and no source.
    pub(crate) fn new() -> Self {
        let desk = Self::bare();
        for (name, bytes) in BEGINNING.get_or_init(beginning) {
            let path = desk.path(name);
            fs::write(&path, bytes).unwrap();
            make_private(&path);
        }
        desk
    }

    /// A desk with a vault, whose source is elsewhere.
    pub(crate) fn over(source: &str) -> Self {
        Self { source: source.to_owned(), ..Self::new() }
    }

    /// An empty desk.
    pub(crate) fn bare() -> Self {
        Self::with_vault("sqlite:vault.db")
    }

    /// An empty desk whose vault will lie in the file of the source.
    pub(crate) fn in_one_file() -> Self {
        Self::with_vault("sqlite:shop.db")
    }

    /// A desk whose source and vault are elsewhere; the vault is made.
    pub(crate) fn between(source: &str, vault: &str) -> Self {
        let desk = Self { source: source.to_owned(), ..Self::with_vault(vault) };
        desk.make_vault();
        desk
    }

    /// An empty desk whose vault would lie elsewhere.
    pub(crate) fn bare_with(vault: &str) -> Self {
        Self::with_vault(vault)
    }

    fn with_vault(vault: &str) -> Self {
        let (vault, source) = (vault.to_owned(), "sqlite:shop.db".to_owned());
        Self { folder: tempfile::tempdir().unwrap(), vault, source, said: Mutex::default() }
    }

    /// The vault's file.
    pub(crate) fn vault(&self) -> PathBuf {
        self.path(self.vault.trim_start_matches("sqlite:"))
    }

    /// A file in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The source.
    pub(crate) fn source(&self) -> PathBuf {
        self.path("shop.db")
    }

    /// Writes a file into the folder.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// The recovery code, as `init` wrote it.
    pub(crate) fn recovery_code(&self) -> String {
        fs::read_to_string(self.path("recovery.txt")).unwrap().trim().to_owned()
    }

    /// Makes the vault and its callers, as the README says.
    pub(crate) fn make_vault(&self) {
        self.run(&[
            "init",
            "--caller",
            "alice",
            "--role",
            "steward",
            "--credential-file",
            "alice.key",
            "--recovery-file",
            "recovery.txt",
            "--kdf-memory-mib",
            "64",
            "--kdf-passes",
            "3",
        ])
        .done();
        for (name, role) in [("bob", "approver"), ("carol", "support"), ("dave", "auditor")] {
            let file = format!("{name}.key");
            self.run(&["caller", "add", name, "--role", role, "--credential-file", &file]).done();
        }
    }

    /// The program, ready to be started: Alice's credential, this vault, this source.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(SEALIFT);
        self.dress(&mut command).args(arguments);
        command
    }

    /// Gives a command the environment of the desk.
    pub(crate) fn dress<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("SEALIFT_") {
                command.env_remove(name);
            }
        }
        command
            .current_dir(self.folder())
            .env_remove("NO_COLOR")
            .env("SEALIFT_VAULT", &self.vault)
            .env("SEALIFT_SOURCE", &self.source)
            .env("SEALIFT_PASSPHRASE", PASSPHRASE)
            .env("SEALIFT_CREDENTIAL_FILE", "alice.key")
            .stdin(Stdio::null())
    }

    /// Runs the program as Alice.
    pub(crate) fn run(&self, arguments: &[&str]) -> Answer {
        self.finish(self.command(arguments), "")
    }

    /// Runs the program as somebody else.
    pub(crate) fn run_as(&self, caller: &str, arguments: &[&str]) -> Answer {
        self.tell_as(caller, arguments, "")
    }

    /// Runs the program as somebody, with something on standard input.
    pub(crate) fn tell_as(&self, caller: &str, arguments: &[&str], input: &str) -> Answer {
        let mut command = self.command(arguments);
        command.env("SEALIFT_CREDENTIAL_FILE", format!("{caller}.key"));
        self.finish(command, input)
    }

    /// Runs the program as Alice, and wants JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Answer {
        self.json_as("alice", arguments)
    }

    /// Runs the program as somebody, and wants JSON.
    pub(crate) fn json_as(&self, caller: &str, arguments: &[&str]) -> Answer {
        let mut all = vec!["--format", "json"];
        all.extend(arguments);
        self.run_as(caller, &all)
    }

    /// Runs a command to its end.
    pub(crate) fn finish(&self, mut command: Command, input: &str) -> Answer {
        let typed: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy()).collect();
        let typed = typed.join(" ");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if !input.is_empty() {
            command.stdin(Stdio::piped());
        }
        let mut child = command.spawn().unwrap();
        let writer = child.stdin.take().map(|mut pipe| {
            let input = input.to_owned();
            // A program that refuses may be gone before it has read everything.
            std::thread::spawn(move || drop(pipe.write_all(input.as_bytes())))
        });
        let output = child.wait_with_output().unwrap();
        if let Some(writer) = writer {
            writer.join().unwrap();
        }
        let answer = Answer {
            typed,
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        self.said.lock().unwrap().push(answer.clone());
        answer
    }

    /// Everything that the program has said at this desk so far.
    pub(crate) fn said(&self) -> Vec<Answer> {
        self.said.lock().unwrap().clone()
    }

    /// Puts a copy of the folder aside.
    pub(crate) fn save(&self) -> Saved {
        let saved = tempfile::tempdir().unwrap();
        copy_all(self.folder(), saved.path());
        Saved(saved)
    }

    /// Makes the folder what it was.
    pub(crate) fn restore(&self, saved: &Saved) {
        for entry in fs::read_dir(self.folder()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                fs::remove_dir_all(path).unwrap();
            } else {
                fs::remove_file(path).unwrap();
            }
        }
        copy_all(saved.0.path(), self.folder());
    }
}

fn beginning() -> BTreeMap<String, Vec<u8>> {
    let desk = Desk::bare();
    desk.make_vault();
    let files = fs::read_dir(desk.folder()).unwrap().map(|entry| entry.unwrap());
    let whole = |entry: fs::DirEntry| {
        assert!(entry.path().is_file(), "a new vault is files only: {entry:?}");
        (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
    };
    files.map(whole).collect()
}

fn copy_all(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir(&target).unwrap();
            copy_all(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}

#[cfg(unix)]
fn make_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[cfg(not(unix))]
fn make_private(_path: &Path) {}

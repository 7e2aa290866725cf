//! A PostgreSQL server of a test's own: for settings that only a server's owner makes, and for
//! servers that go away. It runs as an unprivileged user, as `tests/postgres.sh` runs its own.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// The password of its superuser.
const PASSWORD: &str = "an-invented-password";

/// A server, gone with its folder at the end.
pub(crate) struct Cluster {
    folder: TempDir,
    binaries: PathBuf,
    port: u16,
}

impl Cluster {
    /// Makes a server and starts it with these settings.
    pub(crate) fn with(settings: &[(&str, &str)]) -> Self {
        let server = Self::made(settings, &[]);
        server.start();
        server
    }

    /// Makes a server and does not start it: its folder can be filled first. Arguments are those of
    /// `initdb`.
    pub(crate) fn made(settings: &[(&str, &str)], arguments: &[&str]) -> Self {
        // Under /tmp: the path of a socket is short, and another user has to reach it.
        let folder = tempfile::Builder::new().prefix("sealift-server.").tempdir_in("/tmp").unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Self { folder, binaries: binaries(), port };
        server.write("password", PASSWORD);
        let mut initdb = server.command("initdb");
        initdb.args(["--pgdata", "data", "--username", "sealift", "--pwfile", "password"]);
        initdb.args(["--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8"]);
        finished(initdb.arg("--no-sync").args(arguments));
        let socket = server.folder.path().display().to_string();
        let port = port.to_string();
        let mut all = vec![
            ("listen_addresses", "127.0.0.1"),
            ("port", port.as_str()),
            ("unix_socket_directories", socket.as_str()),
            ("fsync", "off"),
            ("log_line_prefix", "@@%a@@"),
        ];
        all.extend_from_slice(settings);
        server.configure(&all);
        server
    }

    /// Adds settings, which hold from the next start on.
    pub(crate) fn configure(&self, settings: &[(&str, &str)]) {
        use std::io::Write as _;
        let path = self.path("data/postgresql.conf");
        let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
        for (name, value) in settings {
            writeln!(file, "{name} = '{value}'").unwrap();
        }
    }

    /// Starts it, and waits until it answers.
    pub(crate) fn start(&self) {
        finished(self.command("pg_ctl").args(PG_CTL).args(["--log", "log", "start"]));
    }

    /// Starts it so that no file grows beyond a number of bytes: a disk that is full, without one.
    pub(crate) fn start_with_small_files(&self, bytes: u64) {
        let mut limited = self.unprivileged("prlimit");
        limited.arg(format!("--fsize={bytes}")).arg(self.binaries.join("pg_ctl"));
        finished(limited.args(PG_CTL).args(["--log", "log", "start"]));
    }

    /// Ends it as its owner would.
    pub(crate) fn stop(&self) {
        finished(self.command("pg_ctl").args(PG_CTL).args(["--mode", "fast", "stop"]));
    }

    /// Ends it at once, as a machine that fails does.
    #[cfg(feature = "failpoints")]
    pub(crate) fn crash(&self) {
        finished(self.command("pg_ctl").args(PG_CTL).args(["--mode", "immediate", "stop"]));
    }

    /// A file of its folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file that the server alone may read.
    pub(crate) fn write(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        Self::give_away(&path);
    }

    /// The port that it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The address of its superuser.
    pub(crate) fn url(&self) -> String {
        format!("postgres://sealift:{PASSWORD}@127.0.0.1:{}/postgres", self.port)
    }

    /// What it has logged for sessions of ours, one text a record.
    pub(crate) fn logged_for_us(&self) -> Vec<String> {
        let log = fs::read(self.path("log")).unwrap();
        let log = String::from_utf8_lossy(&log);
        // Sessions of a process bear its name behind ours.
        let ours = log.split("\n@@").filter_map(|record| {
            let (program, record) = record.split_once("@@")?;
            program.starts_with("sealift").then_some(record)
        });
        ours.map(str::to_owned).collect()
    }

    /// A program of the server's, or beside it, as the user that the server runs as.
    pub(crate) fn unprivileged(&self, program: &str) -> Command {
        Self::give_away(self.folder.path());
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", program]);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(self.folder.path()).env("HOME", self.folder.path());
        command
    }

    fn command(&self, program: &str) -> Command {
        self.unprivileged(&self.binaries.join(program).display().to_string())
    }

    fn give_away(path: &Path) {
        if is_root() {
            finished(Command::new("chown").arg("nobody:nogroup").arg(path));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // It may have been stopped already.
        let mut stop = self.command("pg_ctl");
        let _ = stop.args(PG_CTL).args(["--mode", "immediate", "stop"]).output();
    }
}

const PG_CTL: [&str; 4] = ["--pgdata", "data", "--wait", "--silent"];

/// The folder of the server's programs, found as `tests/postgres.sh` finds it.
fn binaries() -> PathBuf {
    if let Some(named) = std::env::var_os("SEALIFT_TEST_POSTGRES_BIN") {
        return named.into();
    }
    let script = ". tests/postgres.sh && postgres_binaries";
    let mut command = Command::new("bash");
    let found = finished(command.args(["-c", script]).current_dir(env!("CARGO_MANIFEST_DIR")));
    String::from_utf8(found.stdout).unwrap().trim().into()
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[track_caller]
fn finished(command: &mut Command) -> Output {
    // Files, not pipes: a server keeps what it inherits open.
    let (told, warned) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
    command.stdout(told.try_clone().unwrap()).stderr(warned.try_clone().unwrap());
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (stdout, stderr) = (read(told), read(warned));
    assert!(status.success(), "{command:?}: {}", String::from_utf8_lossy(&stderr));
    Output { status, stdout, stderr }
}

fn read(mut file: fs::File) -> Vec<u8> {
    use std::io::{Read as _, Seek as _};
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    bytes
}

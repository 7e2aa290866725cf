//! A PostgreSQL server of its own, for what concerns its files.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A server that is gone with its files at the end.
pub(crate) struct PostgresServer {
    url: String,
    folder: PathBuf,
}

impl PostgresServer {
    /// Starts one with further options, as `-c name=value`.
    #[track_caller]
    pub(crate) fn start(options: &str) -> Self {
        let script = r#". tests/postgres.sh && postgres_start >&2 &&
            printf '%s\n%s\n' "$SEALIFT_TEST_POSTGRES_URL" "$postgres_folder""#;
        let output =
            Self::shell(script).env("SEALIFT_TEST_POSTGRES_OPTIONS", options).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut lines = said.lines().rev();
        let folder = PathBuf::from(lines.next().unwrap());
        Self { url: lines.next().unwrap().to_owned(), folder }
    }

    /// The address of its superuser.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Its data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Everything of it, its log included.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn shell(script: &str) -> Command {
        let mut shell = Command::new("bash");
        shell.args(["-c", script]).current_dir(env!("CARGO_MANIFEST_DIR"));
        shell
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        let script = ". tests/postgres.sh && postgres_stop";
        let _ = Self::shell(script).env("postgres_folder", &self.folder).status();
    }
}

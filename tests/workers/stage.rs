//! A table that takes a while, in a database with its vault in another one.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Answer, Desk, Postgres, plan_and_approve};

/// A lease's time in these tests.
pub(super) const LEASE_MS: u64 = 1_500;

/// A source and a vault, each a database of its own.
pub(super) struct Stage {
    pub(super) desk: Desk,
    pub(super) source: Postgres,
    pub(super) vault: Postgres,
    pub(super) run: String,
    /// The lease's time of processes that are started.
    pub(super) lease_ms: u64,
    /// Every original, in the order of its row.
    originals: Vec<String>,
}

impl Stage {
    /// So many people, a run over them approved; `more` is added to the policy.
    pub(super) fn with(people: u32, more: &str) -> Self {
        let source = Postgres::with(&format!(
            "CREATE TABLE people (id bigint PRIMARY KEY, email text NOT NULL UNIQUE, name text);
             INSERT INTO people SELECT n * 7, 'person' || n || '@example.com', 'Invented Person ' || n
             FROM generate_series(1, {people}) AS n;
             ANALYZE people"
        ));
        let vault = Postgres::with("");
        let desk = Desk::between(&source.url(), &vault.url());
        desk.write(
            "shop.toml",
            &format!(
                "[source]\nname = \"shop\"\n
                 [[column]]\nname = \"people.email\"\nclass = \"contact\"\ntoken = \"keyed\"\n
                 [[column]]\nname = \"people.name\"\nclass = \"identity\"\ntoken = \"random\"\n
                 {more}"
            ),
        );
        let run = plan_and_approve(&desk);
        let mut stage =
            Self { desk, source, vault, run, lease_ms: LEASE_MS, originals: Vec::new() };
        stage.originals = stage.cells();
        stage
    }

    fn cells(&mut self) -> Vec<String> {
        self.source.column("SELECT email || '|' || name FROM people ORDER BY id")
    }

    /// Starts `run` and does not wait for it; what it says goes into a file.
    pub(super) fn start(&self, name: &str, more: &[&str]) -> Running {
        let mut arguments = vec!["run", &self.run];
        arguments.extend(more);
        let file = std::fs::File::create(self.desk.path(name)).unwrap();
        let mut command = self.desk.command(&arguments);
        command.env("SEALIFT_LEASE_MS", self.lease_ms.to_string());
        command.stdout(Stdio::null()).stderr(file);
        Running { child: command.spawn().unwrap(), said: self.desk.path(name) }
    }

    /// `run` to its end, with the short lease.
    pub(super) fn run(&self, more: &[&str]) -> Answer {
        let mut arguments = vec!["run", &self.run];
        arguments.extend(more);
        let mut command = self.desk.command(&arguments);
        command.env("SEALIFT_LEASE_MS", self.lease_ms.to_string());
        self.desk.finish(command, "")
    }

    /// Waits until the source holds a token, and an original still.
    pub(super) fn wait_until_rewriting(&mut self) {
        self.wait_for("the rewrite to be under way", |stage| {
            let tokens =
                stage.source.value("SELECT count(*)::text FROM people WHERE email LIKE 'slk%'");
            tokens != "0"
        });
    }

    #[track_caller]
    pub(super) fn wait_for(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            assert!(begun.elapsed() < Duration::from_mins(1), "waited for {what} in vain");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Where the run stands.
    pub(super) fn phase(&self) -> String {
        self.desk.json(&["status", &self.run]).done().text("phase")
    }

    /// Holds that the run is verified, that each row was met once, and that a rollback brings
    /// everything back.
    #[track_caller]
    pub(super) fn is_whole(&mut self) {
        assert_eq!(self.phase(), "verified");
        let counts = self.source.value(
            "SELECT sum((counts::json ->> 'tokenized')::bigint)::text FROM sealift.cursor
             WHERE pass = 'rewrite'",
        );
        assert_eq!(counts, (2 * self.originals.len()).to_string(), "cells that batches counted");
        let left = self.source.value(
            "SELECT count(*)::text FROM people WHERE email NOT LIKE 'slk%' OR name NOT LIKE 'sl%'",
        );
        assert_eq!(left, "0", "originals are left");
        self.desk.run(&["rollback", &self.run]).done();
        let now = self.cells();
        assert!(now == self.originals, "the rollback does not bring back what was there");
    }
}

/// A process at work.
pub(super) struct Running {
    child: Child,
    said: std::path::PathBuf,
}

impl Running {
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub(super) fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal)
            .unwrap();
    }

    /// Whether it is still at work.
    pub(super) fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// What it has said on standard error.
    pub(super) fn said(&self) -> String {
        std::fs::read_to_string(&self.said).unwrap()
    }

    /// Waits for its end, and holds that it was a good one.
    #[track_caller]
    pub(super) fn ends_well(&mut self) {
        let begun = Instant::now();
        while self.is_alive() {
            if begun.elapsed() > Duration::from_mins(3) {
                self.child.kill().unwrap();
                panic!("it does not end: {}", self.said());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {}", self.said());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A test that failed leaves nothing running.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

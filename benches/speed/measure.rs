//! Clocks, peak memory, medians, and the words that they are put in.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Columns;

/// How long the passes of a run took, as its ledger says, and what the process needed.
///
/// Where a run seals while it still backs up, the time of its seal alone says too little. So passes are
/// timed by a run that stops behind its backup, and what they take together by one that does not.
#[derive(Debug, Clone, Default)]
pub(crate) struct Passes {
    pub(crate) backup: f64,
    pub(crate) seal: f64,
    pub(crate) rewrite: f64,
    pub(crate) verify: f64,
    /// Backup, seal and rewrite of a run in one go.
    pub(crate) together: f64,
    /// From the start of the process to its end, unlocking included.
    pub(crate) whole: f64,
    pub(crate) peak_kib: u64,
}

/// Date, machine, program.
pub(crate) fn heading(binary: &Path) -> String {
    let said = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).output();
        output.map_or_else(
            |_| "?".to_owned(),
            |o| String::from_utf8_lossy(&o.stdout).trim().to_owned(),
        )
    };
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "## {}\n\n{} cores ({}), {}; load before it began {}; {}; commit {}.\n\n",
        said("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
        std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        cpu.map_or("unknown", |(_, model)| model),
        said("uname", &["-sr"]),
        load.split(' ').next().unwrap_or("?"),
        said(&binary.display().to_string(), &["--version"]),
        said("git", &["rev-parse", "--short", "HEAD"]),
    )
}

/// The policy over the columns of a case.
pub(crate) fn policy(columns: Columns) -> String {
    let mut policy = "[source]\nname = \"bench\"\n\n[approval]\nplan = 0\npurge = 0\n".to_owned();
    for (&name, class) in columns.names().iter().zip(["contact", "identity", "payment"]) {
        let waive = if name == "city" { "waive = [\"low_entropy\"]\n" } else { "" };
        write!(
            policy,
            "\n[[column]]\nname = \"people.{name}\"\nclass = \"{class}\"\ntoken = \"keyed\"\n{waive}"
        )
        .unwrap();
    }
    policy
}

/// One command of the program in its folder.
pub(crate) struct Program<'p> {
    pub(crate) binary: &'p Path,
    pub(crate) dir: &'p Path,
    pub(crate) source: String,
    pub(crate) vault: String,
}

impl Program<'_> {
    /// Makes the vault and the plan, and says which verb comes next.
    pub(crate) fn prepare(&self, columns: Columns, strategy: &str) {
        std::fs::write(self.dir.join("policy.toml"), policy(columns)).unwrap();
        let credential = ["--credential-file", "alice.key", "--recovery-file", "recovery.txt"];
        self.run(&[&["init", "--caller", "alice"], &credential[..]].concat());
        let mut plan = vec!["plan", "--policy", "policy.toml"];
        if strategy != "in-place" {
            plan.extend(["--strategy", strategy]);
        }
        self.run(&plan);
    }

    /// Runs the program; returns the time that it took and its peak memory in KiB.
    pub(crate) fn run(&self, args: &[&str]) -> (Duration, u64) {
        let begun = Instant::now();
        let mut child = Command::new(self.binary)
            .args(args)
            .current_dir(self.dir)
            .env("SEALIFT_VAULT", &self.vault)
            .env("SEALIFT_SOURCE", &self.source)
            .env("SEALIFT_PASSPHRASE", "bench only")
            .env("SEALIFT_CREDENTIAL_FILE", "alice.key")
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(self.dir.join("errors.txt")).unwrap())
            .spawn()
            .unwrap();
        let status = format!("/proc/{}/status", child.id());
        let mut peak = 0;
        loop {
            if let Ok(text) = std::fs::read_to_string(&status) {
                let line = text.lines().find(|line| line.starts_with("VmHWM:"));
                let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
                peak = peak.max(kib.unwrap_or(0));
            }
            if let Some(exit) = child.try_wait().unwrap() {
                let said = std::fs::read_to_string(self.dir.join("errors.txt")).unwrap_or_default();
                assert!(exit.success(), "sealift {args:?} ended with {exit}: {said}");
                return (begun.elapsed(), peak);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Reads the passes' times from the bodies of ledger entries.
pub(crate) fn passes(bodies: &[Vec<u8>], whole: Duration, peak_kib: u64) -> Passes {
    let mut passes = Passes { whole: whole.as_secs_f64(), peak_kib, ..Passes::default() };
    for body in bodies {
        let entry: serde_json::Value = serde_json::from_slice(body).unwrap();
        let Some(took) = entry["counts"]["took_ms"].as_f64() else { continue };
        match entry["action"].as_str().unwrap_or_default() {
            "backed_up" => passes.backup = took / 1e3,
            "sealed" => passes.seal = took / 1e3,
            "rewritten" => passes.rewrite = took / 1e3,
            "verified" => passes.verify = took / 1e3,
            _ => {}
        }
    }
    passes.together = passes.backup + passes.seal + passes.rewrite;
    passes
}

impl Passes {
    /// These passes, with what a run in one go took for all of them.
    pub(crate) fn with(self, in_one_go: &Self) -> Self {
        let &Self { together, whole, .. } = in_one_go;
        let peak_kib = self.peak_kib.max(in_one_go.peak_kib);
        Self { together, whole, peak_kib, ..self }
    }
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A table of what one case came to.
#[derive(Debug, Default)]
pub(crate) struct Table {
    text: String,
    plain: f64,
}

impl Table {
    /// Begins with what everything is measured by.
    pub(crate) fn begin(plain: &[f64]) -> Self {
        let mut table = Self { text: String::new(), plain: median(plain.to_vec()) };
        table.text.push_str("| what | seconds | ÷ plain UPDATE |\n|---|---|---|\n");
        table.line("(a) plain `UPDATE`, one statement", plain);
        table
    }

    /// One line: the median, and all that it was taken from.
    pub(crate) fn line(&mut self, what: &str, seconds: &[f64]) {
        let all: Vec<String> = seconds.iter().map(|s| format!("{s:.2}")).collect();
        let middle = median(seconds.to_vec());
        let of = if seconds.len() > 1 { format!(" ({})", all.join(", ")) } else { String::new() };
        let ratio = middle / self.plain;
        writeln!(self.text, "| {what} | {middle:.2}{of} | {ratio:.2} |").unwrap();
    }

    /// The lines of a strategy.
    pub(crate) fn passes(&mut self, name: &str, all: &[Passes]) {
        let of = |time: fn(&Passes) -> f64| all.iter().map(time).collect::<Vec<f64>>();
        self.line(&format!("{name}: backup"), &of(|p| p.backup));
        self.line(&format!("{name}: seal"), &of(|p| p.seal));
        self.line(&format!("{name}: rewrite"), &of(|p| p.rewrite));
        self.line(&format!("**{name}: seal + rewrite**"), &of(|p| p.seal + p.rewrite));
        self.line(&format!("**{name}: backup + seal + rewrite**, in one go"), &of(|p| p.together));
        self.line(&format!("{name}: verify"), &of(|p| p.verify));
        self.line(&format!("{name}: the whole command, unlocking included"), &of(|p| p.whole));
        let share = median(of(|p| 100.0 * p.verify / (p.seal + p.rewrite)));
        let peak = all.iter().map(|p| p.peak_kib).max().unwrap_or(0) / 1024;
        writeln!(
            self.text,
            "| {name}: verify ÷ (seal + rewrite); peak memory | {share:.0} % | {peak} MiB |"
        )
        .unwrap();
    }

    /// A line of its own words.
    pub(crate) fn words(&mut self, what: &str, one: &str, two: &str) {
        writeln!(self.text, "| {what} | {one} | {two} |").unwrap();
    }

    /// How many rows a second the passes did together.
    pub(crate) fn rate(&mut self, rows: u64, all: &[Passes]) {
        let rates = all.iter().map(|p| rows as f64 / p.together).collect();
        self.words("rows per second, backup to rewrite", &format!("{:.0}", median(rates)), "");
    }

    pub(crate) fn end(mut self) -> String {
        self.text.push('\n');
        self.text
    }
}

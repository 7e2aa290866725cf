//! The steps of the tour, in order: each calls what a verb calls, and keeps what it answered.
//!
//! It draws nothing but a line a step; the last screen is drawn elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::Value;

use super::Options;
use super::folder::{
    EXPORT, FINGERPRINT, Folder, PLAN, POLICY_FILE, RECOVERY, REPORT, REPORT_DATA, SECRET, SOURCE,
    VAULT,
};
use super::leave;
use super::measured::{Field, Ledger, Measured, Originals, Pass, Scanned, Step, View};
use super::screen::{bytes, people, step_lines};
use super::shop::{
    CALLERS, FIELDS, PASSPHRASE, POLICY, Picked, REASON, REQUESTS, STEWARD, cells, columns, pick,
};
use super::watch::Watch;
use crate::cli::{Args, Capture, Failure, Outcome, Output, run_captured};
use crate::engine::sqlite::vault::SqliteVault;
use crate::lifecycle::RunId;
use crate::ports::{Progress, Vault};
use crate::synth::{Counts, Shape, people_at};
use crate::words::{grouped, shell_word};

/// The passes: what they are called, the ledger's entry of each, the plan's word for it.
const PASSES: [(&str, &str, &str); 5] = [
    ("back up", "backed_up", "backup_ms"),
    ("seal", "sealed", "seal_ms"),
    ("rewrite", "rewritten", "rewrite_ms"),
    ("verify", "verified", "verify_ms"),
    ("purge", "purge_scrubbed", "purge_ms"),
];

/// One tour.
pub(super) struct Tour<'t> {
    out: &'t Output,
    folder: &'t Folder,
    options: &'t Options,
    capture: Arc<Capture>,
    watch: Arc<Watch>,
    steps: Vec<Step>,
    begun: Instant,
}

/// What a verb answered to programs.
struct Said {
    outcome: Outcome,
    objects: Vec<Value>,
}

/// What came out of the passes and the searches.
struct Worked {
    run: RunId,
    columns: u64,
    cells: u64,
    estimate: Value,
    hits_before: u64,
    hits_after: u64,
}

impl<'t> Tour<'t> {
    pub(super) fn new(out: &'t Output, folder: &'t Folder, options: &'t Options) -> Self {
        let watch = Arc::new(Watch::new());
        let progress: Arc<dyn Progress> = Arc::<Watch>::clone(&watch);
        let capture = Capture::new(progress);
        Self { out, folder, options, capture, watch, steps: Vec::new(), begun: Instant::now() }
    }

    /// Goes from nothing to a ledger that an auditor has checked.
    pub(super) async fn run(mut self) -> Result<Measured, Failure> {
        let toured = self.through().await;
        self.watch.close();
        toured
    }

    async fn through(&mut self) -> Result<Measured, Failure> {
        let customers = people(u64::from(self.options.customers));
        self.out.heading(&format!("Sealift, a guided tour: {customers}"));
        let counts = self.make().await?;
        let database_bytes = std::fs::metadata(self.folder.file(SOURCE))?.len();
        let source = self.folder.file(SOURCE);
        let picked = pick(&source).await?;
        let before = cells(&source, picked).await?;
        let scanned = self.scan().await?;
        let fingerprint = self.init().await?;
        let worked = self.work().await?;
        let row = self.row(picked, before).await?;
        let views = self.views(&row).await?;
        let certificate = self.report(worked.run).await?;
        let ledger = self.ledger(&fingerprint).await?;
        let passes = self.passes(&worked).await?;
        leave::notes(self.folder)?;
        let text = |name: &str| certificate[name].as_str().unwrap_or_default().to_owned();
        Ok(Measured {
            customers: u64::from(self.options.customers),
            seed: self.options.seed,
            rows: rows(&counts),
            database_bytes,
            run: worked.run.to_string(),
            columns: worked.columns,
            cells: worked.cells,
            next: leave::next(self.folder, &row),
            row,
            views,
            originals: Originals {
                before_at_least: worked.hits_before,
                after: worked.hits_after,
                values_searched: number(&certificate, "/scan_after/values_searched")?,
                word: text("word"),
                statement: text("statement"),
            },
            passes,
            scanned,
            ledger,
            steps: std::mem::take(&mut self.steps),
            folder: self.folder.path().to_owned(),
            folder_bytes: self.folder.bytes(),
            files: leave::files(),
            seconds: self.begun.elapsed().as_secs_f64(),
        })
    }

    /// The database of the shop, and its policy.
    async fn make(&mut self) -> Result<Counts, Failure> {
        let begun = self.begin("make");
        let Options { customers, seed, .. } = *self.options;
        let source = self.folder.file(SOURCE);
        let counts = people_at(&source, Shape { customers: u64::from(customers), seed })
            .await
            .map_err(Failure::failed)?;
        let backup = toml::Value::String(self.folder.name("backup"));
        let policy = format!("{POLICY}\n[backup]\ndir = {backup}\n");
        std::fs::write(self.folder.file(POLICY_FILE), policy)?;
        let size = std::fs::metadata(&source)?.len();
        let said = format!("{} rows in {} tables, {}", grouped(counts.rows()), 5, bytes(size));
        self.end(begun, "make", said);
        Ok(counts)
    }

    /// What is sensitive, before anybody wrote a policy.
    async fn scan(&mut self) -> Result<Scanned, Failure> {
        let begun = self.begin("scan");
        let found = self.done(STEWARD, &["scan"]).await?;
        let place = |found: &Value| format!("{}.{}", found["table"], found["column"]);
        let sensitive: BTreeSet<String> = found.objects.iter().map(place).collect();
        let columns = columns(&self.folder.file(SOURCE)).await?;
        let sensitive = sensitive.len() as u64;
        let said = format!("without a policy: {sensitive} of {columns} columns look sensitive");
        self.end(begun, "scan", said);
        Ok(Scanned { sensitive, columns })
    }

    /// A vault, and everybody who takes part.
    async fn init(&mut self) -> Result<String, Failure> {
        let begun = self.begin("init");
        std::fs::write(self.folder.file(SECRET), format!("{PASSPHRASE}\n"))?;
        let credential = self.folder.credential(STEWARD);
        let recovery = self.folder.name(RECOVERY);
        let made = self
            .done(
                STEWARD,
                &[
                    "init",
                    "--caller",
                    STEWARD,
                    "--credential-file",
                    &credential,
                    "--recovery-file",
                    &recovery,
                    "--kdf-memory-mib",
                    "64",
                    "--kdf-passes",
                    "3",
                ],
            )
            .await?;
        for (name, role) in CALLERS {
            let file = self.folder.credential(name);
            self.done(
                STEWARD,
                &["caller", "add", name, "--role", role, "--credential-file", &file],
            )
            .await?;
        }
        let fingerprint = made.text("/fingerprint")?;
        std::fs::write(self.folder.file(FINGERPRINT), format!("{fingerprint}\n"))?;
        let callers = self.done(STEWARD, &["caller", "list"]).await?.objects.len();
        self.end(begun, "init", format!("a vault, a recovery code, {callers} callers"));
        Ok(fingerprint)
    }

    /// From the plan to the purge.
    async fn work(&mut self) -> Result<Worked, Failure> {
        let begun = self.begin("plan");
        let policy = self.folder.name(POLICY_FILE);
        let document = self.folder.name(PLAN);
        let typed = ["plan", "--policy", &policy, "--output", &document];
        let plan = self.done(STEWARD, &typed).await?;
        let run = plan.text("/run")?;
        let columns = plan.list("/columns")?.len() as u64;
        let estimate = plan.at("/estimate/passes").cloned().ok_or_else(|| unsaid("passes"))?;
        let findings = plan.list("/findings")?;
        let blocking = findings.iter().filter(|finding| finding["verdict"] == "blocks").count();
        let said = format!(
            "{columns} columns, {} cells; {blocking} of {} findings block it",
            grouped(plan.number("/estimate/cells")?),
            findings.len(),
        );
        self.end(begun, "plan", said);

        let begun = self.begin("approve");
        let approved = self.done("bob", &["approve", &run, "--document", &document]).await?;
        self.end(begun, "approve", format!("bob signed the {}", approved.text("/approval")?));

        let begun = self.begin("run");
        let ran = self.done(STEWARD, &["run", &run]).await?;
        let cells = ran.number("/counts/opened")?;
        let said = format!(
            "{}: {} cells opened, {} mismatches",
            ran.text("/phase")?,
            grouped(cells),
            ran.number("/counts/mismatches")?
        );
        self.end(begun, "run", said);

        let begun = self.begin("approve");
        let approved = self.done("bob", &["approve", &run, "--purge"]).await?;
        self.end(begun, "approve", format!("bob signed the {}", approved.text("/approval")?));

        let begun = self.begin("slot check");
        let recovery = self.folder.name(RECOVERY);
        self.done(STEWARD, &["keys", "slot", "check", "--recovery-file", &recovery]).await?;
        self.end(begun, "slot check", "the recovery code opens the vault".to_owned());

        let begun = self.begin("purge");
        let purged = self.done(STEWARD, &["purge", &run, "--confirm", &run]).await?;
        let (before, after) = (purged.number("/hits_before")?, purged.number("/hits_after")?);
        let said = format!(
            "originals in the files: at least {} before, {} after",
            grouped(before),
            grouped(after)
        );
        self.end(begun, "purge", said);
        let run = RunId::parse(&run).map_err(Failure::failed)?;
        Ok(Worked { run, columns, cells, estimate, hits_before: before, hits_after: after })
    }

    /// The row that is shown, before and after.
    async fn row(
        &self,
        picked: Picked,
        before: Vec<Option<String>>,
    ) -> Result<Vec<Field>, Failure> {
        let after = cells(&self.folder.file(SOURCE), picked).await?;
        let both = before.into_iter().zip(after);
        Ok(FIELDS
            .into_iter()
            .zip(both)
            .filter_map(|(name, (before, after))| {
                Some(Field { name, before: before?, after: after? })
            })
            .collect())
    }

    /// The same tokens, asked for by three people.
    async fn views(&mut self, row: &[Field]) -> Result<Vec<View>, Failure> {
        let begun = self.begin("detokenize");
        let mut views = Vec::new();
        for (caller, role, purpose) in REQUESTS {
            let mut typed = vec!["detokenize", "--purpose", purpose, "--reason", REASON];
            typed.extend(row.iter().map(|field| field.after.as_str()));
            let seen = match self.verb(caller, &typed).await {
                Ok(said) => said
                    .objects
                    .iter()
                    .map(|answer| answer["value"].as_str().map(str::to_owned))
                    .collect(),
                // The request as a whole.
                Err(failure) if failure.outcome == Outcome::Refused => vec![None; row.len()],
                Err(failure) => return Err(failure),
            };
            views.push(View { role, purpose, seen });
        }
        let asked = views.len() * row.len();
        let refused =
            views.iter().flat_map(|view| &view.seen).filter(|seen| seen.is_none()).count();
        let said = format!("{asked} values asked for under purposes, {refused} refused");
        self.end(begun, "detokenize", said);
        Ok(views)
    }

    /// The report; returns its certificate.
    async fn report(&mut self, run: RunId) -> Result<Value, Failure> {
        let begun = self.begin("report");
        let run = run.to_string();
        let (page, data) = (self.folder.name(REPORT), self.folder.name(REPORT_DATA));
        self.done(STEWARD, &["report", &run, "--output", &page, "--close"]).await?;
        self.done(STEWARD, &["report", &run, "--format", "json", "--output", &data]).await?;
        let report: Value =
            serde_json::from_slice(&std::fs::read(data)?).map_err(Failure::failed)?;
        let certificate = report["certificate"].clone();
        let word = certificate["word"].as_str().ok_or_else(|| unsaid("certificate"))?;
        self.end(begun, "report", format!("{word}, on one page"));
        Ok(certificate)
    }

    /// The ledger, exported and checked twice.
    async fn ledger(&mut self, fingerprint: &str) -> Result<Ledger, Failure> {
        let begun = self.begin("ledger");
        let export = self.folder.name(EXPORT);
        self.done("dave", &["ledger", "export", "--output", &export]).await?;
        let typed = ["ledger", "verify", &export, "--key", fingerprint];
        let entries = self.done("dave", &typed).await?.number("/size")?;
        let python_agrees = python(&export, fingerprint);
        let said = format!(
            "{} entries, consistent{}",
            grouped(entries),
            match python_agrees {
                Some(true) => "; its verifier in Python agrees",
                Some(false) => "; its verifier in Python does not agree",
                None => "",
            }
        );
        self.end(begun, "ledger", said);
        if python_agrees == Some(false) {
            return Err(Failure::finding("the two verifiers of the ledger do not agree")
                .hint(format!("python3 {0}/verify.py {0}", shell_word(&export))));
        }
        Ok(Ledger { entries, fingerprint: fingerprint.to_owned(), python_agrees })
    }

    /// How long the passes took, as they put it on the ledger, beside what the plan had said.
    async fn passes(&self, worked: &Worked) -> Result<Vec<Pass>, Failure> {
        let vault = SqliteVault::open(&self.folder.url(VAULT)).await?;
        let entries = vault.ledger_of(worked.run).await?;
        vault.close().await;
        PASSES
            .into_iter()
            .map(|(name, action, estimate)| {
                let entry = entries.iter().rfind(|entry| entry.action == action);
                let took = entry.and_then(|entry| entry.counts.get("took_ms"));
                let took = *took.ok_or_else(|| unsaid(action))?;
                let estimated =
                    worked.estimate[estimate].as_u64().ok_or_else(|| unsaid(estimate))?;
                let seconds = |ms: u64| Duration::from_millis(ms).as_secs_f64();
                let (seconds, estimated_seconds) = (seconds(took), seconds(estimated));
                Ok(Pass { name, seconds, estimated_seconds })
            })
            .collect()
    }

    fn begin(&self, name: &str) -> Instant {
        self.watch.open(name);
        Instant::now()
    }

    fn end(&mut self, begun: Instant, name: &'static str, said: String) {
        self.watch.close();
        let took = begun.elapsed().as_secs_f64();
        let step = Step { name, said, seconds: took };
        for line in step_lines(&step, self.options.columns) {
            self.out.line(line);
        }
        self.steps.push(step);
    }

    /// Does what somebody would have typed, and wants it done.
    async fn done(&self, caller: &str, typed: &[&str]) -> Result<Said, Failure> {
        let said = self.verb(caller, typed).await?;
        if said.outcome == Outcome::Done {
            return Ok(said);
        }
        let verb = typed.first().copied().unwrap_or_default();
        let mut failure = Failure::failed(format!("`{verb}` did not end well"))
            .hint("`--verbose` shows what it said");
        failure.outcome = said.outcome;
        Err(failure)
    }

    /// Does what somebody would have typed.
    async fn verb(&self, caller: &str, typed: &[&str]) -> Result<Said, Failure> {
        let (vault, source) = (self.folder.url(VAULT), self.folder.url(SOURCE));
        let (secret, credential) = (self.folder.name(SECRET), self.folder.credential(caller));
        let mut all =
            vec!["sealift", "--vault", &vault, "--source", &source, "--passphrase-file", &secret];
        if typed.first() != Some(&"init") {
            all.extend(["--as-file", &credential]);
        }
        all.extend_from_slice(typed);
        let args = Args::try_parse_from(all).map_err(Failure::failed)?;
        let outcome = Box::pin(run_captured(args, &self.capture)).await;
        let heard = self.capture.take();
        if self.options.verbose {
            let words: Vec<String> = typed.iter().map(|word| shell_word(word)).collect();
            self.out.line(format!("    {caller}$ sealift {}", words.join(" ")));
            for line in heard.lines {
                self.out.line(format!("      {line}"));
            }
        }
        Ok(Said { outcome: outcome?, objects: heard.objects })
    }
}

impl Said {
    /// What the last object has at this place.
    fn at(&self, place: &str) -> Option<&Value> {
        self.objects.last()?.pointer(place)
    }

    fn number(&self, place: &str) -> Result<u64, Failure> {
        self.at(place).and_then(Value::as_u64).ok_or_else(|| unsaid(place))
    }

    fn text(&self, place: &str) -> Result<String, Failure> {
        let text = self.at(place).and_then(Value::as_str);
        text.map(str::to_owned).ok_or_else(|| unsaid(place))
    }

    fn list(&self, place: &str) -> Result<&Vec<Value>, Failure> {
        self.at(place).and_then(Value::as_array).ok_or_else(|| unsaid(place))
    }
}

fn number(object: &Value, place: &str) -> Result<u64, Failure> {
    object.pointer(place).and_then(Value::as_u64).ok_or_else(|| unsaid(place))
}

/// A verb did not say what the tour is to show: nothing is shown in its place.
fn unsaid(place: &str) -> Failure {
    Failure::failed(format!("a verb said nothing of `{place}`"))
}

fn rows(counts: &Counts) -> BTreeMap<&'static str, u64> {
    BTreeMap::from([
        ("cards", counts.cards),
        ("customers", counts.customers),
        ("customers_history", counts.history),
        ("notes", counts.notes),
        ("orders", counts.orders),
    ])
}

/// Has the export checked by the verifier that shares no code with this program, where Python is.
fn python(export: &str, fingerprint: &str) -> Option<bool> {
    let verifier = std::path::Path::new(export).join("verify.py");
    let typed = [export, "--key", fingerprint];
    let checked = Command::new("python3").arg(verifier).args(typed).output().ok()?;
    Some(checked.status.success())
}

//! The guided tour: an invented database goes through its whole life, by the same verbs that are
//! typed. It prints only what it measured.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Parser;

use crate::cli::{Args, Failure, Outcome, Output};
use crate::synth::{Shape, people_at};

const POLICY: &str = r#"# What the tour tokenises. See policies/ for worked examples.
[source]
name = "demo"

[[column]]
name   = "customers.name"
class  = "identity"
token  = "keyed"
waive  = ["low_entropy"]

[[column]]
name   = "customers.email"
class  = "contact"
domain = "email"
token  = "keyed"

[[column]]
name   = "customers.phone"
class  = "contact"
token  = "keyed"

[[column]]
name   = "orders.customer_email"
class  = "contact"
domain = "email"
token  = "keyed"
waive  = ["low_entropy"]

[[column]]
name   = "cards.pan"
class  = "payment"
token  = "random"

[[purpose]]
name  = "support_case"
roles = ["support"]
show  = { contact = "plain", identity = "masked", payment = "last4" }

[[check]]
name   = "orders still join"
sql    = "select count(*) from orders join customers on customers.email = orders.customer_email"
expect = "unchanged"
"#;

/// Goes through the whole life of a run.
///
/// # Errors
///
/// [`Failure`] of the first verb that does not end well.
pub async fn tour(out: &Output, keep: Option<PathBuf>, customers: u32) -> Result<Outcome, Failure> {
    let begun = Instant::now();
    let kept = keep.is_some();
    let dir = keep.unwrap_or_else(|| {
        std::env::temp_dir().join(format!("sealift-demo-{}", std::process::id()))
    });
    if dir.exists() {
        return Err(Failure::failed(format!("`{}` is there already", dir.display()))
            .hint("name another folder with --keep, or remove it"));
    }
    std::fs::create_dir_all(&dir)?;
    let toured = Tour { out, dir: dir.clone() }.run(customers).await;
    if !kept {
        let _ = std::fs::remove_dir_all(&dir);
    }
    toured?;
    out.line(format!("The whole tour took {:.1} s.", begun.elapsed().as_secs_f64()));
    if kept {
        out.line(format!("Everything is in {}; the passphrase is `demo only`.", dir.display()));
    } else {
        out.next(
            "you",
            "sealift demo --keep DIR   (leaves database, vault, ledger and report there)",
        );
    }
    Ok(Outcome::Done)
}

struct Tour<'t> {
    out: &'t Output,
    dir: PathBuf,
}

impl Tour<'_> {
    async fn run(&self, customers: u32) -> Result<(), Failure> {
        let source = self.file("shop.db");
        self.out.heading("1. An invented shop");
        let shape = Shape { customers: u64::from(customers), seed: 7 };
        let counts = people_at(&source, shape).await.map_err(Failure::failed)?;
        self.out.line(format!("   {counts:?}"));
        self.show(&source, "before").await?;
        let dir = toml::Value::String(self.name("backup"));
        std::fs::write(self.file("shop.toml"), format!("{POLICY}\n[backup]\ndir = {dir}\n"))?;
        std::fs::write(self.file("passphrase"), "demo only\n")?;
        self.out.heading("2. A vault, a steward, an approver, somebody in support");
        self.verb(
            "alice",
            &[
                "init",
                "--caller",
                "alice",
                "--credential-file",
                &self.name("alice.key"),
                "--recovery-file",
                &self.name("recovery.txt"),
                "--kdf-memory-mib",
                "64",
                "--kdf-passes",
                "3",
            ],
        )
        .await?;
        for (name, role) in [("bob", "approver"), ("carol", "support")] {
            let file = self.name(&format!("{name}.key"));
            self.verb(
                "alice",
                &["caller", "add", name, "--role", role, "--credential-file", &file],
            )
            .await?;
        }
        self.out.heading("3. Plan, approve, run: back up, seal, rewrite, verify");
        self.verb("alice", &["plan", "--policy", &self.name("shop.toml")]).await?;
        self.verb("bob", &["approve"]).await?;
        self.verb("alice", &["run"]).await?;
        self.show(&source, "after").await?;
        self.out.heading("4. Approve the purge, purge");
        let run = self.run_id().await?;
        self.verb("bob", &["approve", &run, "--purge"]).await?;
        self.verb(
            "alice",
            &["keys", "slot", "check", "--recovery-file", &self.name("recovery.txt")],
        )
        .await?;
        self.verb("alice", &["purge", &run, "--confirm", &run]).await?;
        self.out.heading("5. What support sees, under its purpose");
        let tokens = self.tokens(&source).await?;
        let mut typed = vec!["detokenize", "--purpose", "support_case", "--reason", "case 4711"];
        typed.extend(tokens.iter().map(String::as_str));
        self.verb("carol", &typed).await?;
        self.out.heading("6. The report, and the ledger for an auditor");
        self.verb("alice", &["report", &run, "--output", &self.name("report.html"), "--close"])
            .await?;
        self.verb("alice", &["ledger", "export", "--output", &self.name("ledger")]).await?;
        self.verb("alice", &["ledger", "verify", &self.name("ledger")]).await
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn name(&self, name: &str) -> String {
        self.file(name).display().to_string()
    }

    /// Does what somebody would have typed.
    async fn verb(&self, caller: &str, typed: &[&str]) -> Result<(), Failure> {
        self.out.line(format!("   $ sealift {}", typed.join(" ")));
        let vault = format!("sqlite:{}", self.name("vault.db"));
        let source = format!("sqlite:{}", self.name("shop.db"));
        let (passphrase, credential) =
            (self.name("passphrase"), self.name(&format!("{caller}.key")));
        let mut all = vec![
            "sealift",
            "--vault",
            &vault,
            "--source",
            &source,
            "--passphrase-file",
            &passphrase,
        ];
        if typed.first() != Some(&"init") {
            all.extend(["--as-file", &credential]);
        }
        all.extend_from_slice(typed);
        let args = Args::try_parse_from(all).map_err(Failure::failed)?;
        Box::pin(crate::cli::run(args)).await.map(|_| ())
    }

    /// The first customer's row, as the database has it.
    async fn show(&self, source: &Path, when: &str) -> Result<(), Failure> {
        let row = self.first_row(source).await?;
        self.out.line(format!("   a row {when}:  {}", row.join("  |  ")));
        Ok(())
    }

    async fn first_row(&self, source: &Path) -> Result<Vec<String>, Failure> {
        use sqlx::{Connection, Row};
        let mut connection = sqlx::sqlite::SqliteConnection::connect_with(
            &sqlx::sqlite::SqliteConnectOptions::new().filename(source).read_only(true),
        )
        .await
        .map_err(Failure::failed)?;
        let row = sqlx::query(
            "SELECT c.name, c.email, c.phone, k.pan FROM customers AS c
             JOIN cards AS k ON k.customer_id = c.id ORDER BY c.id LIMIT 1",
        )
        .fetch_one(&mut connection)
        .await
        .map_err(Failure::failed)?;
        let cells = (0..4).map(|at| row.get::<String, _>(at)).collect();
        connection.close().await.map_err(Failure::failed)?;
        Ok(cells)
    }

    async fn tokens(&self, source: &Path) -> Result<Vec<String>, Failure> {
        self.first_row(source).await
    }

    /// The only run of the tour's vault.
    async fn run_id(&self) -> Result<String, Failure> {
        use crate::ports::Vault;
        let url = format!("sqlite:{}", self.name("vault.db"));
        let vault = crate::engine::sqlite::vault::SqliteVault::open(&url).await?;
        let runs = vault.runs().await?;
        runs.first()
            .map(|row| row.run.to_string())
            .ok_or_else(|| Failure::failed("the tour planned no run"))
    }
}

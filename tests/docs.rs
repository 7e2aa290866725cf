//! What the README shows is run, line for line, with the real program.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const README: &str = include_str!("../README.md");

/// The one block of the README that is marked as tested and in this language.
fn tested(language: &str) -> String {
    block(&format!("{language} tested"))
}

/// The one block of the README that begins with these words.
fn block(words: &str) -> String {
    let begin = format!("```{words}\n");
    let mut blocks = README.split(begin.as_str()).skip(1);
    let block = blocks.next().unwrap_or_else(|| panic!("no block is marked `{words}`"));
    assert!(blocks.next().is_none(), "more than one block is marked `{words}`");
    block.split("\n```").next().unwrap().to_owned()
}

/// Makes the database of the session.
async fn make(path: &Path, sql: &str) {
    use sqlx::Connection;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = sqlx::sqlite::SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn first_column(path: &Path, sql: &'static str) -> Vec<Option<String>> {
    use sqlx::Connection;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).read_only(true);
    let mut connection = sqlx::sqlite::SqliteConnection::connect_with(&options).await.unwrap();
    let rows = sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    rows
}

/// Runs lines as somebody would type them, in a folder where `sealift` is on the path.
fn typed(dir: &Path, lines: &str) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_sealift"));
    let path = std::env::var("PATH").unwrap_or_default();
    Command::new("sh")
        .args(["-eu", "-c", lines])
        .current_dir(dir)
        .env("PATH", format!("{}:{path}", program.parent().unwrap().display()))
        .env_remove("SEALIFT_LOG")
        .output()
        .unwrap()
}

#[tokio::test]
async fn the_session_of_the_readme_does_what_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("crm.db");
    make(&source, &tested("sql")).await;
    fs::write(dir.path().join("crm.toml"), tested("toml")).unwrap();

    let done = typed(dir.path(), &tested("sh"));
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "exit {:?}\n{out}\n{err}", done.status.code());

    // Support saw the address again, and nobody else did.
    let opened = out.lines().filter(|line| *line == "alice@example.com").count();
    assert_eq!(opened, 1, "{out}");
    assert!(!err.contains("@example.com"), "{err}");

    // The rows hold tokens, NULL stayed NULL, and equal addresses still join.
    let emails = first_column(&source, "SELECT email FROM customers ORDER BY id").await;
    assert_eq!(emails[2], None);
    let token = fs::read_to_string(dir.path().join("token.txt")).unwrap();
    assert_eq!(emails[0].as_deref(), Some(token.trim()));
    let orders = first_column(&source, "SELECT email FROM orders ORDER BY id").await;
    assert_eq!([&orders[0], &orders[1], &orders[2]], [&emails[0], &emails[0], &emails[1]]);

    // The originals are gone from the files, and the page and the ledger hold none.
    let mut looked_at = 0;
    for folder in [dir.path().to_owned(), dir.path().join("ledger")] {
        for entry in fs::read_dir(folder).unwrap() {
            let file = entry.unwrap().path();
            if file.is_dir() || file.extension().is_some_and(|end| end == "toml") {
                continue;
            }
            let bytes = fs::read(&file).unwrap();
            let found = bytes.windows(17).any(|window| window == b"alice@example.com");
            assert!(!found, "{} holds an original", file.display());
            looked_at += 1;
        }
    }
    assert!(looked_at > 8, "{looked_at} files");
}

/// Somebody who knows only the README: their own file goes in, and comes back as it was.
#[test]
fn the_ten_commands_lead_in_and_back() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("mydata.db");
    let shape = sealift::synth::Shape { customers: 300, seed: 11 };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(sealift::synth::people_at(&source, shape)).unwrap();
    let before = crate::support::dump(&source);

    let lines = block("sh tour");
    let commands = lines.lines().filter(|line| line.contains("sealift ")).count();
    assert_eq!(commands, 10);
    let done = typed(dir.path(), &lines);
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "exit {:?}\n{out}\n{err}", done.status.code());

    assert!(out.contains("is `verified`"), "{out}");
    assert!(dir.path().join("plan.html").is_file() && dir.path().join("report.html").is_file());
    assert_eq!(crate::support::dump(&source), before);
    let sql = "SELECT email FROM customers ORDER BY id LIMIT 1";
    let addresses = runtime.block_on(first_column(&source, sql));
    let address = addresses[0].as_deref().unwrap();
    for page in ["plan.html", "report.html", "policy.toml"] {
        assert!(!fs::read_to_string(dir.path().join(page)).unwrap().contains(address), "{page}");
    }
    assert!(!out.contains(address) && !err.contains(address), "an original was printed");
}

#[test]
fn the_exit_codes_of_the_readme_are_those_of_the_program() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(typed(dir.path(), "sealift --help").status.code(), Some(0));
    assert_eq!(typed(dir.path(), "sealift no-such-verb").status.code(), Some(2));
    assert_eq!(typed(dir.path(), "sealift status").status.code(), Some(2));
    let help = typed(dir.path(), "sealift --help");
    let help = String::from_utf8_lossy(&help.stdout);
    for code in 0..=3 {
        assert!(README.contains(&format!("| {code} | ")), "{code}");
        assert!(help.contains(&format!("  {code}  ")), "{code}");
    }
}

/// A link to a page that is not there helps nobody.
#[test]
fn every_link_of_the_pages_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = vec!["README.md".to_owned(), "CHANGELOG.md".to_owned()];
    for dir in ["docs", "policies", "vault-schema", "src"] {
        for entry in fs::read_dir(root.join(dir)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "md") {
                pages.push(path.strip_prefix(root).unwrap().display().to_string());
            }
        }
    }
    let mut broken = Vec::new();
    for page in pages {
        let text = fs::read_to_string(root.join(&page)).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap();
            if path.is_empty() || link.contains("://") || path.contains(' ') {
                continue;
            }
            if !root.join(&page).parent().unwrap().join(path).exists() {
                broken.push(format!("{page}: {link}"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[tokio::test]
async fn the_commands_of_the_recovery_page_bring_a_lost_vault_back() {
    let dir = tempfile::tempdir().unwrap();
    make(&dir.path().join("crm.db"), &tested("sql")).await;
    fs::write(dir.path().join("crm.toml"), tested("toml")).unwrap();
    // The session up to the point where the run is verified.
    let session = tested("sh");
    let (before, _) = session.split_once("--purge").unwrap();
    let before: Vec<&str> = before.lines().collect();
    let before = before[..before.len() - 1].join("\n");
    let page: String = include_str!("../docs/RECOVERY.md")
        .split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();

    let done = typed(dir.path(), &format!("{before}\n{page}"));

    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "exit {:?}\n{out}\n{err}", done.status.code());
    assert!(out.contains("the vault is back"), "{out}");
}

/// The lines of a page's block that is marked with this word.
fn marked(page: &str, word: &str) -> String {
    let begin = format!("<!-- tested: {word} -->\n```sh\n");
    let (_, rest) = page.split_once(begin.as_str()).unwrap_or_else(|| panic!("`{word}`"));
    rest.split("```").next().unwrap().to_owned()
}

#[tokio::test]
async fn the_commands_of_the_audit_page_check_what_an_operator_hands_over() {
    const PAGE: &str = include_str!("../docs/AUDIT.md");
    let dir = tempfile::tempdir().unwrap();
    make(&dir.path().join("crm.db"), &tested("sql")).await;
    fs::write(dir.path().join("crm.toml"), tested("toml")).unwrap();
    let handed_over = "cp ledger/checkpoint.txt kept.txt
        sealift report \"$RUN\" --output report.html --issue
        sealift report \"$RUN\" --output report.json --issue
        sealift report --all --output period.html --issue
        sealift ledger export --output ledger
        FINGERPRINT=$(sealift --format json ledger verify ledger | grep -o '[0-9a-f]\\{64\\}' | head -1)
        unset SEALIFT_VAULT SEALIFT_SOURCE SEALIFT_PASSPHRASE SEALIFT_CREDENTIAL_FILE";
    let lines = [&tested("sh"), handed_over, &marked(PAGE, "python"), &marked(PAGE, "sealift")];

    let done = typed(dir.path(), &lines.map(str::to_owned).join("\n"));

    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "exit {:?}\n{out}\n{err}", done.status.code());
    assert_eq!(out.matches("it was issued by").count(), 3, "{out}");
    assert!(out.matches("\nconsistent: ").count() >= 8, "{out}");
}

#[tokio::test]
async fn the_jobs_of_the_pipeline_end_with_the_codes_that_the_page_says() {
    const PAGE: &str = include_str!("../docs/CI.md");
    let dir = tempfile::tempdir().unwrap();
    make(&dir.path().join("crm.db"), &tested("sql")).await;
    fs::write(dir.path().join("crm.toml"), tested("toml")).unwrap();
    let secrets = "export SEALIFT_VAULT=sqlite:vault.db SEALIFT_SOURCE=sqlite:crm.db
        export SEALIFT_PASSPHRASE='an invented passphrase' SEALIFT_CREDENTIAL_FILE=alice.key\n";
    let job = |word: &str| {
        let done = typed(dir.path(), &format!("{secrets}{}", marked(PAGE, word)));
        (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    let once = |lines: &str| {
        let done = typed(dir.path(), &format!("{secrets}{lines}"));
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    once(
        "sealift init --caller alice --credential-file alice.key --recovery-file recovery.txt \\
             --kdf-memory-mib 64 --kdf-passes 3
         sealift caller add bob --role approver --credential-file bob.key",
    );

    // The policy of the README leaves the names of customers out, and the first job says so.
    assert_eq!(job("look").0, Some(1));
    let covered =
        "\n[[column]]\nname  = \"customers.name\"\nclass = \"identity\"\ntoken = \"keyed\"\n";
    fs::write(dir.path().join("crm.toml"), tested("toml") + covered).unwrap();
    assert_eq!(job("look").0, Some(0), "{}", job("look").1);
    assert_eq!(job("plan").0, Some(0));
    let rehearsed = job("rehearse");
    assert_eq!(rehearsed.0, Some(0), "{}", rehearsed.1);
    assert_eq!(job("run").0, Some(3), "nobody has approved it");
    once("SEALIFT_CREDENTIAL_FILE=bob.key sealift approve");
    let run = job("run");
    assert_eq!(run.0, Some(0), "{}", run.1);
    let report = job("report");
    assert_eq!(report.0, Some(0), "{}", report.1);
    once("test -s plan.html; test -s report.html; test -s ledger/verify.py");
}

#[tokio::test]
async fn the_commands_of_the_rehearsal_page_try_a_run_and_leave_nothing() {
    const PAGE: &str = include_str!("../docs/REHEARSAL.md");
    let dir = tempfile::tempdir().unwrap();
    make(&dir.path().join("crm.db"), &tested("sql")).await;
    fs::write(dir.path().join("crm.toml"), tested("toml")).unwrap();
    let session = tested("sh");
    let (before, _) = session.split_once("sealift plan ").unwrap();

    let done = typed(dir.path(), &format!("{before}\n{}", marked(PAGE, "rehearse")));

    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "exit {:?}\n{out}\n{err}", done.status.code());
    assert_eq!(out.matches("every original was back").count(), 2, "{out}");
    assert!(out.contains("rehearsed ") && out.contains("it held"), "{out}");
    assert!(!dir.path().join("sealift-backup").exists());
}

#[test]
fn the_notify_file_of_the_alerts_page_is_understood_and_every_kind_is_listed() {
    const PAGE: &str = include_str!("../docs/ALERTS.md");
    let (_, rest) = PAGE.split_once("```toml\n").unwrap();
    let config = sealift::alert::NotifyConfig::parse(rest.split("```").next().unwrap()).unwrap();
    assert_eq!((config.hooks.len(), config.anchors.len()), (2, 1));
    for kind in sealift::alert::AlertKind::ALL {
        assert!(PAGE.contains(&format!("| `{}` |", kind.name())), "{}", kind.name());
    }
}

/// Each metric that the dashboard asks for is one that the service has.
#[test]
fn the_dashboard_asks_for_metrics_that_there_are() {
    let board = include_str!("../docs/dashboards/service.json");
    let metrics = include_str!("../src/api/metrics.rs");
    let parsed: serde_json::Value = serde_json::from_str(board).unwrap();
    let mut asked = 0;
    for panel in parsed["panels"].as_array().unwrap() {
        let query = panel["targets"][0]["expr"].as_str().unwrap();
        for word in query.split(|c: char| !c.is_ascii_lowercase() && c != '_') {
            let Some(name) = word.strip_prefix("sealift_") else { continue };
            let name = name.trim_end_matches("_total").trim_end_matches("_bucket");
            assert!(metrics.contains(&format!("registry.register(\"{name}\"")), "{name}");
            asked += 1;
        }
    }
    assert_eq!(asked, 4);
}

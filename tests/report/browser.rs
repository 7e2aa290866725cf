//! The report in a real browser, from the disk and with the network off.

use std::path::{Path, PathBuf};
use std::process::Command;

use sealift::report::{PeriodReport, Report};
use serde_json::Value;

use super::fixture::{closed, planned};
use super::quarter::quarter;

/// The version of axe-core that finds what a screen reader would stumble over.
const AXE: &str = "axe-core@4.11.0";

/// The page as it stands when its script is done.
fn shown(page: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.html");
    std::fs::write(&file, page).unwrap();
    let output = Command::new("chromium")
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=30000"])
        .arg("--host-resolver-rules=MAP * ~NOTFOUND")
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .arg("--dump-dom")
        .arg(format!("file://{}", file.display()))
        .output()
        .expect("chromium is there; tests/all.sh installs it");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What the page's own checks came to, and their words.
fn checks(page: &str) -> Vec<(String, String)> {
    let dom = shown(page);
    assert!(dom.contains("data-done=\"yes\""), "the script did not come to its end");
    let lines = dom.split("<li data-state=\"").skip(1).map(|rest| {
        let (state, rest) = rest.split_once('"').unwrap();
        (state.to_owned(), rest.split("</li>").next().unwrap().to_owned())
    });
    lines.collect()
}

fn states(page: &str) -> Vec<String> {
    checks(page).into_iter().map(|(state, _)| state).collect()
}

#[test]
#[ignore = "needs chromium; tests/all.sh installs it"]
fn a_page_checks_its_own_proofs_from_the_disk() {
    let states = states(&Report::of(&closed()).to_html());
    assert_eq!(states, ["good", "good", "good", "good", "good", "good", "good", "quiet"]);
}

#[test]
#[ignore = "needs chromium; tests/all.sh installs it"]
fn a_page_over_a_period_makes_its_sums_again_from_the_disk() {
    let page = PeriodReport::of(&quarter()).to_html();
    let found = checks(&page);
    let shown: Vec<&str> = found.iter().map(|(state, _)| state.as_str()).collect();
    let mut expected = vec!["good"; 10];
    expected.push("quiet");
    assert_eq!(shown, expected, "{found:#?}");
    for (from, to, at) in [
        (
            "\"source\": \"crm\",\n      \"phase\": \"closed\"",
            "\"source\": \"crm\",\n      \"phase\": \"purged\"",
            4,
        ),
        ("\"restored\": 23410", "\"restored\": 23411", 4),
        (
            "\"counted\": 2,\n    \"reconciles\": true,\n    \"rows\": 48000",
            "\"counted\": 2,\n    \"reconciles\": true,\n    \"rows\": 1",
            5,
        ),
        ("\"begin\": 1", "\"begin\": 2", 6),
        (
            "\"action\": \"heartbeat\",\n        \"entries\": 4",
            "\"action\": \"heartbeat\",\n        \"entries\": 3",
            7,
        ),
        ("\"refused\": 1", "\"refused\": 0", 8),
        ("\"asked\": 1247", "\"asked\": 1", 8),
    ] {
        let begin = page.find("id=\"report\">").unwrap();
        let found = page[begin..].find(from).unwrap_or_else(|| panic!("{from}")) + begin;
        let changed = format!("{}{to}{}", &page[..found], &page[found + from.len()..]);
        let states = states(&changed);
        assert_eq!(states[at], "bad", "{from}: {states:?}");
    }
}

#[test]
#[ignore = "needs chromium; tests/all.sh installs it"]
fn a_page_whose_data_or_words_were_changed_says_so() {
    let page = Report::of(&closed()).to_html();
    for (from, to, at) in [
        ("\\\"actor\\\":\\\"bob\\\"", "\\\"actor\\\":\\\"rob\\\"", 0),
        ("\\n22\\n", "\\n21\\n", 1),
        ("\"size\": 22", "\"size\": 21", 3),
        ("\"actor\": \"bob\"", "\"actor\": \"rob\"", 4),
        ("\"cells\": 23410", "\"cells\": 23411", 5),
        ("data-at=\"/summary/figures/0/number\">", "data-at=\"/summary/figures/0/number\">9", 6),
    ] {
        // The data stands behind the words of the page; a change of the words comes first.
        let begin = match at {
            6 => 0,
            1 => page.find("\"schema\": \"sealift/proof/1\"").unwrap(),
            _ => page.find("id=\"report\">").unwrap(),
        };
        let found = page[begin..].find(from).unwrap_or_else(|| panic!("{from}")) + begin;
        let changed = format!("{}{to}{}", &page[..found], &page[found + from.len()..]);
        let states = states(&changed);
        assert_eq!(states[at], "bad", "{from}: {states:?}");
    }
}

/// The proofs were made for one checkpoint; the page shows another, or shows none of them.
#[test]
#[ignore = "needs chromium; tests/all.sh installs it"]
fn a_page_that_shows_a_checkpoint_that_its_proofs_do_not_have_says_so() {
    let mut report = Report::of(&closed());
    report.header.checkpoint.as_mut().unwrap().note.push_str("\u{2014} another one AAAAAAA=\n");
    let found = states(&report.to_html());
    assert_eq!((found[1].as_str(), found[3].as_str()), ("good", "bad"), "{found:?}");
    report.proofs = None;
    assert_eq!(states(&report.to_html()), ["bad"]);
}

#[test]
#[ignore = "needs chromium; tests/all.sh installs it"]
fn a_page_of_a_run_that_was_never_signed_says_that_there_is_nothing_to_check() {
    assert_eq!(states(&Report::of(&planned()).to_html()), ["quiet"]);
}

/// `axe.min.js`, by the package manager of its makers.
fn axe() -> String {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("axe");
    let script = folder.join("node_modules/axe-core/axe.min.js");
    if !Path::new(&script).exists() {
        let installed = Command::new("npm")
            .args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"])
            .arg(&folder)
            .arg(AXE)
            .output()
            .expect("npm is there; tests/all.sh installs it");
        assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    }
    std::fs::read_to_string(script).unwrap()
}

#[test]
#[ignore = "needs chromium and npm; tests/all.sh installs them"]
fn axe_finds_nothing_serious_in_a_page() {
    let axe = axe();
    for (name, page) in [
        ("closed", Report::of(&closed()).to_html()),
        ("planned", Report::of(&planned()).to_html()),
        ("quarter", PeriodReport::of(&quarter()).to_html()),
    ] {
        for scheme in ["light", "dark"] {
            // The page forbids any script but its own: for the trial it does not.
            let page = page.replace("http-equiv=\"Content-Security-Policy\"", "name=\"was\"");
            let page = match scheme {
                "dark" => page.replace("(prefers-color-scheme: dark)", "screen"),
                _ => page,
            };
            let run = "axe.run({resultTypes: ['violations']}).then((found) => {
                const out = document.createElement('script');
                out.type = 'application/json'; out.id = 'axe';
                out.textContent = JSON.stringify(found.violations.map((it) =>
                    ({id: it.id, impact: it.impact, at: it.nodes.map((node) => node.html).slice(0, 3)})));
                document.body.append(out); });";
            let page = page.replace(
                "</body>",
                &format!(
                    "<script>{}</script><script>{run}</script></body>",
                    axe.replace("</body>", "")
                ),
            );
            let dom = shown(&page);
            let (_, rest) = dom.split_once("id=\"axe\">").expect("axe came to its end");
            let found: Vec<Value> =
                serde_json::from_str(rest.split("</script>").next().unwrap()).unwrap();
            let serious: Vec<&Value> = found
                .iter()
                .filter(|it| it["impact"] == "serious" || it["impact"] == "critical")
                .collect();
            assert!(serious.is_empty(), "{name}, {scheme}: {serious:#?}");
        }
    }
}

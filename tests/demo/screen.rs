//! The last screen, drawn from given figures, letter for letter.
//!
//! `SEALIFT_GOLDEN=write cargo test --test it demo::screen` writes the goldens anew.

use std::collections::BTreeMap;
use std::path::Path;

use sealift::demo::{
    Field, Kept, Ledger, Measured, Next, Originals, Pass, Scanned, Step, View, screen,
};

fn field(name: &'static str, before: &str, after: &str) -> Field {
    Field { name, before: before.to_owned(), after: after.to_owned() }
}

fn view(role: &'static str, purpose: &'static str, seen: [Option<&str>; 4]) -> View {
    View { role, purpose, seen: seen.into_iter().map(|seen| seen.map(str::to_owned)).collect() }
}

fn pass(name: &'static str, seconds: f64, estimated_seconds: f64) -> Pass {
    Pass { name, seconds, estimated_seconds }
}

fn measured() -> Measured {
    Measured {
        customers: 100_000,
        seed: 7,
        rows: BTreeMap::from([("customers", 100_000), ("orders", 149_838)]),
        database_bytes: 50 << 20,
        run: "35445ac9".to_owned(),
        columns: 15,
        cells: 1_021_499,
        row: vec![
            field("name", "Zoë Weiß", "slr003_mgq6wh4e77asfx10mek6htnscg5r"),
            field("email", "zoe.weiss4@example.com", "slk001_w14ksw1dth64ey8047fs567zc0h4"),
            field("phone", "+49 (0)30 23125892", "slk002_carxbqpfq1bjat0ftb9jg3pt3493"),
            field("card", "9999750027032253", "slr006_5deca232gsayvgks0531kdvnpcwv"),
        ],
        views: vec![
            view(
                "support",
                "support_case",
                [
                    Some("Z*******"),
                    Some("zoe.weiss4@example.com"),
                    Some("+49 (0)30 23125892"),
                    Some("************2253"),
                ],
            ),
            view(
                "fraud",
                "fraud_review",
                [
                    Some("Zoë Weiß"),
                    Some("zoe.weiss4@example.com"),
                    Some("+49 (0)30 23125892"),
                    Some("9999750027032253"),
                ],
            ),
            view("marketing", "support_case", [None; 4]),
        ],
        originals: Originals {
            before_at_least: 95_488,
            after: 0,
            values_searched: 1_021_327,
            word: "CLEAN".to_owned(),
            statement: "no original in scope is left in the files of the database".to_owned(),
        },
        scanned: Scanned { sensitive: 17, columns: 32 },
        passes: vec![
            pass("back up", 5.04, 4.9),
            pass("seal", 3.21, 3.0),
            pass("rewrite", 7.77, 9.4),
            pass("verify", 6.5, 6.5),
            pass("purge", 11.0, 12.3),
        ],
        ledger: Ledger {
            entries: 31,
            fingerprint: "e69ecc925d21001e".to_owned(),
            python_agrees: Some(true),
        },
        steps: vec![Step { name: "make", said: "rows".to_owned(), seconds: 1.4 }],
        folder: "/tmp/sealift-demo-3ae756".into(),
        folder_bytes: 150 << 20,
        files: vec![
            Kept { name: "report.html", what: "what happened, on one page" },
            Kept { name: "README.txt", what: "what else is here" },
        ],
        next: vec![Next {
            who: "Auditor",
            why: "is the ledger what was signed?",
            words: ["sealift", "ledger", "verify", "/tmp/sealift-demo-3ae756/ledger", "--key"]
                .into_iter()
                .chain(["\"$(cat /tmp/sealift-demo-3ae756/fingerprint)\""])
                .map(str::to_owned)
                .collect(),
        }],
        seconds: 34.5,
    }
}

fn compare(columns: usize, colored: bool, name: &str) {
    let drawn = screen(&measured(), columns, colored).join("\n") + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/demo").join(name);
    if std::env::var("SEALIFT_GOLDEN").is_ok_and(|wanted| wanted == "write") {
        std::fs::write(&path, &drawn).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    assert!(golden == drawn, "{name} is drawn otherwise:\n{drawn}");
}

#[test]
fn a_usual_terminal_shows_columns_side_by_side() {
    compare(80, false, "screen-80.txt");
}

#[test]
fn a_narrow_terminal_shows_them_below_each_other() {
    compare(44, false, "screen-44.txt");
}

#[test]
fn colour_changes_no_letter() {
    let plain = screen(&measured(), 80, false).join("\n");
    let colored = screen(&measured(), 80, true).join("\n");
    assert_ne!(plain, colored);
    assert_eq!(plain, anstream::adapter::strip_str(&colored).to_string());
}

#[test]
fn a_wider_terminal_gets_no_longer_lines() {
    assert_eq!(screen(&measured(), 80, false), screen(&measured(), 300, false));
}

#[test]
fn a_zero_is_not_green_unless_the_certificate_says_clean() {
    let mut limited = measured();
    limited.originals.word = "PURGED, WITH LIMITS".to_owned();
    let green = anstyle::Style::new().fg_color(Some(anstyle::AnsiColor::Green.into())).bold();
    let is_green = |measured: &Measured| {
        screen(measured, 80, true).iter().any(|line| line.contains(&green.to_string()))
    };
    assert!(is_green(&measured()));
    assert!(!is_green(&limited));
}

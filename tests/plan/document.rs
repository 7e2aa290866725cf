//! The plan as a document: complete, without originals, the same bytes for the same facts.
//!
//! The goldens beside this file are written anew by `SEALIFT_BLESS=1 cargo test --test it
//! plan::document`; read the difference before you commit it.

use std::collections::BTreeSet;
use std::path::Path;

use sealift::catalog::Catalog;
use sealift::lifecycle::RunId;
use sealift::plan::{Assessment, CopyFacts, Facts, Strategy, TouchedKind, Verdict, assess};
use sealift::policy::{ColumnName, Policy};
use sealift::report::{
    DocumentForm, DocumentState, PlanDocument, PlanFacts, PlanVerdict, Recorded, StoredDocument,
    StoredPlan, plan_digest,
};

use super::support;

const POLICY: &str = r#"
[source]
name = "crm"

[change]
purpose = "Contact data leaves the CRM"
ticket  = "CHG-4711"
owner   = "privacy office"

[[column]]
name   = "customers.email"
class  = "contact"
domain = "email"

[[column]]
name   = "orders.email"
class  = "contact"
domain = "email"

[[column]]
name   = "customers.phone"
class  = "contact"
token  = "random"

[[column]]
name   = "customers.town"
class  = "contact"
waive  = ["low_entropy"]

[backup]
retention_days = 7
"#;

const SQL: &str = r"
CREATE TABLE customers (
    id    INTEGER PRIMARY KEY,
    email TEXT NOT NULL UNIQUE CHECK (length(email) > 3),
    phone TEXT,
    town  TEXT,
    since TEXT,
    place TEXT AS (lower(town))
);
CREATE INDEX customers_by_town ON customers (town, since);
CREATE TABLE orders (id INTEGER PRIMARY KEY, email TEXT REFERENCES customers (email), total REAL);
CREATE INDEX orders_by_email ON orders (email);
CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT);
CREATE VIEW mailing AS SELECT email FROM customers;
CREATE TRIGGER seen AFTER UPDATE OF since ON customers BEGIN DELETE FROM notes WHERE id < 0; END;
CREATE TRIGGER moved AFTER UPDATE OF town ON customers BEGIN DELETE FROM notes WHERE id < 0; END;
INSERT INTO customers (id, email, phone, town, since) VALUES
    (1, 'alice@example.com', '+44 7700 900001', 'Nowhere-on-Sea', '2020'),
    (2, 'bob@example.com', NULL, 'Nowhere-on-Sea', '2021'),
    (3, 'carol@example.com', '+44 7700 900003', 'Much Imagining', '2022');
INSERT INTO orders VALUES (1, 'alice@example.com', 9.5), (2, 'alice@example.com', 3.25);
INSERT INTO notes VALUES (1, 'call alice@example.com');
";

const ORIGINALS: [&str; 8] = [
    "alice@",
    "bob@example",
    "carol@",
    "7700 900001",
    "7700 900003",
    "Nowhere-on-Sea",
    "Much Imagining",
    "call alice",
];

struct Case {
    catalog: Catalog,
    facts: Facts,
    policy: Policy,
    plan: Assessment,
}

impl Case {
    async fn of(sql: &str, policy: &str) -> Self {
        let policy = Policy::parse(policy, "crm.toml").unwrap();
        let (mut catalog, facts) = support::read(sql, &policy).await;
        // The goldens outlive a release of SQLite.
        catalog.version = "3.0.0".into();
        let plan = assess(&catalog, &policy, &facts, Strategy::InPlace);
        Self { catalog, facts, policy, plan }
    }

    fn facts(&self) -> PlanFacts<'_> {
        PlanFacts {
            tool: "sealift 0.1.0",
            place: Some("sqlite:crm.db"),
            identity: None,
            catalog: &self.catalog,
            facts: &self.facts,
            policy: &self.policy,
            plan: &self.plan,
            strategy: Strategy::InPlace,
            planned_at: "2026-03-01T09:00:00Z",
            recorded: Some(Recorded {
                run: RunId(0x7f3a_0c11),
                planned_by: "alice",
                vault: "5f0d1c2b3a49587766554433221100ff",
            }),
            is_dry_run: false,
        }
    }

    fn document(&self) -> PlanDocument {
        PlanDocument::of(&self.facts())
    }
}

async fn crm() -> Case {
    Case::of(SQL, POLICY).await
}

fn forms(document: &PlanDocument) -> [String; 3] {
    [document.to_html(), document.to_json(), document.to_text()]
}

#[track_caller]
fn compare(golden: &str, written: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plan/document").join(golden);
    if std::env::var_os("SEALIFT_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, written).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == written, "{golden} differs; SEALIFT_BLESS=1 writes it anew");
}

/// What the page says: how it looks is the report's style, which has a golden of its own.
fn without_style(page: &str) -> String {
    let (head, rest) = page.split_once("<style>").unwrap();
    let (_, body) = rest.split_once("</style>").unwrap();
    format!("{head}<style></style>{body}")
}

#[tokio::test]
async fn a_document_reads_like_this() {
    let document = crm().await.document();
    compare("plan.html", &without_style(&document.to_html()));
    compare("plan.json", &document.to_json());
    compare("plan.txt", &document.to_text());
}

#[tokio::test]
async fn equal_facts_give_equal_bytes_and_json_says_all() {
    let document = crm().await.document();
    assert_eq!(forms(&document), forms(&crm().await.document()));

    let read = PlanDocument::from_json(&document.to_json()).unwrap();
    assert_eq!(read, document);
    assert_eq!(forms(&read), forms(&document));
}

#[tokio::test]
async fn no_original_is_in_a_document() {
    for form in forms(&crm().await.document()) {
        for original in ORIGINALS {
            assert!(!form.contains(original), "`{original}` is in the document");
        }
    }
}

#[tokio::test]
async fn every_finding_stands_in_the_document() {
    let case = crm().await;
    let document = case.document();
    assert_eq!(document.findings, case.plan.findings);
    let (html, text) = (document.to_html(), document.to_text());
    let pieces = |sentence: &str| -> Vec<String> {
        // Names are set apart, and quotes are escaped: what lies between them is looked for.
        sentence.split(['`', '"', '\'', '<', '>', '&']).map(str::to_owned).collect()
    };
    let flat: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for finding in &case.plan.findings {
        for piece in pieces(&finding.fact).iter().chain(&pieces(&finding.remedy)) {
            assert!(html.contains(piece.as_str()), "`{piece}` is not on the page");
        }
        if finding.verdict != Verdict::Handled {
            assert!(flat.contains(&finding.fact), "`{}` is not in the terminal", finding.fact);
        }
    }
}

#[tokio::test]
async fn every_column_is_in_scope_or_out_of_it_with_a_reason() {
    let case = crm().await;
    let document = case.document();
    let mut told: BTreeSet<String> = BTreeSet::new();
    for column in document.scope.iter().flat_map(|table| &table.columns) {
        assert!(told.insert(column.column.clone()), "{} is told twice", column.column);
    }
    let in_scope = told.len() as u64;
    for table in &document.out_of_scope.list {
        for group in &table.groups {
            assert!(!group.reason.is_empty());
            for column in &group.columns {
                assert!(told.insert(format!("{}.{column}", table.table)), "{column} is told twice");
            }
        }
    }
    let all: BTreeSet<String> = case
        .catalog
        .tables
        .iter()
        .flat_map(|table| table.columns.iter().map(|c| format!("{}.{}", table.name, c.name)))
        .collect();
    assert_eq!(told, all);
    assert_eq!(document.out_of_scope.columns, all.len() as u64 - in_scope);
    assert_eq!(document.out_of_scope.tables, 1);
    let html = document.to_html();
    assert!(html.contains("<code>body</code>") && html.contains("not named by the policy"));
}

#[tokio::test]
async fn a_column_that_holds_copies_is_told_as_one() {
    let mut case = crm().await;
    case.facts.copies.push(CopyFacts {
        of: ColumnName::parse("customers.email").unwrap(),
        at: ColumnName::parse("notes.body").unwrap(),
        distinct: 3,
        distinct_exact: true,
        matched: 0,
        cells: 0,
        containing: 1,
        rows_read: 1,
        rows_about: Some(1),
        is_whole: true,
    });
    case.plan = assess(&case.catalog, &case.policy, &case.facts, Strategy::InPlace);
    let document = case.document();
    let pitfalls: Vec<&str> = document.copies.iter().map(|found| found.pitfall.as_str()).collect();
    assert_eq!(pitfalls, ["copies"]);
    let notes = document.out_of_scope.list.iter().find(|table| table.table == "notes").unwrap();
    assert!(notes.groups.iter().any(
        |group| group.columns == ["body"] && group.reason.contains("copies of values in scope")
    ));
    assert!(document.to_text().contains("notes.body"));
}

#[tokio::test]
async fn columns_whose_copies_cannot_be_recognised_are_a_limit() {
    let about = "copies in other forms";
    let has = |document: &PlanDocument| document.limits.iter().any(|line| line.about == about);
    assert!(!has(&crm().await.document()));

    let with_bytes = SQL.to_owned() + "CREATE TABLE scans (id INTEGER PRIMARY KEY, image BLOB);";
    let document = Case::of(&with_bytes, POLICY).await.document();
    let limit = document.limits.iter().find(|line| line.about == about).unwrap();
    assert!(limit.statement.starts_with("`scans.image`: "), "{limit:?}");
}

#[tokio::test]
async fn what_is_touched_is_named_and_said_how() {
    let document = crm().await.document();
    let names = |kind: TouchedKind| -> Vec<&str> {
        let touched = document.blast_radius.iter().filter(|touched| touched.kind == kind);
        touched.map(|touched| touched.name.as_str()).collect()
    };
    assert_eq!(names(TouchedKind::View), ["mailing"]);
    assert_eq!(names(TouchedKind::Trigger), ["seen", "moved"]);
    // The key is told with either of its tables.
    assert_eq!(names(TouchedKind::ForeignKey), ["orders.email → customers.email"; 2]);
    assert!(names(TouchedKind::Index).contains(&"customers_by_town"));
    assert!(names(TouchedKind::Index).contains(&"orders_by_email"));
    assert_eq!(names(TouchedKind::GeneratedColumn), ["customers.place"]);
    assert_eq!(names(TouchedKind::Check), ["on customers"]);
    for touched in &document.blast_radius {
        assert!(!touched.effect.is_empty() && !touched.handling.is_empty(), "{touched:?}");
    }
    let seen = document.blast_radius.iter().find(|touched| touched.name == "seen").unwrap();
    assert_eq!((seen.verdict, seen.handling.as_str()), (None, "nothing to do"));
}

#[tokio::test]
async fn what_a_signature_accepts_is_told() {
    let document = crm().await.document();
    let about: Vec<&str> = document.accepted.iter().map(|line| line.about.as_str()).collect();
    assert_eq!(about, ["customers.town", "backup", "findings"]);

    let alone = POLICY.to_owned() + "\n[approval]\nplan = 0\npurge = 0\n";
    let document = Case::of(SQL, &alone).await.document();
    let about: Vec<&str> = document.accepted.iter().map(|line| line.about.as_str()).collect();
    assert_eq!(about[..2], ["approval of the plan", "approval of the purge"]);
}

#[tokio::test]
async fn a_blocked_plan_says_so_first_and_offers_no_signature() {
    let policy = POLICY.replace("customers.phone", "customers.fax");
    let document = Case::of(SQL, &policy).await.document();
    assert_eq!(document.summary.verdict, PlanVerdict::Blocked);
    assert_eq!(document.head.state, DocumentState::Blocked);
    assert_eq!(document.missing, ["customers.fax"]);
    for form in [document.to_html(), document.to_text()] {
        assert!(form.contains("BLOCKED"));
        assert!(form.contains("nobody can sign this"));
        assert!(!form.contains("sealift approve"));
    }
}

#[tokio::test]
async fn a_dry_run_says_that_nothing_was_recorded() {
    let case = crm().await;
    let facts = PlanFacts { recorded: None, is_dry_run: true, ..case.facts() };
    let document = PlanDocument::of(&facts);
    assert_eq!(document.head.state, DocumentState::DryRun);
    for form in [document.to_html(), document.to_text()] {
        assert!(form.contains("not recorded: a dry run"));
        assert!(!form.contains("sealift approve") && !form.contains("7f3a0c11"));
    }
}

#[tokio::test]
async fn a_policy_without_a_change_says_what_is_missing() {
    let from = POLICY.find("[change]").unwrap();
    let until = POLICY.find("[[column]]").unwrap();
    let policy = format!("{}{}", &POLICY[..from], &POLICY[until..]);
    let document = Case::of(SQL, &policy).await.document();
    assert!(document.to_text().contains("not stated: `[change]` of the policy says it"));
    assert!(document.to_html().contains("<h1>Plan for"));
}

#[tokio::test]
async fn lines_of_a_terminal_have_80_columns() {
    let document = crm().await.document();
    for line in document.to_lines().iter().chain(&document.to_brief()) {
        let is_command = line.text.starts_with("      sealift ");
        assert!(line.text.chars().count() <= 80 || is_command, "{}", line.text);
    }
}

#[tokio::test]
async fn a_page_needs_no_network_and_no_script() {
    let html = crm().await.document().to_html();
    // A drawing refers to its own patterns: `url(#…)` leads nowhere else.
    let html = html.replace("url(#", "");
    for word in ["<script", "http:", "https:", "src=", "url(", "@import", "<link"] {
        assert!(!html.contains(word), "`{word}` is on the page");
    }
    assert!(html.contains("<svg class=\"map\" role=\"img\""));
    assert_eq!(html.matches("<svg").count(), html.matches("</svg>").count());
    assert_eq!(html.matches("<section").count(), html.matches("</section>").count());
}

#[tokio::test]
async fn odd_names_stay_names() {
    let sql = "CREATE TABLE \"<b>x</b>\" (id INTEGER PRIMARY KEY, \"a\u{1b}[31m\u{202e}b\" TEXT);
               INSERT INTO \"<b>x</b>\" VALUES (1, 'x');";
    let policy = "[source]\nname = \"crm\"\n[change]\npurpose = \"<i>why</i>\"\n[[column]]\n\
                  name = \"<b>x</b>.a\\u001b[31m\\u202eb\"\nclass = \"contact\"\n\
                  token = \"random\"\n";
    let document = Case::of(sql, policy).await.document();
    assert_eq!(document.summary.columns, 1);
    let (html, text) = (document.to_html(), document.to_text());
    assert!(!html.contains("<b>") && !html.contains("<i>"));
    for form in [&html, &text] {
        assert!(!form.contains('\u{1b}') && !form.contains('\u{202e}'));
        assert!(form.contains("\\u{1b}"));
    }
}

#[tokio::test]
async fn a_stored_document_knows_its_forms_and_nothing_else() {
    let document = crm().await.document();
    let kept = StoredDocument::of(&document);
    for (form, text) in [DocumentForm::Html, DocumentForm::Json, DocumentForm::Text]
        .into_iter()
        .zip(forms(&document))
    {
        assert_eq!(kept.draw(form).unwrap(), text);
        assert_eq!(kept.recognise(text.as_bytes()), Some(form));
        let altered = text.replacen("alice", "mallory", 1);
        assert_ne!(altered, text);
        assert_eq!(kept.recognise(altered.as_bytes()), None);
    }
    assert_eq!(kept.sha256(DocumentForm::Json), document.contents_sha256());
    assert!(document.to_html().contains(&document.contents_sha256()));
}

/// Each part of what is signed changes the digest, also the document's hash alone.
#[tokio::test]
async fn a_signature_covers_the_document() {
    let case = crm().await;
    let stored = |document| StoredPlan { assessment: case.plan.clone(), document };
    let kept = StoredDocument::of(&case.document());
    let one = stored(Some(kept.clone()));
    let json = serde_json::to_string(&one).unwrap();
    let digest = plan_digest("v", "crm", "p", &one, &json);

    let other = stored(Some(StoredDocument { html_sha256: "00".into(), ..kept }));
    assert_ne!(digest, plan_digest("v", "crm", "p", &other, &json));
    assert_ne!(digest, plan_digest("v", "crm", "p", &stored(None), &json));
    assert_ne!(digest, plan_digest("v", "crm", "p", &one, &json.replace("CHG-4711", "CHG-4712")));
    assert_ne!(digest, plan_digest("w", "crm", "p", &one, &json));

    // Who wants the assessment alone reads it as before there were documents.
    assert_eq!(serde_json::from_str::<Assessment>(&json).unwrap(), case.plan);
    let old = serde_json::to_string(&case.plan).unwrap();
    assert_eq!(serde_json::from_str::<StoredPlan>(&old).unwrap(), stored(None));
}

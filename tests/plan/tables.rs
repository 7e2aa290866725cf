//! Names, types and constraints of the columns themselves.

use sealift::plan::{Strategy, UnitMode, Verdict, Walk, assess, fingerprint};
use sealift::policy::{FormatShape, Normalise, TokenKind};

use super::support::{
    Plan, column, domain, format, normalise, plan, policy, read, suppressing, token,
};

const SHOP: &str = include_str!("fixtures/shop.sql");

#[tokio::test]
async fn a_plain_table_is_walked_in_ranges_of_its_key() {
    let plan = plan(SHOP, &policy(vec![column("customers.email"), column("customers.name")])).await;
    plan.is_not_blocked();
    let (unit, table) = plan.table("customers");
    assert_eq!((unit.id, unit.mode, table.rows), (0, UnitMode::Ranges, 3));
    assert_eq!(table.walk, Walk::Key(vec!["id".into()]));
    assert_eq!(table.columns[0].domain, "crm.customers.email");
    let email = &plan.0.columns[0];
    assert_eq!((email.cells, email.nulls, email.distinct, email.recognisable), (2, 1, 2, true));
    assert!(plan.0.estimate.cells == 5 && plan.0.estimate.disk_needed_bytes > 0);
    assert_eq!(plan.0.findings.iter().filter(|f| f.verdict == Verdict::Warns).count(), 0);
}

#[tokio::test]
async fn a_missing_table_names_the_one_that_was_meant() {
    let policy = policy(vec![column("Customer.email"), column("main.customers.email")]);
    let plan = plan(SHOP, &policy).await;
    plan.blocks("missing_table", "Customer", "`customers`");
    plan.blocks("missing_table", "main.customers", "without a schema");
}

#[tokio::test]
async fn a_column_is_named_letter_for_letter() {
    let plan = plan(SHOP, &policy(vec![column("customers.Email"), column("customers.x")])).await;
    plan.blocks("missing_column", "customers.Email", "`email`");
    plan.blocks("missing_column", "customers.x", "letter for letter");
}

#[tokio::test]
async fn a_view_and_a_virtual_table_are_no_tables() {
    let rules =
        ["contacts.email", "notes.body", "notes_content.c0"].map(column).into_iter().collect();
    let plan = plan(include_str!("fixtures/not_a_table.sql"), &policy(rules)).await;
    for object in ["contacts.email", "notes.body", "notes_content.c0"] {
        plan.blocks("not_a_table", object, "ordinary table");
    }
}

#[tokio::test]
async fn text_in_utf_16_blocks() {
    let policy = policy(vec![column("customers.email")]);
    let plan = plan(include_str!("fixtures/text_encoding.sql"), &policy).await;
    plan.blocks("text_encoding", "database", "PRAGMA encoding");
}

#[tokio::test]
async fn sqlite_has_no_rebuild() {
    let policy = policy(vec![column("customers.email")]);
    let (catalog, facts) = read(SHOP, &policy).await;
    let plan = Plan(assess(&catalog, &policy, &facts, Strategy::Rebuild));
    plan.blocks("strategy", "database", "--strategy");
}

#[tokio::test]
async fn a_numeric_type_keeps_tokens_but_not_digits() {
    let rules = vec![
        column("customers.phone"),
        format(FormatShape::Digits, "customers.account"),
        format(FormatShape::Digits, "customers.ssn"),
        column("customers.id"),
    ];
    let plan = plan(include_str!("fixtures/affinity.sql"), &policy(rules)).await;
    plan.handles("affinity", "customers.phone", "never look like a number");
    plan.blocks("affinity", "customers.account", "keyed");
    plan.is_silent("affinity", "customers.ssn");
    plan.blocks("row_id", "customers.id", "surrogate key");
}

#[tokio::test]
async fn a_strict_table_takes_tokens_in_text_only() {
    let rules = ["customers.phone", "customers.photo", "customers.email", "customers.other"];
    let policy = policy(rules.map(column).into_iter().collect());
    let plan = plan(include_str!("fixtures/strict_type.sql"), &policy).await;
    plan.blocks("strict_type", "customers.phone", "`TEXT` or `ANY`");
    plan.blocks("strict_type", "customers.photo", "`TEXT` or `ANY`");
    plan.is_silent("strict_type", "customers.email");
    plan.is_silent("strict_type", "customers.other");
    plan.is_silent("affinity", "customers.other");
}

#[tokio::test]
async fn a_declared_width_is_mentioned_and_no_more() {
    let policy = policy(vec![column("customers.phone"), column("customers.email")]);
    let plan = plan(include_str!("fixtures/width.sql"), &policy).await;
    plan.is_not_blocked();
    plan.handles("width", "customers.phone", "does not enforce");
    plan.is_silent("width", "customers.email");
}

#[tokio::test]
async fn checks_are_tried_with_tokens() {
    let sql = include_str!("fixtures/check_constraint.sql");
    let mut rules: Vec<_> = ["email", "phone", "code", "plz", "check"]
        .map(|name| column(&format!("customers.{name}")))
        .into_iter()
        .collect();
    rules.push(format(FormatShape::Digits, "customers.digits"));
    let refused = plan(sql, &policy(rules.clone())).await;
    refused.blocks("check_constraint", "customers.email", "template");
    refused.blocks("check_constraint", "customers.phone", "`customers.phone`");
    refused.blocks("check_constraint", "customers.plz", "`customers.plz`");
    // `code = lower(code)` holds under the column's own NOCASE, and FF1 keeps digits and length.
    refused.handles("check_constraint", "customers.code", "nothing to do");
    refused.handles("check_constraint", "customers.digits", "nothing to do");
    // By way of a generated column.
    let trials = refused.0.findings.iter().filter(|found| found.fact.contains("upper_email"));
    assert_eq!(trials.map(|found| found.verdict).collect::<Vec<_>>(), [Verdict::Handled]);

    rules[0].template = Some("{token}@tokens.invalid".into());
    let kept = plan(sql, &policy(vec![rules[0].clone()])).await;
    kept.is_not_blocked();
    kept.handles("check_constraint", "customers.email", "nothing to do");
}

#[tokio::test]
async fn a_check_for_json_is_answered_with_a_token_that_is_json() {
    let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY, doc TEXT CHECK (JSON_VALID(doc)));
               INSERT INTO t VALUES (1, '{\"to\": \"alice@example.com\"}');";
    let bare = plan(sql, &policy(vec![column("t.doc")])).await;
    bare.blocks("check_constraint", "t.doc", "`template = '\"{token}\"'`");

    let mut rule = column("t.doc");
    rule.template = Some("\"{token}\"".into());
    let whole = plan(sql, &policy(vec![rule])).await;
    whole.handles("check_constraint", "t.doc", "nothing to do");
}

#[tokio::test]
async fn a_unique_index_keeps_its_meaning_or_blocks() {
    let sql = include_str!("fixtures/unique.sql");
    let rules = vec![
        column("customers.email"),
        token(TokenKind::Random, "customers.phone"),
        normalise(Normalise::Trim, column("customers.tag")),
    ];
    let found = plan(sql, &policy(rules)).await;
    found.blocks("unique", "customers.email", "casefold");
    found.warns("unique", "customers.phone", "dedupe = true");
    found.is_silent("unique", "customers.tag");

    let rules = vec![
        normalise(Normalise::Casefold, column("customers.email")),
        normalise(Normalise::Digits, column("customers.phone")),
    ];
    let found = plan(sql, &policy(rules)).await;
    found.is_not_blocked();
    found.warns("unique", "customers.phone", "normalise");
}

#[tokio::test]
async fn a_collation_blocks_a_shared_domain_unless_normalised() {
    let sql = include_str!("fixtures/collation.sql");
    let shared = vec![domain("email", "customers.email"), domain("email", "orders.email")];
    let found = plan(sql, &policy(shared.clone())).await;
    found.blocks("collation", "customers.email", "casefold");

    let alone = plan(sql, &policy(vec![column("customers.email")])).await;
    alone.is_not_blocked();
    alone.warns("collation", "customers.email", "casefold");

    let folded = shared.into_iter().map(|rule| normalise(Normalise::Casefold, rule)).collect();
    let found = plan(sql, &policy(folded)).await;
    found.is_not_blocked();
    found.handles("collation", "customers.email", "normalise");
}

#[tokio::test]
async fn columns_of_one_domain_get_tokens_alike() {
    let sql = include_str!("fixtures/collation.sql");
    let mut rules = vec![domain("email", "orders.email"), domain("email", "customers.email")];
    rules[1].token = TokenKind::Uuid;
    plan(sql, &policy(rules.clone())).await.blocks("domain", "customers.email", "`token`");

    rules[1].token = TokenKind::Keyed;
    rules[1].template = Some("{token}@tokens.invalid".into());
    plan(sql, &policy(rules)).await.warns("domain", "customers.email", "`template`");
}

#[tokio::test]
async fn the_fingerprint_follows_schema_and_policy_but_not_data() {
    let policy = policy(vec![column("customers.email")]);
    let (catalog, _) = read(SHOP, &policy).await;
    let print = fingerprint(&catalog, &policy);
    let more = format!("{SHOP} INSERT INTO customers (name) VALUES ('Dora');");
    assert_eq!(fingerprint(&read(&more, &policy).await.0, &policy), print);
    let index = format!("{SHOP} CREATE INDEX by_city ON customers (city);");
    assert_ne!(fingerprint(&read(&index, &policy).await.0, &policy), print);
    let ours = format!("{SHOP} CREATE TABLE sealift_cursor (id INTEGER);");
    assert_eq!(fingerprint(&read(&ours, &policy).await.0, &policy), print);
    let other = suppressing(policy.clone(), "customers", &[]);
    assert_eq!(fingerprint(&catalog, &other), print, "the hash of the file stands for the policy");
    let other = sealift::policy::Policy { hash: "01".into(), ..policy };
    assert_ne!(fingerprint(&catalog, &other), print);
}

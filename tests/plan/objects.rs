//! What hangs on a column: foreign keys, generated columns, indexes, views, triggers, full text.

use sealift::plan::{UnitMode, Walk};
use sealift::policy::TokenKind;

use super::support::{column, domain, plan, policy, suppressing};

#[tokio::test]
async fn a_foreign_key_wants_both_its_ends() {
    let sql = include_str!("fixtures/foreign_key.sql");
    let half = plan(sql, &policy(vec![column("orders.customer")])).await;
    half.blocks("foreign_key", "Customers.email", r#"name = "Customers.email""#);
    half.blocks("foreign_key", "notes.who", r#"domain = "crm.orders.customer""#);
    half.blocks("foreign_key", "notes.who", "and to `orders.customer`");

    let apart = vec![
        domain("email", "Customers.email"),
        column("orders.customer"),
        domain("email", "notes.who"),
    ];
    let apart = plan(sql, &policy(apart)).await;
    apart.blocks("foreign_key", "orders.customer", r#"set domain = "email""#);
}

#[tokio::test]
async fn a_foreign_key_group_is_one_unit_under_the_lock() {
    let sql = include_str!("fixtures/foreign_key.sql");
    let mut rules: Vec<_> = ["orders.customer", "notes.who", "Customers.email"]
        .map(|name| domain("email", name))
        .into_iter()
        .collect();
    let found = plan(sql, &policy(rules.clone())).await;
    found.is_not_blocked();
    found.handles("foreign_key", "orders.customer", "one transaction");
    let [unit] = found.0.units.as_slice() else { panic!("{:#?}", found.0.units) };
    let names: Vec<&str> = unit.tables.iter().map(|table| table.table.name.as_str()).collect();
    assert_eq!((unit.mode, names), (UnitMode::Window, vec!["Customers", "orders", "notes"]));
    assert_eq!(unit.tables[0].walk, Walk::RowId);
    assert_eq!(unit.tables[1].walk, Walk::Key(vec!["id".into()]));

    for rule in &mut rules {
        rule.token = TokenKind::Random;
    }
    let random = plan(sql, &policy(rules.clone())).await;
    random.blocks("foreign_key", "orders.customer", "dedupe = true");
    for rule in &mut rules {
        rule.dedupe = true;
    }
    plan(sql, &policy(rules)).await.is_not_blocked();
}

#[tokio::test]
async fn a_foreign_key_out_of_scope_ties_nothing() {
    let sql = include_str!("fixtures/foreign_key.sql");
    let found = plan(sql, &policy(vec![column("cities.name"), column("Customers.name")])).await;
    found.is_not_blocked();
    assert_eq!(found.table("cities").0.mode, UnitMode::Ranges);
    let child = plan(sql, &policy(vec![column("cities.mayor")])).await;
    child.blocks("foreign_key", "cities.mayor", "leave the column out");
    // SQLite does not take `PRIMARY KEY` to mean NOT NULL, but here it says so.
    assert_eq!(found.table("Customers").1.walk, Walk::Key(vec!["email".into()]));
}

#[tokio::test]
async fn generated_columns_that_read_the_column_are_named() {
    let policy = policy(vec![column("customers.email")]);
    let found = plan(include_str!("fixtures/generated_column.sql"), &policy).await;
    found.blocks("generated_column", "customers.host", "drop the column");
    found.blocks("generated_column", "customers.shouted", "drop the column");
    found.warns("generated_column", "customers.lowered", "shows tokens");
    found.warns("generated_column", "customers.initial", "shows tokens");
    found.is_silent("generated_column", "customers.label");
}

#[tokio::test]
async fn a_generated_column_cannot_be_in_scope() {
    let policy = policy(vec![column("customers.lowered")]);
    let found = plan(include_str!("fixtures/generated_column.sql"), &policy).await;
    found.blocks("generated_column", "customers.lowered", "computed from");
}

#[tokio::test]
async fn an_index_over_an_expression_of_the_column_is_named() {
    let policy = policy(vec![column("customers.email"), column("customers.phone")]);
    let found = plan(include_str!("fixtures/index_expression.sql"), &policy).await;
    found.blocks("index_expression", "index email_once", "drop the index");
    found.warns("index_expression", "index by_host", "queries");
    found.warns("index_expression", "index foreign_phone", "queries");
    found.is_silent("index_expression", "index live_email");
    found.is_silent("index_expression", "index given_phone");
}

#[tokio::test]
async fn views_are_named_through_views() {
    let found =
        plan(include_str!("fixtures/view.sql"), &policy(vec![column("customers.email")])).await;
    found.is_not_blocked();
    for view in ["view contacts", "view everything", "view over_contacts"] {
        found.warns("view", view, "who reads the view");
    }
    found.is_silent("view", "view cities");
}

#[tokio::test]
async fn a_trigger_that_copies_the_original_blocks_until_suppressed() {
    let sql = include_str!("fixtures/triggers.sql");
    let rules = policy(vec![column("customers.email")]);
    let found = plan(sql, &rules).await;
    found.blocks(
        "trigger_copies",
        "trigger keep_history",
        r#"suppress_triggers = ["keep_history"]"#,
    );
    found.blocks("trigger_refuses", "trigger only_addresses", "[[table]]");
    found.warns("trigger_fires", "trigger touch", "suppress_triggers");
    for trigger in ["trigger city_only", "trigger on_insert"] {
        found.is_silent("trigger_fires", trigger);
        found.is_silent("trigger_copies", trigger);
    }

    let names = ["keep_history", "only_addresses"];
    let found = plan(sql, &suppressing(rules, "customers", &names)).await;
    found.is_not_blocked();
    found.handles("trigger_copies", "trigger keep_history", "suppresses");
    found.handles("trigger_refuses", "trigger only_addresses", "suppresses");
    assert_eq!(found.table("customers").1.suppressed_triggers, names);
}

#[tokio::test]
async fn a_suppressed_trigger_must_exist() {
    let policy =
        suppressing(policy(vec![column("customers.email")]), "customers", &["Keep_History"]);
    let found = plan(include_str!("fixtures/triggers.sql"), &policy).await;
    found.blocks("unknown_trigger", "trigger Keep_History", "`keep_history`");
}

#[tokio::test]
async fn a_full_text_index_is_rebuilt_followed_or_blocks() {
    let rules = ["customers.email", "customers.note", "customers.bio"].map(column);
    let found =
        plan(include_str!("fixtures/full_text.sql"), &policy(rules.into_iter().collect())).await;
    found.handles("full_text", "table external", "rebuilds");
    found.blocks("full_text", "table stale", "trigger on UPDATE");
    found.warns("full_text", "table by_name", "fill it anew");
    // Taking the old words out of an index copies nothing.
    found.is_silent("trigger_copies", "trigger external_follows");
}

//! How rows are found, and which tables go through one transaction.

use sealift::plan::{UnitMode, Walk};
use sealift::policy::{FormatShape, TokenKind};

use super::support::{Plan, column, format, plan, policy, token};

const SQL: &str = include_str!("fixtures/keys.sql");

async fn only(name: &str) -> Plan {
    plan(SQL, &policy(vec![column(name)])).await
}

#[tokio::test]
async fn another_unique_key_stands_in_for_a_key_in_scope() {
    let found = only("by_email.email").await;
    found.is_not_blocked();
    found.handles("key_in_scope", "by_email.email", "`number`");
    let (unit, table) = found.table("by_email");
    assert_eq!((unit.mode, &table.walk), (UnitMode::Ranges, &Walk::Key(vec!["number".into()])));
}

#[tokio::test]
async fn a_key_in_scope_without_another_goes_through_one_transaction() {
    let found = only("only_email.email").await;
    found.is_not_blocked();
    found.warns("key_in_scope", "only_email.email", "one transaction");
    let (unit, table) = found.table("only_email");
    assert_eq!((unit.mode, &table.walk), (UnitMode::Window, &Walk::RowId));

    let found = only("packed.email").await;
    found.is_not_blocked();
    let (unit, table) = found.table("packed");
    assert_eq!(
        (unit.mode, &table.walk),
        (UnitMode::Window, &Walk::ScopedKey(vec!["email".into()]))
    );

    let rules = vec![format(FormatShape::Alnum, "packed.email")];
    plan(SQL, &policy(rules)).await.blocks("no_key", "packed.email", "keyed");
}

#[tokio::test]
async fn a_table_without_a_key_goes_through_one_transaction() {
    let found = only("keyless.email").await;
    found.is_not_blocked();
    found.warns("no_key", "table keyless", "primary key");
    assert_eq!(found.table("keyless").1.walk, Walk::RowId);

    let found = plan(SQL, &policy(vec![token(TokenKind::Random, "keyless.email")])).await;
    found.blocks("no_key", "keyless.email", "dedupe = true");

    let found = only("hidden.email").await;
    found.blocks("no_key", "table hidden", "primary key");
    assert!(found.0.units.is_empty());
}

#[tokio::test]
async fn a_key_with_null_is_not_walked_by() {
    let found = only("half_null.email").await;
    found.is_not_blocked();
    found.warns("null_key", "table half_null", "fill the NULLs");
    assert_eq!(found.table("half_null").1.walk, Walk::RowId);
}

#[tokio::test]
async fn tokens_that_do_not_stand_out_go_through_one_transaction() {
    let found = plan(SQL, &policy(vec![format(FormatShape::Alnum, "numbered.email")])).await;
    found.is_not_blocked();
    found.warns("recognisable", "numbered.email", "keyed");
    let (unit, table) = found.table("numbered");
    assert_eq!((unit.mode, &table.walk), (UnitMode::Window, &Walk::Key(vec!["id".into()])));
}

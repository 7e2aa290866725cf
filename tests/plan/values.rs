//! What the values themselves stand in the way of.

use sealift::plan::{Strategy, UnitMode, assess};
use sealift::policy::{EmptyRule, FormatShape, Normalise, TokenKind, Waiver};

use super::support::{Plan, column, domain, format, normalise, plan, policy, read, token};

const SQL: &str = include_str!("fixtures/values.sql");
const MANY: &str = include_str!("fixtures/low_entropy.sql");

#[tokio::test]
async fn cards_stand_out_where_every_original_has_its_check_digit() {
    let found = plan(SQL, &policy(vec![format(FormatShape::Card, "customers.card")])).await;
    found.is_not_blocked();
    found.is_silent("recognisable", "customers.card");
    assert_eq!(found.table("customers").0.mode, UnitMode::Ranges);

    let mut bad = format(FormatShape::Card, "bad_cards.card");
    plan(SQL, &policy(vec![bad.clone()])).await.blocks("format_fit", "bad_cards.card", "keep");
    bad.empty = EmptyRule::Keep;
    let found = plan(SQL, &policy(vec![bad])).await;
    found.blocks("format_fit", "bad_cards.card", "keyed");
    found.warns("recognisable", "bad_cards.card", "keyed");
}

#[tokio::test]
async fn a_uuid_of_version_8_hides_uuid_tokens() {
    let found = plan(SQL, &policy(vec![token(TokenKind::Uuid, "customers.device")])).await;
    found.is_not_blocked();
    found.warns("recognisable", "customers.device", "keyed");
    assert_eq!(found.table("customers").0.mode, UnitMode::Window);
}

#[tokio::test]
async fn a_short_value_has_no_room_for_a_format_token() {
    let found = plan(SQL, &policy(vec![format(FormatShape::Digits, "customers.pin")])).await;
    found.blocks("format_fit", "customers.pin", "keyed");
}

#[tokio::test]
async fn a_value_beyond_the_limit_blocks() {
    let mut policy = policy(vec![column("customers.card")]);
    policy.limits.value_bytes_max = 8;
    plan(SQL, &policy).await.blocks("value_size", "customers.card", "value_bytes_max");
}

#[tokio::test]
async fn empty_and_broken_text_is_kept_byte_for_byte() {
    let found = plan(SQL, &policy(vec![column("customers.memo")])).await;
    found.is_not_blocked();
    found.handles("empty_text", "customers.memo", "empty = \"keep\"");
    found.handles("text_bytes", "customers.memo", "byte for byte");

    let folded = normalise(Normalise::Casefold, column("customers.memo"));
    plan(SQL, &policy(vec![folded])).await.blocks("text_bytes", "customers.memo", "keyed");
}

#[tokio::test]
async fn equal_looks_of_two_types_are_pointed_out() {
    let rules = vec![
        column("customers.mixed"),
        domain("number", "customers.number"),
        domain("number", "others.number"),
    ];
    let found = plan(SQL, &policy(rules)).await;
    found.warns("storage_class", "customers.mixed", "one type");
    found.blocks("number_equality", "customers.number", "domain of its own");

    let alone = plan(SQL, &policy(vec![column("customers.number")])).await;
    alone.warns("number_equality", "customers.number", "CAST");
}

#[tokio::test]
async fn a_value_of_the_shape_of_a_token_is_pointed_out() {
    let found = plan(SQL, &policy(vec![column("customers.was")])).await;
    found.warns("token_shaped", "customers.was", "open in the vault");
}

#[tokio::test]
async fn few_values_in_many_rows_block_until_waived() {
    let rules = ["people.city", "people.email", "people.name", "people.active", "people.born"];
    let mut policy = policy(rules.map(column).into_iter().collect());
    let found = plan(MANY, &policy).await;
    for name in ["people.city", "people.name", "people.active", "people.born"] {
        found.blocks("low_entropy", name, "waive = [\"low_entropy\"]");
    }
    found.is_silent("low_entropy", "people.email");
    assert!((0.02..0.025).contains(&found.0.columns[2].top_share));

    policy.columns.iter_mut().for_each(|rule| rule.waive = vec![Waiver::LowEntropy]);
    let found = plan(MANY, &policy).await;
    found.is_not_blocked();
    found.handles("low_entropy", "people.city", "accepted");

    policy.columns = vec![token(TokenKind::Random, "people.city")];
    plan(MANY, &policy).await.is_silent("low_entropy", "people.city");
}

#[tokio::test]
async fn few_values_in_few_rows_warn() {
    let found = plan(MANY, &policy(vec![column("few.city"), column("few.email")])).await;
    found.is_not_blocked();
    found.warns("low_entropy", "few.city", "random");
    found.is_silent("low_entropy", "few.email");
}

#[tokio::test]
async fn an_empty_text_that_stays_is_no_frequent_value() {
    let sql = MANY.replace("'Alice'", "''");
    let mut name = column("people.name");
    let found = plan(&sql, &policy(vec![name.clone()])).await;
    found.blocks("low_entropy", "people.name", "waive");
    name.empty = EmptyRule::Keep;
    let found = plan(&sql, &policy(vec![name])).await;
    found.is_silent("low_entropy", "people.name");
    assert_eq!((found.0.columns[0].cells, found.0.columns[0].empties), (19_600, 400));
}

#[tokio::test]
async fn a_full_disk_is_seen_beforehand() {
    let policy = policy(vec![column("people.email")]);
    let (catalog, mut facts) = read(MANY, &policy).await;
    facts.disk_free_bytes = Some(1 << 10);
    let found = Plan(assess(&catalog, &policy, &facts, Strategy::InPlace));
    found.blocks("disk_space", "disk of the source", "make room");
    facts.disk_free_bytes = Some(catalog.bytes * 2 + 1);
    let found = Plan(assess(&catalog, &policy, &facts, Strategy::InPlace));
    found.warns("disk_space", "disk of the source", "--vault");
}

#[tokio::test]
async fn statistics_and_the_journal_are_dealt_with() {
    let policy = policy(vec![column("customers.email")]);
    let found = plan(include_str!("fixtures/statistics.sql"), &policy).await;
    found.handles("statistics", "database", "ANALYZE");
    found.handles("journal", "database", "WAL");
}

#[tokio::test]
async fn a_default_that_is_a_value_is_named_and_not_shown() {
    let rules = ["customers.email", "customers.name", "customers.phone"].map(column);
    let policy = policy(rules.into_iter().collect());
    let found = plan(include_str!("fixtures/column_default.sql"), &policy).await;
    found.warns("column_default", "customers.email", "make the table anew");
    found.is_silent("column_default", "customers.name");
    found.is_silent("column_default", "customers.phone");
    assert!(!serde_json::to_string(&found.0).unwrap().contains("nobody@example.com"));
}

#[tokio::test]
async fn an_assessment_comes_back_from_json_and_holds_no_original() {
    let rules = ["customers.card", "customers.memo", "customers.was"].map(column);
    let found = plan(SQL, &policy(rules.into_iter().collect())).await;
    let json = serde_json::to_string(&found.0).unwrap();
    assert!(!json.contains("alice@example.com") && !json.contains("4111"));
    assert_eq!(serde_json::from_str::<sealift::plan::Assessment>(&json).unwrap(), found.0);
}

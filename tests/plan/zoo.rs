//! Odd names and odd keys: none of them is a reason to block.

use sealift::plan::{UnitMode, Walk};

use super::support::{column, plan, policy, read};

const ZOO: &str = include_str!("fixtures/zoo.sql");

/// A column, and the key by which its table is walked; none for the bare row id.
const COLUMNS: [(&str, &[&str]); 12] = [
    (r#""order by.""select"" [x]"."e""f""#, &["c.d", "a b"]),
    ("straße.naïve name", &["schlüssel"]),
    ("straße.größe", &["schlüssel"]),
    ("group.values", &["from", "where"]),
    ("check.constraint", &["id"]),
    ("check.check", &["id"]),
    ("parents.note", &["a", "b"]),
    ("children.note", &["id"]),
    ("dangling.ghost", &["id"]),
    ("tiny.note", &["kind"]),
    ("rowid.note", &[]),
    ("strictly.note", &["id"]),
];

#[tokio::test]
async fn odd_names_are_planned_like_any_other() {
    let rules = COLUMNS.iter().map(|(name, _)| column(name)).collect();
    let found = plan(ZOO, &policy(rules)).await;
    found.is_not_blocked();
    for (place, (name, key)) in COLUMNS.iter().enumerate() {
        let (unit, table) = found.table(&found.0.columns[place].name.table.name);
        if key.is_empty() {
            assert_eq!((unit.mode, &table.walk), (UnitMode::Window, &Walk::RowId), "{name}");
        } else {
            let key = key.iter().map(|&part| part.to_owned()).collect();
            assert_eq!((unit.mode, &table.walk), (UnitMode::Ranges, &Walk::Key(key)), "{name}");
        }
    }
}

#[tokio::test]
async fn the_catalog_is_read_letter_for_letter() {
    let (catalog, facts) = read(ZOO, &policy(vec![column("check.constraint")])).await;
    assert!(catalog.tables.iter().all(|table| !table.name.name.starts_with("sealift_")));
    assert!(catalog.tables.iter().all(|table| !table.name.name.starts_with("sqlite_")));
    assert!(catalog.settings.contains(&("sequence".into(), "sqlite_sequence".into())));

    let find = |name: &str| catalog.tables.iter().find(|table| table.name.name == name).unwrap();
    let children = find("children");
    assert_eq!(children.foreign_keys[0].columns, ["pa", "pb"]);
    assert_eq!(children.foreign_keys[0].parent_columns, ["a", "b"]);
    assert!(children.column("id").unwrap().rowid_alias);
    // `INTEGER PRIMARY KEY DESC` is a key, but not the row id.
    assert!(!find("straße").column("schlüssel").unwrap().rowid_alias);
    assert!(find("group").without_rowid && find("strictly").strict);
    let check = find("check");
    assert_eq!(check.checks, []);
    assert_eq!(check.column("constraint").unwrap().collation, None);
    let total = check.column("total").unwrap().generated.clone().unwrap();
    assert_eq!((total.stored, total.expression.as_str()), (true, "id * 2"));
    let partial = check.indexes.iter().find(|index| index.name == "some of").unwrap();
    assert_eq!(partial.predicate.as_deref(), Some("id > 10"));

    assert_eq!(facts.tables.len(), 1);
    assert_eq!((facts.tables[0].rows, facts.tables[0].columns[0].types.text), (1, 1));
}

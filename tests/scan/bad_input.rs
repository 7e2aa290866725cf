//! Sources and options that cannot be scanned as they are, and odd ones that can.

use std::fmt::Write as _;

use super::fixture::{fill_music, music};
use crate::support::{Answer, Db, Desk};

fn scan(desk: &Desk, source: &str) -> Answer {
    let url = format!("sqlite:{source}");
    desk.run(&["scan", "--source", &url])
}

#[test]
fn what_is_no_database_is_named() {
    let desk = Desk::bare();
    desk.write("letter.txt", &"This is a letter and no database. ".repeat(100));
    std::fs::create_dir(desk.path("folder")).unwrap();

    scan(&desk, "letter.txt").fails(2, &["letter.txt", "is not a database"]);
    scan(&desk, "folder").fails(2, &["folder", "it is not a file"]);
    scan(&desk, "nowhere.db").fails(2, &["nowhere.db"]);

    assert!(!desk.path("nowhere.db").exists());
}

#[test]
fn an_empty_database_says_so_and_ends_well() {
    let desk = Desk::bare();
    Db::open(&desk.source()).exec("VACUUM");

    scan(&desk, "shop.db").done().mentions(&["has no tables"]);
    Db::open(&desk.source()).exec("CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT)");
    scan(&desk, "shop.db").done().mentions(&["1 table is without a row"]);
    assert!(desk.json(&["scan"]).done().objects().len() <= 1);
}

#[test]
fn two_thousand_tables_and_five_hundred_columns_are_scanned() {
    let desk = Desk::bare();
    let mut sql = String::from("BEGIN;");
    for number in 0..2_000 {
        let _ = write!(sql, "CREATE TABLE t{number} (id INTEGER PRIMARY KEY, contact TEXT);");
    }
    let columns: Vec<String> = (0..500).map(|number| format!("c{number} TEXT")).collect();
    let values: Vec<String> = (0..500).map(|number| format!("'v{number}'")).collect();
    let _ = write!(sql, "CREATE TABLE wide ({});", columns.join(", "));
    for _ in 0..30 {
        let _ = write!(sql, "INSERT INTO wide VALUES ({});", values.join(", "));
    }
    for number in 0..40 {
        let _ = write!(sql, "INSERT INTO t1234 VALUES ({number}, 'person{number}@example.com');");
    }
    sql.push_str("COMMIT;");
    Db::open(&desk.source()).exec(sql);

    scan(&desk, "shop.db").done().mentions(&["2,001 tables, 4,500 columns", "t1234"]);
}

#[test]
fn names_in_six_scripts_are_shown_and_drafted_as_they_are() {
    let desk = Desk::bare();
    let names = ["почта", "メール", "אימייל", "ईमेल", "ηλεκτρονική", "بريد", "a \"b\".c"];
    let columns: Vec<String> =
        names.iter().map(|name| format!("\"{}\" TEXT", name.replace('"', "\"\""))).collect();
    let mut db = Db::open(&desk.source());
    db.exec(format!("CREATE TABLE \"люди.x\" (id INTEGER PRIMARY KEY, {})", columns.join(", ")));
    for row in 0..60 {
        let values: Vec<String> =
            (0..names.len()).map(|at| format!("'person{row}.{at}@example.com'")).collect();
        db.exec(format!("INSERT INTO \"люди.x\" VALUES ({row}, {})", values.join(", ")));
    }
    drop(db);

    let answer = scan(&desk, "shop.db").done();

    for name in names {
        assert!(answer.stdout.contains(name), "{name}: {answer}");
    }
    desk.run(&["scan", "--write-policy", "drafted.toml"]).done();
    desk.run(&["policy", "check", "drafted.toml"]).done().mentions(&["7 columns"]);
    desk.run(&["plan", "--policy", "drafted.toml", "--dry-run"]).done();
}

#[test]
fn a_policy_for_another_database_is_told_from_one_with_gaps() {
    let desk = music(20);
    let column = |name: &str| format!("[[column]]\nname = \"{name}\"\nclass = \"contact\"\n");
    let head = "[source]\nname = \"crm\"\n";
    desk.write("other.toml", &format!("{head}{}{}", column("staff.mail"), column("leads.mail")));
    desk.write("gaps.toml", &format!("{head}{}{}", column("staff.mail"), column("customer.email")));

    desk.run(&["scan", "--policy", "other.toml"])
        .fails(2, &["drafted for source `crm`", "`staff`", "`leads`"]);
    desk.run(&["scan", "--policy", "gaps.toml"])
        .ends(1)
        .mentions(&["note: the policy was drafted for source `crm`", "`staff`"]);
}

#[test]
fn a_file_that_is_there_is_not_overwritten() {
    let desk = music(20);
    desk.write("mine.toml", "# mine\n");

    desk.run(&["scan", "--write-policy", "mine.toml"]).fails(3, &["mine.toml", "overwritten"]);

    assert_eq!(std::fs::read_to_string(desk.path("mine.toml")).unwrap(), "# mine\n");
}

#[test]
fn a_draft_of_nothing_is_not_written() {
    let desk = Desk::bare();
    Db::open(&desk.source()).exec(
        "CREATE TABLE stock (id INTEGER PRIMARY KEY, shelf INTEGER, weight REAL);
         INSERT INTO stock VALUES (1, 2, 3.5), (2, 3, 4.5);",
    );

    desk.run(&["scan", "--write-policy", "drafted.toml"])
        .done()
        .mentions(&["no policy was written"]);

    assert!(!desk.path("drafted.toml").exists());
}

#[test]
fn a_table_that_is_not_there_is_answered_with_those_that_are() {
    let desk = Desk::bare();
    fill_music(&desk.source(), 5);

    desk.run(&["scan", "--table", "customers"]).fails(2, &["`customers`", "`customer`"]);
    desk.run(&["scan", "--rows", "0"]).ends(2);
    desk.run(&["scan", "--rows", "5", "--whole"]).ends(2);
}

#[test]
fn a_column_without_a_name_is_read_like_any_other() {
    let desk = Desk::bare();
    let mut db = Db::open(&desk.source());
    db.exec("CREATE TABLE people (id INTEGER PRIMARY KEY, \"\" TEXT, email TEXT)");
    for row in 0..30 {
        db.exec(format!(
            "INSERT INTO people VALUES ({row}, 'a{row}@example.com', 'b{row}@example.com')"
        ));
    }
    drop(db);

    let found = desk.json(&["scan"]).done().objects();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().any(|finding| finding["column"] == ""), "{found:?}");
    desk.run(&["scan", "--write-policy", "drafted.toml"]).done();
    desk.run(&["plan", "--policy", "drafted.toml", "--dry-run"]).done();
}

#[test]
fn a_full_text_table_is_read_where_it_keeps_its_text_and_named_where_it_cannot_be() {
    let desk = Desk::bare();
    let mut db = Db::open(&desk.source());
    db.exec(
        "CREATE TABLE letters (id INTEGER PRIMARY KEY, body TEXT);
         CREATE VIRTUAL TABLE own USING fts5 (title, body);
         CREATE VIRTUAL TABLE of_letters USING fts5 (body, content='letters', content_rowid='id');
         CREATE VIRTUAL TABLE blind USING fts5 (body, content='');
         CREATE VIRTUAL TABLE areas USING rtree (id, low, high);",
    );
    for row in 0..30 {
        db.exec(format!(
            "INSERT INTO own VALUES ('note', 'please write to person{row}@example.com today');
             INSERT INTO blind (rowid, body) VALUES ({row}, 'person{row}@example.com')"
        ));
    }
    drop(db);

    let answer = scan(&desk, "shop.db").done();

    answer.mentions(&[
        "own  (all 30 rows)",
        "1 full-text table",
        "`blind` (virtual table",
        "`areas`",
    ]);
    let found = desk.json(&["scan"]).done();
    assert_eq!(found.objects().len(), 1, "{found}");
    found.mentions(&["note: Not read, and not known to be free of anything"]);
}

#[test]
fn a_full_text_table_that_triggers_keep_is_covered_with_its_table() {
    let desk = Desk::bare();
    let mut db = Db::open(&desk.source());
    db.exec(
        "CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT);
         CREATE VIRTUAL TABLE found USING fts5 (email);
         CREATE TRIGGER found_new AFTER INSERT ON people BEGIN
             INSERT INTO found (rowid, email) VALUES (new.id, new.email); END;
         CREATE TRIGGER found_changed AFTER UPDATE OF email ON people BEGIN
             UPDATE found SET email = new.email WHERE rowid = new.id; END;",
    );
    for row in 0..30 {
        db.exec(format!("INSERT INTO people VALUES ({row}, 'person{row}@example.com')"));
    }
    drop(db);
    desk.write(
        "people.toml",
        "[source]\nname = \"people\"\n[[column]]\nname = \"people.email\"\nclass = \"contact\"\n",
    );

    desk.run(&["scan", "--policy", "people.toml"]).done().mentions(&["covers all that was found"]);
    Db::open(&desk.source()).exec("DROP TRIGGER found_changed");
    desk.run(&["scan", "--policy", "people.toml"]).ends(1).mentions(&["1 column not covered"]);
}

#[test]
fn a_file_that_was_cut_off_or_cannot_be_written_is_told_apart() {
    let desk = music(60);
    let whole = std::fs::read(desk.source()).unwrap();
    for (name, length) in [("half.db", whole.len() / 2), ("page.db", 5_000), ("head.db", 60)] {
        std::fs::write(desk.path(name), &whole[..length]).unwrap();
        scan(&desk, name).fails(2, &[name, "is damaged", "integrity_check"]);
    }
    std::fs::write(desk.path("none.db"), "").unwrap();
    scan(&desk, "none.db").done().mentions(&["has no tables"]);

    let mut modes = std::fs::metadata(desk.source()).unwrap().permissions();
    modes.set_readonly(true);
    std::fs::set_permissions(desk.source(), modes).unwrap();
    let before = std::fs::read_dir(desk.folder()).unwrap().count();
    scan(&desk, "shop.db").done();
    assert_eq!(std::fs::read_dir(desk.folder()).unwrap().count(), before, "scan left a file");
}

//! Bad input: each mistake has its exit code and a message that says what, where, and what now.

use crate::support::{Db, Desk, Journal, POLICY, dump, plan_and_approve, shop, verified};

fn small_shop() -> Desk {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 5);
    desk
}

#[test]
fn a_source_that_is_not_there_is_named_and_not_made() {
    let desk = small_shop();
    let mut command = desk.command(&["plan", "--policy", "shop.toml"]);
    command.env("SEALIFT_SOURCE", "sqlite:nowhere.db");

    desk.finish(command, "").fails(2, &["nowhere.db"]);

    assert!(!desk.path("nowhere.db").exists());
}

#[test]
fn a_source_that_is_no_database_is_named() {
    let desk = small_shop();
    desk.write("letter.txt", &"This is a letter and no database. ".repeat(100));
    let mut command = desk.command(&["plan", "--policy", "shop.toml"]);
    command.env("SEALIFT_SOURCE", "sqlite:letter.txt");

    desk.finish(command, "").fails(2, &["letter.txt"]);
}

#[test]
fn a_vault_that_is_not_there_is_named_and_not_made() {
    let desk = small_shop();
    let mut command = desk.command(&["plan", "--policy", "shop.toml"]);
    command.env("SEALIFT_VAULT", "sqlite:nowhere.db");

    desk.finish(command, "").fails(2, &["nowhere.db"]);

    assert!(!desk.path("nowhere.db").exists());
}

#[test]
fn a_policy_that_is_not_there_is_named() {
    small_shop().run(&["plan", "--policy", "nowhere.toml"]).fails(2, &["nowhere.toml"]);
}

#[test]
fn a_policy_with_an_unknown_key_is_refused_with_its_line() {
    let desk = small_shop();
    desk.write("shop.toml", &POLICY.replacen("token  = \"keyed\"", "tokens = \"keyed\"", 1));

    desk.run(&["plan", "--policy", "shop.toml"]).fails(2, &["shop.toml", "tokens", "9"]);
}

#[test]
fn a_policy_over_a_table_that_is_not_there_blocks_the_plan() {
    let desk = small_shop();
    desk.write("shop.toml", &POLICY.replace("nobody.email", "everybody.email"));

    desk.run(&["plan", "--policy", "shop.toml"]).ends(3).mentions(&["everybody"]);
}

#[test]
fn a_policy_over_a_column_that_is_not_there_blocks_the_plan() {
    let desk = small_shop();
    desk.write("shop.toml", &POLICY.replace("nobody.email", "nobody.address"));

    let plan = desk.json(&["plan", "--policy", "shop.toml"]).ends(3);

    assert_eq!(plan.last()["blocked"], true, "{plan}");
    let said = plan.mentions(&["nobody.address"]);
    assert!(said.objects().iter().any(|object| object["finding"]["pitfall"] == "missing_column"));
}

#[test]
fn a_wrong_passphrase_is_refused_and_not_repeated() {
    let desk = small_shop();
    let mut command = desk.command(&["plan", "--policy", "shop.toml"]);
    command.env("SEALIFT_PASSPHRASE", "quite another passphrase");

    let answer = desk.finish(command, "").fails(2, &["passphrase"]);

    assert!(!answer.stderr.contains("quite another"), "{answer}");
}

#[test]
fn nobody_is_asked_for_a_passphrase_without_a_terminal() {
    let desk = small_shop();
    let mut command = desk.command(&["plan", "--policy", "shop.toml"]);
    command.env_remove("SEALIFT_PASSPHRASE");

    desk.finish(command, "").fails(2, &["passphrase"]);
}

#[test]
fn a_credential_that_is_not_there_or_not_known_is_refused() {
    let desk = small_shop();
    let mut command = desk.command(&["plan", "--policy", "shop.toml"]);
    command.env_remove("SEALIFT_CREDENTIAL_FILE");
    let answer = desk.finish(command, "");
    assert!(answer.code == 2 || answer.code == 3, "{answer}");

    let bob = std::fs::read_to_string(desk.path("bob.key")).unwrap();
    let turned: String = bob.trim().chars().rev().collect();
    desk.write("bob.key", &turned);
    let answer = desk.run_as("bob", &["status"]);
    let _ = answer;
    let answer = desk.run_as("bob", &["plan", "--policy", "shop.toml"]);
    assert!(answer.code == 2 || answer.code == 3, "{answer}");
    assert!(!answer.stderr.contains(&turned), "{answer}");
}

#[test]
fn a_source_that_belongs_to_another_vault_is_refused() {
    let desk = small_shop();
    verified(&desk);
    std::fs::rename(desk.path("vault.db"), desk.path("first.db")).unwrap();
    let other = Desk::bare();
    other.make_vault();
    for file in ["vault.db", "alice.key", "bob.key"] {
        std::fs::copy(other.path(file), desk.path(file)).unwrap();
    }
    let before = dump(&desk.source());

    desk.run(&["plan", "--policy", "shop.toml"]).fails(2, &["vault"]);

    assert!(before == dump(&desk.source()));
}

#[test]
fn a_vault_of_another_format_is_refused() {
    let desk = small_shop();
    Db::open(&desk.vault()).exec("UPDATE sealift_vault SET format = 99");
    desk.run(&["plan", "--policy", "shop.toml"]).fails(2, &["newer", "99"]);

    Db::open(&desk.vault()).exec("UPDATE sealift_vault SET format = 1");
    desk.run(&["plan", "--policy", "shop.toml"]).fails(2, &["the build that made it", "format 1"]);
}

#[test]
fn a_check_that_does_not_return_one_value_is_named_before_anything_is_written() {
    for (sql, what) in [
        ("SELECT 1; SELECT count(*) FROM customers", "more than one value"),
        ("SELECT id FROM customers", "more than one value"),
        ("SELECT 1, 2", "more than one value"),
        ("DELETE FROM customers", "writes"),
        ("SELECT x FROM nowhere", "cannot be run"),
    ] {
        let desk = small_shop();
        let policy = std::fs::read_to_string(desk.path("shop.toml")).unwrap();
        let check =
            format!("\n[[check]]\nname = \"alike\"\nsql = \"{sql}\"\nexpect = \"unchanged\"\n");
        desk.write("shop.toml", &(policy + &check));
        let before = dump(&desk.source());
        let run = plan_and_approve(&desk);

        desk.run(&["run", &run]).fails(2, &["check `alike`", what, "one SELECT"]);

        assert!(before == dump(&desk.source()), "{sql}");
    }
}

#[test]
fn a_catalog_that_changed_since_the_plan_stops_the_run() {
    let desk = small_shop();
    let run = plan_and_approve(&desk);
    Db::open(&desk.source()).exec("ALTER TABLE customers ADD COLUMN nickname TEXT");

    desk.run(&["run", &run]).fails(3, &["plan", "(changed: `table customers`)"]);

    let emails =
        Db::open(&desk.source()).number("SELECT count(*) FROM customers WHERE email LIKE '%@%'");
    assert_eq!(emails, 5, "nothing was rewritten");
}

#[test]
fn two_open_runs_never_share_a_column() {
    let desk = small_shop();
    let run = plan_and_approve(&desk);

    desk.run(&["plan", "--policy", "shop.toml"]).fails(3, &[&run]);

    desk.run(&["rollback", &run]).done();
    desk.run(&["plan", "--policy", "shop.toml"]).done();
}

#[test]
fn a_plan_that_nobody_approved_replaces_itself() {
    let desk = small_shop();
    let first = desk.json(&["plan", "--policy", "shop.toml"]).done().text("run");
    let second = desk.json(&["plan", "--policy", "shop.toml"]).done().text("run");

    desk.run_as("bob", &["approve", &second]).done();
    let old = desk.run_as("bob", &["approve", &first]);
    assert!(first == second || old.code != 0, "{old}");
}

#[test]
fn who_planned_does_not_approve_and_without_approval_nothing_runs() {
    let desk = small_shop();
    let run = desk.json(&["plan", "--policy", "shop.toml"]).done().text("run");

    desk.run(&["run", &run]).fails(3, &["approve"]);
    desk.run(&["approve", &run]).fails(3, &[]);
    desk.run_as("carol", &["approve", &run]).fails(3, &[]);
    desk.run_as("bob", &["run", &run]).fails(3, &[]);
    desk.run_as("bob", &["approve", &run]).done();
}

#[test]
fn bad_arguments_end_with_two() {
    let desk = small_shop();
    for arguments in [
        &["frobnicate"][..],
        &["plan"],
        &["plan", "--policy"],
        &["run", "not-a-run"],
        &["run", "0f2e3d4c"],
        &["--format", "xml", "status"],
        &["purge"],
    ] {
        assert_eq!(desk.run(arguments).code, 2, "{arguments:?}");
    }
}

#[test]
fn a_plan_writes_nothing_into_the_source() {
    let desk = small_shop();
    let before = std::fs::read(desk.source()).unwrap();

    desk.run(&["plan", "--policy", "shop.toml"]).done();
    desk.run(&["plan", "--policy", "shop.toml", "--dry-run"]).done();

    assert!(std::fs::read(desk.source()).unwrap() == before);
}

#[test]
fn a_plan_says_what_it_would_take() {
    let plan = small_shop().json(&["plan", "--policy", "shop.toml"]).done();
    let last = plan.last();
    for name in ["run", "blocked", "findings", "estimate", "units"] {
        assert!(!last[name].is_null(), "`{name}` is missing: {plan}");
    }
    assert!(plan.number("/estimate/cells") > 0);
}

#[test]
fn a_dry_plan_needs_no_vault_and_no_credential() {
    let desk = Desk::bare();
    shop(&desk, Journal::Delete, 5);
    let mut command = desk.command(&["plan", "--policy", "shop.toml", "--dry-run"]);
    for name in ["SEALIFT_VAULT", "SEALIFT_PASSPHRASE", "SEALIFT_CREDENTIAL_FILE"] {
        command.env_remove(name);
    }

    desk.finish(command, "").done();

    assert!(!desk.path("sealift-vault.db").exists());
}

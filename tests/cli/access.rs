//! Who sees what: purposes permit and refuse, forms show only what they promise, and each request
//! is on the ledger.

use crate::support::{Answer, Db, Desk, Journal, actions, shop, tokens_open_to, verified};

fn verified_shop() -> (Desk, Db) {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 12);
    verified(&desk);
    let db = Db::open(&desk.source());
    (desk, db)
}

fn ask(desk: &Desk, purpose: &str, more: &[&str], tokens: &str) -> Answer {
    let mut arguments =
        vec!["--format", "json", "detokenize", "--purpose", purpose, "--reason", "case 4711"];
    arguments.extend(more);
    desk.tell_as("carol", &arguments, tokens)
}

#[test]
fn plain_is_the_value_itself() {
    let (desk, mut db) = verified_shop();
    let token = db.value("SELECT email FROM customers WHERE id = 3");
    let pair = (token, "person00003.of.nowhere@example.com".to_owned());

    tokens_open_to(&desk, None, &[pair]);
}

#[test]
fn last4_shows_four_characters_of_a_card() {
    let (desk, mut db) = verified_shop();
    let token = db.value("SELECT pan FROM cards WHERE slot = 3");

    let answer = ask(&desk, "support_case", &["--domain", "pan"], &token).done();

    let shown = answer.text("value");
    let digits: String = shown.chars().filter(char::is_ascii_digit).collect();
    assert_eq!(digits.len(), 4, "{answer}");
    assert!(shown.ends_with(&digits), "{answer}");
}

#[test]
fn masked_shows_no_more_than_a_beginning() {
    let (desk, mut db) = verified_shop();
    let token = db.value("SELECT email FROM customers WHERE id = 3");

    let answer = ask(&desk, "reminder", &[], &token).done();

    let shown = answer.text("value");
    assert!(shown.starts_with('p') && shown.contains('*'), "{answer}");
    assert!(!shown.contains("person") && !shown.contains("nowhere"), "{answer}");
}

#[test]
fn one_refusal_does_not_hide_the_rest_and_all_refusals_look_alike() {
    let (desk, mut db) = verified_shop();
    let known = db.value("SELECT email FROM customers WHERE id = 3");
    let denied = db.value("SELECT diagnosis FROM patients WHERE id = 3");
    let altered = db.value("SELECT phone FROM customers WHERE id = 3");
    let stranger = Desk::new();
    shop(&stranger, Journal::Delete, 2);
    verified(&stranger);
    let unknown = Db::open(&stranger.source()).value("SELECT email FROM customers WHERE id = 2");
    Db::open(&desk.vault()).exec(
        "UPDATE sealift_entry SET envelope = zeroblob(length(envelope)) WHERE domain =
         (SELECT domain FROM sealift_domain WHERE name = 'shop.customers.phone')",
    );

    let tokens = [&denied, &known, &altered, &unknown, "no token at all"].join("\n");
    let answer = ask(&desk, "support_case", &[], &tokens).ends(1);

    let objects = answer.objects();
    assert_eq!(objects.len(), 5, "{answer}");
    assert_eq!(objects[1]["value"], "person00003.of.nowhere@example.com", "{answer}");
    for at in [0, 2, 3, 4] {
        let mut object = objects[at].clone();
        object.as_object_mut().unwrap().remove("token");
        assert_eq!(object.to_string(), r#"{"code":"refused"}"#, "{answer}");
    }
    assert!(!answer.stderr.contains("ailment"), "{answer}");
}

#[test]
fn text_output_is_a_value_a_line_in_the_order_asked() {
    let (desk, mut db) = verified_shop();
    let [first, second] =
        ["1", "2"].map(|id| db.value(format!("SELECT email FROM customers WHERE id = {id}")));
    let denied = db.value("SELECT diagnosis FROM patients WHERE id = 3");

    let arguments = ["detokenize", "--purpose", "support_case", "--reason", "r"];
    let asked = [second.as_str(), denied.as_str(), first.as_str()].join("\n");
    let answer = desk.tell_as("carol", &arguments, &asked).ends(1);

    let expected = "person00002.of.nowhere@example.com\n\nperson00001.of.nowhere@example.com\n";
    assert_eq!(answer.stdout, expected, "{answer}");
    assert!(!answer.stderr.is_empty(), "the empty line is explained: {answer}");
}

#[test]
fn without_a_purpose_that_fits_nothing_is_opened() {
    let (desk, mut db) = verified_shop();
    let token = db.value("SELECT email FROM customers WHERE id = 3");
    let health = db.value("SELECT diagnosis FROM patients WHERE id = 3");

    ask(&desk, "no_such_purpose", &[], &token).fails(3, &["no_such_purpose"]);
    // Carol is in support, and campaigns are for marketing.
    ask(&desk, "campaign", &[], &token).fails(3, &["campaign"]);
    // No purpose shows health.
    let refused = ask(&desk, "support_case", &[], &health).ends(3);
    assert_eq!(refused.text("code"), "refused", "{refused}");
    // A steward has every verb but those by purpose.
    let arguments = ["detokenize", "--purpose", "support_case", "--reason", "r", &token];
    for caller in ["alice", "bob", "dave"] {
        desk.run_as(caller, &arguments).fails(3, &[]);
    }
    assert_eq!(
        desk.run_as("carol", &["detokenize", &token]).code,
        2,
        "purpose and reason are asked"
    );
}

#[test]
fn a_templated_value_is_accepted_whole() {
    let (desk, mut db) = verified_shop();
    let whole = db.value("SELECT email FROM somebody");
    assert!(whole.ends_with("@tokens.invalid"));

    tokens_open_to(&desk, None, &[(whole, "the.only.person@example.org".to_owned())]);
}

#[test]
fn tokens_without_a_domain_in_them_need_one_named() {
    let (desk, mut db) = verified_shop();
    let badge = db.value("SELECT badge FROM customers WHERE id = 3");

    ask(&desk, "support_case", &[], &badge).ends(3);
    let opened = ask(&desk, "support_case", &["--domain", "badge"], &badge).done();
    assert_eq!(opened.text("value"), "0badcafe-0003-4003-9000-000000000003");
}

#[test]
fn each_request_is_one_entry_whether_permitted_or_refused() {
    let (desk, mut db) = verified_shop();
    let tokens = db.column("SELECT email FROM customers WHERE id IN (3, 4, 5)");
    let health = db.value("SELECT diagnosis FROM patients WHERE id = 3");
    let asked = || actions(&desk).iter().filter(|action| action.starts_with("detokenize")).count();
    let before = asked();

    ask(&desk, "support_case", &[], &tokens.join("\n")).done();
    assert_eq!(asked(), before + 1, "one entry a request, not one a token");
    ask(&desk, "support_case", &[], &health).ends(3);
    assert_eq!(asked(), before + 2);
    ask(&desk, "campaign", &[], &tokens[0]).ends(3);
    assert_eq!(asked(), before + 3, "who was refused is on the ledger too");
}

#[test]
fn a_request_with_too_many_tokens_is_refused() {
    let (desk, mut db) = verified_shop();
    let token = db.value("SELECT email FROM customers WHERE id = 3");
    let many = vec![token; 1_001].join("\n");

    ask(&desk, "support_case", &[], &many).fails(3, &["1000"]);
}

#[test]
fn the_last_steward_stays() {
    let desk = Desk::new();
    desk.run(&["caller", "revoke", "alice"]).fails(3, &["the only steward", "caller add"]);
    let soon = ["caller", "add", "eve", "--role", "steward", "--credential-file", "eve.key"];
    desk.run(&soon).done();
    desk.run(&["caller", "revoke", "alice"]).done();
    desk.run_as("eve", &["caller", "revoke", "eve"]).fails(3, &["the only steward"]);
}

#[test]
fn a_caller_has_a_name_that_reads_as_it_is() {
    let desk = Desk::new();
    for name in ["", " ", "zoe ", "zoe\nbob", "zoe\u{1b}[2J", &"z".repeat(65)] {
        let words = ["caller", "add", name, "--role", "support", "--credential-file", "z.key"];
        let said = desk.run(&words).fails(2, &["cannot be the name"]);
        assert!(!said.stderr.contains('\u{1b}'), "{said}");
        assert!(!desk.path("z.key").exists());
    }
    let past =
        ["--role", "support", "--credential-file", "z.key", "--expires", "2020-01-01T00:00:00Z"];
    desk.run(&[&["caller", "add", "Zoë O. Smith"][..], &past].concat()).fails(2, &["is past"]);
    desk.run(&[&["caller", "add", "Zoë O. Smith"][..], &past[..4]].concat()).done();
}

#[test]
fn who_asks_writes_nothing_into_the_terminal_of_who_reads_of_it() {
    let desk = Desk::new();
    let evil = "evil\u{1b}[31m`\npurpose `support_case`: 0 requests";
    let words = ["detokenize", "--purpose", evil, "--reason", "r", "slk0000_x"];
    desk.run_as("carol", &words).ends(3);
    for typed in [&["access", "report"][..], &["access", "report", "--requests"]] {
        let said = desk.run(typed).stdout;
        assert!(said.contains("evil\\u{1b}[31m`\\npurpose"), "{said}");
        assert!(!said.contains('\u{1b}'), "{said}");
    }
}

#[test]
fn a_reason_says_something() {
    let desk = Desk::new();
    for reason in ["", "  "] {
        let words = ["detokenize", "--purpose", "support_case", "--reason", reason, "slk0000_x"];
        desk.run_as("carol", &words).fails(2, &["--reason"]);
    }
}

#[test]
fn a_revoked_caller_is_nobody() {
    let (desk, mut db) = verified_shop();
    let token = db.value("SELECT email FROM customers WHERE id = 3");
    desk.run(&["caller", "revoke", "carol"]).done();

    let answer = ask(&desk, "support_case", &[], &token);

    assert!([2, 3].contains(&answer.code), "{answer}");
    assert!(!answer.stdout.contains("person"), "{answer}");
}

#[test]
fn a_new_value_gets_the_token_that_a_run_would_have_given_it() {
    let (desk, mut db) = verified_shop();
    let token = db.value("SELECT email FROM customers WHERE id = 3");
    let arguments = [
        "--format",
        "json",
        "tokenize",
        "--purpose",
        "support_case",
        "--reason",
        "r",
        "--domain",
        "email",
    ];

    let known = desk.tell_as("carol", &arguments, "person00003.of.nowhere@example.com").done();
    assert_eq!(known.text("token"), token, "{known}");

    let new = desk.tell_as("carol", &arguments, "quite.new@example.org").done();
    let token = new.text("token");
    assert!(!new.stdout.contains("quite.new"), "the answer does not repeat the value: {new}");
    tokens_open_to(&desk, None, &[(token, "quite.new@example.org".to_owned())]);
}

#[test]
fn a_token_that_is_tokenized_is_an_original_like_any_other() {
    let (desk, mut db) = verified_shop();
    let token = db.value("SELECT email FROM customers WHERE id = 3");
    let arguments = [
        "--format",
        "json",
        "tokenize",
        "--purpose",
        "support_case",
        "--reason",
        "r",
        "--domain",
        "email",
    ];

    let of_token = desk.tell_as("carol", &arguments, &token).done().text("token");

    assert_ne!(of_token, token);
    tokens_open_to(&desk, None, &[(of_token, token)]);
}

//! Somebody with a database shell: what he alters is named, and what he grants himself is nothing.

use serde_json::Value;

use crate::support::{Answer, Db, Desk, Journal, shop, verified};

fn verified_shop() -> (Desk, String) {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 12);
    let run = verified(&desk);
    (desk, run)
}

/// The mismatches that a verification named, as (kind, place).
fn mismatches(answer: &Answer) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let pair = |object: Value| {
        let mismatch = object.get("mismatch")?.clone();
        Some((text(&mismatch["kind"]), text(&mismatch["place"])))
    };
    answer.objects().into_iter().filter_map(pair).collect()
}

#[track_caller]
fn names(answer: &Answer, place: &str) {
    let found = mismatches(answer);
    assert!(found.iter().any(|(_, at)| at.contains(place)), "`{place}` is not named: {answer}");
}

/// Tokens and envelopes of two entries of one domain.
fn two_entries(db: &mut Db) -> [Vec<String>; 2] {
    let rows = db.rows(
        "SELECT CAST(domain AS TEXT), hex(token), hex(envelope) FROM sealift_entry
         WHERE domain = (SELECT domain FROM sealift_domain WHERE name = 'email')
         ORDER BY token LIMIT 2",
    );
    rows.try_into().unwrap()
}

#[test]
fn swapped_vault_rows_are_both_named() {
    let (desk, run) = verified_shop();
    let mut source = Db::open(&desk.source());
    let [one, two] =
        ["1", "2"].map(|id| source.value(format!("SELECT email FROM customers WHERE id = {id}")));
    let mut vault = Db::open(&desk.vault());
    let entry = |vault: &mut Db, token: &str| {
        let found = vault.rows("SELECT hex(token), hex(envelope) FROM sealift_entry");
        let body = body_of(token);
        found.into_iter().find(|row| row[0] == body).unwrap_or_else(|| panic!("no entry {token}"))
    };
    let (first, second) = (entry(&mut vault, &one), entry(&mut vault, &two));
    for (row, other) in [(&first, &second), (&second, &first)] {
        vault.exec(format!(
            "UPDATE sealift_entry SET envelope = x'{}' WHERE token = x'{}'",
            other[1], row[0]
        ));
    }
    drop(vault);

    let answer = desk.json(&["verify", &run]).ends(1);

    names(&answer, &one);
    names(&answer, &two);
    let arguments =
        ["--format", "json", "detokenize", "--purpose", "support_case", "--reason", "r", &one];
    let refused = desk.tell_as("carol", &arguments, "").ends(3);
    assert_eq!(refused.text("code"), "refused", "{refused}");
}

/// The sixteen bytes of a token, in hexadecimal: the base32 between the underscore and the checksum.
fn body_of(token: &str) -> String {
    const SYMBOLS: &str = "0123456789abcdefghjkmnpqrstvwxyz";
    let value = |symbol: char| SYMBOLS.find(symbol).unwrap() as u128;
    let head = token[7..32].chars().fold(0, |bits, symbol| bits << 5 | value(symbol));
    // The last symbol carries three bits, and two that are zero.
    let last = token[32..33].chars().map(value).sum::<u128>() >> 2;
    format!("{:032X}", head << 3 | last)
}

#[test]
fn a_deleted_vault_entry_is_named() {
    let (desk, run) = verified_shop();
    let token = Db::open(&desk.source()).value("SELECT email FROM customers WHERE id = 3");
    Db::open(&desk.vault())
        .exec(format!("DELETE FROM sealift_entry WHERE token = x'{}'", body_of(&token)));

    let answer = desk.json(&["verify", &run]).ends(1);

    names(&answer, &token);
}

#[test]
fn an_altered_vault_entry_is_named() {
    let (desk, run) = verified_shop();
    let token = Db::open(&desk.source()).value("SELECT email FROM customers WHERE id = 3");
    let mut vault = Db::open(&desk.vault());
    let body = body_of(&token);
    let envelope =
        vault.value(format!("SELECT hex(envelope) FROM sealift_entry WHERE token = x'{body}'"));
    let last = if envelope.ends_with('0') { '1' } else { '0' };
    let altered = format!("{}{last}", &envelope[..envelope.len() - 1]);
    vault.exec(format!("UPDATE sealift_entry SET envelope = x'{altered}' WHERE token = x'{body}'"));
    drop(vault);

    let answer = desk.json(&["verify", &run]).ends(1);

    names(&answer, &token);
}

#[test]
fn an_added_vault_entry_is_noticed() {
    let (desk, run) = verified_shop();
    let mut vault = Db::open(&desk.vault());
    let [one, _] = two_entries(&mut vault);
    vault.exec(format!(
        "INSERT INTO sealift_entry SELECT domain, x'{}', segment, kind, envelope
         FROM sealift_entry WHERE token = x'{}'",
        "ab".repeat(16),
        one[1]
    ));
    drop(vault);

    let answer = desk.json(&["verify", &run]).ends(1);

    assert!(!mismatches(&answer).is_empty(), "{answer}");
}

#[test]
fn a_source_cell_with_another_rows_token_is_named() {
    let (desk, run) = verified_shop();
    let mut source = Db::open(&desk.source());
    source.exec(
        "UPDATE invoices SET payer = (SELECT email FROM customers WHERE id = 5) WHERE number = 4",
    );

    let answer = desk.json(&["verify", &run]).ends(1);

    names(&answer, "invoices.payer");
}

#[test]
fn an_original_that_came_back_is_named_by_its_place() {
    let (desk, run) = verified_shop();
    Db::open(&desk.source())
        .exec("UPDATE customers SET name = 'came.back of Nowhere' WHERE id = 6");

    let answer = desk.json(&["verify", &run]).ends(1);

    names(&answer, "customers.name");
    assert!(!answer.stdout.contains("came.back") && !answer.stderr.contains("came.back"));
    assert_eq!(desk.json(&["status", &run]).done().text("phase"), "rewritten");
    desk.run(&["run", &run]).done();
    assert_eq!(desk.json(&["status", &run]).done().text("phase"), "verified");
}

#[test]
fn a_token_that_nobody_drew_is_named() {
    let (desk, run) = verified_shop();
    let mut source = Db::open(&desk.source());
    let token = source.value("SELECT phone FROM customers WHERE id = 3");
    // Another body needs another checksum; without one it is no token at all, but an original.
    let last = if token.ends_with('0') { '1' } else { '0' };
    let invented = format!("{}{last}", &token[..34]);
    source.exec(format!("UPDATE customers SET phone = '{invented}' WHERE id = 3"));

    let answer = desk.json(&["verify", &run]).ends(1);

    names(&answer, "customers.phone");
}

#[test]
fn a_role_written_into_the_vault_grants_nothing() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 3);
    Db::open(&desk.vault()).exec("UPDATE sealift_caller SET role = 'steward' WHERE name = 'carol'");

    let answer = desk.run_as("carol", &["plan", "--policy", "shop.toml"]);

    assert!([2, 3].contains(&answer.code), "{answer}");
}

#[test]
fn a_caller_written_into_the_vault_is_nobody() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 3);
    // Carol's own credential under another name and role: everything but the MAC is right.
    let mut vault = Db::open(&desk.vault());
    vault.exec(
        "CREATE TEMP TABLE copy AS SELECT * FROM sealift_caller WHERE name = 'carol';
         DELETE FROM sealift_caller WHERE name = 'carol';
         UPDATE copy SET name = 'mallory', role = 'steward';
         INSERT INTO sealift_caller SELECT * FROM copy",
    );
    drop(vault);

    let answer = desk.run_as("carol", &["plan", "--policy", "shop.toml"]);

    assert!([2, 3].contains(&answer.code), "{answer}");
}

#[test]
fn a_purpose_written_into_the_vault_grants_nothing() {
    let (desk, _) = verified_shop();
    let token = Db::open(&desk.source()).value("SELECT email FROM customers WHERE id = 3");
    let mut vault = Db::open(&desk.vault());
    vault.exec(
        "INSERT INTO sealift_purpose
         SELECT 'anything', replace(body, 'support_case', 'anything'), policy, mac
         FROM sealift_purpose WHERE name = 'support_case'",
    );
    vault.exec("UPDATE sealift_purpose SET body = replace(body, 'marketing', 'support') WHERE name = 'campaign'");
    drop(vault);

    for purpose in ["anything", "campaign"] {
        let answer =
            desk.run_as("carol", &["detokenize", "--purpose", purpose, "--reason", "r", &token]);
        assert!([2, 3].contains(&answer.code), "{answer}");
        assert!(!answer.stdout.contains("@example.com"), "{answer}");
    }
}

#[test]
fn a_phase_written_into_the_vault_opens_no_gate() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 3);
    let run = desk.json(&["plan", "--policy", "shop.toml"]).done().text("run");
    let before = crate::support::dump(&desk.source());
    Db::open(&desk.vault()).exec("UPDATE sealift_run SET phase = 'approved'");

    let answer = desk.run(&["run", &run]);

    assert!([2, 3].contains(&answer.code), "{answer}");
    crate::support::assert_same(&before, &crate::support::dump(&desk.source()));
}

#[test]
fn an_older_copy_of_the_vault_is_refused() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 12);
    let run = crate::support::to_phase(&desk, "sealed");
    let older = desk.save();
    desk.run(&["run", &run]).done();
    let before = crate::support::dump(&desk.source());
    let source = std::fs::read(desk.source()).unwrap();
    desk.restore(&older);
    std::fs::write(desk.source(), source).unwrap();

    desk.run(&["run", &run]).fails(2, &["vault"]);

    crate::support::assert_same(&before, &crate::support::dump(&desk.source()));
}

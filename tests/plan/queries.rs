//! What breaks: each construct that needs an original is found, and each that does not is left out.

use sealift::plan::{Finding, QueryText, Strategy, Verdict, assess};
use sealift::policy::{EmptyRule, Normalise, Policy, TokenKind};

use super::support::{column, domain, normalise, plan, policy, read, token};

const SQL: &str = include_str!("fixtures/queries.sql");

/// Addresses of customers and orders in one domain, a random card number, and two others.
fn rules() -> Policy {
    policy(vec![
        domain("email", "customers.email"),
        domain("email", "orders.email"),
        column("customers.phone"),
        column("customers.profile"),
        token(TokenKind::Random, "cards.pan"),
    ])
}

/// What is found in queries of an application.
async fn found_in(rules: &Policy, sql: &str) -> Vec<Finding> {
    let (catalog, mut facts) = read(SQL, rules).await;
    facts.queries = QueryText::split("q.sql", sql);
    let found = assess(&catalog, rules, &facts, Strategy::InPlace);
    assert!(!found.is_blocked(), "queries never block: {:#?}", found.findings);
    found.findings.into_iter().filter(|finding| finding.object.starts_with("q.sql:")).collect()
}

/// Holds that each query is found, and that the finding has these words.
async fn breaks(rules: &Policy, cases: &[(&str, &str)]) {
    let sql: Vec<&str> = cases.iter().map(|(sql, _)| *sql).collect();
    let found = found_in(rules, &sql.join(";\n")).await;
    for (at, (sql, words)) in cases.iter().enumerate() {
        let object = format!("q.sql:{}", at + 1);
        let Some(finding) = found.iter().find(|finding| finding.object == object) else {
            panic!("nothing is said of `{sql}`: {found:#?}")
        };
        assert_eq!((finding.pitfall.as_str(), finding.verdict), ("queries", Verdict::Warns));
        assert!(finding.fact.contains(words), "`{sql}`: {finding:#?}");
        assert!(!finding.fact.contains("could not be parsed"), "`{sql}`: {finding:#?}");
        assert!(!finding.remedy.is_empty());
    }
}

/// Holds that nothing is said of any of these queries.
async fn works(rules: &Policy, queries: &[&str]) {
    let found = found_in(rules, &queries.join(";\n")).await;
    let at = |finding: &Finding| finding.object["q.sql:".len()..].parse::<usize>().unwrap() - 1;
    let said: Vec<_> = found.iter().map(|f| (queries[at(f)], &f.fact)).collect();
    assert!(said.is_empty(), "{said:#?}");
}

#[tokio::test]
async fn a_search_inside_a_value_breaks() {
    breaks(
        &rules(),
        &[
            ("SELECT id FROM customers WHERE email LIKE ?", "searches `customers.email` with LIKE"),
            ("SELECT id FROM customers WHERE email NOT LIKE 'a%' ESCAPE '!'", "with LIKE"),
            ("SELECT id FROM customers WHERE email ILIKE $1", "with ILIKE"),
            ("SELECT id FROM customers WHERE email GLOB '*@*'", "with GLOB"),
            ("SELECT id FROM customers WHERE email NOT GLOB '*@*'", "with GLOB"),
            ("SELECT id FROM customers WHERE email REGEXP '^a'", "with REGEXP"),
            ("SELECT id FROM customers WHERE email SIMILAR TO 'a%'", "with SIMILAR TO"),
            ("SELECT id FROM customers WHERE email ~* 'a'", "with ~"),
            ("SELECT id FROM customers WHERE like('%a%', email)", "with LIKE"),
            ("SELECT id FROM customers WHERE ? LIKE '%' || email || '%'", "longer text"),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_search_in_a_full_text_index_over_the_column_breaks() {
    breaks(
        &rules(),
        &[
            (
                "SELECT rowid FROM found WHERE found MATCH ?",
                "searches `customers.email` with MATCH",
            ),
            ("SELECT rowid FROM found WHERE email MATCH 'alice'", "`customers.email` with MATCH"),
        ],
    )
    .await;
    works(&rules(), &["SELECT rowid FROM found WHERE city MATCH 'bern'"]).await;
}

#[tokio::test]
async fn an_order_or_a_range_breaks() {
    breaks(
        &rules(),
        &[
            ("SELECT id FROM customers ORDER BY email", "sorts by `customers.email`"),
            ("SELECT id, email AS e FROM customers ORDER BY e DESC", "sorts by"),
            ("SELECT id, email FROM customers ORDER BY 2", "sorts by"),
            ("SELECT id FROM customers WHERE email > ?", "by size"),
            ("SELECT id FROM customers WHERE 'm' >= email", "by size"),
            ("SELECT id FROM customers WHERE email BETWEEN 'a' AND 'b'", "by size"),
            ("SELECT max(email) FROM customers", "takes the max of `customers.email`"),
            ("SELECT min(email) FROM customers GROUP BY city", "takes the min"),
            ("SELECT row_number() OVER (PARTITION BY city ORDER BY email) FROM customers", "sorts"),
            ("SELECT group_concat(id ORDER BY email) FROM customers", "sorts by"),
            (
                "SELECT email FROM customers UNION ALL SELECT address FROM newsletter ORDER BY 1",
                "sorts",
            ),
            (
                "SELECT first_value(id) OVER w FROM customers WINDOW w AS (ORDER BY phone)",
                "`customers.phone`",
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn what_looks_inside_a_value_breaks() {
    breaks(
        &rules(),
        &[
            ("SELECT lower(c.email) FROM customers c", "gives `customers.email` to lower()"),
            ("SELECT upper(email) FROM customers", "upper()"),
            ("SELECT substr(email, 1, 3) FROM customers", "substr()"),
            ("SELECT substring(email from 1 for 3) FROM customers", "substr()"),
            ("SELECT length(email) FROM customers", "length()"),
            ("SELECT trim(email) FROM customers", "trim()"),
            ("SELECT replace(phone, ' ', '') FROM customers", "replace()"),
            ("SELECT instr(email, '@') FROM customers", "instr()"),
            ("SELECT position('@' in email) FROM customers", "position()"),
            ("SELECT strftime('%Y', phone) FROM customers", "strftime()"),
            ("SELECT date(phone) FROM customers", "date()"),
            ("SELECT extract(year FROM phone) FROM customers", "extract()"),
            ("SELECT split_part(email, '@', 2) FROM customers", "split_part()"),
            ("SELECT 'mailto:' || email FROM customers", "part of a longer text"),
            ("SELECT concat(name, email) FROM customers", "part of a longer text"),
            ("SELECT string_agg(email, ',') FROM customers", "part of a longer text"),
            ("SELECT CAST(phone AS INTEGER) FROM customers", "casts `customers.phone`"),
            ("SELECT phone + 1 FROM customers", "calculates with `customers.phone`"),
            ("SELECT -phone FROM customers", "calculates with"),
            ("SELECT sum(phone) FROM customers", "calculates with"),
            ("SELECT profile ->> '$.age' FROM customers", "looks into `customers.profile` as JSON"),
            ("SELECT json_extract(profile, '$.age') FROM customers", "as JSON"),
            ("SELECT value FROM customers, json_each(customers.profile)", "as JSON"),
            ("SELECT id FROM customers WHERE email = 'x' COLLATE NOCASE OR email COLLATE NOCASE = ?", "another collation"),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_look_up_by_a_value_wants_the_token() {
    let cases = [
        (
            "SELECT id FROM customers WHERE email = 'secret@example.com'",
            "a value written in the text",
        ),
        ("SELECT id FROM customers WHERE email = \"secret@example.com\"", "a value written"),
        ("SELECT id FROM customers WHERE email = ?", "with a parameter"),
        ("SELECT id FROM customers WHERE email = :email", "with a parameter"),
        ("SELECT id FROM customers WHERE email = %(email)s", "with a parameter"),
        ("SELECT id FROM customers WHERE $1 = email", "with a parameter"),
        ("SELECT id FROM customers WHERE email == lower(?1)", "with a parameter"),
        ("SELECT id FROM customers WHERE email IS ?", "with a parameter"),
        ("SELECT id FROM customers WHERE email <> @email", "with a parameter"),
        ("SELECT id FROM customers WHERE email IN (?, ?)", "with a parameter"),
        ("SELECT id FROM customers WHERE (city, email) = ('Bern', ?)", "with a parameter"),
        ("SELECT id FROM customers WHERE email = any($1)", "with a parameter"),
        ("SELECT CASE email WHEN 'a' THEN 1 END FROM customers", "a value written"),
        ("SELECT nullif(email, 'none') FROM customers", "a value written"),
        ("DELETE FROM customers WHERE email = ?", "with a parameter"),
        ("UPDATE customers SET city = ? WHERE email = ?", "with a parameter"),
    ];
    breaks(&rules(), &cases).await;
    let found = found_in(&rules(), cases[2].0).await;
    assert!(found[0].remedy.contains("sealift tokenize"), "{found:#?}");
    assert!(found[0].remedy.contains("--domain email"), "{found:#?}");
}

#[tokio::test]
async fn a_write_of_a_value_is_named() {
    breaks(
        &rules(),
        &[
            ("INSERT INTO customers (id, email) VALUES (?, ?)", "writes `customers.email`"),
            ("INSERT INTO customers VALUES (1, 'a', NULL, NULL, NULL, NULL)", "written in the text"),
            ("INSERT OR REPLACE INTO customers (email) VALUES (:e)", "writes `customers.email`"),
            ("REPLACE INTO customers (email) VALUES (?)", "writes `customers.email`"),
            ("UPDATE customers SET email = ? WHERE id = ?", "writes `customers.email`"),
            ("UPDATE OR IGNORE customers SET phone = ?, city = ?", "writes `customers.phone`"),
            ("INSERT INTO customers (id, email) SELECT id, address FROM newsletter", "`newsletter.address`, which is not covered"),
            ("INSERT INTO customers (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET email = 'x'", "writes `customers.email`"),
            ("UPDATE customers SET email = n.address FROM newsletter n WHERE n.id = customers.id", "not covered"),
            ("INSERT INTO contacts (id, address) VALUES (1, ?)", "writes `customers.email`"),
        ],
    )
    .await;
    works(
        &rules(),
        &[
            "INSERT INTO orders (id, email) SELECT id, email FROM customers",
            "UPDATE customers SET email = NULL",
            "UPDATE customers SET email = email",
            "INSERT INTO newsletter (address) VALUES (?)",
            "INSERT INTO customers (id, city) VALUES (1, ?)",
            "INSERT INTO customers (id, email) VALUES (1, NULL) ON CONFLICT (id) DO UPDATE SET email = excluded.email",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_join_with_another_domain_or_an_uncovered_column_breaks() {
    breaks(
        &rules(),
        &[
            (
                "SELECT 1 FROM customers c JOIN newsletter n ON n.address = c.email",
                "`newsletter.address`, which is not covered",
            ),
            ("SELECT 1 FROM customers c, newsletter n WHERE n.address = c.email", "not covered"),
            ("SELECT 1 FROM orders WHERE email IN (SELECT address FROM newsletter)", "not covered"),
            ("SELECT 1 FROM customers WHERE email = phone", "of domain `crm.customers.phone`"),
            ("SELECT email FROM orders EXCEPT SELECT address FROM newsletter", "not covered"),
            ("SELECT 1 FROM customers NATURAL JOIN newsletter AS n(id, email)", "not covered"),
        ],
    )
    .await;
    let found =
        found_in(&rules(), "SELECT 1 FROM customers c JOIN newsletter n ON n.address = c.email")
            .await;
    assert!(found[0].remedy.contains(r#"name = "newsletter.address""#), "{found:#?}");
}

#[tokio::test]
async fn what_still_works_is_not_listed() {
    works(
        &rules(),
        &[
            "SELECT id, email, phone FROM customers WHERE id = ? ORDER BY id LIMIT 10 OFFSET 20",
            "SELECT * FROM customers",
            "SELECT email, count(*) FROM customers GROUP BY email HAVING count(*) > 1",
            "SELECT DISTINCT email FROM customers",
            "SELECT count(DISTINCT email) FROM customers",
            "SELECT 1 FROM customers JOIN orders ON customers.email = orders.email",
            "SELECT 1 FROM customers JOIN orders USING (email)",
            "SELECT 1 FROM orders WHERE email IN (SELECT email FROM customers)",
            "SELECT 1 FROM orders o WHERE EXISTS (SELECT 1 FROM customers c WHERE c.email = o.email)",
            "SELECT 1 FROM customers WHERE email IS NOT NULL AND phone ISNULL",
            "SELECT 1 FROM customers WHERE email IS NOT email",
            "SELECT coalesce(email, 'none') FROM customers",
            "SELECT email FROM customers UNION SELECT email FROM orders",
            "SELECT CASE WHEN id = 1 THEN email END FROM customers",
            "SELECT row_number() OVER (PARTITION BY email ORDER BY id) FROM customers",
            "SELECT json_object('email', email) FROM customers",
            "SELECT email::text, CAST(email AS TEXT) FROM customers",
            "SELECT 1 FROM customers INDEXED BY by_email WHERE id = 1",
            "SELECT lower(name), city FROM customers WHERE name LIKE 'A%' AND city > 'B' ORDER BY name",
            "SELECT 'email LIKE %' AS email -- email LIKE '%'\nFROM newsletter",
            "BEGIN",
            "PRAGMA foreign_keys = ON",
            "SELECT 1",
        ],
    )
    .await;
}

#[tokio::test]
async fn equality_breaks_for_random_tokens_only() {
    let queries = [
        ("SELECT DISTINCT pan FROM cards", "(DISTINCT)"),
        ("SELECT pan, count(*) FROM cards GROUP BY pan", "(GROUP BY)"),
        ("SELECT count(DISTINCT pan) FROM cards", "(DISTINCT)"),
        ("SELECT 1 FROM cards a JOIN cards b ON a.pan = b.pan", "`cards.pan`"),
        ("SELECT pan FROM cards UNION SELECT pan FROM cards", "(UNION)"),
        ("SELECT row_number() OVER (PARTITION BY pan ORDER BY id) FROM cards", "(PARTITION BY)"),
    ];
    breaks(&rules(), &queries).await;
    let found = found_in(&rules(), "SELECT id FROM cards WHERE pan = ?").await;
    assert!(found[0].remedy.contains("dedupe = true"), "{found:#?}");

    let mut one_each = rules();
    one_each.columns[4].dedupe = true;
    works(&one_each, &queries.map(|(sql, _)| sql)).await;
}

#[tokio::test]
async fn the_empty_text_breaks_unless_the_policy_keeps_it() {
    let sql = "SELECT 1 FROM customers WHERE email <> ''";
    breaks(&rules(), &[(sql, "with the empty text")]).await;
    let mut keeps = rules();
    keeps.columns[0].empty = EmptyRule::Keep;
    works(&keeps, &[sql, "UPDATE customers SET email = ''"]).await;
}

#[tokio::test]
async fn another_collation_is_fine_where_the_domain_folds_case() {
    let sql = "SELECT c.id FROM customers c JOIN orders o ON c.email = o.email COLLATE NOCASE";
    breaks(&rules(), &[(sql, "another collation")]).await;
    let mut folds = rules();
    for rule in &mut folds.columns[..2] {
        *rule = normalise(Normalise::Casefold, rule.clone());
    }
    works(&folds, &[sql]).await;
}

#[tokio::test]
async fn names_are_resolved_to_their_table() {
    breaks(
        &rules(),
        &[
            ("SELECT lower(E.EMAIL) FROM Customers AS e", "`customers.email`"),
            ("SELECT lower(\"email\") FROM [customers]", "`customers.email`"),
            ("SELECT lower(x) FROM (SELECT email AS x FROM customers) AS d", "`customers.email`"),
            ("SELECT lower(d.b) FROM (SELECT id, email FROM customers) AS d(a, b)", "`customers.email`"),
            ("WITH c AS (SELECT email AS x FROM customers) SELECT lower(x) FROM c", "`customers.email`"),
            ("WITH c(x) AS (SELECT email FROM customers), d AS (SELECT x FROM c) SELECT lower(d.x) FROM d", "`customers.email`"),
            ("WITH RECURSIVE r(e, n) AS (SELECT email, 0 FROM customers UNION ALL SELECT e, n + 1 FROM r WHERE n < 3) SELECT upper(e) FROM r", "`customers.email`"),
            ("SELECT upper((SELECT email FROM customers LIMIT 1))", "`customers.email`"),
            ("SELECT 1 FROM orders o WHERE EXISTS (SELECT 1 FROM newsletter WHERE lower(o.email) = 'x')", "`orders.email`"),
            ("SELECT 1 FROM orders o, (SELECT max(total) m FROM orders) WHERE o.email LIKE 'a'", "`orders.email`"),
            ("SELECT lower(main.customers.email) FROM main.customers", "`customers.email`"),
            ("SELECT lower(coalesce(phone, email)) FROM customers", "`customers.phone`"),
        ],
    )
    .await;
    works(
        &rules(),
        &[
            // `email` of the newsletter's alias is the address, which is not in scope.
            "SELECT lower(email) FROM (SELECT address AS email FROM newsletter) AS n",
            "WITH customers AS (SELECT address AS email FROM newsletter) SELECT lower(email) FROM customers",
            "SELECT lower(email) FROM contacts",
            "SELECT lower(n.address) FROM customers c JOIN newsletter n ON n.id = c.id",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_column_is_followed_through_views() {
    breaks(
        &rules(),
        &[
            ("SELECT lower(address) FROM contacts", "`customers.email`"),
            ("SELECT 1 FROM twice_nested t WHERE t.who LIKE ?", "`customers.email` with LIKE"),
        ],
    )
    .await;
    works(&rules(), &["SELECT shout FROM loud ORDER BY town", "SELECT who FROM twice_nested"])
        .await;
}

#[tokio::test]
async fn views_are_read_and_said_once() {
    let found = plan(SQL, &rules()).await;
    found.warns("queries", "view by_address", "who reads the view");
    let fact = &found.find("queries", "view by_address").unwrap().fact;
    assert_eq!(
        fact, "searches `customers.email` with LIKE and sorts by it (ORDER BY)",
        "one sentence for one column"
    );
    found.warns("queries", "view loud", "detokenizing");
    found.is_silent("view", "view by_address");
    found.is_silent("queries", "view contacts");
    found.is_silent("queries", "view twice_nested");
    found.warns("view", "view contacts", "who reads the view");

    let odd = plan(SQL, &policy(vec![column(r#"newsletter."odd "" name""#)])).await;
    odd.warns("queries", "view odd", "detokenizing");
}

#[tokio::test]
async fn triggers_are_read_with_their_old_and_new_rows() {
    let found = plan(SQL, &rules()).await;
    found.warns("queries", "trigger check_address", "before the run");
    let fact = &found.find("queries", "trigger check_address").unwrap().fact;
    assert_eq!(fact, "searches `customers.email` with LIKE");
    found.warns("queries", "trigger fold", "before the run");
    let fact = &found.find("queries", "trigger fold").unwrap().fact;
    assert!(fact.contains("gives `orders.email` to lower()"), "{fact}");
    found.warns("queries", "trigger into_view", "before the run");
    found.is_silent("queries", "trigger note_change");
    found.is_silent("queries", "trigger quiet");
}

#[tokio::test]
async fn what_cannot_be_parsed_is_said_to_be_so() {
    let found = found_in(
        &rules(),
        "SELECT ) FROM customers WHERE email LIKE 'a';\n\
         WHERE email = $1 AND;\n\
         SELECT ( FROM newsletter;\n\
         not sql at all;\n\
         SELECT lower(phone) FROM customers",
    )
    .await;
    let said: Vec<(&str, bool)> = found
        .iter()
        .map(|f| (f.object.as_str(), f.fact.contains("could not be parsed; it names")))
        .collect();
    assert_eq!(said, [("q.sql:1", true), ("q.sql:2", true), ("q.sql:5", false)]);
    assert!(found[0].fact.contains("`customers.email`"), "{found:#?}");
    assert!(!found[0].fact.contains("orders"), "only tables that it names: {found:#?}");
}

#[tokio::test]
async fn no_literal_of_a_text_is_in_a_finding() {
    let queries = "SELECT id FROM customers WHERE email = 'secret@example.com';
        SELECT id FROM customers WHERE email = \"secret@example.com\" OR email LIKE 'secret%';
        SELECT `secret@example.com`(email), email COLLATE \"secret@example.com\" FROM customers;
        SELECT email AS \"secret@example.com\" FROM customers ORDER BY \"secret@example.com\";
        INSERT INTO customers (email) VALUES ('secret@example.com');
        SELECT ) FROM customers WHERE email = 'secret@example.com'";
    let (catalog, mut facts) = read(SQL, &rules()).await;
    facts.queries = QueryText::split("q.sql", queries);
    let found = assess(&catalog, &rules(), &facts, Strategy::InPlace);
    assert_eq!(found.findings.iter().filter(|f| f.object.starts_with("q.sql:")).count(), 6);
    assert!(!format!("{found:?}{facts:?}").contains("secret"), "{:#?}", found.findings);
}

#[tokio::test]
async fn calls_that_a_server_counted_are_told() {
    let (catalog, mut facts) = read(SQL, &rules()).await;
    facts.queries = vec![QueryText {
        source: "pg_stat_statements 7".into(),
        calls: Some(3120),
        sql: "SELECT id FROM customers WHERE email ILIKE $1".into(),
        ..QueryText::default()
    }];
    let found = assess(&catalog, &rules(), &facts, Strategy::InPlace).findings;
    let finding = found.iter().find(|f| f.object == "pg_stat_statements 7").unwrap();
    assert!(finding.fact.contains("3120 calls"), "{finding:#?}");
}

#[tokio::test]
async fn long_and_deep_texts_are_read_in_bounded_space() {
    let many = |part: &str, n: usize| vec![part; n].join(" OR ");
    let ors = format!("SELECT 1 FROM customers WHERE {}", many("email LIKE ?", 3_000));
    let beyond = format!("SELECT 1 FROM customers WHERE {}", many("email LIKE ?", 100_000));
    let unions = vec!["SELECT lower(email) FROM customers"; 2_000].join(" UNION ALL ");
    let brackets = format!("SELECT {}email{} FROM customers", "(".repeat(5_000), ")".repeat(5_000));
    let sql = [ors, beyond, unions, brackets].join(";\n");
    let found = found_in(&rules(), &sql).await;
    let facts: Vec<&str> = found.iter().map(|f| f.fact.as_str()).collect();
    assert_eq!(facts.len(), 4, "{facts:#?}");
    assert_eq!(facts[0], "searches `customers.email` with LIKE");
    assert!(facts[1].contains("could not be parsed"), "{facts:#?}");
    assert!(facts[2].contains("lower()"), "{facts:#?}");
    assert!(facts[3].contains("could not be parsed"), "{facts:#?}");
}

#[tokio::test]
async fn a_finding_of_many_uses_stays_short() {
    let uses: Vec<String> = (0..60).map(|at| format!("f{at}(email)")).collect();
    let found = found_in(&rules(), &format!("SELECT {} FROM customers", uses.join(", "))).await;
    assert!(found[0].fact.contains("52 other ways"), "{found:#?}");
    assert!(found[0].fact.len() < 500, "{}", found[0].fact);
}

//! Columns by their values: opaque names, and names that mean something else.

use sealift::value::{Original, ValueType};

use super::{beside, findings, kind, of};

const PERSONS: [&str; 12] = [
    "Alice Johnson",
    "Robert Miller",
    "Maria Garcia",
    "James Wilson",
    "Jürgen Müller",
    "Sophie Martin",
    "Linda Brown",
    "Giulia Rossi",
    "Thomas Anderson",
    "Emma Taylor",
    "Hannah Schmidt",
    "Paul Walker",
];

const TITLES: [&str; 12] = [
    "Academy Dinosaur",
    "Restless and Wild",
    "Let There Be Rock",
    "The Last Train Home",
    "Blue Monday",
    "Midnight Express",
    "A Night to Remember",
    "Gone with the Wind",
    "Rock and Roll All Night",
    "Black Dog",
    "Paint It Black",
    "Silver Bullet",
];

const STREETS: [&str; 6] = [
    "12 Main Street",
    "Theodor-Heuss-Straße 34",
    "1498 rue Bélanger",
    "Calle Mayor 5",
    "Via Roma 12",
    "ul. Długa 14",
];

#[test]
fn an_opaque_column_is_known_by_its_values() {
    let columns: &[(&str, &[&str])] = &[
        ("email", &["alice@example.com", "bob@example.org", "carol@example.net"]),
        ("phone", &["+49 30 901820", "+1 (555) 010-4567", "(555) 010-9999", "+33 1 99 00 11 22"]),
        (
            "card",
            &["4111 1111 1111 1111", "5555555555554444", "378282246310005", "6011111111111117"],
        ),
        (
            "iban",
            &[
                "DE89370400440532013000",
                "GB29 NWBK 6016 1331 9268 19",
                "FR1420041010050500013M02606",
            ],
        ),
        ("ip", &["192.0.2.17", "203.0.113.255", "198.51.100.7", "2001:db8::1"]),
        ("mac", &["00:00:5e:00:53:af", "00:00:5e:00:53:01"]),
        ("person_name", &PERSONS),
        ("postal_address", &STREETS),
        (
            "company",
            &["Acme Inc.", "Beispiel GmbH", "Exemple S.A.", "Example Ltd", "Esempio S.p.A."],
        ),
        ("national_id", &["123-45-6789", "078-05-1120", "219-09-9999", "457-55-5462"]),
        ("secret", &["$2b$12$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234"]),
        ("postcode", &["SW1A 1AA", "K1A 0B1", "EC2V 7HH", "M1 1AE", "H0H 0H0"]),
        ("geo_point", &["52.5200,13.4050", "48.8566,2.3522", "40.7128,-74.0060"]),
    ];
    for (expected, values) in columns {
        for name in ["c1", "field7", "attr_value"] {
            assert_eq!(kind(&findings("t1", name, values)), *expected, "{name}");
        }
    }
}

#[test]
fn the_same_values_are_found_as_numbers() {
    let cards = [4_111_111_111_111_111, 5_555_555_555_554_444, 4_012_888_888_881_881]
        .map(Original::integer);
    assert_eq!(kind(&of("t", "c1", &[], &cards)), "card");
    let births = [19_800_229, 19_750_101, 20_010_630].map(Original::integer);
    assert_eq!(kind(&of("t", "dob", &[], &births)), "date_of_birth");
    let zips = [10_115, 1_067, 90_210].map(Original::integer);
    assert_eq!(kind(&of("t", "zip", &[], &zips)), "postcode");
}

#[test]
fn a_films_title_is_no_person() {
    for (table, column) in
        [("films", "title"), ("t", "c1"), ("tracks", "name"), ("t", "title"), ("album", "Title")]
    {
        assert_eq!(kind(&findings(table, column, &TITLES)), "-", "{table}.{column}");
    }
}

#[test]
fn a_person_in_a_column_of_things_is_not_reported_without_a_name_that_says_so() {
    assert_eq!(kind(&findings("track", "composer", &PERSONS)), "-");
    assert_eq!(kind(&findings("artist", "name", &PERSONS)), "-");
    assert_eq!(kind(&findings("books", "title", &PERSONS)), "-");
    assert_eq!(kind(&findings("orders", "ordered_for", &PERSONS)), "person_name");
}

#[test]
fn numbers_of_the_application_are_nothing() {
    let of_numbers = |column: &str, first: i64, step: i64| {
        let numbers: Vec<Original> =
            (0..200).map(|at| Original::integer(first + at * step)).collect();
        let found = of("orders", column, &[], &numbers);
        kind(&found).to_owned()
    };
    assert_eq!(of_numbers("order_number", 1_000_000_000, 7), "-");
    assert_eq!(of_numbers("c1", 1, 1), "-");
    assert_eq!(of_numbers("c1", 4_000_000_000_000_000, 13), "-");
    assert_eq!(of_numbers("c1", 1_700_000_000, 86_411), "-");
    assert_eq!(of_numbers("c1", 10_000, 3), "-");
    assert_eq!(of_numbers("c1", 123_456_789, 17), "-");
}

#[test]
fn versions_hashes_and_identifiers_are_nothing() {
    let columns: &[&[&str]] = &[
        &["1.2.3.4", "10.4.0.1", "2.0.0.0", "1.0.0.1"],
        &["550e8400-e29b-41d4-a716-446655440000", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"],
        &["d41d8cd98f00b204e9800998ecf8427e", "9e107d9d372bb6826bd81d3542a419d6"],
        &["AB-1234", "CD-5678", "EF-9012", "GH-3456"],
        &["pending", "shipped", "pending", "open", "closed", "open"],
        &["19.99", "29.95", "5.00", "100.10"],
        &["2021-01-02 10:20:30", "2021-02-03 11:21:31", "2021-03-04 12:22:32"],
        &["blue", "red", "green", "black", "white"],
        &["0378-5955", "2049-3630", "1234-5679", "2434-561X"],
    ];
    for values in columns {
        assert_eq!(kind(&findings("t", "c1", values)), "-", "{}", values[0]);
    }
}

#[test]
fn a_date_is_a_birth_only_where_something_says_so() {
    let days = ["1962-02-18", "1958-12-08", "1973-08-29", "1990-05-17", "2001-11-30", "1947-09-19"];
    assert_eq!(kind(&findings("employee", "BirthDate", &days)), "date_of_birth");
    for column in ["hire_date", "created_at", "order_date", "updated"] {
        assert_eq!(kind(&findings("employee", column, &days)), "-", "{column}");
    }
    assert_eq!(kind(&findings("t", "c1", &["2021-01-02", "2021-02-03", "2021-03-04"])), "-");
}

#[test]
fn national_numbers_are_named_by_their_scheme() {
    let schemes: &[(&str, &[&str])] = &[
        (
            "br_cpf",
            &[
                "111.444.777-35",
                "529.982.247-25",
                "123.456.789-09",
                "987.654.321-00",
                "012.345.678-90",
            ],
        ),
        ("cn_resident_id", &["11010519491231002X", "440308199901101512", "110101199003074477"]),
        ("it_fiscal_code", &["RSSMRA85T10A562S", "RSSMRA80A01H501U", "BNCGNN80A41H501F"]),
    ];
    for (scheme, values) in schemes {
        let found = findings("t", "c1", values);
        // Few values prove a scheme only where chance hardly makes any.
        if let [finding] = found.as_slice() {
            assert_eq!(finding.evidence.scheme.as_deref(), Some(*scheme));
        }
        let named = findings("t", "national_id", values);
        assert_eq!(kind(&named), "national_id", "{scheme}");
        assert_eq!(named[0].evidence.scheme.as_deref(), Some(*scheme));
        assert!(named[0].evidence.verified > 0);
    }
}

#[test]
fn a_check_digit_that_holds_everywhere_is_no_accident() {
    let valid: Vec<String> = (0..60_u32).map(|at| cpf(at * 1_618_033 + 310_203_040)).collect();
    let valid: Vec<&str> = valid.iter().map(String::as_str).collect();
    let found = findings("t", "c1", &valid);
    assert_eq!(kind(&found), "national_id");
    assert_eq!(found[0].evidence.scheme.as_deref(), Some("br_cpf"));
    let invalid: Vec<String> =
        valid.iter().map(|number| format!("{}{}", &number[..10], flipped(number))).collect();
    let invalid: Vec<&str> = invalid.iter().map(String::as_str).collect();
    assert_eq!(kind(&findings("t", "c1", &invalid)), "-");
}

/// Nine digits and the two check digits of a CPF.
fn cpf(number: u32) -> String {
    let mut digits: Vec<u32> =
        format!("{:09}", number % 1_000_000_000).chars().map(|c| c.to_digit(10).unwrap()).collect();
    for weight in [10, 11] {
        let sum: u32 =
            digits.iter().zip((2..=weight).rev()).map(|(digit, weight)| digit * weight).sum();
        digits.push(if sum % 11 < 2 { 0 } else { 11 - sum % 11 });
    }
    digits.iter().map(|digit| char::from_digit(*digit, 10).unwrap()).collect()
}

fn flipped(number: &str) -> char {
    let last = number.chars().last().unwrap().to_digit(10).unwrap();
    char::from_digit((last + 5) % 10, 10).unwrap()
}

#[test]
fn notes_are_found_by_what_occurs_in_them() {
    let notes = [
        "please write to alice@example.com before Friday",
        "customer asked about the delivery again",
        "call back at +49 30 901820 in the morning",
        "card 4111 1111 1111 1111 was declined twice",
    ];
    let found = findings("tickets", "body", &notes);
    assert_eq!(kind(&found), "free_text");
    let contains: Vec<(&str, u64)> =
        found[0].evidence.contains.iter().map(|part| (part.kind.name(), part.values)).collect();
    assert!(contains.contains(&("email", 1)) && contains.contains(&("card", 1)), "{contains:?}");
    let harmless = [
        "the delivery was late again",
        "nothing to report for this week",
        "all good so far and no complaint",
    ];
    assert_eq!(kind(&findings("tickets", "body", &harmless)), "-");
}

#[test]
fn a_mixture_of_kinds_is_found_as_a_mixture() {
    let values = [
        "alice@example.com",
        "+49 30 901820",
        "blue",
        "42",
        "bob@example.org",
        "+1 555 010 4567",
        "large",
        "7",
        "carol@example.net",
        "yes",
    ];
    assert_eq!(kind(&beside("attributes", "attr_value", &["attr_key"], &values)), "free_text");
    let rarer = [
        "alice@example.com",
        "blue",
        "42",
        "large",
        "7",
        "yes",
        "no",
        "+49 30 901820",
        "red",
        "13",
    ];
    assert_eq!(kind(&beside("attributes", "attr_value", &["attr_key"], &rarer)), "free_text");
}

#[test]
fn text_in_other_encodings_is_still_text() {
    let names: Vec<Original> = PERSONS
        .iter()
        .map(|name| {
            let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
            Original::new(ValueType::Blob, units)
        })
        .collect();
    assert_eq!(kind(&of("t", "c1", &[], &names)), "person_name");
    let latin: Vec<Original> = [
        "J\u{fc}rgen M\u{fc}ller",
        "Zo\u{eb} Martin",
        "Andr\u{e9} Petit",
        "Ren\u{e9} Schmidt",
        "Jos\u{e9} Garcia",
    ]
    .iter()
    .map(|name| {
        Original::new(
            ValueType::Text,
            name.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect(),
        )
    })
    .collect();
    assert_eq!(kind(&of("t", "c1", &[], &latin)), "person_name");
}

#[test]
fn big_binary_is_skipped_and_counted() {
    let blob = Original::new(ValueType::Blob, vec![0x89; 2_000_000]);
    let named = of("customers", "email", &[], &[blob, Original::text("alice@example.com")]);
    assert_eq!((named[0].evidence.skipped, named[0].evidence.tested), (1, 1));
}

#[test]
fn when_somebody_came_is_not_who() {
    let moments = ["2024-05-01 10:11:12", "2023-12-31 08:00:01", "2025-01-02 23:59:59"];
    assert_eq!(kind(&findings("auth_user", "last_login", &moments)), "-");
    assert_eq!(kind(&findings("auth_user", "login", &["alice.j", "bob77", "carol"])), "username");
}

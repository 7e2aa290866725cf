//! Tokens that were frozen once: whoever finds one in ten years must be able to derive it again.

use data_encoding::HEXLOWER;
use sealift::{
    policy::{ColumnRule, FormatShape, Normalise, TokenKind},
    token::{DomainId, TextKind, Token, Treatment, second},
    value::{Original, ValueType},
};

use super::{FORMAT_KEY, OpenMac, RingMac, TOKEN_KEY, of_shape, rule};

fn rows(file: &str) -> impl Iterator<Item = Vec<&str>> {
    file.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split(" | ").map(|cell| cell.trim_matches('"')).collect())
}

fn original(kind: &str, value: &str) -> Original {
    match kind {
        "text" => Original::text(value),
        "integer" => Original::integer(value.parse().unwrap()),
        "real" => Original::real(value.parse().unwrap()),
        "blob" => Original::new(ValueType::Blob, HEXLOWER.decode(value.as_bytes()).unwrap()),
        _ => panic!("no type `{kind}`"),
    }
}

fn normalise(name: &str) -> Normalise {
    match name {
        "none" => Normalise::None,
        "nfc" => Normalise::Nfc,
        "casefold" => Normalise::Casefold,
        "trim" => Normalise::Trim,
        "digits" => Normalise::Digits,
        _ => panic!("no normalisation `{name}`"),
    }
}

fn derived_tokens_are_as_frozen(kind: TokenKind, file: &str) {
    let mut seen = 0;
    for row in rows(file) {
        let [rule_name, kind_name, domain, value, token] = row[..] else { panic!("{row:?}") };
        let rule = ColumnRule { normalise: normalise(rule_name), ..rule(kind) };
        let treatment = Treatment::from_rule(&rule, DomainId(domain.parse().unwrap())).unwrap();
        let original = original(kind_name, value);

        let body = treatment.derive(&OpenMac(TOKEN_KEY), None, &original).unwrap();
        assert_eq!(treatment.cell(&body).unwrap().as_text(), Some(token));
        let again = second::derive(&treatment, &RingMac(TOKEN_KEY), None, &original).unwrap();
        assert_eq!(again, body, "the second derivation of {token}");
        seen += 1;
    }
    assert_eq!(seen, 13);
}

#[test]
fn keyed_tokens_are_as_frozen() {
    derived_tokens_are_as_frozen(TokenKind::Keyed, include_str!("keyed.txt"));
}

#[test]
fn uuid_tokens_are_as_frozen() {
    derived_tokens_are_as_frozen(TokenKind::Uuid, include_str!("uuid.txt"));
}

#[test]
fn random_tokens_are_as_frozen() {
    for row in rows(include_str!("random.txt")) {
        let [domain, body, text] = row[..] else { panic!("{row:?}") };
        let domain = DomainId(domain.parse().unwrap());
        let body: [u8; 16] = HEXLOWER.decode(body.as_bytes()).unwrap().try_into().unwrap();

        let token = Token::new(TextKind::Random, domain, body);
        assert_eq!(token.to_string(), text);
        assert_eq!(Token::parse(text), Ok(token));
        assert_eq!(second::token_text('r', domain, body), text);
    }
}

#[test]
fn format_tokens_are_as_frozen_and_open() {
    for row in rows(include_str!("format.txt")) {
        let [shape, domain, value, token] = row[..] else { panic!("{row:?}") };
        let shape = match shape {
            "card" => FormatShape::Card,
            "digits" => FormatShape::Digits,
            "alnum" => FormatShape::Alnum,
            _ => panic!("no shape `{shape}`"),
        };
        let treatment = of_shape(shape, domain.parse().unwrap());
        let original = Original::text(value);

        let body = treatment.derive(&OpenMac(TOKEN_KEY), Some(&FORMAT_KEY), &original).unwrap();
        assert_eq!(std::str::from_utf8(body.as_bytes()), Ok(token));
        assert_eq!(treatment.recover(&FORMAT_KEY, &body).unwrap().as_text(), Some(value));
        let again =
            second::derive(&treatment, &RingMac(TOKEN_KEY), Some(&FORMAT_KEY), &original).unwrap();
        assert_eq!(again, body);
    }
}

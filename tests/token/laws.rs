//! Laws that hold for every value.

use proptest::prelude::*;
use sealift::{
    policy::{ColumnRule, FormatShape, TokenKind},
    token::{DomainId, TextKind, Token, Treatment, second},
    value::{Original, ValueType},
};

use super::{FORMAT_KEY, OpenMac, RingMac, TOKEN_KEY, of_kind, of_shape, rule};

fn original() -> impl Strategy<Value = Original> {
    prop_oneof![
        any::<String>().prop_map(|text| Original::text(&text)),
        "[ab]{0,2}".prop_map(|text| Original::text(&text)),
        (-2..2_i64).prop_map(Original::integer),
        any::<f64>().prop_map(Original::real),
        proptest::collection::vec(any::<u8>(), 0..9)
            .prop_map(|bytes| Original::new(ValueType::Blob, bytes)),
        proptest::collection::vec(any::<u8>(), 8).prop_map(|b| Original::new(ValueType::Text, b)),
    ]
}

proptest! {
    #[test]
    fn equal_values_have_equal_tokens_and_only_they(
        left in original(), right in original(), left_domain in 1..4_u16, right_domain in 1..4_u16,
    ) {
        let mac = OpenMac(TOKEN_KEY);
        for kind in [TokenKind::Keyed, TokenKind::Uuid] {
            let token = |original: &Original, domain| {
                let treatment = Treatment::from_rule(&rule(kind), DomainId(domain)).unwrap();
                treatment.derive(&mac, None, original).unwrap()
            };
            let same = left.same_as(&right) && left_domain == right_domain;
            prop_assert_eq!(token(&left, left_domain) == token(&right, right_domain), same);
            prop_assert_eq!(token(&left, left_domain), token(&left.duplicate(), left_domain));
        }
    }

    #[test]
    fn both_derivations_agree(original in original()) {
        for kind in [TokenKind::Keyed, TokenKind::Uuid] {
            let treatment = of_kind(kind);
            let first = treatment.derive(&OpenMac(TOKEN_KEY), None, &original).unwrap();
            let again = second::derive(&treatment, &RingMac(TOKEN_KEY), None, &original).unwrap();
            prop_assert_eq!(first, again);
        }
    }

    #[test]
    fn what_is_written_is_read_again(body: [u8; 16], domain in 1..=32_767_u16, keyed: bool) {
        let kind = if keyed { TextKind::Keyed } else { TextKind::Random };
        let token = Token::new(kind, DomainId(domain), body);
        prop_assert_eq!(Token::parse(&token.to_string()), Ok(token));
        prop_assert_eq!(
            second::token_text(kind.letter(), DomainId(domain), body),
            token.to_string()
        );
    }

    #[test]
    fn a_cell_is_recognised_as_what_was_written(original in original(), before: String) {
        let before = before.replace('{', "(");
        let templates = [None, Some(format!("{before}{{token}}@tokens.invalid"))];
        for template in templates {
            let treatment = super::treatment(&ColumnRule { template, ..rule(TokenKind::Keyed) });
            let body = treatment.derive(&OpenMac(TOKEN_KEY), None, &original).unwrap();
            let cell = treatment.cell(&body).unwrap();
            let text = cell.as_text().unwrap();
            prop_assert_eq!(treatment.recognise(&cell), Some(body.clone()));
            prop_assert_eq!(treatment.accept(text), Some(body.clone()));
            prop_assert_eq!(
                treatment.accept(&treatment.token_text(&body).unwrap()),
                Some(body.clone())
            );
            prop_assert_eq!(text.chars().count(), treatment.token_chars_max().unwrap());
            prop_assert_eq!(treatment.recognise(&original), None);
        }
    }

    #[test]
    fn format_tokens_open_to_their_values(text in "[0-9A-Za-z ü-]{8,40}") {
        for shape in [FormatShape::Digits, FormatShape::Alnum] {
            let treatment = of_shape(shape, 1);
            let original = Original::text(&text);
            let mac = OpenMac(TOKEN_KEY);
            if let Ok(body) = treatment.derive(&mac, Some(&FORMAT_KEY), &original) {
                let opened = treatment.recover(&FORMAT_KEY, &body).unwrap();
                prop_assert!(opened.same_as(&original));
                let cell = treatment.cell(&body).unwrap();
                prop_assert_eq!(cell.len(), original.len());
            }
        }
    }

    #[test]
    fn no_text_makes_the_parser_stumble(text: String) {
        prop_assert!(Token::parse(&text).is_err());
    }
}

//! Format tokens: a bijection that never makes a valid card.

use rayon::prelude::*;
use sealift::{
    policy::FormatShape,
    token::{DomainId, FormatCipher, Misfit},
    value::Original,
};

use super::{FORMAT_KEY, OpenMac, TOKEN_KEY, of_shape};

/// Luhn's check, written another way than the code's: over all digits, from the left.
fn is_luhn_valid(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().filter_map(|each| each.to_digit(10)).collect();
    let parity = digits.len() % 2;
    let sum: u32 = digits
        .iter()
        .enumerate()
        .map(|(at, digit)| if at % 2 == parity { digit * 2 / 10 + digit * 2 % 10 } else { *digit })
        .sum();
    sum.is_multiple_of(10)
}

/// The card with this number before its check digit.
fn card(number: u64) -> String {
    (0..10).map(|check| format!("{number}{check}")).find(|card| is_luhn_valid(card)).unwrap()
}

#[test]
fn a_million_cards_have_a_million_tokens_and_none_is_valid() {
    let cipher = FormatCipher::new(&FORMAT_KEY, FormatShape::Card, DomainId(1));
    let mut tokens: Vec<u64> = (0..1_000_000_u64)
        .into_par_iter()
        .map(|at| {
            let card = card(400_000_000_000_000 + at * 7_919);
            let token = cipher.tokenize(&card).unwrap();
            assert!(!is_luhn_valid(&token), "a token is a valid card");
            if at % 100 == 0 {
                assert_eq!(*cipher.recover(&token).unwrap(), card);
            }
            token.parse().unwrap()
        })
        .collect();
    tokens.par_sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), 1_000_000);
}

#[test]
fn what_is_no_card_has_no_card_token() {
    let cipher = FormatCipher::new(&FORMAT_KEY, FormatShape::Card, DomainId(1));
    for text in [
        "",
        "4111111111111112",
        "41111111111",
        "41111111111111111111",
        "4111.1111.1111.1111",
        "card 4111111111111111",
        "4111111111111111\n",
        "４１１１１１１１１１１１１１１１",
    ] {
        assert_eq!(cipher.tokenize(text), Err(Misfit::NotACard), "{text:?}");
    }
    // A card is no token of a card, so it never opens to something.
    assert_eq!(cipher.recover("4111111111111111").unwrap_err(), Misfit::NotAToken);
}

#[test]
fn too_few_possible_values_are_refused() {
    for (shape, short, enough) in
        [(FormatShape::Digits, "12-345", "12-3456"), (FormatShape::Alnum, "aB3", "aB3z")]
    {
        let cipher = FormatCipher::new(&FORMAT_KEY, shape, DomainId(1));
        assert!(matches!(cipher.tokenize(short), Err(Misfit::TooShort { .. })));
        assert!(cipher.tokenize(enough).is_ok());
        assert_eq!(cipher.tokenize(&"1".repeat(1025)), Err(Misfit::TooLong));
    }
}

#[test]
fn every_six_digit_value_has_its_own_token() {
    let cipher = FormatCipher::new(&FORMAT_KEY, FormatShape::Digits, DomainId(3));
    let mut tokens: Vec<u32> = (0..1_000_000_u32)
        .into_par_iter()
        .map(|value| cipher.tokenize(&format!("{value:06}")).unwrap().parse().unwrap())
        .collect();
    tokens.par_sort_unstable();
    assert!((0..1_000_000).eq(tokens));
}

#[test]
fn what_is_not_permuted_stays_in_its_place() {
    let cipher = FormatCipher::new(&FORMAT_KEY, FormatShape::Digits, DomainId(1));
    let token = cipher.tokenize("+49 (30) 901-820 ext. ü").unwrap();
    let shape = |text: &str| text.replace(|each: char| each.is_ascii_digit(), "9");
    assert_eq!(shape(&token), "+99 (99) 999-999 ext. ü");
}

#[test]
fn domains_do_not_share_format_tokens() {
    let token = |domain| {
        FormatCipher::new(&FORMAT_KEY, FormatShape::Digits, DomainId(domain))
            .tokenize("5550101234")
            .unwrap()
    };
    assert_ne!(token(1), token(2));
}

#[test]
fn a_card_token_is_recognised_and_a_card_is_not() {
    let cards = of_shape(FormatShape::Card, 1);
    let card = Original::text("4111 1111 1111 1111");
    let body = cards.derive(&OpenMac(TOKEN_KEY), Some(&FORMAT_KEY), &card).unwrap();
    assert_eq!(cards.recognise(&cards.cell(&body).unwrap()), Some(body.clone()));
    assert_eq!(cards.recognise(&card), None);

    let digits = of_shape(FormatShape::Digits, 1);
    assert!(!digits.is_recognisable_by_shape());
    assert_eq!(digits.recognise(&cards.cell(&body).unwrap()), None);
    assert!(digits.accept("123456").is_some());
    assert!(digits.accept("12345").is_none());
}

#[test]
fn a_format_needs_text_and_a_key() {
    let digits = of_shape(FormatShape::Digits, 1);
    let mac = OpenMac(TOKEN_KEY);
    assert_eq!(
        digits.derive(&mac, Some(&FORMAT_KEY), &Original::integer(123_456)),
        Err(Misfit::NotText)
    );
    assert_eq!(digits.derive(&mac, None, &Original::text("123456")), Err(Misfit::NoFormatKey));
}

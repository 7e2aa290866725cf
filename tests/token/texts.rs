//! The grammar of tokens.

use sealift::{
    policy::{ColumnRule, EmptyRule, FormatShape, TokenKind},
    token::{
        DomainId, Misfit, PATTERN, TextKind, Token, TokenBody, TokenError, Treatment, sqlite_glob,
    },
    value::Original,
};

use super::{OpenMac, TOKEN_KEY, of_kind, rule, treatment};

const SYMBOLS: &str = "0123456789abcdefghjkmnpqrstvwxyz";

fn token(seed: u8) -> Token {
    Token::new(TextKind::Keyed, DomainId(u16::from(seed) + 1), [seed.wrapping_mul(37); 16])
}

#[test]
fn one_changed_character_is_refused() {
    // The checksum has ten bits: a change within the body passes once in 1024 on average, and then
    // opens nothing. Prefix, underscore and checksum itself are always checked.
    let (mut changed, mut passed) = (0, 0);
    for text in (0..=255).map(|seed| token(seed).to_string()) {
        for at in 0..text.len() {
            for symbol in SYMBOLS.chars().filter(|symbol| text[at..=at] != *symbol.to_string()) {
                let other = format!("{}{symbol}{}", &text[..at], &text[at + 1..]);
                changed += 1;
                if Token::parse(&other).is_ok() {
                    passed += 1;
                    assert!((2..33).contains(&at), "{text} and {other}");
                }
            }
        }
    }
    assert!(passed * 1000 <= changed + 200, "{passed} of {changed} changes went unnoticed");
}

#[test]
fn a_token_has_one_spelling() {
    let text = token(7).to_string();
    assert_eq!(text.len(), 35);
    for other in
        [text.to_uppercase(), format!(" {text}"), format!("{text}\n"), text.replace('_', "-")]
    {
        assert!(Token::parse(&other).is_err(), "{other}");
    }
    // Bits after the last byte have to be zero, even where the checksum is right.
    assert_eq!(Token::parse(""), Err(TokenError::Length));
    assert_eq!(Token::parse(&"é".repeat(35)), Err(TokenError::Length));
    assert_eq!(Token::parse(&format!("slu{}", &text[3..])), Err(TokenError::Head));
    assert_eq!(Token::parse(&format!("slk000{}", &text[6..])), Err(TokenError::Domain));
    assert_eq!(Token::parse(&format!("{}z{}", &text[..32], &text[33..])), Err(TokenError::Body));
}

/// Reads the published pattern by hand: literals, sets in brackets, counts in braces.
fn matches_pattern(text: &str) -> bool {
    let (mut pattern, mut text) = (PATTERN, text);
    while let Some(first) = pattern.chars().next() {
        let (set, rest) =
            if first == '[' { pattern[1..].split_once(']').unwrap() } else { pattern.split_at(1) };
        let (count, rest) = match rest.strip_prefix('{') {
            Some(counted) => {
                let (count, rest) = counted.split_once('}').unwrap();
                (count.parse().unwrap(), rest)
            }
            None => (1, rest),
        };
        for _ in 0..count {
            let Some(next) = text.chars().next().filter(|next| in_set(set, *next)) else {
                return false;
            };
            text = &text[next.len_utf8()..];
        }
        pattern = rest;
    }
    text.is_empty()
}

fn in_set(set: &str, character: char) -> bool {
    let set: Vec<char> = set.chars().collect();
    let ranges = set.windows(3).filter(|three| three[1] == '-');
    ranges.into_iter().any(|three| (three[0]..=three[2]).contains(&character))
        || (character != '-' && set.contains(&character))
}

#[test]
fn every_token_matches_the_published_pattern() {
    for seed in 0..=255 {
        assert!(matches_pattern(&token(seed).to_string()), "{}", token(seed));
    }
    for symbol in SYMBOLS.chars() {
        assert!(PATTERN.contains("[0-9a-hjkmnp-tv-z]") && in_set("0-9a-hjkmnp-tv-z", symbol));
    }
    for symbol in "iluoA_".chars() {
        assert!(!in_set("0-9a-hjkmnp-tv-z", symbol), "{symbol}");
    }
}

#[test]
fn a_glob_names_kind_and_domain() {
    let glob = sqlite_glob(TextKind::Random, DomainId(33));
    assert!(glob.starts_with("slr011_[0-9a-hjkmnp-tv-z]["), "{glob}");
    assert_eq!(glob.matches('[').count(), 28);

    let rule = ColumnRule { template: Some("a*{token}[x".to_owned()), ..rule(TokenKind::Keyed) };
    let glob = treatment(&rule).sqlite_glob().unwrap();
    assert!(glob.starts_with("a[*]slk001_") && glob.ends_with("[[]x"), "{glob}");
}

#[test]
fn a_token_of_another_domain_or_kind_is_an_original_here() {
    let keyed = of_kind(TokenKind::Keyed);
    let cell =
        |kind, domain| Original::text(&Token::new(kind, DomainId(domain), [9; 16]).to_string());
    assert!(keyed.recognise(&cell(TextKind::Keyed, 1)).is_some());
    assert!(keyed.recognise(&cell(TextKind::Keyed, 2)).is_none());
    assert!(keyed.recognise(&cell(TextKind::Random, 1)).is_none());
}

#[test]
fn a_body_of_another_kind_is_never_written_to_a_cell() {
    for kind in [TokenKind::Keyed, TokenKind::Random, TokenKind::Uuid] {
        let body = TokenBody::new(b"short");
        assert_eq!(of_kind(kind).cell(&body).unwrap_err(), Misfit::Body);
    }
    assert_eq!(of_kind(TokenKind::Uuid).cell(&[0; 16].into()).unwrap_err(), Misfit::Body);
}

#[test]
fn a_random_token_cannot_be_derived() {
    let derived =
        of_kind(TokenKind::Random).derive(&OpenMac(TOKEN_KEY), None, &Original::text("x"));
    assert_eq!(derived, Err(Misfit::NotDerived));
}

#[test]
fn the_empty_text_is_kept_only_where_the_policy_says_so() {
    let keep = treatment(&ColumnRule { empty: EmptyRule::Keep, ..rule(TokenKind::Keyed) });
    assert!(keep.keeps(&Original::text("")) && !keep.keeps(&Original::text(" ")));
    assert!(!of_kind(TokenKind::Keyed).keeps(&Original::text("")));
}

#[test]
fn a_rule_that_contradicts_itself_is_no_treatment() {
    let broken = [
        rule(TokenKind::Format),
        ColumnRule { format: Some(FormatShape::Card), ..rule(TokenKind::Keyed) },
        ColumnRule { template: Some("{token}".to_owned()), ..rule(TokenKind::Uuid) },
        ColumnRule { template: Some("no place".to_owned()), ..rule(TokenKind::Keyed) },
    ];
    for rule in broken {
        assert!(Treatment::from_rule(&rule, DomainId(1)).is_err(), "{rule:?}");
    }
}

#[test]
fn the_blind_index_is_no_token() {
    let (mac, original) = (OpenMac(TOKEN_KEY), Original::text("alice@example.com"));
    let keyed = of_kind(TokenKind::Keyed);
    let token = keyed.derive(&mac, None, &original).unwrap();
    assert_ne!(token, keyed.blind_index(&mac, &original).into());
}

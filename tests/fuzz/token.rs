use sealift::token::{DomainId, TextKind, Token, UuidToken, has_token_shape};
use sealift::value::{KeyPart, RowKey, base32};

use super::bent;

#[test]
fn token() {
    let domain = DomainId::from_code("00a").unwrap();
    let valid = Token::new(TextKind::Keyed, domain, [7; 16]).to_string();
    bolero::check!().for_each(|input: &[u8]| {
        let text = bent::text(input, &valid);
        if let Ok(token) = Token::parse(&text) {
            assert_eq!(token.to_string(), text);
            assert!(has_token_shape(&text));
        }
        let _ = has_token_shape(&text);
        if let Some(token) = UuidToken::parse(&text) {
            assert_eq!(token.to_string(), text.to_ascii_lowercase());
        }
        if let Ok(bytes) = base32::decode(&text) {
            assert_eq!(base32::encode(&bytes), text);
        }
    });
}

#[test]
fn row_key() {
    let valid = RowKey(vec![KeyPart::integer(-7), KeyPart::text("Zürich")]).encode();
    bolero::check!().for_each(|input: &[u8]| {
        let bytes = bent::bytes(input, &valid);
        if let Ok(key) = RowKey::decode(&bytes) {
            assert_eq!(key.encode(), bytes);
            let _ = key.to_string();
        }
    });
}

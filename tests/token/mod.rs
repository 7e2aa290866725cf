//! What tokens promise.

mod ff1;
mod formats;
mod golden;
mod laws;
mod texts;

use hmac::{Hmac, KeyInit, Mac};
use sealift::{
    policy::{ColumnName, ColumnRule, EmptyRule, Fit, FormatShape, Normalise, TokenKind},
    token::{DomainId, KeyedMac, Treatment},
};
use sha2::Sha256;

/// The key of the golden vectors.
const TOKEN_KEY: [u8; 32] = bytes_from(0);

/// The format key of the golden vectors.
const FORMAT_KEY: [u8; 32] = bytes_from(32);

const fn bytes_from(first: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    let mut at = 0;
    while at < 32 {
        bytes[at as usize] = first + at;
        at += 1;
    }
    bytes
}

/// HMAC-SHA-256 under a key that lies open, as only a test's may.
struct OpenMac([u8; 32]);

impl KeyedMac for OpenMac {
    fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).unwrap();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

/// The same over another crate, as verification uses it.
struct RingMac([u8; 32]);

impl KeyedMac for RingMac {
    fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &self.0);
        ring::hmac::sign(&key, &parts.concat()).as_ref().try_into().unwrap()
    }
}

fn rule(token: TokenKind) -> ColumnRule {
    ColumnRule {
        name: ColumnName::parse("people.secret").unwrap(),
        class: "contact".to_owned(),
        domain: None,
        token,
        format: None,
        template: None,
        empty: EmptyRule::Tokenize,
        fit: Fit::Refuse,
        waive: Vec::new(),
        normalise: Normalise::None,
        lossy_ok: false,
        dedupe: false,
    }
}

fn treatment(rule: &ColumnRule) -> Treatment {
    Treatment::from_rule(rule, DomainId(1)).unwrap()
}

fn of_kind(token: TokenKind) -> Treatment {
    treatment(&rule(token))
}

fn of_shape(shape: FormatShape, domain: u16) -> Treatment {
    let rule = ColumnRule { format: Some(shape), ..rule(TokenKind::Format) };
    Treatment::from_rule(&rule, DomainId(domain)).unwrap()
}

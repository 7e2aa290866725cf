//! One value at a time: derived, written as a token, sealed, opened, looked at as a request does.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use sealift::crypto::{DataKey, KeyId, SealContext, TokenKey, VaultId};
use sealift::policy::Normalise;
use sealift::token::{DomainId, TextKind, Token, keyed_bits, second};
use sealift::value::{Original, ValueType};

/// Lengths of values: an address, a note, a document.
const LENGTHS: [usize; 3] = [20, 1_000, 1 << 20];

/// For how long each is measured; the best of [`ROUNDS`] counts, which is the one that nobody
/// disturbed.
const ROUND: Duration = Duration::from_millis(150);

const ROUNDS: usize = 5;

/// Nanoseconds for a value, on one core, for each length.
pub(crate) fn measure() -> String {
    let (token_key, data_key) =
        (TokenKey::generate(&mut rand::rng()), DataKey::generate(&mut rand::rng()));
    let mut table =
        "| one value, one core | 20 bytes | 1,000 bytes | 1 MiB |\n|---|---|---|---|\n".to_owned();
    let mut line = |name: &str, work: &dyn Fn(&Original)| {
        let cells = LENGTHS.map(|length| best(&Original::text(&"a".repeat(length)), work));
        writeln!(table, "| {name} | {} | {} | {} |", cells[0], cells[1], cells[2]).unwrap();
    };
    let mac = |parts: &[&[u8]]| token_key.hmac(parts);
    let verifier = token_key.verifier();
    let second_mac = |parts: &[&[u8]]| verifier.hmac(parts);
    let derive = |original: &Original| keyed_bits(&mac, DomainId(3), Normalise::None, original);
    let context = |token: &'static [u8]| SealContext {
        vault: VaultId([7; 16]),
        domain: 3,
        token,
        kind: ValueType::Text,
        normalise: Normalise::None,
    };
    let context = context(&[5; 16]);
    line("token: derived and written as text", &|original| {
        let token = Token::new(TextKind::Keyed, DomainId(3), derive(original));
        black_box(token.to_string());
    });
    let message = RefCell::new(second::Message::default());
    line("verify: message encoded and checked, MAC", &|original| {
        let mut message = message.borrow_mut();
        let message = message.encode_checked(DomainId(3), Normalise::None, original).unwrap();
        black_box(second_mac(&[message]));
    });
    line("seal", &|original| {
        black_box(data_key.seal(KeyId(1), original, &context, [9; 24]));
    });
    // The envelope is made anew for each length, and not counted.
    let envelopes = LENGTHS.map(|length| {
        data_key.seal(KeyId(1), &Original::text(&"a".repeat(length)), &context, [9; 24])
    });
    let envelope = |original: &Original| {
        let at = LENGTHS.iter().position(|length| *length == original.len()).unwrap_or(0);
        &envelopes[at]
    };
    line("open", &|original| {
        black_box(data_key.open(envelope(original), &context).unwrap());
    });
    let text = Token::new(TextKind::Keyed, DomainId(3), [5; 16]).to_string();
    line("detokenize: token read, value opened", &|original| {
        let token = Token::parse(black_box(&text)).unwrap();
        black_box((token, data_key.open(envelope(original), &context).unwrap()));
    });
    table
}

/// The shortest time that one call took, on average over a round.
fn best(original: &Original, work: &dyn Fn(&Original)) -> String {
    let round = || {
        let (begun, mut calls) = (Instant::now(), 0_u32);
        while begun.elapsed() < ROUND {
            for _ in 0..16 {
                work(original);
            }
            calls += 16;
        }
        begun.elapsed() / calls
    };
    let best = (0..ROUNDS).map(|_| round()).min().unwrap_or_default();
    if best < Duration::from_micros(10) {
        format!("{} ns", best.as_nanos())
    } else {
        format!("{} µs", best.as_micros())
    }
}

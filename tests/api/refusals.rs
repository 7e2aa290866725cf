//! Refused answers look alike, in their bodies and in their time.

use std::io::Write as _;
use std::time::Instant;

use serde_json::json;

use super::desk::{credential, desk, token};
use crate::support::{Db, Desk, Server, reply_of};

const ROUNDS: usize = 400;

/// A token that is there but not shown, one that was altered, and one of another vault.
fn refused(desk: &Desk) -> [String; 3] {
    let altered = token(desk, "email", 1);
    Db::open(&desk.vault()).exec(
        "UPDATE sealift_entry SET envelope =
             CAST(substr(envelope, 1, length(envelope) - 1) || x'00' AS BLOB)
         WHERE domain = (SELECT domain FROM sealift_domain WHERE name = 'email')",
    );
    let unknown = sealift::token::Token::new(
        sealift::token::TextKind::Keyed,
        sealift::token::Token::parse(&altered).unwrap().domain,
        [7; 16],
    );
    [token(desk, "diagnosis", 1), altered, unknown.to_string()]
}

#[test]
fn unknown_denied_and_altered_tokens_look_alike() {
    let desk = desk();
    let tokens = refused(&desk);
    let server = Server::start(&desk);
    let carol = credential(&desk, "carol");

    let bodies: Vec<String> = tokens
        .iter()
        .map(|token| {
            let reply = server.detokenize(&carol, "support_case", &[token]);
            assert_eq!(reply.status, 200);
            let head: Vec<&str> = reply
                .head
                .lines()
                .filter(|line| !line.starts_with("x-request-id") && !line.starts_with("date"))
                .collect();
            format!("{}\n{}", head.join("\n"), reply.body.replace(token, "T"))
        })
        .collect();

    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:#?}");
}

/// The three kinds are asked in turns on one connection; of each the quartiles of its times are
/// compared. Whoever looked up, opened or answered one of them otherwise would move its quartiles by
/// what that takes; the service answers refusals on a grid of 5 ms, so what is left is whether the
/// grid's next line is reached, and that must be as likely for each.
#[test]
fn unknown_denied_and_altered_tokens_take_as_long() {
    let desk = desk();
    let tokens = refused(&desk);
    let server = Server::start(&desk);
    let carol = credential(&desk, "carol");
    let mut stream = server.connect();
    let mut times: [Vec<u128>; 3] = std::array::from_fn(|_| Vec::with_capacity(ROUNDS));

    for round in 0..ROUNDS {
        for turn in 0..3 {
            // Another order in each round, so that none always follows the same.
            let kind = (turn + round) % 3;
            let body = json!({"purpose": "support_case", "reason": "r", "tokens": [tokens[kind]]});
            let request = format!(
                "POST /v1/detokenize HTTP/1.1\r\nhost: s\r\nauthorization: Bearer {carol}\r\n\
                 content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.to_string().len()
            );
            let began = Instant::now();
            stream.write_all(request.as_bytes()).unwrap();
            assert_eq!(reply_of(&mut stream).unwrap().status, 200);
            times[kind].push(began.elapsed().as_micros());
        }
    }

    for (one, two) in [(0, 1), (0, 2), (1, 2)] {
        let z = rank_sum(&times[one], &times[two]);
        // |z| > 4.5 is a chance of one in 100,000 for each pair where there is no difference.
        assert!(z.abs() < 4.5, "kinds {one} and {two} differ: z = {z:.1}");
    }
}

/// The rank-sum test of Wilcoxon, Mann and Whitney: how many standard deviations the ranks of `one`
/// lie above those of `two`. Times are counted in steps of the grid.
#[expect(clippy::cast_precision_loss, reason = "a statistic")]
fn rank_sum(one: &[u128], two: &[u128]) -> f64 {
    let step = |time: &u128| (time + 2_500) / 5_000;
    let mut all: Vec<(u128, bool)> = one.iter().map(|time| (step(time), true)).collect();
    all.extend(two.iter().map(|time| (step(time), false)));
    all.sort_unstable();
    let (mut ranks, mut ties, mut at) = (0.0, 0.0, 0);
    while at < all.len() {
        let same = all[at..].iter().take_while(|(time, _)| *time == all[at].0).count();
        let rank = at as f64 + f64::midpoint(same as f64, 1.0);
        let mine = all[at..at + same].iter().filter(|(_, is_one)| *is_one).count();
        ranks += rank * mine as f64;
        ties += (same as f64).powi(3) - same as f64;
        at += same;
    }
    let (m, n) = (one.len() as f64, two.len() as f64);
    let expected = m * (m + n + 1.0) / 2.0;
    let variance = m * n / 12.0 * ((m + n + 1.0) - ties / ((m + n) * (m + n - 1.0)));
    if variance <= 0.0 { 0.0 } else { (ranks - expected) / variance.sqrt() }
}

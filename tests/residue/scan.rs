//! The scan finds every planted value, in every form, and confirms no other.

use proptest::prelude::*;
use sealift::residue::{Encoding, Extent, Filter};
use sealift::value::{Original, ValueType};

use super::{candidates_in, filter_of, hits_in};

/// Bytes that look like a file and hold nothing.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        })
        .collect()
}

#[test]
fn a_value_is_found_in_every_form() {
    let original = Original::text("Zoë \"Zed\" Żak <zoe.zed@example.com>");
    for encoding in Encoding::ALL {
        let Some(form) = encoding.encode(&original) else { continue };
        let mut file = noise(5_000);
        file.splice(1_234..1_234, form.iter().copied());
        let hits = hits_in(&[original.duplicate()], &file, 512);
        assert_eq!(hits.len(), 1, "{encoding:?}");
        assert_eq!((hits[0].offset, hits[0].encoding), (1_234, encoding));
        assert_eq!((hits[0].length, hits[0].extent), (form.len() as u64, Extent::Whole));
    }
}

#[test]
fn a_long_integer_is_found_in_pages_and_in_dumps() {
    let card = Original::integer(4_111_111_111_111_111);
    let mut file = noise(1_000);
    file.extend(4_111_111_111_111_111_i64.to_le_bytes());
    file.extend(b"; 4111111111111111; ");
    file.extend(4_111_111_111_111_111_i64.to_be_bytes());
    let forms: Vec<_> = hits_in(&[card], &file, 64).iter().map(|hit| hit.encoding).collect();
    assert_eq!(forms, [Encoding::IntegerLe, Encoding::Decimal, Encoding::Raw]);
}

#[test]
fn a_blob_is_found_raw_and_in_hex() {
    let blob = Original::new(ValueType::Blob, vec![0xde, 0xad, 0, 0, 0xbe, 0xef, 7, 8, 9]);
    let mut file = noise(1_000);
    file.extend_from_slice(blob.expose());
    file.extend_from_slice(b" X'DEAD0000BEEF070809' \\xdead0000beef070809");
    let forms: Vec<_> = hits_in(&[blob], &file, 64).iter().map(|hit| hit.encoding).collect();
    assert_eq!(forms, [Encoding::Raw, Encoding::HexUpper, Encoding::HexLower]);
}

#[test]
fn a_value_across_any_cut_is_found() {
    let original = Original::text("alice@example.com");
    let mut file = noise(200);
    file.splice(100..100, original.expose().iter().copied());
    for piece_bytes in 1..=file.len() {
        let hits = hits_in(&[original.duplicate()], &file, piece_bytes);
        assert_eq!(hits.iter().map(|hit| hit.offset).collect::<Vec<_>>(), [100], "{piece_bytes}");
    }
}

#[test]
fn a_value_at_the_very_ends_of_a_file_is_found() {
    let original = Original::text("8 bytes!");
    let file = b"8 bytes!-8 bytes!";
    let offsets: Vec<_> = hits_in(&[original], file, 5).iter().map(|hit| hit.offset).collect();
    assert_eq!(offsets, [0, 9]);
}

#[test]
fn a_value_that_only_begins_alike_is_no_hit() {
    let sought = Original::text("alice@example.com");
    assert!(hits_in(&[sought], b"..alice@example.org..", 64).is_empty());
}

#[test]
fn the_rest_of_a_value_cut_by_a_page_is_found_as_a_part() {
    let long = "A letter that goes on for more than one page of any database. ".repeat(200);
    let original = Original::text(&long);
    let mut file = noise(100);
    file.extend_from_slice(&long.as_bytes()[..700]);
    file.extend_from_slice(&noise(100));
    let hits = hits_in(&[original], &file, 4_096);
    let parts: Vec<_> = hits.iter().filter(|hit| hit.offset == 100).collect();
    assert_eq!(parts.len(), 1);
    assert_eq!((parts[0].extent, parts[0].length), (Extent::Part, 700));
}

#[test]
fn of_values_that_begin_alike_each_is_found_where_it_lies() {
    let texts: Vec<String> =
        (0..3_000).map(|n| format!("The customer called about the parcel number {n:06}")).collect();
    let originals: Vec<_> = texts.iter().map(|text| Original::text(text)).collect();
    let file = texts.concat().into_bytes();
    let hits = hits_in(&originals, &file, 10_000);
    assert_eq!(hits.len(), texts.len());
    assert!(hits.iter().all(|hit| hit.extent == Extent::Whole), "same order, so within the limit");
}

#[test]
fn one_value_in_many_places_is_found_in_all_of_them() {
    let file = "Freiburg im Breisgau|".repeat(5_000).into_bytes();
    let hits = hits_in(&[Original::text("Freiburg im Breisgau")], &file, 9_999);
    assert_eq!(hits.len(), 5_000);
    assert!(hits.iter().all(|hit| hit.digest == hits[0].digest));
}

#[test]
fn of_two_values_at_one_offset_the_longer_counts() {
    let originals = [Original::text("12345678"), Original::text("123456789012")];
    let hits = hits_in(&originals, b"..123456789012..", 64);
    assert_eq!(hits.iter().map(|hit| hit.length).collect::<Vec<_>>(), [12]);
}

#[test]
fn a_full_round_goes_on_where_it_stopped() {
    let originals = [Original::text("alice@example.com")];
    let filter = filter_of(&originals);
    let file = "alice@example.com".repeat(10).into_bytes();
    let (mut from, mut found) = (0, Vec::new());
    while from < file.len() {
        let mut round = Vec::new();
        let place = (0, from as u64);
        from += filter.probe(place, &file[from..], file.len() - from, 3, &mut round);
        assert!(round.len() <= 3);
        found.extend(round);
    }
    assert_eq!(
        found.iter().map(|each| each.offset).collect::<Vec<_>>(),
        [0, 17, 34, 51, 68, 85, 102, 119, 136, 153]
    );
}

#[test]
fn noise_holds_hardly_a_candidate_and_no_hit() {
    let originals: Vec<_> =
        (0..5_000).map(|n| Original::text(&format!("person{n}@example.com"))).collect();
    let file = noise(2_000_000);
    let filter = filter_of(&originals);
    let candidates = candidates_in(&filter, &file, 65_536);
    assert!(candidates.len() < 2_000, "{} candidates", candidates.len());
    assert!(hits_in(&originals, &file, 65_536).is_empty());
}

#[test]
fn nothing_that_prints_tells_a_value() {
    let originals = [Original::text("alice@example.com")];
    let filter = filter_of(&originals);
    let mut scanner = sealift::residue::Scanner::new(&filter, 0);
    scanner.feed(b"..alice@example.com..");
    let early = format!("{filter:?} {scanner:?}");
    let candidates = scanner.finish();
    let hits = hits_in(&originals, b"..alice@example.com..", 64);
    let json = serde_json::to_string(&hits).unwrap();
    let printed = format!("{early} {candidates:?} {hits:?} {json}");
    assert_eq!(hits.len(), 1);
    for told in ["alice", "example", "97, 108, 105"] {
        assert!(!printed.contains(told), "{printed}");
    }
}

#[test]
fn the_configuration_is_named_by_a_hash_that_knows_no_key() {
    assert_eq!(Filter::config_hash().len(), 64);
    assert_eq!(Filter::config_hash(), Filter::config_hash());
}

proptest! {
    #[test]
    fn the_scan_finds_what_a_plain_search_finds(
        values in prop::collection::vec("[ab\"é]{4,40}", 1..6),
        file in prop::collection::vec(prop::sample::select(&b"ab\"\\\xc3\xa9"[..]), 0..600),
        piece_bytes in 1_usize..700,
        at in any::<prop::sample::Index>(),
    ) {
        let originals: Vec<_> = values.iter().map(|value| Original::text(value)).collect();
        let mut file = file;
        let place = at.index(file.len() + 1);
        file.splice(place..place, values[0].bytes());

        let is_searched = |original: &&Original| {
            let bytes = original.expose();
            bytes.len() >= 8 && bytes[..8].iter().any(|byte| *byte != bytes[0])
        };
        let mut expected = std::collections::BTreeSet::new();
        for original in originals.iter().filter(is_searched) {
            for encoding in Encoding::ALL {
                let Some(form) = encoding.encode(original) else { continue };
                if form.len() < 8 { continue }
                let found = file.windows(form.len()).enumerate().filter(|(_, it)| **it == **form);
                expected.extend(found.map(|(offset, _)| offset as u64));
            }
        }
        let hits = hits_in(&originals, &file, piece_bytes);
        let whole: std::collections::BTreeSet<_> = hits
            .iter()
            .filter(|hit| hit.extent == Extent::Whole)
            .map(|hit| hit.offset)
            .collect();
        prop_assert_eq!(whole, expected);
    }
}

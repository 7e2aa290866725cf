//! Every way to tamper with an export has its own finding, and both verifiers name it alike.

use proptest::prelude::*;
use sealift::ledger::{
    Checkpoint, Entry, Export, ExportError, Finding, Head, Note, SigningIdentity, leaf_hash,
};

use super::fixture::{Ledger, ORIGIN, ask_python, judge, with_file};

const SIZE: u64 = 20;

fn ledger() -> Ledger {
    Ledger::of("case", SIZE, &[0, 5, 12, 20])
}

/// The findings on the ledger's export with other `lines`.
fn findings(ledger: &Ledger, lines: &[Vec<u8>]) -> Vec<Finding> {
    judge(&ledger.export_of(lines), Some(&ledger.fingerprint()), None).findings
}

/// Entry `seq` with another actor, in canonical form and with its links untouched.
fn forged(ledger: &Ledger, seq: usize) -> Entry {
    let mut entry = ledger.entered[seq].entry.clone();
    "mallory".clone_into(&mut entry.actor);
    entry
}

#[test]
fn an_untouched_export_is_consistent() {
    for size in [0, 1, 2, 3, 7, 8, 20] {
        let ledger = Ledger::of("case", size, &[size / 2, size]);
        let verdict = judge(&ledger.export(), Some(&ledger.fingerprint()), Some(&ledger.notes[0]));
        assert!(verdict.is_consistent(), "{verdict}");
        assert_eq!((verdict.size, verdict.notes), (size, vec![]));
    }
}

#[test]
fn what_was_not_given_is_named_as_not_checked() {
    let verdict = judge(&ledger().export(), None, None);
    assert!(verdict.is_consistent());
    assert_eq!(verdict.notes, [Note::NoKey, Note::NoCheckpoint]);
}

#[test]
fn an_altered_entry_is_named() {
    let ledger = ledger();
    for seq in 0..20 {
        let mut lines = ledger.lines();
        lines[seq] = forged(&ledger, seq).canonical().unwrap();
        assert_eq!(findings(&ledger, &lines), [Finding::Altered { seq: seq as u64 }]);
    }
}

#[test]
fn a_flipped_bit_is_named_wherever_it_falls() {
    let ledger = ledger();
    for seq in [0, 4, 5, 19] {
        for at in (0..ledger.entered[seq].bytes.len()).step_by(3) {
            let mut lines = ledger.lines();
            lines[seq][at] ^= 1;
            let found = ledger.export_of(&lines).check(None, None).unwrap().findings;
            assert_eq!(found, [Finding::Altered { seq: seq as u64 }], "entry {seq}, byte {at}");
        }
    }
}

#[test]
fn an_entry_altered_in_its_links_is_named() {
    let ledger = ledger();
    for (seq, other) in [(3_usize, 9_u64), (19, 3), (0, 25)] {
        let mut renumbered = ledger.entered[seq].entry.clone();
        renumbered.seq = other;
        let mut relinked = ledger.entered[seq].entry.clone();
        relinked.prev = leaf_hash(b"another");
        for entry in [renumbered, relinked] {
            let mut lines = ledger.lines();
            lines[seq] = entry.canonical().unwrap();
            assert_eq!(findings(&ledger, &lines), [Finding::Altered { seq: seq as u64 }]);
        }
    }
}

#[test]
fn several_altered_entries_are_all_named() {
    let ledger = ledger();
    let mut lines = ledger.lines();
    for seq in [2, 9, 16] {
        lines[seq] = forged(&ledger, seq).canonical().unwrap();
    }
    let altered = [2, 9, 16].map(|seq| Finding::Altered { seq });
    assert_eq!(findings(&ledger, &lines), altered);
}

#[test]
fn an_entry_altered_with_all_links_after_it_made_to_fit_is_still_noticed() {
    let ledger = ledger();
    let mut lines = ledger.lines();
    let mut prev = ledger.entered[14].entry.prev;
    for (seq, line) in lines.iter_mut().enumerate().skip(14) {
        let mut entry = forged(&ledger, seq);
        entry.prev = prev;
        *line = entry.canonical().unwrap();
        prev = leaf_hash(line);
    }

    let verdict = judge(&ledger.export_of(&lines), Some(&ledger.fingerprint()), None);
    assert_eq!(verdict.findings, [Finding::Altered { seq: 19 }]);
    assert!(verdict.notes.contains(&Note::Unproven { from: 12, to: 18 }), "{verdict}");

    // Without the head nothing proves the last entry: the stretch since the last checkpoint that
    // holds is all that can be said.
    let export = with_file(&ledger.export_of(&lines), Export::HEAD, Head::new().to_text());
    let verdict = judge(&export, Some(&ledger.fingerprint()), None);
    assert_eq!(verdict.findings, [Finding::AlteredBetween { from: 12, to: 19 }]);
    assert!(verdict.notes.contains(&Note::NoHead), "{verdict}");
}

#[test]
fn a_removed_entry_is_named() {
    let ledger = ledger();
    for seq in 0..19 {
        let mut lines = ledger.lines();
        lines.remove(seq);
        assert_eq!(findings(&ledger, &lines), [Finding::Removed { seq: seq as u64 }]);
    }
}

#[test]
fn an_inserted_entry_is_named_by_its_line() {
    let ledger = ledger();
    let forgery = forged(&ledger, 6).canonical().unwrap();
    for at in [0, 3, 7, 20] {
        let mut lines = ledger.lines();
        lines.insert(at, forgery.clone());
        assert_eq!(findings(&ledger, &lines), [Finding::Inserted { line: at as u64 + 1 }]);
    }
}

#[test]
fn a_repeated_entry_is_named_by_its_line() {
    let ledger = ledger();
    for at in [0, 20] {
        let mut lines = ledger.lines();
        lines.insert(at, ledger.entered[6].bytes.clone());
        assert_eq!(findings(&ledger, &lines), [Finding::Inserted { line: at as u64 + 1 }]);
    }
}

#[test]
fn a_line_that_is_no_entry_is_named() {
    let ledger = ledger();
    for at in [0, 11, 20] {
        let mut lines = ledger.lines();
        lines.insert(at, b"{}".to_vec());
        let malformed = Finding::Malformed { file: Export::ENTRIES, line: at as u64 + 1 };
        assert_eq!(findings(&ledger, &lines), [malformed]);
    }
}

#[test]
fn swapped_entries_are_named_as_reordered() {
    let ledger = ledger();
    for (one, other) in [(0, 19), (3, 4), (7, 15), (18, 19)] {
        let mut lines = ledger.lines();
        lines.swap(one, other);
        assert_eq!(findings(&ledger, &lines), [Finding::Reordered { seq: one as u64 }]);
    }
}

#[test]
fn a_tail_cut_off_is_named_with_both_counts() {
    let ledger = ledger();
    for have in [0, 1, 12, 19] {
        let lines = &ledger.lines()[..have];
        let truncated = Finding::Truncated { have: have as u64, signed: SIZE };
        assert_eq!(findings(&ledger, lines), [truncated]);
    }
}

#[test]
fn a_file_cut_in_the_middle_of_a_line_is_truncated() {
    let ledger = ledger();
    let export = ledger.export();
    let entries = &export.files()[Export::ENTRIES];
    for cut in [1, 40] {
        let export = with_file(&export, Export::ENTRIES, &entries[..entries.len() - cut]);
        let verdict = judge(&export, Some(&ledger.fingerprint()), None);
        assert_eq!(verdict.findings, [Finding::Truncated { have: 19, signed: SIZE }]);
    }
    let longer = with_file(&export, Export::ENTRIES, [entries, b"{".as_slice()].concat());
    let malformed = Finding::Malformed { file: Export::ENTRIES, line: 21 };
    assert_eq!(judge(&longer, None, None).findings, [malformed]);
}

#[test]
fn a_ledger_put_back_to_an_older_checkpoint_shows_against_one_that_was_kept() {
    let ledger = ledger();
    let older = Ledger::of("case", 12, &[0, 5, 12]);
    let (key, kept) = (ledger.fingerprint(), &ledger.notes[3]);

    let alone = judge(&older.export(), Some(&key), None);
    assert!(alone.is_consistent() && alone.notes == [Note::NoCheckpoint]);
    let verdict = judge(&older.export(), Some(&key), Some(kept));
    assert_eq!(verdict.findings, [Finding::RolledBack { have: 12, since: 20 }]);
}

#[test]
fn an_older_checkpoint_beside_newer_ones_is_not_believed() {
    let ledger = ledger();
    let export = ledger.export_of(&ledger.lines()[..12]);
    let earlier = ledger.notes.join("\n");
    let export = with_file(&export, Export::CHECKPOINT, ledger.notes[2].clone());
    let export = with_file(&export, Export::CHECKPOINTS, earlier);
    let verdict = judge(&export, Some(&ledger.fingerprint()), None);
    assert_eq!(verdict.findings, [Finding::Truncated { have: 12, signed: 20 }]);
}

#[test]
fn another_history_under_the_same_key_is_a_fork() {
    let ledger = ledger();
    let other = Ledger::of("another case", SIZE, &[12, 20]);
    for kept in [&other.notes[0], &other.notes[1]] {
        let verdict = judge(&ledger.export(), Some(&ledger.fingerprint()), Some(kept));
        assert!(matches!(verdict.findings[..], [Finding::Forked { size: 12 | 20 }]), "{verdict}");
    }

    // The contradiction may also lie in the export itself.
    let both = with_file(&ledger.export(), Export::CHECKPOINTS, other.notes[0].clone());
    let verdict = judge(&both, Some(&ledger.fingerprint()), None);
    assert_eq!(verdict.findings, [Finding::Forked { size: 12 }]);
}

#[test]
fn damaged_entries_are_not_mistaken_for_a_fork() {
    let ledger = ledger();
    let mut lines = ledger.lines();
    lines[3] = forged(&ledger, 3).canonical().unwrap();
    let export = ledger.export_of(&lines);
    let verdict = judge(&export, Some(&ledger.fingerprint()), Some(&ledger.notes[2]));
    assert_eq!(verdict.findings, [Finding::Altered { seq: 3 }]);
    assert!(verdict.notes.contains(&Note::NotCompared { size: 12 }), "{verdict}");
}

#[test]
fn an_export_signed_anew_by_another_key_is_the_wrong_key() {
    let expected = ledger().fingerprint();
    let mut forgery = ledger();
    forgery.identity = SigningIdentity::from_seed(ORIGIN, &[8; 32]).unwrap();
    forgery.keys = vec![forgery.identity.verifier_key()];
    forgery.notes.clear();
    forgery.sign();

    let verdict = judge(&forgery.export(), Some(&expected), None);
    let found = forgery.fingerprint();
    assert_eq!(verdict.findings, [Finding::WrongKey { expected, found }]);
    // Nothing but the fingerprint can tell.
    assert!(judge(&forgery.export(), None, None).is_consistent());
}

#[test]
fn a_checkpoint_that_was_touched_has_a_bad_signature() {
    let ledger = ledger();
    let key = ledger.fingerprint();
    let smaller = ledger.notes[3].replace("\n20\n", "\n19\n");
    let place = |place: &str| vec![Finding::BadSignature { place: place.to_owned() }];

    let export = with_file(&ledger.export(), Export::CHECKPOINT, smaller.clone());
    assert_eq!(judge(&export, Some(&key), None).findings, place("`checkpoint.txt`"));

    let earlier = [ledger.notes[0].clone(), smaller.clone()].join("\n");
    let export = with_file(&ledger.export(), Export::CHECKPOINTS, earlier);
    let verdict = judge(&export, Some(&key), None);
    assert_eq!(verdict.findings, place("note 2 of `checkpoints.txt`"));

    let verdict = judge(&ledger.export(), Some(&key), Some(&smaller));
    assert_eq!(verdict.findings, place("the checkpoint given"));
}

#[test]
fn a_signature_with_any_part_of_it_touched_is_bad() {
    let ledger = ledger();
    let note = &ledger.notes[3];
    let start = note.rfind(' ').unwrap() + 1;
    for at in [6, 20, 48, 50, 70, 91] {
        let mut bytes = note.clone().into_bytes();
        let letter = &mut bytes[start + at];
        *letter = if *letter == b'A' { b'B' } else { b'A' };
        let export = with_file(&ledger.export(), Export::CHECKPOINT, bytes);
        let found = judge(&export, None, None).findings;
        let place = "`checkpoint.txt`".to_owned();
        assert_eq!(found, [Finding::BadSignature { place }], "letter {at}");
    }
}

/// Lines after the signed ones: one that is an entry is "inserted", any other "malformed", so the
/// findings show where the two verifiers draw the line between them.
#[test]
fn both_verifiers_agree_on_what_an_entry_is() {
    let ledger = ledger();
    let text = String::from_utf8(ledger.entered[6].bytes.clone()).unwrap();
    let nested = |depth| format!("{{\"deep\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
    let actor = |with: &str| text.replace("alice", with);
    let details = |with: &str| {
        let start = text.find("\"details\":").unwrap() + 10;
        let end = start + text[start..].find('}').unwrap() + 1;
        format!("{}{with}{}", &text[..start], &text[end..])
    };
    let lines = [
        (true, text.clone()),
        (true, actor("\u{1f600}\u{7f}\u{80}\u{2028}\\u0000\\b")),
        (true, details("{\"\u{1f600}\":1,\"\u{fb33}\":-9007199254740991}")),
        (true, details(&nested(14))),
        (false, details(&nested(15))),
        (false, details(&nested(2000))),
        (false, details("{\"\u{fb33}\":1,\"\u{1f600}\":1}")),
        (false, details("{\"a\":9007199254740992}")),
        (false, details("{\"a\":-0}")),
        (false, details("{\"a\":1.0}")),
        (false, details("{\"a\":1e400}")),
        (false, details("{\"a\":NaN}")),
        (false, details("{\"a\":1,\"a\":1}")),
        (false, details("[]")),
        (false, actor("\\ud800")),
        (false, actor("\\/")),
        (false, actor("\\u000A")),
        (false, actor("\t")),
        (false, actor("\r")),
        (false, format!("\u{feff}{text}")),
        (false, text.replace("\"seq\":6", "\"seq\":true")),
        (false, text.replace("\"seq\":6", "\"seq\":-6")),
        (false, text.replace("\"run\":null", "\"run\":\"7F3A0C11\"")),
        (true, text.replace("\"run\":null", "\"run\":\"7f3a0c11\"")),
        (true, text.replace("\"phase_after\":null", "\"phase_after\":\"purged\"")),
        (false, text.replace("\"phase_after\":null", "\"phase_after\":\"Purged\"")),
        (false, text.replace("[1,2]", "[1,4294967296]")),
        (false, text.replace("2026", "\u{ff12}026")),
        (false, String::new()),
    ];
    let expected: Vec<Finding> = (21..)
        .zip(&lines)
        .map(|(line, (is_entry, _))| match is_entry {
            true => Finding::Inserted { line },
            false => Finding::Malformed { file: Export::ENTRIES, line },
        })
        .collect();
    let mut all = ledger.lines();
    all.extend(lines.into_iter().map(|(_, line)| line.into_bytes()));
    all.push(b"\xff".to_vec());
    let mut found = findings(&ledger, &all);
    let last = Finding::Malformed { file: Export::ENTRIES, line: 50 };
    assert_eq!(found.pop(), Some(last));
    assert_eq!(found, expected);
}

#[test]
fn a_checkpoint_for_another_origin_has_a_bad_signature() {
    let ledger = ledger();
    let other = SigningIdentity::from_seed("sealift.example/vault-2", &[7; 32]).unwrap();
    let note = Checkpoint::sign(&other, 20, ledger.head.root()).unwrap();
    let export = with_file(&ledger.export(), Export::CHECKPOINT, note);
    let found = judge(&export, None, None).findings;
    assert_eq!(found, [Finding::BadSignature { place: "`checkpoint.txt`".to_owned() }]);
}

#[test]
fn files_that_cannot_be_read_are_named_with_their_line() {
    let ledger = ledger();
    let export = ledger.export();
    let malformed = |file, line| [Finding::Malformed { file, line }];
    for (name, bytes, found) in [
        (Export::PUBLIC_KEY, "no key\n", malformed(Export::PUBLIC_KEY, 1)),
        (Export::CHECKPOINT, "no note\n", malformed(Export::CHECKPOINT, 1)),
        (Export::CHECKPOINTS, "no notes\n", malformed(Export::CHECKPOINTS, 1)),
    ] {
        let export = with_file(&export, name, bytes);
        assert_eq!(judge(&export, None, None).findings, found);
    }
    let earlier = format!("{}\nno\nnote\n", ledger.notes[0]);
    let export = with_file(&export, Export::CHECKPOINTS, earlier);
    assert_eq!(judge(&export, None, None).findings, malformed(Export::CHECKPOINTS, 7));
}

#[test]
fn what_cannot_be_checked_is_an_error_and_no_verdict() {
    let export = ledger().export();
    let mut files = export.files().clone();
    files.remove(Export::ENTRIES);
    let incomplete = Export::from_files(files);

    assert_eq!(incomplete.check(None, None), Err(ExportError::Missing(Export::ENTRIES)));
    assert_eq!(export.check(Some("abc"), None), Err(ExportError::Fingerprint));
    assert_eq!(export.check(None, Some("a note")), Err(ExportError::Checkpoint));
    assert_eq!(ask_python(&incomplete, None, None).0, 2);
    assert_eq!(ask_python(&export, Some("abc"), None).0, 2);
    assert_eq!(ask_python(&export, None, Some("a note")).0, 2);
}

#[test]
fn a_fingerprint_may_be_typed_in_capitals() {
    let ledger = ledger();
    let typed = ledger.fingerprint().to_uppercase();
    assert!(judge(&ledger.export(), Some(&typed), None).is_consistent());
}

#[test]
fn the_readme_names_the_fingerprint_and_every_file() {
    let ledger = ledger();
    let export = ledger.export();
    let readme = String::from_utf8(export.files()[Export::README].clone()).unwrap();
    assert!(readme.contains(&ledger.fingerprint()));
    for name in export.files().keys().filter(|name| *name != Export::README) {
        assert!(readme.contains(name.as_str()), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever is done to the lines, both verifiers notice, and say the same.
    #[test]
    fn no_mixture_of_tampering_goes_unnoticed(
        acts in prop::collection::vec((0..4_u8, any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..5),
        has_head in any::<bool>(),
    ) {
        let ledger = ledger();
        let mut lines = ledger.lines();
        for (act, one, other) in acts {
            let (one, other) = (one.index(lines.len()), other.index(lines.len()));
            match act {
                0 => { lines.remove(one); }
                1 => lines.insert(one, lines[other].clone()),
                2 => lines.swap(one, other),
                _ => { let at = other % lines[one].len(); lines[one][at] ^= 1; }
            }
        }
        prop_assume!(lines != ledger.lines());
        let mut export = ledger.export_of(&lines);
        if !has_head {
            export = with_file(&export, Export::HEAD, "");
        }
        let verdict = judge(&export, Some(&ledger.fingerprint()), Some(&ledger.notes[1]));
        prop_assert!(!verdict.is_consistent());
    }
}

//! A verifier that was written from `docs/FORMATS.md` alone comes to the same end as ours.

use std::process::Command;

use sealift::ledger::Export;

use super::fixture::{Ledger, with_file};

/// What `stranger.py` says of an export.
fn asked(export: &Export, key: &str, since: Option<&str>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("export");
    std::fs::create_dir(&dir).unwrap();
    for (name, bytes) in export.files() {
        std::fs::write(dir.join(name), bytes).unwrap();
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ledger/stranger.py");
    let mut command = Command::new("python3");
    command.env("PYTHONDONTWRITEBYTECODE", "1").arg(script).arg(&dir).arg(key);
    if let Some(note) = since {
        let kept = folder.path().join("kept.txt");
        std::fs::write(&kept, note).unwrap();
        command.arg(kept);
    }
    let output = command.output().expect("python3 and openssl are there; tests/all.sh sees to it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_stranger_accepts_what_is_good_and_names_what_is_not() {
    let ledger = Ledger::of("case", 20, &[0, 5, 12, 20]);
    let (key, export) = (ledger.fingerprint(), ledger.export());
    let with = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut lines = ledger.lines();
        change(&mut lines);
        asked(&ledger.export_of(&lines), &key, None)
    };
    let altered = |lines: &mut Vec<Vec<u8>>| {
        let text = String::from_utf8(lines[7].clone()).unwrap().replace("alice", "mabel");
        lines[7] = text.into_bytes();
    };

    assert_eq!(asked(&export, &key, Some(&ledger.notes[2])), "good");
    assert_eq!(with(&altered), "altered");
    assert_eq!(with(&|lines| drop(lines.remove(7))), "removed");
    assert_eq!(with(&|lines| lines.insert(7, lines[3].clone())), "inserted");
    assert_eq!(with(&|lines| lines.push(lines[3].clone())), "inserted");
    assert_eq!(with(&|lines| lines.swap(7, 9)), "reordered");
    assert_eq!(with(&|lines| lines.truncate(18)), "truncated");
    assert_eq!(asked(&export, &"0".repeat(64), None), "wrong key");
    let touched = ledger.notes[3].replace("\n20\n", "\n19\n");
    assert_eq!(
        asked(&with_file(&export, Export::CHECKPOINT, touched), &key, None),
        "bad signature"
    );
    let older = Ledger::of("case", 12, &[12]);
    assert_eq!(asked(&older.export(), &key, Some(&ledger.notes[3])), "rolled back");
    let other = Ledger::of("another case", 20, &[12]);
    assert_eq!(asked(&export, &key, Some(&other.notes[0])), "forked");
}

#[test]
fn a_stranger_follows_a_key_to_the_one_that_replaced_it() {
    let mut ledger = Ledger::of("case", 6, &[6]);
    let before = ledger.fingerprint();
    ledger.rotate([9; 32]);
    ledger.sign();

    assert_eq!(asked(&ledger.export(), &before, Some(&ledger.notes[0])), "good");
    assert_eq!(asked(&ledger.export(), &ledger.fingerprint(), None), "good");
    // The same keys, and no entry that leads from one to the other.
    let mut unlinked = Ledger::of("case", 6, &[]);
    unlinked.keys.clone_from(&ledger.keys);
    unlinked.identity =
        sealift::ledger::SigningIdentity::from_seed(super::fixture::ORIGIN, &[9; 32]).unwrap();
    unlinked.sign();
    assert_eq!(asked(&unlinked.export(), &before, None), "unlinked key");
}

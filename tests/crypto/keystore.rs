//! Secret files are private and never overwritten; a passphrase has one source.

use sealift::keystore::{
    PassphraseError, PassphraseSource, SecretFileError, harden, read_secret_file, write_secret_file,
};
use secrecy::ExposeSecret;

#[test]
fn a_secret_file_is_read_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alice.key");
    write_secret_file(&path, "one line").unwrap();
    assert_eq!(read_secret_file(&path).unwrap().as_str(), "one line");
}

#[test]
fn a_secret_file_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recovery.txt");
    write_secret_file(&path, "first").unwrap();
    let again = write_secret_file(&path, "second");
    assert!(matches!(again, Err(SecretFileError::Exists(_))));
    assert_eq!(read_secret_file(&path).unwrap().as_str(), "first");
}

#[cfg(unix)]
#[test]
fn a_secret_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alice.key");
    write_secret_file(&path, "one line").unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_file_that_is_no_secret_line_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "two\nlines\n").unwrap();
    assert!(matches!(read_secret_file(&path), Err(SecretFileError::NotOneLine(_))));
    std::fs::write(&path, "x".repeat(5000)).unwrap();
    assert!(matches!(read_secret_file(&path), Err(SecretFileError::TooLong(_))));
    std::fs::write(&path, [0xff]).unwrap();
    assert!(matches!(read_secret_file(&path), Err(SecretFileError::NotOneLine(_))));
}

#[test]
fn a_passphrase_file_that_is_named_comes_before_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("passphrase");
    std::fs::write(&path, "from the file\r\n").unwrap();
    let chosen = PassphraseSource::choose(Some(path), Some("from outside".into()));
    assert_eq!(chosen.read().unwrap().expose_secret(), "from the file");

    let chosen = PassphraseSource::choose(None, Some("from outside".into()));
    assert_eq!(chosen.read_new().unwrap().expose_secret(), "from outside");
}

#[test]
fn an_empty_passphrase_is_none() {
    let chosen = PassphraseSource::choose(None, Some("".into()));
    assert!(matches!(chosen.read(), Err(PassphraseError::Empty)));
}

#[cfg(target_os = "linux")]
#[test]
fn a_hardened_process_leaves_no_core_dump() {
    assert!(harden().is_empty());
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
}

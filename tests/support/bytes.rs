//! Bytes on disk: which files of a folder hold what they must not hold?

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use data_encoding::{HEXLOWER, HEXUPPER};

/// Something to look for. Shorter things are found everywhere by chance.
const BYTES_MIN: usize = 8;

/// A text that must, or must not, be found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Needle(Vec<u8>);

impl Needle {
    /// Looks for these bytes.
    pub(crate) fn new(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        assert!(bytes.len() >= BYTES_MIN, "a needle needs {BYTES_MIN} bytes");
        Self(bytes)
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The needle, as it is and as hexadecimal digits, small and large.
    fn shapes(&self) -> [Vec<u8>; 3] {
        let (small, large) = (HEXLOWER.encode(&self.0), HEXUPPER.encode(&self.0));
        [self.0.clone(), small.into_bytes(), large.into_bytes()]
    }
}

/// Which files under a folder (or the one file) hold which needles, as lines to print.
pub(crate) fn found_in(place: &Path, needles: &[Needle]) -> Vec<String> {
    let mut sieve = Sieve::new();
    for (at, needle) in needles.iter().enumerate() {
        for shape in needle.shapes() {
            sieve.add(at, shape);
        }
    }
    let mut found = Vec::new();
    for file in files(place) {
        // A journal may be gone by the time it is read.
        let Ok(bytes) = fs::read(&file) else { continue };
        for at in sieve.search(&bytes) {
            let needle = String::from_utf8_lossy(&needles[at].0);
            let needle: String = needle.chars().take(60).collect();
            found.push(format!("{}: {needle}", file.display()));
        }
    }
    found
}

/// Every file under a folder.
fn files(place: &Path) -> Vec<PathBuf> {
    if !place.is_dir() {
        return vec![place.to_owned()];
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(place).unwrap() {
        found.extend(files(&entry.unwrap().path()));
    }
    found.sort();
    found
}

/// Many needles at once: the first two bytes sort out nearly every place of a haystack.
struct Sieve {
    begins: Vec<bool>,
    needles: HashMap<[u8; BYTES_MIN], Vec<(usize, Vec<u8>)>>,
}

impl Sieve {
    fn new() -> Self {
        Self { begins: vec![false; 1 << 16], needles: HashMap::new() }
    }

    fn add(&mut self, at: usize, bytes: Vec<u8>) {
        self.begins[usize::from(bytes[0]) << 8 | usize::from(bytes[1])] = true;
        let begin = bytes[..BYTES_MIN].try_into().unwrap();
        self.needles.entry(begin).or_default().push((at, bytes));
    }

    fn search(&self, haystack: &[u8]) -> Vec<usize> {
        let mut found = Vec::new();
        for (place, window) in haystack.windows(BYTES_MIN).enumerate() {
            if !self.begins[usize::from(window[0]) << 8 | usize::from(window[1])] {
                continue;
            }
            let Some(needles) = self.needles.get(window) else { continue };
            let here = needles.iter().filter(|(_, bytes)| haystack[place..].starts_with(bytes));
            found.extend(here.map(|(at, _)| *at));
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

#[test]
fn a_needle_is_found_plain_and_in_hexadecimal() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("plain"), "before alice@example.com after").unwrap();
    fs::write(folder.path().join("hex"), "x'616C696365406578616D706C652E636F6D'").unwrap();
    fs::write(folder.path().join("clean"), "alice at example").unwrap();

    let found = found_in(folder.path(), &[Needle::new("alice@example.com")]);

    assert_eq!(found.len(), 2, "{found:#?}");
}

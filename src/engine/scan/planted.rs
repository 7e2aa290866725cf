//! What a scan plants to show that it would find an original, in files where none has to be.

use std::collections::BTreeSet;
use std::io::{self, Read};

use super::{ByteScan, Layout, Reading, Stock, Subject};
use crate::ports::{Originals, ScanDepth};
use crate::residue::{FileClass, Filter, FilterBuilder};
use crate::value::Original;

/// What a planted text begins with.
const PLANTED: &str = "sealift-planted-";

/// Plants a text in memory, in the middle of noise, and says which classes of files are read like
/// that where the scan finds it: those that hold no original as a rule.
pub(crate) fn planted() -> BTreeSet<FileClass> {
    let (marker, filter) = marker();
    let memory = Memory::holding(marker.expose());
    if finds(&[Memory::subject()], &memory, marker, &filter, Layout::default()) {
        BTreeSet::from([FileClass::ServerLog, FileClass::ServerFiles, FileClass::Other])
    } else {
        BTreeSet::new()
    }
}

/// A text that nobody else has, and a filter for it alone.
pub(crate) fn marker() -> (Original, Filter) {
    use rand::Rng as _;
    let mut bytes = [0; 24];
    rand::rng().fill_bytes(&mut bytes);
    let marker = Original::text(&format!("{PLANTED}{}", data_encoding::HEXLOWER.encode(&bytes)));
    let mut key = [0; 16];
    rand::rng().fill_bytes(&mut key);
    let mut builder = FilterBuilder::new(key, 1);
    builder.add(&marker);
    (marker, builder.build())
}

/// One original, for a scan that looks for what was planted.
struct Only(Original);

impl Originals for Only {
    fn each(
        &self,
        visit: &mut dyn FnMut(&Original),
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        visit(&self.0);
        Ok(())
    }
}

/// Whether a scan of these files finds what was planted in one of them.
pub(crate) fn finds(
    subjects: &[Subject],
    stock: &(dyn Stock + Sync),
    marker: Original,
    filter: &Filter,
    layout: Layout,
) -> bool {
    let only = Only(marker);
    let mut scan = ByteScan::new(filter, [0; 32], &only, ScanDepth::Whole, layout);
    let report = scan.run(subjects, stock).and_then(|()| scan.finish());
    report.is_ok_and(|report| report.files.iter().any(|file| file.hits.total() > 0))
}

/// A file that is in memory only: what is planted where nothing may be written.
pub(crate) struct Memory(Vec<u8>);

impl Memory {
    /// These bytes and no others.
    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Some 64 KiB of noise with these bytes in the middle.
    fn holding(bytes: &[u8]) -> Self {
        use rand::Rng as _;
        let mut noise = vec![0; 1 << 16];
        rand::rng().fill_bytes(&mut noise);
        noise.splice(40_000..40_000, bytes.iter().copied());
        Self(noise)
    }

    fn subject() -> Subject {
        Subject { name: "planted".to_owned(), class: FileClass::Other, reading: Reading::Plain }
    }
}

impl Stock for Memory {
    fn open(&self, _subject: &Subject) -> io::Result<Option<Box<dyn Read + Send + '_>>> {
        Ok(Some(Box::new(self.0.as_slice())))
    }
}

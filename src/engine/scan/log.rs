//! The log of changes, as a scan meets it: records put together, those of other databases set apart.

use std::collections::BTreeMap;
use std::ops::Range;

use zeroize::Zeroizing;

use super::Layout;
use super::slots::{Spot, probe_all};
use crate::residue::codec::{Codec, Stride, each_embedded};
use crate::residue::pages::postgres::{LogReader, LogRecord};
use crate::residue::{Candidate, Filter, Place};

/// How many candidates of one record are kept.
const CANDIDATES_MAX: usize = 4_096;

/// Reads the log and remembers whose records lie where.
pub(super) struct Log {
    layout: Layout,
    reader: LogReader,
    /// By file: where records lie that change other databases only.
    foreign: BTreeMap<u32, Vec<Range<u64>>>,
}

/// A record with where it begins.
pub(super) struct Record {
    file: u32,
    offset: u64,
    inner: LogRecord,
}

type Found = (Spot, Candidate, Zeroizing<Vec<u8>>);

impl Log {
    pub(super) fn new(layout: Layout) -> Self {
        let reader = LogReader::new(layout.page_bytes);
        Self { layout, reader, foreign: BTreeMap::new() }
    }

    /// Takes bytes of a file that begin with a page, and gives the records that end in them.
    pub(super) fn read(&mut self, file: u32, offset: u64, bytes: &[u8]) -> Vec<Record> {
        let mut records = Vec::new();
        for (at, page) in bytes.chunks(self.layout.log_page_bytes).enumerate() {
            let here = offset + (at * self.layout.log_page_bytes) as u64;
            self.reader.page((file, here), page, &mut |record| records.push(record));
        }
        self.sorted_out(records)
    }

    /// What was not finished.
    pub(super) fn finish(&mut self) -> Vec<Record> {
        let mut records = Vec::new();
        self.reader.finish(&mut |record| records.push(record));
        self.sorted_out(records)
    }

    /// Records that could not be put together.
    pub(super) fn cut(&self) -> u64 {
        self.reader.cut()
    }

    /// Whether what lies there changes other databases only.
    pub(super) fn is_foreign(&self, file: u32, offset: u64) -> bool {
        let Some(ranges) = self.foreign.get(&file) else { return false };
        let after = ranges.partition_point(|range| range.start <= offset);
        after > 0 && ranges[after - 1].contains(&offset)
    }

    fn sorted_out(&mut self, records: Vec<LogRecord>) -> Vec<Record> {
        let ours = self.layout.database;
        let mut kept = Vec::new();
        for record in records {
            let is_foreign = ours != 0
                && !record.databases.is_empty()
                && record.databases.iter().all(|database| *database != 0 && *database != ours);
            if is_foreign {
                for (file, range) in &record.parts {
                    let ranges = self.foreign.entry(*file).or_default();
                    match ranges.last_mut() {
                        Some(last) if last.end == range.start => last.end = range.end,
                        _ => ranges.push(range.clone()),
                    }
                }
            } else if let Some((file, range)) = record.parts.first() {
                kept.push(Record { file: *file, offset: range.start, inner: record });
            }
        }
        kept
    }
}

impl Record {
    /// What the bytes of the file do not show: pages that are compressed, values that are, and values
    /// that lie across a page of the log.
    pub(super) fn candidates(&self, filter: &Filter) -> Vec<Found> {
        let mut found = Vec::new();
        let record = &self.inner;
        for image in &record.images {
            if image.codec.is_some() {
                self.add(&mut found, image.codec, probe_all(filter, &image.bytes, CANDIDATES_MAX));
            }
            each_embedded(&image.bytes, Stride::Aligned, |_, codec, unpacked| {
                self.add(
                    &mut found,
                    Some(codec),
                    probe_all(filter, &unpacked.bytes, CANDIDATES_MAX),
                );
            });
        }
        each_embedded(&record.bytes, Stride::Any, |_, codec, unpacked| {
            self.add(&mut found, Some(codec), probe_all(filter, &unpacked.bytes, CANDIDATES_MAX));
        });
        if record.parts.len() > 1 {
            self.add(&mut found, None, probe_all(filter, &record.bytes, CANDIDATES_MAX));
        }
        found
    }

    fn add(
        &self,
        found: &mut Vec<Found>,
        via: Option<Codec>,
        candidates: Vec<(Candidate, Zeroizing<Vec<u8>>)>,
    ) {
        for (candidate, snippet) in candidates {
            let (file, offset) = (self.file, self.offset);
            found.push((Spot { file, offset, via, place: Place::Unknown }, candidate, snippet));
        }
    }
}

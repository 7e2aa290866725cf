//! A tree of files of every kind: originals planted anywhere in it are all found, at their places.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use sealift::engine::scan::Named;
use sealift::ports::{Originals, ScanDepth};
use sealift::residue::{Filter, FilterBuilder, ScanReport};
use sealift::value::Original;

use super::{DIGEST_KEY, KEY};

const FILES: u64 = 32;
/// Where the scan cuts a file.
const CUTS: [usize; 2] = [1 << 20, 8 << 20];

/// A number that follows from another and looks like chance.
fn mixed(n: u64) -> u64 {
    let mut mixed = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn value(n: u64) -> String {
    match n % 3 {
        0 => format!("person{:08x}@example.com", mixed(n) & 0xffff_ffff),
        1 => format!("{:016}", 4_000_000_000_000_000 + mixed(n) % 1_000_000_000_000_000),
        _ => format!("Invented {:x} Person of {:x}", mixed(n) & 0xff_ffff_ffff, mixed(!n) >> 32),
    }
}

/// Values, made anew each time they are asked for.
struct Values(u64);

impl Originals for Values {
    fn each(
        &self,
        visit: &mut dyn FnMut(&Original),
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        (0..self.0).for_each(|n| visit(&Original::text(&value(n))));
        Ok(())
    }
}

impl Values {
    fn filter(&self) -> Filter {
        let mut builder = FilterBuilder::new(KEY, self.0);
        self.each(&mut |original| builder.add(original)).unwrap();
        builder.build()
    }
}

/// Text or noise, with values in it; says where.
fn content(file: u64, bytes: usize, values: u64) -> (Vec<u8>, Vec<u64>) {
    let mut content = Vec::with_capacity(bytes + 64);
    let mut state = file << 40;
    while content.len() < bytes {
        state += 1;
        let word = mixed(state);
        if file.is_multiple_of(2) {
            write!(content, "{} person{:x}@example.org, ", word % 1_000_000, word >> 40).unwrap();
        } else {
            content.extend(word.to_le_bytes());
        }
    }
    content.truncate(bytes);
    let plant = |at: usize, n: u64| (at, value(mixed(file * 1_000 + n) % values));
    let mut plants = vec![plant(0, 0), plant(bytes - value(0).len() - 64, 1)];
    // Across every cut, and at places that nobody chose.
    let cuts = CUTS.into_iter().flat_map(|cut| (cut..bytes - 128).step_by(cut));
    let cuts: Vec<usize> = cuts.step_by(bytes / CUTS[0] / 24 + 1).collect();
    plants.extend(
        (2..).zip(cuts).map(|(n, cut)| plant(cut - 5 - usize::try_from(n % 3).unwrap(), n)),
    );
    plants.extend((100..130).map(|n| {
        let at = mixed(file * 77 + n) % (bytes as u64 - 256);
        plant(usize::try_from(at).unwrap() + 64, n)
    }));
    plants.sort();
    plants.dedup_by(|later, earlier| later.0 < earlier.0 + 64);
    for (at, text) in &plants {
        content[*at..at + text.len()].copy_from_slice(text.as_bytes());
    }
    (content, plants.iter().map(|(at, _)| *at as u64).collect())
}

/// Writes a file the way that files of its kind are written.
fn write(folder: &Path, file: u64, content: &[u8]) -> PathBuf {
    let folder = match file % 3 {
        0 => folder.to_owned(),
        1 => folder.join("exports/2026 spring"),
        _ => folder.join(format!("a/b/c/d/e/{file}")),
    };
    std::fs::create_dir_all(&folder).unwrap();
    match file % 4 {
        0 => {
            let path = folder.join(format!("dump-{file}.sql.gz"));
            let file = std::fs::File::create(&path).unwrap();
            let mut packer = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
            packer.write_all(content).unwrap();
            packer.finish().unwrap();
            path
        }
        1 => {
            // What it is, its bytes say.
            let path = folder.join(format!("archive-{file}"));
            let level = ruzstd::encoding::CompressionLevel::Fastest;
            std::fs::write(&path, ruzstd::encoding::compress_to_vec(content, level)).unwrap();
            path
        }
        _ => {
            let path = folder.join(format!("log-{file}"));
            std::fs::write(&path, content).unwrap();
            path
        }
    }
}

fn all_are_found(bytes: usize, values: u64) {
    let folder = tempfile::tempdir().unwrap();
    let mut planted = Vec::new();
    for file in 0..FILES {
        let (content, places) = content(file, bytes / usize::try_from(FILES).unwrap(), values);
        planted.push((write(folder.path(), file, &content), places));
    }
    let values = Values(values);
    let named = Named::list(&[folder.path().to_owned()]).unwrap();
    let report: ScanReport =
        named.scan(&values.filter(), DIGEST_KEY, &values, ScanDepth::Whole).unwrap();

    assert_eq!(report.skipped, []);
    assert_eq!(report.files.len(), planted.len());
    for (path, places) in planted {
        let name = path.display().to_string();
        let file = report.files.iter().find(|file| file.name == name).unwrap();
        let found: Vec<u64> = file.listed.iter().map(|located| located.hit.offset).collect();
        assert!(places.len() > 20 && places.len() < 100, "{} places", places.len());
        assert_eq!(found, places, "{name}");
        assert_eq!((file.hits.whole, file.hits.part), (places.len() as u64, 0), "{name}");
    }
}

#[test]
fn originals_planted_anywhere_in_a_tree_are_all_found() {
    all_are_found(12 << 20, 500);
}

mod soak {
    #[test]
    #[ignore = "minutes long, and 2 GiB of disk; tests/soak.sh runs it"]
    fn originals_planted_anywhere_in_two_gibibytes_are_all_found() {
        super::all_are_found(2 << 30, 20_000);
    }
}

//! Bytes a second of a residue scan, beside `grep -F -f` on the same input.
//!
//! `cargo bench --bench residue [-- MIB]`: makes a file of text and of binary noise with a value
//! planted here and there, and searches it for 20,000 and for 1,000,000 values on one core and on
//! all of them; `grep` is shown a twentieth of the file where the values are many. What counts is
//! the ratio: both sides share machine, file and moment.
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a bench that cannot go on should stop, and its figures are for people"
)]

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sealift::engine::scan::Named;
use sealift::ports::{Originals, ScanDepth};
use sealift::residue::FilterBuilder;
use sealift::value::Original;

const MIB: usize = 1 << 20;

/// Values, made anew each time they are asked for.
struct Values(u64);

fn mixed(n: u64) -> u64 {
    let mut mixed = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn value(n: u64) -> String {
    match n % 3 {
        0 => format!("person{:08x}@example.com", mixed(n) & 0xffff_ffff),
        1 => format!("{:016}", mixed(n) % 10_000_000_000_000_000),
        _ => format!("Invented {:x} Person", mixed(n) & 0xff_ffff_ffff),
    }
}

impl Originals for Values {
    fn each(
        &self,
        visit: &mut dyn FnMut(&Original),
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        for n in 0..self.0 {
            visit(&Original::text(&value(n)));
        }
        Ok(())
    }
}

fn main() {
    let mib = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(512_usize);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("haystack");
    let planted = haystack(&file, mib);
    let small = dir.path().join("twentieth");
    let twentieth = (mib * MIB / 20) as u64;
    let mut head = std::fs::File::open(&file).unwrap().take(twentieth);
    std::io::copy(&mut head, &mut std::fs::File::create(&small).unwrap()).unwrap();
    println!("{mib} MiB, {planted} values planted");
    for count in [20_000_u64, 1_000_000] {
        for cores in [1, std::thread::available_parallelism().unwrap().get()] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(cores).build().unwrap();
            let (took, hits) = pool.install(|| scan(&file, count));
            line(&format!("{count} values, {cores} cores, {hits} hits"), mib as f64, took);
        }
        let (sought, size) =
            if count > 100_000 { (&small, mib as f64 / 20.0) } else { (&file, mib as f64) };
        let took = grep(dir.path(), sought, count);
        line(&format!("{count} values, grep -F -f"), size, took);
    }
    println!("peak memory {} MiB", peak_mib());
}

fn line(what: &str, mib: f64, took: Duration) {
    println!("{what:<40} {:>8.2} s {:>8.0} MiB/s", took.as_secs_f64(), mib / took.as_secs_f64());
}

/// Half of it words and numbers, half of it noise; a value in every mebibyte.
fn haystack(path: &Path, mib: usize) -> usize {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    let mut state = 0;
    for number in 0..mib {
        let mut block = Vec::with_capacity(MIB + 64);
        while block.len() < MIB {
            state += 1;
            let word = mixed(state ^ 0x5a5a_0000_0000);
            if number % 2 == 0 {
                write!(block, "{} person{:x}@example.org, ", word % 1_000_000, word >> 40).unwrap();
            } else {
                block.extend_from_slice(&word.to_le_bytes());
            }
        }
        let text = value(number as u64 * 31 % 20_000);
        block.splice(MIB / 2..MIB / 2 + text.len(), text.bytes());
        block.truncate(MIB);
        file.write_all(&block).unwrap();
    }
    mib
}

fn scan(path: &Path, count: u64) -> (Duration, u64) {
    let values = Values(count);
    let mut builder = FilterBuilder::new([7; 16], count);
    values.each(&mut |original| builder.add(original)).unwrap();
    let filter = builder.build();
    let begun = Instant::now();
    let named = Named::list(&[path.to_owned()]).unwrap();
    let report = named.scan(&filter, [5; 32], &values, ScanDepth::Whole).unwrap();
    (begun.elapsed(), report.files.iter().map(|file| file.hits.total()).sum())
}

fn grep(dir: &Path, file: &Path, count: u64) -> Duration {
    let list = dir.join("values");
    let mut written = std::io::BufWriter::new(std::fs::File::create(&list).unwrap());
    for n in 0..count {
        writeln!(written, "{}", value(n)).unwrap();
    }
    written.flush().unwrap();
    let begun = Instant::now();
    let mut grep = Command::new("grep");
    // Every match, to a pipe: it ends with the first one where nobody reads, and a line of a file
    // without line ends is all of it.
    grep.args(["-a", "-o", "-F", "-f"]).arg(&list).arg(file).env("LC_ALL", "C");
    let output = grep.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.code().is_some_and(|code| code < 2));
    begun.elapsed()
}

fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib: u64 = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0);
    kib / 1_024
}

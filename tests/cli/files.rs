//! Files that do not let themselves be written, or are not what they were.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::support::{
    Answer, Db, Desk, Journal, assert_same, dump, plan_and_approve, shop, to_phase,
};

/// Rows enough that vault and backup outgrow the limits of these tests.
const CUSTOMERS: u64 = 400;

#[test]
fn a_source_that_another_program_has_locked_is_waited_for_and_then_named() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 5);
    let run = to_phase(&desk, "sealed");
    let mut other = Db::open(&desk.source());
    other.exec("BEGIN IMMEDIATE; UPDATE tally SET orders = orders");

    desk.run(&["run", &run]).fails(2, &["lock"]);

    other.exec("ROLLBACK");
    desk.run(&["run", &run]).done();
}

#[test]
fn a_source_that_can_only_be_read_is_left_alone() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 5);
    let run = to_phase(&desk, "sealed");
    let before = dump(&desk.source());
    set_mode(&desk.source(), 0o444);

    let answer = finish_without_override(&desk, &["run", &run]);

    answer.fails(2, &["shop.db"]);
    set_mode(&desk.source(), 0o644);
    assert_same(&before, &dump(&desk.source()));
    desk.run(&["run", &run]).done();
}

/// Runs the program so that file modes count, for root as well.
fn finish_without_override(desk: &Desk, arguments: &[&str]) -> Answer {
    if !is_root() {
        return desk.run(arguments);
    }
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set", "-dac_override", "--inh-caps", "-all"]);
    command.arg(env!("CARGO_BIN_EXE_sealift")).args(arguments);
    desk.dress(&mut command);
    desk.finish(command, "")
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}

fn set_mode(path: &std::path::Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Runs the program where no file can grow past so many blocks of 512 bytes: to the program it is
/// as if the disk were full.
fn finish_with_files_up_to(desk: &Desk, blocks: u64, arguments: &[&str]) -> Answer {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\""));
    command.arg("sh").arg(env!("CARGO_BIN_EXE_sealift")).args(arguments);
    desk.dress(&mut command);
    desk.finish(command, "")
}

#[test]
fn a_full_disk_stops_a_run_which_goes_on_when_there_is_room() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, CUSTOMERS);
    let before = dump(&desk.source());
    let run = plan_and_approve(&desk);
    let mut stops = 0;
    for blocks in [8, 64, 256, 512, 1_024] {
        let answer = finish_with_files_up_to(&desk, blocks, &["run", &run]);
        if answer.code != 0 {
            stops += 1;
            answer.fails(2, &[]);
        }
    }
    assert!(stops > 1, "the disk was never full");

    desk.run(&["run", &run]).done();
    desk.run(&["verify", &run]).done();
    desk.run(&["rollback", &run]).done();
    assert_same(&before, &dump(&desk.source()));
}

#[test]
fn a_full_disk_during_a_rollback_leaves_a_way_back() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, CUSTOMERS);
    let before = dump(&desk.source());
    let run = to_phase(&desk, "verified");

    let answer = finish_with_files_up_to(&desk, 64, &["rollback", &run]);

    answer.fails(4, &[]);
    desk.run(&["rollback", &run]).done();
    assert_same(&before, &dump(&desk.source()));
}

/// The files of the backup that hold originals, the largest first.
fn backup_files(desk: &Desk) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![desk.path("sealift-backup")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "backup") {
                files.push(path);
            }
        }
    }
    files.sort_by_key(|path| std::cmp::Reverse(path.metadata().unwrap().len()));
    files
}

fn spoil_each(phase: &str, spoil: impl Fn(&mut Vec<u8>)) {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 10);
    let run = to_phase(&desk, phase);
    let before = dump(&desk.source());
    let file = backup_files(&desk).remove(0);
    let sound = fs::read(&file).unwrap();
    let mut bytes = sound.clone();
    spoil(&mut bytes);
    fs::write(&file, bytes).unwrap();

    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    desk.run(&["run", &run]).fails(2, &[&name]);

    assert_same(&before, &dump(&desk.source()));
    fs::write(&file, sound).unwrap();
    desk.run(&["run", &run]).done();
}

#[test]
fn a_truncated_backup_file_is_named_before_anything_of_it_is_used() {
    spoil_each("backed_up", |bytes| bytes.truncate(bytes.len() / 2));
}

#[test]
fn an_altered_backup_file_is_named_before_anything_of_it_is_used() {
    spoil_each("backed_up", |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    });
}

#[test]
fn a_missing_backup_file_stops_a_rollback_which_goes_on_when_it_is_back() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 10);
    let before = dump(&desk.source());
    let run = to_phase(&desk, "verified");
    let kept = desk.save();
    for file in backup_files(&desk) {
        fs::remove_file(file).unwrap();
    }

    assert_ne!(desk.run(&["rollback", &run]).code, 0);

    desk.restore(&kept);
    desk.run(&["rollback", &run]).done();
    assert_same(&before, &dump(&desk.source()));
}

#[test]
fn a_second_run_beside_the_first_is_refused_on_the_same_vault() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, CUSTOMERS);
    let run = plan_and_approve(&desk);
    let mut codes = [0; 2];
    std::thread::scope(|scope| {
        let runs = [0, 1].map(|_| scope.spawn(|| desk.run(&["run", &run])));
        codes = runs.map(|run| run.join().unwrap().code);
    });

    // The slower one came too late for work, or was told that another is at it.
    assert!(codes.contains(&0), "{codes:?}");
    assert!(codes.iter().all(|code| [0, 2, 3].contains(code)), "{codes:?}");
    assert_eq!(desk.json(&["verify", &run]).done().text("phase"), "verified");
}

//! A disk that fills up under source, vault or backup: the command ends and says which it was, nothing
//! is lost, and the same command goes on when there is room.

use std::fs;
use std::path::PathBuf;

use super::runbook::says;
use crate::support::{Answer, Db, Desk, SmallDisk, assert_same, dump, plan_and_approve};

const PEOPLE: i64 = 12_000;

/// Room for twice of everything.
const DISK_BYTES: u64 = 24 << 20;

/// What lies on the small disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnIt {
    Source,
    Vault,
    Backup,
}

struct Setting {
    desk: Desk,
    disk: SmallDisk,
    on_it: OnIt,
    run: String,
    /// The source, as it was.
    before: String,
}

impl Setting {
    fn of(on_it: OnIt) -> Self {
        Self::with(on_it, "DELETE")
    }

    /// With this kind of journal beside the source.
    fn with(on_it: OnIt, journal: &str) -> Self {
        let desk = Desk::new();
        let mut db = Db::open(&desk.source());
        db.exec(format!("PRAGMA journal_mode = {journal}"));
        db.exec("CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT)");
        db.exec(format!(
            "INSERT INTO people WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {PEOPLE})
             SELECT i, 'person' || i || '@example.com' FROM n"
        ));
        drop(db);
        let before = dump(&desk.source());
        let folder = if on_it == OnIt::Backup { "[backup]\ndir = \"small/backup\"\n" } else { "" };
        desk.write(
            "shop.toml",
            &format!(
                "[source]\nname = \"shop\"\n\n[[column]]\nname = \"people.email\"\nclass = \"contact\"\n\
                 token = \"keyed\"\n\n{folder}"
            ),
        );
        let run = plan_and_approve(&desk);
        let small = SmallDisk::at(&desk.path("small"), DISK_BYTES);
        match on_it {
            OnIt::Source => drop(fs::copy(desk.source(), small.file("shop.db")).unwrap()),
            OnIt::Vault => drop(fs::copy(desk.vault(), small.file("vault.db")).unwrap()),
            OnIt::Backup => {}
        }
        Self { desk, disk: small, on_it, run, before }
    }

    fn act(&self, verb: &str, more: &[&str]) -> Answer {
        let typed = [&[verb, self.run.as_str()], more].concat();
        let mut command = self.desk.command(&typed);
        match self.on_it {
            OnIt::Source => drop(command.env("SEALIFT_SOURCE", "sqlite:small/shop.db")),
            OnIt::Vault => drop(command.env("SEALIFT_VAULT", "sqlite:small/vault.db")),
            OnIt::Backup => {}
        }
        self.desk.finish(self.disk.beside(&command), "")
    }

    /// The source, where it can be looked at.
    fn source(&self) -> PathBuf {
        if self.on_it != OnIt::Source {
            return self.desk.source();
        }
        let copy = self.desk.path("looked-at.db");
        fs::copy(self.disk.file("shop.db"), &copy).unwrap();
        copy
    }

    /// A command meets the full disk, and goes on when there is room.
    fn is_met_by(&mut self, verb: &str, more: &[&str]) {
        self.disk.fill();
        let met = self.act(verb, more);
        if self.disk.is_real() {
            says(&met.fails(2, &["make room"]), "no space is left …");
        } else {
            assert_ne!(met.code, 0, "{met}");
        }
        // Again, as somebody does who has not read it.
        assert_ne!(self.act(verb, more).code, 0);
        self.disk.make_room();
        self.act(verb, more).done();
    }

    fn ends_rolled_back(&self) {
        assert_same(&self.before, &dump(&self.source()));
    }
}

#[test]
fn a_source_whose_disk_is_full_goes_there_and_back_when_there_is_room() {
    let mut setting = Setting::of(OnIt::Source);
    setting.act("run", &["--until", "sealed"]).done();
    setting.is_met_by("run", &[]);
    let mut db = Db::reading(&setting.source());
    assert_eq!(db.number("SELECT count(*) FROM people WHERE email LIKE 'slk%'"), PEOPLE);
    drop(db);
    // The way back makes the file no larger; its journal is what finds no room.
    setting.is_met_by("rollback", &[]);
    setting.ends_rolled_back();
}

/// A range is taken by a statement that commits behind its answer.
#[test]
fn a_full_disk_under_a_write_ahead_log_is_not_taken_for_another_process() {
    let mut setting = Setting::with(OnIt::Source, "WAL");
    setting.act("run", &[]).done();
    // The index of the log finds room, and the log itself does not.
    setting.disk.fill_but(40_000);
    let met = setting.act("rollback", &[]);
    if setting.disk.is_real() {
        assert!(!met.stderr.contains("another process"), "{met}");
        says(&met.fails(2, &["make room"]), "no space is left …");
    } else {
        assert_ne!(met.code, 0, "{met}");
    }
    setting.disk.make_room();
    setting.act("rollback", &[]).done();
    setting.ends_rolled_back();
}

#[test]
fn a_vault_whose_disk_is_full_goes_on_when_there_is_room() {
    let mut setting = Setting::of(OnIt::Vault);
    setting.act("run", &["--until", "backed_up"]).done();
    setting.is_met_by("run", &["--until", "sealed"]);
    setting.is_met_by("run", &[]);
    setting.is_met_by("rollback", &[]);
    setting.ends_rolled_back();
}

#[test]
fn a_backup_whose_disk_is_full_goes_on_when_there_is_room() {
    let mut setting = Setting::of(OnIt::Backup);
    setting.is_met_by("run", &["--until", "backed_up"]);
    setting.is_met_by("run", &["--until", "sealed"]);
    setting.act("run", &[]).done();
    setting.act("rollback", &[]).done();
    setting.ends_rolled_back();
}

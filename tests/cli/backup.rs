//! The backup's verbs, refused and cleaned up.

use crate::support::{Db, Desk, Journal, dump, shop, to_phase, verified};

fn shop_to(phase: &str) -> (Desk, String) {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 12);
    let run = to_phase(&desk, phase);
    (desk, run)
}

#[test]
fn the_backup_of_a_run_that_was_rolled_back_goes_when_somebody_names_it() {
    let (desk, run) = shop_to("verified");
    desk.run(&["rollback", &run]).done();
    desk.run(&["backup", "prune"]).done().mentions(&["no backup is past its time"]);
    desk.run(&["backup", "restore", &run, "--into", "sqlite:look.db"]).done();

    desk.run(&["backup", "prune", &run]).done().mentions(&["destroyed"]);

    assert!(!desk.path("sealift-backup").join(&run).exists());
    desk.run(&["backup", "restore", &run, "--into", "sqlite:other.db"]).ends(3);
    desk.run(&["backup", "prune", &run]).fails(3, &["no backup any more"]);
    let wrapped = "SELECT count(*) FROM sealift_key WHERE purpose = 'run' AND wrapped IS NOT NULL";
    assert_eq!(Db::open(&desk.vault()).number(wrapped), 0, "its key is gone as well");
}

#[test]
fn a_restored_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let (desk, run) = shop_to("sealed");
    desk.run(&["backup", "restore", &run, "--into", "sqlite:look.db"]).done();
    let mode = std::fs::metadata(desk.path("look.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn only_a_steward_restores_and_an_auditor_sees_the_list() {
    let (desk, run) = shop_to("verified");
    for caller in ["bob", "carol", "dave"] {
        let into = format!("sqlite:{caller}.db");
        desk.run_as(caller, &["backup", "restore", &run, "--into", &into]).ends(3);
        desk.run_as(caller, &["backup", "verify", &run]).ends(3);
        desk.run_as(caller, &["backup", "restore", &run, "--in-place"]).ends(3);
        assert!(!desk.path(&format!("{caller}.db")).exists());
    }
    desk.run_as("dave", &["backup", "list"]).done();
    desk.run_as("carol", &["backup", "list"]).ends(3);
}

#[test]
fn a_table_that_is_not_in_the_backup_is_refused_before_anything_is_made() {
    let (desk, run) = shop_to("verified");
    let table = ["backup", "restore", &run, "--into", "sqlite:look.db", "--table", "nothing"];
    desk.run(&table).fails(2, &["no table `nothing`"]);
    assert!(!desk.path("look.db").exists());
    desk.run(&["backup", "restore", &run]).ends(2);
}

#[test]
fn in_place_nothing_is_written_before_the_rewrite() {
    let (desk, run) = shop_to("backed_up");
    let before = dump(&desk.source());
    let typed = ["backup", "restore", &run, "--in-place", "--table", "cards"];
    desk.run(&typed).fails(3, &["holds its originals still"]);
    assert_eq!(dump(&desk.source()), before);
}

#[test]
fn what_was_restored_is_on_the_ledger() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 12);
    let run = verified(&desk);
    desk.run(&["backup", "verify", &run]).done();
    desk.run(&["backup", "restore", &run, "--into", "sqlite:look.db"]).done();
    let actions = crate::support::actions(&desk);
    for action in ["backup_verified", "backup_restored"] {
        assert!(actions.iter().any(|known| known == action), "{action} is not in {actions:?}");
    }
}

/// On the day on which the vault is lost, the folder has to do without it.
#[test]
fn what_a_folder_would_lack_without_its_vault_is_a_finding() {
    let (desk, run) = shop_to("sealed");
    let folder = desk.path("sealift-backup").join(&run);
    desk.run(&["backup", "verify", &run]).done();
    for name in ["manifest", "keys.json"] {
        let whole = std::fs::read(folder.join(name)).unwrap();
        std::fs::write(folder.join(name), &whole[..whole.len() / 2]).unwrap();
        desk.run(&["backup", "verify", &run]).fails(1, &[name, "hint: put the files back"]);
        std::fs::write(folder.join(name), whole).unwrap();
    }
    desk.run(&["backup", "verify", &run]).done();
}

/// How large the ledger of another vault was says nothing about this one.
#[test]
fn the_folder_of_another_vault_is_not_taken_for_a_sign_of_an_older_one() {
    let (desk, run) = shop_to("sealed");
    let folder = desk.path("sealift-backup").join(&run);
    let marker = std::fs::read_to_string(folder.join("RUN")).unwrap();
    std::fs::write(folder.join("RUN"), marker.replace("vault ", "vault 0")).unwrap();
    std::fs::write(folder.join("ledger.size"), "4711").unwrap();
    desk.run(&["run", &run]).fails(2, &["no marker of this run", "another run or vault"]);
    std::fs::write(folder.join("RUN"), marker).unwrap();
    desk.run(&["run", &run]).fails(2, &["older than its source"]);
}

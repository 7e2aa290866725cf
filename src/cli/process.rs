//! This process among others: how it is told from them, and whether one of them is dead.
//!
//! Only a process of the same machine judges, and only by what the machine itself says of a process
//! number: it may have been given again.

use std::fs;

use super::desk::now;
use super::settings::Settings;
use crate::engine::postgres::process_name;
use crate::lifecycle::RunId;
use crate::ports::{Vault, WorkerRow};

/// What this process tells of itself.
pub(super) fn this(run: RunId) -> WorkerRow {
    let pid = std::process::id();
    WorkerRow {
        worker: process_name().to_owned(),
        run,
        host: host(),
        pid,
        born: born(pid).unwrap_or_default(),
        since: now(),
        doing: String::new(),
        waits: String::new(),
        is_live: true,
    }
}

/// The machine's name as people know it.
pub(super) fn shown_host(host: &str) -> &str {
    host.split('/').next().unwrap_or(host)
}

/// Takes out processes of this machine that are dead, with what they still hold here and in the
/// source; says which they were.
pub(super) async fn bury_dead(vault: &dyn Vault, settings: &Settings) -> Vec<WorkerRow> {
    // Where the vault cannot be asked, the next step says why.
    let mut dead = vault.workers().await.unwrap_or_default();
    dead.retain(|worker| is_dead(worker, &host()));
    if dead.is_empty() {
        return dead;
    }
    let source = settings.open_source().await.ok();
    for worker in &dead {
        if let Some(source) = &source {
            // A session that cannot be ended here ends by itself.
            let _ = source.evict(&worker.worker).await;
        }
        let _ = vault.evict(&worker.worker).await;
    }
    dead
}

/// Whether a process of this machine is gone. Of other machines nothing is said.
fn is_dead(worker: &WorkerRow, host: &str) -> bool {
    !worker.born.is_empty()
        && worker.host == host
        && worker.pid != std::process::id()
        && born(worker.pid).as_ref() != Some(&worker.born)
}

/// Name, boot and namespace of process numbers: in another container a number means another process.
fn host() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let name = read("/proc/sys/kernel/hostname");
    let boot = read("/proc/sys/kernel/random/boot_id");
    let space = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let space: String =
        space.to_string_lossy().chars().filter(char::is_ascii_digit).collect::<String>();
    format!("{name}/{boot}/{space}")
}

/// When a process began, in the machine's own count; nothing where there is none that lives, or the
/// machine does not tell.
fn born(pid: u32) -> Option<String> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything; the state comes behind it, and the start 19 later.
    let (_, rest) = line.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?;
    let begun = fields.nth(18)?;
    (!matches!(state, "Z" | "X")).then(|| begun.to_owned())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_dead_when_its_number_is_free_or_means_another_one() {
        let host = host();
        let this = this(RunId(1));
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let born = born(child.id()).unwrap();
        let row = WorkerRow { pid: child.id(), born, ..this };
        assert!(!is_dead(&row, &host));
        assert!(is_dead(&WorkerRow { born: "1".to_owned(), ..row.clone() }, &host));
        assert!(!is_dead(&row, "elsewhere"), "another machine says nothing about it");
        child.kill().unwrap();
        // Not waited for: it is a zombie, and holds nothing any more.
        for _ in 0..100 {
            if is_dead(&row, &host) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert!(is_dead(&row, &host));
        child.wait().unwrap();
    }
}

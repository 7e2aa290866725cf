//! What a rehearsal says at its end, to people and to programs.

use serde_json::json;

use super::trial::{Stopped, Tried};
use crate::cli::exit::Failure;
use crate::cli::output::Output;
use crate::ledger::Entry;
use crate::plan::{Estimate, passes_by_name};
use crate::ports::{Copied, RunRow};
use crate::report::{Rehearsal, after_rehearsal, rehearsals};
use crate::words::{counted, duration, grouped, shell_word};

/// How many names of one kind are listed.
const NAMES_MAX: usize = 12;

/// What is told, and to whom.
pub(super) struct Told<'t> {
    pub(super) out: &'t Output,
    pub(super) row: &'t RunRow,
    pub(super) estimate: &'t Estimate,
    pub(super) entries: &'t [Entry],
    /// Where copy and folder are, where they were kept.
    pub(super) kept_at: Option<(String, String)>,
}

impl Told<'_> {
    pub(super) fn tell(
        &self,
        copied: &Copied,
        copy_ms: u64,
        rows_max: Option<u64>,
        tried: &Result<Tried, Stopped>,
    ) -> Result<(), Failure> {
        let entry = self.entries.iter().rfind(|entry| entry.action == crate::report::REHEARSED);
        let entry = entry.ok_or_else(|| Failure::fault("the rehearsal is not on the ledger"))?;
        let after = after_rehearsal(self.estimate, self.entries);
        let (step, differences) = match tried {
            Ok(tried) => (None, Some(&tried.differences)),
            Err(stopped) => (Some(stopped.step), None),
        };
        let kept = self.kept_at.as_ref();
        self.out.object(&json!({
            "run": self.row.run.to_string(),
            "result": entry.details.get("result"), "step": step, "why": entry.details.get("why"),
            "tables": copied.tables, "rows": copied.rows, "rows_max": rows_max,
            "counts": entry.counts,
            "differs": differences.map(|found| [&found.scope[..], &found.objects[..]].concat()),
            "beside": differences.map(|found| &found.beside),
            "left_out": copied.left_out,
            "estimate": after, "kept_at": kept.map(|(copy, _)| copy),
        }));
        let bound = rows_max
            .map_or_else(String::new, |rows| format!(", at most {} of a table", grouped(rows)));
        self.out.line(format!(
            "copied {} of {} in {}{bound}",
            counted(copied.rows, "row", "rows"),
            counted(copied.tables, "table", "tables"),
            duration(copy_ms)
        ));
        self.names("the copy has not", &copied.left_out);
        if let Some(found) = differences {
            let held = found.is_as_promised();
            self.out.line(if held {
                "plan, run, checks, verification, rollback: every original was back, every object as before"
            } else {
                "plan, run, checks, verification, rollback: it is NOT as it was"
            });
            self.names("differs", &found.scope);
            self.names("differs", &found.objects);
            self.names("the way there and back changed", &found.beside);
            self.times(entry, &after);
        }
        match kept {
            Some((copy, folder)) => {
                self.out.line(format!("{copy} holds originals in plain text: remove it"));
                self.out.line(format!("  and what belongs to it: rm -r {}", shell_word(folder)));
            }
            None => self.out.line("the copy is destroyed"),
        }
        Ok(())
    }

    fn times(&self, entry: &Entry, after: &Estimate) {
        for (name, expected) in passes_by_name(after.passes) {
            let Some(took) = entry.counts.get(name) else { continue };
            let pass = name.trim_end_matches("_ms");
            let (took, expected) = (duration(*took), duration(expected));
            self.out.line(format!("  {pass:<10} took {took}; the run: about {expected}"));
        }
        if let Some(took) = entry.counts.get("rollback_ms") {
            self.out.line(format!("  {:<10} took {}", "rollback", duration(*took)));
        }
    }

    fn names(&self, what: &str, names: &[String]) {
        for name in names.iter().take(NAMES_MAX) {
            self.out.line(format!("  {what}: {name}"));
        }
        if names.len() > NAMES_MAX {
            self.out.line(format!("  {what}: and {} more", names.len() - NAMES_MAX));
        }
    }
}

/// What `status` says of the newest rehearsal of a run.
pub(in crate::cli) fn of_status(out: &Output, entries: &[Entry]) {
    let Some(newest) = rehearsals(entries).pop() else { return };
    out.line(format!("  {}", sentence(&newest)));
}

fn sentence(rehearsal: &Rehearsal) -> String {
    let rows = counted(rehearsal.rows, "row", "rows");
    match (&rehearsal.why, rehearsal.held) {
        (_, true) => format!(
            "rehearsed {} over {rows}: it held, in {}{}",
            rehearsal.at,
            duration(rehearsal.took_ms),
            match rehearsal.left_out.len() as u64 {
                0 => String::new(),
                missing => format!(", without {}", counted(missing, "object", "objects")),
            }
        ),
        (Some(why), false) => format!("rehearsed {}: it did not hold: {why}", rehearsal.at),
        (None, false) => format!("rehearsed {}: it did not hold", rehearsal.at),
    }
}

//! What a rehearsal measured, as the estimate of the run that comes after it.
//!
//! The estimate says how the work grows with what there is; the rehearsal, how fast this machine and
//! these databases are at it. So each pass of the run is expected to be slower or quicker than was
//! reckoned by as much as it was on the copy. This file knows no ledger; it is given a way to ask
//! for a count.

use super::model::{Estimate, PassTimes};

/// The passes of a rehearsal, as its counts name them: `backup_ms` is what the pass took,
/// `backup_ms_estimated` what was reckoned for the copy.
pub const REHEARSED_PASSES: [&str; 4] = ["backup_ms", "seal_ms", "rewrite_ms", "verify_ms"];

/// What was reckoned for a pass on the copy, by the name of what it took there.
#[must_use]
pub fn estimated_name(pass: &str) -> String {
    format!("{pass}_estimated")
}

/// The passes by the names of [`REHEARSED_PASSES`], in their order.
#[must_use]
pub fn passes_by_name(passes: PassTimes) -> [(&'static str, u64); 4] {
    let PassTimes { backup_ms, seal_ms, rewrite_ms, verify_ms, purge_ms: _ } = passes;
    let [backup, seal, rewrite, verify] = REHEARSED_PASSES;
    [(backup, backup_ms), (seal, seal_ms), (rewrite, rewrite_ms), (verify, verify_ms)]
}

impl Estimate {
    /// The same run after a rehearsal: what each pass took there, for the amount that there is here.
    /// A pass that was not measured stays as it was reckoned, and so does the purge, which nobody
    /// rehearses.
    #[must_use]
    pub fn rehearsed(&self, count: impl Fn(&str) -> Option<u64>) -> Self {
        let scaled = |pass: &str, reckoned: u64| {
            let reckoned_there = count(&estimated_name(pass)).filter(|ms| *ms > 0);
            match count(pass).zip(reckoned_there) {
                Some((took, there)) => scale(reckoned, took, there),
                None => reckoned,
            }
        };
        let [backup_ms, seal_ms, rewrite_ms, verify_ms] =
            passes_by_name(self.passes).map(|(pass, ms)| scaled(pass, ms));
        let passes = PassTimes { backup_ms, seal_ms, rewrite_ms, verify_ms, ..self.passes };
        Self {
            passes,
            seconds: passes.to_verified_ms().div_ceil(1_000),
            lock_ms: scaled("lock_ms", self.lock_ms),
            ..self.clone()
        }
    }
}

fn scale(reckoned: u64, took: u64, there: u64) -> u64 {
    let scaled = u128::from(reckoned) * u128::from(took.max(1)) / u128::from(there.max(1));
    u64::try_from(scaled).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate() -> Estimate {
        let passes =
            PassTimes { backup_ms: 100, seal_ms: 200, rewrite_ms: 400, verify_ms: 50, purge_ms: 9 };
        Estimate { passes, lock_ms: 40, ..Estimate::default() }
    }

    #[test]
    fn a_copy_as_large_as_the_source_tells_its_times() {
        let estimate = estimate();
        let count = |name: &str| match name {
            "backup_ms" => Some(70),
            "backup_ms_estimated" => Some(100),
            "rewrite_ms" => Some(1_000),
            "rewrite_ms_estimated" => Some(400),
            _ => None,
        };
        let after = estimate.rehearsed(count);
        assert_eq!(after.passes.backup_ms, 70);
        assert_eq!(after.passes.rewrite_ms, 1_000);
        assert_eq!((after.passes.seal_ms, after.passes.verify_ms), (200, 50), "not measured");
        assert_eq!(after.passes.purge_ms, 9, "nobody rehearses a purge");
        assert_eq!(after.seconds, 2);
    }

    #[test]
    fn a_sample_is_scaled_to_the_source() {
        // A tenth of the work took twice as long as reckoned.
        let count = |name: &str| match name {
            "seal_ms" => Some(40),
            "seal_ms_estimated" => Some(20),
            _ => None,
        };
        assert_eq!(estimate().rehearsed(count).passes.seal_ms, 400);
    }

    #[test]
    fn a_pass_that_took_no_time_is_no_estimate_of_none() {
        let count = |name: &str| match name {
            "verify_ms" => Some(0),
            "verify_ms_estimated" => Some(1_000),
            _ => None,
        };
        assert_eq!(estimate().rehearsed(count).passes.verify_ms, 1);
    }
}

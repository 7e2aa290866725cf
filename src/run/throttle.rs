//! How fast a run may go: what the policy allows, what somebody set meanwhile, what others suffer.
//!
//! Before each batch [`Throttle::permit`] is asked. It knows limits and readings, and no engine; it
//! reads no signal by itself.
//!
//! **Invariant:** a signal that cannot be read holds the run, as one over its limit does. A run that
//! does not know what it costs does not go on.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::policy;
use crate::ports::{Pressure, Rate, ReplicaLag};
use crate::run::watch::Reading;

/// A reading that is older than this says nothing any more.
const READING_AGE_MAX: Duration = Duration::from_secs(6);

/// At a set rate, a batch is what this share of a second allows, so that a change is soon felt.
const BATCHES_A_SECOND: u64 = 4;

/// Our own share of the time that others may wait: the rest is theirs.
const SHARE_OF_WAIT: u32 = 3;

/// What may be done now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Permit {
    /// A batch of at most so many rows.
    Go {
        /// Rows.
        rows: usize,
    },
    /// Nothing for so long: a rate is set, or the others have their turn.
    Later(Duration),
    /// Nothing, until a signal is better.
    Hold(String),
}

/// The throttle of one process; shared by its workers.
pub struct Throttle {
    limits: policy::Throttle,
    /// Whether the source has signals that somebody reads.
    is_watched: bool,
    state: Mutex<State>,
    /// Somebody else writes to the source.
    others: AtomicBool,
    /// Rows of a batch that took as long as it should.
    rows: AtomicUsize,
}

struct State {
    due: Instant,
    rate: Option<u64>,
}

impl Throttle {
    /// A throttle with the limits of a policy. `is_watched`: the source has signals.
    #[must_use]
    pub fn new(limits: policy::Throttle, is_watched: bool) -> Self {
        let state = State { due: Instant::now(), rate: limits.rows_per_s_max };
        Self {
            limits,
            is_watched,
            state: Mutex::new(state),
            others: AtomicBool::new(false),
            rows: AtomicUsize::new(super::batch::ROWS_AT_FIRST),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what somebody set for the run; the policy's word where nobody did.
    pub(crate) fn set(&self, rate: Option<Rate>, processes: u64) {
        let rate = rate.map_or(self.limits.rows_per_s_max, Rate::limit);
        // Processes share the rate of the run among them.
        self.state().rate = rate.map(|rate| (rate / processes.max(1)).max(1));
    }

    /// What may be done now, with a batch of `rows` in mind. Where it may go, the rows are counted
    /// as done; [`Throttle::settle`] corrects that.
    pub(crate) fn permit(
        &self,
        rows: usize,
        reading: Option<&Reading>,
        written: &VecDeque<(Instant, u64)>,
    ) -> Permit {
        let now = Instant::now();
        if let Some(why) = self.holds(now, reading, written) {
            return Permit::Hold(why);
        }
        let mut state = self.state();
        if let Some(wait) = state.due.checked_duration_since(now).filter(|wait| !wait.is_zero()) {
            return Permit::Later(wait);
        }
        let Some(rate) = state.rate else { return Permit::Go { rows } };
        let rows = rows.min(usize::try_from(rate / BATCHES_A_SECOND).unwrap_or(rows)).max(1);
        state.due = now + time_of(rows, rate);
        Permit::Go { rows }
    }

    /// A batch that was permitted `permitted` rows had `rows`, and took so long. What slows a run
    /// makes it rest as long as it worked.
    pub(crate) fn settle(&self, permitted: usize, rows: usize, took: Took<'_>) {
        let mut state = self.state();
        if let Some(rate) = state.rate {
            let too_much = time_of(permitted.saturating_sub(rows), rate);
            state.due = state.due.checked_sub(too_much).unwrap_or(state.due);
        }
        let Took::Worked { batch, commit, reading } = took else { return };
        let mut rest = Duration::ZERO;
        if self.slows(commit, reading).is_some() {
            rest = batch;
        }
        if self.is_polite() {
            // Whoever tries again after a while has to find the lock free.
            rest = rest.max(batch * 2).max(Duration::from_millis(16));
        }
        state.due = state.due.max(Instant::now() + rest);
    }

    /// Somebody else has written to the source: from now on no transaction is long.
    pub(crate) fn saw_others(&self) {
        self.others.store(true, Ordering::Relaxed);
    }

    /// Whether others wait for one lock of the whole source, and there are others.
    pub(crate) fn is_polite(&self) -> bool {
        !self.is_watched && self.others.load(Ordering::Relaxed)
    }

    /// How long a transaction should take.
    pub(crate) fn aim(&self, reading: Option<&Reading>) -> Duration {
        // Where there is one writer, a longer transaction writes each page of an index less often.
        let usual = Duration::from_millis(if self.is_watched { 150 } else { 250 });
        let Some(wait) = self.limits.lock_wait_ms_max else { return usual };
        let wait = Duration::from_millis(wait);
        let pressure = reading.and_then(|reading| reading.pressure.as_ref().ok());
        let waited = pressure.into_iter().flat_map(|pressure| &pressure.held_up);
        let is_over =
            waited.map(|held| held.age_ms).max().is_some_and(|ms| Duration::from_millis(ms) > wait);
        if self.is_polite() || is_over { usual.min(wait / SHARE_OF_WAIT) } else { usual }
    }

    /// Rows of the next batch of a worker that has none of its own to go by.
    pub(crate) fn rows(&self) -> usize {
        self.rows.load(Ordering::Relaxed)
    }

    /// A batch of so many rows took about as long as it should.
    pub(crate) fn learn(&self, rows: usize) {
        self.rows.store(rows, Ordering::Relaxed);
    }

    /// Why the run does not go on, if it does not.
    fn holds(
        &self,
        now: Instant,
        reading: Option<&Reading>,
        written: &VecDeque<(Instant, u64)>,
    ) -> Option<String> {
        let limits = &self.limits;
        let asks = limits.replica_lag_ms_max.is_some() || limits.wal_bytes_max.is_some();
        if !self.is_watched || !asks {
            return None;
        }
        let Some(reading) = reading else {
            return Some("the signals of the source were not read yet".to_owned());
        };
        let pressure = match &reading.pressure {
            Ok(pressure) => pressure,
            Err(why) => return Some(format!("the signals of the source cannot be read: {why}")),
        };
        let age = now.saturating_duration_since(reading.at);
        if age > READING_AGE_MAX {
            return Some(format!(
                "the signals of the source were last read {} s ago",
                age.as_secs()
            ));
        }
        self.lags(now, pressure, written).or_else(|| self.retains(pressure))
    }

    fn lags(
        &self,
        now: Instant,
        pressure: &Pressure,
        written: &VecDeque<(Instant, u64)>,
    ) -> Option<String> {
        let max = self.limits.replica_lag_ms_max?;
        pressure.replicas.iter().find_map(|replica| match lag_ms(now, replica, written) {
            None => Some(format!(
                "the lag of replica `{}` cannot be read: the role needs `pg_monitor`, or the policy \
                 `replica_lag_ms_max = \"unlimited\"`",
                replica.name
            )),
            Some(lag) if lag > max => Some(format!(
                "replica `{}` is {:.1} s behind, and {:.1} s are allowed",
                replica.name,
                Duration::from_millis(lag).as_secs_f64(),
                Duration::from_millis(max).as_secs_f64(),
            )),
            // Behind where the log stood when it was first looked at: for how long, nobody knows.
            Some(_) if is_behind_from_the_start(replica, written) => Some(format!(
                "replica `{}` has not replayed yet what was written when the run began",
                replica.name
            )),
            Some(_) => None,
        })
    }

    fn retains(&self, pressure: &Pressure) -> Option<String> {
        let max = self.limits.wal_bytes_max?;
        let slot = pressure.retained.iter().find(|slot| slot.bytes > max)?;
        Some(format!(
            "slot `{}` keeps {} MiB of the log, and {} MiB are allowed",
            slot.slot,
            slot.bytes >> 20,
            max >> 20
        ))
    }

    /// Why the run rests between batches, if it does.
    pub(crate) fn slows(
        &self,
        commit: Option<Duration>,
        reading: Option<&Reading>,
    ) -> Option<String> {
        if let Some((max, took)) = self.limits.commit_ms_max.zip(commit)
            && took > Duration::from_millis(max)
        {
            return Some(format!("a COMMIT took {} ms, and {max} ms are meant", took.as_millis()));
        }
        let pressure = reading?.pressure.as_ref().ok()?;
        let table = pressure.vacuumed.first()?;
        Some(format!("`{table}` is being vacuumed"))
    }
}

/// What became of a batch.
#[derive(Clone, Copy)]
pub(crate) enum Took<'r> {
    /// It was written.
    Worked {
        /// How long its transaction took.
        batch: Duration,
        /// How long its COMMIT took, where the engine tells.
        commit: Option<Duration>,
        /// The signals.
        reading: Option<&'r Reading>,
    },
    /// It was not.
    Nothing,
}

/// How far a replica is behind: the age of the oldest moment at which the log stood further than the
/// replica stands now, or what the server itself measured; `None` where it cannot be known.
fn lag_ms(now: Instant, replica: &ReplicaLag, written: &VecDeque<(Instant, u64)>) -> Option<u64> {
    let replayed = replica.replayed_bytes?;
    let oldest = written.iter().find(|(_, bytes)| *bytes > replayed);
    let Some((at, _)) = oldest else { return Some(0) };
    let since = now.saturating_duration_since(*at).as_millis();
    Some(u64::try_from(since).unwrap_or(u64::MAX).max(replica.replay_ms.unwrap_or(0)))
}

/// Whether a replica has not come to where the log stood at the first reading that is kept.
fn is_behind_from_the_start(replica: &ReplicaLag, written: &VecDeque<(Instant, u64)>) -> bool {
    let first = written.front().map(|(_, bytes)| *bytes);
    replica.replayed_bytes.zip(first).is_some_and(|(replayed, first)| replayed < first)
}

fn time_of(rows: usize, rate: u64) -> Duration {
    let rows = u64::try_from(rows).unwrap_or(u64::MAX);
    let micros = u128::from(rows) * 1_000_000 / u128::from(rate.max(1));
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)).min(Duration::from_hours(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::RetainedWal;

    fn throttle(limits: policy::Throttle) -> Throttle {
        Throttle::new(limits, true)
    }

    fn reading(pressure: Pressure) -> Reading {
        Reading { at: Instant::now(), pressure: Ok(pressure) }
    }

    fn replica(replayed_bytes: Option<u64>) -> Pressure {
        let replica = ReplicaLag { name: "berlin".to_owned(), replayed_bytes, replay_ms: None };
        Pressure { replicas: vec![replica], ..Pressure::default() }
    }

    fn asked(throttle: &Throttle, pressure: Pressure, written: &[(u64, u64)]) -> Permit {
        let now = Instant::now();
        let written = written
            .iter()
            .map(|(ago, bytes)| (now.checked_sub(Duration::from_secs(*ago)).unwrap(), *bytes))
            .collect();
        throttle.permit(10, Some(&reading(pressure)), &written)
    }

    #[test]
    fn a_replica_behind_its_limit_holds_and_one_that_caught_up_does_not() {
        let throttle = throttle(policy::Throttle::default());
        let written = [(30, 100), (20, 200), (1, 300)];
        assert_eq!(asked(&throttle, replica(Some(300)), &written), Permit::Go { rows: 10 });
        assert_eq!(asked(&throttle, replica(Some(250)), &written), Permit::Go { rows: 10 });
        let Permit::Hold(why) = asked(&throttle, replica(Some(150)), &written) else {
            panic!("it goes on");
        };
        assert_eq!(why, "replica `berlin` is 20.0 s behind, and 10.0 s are allowed");
    }

    #[test]
    fn a_replica_that_is_behind_from_the_start_holds_until_it_has_caught_up() {
        let throttle = throttle(policy::Throttle::default());
        let held = asked(&throttle, replica(Some(90)), &[(1, 100)]);
        assert!(matches!(&held, Permit::Hold(why) if why.contains("when the run began")));
        assert_eq!(asked(&throttle, replica(Some(100)), &[(1, 100)]), Permit::Go { rows: 10 });
    }

    #[test]
    fn a_signal_that_cannot_be_read_holds() {
        let throttle = throttle(policy::Throttle::default());
        let none = VecDeque::new();
        assert!(matches!(throttle.permit(1, None, &none), Permit::Hold(_)), "nothing was read");
        let unreadable = asked(&throttle, replica(None), &[]);
        assert!(matches!(&unreadable, Permit::Hold(why) if why.contains("pg_monitor")));
        let failed = Reading { at: Instant::now(), pressure: Err("no connection".to_owned()) };
        assert!(matches!(throttle.permit(1, Some(&failed), &none), Permit::Hold(_)));
        let Some(at) = Instant::now().checked_sub(READING_AGE_MAX * 2) else { return };
        let old = Reading { at, pressure: Ok(Pressure::default()) };
        assert!(matches!(throttle.permit(1, Some(&old), &none), Permit::Hold(_)), "it is old");
    }

    #[test]
    fn a_limit_that_is_lifted_is_not_asked_about() {
        let limits =
            policy::Throttle { replica_lag_ms_max: None, wal_bytes_max: None, ..<_>::default() };
        let throttle = throttle(limits);
        assert_eq!(throttle.permit(1, None, &VecDeque::new()), Permit::Go { rows: 1 });
    }

    #[test]
    fn a_slot_that_keeps_too_much_of_the_log_holds() {
        let limits = policy::Throttle { wal_bytes_max: Some(64 << 20), ..<_>::default() };
        let retained = vec![RetainedWal { slot: "copy".to_owned(), bytes: 65 << 20 }];
        let pressure = Pressure { retained, ..Pressure::default() };
        let held = asked(&throttle(limits), pressure, &[]);
        assert!(matches!(&held, Permit::Hold(why) if why.contains("slot `copy` keeps 65 MiB")));
    }

    #[test]
    fn a_rate_is_kept_and_a_new_one_is_felt_with_the_next_batch() {
        let throttle = Throttle::new(policy::Throttle::default(), false);
        throttle.set(Some(Rate::RowsPerS(100)), 1);
        let none = VecDeque::new();
        assert_eq!(throttle.permit(10_000, None, &none), Permit::Go { rows: 25 });
        let Permit::Later(wait) = throttle.permit(10_000, None, &none) else { panic!("at once") };
        assert!(wait > Duration::from_millis(200) && wait <= Duration::from_millis(250));
        throttle.settle(25, 0, Took::Nothing);
        assert_eq!(throttle.permit(10_000, None, &none), Permit::Go { rows: 25 });
        throttle.settle(25, 0, Took::Nothing);
        throttle.set(Some(Rate::Unlimited), 1);
        assert_eq!(throttle.permit(10_000, None, &none), Permit::Go { rows: 10_000 });
    }

    #[test]
    fn beside_others_a_transaction_is_short_and_the_lock_is_free_most_of_the_time() {
        let throttle = Throttle::new(policy::Throttle::default(), false);
        assert!(throttle.aim(None) >= Duration::from_millis(50));
        throttle.saw_others();
        assert!(throttle.aim(None) <= Duration::from_millis(10));
        let took = Took::Worked { batch: Duration::from_millis(8), commit: None, reading: None };
        throttle.settle(10, 10, took);
        let Permit::Later(wait) = throttle.permit(10, None, &VecDeque::new()) else {
            panic!("the lock is taken again at once")
        };
        assert!(wait >= Duration::from_millis(14), "{wait:?}");
    }
}

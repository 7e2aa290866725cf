//! What a profile keeps of the values it has seen: counters, and hashes for counting distinct ones.

use super::hash::FastSet;
use super::kind::{KINDS, Place};
use super::values::national::SCHEMES;
use super::values::{Day, Places, Sighting};

/// How the values of a column agree with one kind.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    /// Recognised by themselves.
    pub(super) matched: u64,
    /// Could be.
    pub(super) plausible: u64,
    /// Check digits hold.
    pub(super) verified: u64,
}

/// Everything that is counted.
#[derive(Debug)]
pub(super) struct Counts {
    pub(super) sampled: u64,
    pub(super) nulls: u64,
    pub(super) empties: u64,
    pub(super) skipped: u64,
    pub(super) tested: u64,
    /// Values that are JSON documents.
    pub(super) documents: u64,
    /// Values long enough to hold something.
    pub(super) texts: u64,
    pub(super) tallies: [Tally; KINDS],
    /// Values that hold a kind, or are it.
    pub(super) contained: [u64; KINDS],
    /// Values that hold or are any of the kinds that texts are searched for.
    pub(super) holding: u64,
    /// Among them those that hold more than a person's name.
    pub(super) holding_clear: u64,
    pub(super) schemes: Vec<SchemeTally>,
    pub(super) days: Days,
    /// Digits alone, as mobile numbers are stored.
    pub(super) bare_phones: u64,
    /// Words before a house number.
    pub(super) numbered: u64,
    /// One word that is a given or a family name.
    pub(super) single_names: u64,
    pub(super) distinct: Distinct,
}

/// How many values follow a scheme.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SchemeTally {
    pub(super) shaped: u64,
    pub(super) checked: u64,
}

impl Counts {
    pub(super) fn new() -> Self {
        Self {
            sampled: 0,
            nulls: 0,
            empties: 0,
            skipped: 0,
            tested: 0,
            documents: 0,
            texts: 0,
            tallies: [Tally::default(); KINDS],
            contained: [0; KINDS],
            holding: 0,
            holding_clear: 0,
            schemes: vec![SchemeTally::default(); SCHEMES.len()],
            days: Days::default(),
            bare_phones: 0,
            numbered: 0,
            single_names: 0,
            distinct: Distinct::default(),
        }
    }

    /// Counts what was seen in one value.
    pub(super) fn take(&mut self, seen: &Sighting) {
        seen.matched.each(|place| self.tallies[place].matched += 1);
        seen.plausible.each(|place| self.tallies[place].plausible += 1);
        seen.verified.each(|place| self.tallies[place].verified += 1);
        let mut bits = seen.shapes;
        while bits != 0 {
            let place = bits.trailing_zeros() as usize;
            self.schemes[place].shaped += 1;
            self.schemes[place].checked += u64::from(seen.schemes & (1 << place) != 0);
            bits &= bits - 1;
        }
        self.bare_phones += u64::from(seen.is_bare_phone);
        self.numbered += u64::from(seen.is_numbered);
        let single = seen.matched.has(Place::FirstName) || seen.matched.has(Place::LastName);
        self.single_names += u64::from(single);
        if let Some(day) = seen.day {
            self.days.take(day);
        }
    }

    /// Counts what a value holds.
    pub(super) fn take_contained(&mut self, places: Places) {
        if places.is_empty() {
            return;
        }
        places.each(|place| self.contained[place] += 1);
        let mut clear = places;
        clear.remove(Place::PersonName);
        self.holding += 1;
        self.holding_clear += u64::from(!clear.is_empty());
    }

    /// The tally of a kind.
    pub(super) fn of(&self, place: Place) -> Tally {
        self.tallies[place as usize]
    }

    /// A count as a share of the values tested.
    pub(super) fn share(&self, count: u64) -> f64 {
        ratio(count, self.tested)
    }
}

/// One count as a share of another.
#[expect(clippy::cast_precision_loss, reason = "a share of counts needs no 53rd bit")]
pub(super) fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The years of the dates in a column.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Days {
    pub(super) count: u64,
    pub(super) with_time: u64,
    /// By decade, from 1850 on.
    decades: [u64; 31],
    /// Days that a living person can be born on, as far as the year goes.
    pub(super) births: u64,
}

impl Days {
    fn take(&mut self, day: Day) {
        self.count += 1;
        self.with_time += u64::from(day.has_time);
        self.births += u64::from((1900..=2025).contains(&day.year));
        let decade = usize::from(day.year.saturating_sub(1850) / 10).min(self.decades.len() - 1);
        self.decades[decade] += 1;
    }

    /// Whether the years spread as births do: over at least four decades, none of them most of
    /// all, and hardly any outside 1920 to 2019.
    pub(super) fn spread_as_births(&self) -> bool {
        let inside: u64 = self.decades[7..17].iter().sum();
        let wide = self.decades.iter().filter(|count| ratio(**count, self.count) >= 0.05).count();
        let most = self.decades.iter().copied().max().unwrap_or(0);
        self.count >= 12
            && ratio(inside, self.count) >= 0.98
            && wide >= 4
            && ratio(most, self.count) <= 0.5
            && ratio(self.with_time, self.count) <= 0.02
    }
}

/// How many different hashes are kept; beyond, a sample of them stands for all.
const HASHES_MAX: usize = 2048;

/// Counts distinct values: exactly while they are few, then by a sample of their hashes.
#[derive(Debug, Default)]
pub(super) struct Distinct {
    /// Hashes whose lowest `level` bits are zero.
    hashes: FastSet<u64>,
    level: u32,
}

impl Distinct {
    /// Counts a hash.
    pub(super) fn take(&mut self, hash: u64) {
        if hash.trailing_zeros() < self.level {
            return;
        }
        self.hashes.insert(hash);
        while self.hashes.len() > HASHES_MAX {
            self.level += 1;
            let level = self.level;
            self.hashes.retain(|hash| hash.trailing_zeros() >= level);
        }
    }

    /// About how many there are.
    pub(super) fn about(&self) -> u64 {
        (self.hashes.len() as u64) << self.level.min(40)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::hash;

    #[test]
    fn few_distinct_values_are_counted_exactly_and_many_about() {
        let mut few = Distinct::default();
        let mut many = Distinct::default();
        for number in 0_u64..100_000 {
            few.take(hash::of(&(number % 100).to_le_bytes()));
            many.take(hash::of(&number.to_le_bytes()));
        }
        assert_eq!(few.about(), 100);
        assert!((80_000..120_000).contains(&many.about()), "{}", many.about());
        assert!(many.hashes.len() <= HASHES_MAX);
    }
}

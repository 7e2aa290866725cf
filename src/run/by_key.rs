//! Rows by their keys: found at once where they come in the order in which they were put in.
//!
//! Most rows of a range are still in the order of its backup, so the place behind the last one that was
//! found is looked at first. Only when a row is not there are all of them sorted into a map.

use std::collections::HashMap;
use std::sync::OnceLock;

/// Keys of rows, each in its place.
#[derive(Default)]
pub(crate) struct ByKey {
    /// The keys, one behind the other.
    bytes: Vec<u8>,
    /// Where each of them ends.
    ends: Vec<usize>,
    /// Where a key is; made when it is first asked for.
    places: OnceLock<HashMap<Vec<u8>, usize>>,
}

impl ByKey {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Where a key is.
    pub(crate) fn place_of(&self, key: &[u8]) -> Option<usize> {
        // Nothing lies behind the last one: no place is likely.
        self.find(self.len(), key)
    }

    /// Where a key is, which is added where it is not there yet.
    pub(crate) fn place_or_push(&mut self, key: &[u8]) -> usize {
        self.place_of(key).unwrap_or_else(|| self.push(key))
    }

    /// Adds a key that is not there yet; says its place.
    ///
    /// **Invariant:** nobody adds one twice. The rows of a table come from a walk, which meets each of
    /// them once.
    pub(crate) fn push(&mut self, key: &[u8]) -> usize {
        let place = self.len();
        if let Some(places) = self.places.get_mut() {
            places.insert(key.to_vec(), place);
        }
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len());
        place
    }

    /// Adds keys that are not there yet, in their order.
    pub(crate) fn append(&mut self, keys: &Self) {
        (0..keys.len()).filter_map(|place| keys.get(place)).for_each(|key| {
            self.push(key);
        });
    }

    /// Where a key is, which is likely to be in this place.
    pub(crate) fn find(&self, likely: usize, key: &[u8]) -> Option<usize> {
        if self.get(likely) == Some(key) {
            return Some(likely);
        }
        let places = self.places.get_or_init(|| {
            let keys = (0..self.len()).filter_map(|place| Some((self.get(place)?.to_vec(), place)));
            let places: HashMap<_, _> = keys.collect();
            debug_assert_eq!(places.len(), self.len(), "a row was put in twice");
            places
        });
        places.get(key).copied()
    }

    fn get(&self, place: usize) -> Option<&[u8]> {
        let begin =
            place.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        self.bytes.get(begin..*self.ends.get(place)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_wherever_it_is_looked_for_first() {
        let mut keys = ByKey::default();
        for key in ["one", "", "three"] {
            keys.push(key.as_bytes());
        }
        for likely in [0, 1, 2, 3, usize::MAX] {
            assert_eq!(keys.find(likely, b"one"), Some(0));
            assert_eq!(keys.find(likely, b""), Some(1));
            assert_eq!(keys.find(likely, b"three"), Some(2));
            assert_eq!(keys.find(likely, b"two"), None);
        }
        // Also what comes after the map was made.
        assert_eq!(keys.place_of(b"two"), None);
        assert_eq!(keys.place_or_push(b"two"), 3);
        assert_eq!(keys.place_or_push(b"one"), 0);
        assert_eq!(keys.find(0, b"two"), Some(3));
        let mut all = ByKey::default();
        all.append(&keys);
        assert_eq!(all.find(3, b"two"), Some(3));
        assert_eq!(all.len(), 4);
    }
}

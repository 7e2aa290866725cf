//! Word lists: given names, family names, cities. `SOURCES.md` says where they come from.
//!
//! Every word is folded: lowercase, without the marks of Latin, Greek and Cyrillic letters.

use std::sync::LazyLock;

use super::hash::FastSet;

static GIVEN: LazyLock<FastSet<&'static str>> =
    LazyLock::new(|| include_str!("given.txt").lines().collect());
static FAMILY: LazyLock<FastSet<&'static str>> =
    LazyLock::new(|| include_str!("family.txt").lines().collect());
static CITIES: LazyLock<FastSet<&'static str>> =
    LazyLock::new(|| include_str!("cities.txt").lines().collect());
static COMMON: LazyLock<FastSet<&'static str>> =
    LazyLock::new(|| include_str!("common.txt").split_whitespace().collect());

/// Whether a folded word is a given name somewhere.
pub(super) fn is_given(word: &str) -> bool {
    GIVEN.contains(word)
}

/// Whether a folded word is a family name somewhere.
pub(super) fn is_family(word: &str) -> bool {
    FAMILY.contains(word)
}

/// Whether a folded text is a city.
pub(super) fn is_city(text: &str) -> bool {
    CITIES.contains(text)
}

/// Whether a folded word is an everyday word: titles and products are made of them.
pub(super) fn is_common(word: &str) -> bool {
    COMMON.contains(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::heading::fold;

    #[test]
    fn every_word_is_folded_as_values_are() {
        let lists =
            [include_str!("given.txt"), include_str!("family.txt"), include_str!("cities.txt")];
        for word in lists.iter().flat_map(|list| list.lines()) {
            assert_eq!(fold(word), word);
        }
    }

    #[test]
    fn names_of_many_scripts_are_known() {
        for name in ["alice", "jurgen", "анна", "γιωργος", "محمد", "राहुल", "민준"]
        {
            assert!(is_given(name), "{name}");
        }
        for name in ["smith", "muller", "иванов", "παπαδοπουλος", "王", "佐藤", "김"]
        {
            assert!(is_family(name), "{name}");
        }
        assert!(is_city("berlin") && is_city("sao paulo") && is_city("東京"));
    }
}

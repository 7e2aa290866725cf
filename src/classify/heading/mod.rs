//! What a column's name says about its values.
//!
//! A name is folded, taken apart into words, and held against rules in many languages
//! ([`rules`]); the table's name says whether a plain `name` is a person's ([`entity`]). This folder
//! knows no values; what a name is worth beside them is decided in [`super::weigh`].

mod entity;
mod rules;
mod split;

use std::sync::LazyLock;

pub(super) use entity::Entity;
pub(super) use rules::Strength;
use rules::{BLOCKERS, NEUTRAL, RULES, Rule};
use split::Words;
pub(super) use split::fold;

use super::Subject;
use super::hash::{FastMap, FastSet};
use super::kind::Kind;

/// What the names of a column and its table say.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent claims, each read by its name")]
pub(super) struct Heading {
    /// The kind, how clearly, and the rule's own words for it.
    pub(super) hint: Option<Hint>,
    /// What a row of the table is.
    pub(super) table: Entity,
    /// The name tells that the column holds something else: a count, a type, a price.
    pub(super) is_other: bool,
    /// The name tells nothing at all: `c1`, `field7`, `value`.
    pub(super) is_opaque: bool,
    /// The name means a number of the application's own: `order_no`, `sku`.
    pub(super) is_key: bool,
    /// Other columns of the table belong to a person: a name, an e-mail address.
    pub(super) beside_a_person: bool,
    /// Another column of the table is a postal address.
    pub(super) beside_an_address: bool,
}

/// A kind that a name points at.
#[derive(Debug, Clone)]
pub(super) struct Hint {
    pub(super) kind: Kind,
    pub(super) strength: Strength,
    pub(super) rule: &'static str,
    /// The national scheme that the name means, where it means one.
    pub(super) scheme: Option<&'static str>,
}

/// All phrases of the rules, without their spaces, with their place in [`RULES`].
static PHRASES: LazyLock<FastMap<String, usize>> = LazyLock::new(|| {
    let mut phrases = FastMap::default();
    for (place, rule) in RULES.iter().enumerate() {
        for phrase in rule.phrases.split(',') {
            let folded = split::fold(phrase.trim());
            // Both as it is written and in the words that names are brought to.
            let brought: String = folded.split(' ').map(split::canonical).collect();
            phrases.entry(folded.replace(' ', "")).or_insert(place);
            phrases.entry(brought).or_insert(place);
        }
    }
    phrases
});

/// Every word that a glued name may be taken apart into.
static VOCABULARY: LazyLock<FastSet<String>> = LazyLock::new(|| {
    let mut words: FastSet<String> = PHRASES.keys().cloned().collect();
    let more = RULES.iter().map(|rule| rule.phrases).chain([BLOCKERS, NEUTRAL, rules::KEYS]);
    for text in more.chain(entity::LISTS) {
        for phrase in text.split(',') {
            words.extend(phrase.split_whitespace().map(split::fold));
        }
    }
    words
});

/// Words without their vowels, where only one word is left so: `brth`, `pstl`, `gndr`.
static SKELETONS: LazyLock<FastMap<String, Option<String>>> = LazyLock::new(|| {
    let mut skeletons: FastMap<String, Option<String>> = FastMap::default();
    let phrases = RULES.iter().map(|rule| rule.phrases).chain(entity::LISTS);
    for word in phrases.flat_map(|text| text.split([',', ' '])).filter(|word| word.len() >= 4) {
        let skeleton = split::skeleton(word);
        if word.is_ascii() && skeleton.len() >= 3 && skeleton.len() < word.len() {
            let known = skeletons.entry(skeleton).or_insert_with(|| Some(word.to_owned()));
            // `postal` and `postale` are one word here.
            if known.as_deref().is_some_and(|other| !word.starts_with(other)) {
                *known = None;
            }
        }
    }
    skeletons
});

static BLOCKING: LazyLock<FastSet<String>> = LazyLock::new(|| set_of(BLOCKERS));
static BEFORE: LazyLock<FastSet<String>> = LazyLock::new(|| set_of(rules::BLOCKING_BEFORE));
static SILENT: LazyLock<FastSet<String>> = LazyLock::new(|| set_of(NEUTRAL));
static NUMBERS: LazyLock<FastSet<String>> = LazyLock::new(|| set_of(rules::KEYS));

/// The words of a list that is written with commas.
fn set_of(list: &str) -> FastSet<String> {
    list.split(',').map(|word| split::fold(word.trim()).replace(' ', "")).collect()
}

impl Heading {
    /// Reads the names of a column, its table and its siblings.
    pub(super) fn of(subject: &Subject<'_>) -> Self {
        let table = entity::of_table(&words_of(subject.table));
        let siblings: Vec<Option<Hint>> = subject
            .siblings
            .iter()
            .take(SIBLINGS_MAX)
            .filter(|sibling| **sibling != subject.column)
            .map(|sibling| find(&words_of(sibling)).0)
            .collect();
        let has = |kind: Kind| {
            siblings.iter().flatten().any(|hint| hint.kind == kind && hint.strength.is_clear())
        };
        let beside_a_person = has(Kind::FirstName)
            || has(Kind::LastName)
            || has(Kind::PersonName)
            || has(Kind::DateOfBirth)
            || (has(Kind::Email) && has(Kind::Phone));
        let words = words_of(subject.column);
        let (mut hint, mut blocked) = find(&words);
        let is_username = hint.as_ref().is_some_and(|hint| hint.kind == Kind::Username);
        if is_switch(subject.declared) || (is_username && is_no_text(subject.declared)) {
            (hint, blocked) = (None, true);
        }
        if hint.is_none() && !blocked {
            hint = plain_name(&words, table, has(Kind::FirstName), has(Kind::LastName));
        }
        let named = |set: &FastSet<String>| words.iter().any(|word| set.contains(word));
        let is_key = hint.is_none() && is_among(&words, &NUMBERS);
        let other_name = hint.is_none() && names_a_thing(&words, table);
        let is_other = hint.is_none() && (blocked || is_key || other_name || named(&BLOCKING));
        let is_opaque = hint.is_none()
            && !is_other
            && words.iter().all(|word| word.chars().count() <= 2 || SILENT.contains(word));
        let beside_an_address = has(Kind::PostalAddress);
        if let Some(hint) = &mut hint {
            hint.strengthen(table == Entity::Person || beside_a_person || beside_an_address);
        }
        Self { hint, table, is_other, is_opaque, is_key, beside_a_person, beside_an_address }
    }
}

/// Whether a declared type holds yes and no, whatever the column is called.
fn is_switch(declared: &str) -> bool {
    let declared = declared.to_lowercase();
    declared.starts_with("bool") || matches!(declared.as_str(), "bit" | "bit(1)" | "tinyint(1)")
}

/// Whether a declared type holds numbers or times: `last_login` is when, and `line_id` which line.
fn is_no_text(declared: &str) -> bool {
    const TYPES: [&str; 27] = [
        "int",
        "integer",
        "tinyint",
        "smallint",
        "mediumint",
        "bigint",
        "int2",
        "int4",
        "int8",
        "serial",
        "smallserial",
        "bigserial",
        "numeric",
        "decimal",
        "number",
        "real",
        "double",
        "float",
        "money",
        "date",
        "datetime",
        "time",
        "timetz",
        "timestamp",
        "timestamptz",
        "interval",
        "year",
    ];
    let declared = declared.to_lowercase();
    let is_inner = |each: char| each.is_alphanumeric() || each == '_';
    let word = declared.split(|each: char| !is_inner(each)).next().unwrap_or_default();
    TYPES.contains(&word)
}

/// Whether some of the words in a row are one of the phrases.
fn is_among(words: &Words, phrases: &FastSet<String>) -> bool {
    (0..words.len()).any(|start| {
        let mut glued = String::new();
        words.iter().skip(start).take(3).any(|word| {
            glued.push_str(word);
            phrases.contains(&glued)
        })
    })
}

impl Heading {
    /// Whether rows of the table belong to persons, as far as names say.
    pub(super) fn is_about_a_person(&self) -> bool {
        self.table == Entity::Person || self.beside_a_person || self.beside_an_address
    }
}

/// More siblings than this say nothing new.
const SIBLINGS_MAX: usize = 200;

/// Finds the rule that a name fits, and whether a word beside it says that it means something else.
///
/// Of several the last counts (`address_city` is a city), and the longest that ends there.
fn find(words: &Words) -> (Option<Hint>, bool) {
    let mut best: Option<(usize, usize, &'static Rule)> = None;
    for start in 0..words.len() {
        let mut glued = String::new();
        for (end, word) in words.iter().enumerate().skip(start).take(5) {
            glued.push_str(word);
            let Some(rule) = rule_of(&glued) else { continue };
            let better = best.is_none_or(|(from, to, old)| {
                let (old_weak, new_weak) = (!old.strength.is_clear(), !rule.strength.is_clear());
                // A weak word does not take the place of a clear one: `email_contact`.
                (new_weak <= old_weak) && (end > to || (end == to && start < from))
                    || (old_weak && !new_weak)
            });
            if better {
                best = Some((start, end, rule));
            }
        }
    }
    if let Some((start, end, rule)) = best {
        // `candidate` alone is somebody; `candidate_state` is not.
        if rule.is_somebody() && end + 1 < words.len() {
            return (None, false);
        }
        let blocked = words.iter().enumerate().any(|(at, word)| {
            at > end && BLOCKING.contains(word) || at < start && BEFORE.contains(word)
        });
        if blocked {
            return (None, true);
        }
        return (Some(rule.hint()), false);
    }
    han(words).map_or((None, false), |hint| (Some(hint), false))
}

/// The rule of a phrase, or of what it is the plural of.
fn rule_of(glued: &str) -> Option<&'static Rule> {
    let one = || glued.strip_suffix('s').filter(|one| one.len() >= 4);
    let place = PHRASES.get(glued).or_else(|| PHRASES.get(one()?))?;
    Some(&RULES[*place])
}

/// Scripts without spaces: the longest phrase that occurs anywhere in a word.
fn han(words: &Words) -> Option<Hint> {
    let is_dense = |c: char| matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{0e00}'..='\u{0e7f}');
    let word = words.iter().find(|word| word.chars().any(is_dense))?;
    PHRASES
        .iter()
        .filter(|(phrase, _)| phrase.chars().all(is_dense) && word.contains(phrase.as_str()))
        // Between equals the one that stands last in the word.
        .max_by_key(|(phrase, place)| (phrase.len(), word.rfind(phrase.as_str()), **place))
        .map(|(_, place)| RULES[*place].hint())
}

/// A plain `name`: whose it is, the words beside it or the table must say.
fn plain_name(words: &Words, table: Entity, has_first: bool, has_last: bool) -> Option<Hint> {
    let name = words.iter().find(|word| entity::NAME_WORDS.contains(word))?;
    let mut beside = words.iter().filter(|word| !entity::NAME_WORDS.contains(word)).peekable();
    let is_plain = beside.peek().is_none();
    let entity = if is_plain { table } else { entity::of_words(beside) };
    if is_plain && has_first && entity::FAMILY_WORDS.contains(&name) {
        return Some(Hint::of(Kind::LastName, Strength::Medium, "name beside a given name"));
    }
    if is_plain && has_last && entity::GIVEN_WORDS.contains(&name) {
        return Some(Hint::of(Kind::FirstName, Strength::Medium, "name beside a family name"));
    }
    match entity {
        Entity::Person if is_plain => {
            Some(Hint::of(Kind::PersonName, Strength::Medium, "name in a table of persons"))
        }
        Entity::Person => Some(Hint::of(Kind::PersonName, Strength::Strong, "name of a person")),
        Entity::Organisation if is_plain => {
            Some(Hint::of(Kind::Company, Strength::Medium, "name in a table of companies"))
        }
        Entity::Organisation => {
            Some(Hint::of(Kind::Company, Strength::Strong, "name of a company"))
        }
        Entity::Unknown if is_plain => Some(Hint::of(Kind::PersonName, Strength::Weak, "name")),
        Entity::Thing | Entity::Unknown => None,
    }
}

/// Whether a name says that it is a thing's: `product_name`, or `title` and `name` of products.
fn names_a_thing(words: &Words, table: Entity) -> bool {
    let is_beside = |word: &&str| !entity::NAME_WORDS.contains(word) && !SILENT.contains(*word);
    let mut beside = words.iter().filter(is_beside).peekable();
    if beside.peek().is_none() {
        return table == Entity::Thing
            && words.iter().any(|word| entity::NAME_WORDS.contains(&word));
    }
    entity::of_words(beside) == Entity::Thing
        || words.iter().any(|word| entity::TITLE_WORDS.contains(&word))
}

/// The words of a name, those without vowels read as the words they stand for.
fn words_of(name: &str) -> Words {
    let words = split::words(name, &VOCABULARY);
    words.map(|word| {
        if VOCABULARY.contains(word) || !split::is_skeleton(word) {
            return None;
        }
        SKELETONS.get(word).cloned().flatten()
    })
}

impl Hint {
    /// What a short word means is clearer beside a person's or an address's columns.
    fn strengthen(&mut self, is_personal: bool) {
        let gains =
            [Kind::Postcode, Kind::PostalAddress, Kind::Belief, Kind::Income, Kind::BankAccount];
        if is_personal && self.strength == Strength::Weak && gains.contains(&self.kind) {
            self.strength = Strength::Medium;
        }
    }

    fn of(kind: Kind, strength: Strength, rule: &'static str) -> Self {
        Self { kind, strength, rule, scheme: None }
    }
}

/// A name as a document's key has it, for places in JSON: whether it reads as a name at all.
pub(super) fn reads_as_a_name(key: &str) -> bool {
    let words = words_of(key);
    words.iter().any(|word| VOCABULARY.contains(word))
}

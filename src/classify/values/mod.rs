//! What values look like: one recogniser per family, all of them asked about one text at a time.
//!
//! A recogniser knows no column. It says what a text *is* by itself (matched), what it could be if
//! the column's name says so (plausible), and whether check digits hold (verified).
//!
//! Cheap questions come first: a text without a digit is no phone number, one without a letter is
//! no name, and most recognisers are never reached.

mod address;
mod check_digit;
mod contact;
mod date;
mod marks;
mod money;
pub(super) mod national;
mod network;
mod person;
mod place;

pub(super) use contact::email_within;
pub(super) use date::Day;
pub(super) use money::registered_iban;
pub(super) use person::pair_of_names;

use super::kind::Place;

/// A text, measured once.
#[derive(Clone, Copy)]
pub(super) struct Look<'t> {
    pub(super) text: &'t str,
    pub(super) digits: usize,
    pub(super) letters: usize,
    pub(super) uppers: usize,
    pub(super) spaces: usize,
    pub(super) marks: usize,
    pub(super) wide: usize,
    pub(super) has_at: bool,
    pub(super) colons: usize,
    pub(super) dots: usize,
    pub(super) dashes: usize,
}

impl<'t> Look<'t> {
    /// Measures a text, without the space around it.
    pub(super) fn at(text: &'t str) -> Self {
        let text = text.trim();
        let mut look = Self {
            text,
            digits: 0,
            letters: 0,
            uppers: 0,
            spaces: 0,
            marks: 0,
            wide: 0,
            has_at: false,
            colons: 0,
            dots: 0,
            dashes: 0,
        };
        for byte in text.bytes() {
            match byte {
                b'0'..=b'9' => look.digits += 1,
                b'a'..=b'z' => look.letters += 1,
                b'A'..=b'Z' => {
                    look.letters += 1;
                    look.uppers += 1;
                }
                b' ' | b'\t' | b'\n' | b'\r' => look.spaces += 1,
                0xc0..=0xff => look.wide += 1,
                0x80..=0xbf => {}
                _ => {
                    look.marks += 1;
                    match byte {
                        b'@' => look.has_at = true,
                        b':' => look.colons += 1,
                        b'.' => look.dots += 1,
                        b'-' => look.dashes += 1,
                        _ => {}
                    }
                }
            }
        }
        look
    }

    /// Characters, as far as they are counted: continuation bytes are not.
    pub(super) fn chars(&self) -> usize {
        self.digits + self.letters + self.spaces + self.marks + self.wide
    }

    /// Whether there is nothing but ASCII digits.
    pub(super) fn is_number(&self) -> bool {
        self.digits == self.text.len()
    }

    /// Whether there are letters, of any script.
    pub(super) fn has_letters(&self) -> bool {
        self.letters + self.wide > 0
    }
}

/// Some kinds, as bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Places(u64);

impl Places {
    /// Adds one.
    pub(super) fn add(&mut self, place: Place) {
        self.0 |= 1 << place as u8;
    }

    /// Takes one away.
    pub(super) fn remove(&mut self, place: Place) {
        self.0 &= !(1 << place as u8);
    }

    /// Adds all of another set.
    pub(super) fn join(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether one is there.
    pub(super) fn has(self, place: Place) -> bool {
        self.0 & (1 << place as u8) != 0
    }

    /// Whether none is.
    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Calls for the place of each.
    pub(super) fn each(self, mut call: impl FnMut(usize)) {
        let mut bits = self.0;
        while bits != 0 {
            call(bits.trailing_zeros() as usize);
            bits &= bits - 1;
        }
    }
}

/// What was seen in one text.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sighting {
    /// What it is by itself.
    pub(super) matched: Places,
    /// What it could be.
    pub(super) plausible: Places,
    /// Of what its check digits hold.
    pub(super) verified: Places,
    /// Which national schemes it follows, as bits of [`national::SCHEMES`].
    pub(super) shapes: u128,
    /// Of which of them the check digits hold too.
    pub(super) schemes: u128,
    /// Digits alone, as mobile numbers are stored: weak, and counted apart.
    pub(super) is_bare_phone: bool,
    /// Words before a number, as streets stand before house numbers: weak, and counted apart.
    pub(super) is_numbered: bool,
    /// The day it names, where it names one.
    pub(super) day: Option<Day>,
}

impl Sighting {
    /// It is this by itself.
    pub(super) fn is(&mut self, place: Place) {
        self.matched.add(place);
        self.plausible.add(place);
    }

    /// It is this by itself, and check digits say so too.
    pub(super) fn is_surely(&mut self, place: Place) {
        self.is(place);
        self.verified.add(place);
    }

    /// It could be this.
    pub(super) fn may_be(&mut self, place: Place) {
        self.plausible.add(place);
    }
}

/// Longer texts are no single value of any kind.
const VALUE_BYTES_MAX: usize = 320;

/// Asks every recogniser that a text could concern.
pub(super) fn recognise(look: &Look<'_>) -> Sighting {
    let mut seen = Sighting::default();
    if look.text.is_empty() {
        return seen;
    }
    marks::recognise(look, &mut seen);
    if look.text.len() > VALUE_BYTES_MAX {
        return seen;
    }
    if look.has_at && contact::is_email(look.text) {
        seen.is(Place::Email);
        seen.may_be(Place::Username);
        return seen;
    }
    if look.digits > 0 {
        seen.day = date::day_of(look);
        if seen.day.is_some() {
            seen.may_be(Place::DateOfBirth);
            seen.may_be(Place::CardDetail);
            // `last_login` is when, not who.
            seen.plausible.remove(Place::Username);
        }
        network::recognise(look, &mut seen);
        money::recognise(look, &mut seen);
        national::recognise(look, &mut seen);
        contact::recognise_phone(look, &mut seen);
    }
    place::recognise(look, &mut seen);
    if look.has_letters() {
        address::recognise(look, &mut seen);
        person::recognise(look, &mut seen);
    }
    seen
}

//! Invented people: who customer number N of a seed is, and what belongs to them.
//!
//! Pure functions of seed and number, so that any row can be known without the database.

/// Everything about one customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The row of `customers`.
    pub customer: Customer,
    /// Rows of `orders`.
    pub orders: Vec<Order>,
    /// The row of `cards`, where there is one.
    pub card: Option<Card>,
    /// The row of `notes`, where there is one.
    pub note: Option<Note>,
    /// The row of `customers_history`, where there is one.
    pub history: Option<HistoryEntry>,
}

/// A row of `customers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// The primary key, from 1.
    pub id: i64,
    /// First and last name.
    pub name: String,
    /// Unique.
    pub email: String,
    /// One in twenty has none.
    pub phone: Option<String>,
    /// Street and number.
    pub address: String,
    /// City.
    pub city: String,
    /// `YYYY-MM-DD`; one in thirty has none.
    pub birth_date: Option<String>,
    /// Free text; most have none, some an empty one.
    pub note: Option<String>,
}

/// A row of `orders`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The customer's address at the time: the one in `customers`.
    pub customer_email: String,
    /// `YYYY-MM-DD`.
    pub placed_on: String,
    /// In cents, above zero.
    pub amount_cents: i64,
}

/// A row of `cards`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// Sixteen digits, unique, with a correct check digit.
    pub pan: String,
    /// The name on the card.
    pub holder: String,
    /// `MM/YY`.
    pub expires: String,
}

/// A row of `notes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// `YYYY-MM-DD`.
    pub written_on: String,
    /// Free text that may quote an address or a number.
    pub body: String,
}

/// A row of `customers_history`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// `YYYY-MM-DD`.
    pub changed_on: String,
    /// The name then.
    pub name: String,
    /// The address then; in one of two the present one.
    pub email: String,
    /// The number then.
    pub phone: Option<String>,
}

/// Invents customer number `id` of a seed.
#[must_use]
pub fn person(seed: u64, id: i64) -> Person {
    let mut draw = Draw::new(seed, id.unsigned_abs());
    let (first, last) = (*draw.one_of(FIRST_NAMES), *draw.one_of(LAST_NAMES));
    let name = format!("{first} {last}");
    let host = *draw.one_of(&["com", "org", "net"]);
    // The number makes it unique.
    let email = format!("{}.{}{id}@example.{host}", ascii(first), ascii(last));
    let phone = (!draw.once_in(20))
        .then(|| format!("+49 {} {:07}", draw.one_of(&PREFIXES), draw.below(10_000_000)));
    let address = format!("{} {}", draw.one_of(STREETS), 1 + draw.below(180));
    let city = (*draw.one_of(CITIES)).to_owned();
    let birth_date = (!draw.once_in(30)).then(|| draw.date(1935, 70));
    let note = match draw.below(10) {
        0 => Some(format!(
            "Prefers to be called {first}. Usually at home after {} pm.",
            4 + draw.below(5)
        )),
        1 => Some(String::new()),
        _ => None,
    };
    let customer = Customer { id, name, email, phone, address, city, birth_date, note };
    let orders = (0..draw.below(4)).map(|_| draw.order(&customer)).collect();
    let card = (!draw.once_in(5)).then(|| draw.card(seed, &customer));
    let note = draw.once_in(4).then(|| draw.note(&customer));
    let history = draw.once_in(6).then(|| draw.history(&customer, &ascii(first)));
    Person { customer, orders, card, note, history }
}

/// The check digit that belongs behind these digits.
// SPEC: ISO/IEC 7812-1, annex B
#[must_use]
pub fn luhn_digit(digits: &str) -> char {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(digit.wrapping_sub(b'0'));
            let weighted = if place % 2 == 0 { digit * 2 } else { digit };
            if weighted > 9 { weighted - 9 } else { weighted }
        })
        .sum();
    char::from_digit((10 - sum % 10) % 10, 10).unwrap_or('0')
}

/// Draws from a seed: `SplitMix64`, which is short, fast and the same everywhere.
// SPEC: https://prng.di.unimi.it/splitmix64.c
struct Draw(u64);

impl Draw {
    fn new(seed: u64, number: u64) -> Self {
        let mut draw = Self(seed);
        let start = draw.next() ^ number.wrapping_mul(0xd1b5_4a32_d192_ed03);
        Self(start)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number under `limit`. The bias of a remainder does not matter to invented people.
    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn one_of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        let place = self.below(list.len() as u64);
        &list[usize::try_from(place).unwrap_or(0)]
    }

    /// A date that every calendar has.
    fn date(&mut self, year_first: u64, years: u64) -> String {
        let (year, month, day) =
            (year_first + self.below(years), 1 + self.below(12), 1 + self.below(28));
        format!("{year}-{month:02}-{day:02}")
    }

    fn order(&mut self, customer: &Customer) -> Order {
        let amount_cents = i64::try_from(199 + self.below(80_000)).unwrap_or(199);
        let placed_on = self.date(2021, 5);
        Order { customer_email: customer.email.clone(), placed_on, amount_cents }
    }

    fn card(&mut self, seed: u64, customer: &Customer) -> Card {
        // 9999 is no issuer's. Both factors are coprime to 10^11, so that numbers look random and
        // are unique within a database.
        let place = u128::from(customer.id.unsigned_abs()) * 48_271 + u128::from(seed % 1_000_003);
        let body = place * 1_000_000_007 % 100_000_000_000;
        let digits = format!("9999{body:011}");
        let pan = format!("{digits}{}", luhn_digit(&digits));
        let expires = format!("{:02}/{}", 1 + self.below(12), 27 + self.below(5));
        Card { pan, holder: customer.name.to_uppercase(), expires }
    }

    fn note(&mut self, customer: &Customer) -> Note {
        let written_on = self.date(2022, 4);
        let body = match self.below(4) {
            0 => format!("Asked to write to {} only.", customer.email),
            1 => match &customer.phone {
                Some(phone) => format!("Called back on {phone}, no answer."),
                None => "No number on file.".to_owned(),
            },
            2 => format!("{} wants the invoice as a PDF.", customer.name),
            _ => "Parcel returned, address checked.".to_owned(),
        };
        Note { written_on, body }
    }

    fn history(&mut self, customer: &Customer, first: &str) -> HistoryEntry {
        let email = if self.once_in(2) {
            customer.email.clone()
        } else {
            format!("{first}{}@example.org", customer.id)
        };
        let (name, phone) = (customer.name.clone(), customer.phone.clone());
        HistoryEntry { changed_on: self.date(2019, 3), name, email, phone }
    }
}

/// The name as it stands in an address.
fn ascii(name: &str) -> String {
    name.chars()
        .map(|character| match character {
            'é' | 'ë' => 'e',
            'ö' | 'ø' | 'ó' => 'o',
            'ü' => 'u',
            'í' | 'ı' => 'i',
            'Ł' => 'l',
            'ş' => 's',
            _ => character.to_ascii_lowercase(),
        })
        .filter(char::is_ascii_alphanumeric)
        .collect()
}

const PREFIXES: [&str; 6] = ["30", "40", "89", "151", "160", "171"];

const FIRST_NAMES: &[&str] = &[
    "Alice", "Bob", "Carol", "Dave", "Erin", "Frank", "Grace", "Heidi", "Ivan", "Judy", "Mallory",
    "Niaj", "Olivia", "Peggy", "Rupert", "Sybil", "Trent", "Victor", "Walter", "Zoë", "René",
    "Jörg", "Łucja", "Ayşe", "Björn", "Chloé", "Dmitri", "Eszter", "Fatima", "Giulia", "Hiroshi",
    "Ingrid", "Jamal", "Keiko", "Lars", "Mónica", "Nadia", "Omar", "Priya", "Quentin", "Rosa",
    "Søren", "Tariq", "Uma", "Vera", "Wanda", "Xenia", "Yusuf",
];

const LAST_NAMES: &[&str] = &[
    "Ackermann",
    "Baker",
    "Castillo",
    "Dubois",
    "Eriksson",
    "Fischer",
    "García",
    "Hoffmann",
    "Ito",
    "Jansen",
    "Kowalska",
    "Lindqvist",
    "Müller",
    "Nakamura",
    "O'Brien",
    "Petrov",
    "Quist",
    "Rossi",
    "Schröder",
    "Tanaka",
    "Ulrich",
    "Vasquez",
    "Weiß",
    "Xu",
    "Yılmaz",
    "Zimmer",
    "Andersson",
    "Bianchi",
    "Cohen",
    "Diaz",
    "Evans",
    "Ferrari",
    "Gruber",
    "Haddad",
    "Ibrahim",
    "Jensen",
    "Keller",
    "Lefebvre",
    "Moreau",
    "Nowak",
    "Okafor",
    "Pereira",
    "Romano",
    "Silva",
];

const STREETS: &[&str] = &[
    "Lindenallee",
    "Marktstraße",
    "Harbour Road",
    "Rue des Érables",
    "Via Garibaldi",
    "Elm Street",
    "Am Mühlbach",
    "Station Road",
    "Calle Mayor",
    "Kirkegata",
    "Blumenweg",
    "Canal Walk",
    "Orchard Lane",
    "Place de l'Église",
    "Seestraße",
    "Windmill Hill",
];

const CITIES: &[&str] = &[
    "Berlin",
    "Hamburg",
    "München",
    "Köln",
    "Leipzig",
    "Bremen",
    "Dresden",
    "Freiburg im Breisgau",
    "Rostock",
    "Kiel",
    "Mainz",
    "Erfurt",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_digit_is_luhns() {
        assert_eq!(luhn_digit("7992739871"), '3');
        assert_eq!(luhn_digit("411111111111111"), '1');
    }

    #[test]
    fn a_person_is_a_function_of_seed_and_number() {
        assert_eq!(person(7, 4711), person(7, 4711));
        assert_ne!(person(7, 4711), person(8, 4711));
    }
}

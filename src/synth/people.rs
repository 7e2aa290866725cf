//! Invented people: who customer number N of a seed is, and what belongs to them.
//!
//! Pure functions of seed and number, so that any row can be known without the database.

use serde::Serialize;

use super::draw::Draw;
use super::locale::{Locale, ascii};
use super::numbers::{card_number, iban};

/// Everything about one customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The row of `customers`.
    pub customer: Customer,
    /// Rows of `orders`.
    pub orders: Vec<Order>,
    /// Rows of `cards`: none, one or two.
    pub cards: Vec<Card>,
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
    /// First and last name, in the order of the country.
    pub name: String,
    /// Unique.
    pub email: String,
    /// One in twenty has none.
    pub phone: Option<String>,
    /// Street and number.
    pub address: String,
    /// City.
    pub city: String,
    /// Two letters.
    pub country: &'static str,
    /// `YYYY-MM-DD`; one in thirty has none.
    pub birth_date: Option<String>,
    /// One in twelve buys for one.
    pub company: Option<String>,
    /// An account at a bank that is none; few have one.
    pub iban: Option<String>,
    /// A JSON object that repeats some of the above; one in five has one.
    pub preferences: Option<String>,
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
    /// Free text that may quote an address, a number or a name.
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

/// The document in `customers.preferences`. Its keys keep this order.
#[derive(Serialize)]
struct Preferences<'p> {
    language: &'p str,
    newsletter: bool,
    contact: Contact<'p>,
    deliver_to: [Place<'p>; 1],
}

#[derive(Serialize)]
struct Contact<'p> {
    email: &'p str,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<&'p str>,
}

#[derive(Serialize)]
struct Place<'p> {
    street: &'p str,
    city: &'p str,
    country: &'p str,
}

/// Invents customer number `id` of a seed.
#[must_use]
pub fn person(seed: u64, id: i64) -> Person {
    let mut draw = Draw::new(seed, id.unsigned_abs());
    let locale = Locale::draw(&mut draw);
    let name = locale.name(&mut draw);
    let host = *draw.one_of(&["com", "org", "net"]);
    // The number makes it unique.
    let email = format!("{}{id}@example.{host}", locale.mailbox(&name, &mut draw));
    let mut customer = Customer {
        id,
        email,
        phone: (!draw.once_in(20)).then(|| locale.phone(&mut draw)),
        address: locale.address(&mut draw),
        city: locale.city(&mut draw),
        country: locale.country(),
        birth_date: (!draw.once_in(30)).then(|| draw.date(1935, 70)),
        company: draw.once_in(12).then(|| locale.company(&mut draw)),
        iban: draw.once_in(4).then(|| iban(locale.country(), &mut draw)).flatten(),
        preferences: None,
        note: match draw.below(10) {
            0 => Some(format!(
                "Prefers to be called {}. Usually at home after {} pm.",
                name.first,
                4 + draw.below(5)
            )),
            1 => Some(String::new()),
            _ => None,
        },
        name: name.full,
    };
    customer.preferences =
        draw.once_in(5).then(|| preferences(&customer, locale, &mut draw)).flatten();
    let orders = (0..draw.below(4)).map(|_| draw.order(&customer)).collect();
    let cards: Vec<Card> = match draw.below(5) {
        0 => Vec::new(),
        1 => (0..2).map(|number| draw.card(seed, &customer, number)).collect(),
        _ => vec![draw.card(seed, &customer, 0)],
    };
    let note = draw.once_in(2).then(|| draw.note(locale, &customer, cards.first()));
    let history = (draw.below(10) < 3).then(|| draw.history(locale, &customer, name.first));
    Person { customer, orders, cards, note, history }
}

fn preferences(customer: &Customer, locale: Locale, draw: &mut Draw) -> Option<String> {
    let document = Preferences {
        language: locale.language(),
        newsletter: draw.once_in(2),
        contact: Contact { email: &customer.email, phone: customer.phone.as_deref() },
        deliver_to: [Place {
            street: &customer.address,
            city: &customer.city,
            country: customer.country,
        }],
    };
    // It has no key that is not text, so it always has a text of its own.
    serde_json::to_string(&document).ok()
}

impl Draw {
    fn order(&mut self, customer: &Customer) -> Order {
        let amount_cents = i64::try_from(199 + self.below(80_000)).unwrap_or(199);
        let placed_on = self.date(2021, 5);
        Order { customer_email: customer.email.clone(), placed_on, amount_cents }
    }

    fn card(&mut self, seed: u64, customer: &Customer, number: u64) -> Card {
        let pan = card_number(seed, customer.id.unsigned_abs() * 2 + number);
        let expires = format!("{:02}/{}", 1 + self.below(12), 27 + self.below(5));
        Card { pan, holder: customer.name.to_uppercase(), expires }
    }

    /// What somebody wrote down in a hurry, in the language of the shop that wrote it.
    fn note(&mut self, locale: Locale, customer: &Customer, card: Option<&Card>) -> Note {
        let written_on = self.date(2022, 4);
        let Customer { name, email, phone, address, city, .. } = customer;
        let body = match (self.below(8), locale.language(), phone, card) {
            (0, "de", ..) => format!("Bittet um Rechnung an {email}."),
            (0, "fr", ..) => format!("Demande la facture à {email}."),
            (0 | 1, ..) => format!("Asked to write to {email} only."),
            (2, "de", Some(phone), _) => format!("Rückruf unter {phone}, niemand erreicht."),
            (2, "fr", Some(phone), _) => format!("Rappelé au {phone}, pas de réponse."),
            (2 | 3, _, Some(phone), _) => format!("Called back on {phone}, no answer."),
            (4, ..) => format!("{name} wants the invoice as a PDF."),
            (5, ..) => format!("Parcel went to {address}, {city}; it came back."),
            (6, _, _, Some(card)) => format!("Card {} was declined twice.", card.pan),
            _ => "Parcel returned, address checked.".to_owned(),
        };
        Note { written_on, body }
    }

    fn history(&mut self, locale: Locale, customer: &Customer, first: &str) -> HistoryEntry {
        let email = if self.once_in(2) {
            customer.email.clone()
        } else {
            format!("{}{}@example.org", ascii(first), customer.id)
        };
        let phone = if self.once_in(2) { customer.phone.clone() } else { Some(locale.phone(self)) };
        HistoryEntry { changed_on: self.date(2019, 3), name: customer.name.clone(), email, phone }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_a_function_of_seed_and_number() {
        assert_eq!(person(7, 4711), person(7, 4711));
        assert_ne!(person(7, 4711), person(8, 4711));
    }
}

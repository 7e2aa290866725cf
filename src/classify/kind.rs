//! The kinds of value that a scan can find, and what a policy would do with each.
//!
//! This file only names them. What they look like is in [`super::Kind`], what their columns are
//! called in the rules on headings.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::policy::TokenKind;

/// Writes the list of kinds once: variant, stable word, title, data class, token.
macro_rules! kinds {
    ($($(#[$doc:meta])+ $variant:ident = $name:literal, $title:literal, $class:literal, $token:ident;)+) => {
        /// What kind of value a column holds.
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Kind {
            $($(#[$doc])+ $variant,)+
            /// What a policy's own pattern describes, by the pattern's name.
            Pattern(String),
        }

        /// Where a built-in kind stands in [`Kind::BUILT_IN`]: what counts are kept by.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub(super) enum Place {
            $($variant,)+
        }

        impl Place {
            /// All of them, in order.
            pub(super) const ALL: &[Self] = &[$(Self::$variant,)+];
        }

        impl Kind {
            /// Every kind that is built in, in the order in which equals are reported.
            pub const BUILT_IN: &[Self] = &[$(Self::$variant,)+];

            /// The stable word for JSON and for policies.
            #[must_use]
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$variant => $name,)+
                    Self::Pattern(name) => name,
                }
            }

            /// What a table for people calls it.
            #[must_use]
            pub fn title(&self) -> &str {
                match self {
                    $(Self::$variant => $title,)+
                    Self::Pattern(name) => name,
                }
            }

            /// The data class that a drafted policy gives it.
            #[must_use]
            pub fn class(&self) -> &'static str {
                match self {
                    $(Self::$variant => $class,)+
                    Self::Pattern(_) => "identity",
                }
            }

            /// The token that a drafted policy gives it.
            ///
            /// `keyed` where values are many and joins matter, `random` where equal tokens would
            /// tell too much: few different values, long texts, secrets, and card numbers.
            #[must_use]
            pub fn token(&self) -> TokenKind {
                match self {
                    $(Self::$variant => TokenKind::$token,)+
                    Self::Pattern(_) => TokenKind::Keyed,
                }
            }

            /// Where a built-in kind stands in [`Kind::BUILT_IN`].
            pub(super) fn place(&self) -> Option<Place> {
                match self {
                    $(Self::$variant => Some(Place::$variant),)+
                    Self::Pattern(_) => None,
                }
            }
        }
    };
}

kinds! {
    /// An e-mail address.
    Email = "email", "e-mail address", "contact", Keyed;
    /// A telephone or fax number.
    Phone = "phone", "phone number", "contact", Keyed;
    /// A payment card number.
    Card = "card", "payment card", "payment", Random;
    /// A card's verification code or its expiry.
    CardDetail = "card_detail", "card detail", "payment", Random;
    /// An international bank account number.
    Iban = "iban", "IBAN", "financial", Keyed;
    /// A bank account, by its national number.
    BankAccount = "bank_account", "bank account", "financial", Keyed;
    /// A wallet of a cryptocurrency.
    Wallet = "wallet", "crypto wallet", "financial", Keyed;
    /// A number that a state gave to a person, or a tax number.
    NationalId = "national_id", "national id", "identity", Keyed;
    /// A passport number.
    Passport = "passport", "passport number", "identity", Keyed;
    /// A driving licence number.
    DrivingLicence = "driving_licence", "driving licence", "identity", Keyed;
    /// The plate or the chassis number of somebody's vehicle.
    Vehicle = "vehicle", "vehicle number", "identity", Keyed;
    /// A person's whole name.
    PersonName = "person_name", "person name", "identity", Keyed;
    /// A given name.
    FirstName = "first_name", "first name", "identity", Keyed;
    /// A family name.
    LastName = "last_name", "last name", "identity", Keyed;
    /// The name of a company.
    Company = "company", "company", "contact", Keyed;
    /// A street with a number, or a whole address.
    PostalAddress = "postal_address", "postal address", "contact", Keyed;
    /// A city or town.
    City = "city", "city", "contact", Keyed;
    /// A postcode.
    Postcode = "postcode", "postcode", "contact", Keyed;
    /// A point on the map.
    GeoPoint = "geo_point", "coordinates", "contact", Random;
    /// A date of birth.
    DateOfBirth = "date_of_birth", "date of birth", "identity", Keyed;
    /// A name that somebody signs in with, or goes by on some platform.
    Username = "username", "user name", "identity", Keyed;
    /// A password, its hash, or an access key.
    Secret = "secret", "secret", "credential", Random;
    /// An IP address.
    Ip = "ip", "IP address", "technical", Keyed;
    /// A MAC address.
    Mac = "mac", "MAC address", "technical", Keyed;
    /// What identifies a device or a browser: IMEI, advertising id, cookie.
    DeviceId = "device_id", "device id", "technical", Keyed;
    /// A diagnosis, a blood group, the number of a patient.
    Health = "health", "health", "health", Random;
    /// Religion, ethnic origin, politics, union, orientation.
    Belief = "belief", "special category", "identity", Random;
    /// Gender or sex.
    Gender = "gender", "gender", "identity", Random;
    /// What somebody earns or owns.
    Income = "income", "income", "financial", Random;
    /// Text or a mixture in which such values occur.
    FreeText = "free_text", "free text", "contact", Random;
}

/// How many kinds are built in.
pub(super) const KINDS: usize = Kind::BUILT_IN.len();

impl Place {
    /// The kind that stands there.
    pub(super) fn kind(self) -> Kind {
        Kind::BUILT_IN[self as usize].clone()
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_a_word_of_its_own() {
        let names: BTreeSet<&str> = Kind::BUILT_IN.iter().map(Kind::name).collect();
        assert_eq!(names.len(), KINDS);
        let plain = |name: &&str| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        assert!(names.iter().all(plain));
    }
}

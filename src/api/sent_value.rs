//! A value as a request carries it: a text, a number, or bytes in base64.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use zeroize::Zeroizing;

use crate::value::{Original, ValueType};

/// Larger numbers are sent as text: JSON's readers do not agree on them.
const NUMBER_MAX: f64 = 9e18;

/// With padding, and without bits that mean nothing.
const BASE64_PATTERN: &str = "^([A-Za-z0-9+/]{4})*\
    ([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$";

/// A value as it would stand in the column. It cannot print.
pub(super) struct SentValue(pub(super) Original);

impl<'de> Deserialize<'de> for SentValue {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Sent).map(Self)
    }
}

struct Sent;

impl<'de> Visitor<'de> for Sent {
    type Value = Original;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, or an object with `base64`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Original, E> {
        Ok(Original::text(text))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Original, E> {
        if number.unsigned_abs() > 9_000_000_000_000_000_000 {
            return Err(E::custom("the number is too large"));
        }
        Ok(Original::integer(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Original, E> {
        i64::try_from(number)
            .map_err(|_| E::custom("the number is too large"))
            .and_then(|number| self.visit_i64(number))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Original, E> {
        if number.abs() > NUMBER_MAX {
            return Err(E::custom("the number is too large"));
        }
        Ok(Original::real(number))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Original, A::Error> {
        let only = || de::Error::custom("the object has `base64` and nothing else");
        let name: Option<Cow<'de, str>> = map.next_key()?;
        if name.as_deref() != Some("base64") {
            return Err(only());
        }
        let text = Zeroizing::new(map.next_value::<String>()?);
        if map.next_key::<de::IgnoredAny>()?.is_some() {
            return Err(only());
        }
        let bytes = data_encoding::BASE64.decode(text.as_bytes());
        let bytes = bytes.map_err(|_| de::Error::custom("the bytes are not in base64"))?;
        Ok(Original::new(ValueType::Blob, bytes))
    }
}

impl PartialSchema for SentValue {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String);
        let number = ObjectBuilder::new()
            .schema_type(Type::Number)
            .minimum(Some(-NUMBER_MAX))
            .maximum(Some(NUMBER_MAX));
        let base64 = ObjectBuilder::new().schema_type(Type::String).pattern(Some(BASE64_PATTERN));
        let bytes = ObjectBuilder::new()
            .property("base64", base64)
            .required("base64")
            .additional_properties(Some(utoipa::openapi::schema::AdditionalProperties::FreeForm(
                false,
            )));
        OneOfBuilder::new()
            .description(Some(
                "A value as it would stand in the column: a text, a number, or bytes in base64. \
                 Values of a PostgreSQL source are texts, also of its number columns; of a SQLite \
                 source they are as stored. A value of another type is another value, with another \
                 token. Numbers beyond 9e18 are sent as text.",
            ))
            .item(text)
            .item(number)
            .item(bytes)
            .into()
    }
}

impl ToSchema for SentValue {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("SentValue")
    }
}

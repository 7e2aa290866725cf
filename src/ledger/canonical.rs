//! Canonical JSON: one value, one sequence of bytes.
//!
//! RFC 8785 with one narrowing: numbers are integers that every reader of JSON holds exactly. This
//! file does not know what it writes.

use serde_json::Value;

/// The largest integer that a double, and so every reader of JSON, holds exactly.
const INTEGER_MAX: u64 = (1 << 53) - 1;

/// How deep arrays and objects may nest, so that a reader in any language needs no large stack.
const DEPTH_MAX: usize = 16;

/// Why a value has no canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CanonicalError {
    /// A number has a fraction, or lies beyond 2⁵³ - 1 either way.
    #[error("a number of canonical JSON is an integer of at most 53 bits")]
    Number,
    /// Arrays and objects nest too deeply.
    #[error("canonical JSON nests at most {DEPTH_MAX} deep")]
    Depth,
    /// The value cannot be written as JSON at all.
    #[error("the value is not JSON")]
    Shape,
}

/// Writes `value` as canonical JSON.
///
/// # Errors
///
/// Returns [`CanonicalError`] for a number that is no safe integer, or for too deep a nesting.
pub fn canonical_json(value: &Value) -> Result<Vec<u8>, CanonicalError> {
    let mut out = String::new();
    write_value(value, 0, &mut out)?;
    Ok(out.into_bytes())
}

/// Writes an object whose members are all text. Such an object always has a canonical form.
pub(super) fn canonical_texts(members: &mut [(&str, &str)]) -> Vec<u8> {
    members.sort_by(|left, right| left.0.encode_utf16().cmp(right.0.encode_utf16()));
    let mut out = String::from("{");
    for (index, (key, text)) in members.iter().enumerate() {
        write_key(index, key, &mut out);
        write_text(text, &mut out);
    }
    out.push('}');
    out.into_bytes()
}

fn write_value(value: &Value, depth: usize, out: &mut String) -> Result<(), CanonicalError> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => {
            let magnitude = number
                .as_u64()
                .or_else(|| number.as_i64().map(i64::unsigned_abs))
                .filter(|magnitude| *magnitude <= INTEGER_MAX);
            if magnitude.is_none() {
                return Err(CanonicalError::Number);
            }
            out.push_str(&number.to_string());
        }
        Value::String(text) => write_text(text, out),
        Value::Array(items) => {
            let depth = deeper(depth)?;
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_value(item, depth, out)?;
            }
            out.push(']');
        }
        Value::Object(members) => {
            let depth = deeper(depth)?;
            let mut members: Vec<(&String, &Value)> = members.iter().collect();
            // SPEC: RFC 8785, section 3.2.3: keys are ordered as arrays of UTF-16 code units. This
            // differs from the order of UTF-8 bytes above U+FFFF.
            members.sort_by(|left, right| left.0.encode_utf16().cmp(right.0.encode_utf16()));
            out.push('{');
            for (index, (key, member)) in members.into_iter().enumerate() {
                write_key(index, key, out);
                write_value(member, depth, out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

fn deeper(depth: usize) -> Result<usize, CanonicalError> {
    if depth == DEPTH_MAX { Err(CanonicalError::Depth) } else { Ok(depth + 1) }
}

fn write_key(index: usize, key: &str, out: &mut String) {
    if index > 0 {
        out.push(',');
    }
    write_text(key, out);
    out.push(':');
}

/// SPEC: RFC 8785, section 3.2.2.2: seven short escapes, `\u00xx` in lowercase for the other
/// control characters, and every other character as itself.
fn write_text(text: &str, out: &mut String) {
    const HEX: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];

    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            control if control < ' ' => {
                let code = control as usize;
                out.push_str("\\u00");
                out.push(HEX[code >> 4]);
                out.push(HEX[code & 15]);
            }
            plain => out.push(plain),
        }
    }
    out.push('"');
}

//! Bytes that are text after all: UTF-8, UTF-16, and what older programs wrote.

use zeroize::Zeroizing;

use super::free_text::cut;

/// The text that some bytes are, or nothing where they are something else, or too many.
pub(super) fn text_of(bytes: &[u8], bytes_max: usize) -> Option<Zeroizing<String>> {
    if bytes.len() > bytes_max * 4 {
        return None;
    }
    let bytes = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) if is_readable(text) => Some(Zeroizing::new(cut(text, bytes_max).to_owned())),
        Ok(_) => utf_16(bytes),
        Err(_) => utf_16(bytes).or_else(|| latin_1(bytes)),
    }
}

/// Hardly any control characters.
fn is_readable(text: &str) -> bool {
    let odd =
        text.chars().filter(|c| c.is_control() && !c.is_whitespace() || *c == '\u{fffd}').count();
    odd * 50 <= text.chars().count()
}

/// With its mark, or with every second byte of the beginning zero.
fn utf_16(bytes: &[u8]) -> Option<Zeroizing<String>> {
    if bytes.len() < 2 || !bytes.len().is_multiple_of(2) {
        return None;
    }
    let head = &bytes[..bytes.len().min(64)];
    let zeros =
        |parity: usize| head.iter().skip(parity).step_by(2).filter(|byte| **byte == 0).count();
    let half = head.len() / 2;
    let (is_big, bytes) = match bytes {
        [0xff, 0xfe, rest @ ..] => (false, rest),
        [0xfe, 0xff, rest @ ..] => (true, rest),
        _ if half >= 2 && zeros(1) * 4 >= half * 3 && zeros(0) == 0 => (false, bytes),
        _ if half >= 2 && zeros(0) * 4 >= half * 3 && zeros(1) == 0 => (true, bytes),
        _ => return None,
    };
    let units = bytes.chunks_exact(2).map(|pair| {
        let pair = [pair[0], pair[1]];
        if is_big { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
    });
    let text: Result<String, _> = char::decode_utf16(units).collect();
    let text = Zeroizing::new(text.ok()?);
    is_readable(&text).then_some(text)
}

/// Windows-1252 and Latin 1 agree where letters are.
fn latin_1(bytes: &[u8]) -> Option<Zeroizing<String>> {
    let text: Zeroizing<String> =
        Zeroizing::new(bytes.iter().map(|byte| char::from(*byte)).collect());
    // Text of western Europe is mostly ASCII; compressed bytes are not.
    let plain =
        bytes.iter().filter(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\t' | b'\r')).count();
    (is_readable(&text) && plain * 10 >= bytes.len() * 6).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8]) -> Option<String> {
        text_of(bytes, 1024).map(|text| text.to_string())
    }

    #[test]
    fn four_encodings_of_one_name_are_read() {
        let little: Vec<u8> = "Zoë Example".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = "Zoë Example".encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in ["Zoë Example".as_bytes(), &little, &big, b"Zo\xeb Example"] {
            assert_eq!(decoded(bytes).as_deref(), Some("Zoë Example"));
        }
    }

    #[test]
    fn binary_is_left_alone() {
        let noise: Vec<u8> = (0..200_u32)
            .map(|at| (at.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0])
            .collect();
        assert_eq!(decoded(&noise), None);
        assert_eq!(decoded(&[0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d]), None);
    }
}

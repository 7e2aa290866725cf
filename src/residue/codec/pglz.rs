//! PostgreSQL's own compression, undone.
//!
//! A control byte tells, bit by bit from the lowest, what the next eight items are: a literal byte,
//! or a reference of two or three bytes to what came out before.
//!
//! ```text
//! reference: | offset, high 4 bits; length - 3, 4 bits | offset, low 8 bits | length - 18, if 15 |
//! ```
// SPEC: src/common/pg_lzcompress.c of PostgreSQL 13 to 18; the format has not changed since 7.1.

use zeroize::Zeroizing;

use super::Unpacked;

/// Unpacks up to `size` bytes; stops at the first fault and gives what came out until then.
pub(super) fn unpack(bytes: &[u8], size: usize) -> Unpacked {
    let mut out = Zeroizing::new(Vec::with_capacity(size));
    let mut rest = bytes.iter().copied();
    let is_sound = items(&mut rest, &mut out, size).is_some();
    Unpacked { is_whole: is_sound && out.len() == size, bytes: out }
}

/// `None` where the bytes end in the middle of an item, or a reference leads to nowhere.
fn items(rest: &mut impl Iterator<Item = u8>, out: &mut Vec<u8>, size: usize) -> Option<()> {
    while out.len() < size {
        let control = rest.next()?;
        for bit in 0..8 {
            if out.len() >= size {
                break;
            }
            if control >> bit & 1 == 0 {
                out.push(rest.next()?);
                continue;
            }
            let (first, second) = (rest.next()?, rest.next()?);
            let mut length = usize::from(first & 0x0f) + 3;
            let offset = usize::from(first & 0xf0) << 4 | usize::from(second);
            if length == 18 {
                length += usize::from(rest.next()?);
            }
            let from = out.len().checked_sub(offset).filter(|_| offset > 0)?;
            // A reference may reach into what it writes itself.
            for at in from..from + length.min(size - out.len()) {
                out.push(out[at]);
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_may_reach_into_itself() {
        // One literal, then 17 bytes from one byte back.
        let unpacked = unpack(&[0b10, b'a', 0x0e, 1], 18);
        assert!(unpacked.is_whole);
        assert_eq!(*unpacked.bytes, [b'a'; 18]);
    }

    #[test]
    fn a_long_reference_has_a_third_byte() {
        let unpacked = unpack(&[0b10, b'a', 0x0f, 1, 100], 119);
        assert!(unpacked.is_whole && unpacked.bytes.len() == 119);
    }

    #[test]
    fn a_reference_to_nowhere_ends_it() {
        for packed in [&[0b1, 0x00, 1][..], &[0b10, b'a', 0x00, 0], &[0b10, b'a', 0x10, 0]] {
            let unpacked = unpack(packed, 10);
            assert!(!unpacked.is_whole && unpacked.bytes.len() <= 1);
        }
    }
}

//! Valid bytes with edits: random input alone hardly ever gets past a first field.

/// How the input of a target is read: an even first byte means the rest as it is, an odd one means
/// edits to `valid`, four bytes each.
pub(super) fn bytes(input: &[u8], valid: &[u8]) -> Vec<u8> {
    match input.split_first() {
        None => Vec::new(),
        Some((first, rest)) if first % 2 == 0 => rest.to_vec(),
        Some((_, edits)) => edited(valid, edits),
    }
}

/// As [`bytes`], for parsers of text.
pub(super) fn text(input: &[u8], valid: &str) -> String {
    String::from_utf8_lossy(&bytes(input, valid.as_bytes())).into_owned()
}

fn edited(valid: &[u8], edits: &[u8]) -> Vec<u8> {
    let mut bytes = valid.to_vec();
    for edit in edits.chunks_exact(4) {
        let at = usize::from(u16::from_be_bytes([edit[1], edit[2]])) % (bytes.len() + 1);
        match edit[0] % 5 {
            0 => bytes.insert(at, edit[3]),
            1 => bytes.truncate(at),
            _ if at == bytes.len() => {}
            2 => drop(bytes.remove(at)),
            3 => bytes[at] = edit[3],
            _ => bytes[at] ^= 1 << (edit[3] % 8),
        }
    }
    bytes
}

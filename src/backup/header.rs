//! What the header of an `age` file says to anyone: for how many keys it is encrypted.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// The longest header that is read.
const HEADER_BYTES_MAX: u64 = 64 << 10;

/// How many X25519 keys open a file; `None` where it cannot be read or is no `age` file.
#[must_use]
pub fn recipients_of(path: &Path) -> Option<u64> {
    let mut header = BufReader::new(File::open(path).ok()?.take(HEADER_BYTES_MAX));
    let mut line = Vec::new();
    header.read_until(b'\n', &mut line).ok()?;
    if line != b"age-encryption.org/v1\n" {
        return None;
    }
    let mut recipients = 0;
    loop {
        line.clear();
        header.read_until(b'\n', &mut line).ok()?;
        // The line with the MAC ends the header.
        if line.is_empty() || line.starts_with(b"---") {
            return (!line.is_empty()).then_some(recipients);
        }
        recipients += u64::from(line.starts_with(b"-> X25519 "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::{AgeFolder, new_identity};
    use crate::lifecycle::RunId;
    use crate::ports::BackupStore as _;

    #[test]
    fn a_header_tells_how_many_keys_open_the_file() {
        let base = tempfile::tempdir().unwrap();
        let other: age::x25519::Identity = new_identity().parse().unwrap();
        let others = [other.to_public().to_string()];
        let identity = new_identity();
        let folder =
            AgeFolder::prepare(base.path(), RunId(7), &identity, &others, "marker", "{}").unwrap();
        folder.create("one").unwrap().finish().unwrap();
        assert_eq!(recipients_of(&folder.dir().join("one")), Some(2));
        assert_eq!(recipients_of(&folder.dir().join("RUN")), None);
        assert_eq!(recipients_of(&folder.dir().join("gone")), None);
    }
}

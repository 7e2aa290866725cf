use std::fs;

use sealift::backup::{VaultFile, new_identity};

use super::bent;

#[test]
fn backup() {
    let folder = tempfile::tempdir().unwrap();
    let identity = new_identity();
    let path = folder.path().join("vault.backup");
    let mut writer = VaultFile::at(&path).create("{}", &identity, &[]).unwrap();
    let records: [&[u8]; 3] = [b"alice@example.com", b"", &[9; 300]];
    for record in records {
        writer.write(record).unwrap();
    }
    writer.finish().unwrap();
    VaultFile::at(&path).give_name().unwrap();
    let valid = fs::read(&path).unwrap();
    bolero::check!().for_each(|input: &[u8]| {
        let bytes = bent::bytes(input, &valid);
        fs::write(&path, &bytes).unwrap();
        let file = VaultFile::at(&path);
        let Ok(mut reader) = file.open(&identity) else { return };
        let mut read = 0;
        while let Ok(Some(record)) = reader.read() {
            assert_eq!(record.as_slice(), records[read], "a record that nobody wrote");
            read += 1;
        }
    });
}

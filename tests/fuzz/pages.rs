use std::convert::Infallible;

use sealift::residue::ReadAt;
use sealift::residue::pages::sqlite::PageMap;

use super::bent;

struct File(Vec<u8>);

impl ReadAt for File {
    type Error = Infallible;

    fn read_at(&self, _: u32, offset: u64, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.0.len());
        let length = buffer.len().min(self.0.len() - from);
        buffer[..length].copy_from_slice(&self.0[from..from + length]);
        Ok(length)
    }
}

/// A small database with what a page can hold: two trees, an overflow chain, free pages.
const DATABASE: &[u8] = include_bytes!("small.db");

#[test]
fn sqlite_pages() {
    bolero::check!().for_each(|input: &[u8]| {
        let file = File(bent::bytes(input, DATABASE));
        let Ok(map) = PageMap::read(0, &file);
        let Some(map) = map else { return };
        let Ok(structure) = map.structure(&file);
        let _ = structure.is_without_remains();
        for offset in (0..file.0.len() as u64).step_by(97) {
            let Ok(_) = map.place(offset, &file);
        }
    });
}

//! The pictures that the README shows are there, and as wide as they say.

use std::path::PathBuf;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/pictures")
}

/// Width and height, as a PNG's first block has them.
// SPEC: https://www.w3.org/TR/png-3/, section 11.2.1
fn size(name: &str) -> (u32, u32) {
    let bytes = std::fs::read(folder().join(name)).unwrap();
    assert_eq!(&bytes[..8], b"\x89PNG\r\n\x1a\n", "{name}");
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

#[test]
fn each_picture_is_as_wide_as_its_name_says_and_small() {
    let shown = ["demo", "report", "report-dark", "report-checks", "report-whole", "plan"];
    for what in shown.into_iter().chain(["period", "period-dark"]) {
        for width in [1280, 390] {
            let name = format!("{what}-{width}.png");
            let (wide, high) = size(&name);
            assert_eq!(wide, width, "{name}");
            assert!(high > 300, "{name}");
            let bytes = std::fs::metadata(folder().join(&name)).unwrap().len();
            assert!(bytes < 600_000, "{name} has {bytes} bytes");
        }
    }
}

#[test]
fn every_picture_that_a_page_shows_is_there() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut shown = 0;
    for page in ["README.md", "docs/pictures/README.md"] {
        let text = std::fs::read_to_string(root.join(page)).unwrap();
        let base = root.join(page).parent().unwrap().to_owned();
        for piece in text.split("](").skip(1).chain(text.split("src=\"").skip(1)) {
            let name = piece.split([')', '"']).next().unwrap_or_default();
            if name.rsplit_once('.').is_some_and(|(_, end)| end == "png") {
                assert!(base.join(name).exists(), "{page}: {name}");
                shown += 1;
            }
        }
    }
    assert!(shown > 0);
}

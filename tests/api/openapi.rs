//! The document that the service gives of itself.
//!
//! The golden beside this file is written anew by `SEALIFT_BLESS=1 cargo test --test it api::openapi`;
//! then read the difference: it is what clients see.

use std::fs;
use std::path::Path;

#[test]
fn the_document_is_the_golden_one() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/openapi.json");
    let mut document = sealift::api::document().to_pretty_json().unwrap();
    document.push('\n');
    if std::env::var_os("SEALIFT_BLESS").is_some() {
        fs::write(&golden, &document).unwrap();
    }
    assert!(fs::read_to_string(&golden).unwrap() == document, "SEALIFT_BLESS=1 writes it anew");
}

#[test]
fn every_route_is_in_the_document() {
    let source =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api/router.rs"))
            .unwrap();
    let document = serde_json::to_value(sealift::api::document()).unwrap();
    let routes: Vec<&str> = source
        .lines()
        .filter_map(|line| line.trim().strip_prefix(".route(\"")?.split('"').next())
        .filter(|route| !["/", "/openapi.json"].contains(route))
        .collect();
    assert!(routes.len() >= 9, "{routes:?}");
    for route in routes {
        assert!(document["paths"].get(route).is_some(), "{route} is not in the document");
    }
}

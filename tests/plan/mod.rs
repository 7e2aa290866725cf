//! What a plan finds, on real databases: one fixture per pitfall, and a zoo of odd names.

mod document;
mod keys;
mod objects;
mod queries;
mod support;
mod tables;
mod values;
mod zoo;

#[test]
fn every_pitfall_is_named_as_its_file_and_has_a_test() {
    let tests = [
        include_str!("document.rs"),
        include_str!("keys.rs"),
        include_str!("objects.rs"),
        include_str!("queries.rs"),
        include_str!("tables.rs"),
        include_str!("values.rs"),
        include_str!("../postgres/pitfalls.rs"),
    ]
    .concat();
    let room = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/plan");
    let mut pitfalls = 0;
    let folders = [room.clone(), room.join("postgres")];
    let entries = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    for path in entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        let text = std::fs::read_to_string(&path).unwrap();
        let Some((_, name)) = text.split_once("const PITFALL: &str = \"") else { continue };
        let name = name.split('"').next().unwrap();
        assert_eq!(path.file_stem().unwrap(), name);
        assert!(tests.contains(&format!("\"{name}\"")), "no test asks for `{name}`");
        pitfalls += 1;
    }
    assert!(pitfalls > 52, "{pitfalls}");
}

//! The command `sealift`.

fn main() {}

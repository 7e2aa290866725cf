//! Published vectors of what we build on, and frozen vectors of what we built.

mod golden;
mod published;
mod stranger;

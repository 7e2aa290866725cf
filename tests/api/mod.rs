//! The service over HTTP: what it answers, to whom, in which order, and what it does with rudeness.

mod answers;
mod bad_input;
mod changes;
mod connections;
mod desk;
mod limits;
mod openapi;
mod order;
mod page;
mod record;
mod refusals;
mod ways_in;

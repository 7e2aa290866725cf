//! Access: caller, role, purpose and form, weighed into permit or refuse.
//!
//! This room knows no vault, no key store and no clock: what is stored comes in as arguments, and
//! so does the time. Rates are counted elsewhere; [`decide_rate`] is told the counts. What it
//! decides is written down for people in `docs/ACCESS.md`, and a test compares the two.
//!
//! **Invariant:** refusing is the default. A verb that [`may`] does not permit, a role that a
//! purpose does not name, a class that it does not show: each is refused without a rule of its own.
//!
//! **Invariant:** an original leaves this room only inside a [`Shown`], which cannot print, and only
//! [`show`] decides how much of it.

mod caller;
mod decide;
pub mod grants;
mod refusal;
mod show;
mod verb;

pub use caller::{Caller, Role, RoleError, RoleName};
pub use decide::{Used, decide, decide_bulk, decide_rate, form_for, is_in_force, permit};
pub use refusal::Refusal;
pub(crate) use refusal::{DAY_S, MINUTE_S};
pub use show::{Shown, show};
pub use verb::{Decision, Verb, may};

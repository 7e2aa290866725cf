//! The work of a run, pass by pass, as `docs/PROTOCOL.md` has it.
//!
//! 1. [`backup`]: originals into encrypted files, range by range.
//! 2. [`seal`]: from those files into the vault; every value is proven readable before the first
//!    source row changes.
//! 3. [`rewrite`]: tokens into the source, batch by batch or unit by unit; then sweeps.
//! 4. [`verify`]: every cell's token opened and compared with the backup.
//! 5. [`purge`]: originals gone from the files; takes a proof.
//!
//! [`rollback`] goes the other way, from every phase before the purge.
//!
//! The first three passes are shared out: workers take pieces by leases, in this process and in
//! others that have joined, and what exactly one may do is done in a [`turn`].
//!
//! Nothing here knows an engine: it works against `ports`.
//!
//! **Invariant:** vault first, durable, then the source. No vault transaction is begun or waited
//! for while a lock on the source is held.

mod ahead;
mod backup;
mod batch;
mod buckets;
mod by_key;
mod came_back;
mod column;
mod copies;
pub(crate) mod crash;
mod draft;
mod elsewhere;
mod entries;
mod error;
mod fit;
mod increments;
mod job;
mod late;
mod load;
mod manifest;
mod merge;
mod purge;
mod put_back;
mod rebuild;
mod record;
mod rehearse;
mod residue;
mod retrieve;
mod rewrite;
mod rollback;
mod scan;
mod seal;
mod share;
mod sweep;
mod throttle;
mod traces;
mod unchanged;
mod untouched;
mod verify;
mod wanted;
mod watch;
mod window;
mod worker;

pub use crate::ledger::{CopyFact, NamedBy, PurgeFacts, VaultCopyFact};
pub use backup::{Ahead, backup};
pub(crate) use batch::compute;
pub use came_back::{CameBack, came_back};
pub use column::{Column, Fate};
pub use copies::{COPY_ROWS_MAX, copies};
#[cfg(feature = "failpoints")]
pub use crash::{bend, die_at, hold_at};
pub use draft::draft;
pub(crate) use entries::token_name;
pub use entries::{add_entries, draw as draw_token, open_entry};
pub use error::{Mismatch, MismatchKind, RunError};
pub use job::{Began, Job, LockMeter, Stop, manifest_hash};
pub use manifest::{MANIFEST, Manifest, ManifestFile, ManifestRange};
pub(crate) use purge::VAULT_COPIED;
pub use purge::{PurgeOrder, purge};
pub use put_back::{PutBack, can_be_put_back, put_back};
pub use record::{BackupCell, BackupRecord, RecordError};
pub use rehearse::{Differences, differences, objects as objects_unlike};
pub use residue::{FromVault, random};
pub use retrieve::{ReadThrough, RetrieveError, Retrieved, read_through, retrieve};
pub use rewrite::rewrite;
pub use rollback::{Undone, rollback};
pub use scan::{ScannedColumn, ScannedTable, Sketch, scan};
pub use seal::seal;
pub use share::{Crew, Turn, turn};
pub use sweep::resweep;
pub use throttle::Throttle;
pub use untouched::is_untouched;
pub use verify::{Drive, RoundTripProof, Verified, verify};
pub use watch::{Tell, Watch, Watching, watch};
pub use worker::row_digest;

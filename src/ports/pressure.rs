//! What our work costs others: the signals of the throttle, as an engine reads them.
//!
//! This room holds figures. What they mean for a run is decided in `run::throttle`.

use std::fmt;

/// The signals of a source. An engine that has none of a kind leaves it empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pressure {
    /// Where the server's log stands, in bytes; 0 where there is none.
    pub written_bytes: u64,
    /// The replicas that are connected.
    pub replicas: Vec<ReplicaLag>,
    /// What replication slots keep the server from removing.
    pub retained: Vec<RetainedWal>,
    /// Tables in scope that are being vacuumed.
    pub vacuumed: Vec<String>,
    /// Others that wait for a session of ours.
    pub held_up: Vec<Held>,
}

/// How far a replica is behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaLag {
    /// Its name.
    pub name: String,
    /// Up to where it has replayed the server's log; `None`: the role may not see it.
    pub replayed_bytes: Option<u64>,
    /// How long it takes to replay, as the server measured it last.
    pub replay_ms: Option<u64>,
}

/// What a replication slot keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetainedWal {
    /// The slot.
    pub slot: String,
    /// Bytes of log.
    pub bytes: u64,
}

/// Somebody who waits for us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The session.
    pub pid: i64,
    /// For how long.
    pub age_ms: u64,
}

/// What a session of ours waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// Whoever holds it, by number.
    pub pid: i64,
    /// The program that is, as it calls itself.
    pub program: String,
    /// The relation, where there is one.
    pub relation: Option<String>,
    /// For how long we wait.
    pub age_ms: u64,
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session {}", self.pid)?;
        if !self.program.is_empty() {
            write!(f, " ({})", self.program)?;
        }
        if let Some(relation) = &self.relation {
            write!(f, " for `{relation}`")?;
        }
        write!(f, ", since {} s", self.age_ms / 1_000)
    }
}

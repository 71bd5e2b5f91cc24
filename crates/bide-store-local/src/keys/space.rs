//! The keyspaces by name, and how each is tuned.
//!
//! Owns the names on disk and the sizes of write buffers. The engine keeps a keyspace's options from its creation on,
//! so a change here reaches new data directories only.

use fjall::{KeyspaceCreateOptions, KvSeparationOptions};

const MIB: u64 = 1024 * 1024;

/// Write buffer of a keyspace that holds bodies or records.
const RECORD_BUFFER_BYTES: u64 = 8 * MIB;
/// Write buffer of a keyspace that holds index entries of a few bytes.
const INDEX_BUFFER_BYTES: u64 = 4 * MIB;
/// Write buffer of a keyspace that few things are written to.
const SMALL_BUFFER_BYTES: u64 = MIB;
/// A body of this size or more goes to a value file of its own and is not copied by compactions.
const SEPARATED_BYTES_MIN: u32 = 512;
/// Small value files, so that most of them become wholly stale and are dropped without a rewrite.
const VALUE_FILE_BYTES: u64 = 16 * MIB;

/// A keyspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Space {
    Invocations,
    Payloads,
    Results,
    Queue,
    Leases,
    TaskIds,
    Tasks,
    TaskStatus,
    Settled,
    Outbox,
    Deliveries,
    Ledgers,
    Controls,
    Meta,
    DeadLetters,
    AttemptLogs,
}

impl Space {
    pub(crate) const ALL: [Self; 16] = [
        Self::Invocations,
        Self::Payloads,
        Self::Results,
        Self::Queue,
        Self::Leases,
        Self::TaskIds,
        Self::Tasks,
        Self::TaskStatus,
        Self::Settled,
        Self::Outbox,
        Self::Deliveries,
        Self::Ledgers,
        Self::Controls,
        Self::Meta,
        Self::DeadLetters,
        Self::AttemptLogs,
    ];

    /// The name on disk.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Invocations => "invocations",
            Self::Payloads => "payloads",
            Self::Results => "results",
            Self::Queue => "queue",
            Self::Leases => "leases",
            Self::TaskIds => "task_ids",
            Self::Tasks => "tasks",
            Self::TaskStatus => "task_status",
            Self::Settled => "settled",
            Self::Outbox => "outbox",
            Self::Deliveries => "deliveries",
            Self::Ledgers => "ledgers",
            Self::Controls => "controls",
            Self::Meta => "meta",
            Self::DeadLetters => "dead_letters",
            Self::AttemptLogs => "attempt_logs",
        }
    }

    /// The first format of a data directory that has it.
    pub(crate) const fn format(self) -> u64 {
        match self {
            Self::DeadLetters => 4,
            Self::AttemptLogs => 5,
            _ => 1,
        }
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    pub(crate) fn options(self) -> KeyspaceCreateOptions {
        let options = KeyspaceCreateOptions::default()
            .manual_journal_persist(true)
            .max_memtable_size(self.buffer_bytes());
        match self {
            Self::Payloads | Self::Results | Self::AttemptLogs => options.with_kv_separation(Some(
                KvSeparationOptions::default()
                    .separation_threshold(SEPARATED_BYTES_MIN)
                    .file_target_size(VALUE_FILE_BYTES),
            )),
            _ => options,
        }
    }

    const fn buffer_bytes(self) -> u64 {
        match self {
            Self::Invocations | Self::Payloads | Self::Results | Self::AttemptLogs => RECORD_BUFFER_BYTES,
            Self::Queue | Self::Leases | Self::TaskIds | Self::Tasks | Self::TaskStatus | Self::Settled => {
                INDEX_BUFFER_BYTES
            }
            Self::Outbox
            | Self::Deliveries
            | Self::DeadLetters
            | Self::Ledgers
            | Self::Controls
            | Self::Meta => SMALL_BUFFER_BYTES,
        }
    }
}

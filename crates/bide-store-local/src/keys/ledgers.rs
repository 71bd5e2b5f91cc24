//! `ledgers`: what became of everything that a function accepted.
//!
//! ```text
//! key    function (8)
//! value  version (1), accepted and one count per bucket in the order of `Bucket::ALL`, as postcard
//! ```

use bide_core::{Bucket, Ledger};
use bide_types::FunctionId;
use fjall::UserValue;
use serde::{Deserialize, Serialize};

use super::codec::{self, Undecodable};

pub(crate) const VERSION: u8 = 1;

/// The order of buckets on disk.
const BUCKETS: [Bucket; 9] = [
    Bucket::Deferred,
    Bucket::Queued,
    Bucket::Running,
    Bucket::Retrying,
    Bucket::Succeeded,
    Bucket::Failed,
    Bucket::Stopped,
    Bucket::Expired,
    Bucket::Invalid,
];
const _: () = assert!(BUCKETS.len() == Bucket::ALL.len(), "a new bucket needs a new version");

#[derive(Serialize, Deserialize)]
struct LedgerV1 {
    accepted: u64,
    counts: [u64; BUCKETS.len()],
}

pub(crate) fn key(function: FunctionId) -> [u8; 8] {
    function.get().to_be_bytes()
}

pub(crate) fn parse_key(key: &[u8]) -> Result<FunctionId, Undecodable> {
    let [function] = codec::split(key)?;
    Ok(FunctionId::new(function))
}

pub(crate) fn encode(ledger: &Ledger) -> UserValue {
    let mirror = LedgerV1 { accepted: ledger.accepted, counts: BUCKETS.map(|bucket| ledger.get(bucket)) };
    codec::encode(VERSION, &mirror)
}

pub(crate) fn decode(value: &[u8]) -> Result<Ledger, Undecodable> {
    let mirror: LedgerV1 = codec::decode(VERSION, value)?;
    let count = |bucket| {
        let place = BUCKETS.iter().position(|known| *known == bucket).expect("every bucket is in the list");
        mirror.counts[place]
    };
    Ok(Ledger::from_parts(mirror.accepted, Bucket::ALL.map(count)))
}

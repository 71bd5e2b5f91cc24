//! Simulated days of time triggers, with a server that dies again and again at moments that a seed draws.
//!
//! Each life of the server is a runtime of its own that is dropped in the middle of whatever its tasks do.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bide_engine::{NoDestinations, Options, Store};
use bide_env::{Clock as _, ManualClock};
use bide_store::memory::MemoryStore;
use bide_store_local::LocalStore;
use bide_types::Timestamp;
use bytes::Bytes;

use crate::fixture::{Fixture, START};
use crate::timers::timer;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// A generator that anyone can compute again (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// Where records survive the server.
enum Kept {
    InMemory(MemoryStore),
    OnDisk(PathBuf),
}

/// What is left of a world when its server dies.
struct World {
    kept: Kept,
    clock: ManualClock,
    /// Every tick that a function was called with; calls may repeat, as a crash interrupts them.
    seen: BTreeSet<Bytes>,
    lives: u64,
}

impl World {
    fn new(kept: Kept) -> Self {
        Self { kept, clock: ManualClock::at(START), seen: BTreeSet::new(), lives: 0 }
    }

    /// Runs a server for a while and kills it.
    fn live(&mut self, life: impl AsyncFnOnce(&Fixture, &BTreeSet<Bytes>)) {
        self.lives += 1;
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let events = runtime.block_on(async {
            let memory = MemoryStore::default();
            let store: Arc<dyn Store> = match &self.kept {
                Kept::InMemory(store) => Arc::new(store.reopen()),
                Kept::OnDisk(path) => {
                    Arc::new(LocalStore::open(path, bide_store_local::Options::default()).expect("it opens"))
                }
            };
            let (clock, options, destinations) =
                (self.clock.clone(), Options::default(), Arc::new(NoDestinations));
            let fixture = Fixture::start(memory, store, clock, 8, self.lives, options, destinations).await;
            life(&fixture, &self.seen).await;
            fixture.events
        });
        drop(runtime);
        self.seen.extend(events.lock().expect("free").drain(..));
    }

    /// Two timers, a server that dies after at most `minutes_max` minutes each time, and at the end the count.
    fn go_through(mut self, time: Duration, minutes_max: u64, seed: u64) -> u64 {
        let mut dice = Dice(seed);
        self.live(async |fixture, _| {
            fixture.engine.create_service(fixture.service("s")).await.expect("created");
            fixture.engine.create_function(fixture.function_named("f")).await.expect("created");
            for (name, schedule) in [("cron", "0 * * * * *"), ("every", "@every 1m")] {
                let trigger = timer(fixture, "f", name, schedule);
                fixture.engine.create_trigger(&fixture.target("f"), trigger).await.expect("created");
            }
        });
        while self.clock.now() < START.plus(time) {
            let minutes = dice.below(minutes_max);
            let (last_seconds, yields) = (dice.below(40), dice.below(60));
            self.live(async |fixture, seen| {
                until_fired(fixture, seen).await;
                for _ in 0..minutes {
                    fixture.clock.advance(MINUTE);
                    until_fired(fixture, seen).await;
                }
                fixture.clock.advance(Duration::from_secs(last_seconds));
                for _ in 0..yields {
                    tokio::task::yield_now().await;
                }
            });
            // Dead for a while; never longer than a tick may be late, or it would count as missed.
            self.clock.advance(Duration::from_secs(dice.below(20)));
        }
        self.live(async |fixture, seen| {
            until_fired(fixture, seen).await;
            let accepted = fixture.engine.ledger(&fixture.target("f")).await.expect("readable").accepted;
            assert_eq!(accepted, count(fixture.clock.now()), "one invocation for each tick");
        });
        let expected: BTreeSet<_> = ticks(self.clock.now()).collect();
        assert!(self.seen == expected, "the ticks that were seen are not those of the schedules");
        self.lives
    }
}

/// Waits until functions have been called with everything that is due.
async fn until_fired(fixture: &Fixture, seen: &BTreeSet<Bytes>) {
    let due = count(fixture.clock.now());
    let fired = || {
        let events = fixture.events.lock().expect("free");
        let new: BTreeSet<_> = events.iter().filter(|event| !seen.contains(*event)).collect();
        (seen.len() + new.len()) as u64 >= due
    };
    fixture.executor.until(|_| fired()).await;
}

/// First ticks of the trigger on the minute and of the one that counts from its creation.
const FIRST: [(&str, u64); 2] =
    [("cron", START.as_secs().next_multiple_of(60)), ("every", START.as_secs() + 60)];

fn count(now: Timestamp) -> u64 {
    let of_one = |(_, first): (&str, u64)| (now.as_secs() + 60).saturating_sub(first) / 60;
    FIRST.map(of_one).iter().sum()
}

/// The events up to `now`.
fn ticks(now: Timestamp) -> impl Iterator<Item = Bytes> {
    FIRST.into_iter().flat_map(move |(name, first)| {
        (first..=now.as_secs()).step_by(60).map(move |tick| {
            let time = Timestamp::from_secs(tick).to_rfc3339();
            format!(r#"{{"triggerTime":"{time}","triggerName":"{name}","payload":"any \"text\""}}"#).into()
        })
    })
}

#[test]
fn every_tick_of_a_week_is_one_invocation_however_often_the_server_dies() {
    let lives = World::new(Kept::InMemory(MemoryStore::default())).go_through(7 * 24 * HOUR, 120, 4);
    assert!(lives > 100, "{lives}");
}

#[test]
fn every_tick_of_a_day_is_one_invocation_on_disk() {
    let dir = tempfile::tempdir().expect("a directory");
    let lives = World::new(Kept::OnDisk(dir.path().join("data"))).go_through(24 * HOUR, 120, 5);
    assert!(lives > 15, "{lives}");
}

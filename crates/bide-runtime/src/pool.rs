//! Pools of instances: the real [`Executor`].
//!
//! Owns the shell around [`book`]: it locks, asks the book, and carries out what the book decided (start, stop, hand
//! over slots, tell the engine) outside the lock. One task per start, one per instance that waits for its exit, and one
//! for all that reclaims idle instances and watches memory. Waiting calls of one function are served first come, first
//! served. After a crash of the server every sandbox is gone; without sandboxes the process of each instance is, though not
//! what it had started itself (see `bide-sandbox`), and the scratch directories are removed at the next start.

mod book;
mod options;
mod slot;
mod watcher;

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bide_env::{Clock, Entropy};
use bide_sandbox::{Launcher, ProcessHandle, Protection};
use bide_types::{FunctionId, InstanceId, Qualifier};
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot, watch};

use crate::code::{CodeCache, CodeSource};
use crate::executor::{
    BoxFuture, Cancel, CapacityHook, Containment, Executor, ExecutorStats, FunctionSpec, InstanceInfo,
    InstanceState, ProvisionStatus, Slot, Throttled,
};
use crate::instance::{FailedStart, Instance, Surroundings};
use crate::logs::StartLog;
use crate::runtime::{Runtimes, StartFailure};
use crate::scratch;
use crate::standby::Standbys;
use book::{Actions, Book, Caps, Grant, Key, MemberView, Start};
pub use options::PoolOptions;
use options::cores;
use slot::PoolSlot;
use watcher::watch_over;

/// A start that has not ended by then waits more than it works.
const LONG_START: Duration = Duration::from_secs(1);

/// Idle for so long an instance is frozen, if its function has a hook for that. Calls that follow closely on one another
/// do not wait for the hook.
const REST_AFTER: Duration = Duration::from_secs(1);

/// How the start of a seat's instance went; `None` until it has ended.
type Outcome = Option<Result<Arc<Instance>, FailedStart>>;

/// The place of one instance, from before its start until after its end.
struct Seat {
    id: InstanceId,
    number: u64,
    outcome: watch::Sender<Outcome>,
}

/// Whoever waits for a slot.
type Waiter = oneshot::Sender<Result<PoolSlot, Throttled>>;

type PoolBook = Book<Arc<Seat>, Waiter>;
type PoolActions = Actions<Arc<Seat>, Waiter>;

/// The pools of one server. Clones share everything.
#[derive(Clone)]
pub struct Pools {
    shared: Arc<Shared>,
}

struct Shared {
    surroundings: Arc<Surroundings>,
    options: PoolOptions,
    book: Mutex<PoolBook>,
    hook: Mutex<Option<CapacityHook>>,
    /// Fires when there is something to watch or a start or stop has ended.
    changed: Arc<Notify>,
    stops_running: watch::Sender<usize>,
    closing: Cancel,
    /// Slots may be dropped outside of the runtime.
    tasks: Handle,
}

impl Pools {
    /// Prepares the cache directory and the runtimes. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The kernel's, if the cache directory cannot be written. A missing interpreter is no error here: the functions
    /// that need it fail with a system error.
    pub async fn start(
        options: PoolOptions,
        clock: Arc<dyn Clock>,
        entropy: &dyn Entropy,
        code: Arc<dyn CodeSource>,
        launcher: Arc<dyn Launcher>,
    ) -> io::Result<Self> {
        let scratch_root = options.cache_dir.join("instances");
        scratch::clean(&scratch_root)?;
        let standbys = Standbys::start(Arc::clone(&launcher), Arc::clone(&clock), options.standby_instances);
        let surroundings = Arc::new(Surroundings {
            clock,
            standbys,
            runtimes: Runtimes::prepare(&options).await?,
            launcher,
            code: CodeCache::open(options.cache_dir.join("code"), code)?,
            scratch_root,
            search_path: options.search_path.clone(),
            shared_dirs: options.shared_dirs.clone(),
            start_timeout: options.start_timeout,
            hurry: Cancel::new(),
            hurried_hook_time: options.hurried_hook_time,
            attempt_log_bytes: options.attempt_log_bytes,
        });
        let book = Mutex::new(open_book(&options, entropy));
        let shared = Arc::new(Shared {
            surroundings,
            options,
            book,
            hook: Mutex::new(None),
            changed: Arc::new(Notify::new()),
            stops_running: watch::Sender::new(0),
            closing: Cancel::new(),
            tasks: Handle::current(),
        });
        // Ends when the pools are closed or dropped.
        let clock = Arc::clone(&shared.surroundings.clock);
        let (changed, closing) = (Arc::clone(&shared.changed), shared.closing.clone());
        tokio::spawn(watch_over(Arc::downgrade(&shared), clock, changed, closing));
        Ok(Self { shared })
    }

    /// Process ids of the instances that are ready; for tests and for status pages.
    pub fn process_ids(&self) -> Vec<u32> {
        self.shared.ready().iter().map(|instance| instance.process().pid()).collect()
    }
}

/// An empty book whose seats have ids that differ from those of any other start of a server.
fn open_book(options: &PoolOptions, entropy: &dyn Entropy) -> PoolBook {
    let caps = Caps {
        per_function: options.instances_per_function_max,
        per_account: options.instances_per_account_max,
        starts: options.starts_max,
        free_growth: 2 * cores(),
    };
    let mut boot = [0_u8; 4];
    entropy.fill(&mut boot);
    let boot = u32::from_be_bytes(boot);
    let seat = move |number| Arc::new(Seat::new(boot, number));
    Book::new(caps, seat, Waiter::is_closed)
}

impl Seat {
    fn new(boot: u32, number: u64) -> Self {
        let id = InstanceId::new(&format!("c-{boot:08x}-{number:04}")).expect("visible ASCII");
        Self { id, number, outcome: watch::Sender::new(None) }
    }

    fn instance(&self) -> Option<Arc<Instance>> {
        self.outcome.borrow().as_ref().and_then(|outcome| outcome.as_ref().ok().cloned())
    }
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, PoolBook> {
        self.book.lock().expect("nothing panics while it holds the lock")
    }

    fn now(&self) -> Duration {
        self.surroundings.clock.monotonic()
    }

    /// The instances that are ready.
    fn ready(&self) -> Vec<Arc<Instance>> {
        let members = self.book().members();
        members.iter().filter_map(|member| member.instance.instance()).collect()
    }

    fn slot(self: &Arc<Self>, grant: Grant<Arc<Seat>>) -> PoolSlot {
        PoolSlot::new(Arc::clone(self), grant)
    }

    fn try_reserve(self: &Arc<Self>, spec: &Arc<FunctionSpec>) -> Option<PoolSlot> {
        let (grant, actions) = self.book().take(spec, self.now());
        if grant.is_none() {
            self.changed.notify_one();
        }
        self.act(actions);
        grant.map(|grant| self.slot(grant))
    }

    async fn reserve(self: &Arc<Self>, spec: &Arc<FunctionSpec>) -> Result<PoolSlot, Throttled> {
        let behind_others = self.book().has_line(spec);
        if !behind_others && let Some(slot) = self.try_reserve(spec) {
            return Ok(slot);
        }
        let line = {
            let mut book = self.book();
            book.may_wait(spec)?;
            let (sender, receiver) = oneshot::channel();
            book.wait(spec, self.now(), sender);
            receiver
        };
        // A slot may have been freed between the two locks.
        let actions = self.book().settle(self.now());
        self.act(actions);
        self.changed.notify_one();
        line.await.unwrap_or_else(|_| Err(Throttled::closing()))
    }

    /// Carries out what the book decided. Never called with the book locked.
    fn act(self: &Arc<Self>, actions: PoolActions) {
        for start in actions.start {
            self.start(start);
        }
        for (waiter, grant) in actions.grants {
            // A caller that has left drops the slot, which frees it again.
            drop(waiter.send(Ok(self.slot(grant))));
        }
        for (waiter, throttled) in actions.turned_away {
            drop(waiter.send(Err(throttled)));
        }
        for seat in actions.stop {
            self.stop(seat);
        }
        if actions.grown.is_empty() {
            return;
        }
        let hook = self.hook.lock().expect("nothing panics while it holds the lock").clone();
        if let Some(hook) = hook {
            actions.grown.into_iter().for_each(|function| hook(function));
        }
    }

    /// Starts the instance of a seat in a task of its own, which ends by itself and at the latest when the pools close.
    fn start(self: &Arc<Self>, start: Start<Arc<Seat>>) {
        let shared = Arc::clone(self);
        let Start { key, spec, instance: seat } = start;
        self.changed.notify_one();
        self.tasks.spawn(async move {
            let start = Instance::start(&shared.surroundings, &spec, &seat.id);
            let started = tokio::select! {
                biased;
                started = start => started,
                () = shared.closing.cancelled() => Err(FailedStart {
                    failure: StartFailure::System("the server is shutting down".to_owned()),
                    log: StartLog::default(),
                }),
                never = shared.tell_when_slow(&key, &seat) => match never {},
            };
            shared.start_ended(&key, &seat, started.map(Arc::new));
        });
    }

    /// Lets others start once this start has taken long.
    async fn tell_when_slow(self: &Arc<Self>, key: &Key, seat: &Seat) -> Infallible {
        self.surroundings.clock.sleep(LONG_START).await;
        let actions = self.book().start_is_slow(key, seat.number, self.now());
        self.act(actions);
        std::future::pending().await
    }

    fn start_ended(
        self: &Arc<Self>,
        key: &Key,
        seat: &Arc<Seat>,
        started: Result<Arc<Instance>, FailedStart>,
    ) {
        let instance = started.as_ref().ok().cloned();
        let failure = started.as_ref().err().map(|failed| failed.failure.to_string());
        let now = self.now();
        let mut actions = {
            let mut book = self.book();
            seat.outcome.send_replace(Some(started));
            let mut actions = book.started(key, seat.number, now, failure);
            actions.extend(book.settle(now));
            if book.is_closed() {
                // Within the lock, so that a shutdown that sees no starts sees this stop.
                self.stop(Arc::clone(seat));
            }
            actions
        };
        actions.grown.push(key.function);
        if let Some(instance) = instance {
            self.watch_exit(key.clone(), seat.number, instance.process());
            self.watch_health(key.clone(), seat.number, instance);
        }
        self.act(actions);
        self.changed.notify_one();
    }

    /// Notices when an instance dies by itself, also while it is idle.
    fn watch_exit(self: &Arc<Self>, key: Key, number: u64, process: ProcessHandle) {
        let shared = Arc::downgrade(self);
        self.tasks.spawn(async move {
            process.exited().await;
            let Some(shared) = shared.upgrade() else { return };
            let actions = {
                let mut book = shared.book();
                let now = shared.now();
                book.died(&key, number, now);
                book.settle(now)
            };
            shared.act(actions);
        });
    }

    /// Replaces an instance whose health check fails.
    fn watch_health(self: &Arc<Self>, key: Key, number: u64, instance: Arc<Instance>) {
        if !instance.has_health_check() {
            return;
        }
        let (shared, closing) = (Arc::downgrade(self), self.closing.clone());
        self.tasks.spawn(async move {
            let process = instance.process();
            let unwell = tokio::select! {
                unwell = instance.is_found_unwell() => unwell,
                _ = process.exited() => false,
                () = closing.cancelled() => false,
            };
            let Some(shared) = shared.upgrade().filter(|_| unwell) else { return };
            tracing::warn!(instance = %instance.id, "the health check failed; the instance is replaced");
            let actions = shared.book().condemn(&key, number, shared.now());
            shared.act(actions);
        });
    }

    /// Tells instances that have become idle, which then freeze.
    fn send_to_rest(&self) {
        let seats = self.book().send_to_rest(self.now(), REST_AFTER);
        for instance in seats.iter().filter_map(|seat| seat.instance()) {
            self.tasks.spawn(async move { instance.rest().await });
        }
    }

    /// Ends the instance of a seat that the book has let go, in a task that [`Executor::shutdown`] waits for.
    fn stop(self: &Arc<Self>, seat: Arc<Seat>) {
        let Some(instance) = seat.instance() else { return };
        self.stops_running.send_modify(|running| *running += 1);
        let shared = Arc::clone(self);
        self.tasks.spawn(async move {
            instance.end().await;
            drop((instance, seat));
            shared.stops_running.send_modify(|running| *running -= 1);
            let actions = shared.book().settle(shared.now());
            shared.act(actions);
        });
    }

    /// A slot was given back.
    fn release(self: &Arc<Self>, key: &Key, number: u64, run: Option<Duration>, usable: bool) {
        let actions = self.book().release(key, number, self.now(), run, usable);
        self.act(actions);
    }
}

fn describe(member: &MemberView<Arc<Seat>>) -> InstanceInfo {
    let instance = member.instance.instance();
    InstanceInfo {
        id: member.instance.id.clone(),
        function: member.key.function,
        qualifier: member.key.qualifier.clone(),
        state: match member {
            MemberView { ready: false, .. } => InstanceState::Starting,
            MemberView { draining: true, .. } => InstanceState::Draining,
            MemberView { busy: 0, .. } => InstanceState::Idle,
            _ => InstanceState::Busy,
        },
        memory_max_mb: instance.map_or(0.0, |instance| instance.memory_max_mb()),
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Ends the watching task; dropping the book then kills the instances.
        self.closing.cancel();
    }
}

impl Executor for Pools {
    fn try_reserve(&self, spec: &Arc<FunctionSpec>) -> Option<Box<dyn Slot>> {
        self.shared.try_reserve(spec).map(|slot| Box::new(slot) as Box<dyn Slot>)
    }

    fn reserve(&self, spec: &Arc<FunctionSpec>) -> BoxFuture<'_, Result<Box<dyn Slot>, Throttled>> {
        let spec = Arc::clone(spec);
        Box::pin(async move {
            let slot = self.shared.reserve(&spec).await?;
            Ok(Box::new(slot) as Box<dyn Slot>)
        })
    }

    fn on_capacity(&self, hook: CapacityHook) {
        *self.shared.hook.lock().expect("nothing panics while it holds the lock") = Some(hook);
    }

    fn assign(&self, spec: &Arc<FunctionSpec>) {
        let actions = self.shared.book().assign(spec, self.shared.now());
        self.shared.act(actions);
        self.shared.changed.notify_one();
    }

    fn retire_but(&self, function: FunctionId, versions: &[Qualifier]) {
        let actions = self.shared.book().retire_but(function, versions);
        self.shared.act(actions);
    }

    fn provision_status(&self, function: FunctionId, qualifier: &Qualifier) -> ProvisionStatus {
        self.shared.book().provision_status(function, qualifier)
    }

    fn instances(&self) -> Vec<InstanceInfo> {
        let members = self.shared.book().members();
        members.iter().map(describe).collect()
    }

    fn retain_code(&self, used: Vec<Vec<String>>) -> BoxFuture<'_, ()> {
        let surroundings = Arc::clone(&self.shared.surroundings);
        Box::pin(async move {
            let retain = move || surroundings.code.retain(&used);
            if let Ok(Err(error)) = tokio::task::spawn_blocking(retain).await {
                tracing::warn!(%error, "unpacked code could not be removed");
            }
        })
    }

    fn hurry(&self) {
        self.shared.surroundings.hurry.cancel();
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.hurry();
            self.shared.closing.cancel();
            let (seats, waiters) = self.shared.book().close();
            drop(waiters);
            seats.into_iter().for_each(|seat| self.shared.stop(seat));
            let mut stops = self.shared.stops_running.subscribe();
            loop {
                let changed = self.shared.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if self.shared.book().starting() == 0 {
                    break;
                }
                changed.await;
            }
            // The sender lives in `self`, so waiting cannot fail.
            let _ = stops.wait_for(|running| *running == 0).await;
            self.shared.surroundings.standbys.close().await;
        })
    }

    fn containment(&self) -> Containment {
        let launcher = &self.shared.surroundings.launcher;
        let protections = launcher.protections();
        let names = |items: &[Protection]| items.iter().map(ToString::to_string).collect();
        Containment {
            sandboxed: launcher.isolates(),
            in_force: names(&protections.in_force),
            missing: names(&protections.missing),
            notes: protections.notes,
        }
    }

    fn stats(&self) -> ExecutorStats {
        ExecutorStats { standbys: self.shared.surroundings.standbys.stats(), ..self.shared.book().stats() }
    }
}

//! What an instance is told about its own life: that it is to end, and that it may be frozen.
//!
//! Owns the calls of the two hooks and whether the processes run. A hook that fails or takes too long is told in the log
//! and changes nothing; one that asks for a restart ends the instance. Whoever uses an instance wakes it first, so a
//! frozen one never keeps a request or an end waiting. What a crash leaves frozen is killed with the server.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bide_types::RequestId;
use bide_types::resource::LifecycleHook;
use tokio::sync::{Mutex, OnceCell};

use super::Instance;
use crate::runtime::{Hook, Reply};

/// Whether an instance works, rests or has been told to end.
#[derive(Default)]
pub(super) struct Life {
    /// Requests under way.
    active: AtomicUsize,
    /// Held while the processes are frozen or thawed, and during the hook before.
    changing: Mutex<()>,
    frozen: AtomicBool,
    told_to_end: OnceCell<()>,
}

/// A request is under way; the processes run.
pub(super) struct Awake<'a>(&'a Life);

impl Drop for Awake<'_> {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Instance {
    /// Keeps the processes running, or has them run again, until the guard is dropped.
    pub(super) async fn awake(&self) -> Awake<'_> {
        self.life.active.fetch_add(1, Ordering::SeqCst);
        let awake = Awake(&self.life);
        if self.spec.function.pre_freeze.is_some() {
            let _changing = self.life.changing.lock().await;
            self.thaw();
        }
        awake
    }

    /// Whether it serves other requests beside one that is under way.
    pub(super) fn has_company(&self) -> bool {
        self.life.active.load(Ordering::SeqCst) > 1
    }

    /// Whether it serves as many requests as it may at once, or is frozen: it cannot be expected to answer.
    pub(super) fn is_engaged(&self) -> bool {
        let concurrency = usize::try_from(self.spec.function.instance_concurrency).unwrap_or(usize::MAX);
        self.life.active.load(Ordering::SeqCst) >= concurrency || self.life.frozen.load(Ordering::SeqCst)
    }

    /// The instance has become idle: calls its pre-freeze hook and freezes it, unless a request comes meanwhile.
    pub(crate) async fn rest(&self) {
        let Some(hook) = &self.spec.function.pre_freeze else { return };
        let _changing = self.life.changing.lock().await;
        let idle = || self.life.active.load(Ordering::SeqCst) == 0 && self.is_usable();
        if self.life.frozen.load(Ordering::SeqCst) || !idle() {
            return;
        }
        self.call(Hook::PreFreeze, hook).await;
        if idle() {
            self.life.frozen.store(true, Ordering::SeqCst);
            self.handle.freeze();
        }
        // Its end may have begun in between, and does not wait for the lock.
        if !self.is_usable() {
            self.thaw();
        }
    }

    fn thaw(&self) {
        if self.life.frozen.swap(false, Ordering::SeqCst) {
            self.handle.thaw();
        }
    }

    /// Calls the pre-stop hook, once, if the function has one. The instance takes no more requests.
    pub(super) async fn tell_of_end(&self) {
        self.doom();
        if let Some(hook) = &self.spec.function.pre_stop {
            self.life.told_to_end.get_or_init(|| self.call(Hook::PreStop, hook)).await;
        }
    }

    /// Takes no more requests, and can be ended.
    pub(super) fn doom(&self) {
        self.doomed.store(true, Ordering::SeqCst);
        self.thaw();
    }

    async fn call(&self, hook: Hook, config: &LifecycleHook) {
        if self.handle.has_exited() || !self.channel.is_open() {
            return;
        }
        let name = hook.name();
        let id = hook_id(&self.id, name);
        let limit = Duration::from_secs(u64::from(config.timeout_seconds));
        let clock = &self.surroundings.clock;
        let hurry = async {
            self.surroundings.hurry.cancelled().await;
            clock.sleep(self.surroundings.hurried_hook_time).await;
        };
        let failed = tokio::select! {
            reply = self.channel.hook(hook, &id) => match reply {
                Ok(Reply::Returned(_)) => return,
                Ok(Reply::Failed { error, replace, .. }) => {
                    // Before a stop it ends anyway.
                    if replace && hook == Hook::PreFreeze {
                        self.doom();
                        self.handle.kill();
                    }
                    String::from_utf8_lossy(&error).chars().take(ERROR_CHARS_MAX).collect()
                }
                Err(_) => "the instance gave no answer".to_owned(),
            },
            () = clock.sleep(limit) => format!("it took longer than {} s", limit.as_secs()),
            () = hurry => "the server is shutting down".to_owned(),
            _ = self.handle.exited() => "the process ended".to_owned(),
        };
        let function = &self.spec.function;
        tracing::warn!(
            service = %function.service, function = %function.name, instance = %self.id,
            hook = name, error = failed, "a hook failed"
        );
    }
}

/// Characters of a hook's error that are logged.
const ERROR_CHARS_MAX: usize = 500;

/// A hook runs under an id of its own: it serves the instance, not one request.
fn hook_id(instance: &bide_types::InstanceId, name: &str) -> RequestId {
    RequestId::new(&format!("{instance}-{name}")).expect("an instance id and a name are visible ASCII")
}

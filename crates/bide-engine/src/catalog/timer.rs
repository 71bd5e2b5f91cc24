//! Time triggers in the catalog: how far each has come, and which is due next.
//!
//! Owns the progress of each timer, stored beside its trigger: made, replaced and removed in the same commits, and moved
//! on in the commit that submits a tick. So a crash leaves a tick done with, or owed; and of two nodes that fire the same
//! tick one comes too late, because progress is changed under the revision that was seen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bide_core::{Schedule, Timer};
use bide_store::{ControlChange, ControlKey, ControlWrite, Expected, StoreError, Submission};
use bide_types::resource::{TimerTrigger, Trigger, TriggerConfig};
use bide_types::{FunctionId, Timestamp, TriggerName};
use serde::{Deserialize, Serialize};

use super::stored::{encode, timer_key};
use super::view::View;
use super::{Catalog, Changing, Target, Versioned, not_there};
use crate::error::Error;

/// As stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TimerProgress {
    pub(crate) function: FunctionId,
    pub(crate) trigger: TriggerName,
    /// Since when the schedule is in force: only later ticks count, and intervals are counted from here.
    pub(crate) anchor: Timestamp,
    /// All ticks up to here are done with.
    pub(crate) through: Timestamp,
}

type Key = (FunctionId, TriggerName);

/// Every time trigger, and those that will fire in the order in which they do.
#[derive(Default)]
pub(super) struct Timers {
    armed: BTreeMap<Key, Armed>,
    agenda: BTreeSet<(Timestamp, Key)>,
}

struct Armed {
    progress: Versioned<TimerProgress>,
    /// `None` if the trigger is not enabled.
    timer: Option<Arc<Timer>>,
    next: Option<Timestamp>,
}

/// A timer with a tick that is due.
pub(crate) struct DueTimer {
    pub(crate) trigger: Arc<Trigger>,
    pub(crate) config: TimerTrigger,
    pub(crate) timer: Arc<Timer>,
    pub(crate) progress: Versioned<TimerProgress>,
}

/// Progress, and what is submitted with it.
pub(crate) struct TimerStep {
    pub(crate) progress: Versioned<TimerProgress>,
    pub(crate) through: Timestamp,
    pub(crate) submissions: Vec<Submission>,
}

/// The trigger of some progress does not exist or has no schedule.
pub(super) struct NoTimer;

impl TimerProgress {
    /// The beginning: nothing up to `now` counts.
    fn beginning(trigger: &Trigger, now: Timestamp) -> Self {
        Self { function: trigger.function, trigger: trigger.name.clone(), anchor: now, through: now }
    }

    fn write(&self, expected: Expected) -> ControlWrite {
        ControlWrite { key: timer_key(self.function, &self.trigger), expected, value: Some(encode(self)) }
    }

    fn key(&self) -> Key {
        (self.function, self.trigger.clone())
    }
}

impl Timers {
    fn put(&mut self, progress: Versioned<TimerProgress>, timer: Option<Arc<Timer>>) {
        let key = progress.value.key();
        self.remove(key.0, &key.1);
        let next = timer.as_ref().and_then(|timer| timer.next(progress.value.through));
        self.agenda.extend(next.map(|next| (next, key.clone())));
        self.armed.insert(key, Armed { progress, timer, next });
    }

    pub(super) fn remove(&mut self, function: FunctionId, name: &TriggerName) {
        let key = (function, name.clone());
        if let Some(Armed { next: Some(next), .. }) = self.armed.remove(&key) {
            self.agenda.remove(&(next, key));
        }
    }
}

impl View {
    /// Shows the progress of a timer, whose trigger must be there.
    pub(super) fn arm(&mut self, progress: Versioned<TimerProgress>) -> Result<(), NoTimer> {
        let TimerProgress { function, trigger, anchor, .. } = progress.value.as_ref();
        let trigger = self.trigger(*function, trigger).ok_or(NoTimer)?;
        let TriggerConfig::Timer(config) = &trigger.config else { return Err(NoTimer) };
        let timer = config.enabled.then(|| Schedule::parse(&config.cron_expression));
        // It was checked when it was stored, by rules or time zones that another version of bide had.
        let timer = timer.transpose().unwrap_or_else(|error| {
            tracing::error!(trigger = %trigger.name, %error, "a time trigger cannot fire; update its schedule");
            None
        });
        let timer = timer.map(|schedule| Arc::new(Timer::new(schedule, *anchor)));
        self.timers.put(progress, timer);
        Ok(())
    }

    /// A time trigger without progress.
    pub(super) fn unarmed(&self) -> Option<ControlKey> {
        let triggers = self.by_id.values().flat_map(|entry| entry.triggers.values());
        let mut timers = triggers.filter(|trigger| matches!(trigger.value.config, TriggerConfig::Timer(_)));
        let keys = timers.find(|trigger| {
            !self.timers.armed.contains_key(&(trigger.value.function, trigger.value.name.clone()))
        });
        keys.map(|trigger| timer_key(trigger.value.function, &trigger.value.name))
    }

    fn trigger(&self, function: FunctionId, name: &TriggerName) -> Option<&Arc<Trigger>> {
        Some(&self.by_id.get(&function)?.triggers.get(name)?.value)
    }

    /// What must be stored and then shown when `trigger` takes the place of `current` at `now`: a schedule counts from
    /// when it comes into force.
    pub(super) fn progress_of(
        &self,
        trigger: &Trigger,
        current: Option<&Trigger>,
        now: Timestamp,
    ) -> Option<(ControlWrite, Versioned<TimerProgress>)> {
        let TriggerConfig::Timer(config) = &trigger.config else { return None };
        if let Some(TriggerConfig::Timer(current)) = current.map(|current| &current.config)
            && (&current.cron_expression, current.enabled) == (&config.cron_expression, config.enabled)
        {
            return None;
        }
        let progress = TimerProgress::beginning(trigger, now);
        let seen = self.timers.armed.get(&progress.key()).map(|armed| armed.progress.revision);
        let write = progress.write(seen.map_or(Expected::Absent, Expected::Revision));
        let revision = seen.unwrap_or(0) + 1;
        Some((write, Versioned { value: Arc::new(progress), revision }))
    }

    /// Removes what [`View::progress_of`] made.
    pub(super) fn progress_removal(&self, trigger: &Trigger) -> Option<ControlWrite> {
        let armed = self.timers.armed.get(&(trigger.function, trigger.name.clone()))?;
        Some(super::removal(timer_key(trigger.function, &trigger.name), armed.progress.revision))
    }
}

impl Catalog {
    /// Timers with a tick due at `now`, at most `max`, the longest due first.
    pub(crate) fn due_timers(&self, _changing: &Changing, now: Timestamp, max: usize) -> Vec<DueTimer> {
        let view = self.view();
        let due = view.timers.agenda.iter().take_while(|(next, _)| *next <= now).take(max);
        due.filter_map(|(_, key)| {
            let Armed { progress, timer: Some(timer), .. } = view.timers.armed.get(key)? else { return None };
            let trigger = Arc::clone(view.trigger(key.0, &key.1)?);
            let TriggerConfig::Timer(config) = trigger.config.clone() else { return None };
            Some(DueTimer { trigger, config, timer: Arc::clone(timer), progress: progress.clone() })
        })
        .collect()
    }

    /// What a trigger invokes.
    ///
    /// # Errors
    /// When the function or the qualifier is gone.
    pub(crate) fn of_trigger(&self, trigger: &Trigger) -> Result<Target, Error> {
        let gone = || Error::System(format!("function {} is gone", trigger.function));
        let entry = self.by_id(trigger.function).ok_or_else(gone)?;
        // An alias is resolved when the tick's invocation runs, so here its weights do not matter.
        let target = Target::new(entry, trigger.qualifier.clone(), || 0.0);
        target.ok_or_else(|| not_there(&trigger.qualifier))
    }

    /// Whether what was sent to the qualifier of a trigger was a task while there was that qualifier; `None` when the function
    /// is gone as well.
    pub(crate) fn was_stateful(&self, trigger: &Trigger) -> Option<bool> {
        let entry = self.by_id(trigger.function)?;
        let config = entry.configs.get(&trigger.qualifier);
        Some(config.is_some_and(|config| config.value.stateful == Some(true)))
    }

    /// When the next tick of any timer is due.
    pub(crate) fn next_tick(&self) -> Option<Timestamp> {
        self.view().timers.agenda.first().map(|(next, _)| *next)
    }

    /// When the next tick of one timer is due, and the last that was done with, unless none was.
    pub(crate) fn timer_moments(&self, trigger: &Trigger) -> (Option<Timestamp>, Option<Timestamp>) {
        let view = self.view();
        let Some(armed) = view.timers.armed.get(&(trigger.function, trigger.name.clone())) else {
            return (None, None);
        };
        let TimerProgress { anchor, through, .. } = armed.progress.value.as_ref();
        (armed.next, (through > anchor).then_some(*through))
    }

    /// Stores steps of several timers, each for itself, with one flush for all; returns how many came too late. As with
    /// [`Catalog::commit`], what is stored is shown even if the caller goes away.
    ///
    /// # Errors
    /// When one could not be stored; the others may have been.
    pub(crate) async fn step_timers(
        &self,
        changing: Changing,
        steps: Vec<TimerStep>,
    ) -> Result<usize, Error> {
        let (batcher, view) = (self.batcher.clone(), Arc::clone(&self.view));
        let stepping = tokio::spawn(async move {
            let _changing = changing;
            let mut commits = tokio::task::JoinSet::new();
            for TimerStep { progress, through, submissions } in steps {
                let next = TimerProgress { through, ..progress.value.as_ref().clone() };
                let writes = vec![next.write(Expected::Revision(progress.revision))];
                let batcher = batcher.clone();
                commits.spawn(async move {
                    let stored = batcher.control(ControlChange { writes, submissions }).await?;
                    Ok::<_, StoreError>(
                        stored.ok().map(|revision| Versioned { value: Arc::new(next), revision }),
                    )
                });
            }
            let (mut late, mut failed) = (0, None);
            for stored in commits.join_all().await {
                match stored {
                    Ok(Some(progress)) => {
                        view.write().expect("nobody panics while changing the view").advance(progress)
                    }
                    Ok(None) => late += 1,
                    Err(error) => failed = Some(error.into()),
                }
            }
            failed.map_or(Ok(late), Err)
        });
        stepping.await.unwrap_or_else(|_| Err(Error::System("the step broke off".to_owned())))
    }
}

impl View {
    /// Shows the progress of a timer whose schedule stays.
    fn advance(&mut self, progress: Versioned<TimerProgress>) {
        let timer = self.timers.armed.get(&progress.value.key()).and_then(|armed| armed.timer.clone());
        self.timers.put(progress, timer);
    }
}

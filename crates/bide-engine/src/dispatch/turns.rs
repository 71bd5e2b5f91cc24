//! Whose turn it is: the in-memory side of the dispatcher, without any I/O.
//!
//! Owns one [`Place`] per line (a function and a qualifier) that has waiting work. Accounts take turns, and lines within
//! an account. Its size is bounded by the number of lines. Nothing here survives a crash; it is rebuilt from the store.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use bide_types::{AccountId, FunctionId, Line, Qualifier, Timestamp};

use crate::options::DISPATCH_QUANTUM;

/// Where a line stands. One without waiting work stands nowhere.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// The first of it is due at this time; there is a timer.
    Waiting(Timestamp),
    /// Due, and in the ring. `sweep_at` is when it would be swept if it is blocked again.
    Ready { turn: Turn, sweep_at: Option<Timestamp> },
    /// Due, but no slot was free; swept at this time, looked at again before when capacity may have grown.
    Blocked(Timestamp),
    /// A claim is under way. What is heard meanwhile is kept.
    Claiming { turn: Turn, next_due: Option<Timestamp>, capacity: bool },
}

/// What to do in a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Claim work for the slots that can be had.
    Run,
    /// As `Run`, and if no slot can be had, at least drop what is too old.
    Sweep,
}

/// What came of a turn.
pub(super) struct Taken {
    /// Slots that could be had.
    pub(super) slots: usize,
    /// Slots that there was work for.
    pub(super) used: usize,
    /// What the store knows of the rest of the line.
    pub(super) next_due: Option<Timestamp>,
}

#[derive(Default)]
pub(super) struct Turns {
    places: Places,
    /// How many slots the next turn of a line may take, where that is not one; see [`Turns::quantum`].
    quanta: HashMap<Line, usize>,
    timers: BTreeSet<(Timestamp, Line)>,
    /// Accounts with ready lines; those of functions that no longer exist share the account `None`.
    accounts: VecDeque<Option<AccountId>>,
    ready: HashMap<Option<AccountId>, VecDeque<Line>>,
}

/// The place of every line, by function.
#[derive(Default)]
struct Places(HashMap<FunctionId, BTreeMap<Qualifier, Place>>);

impl Places {
    fn get(&self, line: &Line) -> Option<&Place> {
        self.0.get(&line.function)?.get(&line.qualifier)
    }

    fn get_mut(&mut self, line: &Line) -> Option<&mut Place> {
        self.0.get_mut(&line.function)?.get_mut(&line.qualifier)
    }

    fn insert(&mut self, line: &Line, place: Place) {
        self.0.entry(line.function).or_default().insert(line.qualifier.clone(), place);
    }

    fn remove(&mut self, line: &Line) -> Option<Place> {
        let places = self.0.get_mut(&line.function)?;
        let place = places.remove(&line.qualifier);
        if places.is_empty() {
            self.0.remove(&line.function);
        }
        place
    }
}

impl Turns {
    /// Work waits in `line`, the first of it due at `due`.
    pub(super) fn work(&mut self, line: Line, due: Timestamp) {
        match self.places.get_mut(&line) {
            None => self.wait(line, due),
            Some(Place::Waiting(present)) if *present <= due => {}
            Some(Place::Waiting(present)) => {
                let timer = (*present, line);
                self.timers.remove(&timer);
                self.wait(timer.1, due);
            }
            Some(Place::Ready { .. } | Place::Blocked(_)) => {} // it is due already
            Some(Place::Claiming { next_due, .. }) => {
                *next_due = Some(next_due.map_or(due, |present| present.min(due)));
            }
        }
    }

    /// Capacity of `function` may have grown; `account` is whose turn it is to use it. Which of its lines that helps is
    /// not known, so each that is blocked tries.
    pub(super) fn unblock(&mut self, function: FunctionId, account: Option<&AccountId>) {
        let mut blocked = Vec::new();
        for (qualifier, place) in self.places.0.get_mut(&function).into_iter().flatten() {
            match place {
                Place::Blocked(until) => blocked.push((*until, Line::new(function, qualifier.clone()))),
                Place::Claiming { capacity, .. } => *capacity = true,
                Place::Waiting(_) | Place::Ready { .. } => {}
            }
        }
        for timer in blocked {
            self.timers.remove(&timer);
            let ready = Place::Ready { turn: Turn::Run, sweep_at: Some(timer.0) };
            self.make_ready(timer.1, account.cloned(), ready);
        }
    }

    /// Moves every line whose time has come into the ring.
    pub(super) fn wake(&mut self, now: Timestamp, account_of: impl Fn(FunctionId) -> Option<AccountId>) {
        while self.timers.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, line)) = self.timers.pop_first() else { return };
            let turn = match self.places.get(&line) {
                Some(Place::Blocked(_)) => Turn::Sweep,
                _ => Turn::Run,
            };
            let account = account_of(line.function);
            self.make_ready(line, account, Place::Ready { turn, sweep_at: None });
        }
    }

    /// The next line in turn. The caller must follow with [`Turns::claiming`] or [`Turns::block`].
    pub(super) fn next(&mut self) -> Option<(Line, Turn)> {
        let account = self.accounts.pop_front()?;
        let lines = self.ready.get_mut(&account).expect("an account in the ring has lines");
        let line = lines.pop_front().expect("an account in the ring has lines");
        if lines.is_empty() {
            self.ready.remove(&account);
        } else {
            self.accounts.push_back(account);
        }
        match self.places.get(&line) {
            Some(Place::Ready { turn, .. }) => Some((line, *turn)),
            place => unreachable!("a line in the ring is ready, not {place:?}"),
        }
    }

    /// How many slots the line may take in this turn: one at first, twice as many as long as all are used. A slot
    /// may cost the start of an instance, so none is taken on the mere chance that there is more work.
    pub(super) fn quantum(&self, line: &Line) -> usize {
        self.quanta.get(line).copied().unwrap_or(1)
    }

    pub(super) fn claiming(&mut self, line: &Line, turn: Turn) {
        self.places.insert(line, Place::Claiming { turn, next_due: None, capacity: false });
    }

    /// No slot was free: look again at `until`, or when capacity grows. A hint of capacity that came to nothing does not
    /// put the sweep off, however often it comes.
    pub(super) fn block(&mut self, line: Line, until: Timestamp) {
        let until = match self.places.get(&line) {
            Some(Place::Ready { sweep_at: Some(sweep_at), .. }) => until.min(*sweep_at),
            _ => until,
        };
        self.places.insert(&line, Place::Blocked(until));
        self.timers.insert((until, line));
    }

    /// A claim came back. A sweep that leaves due work is blocked until `sweep_again`.
    pub(super) fn claimed(&mut self, line: Line, taken: &Taken, now: Timestamp, sweep_again: Timestamp) {
        let quantum = self.quanta.remove(&line).unwrap_or(1);
        let Some(Place::Claiming { turn, next_due: hinted, capacity }) = self.places.remove(&line) else {
            unreachable!("a claim comes back to the line that made it");
        };
        let Some(due) = taken.next_due.into_iter().chain(hinted).min() else { return };
        if due <= now {
            let wanted = if taken.used < taken.slots { taken.used } else { 2 * quantum };
            self.quanta.insert(line.clone(), wanted.clamp(1, DISPATCH_QUANTUM));
        }
        if turn == Turn::Sweep && !capacity && due <= now {
            self.block(line, sweep_again);
        } else {
            self.wait(line, due);
        }
    }

    /// When something is to be done next.
    pub(super) fn next_wake(&self) -> Option<Timestamp> {
        self.timers.first().map(|(at, _)| *at)
    }

    fn wait(&mut self, line: Line, due: Timestamp) {
        self.places.insert(&line, Place::Waiting(due));
        self.timers.insert((due, line));
    }

    fn make_ready(&mut self, line: Line, account: Option<AccountId>, ready: Place) {
        self.places.insert(&line, ready);
        let lines = self.ready.entry(account.clone()).or_default();
        if lines.is_empty() {
            self.accounts.push_back(account);
        }
        lines.push_back(line);
    }
}

#[cfg(test)]
mod tests;

//! Whose turn it is: the in-memory side of the dispatcher, without any I/O.
//!
//! Owns one [`Line`] per function that has waiting work. Accounts take turns, and functions within an account. Its
//! size is bounded by the number of functions. Nothing here survives a crash; it is rebuilt from the store.

use std::collections::{BTreeSet, HashMap, VecDeque};

use bide_types::{AccountId, FunctionId, Timestamp};

use crate::options::DISPATCH_QUANTUM;

/// The line of one function. A function without waiting work has none.
#[derive(Debug, PartialEq, Eq)]
enum Line {
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
    lines: HashMap<FunctionId, Line>,
    /// How many slots the next turn of a function may take, where that is not one; see [`Turns::quantum`].
    quanta: HashMap<FunctionId, usize>,
    timers: BTreeSet<(Timestamp, FunctionId)>,
    /// Accounts with ready functions; functions that no longer exist share the account `None`.
    accounts: VecDeque<Option<AccountId>>,
    ready: HashMap<Option<AccountId>, VecDeque<FunctionId>>,
}

impl Turns {
    /// Work of `function` waits, the first of it due at `due`.
    pub(super) fn work(&mut self, function: FunctionId, due: Timestamp) {
        match self.lines.get_mut(&function) {
            None => self.wait(function, due),
            Some(Line::Waiting(present)) if *present <= due => {}
            Some(Line::Waiting(present)) => {
                self.timers.remove(&(*present, function));
                self.wait(function, due);
            }
            Some(Line::Ready { .. } | Line::Blocked(_)) => {} // it is due already
            Some(Line::Claiming { next_due, .. }) => {
                *next_due = Some(next_due.map_or(due, |present| present.min(due)));
            }
        }
    }

    /// Capacity of `function` may have grown; `account` is whose turn it is to use it.
    pub(super) fn unblock(&mut self, function: FunctionId, account: Option<AccountId>) {
        match self.lines.get_mut(&function) {
            Some(Line::Blocked(until)) => {
                let until = *until;
                self.timers.remove(&(until, function));
                self.make_ready(function, account, Line::Ready { turn: Turn::Run, sweep_at: Some(until) });
            }
            Some(Line::Claiming { capacity, .. }) => *capacity = true,
            Some(Line::Waiting(_) | Line::Ready { .. }) | None => {}
        }
    }

    /// Moves every line whose time has come into the ring.
    pub(super) fn wake(&mut self, now: Timestamp, account_of: impl Fn(FunctionId) -> Option<AccountId>) {
        while let Some(&(at, function)) = self.timers.first() {
            if at > now {
                break;
            }
            self.timers.pop_first();
            let turn = match self.lines.get(&function) {
                Some(Line::Blocked(_)) => Turn::Sweep,
                _ => Turn::Run,
            };
            self.make_ready(function, account_of(function), Line::Ready { turn, sweep_at: None });
        }
    }

    /// The next function in turn. The caller must follow with [`Turns::claiming`] or [`Turns::block`].
    pub(super) fn next(&mut self) -> Option<(FunctionId, Turn)> {
        let account = self.accounts.pop_front()?;
        let functions = self.ready.get_mut(&account).expect("an account in the ring has functions");
        let function = functions.pop_front().expect("an account in the ring has functions");
        if functions.is_empty() {
            self.ready.remove(&account);
        } else {
            self.accounts.push_back(account);
        }
        match self.lines.get(&function) {
            Some(Line::Ready { turn, .. }) => Some((function, *turn)),
            line => unreachable!("a function in the ring is ready, not {line:?}"),
        }
    }

    /// How many slots the function may take in this turn: one at first, twice as many as long as all are used. A slot
    /// may cost the start of an instance, so none is taken on the mere chance that there is more work.
    pub(super) fn quantum(&self, function: FunctionId) -> usize {
        self.quanta.get(&function).copied().unwrap_or(1)
    }

    pub(super) fn claiming(&mut self, function: FunctionId, turn: Turn) {
        self.lines.insert(function, Line::Claiming { turn, next_due: None, capacity: false });
    }

    /// No slot was free: look again at `until`, or when capacity grows. A hint of capacity that came to nothing does not
    /// put the sweep off, however often it comes.
    pub(super) fn block(&mut self, function: FunctionId, until: Timestamp) {
        let until = match self.lines.get(&function) {
            Some(Line::Ready { sweep_at: Some(sweep_at), .. }) => until.min(*sweep_at),
            _ => until,
        };
        self.lines.insert(function, Line::Blocked(until));
        self.timers.insert((until, function));
    }

    /// A claim came back. A sweep that leaves due work is blocked until `sweep_again`.
    pub(super) fn claimed(
        &mut self,
        function: FunctionId,
        taken: &Taken,
        now: Timestamp,
        sweep_again: Timestamp,
    ) {
        let quantum = self.quanta.remove(&function).unwrap_or(1);
        let Some(Line::Claiming { turn, next_due: hinted, capacity }) = self.lines.remove(&function) else {
            unreachable!("a claim comes back to the line that made it");
        };
        let Some(due) = taken.next_due.into_iter().chain(hinted).min() else { return };
        if due <= now {
            let wanted = if taken.used < taken.slots { taken.used } else { 2 * quantum };
            self.quanta.insert(function, wanted.clamp(1, DISPATCH_QUANTUM));
        }
        if turn == Turn::Sweep && !capacity && due <= now {
            self.block(function, sweep_again);
        } else {
            self.wait(function, due);
        }
    }

    /// When something is to be done next.
    pub(super) fn next_wake(&self) -> Option<Timestamp> {
        self.timers.first().map(|(at, _)| *at)
    }

    fn wait(&mut self, function: FunctionId, due: Timestamp) {
        self.lines.insert(function, Line::Waiting(due));
        self.timers.insert((due, function));
    }

    fn make_ready(&mut self, function: FunctionId, account: Option<AccountId>, ready: Line) {
        self.lines.insert(function, ready);
        let functions = self.ready.entry(account.clone()).or_default();
        if functions.is_empty() {
            self.accounts.push_back(account);
        }
        functions.push_back(function);
    }
}

#[cfg(test)]
mod tests;

//! Destination records that were given up, as operators see them: list, show, deliver again, drop.
//!
//! Owns that each account sees its own only. Every change is durable when it is answered.

use bide_core::Outcome;
use bide_store::{DeadLetter, DeadLetterChange, OutboxPosition};
use bide_types::{AccountId, InvocationId, Timestamp};
use bytes::Bytes;

use crate::deliver::attempt;
use crate::error::Error;
use crate::options::MAINTENANCE_BATCH;
use crate::start::Engine;

/// A dead letter with the name of its function.
#[derive(Clone, Debug)]
pub struct LetterView {
    pub letter: DeadLetter,
    pub function_arn: String,
}

/// Some dead letters, the longest given up first.
#[derive(Clone, Debug, Default)]
pub struct DeadLetterPage {
    pub letters: Vec<LetterView>,
    /// Where the next page continues.
    pub next: Option<OutboxPosition>,
}

impl LetterView {
    /// The error code of the invocation; empty if it succeeded.
    pub fn condition(&self) -> &str {
        Outcome::condition(&self.letter.delivery.outcome)
    }
}

impl Engine {
    /// At most `limit` dead letters of an account, after `after`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn dead_letters(
        &self,
        account: &AccountId,
        mut after: Option<OutboxPosition>,
        limit: usize,
    ) -> Result<DeadLetterPage, Error> {
        let mut page = DeadLetterPage::default();
        loop {
            let letters = self.shared.store.dead_letters(after, MAINTENANCE_BATCH).await?;
            let last = letters.len() < MAINTENANCE_BATCH;
            for letter in letters {
                after = Some((letter.since, letter.delivery.invocation));
                let Some(view) = self.view_of(account, letter) else { continue };
                if page.letters.len() == limit {
                    page.next = page.letters.last().map(LetterView::position);
                    return Ok(page);
                }
                page.letters.push(view);
            }
            if last {
                return Ok(page);
            }
        }
    }

    /// One dead letter, and the record as it would be sent.
    ///
    /// # Errors
    /// [`Error::DeadLetterNotFound`].
    pub async fn dead_letter(
        &self,
        account: &AccountId,
        id: InvocationId,
    ) -> Result<(LetterView, Bytes), Error> {
        let found = self.shared.store.dead_letter(id).await?;
        let (letter, pending) = found.ok_or(Error::DeadLetterNotFound(id))?;
        let view = self.view_of(account, letter).ok_or(Error::DeadLetterNotFound(id))?;
        let record = attempt::record_of(&self.shared, &pending).map_err(Error::System)?;
        Ok((view, record))
    }

    /// Puts one into the outbox again, or drops it.
    ///
    /// # Errors
    /// [`Error::DeadLetterNotFound`], or when it cannot be stored.
    pub async fn change_dead_letter(
        &self,
        account: &AccountId,
        id: InvocationId,
        redrive: bool,
    ) -> Result<(), Error> {
        self.check_open()?;
        let missing = || Error::DeadLetterNotFound(id);
        let (letter, _) = self.shared.store.dead_letter(id).await?.ok_or_else(missing)?;
        self.view_of(account, letter).ok_or_else(missing)?;
        match self.shared.batcher.dead_letter(change(id, redrive)).await? {
            0 => Err(missing()),
            _ => Ok(()),
        }
    }

    /// The same for all that an account has at this moment; returns how many.
    ///
    /// # Errors
    /// When the store cannot be read or written; then some may have been changed.
    pub async fn change_dead_letters(&self, account: &AccountId, redrive: bool) -> Result<usize, Error> {
        self.check_open()?;
        let now = self.now();
        let (mut after, mut changed) = (None, 0);
        loop {
            let page = self.dead_letters(account, after, MAINTENANCE_BATCH).await?;
            after = page.next;
            let mut changes = tokio::task::JoinSet::new();
            for view in page.letters.iter().filter(|view| view.letter.since <= now) {
                let (batcher, id) = (self.shared.batcher.clone(), view.letter.delivery.invocation);
                changes.spawn(async move { batcher.dead_letter(change(id, redrive)).await });
            }
            for done in changes.join_all().await {
                changed += done?;
            }
            if after.is_none() {
                return Ok(changed);
            }
        }
    }

    /// `None` for a letter of another account.
    fn view_of(&self, account: &AccountId, letter: DeadLetter) -> Option<LetterView> {
        let function = self.shared.catalog.named(letter.delivery.function)?;
        if function.account != *account {
            return None;
        }
        let function_arn = attempt::function_arn(&self.shared, &letter.delivery, &function);
        Some(LetterView { letter, function_arn })
    }
}

impl LetterView {
    fn position(&self) -> (Timestamp, InvocationId) {
        (self.letter.since, self.letter.delivery.invocation)
    }
}

fn change(id: InvocationId, redrive: bool) -> DeadLetterChange {
    if redrive { DeadLetterChange::Redrive(id) } else { DeadLetterChange::Drop(id) }
}

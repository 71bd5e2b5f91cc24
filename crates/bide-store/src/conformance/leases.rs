//! Leases: those of dead holders and those that ran out are found, and their work runs elsewhere.

use std::time::Duration;

use bide_core::{Command, Epoch, LeaseHolder, Rejected, Status};

use super::Subject;
use super::driver::{Driver, HOLDER, at, start, succeed, task};
use crate::batch::{Batch, Claim, TransitionReply};
use crate::store::LeaseRef;

const NEXT_HOLDER: LeaseHolder = LeaseHolder(1);

async fn lapsed<S: Subject>(driver: &Driver<S>, own: LeaseHolder, now: u64) -> Vec<LeaseRef> {
    let mut leases = driver.store().lapsed_leases(own, at(now), 100).await.expect("a read");
    leases.sort_unstable_by_key(|lease| lease.invocation);
    leases
}

/// A claim for one with a lease up to `expires_at`.
fn claim_until<S: Subject>(driver: &Driver<S>, holder: LeaseHolder, expires_at: u64) -> Batch {
    let claim = Claim { holder, lease_expires_at: at(expires_at), ..driver.wish(1, at(0)) };
    Batch { now: at(0), claims: vec![claim], ..Batch::default() }
}

pub async fn a_lease_is_listed_when_it_is_of_another_holder_or_has_run_out(subject: impl Subject) {
    let driver = Driver::new(subject);
    driver.submit_all(at(0), vec![task("mine"), task("theirs"), task("waits")]).await;
    let claimed = driver.commit(claim_until(&driver, HOLDER, 1000)).await.claims.remove(0).claimed;
    let mine = claimed[0].invocation.id;
    let claimed = driver.commit(claim_until(&driver, NEXT_HOLDER, 2000)).await.claims.remove(0).claimed;
    let theirs = claimed[0].invocation.id;
    let mine = LeaseRef { invocation: mine, epoch: Epoch(1), holder: HOLDER, expires_at: at(1000) };
    let theirs =
        LeaseRef { invocation: theirs, epoch: Epoch(1 << 32), holder: NEXT_HOLDER, expires_at: at(2000) };

    let driver = driver.reopen().await;
    assert_eq!(lapsed(&driver, HOLDER, 999).await, [theirs]);
    assert_eq!(lapsed(&driver, HOLDER, 1000).await, [mine, theirs]);
    assert_eq!(lapsed(&driver, NEXT_HOLDER, 1000).await, [mine]);
    assert_eq!(lapsed(&driver, LeaseHolder(99), 0).await, [mine, theirs]);
    let one = driver.store().lapsed_leases(LeaseHolder(99), at(0), 1).await.expect("a read");
    assert_eq!(one.len(), 1, "at most as many as asked for");
}

pub async fn a_lease_stays_out_while_running_and_stopping_and_ends_with_them(subject: impl Subject) {
    let driver = Driver::new(subject);
    driver.submit(at(0), task("job")).await;
    let (id, epoch) = driver.start_one(at(0)).await;
    assert_eq!(lapsed(&driver, NEXT_HOLDER, 0).await.len(), 1);
    driver.stop(at(1), "job").await;
    let driver = driver.reopen().await;
    assert_eq!(lapsed(&driver, NEXT_HOLDER, 0).await.len(), 1);
    driver.apply(at(2), id, Command::FinishStop { epoch }, None).await;
    assert_eq!(lapsed(&driver, NEXT_HOLDER, 0).await, []);
}

pub async fn work_of_a_dead_holder_runs_again_and_its_late_result_is_refused(subject: impl Subject) {
    let driver = Driver::new(subject);
    driver.submit(at(0), task("job")).await;
    let (id, old) = driver.start_one(at(0)).await;
    let driver = driver.reopen().await;
    let leases = lapsed(&driver, NEXT_HOLDER, 0).await;
    assert_eq!((leases[0].invocation, leases[0].epoch), (id, old));
    assert_eq!(driver.apply(at(100), id, Command::Lapse { epoch: old }, None).await, Status::Dequeued);
    assert_eq!(lapsed(&driver, NEXT_HOLDER, 0).await, [], "it waits in line again");

    let (again, epoch) = driver.start_one(at(600)).await;
    assert!(again == id && epoch > old);
    assert_eq!(
        driver.transition(at(700), id, succeed(old), Some("late")).await,
        TransitionReply::Rejected(Rejected::StaleEpoch { given: old, current: epoch })
    );
    assert_eq!(driver.apply(at(800), id, succeed(epoch), Some("done")).await, Status::Succeeded);
    assert_eq!(driver.task("job").await.and_then(|view| view.result).as_deref(), Some(&b"done"[..]));
}

pub async fn an_epoch_is_never_granted_twice(subject: impl Subject) {
    let mut driver = Driver::new(subject);
    driver.submit(at(0), task("job")).await;
    let mut now = at(0);
    for expected in 1..=6 {
        let claimed = driver.claim_one(now).await.invocation;
        assert_eq!(claimed.epoch, Epoch(expected));
        if expected % 2 == 0 {
            driver.apply(now, claimed.id, start(claimed.epoch), None).await;
        }
        driver = driver.reopen().await;
        driver.apply(now, claimed.id, Command::Lapse { epoch: claimed.epoch }, None).await;
        now = now.plus(Duration::from_secs(60));
    }
}

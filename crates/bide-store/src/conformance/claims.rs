//! Claims: order, bounds, never early, never twice.

use std::time::Duration;

use bide_core::{Bucket, Policy, PolicyTable, Status};
use bide_types::{InvocationId, Line, Qualifier, Timestamp};

use super::Subject;
use super::driver::{
    Driver, FUNCTION, OTHER_FUNCTION, at, deferred, of, plain, start, task, task_id, throttle,
    with_destinations, with_qualifier,
};
use crate::batch::{Batch, ClaimReply, Claimed, Stop, StopReply, SubmitReply, Transition};
use crate::planner::{CLAIM_EXAMINED_MAX, CLAIM_SETTLED_MAX};

fn ids(reply: &ClaimReply) -> Vec<InvocationId> {
    reply.claimed.iter().map(|claimed| claimed.invocation.id).collect()
}

fn aged(age_max: Duration) -> Policy {
    Policy { age_max, ..with_destinations() }
}

pub async fn work_is_claimed_in_the_order_of_due_times(subject: impl Subject) {
    let driver = Driver::new(subject);
    let third = driver.submit(at(0), deferred(plain(), Duration::from_secs(3))).await;
    let first = driver.submit(at(1), deferred(plain(), Duration::from_secs(1))).await;
    let second = driver.submit(at(2), deferred(plain(), Duration::from_secs(2))).await;
    let driver = driver.reopen().await;
    let reply = driver.claim(at(10_000), 10).await;
    assert_eq!(ids(&reply), [first, second, third]);
    assert_eq!(reply.next_due, None);
}

pub async fn nothing_is_claimed_before_it_is_due(subject: impl Subject) {
    let driver = Driver::new(subject);
    let id = driver.submit(at(0), deferred(task("job"), Duration::from_secs(2))).await;
    assert_eq!(driver.ledger().await.get(Bucket::Deferred), 1);
    for now in [at(0), at(1999)] {
        let reply = driver.claim(now, 10).await;
        assert_eq!((ids(&reply), reply.next_due), (vec![], Some(at(2000))), "at {now:?}");
    }
    assert_eq!(driver.status("job").await, Some(Status::Enqueued));
    assert_eq!(ids(&driver.claim(at(2000), 10).await), [id]);
}

pub async fn a_claim_hands_out_at_most_what_it_wants(subject: impl Subject) {
    let driver = Driver::new(subject);
    let mut submitted = Vec::new();
    for now in 0..5 {
        submitted.push(driver.submit(at(now), plain()).await);
    }
    let reply = driver.claim(at(10), 2).await;
    assert_eq!((ids(&reply), reply.next_due), (submitted[..2].to_vec(), Some(at(2))));
    let reply = driver.claim(at(10), 3).await;
    assert_eq!((ids(&reply), reply.next_due), (submitted[2..].to_vec(), None));
    assert_eq!(driver.claim(at(10), 1).await, ClaimReply::default());
}

pub async fn two_claims_in_one_batch_never_share_work(subject: impl Subject) {
    let driver = Driver::new(subject);
    let mut submitted = Vec::new();
    for now in 0..5 {
        submitted.push(driver.submit(at(now), plain()).await);
    }
    let claims = vec![driver.wish(2, at(10)), driver.wish(2, at(10)), driver.wish(2, at(10))];
    let replies = driver.commit(Batch { now: at(10), claims, ..Batch::default() }).await.claims;
    let handed_out: Vec<_> = replies.iter().map(ids).collect();
    assert_eq!(handed_out, [&submitted[..2], &submitted[2..4], &submitted[4..]]);
}

pub async fn a_claim_for_nothing_only_drops_what_is_too_old(subject: impl Subject) {
    let mut driver = Driver::new(subject);
    driver.use_policy(aged(Duration::from_secs(1)));
    driver.submit(at(0), task("old")).await;
    driver.submit(at(500), task("young")).await;
    let reply = driver.claim(at(1000), 0).await;
    assert_eq!(
        (reply.settled, reply.next_due),
        (0, Some(at(0))),
        "an age of just the maximum is not too old"
    );

    let reply = driver.claim(at(1001), 0).await;
    assert_eq!((reply.settled, reply.delivery, reply.claimed.len()), (1, true, 0));
    assert_eq!(reply.next_due, Some(at(500)));
    assert_eq!(driver.status("old").await, Some(Status::Expired));
    assert_eq!(driver.status("young").await, Some(Status::Enqueued));
    assert_eq!(driver.pending_deliveries().await.len(), 1);
}

pub async fn a_claim_settles_what_is_too_old_on_its_way(subject: impl Subject) {
    let mut driver = Driver::new(subject);
    driver.use_policy(aged(Duration::from_secs(1)));
    driver.submit_all(at(0), vec![task("old-1"), plain()]).await;
    let young = driver.submit(at(5000), task("young")).await;
    let reply = driver.claim(at(5000), 1).await;
    assert_eq!((ids(&reply), reply.settled, reply.delivery), (vec![young], 2, true));
    let ledger = driver.ledger().await;
    assert_eq!((ledger.get(Bucket::Expired), ledger.get(Bucket::Queued)), (2, 1));
}

pub async fn a_claim_settles_a_bounded_number(subject: impl Subject) {
    let mut driver = Driver::new(subject);
    driver.use_policy(Policy { age_max: Duration::from_secs(1), ..Policy::default() });
    driver.submit_all(at(0), vec![plain(); 2 * CLAIM_SETTLED_MAX + 44]).await;
    for (max, settled, next_due) in
        [(0, CLAIM_SETTLED_MAX, Some(at(0))), (5, CLAIM_SETTLED_MAX, Some(at(0))), (5, 44, None)]
    {
        let reply = driver.claim(at(2000), max).await;
        assert_eq!((reply.settled, reply.next_due, reply.delivery), (settled, next_due, false));
    }
    assert_eq!(driver.ledger().await.open(), 0);
}

/// Work that was refused before never expires, so a claim for nothing passes over it; but not for ever.
pub async fn a_claim_for_nothing_looks_at_a_bounded_number(subject: impl Subject) {
    let mut driver = Driver::new(subject);
    driver.submit_all(at(0), vec![plain(); CLAIM_EXAMINED_MAX + 1]).await;
    let claimed = driver.claim(at(0), usize::MAX / 2).await.claimed;
    assert_eq!(claimed.len(), CLAIM_EXAMINED_MAX + 1);
    let refuse = |claimed: &Claimed| Transition {
        invocation: claimed.invocation.id,
        command: throttle(claimed.invocation.epoch),
        result: None,
        log: None,
    };
    let transitions = claimed.iter().map(refuse).collect();
    driver.commit(Batch { now: at(0), transitions, ..Batch::default() }).await;
    driver.submit(at(600), task("old")).await;

    driver.use_policy(aged(Duration::from_secs(1)));
    let reply = driver.claim(at(10_000), 0).await;
    assert_eq!((reply.settled, reply.next_due), (0, Some(at(500))), "the line is not walked to its end");
    let reply = driver.claim(at(10_000), CLAIM_EXAMINED_MAX + 2).await;
    assert_eq!((reply.claimed.len(), reply.settled), (CLAIM_EXAMINED_MAX + 1, 1));
}

pub async fn work_for_a_qualifier_that_is_gone_is_invalid(subject: impl Subject) {
    let driver = Driver::new(subject);
    driver.submit_all(at(0), vec![with_qualifier(task("gone"), "prod"), task("here")]).await;
    let reply = driver.claim_of("prod", at(0), 5).await;
    assert_eq!((reply.claimed.len(), reply.settled, reply.delivery), (0, 1, false));
    assert_eq!(driver.claim(at(0), 5).await.claimed.len(), 1);
    assert_eq!(driver.status("gone").await, Some(Status::Invalid));
    assert_eq!(driver.status("here").await, Some(Status::Dequeued));
}

pub async fn the_lines_of_a_function_do_not_hold_up_one_another(subject: impl Subject) {
    let mut driver = Driver::new(subject);
    let prod = Qualifier::new("prod").expect("a valid qualifier");
    let policies = [Qualifier::latest(), prod.clone()].map(|qualifier| (qualifier, Policy::default()));
    driver.use_policies(PolicyTable::in_force(policies));
    driver.submit_all(at(0), vec![with_qualifier(plain(), "prod"); 300]).await;
    let (one, two) = (driver.submit(at(1), plain()).await, driver.submit(at(1), task("two")).await);
    let driver = driver.reopen().await;
    let mut waiting = driver.store().waiting().await.expect("a read");
    waiting.sort_unstable();
    assert_eq!(waiting, [(Line::latest(FUNCTION), at(1)), (Line::new(FUNCTION, prod), at(0))]);
    assert_eq!(ids(&driver.claim(at(1), 5).await), [one, two]);
    let reply = driver.claim_of("prod", at(1), 1000).await;
    assert_eq!((reply.claimed.len(), reply.next_due), (300, None));
    assert_eq!(driver.store().waiting().await.expect("a read"), []);
}

pub async fn a_claim_does_not_see_the_submissions_of_its_own_batch(subject: impl Subject) {
    let driver = Driver::new(subject);
    let claims = vec![driver.wish(5, at(0))];
    let batch = Batch { now: at(0), submissions: vec![plain()], claims, ..Batch::default() };
    let reply = driver.commit(batch).await;
    assert_eq!(reply.claims, [ClaimReply::default()]);
    let [SubmitReply::Accepted { id, due }] = reply.submissions[..] else { panic!("not accepted") };
    assert_eq!(due, at(0), "the submitter is told when to claim");
    assert_eq!(ids(&driver.claim(at(0), 5).await), [id]);
}

pub async fn a_claim_passes_over_what_its_own_batch_stopped(subject: impl Subject) {
    let driver = Driver::new(subject);
    driver.submit(at(0), task("stopped")).await;
    let second = driver.submit(at(1), task("second")).await;
    let wish = driver.wish(1, at(2));
    let stop = Stop {
        function: FUNCTION,
        task: task_id("stopped"),
        policies: std::sync::Arc::clone(&wish.policies),
    };
    let batch = Batch { now: at(2), stops: vec![stop], claims: vec![wish], ..Batch::default() };
    let reply = driver.commit(batch).await;
    assert_eq!(reply.stops, [StopReply::Stopped { delivery: false }]);
    assert_eq!(ids(&reply.claims[0]), [second]);
}

/// Long enough that no store keeps the whole line in memory.
pub async fn a_long_line_is_handed_out_once_and_in_order(subject: impl Subject) {
    const GROUPS: u64 = 12;
    const GROUP: u64 = 250;
    let mut driver = Driver::new(subject);
    let mut expected: Vec<(Timestamp, InvocationId)> = Vec::new();
    for group in 0..GROUPS {
        let now = at(group * 10);
        let delays = (0..GROUP).map(|index| Duration::from_millis((index * 7919 + group) % 5000));
        let submissions = delays.map(|delay| deferred(plain(), delay)).collect();
        for reply in driver.submit_all(now, submissions).await {
            let SubmitReply::Accepted { id, due } = reply else { panic!("not accepted") };
            expected.push((due, id));
        }
    }
    expected.sort_unstable();
    let mut handed_out = Vec::new();
    let mut now = at(0);
    while let Some(&(_, due)) = driver.store().waiting().await.expect("a read").first() {
        assert!(expected[handed_out.len()].0 == due, "the first in line is due at {due:?}");
        now = now.max(due).plus(Duration::from_millis(20));
        loop {
            let reply = driver.claim(now, 30).await;
            handed_out.extend(
                reply.claimed.iter().map(|claimed| (claimed.invocation.not_before, claimed.invocation.id)),
            );
            if reply.claimed.len() < 30 {
                break;
            }
        }
        if handed_out.len() % 3 == 0 {
            driver = driver.reopen().await;
        }
    }
    assert!(handed_out == expected, "each once, in the order of due time and id");
}

pub async fn waiting_names_each_line_with_its_first_due_time(subject: impl Subject) {
    let driver = Driver::new(subject);
    let second = Duration::from_secs(1);
    driver.submit_all(at(0), vec![deferred(plain(), 5 * second), deferred(plain(), 2 * second)]).await;
    driver.submit(at(0), of(deferred(plain(), 3 * second), OTHER_FUNCTION)).await;
    let waiting = async |driver: &Driver<_>| {
        let mut waiting = driver.store().waiting().await.expect("a read");
        waiting.sort_unstable();
        waiting
    };
    assert_eq!(
        waiting(&driver).await,
        [(Line::latest(FUNCTION), at(2000)), (Line::latest(OTHER_FUNCTION), at(3000))]
    );

    let claimed = driver.claim_one(at(2000)).await.invocation;
    assert_eq!(
        waiting(&driver).await,
        [(Line::latest(FUNCTION), at(5000)), (Line::latest(OTHER_FUNCTION), at(3000))]
    );
    driver.apply(at(2000), claimed.id, start(claimed.epoch), None).await;
    driver.apply(at(2100), claimed.id, super::driver::fail(claimed.epoch), None).await;
    assert_eq!(
        waiting(&driver).await,
        [(Line::latest(FUNCTION), at(2600)), (Line::latest(OTHER_FUNCTION), at(3000))]
    );
}

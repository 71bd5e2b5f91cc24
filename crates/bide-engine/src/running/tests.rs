use super::*;

const ID: InvocationId = InvocationId::new(1);

#[test]
fn an_attempt_that_leaves_late_does_not_take_the_next_one_along() {
    let running = Running::default();
    running.enter(ID, Epoch(1));
    running.enter(ID, Epoch(2));
    assert!(running.cancel_signal(ID, Epoch(1)).is_none());
    running.leave(ID, Epoch(1));
    let second = running.cancel_signal(ID, Epoch(2)).expect("still entered");
    running.cancel(ID);
    assert!(second.is_cancelled());
    running.leave(ID, Epoch(2));
    assert!(!running.contains(ID, Epoch(2)));
}

#[test]
fn an_attempt_that_is_entered_after_the_interruption_is_cancelled_from_the_start() {
    let running = Running::default();
    running.enter(ID, Epoch(1));
    running.interrupt();
    running.enter(InvocationId::new(2), Epoch(1));
    for id in [1, 2] {
        let cancel = running.cancel_signal(InvocationId::new(id), Epoch(1)).expect("entered");
        assert!(cancel.is_cancelled());
    }
}

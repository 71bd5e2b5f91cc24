use super::*;
use crate::Timestamp;

#[test]
fn a_caller_may_not_choose_a_task_id_that_starts_with_a_digit() {
    assert!(TaskId::from_caller("job-42").is_ok());
    assert!(TaskId::from_caller(&"a".repeat(128)).is_ok());
    for bad in ["", "4job", "-job", "job.1", "job 1", &"a".repeat(129)] {
        assert!(TaskId::from_caller(bad).is_err(), "{bad}");
    }
    let request = RequestId::new("6d1c7c0e-6f0e").expect("valid");
    assert_eq!(TaskId::from_request(&request).as_str(), "6d1c7c0e-6f0e");
}

#[test]
fn invocation_ids_increase_even_when_the_clock_steps_back() {
    let first = InvocationId::new(0).next(Timestamp::from_millis(1000));
    let second = first.next(Timestamp::from_millis(1000));
    let third = second.next(Timestamp::from_millis(1));
    assert_eq!(first, InvocationId::first_at(Timestamp::from_millis(1000)));
    assert!(first < second && second < third);
    assert_eq!(
        third.next(Timestamp::from_millis(2000)),
        InvocationId::first_at(Timestamp::from_millis(2000))
    );
}

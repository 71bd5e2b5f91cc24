use super::*;
use crate::fixtures::{Story, at, enqueued, policy, request, running, succeed};

#[test]
fn each_outcome_has_its_fields_in_the_destination_record() {
    let failed = |failure| Outcome::Failed { failure };
    let function = |error| failed(Failure::Function(error));
    let handled = "HandledInvocationError";
    let unhandled = "UnhandledInvocationError";
    for (outcome, condition, status_code, function_error) in [
        (Outcome::Succeeded, "", 200, ""),
        (function(FunctionError::Handled), handled, 200, handled),
        (function(FunctionError::Unhandled), unhandled, 200, unhandled),
        (function(FunctionError::TimedOut), "FunctionTimeoutError", 200, unhandled),
        (function(FunctionError::OutOfMemory), "FunctionOOMError", 200, unhandled),
        (failed(Failure::Throttled), "FunctionResourceExhausted", 429, ""),
        (failed(Failure::System), "InternalServerError", 500, ""),
        (Outcome::Stopped, "InvocationStopped", 200, ""),
        (Outcome::Expired, "EventAgeExceeded", 200, ""),
        (Outcome::Invalid { reason: "gone".to_owned() }, "FunctionNotFound", 404, ""),
    ] {
        assert_eq!(
            (outcome.condition(), outcome.status_code(), outcome.function_error()),
            (condition, status_code, function_error),
            "{outcome:?}"
        );
    }
}

#[test]
fn the_task_record_names_the_error_type_or_the_reason() {
    let failed = |failure| Outcome::Failed { failure };
    for (outcome, message) in [
        (Outcome::Succeeded, ""),
        (failed(Failure::Function(FunctionError::TimedOut)), "UnhandledInvocationError"),
        (failed(Failure::Throttled), "FunctionResourceExhausted"),
        (Outcome::Stopped, "InvocationStopped"),
        (Outcome::Invalid { reason: "gone".to_owned() }, "gone"),
    ] {
        assert_eq!(outcome.error_message(), message, "{outcome:?}");
    }
}

#[test]
fn a_delivery_carries_what_the_record_needs() {
    let story = running().then_with(at(10), succeed);
    let delivery = story.last.and_then(|transition| transition.delivery).expect("a success target");
    assert_eq!(
        delivery,
        Delivery {
            invocation: InvocationId::new(1),
            function: FunctionId::new(1),
            qualifier: Qualifier::latest(),
            request_id: request().request_id,
            kind: CallKind::Event,
            accepted_at: at(0),
            slot: Slot::Success,
            target: "on-success".to_owned(),
            outcome: Outcome::Succeeded,
            invoke_count: 1,
            parent: None,
            hops: 2,
        }
    );
}

#[test]
fn an_empty_slot_sends_nothing() {
    let invocation = enqueued();
    let only_failure = Policy { on_success: None, ..policy() };
    assert_eq!(delivery(&invocation, &Outcome::Succeeded, Some(&only_failure)), None);
    assert!(delivery(&invocation, &Outcome::Expired, Some(&only_failure)).is_some());
    assert_eq!(delivery(&invocation, &Outcome::Expired, Some(&Policy::default())), None);
    assert_eq!(delivery(&invocation, &Outcome::Stopped, None), None, "no configuration was ever read");
}

#[test]
fn a_settlement_remembers_the_instance_that_was_named_at_the_start() {
    let story: Story = running().then_with(at(10), succeed);
    let settlement = story.invocation.settlement().expect("settled");
    assert_eq!(settlement.instance, Some(crate::fixtures::instance()));
    assert_eq!((settlement.at, settlement.duration), (at(10), Duration::from_millis(5)));
}

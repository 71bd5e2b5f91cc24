use super::*;

const ALL: Sampling = Sampling { ratio: 1.0 };
const NONE: Sampling = Sampling { ratio: 0.0 };

fn request_id(text: &str) -> RequestId {
    RequestId::new(text).expect("valid")
}

#[test]
fn a_call_goes_on_with_the_trace_of_its_caller_and_heeds_its_choice() {
    let caller = TraceParent { trace: [1; 16], span: [2; 8], sampled: true };
    let call =
        |caller, sampling| SpanIds::of_call(&request_id("r"), Timestamp::from_millis(5), caller, sampling);
    let ids = call(Some(caller), NONE);
    assert_eq!((ids.trace, ids.parent, ids.sampled), ([1; 16], Some([2; 8]), true));
    assert!(!call(Some(TraceParent { sampled: false, ..caller }), ALL).sampled);
    let own = call(None, ALL);
    assert_eq!((own.parent, own.sampled), (None, true));
    assert_eq!(own, call(None, ALL), "ids follow from what is known");
    assert!(!call(None, NONE).sampled);
}

#[test]
fn an_invocation_goes_on_with_the_trace_of_its_caller_and_heeds_its_choice() {
    let caller = TraceParent { trace: [1; 16], span: [2; 8], sampled: true };
    let root = |caller, sampling| Root::of(&request_id("r"), InvocationId::new(7), caller, sampling);
    let Root(queue) = root(Some(caller), NONE);
    assert_eq!((queue.trace, queue.parent, queue.sampled), ([1; 16], Some([2; 8]), true));
    let part = root(Some(caller), NONE).above(InvocationId::new(7), [b"attempt", b"1"]);
    assert_eq!((part.trace, part.parent, part.sampled), (queue.trace, Some(queue.span), true));
    assert!(!root(Some(TraceParent { sampled: false, ..caller }), ALL).0.sampled);
    let Root(own) = root(None, ALL);
    assert_eq!((own.trace, own.parent, own.sampled), (trace_of(&request_id("r")), None, true));
    assert_eq!(part.as_parent(), TraceParent { trace: [1; 16], span: part.span, sampled: true });
}

#[test]
fn sampling_takes_about_its_share() {
    let half = Sampling { ratio: 0.5 };
    let taken = (0..1000).filter(|n| half.takes(&trace_of(&request_id(&format!("r{n}"))))).count();
    assert!((400..600).contains(&taken), "{taken}");
}

#[test]
fn the_function_is_told_its_span_in_the_form_of_fc() {
    let ids = SpanIds { trace: [1; 16], span: [2; 8], parent: Some([3; 8]), sampled: true };
    let told =
        ids.tell(Tracing { span_context: Some("old".to_owned()), span_baggages: Some("kept".to_owned()) });
    let context = format!("{}:{}:{}:1", "01".repeat(16), "02".repeat(8), "03".repeat(8));
    assert_eq!(told.span_context, Some(context));
    assert_eq!(told.span_baggages.as_deref(), Some("kept"));
}

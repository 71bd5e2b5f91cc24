use super::*;

const ALL: Sampling = Sampling { ratio: 1.0 };
const NONE: Sampling = Sampling { ratio: 0.0 };

fn request_id(text: &str) -> RequestId {
    RequestId::new(text).expect("valid")
}

#[test]
fn a_traceparent_is_read_as_the_standard_says() {
    let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let parent = TraceParent::parse(good).expect("good");
    assert_eq!(text(&parent.trace), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(text(&parent.span), "b7ad6b7169203331");
    assert!(parent.sampled);
    assert!(!TraceParent::parse(&good.replace("-01", "-00")).expect("good").sampled);
    // A later version may say more.
    assert_eq!(TraceParent::parse(&format!("cc{}-more", &good[2..])), Some(parent));
    for bad in [
        "",
        "00",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333é-01",
    ] {
        assert_eq!(TraceParent::parse(bad), None, "{bad}");
    }
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

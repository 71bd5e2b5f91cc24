use bide_types::resource::{Function, Runtime};
use bide_types::{AccountId, FunctionId, FunctionName, ServiceName, Timestamp};

use super::*;

fn function(id: u64, name: &str) -> Function {
    Function {
        id: FunctionId::new(id),
        ..Function::new(
            AccountId::new("10001").expect("valid"),
            ServiceName::new("s").expect("valid"),
            FunctionName::new(name).expect("valid"),
            Runtime::parse("python3").expect("valid"),
            "index.handler".to_owned(),
            Timestamp::ZERO,
        )
    }
}

fn throttle(metrics: &Metrics, function: &Function) {
    metrics.observe(&Seen::Throttled { function, cap: Cap::Function });
}

/// The throttles of the function with this name, as Prometheus sees them.
fn throttles(metrics: &Metrics, name: &str) -> Option<String> {
    let text = TextEncoder::new().encode_to_string(&metrics.families.registry.gather()).expect("valid");
    let label = format!("function=\"{name}\"");
    let line = text
        .lines()
        .find(|line| line.starts_with("bide_function_concurrency_throttles_total{") && line.contains(&label));
    line.and_then(|line| line.rsplit(' ').next()).map(str::to_owned)
}

#[test]
fn beyond_the_bound_functions_are_counted_together() {
    let metrics = Metrics::default();
    let count = u64::try_from(FUNCTIONS_NAMED_MAX).expect("small");
    for id in 0..count + 3 {
        throttle(&metrics, &function(id, &format!("f{id}")));
    }
    assert_eq!(throttles(&metrics, "f0").as_deref(), Some("1"));
    assert_eq!(throttles(&metrics, &format!("f{}", count - 1)).as_deref(), Some("1"));
    assert_eq!(throttles(&metrics, &format!("f{count}")), None);
    assert_eq!(throttles(&metrics, OTHER).as_deref(), Some("3"));
}

#[test]
fn the_series_of_a_deleted_function_go_and_make_room() {
    let metrics = Metrics::default();
    let (stays, goes) = (function(1, "stays"), function(2, "goes"));
    throttle(&metrics, &stays);
    throttle(&metrics, &goes);
    metrics.functions.keep(&metrics.families, [&stays].into_iter());
    assert_eq!(throttles(&metrics, "stays").as_deref(), Some("1"));
    assert_eq!(throttles(&metrics, "goes"), None);
    let text = TextEncoder::new().encode_to_string(&metrics.families.registry.gather()).expect("valid");
    assert!(!text.contains("goes"), "{text}");
}

#[test]
fn a_function_made_anew_goes_on_with_the_series_of_its_name() {
    let metrics = Metrics::default();
    let (old, new) = (function(1, "f"), function(2, "f"));
    throttle(&metrics, &old);
    metrics.functions.keep(&metrics.families, [&new].into_iter());
    throttle(&metrics, &new);
    assert_eq!(throttles(&metrics, "f").as_deref(), Some("2"));
}

#[test]
fn a_refusal_is_the_fault_of_the_caller_or_of_the_server() {
    let metrics = Metrics::default();
    let f = function(1, "f");
    for (status, refused) in [(200, false), (404, false), (502, false), (413, true), (429, true), (503, true)]
    {
        metrics.observe(&Seen::Answered { function: &f, status, refused });
    }
    let series = metrics.functions.series(&metrics.families, &f);
    assert_eq!((series.client_errors.get(), series.server_errors.get()), (2, 1));
    assert_eq!((series.http_2xx.get(), series.http_4xx.get(), series.http_5xx.get()), (1, 3, 2));
}

#[test]
fn every_kind_of_error_can_be_dropped_again() {
    use FunctionErrorCause::{OutOfMemory, ProcessExited, Raised, StartFailed, Timeout};
    for cause in [OutOfMemory, ProcessExited, Raised, StartFailed, Timeout] {
        for kind in [FunctionErrorKind::Handled, FunctionErrorKind::Unhandled] {
            assert!(ERROR_TYPES.contains(&error_type(kind, cause)));
        }
    }
}

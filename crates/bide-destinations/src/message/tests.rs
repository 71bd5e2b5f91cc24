use bide_engine::arn::ResourceKind;
use bide_types::Timestamp;

use super::*;

pub(crate) fn message(name: &str) -> Message {
    Message {
        id: "7-r1".to_owned(),
        record: Bytes::from_static(b"{\"timestamp\":1,\"requestPayload\":\"\\u0001\"}"),
        function_arn: "acs:fc:local:10001:services/s.LATEST/functions/f".to_owned(),
        resource: format!("acs:mns:local:10001:/queues/{name}/messages"),
        kind: ResourceKind::Queue,
        name: name.to_owned(),
        condition: String::new(),
        accepted_at: Timestamp::from_millis(1_700_000_000_000),
    }
}

#[test]
fn a_record_is_sent_byte_for_byte() {
    let message = message("q");
    assert_eq!(Format::Record.body(&message), message.record);
}

#[test]
fn an_event_holds_the_record_and_says_where_it_comes_from() {
    let mut message = message("q");
    let event: serde_json::Value = serde_json::from_slice(&Format::CloudEvents.body(&message)).expect("JSON");
    assert_eq!(
        event,
        serde_json::json!({
            "specversion": "1.0", "id": "7-r1", "type": "bide.invocation.succeeded",
            "source": "acs:fc:local:10001:services/s.LATEST/functions/f",
            "subject": "acs:mns:local:10001:/queues/q/messages", "time": "2023-11-14T22:13:20Z",
            "datacontenttype": "application/json", "data": {"timestamp": 1, "requestPayload": "\u{1}"},
        })
    );
    message.condition = "EventAgeExceeded".to_owned();
    let event: serde_json::Value = serde_json::from_slice(&Format::CloudEvents.body(&message)).expect("JSON");
    assert_eq!(event["type"], "bide.invocation.failed");
}

#[test]
fn a_name_may_depend_on_the_message() {
    assert_eq!(Template::new("fc.{name}.done").expect("valid").of(&message("q")), "fc.q.done");
    assert_eq!(Template::new("plain").expect("valid").of(&message("q")), "plain");
    for wrong in ["{queue}", "{name", "{}"] {
        assert!(Template::new(wrong).is_err(), "{wrong}");
    }
}

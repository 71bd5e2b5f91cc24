use super::*;

fn event(name: &str, key: &str) -> ObjectEvent {
    ObjectEvent {
        name: ObjectEvent::name_of(name).expect("known"),
        time: "2024-01-01T00:00:00.000Z".to_owned(),
        region: "eu".to_owned(),
        bucket: "b".to_owned(),
        owner: "o".to_owned(),
        key: key.to_owned(),
        size: 3,
        etag: "\"abc\"".to_owned(),
        version_id: None,
        rule: "r".to_owned(),
        source_address: "10.0.0.1".to_owned(),
        request_id: "q".to_owned(),
        principal: "p".to_owned(),
        identity: b"1".to_vec(),
    }
}

fn filter(source: &str, events: &[&str], prefix: &str, suffix: &str) -> Result<ObjectFilter, String> {
    let events = events.iter().map(|name| (*name).to_owned()).collect();
    let config = OssTrigger { events, prefix: prefix.to_owned(), suffix: suffix.to_owned() };
    ObjectFilter::new(&AccountId::new("1").expect("valid"), source, &config)
}

#[test]
fn a_filter_takes_its_bucket_its_events_and_its_keys() {
    let source = "acs:oss:eu:1:b";
    let fits = |events: &[&str], prefix: &str, suffix: &str, event: &ObjectEvent| {
        filter(source, events, prefix, suffix).expect("a filter").fits(event)
    };
    let put = event("s3:ObjectCreated:Put", "in/a.png");
    assert!(fits(&["oss:ObjectCreated:PutObject"], "", "", &put));
    assert!(fits(&["oss:ObjectCreated:*"], "in/", ".png", &put));
    assert!(!fits(&["oss:ObjectCreated:*"], "out/", "", &put));
    assert!(!fits(&["oss:ObjectCreated:*"], "", ".jpg", &put));
    assert!(!fits(&["oss:ObjectCreated:CopyObject", "oss:ObjectRemoved:*"], "", "", &put));
    assert!(fits(&["oss:ObjectRemoved:DeleteObject"], "", "", &event("ObjectRemoved:Delete", "x")));
    assert!(!fits(&["oss:ObjectCreated:*"], "", "", &ObjectEvent { bucket: "c".to_owned(), ..put }));
}

#[test]
fn what_never_happens_cannot_be_waited_for() {
    for (source, events, part) in [
        ("acs:oss:eu:1:b", &["oss:ObjectCreated:AppendObject"][..], "AppendObject"),
        ("acs:oss:eu:1:b", &["ObjectCreated:PutObject"], "use oss:"),
        ("acs:oss:eu:1:b", &[], "1 to 32 names"),
        ("acs:oss:eu:2:b", &["oss:ObjectCreated:*"], "another account"),
        ("", &["oss:ObjectCreated:*"], "acs:oss:{region}:{account}:{bucket}"),
        ("acs:oss:eu:1:b/x", &["oss:ObjectCreated:*"], "acs:oss:{region}:{account}:{bucket}"),
        ("acs:oss:eu:1:", &["oss:ObjectCreated:*"], "acs:oss:{region}:{account}:{bucket}"),
    ] {
        let error = filter(source, events, "", "").expect_err(source);
        assert!(error.contains(part), "{error}");
    }
    assert!(filter("acs:oss:::b", &["oss:ObjectCreated:*"], "", "").is_ok());
}

#[test]
fn functions_get_the_event_that_fc_documents() {
    let json: Value =
        serde_json::from_slice(&event("s3:ObjectCreated:Put", "a b+ü").to_json()).expect("JSON");
    assert_eq!(
        json,
        json!({"events": [{
            "eventName": "ObjectCreated:PutObject", "eventSource": "acs:oss",
            "eventTime": "2024-01-01T00:00:00.000Z", "eventVersion": "1.0",
            "oss": {
                "bucket": {"arn": "acs:oss:eu:o:b", "name": "b", "ownerIdentity": "o"},
                "object": {"deltaSize": 3, "eTag": "abc", "key": "a b+ü", "size": 3},
                "ossSchemaVersion": "1.0", "ruleId": "r",
            },
            "region": "eu", "requestParameters": {"sourceIPAddress": "10.0.0.1"},
            "responseElements": {"requestId": "q"}, "userIdentity": {"principalId": "p"},
        }]})
    );
    assert_eq!(ObjectEvent::name_of("s3:ObjectAccessed:Get"), None);
}

use serde_json::json;

use super::*;

#[track_caller]
fn check(pattern: &Value, event: &Value, expected: bool) {
    let parsed = Pattern::parse(&pattern.to_string()).expect("a pattern");
    assert_eq!(parsed.fits(event), expected, "{pattern} and {event}");
}

#[test]
fn every_field_must_fit_one_of_its_conditions() {
    let event = json!({
        "source": "acs.oss", "type": "made", "subject": "img/a.PNG", "number": 3,
        "data": {"tags": ["x", "y"], "deep": {"on": true, "none": null}},
    });
    for (pattern, expected) in [
        (json!({}), true),
        (json!({"source": ["acs.oss"]}), true),
        (json!({"source": ["acs.mns", "acs.oss"]}), true),
        (json!({"source": ["acs.mns"]}), false),
        (json!({"source": ["acs.oss"], "type": ["gone"]}), false),
        (json!({"number": [3]}), true),
        (json!({"number": ["3"]}), false),
        (json!({"subject": [{"prefix": "img/"}]}), true),
        (json!({"subject": [{"suffix": ".png"}]}), false),
        (json!({"subject": [{"equals-ignore-case": "IMG/a.png"}]}), true),
        (json!({"number": [{"prefix": "3"}]}), false),
        (json!({"type": [{"exists": true}]}), true),
        (json!({"missing": [{"exists": true}]}), false),
        (json!({"missing": [{"exists": false}]}), true),
        (json!({"missing": {"deeper": [{"exists": false}]}}), true),
        (json!({"missing": ["x"]}), false),
        (json!({"type": [{"anything-but": "gone"}]}), true),
        (json!({"type": [{"anything-but": ["made", "gone"]}]}), false),
        (json!({"type": [{"anything-but": {"prefix": "m"}}]}), false),
        (json!({"missing": [{"anything-but": "x"}]}), false),
        (json!({"data": {"tags": ["y"]}}), true),
        (json!({"data": {"tags": ["z"]}}), false),
        (json!({"data": {"tags": [{"anything-but": "y"}]}}), false),
        (json!({"data": {"deep": {"on": [true]}}}), true),
        (json!({"data": {"deep": {"none": [null]}}}), true),
        (json!({"source": {"deep": ["x"]}}), false),
    ] {
        check(&pattern, &event, expected);
    }
}

#[test]
fn what_is_no_pattern_is_refused_by_name() {
    for (text, part) in [
        ("", "not valid JSON"),
        ("[]", "must be a JSON object"),
        (r#"{"source": "acs.oss"}"#, "'source' must have a list"),
        (r#"{"source": []}"#, "list of 'source' is empty"),
        (r#"{"source": [["x"]]}"#, "list within"),
        (r#"{"source": [{}]}"#, "one operator"),
        (r#"{"source": [{"prefix": "a", "suffix": "b"}]}"#, "one operator"),
        (r#"{"source": [{"prefix": 1}]}"#, "must have a string"),
        (r#"{"source": [{"exists": "yes"}]}"#, "true or false"),
        (r#"{"data": {"n": [{"numeric": [">", 1]}]}}"#, "'numeric' of 'n' is not supported"),
        (r#"{"ip": [{"cidr": "10.0.0.0/8"}]}"#, "'cidr' of 'ip' is not supported"),
        (r#"{"source": [{"anything-but": {"exists": true}}]}"#, "takes values"),
    ] {
        let error = Pattern::parse(text).expect_err(text);
        assert!(error.contains(part), "{text}: {error}");
    }
    let long = format!(r#"{{"source": ["{}"]}}"#, "x".repeat(EVENT_PATTERN_BYTES_MAX));
    assert!(Pattern::parse(&long).expect_err("too long").contains("4096 bytes"));
}

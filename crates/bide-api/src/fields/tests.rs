use bide_types::ErrorCode;

use super::*;

fn fields(json: &str) -> Fields {
    Fields::parse(json.as_bytes()).expect("an object")
}

fn message<T: std::fmt::Debug>(outcome: Result<T, ApiError>) -> String {
    let error = outcome.expect_err("refused");
    assert_eq!(error.code, ErrorCode::InvalidArgument);
    error.message.into_owned()
}

#[test]
fn null_is_absent_and_zero_is_not() {
    let mut fields = fields(r#"{"a":null,"b":0,"c":"","d":false}"#);
    assert_eq!(fields.number("a", 0..=9_u32), Ok(None));
    assert_eq!(fields.number("b", 0..=9_u32), Ok(Some(0)));
    assert_eq!(fields.text("c"), Ok(Some(String::new())));
    assert_eq!(fields.flag("d"), Ok(Some(false)));
    assert_eq!(fields.text("e"), Ok(None));
}

#[test]
fn a_refusal_names_the_field_and_what_it_must_be() {
    for (json, expected) in [
        (r#"{"n":"1"}"#, "field 'n' must be a whole number from 1 to 9"),
        (r#"{"n":1.5}"#, "field 'n' must be a whole number from 1 to 9"),
        (r#"{"n":-1}"#, "field 'n' must be a whole number from 1 to 9"),
        (r#"{"n":10}"#, "field 'n' must be a whole number from 1 to 9"),
        (r#"{"n":4294967297}"#, "field 'n' must be a whole number from 1 to 9"),
    ] {
        assert_eq!(message(fields(json).number("n", 1..=9_u32)), expected, "{json}");
    }
    assert_eq!(message(fields(r#"{"t":1}"#).text("t")), "field 't' must be a string");
    assert_eq!(
        message(fields(r#"{"t":"abc"}"#).text_up_to("t", 2)),
        "field 't' must be at most 2 characters"
    );
    assert_eq!(message(fields(r#"{"f":"true"}"#).flag("f")), "field 'f' must be true or false");
    assert_eq!(message(fields(r#"{"l":["a",1]}"#).texts("l")), "field 'l' must be a list of strings");
    assert_eq!(message(fields(r#"{"o":[]}"#).object("o")), "field 'o' must be an object");
}

#[test]
fn nested_fields_are_named_by_their_path() {
    let mut outer = fields(r#"{"a":{"b":{"c":1}}}"#);
    let mut inner = outer.object("a").expect("an object").expect("present");
    let mut innermost = inner.object("b").expect("an object").expect("present");
    assert_eq!(message(innermost.text("c")), "field 'a.b.c' must be a string");
    assert_eq!(innermost.missing("d").message, "field 'a.b.d' is required");
}

#[test]
fn only_one_json_object_is_a_body() {
    assert!(Fields::parse(b"").is_ok());
    assert!(message(Fields::parse(b"{").map(|_| ())).contains("not valid JSON"));
    assert!(message(Fields::parse(b"{} {}").map(|_| ())).contains("not valid JSON"));
    assert!(message(Fields::parse(b"[]").map(|_| ())).contains("must be a JSON object"));
    assert!(message(Fields::parse(b"\xff").map(|_| ())).contains("not valid JSON"));
}

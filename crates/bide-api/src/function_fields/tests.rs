use serde_json::{Value, json};

use super::*;

fn read_json(json: &Value) -> Result<FunctionFields, ApiError> {
    read(&mut Fields::parse(json.to_string().as_bytes()).expect("an object"))
}

fn refusal(json: &Value) -> String {
    match read_json(json) {
        Ok(fields) => panic!("accepted: {fields:?}"),
        Err(error) => error.message.into_owned(),
    }
}

#[test]
fn what_is_not_sent_stays_unsaid() {
    let fields = read_json(&json!({"layers": ["x"], "timeout": null})).expect("valid");
    assert!(fields.timeout_seconds.is_none() && fields.package.is_none() && fields.environment.is_none());
}

#[test]
fn numbers_are_accepted_within_their_ranges_only() {
    for (field, good, bad) in [
        ("timeout", vec![1, 86_400], vec![0, 86_401]),
        ("initializationTimeout", vec![1, 300], vec![0, 301]),
        ("memorySize", vec![128, 192, 32_768], vec![127, 130, 32_832]),
        ("instanceConcurrency", vec![1, 200], vec![0, 201]),
        ("caPort", vec![1, 65_535], vec![0, 65_536]),
    ] {
        for value in good {
            assert!(read_json(&json!({field: value})).is_ok(), "{field} {value}");
        }
        for value in bad {
            assert!(refusal(&json!({field: value})).contains(field), "{field} {value}");
        }
    }
}

#[test]
fn texts_keep_their_rules() {
    assert!(refusal(&json!({"handler": ""})).contains("'handler'"));
    assert!(refusal(&json!({"handler": "h".repeat(129)})).contains("'handler'"));
    assert!(refusal(&json!({"runtime": "java8"})).contains("'runtime'"));
    assert!(refusal(&json!({"description": "d".repeat(257)})).contains("'description'"));
    assert_eq!(read_json(&json!({"initializer": ""})).expect("valid").initializer.as_deref(), Some(""));
}

#[test]
fn a_package_may_come_in_lines_but_with_nothing_else_between() {
    let empty_zip = "UEsFBgAAAAAA\r\nAAAAAAAAAAAA\nAAAAAA==\n";
    let fields = read_json(&json!({"code": {"zipFile": empty_zip}})).expect("valid");
    assert_eq!(fields.package.expect("said").code.size_bytes, 22);
    assert!(
        refusal(&json!({"code": {"zipFile": empty_zip.replace('\n', " ")}})).contains("not valid base64")
    );
}

#[test]
fn the_environment_is_bounded_and_its_names_are_plain() {
    let longest = "x".repeat(limits::ENVIRONMENT_BYTES_MAX - 1);
    assert!(read_json(&json!({"environmentVariables": {"K": longest}})).is_ok());
    for bad in [
        json!({"KK": longest}),
        json!({"1": ""}),
        json!({"_A": ""}),
        json!({"A-B": ""}),
        json!({"": ""}),
        json!({"FC_X": ""}),
        json!({"A": 1}),
        json!({"A": "\0"}),
    ] {
        let message = refusal(&json!({"environmentVariables": bad}));
        assert!(message.contains("environmentVariables"), "{message}");
    }
}

#[test]
fn a_custom_runtime_is_described_by_command_arguments_and_port() {
    let fields = read_json(&json!({
        "customRuntimeConfig": {"command": ["node"], "args": ["a.js"], "port": 8080}
    }))
    .expect("valid");
    assert_eq!(fields.custom_command.as_deref(), Some(&["node".to_owned(), "a.js".to_owned()][..]));
    assert_eq!(fields.custom_port, Some(8080));
    let fields = read_json(&json!({"caPort": 9001, "customContainerConfig": {"port": 8080}})).expect("valid");
    assert_eq!((fields.custom_port, fields.custom_command), (Some(9001), None));
    assert!(
        refusal(&json!({"customRuntimeConfig": {"command": "x"}})).contains("customRuntimeConfig.command")
    );
}

#[test]
fn code_comes_as_base64_of_a_zip() {
    // An empty archive: nothing but its end record.
    let empty = [&b"PK\x05\x06"[..], &[0; 18]].concat();
    let encoded = BASE64.encode(&empty);
    let package = read_json(&json!({"code": {"zipFile": encoded}})).expect("valid").package.expect("given");
    assert_eq!(package.zip, empty);
    assert_eq!((package.code.size_bytes, package.code.crc64), (22, checksum::crc64(&empty)));
    assert_eq!(package.code.digest, checksum::sha256_hex(&empty));
    assert!(refusal(&json!({"code": {"zipFile": "UEs="}})).contains("not a readable zip"));
    assert!(refusal(&json!({"code": {"zipFile": "%%"}})).contains("'code.zipFile'"));
    assert!(refusal(&json!({"code": {}})).contains("'code.zipFile' is required"));
    let message = refusal(&json!({"code": {"ossBucketName": "b", "ossObjectName": "o"}}));
    assert!(message.contains("not supported by bide: upload the package with 'code.zipFile'"), "{message}");
}

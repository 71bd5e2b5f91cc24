use serde_json::{Value, json};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::*;
use crate::checksum;

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
    let fields = read_json(&json!({"unknown": ["x"], "timeout": null})).expect("valid");
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
        json!({"topic": ""}),
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
    assert_eq!(fields.custom_command.as_deref(), Some(&["node".to_owned()][..]));
    assert_eq!(fields.custom_args.as_deref(), Some(&["a.js".to_owned()][..]));
    assert_eq!(fields.custom_port, Some(8080));
    let fields = read_json(&json!({"caPort": 9001, "customContainerConfig": {"port": 8080}})).expect("valid");
    assert_eq!((fields.custom_port, fields.custom_command), (Some(9001), None));
    assert!(
        refusal(&json!({"customRuntimeConfig": {"command": "x"}})).contains("customRuntimeConfig.command")
    );
}

#[test]
fn hooks_have_bounds_and_go_when_their_handler_is_empty() {
    let hooks = |config| read_json(&json!({"instanceLifecycleConfig": config}));
    let fields =
        hooks(json!({"preStop": {"handler": "index.stop", "timeout": 90}, "preFreeze": {}})).expect("valid");
    let stop = LifecycleHook { handler: "index.stop".to_owned(), timeout_seconds: 90 };
    assert_eq!((fields.pre_stop, fields.pre_freeze), (Some(Some(stop)), Some(None)));
    let fields = hooks(json!({"preStop": {"handler": "a.b"}})).expect("valid");
    let default = limits::HOOK_TIMEOUT_SECONDS_DEFAULT;
    assert_eq!(fields.pre_stop.flatten().map(|hook| hook.timeout_seconds), Some(default));
    assert_eq!(fields.pre_freeze, None);
    let message =
        refusal(&json!({"instanceLifecycleConfig": {"preFreeze": {"handler": "a.b", "timeout": 91}}}));
    assert!(message.contains("'instanceLifecycleConfig.preFreeze.timeout'"), "{message}");
}

#[test]
fn a_health_check_has_defaults_and_bounds() {
    let check = json!({"httpGetUrl": "/ready?now=1", "initialDelaySeconds": 5, "successThreshold": 2});
    for body in [
        json!({"customHealthCheckConfig": check}),
        json!({"customRuntimeConfig": {"healthCheckConfig": check}}),
    ] {
        let expected = HealthCheck {
            path: "/ready?now=1".to_owned(),
            initial_delay_seconds: 5,
            period_seconds: 3,
            timeout_seconds: 1,
            failure_threshold: 3,
            success_threshold: 2,
        };
        assert_eq!(read_json(&body).expect("valid").health_check, Some(Some(expected)));
    }
    let fields = read_json(&json!({"customHealthCheckConfig": {"httpGetUrl": ""}})).expect("valid");
    assert_eq!(fields.health_check, Some(None));
    for (field, value) in [
        ("httpGetUrl", json!("ready")),
        ("httpGetUrl", json!("/a b")),
        ("initialDelaySeconds", json!(121)),
        ("periodSeconds", json!(0)),
        ("timeoutSeconds", json!(4)),
        ("failureThreshold", json!(121)),
        ("successThreshold", json!(0)),
    ] {
        let mut check = json!({"httpGetUrl": "/"});
        check[field] = value;
        let message = refusal(&json!({"customHealthCheckConfig": check}));
        assert!(message.contains(field), "{message}");
    }
}

#[test]
fn disk_and_cpu_come_in_steps() {
    for size in [512, 10_240] {
        assert_eq!(read_json(&json!({"diskSize": size})).expect("valid").disk_mb, Some(size));
    }
    for (cores, millis) in
        [(json!(0.05), Some(50)), (json!(0.35), Some(350)), (json!(16), Some(16_000)), (json!(0), None)]
    {
        assert_eq!(read_json(&json!({"cpu": cores})).expect("valid").cpu_millis, Some(millis), "{cores}");
    }
    for bad in [json!({"diskSize": 0}), json!({"diskSize": 1024})] {
        assert!(refusal(&bad).contains("'diskSize'"));
    }
    for cores in [json!(0.03), json!(0.051), json!(16.05), json!(-1), json!("1")] {
        assert!(refusal(&json!({"cpu": cores})).contains("'cpu'"), "{cores}");
    }
}

#[test]
fn what_would_do_nothing_is_refused() {
    for bad in [
        json!({"gpuMemorySize": 16_384}),
        json!({"instanceType": "fc.gpu.tesla.1"}),
        json!({"customDNS": {}}),
    ] {
        refusal(&bad);
    }
    assert!(read_json(&json!({"gpuMemorySize": 0, "instanceType": "e1", "customDNS": null})).is_ok());
    assert!(refusal(&json!({"layers": vec!["x"; 6]})).contains("'layers'"));
    assert!(refusal(&json!({"customRuntimeConfig": {"args": ["a\0"]}})).contains("NUL"));
}

#[test]
fn a_command_line_that_no_launch_has_room_for_is_refused() {
    let config = |bytes| json!({"customRuntimeConfig": {"command": ["a"], "args": ["b".repeat(bytes)]}});
    assert!(read_json(&config(COMMAND_BYTES_MAX - 1)).is_ok());
    assert!(refusal(&config(COMMAND_BYTES_MAX)).contains("16384 bytes together"));
    assert!(refusal(&json!({"customRuntimeConfig": {"args": vec!["x"; 101]}})).contains("100 words"));
    assert!(refusal(&json!({"runtime": format!("python3.{}", "1".repeat(200))})).contains("'runtime'"));
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

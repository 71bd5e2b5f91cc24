//! The examples of the repository: built as their first lines say, deployed by the command line, run both ways.
//!
//! What a machine has no compiler for is skipped, and said so.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{
    ACCOUNT, KEY_ID, KEY_SECRET, World, bide, curl, example, have, have_curl, run, status, text,
};

async fn deploy(world: &World, name: &str, runtime: &str, code: &Path) {
    let (function, code) = (format!("it/{name}"), code.to_string_lossy());
    let arguments = ["deploy", &function, "--runtime", runtime, "--code", &code, "--timeout", "30", "--http"];
    let output = bide(&world.server, &arguments).await;
    assert_eq!(output.code, 0, "{output:?}");
}

/// Compiles an example into a package of its own.
async fn built(world: &World, mut compiler: Command, source: &str) -> PathBuf {
    let package = world.dir.path().join("package");
    std::fs::create_dir_all(&package).unwrap();
    compiler.arg("-o").arg(package.join("bootstrap")).arg(example(source));
    let output = run(compiler).await;
    assert_eq!(output.code, 0, "{output:?}");
    package
}

/// What the three custom runtimes have in common: they count words, and fail without any. `query` is an HTTP call with
/// three of them.
async fn counts_words(world: &World, query: &str) {
    world.api.configure("words", json!({ "maxAsyncRetryAttempts": 1 })).await;
    for _ in 0..2 {
        let answer = world.api.invoke("words", "three little words").await;
        let counted: Value =
            serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("{}", text(&answer)));
        let expected = json!({ "words": 3, "requestId": answer.header("x-fc-request-id"), "attempt": "0" });
        assert_eq!(counted, expected);
    }
    let failed = world.api.invoke("words", "").await;
    assert_eq!(failed.header("x-fc-error-type"), "UnhandledInvocationError");
    assert!(text(&failed).contains("EmptyEvent"), "{}", text(&failed));

    world.api.submit_task("words", "good", "four words in all").await;
    let task = world.api.settled("words", "good").await;
    let result: Value = serde_json::from_str(task["returnPayload"].as_str().unwrap()).unwrap();
    assert_eq!((&result["words"], &result["requestId"]), (&json!(4), &task["requestId"]));
    world.api.submit_task("words", "bad", "").await;
    let task = world.api.settled("words", "bad").await;
    assert_eq!((status(&task), &task["alreadyRetriedTimes"]), ("Failed", &json!(1)));
    if have_curl() {
        counts_words_over_http(world, query).await;
    }
}

async fn counts_words_over_http(world: &World, query: &str) {
    let target = format!("/2016-08-15/proxy/it/words/?{query}");
    let reply = curl(&world.server, "localhost", &target, &[]).await;
    let expected = json!({ "words": 3, "requestId": reply.header("x-fc-request-id"), "attempt": "0" });
    assert_eq!((reply.status, reply.json()), (200, expected));

    let later = ["--header", "x-fc-invocation-type: Async", "--header", "x-fc-async-task-id: later"];
    world.api.configure("words", json!({ "statefulInvocation": true })).await;
    assert_eq!(curl(&world.server, "localhost", &target, &later).await.status, 202);
    let task = world.api.settled("words", "later").await;
    let result: Value = serde_json::from_str(task["returnPayload"].as_str().unwrap()).unwrap();
    assert_eq!((&result["words"], &result["requestId"]), (&json!(3), &task["requestId"]));
}

#[tokio::test]
async fn a_custom_runtime_in_go() {
    if !have("go", "version") {
        return;
    }
    let world = World::start().await;
    let mut compiler = Command::new("go");
    compiler.arg("build").env("CGO_ENABLED", "0");
    let package = built(&world, compiler, "custom-go/main.go").await;
    deploy(&world, "words", "custom", &package).await;
    counts_words(&world, "text=three+little+words").await;
}

#[tokio::test]
async fn a_custom_runtime_in_rust() {
    if !have("rustc", "--version") {
        return;
    }
    let world = World::start().await;
    let mut compiler = Command::new("rustc");
    compiler.arg("-O");
    let package = built(&world, compiler, "custom-rust/main.rs").await;
    deploy(&world, "words", "custom", &package).await;
    counts_words(&world, "text=three+little+words").await;
}

#[tokio::test]
async fn a_custom_runtime_in_shell() {
    if !have("perl", "-v") {
        return;
    }
    let world = World::start().await;
    deploy(&world, "words", "custom", &example("custom-shell")).await;
    counts_words(&world, "three+little+words").await;
}

#[tokio::test]
async fn a_deferred_task_whose_result_reaches_its_destination() {
    let world = World::start().await;
    for function in ["report", "results"] {
        let (name, code) = (format!("demo/{function}"), example("deferral").join(function));
        let code = code.to_string_lossy();
        let output = bide(&world.server, &["deploy", &name, "--runtime", "python3", "--code", &code]).await;
        assert_eq!(output.code, 0, "{output:?}");
    }
    let mut client = Command::new("python3");
    client
        .arg(example("deferral/submit.py"))
        .env("BIDE_ENDPOINT", world.server.endpoint())
        .env("BIDE_ACCOUNT_ID", ACCOUNT)
        .env("BIDE_ACCESS_KEY_ID", KEY_ID)
        .env("BIDE_ACCESS_KEY_SECRET", KEY_SECRET);
    let output = run(client).await;
    assert_eq!(output.code, 0, "{output:?}");
    let lines: Vec<_> = output.stdout.lines().collect();
    assert!(lines[0].starts_with("accepted report-"), "{lines:?}");
    assert_eq!(lines[1], "Succeeded after 2 attempts");
    assert_eq!(lines[2], r#"the destination has {"words": 3, "attempts": 2}"#);
}

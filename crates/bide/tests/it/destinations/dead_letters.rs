//! What cannot be delivered becomes a dead letter, outlives a kill, and is delivered when it is redriven.
//!
//! A cycle of functions is the way to a dead letter that takes no hour: its ninth record is given up at once.

use serde_json::{Value, json};

use crate::support::{Function, Server, World, bide, until};

/// Runs `bide deadletters` with these words and reads what it prints.
async fn deadletters(server: &Server, words: &[&str]) -> Value {
    let output = bide(server, &[&["deadletters", "--output", "json"], words].concat()).await;
    if output.code == 0 && output.stdout.is_empty() { Value::Null } else { output.json() }
}

#[tokio::test]
async fn a_record_that_nobody_takes_is_kept_shown_redriven_and_purged() {
    let mut world = World::start().await;
    let says = "def handler(event, context):\n    return 'said'\n";
    for (name, other) in [("ping", "pong"), ("pong", "ping")] {
        world.api.deploy(name, Function::python(says)).await;
        let target = json!({ "destination": world.api.arn(other) });
        world.api.configure(name, json!({ "destinationConfig": { "onSuccess": target } })).await;
    }
    world.api.submit("ping", "go", &[]).await.expect("accepted");
    let letters = until("a dead letter", async || {
        let letters = deadletters(&world.server, &["list"]).await;
        (!letters.as_array().expect("a list").is_empty()).then_some(letters)
    })
    .await;
    let id = letters[0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(letters.as_array().map(Vec::len), Some(1), "{letters}");
    assert_eq!(letters[0]["reason"], "too many destinations follow on one another");
    world.crash().await;
    let letter = deadletters(&world.server, &["show", &id]).await;
    assert_eq!(letter["record"]["responsePayload"], "said");
    assert_eq!(letter["id"], id.as_str());

    assert_eq!(deadletters(&world.server, &["redrive", "--all"]).await, json!({ "changed": 1 }));
    let again = until("it is given up again", async || {
        let letters = deadletters(&world.server, &["list"]).await;
        let since = letters[0]["since"].as_u64()?;
        (Some(since) > letter["since"].as_u64()).then_some(letters)
    })
    .await;
    assert_eq!((&again[0]["id"], &again[0]["attempts"]), (&json!(id), &json!(1)));
    deadletters(&world.server, &["purge", &id]).await;
    assert_eq!(deadletters(&world.server, &["list"]).await, json!([]));
    let missing = bide(&world.server, &["deadletters", "show", &id]).await;
    assert!(missing.code != 0 && missing.stderr.contains("DeadLetterNotFound"), "{missing:?}");
}

//! Destination records that were given up.

use serde_json::{Value, json};

use crate::fixture::{CONFIG, Edge};

const LETTERS: &str = "/bide/v1/deadletters";

/// `f` and `g` send their results to each other, so the ninth record is given up.
async fn with_a_letter() -> (Edge, Value) {
    let edge = Edge::new().await;
    let to = |name: &str| {
        let target = format!("acs:fc:::services/s/functions/{name}");
        json!({"destinationConfig": {"onSuccess": {"destination": target}}})
    };
    edge.put(CONFIG, to("g")).await.ok();
    edge.put("/2016-08-15/services/s/functions/g/async-invoke-config", to("f")).await.ok();
    edge.submit(&[], "x").await.ok();
    for _ in 0..1000 {
        let list = edge.get(LETTERS).await.json();
        if list["deadLetters"].as_array().is_some_and(|letters| letters.len() == 1) {
            let letter = list["deadLetters"][0].clone();
            return (edge, letter);
        }
        tokio::task::yield_now().await;
    }
    panic!("no dead letter");
}

#[tokio::test]
async fn a_dead_letter_is_listed_shown_and_dropped() {
    let (edge, letter) = with_a_letter().await;
    let (id, attempts) = (letter["id"].as_str().expect("an id"), &letter["attempts"]);
    assert_eq!((&letter["condition"], attempts), (&json!(""), &json!(1)));
    assert_eq!(letter["reason"], "too many destinations follow on one another");
    let shown = edge.get(&format!("{LETTERS}/{id}")).await.json();
    assert_eq!((&shown["id"], &shown["destination"]), (&letter["id"], &letter["destination"]));
    assert_eq!(shown["record"]["requestContext"]["functionArn"], letter["functionArn"]);
    assert_eq!(edge.delete(&format!("{LETTERS}/{id}")).await.json(), json!({"changed": 1}));
    edge.get(&format!("{LETTERS}/{id}")).await.error(404, "DeadLetterNotFound");
    edge.delete(&format!("{LETTERS}/{id}")).await.error(404, "DeadLetterNotFound");
    assert_eq!(edge.get(LETTERS).await.json(), json!({"deadLetters": []}));
    assert_eq!(edge.delete(LETTERS).await.json(), json!({"changed": 0}));
}

#[tokio::test]
async fn what_is_no_call_about_dead_letters_is_refused() {
    let edge = Edge::new().await;
    edge.get(&format!("{LETTERS}/inv-1")).await.error(404, "DeadLetterNotFound");
    for wrong in ["1", "inv-", "inv-x"] {
        edge.get(&format!("{LETTERS}/{wrong}")).await.error(400, "InvalidArgument");
    }
    edge.get(&format!("{LETTERS}?nextToken=x")).await.error(400, "InvalidArgument");
    edge.get(&format!("{LETTERS}?limit=101")).await.error(400, "InvalidArgument");
    edge.get(&format!("{LETTERS}/inv-1/redrive")).await.error(400, "PathNotSupported");
    edge.get("/bide/v1/deadlettersand").await.error(400, "PathNotSupported");
    let unsigned = edge.send_unsigned("DELETE", LETTERS, &[], "").await;
    assert!(unsigned.status == 400 || unsigned.status == 403, "{}", unsigned.status);
}

//! Provision and on-demand configurations, and the list of instances.

use bide_engine::Listing;
use bide_types::Qualifier;
use serde_json::{Value, json};

use crate::fixture::{ACCOUNT, Edge, FUNCTION, INVOCATIONS, SERVICES};

const PROVISION: &str = "/2016-08-15/services/s.LATEST/functions/f/provision-config";
const ON_DEMAND: &str = "/2016-08-15/services/s.LATEST/functions/f/on-demand-config";

#[tokio::test]
async fn instances_are_kept_ready_until_the_target_is_zero() {
    let edge = Edge::new().await;
    edge.get(PROVISION).await.error(404, "ProvisionConfigNotFound");
    let expected = json!({"resource": format!("{ACCOUNT}#s#LATEST#f"), "target": 3, "current": 3});
    assert_eq!(edge.put(PROVISION, json!({"target": 3})).await.json(), expected);
    assert_eq!(edge.get(PROVISION).await.json(), expected);
    let account = bide_types::AccountId::new(ACCOUNT).expect("valid");
    let (functions, _) = edge
        .engine
        .functions(&account, "s", &Qualifier::latest(), &Listing { limit: 1, ..Listing::default() })
        .expect("there");
    let assigned = || edge.executor.assigned(functions[0].id, &Qualifier::latest()).expect("told");
    assert_eq!(assigned().scale.provisioned, 3);
    edge.put(FUNCTION, json!({"timeout": 9})).await.ok();
    assert_eq!((assigned().scale.provisioned, assigned().function.timeout_seconds), (3, 9));
    edge.put(&format!("{SERVICES}/s"), json!({"internetAccess": true})).await.ok();
    assert!(assigned().internet_access, "a change of the service reaches the instances of its functions");

    let message = edge.delete(FUNCTION).await.error(409, "ProvisionConfigExist");
    assert!(message.contains("target"), "{message}");
    assert_eq!(edge.put(PROVISION, json!({"target": 0})).await.json()["target"], 0);
    edge.get(PROVISION).await.error(404, "ProvisionConfigNotFound");
    assert_eq!(edge.delete(FUNCTION).await.status, 204);
}

#[tokio::test]
async fn provision_configurations_are_listed_by_pages() {
    let edge = Edge::new().await;
    for function in ["f", "g"] {
        edge.put(&PROVISION.replace("/f/", &format!("/{function}/")), json!({"target": 1})).await.ok();
    }
    let page = edge.get("/2016-08-15/provision-configs?limit=1").await.json();
    let next = format!("{ACCOUNT}#s#LATEST#g");
    assert_eq!(page["provisionConfigs"][0]["resource"], format!("{ACCOUNT}#s#LATEST#f"));
    assert_eq!(page["nextToken"], next);
    let token = next.replace('#', "%23");
    let page = edge.get(&format!("/2016-08-15/provision-configs?limit=1&nextToken={token}")).await.json();
    assert_eq!((&page["provisionConfigs"][0]["resource"], &page["nextToken"]), (&json!(next), &Value::Null));
    let none = edge.get("/2016-08-15/provision-configs?serviceName=t").await.json();
    assert_eq!(none["provisionConfigs"], json!([]));
}

#[tokio::test]
async fn on_demand_instances_are_capped_and_the_cap_is_taken_away() {
    let edge = Edge::new().await;
    edge.get(ON_DEMAND).await.error(404, "OnDemandConfigNotFound");
    edge.delete(ON_DEMAND).await.error(404, "OnDemandConfigNotFound");
    let put = edge.put(ON_DEMAND, json!({"maximumInstanceCount": 0})).await;
    let expected = json!({"resource": "services/s.LATEST/functions/f", "maximumInstanceCount": 0});
    assert_eq!(put.json(), expected);
    let got = edge.get(ON_DEMAND).await;
    assert_eq!((got.json(), got.header("etag")), (expected.clone(), put.header("etag")));
    let tag = put.header("etag").expect("a tag").to_owned();
    edge.put(ON_DEMAND, json!({"maximumInstanceCount": 7})).await.ok();
    edge.send("PUT", ON_DEMAND, &[("if-match", &tag)], "{\"maximumInstanceCount\":8}")
        .await
        .error(412, "PreconditionFailed");
    let list = edge.get("/2016-08-15/on-demand-configs?prefix=services/s").await.json();
    assert_eq!(list["configs"][0]["maximumInstanceCount"], 7);
    assert_eq!(edge.get("/2016-08-15/on-demand-configs?prefix=x").await.json()["configs"], json!([]));
    assert_eq!(edge.delete(ON_DEMAND).await.status, 204);
    edge.get(ON_DEMAND).await.error(404, "OnDemandConfigNotFound");
}

#[tokio::test]
async fn each_wrong_request_has_its_code() {
    let edge = Edge::new().await;
    for (path, body) in [
        (PROVISION, json!({})),
        (PROVISION, json!({"target": -1})),
        (PROVISION, json!({"target": 10_001})),
        (PROVISION, json!({"target": 1, "scheduledActions": [{}]})),
        (ON_DEMAND, json!({"maximumInstanceCount": "1"})),
        (ON_DEMAND, json!({})),
    ] {
        edge.put(path, body).await.error(400, "InvalidArgument");
    }
    for path in [PROVISION, ON_DEMAND] {
        edge.put(&path.replace("/f/", "/none/"), json!({"target": 1})).await.error(404, "FunctionNotFound");
        edge.put(&path.replace("LATEST", "prod"), json!({"target": 1})).await.error(404, "AliasNotFound");
    }
    edge.get(&format!("{FUNCTION}/instances?limit=0")).await.error(400, "InvalidArgument");
}

#[tokio::test]
async fn instances_are_listed() {
    let edge = Edge::new().await;
    let instances = format!("{FUNCTION}/instances");
    assert_eq!(edge.get(&instances).await.json(), json!({"instances": []}));
    let request = edge.signed("POST", INVOCATIONS, &[]).body("hold".into()).expect("a request");
    let list = async {
        edge.executor.until(|executor| !executor.held().is_empty()).await;
        let expected = json!({"instances": [{"instanceId": "c-fake", "versionId": 0}]});
        assert_eq!(edge.get(&instances).await.json(), expected);
        assert_eq!(
            edge.get(&format!("{instances}?instanceIds.1=c-fake&instanceIds.2=x")).await.json(),
            expected
        );
        assert_eq!(edge.get(&format!("{instances}?instanceIds=x")).await.json(), json!({"instances": []}));
        let shown = edge.get("/bide/v1/instances").await.json();
        let instance = json!({
            "serviceName": "s", "functionName": "f", "qualifier": "LATEST", "instanceId": "c-fake",
            "state": "Busy", "memoryMaxMb": 1.0,
        });
        assert_eq!(shown, json!({"instances": [instance]}));
        let held = edge.executor.held();
        edge.executor.release(&held[0], bide_engine::AttemptResult::Returned(bytes::Bytes::new()));
    };
    let (reply, ()) = tokio::join!(edge.exchange(request), list);
    assert_eq!(reply.status, 200);
}

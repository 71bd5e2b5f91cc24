//! A client of the API with the calls that tests make; everything is in one service.

use bide_client::{Answer, Client, ClientError};
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use super::{Function, Server, credential, until};

/// The service of all functions.
pub(crate) const SERVICE: &str = "it";
const API: &str = "/2016-08-15";
const PAGE: &str = "limit=100";

pub(crate) struct Api {
    client: Client,
}

impl Api {
    pub(crate) fn of(server: &Server) -> Self {
        Self { client: Client::new(server.endpoint(), credential()).unwrap() }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The path of a function.
    pub(crate) fn path(name: &str) -> String {
        format!("{API}/services/{SERVICE}/functions/{name}")
    }

    /// The resource name of a function, as a destination.
    pub(crate) fn arn(&self, name: &str) -> String {
        format!("acs:fc::{}:services/{SERVICE}.LATEST/functions/{name}", self.client.account())
    }

    /// Creates a function, and the service before the first.
    pub(crate) async fn deploy(&self, name: &str, function: Function) {
        let service = json!({ "serviceName": SERVICE });
        match self.client.json(Method::POST, &format!("{API}/services"), Some(&service)).await {
            Err(error) if !error.is_refusal("ServiceAlreadyExists") => panic!("{error}"),
            _ => {}
        }
        let mut fields = function.into_fields();
        fields["functionName"] = name.into();
        let functions = format!("{API}/services/{SERVICE}/functions");
        self.client.json(Method::POST, &functions, Some(&fields)).await.expect("deployed");
    }

    pub(crate) async fn update(&self, name: &str, function: Function) {
        let fields = function.into_fields();
        self.client.json(Method::PUT, &Self::path(name), Some(&fields)).await.expect("updated");
    }

    pub(crate) async fn delete(&self, name: &str) {
        self.client.json(Method::DELETE, &Self::path(name), None).await.expect("deleted");
    }

    /// Gives a function an address of its own, by a trigger of type `http`, and returns the trigger.
    pub(crate) async fn open(&self, name: &str, config: Value) -> Value {
        let trigger = json!({ "triggerName": "http", "triggerType": "http", "triggerConfig": config });
        let path = format!("{}/triggers", Self::path(name));
        self.client.json(Method::POST, &path, Some(&trigger)).await.expect("created")
    }

    /// Leads every path of a host to a function.
    pub(crate) async fn route(&self, host: &str, name: &str) {
        let routes = json!([{ "path": "/*", "serviceName": SERVICE, "functionName": name }]);
        let domain = json!({ "domainName": host, "protocol": "HTTP", "routeConfig": { "routes": routes } });
        let domains = format!("{API}/custom-domains");
        self.client.json(Method::POST, &domains, Some(&domain)).await.expect("created");
    }

    /// Changes fields of the service.
    pub(crate) async fn update_service(&self, fields: Value) {
        let path = format!("{API}/services/{SERVICE}");
        self.client.json(Method::PUT, &path, Some(&fields)).await.expect("updated");
    }

    /// Puts the configuration of asynchronous invocations.
    pub(crate) async fn configure(&self, name: &str, config: Value) {
        let path = format!("{}/async-invoke-config", Self::path(name));
        self.client.json(Method::PUT, &path, Some(&config)).await.expect("configured");
    }

    /// Runs a function and waits for its answer, whatever the function says.
    pub(crate) async fn invoke(&self, name: &str, event: impl Into<Bytes>) -> Answer {
        self.try_invoke(name, event, &[]).await.expect("invoked")
    }

    pub(crate) async fn try_invoke(
        &self,
        name: &str,
        event: impl Into<Bytes>,
        headers: &[(&'static str, String)],
    ) -> Result<Answer, ClientError> {
        let path = format!("{}/invocations", Self::path(name));
        self.client.call(Method::POST, &path, headers, event.into()).await
    }

    pub(crate) async fn submit(
        &self,
        name: &str,
        event: impl Into<Bytes>,
        headers: &[(&'static str, String)],
    ) -> Result<Answer, ClientError> {
        let mut headers = headers.to_vec();
        headers.push(("x-fc-invocation-type", "Async".to_owned()));
        let answer = self.try_invoke(name, event, &headers).await?;
        assert_eq!((answer.status, answer.body.len()), (202, 0));
        Ok(answer)
    }

    /// Submits a task under an id, to run after some seconds.
    pub(crate) async fn try_submit_task(
        &self,
        name: &str,
        id: &str,
        delay_seconds: u64,
        event: impl Into<Bytes>,
    ) -> Result<Answer, ClientError> {
        let headers = [
            ("x-fc-stateful-async-invocation-enable", "true".to_owned()),
            ("x-fc-stateful-async-invocation-id", id.to_owned()),
            ("x-fc-async-delay", delay_seconds.to_string()),
        ];
        self.submit(name, event, &headers).await
    }

    /// Submits a task under an id, to run now.
    pub(crate) async fn submit_task(&self, name: &str, id: &str, event: impl Into<Bytes>) {
        self.submit_task_in(name, id, 0, event).await;
    }

    pub(crate) async fn submit_task_in(
        &self,
        name: &str,
        id: &str,
        delay_seconds: u64,
        event: impl Into<Bytes>,
    ) {
        let answer = self.try_submit_task(name, id, delay_seconds, event).await.expect("accepted");
        assert_eq!(answer.header("x-fc-stateful-async-invocation-id"), id);
    }

    fn task_path(name: &str, id: &str) -> String {
        format!("{}/stateful-async-invocations/{id}", Self::path(name))
    }

    pub(crate) async fn try_task(&self, name: &str, id: &str) -> Result<Value, ClientError> {
        self.client.json(Method::GET, &Self::task_path(name, id), None).await
    }

    pub(crate) async fn task(&self, name: &str, id: &str) -> Value {
        self.try_task(name, id).await.expect("the task exists")
    }

    pub(crate) async fn stop_task(&self, name: &str, id: &str) {
        self.client.json(Method::PUT, &Self::task_path(name, id), None).await.expect("stopped");
    }

    /// Waits until the task has a status that fits.
    pub(crate) async fn task_when(&self, name: &str, id: &str, fits: impl Fn(&str) -> bool) -> Value {
        until(&format!("the status of task {id}"), async || {
            let task = self.task(name, id).await;
            fits(status(&task)).then_some(task)
        })
        .await
    }

    /// Waits until the task has come to its end.
    pub(crate) async fn settled(&self, name: &str, id: &str) -> Value {
        self.task_when(name, id, is_final).await
    }

    /// Waits until the record of the task's end has been handed to its destination.
    pub(crate) async fn delivered(&self, name: &str, id: &str) -> Value {
        until(&format!("the delivery of task {id}"), async || {
            let task = self.task(name, id).await;
            (task["destinationStatus"] == "Succeeded").then_some(task)
        })
        .await
    }

    /// Every task of a function, with its event, oldest first.
    pub(crate) async fn tasks(&self, name: &str) -> Vec<Value> {
        let mut tasks = Vec::new();
        let mut token = String::new();
        loop {
            let path = format!(
                "{}/stateful-async-invocations?{PAGE}&sortOrderByTime=asc&includePayload=true{token}",
                Self::path(name)
            );
            let mut page = self.client.json(Method::GET, &path, None).await.expect("listed");
            tasks.append(page["invocations"].as_array_mut().expect("a list"));
            match page["nextToken"].as_str() {
                Some(next) => token = format!("&nextToken={next}"),
                None => return tasks,
            }
        }
    }

    pub(crate) async fn status(&self) -> Value {
        self.client.json(Method::GET, "/bide/v1/status", None).await.expect("the status")
    }

    /// What became of everything that a function was sent.
    pub(crate) async fn ledger(&self, name: &str) -> Value {
        let status = self.status().await;
        let functions = status["functions"].as_array().expect("a list");
        functions.iter().find(|function| function["functionName"] == name).expect("the function")["ledger"]
            .clone()
    }
}

pub(crate) fn is_final(status: &str) -> bool {
    matches!(status, "Succeeded" | "Failed" | "Stopped" | "Expired" | "Invalid")
}

pub(crate) fn status(task: &Value) -> &str {
    task["status"].as_str().expect("a status")
}

pub(crate) fn events(task: &Value) -> &[Value] {
    task["events"].as_array().expect("events")
}

/// The statuses of a task's events, in order.
pub(crate) fn statuses(task: &Value) -> Vec<&str> {
    events(task).iter().map(status).collect()
}

pub(crate) fn text(answer: &Answer) -> &str {
    std::str::from_utf8(&answer.body).expect("text")
}

/// Status and code of a refusal.
pub(crate) fn code_of<T>(result: Result<T, ClientError>) -> (u16, String) {
    match result {
        Err(ClientError::Refused { status, code, .. }) => (status, code),
        Err(error) => panic!("not refused, but: {error}"),
        Ok(_) => panic!("not refused"),
    }
}

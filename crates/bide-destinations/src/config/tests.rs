use bide_engine::Destinations as _;
use bide_env::SystemClock;

use super::*;
use crate::Targets;

fn targets(text: &str) -> Result<Targets, String> {
    #[derive(Debug, Deserialize)]
    struct File {
        destinations: Vec<Entry>,
    }
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    Targets::new(file.destinations, &clock).map_err(|error| error.to_string())
}

fn entry(rest: &str) -> String {
    format!("[[destinations]]\narn = \"acs:mns:*:*:/queues/*/messages\"\n{rest}\n")
}

#[test]
fn the_first_entry_that_fits_counts() {
    let exact = "[[destinations]]\narn = \"acs:mns:*:*:/queues/orders/messages\"\nconcurrency = 2\n\
                 timeout_seconds = 3\ntarget = { kind = \"http\", url = \"http://a.example/hook\" }\n";
    let rest =
        entry("target = { kind = \"http\", url = \"http://b.example/{name}\", format = \"cloudevents\" }");
    let targets = targets(&format!("{exact}{rest}")).expect("valid");
    let orders = targets.find("acs:mns:local:1:/queues/orders/messages").expect("mapped");
    assert_eq!((orders.concurrency, orders.timeout), (2, Duration::from_secs(3)));
    let other = targets.find("acs:mns:local:1:/queues/other/messages").expect("mapped");
    assert_eq!((other.concurrency, other.timeout), (CONCURRENCY_DEFAULT, TIMEOUT_DEFAULT));
    assert_ne!(orders.name, other.name);
    assert!(targets.find("acs:mns:local:1:/topics/orders/messages").is_none());
}

#[test]
fn what_cannot_work_is_refused_with_the_entry() {
    for (rest, says) in [
        ("target = { kind = \"http\", url = \"ftp://a.example\" }", "must begin with http:// or https://"),
        ("target = { kind = \"http\", url = \"http://u:p@a.example\" }", "must not hold a password"),
        ("target = { kind = \"http\", url = \"http://{name}.example/\" }", "in the path and the query only"),
        ("target = { kind = \"http\", url = \"http://a.example/{queue}\" }", "braces"),
        ("target = { kind = \"http\", url = \"http://127.0.0.1/\" }", "allow_private"),
        ("target = { kind = \"http\", url = \"http://[::1]:80/\" }", "allow_private"),
        (
            "target = { kind = \"http\", url = \"http://a.example/\", secret = { file = \"/does/not/exist\" } }",
            "/does/not/exist",
        ),
        (
            "target = { kind = \"http\", url = \"http://a.example/\", secret = { env = \"BIDE_TEST_UNSET\" } }",
            "BIDE_TEST_UNSET",
        ),
        (
            "attempts = 21\ntarget = { kind = \"http\", url = \"http://a.example/\" }",
            "attempts must be from 1 to 20",
        ),
        ("concurrency = 0\ntarget = { kind = \"http\", url = \"http://a.example/\" }", "concurrency"),
        (
            "timeout_seconds = 61\ntarget = { kind = \"http\", url = \"http://a.example/\" }",
            "timeout_seconds",
        ),
        ("target = { kind = \"http\", url = \"http://a.example/\", uri = \"x\" }", "uri"),
        ("target = { kind = \"smtp\" }", "smtp"),
        ("target = { kind = \"nats\", url = \"redis://a.example\", subject = \"s\" }", "nats:// or tls://"),
        (
            "target = { kind = \"nats\", url = \"nats://u:p@a.example\", subject = \"s\" }",
            "must not hold a password",
        ),
        (
            "target = { kind = \"nats\", url = \"nats://a.example\", subject = \"s\", username = \"u\" }",
            "it needs a password",
        ),
        ("target = { kind = \"kafka\", brokers = [] }", "brokers: from 1 to 16"),
        ("target = { kind = \"kafka\", brokers = [\"a.example\"] }", "'a.example' is not host:port"),
        (
            "target = { kind = \"kafka\", brokers = [\"a.example:1\"], username = \"u\" }",
            "one needs the other",
        ),
        ("target = { kind = \"kafka\", brokers = [\"a.example:1\"], mechanism = \"gssapi\" }", "gssapi"),
        (
            "target = { kind = \"amqp\", host = \"a\", username = \"u\", password = { env = \"BIDE_TEST_UNSET\" } }",
            "BIDE_TEST_UNSET",
        ),
        ("target = { kind = \"redis\", host = \"a.example\", stream = \"{queue}\" }", "braces"),
        ("tarjet = 1\ntarget = { kind = \"http\", url = \"http://a.example/\" }", "tarjet"),
    ] {
        let refused = targets(&entry(rest)).err().expect(rest);
        assert!(refused.contains(says), "{rest}: {refused}");
    }
    let refused = targets(&entry("target = { kind = \"http\", url = \"x\" }")).err().expect("refused");
    assert!(refused.contains("acs:mns:*:*:/queues/*/messages"), "{refused}");
}

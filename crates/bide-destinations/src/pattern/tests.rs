use super::*;

fn fits(pattern: &str, name: &str) -> bool {
    Pattern::new(pattern).expect(pattern).fits(name)
}

#[test]
fn a_star_stands_for_one_part_of_a_name() {
    let name = "acs:mns:local:10001:/queues/orders-eu/messages";
    for pattern in [
        name,
        "acs:mns:*:*:/queues/orders-eu/messages",
        "acs:mns:*:10001:/queues/*/messages",
        "acs:mns:*:*:/queues/orders-*/messages",
        "acs:mns:*:*:/queues/*-*/messages",
        "acs:mns:local:10001:/queues/orders-eu*/messages",
    ] {
        assert!(fits(pattern, name), "{pattern}");
    }
    for pattern in [
        "acs:mns:*:*:/topics/*/messages",
        "acs:mns:*:10002:/queues/*/messages",
        "acs:mns:*:*:/queues/orders/messages",
        "acs:mns:*:*:/queues/*-us/messages",
        "acs:eventbridge:*:*:eventbus/*",
    ] {
        assert!(!fits(pattern, name), "{pattern}");
    }
    assert!(fits("acs:mq:*:*:/instances/*/topics/*", "acs:mq:local:1:/instances/i/topics/t"));
}

#[test]
fn what_no_resource_name_can_fit_is_refused() {
    for (pattern, says) in [
        ("", "not supported"),
        ("*", "not supported"),
        ("acs:mns:*:*:/queues/*", "not supported"),
        ("acs:oss:*:*:bucket", "not supported"),
        ("acs:fc:*:*:services/s/functions/f", "functions need no entry"),
        ("acs:mns:*:*:/queues/*********/messages", "more than 8"),
    ] {
        let refused = Pattern::new(pattern).expect_err(pattern);
        assert!(refused.contains(says), "{pattern}: {refused}");
    }
}

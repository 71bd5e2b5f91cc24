use super::*;

#[test]
fn names_with_and_without_region_account_and_qualifier_are_read() {
    let function = |text| match parse(text) {
        Ok(DestinationArn::Function(arn)) => arn,
        other => panic!("{other:?}"),
    };
    let arn = function("acs:fc:::services/s/functions/f");
    assert_eq!(arn.account, None);
    assert!(arn.qualifier.is_latest());
    let arn = function("acs:fc:local:10001:services/s.prod/functions/f");
    assert_eq!(arn.qualifier.as_str(), "prod");
    let account = AccountId::new("10001").expect("valid");
    let text = format("local", &account, &arn.service, &arn.qualifier, &arn.function);
    assert_eq!(function(&text), arn);
}

#[test]
fn other_targets_are_refused_with_advice() {
    for text in [
        "",
        "acs:mns:r:1:/queues/q",
        "acs:mns:r:1:/queues//messages",
        "acs:mns:r:1:/queues/../messages",
        "acs:mns:r:1:/queues/a b/messages",
        "acs:mns:r:1:/buckets/q/messages",
        "acs:mns:a b:1:/queues/q/messages",
        "acs:oss:r:1:bucket",
        "acs:eventbridge:r:1:bus/b",
        "acs:mq:r:1:topic",
        "acs:fc:r:1:functions/f",
        "acs:fc:r:1:services/s/f",
    ] {
        assert!(matches!(parse(text), Err(ArnError::Unsupported(_))), "{text}: {:?}", parse(text));
    }
    assert!(matches!(parse("acs:fc:r:1:services/1/functions/f"), Err(ArnError::Name(_))));
    assert!(matches!(parse("acs:mns:r:not an account:/queues/q/messages"), Err(ArnError::Name(_))));
}

#[test]
fn queues_topics_and_buses_are_read_and_written_in_full() {
    let account = AccountId::new("10001").expect("valid");
    for (text, kind, instance, name, full) in [
        (
            "acs:mns:::/queues/orders/messages",
            ResourceKind::Queue,
            None,
            "orders",
            "acs:mns:local:10001:/queues/orders/messages",
        ),
        (
            "acs:mns:cn-hangzhou:7:/topics/a_b-1.c/messages",
            ResourceKind::Topic,
            None,
            "a_b-1.c",
            "acs:mns:cn-hangzhou:7:/topics/a_b-1.c/messages",
        ),
        (
            "acs:eventbridge:::eventbus/bus",
            ResourceKind::EventBus,
            None,
            "bus",
            "acs:eventbridge:local:10001:eventbus/bus",
        ),
        (
            "acs:mq:::/instances/MQ_INST_1/topics/t",
            ResourceKind::RocketMqTopic,
            Some("MQ_INST_1"),
            "t",
            "acs:mq:local:10001:/instances/MQ_INST_1/topics/t",
        ),
        (
            "acs:mq:::MQ_INST_1%t",
            ResourceKind::RocketMqTopic,
            Some("MQ_INST_1"),
            "t",
            "acs:mq:local:10001:/instances/MQ_INST_1/topics/t",
        ),
    ] {
        let Ok(DestinationArn::Resource(arn)) = parse(text) else { panic!("{text}: {:?}", parse(text)) };
        assert_eq!((arn.kind, arn.instance.as_deref(), arn.name.as_str()), (kind, instance, name), "{text}");
        assert_eq!(arn.in_full("local", &account), full);
    }
}

#[test]
fn versions_of_layers_are_read_and_nothing_else() {
    let arn = parse_layer("acs:fc:::layers/common/versions/3").expect("valid");
    assert_eq!((arn.account.as_ref(), arn.version), (None, 3));
    let account = AccountId::new("10001").expect("valid");
    let text = format_layer("local", &account, &arn.layer, 3);
    assert_eq!(parse_layer(&text), Ok(LayerArn { account: Some(account), ..arn }));
    for text in [
        "",
        "common#3",
        "acs:fc:r:a:layers/x",
        "acs:fc:r:a:layers/1/versions/1",
        "acs:fc:::layers/x/versions/x",
    ] {
        assert!(parse_layer(text).is_err(), "{text}");
    }
}

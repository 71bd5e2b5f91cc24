use super::*;

#[test]
fn names_with_and_without_region_account_and_qualifier_are_read() {
    let arn = parse("acs:fc:::services/s/functions/f").expect("valid");
    assert_eq!(arn.account, None);
    assert!(arn.qualifier.is_latest());
    let arn = parse("acs:fc:local:10001:services/s.prod/functions/f").expect("valid");
    assert_eq!(arn.qualifier.as_str(), "prod");
    let account = AccountId::new("10001").expect("valid");
    let text = format("local", &account, &arn.service, &arn.qualifier, &arn.function);
    assert_eq!(parse(&text), Ok(arn));
}

#[test]
fn other_targets_are_refused_with_advice() {
    for text in ["", "acs:mns:r:a:/queues/q/messages", "acs:fc:r:a:functions/f", "acs:fc:r:a:services/s/f"] {
        assert!(matches!(parse(text), Err(ArnError::Unsupported(_))), "{text}");
    }
    assert!(matches!(parse("acs:fc:r:a:services/1/functions/f"), Err(ArnError::Name(_))));
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

use super::*;

#[test]
fn a_traceparent_is_read_as_the_standard_says() {
    let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let parent = TraceParent::parse(good).expect("good");
    assert_eq!(u128::from_be_bytes(parent.trace), 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
    assert_eq!(u64::from_be_bytes(parent.span), 0xb7ad_6b71_6920_3331);
    assert!(parent.sampled);
    assert!(!TraceParent::parse(&good.replace("-01", "-00")).expect("good").sampled);
    // A later version may say more.
    assert_eq!(TraceParent::parse(&format!("cc{}-more", &good[2..])), Some(parent));
    for bad in [
        "",
        "00",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333é-01",
    ] {
        assert_eq!(TraceParent::parse(bad), None, "{bad}");
    }
}

use super::*;

fn query(text: &str) -> Query {
    Query::parse(Some(text)).expect("a query")
}

#[test]
fn both_ways_to_write_a_space_are_read() {
    let query = query("a=x+y&b=x%20y&c=1%2B1&d&e=");
    assert_eq!(query.text("a"), Some("x y"));
    assert_eq!(query.text("b"), Some("x y"));
    assert_eq!(query.text("c"), Some("1+1"));
    assert_eq!(query.text("d"), None);
    assert_eq!(query.text("e"), None);
}

#[test]
fn a_limit_is_between_one_and_a_hundred() {
    assert_eq!(query("").limit(20), Ok(20));
    assert_eq!(query("limit=1").limit(20), Ok(1));
    assert_eq!(query("limit=100").limit(20), Ok(100));
    for bad in ["0", "101", "-1", "x", "1.5"] {
        let error = query(&format!("limit={bad}")).limit(20).expect_err("refused");
        assert_eq!(error.message, "query parameter 'limit' must be a whole number from 1 to 100", "{bad}");
    }
}

#[test]
fn flags_are_read_in_any_case() {
    assert_eq!(query("p=True").flag("p"), Ok(true));
    assert_eq!(query("p=false").flag("p"), Ok(false));
    assert_eq!(query("").flag("p"), Ok(false));
    assert!(query("p=yes").flag("p").is_err());
}

#[test]
fn what_is_not_text_is_refused() {
    assert!(Query::parse(Some("a=%ff")).is_err());
}

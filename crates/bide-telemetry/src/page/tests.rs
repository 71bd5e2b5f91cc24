use axum::http::HeaderValue;

use super::*;

#[test]
fn only_the_whole_token_opens_the_page() {
    let token = Token::new("sixteen-letters!").expect("long enough");
    let shown = |value: &'static str| {
        let value = HeaderValue::from_static(value);
        token.is_shown(&[(header::AUTHORIZATION, value)].into_iter().collect())
    };
    assert!(shown("Bearer sixteen-letters!"));
    assert!(shown("bearer sixteen-letters!"));
    assert!(!shown("Bearer sixteen-letters"));
    assert!(!shown("Bearer sixteen-letters!!"));
    assert!(!shown("Basic sixteen-letters!"));
    assert!(!shown("sixteen-letters!"));
    assert!(!token.is_shown(&HeaderMap::new()));
}

#[test]
fn a_token_that_can_be_guessed_or_cannot_be_sent_is_refused() {
    Token::new("fifteen-letters").expect_err("too short");
    Token::new(&"x".repeat(TOKEN_BYTES_MAX + 1)).expect_err("too long");
    Token::new("with a blank in it").expect_err("not visible");
}

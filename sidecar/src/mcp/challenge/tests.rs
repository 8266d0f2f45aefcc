use proptest::prelude::*;

use super::*;

const HERE: &str = "http://127.0.0.1:14001/.well-known/oauth-protected-resource/mcp";

fn headers(values: &[&str]) -> HeaderMap {
    let values = values.iter().map(|value| (WWW_AUTHENTICATE, HeaderValue::from_str(value).unwrap()));
    values.collect()
}

fn led(values: &[&str]) -> Vec<String> {
    let mut headers = headers(values);
    lead_to(&mut headers, HERE);
    let led = headers.get_all(WWW_AUTHENTICATE).iter();
    led.map(|value| value.to_str().unwrap().replace(HERE, "HERE")).collect()
}

#[test]
fn the_parameter_leads_here_and_everything_else_keeps_its_bytes() {
    for (challenge, expected) in [
        (
            r#"Bearer resource_metadata="https://imaging.example/.well-known/oauth-protected-resource/mcp""#,
            r#"Bearer resource_metadata="HERE""#,
        ),
        (
            r#"Bearer  realm="a, b=c" ,error="invalid_token",resource_metadata = "https://x/" , scope="a b""#,
            r#"Bearer  realm="a, b=c" ,error="invalid_token",resource_metadata = "HERE" , scope="a b""#,
        ),
        ("bearer Resource_Metadata=https://x/a?b=c, scope=d", r#"bearer Resource_Metadata="HERE", scope=d"#),
        (
            r#"Negotiate YWJj==, Basic realm="x", DPoP algs="ES256", resource_metadata="https://x/", Bearer"#,
            r#"Negotiate YWJj==, Basic realm="x", DPoP algs="ES256", resource_metadata="HERE", Bearer"#,
        ),
        (
            r#"Bearer resource_metadata="https://x/", DPoP resource_metadata="https://y/""#,
            r#"Bearer resource_metadata="HERE", DPoP resource_metadata="HERE""#,
        ),
        (
            r#", ,Bearer realm="\"x\\",, resource_metadata="",,"#,
            r#", ,Bearer realm="\"x\\",, resource_metadata="HERE",,"#,
        ),
    ] {
        assert_eq!(led(&[challenge]), [expected], "{challenge}");
    }
}

#[test]
fn what_only_looks_like_the_parameter_stays() {
    for challenge in [
        r#"Bearer realm="resource_metadata=https://x/""#,
        r#"Basic realm="\", resource_metadata=\"https://x/\"""#,
        "Bearer error=\"invalid_token\"",
        "Negotiate resource_metadata==",
        "Negotiate",
        "",
    ] {
        assert_eq!(led(&[challenge]), [challenge]);
    }
}

#[test]
fn what_is_no_list_of_challenges_stays() {
    for text in [
        r#"resource_metadata="https://x/""#,
        r#"Bearer realm="open, resource_metadata="https://x/""#,
        r#"Bearer resource_metadata="https://x/" realm="y""#,
        r#"Bearer resource_metadata="https://x/"#,
        r#"Bearer resource_metadata=https://x/"y""#,
        r#"Bearer resource_metadata="https://x/\"#,
        "Bearer =",
    ] {
        assert_eq!(led(&[text]), [text]);
        assert_eq!(metadata_url(&headers(&[text])), None, "{text}");
    }
}

#[test]
fn several_headers_keep_their_order_and_each_is_read_by_itself() {
    let given = [r#"Bearer resource_metadata="https://x/""#, "Basic realm=", r#"DPoP resource_metadata="https://y/""#];
    assert_eq!(led(&given), [r#"Bearer resource_metadata="HERE""#, "Basic realm=", r#"DPoP resource_metadata="HERE""#]);
}

#[test]
fn the_first_place_that_is_named_is_found_with_its_escapes_undone() {
    let found =
        metadata_url(&headers(&["Basic realm=\"x\"", r#"Bearer scope="a", resource_metadata="https:\/\/x/\"y""#]));
    assert_eq!(found.as_deref(), Some(r#"https://x/"y"#));
    assert_eq!(metadata_url(&headers(&["Bearer"])), None);
}

proptest! {
    #[test]
    fn whatever_a_server_sends_one_pass_is_as_good_as_two(value in "[ -~\t]{0,64}") {
        let once = led(&[value.trim()]);
        prop_assert_eq!(led(&once.iter().map(|value| &**value).collect::<Vec<_>>()), once);
    }

    #[test]
    fn a_challenge_of_any_make_leads_here(
        before in "(Basic realm=\"[ -!#-\\[\\]-~]{0,12}\"|Negotiate [a-zA-Z0-9+/]{1,9}={0,2}|DPoP algs=ES256 , nonce=\"x\")?",
        own in "[ -!#-\\[\\]-~]{0,24}",
        after in "(, scope=\"[a-z ]{0,9}\")?(, Basic)?",
    ) {
        let before = if before.is_empty() { before } else { before + ", " };
        let challenge = format!("{before}Bearer resource_metadata=\"{own}\"{after}");
        let expected = format!("{before}Bearer resource_metadata=\"HERE\"{after}");
        prop_assert_eq!(metadata_url(&headers(&[&challenge])), Some(own));
        prop_assert_eq!(led(&[&challenge]), vec![expected]);
    }
}

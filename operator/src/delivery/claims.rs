//! What a token says of itself, before anybody has vouched for it.
//!
//! Used to refuse without asking the API server what cannot be right, and to know how long a token lives. Who it belongs to is
//! the API server's word alone.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;

/// The longest token that is looked at, in bytes: those of ServiceAccounts have about 1,500.
const LONGEST: usize = 8 << 10;

/// Claims of a JSON Web Token.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Claims {
    pub(super) audiences: Vec<String>,
    pub(super) expires: Timestamp,
}

#[derive(Deserialize)]
struct Payload {
    aud: Audiences,
    exp: i64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audiences {
    One(String),
    Many(Vec<String>),
}

impl Claims {
    /// Reads them, if it is such a token.
    pub(super) fn of(token: &str) -> Option<Self> {
        if token.len() > LONGEST {
            return None;
        }
        let mut parts = token.split('.');
        let (Some(_), Some(payload), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return None;
        };
        let payload: Payload = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
        let audiences = match payload.aud {
            Audiences::One(audience) => vec![audience],
            Audiences::Many(audiences) => audiences,
        };
        Some(Self { audiences, expires: Timestamp::from_second(payload.exp).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(payload: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload))
    }

    #[test]
    fn a_token_tells_its_audiences_and_its_end() {
        let expires = Timestamp::from_second(1_700_000_000).unwrap();
        for aud in [r#""reeve-operator""#, r#"["reeve-operator"]"#] {
            let claims = Claims::of(&token(&format!(r#"{{"aud":{aud},"exp":1700000000,"sub":"x"}}"#)));
            assert_eq!(claims, Some(Claims { audiences: vec!["reeve-operator".into()], expires }));
        }
    }

    #[test]
    fn what_is_no_token_is_not_read() {
        let no_end = token(r#"{"aud":"reeve-operator"}"#);
        let far = token(r#"{"aud":"reeve-operator","exp":9223372036854775807}"#);
        let long = token(&format!(r#"{{"aud":"reeve-operator","exp":1700000000,"x":"{}"}}"#, "x".repeat(LONGEST)));
        for text in ["", ".", "..", "a.b.c", "e30.e30.e30.e30", "secret", &no_end, &far, &long] {
            assert_eq!(Claims::of(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in ".{0,200}", payload in ".{0,200}") {
            let _ = Claims::of(&text);
            let _ = Claims::of(&token(&payload));
        }
    }
}

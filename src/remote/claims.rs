//! What an access token says of itself.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Some claims of a token. They are read to fail early with a clear reason; whoever receives the token verifies it.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Claims {
    /// The service it is for: an address, or the id of an application.
    pub(super) aud: Option<String>,
    /// The tenant it is for.
    pub(super) tid: Option<String>,
    /// How the user signed in.
    pub(super) amr: Option<Vec<String>>,
    /// Delegated permissions; only tokens with a user have them.
    pub(super) scp: Option<String>,
    /// From when it is valid, in Unix seconds.
    pub(super) nbf: Option<i64>,
    /// When it expires, in Unix seconds.
    pub(super) exp: Option<i64>,
}

impl Claims {
    /// The claims of `token`, or `None` if it is not a JWT: services may change the form of their tokens at any time.
    pub(super) fn read(token: &str) -> Option<Self> {
        payload(token)
    }
}

/// What a JWT says, as far as `T` wants to know.
pub(super) fn payload<T: DeserializeOwned>(token: &str) -> Option<T> {
    let mut parts = token.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    let json = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_jwt_and_leaves_everything_else() {
        let jwt = |payload: &str| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload));
        let claims = Claims::read(&jwt(r#"{"aud":"x","amr":["pwd","mfa"],"exp":1}"#)).unwrap();
        assert_eq!(claims.aud.as_deref(), Some("x"));
        assert_eq!(claims.amr.unwrap(), ["pwd", "mfa"]);
        for token in ["", "opaque", "a.b", "a.!.c", &jwt("text"), &jwt(r#"{"amr":"mfa"}"#)] {
            assert_eq!(Claims::read(token), None, "{token}");
        }
    }
}

//! Access tokens: shaped like Entra's, never signed.
//!
//! Nothing is stored about an access token: whoever presents one is believed, as far as its claims go. That is enough to
//! test what a client does with tokens, and no protection at all.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The resource of a redemption that names none.
pub(crate) const DEFAULT_RESOURCE: &str = "https://api.partnercenter.microsoft.com";

/// The claims a caller of these APIs can see in a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) aud: String,
    pub(crate) iss: String,
    pub(crate) iat: i64,
    pub(crate) nbf: i64,
    pub(crate) exp: i64,
    pub(crate) tid: Uuid,
    pub(crate) oid: Uuid,
    pub(crate) appid: Uuid,
    /// `user` or `app`.
    pub(crate) idtyp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) upn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) amr: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scp: Option<String>,
    /// Unique id of the token.
    #[serde(default)]
    pub(crate) uti: String,
    pub(crate) ver: String,
}

impl Claims {
    /// Whether the user's sign-in included a second factor.
    pub(crate) fn has_mfa(&self) -> bool {
        self.amr.iter().any(|method| method == "mfa")
    }

    pub(crate) fn is_current(&self, now: Timestamp) -> bool {
        let now = now.as_second();
        self.nbf <= now && now < self.exp
    }
}

/// What stands where the signature would be. It is the same in every token, so that a token is recognised wherever it
/// turns up.
const SIGNATURE: &str = "a token of csp-simulator: no signature";

/// The compact form: header, claims and a fixed string where the signature would be.
pub(crate) fn encode(claims: &impl Serialize) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT","alg":"RS256","kid":"csp-simulator"}"#);
    // Claims are strings and numbers, which always serialize.
    let payload = URL_SAFE_NO_PAD.encode(serde_json::to_vec(claims).unwrap_or_default());
    let signature = URL_SAFE_NO_PAD.encode(SIGNATURE);
    format!("{header}.{payload}.{signature}")
}

/// The claims of a token, or `None` when it does not have a token's shape.
pub(crate) fn decode(token: &str) -> Option<Claims> {
    let mut parts = token.split('.');
    let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

/// The API a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    PartnerCenter,
    ResourceManager,
    Graph,
}

impl Audience {
    /// The API behind a resource URI, with or without a slash at the end.
    ///
    /// Partner Center also answers to its application id, which the Secure Application Model samples use.
    pub(crate) fn of(resource: &str) -> Option<Self> {
        match resource.trim_end_matches('/').to_lowercase().as_str() {
            "https://api.partnercenter.microsoft.com" | "fa3d9a0c-3fb0-42cc-9193-47c7ecd2edbd" => {
                Some(Self::PartnerCenter)
            }
            "https://management.azure.com" | "https://management.core.windows.net" => Some(Self::ResourceManager),
            "https://graph.microsoft.com" | "https://graph.windows.net" => Some(Self::Graph),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        Claims {
            aud: "https://api.partnercenter.microsoft.com".to_owned(),
            iss: "https://sts.windows.net/x/".to_owned(),
            iat: 100,
            nbf: 100,
            exp: 200,
            tid: Uuid::from_u128(1),
            oid: Uuid::from_u128(2),
            appid: Uuid::from_u128(3),
            idtyp: "user".to_owned(),
            upn: Some("ada@contoso.com".to_owned()),
            name: None,
            amr: vec!["pwd".to_owned(), "mfa".to_owned()],
            scp: Some("user_impersonation".to_owned()),
            uti: "u".to_owned(),
            ver: "1.0".to_owned(),
        }
    }

    #[test]
    fn a_token_gives_its_claims_back() {
        assert_eq!(decode(&encode(&claims())), Some(claims()));
        assert_eq!(decode("garbage"), None);
        assert_eq!(decode("a.b.c.d"), None);
    }

    #[test]
    fn a_token_is_current_until_it_expires() {
        let at = |second| Timestamp::from_second(second).expect("in range");
        assert!(claims().is_current(at(199)));
        assert!(!claims().is_current(at(200)));
        assert!(!claims().is_current(at(99)));
    }

    #[test]
    fn audiences_are_known_by_their_resource() {
        assert_eq!(Audience::of("https://management.azure.com/"), Some(Audience::ResourceManager));
        assert_eq!(Audience::of("https://api.partnercenter.microsoft.com"), Some(Audience::PartnerCenter));
        assert_eq!(Audience::of("https://example.com"), None);
    }
}

//! The operator's sign-in for a program that only reads beside it.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;

use super::sign_in::{Defect, SignIn};
use super::tokens::{self, Choice};
use crate::remote::{Credentials, Proof};

/// The sign-in that the operator would use now: that of the user's Secret, called `name`, with the newest refresh token
/// that the operator has `kept` of it. `proof` takes the place of what the Secret has to prove the application with.
pub(crate) fn borrow(
    user: Option<&Secret>,
    name: &str,
    kept: Option<&Secret>,
    proof: Option<Proof>,
    now: Timestamp,
) -> Result<Credentials, Defect> {
    let user = SignIn::read_with(user, name, proof)?;
    // One that cannot be read is as good as lost: the operator begins anew with the user's as well.
    let kept = kept.and_then(|secret| tokens::decode(secret).ok().flatten());
    let refresh_token = match tokens::choose(&user, kept.as_ref(), now) {
        Choice::Adopt(adopted) => adopted.refresh_token,
        Choice::Keep => kept.map_or(user.refresh_token, |kept| kept.refresh_token),
    };
    Ok(Credentials {
        partner_tenant: user.partner_tenant,
        client_id: user.client_id,
        proof: user.proof,
        refresh_token,
        generation: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::ByteString;
    use secrecy::ExposeSecret as _;

    use super::super::tokens::{Fingerprint, Tokens};
    use super::*;

    const GUID: &str = "c1a0c1a0-1111-4a11-8a11-00000000000f";

    fn secret(refresh_token: &str, has_proof: bool) -> Secret {
        let bytes = |(key, value): (&str, &str)| (key.to_owned(), ByteString(value.into()));
        let proof = has_proof.then_some(("clientSecret", "hush"));
        let always = [("partnerTenantId", GUID), ("clientId", GUID), ("refreshToken", refresh_token)];
        Secret { data: Some(always.into_iter().chain(proof).map(bytes).collect()), ..Secret::default() }
    }

    /// The operator's Secret after it has exchanged the token `seed` for `newest`.
    fn kept(seed: &str, newest: &str) -> Secret {
        let now = Timestamp::UNIX_EPOCH;
        let seeds = BTreeMap::from([(Fingerprint::of(&seed.into()), now)]);
        let owner = (GUID.parse().unwrap(), GUID.to_owned());
        let tokens = Tokens { owner, refresh_token: newest.into(), issued_at: now, seeds, former: None };
        tokens::encode("kept", None, &tokens).unwrap()
    }

    fn borrowed(user: &Secret, kept: Option<&Secret>) -> String {
        let credentials = borrow(Some(user), "a/b", kept, None, Timestamp::now()).unwrap();
        credentials.refresh_token.expose_secret().to_owned()
    }

    #[test]
    fn the_newest_token_is_borrowed_as_the_operator_would_choose_it() {
        let user = secret("first", true);
        assert_eq!(borrowed(&user, None), "first");
        assert_eq!(borrowed(&user, Some(&Secret::default())), "first");
        assert_eq!(borrowed(&user, Some(&kept("first", "newest"))), "newest");
        assert_eq!(borrowed(&secret("another-login", true), Some(&kept("first", "newest"))), "another-login");
    }

    #[test]
    fn a_proof_that_is_given_takes_the_place_of_the_secrets() {
        let user = secret("first", false);
        let error = borrow(Some(&user), "a/b", None, None, Timestamp::now()).unwrap_err().to_string();
        assert!(error.starts_with("the Secret a/b has nothing by which the application proves itself"), "{error}");
        let given = Some(Proof::Secret("given".into()));
        let credentials = borrow(Some(&user), "a/b", None, given, Timestamp::now()).unwrap();
        assert!(matches!(&credentials.proof, Proof::Secret(secret) if secret.expose_secret() == "given"));
        let missing = borrow(None, "a/b", None, None, Timestamp::now()).unwrap_err().to_string();
        assert!(missing.contains("run: kubectl csp login"), "{missing}");
    }
}

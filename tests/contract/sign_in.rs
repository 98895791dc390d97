//! Tokens: what they say, and what they are good for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::FutureExt as _;
use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

use crate::target::{Request, Target, expect_status};
use crate::{Contract, Outcome};

pub(crate) const CONTRACTS: [Contract; 4] = [
    Contract {
        name: "a user's token names tenant, service, user and MFA",
        writes: false,
        check: |target| claims_of_a_user(target).boxed(),
    },
    Contract {
        name: "no token, or nonsense for one, is 401",
        writes: false,
        check: |target| without_a_token(target).boxed(),
    },
    Contract {
        name: "an application's token reads customers and the activity log",
        writes: false,
        check: |target| application_reads(target).boxed(),
    },
    Contract {
        name: "an application's token does not read policies",
        writes: false,
        check: |target| application_and_policies(target).boxed(),
    },
];

async fn claims_of_a_user(target: &Target) -> Outcome {
    let token = target.user_token().await?;
    let payload = token.split('.').nth(1).ok_or("the token is no JWT")?;
    let json = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).map_err(|error| error.to_string())?;
    let claims: Value = serde_json::from_slice(&json).map_err(|error| error.to_string())?;
    let methods = claims["amr"].as_array().ok_or("no claim amr")?;
    if !methods.iter().any(|method| method == "mfa") {
        return Err(format!("amr is {methods:?}, without mfa"));
    }
    if !claims["tid"].as_str().is_some_and(|tenant| tenant.eq_ignore_ascii_case(target.partner())) {
        return Err(format!("tid is {}, not the partner's tenant", claims["tid"]));
    }
    if claims["scp"].as_str().is_none_or(|scopes| !scopes.contains("user_impersonation")) {
        return Err(format!("scp is {}", claims["scp"]));
    }
    Ok(format!("aud is {}", claims["aud"]))
}

async fn without_a_token(target: &Target) -> Outcome {
    let mut seen = Vec::new();
    for token in [None, Some("nonsense")] {
        let path = "v1/customers?size=1";
        let request = Request { method: Method::GET, path, token, body: None, correlation: Uuid::new_v4() };
        let answer = target.send(request).await?;
        expect_status(&answer, &[401])?;
        seen.push(answer.summary());
    }
    Ok(seen.join(", "))
}

async fn application_reads(target: &Target) -> Outcome {
    let token = target.app_token().await?;
    for path in ["v1/customers?size=1", "v1/auditrecords?size=1"] {
        let request =
            Request { method: Method::GET, path, token: Some(&token), body: None, correlation: Uuid::new_v4() };
        expect_status(&target.send(request).await?, &[200])?;
    }
    Ok("both 200".to_owned())
}

async fn application_and_policies(target: &Target) -> Outcome {
    let token = target.app_token().await?;
    let path = format!("v1/SelfServePolicy?entity_id={}", target.customer);
    let request =
        Request { method: Method::GET, path: &path, token: Some(&token), body: None, correlation: Uuid::new_v4() };
    let answer = target.send(request).await?;
    expect_status(&answer, &[401, 403])?;
    Ok(answer.summary())
}

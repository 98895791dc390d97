//! Microsoft Graph, who is in which group; and which tenants let the application in.

use super::*;

const GRAPH: &str = "https://graph.microsoft.com";
const ADMIN_AGENTS: &str = "aaaa0000-5555-4e55-9e55-000000000005";
const TEAM: &str = "90000000-0000-4000-8000-000000000001";
const INNER: &str = "90000000-0000-4000-8000-000000000002";
const ME: &str = "eeee0000-4444-4d44-8d44-000000000004";
const GUEST: &str = "d0000000-0000-4000-8000-000000000009";

/// A partner whose user is an Admin agent only through two groups, and a customer with a guest in a group in a group.
fn nested() -> World {
    let yaml = format!(
        "partner:
  users: [{{ upn: {USER}, objectId: {ME}, roles: [], refreshToken: {SEED} }}]
  groups:
  - {{ id: {TEAM}, name: Cloud team, members: [{INNER}], memberOf: [AdminAgent] }}
  - {{ id: {INNER}, name: On duty, members: [{ME}] }}
customers:
- tenantId: {CUSTOMER}
  name: Fabrikam
  users:
  - {{ upn: owner@fabrikam.com, objectId: {OWNER} }}
  - {{ upn: 'ada_contoso.com#EXT#@fabrikam.com', objectId: {GUEST}, userType: Guest, accountEnabled: false }}
  groups:
  - {{ id: {TEAM}, name: Buyers, members: [{OWNER}, {INNER}] }}
  - {{ id: {INNER}, name: Guests, members: [{GUEST}, {STRANGER}, {TEAM}] }}
"
    );
    World::from_yaml(&yaml).expect("a world")
}

/// A simulator whose token is for Graph in that tenant.
async fn start(world: World, tenant: &str) -> Api {
    let mut api = Api::start(world).await;
    api.token = graph_token(&api, tenant).await;
    api
}

async fn graph_token(api: &Api, tenant: &str) -> String {
    let (status, body) = api.redeem(tenant, SEED, GRAPH).await;
    assert_eq!(status, 200, "{body}");
    body["access_token"].as_str().expect("a token").to_owned()
}

fn names(body: &Value) -> Vec<&str> {
    let items = body["value"].as_array().expect("a list").iter();
    items.map(|item| item["displayName"].as_str().unwrap_or("-")).collect()
}

/// Status and code of Graph's or Azure's refusal.
fn refusal(answered: &Answered) -> (u16, &str) {
    (answered.0, answered.1["error"]["code"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn own_groups_are_transitive_and_the_cast_has_two_spellings() {
    let api = start(nested(), PARTNER).await;
    for cast in ["", "/graph.group", "/microsoft.graph.group"] {
        let (status, body) = api.get(&format!("/v1.0/me/transitiveMemberOf{cast}?$select=id,displayName")).await;
        assert_eq!((status, names(&body)), (200, vec!["AdminAgents", "Cloud team", "On duty"]), "{cast}");
        assert_eq!(body["value"][0]["id"], ADMIN_AGENTS);
        assert_eq!(body["value"][0].get("@odata.type").is_some(), cast.is_empty(), "{cast}: {body}");
        assert_eq!(body["value"][0].get("securityEnabled"), None, "not selected");
    }
    assert_eq!(api.get("/v1.0/me/transitiveMemberOf/graph.user").await.0, 400);
    let asked = json!({ "groupIds": [STRANGER, ADMIN_AGENTS] });
    let answer = answered(api.request(Method::POST, "/v1.0/me/checkMemberGroups").json(&asked)).await;
    assert_eq!((answer.0, &answer.1["value"]), (200, &json!([ADMIN_AGENTS])));
    let asked = json!({ "groupIds": vec![STRANGER; 21] });
    assert_eq!(answered(api.request(Method::POST, "/v1.0/me/checkMemberGroups").json(&asked)).await.0, 400);
}

#[tokio::test]
async fn a_role_through_nested_groups_counts_in_partner_center_and_azure() {
    let api = Api::start(nested()).await;
    assert_eq!(api.create(CUSTOMER, &[RESERVATIONS]).await.0, 201);
    api.control(Method::PATCH, "partner", &json!({ "groups": [] })).await;
    assert_eq!(code(&api.delete(CUSTOMER).await), (403, "900150"));
}

#[tokio::test]
async fn collections_have_absolute_next_links() {
    let api = start(nested(), PARTNER).await;
    api.settings(json!({ "graphPageSize": 2 })).await;
    let (_, first) = api.get("/v1.0/me/transitiveMemberOf/graph.group?$select=displayName").await;
    assert_eq!(names(&first), ["AdminAgents", "Cloud team"]);
    let next = first["@odata.nextLink"].as_str().expect("a link").strip_prefix(&api.base).expect("absolute");
    let (_, second) = api.get(next).await;
    assert_eq!((names(&second), second.get("@odata.nextLink")), (vec!["On duty"], None));
    assert_eq!(names(&api.get("/v1.0/me/transitiveMemberOf?$top=1").await.1).len(), 1);
    assert_eq!(refusal(&api.get("/v1.0/me/transitiveMemberOf?$top=0").await), (400, "Request_BadRequest"));
}

#[tokio::test]
async fn users_are_found_by_id_and_by_encoded_name() {
    let api = start(nested(), CUSTOMER).await;
    let select = "$select=id,userType,accountEnabled";
    let guest = json!({ "id": GUEST, "userType": "Guest", "accountEnabled": false });
    for name in [GUEST, "ada_contoso.com%23EXT%23@fabrikam.com"] {
        let (status, mut body) = api.get(&format!("/v1.0/users/{name}?{select}")).await;
        body.as_object_mut().expect("an object").remove("@odata.context");
        assert_eq!((status, body), (200, guest.clone()), "{name}");
    }
    let (_, owner) = api.get("/v1.0/users/OWNER@fabrikam.com").await;
    assert_eq!((&owner["id"], owner.get("userType")), (&json!(OWNER), None), "only when selected");
    let absent = api.get("/v1.0/users/nobody@fabrikam.com").await;
    assert_eq!(refusal(&absent), (404, "Request_ResourceNotFound"));
    assert!(absent.1["error"]["innerError"]["request-id"].is_string(), "{}", absent.1);
}

#[tokio::test]
async fn members_of_groups_are_transitive_even_in_a_circle() {
    let api = start(nested(), CUSTOMER).await;
    let (_, body) = api.get(&format!("/v1.0/groups/{TEAM}/transitiveMembers?$select=id")).await;
    let found: Vec<(&str, &str)> = body["value"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|item| (item["id"].as_str().expect("an id"), item["@odata.type"].as_str().expect("a type")))
        .collect();
    let expected = [
        (OWNER, "#microsoft.graph.user"),
        (INNER, "#microsoft.graph.group"),
        (GUEST, "#microsoft.graph.user"),
        (STRANGER, "#microsoft.graph.servicePrincipal"),
    ];
    assert_eq!(found, expected);
    let (_, users) = api.get(&format!("/v1.0/groups/{TEAM}/transitiveMembers/microsoft.graph.user")).await;
    assert_eq!(users["value"].as_array().map(Vec::len), Some(2));
    let absent = api.get(&format!("/v1.0/groups/{STRANGER}/transitiveMembers")).await;
    assert_eq!(refusal(&absent), (404, "Request_ResourceNotFound"));
}

#[tokio::test]
async fn scopes_decide_what_may_be_seen() {
    let mut api = start(nested(), PARTNER).await;
    api.control(Method::PATCH, "partner", &json!({ "graph": ["User.Read"] })).await;
    api.token = graph_token(&api, PARTNER).await;
    let (_, body) = api.get("/v1.0/me/transitiveMemberOf").await;
    assert_eq!(names(&body), ["-", "-", "-"], "ids without names");
    assert_eq!(api.get("/v1.0/me").await.1["userPrincipalName"], USER);
    let denied = (403, "Authorization_RequestDenied");
    assert_eq!(refusal(&api.get(&format!("/v1.0/users/{STRANGER}")).await), denied);
    assert_eq!(refusal(&api.get(&format!("/v1.0/groups/{ADMIN_AGENTS}/transitiveMembers")).await), denied);
    api.control(Method::PATCH, "partner", &json!({ "graph": ["GroupMember.Read.All"] })).await;
    api.token = graph_token(&api, PARTNER).await;
    assert_eq!(refusal(&api.get("/v1.0/me/transitiveMemberOf").await), denied);
}

#[tokio::test]
async fn graph_refuses_tokens_that_are_not_its_own() {
    let mut api = start(nested(), PARTNER).await;
    api.token = api.user_token().await;
    assert_eq!(refusal(&api.get("/v1.0/me").await), (401, "InvalidAuthenticationToken"));
    api.token = graph_token(&api, CUSTOMER).await;
    assert_eq!(refusal(&api.get("/v1.0/me").await), (404, "Request_ResourceNotFound"), "a stranger there");
    api.fault(json!({ "operation": "get_me", "times": 1, "answer": { "kind": "status", "status": 503 } })).await;
    assert_eq!(refusal(&api.get("/v1.0/me").await), (503, "ServiceUnavailable"));
}

#[tokio::test]
async fn a_tenant_without_consent_or_delegated_administration_refuses_the_sign_in() {
    let api = Api::with_customers().await;
    let access = format!("customers/{CUSTOMER}/access");
    let sign_in = async |resource: &str| {
        let (status, body) = api.redeem(CUSTOMER, SEED, resource).await;
        (status, body["error_codes"][0].as_u64().unwrap_or_default(), body["error"].as_str().unwrap_or("").to_owned())
    };
    let refused = |code| (400, code, "invalid_grant".to_owned());
    api.control(Method::PATCH, &access, &json!({ "azure": false })).await;
    assert_eq!(sign_in(ARM).await, refused(65001));
    assert_eq!(sign_in(GRAPH).await.0, 200, "consent is per API");
    api.control(Method::PATCH, &access, &json!({ "azure": true, "graph": [] })).await;
    assert_eq!(sign_in(ARM).await.0, 200);
    assert_eq!(sign_in(GRAPH).await, refused(65001));
    api.control(Method::PATCH, &access, &json!({ "delegatedAdmin": false })).await;
    assert_eq!(sign_in(ARM).await, refused(50020));
    assert_eq!(api.redeem(OTHER_CUSTOMER, SEED, ARM).await.0, 200, "another tenant");
    api.control(Method::PATCH, "partner", &json!({ "graph": [] })).await;
    assert_eq!(api.redeem(PARTNER, SEED, GRAPH).await.0, 400);
    let form = [("grant_type", "client_credentials"), ("resource", GRAPH)];
    assert_eq!(api.token(&format!("{CUSTOMER}/oauth2/token"), &form).await.1["error_codes"], json!([700_016]));
}

#[tokio::test]
async fn a_refused_sign_in_does_not_spend_a_single_use_token() {
    let api = Api::with_customers().await;
    api.settings(json!({ "singleUseRefreshTokens": true })).await;
    api.control(Method::PATCH, &format!("customers/{CUSTOMER}/access"), &json!({ "azure": false })).await;
    let (_, body) = api.redeem(PARTNER, SEED, PARTNER_CENTER).await;
    let token = body["refresh_token"].as_str().expect("a token").to_owned();
    assert_eq!(api.redeem(CUSTOMER, &token, ARM).await.0, 400);
    assert_eq!(api.redeem(PARTNER, &token, PARTNER_CENTER).await.0, 200);
    assert_eq!(api.redeem(PARTNER, &token, PARTNER_CENTER).await.0, 400, "spent now");
}

//! Creating and deleting role assignments.

use super::*;

const NAME: &str = "0a0b0000-0000-4000-8000-000000000001";
const OTHER_NAME: &str = "0a0b0000-0000-4000-8000-000000000002";
const NEW_USER: &str = "d0000000-0000-4000-8000-0000000000ff";
const ADMIN_AGENTS: &str = "aaaa0000-5555-4e55-9e55-000000000005";
const OWNER_ROLE: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";

fn path(name: &str) -> String {
    let provider = "providers/Microsoft.Authorization/roleAssignments";
    format!("/subscriptions/{AZURE}/{provider}{name}?api-version=2022-04-01")
}

fn owner(principal: &str) -> Value {
    let role = format!("/subscriptions/{AZURE}/providers/Microsoft.Authorization/roleDefinitions/{OWNER_ROLE}");
    json!({ "properties": { "roleDefinitionId": role, "principalId": principal, "principalType": "User" } })
}

/// A simulator with a user who has no role yet, and a token for Azure in the customer's tenant.
async fn start() -> Api {
    let mut api = Api::with_customers().await;
    let (_, body) = api.redeem(CUSTOMER, SEED, ARM).await;
    api.token = body["access_token"].as_str().expect("a token").to_owned();
    add_user(&api, NEW_USER).await;
    api
}

async fn add_user(api: &Api, id: &str) {
    let user = json!({ "upn": format!("{id}@fabrikam.com"), "objectId": id });
    api.control(Method::POST, &format!("customers/{CUSTOMER}/users"), &user).await;
}

async fn put(api: &Api, name: &str, body: &Value) -> Answered {
    answered(api.request(Method::PUT, &path(&format!("/{name}"))).json(body)).await
}

/// Status and code of a refusal.
fn refusal(answered: &Answered) -> (u16, &str) {
    (answered.0, answered.1["error"]["code"].as_str().unwrap_or_default())
}

async fn listed(api: &Api) -> Vec<String> {
    let (_, body) = api.get(&path("")).await;
    let items = body["value"].as_array().expect("a list").iter();
    items.map(|item| item["properties"]["principalId"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn an_assignment_is_created_once_and_deleted_once() {
    let api = start().await;
    let (status, created) = put(&api, NAME, &owner(NEW_USER)).await;
    assert_eq!((status, &created["name"]), (201, &json!(NAME)));
    assert_eq!(created["properties"]["principalType"], "User");
    assert_eq!(put(&api, NAME, &owner(NEW_USER)).await, (200, created.clone()), "the same again");
    assert_eq!(refusal(&put(&api, OTHER_NAME, &owner(NEW_USER)).await), (409, "RoleAssignmentExists"));
    assert_eq!(refusal(&put(&api, NAME, &owner(OWNER)).await), (400, "RoleAssignmentUpdateNotPermitted"));
    assert_eq!(listed(&api).await, [ADMIN_AGENTS, OWNER, NEW_USER]);
    assert_eq!(api.get(&path(&format!("/{NAME}"))).await.1, created);

    let delete = async || answered(api.request(Method::DELETE, &path(&format!("/{NAME}")))).await;
    assert_eq!(delete().await, (200, created));
    assert_eq!(delete().await, (204, Value::Null));
    assert_eq!(listed(&api).await, [ADMIN_AGENTS, OWNER]);
    assert_eq!(refusal(&api.get(&path(&format!("/{NAME}"))).await), (404, "RoleAssignmentNotFound"));
    let counts = api.control(Method::GET, "requests/counts", &Value::Null).await;
    assert_eq!(counts["create_role_assignment"], json!({ "total": 4, "effective": 1 }));
}

#[tokio::test]
async fn a_new_user_is_unknown_until_it_is_replicated() {
    let api = start().await;
    api.settings(json!({ "principalReplicationMs": 600_000 })).await;
    assert_eq!(refusal(&put(&api, NAME, &owner(NEW_USER)).await), (400, "PrincipalNotFound"));
    api.settings(json!({ "principalReplicationMs": 0 })).await;
    assert_eq!(refusal(&put(&api, NAME, &owner(STRANGER)).await), (400, "PrincipalNotFound"), "nobody at all");
    assert_eq!(put(&api, NAME, &owner(NEW_USER)).await.0, 201);
}

#[tokio::test]
async fn a_new_assignment_can_appear_late_and_conflicts_at_once() {
    let api = start().await;
    api.settings(json!({ "roleAssignmentDelayMs": 600_000 })).await;
    assert_eq!(put(&api, NAME, &owner(NEW_USER)).await.0, 201);
    assert_eq!(listed(&api).await, [ADMIN_AGENTS, OWNER]);
    assert_eq!(refusal(&put(&api, OTHER_NAME, &owner(NEW_USER)).await), (409, "RoleAssignmentExists"));
}

#[tokio::test]
async fn malformed_assignments_are_refused() {
    let api = start().await;
    let without = |field: &str| {
        let mut body = owner(NEW_USER);
        body["properties"].as_object_mut().expect("an object").remove(field);
        body
    };
    assert_eq!(refusal(&put(&api, "x", &owner(NEW_USER)).await), (400, "InvalidRoleAssignmentId"));
    assert_eq!(refusal(&put(&api, NAME, &without("principalId")).await), (400, "InvalidRequestContent"));
    assert_eq!(refusal(&put(&api, NAME, &json!({})).await), (400, "InvalidRequestContent"));
    let mut group = owner(NEW_USER);
    group["properties"]["principalType"] = json!("Group");
    assert_eq!(refusal(&put(&api, NAME, &group).await), (400, "UnmatchedPrincipalType"));
    assert_eq!(put(&api, NAME, &without("principalType")).await.0, 201, "the directory knows the type");
}

#[tokio::test]
async fn applications_and_devices_hold_roles_too() {
    let api = start().await;
    for (name, kind) in [(NAME, "ServicePrincipal"), (OTHER_NAME, "Device")] {
        let mut body = owner(name);
        body["properties"]["principalType"] = json!(kind);
        assert_eq!(put(&api, name, &body).await.0, 201, "{kind}");
        assert_eq!(api.get(&path(&format!("/{name}"))).await.1["properties"]["principalType"], kind);
    }
}

#[tokio::test]
async fn only_an_owner_changes_assignments() {
    let api = start().await;
    let gone = json!({ "subscription": AZURE, "principalId": ADMIN_AGENTS, "holds": false });
    api.control(Method::POST, "owners", &gone).await;
    assert_eq!(refusal(&put(&api, NAME, &owner(NEW_USER)).await), (403, "AuthorizationFailed"));
    let deleted = answered(api.request(Method::DELETE, &path(&format!("/{NAME}")))).await;
    assert_eq!(refusal(&deleted), (403, "AuthorizationFailed"));
}

#[tokio::test]
async fn api_versions_are_checked() {
    let api = start().await;
    let list = format!("/subscriptions/{AZURE}/providers/Microsoft.Authorization/roleAssignments");
    let version = async |version: &str| {
        let answer = api.get(&format!("{list}?api-version={version}")).await;
        (answer.0, refusal(&answer).1.to_owned())
    };
    assert_eq!(version("2022-04-01").await.0, 200);
    assert_eq!(version("").await, (400, "MissingApiVersionParameter".to_owned()));
    assert_eq!(version("2031-01-01").await, (400, "NoRegisteredProviderFound".to_owned()));
    assert_eq!(version("latest").await, (400, "InvalidApiVersionParameter".to_owned()));
}

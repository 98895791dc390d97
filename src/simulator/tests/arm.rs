//! Role assignments: filters, pages and who may read them.

use super::*;

const NESTED_USER: &str = "e0000000-0000-4000-8000-000000000001";
const INNER: &str = "e0000000-0000-4000-8000-000000000002";
const OUTER: &str = "e0000000-0000-4000-8000-000000000003";
const READER: &str = "e0000000-0000-4000-8000-000000000004";
const MANAGER: &str = "e0000000-0000-4000-8000-000000000005";
const ADMIN_AGENTS: &str = "aaaa0000-5555-4e55-9e55-000000000005";
const OWNER_ROLE: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";

fn assignments(filter: &str) -> String {
    format!(
        "/subscriptions/{AZURE}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01&$filter={filter}"
    )
}

/// A simulator whose token is one of the customer's tenant.
async fn start(world: World) -> Api {
    let mut api = Api::start(world).await;
    api.token = customer_token(&api, CUSTOMER, ARM).await;
    api
}

async fn customer_token(api: &Api, tenant: &str, resource: &str) -> String {
    let (_, body) = api.redeem(tenant, SEED, resource).await;
    body["access_token"].as_str().expect("a token").to_owned()
}

/// A user in a group in a group that is Owner, an Owner by management group, and one of a resource group only.
fn nested() -> World {
    let yaml = format!(
        "customers: [{{ tenantId: {CUSTOMER}, name: Fabrikam,
            groups: [{{ id: {INNER}, members: [{NESTED_USER}, {OUTER}] }}, {{ id: {OUTER}, members: [{INNER}] }}],
            subscriptions: [{{ id: {PLAN}, kind: AzurePlan, azureSubscriptions: [{{ id: {AZURE}, roleAssignments: [
                {{ principalId: {OUTER}, principalType: Group, role: Owner }},
                {{ principalId: {READER}, role: Reader }},
                {{ principalId: {MANAGER}, role: Owner, scope: managementGroups/root }},
                {{ principalId: {OWNER}, role: Owner, scope: resourceGroups/web }} ] }}] }}] }}]"
    );
    World::from_yaml(&yaml).expect("a world")
}

async fn principals(api: &Api, filter: &str) -> Vec<String> {
    let (status, body) = api.get(&assignments(filter)).await;
    assert_eq!(status, 200, "{body}");
    let found = body["value"].as_array().expect("a list").iter();
    found.map(|item| item["properties"]["principalId"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn the_partner_is_owner_of_every_subscription() {
    let api = start(World::generated(1)).await;
    let (_, body) = api.get(&assignments("atScope()")).await;
    let properties = &body["value"][0]["properties"];
    assert_eq!(
        (&properties["principalId"], &properties["principalType"]),
        (&json!(ADMIN_AGENTS), &json!("ForeignGroup"))
    );
    let role = format!("/subscriptions/{AZURE}/providers/Microsoft.Authorization/roleDefinitions/{OWNER_ROLE}");
    assert_eq!((&properties["roleDefinitionId"], &properties["condition"]), (&json!(role), &Value::Null));
    assert_eq!(body["value"][1]["properties"]["principalId"], OWNER);
}

#[tokio::test]
async fn filters_choose_by_scope_and_principal() {
    let api = start(nested()).await;
    assert_eq!(principals(&api, "").await, [ADMIN_AGENTS, OUTER, READER, MANAGER, OWNER]);
    assert_eq!(principals(&api, "atScope()").await, [ADMIN_AGENTS, OUTER, READER, MANAGER], "not below");
    assert_eq!(principals(&api, &format!("principalId eq '{OWNER}'")).await, [OWNER], "at, above or below");
    assert_eq!(principals(&api, &format!("assignedTo('{NESTED_USER}')")).await, [OUTER], "through both groups");
    assert_eq!(principals(&api, &format!("principalId eq '{NESTED_USER}'")).await, [""; 0], "not through groups");
    assert_eq!(principals(&api, &format!("atScope()+and+assignedTo('{NESTED_USER}')")).await, [OUTER], "+ is a space");
    assert_eq!(principals(&api, &format!("atScope()%20and%20assignedTo(%27{OWNER}%27)")).await, [""; 0]);
    assert_eq!(principals(&api, &format!("atScope() and assignedTo('{MANAGER}')")).await, [MANAGER], "inherited");
    for refused in [format!("assignedTo('{OUTER}')"), "colour eq 'red'".to_owned(), "assignedTo('x')".to_owned()] {
        let (status, body) = api.get(&assignments(&refused)).await;
        assert_eq!((status, &body["error"]["code"]), (400, &json!("UnsupportedQuery")), "{refused}");
    }
}

#[tokio::test]
async fn inherited_assignments_say_so() {
    let api = start(nested()).await;
    let (_, body) = api.get(&assignments(&format!("assignedTo('{MANAGER}')"))).await;
    let properties = &body["value"][0]["properties"];
    assert_eq!(properties["scope"], "/providers/Microsoft.Management/managementGroups/root");
    assert_eq!(
        properties["roleDefinitionId"],
        format!("/providers/Microsoft.Authorization/roleDefinitions/{OWNER_ROLE}")
    );
}

#[tokio::test]
async fn long_lists_have_an_absolute_next_link() {
    let api = start(nested()).await;
    api.settings(json!({ "roleAssignmentPageSize": 2 })).await;
    let (mut path, mut seen, mut pages) = (assignments("atScope()"), 0, 0);
    loop {
        let (_, body) = api.get(&path).await;
        pages += 1;
        seen += body["value"].as_array().expect("a list").len();
        let Some(next) = body["nextLink"].as_str() else { break };
        path = next.strip_prefix(&api.base).expect("absolute").to_owned();
    }
    assert_eq!((seen, pages), (4, 2));
}

#[tokio::test]
async fn tokens_must_fit_the_subscription() {
    let mut api = start(World::generated(2)).await;
    let refusal = |(status, body): Answered| (status, body["error"]["code"].as_str().unwrap_or_default().to_owned());
    let expect = |status: u16, code: &str| (status, code.to_owned());
    let path = assignments("atScope()");

    api.token = customer_token(&api, CUSTOMER, PARTNER_CENTER).await;
    assert_eq!(refusal(api.get(&path).await), expect(401, "InvalidAuthenticationTokenAudience"));
    api.token = customer_token(&api, PARTNER, ARM).await;
    assert_eq!(refusal(api.get(&path).await), expect(401, "InvalidAuthenticationTokenTenant"));
    api.token = customer_token(&api, OTHER_CUSTOMER, ARM).await;
    assert_eq!(refusal(api.get(&path).await), expect(401, "InvalidAuthenticationTokenTenant"));
    api.settings(json!({ "accessTokenSeconds": 0 })).await;
    api.token = customer_token(&api, CUSTOMER, ARM).await;
    assert_eq!(refusal(api.get(&path).await), expect(401, "ExpiredAuthenticationToken"));

    let response = api.client.get(format!("{}{path}", api.base)).send().await.expect("sent");
    let challenge = response.headers()["www-authenticate"].to_str().expect("text").to_owned();
    assert!(challenge.starts_with("Bearer authorization_uri="), "{challenge}");
    assert_eq!(refusal(read(response).await), expect(401, "AuthenticationFailed"));
}

#[tokio::test]
async fn refusals_say_what_is_missing() {
    let api = start(World::generated(1)).await;
    let refusal = async |path: String| {
        let (status, body) = api.get(&path).await;
        (status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
    };
    let path = |id: &str, query: &str| {
        format!("/subscriptions/{id}/providers/microsoft.authorization/roleassignments?{query}")
    };
    let version = "api-version=2022-04-01";
    assert_eq!(refusal(path(AZURE, "")).await, (400, "MissingApiVersionParameter".to_owned()));
    assert_eq!(refusal(path(STRANGER, version)).await, (404, "SubscriptionNotFound".to_owned()));
    assert_eq!(refusal(path("x", version)).await, (400, "InvalidSubscriptionId".to_owned()));
    assert_eq!(api.get(&path(AZURE, version)).await.0, 200);

    let gone = json!({ "subscription": AZURE, "principalId": ADMIN_AGENTS, "holds": false });
    api.control(Method::POST, "owners", &gone).await;
    assert_eq!(
        refusal(path(AZURE, version)).await,
        (403, "AuthorizationFailed".to_owned()),
        "the partner is locked out"
    );
}

//! Microsoft Graph: users, groups, and who is in which group through others.
//! <https://learn.microsoft.com/en-us/graph/api/user-list-transitivememberof>
//!
//! Only the router comes in here, through [`answer`]. A token says by its tenant whose directory is asked, and by its
//! scopes what may be seen.

pub(crate) mod refusal;
pub(crate) mod route;

use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use self::refusal::refuse;
use self::route::{Kind, Route};
use super::directory::{Directory, GroupEntry, Person};
use super::exchange::{Answer, Outcome, Request, member};
use super::routes;
use super::state::State;
use super::tokens::{self, Audience, Claims};

/// The most groups that one question may name.
const CHECKED_MAX: usize = 20;

/// Answers a request to Microsoft Graph.
pub(crate) fn answer(state: &State, request: &Request, route: &routes::Route) -> Answer {
    let outcome = match route {
        routes::Route::Graph(route) => dispatch(state, request, route),
        _ => Err(refuse(
            request,
            StatusCode::BAD_REQUEST,
            "BadRequest",
            "Resource not found for the segment that the path names.",
        )),
    };
    outcome.unwrap_or_else(|refusal| refusal)
}

fn dispatch(state: &State, request: &Request, route: &Route) -> Outcome {
    let asker = Asker::of(state, request)?;
    match route {
        Route::Me => asker.user(request, &asker.me(request)?.id.to_string()),
        Route::MyGroups { is_cast } => asker.my_groups(state, request, *is_cast),
        Route::CheckMyGroups => asker.check_my_groups(request),
        Route::User { name } => asker.user(request, name),
        Route::GroupMembers { group, kind } => asker.group_members(state, request, group, *kind),
    }
}

/// Who asks, and the directory that the token opens.
struct Asker {
    claims: Claims,
    directory: Directory,
}

impl Asker {
    fn of(state: &State, request: &Request) -> Result<Self, Answer> {
        let unauthorized =
            |message: &str| refuse(request, StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", message);
        let token = request.bearer().ok_or_else(|| unauthorized("Access token is empty."))?;
        let claims = tokens::decode(token).ok_or_else(|| unauthorized("IDX14100: JWT is not well formed."))?;
        if !claims.is_current(request.at) {
            return Err(unauthorized("Lifetime validation failed, the token is expired."));
        }
        if Audience::of(&claims.aud) != Some(Audience::Graph) {
            return Err(unauthorized("Access token validation failure. Invalid audience."));
        }
        let directory = Directory::of(state, claims.tid).ok_or_else(|| unauthorized("The tenant is not known."))?;
        Ok(Self { claims, directory })
    }

    /// The signed-in user, who is nobody in a customer's tenant.
    fn me(&self, request: &Request) -> Result<&Person, Answer> {
        if self.claims.upn.is_none() {
            return Err(refuse(
                request,
                StatusCode::BAD_REQUEST,
                "BadRequest",
                "/me request is only valid with delegated authentication flow.",
            ));
        }
        self.need(request, &["User.Read", "User.Read.All"])?;
        self.directory.user(&self.claims.oid.to_string()).ok_or_else(|| absent(request, &self.claims.oid.to_string()))
    }

    fn has(&self, scopes: &[&str]) -> bool {
        let held = self.claims.scp.as_deref().unwrap_or_default();
        held.split(' ').any(|held| scopes.iter().any(|scope| scope.eq_ignore_ascii_case(held)))
    }

    fn need(&self, request: &Request, scopes: &[&str]) -> Result<(), Answer> {
        if self.has(scopes) {
            return Ok(());
        }
        let text = "Insufficient privileges to complete the operation.";
        Err(refuse(request, StatusCode::FORBIDDEN, "Authorization_RequestDenied", text))
    }

    fn user(&self, request: &Request, name: &str) -> Outcome {
        let is_me = self.directory.user(name).is_some_and(|user| user.id == self.claims.oid);
        self.need(request, if is_me { &["User.Read", "User.Read.All"] } else { &["User.Read.All"] })?;
        let user = self.directory.user(name).ok_or_else(|| absent(request, name))?;
        let mut body = match request.query("$select") {
            Some(_) => selected(request, person_json(user)),
            // Graph leaves these out unless they are asked for.
            None => without(person_json(user), &["userType", "accountEnabled"]),
        };
        body["@odata.context"] = json!(format!("{}/v1.0/$metadata#users/$entity", request.base_url()));
        Ok(Answer::ok(&body))
    }

    fn my_groups(&self, state: &State, request: &Request, is_cast: bool) -> Outcome {
        let me = self.me(request)?;
        let items: Vec<Value> = self
            .directory
            .groups_of(me.id)
            .into_iter()
            .map(|group| {
                let mut item = selected(request, self.group_json(group));
                if !is_cast {
                    item["@odata.type"] = json!("#microsoft.graph.group");
                }
                item
            })
            .collect();
        page(state, request, &items)
    }

    /// Without the scope for it, Graph tells only the ids of groups.
    fn group_json(&self, group: &GroupEntry) -> Value {
        let name = self.has(&["GroupMember.Read.All"]).then_some(group.name.as_str());
        json!({ "id": group.id, "displayName": name, "securityEnabled": name.map(|_| true) })
    }

    fn check_my_groups(&self, request: &Request) -> Outcome {
        let me = self.me(request)?;
        let invalid = |message: &str| refuse(request, StatusCode::BAD_REQUEST, "Request_BadRequest", message);
        let body = request.json();
        let ids = body.as_ref().and_then(|body| member(body, "groupIds")).and_then(Value::as_array);
        let ids = ids.ok_or_else(|| invalid("The parameter groupIds is missing."))?;
        if ids.len() > CHECKED_MAX {
            return Err(invalid(&format!("groupIds holds at most {CHECKED_MAX} ids.")));
        }
        let mut asked = Vec::new();
        for id in ids {
            let id = id.as_str().and_then(|id| Uuid::try_parse(id).ok());
            asked.push(id.ok_or_else(|| invalid("Invalid GUID in groupIds."))?);
        }
        let mine: Vec<Uuid> = self.directory.groups_of(me.id).iter().map(|group| group.id).collect();
        let found: Vec<Uuid> = asked.into_iter().filter(|id| mine.contains(id)).collect();
        Ok(Answer::ok(&json!({
            "@odata.context": format!("{}/v1.0/$metadata#Collection(Edm.String)", request.base_url()),
            "value": found,
        })))
    }

    fn group_members(&self, state: &State, request: &Request, group: &str, kind: Option<Kind>) -> Outcome {
        self.need(request, &["GroupMember.Read.All"])?;
        let known = Uuid::try_parse(group).ok().and_then(|id| self.directory.group(id));
        let known = known.ok_or_else(|| absent(request, group))?;
        let items: Vec<Value> = self
            .directory
            .members_of(known.id)
            .into_iter()
            .map(|id| self.member_json(id))
            .filter(|(found, _)| kind.is_none_or(|kind| *found == kind))
            .map(|(found, item)| {
                let mut item = selected(request, item);
                if kind.is_none() {
                    item["@odata.type"] = json!(found.odata_type());
                }
                item
            })
            .collect();
        page(state, request, &items)
    }

    fn member_json(&self, id: Uuid) -> (Kind, Value) {
        if let Some(user) = self.directory.user(&id.to_string()) {
            (Kind::User, person_json(user))
        } else if let Some(group) = self.directory.group(id) {
            (Kind::Group, self.group_json(group))
        } else {
            (Kind::ServicePrincipal, json!({ "id": id, "displayName": null }))
        }
    }
}

impl Kind {
    const ALL: [Self; 3] = [Self::User, Self::Group, Self::ServicePrincipal];

    fn odata_type(self) -> &'static str {
        match self {
            Self::User => "#microsoft.graph.user",
            Self::Group => "#microsoft.graph.group",
            Self::ServicePrincipal => "#microsoft.graph.servicePrincipal",
        }
    }

    /// The kind that a path is cast to: Microsoft's clients write `graph.user`, its pages `microsoft.graph.user`.
    fn of_cast(segment: &str) -> Option<Self> {
        let name = segment.to_lowercase();
        Self::ALL.into_iter().find(|kind| {
            let full = kind.odata_type().to_lowercase();
            let full = full.trim_start_matches('#');
            name == full || Some(name.as_str()) == full.strip_prefix("microsoft.")
        })
    }
}

fn absent(request: &Request, name: &str) -> Answer {
    let text =
        format!("Resource '{name}' does not exist or one of its queried reference-property objects are not present.");
    refuse(request, StatusCode::NOT_FOUND, "Request_ResourceNotFound", &text)
}

fn person_json(user: &Person) -> Value {
    json!({
        "id": user.id,
        "userPrincipalName": user.upn,
        "displayName": user.upn.split('@').next(),
        "mail": null,
        "userType": user.user_type,
        "accountEnabled": user.account_enabled,
    })
}

fn without(mut item: Value, names: &[&str]) -> Value {
    if let Value::Object(fields) = &mut item {
        for name in names {
            fields.remove(*name);
        }
    }
    item
}

/// The fields that `$select` names; all of them without it.
fn selected(request: &Request, item: Value) -> Value {
    let (Some(names), Value::Object(fields)) = (request.query("$select"), &item) else {
        return item;
    };
    let wanted = |field: &str| names.split(',').any(|name| name.trim().eq_ignore_ascii_case(field));
    let fields: Map<String, Value> =
        fields.iter().filter(|(name, _)| wanted(name)).map(|(name, value)| (name.clone(), value.clone())).collect();
    Value::Object(fields)
}

/// One page, with an absolute link to the next.
fn page(state: &State, request: &Request, found: &[Value]) -> Outcome {
    let invalid = |message: &str| refuse(request, StatusCode::BAD_REQUEST, "Request_BadRequest", message);
    let size = match request.query("$top").map(str::parse::<usize>) {
        None => state.settings.graph_page_size.get(),
        Some(Ok(size @ 1..=999)) => size,
        Some(_) => return Err(invalid("Invalid page size specified: '$top'. Must be between 1 and 999 inclusive.")),
    };
    let start = match request.query("$skiptoken").map(str::parse::<usize>) {
        None => 0,
        Some(Ok(start)) => start.min(found.len()),
        Some(Err(_)) => return Err(invalid("The $skiptoken is not valid.")),
    };
    let end = found.len().min(start + size);
    let mut body = json!({
        "@odata.context": format!("{}/v1.0/$metadata#directoryObjects", request.base_url()),
        "value": found[start..end],
    });
    if end < found.len() {
        body["@odata.nextLink"] = json!(request.link_with("$skiptoken", &end.to_string()));
    }
    Ok(Answer::ok(&body))
}

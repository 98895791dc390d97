//! The portal over HTTP: its pages and forms, and who may do what with them.

mod account;
mod activity;
mod faults;
mod guards;
mod purchases;

use super::*;

const ADA: &str = "ada@contosopartner.onmicrosoft.com";
const GRACE: &str = "grace@contosopartner.onmicrosoft.com";

/// What a browser has been answered.
#[derive(Debug)]
struct Shown {
    status: u16,
    location: Option<String>,
    html: String,
    headers: reqwest::header::HeaderMap,
}

impl Shown {
    #[track_caller]
    fn has(&self, text: &str) -> &Self {
        assert!(self.html.contains(text), "no {text:?} in {}", self.html);
        self
    }

    #[track_caller]
    fn lacks(&self, text: &str) -> &Self {
        assert!(!self.html.contains(text), "{text:?} in {}", self.html);
        self
    }
}

/// A browser at the portal of a simulator.
struct Browser {
    api: Api,
    client: Client,
    /// Who it is signed in as, when somebody has been picked.
    user: Option<&'static str>,
}

impl Browser {
    async fn open(world: World) -> Self {
        let api = Api::start(world).await;
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        Self { api, client, user: None }
    }

    async fn with_customers() -> Self {
        Self::open(World::generated(3)).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.api.base));
        match self.user {
            Some(user) => request.header("cookie", format!("portal-user={user}")),
            None => request,
        }
    }

    async fn get(&self, path: &str) -> Shown {
        shown(self.request(Method::GET, path)).await
    }

    /// Sends a form, as a page of the portal does.
    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Shown {
        shown(self.request(Method::POST, path).header("origin", &self.api.base).form(fields)).await
    }

    /// Sends a form that is accepted, and gives the page that the browser is sent to.
    async fn submit(&self, path: &str, fields: &[(&str, &str)]) -> Shown {
        let answer = self.post(path, fields).await;
        assert_eq!(answer.status, 303, "{path}: {}", answer.html);
        let page = self.get(&answer.location.expect("a location")).await;
        assert_eq!(page.status, 200);
        page
    }
}

async fn shown(request: RequestBuilder) -> Shown {
    let response = request.send().await.expect("an answer");
    let headers = response.headers().clone();
    let location = headers.get("location").map(|location| location.to_str().expect("text").to_owned());
    Shown { status: response.status().as_u16(), location, html: response.text().await.expect("a body"), headers }
}

fn account_path() -> String {
    format!("/portal/customers/{CUSTOMER}")
}

fn permissions_path() -> String {
    format!("{}/permissions", account_path())
}

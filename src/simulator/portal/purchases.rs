//! What was bought for a customer, and the form by which somebody buys more.

use askama::Template;
use axum::http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::account::{About, Item};
use super::azure_portal::{Buying, add_user, may_buy};
use super::form::{Form, address};
use super::shell::{Moment, Place, Shell};
use super::{customer, page, see_other};
use crate::simulator::commerce::{BoughtBy, Term};
use crate::simulator::control;
use crate::simulator::control_call::{ControlCall, Verb};
use crate::simulator::exchange::{Outcome, Request};
use crate::simulator::policy::RESOURCES;
use crate::simulator::state::{Customer, State};

#[derive(Debug, Template)]
#[template(path = "purchases.html")]
struct Purchases {
    shell: Shell,
    about: About,
    reservations: Vec<Held>,
    savings_plans: Vec<Held>,
    buyers: Vec<Buyer>,
    /// How to give the customer a user, where it has none who could buy.
    add_user: Option<String>,
    subscriptions: Vec<(Uuid, String)>,
    wanted: Wanted,
}

/// A reservation or a savings plan.
#[derive(Debug)]
struct Held {
    name: String,
    /// How many, or for how much an hour.
    amount: String,
    term: &'static str,
    buyer: String,
    /// Partner Center's; none of what was bought in the Azure portal and shows only there.
    order: Option<String>,
    purchased: Moment,
    expires: Moment,
}

/// Somebody who can be picked to buy.
#[derive(Debug)]
struct Buyer {
    value: String,
    title: String,
}

/// The form, as it was sent.
#[derive(Debug, Clone)]
struct Wanted {
    kind: String,
    who: String,
    term: String,
    quantity: String,
    commitment: String,
    subscription: String,
}

impl Wanted {
    fn of(form: &Form) -> Self {
        let text = |name: &str, default: &str| form.get(name).unwrap_or(default).to_owned();
        Self {
            kind: text("kind", "reservation"),
            who: text("who", ""),
            term: text("term", "P1Y"),
            quantity: text("quantity", "1"),
            commitment: text("commitment", "0.50"),
            subscription: text("subscription", ""),
        }
    }

    fn is_savings_plan(&self) -> bool {
        self.kind == "savingsPlan"
    }

    /// The resource whose purchase has to be permitted.
    fn resource(&self) -> &'static str {
        RESOURCES[usize::from(self.is_savings_plan())]
    }

    /// The call that buys it; a sentence when a field is not understood.
    fn body(&self) -> Result<Value, String> {
        let (buyer, user) = self.who.split_once(':').ok_or("Say who buys.")?;
        let mut body = json!({ "kind": self.kind, "buyer": buyer, "user": user, "term": self.term });
        if self.is_savings_plan() {
            let commitment: Option<f64> = self.commitment.parse().ok().filter(|amount| (0.001..=1e6).contains(amount));
            body["commitment"] =
                json!(commitment.ok_or("The hourly commitment is an amount in dollars, such as 0.50.")?);
        } else {
            let quantity: Option<u32> = self.quantity.parse().ok().filter(|quantity| (1..=100_000).contains(quantity));
            body["quantity"] = json!(quantity.ok_or("The quantity is a whole number from 1 to 100000.")?);
        }
        if !self.subscription.is_empty() {
            body["subscription"] = json!(self.subscription);
        }
        Ok(body)
    }
}

pub(super) fn list(state: &State, request: &Request, id: &str) -> Outcome {
    let customer = customer(state, request, id)?;
    let wanted = Wanted::of(&Form::of(request));
    Ok(page(StatusCode::OK, &purchases(state, request, customer, wanted, None)))
}

fn purchases(
    state: &State,
    request: &Request,
    customer: &Customer,
    wanted: Wanted,
    refusal: Option<&str>,
) -> Purchases {
    let about = &customer.about;
    let mut shell = Shell::new(state, request, Place::Customers, &format!("{}, Purchases", about.name));
    if let Some(said) = refusal {
        shell = shell.refused(said, &path(about.tenant_id));
    }
    let reservations = customer.commerce.reservations.iter().filter(|held| held.visible_at <= request.at);
    let reservations = reservations.map(|held| Held {
        name: held.name.clone(),
        amount: held.quantity.to_string(),
        term: term(held.term),
        buyer: match held.buyer.by {
            BoughtBy::Customer => format!("{} (customer)", held.buyer.upn),
            BoughtBy::Partner => format!("{} (partner)", held.buyer.upn),
        },
        order: Some(held.partner_order.clone()),
        purchased: Moment(held.purchased_at),
        expires: Moment(held.expires_at),
    });
    let savings_plans = customer.commerce.savings_plans.iter().filter(|held| held.visible_at <= request.at);
    let savings_plans = savings_plans.map(|held| Held {
        name: held.name.clone(),
        amount: format!("${:.2} an hour", held.commitment),
        term: term(held.term),
        buyer: if held.partner_order.is_some() { "partner" } else { "customer" }.to_owned(),
        order: held.partner_order.clone(),
        purchased: Moment(held.purchased_at),
        expires: Moment(held.expires_at),
    });
    let buyer = |by: &str, upn: &str| Buyer { value: format!("{by}:{upn}"), title: format!("{upn} ({by})") };
    let own = about.users.iter().map(|user| buyer("customer", &user.upn));
    let partners = state.partner.users.iter().map(|user| buyer("partner", &user.upn));
    Purchases {
        shell,
        about: About::of(customer, Item::Purchases),
        reservations: reservations.collect(),
        savings_plans: savings_plans.collect(),
        buyers: own.chain(partners).collect(),
        add_user: about.users.is_empty().then(|| add_user(request, customer)),
        subscriptions: about.azure_subscriptions().map(|azure| (azure.id, azure.name.clone())).collect(),
        wanted,
    }
}

fn path(tenant: Uuid) -> String {
    format!("/portal/customers/{tenant}/purchases")
}

fn term(term: Term) -> &'static str {
    match term {
        Term::P1Y => "1 year",
        Term::P3Y => "3 years",
    }
}

/// Somebody buys.
pub(super) fn buy(state: &mut State, request: &Request, id: &str) -> Outcome {
    let customer_now = customer(state, request, id)?;
    let tenant = customer_now.about.tenant_id;
    let wanted = Wanted::of(&Form::of(request));
    let allowed = wanted.body().map_err(|said| (StatusCode::BAD_REQUEST, said)).and_then(|body| {
        if let Some(upn) = wanted.who.strip_prefix("customer:") {
            let buying = Buying { resource: wanted.resource(), upn, subscription: &wanted.subscription };
            may_buy(state, request, customer_now, &buying).map_err(|said| (StatusCode::FORBIDDEN, said))?;
        }
        Ok(ControlCall::new(Verb::Post, format!("customers/{tenant}/purchases"), body))
    });
    let made = allowed
        .and_then(|call| control::make(&call, state, request.at).map_err(|said| (StatusCode::BAD_REQUEST, said)));
    match made {
        Ok(_) => {
            let done = if wanted.is_savings_plan() { "bought-savings-plan" } else { "bought-reservation" };
            Ok(see_other(&address(&path(tenant), &[("done", done)])))
        }
        Err((status, said)) => {
            let customer = customer(state, request, id)?;
            Err(page(status, &purchases(state, request, customer, wanted, Some(&said))))
        }
    }
}

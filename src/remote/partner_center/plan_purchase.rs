//! Buying an Azure plan: agreement, catalogue, cart, checkout.
//! <https://learn.microsoft.com/en-us/partner-center/developer/create-azure-plan>

use std::time::Duration;

use tokio::time::Instant;
use url::Url;
use uuid::Uuid;

use crate::model::{CartId, TenantId};
use crate::remote::call::{Body, Call};
use crate::remote::token::Realm;
use crate::remote::wire::{self, AgreementWire, AvailabilityWire, CartWire, CheckOutWire, NewCart};
use crate::remote::{Cause, Error, Operation};

use super::{PartnerCenter, unexpected};

impl PartnerCenter {
    /// Whether the customer has accepted the Microsoft Customer Agreement.
    pub async fn has_accepted_agreement(&self, customer: TenantId) -> Result<bool, Error> {
        let operation = Operation::ReadAgreements(customer);
        let items: Vec<AgreementWire> = self.list(operation, self.below_customer(customer, &["agreements"])).await?;
        Ok(items.iter().any(AgreementWire::is_customer_agreement))
    }

    /// Puts an Azure plan into a new cart. Nothing is bought by that. An indirect provider names the reseller.
    pub async fn plan_cart(&self, customer: TenantId, reseller: Option<&str>) -> Result<CartId, Error> {
        let item = self.azure_plan_item(customer).await?;
        let operation = Operation::CreateCart(customer);
        let call = Call::post(
            operation,
            self.below_customer(customer, &["carts"]),
            json(operation, &NewCart::of(&item, reseller))?,
        );
        let cart: CartWire = self.read(call, Uuid::new_v4()).await?;
        cart.holding(&item, reseller).map_err(unexpected(operation))
    }

    /// Waits until a cart of `customer` may be checked out, and then has `look` make sure that it should be. `look` gives
    /// the moment for which it is sure. What is returned sends nothing later than `lasts` after that moment.
    ///
    /// [`Error::is_late`] when that cannot be kept.
    pub async fn once_sure_to_buy<E: From<Error>, Look: Future<Output = Result<Instant, E>>>(
        &self,
        customer: TenantId,
        lasts: Duration,
        look: impl Fn() -> Look,
    ) -> Result<Self, E> {
        let sender = self.sender.once_sure(Operation::CheckOutCart(customer), customer, lasts, look).await?;
        Ok(self.with(std::sync::Arc::new(sender)))
    }

    /// Buys what is in the cart; gives the ids of the orders. It is sent once: a send without an answer is not repeated.
    ///
    /// [`Error::cart_missing`] when there is no such cart, any more or at all.
    pub async fn check_out(&self, customer: TenantId, cart: &CartId) -> Result<Vec<String>, Error> {
        let operation = Operation::CheckOutCart(customer);
        let url = self.below_customer(customer, &["carts", &cart.to_string(), "checkout"]);
        let answer =
            self.sender.send(Realm::PartnerCenter, Call::post(operation, url, Body::None), Uuid::new_v4()).await?;
        let result: CheckOutWire = wire::read(&answer.body).map_err(unexpected(operation))?;
        result.orders().map_err(unexpected(operation))
    }

    /// What the catalogue calls an Azure plan for this customer: it differs by market.
    async fn azure_plan_item(&self, customer: TenantId) -> Result<String, Error> {
        let operation = Operation::ReadCatalogue(customer);
        let segments = ["products", wire::AZURE_PLAN_PRODUCT, "skus", wire::AZURE_PLAN_SKU, "availabilities"];
        let items: Vec<AvailabilityWire> = self.list(operation, self.below_customer(customer, &segments)).await?;
        let mut items: Vec<_> = items.into_iter().filter_map(AvailabilityWire::azure_plan).collect();
        items.sort();
        items.dedup();
        match (items.pop(), items.is_empty()) {
            (Some(item), true) => Ok(item),
            (None, _) => Err(unexpected(operation)("no Azure plan that can be bought".to_owned())),
            (Some(_), false) => Err(unexpected(operation)("more than one Azure plan".to_owned())),
        }
    }

    fn below_customer(&self, customer: TenantId, segments: &[&str]) -> Url {
        let customer = customer.to_string();
        self.url(&[&["customers", &customer], segments].concat())
    }
}

fn json<T: serde::Serialize>(operation: Operation, body: &T) -> Result<Body, Error> {
    let invalid = |_| Error::new(operation, Cause::InvalidRequest("not writable as JSON".to_owned()));
    serde_json::to_vec(body).map(Body::Json).map_err(invalid)
}

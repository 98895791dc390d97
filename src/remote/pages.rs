//! Lists that come in pages, each with the whole address of the next: Azure's and Graph's.

use serde::de::DeserializeOwned;
use url::Url;
use uuid::Uuid;

use super::call::Call;
use super::page::{Trail, follow_absolute};
use super::send::Sender;
use super::token::Realm;
use super::wire::{self, LinkedPage};
use super::{Cause, Error, Operation};

impl Sender {
    /// All items from `url` on. `base`: the address of the service, which no page may lead away from.
    pub(super) async fn all_pages<T: DeserializeOwned>(
        &self,
        operation: Operation,
        realm: Realm,
        base: &Url,
        mut url: Url,
    ) -> Result<Vec<T>, Error> {
        let unexpected = |defect| Error::new(operation, Cause::UnexpectedAnswer(defect));
        let correlation = Uuid::new_v4();
        let mut trail = Trail::new(self.limits().pages_max);
        let mut all = Vec::new();
        loop {
            let answer = self.send(realm, Call::get(operation, url), correlation).await?;
            let page: LinkedPage<T> = wire::read(&answer.body).map_err(unexpected)?;
            let (items, next) = page.open().map_err(unexpected)?;
            all.extend(items);
            let Some(link) = next else { return Ok(all) };
            let next = follow_absolute(base, &link).map_err(unexpected)?;
            trail.step(&next).map_err(unexpected)?;
            url = next.url;
        }
    }
}

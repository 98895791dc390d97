//! What is bought for a customer: the catalogue, carts, orders, entitlements, agreements and registrations.

mod agreements;
mod carts;
mod catalogue;
mod entitlements;
mod orders;
mod route;

pub(crate) use route::Route;

use super::caller::Needs;
use super::replay;
use crate::simulator::exchange::{Outcome, Request};
use crate::simulator::state::State;

pub(super) fn answer(state: &mut State, request: &Request, customer: &str, route: &Route) -> Outcome {
    match route {
        Route::ListOrders => orders::list(state, request, customer),
        Route::GetOrder { id } => orders::get(state, request, customer, id),
        Route::ListEntitlements => entitlements::list(state, request, customer),
        Route::GetArtifact { resource } => entitlements::artifact(state, request, customer, resource),
        Route::ListProducts => catalogue::products(state, request, customer),
        Route::GetProduct { product } => catalogue::product(state, request, customer, product),
        Route::ListSkus { product } => catalogue::skus(state, request, customer, product),
        Route::ListAvailabilities { product, sku } => catalogue::availabilities(state, request, customer, product, sku),
        Route::CreateCart => {
            replay::once(state, request, Needs::AnyToken, |state, request| carts::create(state, request, customer))
        }
        Route::GetCart { id } => carts::get(state, request, customer, id),
        Route::UpdateCart { id } => {
            replay::once(state, request, Needs::AnyToken, |state, request| carts::update(state, request, customer, id))
        }
        Route::CheckOutCart { id } => replay::once(state, request, Needs::AnyToken, |state, request| {
            carts::check_out(state, request, customer, id)
        }),
        Route::ListAgreements => agreements::list(state, request, customer),
        Route::AcceptAgreement => {
            replay::once(state, request, Needs::AnyToken, |state, request| agreements::accept(state, request, customer))
        }
        Route::Register { subscription } => agreements::register(state, request, customer, subscription),
        Route::RegistrationStatus { subscription } => {
            agreements::registration_status(state, request, customer, subscription)
        }
    }
}

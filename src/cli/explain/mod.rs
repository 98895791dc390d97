//! `kubectl csp explain KIND/NAME`: why an object is as it is, told along the chain of what it waits for.
//!
//! Everything is read from the statuses in the cluster. The chain of a permission: the sign-in, its Customer, each of its
//! `AzureSubscription`s with their owners, and itself.

mod advice;
mod chain;

use jiff::{RoundMode, SpanRound, Timestamp, Unit};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt as _;
use serde::Serialize;

use super::args::ExplainArgs;
use super::objects::{ListError, Objects, ObjectsError};
use super::table::{FormatError, structured};
use super::terminal::{print, printable};
use advice::{About, advice};
use anstyle::{AnsiColor, Style};
use chain::{Known, Named};

/// Why nothing can be explained.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExplainError {
    #[error(
        "\"{0}\" names no object: write it as KIND/NAME, such as cpp/fabrikam, customer/fabrikam or azsub/fabrikam-prod"
    )]
    NotNamed(String),
    #[error("{place} has no {kind} \"{name}\": see kubectl get csp -A")]
    NotFound { kind: &'static str, name: String, place: String },
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    #[error(transparent)]
    List(#[from] ListError),
    #[error(transparent)]
    Format(#[from] FormatError),
}

/// The three kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Customer,
    AzureSubscription,
    CustomerPurchasePermission,
}

impl Kind {
    const ALL: [(Self, &'static str, &'static [&'static str]); 3] = [
        (Self::Customer, "Customer", &["customer", "customers", "cust"]),
        (Self::AzureSubscription, "AzureSubscription", &["azuresubscription", "azuresubscriptions", "azsub"]),
        (
            Self::CustomerPurchasePermission,
            "CustomerPurchasePermission",
            &["customerpurchasepermission", "customerpurchasepermissions", "cpp"],
        ),
    ];

    fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(kind, ..)| *kind == self).map_or("", |(_, name, _)| name)
    }
}

/// As kubectl names objects: the kind, its plural or its short name, with or without the group.
fn named(text: &str) -> Option<(Kind, &str)> {
    let (kind, name) = text.split_once('/')?;
    let kind = kind.to_lowercase();
    let kind = kind.split('.').next().unwrap_or_default();
    let (kind, ..) = Kind::ALL.into_iter().find(|(_, _, names)| names.contains(&kind))?;
    (!name.is_empty()).then_some((kind, name))
}

/// What an object says, and what it waits for, as it is printed for programs.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Explanation {
    object: String,
    summary: String,
    steps: Vec<Step>,
    /// What to do first, which may be to wait; absent where the object is in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Advice>,
}

/// One link of the chain.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Step {
    /// The question, such as "Is the customer known and resold by the partner?".
    question: &'static str,
    /// The object that answers it.
    object: String,
    condition: String,
    /// `True`, `False` or `Unknown`.
    status: String,
    reason: String,
    message: String,
    /// Since when the status is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    /// What puts it right, where that is known to the letter.
    #[serde(skip)]
    command: Option<String>,
}

/// What a person can do.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Advice {
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
}

/// Explains one object.
pub(super) async fn run(args: &ExplainArgs) -> Result<(), ExplainError> {
    let (kind, name) = named(&args.object).ok_or_else(|| ExplainError::NotNamed(printable(&args.object)))?;
    let objects = Objects::in_one_namespace(args.namespace.as_deref(), &args.cluster).await?;
    let known = Known {
        customers: objects.list().await?,
        subscriptions: objects.list().await?,
        permissions: objects.list().await?,
    };
    let explanation = explain(kind, name, &known).ok_or_else(|| ExplainError::NotFound {
        kind: kind.as_str(),
        name: printable(name),
        place: objects.place(),
    })?;
    match structured(&explanation, args.output)? {
        Some(text) => print(text.trim_end()).map_err(FormatError::from)?,
        None => print(&text(&explanation, Timestamp::now())).map_err(FormatError::from)?,
    }
    Ok(())
}

fn explain(kind: Kind, name: &str, known: &Known) -> Option<Explanation> {
    let (named, steps) = match kind {
        Kind::CustomerPurchasePermission => {
            let object = known.permissions.iter().find(|one| one.name_any() == name)?;
            (Named::of(kind.as_str(), object), chain::of_permission(object, known))
        }
        Kind::Customer => {
            let object = known.customers.iter().find(|one| one.name_any() == name)?;
            (Named::of(kind.as_str(), object), chain::of_customer(object))
        }
        Kind::AzureSubscription => {
            let object = known.subscriptions.iter().find(|one| one.name_any() == name)?;
            (Named::of(kind.as_str(), object), chain::of_subscription(object, known))
        }
    };
    let ready = chain::ready(kind, name, known);
    let summary = summary(ready);
    let needs_nothing = ready.is_some_and(|ready| ready.status == "True");
    let blocking =
        steps.iter().find(|step| step.status == "False").or_else(|| steps.iter().find(|step| is_blocking(step)));
    let about = About {
        object: &named,
        customer: chain::customer(kind, name, known),
        tenant: chain::tenant(kind, name, known),
        subscription: chain::subscription(kind, name, known, blocking),
    };
    let next = match (needs_nothing, blocking, ready) {
        (true, ..) | (false, None, None) => None,
        (false, Some(step), _) => {
            let advice = advice(&step.reason, &step.message, &about);
            Some(Advice { command: step.command.clone().or(advice.command), ..advice })
        }
        (false, None, Some(ready)) => Some(advice(&ready.reason, &ready.message, &about)),
    };
    Some(Explanation { object: named.to_string(), summary, steps, next })
}

/// Unknown counts only where somebody is waited for.
fn is_blocking(step: &Step) -> bool {
    step.status == "Unknown"
        && !["NotNeeded", "Unverified", "CustomerNotResolved", "SubscriptionNotVerified"]
            .contains(&step.reason.as_str())
}

fn summary(ready: Option<&Condition>) -> String {
    match ready {
        None => "the operator has not looked at it yet: is one running, and does it lead?".to_owned(),
        Some(ready) if ready.status == "True" => format!("is in order ({}): {}", ready.reason, ready.message),
        Some(ready) => format!("is not Ready ({}): {}", ready.reason, ready.message),
    }
}

fn text(explanation: &Explanation, now: Timestamp) -> String {
    let bold = Style::new().bold();
    let mut lines =
        vec![format!("{bold}{}{bold:#} {}", explanation.object, printable(&explanation.summary)), String::new()];
    for step in &explanation.steps {
        let (sign, color) = match step.status.as_str() {
            "True" => ("ok", AnsiColor::Green),
            "False" => ("no", AnsiColor::Red),
            _ if is_blocking(step) => ("??", AnsiColor::Yellow),
            _ => ("--", AnsiColor::BrightBlack),
        };
        let style = Style::new().fg_color(Some(color.into()));
        let since = step.since.map(|since| format!(", since {since} ({})", ago(since, now))).unwrap_or_default();
        lines.push(format!("  {style}{sign}{style:#}  {}", step.question));
        let what = format!("{}: {} {} {}{since}", step.object, step.condition, step.status, step.reason);
        lines.push(format!("      {}", printable(&what)));
        if !step.message.is_empty() {
            lines.push(format!("      {}", printable(&step.message)));
        }
    }
    if let Some(next) = &explanation.next {
        lines.push(format!("\n{bold}What to do:{bold:#} {}", printable(&next.what)));
        if let Some(command) = &next.command {
            lines.push(format!("  {}", printable(command)));
        }
    }
    lines.join("\n")
}

/// How long ago, in its largest unit.
fn ago(since: Timestamp, now: Timestamp) -> String {
    let span = now.duration_since(since);
    let unit = match span.as_secs() {
        ..60 => Unit::Second,
        60..3_600 => Unit::Minute,
        3_600..172_800 => Unit::Hour,
        _ => Unit::Day,
    };
    let whole = jiff::Span::try_from(span).and_then(|span| {
        span.round(SpanRound::new().smallest(unit).largest(unit).mode(RoundMode::Trunc).days_are_24_hours())
    });
    whole.map_or_else(|_| "long ago".to_owned(), |span| format!("{span:#}"))
}

#[cfg(test)]
mod tests;

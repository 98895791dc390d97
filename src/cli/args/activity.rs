//! Options of `kubectl csp activity`.

use clap::Args;
use jiff::{SignedDuration, Span, SpanRelativeTo};

use super::{ObjectsArgs, Output};

pub(super) const EXAMPLES: &str = "\
Examples:
  kubectl csp activity -A                      everything that is known, of all customers
  kubectl csp activity fabrikam --since 24h    what happened to one customer since yesterday
  kubectl csp activity -A -o json              the same for programs";

/// Options of `kubectl csp activity`.
#[derive(Debug, Args)]
pub struct ActivityArgs {
    /// Only this customer: the name of its Customer, or its tenant id.
    #[arg(value_name = "CUSTOMER")]
    pub customer: Option<String>,

    /// Only what happened within this time before now, like 90m, 24h or 7d.
    #[arg(long, value_name = "DURATION", value_parser = age)]
    pub since: Option<SignedDuration>,

    /// How to print it.
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Output,

    /// Which objects.
    #[command(flatten)]
    pub objects: ObjectsArgs,
}

/// A time before now. Days count 24 hours.
fn age(text: &str) -> Result<SignedDuration, &'static str> {
    let days = SpanRelativeTo::days_are_24_hours();
    let span = text.trim().parse::<Span>().and_then(|span| span.to_duration(days));
    span.ok().filter(SignedDuration::is_positive).ok_or("write it like 90m, 24h or 7d")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_days_hours_and_minutes_and_is_past() {
        assert_eq!(age("7d"), Ok(SignedDuration::from_hours(7 * 24)));
        assert_eq!(age(" 1h30m"), Ok(SignedDuration::from_mins(90)));
        for text in ["", "yesterday", "0s", "-1h", "1mo"] {
            assert!(age(text).is_err(), "{text}");
        }
    }
}

//! How long a service asks us to wait.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

const WAIT_MIN: Duration = Duration::from_secs(1);
/// No limit that Microsoft publishes is counted over more than a minute: a longer wait is a mistake of somebody's.
const WAIT_MAX: Duration = Duration::from_hours(1);

/// The answer's `Retry-After`, in seconds or as a date, brought between one second and one hour.
///
/// A date is taken relative to the answer's own `Date`: this machine's clock may be wrong. Without one it is ignored,
/// and so is anything that cannot be read.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Only a number that does not fit can fail here.
        text.parse().map_or(WAIT_MAX, Duration::from_secs)
    } else {
        let seconds = http_date(text)?.duration_since(http_date(headers.get(DATE)?.to_str().ok()?)?).as_secs();
        Duration::from_secs(seconds.max(0).unsigned_abs())
    };
    Some(wait.clamp(WAIT_MIN, WAIT_MAX))
}

/// A time as headers have it.
pub(super) fn http_date(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(retry_after_header: &str, date: Option<&str>, seconds: Option<u64>) {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry_after_header.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        assert_eq!(retry_after(&headers), seconds.map(Duration::from_secs), "{retry_after_header}");
    }

    #[test]
    fn reads_seconds_and_dates_and_bounds_them() {
        let date = Some("Sun, 01 Mar 2026 08:00:00 GMT");
        check("57", None, Some(57));
        check(" 57 ", date, Some(57));
        check("0", None, Some(1));
        check("86400", None, Some(3_600));
        check("99999999999999999999999", None, Some(3_600));
        check("Sun, 01 Mar 2026 08:01:30 GMT", date, Some(90));
        check("Sun, 01 Mar 2026 07:00:00 GMT", date, Some(1));
        check("Mon, 01 Mar 2027 08:00:00 GMT", date, Some(3_600));
    }

    #[test]
    fn ignores_what_it_cannot_read() {
        check("Sun, 01 Mar 2026 08:01:30 GMT", None, None);
        check("-5", Some("Sun, 01 Mar 2026 08:00:00 GMT"), None);
        check("soon", Some("Sun, 01 Mar 2026 08:00:00 GMT"), None);
        check("", None, None);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}

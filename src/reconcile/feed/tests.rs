//! What the feed reads, what it takes for news, and when it is trusted.

use super::*;
use crate::api::ActivityOrigin;
use crate::model::ActivityOperation;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn tenant() -> TenantId {
    "c1a0c1a0-1111-4a11-8a11-000000000001".parse().unwrap()
}

fn name() -> ObjectName {
    ObjectName { namespace: "ns".into(), name: "fabrikam".into() }
}

fn record(id: &str, when: &str, correlation: Option<Uuid>) -> ActivityRecord {
    ActivityRecord {
        id: id.into(),
        customer: tenant(),
        at: at(when),
        operation: ActivityOperation::Create,
        actor: None,
        correlation_id: correlation.map(|id| id.to_string()),
        status: "succeeded".into(),
    }
}

fn shown(id: &str, when: &str) -> Activity {
    Activity {
        record_id: id.into(),
        time: Time(at(when)),
        operation: String::new(),
        actor: None,
        origin: ActivityOrigin::Other,
        correlation_id: None,
        result: String::new(),
    }
}

fn feed(watermark: Option<&str>, is_proven: bool, now: &str) -> Feed {
    let remembered = Remembered { watermark: watermark.map(at), is_proven };
    Feed::new(Installation::new("ours"), remembered, at(now))
}

#[test]
fn nobody_waits_for_an_object_that_will_not_show_a_record() {
    let now = "2026-03-02T08:00:00Z";
    let feed = feed(Some("2026-03-01T08:00:00Z"), true, now);
    let customers = feed.polled(vec![record("r", "2026-03-02T07:59:00Z", None)], at(now));
    feed.woke(*customers.iter().next().unwrap(), [(name(), Vec::new())]);
    assert_eq!(feed.to_save(at(now), |_| true), None);
    feed.will_not_report(&name());
    assert_eq!(feed.to_save(at(now), |_| true).unwrap().watermark, Some(at("2026-03-02T07:59:00Z")));
}

#[test]
fn whoever_turns_permissions_is_the_partners() {
    let now = "2026-03-31T12:00:00Z";
    let feed = feed(None, false, now);
    let by = |id: &str, actor: &str| ActivityRecord { actor: Some(actor.into()), ..record(id, now, None) };
    let records = vec![
        by("a", "ada@Contoso.example"),
        by("b", "FulfillmentService"),
        by("c", "eve_evil.example#EXT#@fabrikam.example"),
        record("d", now, None),
    ];
    feed.polled(records, at(now));
    assert_eq!(feed.partner_domains(), BTreeSet::from(["contoso.example".to_owned()]));
}

fn window(watermark: Option<&str>) -> (String, String) {
    let now = "2026-03-31T12:00:00Z";
    let (from, to) = feed(watermark, true, now).window(at(now));
    (from.to_string(), to.to_string())
}

#[test]
fn reads_from_a_day_before_the_watermark_or_all_that_is_kept() {
    let to = || "2026-03-31".to_owned();
    assert_eq!(window(Some("2026-03-30T12:00:00Z")), ("2026-03-29".to_owned(), to()));
    assert_eq!(window(None), ("2026-01-01".to_owned(), to()));
    // Older than Partner Center's memory: there is a gap, so it counts as none.
    assert_eq!(window(Some("2025-06-01T00:00:00Z")), ("2026-01-01".to_owned(), to()));
}

#[test]
fn a_record_is_news_once() {
    let feed = feed(None, false, "2026-03-01T08:00:00Z");
    let poll = || feed.polled(vec![record("a", "2026-03-01T07:00:00Z", None)], at("2026-03-01T08:00:00Z")).len();
    assert_eq!((poll(), poll()), (1, 0));
    assert_eq!(feed.of(tenant(), at("2026-03-01T08:00:00Z")).records.len(), 1);
}

#[test]
fn what_comes_half_an_hour_late_twice_or_out_of_order_is_read_and_is_news_once() {
    let now = at("2026-03-01T08:00:00Z");
    let feed = feed(Some("2026-03-01T07:59:00Z"), true, "2026-03-01T08:00:00Z");
    let newest = || record("newest", "2026-03-01T07:59:30Z", None);
    assert_eq!(feed.polled(vec![newest()], now).len(), 1);
    let saved = feed.to_save(now, |_| true).unwrap();
    assert_eq!(saved.watermark, Some(at("2026-03-01T07:59:30Z")));
    // Late, out of order, on two pages, of an operation that is newer than this program.
    let strange = ActivityRecord {
        operation: ActivityOperation::Other("approve_self_serve_policy".into()),
        ..record("late", "2026-03-01T07:30:00Z", None)
    };
    let (from, to) = feed.window(now);
    let day = strange.at.to_zoned(TimeZone::UTC).date();
    assert!((from..=to).contains(&day), "not asked for any more");
    let again = vec![strange.clone(), newest(), strange.clone()];
    assert_eq!(feed.polled(again.clone(), now).len(), 1);
    assert_eq!(feed.polled(again, now).len(), 0);
    let ids: Vec<_> = feed.of(tenant(), now).records.into_iter().map(|seen| seen.record.id).collect();
    assert_eq!(ids, ["newest", "late"]);
    // It holds the watermark up like any other until it is shown, and does not take it back.
    feed.woke(tenant(), [(name(), vec![shown("newest", "2026-03-01T07:59:30Z")])]);
    assert_eq!(feed.to_save(now, |_| true), Some(saved), "what is not saved yet");
    feed.saved(saved);
    feed.reported(&name(), &[shown("newest", "2026-03-01T07:59:30Z"), shown("late", "2026-03-01T07:30:00Z")]);
    assert_eq!(feed.to_save(now, |_| true), None);
}

#[test]
fn the_watermark_waits_until_the_record_is_shown() {
    let now = at("2026-03-01T08:00:00Z");
    let feed = feed(Some("2026-03-01T06:00:00Z"), true, "2026-03-01T08:00:00Z");
    let customers = feed.polled(vec![record("a", "2026-03-01T07:00:00Z", None)], now);
    for customer in customers {
        feed.woke(customer, [(name(), Vec::new())]);
    }
    assert_eq!(feed.to_save(now, |_| true), None);
    feed.reported(&name(), &[shown("another", "2026-03-01T07:30:00Z")]);
    assert_eq!(feed.to_save(now, |_| true), None);
    feed.reported(&name(), &[shown("a", "2026-03-01T07:00:00Z")]);
    let saved = feed.to_save(now, |_| true).unwrap();
    assert_eq!(saved.watermark, Some(at("2026-03-01T07:00:00Z")));
    feed.saved(saved);
    assert_eq!(feed.to_save(now, |_| true), None);
}

#[test]
fn nobody_waits_for_an_object_that_is_gone() {
    let now = at("2026-03-01T08:00:00Z");
    let feed = feed(Some("2026-03-01T06:00:00Z"), true, "2026-03-01T08:00:00Z");
    feed.polled(vec![record("a", "2026-03-01T07:00:00Z", None)], now);
    feed.woke(tenant(), [(name(), Vec::new())]);
    assert!(feed.to_save(now, |_| false).is_some());
}

#[test]
fn a_quiet_feed_moves_its_watermark_once_a_day() {
    let feed = feed(Some("2026-03-01T08:00:00Z"), true, "2026-03-01T08:00:00Z");
    let moved = |now| {
        feed.polled(Vec::new(), at(now));
        let what = feed.to_save(at(now), |_| true);
        what.inspect(|what| feed.saved(*what)).and_then(|what| what.watermark)
    };
    assert_eq!(moved("2026-03-02T07:00:00Z"), None);
    assert_eq!(moved("2026-03-02T20:00:00Z"), None);
    assert_eq!(moved("2026-03-03T08:00:00Z"), Some(at("2026-03-02T08:00:00Z")));
}

#[test]
fn a_write_of_ours_proves_the_feed_and_a_missing_one_refutes_it() {
    let now = at("2026-03-01T08:00:00Z");
    let feed = feed(Some("2026-03-01T06:00:00Z"), false, "2026-03-01T08:00:00Z");
    let correlation = Installation::new("ours").correlation_id(tenant(), [1; 10]);
    feed.expect(tenant(), correlation, now);
    assert!(feed.of(tenant(), now).is_record_pending);
    assert!(!feed.is_trusted(now));
    feed.polled(vec![record("a", "2026-03-01T08:00:00Z", Some(correlation))], now);
    assert!(!feed.of(tenant(), now).is_record_pending);
    assert!(feed.is_trusted(now));
    assert_eq!(feed.of(tenant(), now).records[0].origin, Origin::Own);

    let lost = Installation::new("ours").correlation_id(tenant(), [2; 10]);
    feed.expect(tenant(), lost, now);
    feed.confirm(tenant(), lost);
    feed.polled(Vec::new(), at("2026-03-01T08:29:00Z"));
    assert!(feed.is_trusted(at("2026-03-01T08:29:00Z")));
    feed.polled(Vec::new(), at("2026-03-01T08:31:00Z"));
    assert!(!feed.is_trusted(at("2026-03-01T08:31:00Z")));
}

#[test]
fn a_feed_without_watermark_or_answers_is_not_trusted() {
    let start = "2026-03-01T08:00:00Z";
    let without = feed(None, true, start);
    without.polled(Vec::new(), at(start));
    assert!(!without.is_trusted(at("2026-03-01T08:59:00Z")));
    assert!(without.is_trusted(at("2026-03-01T09:00:00Z")));

    let with = feed(Some("2026-03-01T06:00:00Z"), true, start);
    assert!(!with.is_trusted(at(start)), "nothing has been read since the watermark");
    with.polled(Vec::new(), at(start));
    assert!(with.is_trusted(at(start)));
    for _ in 0..FAILURES_MAX {
        with.poll_failed();
    }
    assert!(!with.is_trusted(at(start)));
    with.polled(Vec::new(), at(start));
    assert!(with.is_trusted(at(start)));
}

#[test]
fn only_a_write_that_was_confirmed_tells_nothing_new() {
    let now = at("2026-03-01T08:00:00Z");
    let feed = feed(None, false, "2026-03-01T08:00:00Z");
    let write = |number| {
        let correlation = Installation::new("ours").correlation_id(tenant(), [number; 10]);
        feed.expect(tenant(), correlation, now);
        correlation
    };
    let (confirmed, lost, faster) = (write(1), write(2), write(3));
    feed.confirm(tenant(), confirmed);
    let written = |id: &str, correlation| record(id, "2026-03-01T08:00:00Z", Some(correlation));
    feed.polled(vec![written("c", confirmed), written("b", lost), written("a", faster)], now);
    feed.confirm(tenant(), faster);
    let told: Vec<_> =
        feed.of(tenant(), now).records.iter().map(|seen| (seen.record.id.clone(), seen.is_confirmed)).collect();
    assert_eq!(told, [("c".into(), true), ("b".into(), false), ("a".into(), true)]);
}

#[test]
fn a_write_that_never_arrived_refutes_nothing() {
    let now = at("2026-03-01T08:00:00Z");
    let feed = feed(Some("2026-03-01T06:00:00Z"), true, "2026-03-01T08:00:00Z");
    feed.expect(tenant(), Installation::new("ours").correlation_id(tenant(), [1; 10]), now);
    let later = at("2026-03-01T09:00:00Z");
    feed.polled(Vec::new(), later);
    assert!(feed.is_trusted(later) && !feed.of(tenant(), later).is_record_pending);
}

#[test]
fn a_record_that_ends_later_is_news_again() {
    let now = at("2026-03-01T08:00:00Z");
    let feed = feed(None, false, "2026-03-01T08:00:00Z");
    let in_progress = ActivityRecord { status: "progress".into(), ..record("a", "2026-03-01T07:00:00Z", None) };
    assert_eq!(feed.polled(vec![in_progress], now).len(), 1);
    assert_eq!(feed.polled(vec![record("a", "2026-03-01T07:00:00Z", None)], now).len(), 1);
    let told: Vec<_> = feed.of(tenant(), now).records.into_iter().map(|seen| seen.record.status).collect();
    assert_eq!(told, ["succeeded"]);
}

#[test]
fn a_clock_that_was_ahead_skips_nothing() {
    let now = at("2026-03-31T08:00:00Z");
    let feed = feed(Some("2026-04-07T08:00:00Z"), true, "2026-03-31T08:00:00Z");
    assert_eq!(feed.window(now).0.to_string(), "2026-01-01", "all that is kept");
    feed.polled(Vec::new(), now);
    assert!(!feed.is_trusted(now));
    assert_eq!(feed.to_save(now, |_| true).unwrap().watermark, Some(at("2026-03-30T08:00:00Z")));
    let earlier = at("2026-03-20T08:00:00Z");
    assert_eq!(feed.window(earlier).0.to_string(), "2026-03-19", "set back while it runs");
}

//! The way from one page of a list to the next, which the services dictate and must not abuse.

use std::collections::BTreeSet;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::wire::Link;

/// Where the next page is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
}

/// Follows Partner Center's `links.next` from `base`, the API's address without the version.
///
/// Its uri has no host, and the version only sometimes; its headers belong on the request.
pub(super) fn follow(base: &Url, link: &Link) -> Result<Next, String> {
    let uri = link.uri.as_deref().filter(|uri| !uri.is_empty()).ok_or("links.next.uri is missing")?;
    if link.method.as_deref().is_some_and(|method| !method.eq_ignore_ascii_case("GET")) {
        return Err("links.next.method is not GET".to_owned());
    }
    let url = if uri.starts_with("//") || uri.contains("://") && !uri.starts_with('/') {
        base.join(uri).map_err(|_| "links.next.uri is no address")?
    } else {
        let path = uri.trim_start_matches('/');
        let path = path.strip_prefix("v1/").unwrap_or(path);
        format!("{}/v1/{path}", base.as_str().trim_end_matches('/'))
            .parse()
            .map_err(|_| "links.next.uri is no address")?
    };
    let url = same_origin(base, url, "links.next.uri")?;
    let mut headers = HeaderMap::new();
    for entry in link.headers.iter().flatten() {
        let (Some(key), Some(value)) = (&entry.key, &entry.value) else { continue };
        let (Ok(name), Ok(value)) = (key.parse::<HeaderName>(), value.parse::<HeaderValue>()) else {
            return Err("links.next.headers has something that is no header".to_owned());
        };
        // Only Microsoft's own: nobody but us says who signs in, and where the request goes.
        if name.as_str().starts_with("ms-") {
            headers.insert(name, value);
        }
    }
    Ok(Next { url, headers })
}

/// Follows Azure's `nextLink` and Graph's `@odata.nextLink`, which are whole addresses.
pub(super) fn follow_absolute(base: &Url, next_link: &str) -> Result<Next, String> {
    let url = Url::parse(next_link).map_err(|_| "nextLink is no address")?;
    Ok(Next { url: same_origin(base, url, "nextLink")?, headers: HeaderMap::new() })
}

/// The token goes only where the first request went.
fn same_origin(base: &Url, url: Url, what: &str) -> Result<Url, String> {
    if url.origin() != base.origin() || !url.username().is_empty() || url.password().is_some() {
        return Err(format!("{what} leads to another server"));
    }
    Ok(url)
}

/// The pages of one list so far.
#[derive(Debug)]
pub(super) struct Trail {
    seen: BTreeSet<String>,
    pages_max: usize,
}

impl Trail {
    pub(super) fn new(pages_max: usize) -> Self {
        Self { seen: BTreeSet::new(), pages_max }
    }

    /// Goes on to `next`; an error if the list does not end.
    pub(super) fn step(&mut self, next: &Next) -> Result<(), String> {
        if self.seen.len() + 1 >= self.pages_max {
            return Err(format!("more than {} pages", self.pages_max));
        }
        if !self.seen.insert(format!("{} {:?}", next.url, next.headers)) {
            return Err("the same next page twice".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::LinkHeader;
    use super::*;

    fn link(uri: &str, headers: &[(&str, &str)]) -> Link {
        let header =
            |(key, value): &(&str, &str)| LinkHeader { key: Some((*key).to_owned()), value: Some((*value).to_owned()) };
        Link { uri: Some(uri.to_owned()), method: None, headers: Some(headers.iter().map(header).collect()) }
    }

    #[test]
    fn a_next_page_has_the_version_once_and_stays_on_the_server() {
        for base in ["https://a.example", "https://a.example/"] {
            let base: Url = base.parse().unwrap();
            for uri in [
                "/customers?x=1&seekOperation=Next",
                "customers?x=1&seekOperation=Next",
                "/v1/customers?x=1&seekOperation=Next",
                "v1/customers?x=1&seekOperation=Next",
                "https://a.example/v1/customers?x=1&seekOperation=Next",
            ] {
                let next = follow(&base, &link(uri, &[])).unwrap();
                assert_eq!(next.url.as_str(), "https://a.example/v1/customers?x=1&seekOperation=Next", "{uri}");
            }
            for uri in ["https://b.example/v1/customers", "//b.example/v1/customers", "http://a.example/v1/customers"] {
                let error = follow(&base, &link(uri, &[])).unwrap_err();
                assert_eq!(error, "links.next.uri leads to another server", "{uri}");
            }
        }
        // What looks like another server is a path here.
        for uri in ["@b.example/", "\\\\b.example/", "javascript:x", "/a?u=https://b.example"] {
            let next = follow(&"https://a.example".parse().unwrap(), &link(uri, &[])).unwrap();
            assert_eq!(next.url.host_str(), Some("a.example"), "{uri}");
        }
    }

    #[test]
    fn only_microsofts_own_headers_are_copied() {
        let base = "https://a.example".parse().unwrap();
        let headers = [("MS-ContinuationToken", "AQ=="), ("Authorization", "Bearer x"), ("Host", "b.example")];
        let next = follow(&base, &link("/customers", &headers)).unwrap();
        assert_eq!(next.headers.len(), 1);
        assert_eq!(next.headers["ms-continuationtoken"], "AQ==");
        assert!(follow(&base, &link("/customers", &[("MS-X", "a\r\nb: c")])).is_err());
        let post = Link { method: Some("POST".to_owned()), ..link("/customers", &[]) };
        assert!(follow(&base, &post).is_err());
    }

    #[test]
    fn azure_sends_whole_addresses() {
        let base = "https://management.azure.com".parse().unwrap();
        assert!(follow_absolute(&base, "https://management.azure.com/subscriptions?x").is_ok());
        for link in
            ["https://b.example/", "/subscriptions", "https://x@management.azure.com/", "http://management.azure.com/"]
        {
            assert!(follow_absolute(&base, link).is_err(), "{link}");
        }
    }
}

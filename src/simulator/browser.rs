//! What tells a person's own browser from a page of another site that uses it.
//!
//! A browser that shows a page from elsewhere may still send forms here, and a name of elsewhere may be made to point here
//! (DNS rebinding). Programs send no `Origin`, so they are not concerned.

use url::{Host, Url};

use super::exchange::Request;

/// Whether the request comes by a name that nobody else can give to this machine: an address, `localhost`, or one of
/// `names`; else a sentence.
pub(crate) fn check_host(request: &Request, names: &[String]) -> Result<(), String> {
    let host = request.header("host").unwrap_or_default();
    let url = Url::parse(&format!("http://{host}/")).ok();
    let is_known = url.as_ref().and_then(Url::host).is_some_and(|host| match host {
        Host::Ipv4(_) | Host::Ipv6(_) => true,
        Host::Domain(name) => {
            name == "localhost"
                || name.ends_with(".localhost")
                || names.iter().any(|known| known.eq_ignore_ascii_case(name))
        }
    });
    if is_known {
        return Ok(());
    }
    Err(format!(
        "the simulator is not known as `{host}`: use localhost, its IP address, or a name given with --tls-name"
    ))
}

/// Whether a change that the portal is asked for comes from a page of the simulator itself; else a sentence, which tells
/// whoever writes a script where to go instead.
pub(crate) fn check_origin(request: &Request) -> Result<(), String> {
    if is_own_page(request) {
        return Ok(());
    }
    let wrong = match request.header("origin") {
        Some(origin) => format!("a page of `{origin}` may change nothing in the portal"),
        None => "a change in the portal needs the header Origin, which browsers send".to_owned(),
    };
    let base = request.base_url();
    Err(format!(
        "{wrong}: in a browser, use the pages of {base}/portal; in a script, call the control API, such as POST {base}/simulator/portal/permission (docs/simulator.md#control-api)"
    ))
}

/// Whether a request that programs make is made by a program, or by a page of the simulator itself; else a sentence.
pub(crate) fn check_program(request: &Request, names: &[String]) -> Result<(), String> {
    let Some(origin) = request.header("origin") else { return Ok(()) };
    check_host(request, names)?;
    if is_own_page(request) {
        return Ok(());
    }
    Err(format!("a page of `{origin}` may change nothing here: a program sends no header Origin, so leave it out"))
}

fn is_own_page(request: &Request) -> bool {
    let host = request.header("host").unwrap_or_default();
    // A proxy may have ended TLS, so the scheme says nothing; another port is another origin.
    let authority =
        request.header("origin").and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
    use jiff::Timestamp;

    use super::*;
    use crate::simulator::random::Random;

    fn request(headers: &[(&'static str, &'static str)]) -> Request {
        let headers =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        Request {
            at: Timestamp::UNIX_EPOCH,
            random: Random::new(None),
            scheme: "http",
            method: Method::POST,
            path: "/".to_owned(),
            query: Vec::new(),
            headers: headers.collect::<HeaderMap>(),
            body: Vec::new(),
        }
    }

    #[test]
    fn names_that_others_can_point_here_are_refused() {
        let names = ["simulator.test".to_owned()];
        let is_known = |host| check_host(&request(&[("host", host)]), &names).is_ok();
        for host in [
            "localhost",
            "localhost:80",
            "LocalHost:80",
            "x.localhost",
            "127.0.0.1:8085",
            "[::1]:80",
            "10.1.2.3",
            "Simulator.Test:9",
        ] {
            assert!(is_known(host), "{host}");
        }
        for host in ["", "evil.test", "localhost.evil.test", "127.0.0.1.evil.test:8085", "a b", "localhost@evil.test"] {
            assert!(!is_known(host), "{host}");
        }
    }

    #[test]
    fn only_the_simulators_own_pages_change_anything() {
        let host = ("host", "127.0.0.1:8085");
        let is_own = |origin| check_origin(&request(&[host, ("origin", origin)])).is_ok();
        assert!(is_own("http://127.0.0.1:8085") && is_own("https://127.0.0.1:8085"));
        for origin in ["null", "http://127.0.0.1:8086", "http://127.0.0.1", "https://evil.test", "127.0.0.1:8085", ""] {
            assert!(!is_own(origin), "{origin}");
        }
        assert!(check_origin(&request(&[host])).is_err(), "without an origin");
    }

    #[test]
    fn programs_are_not_concerned() {
        assert!(check_program(&request(&[("host", "simulator.csp.svc:80")]), &[]).is_ok());
        let page = |host, origin| check_program(&request(&[("host", host), ("origin", origin)]), &[]);
        assert!(page("127.0.0.1:8085", "http://127.0.0.1:8085").is_ok());
        assert!(page("127.0.0.1:8085", "https://evil.test").is_err());
        assert!(page("evil.test:8085", "http://evil.test:8085").is_err(), "its name points here");
    }
}

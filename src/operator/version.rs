//! Which build this is: what `--version`, the metric `csp_operator_build_info` and the image's labels all say.

use std::sync::LazyLock;

/// Version of the release, such as `0.1.0`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Commit that it was built from, with `-dirty` when there was more than that. Known only to `make image`, which sets
/// `CSP_OPERATOR_REVISION` while it builds: asking Git in every build would compile everything anew after every commit.
pub const REVISION: &str = match option_env!("CSP_OPERATOR_REVISION") {
    Some(revision) if !revision.is_empty() => revision,
    _ => UNKNOWN,
};

const UNKNOWN: &str = "unknown";

/// What `--version` prints after the program's name.
pub fn version() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| text(REVISION));
    &TEXT
}

fn text(revision: &str) -> String {
    if revision == UNKNOWN { VERSION.to_owned() } else { format!("{VERSION} (commit {revision})") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::Metrics;

    #[test]
    fn a_commit_is_told_when_it_is_known() {
        assert_eq!(text("0123abc-dirty"), format!("{VERSION} (commit 0123abc-dirty)"));
        assert_eq!(text(UNKNOWN), VERSION);
    }

    #[test]
    fn the_metric_tells_the_same_as_the_command_line() {
        let metrics = Metrics::new().encode().unwrap();
        let expected = format!("csp_operator_build_info{{version=\"{VERSION}\",revision=\"{REVISION}\"}} 1");
        assert!(metrics.contains(&expected), "{metrics}");
        assert!(version().starts_with(VERSION), "{}", version());
    }
}

//! What a cluster admin has to do before the namespace may act for the customers of an export, which permits nothing by itself.

use super::destination::{Destination, DestinationError};
use crate::api::ALLOWED_CUSTOMERS_ANNOTATION;
use crate::model::TenantId;

/// So many tenants are listed in the command itself; of more it reads the file, where there is a directory.
const LISTED_MAX: usize = 20;

/// So many tenants fit into one argument of a command on Linux (128 KiB).
const ARGUMENT_MAX: usize = 3_500;

/// Says what to run, for exactly these customers. A destination that is a directory has the list in a file, however short it
/// is: whoever scripts the command need not know how many there will be.
pub(super) fn say_how(
    tenants: &[TenantId],
    namespace: Option<&str>,
    destination: &Destination,
) -> Result<String, DestinationError> {
    let namespace = namespace.unwrap_or("NAMESPACE");
    let list = tenants.iter().map(TenantId::to_string).collect::<Vec<_>>().join(",");
    let file = destination.write_list(&list)?;
    let (count, file) = match (tenants.len(), &file) {
        (count, Some(file)) if count > ARGUMENT_MAX => {
            return Ok(format!(
                "a namespace acts only for the customers that a cluster admin lists on it, in the annotation \
                 {ALLOWED_CUSTOMERS_ANNOTATION}. These {count} are in {}, which is more than one command takes: divide them \
                 among several namespaces, or let one act for all customers of the partner, with the value '*'",
                file.display()
            ));
        }
        (count, file) => (count, file.as_ref().filter(|_| count > LISTED_MAX)),
    };
    let value = file.map_or(list, |file| format!("\"$(cat {})\"", quoted(&file.display().to_string())));
    // Without --overwrite, kubectl takes nothing away that is listed already.
    Ok(format!(
        "a namespace acts only for the customers that a cluster admin lists on it. Before the manifests are applied, for these \
         {count}: kubectl annotate namespace {namespace} {ALLOWED_CUSTOMERS_ANNOTATION}={value}"
    ))
}

/// As a shell takes it for one word.
fn quoted(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-".contains(letter);
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn tenants(count: usize) -> Vec<TenantId> {
        (1..=count).map(|index| format!("10000000-0000-4000-8000-{index:012x}").parse().unwrap()).collect()
    }

    #[test]
    fn exactly_those_whose_manifests_are_there_are_listed_and_never_all_unasked() {
        let path = std::env::temp_dir().join(format!("csp permit {}", std::process::id()));
        let directory = Destination::open(Some(&path), false).unwrap();
        let file = path.join("allowed-customers.txt");
        for (count, destination, has_file, is_read) in [
            (1, &directory, true, false),
            (LISTED_MAX, &directory, true, false),
            (LISTED_MAX + 1, &directory, true, true),
            (ARGUMENT_MAX, &directory, true, true),
            (LISTED_MAX + 1, &Destination::Stdout, false, false),
        ] {
            let _ = fs::remove_file(&file);
            let tenants = tenants(count);
            let list = tenants.iter().map(TenantId::to_string).collect::<Vec<_>>().join(",");
            let said = say_how(&tenants, Some("customers"), destination).unwrap();
            let value = if is_read { format!("\"$(cat '{}')\"", file.display()) } else { list.clone() };
            let command = format!(
                "these {count}: kubectl annotate namespace customers csp-operator.dev/allowed-customers={value}"
            );
            assert!(said.ends_with(&command), "{count}: {said}");
            assert!(!said.contains('*'), "{count}: {said}");
            let there = fs::read_to_string(&file).ok();
            assert_eq!(there, has_file.then(|| format!("{list}\n")), "{count}");
        }
        let said = say_how(&tenants(ARGUMENT_MAX + 1), None, &directory).unwrap();
        assert!(said.contains("more than one command takes: divide them among several namespaces"), "{said}");
        assert_eq!(fs::read_to_string(&file).unwrap().split(',').count(), ARGUMENT_MAX + 1);
        fs::remove_dir_all(&path).unwrap();
    }

    #[test]
    fn a_path_is_one_word_for_the_shell() {
        for (path, word) in [("a/b-c.d_e", "a/b-c.d_e"), ("a b", "'a b'"), ("it's", "'it'\\''s'"), ("$(x)", "'$(x)'")] {
            assert_eq!(quoted(path), word);
        }
    }
}

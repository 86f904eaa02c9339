//! Licences and known bad versions of everything that is built, without a network.
//!
//! `licences.txt` lists the SPDX expressions that are fine; `advisories.txt` the versions that are not. Why lists in
//! the tree and not a service: docs/decisions/0006-checks-offline.md.

use crate::shell::{self, Outcome};
use cargo_metadata::semver::{Version, VersionReq};
use cargo_metadata::{MetadataCommand, Package};
use std::collections::BTreeSet;
use std::error::Error;

pub(crate) fn run() -> Outcome {
    let metadata = MetadataCommand::new().current_dir(shell::root()).other_options(["--locked".to_owned()]).exec()?;
    let allowed = lines(&std::fs::read_to_string(shell::root().join("licences.txt"))?);
    let bad = advisories(&std::fs::read_to_string(shell::root().join("advisories.txt"))?)?;
    let mut findings = Vec::new();
    for package in &metadata.packages {
        findings.extend(licence_finding(package, &allowed));
        let hits = bad.iter().filter(|advisory| advisory.hits(&package.name, &package.version));
        findings.extend(hits.map(|advisory| format!("{} {}: {}", package.name, package.version, advisory.reason)));
    }
    for finding in &findings {
        println!("licences: {finding}");
    }
    let (count, known) = (metadata.packages.len(), bad.len());
    println!("licences: {count} packages, {known} advisories, {} findings", findings.len());
    if findings.is_empty() { Ok(()) } else { Err("licences or advisories: see above".into()) }
}

/// The lines that say something.
fn lines(text: &str) -> BTreeSet<String> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

fn licence_finding(package: &Package, allowed: &BTreeSet<String>) -> Option<String> {
    match &package.license {
        None => Some(format!("{} {}: names no licence", package.name, package.version)),
        Some(licence) if !is_allowed(licence, allowed) => {
            Some(format!("{} {}: {licence} is not in licences.txt", package.name, package.version))
        }
        Some(_) => None,
    }
}

/// An expression is fine if one of its alternatives has only allowed parts. `/` is the old way to write `OR`.
fn is_allowed(licence: &str, allowed: &BTreeSet<String>) -> bool {
    let flat = licence.replace(['(', ')'], "").replace('/', " OR ");
    if licence.contains('(') && licence.contains(" AND ") {
        // Parentheses mix both words: every name in it must then be fine, which is stricter than needed.
        return flat.split(" AND ").flat_map(|part| part.split(" OR ")).all(|name| allowed.contains(name.trim()));
    }
    flat.split(" OR ").any(|choice| choice.split(" AND ").all(|name| allowed.contains(name.trim())))
}

/// Versions of a crate that must not be built.
struct Advisory {
    package: String,
    versions: VersionReq,
    reason: String,
}

impl Advisory {
    fn hits(&self, package: &str, version: &Version) -> bool {
        self.package == package && self.versions.matches(version)
    }
}

/// `crate | versions | identifier and reason` a line.
fn advisories(text: &str) -> Result<Vec<Advisory>, Box<dyn Error>> {
    let read = |line: String| {
        let parts: Vec<&str> = line.split('|').map(str::trim).collect();
        let [package, versions, reason] = parts[..] else {
            return Err(format!("advisories.txt: not \"crate | versions | reason\": {line}").into());
        };
        Ok(Advisory { package: package.to_owned(), versions: VersionReq::parse(versions)?, reason: reason.to_owned() })
    };
    lines(text).into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_allowed_alternative_is_enough() {
        let allowed = lines("MIT\nApache-2.0\n# no\n");
        assert!(is_allowed("MIT OR GPL-3.0", &allowed));
        assert!(is_allowed("MIT/Apache-2.0", &allowed));
        assert!(is_allowed("MIT AND Apache-2.0", &allowed));
        assert!(!is_allowed("MIT AND GPL-3.0", &allowed));
        assert!(!is_allowed("(MIT OR Apache-2.0) AND Unicode-3.0", &allowed));
    }

    #[test]
    fn an_advisory_hits_its_versions_alone() {
        let bad = advisories("tokio | >=1.0, <1.8.4 | data race").expect("well formed");
        assert!(bad[0].hits("tokio", &Version::new(1, 8, 3)));
        assert!(!bad[0].hits("tokio", &Version::new(1, 8, 4)));
        assert!(!bad[0].hits("mio", &Version::new(1, 8, 3)));
        assert!(advisories("tokio | data race").is_err());
    }
}

//! The edges that the architecture draws, and no others; the third-party crates of each crate, and no others.

use super::Findings;
use crate::shell;
use cargo_metadata::{DependencyKind, MetadataCommand, Package};

/// One row: a crate's folder, the crates of ours it may use, and the foreign ones.
struct Row {
    folder: &'static str,
    ours: &'static [&'static str],
    foreign: &'static [&'static str],
    /// Whether the crate decides: nothing here may wait.
    deciding: bool,
}

/// The table of ARCHITECTURE.md.
const TABLE: &[Row] = &[
    Row { folder: "model", ours: &[], foreign: &["bytes"], deciding: true },
    Row { folder: "stomp", ours: &["model"], foreign: &["bytes", "memchr", "rustc-hash"], deciding: true },
    Row { folder: "openwire", ours: &["model"], foreign: &["bytes", "memchr", "miniz_oxide"], deciding: true },
    Row { folder: "storage", ours: &["model"], foreign: &["bytes", "crc32c", "rustix", "rustc-hash"], deciding: true },
    Row { folder: "broker", ours: &["model", "storage"], foreign: &["bytes", "rustc-hash"], deciding: true },
    Row { folder: "node", ours: &["model", "broker", "storage"], foreign: &["bytes", "rustc-hash"], deciding: true },
    Row {
        folder: "server",
        ours: &["model", "stomp", "openwire", "storage", "broker", "node"],
        foreign: &[
            "bytes",
            "tokio",
            "futures-util",
            "tokio-tungstenite",
            "parking_lot",
            "tracing",
            "tracing-subscriber",
            "toml",
            "serde",
            "serde_json",
            "strsim",
            "rustix",
        ],
        deciding: false,
    },
    Row {
        folder: "cli",
        ours: &["server", "model", "stomp", "openwire", "storage"],
        foreign: &[
            "bytes",
            "tokio",
            "clap",
            "clap_complete",
            "indicatif",
            "hdrhistogram",
            "serde",
            "serde_json",
            "memchr",
            "rustix",
            "tracing",
        ],
        deciding: false,
    },
    Row {
        folder: "sim",
        ours: &["model", "stomp", "openwire", "storage", "broker", "node"],
        foreign: &["bytes", "rustc-hash"],
        deciding: false,
    },
    Row {
        folder: "xtask",
        ours: &[],
        foreign: &["cargo_metadata", "clap", "plotters", "rustix", "serde_json"],
        deciding: false,
    },
];

/// The crates in which nothing may wait.
pub(super) fn deciding() -> impl Iterator<Item = &'static str> {
    TABLE.iter().filter(|row| row.deciding).map(|row| row.folder)
}

pub(super) fn check() -> Findings {
    let metadata = MetadataCommand::new().current_dir(shell::root()).no_deps().exec()?;
    Ok(metadata.workspace_packages().into_iter().flat_map(of_package).collect())
}

fn of_package(package: &Package) -> Vec<String> {
    let folder = package.manifest_path.parent().and_then(|path| path.file_name()).unwrap_or_default();
    let Some(row) = TABLE.iter().find(|row| row.folder == folder) else {
        return vec![format!("{folder}: a crate that the table in xtask/src/tidy/edges.rs does not have")];
    };
    let mut findings = Vec::new();
    // What a crate's own tests use binds nobody else, so long as it draws no new edge between ours.
    for dependency in &package.dependencies {
        let allowed = match dependency.name.strip_prefix("ferrymq-") {
            Some(ours) => row.ours.contains(&ours),
            None => dependency.kind == DependencyKind::Development || row.foreign.contains(&dependency.name.as_str()),
        };
        if !allowed {
            findings.push(format!("{folder}/Cargo.toml: depends on {}, which its row does not allow", dependency.name));
        }
    }
    if package.license.as_deref() != Some("Apache-2.0") {
        findings.push(format!("{folder}/Cargo.toml: no SPDX licence Apache-2.0"));
    }
    findings
}

//! Keys that do not exist, told with their line and the nearest one that does.

use super::{Config, ConfigError};
use toml::de::{DeTable, DeValue};

/// How alike two names must be for one to be suggested for the other, 0 to 1.
const SUGGESTION_LIKENESS_MIN: f64 = 0.6;

/// Every key, `section.name`: read off the defaults, so that no second list can differ.
pub(super) fn all() -> Vec<String> {
    let table: toml::Table = toml::from_str(&Config::default().to_toml()).expect("what we print is TOML");
    let mut keys = Vec::new();
    for (section, values) in &table {
        let names = values.as_table().expect("every section is a table");
        keys.extend(names.keys().map(|name| format!("{section}.{name}")));
    }
    keys
}

pub(super) fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())].iter().filter(|&&byte| byte == b'\n').count() + 1
}

/// Refuses the first key that is not known.
pub(super) fn check(text: &str) -> Result<(), ConfigError> {
    let document = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        ConfigError(format!("line {line}: {}", error.message()))
    })?;
    let known = all();
    let sections: Vec<&str> = known.iter().filter_map(|key| key.split_once('.')).map(|(section, _)| section).collect();
    for (section, value) in document.get_ref() {
        let at = line_of(text, section.span().start);
        let section = section.get_ref().as_ref();
        if !sections.contains(&section) {
            return Err(unknown(at, section, sections.iter().copied()));
        }
        let DeValue::Table(names) = value.get_ref() else {
            return Err(ConfigError(format!("line {at}: {section} is a section: write [{section}]")));
        };
        for name in names.keys() {
            let key = format!("{section}.{}", name.get_ref());
            if !known.contains(&key) {
                return Err(unknown(line_of(text, name.span().start), &key, known.iter().map(String::as_str)));
            }
        }
    }
    Ok(())
}

fn unknown<'k>(line: usize, key: &str, known: impl Iterator<Item = &'k str>) -> ConfigError {
    let likeness = |candidate: &str| strsim::jaro_winkler(key, candidate);
    let nearest = known
        .map(|candidate| (likeness(candidate), candidate))
        .filter(|(likeness, _)| *likeness >= SUGGESTION_LIKENESS_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let suggestion = nearest.map_or(String::new(), |(_, name)| format!("; did you mean {name}?"));
    ConfigError(format!("line {line}: unknown key {key}{suggestion}"))
}

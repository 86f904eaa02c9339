//! Reads Rust sources as far as tidy must: what is code, what is a test, where functions begin and end.

use std::ops::Range;

/// The source with comments and the insides of literals turned into spaces; lines stay where they are.
pub(crate) fn code_only(source: &str) -> String {
    let characters: Vec<char> = source.chars().collect();
    let mut code = String::with_capacity(source.len());
    let mut at = 0;
    while at < characters.len() {
        let end = match characters[at] {
            '/' if characters.get(at + 1) == Some(&'/') => line_end(&characters, at),
            '/' if characters.get(at + 1) == Some(&'*') => block_comment_end(&characters, at),
            '"' => string_end(&characters, at),
            'r' if starts_raw_string(&characters, at) => raw_string_end(&characters, at),
            '\'' => character_end(&characters, at),
            _ => at,
        };
        if end == at {
            code.push(characters[at]);
            at += 1;
        } else {
            code.extend(characters[at..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    code
}

fn line_end(characters: &[char], from: usize) -> usize {
    characters[from..].iter().position(|&c| c == '\n').map_or(characters.len(), |length| from + length)
}

fn block_comment_end(characters: &[char], from: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = from;
    while at < characters.len() {
        match (characters[at], characters.get(at + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                at += 2;
            }
            ('*', Some('/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    at
}

fn string_end(characters: &[char], from: usize) -> usize {
    let mut at = from + 1;
    while at < characters.len() {
        match characters[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    characters.len()
}

fn starts_raw_string(characters: &[char], at: usize) -> bool {
    let within_word = at > 0 && is_word(characters[at - 1]) && characters[at - 1] != 'b';
    let hashes = characters[at + 1..].iter().take_while(|&&c| c == '#').count();
    !within_word && characters.get(at + 1 + hashes) == Some(&'"')
}

fn raw_string_end(characters: &[char], from: usize) -> usize {
    let hashes = characters[from + 1..].iter().take_while(|&&c| c == '#').count();
    let mut at = from + hashes + 2;
    while at < characters.len() {
        if characters[at] == '"' && characters[at + 1..].iter().take(hashes).filter(|&&c| c == '#').count() == hashes {
            return at + 1 + hashes;
        }
        at += 1;
    }
    characters.len()
}

/// The end of a character literal; `from` itself where the quote begins a lifetime.
fn character_end(characters: &[char], from: usize) -> usize {
    match (characters.get(from + 1), characters.get(from + 2)) {
        (Some('\\'), _) => {
            let rest = &characters[from + 3..];
            rest.iter().position(|&c| c == '\'').map_or(characters.len(), |length| from + 3 + length + 1)
        }
        (Some(_), Some('\'')) => from + 3,
        _ => from,
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The code with everything under `#[cfg(test)]` turned into empty lines.
pub(crate) fn without_tests(code: &str) -> String {
    let mut kept = code.to_owned();
    while let Some(start) = kept.find("#[cfg(test)]") {
        let end = item_end(&kept, start + "#[cfg(test)]".len());
        let blank: String = kept[start..end].chars().filter(|&c| c == '\n').collect();
        kept.replace_range(start..end, &blank);
    }
    kept
}

/// Where the item that begins at `from` ends: after its `;` or its matching brace.
fn item_end(code: &str, from: usize) -> usize {
    let mut depth = 0_usize;
    for (at, character) in code[from..].char_indices() {
        match character {
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return from + at + 1;
                }
            }
            ';' if depth == 0 => return from + at + 1,
            _ => {}
        }
    }
    code.len()
}

/// A function with a body, as tidy sees it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// The line of its `fn`, counted from 1.
    pub(crate) line: usize,
    pub(crate) lines: usize,
}

/// The functions of the code, from `fn` to the closing brace.
pub(crate) fn functions(code: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for word in words(code).filter(|word| &code[word.clone()] == "fn") {
        let rest = &code[word.end..];
        let name: String = rest.trim_start().chars().take_while(|&c| is_word(c)).collect();
        if name.is_empty() {
            continue; // the type `fn(…)`
        }
        let Some(body) = body_start(rest) else { continue };
        let end = item_end(code, word.end + body);
        let line = code[..word.start].matches('\n').count() + 1;
        found.push(Function { name, line, lines: code[word.start..end].matches('\n').count() + 1 });
    }
    found
}

/// Where the `{` of a function's body stands; none for a declaration.
fn body_start(rest: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, character) in rest.char_indices() {
        match character {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            '{' if depth == 0 => return Some(at),
            ';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// Where words stand.
pub(crate) fn words(code: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + code[at..].find(is_word)?;
        let length = code[start..].find(|c| !is_word(c)).unwrap_or(code.len() - start);
        at = start + length;
        Some(start..at)
    })
}

/// Whether the phrase stands in the code with no word going on at either end.
pub(crate) fn names(code: &str, phrase: &str) -> Option<usize> {
    code.match_indices(phrase).find_map(|(at, _)| {
        let before = code[..at].chars().next_back().is_some_and(is_word);
        let after = code[at + phrase.len()..].chars().next().is_some_and(is_word);
        let open_before = phrase.starts_with(is_word) && before;
        let open_after = phrase.ends_with(is_word) && after;
        (!open_before && !open_after).then(|| code[..at].matches('\n').count() + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_not_code() {
        let source =
            "let a = \"std::fs\"; // tokio\nlet b = r#\"x\"y\"#; /* a /* b */ c */ let c = '\"'; let d: &'a str;";
        let code = code_only(source);
        assert_eq!(code.lines().count(), 2);
        assert!(!code.contains("fs") && !code.contains("tokio") && !code.contains('y'));
        assert!(code.contains("let c =") && code.contains("&'a str"));
    }

    #[test]
    fn a_test_module_is_no_code_of_the_crate() {
        let code = "fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() {}\n}\n#[cfg(test)]\nmod more;\nfn c() {}\n";
        let kept = without_tests(code);
        let names: Vec<String> = functions(&kept).into_iter().map(|f| f.name).collect();
        assert_eq!(names, ["a", "c"]);
        assert_eq!(functions(&kept)[1].line, 8);
    }

    #[test]
    fn a_function_is_measured_from_its_name_to_its_brace() {
        let code = "impl X {\n    fn long<F: Fn()>(\n        a: [u8; 3],\n    ) -> fn(u8) {\n        if a {}\n    }\n    fn declared();\n}\n";
        assert_eq!(functions(code), [Function { name: "long".to_owned(), line: 2, lines: 5 }]);
    }

    #[test]
    fn names_are_whole_words() {
        assert_eq!(names("use std::fs;\n", "std::fs"), Some(1));
        assert_eq!(names("use std::fsx;\nlet random = 1;", "rand"), None);
    }
}

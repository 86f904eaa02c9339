//! Cuts a selector's source into tokens. White space, `-- …` to the end of the line and `/* … */` separate them.

use crate::selector::SelectorError;

/// One token.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Token<'s> {
    /// The source is over.
    End,
    /// A reserved word, in any case.
    Keyword(Keyword),
    /// A name, as Java allows names.
    Identifier(&'s str),
    /// An exact number; whether its magnitude fits is the parser's question, because of the sign.
    Integer(u64),
    /// An approximate number.
    Double(f64),
    /// Text, its quotes taken off and its doubled quotes made one.
    Text(String),
    /// An operator or a mark.
    Symbol(&'static str),
}

/// The reserved words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Keyword {
    And,
    Between,
    Escape,
    False,
    In,
    Is,
    Like,
    Not,
    Null,
    Or,
    True,
}

const KEYWORDS: [(&str, Keyword); 11] = [
    ("AND", Keyword::And),
    ("BETWEEN", Keyword::Between),
    ("ESCAPE", Keyword::Escape),
    ("FALSE", Keyword::False),
    ("IN", Keyword::In),
    ("IS", Keyword::Is),
    ("LIKE", Keyword::Like),
    ("NOT", Keyword::Not),
    ("NULL", Keyword::Null),
    ("OR", Keyword::Or),
    ("TRUE", Keyword::True),
];

/// Longest first, so that `<=` is not read as `<`.
const SYMBOLS: [&str; 14] = ["<>", "<=", ">=", "!=", "=", "<", ">", "+", "-", "*", "/", "%", "(", ")"];

impl Token<'_> {
    /// The token in the words of an error.
    pub(super) fn describe(&self) -> String {
        match self {
            Token::End => "the end of the selector".to_owned(),
            Token::Keyword(keyword) => {
                let name = KEYWORDS.iter().find(|(_, known)| known == keyword).map_or("", |(name, _)| *name);
                format!("`{name}`")
            }
            Token::Identifier(name) => format!("`{name}`"),
            Token::Integer(value) => format!("`{value}`"),
            Token::Double(value) => format!("`{value}`"),
            Token::Text(_) => "a text".to_owned(),
            Token::Symbol(symbol) => format!("`{symbol}`"),
        }
    }
}

/// Where in the source the next token is looked for.
#[derive(Debug)]
pub(super) struct Lexer<'s> {
    source: &'s str,
    at: usize,
}

impl<'s> Lexer<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        Self { source, at: 0 }
    }

    /// The next token and where it starts.
    pub(super) fn next(&mut self) -> Result<(Token<'s>, usize), SelectorError> {
        self.skip_space()?;
        let start = self.at;
        let rest = &self.source[start..];
        let Some(first) = rest.chars().next() else {
            return Ok((Token::End, start));
        };
        let second_is_digit = rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
        let token = if first.is_ascii_digit() || (first == '.' && second_is_digit) {
            self.number()?
        } else if first == '\'' {
            self.text()?
        } else if starts_name(first) {
            self.word()
        } else {
            self.symbol(first)?
        };
        Ok((token, start))
    }

    fn skip_space(&mut self) -> Result<(), SelectorError> {
        loop {
            let rest = &self.source[self.at..];
            let trimmed = rest.trim_start_matches([' ', '\t', '\n', '\r', '\u{c}']);
            self.at += rest.len() - trimmed.len();
            if trimmed.starts_with("--") {
                self.at += trimmed.find(['\n', '\r']).unwrap_or(trimmed.len());
            } else if let Some(comment) = trimmed.strip_prefix("/*") {
                match comment.find("*/") {
                    Some(length) => self.at += length + 4,
                    None => return Err(error(self.at, "the comment has no end")),
                }
            } else {
                return Ok(());
            }
        }
    }

    fn word(&mut self) -> Token<'s> {
        let rest = &self.source[self.at..];
        let length = rest.find(|c| !continues_name(c)).unwrap_or(rest.len());
        let word = &rest[..length];
        self.at += length;
        match KEYWORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)) {
            Some((_, keyword)) => Token::Keyword(*keyword),
            None => Token::Identifier(word),
        }
    }

    fn text(&mut self) -> Result<Token<'s>, SelectorError> {
        let start = self.at;
        let mut text = String::new();
        let mut rest = &self.source[start + 1..];
        while let Some(length) = rest.find('\'') {
            text.push_str(&rest[..length]);
            rest = &rest[length + 1..];
            if !rest.starts_with('\'') {
                self.at = self.source.len() - rest.len();
                return Ok(Token::Text(text));
            }
            text.push('\'');
            rest = &rest[1..];
        }
        Err(error(start, "the text has no closing quote"))
    }

    fn symbol(&mut self, first: char) -> Result<Token<'s>, SelectorError> {
        let rest = &self.source[self.at..];
        if first == ',' {
            self.at += 1;
            return Ok(Token::Symbol(","));
        }
        match SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            Some(&"!=") => Err(error(self.at, "`!=` is not an operator of selectors, write `<>`")),
            Some(symbol) => {
                self.at += symbol.len();
                Ok(Token::Symbol(symbol))
            }
            None if first == '"' => Err(error(self.at, "text stands between single quotes")),
            None => Err(error(self.at, format!("{first:?} has no meaning in a selector"))),
        }
    }

    /// Whole: decimal, hexadecimal `0x…`, octal `0…`, with or without `L`. Approximate: with a point, an exponent or
    /// a suffix `F` or `D`.
    fn number(&mut self) -> Result<Token<'s>, SelectorError> {
        let start = self.at;
        let rest = &self.source[start..];
        let length = number_length(rest.as_bytes());
        let written = &rest[..length];
        if rest[length..].chars().next().is_some_and(|c| continues_name(c) || c == '.') {
            return Err(error(start, "the number runs into what follows"));
        }
        self.at += length;
        let (digits, suffix) = match written.as_bytes().last() {
            _ if is_hexadecimal(written) => (written.trim_end_matches(['l', 'L']), None),
            Some(last @ (b'l' | b'L' | b'f' | b'F' | b'd' | b'D')) => {
                (&written[..length - 1], Some(last.to_ascii_lowercase()))
            }
            Some(_) | None => (written, None),
        };
        if matches!(suffix, Some(b'f' | b'd')) || (!is_hexadecimal(written) && digits.contains(['.', 'e', 'E'])) {
            return match digits.parse::<f64>() {
                Ok(value) if value.is_finite() && suffix != Some(b'l') => Ok(Token::Double(value)),
                Ok(_) | Err(_) => Err(error(start, format!("`{written}` is not a number"))),
            };
        }
        let (digits, radix) = match digits.as_bytes() {
            [b'0', b'x' | b'X', ..] => (&digits[2..], 16),
            [b'0', _, ..] => (&digits[1..], 8),
            _ => (digits, 10),
        };
        match u64::from_str_radix(digits, radix) {
            Ok(value) => Ok(Token::Integer(value)),
            Err(_) => Err(error(start, format!("`{written}` is not a number of 64 bits"))),
        }
    }
}

/// How many bytes at the start belong to a number, its suffix included.
fn number_length(bytes: &[u8]) -> usize {
    let digits_from = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut length;
    if let [b'0', b'x' | b'X', ..] = bytes {
        length = 2 + bytes[2..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    } else {
        length = digits_from(0);
        if bytes.get(length) == Some(&b'.') {
            length += 1 + digits_from(length + 1);
        }
        if matches!(bytes.get(length), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
            let exponent = digits_from((length + 1 + sign).min(bytes.len()));
            if exponent > 0 {
                length += 1 + sign + exponent;
            }
        }
    }
    length + usize::from(matches!(bytes.get(length), Some(b'l' | b'L' | b'f' | b'F' | b'd' | b'D')))
}

fn is_hexadecimal(written: &str) -> bool {
    matches!(written.as_bytes(), [b'0', b'x' | b'X', ..])
}

fn starts_name(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == '$'
}

fn continues_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// An error at this byte.
pub(super) fn error(at: usize, text: impl Into<String>) -> SelectorError {
    SelectorError { at, text: text.into() }
}

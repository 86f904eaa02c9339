//! LIKE: `%` stands for any text, `_` for any one character (a Unicode scalar value).
//!
//! A pattern is cut at its `%` into segments. The first is anchored at the start of the text, the last at its end, and
//! those between are found from left to right, each at the first place where it fits: that a segment never has to
//! move right to let a later one fit is what makes it linear. A segment without `_` is found in linear time; with `_`
//! it costs at most its own length for each character of the text.

/// A pattern, compiled.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Pattern {
    /// The parts between `%`; with a single one there was no `%`.
    segments: Vec<Segment>,
}

/// What stands between two `%`. Empty at an end where the pattern begins or ends with `%`.
type Segment = Vec<Atom>;

#[derive(Clone, PartialEq, Debug)]
enum Atom {
    /// `_`
    AnyOne,
    /// Itself.
    Text(String),
}

impl Pattern {
    /// Compiles. The escape character makes a following `%`, `_` or itself stand for itself; before anything else it
    /// is a character like others.
    pub(super) fn new(source: &str, escape: Option<char>) -> Self {
        let mut segments: Vec<Segment> = vec![Vec::new()];
        let mut characters = source.chars().peekable();
        while let Some(c) = characters.next() {
            let escaped = if escape == Some(c) {
                characters.next_if(|next| matches!(next, '%' | '_') || escape == Some(*next))
            } else {
                None
            };
            match (escaped, c) {
                (None, '%') if escape != Some('%') => segments.push(Vec::new()),
                (None, '_') if escape != Some('_') => push(&mut segments, Atom::AnyOne),
                (escaped, c) => push_character(&mut segments, escaped.unwrap_or(c)),
            }
        }
        let last = segments.len() - 1;
        let mut index = 0;
        segments.retain(|segment| {
            index += 1;
            index == 1 || index - 1 == last || !segment.is_empty()
        });
        Self { segments }
    }

    /// Whether the whole text fits.
    pub(super) fn matches(&self, text: &str) -> bool {
        let (first, rest) = self.segments.split_first().expect("a pattern has a segment");
        let Some(mut text) = after(first, text) else {
            return false;
        };
        let Some((last, middle)) = rest.split_last() else {
            return text.is_empty();
        };
        for segment in middle {
            match after_first(segment, text) {
                Some(remaining) => text = remaining,
                None => return false,
            }
        }
        ends_with(last, text)
    }
}

fn push(segments: &mut [Segment], atom: Atom) {
    segments.last_mut().expect("a pattern has a segment").push(atom);
}

fn push_character(segments: &mut [Segment], c: char) {
    let segment = segments.last_mut().expect("a pattern has a segment");
    if let Some(Atom::Text(text)) = segment.last_mut() {
        text.push(c);
    } else {
        segment.push(Atom::Text(c.to_string()));
    }
}

/// What follows the segment where the text starts with it.
fn after<'t>(segment: &[Atom], text: &'t str) -> Option<&'t str> {
    let mut text = text;
    for atom in segment {
        text = match atom {
            Atom::Text(wanted) => text.strip_prefix(wanted.as_str())?,
            Atom::AnyOne => {
                let mut characters = text.chars();
                characters.next()?;
                characters.as_str()
            }
        };
    }
    Some(text)
}

/// What follows the first place where the segment fits.
fn after_first<'t>(segment: &[Atom], text: &'t str) -> Option<&'t str> {
    if let [Atom::Text(wanted)] = segment {
        return text.find(wanted.as_str()).map(|at| &text[at + wanted.len()..]);
    }
    text.char_indices().find_map(|(at, _)| after(segment, &text[at..]))
}

/// Whether the text ends with the segment.
fn ends_with(segment: &[Atom], text: &str) -> bool {
    let mut text = text;
    for atom in segment.iter().rev() {
        let remaining = match atom {
            Atom::Text(wanted) => text.strip_suffix(wanted.as_str()),
            Atom::AnyOne => {
                let mut characters = text.chars();
                characters.next_back().map(|_| characters.as_str())
            }
        };
        match remaining {
            Some(remaining) => text = remaining,
            None => return false,
        }
    }
    true
}

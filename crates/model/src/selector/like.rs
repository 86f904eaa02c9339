//! LIKE: `%` stands for any text, `_` for any one character (a Unicode scalar value).
//!
//! A pattern is cut at its `%` into segments. The first is anchored at the start of the text, the last at its end, and
//! those between are found from left to right, each at the first place where it fits: that a segment never has to
//! move right to let a later one fit is what makes it linear. A segment without `_` is found in linear time; with `_`
//! it costs at most its own length for each character of the text.

/// Bytes that a search for plain text passes in a step.
const BYTES_PER_STEP: usize = 16;

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

    /// Whether the whole text fits; `None`: it takes more than `steps_max` to tell. Counts the steps.
    pub(super) fn matches(&self, text: &str, steps_max: usize, steps: &mut usize) -> Option<bool> {
        *steps += self.segments.len() + text.len() / BYTES_PER_STEP;
        let (first, rest) = self.segments.split_first().expect("a pattern has a segment");
        let Some(mut text) = after(first, text, steps) else {
            return Some(false);
        };
        let Some((last, middle)) = rest.split_last() else {
            return Some(text.is_empty());
        };
        for segment in middle {
            match after_first(segment, text, steps_max, steps) {
                Found::At(remaining) => text = remaining,
                Found::Nowhere => return Some(false),
                Found::TooFar => return None,
            }
        }
        Some(ends_with(last, text))
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

/// Where a segment was found.
enum Found<'t> {
    /// Before this.
    At(&'t str),
    /// It is not there.
    Nowhere,
    /// It takes more steps to tell than there are.
    TooFar,
}

/// What follows the segment where the text starts with it.
fn after<'t>(segment: &[Atom], text: &'t str, steps: &mut usize) -> Option<&'t str> {
    let mut text = text;
    for atom in segment {
        *steps += 1;
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
fn after_first<'t>(segment: &[Atom], text: &'t str, steps_max: usize, steps: &mut usize) -> Found<'t> {
    if let [Atom::Text(wanted)] = segment {
        return text.find(wanted.as_str()).map_or(Found::Nowhere, |at| Found::At(&text[at + wanted.len()..]));
    }
    for (at, _) in text.char_indices() {
        if let Some(remaining) = after(segment, &text[at..], steps) {
            return Found::At(remaining);
        }
        if *steps > steps_max {
            return Found::TooFar;
        }
    }
    Found::Nowhere
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

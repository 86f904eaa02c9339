//! What a session waits for, by the token of the request that was asked for it.

use crate::id::Token;
use std::collections::VecDeque;

/// Tokens are given in order and mostly come back in order: a window over them. It has no limit of its own; a session looks
/// at [`Self::window`] before it asks.
#[derive(Debug)]
pub struct Awaited<T> {
    /// The token of the front.
    first: u64,
    window: VecDeque<Option<T>>,
}

impl<T> Default for Awaited<T> {
    fn default() -> Self {
        Self { first: 0, window: VecDeque::new() }
    }
}

impl<T> Awaited<T> {
    /// Tokens from the oldest that did not come back to the newest. Count.
    #[must_use]
    pub fn window(&self) -> usize {
        self.window.len()
    }

    /// The next token, given for this.
    pub fn expect(&mut self, awaited: T) -> Token {
        let token = Token(self.first + self.window.len() as u64);
        self.window.push_back(Some(awaited));
        token
    }

    /// What the token was given for; `None`: it came back before, or was never given.
    pub fn take(&mut self, token: Token) -> Option<T> {
        let at = usize::try_from(token.0.checked_sub(self.first)?).ok()?;
        let awaited = self.window.get_mut(at)?.take();
        while let Some(None) = self.window.front() {
            self.window.pop_front();
            self.first += 1;
        }
        awaited
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_brings_back_what_it_was_given_for_once_in_any_order() {
        let mut awaited = Awaited::default();
        let tokens = ["a", "b", "c"].map(|text| awaited.expect(text));
        assert_eq!(tokens, [0, 1, 2].map(Token));
        assert_eq!((awaited.take(Token(1)), awaited.take(Token(1)), awaited.window()), (Some("b"), None, 3));
        assert_eq!((awaited.take(Token(0)), awaited.take(Token(0)), awaited.window()), (Some("a"), None, 1));
        assert_eq!(awaited.take(Token(7)), None);
        assert_eq!(awaited.expect("d"), Token(3));
        assert_eq!((awaited.take(Token(2)), awaited.take(Token(3)), awaited.window()), (Some("c"), Some("d"), 0));
    }
}

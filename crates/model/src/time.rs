//! Time as an argument. Deciding crates never read a clock; `server` and `sim` hand them a [`Now`].

/// Milliseconds since the Unix epoch. It may jump; only expiry and timestamps use it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct WallTime(pub u64);

/// Milliseconds since the process started. It never goes back; heart-beats and delays use it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct MonoTime(pub u64);

/// Both clocks, read once a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Now {
    /// For expiry and timestamps.
    pub wall: WallTime,
    /// For intervals.
    pub mono: MonoTime,
}

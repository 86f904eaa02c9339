//! Limits of one STOMP connection, each with its reason. Those a user may set are fields of [`Limits`].

/// Confirmations that one session may wait for at a time. A peer that asks for more receipts without reading them is
/// given up. Count.
pub const CONFIRMATIONS_MAX: usize = 1_000_000;
/// Text of receipt headers held for those confirmations. Bytes.
pub const CONFIRMATION_BYTES_MAX: usize = 64 * 1024 * 1024;
/// ERROR frames may fill the outbox so far, then a peer that does not read them is given up. Bytes.
pub const ERROR_BACKLOG_BYTES_MAX: usize = 1024 * 1024;
/// How much of a peer's own text an error sentence repeats. Bytes.
pub const QUOTE_BYTES_MAX: usize = 200;

/// What the decoder accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The command line. Bytes.
    pub command_bytes_max: usize,
    /// One header line without its line end. Bytes.
    pub header_line_bytes_max: usize,
    /// Header lines of one frame.
    pub headers_max: usize,
    /// One body. Bytes.
    pub body_bytes_max: usize,
    /// A whole frame before the session is connected: nobody has shown yet who they are. Bytes.
    pub unconnected_frame_bytes_max: usize,
    /// Subscriptions at a time.
    pub subscriptions_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            command_bytes_max: 1024,
            header_line_bytes_max: 10 * 1024,
            headers_max: 1000,
            body_bytes_max: 100 * 1024 * 1024,
            unconnected_frame_bytes_max: 16 * 1024,
            subscriptions_max: ferrymq_model::limits::SUBSCRIPTIONS_PER_SESSION_MAX,
        }
    }
}

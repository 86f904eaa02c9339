package ferrymq.apps.xa;

/** When, around a step, the broker dies. */
enum Moment {
    /** The command does not reach it. */
    UNHEARD,
    /** The command is in its socket. */
    HEARD,
    /** It is about to write the batch with what the command left in the journal. */
    BEFORE_WRITE,
    /** The batch is durable, nobody was told. */
    AFTER_WRITE,
    /** The reply does not reach the client. */
    UNANSWERED,
    /** The reply is on its way to the client. */
    ANSWERED;

    /** The name of the point at which the broker ends itself; none where it is killed. */
    String failPoint() {
        return switch (this) {
            case BEFORE_WRITE -> "before-write";
            case AFTER_WRITE -> "after-write";
            case UNHEARD, HEARD, UNANSWERED, ANSWERED -> null;
        };
    }
}

package ferrymq.apps.xa;

/** What a transaction manager and its application say to the broker, as OpenWire frames show it. */
enum Step {
    START(Step.TRANSACTION_INFO, 0),
    SEND(28, -1),
    ACK(22, -1),
    END(Step.TRANSACTION_INFO, 7),
    PREPARE(Step.TRANSACTION_INFO, 1),
    COMMIT(Step.TRANSACTION_INFO, 3),
    COMMIT_ONE_PHASE(Step.TRANSACTION_INFO, 2),
    ROLLBACK(Step.TRANSACTION_INFO, 4),
    RECOVER(Step.TRANSACTION_INFO, 5),
    FORGET(Step.TRANSACTION_INFO, 6);

    private static final int TRANSACTION_INFO = 7;

    private final int type;
    private final int operation;

    Step(int type, int operation) {
        this.type = type;
        this.operation = operation;
    }

    /** Whether a loosely encoded command, without its size, is this step. A TransactionInfo ends with its operation. */
    boolean is(byte[] command) {
        return command[0] == type && (operation < 0 || command[command.length - 1] == operation);
    }
}

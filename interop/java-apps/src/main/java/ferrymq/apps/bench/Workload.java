package ferrymq.apps.bench;

/**
 * What one measurement does. Bodies have 1 KiB; each producer and consumer has a connection of its own.
 *
 * @param window at most so many messages sent and not yet received; 0: no such bound
 * @param rate messages a second over all producers, each at its moment; 0: as fast as the window and the client allow
 * @param batch messages to one commit, of producers and of consumers; 0: no transactions
 * @param kinds consumers select one kind of so many each; 0: no selectors
 */
record Workload(boolean topic, boolean persistent, int queues, int producers, int consumers, int window, int rate, int batch, int kinds) {
    private static final Workload QUEUE = new Workload(false, false, 1, 1, 1, 0, 0, 0, 0);

    static Workload of(String name) {
        return switch (name) {
            case "W1a" -> QUEUE.persisted().clients(1, 1);
            case "W1b" -> QUEUE.persisted().clients(16, 1);
            case "W1c" -> QUEUE.persisted().clients(64, 1);
            case "W1d" -> new Workload(false, true, 16, 16, 16, 0, 0, 0, 0);
            case "W2" -> QUEUE.window(2000);
            case "W2b" -> QUEUE.clients(4, 4).window(4000);
            case "W3" -> new Workload(true, false, 1, 1, 100, 100, 0, 0, 0);
            case "W5" -> new Workload(false, true, 1, 1, 1, 2000, 0, 100, 0);
            case "W5b" -> new Workload(false, true, 1, 8, 1, 4000, 0, 100, 0);
            case "W6" -> new Workload(true, false, 1, 1, 100, 1000, 0, 0, 100);
            case "W6b" -> new Workload(false, false, 1, 1, 100, 1000, 0, 0, 100);
            case "W7" -> QUEUE.rate(1000);
            case "W7a" -> QUEUE.persisted().rate(200);
            case "W7c" -> QUEUE.rate(5000);
            case "W10" -> new Workload(true, true, 1, 1, 10, 0, 0, 1000, 0);
            default -> throw new IllegalArgumentException("no workload " + name);
        };
    }

    private Workload persisted() {
        return new Workload(topic, true, queues, producers, consumers, window, rate, batch, kinds);
    }

    private Workload clients(int producing, int consuming) {
        return new Workload(topic, persistent, queues, producing, consuming, window, rate, batch, kinds);
    }

    private Workload window(int messages) {
        return new Workload(topic, persistent, queues, producers, consumers, messages, rate, batch, kinds);
    }

    private Workload rate(int perSecond) {
        return new Workload(topic, persistent, queues, producers, consumers, window, perSecond, batch, kinds);
    }

    /** How many consumers get one message. */
    int fanOut() {
        return topic && kinds == 0 ? consumers : 1;
    }
}

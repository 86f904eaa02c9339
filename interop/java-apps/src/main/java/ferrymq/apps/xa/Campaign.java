package ferrymq.apps.xa;

import ferrymq.Broker;
import jakarta.jms.Connection;
import jakarta.jms.JMSException;
import jakarta.jms.MessageConsumer;
import jakarta.jms.MessageProducer;
import jakarta.jms.QueueBrowser;
import jakarta.jms.Session;
import jakarta.jms.TextMessage;
import jakarta.jms.XAConnection;
import jakarta.jms.XASession;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import javax.transaction.xa.XAException;
import javax.transaction.xa.XAResource;
import javax.transaction.xa.Xid;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.apache.activemq.ActiveMQXAConnectionFactory;

/**
 * Kills the broker around every step of a distributed transaction, and lets the transaction manager recover.
 *
 * <p>A run: a message waits in xa.in. One transaction takes it, sends its number to xa.out and inserts the number into a
 * database. At one moment of one step the broker dies. It starts again, and a manager that knows nothing but its journal resolves
 * what is in doubt. Then either all of it happened or nothing, what was decided to be committed is, and nothing is in doubt.
 *
 * <p>Arguments: runs for each moment of each step; which steps, or none for all. Ends with 0 where nothing disagrees.
 */
public final class Campaign {
    private static final long PATIENCE_MILLIS = 10_000;
    /** After so many runs in which the broker did not die there is nothing to hit at this moment. */
    private static final int PASSED_MAX = 2;
    /** The clients that meet the broker's death come back by themselves, and go on with what they did. */
    private static final boolean FAILS_OVER = Boolean.getBoolean("xa.failover");
    private static final int REVIVE_MILLIS = 5;
    private static final int GIVEN_UP_ROUNDS = 50;
    private static final int GIVEN_UP_MILLIS = 100;
    private static final String OF_BROKER = "broker";
    private static final String OF_DATABASE = "database";

    private final Path scratch;
    private final Database database;
    private final Journal journal;
    private final List<String> mismatches = new ArrayList<>();
    private Broker broker;
    private Cut cut;
    private long number;
    /** Messages that a client which came back took for copies, and sent to the dead letters; their branch was rolled back. */
    private int suppressed;
    /** The last run's transaction is committed, as the broker shows it. */
    private boolean happened;

    private Campaign(Path scratch) throws Exception {
        this.scratch = scratch;
        database = new Database(scratch);
        journal = new Journal(scratch.resolve("decisions"));
    }

    public static void main(String[] arguments) throws Exception {
        int runs = Integer.parseInt(arguments[0]);
        List<Step> steps = arguments.length == 1 ? List.of(Step.values())
                : Arrays.stream(arguments).skip(1).map(name -> Step.valueOf(name.toUpperCase().replace('-', '_'))).toList();
        boolean clean = new Campaign(Files.createTempDirectory("xa")).run(runs, steps);
        Runtime.getRuntime().halt(clean ? 0 : 1);
    }

    private boolean run(int runs, List<Step> steps) throws Exception {
        System.out.println("| step | moment | runs | killed | committed | rolled back | mismatches |");
        System.out.println("|---|---|---|---|---|---|---|");
        for (Step step : steps) {
            for (Moment moment : Moment.values()) {
                moment(step, moment, runs);
            }
        }
        System.out.printf("xa: %d runs, %d mismatches, %d suppressed by the client, client %s%n", number, mismatches.size(), suppressed,
                ActiveMQConnectionFactory.class.getPackage().getImplementationVersion());
        return mismatches.isEmpty();
    }

    /** All runs of one moment, on a broker with a folder of its own. */
    private void moment(Step step, Moment moment, int runs) throws Exception {
        int before = mismatches.size();
        int killed = 0;
        int committed = 0;
        int run = 0;
        open();
        for (; run < runs && (killed > 0 || run < PASSED_MAX); run++) {
            number++;
            int complaints = mismatches.size();
            Cut.Outcome outcome = once(step, moment, run);
            killed += outcome == Cut.Outcome.HIT ? 1 : 0;
            committed += happened ? 1 : 0;
            if (mismatches.size() > complaints) {
                reopen();
            }
        }
        close();
        String found = killed == 0 ? "nothing to hit" : "" + killed;
        System.out.printf("| %s | %s | %d | %s | %d | %d | %d |%n", step, moment, run, found, committed, run - committed,
                mismatches.size() - before);
    }

    private void open() throws IOException {
        Path failPoint = scratch.resolve("fail-point");
        broker = new Broker(null, Map.of("FERRYMQ_FAIL_POINT", failPoint.toString()));
        broker.start();
        cut = new Cut(broker, failPoint, FAILS_OVER);
    }

    private void close() throws IOException {
        cut.close();
        broker.close();
    }

    /** What disagrees must not make later runs disagree; its data stays. */
    private void reopen() throws IOException {
        System.out.println("xa: data and log of a mismatch are in " + broker.folder());
        cut.close();
        broker.kill();
        open();
    }

    private Cut.Outcome once(Step step, Moment moment, int run) throws Exception {
        String name = step + " " + moment + " run " + run;
        // Every other manager survives the broker and insists on its decision; the others know what their journal knows.
        boolean survives = run % 2 == 0;
        put();
        Scenario scenario = Scenario.of(step, run);
        Attempt attempt = new Attempt(scenario);
        if (scenario.armsRecovery()) {
            attempt.work();
            broker.kill();
            broker.start();
            cut.arm(step, moment);
            reviving(this::attemptRecovery);
        } else {
            cut.arm(step, moment);
            reviving(attempt::work);
        }
        Cut.Outcome outcome = cut.disarm();
        if (!broker.isAlive()) {
            broker.kill();
            broker.start();
        }
        if (survives) {
            attempt.insist();
        }
        recover();
        if (outcome != Cut.Outcome.HIT && attempt.stopped != null) {
            complain(name + ": the broker lived, and yet: " + attempt.stopped);
        }
        verify(name, attempt);
        journal.clear();
        return outcome;
    }

    /** Does something, during which a broker that dies is started again if clients come back to it. */
    private void reviving(Runnable what) throws InterruptedException {
        if (!FAILS_OVER) {
            what.run();
            return;
        }
        AtomicBoolean over = new AtomicBoolean();
        Cut watched = cut;
        Thread reviver = new Thread(() -> {
            try {
                while (!over.get()) {
                    watched.revive();
                    Thread.sleep(REVIVE_MILLIS);
                }
            } catch (IOException | InterruptedException error) {
                throw new IllegalStateException(error);
            }
        }, "reviver");
        reviver.start();
        what.run();
        over.set(true);
        reviver.join();
    }

    /** How a transaction goes if nothing stops it. */
    private enum Scenario {
        TWO_PHASES, HEURISTIC, ONE_PHASE, ROLLED_BACK_PREPARED, ROLLED_BACK_ACTIVE, LEFT_PREPARED, LEFT_DECIDED;

        static Scenario of(Step step, int run) {
            return switch (step) {
                case START, SEND, ACK, END, PREPARE, COMMIT -> TWO_PHASES;
                case FORGET -> HEURISTIC;
                case COMMIT_ONE_PHASE -> ONE_PHASE;
                case ROLLBACK -> run % 4 < 2 ? ROLLED_BACK_PREPARED : ROLLED_BACK_ACTIVE;
                case RECOVER -> run % 4 < 2 ? LEFT_PREPARED : LEFT_DECIDED;
            };
        }

        boolean armsRecovery() {
            return this == LEFT_PREPARED || this == LEFT_DECIDED;
        }

        boolean commits() {
            return switch (this) {
                case TWO_PHASES, HEURISTIC, LEFT_DECIDED -> true;
                case ONE_PHASE, ROLLED_BACK_PREPARED, ROLLED_BACK_ACTIVE, LEFT_PREPARED -> false;
            };
        }
    }

    /** One transaction, as far as it gets. */
    private final class Attempt {
        private final Scenario scenario;
        private final String global = "run-" + number;
        private final Xid ofBroker = new Branch(global, OF_BROKER);
        private final Xid ofDatabase = new Branch(global, OF_DATABASE);
        /** The database is between start and end. */
        private boolean isWorking;
        /** Both resources are. */
        private boolean isPrepared;
        private boolean isDecided;
        /** The application was told that it happened. */
        private boolean isConfirmed;
        /** What went wrong, which is no finding by itself: the broker is dead, or about to die. */
        private Exception stopped;

        Attempt(Scenario scenario) {
            this.scenario = scenario;
        }

        void work() {
            XAConnection connection = null;
            javax.sql.XAConnection second = null;
            try {
                connection = new ActiveMQXAConnectionFactory(cut.url()).createXAConnection();
                second = database.connect();
                transact(connection, second);
            } catch (Exception error) {
                stopped = error;
                abandon(second);
            }
            closeQuietly(connection, second);
        }

        /** What a database does with the work of a client that is gone; this one lives in our process and does not notice. */
        private void abandon(javax.sql.XAConnection second) {
            if (second == null || isPrepared) {
                return;
            }
            try {
                XAResource other = second.getXAResource();
                if (isWorking) {
                    other.end(ofDatabase, XAResource.TMSUCCESS);
                }
                other.rollback(ofDatabase);
            } catch (XAException notBegun) {
                // Nothing to undo.
            } catch (java.sql.SQLException error) {
                throw new IllegalStateException(error);
            }
        }

        private void transact(XAConnection connection, javax.sql.XAConnection second) throws Exception {
            connection.start();
            XASession session = connection.createXASession();
            MessageConsumer consumer = session.createConsumer(session.createQueue("xa.in"));
            MessageProducer producer = session.createProducer(session.createQueue("xa.out"));
            XAResource first = session.getXAResource();
            XAResource other = second.getXAResource();
            java.sql.Connection sql = second.getConnection();
            first.start(ofBroker, XAResource.TMNOFLAGS);
            if (scenario != Scenario.ONE_PHASE) {
                other.start(ofDatabase, XAResource.TMNOFLAGS);
                isWorking = true;
            }
            if (!(consumer.receive(PATIENCE_MILLIS) instanceof TextMessage message)) {
                throw new IllegalStateException("the message does not come");
            }
            producer.send(session.createTextMessage(message.getText()));
            if (scenario != Scenario.ONE_PHASE) {
                Database.insert(sql, number);
            }
            first.end(ofBroker, XAResource.TMSUCCESS);
            if (scenario != Scenario.ONE_PHASE) {
                other.end(ofDatabase, XAResource.TMSUCCESS);
                isWorking = false;
            }
            complete(first, other);
        }

        private void complete(XAResource first, XAResource other) throws XAException {
            switch (scenario) {
                case ONE_PHASE -> {
                    first.commit(ofBroker, true);
                    isConfirmed = true;
                }
                case ROLLED_BACK_ACTIVE -> {
                    first.rollback(ofBroker);
                    other.rollback(ofDatabase);
                }
                case ROLLED_BACK_PREPARED -> {
                    prepare(first, other);
                    first.rollback(ofBroker);
                    other.rollback(ofDatabase);
                }
                case LEFT_PREPARED -> prepare(first, other);
                case LEFT_DECIDED -> {
                    prepare(first, other);
                    decide();
                }
                case TWO_PHASES -> {
                    prepare(first, other);
                    decide();
                    first.commit(ofBroker, false);
                    other.commit(ofDatabase, false);
                    isConfirmed = true;
                }
                case HEURISTIC -> {
                    prepare(first, other);
                    decide();
                    commitByHand();
                    other.commit(ofDatabase, false);
                    Campaign.commit(first, ofBroker);
                    isConfirmed = true;
                }
            }
        }

        /** A person decides as the manager did, before the manager says so: the broker remembers it until told to forget. */
        private void commitByHand() {
            HexFormat hex = HexFormat.of();
            String xid = "XID:[" + ofBroker.getFormatId() + ",globalId=" + hex.formatHex(ofBroker.getGlobalTransactionId())
                    + ",branchId=" + hex.formatHex(ofBroker.getBranchQualifier()) + "]";
            try {
                Process process = new ProcessBuilder(System.getenv("FERRYMQ_BIN"), "transactions", "--data",
                        broker.data().toString(), "commit", xid).redirectErrorStream(true).start();
                String said = new String(process.getInputStream().readAllBytes());
                if (process.waitFor() != 0) {
                    throw new IllegalStateException("ferrymq transactions: " + said);
                }
            } catch (IOException | InterruptedException error) {
                throw new IllegalStateException(error);
            }
        }

        private void prepare(XAResource first, XAResource other) throws XAException {
            if (first.prepare(ofBroker) != XAResource.XA_OK || other.prepare(ofDatabase) != XAResource.XA_OK) {
                throw new IllegalStateException("a resource claims that there was no work");
            }
            isPrepared = true;
        }

        private void decide() {
            journal.decideToCommit(global);
            isDecided = true;
        }

        /** What a manager does that still knows the transaction: says its decision until the broker answers. */
        void insist() throws Exception {
            if (scenario == Scenario.ONE_PHASE) {
                return;
            }
            XAConnection connection = new ActiveMQXAConnectionFactory(broker.url()).createXAConnection();
            try {
                XAResource first = connection.createXASession().getXAResource();
                if (isDecided) {
                    Campaign.commit(first, ofBroker);
                } else {
                    first.rollback(ofBroker);
                }
            } catch (XAException error) {
                if (error.errorCode != XAException.XAER_NOTA) {
                    throw error;
                }
                // Over and forgotten, or never begun.
            } finally {
                connection.close();
            }
        }
    }

    /** A recovery that the death of the broker may stop. */
    private void attemptRecovery() {
        XAConnection connection = null;
        try {
            connection = new ActiveMQXAConnectionFactory(cut.url()).createXAConnection();
            resolve(connection.createXASession().getXAResource(), OF_BROKER, journal.decided());
        } catch (Exception stopped) {
            // Seen by what comes after it.
        }
        closeQuietly(connection, null);
    }

    /** What a manager does at its start, with nothing but its journal. */
    private void recover() throws Exception {
        Set<String> decided = journal.decided();
        XAConnection connection = new ActiveMQXAConnectionFactory(broker.url()).createXAConnection();
        try {
            resolve(connection.createXASession().getXAResource(), OF_BROKER, decided);
        } finally {
            connection.close();
        }
        javax.sql.XAConnection second = database.connect();
        try {
            resolve(second.getXAResource(), OF_DATABASE, decided);
        } finally {
            second.close();
        }
    }

    private static void resolve(XAResource resource, String name, Set<String> decided) throws XAException {
        for (Xid xid : inDoubt(resource, name)) {
            if (decided.contains(Branch.global(xid))) {
                commit(resource, xid);
            } else {
                resource.rollback(xid);
            }
        }
    }

    /** The second phase. Where a person was faster, and decided the same, the resource need not remember it any longer. */
    private static void commit(XAResource resource, Xid xid) throws XAException {
        try {
            resource.commit(xid, false);
        } catch (XAException error) {
            if (error.errorCode != XAException.XA_HEURCOM) {
                throw error;
            }
            resource.forget(xid);
        }
    }

    private static List<Xid> inDoubt(XAResource resource, String name) throws XAException {
        List<Xid> found = new ArrayList<>();
        for (int flag : new int[] {XAResource.TMSTARTRSCAN, XAResource.TMENDRSCAN}) {
            for (Xid xid : resource.recover(flag)) {
                boolean isKnown = found.stream().anyMatch(other -> Branch.global(other).equals(Branch.global(xid)));
                if (Branch.global(xid) != null && Branch.isOf(xid, name) && !isKnown) {
                    found.add(xid);
                }
            }
        }
        return found;
    }

    private void put() throws JMSException {
        try (Connection connection = new ActiveMQConnectionFactory(broker.url()).createConnection()) {
            Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
            session.createProducer(session.createQueue("xa.in")).send(session.createTextMessage("" + number));
        }
    }

    /** Both resources agree with each other and with what was decided, and nothing is left. */
    private void verify(String name, Attempt attempt) throws Exception {
        boolean row = database.holds(number);
        try (Connection connection = new ActiveMQConnectionFactory(broker.url()).createConnection()) {
            connection.start();
            Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
            List<String> in = browse(session, "xa.in");
            List<String> out = browse(session, "xa.out");
            // A connection that a client gave up while it came back may hold the message for a moment.
            for (int again = 0; FAILS_OVER && in.isEmpty() && out.isEmpty() && again < GIVEN_UP_ROUNDS; again++) {
                Thread.sleep(GIVEN_UP_MILLIS);
                in = browse(session, "xa.in");
                out = browse(session, "xa.out");
            }
            boolean isNowhere = in.isEmpty() && out.isEmpty() && !row && !attempt.isDecided && !attempt.isConfirmed;
            if (FAILS_OVER && isNowhere && browse(session, "ActiveMQ.DLQ").equals(List.of("" + number))) {
                suppressed++;
                happened = false;
                take(session, "ActiveMQ.DLQ");
                return;
            }
            boolean sent = out.equals(List.of("" + number));
            happened = sent;
            boolean taken = in.isEmpty();
            boolean untouched = in.equals(List.of("" + number)) && out.isEmpty();
            boolean whole = sent && taken || untouched;
            boolean agrees = attempt.scenario == Scenario.ONE_PHASE || row == sent;
            boolean obeys = !attempt.isDecided || sent;
            boolean honest = !attempt.isConfirmed || sent;
            boolean undone = attempt.scenario.commits() || attempt.scenario == Scenario.ONE_PHASE || !sent;
            if (!(whole && agrees && obeys && honest && undone)) {
                complain(name + ": in " + in + ", out " + out + ", row " + row + ", decided " + attempt.isDecided
                        + ", confirmed " + attempt.isConfirmed + ", stopped by " + attempt.stopped);
                return;
            }
            take(session, in.isEmpty() ? "xa.out" : "xa.in");
        }
        XAConnection connection = new ActiveMQXAConnectionFactory(broker.url()).createXAConnection();
        try {
            List<Xid> left = inDoubt(connection.createXASession().getXAResource(), OF_BROKER);
            if (!left.isEmpty()) {
                complain(name + ": still in doubt: " + left);
            }
        } finally {
            connection.close();
        }
    }

    private static List<String> browse(Session session, String queue) throws JMSException {
        QueueBrowser browser = session.createBrowser(session.createQueue(queue));
        List<String> texts = new ArrayList<>();
        for (var messages = browser.getEnumeration(); messages.hasMoreElements();) {
            texts.add(((TextMessage) messages.nextElement()).getText());
        }
        browser.close();
        return texts;
    }

    private void take(Session session, String queue) throws JMSException {
        MessageConsumer consumer = session.createConsumer(session.createQueue(queue));
        if (consumer.receive(PATIENCE_MILLIS) == null) {
            complain("run " + number + ": " + queue + " shows a message and does not give it");
        }
        consumer.close();
    }

    private void complain(String text) {
        mismatches.add(text);
        System.out.println("xa: " + text);
    }

    private static void closeQuietly(XAConnection connection, javax.sql.XAConnection second) {
        try {
            if (second != null) {
                second.close();
            }
        } catch (java.sql.SQLException error) {
            throw new IllegalStateException(error);
        }
        try {
            if (connection != null) {
                connection.close();
            }
        } catch (JMSException gone) {
            // Its broker is dead.
        }
    }
}

package ferrymq.jms;

import static org.junit.jupiter.api.Assertions.*;

import ferrymq.Broker;
import jakarta.jms.JMSException;
import jakarta.jms.MessageConsumer;
import jakarta.jms.XAConnection;
import jakarta.jms.XASession;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import javax.transaction.xa.XAException;
import javax.transaction.xa.XAResource;
import javax.transaction.xa.Xid;
import org.apache.activemq.ActiveMQXAConnectionFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class XaTest extends Jms {
    private static final AtomicInteger BRANCHES = new AtomicInteger();

    /** A branch of a global transaction as a transaction manager makes it. */
    private record Branch(int getFormatId, byte[] global, byte[] qualifier) implements Xid {
        static Branch fresh() {
            return of(UUID.randomUUID().toString());
        }

        static Branch of(String global) {
            byte[] qualifier = ByteBuffer.allocate(4).putInt(BRANCHES.incrementAndGet()).array();
            return new Branch(4711, global.getBytes(StandardCharsets.UTF_8), qualifier);
        }

        @Override
        public byte[] getGlobalTransactionId() {
            return global;
        }

        @Override
        public byte[] getBranchQualifier() {
            return qualifier;
        }

        boolean is(Xid other) {
            return getFormatId == other.getFormatId() && Arrays.equals(global, other.getGlobalTransactionId())
                    && Arrays.equals(qualifier, other.getBranchQualifier());
        }
    }

    private XAConnection xaConnection(Broker broker) throws JMSException {
        XAConnection connection = (XAConnection) new ActiveMQXAConnectionFactory(url(broker)).createXAConnection();
        closing(() -> {
            try {
                connection.close();
            } catch (JMSException gone) {
                // With its broker.
            }
        });
        connection.start();
        return connection;
    }

    private XASession xaSession() throws JMSException {
        return xaConnection(broker()).createXASession();
    }

    private static boolean inDoubt(XAResource resource, Branch branch) throws XAException {
        return Arrays.stream(resource.recover(XAResource.TMSTARTRSCAN | XAResource.TMENDRSCAN)).anyMatch(branch::is);
    }

    private static int errorOf(org.junit.jupiter.api.function.Executable step) {
        return assertThrows(XAException.class, step).errorCode;
    }

    private static Branch sent(XASession session, jakarta.jms.Queue queue, String... texts) throws Exception {
        Branch branch = Branch.fresh();
        XAResource resource = session.getXAResource();
        resource.start(branch, XAResource.TMNOFLAGS);
        send(session, queue, texts);
        resource.end(branch, XAResource.TMSUCCESS);
        return branch;
    }

    @Test
    void one_phase_commits_what_was_sent() throws Exception {
        XASession session = xaSession();
        Branch branch = sent(session, queue(), "1", "2");
        assertEquals(List.of(), rest(queue()));
        session.getXAResource().commit(branch, true);
        assertEquals(List.of("1", "2"), rest(queue()));
    }

    /** ActiveMQ's client for C++ knows no other commit. */
    @Test
    void one_phase_commits_what_is_prepared() throws Exception {
        XASession session = xaSession();
        Branch branch = sent(session, queue(), "1", "2");
        session.getXAResource().prepare(branch);
        session.getXAResource().commit(branch, true);
        assertFalse(inDoubt(session.getXAResource(), branch));
        assertEquals(List.of("1", "2"), rest(queue()));
    }

    @Test
    void two_phases_commit_what_was_sent() throws Exception {
        XASession session = xaSession();
        Branch branch = sent(session, queue(), "1", "2");
        assertEquals(XAResource.XA_OK, session.getXAResource().prepare(branch));
        assertEquals(List.of(), rest(queue()));
        session.getXAResource().commit(branch, false);
        assertEquals(List.of("1", "2"), rest(queue()));
    }

    @Test
    void a_rollback_before_prepare_undoes_everything() throws Exception {
        XASession session = xaSession();
        Branch branch = sent(session, queue(), "undone");
        session.getXAResource().rollback(branch);
        assertEquals(List.of(), rest(queue()));
    }

    @Test
    void a_rollback_after_prepare_undoes_everything() throws Exception {
        XASession session = xaSession();
        Branch branch = sent(session, queue(), "undone");
        session.getXAResource().prepare(branch);
        session.getXAResource().rollback(branch);
        assertEquals(List.of(), rest(queue()));
        assertFalse(inDoubt(session.getXAResource(), branch));
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void what_was_received_is_gone_after_the_commit(boolean onePhase) throws Exception {
        send(queue(), "1", "2", "3");
        XASession session = xaSession();
        XAResource resource = session.getXAResource();
        Branch branch = Branch.fresh();
        resource.start(branch, XAResource.TMNOFLAGS);
        texts(session.createConsumer(queue()), 2);
        resource.end(branch, XAResource.TMSUCCESS);
        if (!onePhase) {
            assertEquals(XAResource.XA_OK, resource.prepare(branch));
        }
        resource.commit(branch, onePhase);
        session.close();
        assertEquals(List.of("3"), rest(queue()));
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void what_was_received_comes_back_after_the_rollback(boolean prepared) throws Exception {
        send(queue(), "1", "2", "3");
        XASession session = xaSession();
        XAResource resource = session.getXAResource();
        Branch branch = Branch.fresh();
        resource.start(branch, XAResource.TMNOFLAGS);
        texts(session.createConsumer(queue()), 2);
        resource.end(branch, XAResource.TMSUCCESS);
        if (prepared) {
            resource.prepare(branch);
        }
        resource.rollback(branch);
        session.close();
        assertEquals(List.of("1", "2", "3"), rest(queue()));
    }

    @Test
    void a_prepared_branch_holds_what_it_received() throws Exception {
        send(queue(), "held", "free");
        XASession session = xaSession();
        XAResource resource = session.getXAResource();
        Branch branch = Branch.fresh();
        resource.start(branch, XAResource.TMNOFLAGS);
        MessageConsumer consumer = session.createConsumer(queue());
        assertEquals("held", nextText(consumer));
        resource.end(branch, XAResource.TMSUCCESS);
        resource.prepare(branch);
        consumer.close();
        assertEquals(List.of("free"), rest(queue()));
        resource.commit(branch, false);
        assertEquals(List.of(), rest(queue()));
    }

    @Test
    void receiving_and_sending_are_one_unit() throws Exception {
        send(queue("IN"), "work");
        XASession session = xaSession();
        XAResource resource = session.getXAResource();
        Branch branch = Branch.fresh();
        resource.start(branch, XAResource.TMNOFLAGS);
        assertEquals("work", nextText(session.createConsumer(queue("IN"))));
        send(session, queue("OUT"), "done");
        resource.end(branch, XAResource.TMSUCCESS);
        assertEquals(XAResource.XA_OK, resource.prepare(branch));
        resource.commit(branch, false);
        session.close();
        assertEquals(List.of(), rest(queue("IN")));
        assertEquals(List.of("done"), rest(queue("OUT")));
    }

    @Test
    void a_branch_without_work_is_read_only() throws Exception {
        XAResource resource = xaSession().getXAResource();
        Branch branch = Branch.fresh();
        resource.start(branch, XAResource.TMNOFLAGS);
        resource.end(branch, XAResource.TMSUCCESS);
        assertEquals(XAResource.XA_RDONLY, resource.prepare(branch));
        assertFalse(inDoubt(resource, branch));
    }

    @Test
    void recover_lists_what_is_prepared_and_nothing_else() throws Exception {
        XASession session = xaSession();
        Branch prepared = sent(session, queue(), "prepared");
        session.getXAResource().prepare(prepared);
        Branch active = sent(session, queue(), "active");
        XAResource other = xaSession().getXAResource();
        assertTrue(inDoubt(other, prepared));
        assertFalse(inDoubt(other, active));
        session.getXAResource().rollback(prepared);
        session.getXAResource().rollback(active);
        assertFalse(inDoubt(other, prepared));
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void another_connection_finishes_what_is_prepared(boolean commit) throws Exception {
        XAConnection connection = xaConnection(broker());
        Branch branch = sent(connection.createXASession(), queue(), "prepared");
        connection.createXASession().getXAResource().prepare(branch);
        connection.close();
        XAResource other = xaSession().getXAResource();
        assertTrue(inDoubt(other, branch));
        if (commit) {
            other.commit(branch, false);
        } else {
            other.rollback(branch);
        }
        assertFalse(inDoubt(other, branch));
        assertEquals(commit ? List.of("prepared") : List.of(), rest(queue()));
    }

    @Test
    void a_branch_that_was_not_prepared_ends_with_its_connection() throws Exception {
        XAConnection connection = xaConnection(broker());
        Branch branch = sent(connection.createXASession(), queue(), "lost");
        connection.close();
        XAResource other = xaSession().getXAResource();
        assertFalse(inDoubt(other, branch));
        assertEquals(List.of(), rest(queue()));
    }

    @Test
    void one_session_serves_one_branch_after_another() throws Exception {
        XASession session = xaSession();
        for (int index = 0; index < 10; index++) {
            Branch branch = sent(session, queue(), "m" + index);
            assertEquals(XAResource.XA_OK, session.getXAResource().prepare(branch));
            session.getXAResource().commit(branch, false);
        }
        assertEquals(List.of(numbered("m", 10)), rest(queue()));
    }

    @Test
    void a_branch_may_be_joined_by_another_session_of_the_connection() throws Exception {
        XAConnection connection = xaConnection(broker());
        XASession one = connection.createXASession();
        XASession other = connection.createXASession();
        assertTrue(one.getXAResource().isSameRM(other.getXAResource()));
        Branch branch = sent(one, queue(), "one");
        other.getXAResource().start(branch, XAResource.TMJOIN);
        send(other, queue(), "other");
        other.getXAResource().end(branch, XAResource.TMSUCCESS);
        one.getXAResource().prepare(branch);
        one.getXAResource().commit(branch, false);
        assertEquals(List.of("one", "other"), rest(queue()));
    }

    @Test
    void resources_of_two_connections_are_the_same_manager() throws Exception {
        assertTrue(xaSession().getXAResource().isSameRM(xaSession().getXAResource()));
    }

    @Test
    void a_suspended_branch_resumes() throws Exception {
        XASession session = xaSession();
        XAResource resource = session.getXAResource();
        Branch branch = Branch.fresh();
        resource.start(branch, XAResource.TMNOFLAGS);
        send(session, queue(), "before");
        resource.end(branch, XAResource.TMSUSPEND);
        resource.start(branch, XAResource.TMRESUME);
        send(session, queue(), "after");
        resource.end(branch, XAResource.TMSUCCESS);
        resource.commit(branch, true);
        assertEquals(List.of("before", "after"), rest(queue()));
    }

    @Test
    void two_branches_of_a_global_transaction_are_finished_apart() throws Exception {
        String global = UUID.randomUUID().toString();
        XASession session = xaSession();
        XAResource resource = session.getXAResource();
        Branch first = Branch.of(global);
        Branch second = Branch.of(global);
        for (Branch branch : List.of(first, second)) {
            resource.start(branch, XAResource.TMNOFLAGS);
            send(session, queue(), branch == first ? "first" : "second");
            resource.end(branch, XAResource.TMSUCCESS);
            resource.prepare(branch);
        }
        resource.rollback(first);
        resource.commit(second, false);
        assertEquals(List.of("second"), rest(queue()));
    }

    @Test
    void a_branch_that_does_not_exist_is_not_prepared_nor_committed() throws Exception {
        XAResource resource = xaSession().getXAResource();
        assertTrue(List.of(XAException.XAER_NOTA, XAException.XAER_RMFAIL).contains(errorOf(() -> resource.prepare(Branch.fresh()))));
        assertEquals(XAException.XAER_NOTA, errorOf(() -> resource.commit(Branch.fresh(), false)));
    }

    @Test
    void committing_a_finished_branch_again_does_nothing() throws Exception {
        XASession session = xaSession();
        Branch branch = sent(session, queue(), "m");
        session.getXAResource().prepare(branch);
        session.getXAResource().commit(branch, false);
        try {
            xaSession().getXAResource().commit(branch, false);
        } catch (XAException unknown) {
            assertEquals(XAException.XAER_NOTA, unknown.errorCode);
        }
        assertEquals(List.of("m"), rest(queue()));
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void a_name_whose_branch_is_over_may_begin_another(boolean committed) throws Exception {
        XASession session = xaSession();
        XAResource resource = session.getXAResource();
        Branch branch = sent(session, queue(), "1");
        resource.prepare(branch);
        if (committed) {
            resource.commit(branch, false);
        } else {
            resource.rollback(branch);
        }
        resource.start(branch, XAResource.TMNOFLAGS);
        send(session, queue(), "2");
        resource.end(branch, XAResource.TMSUCCESS);
        assertEquals(committed ? List.of("1") : List.of(), rest(queue()));
        resource.prepare(branch);
        assertTrue(inDoubt(xaSession().getXAResource(), branch));
        resource.commit(branch, false);
        assertEquals(List.of("2"), rest(queue()));
        resource.start(branch, XAResource.TMNOFLAGS);
        send(session, queue(), "3");
        resource.end(branch, XAResource.TMSUCCESS);
        resource.commit(branch, true);
        assertEquals(List.of("3"), rest(queue()));
    }

    @Test
    void two_phases_without_prepare_are_a_protocol_error() throws Exception {
        XASession session = xaSession();
        Branch branch = sent(session, queue(), "m");
        assertEquals(XAException.XAER_PROTO, errorOf(() -> session.getXAResource().commit(branch, false)));
    }

    @Test
    void a_session_works_for_one_branch_at_a_time() throws Exception {
        XAResource resource = xaSession().getXAResource();
        Branch branch = Branch.fresh();
        resource.start(branch, XAResource.TMNOFLAGS);
        assertEquals(XAException.XAER_PROTO, errorOf(() -> resource.start(Branch.fresh(), XAResource.TMNOFLAGS)));
        resource.end(branch, XAResource.TMSUCCESS);
        resource.rollback(branch);
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void what_is_in_doubt_survives_a_crash_of_the_broker(boolean commit) throws Exception {
        Broker own = closing(Broker.own());
        send(session(connected(url(own))), queue("IN"), "in");
        XASession session = xaConnection(own).createXASession();
        XAResource resource = session.getXAResource();
        Branch branch = Branch.fresh();
        resource.start(branch, XAResource.TMNOFLAGS);
        assertEquals("in", nextText(session.createConsumer(queue("IN"))));
        send(session, queue("OUT"), "out");
        resource.end(branch, XAResource.TMSUCCESS);
        assertEquals(XAResource.XA_OK, resource.prepare(branch));
        own.restart();
        assertEquals(List.of(), rest(own, queue("IN")));
        assertEquals(List.of(), rest(own, queue("OUT")));
        XAResource after = xaConnection(own).createXASession().getXAResource();
        assertTrue(inDoubt(after, branch));
        if (commit) {
            after.commit(branch, false);
        } else {
            after.rollback(branch);
        }
        assertFalse(inDoubt(after, branch));
        assertEquals(commit ? List.of() : List.of("in"), rest(own, queue("IN")));
        assertEquals(commit ? List.of("out") : List.of(), rest(own, queue("OUT")));
        own.restart();
        assertFalse(inDoubt(xaConnection(own).createXASession().getXAResource(), branch));
        assertEquals(List.of(), rest(own, queue("OUT")));
    }

    @Test
    void outside_a_branch_nothing_is_sent() throws Exception {
        XASession session = xaSession();
        assertThrows(JMSException.class, () -> send(session, queue(), "lost"));
        assertEquals(List.of(), rest(queue()));
    }

    @Test
    void a_durable_subscription_takes_part() throws Exception {
        XAConnection connection = (XAConnection) closing(new ActiveMQXAConnectionFactory(url()).createXAConnection());
        connection.setClientID(name("client"));
        connection.start();
        XASession session = connection.createXASession();
        MessageConsumer consumer = session.createDurableSubscriber(topic(), "sub");
        send(topic(), "1", "2");
        XAResource resource = session.getXAResource();
        Branch branch = Branch.fresh();
        resource.start(branch, XAResource.TMNOFLAGS);
        assertEquals("1", nextText(consumer));
        resource.end(branch, XAResource.TMSUCCESS);
        resource.prepare(branch);
        resource.commit(branch, false);
        connection.close();
        MessageConsumer again = session(named(name("client"))).createDurableSubscriber(topic(), "sub");
        assertEquals("2", nextText(again));
    }

    @Test
    void forget_of_an_unknown_branch_is_answered() throws Exception {
        XAResource resource = xaSession().getXAResource();
        try {
            resource.forget(Branch.fresh());
        } catch (XAException unknown) {
            assertEquals(XAException.XAER_NOTA, unknown.errorCode);
        }
    }

    @Test
    void who_forgets_a_branch_that_is_not_prepared_undoes_it() throws Exception {
        XASession session = xaSession();
        Branch branch = sent(session, queue(), "forgotten");
        session.getXAResource().forget(branch);
        assertThrows(XAException.class, () -> session.getXAResource().commit(branch, true));
        assertEquals(List.of(), rest(queue()));
    }

    @Test
    void a_branch_that_ended_in_failure_is_rolled_back() throws Exception {
        XASession session = xaSession();
        XAResource resource = session.getXAResource();
        Branch branch = Branch.fresh();
        resource.start(branch, XAResource.TMNOFLAGS);
        send(session, queue(), "failed");
        resource.end(branch, XAResource.TMFAIL);
        resource.rollback(branch);
        assertEquals(List.of(), rest(queue()));
    }

    @Test
    void a_hundred_branches_in_doubt_are_all_listed_after_a_crash() throws Exception {
        Broker own = closing(Broker.own());
        XASession session = xaConnection(own).createXASession();
        List<Branch> branches = new java.util.ArrayList<>();
        for (int index = 0; index < 100; index++) {
            Branch branch = sent(session, queue(), "m" + index);
            session.getXAResource().prepare(branch);
            branches.add(branch);
        }
        own.restart();
        XAResource after = xaConnection(own).createXASession().getXAResource();
        List<Xid> listed = List.of(after.recover(XAResource.TMSTARTRSCAN | XAResource.TMENDRSCAN));
        for (int index = 0; index < 100; index++) {
            Branch branch = branches.get(index);
            assertTrue(listed.stream().anyMatch(branch::is));
            if (index % 2 == 0) {
                after.commit(branch, false);
            } else {
                after.rollback(branch);
            }
        }
        MessageConsumer consumer = session(connected(url(own))).createConsumer(queue());
        assertEquals(50, java.util.Set.copyOf(texts(consumer, 50)).size());
        consumer.close();
        assertEquals(List.of(), rest(own, queue()));
    }

    @Test
    void what_was_committed_in_two_phases_survives_a_crash() throws Exception {
        Broker own = closing(Broker.own());
        XASession session = xaConnection(own).createXASession();
        Branch branch = sent(session, queue(), "kept");
        session.getXAResource().prepare(branch);
        session.getXAResource().commit(branch, false);
        own.restart();
        assertEquals(List.of("kept"), rest(own, queue()));
    }
}

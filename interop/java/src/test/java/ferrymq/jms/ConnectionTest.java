package ferrymq.jms;

import static org.junit.jupiter.api.Assertions.*;

import ferrymq.Broker;
import jakarta.jms.Connection;
import jakarta.jms.ConnectionMetaData;
import jakarta.jms.IllegalStateException;
import jakarta.jms.InvalidClientIDException;
import jakarta.jms.JMSException;
import jakarta.jms.MessageConsumer;
import jakarta.jms.Queue;
import jakarta.jms.Session;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.activemq.ActiveMQConnection;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.junit.jupiter.api.Test;

class ConnectionTest extends Jms {
    @Test
    void a_client_id_is_kept() throws Exception {
        assertEquals(name("id"), named(name("id")).getClientID());
    }

    @Test
    void a_client_id_in_the_url_is_kept() throws Exception {
        assertEquals(name("id"), connection("jms.clientID=" + name("id")).getClientID());
    }

    @Test
    void connections_without_a_client_id_get_different_ones() throws Exception {
        Connection one = connection();
        Connection other = connection();
        assertNotNull(one.getClientID());
        assertNotEquals(one.getClientID(), other.getClientID());
    }

    @Test
    void a_client_id_cannot_be_set_after_use() throws Exception {
        Connection connection = connection();
        session(connection);
        assertThrows(IllegalStateException.class, () -> connection.setClientID(name("late")));
    }

    @Test
    void a_second_connection_with_the_same_client_id_is_refused_and_the_first_lives_on() throws Exception {
        Connection first = named(name("id"));
        InvalidClientIDException refusal = assertThrows(InvalidClientIDException.class, () -> named(name("id")));
        assertTrue(refusal.getMessage().contains("already connected"), refusal.getMessage());
        Queue queue = queue();
        send(session(first), queue, "still here");
        assertEquals("still here", nextText(session(first).createConsumer(queue)));
    }

    @Test
    void a_client_id_is_free_again_after_close() throws Exception {
        named(name("id")).close();
        assertEquals(name("id"), named(name("id")).getClientID());
    }

    @Test
    void a_connection_that_was_taken_back_serves_the_next_user_on_the_same_transport() throws Exception {
        ActiveMQConnection connection = named(name("first"));
        Queue queue = queue();
        send(session(connection), queue, "of the first");
        // What resource adapters do between two users.
        connection.doCleanup(true);
        connection.setClientID(name("next"));
        connection.start();
        assertEquals("of the first", nextText(session(connection).createConsumer(queue)));
        assertEquals(name("first"), named(name("first")).getClientID());
        assertThrows(InvalidClientIDException.class, () -> named(name("next")));
    }

    @Test
    void a_client_id_is_free_again_after_the_socket_ended_without_goodbye() throws Exception {
        ActiveMQConnection gone = named(name("id"));
        cut(gone);
        Await.until("a free client id", () -> {
            try {
                named(name("id"));
                return true;
            } catch (InvalidClientIDException stillTaken) {
                return false;
            }
        });
    }

    @Test
    void a_closed_connection_refuses_everything() throws Exception {
        Connection connection = connection();
        connection.close();
        assertThrows(IllegalStateException.class, () -> session(connection));
        assertThrows(IllegalStateException.class, connection::start);
        assertThrows(IllegalStateException.class, connection::getMetaData);
    }

    @Test
    void closing_twice_is_harmless() throws Exception {
        Connection connection = connection();
        connection.close();
        connection.close();
    }

    @Test
    void close_ends_sessions_and_what_they_made() throws Exception {
        Connection connection = connection();
        Session session = session(connection);
        MessageConsumer consumer = session.createConsumer(queue());
        connection.close();
        assertThrows(IllegalStateException.class, () -> session.createTextMessage());
        assertThrows(IllegalStateException.class, consumer::receive);
    }

    @Test
    void close_wakes_a_receiver_that_waits_without_limit() throws Exception {
        Connection connection = connection();
        MessageConsumer consumer = session(connection).createConsumer(queue());
        CompletableFuture<Object> received = CompletableFuture.supplyAsync(() -> {
            try {
                return consumer.receive() == null ? "nothing" : "something";
            } catch (JMSException error) {
                return "nothing";
            }
        });
        connection.close();
        assertEquals("nothing", received.get(Await.PATIENCE_MILLIS, TimeUnit.MILLISECONDS));
    }

    @Test
    void nothing_is_delivered_before_start() throws Exception {
        Queue queue = queue();
        send(queue, "waits");
        Connection connection = closing(new ActiveMQConnectionFactory(url()).createConnection());
        MessageConsumer consumer = session(connection).createConsumer(queue);
        assertNull(consumer.receiveNoWait());
        connection.start();
        assertEquals("waits", nextText(consumer));
    }

    @Test
    void a_stopped_connection_delivers_again_after_start() throws Exception {
        Queue queue = queue();
        Connection connection = connection();
        List<String> heard = Collections.synchronizedList(new ArrayList<>());
        session(connection).createConsumer(queue).setMessageListener(message -> heard.add(message.toString()));
        connection.stop();
        send(queue, "while stopped");
        MessageConsumer other = session().createConsumer(topic());
        assertNull(other.receiveNoWait());
        assertTrue(heard.isEmpty());
        connection.start();
        Await.until("the message", () -> heard.size() == 1);
    }

    @Test
    void a_stopped_connection_may_send() throws Exception {
        Queue queue = queue();
        Connection connection = connection();
        connection.stop();
        send(session(connection), queue, "sent");
        assertEquals(List.of("sent"), rest(queue));
    }

    @Test
    void the_meta_data_tells_of_jms_and_of_its_properties() throws Exception {
        ConnectionMetaData data = connection().getMetaData();
        assertTrue(data.getJMSMajorVersion() >= 1);
        assertEquals("ActiveMQ", data.getJMSProviderName());
        List<?> names = Collections.list(data.getJMSXPropertyNames());
        assertTrue(names.containsAll(List.of("JMSXGroupID", "JMSXGroupSeq", "JMSXDeliveryCount", "JMSXProducerTXID")), names.toString());
    }

    @Test
    void the_broker_says_who_it_is() throws Exception {
        ActiveMQConnection connection = connection();
        session(connection);
        Await.until("the broker's info", () -> connection.getBrokerInfo() != null);
        assertNotNull(connection.getBrokerInfo().getBrokerName());
        assertNotNull(connection.getBrokerInfo().getBrokerId());
    }

    @Test
    void the_exception_listener_hears_that_the_broker_died() throws Exception {
        Broker broker = closing(Broker.own());
        ActiveMQConnection connection = connected(url(broker));
        CountDownLatch told = new CountDownLatch(1);
        connection.setExceptionListener(error -> told.countDown());
        session(connection).createConsumer(queue());
        broker.kill();
        assertTrue(told.await(Await.PATIENCE_MILLIS, TimeUnit.MILLISECONDS));
        assertThrows(JMSException.class, () -> session(connection));
    }

    @Test
    void nobody_there_is_a_jms_exception() {
        assertThrows(JMSException.class, () -> connected("tcp://127.0.0.1:1"));
    }

    @Test
    void user_and_password_are_accepted_where_nobody_asks_for_them() throws Exception {
        Connection connection = closing(new ActiveMQConnectionFactory(url()).createConnection("anybody", "anything"));
        connection.start();
        send(session(connection), queue(), "in");
    }

    @Test
    void fifty_connections_live_side_by_side() throws Exception {
        Queue queue = queue();
        List<Connection> connections = new ArrayList<>();
        for (int index = 0; index < 50; index++) {
            connections.add(connection());
        }
        for (Connection connection : connections) {
            send(session(connection), queue, "hello");
        }
        assertEquals(50, rest(queue).size());
    }

    @Test
    void an_idle_connection_stays_alive_by_keep_alives() throws Exception {
        Queue queue = queue();
        ActiveMQConnection connection = connection("wireFormat.maxInactivityDuration=1000", "wireFormat.maxInactivityDurationInitalDelay=100");
        List<Exception> errors = Collections.synchronizedList(new ArrayList<>());
        connection.setExceptionListener(errors::add);
        MessageConsumer consumer = session(connection).createConsumer(queue);
        assertNull(consumer.receive(2500), "more than twice the time after which a silent peer counts as dead");
        send(queue, "alive");
        assertEquals("alive", nextText(consumer));
        assertTrue(errors.isEmpty(), errors.toString());
    }
}

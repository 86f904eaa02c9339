import java.io.File;
import org.apache.activemq.broker.BrokerService;
import org.apache.activemq.store.kahadb.KahaDBPersistenceAdapter;

/** ActiveMQ Classic with its defaults, one STOMP port and one for OpenWire: Classic DATA STOMP_PORT OPENWIRE_PORT. */
public final class Classic {
    public static void main(String[] arguments) throws Exception {
        KahaDBPersistenceAdapter store = new KahaDBPersistenceAdapter();
        store.setDirectory(new File(arguments[0], "kahadb"));
        BrokerService broker = new BrokerService();
        broker.setBrokerName("bench");
        broker.setDataDirectory(arguments[0]);
        broker.setPersistenceAdapter(store);
        broker.setUseJmx(false);
        broker.addConnector("stomp://127.0.0.1:" + arguments[1]);
        broker.addConnector("tcp://127.0.0.1:" + arguments[2]);
        broker.start();
        broker.waitUntilStopped();
    }
}

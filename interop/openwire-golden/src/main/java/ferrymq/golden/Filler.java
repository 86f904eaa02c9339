package ferrymq.golden;

import java.lang.reflect.Array;
import java.lang.reflect.Method;
import java.util.List;
import org.apache.activemq.command.*;
import org.apache.activemq.filter.BooleanExpression;
import org.apache.activemq.util.ByteSequence;

/** Fills structures with values that are the same in every run. */
final class Filler {
    /** What to fill with. */
    enum Variant {
        /** Everything has an ordinary value. */
        FULL,
        /** Nothing is set beyond what cannot be absent. */
        EMPTY,
        /** Values at the edges: empty, negative, not ASCII. */
        ODD
    }

    private static final String[] ODD_TEXTS = {"", "é€", "a\0b", "\uD83D\uDE00!", "ü".repeat(150), "plain"};
    private static final long[] ODD_LONGS =
        {-1, Long.MIN_VALUE, 65535, 65536, 4294967295L, 4294967296L, Long.MAX_VALUE, 1};
    private static final int[] ODD_INTS = {-1, Integer.MIN_VALUE, Integer.MAX_VALUE, 255};
    private static final long[] FULL_LONGS = {0x1234, 0x12345678L, 0x123456789ABCL};

    private final Variant variant;
    private int count;

    Filler(Variant variant, int start) {
        this.variant = variant;
        this.count = start;
    }

    static DataStructure create(String name) throws Exception {
        return (DataStructure) Class.forName("org.apache.activemq.command." + name).getConstructor().newInstance();
    }

    /** Fills all fields of the tables. */
    <T extends DataStructure> T fill(T structure) throws Exception {
        String name = structure.getClass().getSimpleName();
        fill(structure, Tables.ALL.get(name));
        if (structure instanceof ActiveMQBlobMessage) {
            fill(structure, Tables.BLOB);
        }
        return structure;
    }

    private void fill(DataStructure structure, List<Tables.Field> fields) throws Exception {
        for (Tables.Field field : fields) {
            if (field.property().equals("NetworkTTL")) {
                continue; // sets the other two
            }
            Method setter = setter(structure.getClass(), field.property());
            Class<?> type = setter.getParameterTypes()[0];
            if (variant != Variant.EMPTY) {
                setter.invoke(structure, value(type, field, structure));
            } else if (!type.isPrimitive()) {
                setter.invoke(structure, (Object) null);
            }
        }
    }

    private static Method setter(Class<?> type, String property) {
        Method found = null;
        for (Method method : type.getMethods()) {
            boolean candidate = method.getName().equals("set" + property) && method.getParameterCount() == 1;
            if (candidate && (found == null || method.getParameterTypes()[0] != Object.class)) {
                found = found == null || preferred(method) ? method : found;
            }
        }
        if (found == null) {
            throw new IllegalStateException(type + " has no " + property);
        }
        return found;
    }

    /** Of several setters, the one that marshallers use. */
    private static boolean preferred(Method method) {
        String type = method.getParameterTypes()[0].getName();
        return type.startsWith("org.apache.activemq") || type.equals("int");
    }

    private Object value(Class<?> type, Tables.Field field, DataStructure owner) throws Exception {
        count++;
        boolean odd = variant == Variant.ODD;
        if (type == boolean.class) {
            return !odd || count % 2 == 0;
        } else if (type == byte.class) {
            return (byte) (odd ? -count : count % 100);
        } else if (type == int.class) {
            return odd ? ODD_INTS[count % ODD_INTS.length] : count * 1000;
        } else if (type == long.class) {
            return odd ? ODD_LONGS[count % ODD_LONGS.length] : FULL_LONGS[count % FULL_LONGS.length] + count;
        } else if (type == String.class) {
            return text(field, owner, odd);
        } else if (type == byte[].class) {
            return bytes();
        } else if (type == ByteSequence.class) {
            return new ByteSequence(bytes());
        } else if (type == Throwable.class) {
            return throwable(odd);
        } else if (type.isArray()) {
            return array(type.getComponentType(), odd);
        }
        return structure(type, owner);
    }

    private String text(Tables.Field field, DataStructure owner, boolean odd) {
        if (field.name().equals("physical_name")) {
            boolean temporary = owner instanceof ActiveMQTempDestination;
            return temporary ? "ID:host-1234-5678-" + count + ":1:" + count : (odd ? "größe." : "queue.") + count + "?a=b";
        }
        if (field.required()) {
            return "ID:host-61616-1700000000000-" + count + ":1";
        }
        return odd ? ODD_TEXTS[count % ODD_TEXTS.length] : field.name() + "-" + count;
    }

    private byte[] bytes() {
        byte[] bytes = new byte[variant == Variant.ODD ? count % 3 : 5 + count % 7];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) (i * 37 + count);
        }
        return bytes;
    }

    private Throwable throwable(boolean odd) {
        var cause = new IllegalArgumentException("a cause");
        cause.setStackTrace(new StackTraceElement[0]);
        var throwable = new IllegalStateException(odd ? "größer\n\"so\"" : "went wrong " + count, odd ? cause : null);
        throwable.setStackTrace(new StackTraceElement[] {
            new StackTraceElement("example.Thrower", "run", odd ? null : "Thrower.java", count),
            new StackTraceElement("example.Caller", "<init>", "Caller.java", -2)});
        return throwable;
    }

    private Object array(Class<?> element, boolean odd) throws Exception {
        int length = odd ? count % 2 * 3 : 2;
        Object array = Array.newInstance(element, length);
        for (int i = 0; i < length; i++) {
            Object value;
            if (element == DataStructure.class) {
                value = fill(create(odd && i == 1 ? "ActiveMQTextMessage" : "XATransactionId"));
            } else if (element == BrokerInfo.class) {
                var peer = new BrokerInfo();
                peer.setBrokerId(new BrokerId("peer-" + count));
                peer.setBrokerName("peer");
                value = peer;
            } else {
                value = fill(create(element.getSimpleName()));
            }
            Array.set(array, i, value);
        }
        return array;
    }

    private static final String[] DESTINATIONS =
        {"ActiveMQQueue", "ActiveMQTopic", "ActiveMQTempQueue", "ActiveMQTempTopic"};
    private static final String[] OBJECTS = {"ConsumerId", "ProducerId", "SessionId", "ConnectionId", "ActiveMQQueue"};

    private Object structure(Class<?> type, DataStructure owner) throws Exception {
        if (type == ActiveMQDestination.class) {
            return fill(create(DESTINATIONS[count % DESTINATIONS.length]));
        } else if (type == TransactionId.class) {
            return fill(create(count % 2 == 0 ? "LocalTransactionId" : "XATransactionId"));
        } else if (type == BooleanExpression.class) {
            return fill(new NetworkBridgeFilter());
        } else if (type == Message.class) {
            return fill(new ActiveMQTextMessage());
        } else if (type == DataStructure.class && owner instanceof RemoveInfo) {
            return fill(create(OBJECTS[count % OBJECTS.length]));
        } else if (type == DataStructure.class) {
            return nested();
        }
        return fill(create(type.getSimpleName()));
    }

    /** What a message or response carries: a command, a message, or what is inside a message. */
    private DataStructure nested() throws Exception {
        return switch (count % 3) {
            case 0 -> fill(new ProducerInfo());
            case 1 -> new Filler(Variant.EMPTY, count).fill(new ActiveMQBytesMessage());
            default -> fill(new ActiveMQTopic());
        };
    }
}

package ferrymq.golden;

import java.lang.reflect.Array;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.activemq.command.*;
import org.apache.activemq.util.ByteSequence;

/** Describes structures as the codec's own types print themselves for debugging. */
final class Describer {
    private static final Map<String, String> KINDS = Map.of(
        "ActiveMQQueue", "Queue", "ActiveMQTopic", "Topic", "ActiveMQTempQueue", "TempQueue",
        "ActiveMQTempTopic", "TempTopic", "ActiveMQMessage", "Plain", "ActiveMQBytesMessage", "Bytes",
        "ActiveMQMapMessage", "Map", "ActiveMQObjectMessage", "Object", "ActiveMQStreamMessage", "Stream",
        "ActiveMQTextMessage", "Text");

    private final int version;
    private final boolean stackTrace;

    Describer(int version, boolean stackTrace) {
        this.version = version;
        this.stackTrace = stackTrace;
    }

    /** As a variant of Command. */
    String command(Object value) throws Exception {
        if (value instanceof Message) {
            return "Message(" + structure(value) + ")";
        } else if (value instanceof MessageId || !isObject(value)) {
            return value.getClass().getSimpleName() + "(" + structure(value) + ")";
        }
        return "Object(" + object(value) + ")";
    }

    private static boolean isObject(Object value) {
        return value instanceof ActiveMQDestination || value instanceof TransactionId || value instanceof ConnectionId
            || value instanceof SessionId || value instanceof ConsumerId || value instanceof ProducerId
            || value instanceof BrokerId;
    }

    private String object(Object value) throws Exception {
        String name = value.getClass().getSimpleName();
        if (value instanceof ActiveMQDestination) {
            name = "Destination";
        } else if (value instanceof TransactionId) {
            name = "TransactionId";
        }
        return name + "(" + structure(value) + ")";
    }

    private String structure(Object value) throws Exception {
        String name = value.getClass().getSimpleName();
        if (value instanceof WireFormatInfo info) {
            var magic = new ArrayList<String>();
            for (byte octet : info.getMagic()) {
                magic.add(Byte.toString(octet));
            }
            return "WireFormatInfo { magic: " + magic + ", version: " + info.getVersion()
                + ", marshalled_properties: Some(" + octets(info.getMarshalledProperties()) + ") }";
        } else if (value instanceof ActiveMQDestination) {
            return "Destination { kind: " + KINDS.get(name) + ", " + fields(value, Tables.ALL.get(name)) + " }";
        } else if (value instanceof LocalTransactionId) {
            return "Local(" + plain(value, name) + ")";
        } else if (value instanceof XATransactionId) {
            return "Xa(" + plain(value, "XaTransactionId") + ")";
        } else if (value instanceof Message) {
            String kind = value instanceof ActiveMQBlobMessage
                ? "Blob(BlobFields { " + fields(value, Tables.BLOB) + " })" : KINDS.get(name);
            return "Message { kind: " + kind + ", fields: MessageFields { "
                + fields(value, Tables.ALL.get(name)) + " } }";
        }
        return plain(value, name);
    }

    private String plain(Object value, String name) throws Exception {
        return name + " { " + fields(value, Tables.ALL.get(value.getClass().getSimpleName())) + " }";
    }

    private String fields(Object owner, List<Tables.Field> fields) throws Exception {
        var texts = new ArrayList<String>();
        for (Tables.Field field : fields) {
            Method getter = getter(owner.getClass(), field.property());
            texts.add(field.name() + ": " + value(owner, field, getter.getReturnType(), getter.invoke(owner)));
        }
        return String.join(", ", texts);
    }

    private static Method getter(Class<?> type, String property) throws Exception {
        try {
            return type.getMethod("get" + property);
        } catch (NoSuchMethodException e) {
            return type.getMethod("is" + property);
        }
    }

    private String value(Object owner, Tables.Field field, Class<?> type, Object value) throws Exception {
        boolean old = version < 10;
        switch (field.name()) {
            case "network_ttl" -> value = old ? value : 0;
            case "message_ttl", "consumer_ttl" -> value = old ? 0 : value;
            // Java puts empty texts or another field's value where the version has none; in the codec absent is absent.
            case "connected_brokers", "reconnect_to" -> value = version < 6 ? null : value;
            case "subscribed_destination" -> value = version < 3 ? null : value;
            case "password" -> value = value == null ? null : "hidden";
            default -> { }
        }
        if (type.isPrimitive()) {
            return value.toString();
        } else if (field.required()) {
            return text((String) value);
        } else if (value == null) {
            return "None";
        } else if (field.name().equals("password")) {
            return "Some(Secret)";
        }
        return "Some(" + present(owner, type, value) + ")";
    }

    private String present(Object owner, Class<?> type, Object value) throws Exception {
        if (value instanceof String string) {
            return text(string);
        } else if (value instanceof byte[] array) {
            return octets(new ByteSequence(array));
        } else if (value instanceof ByteSequence sequence) {
            return octets(sequence);
        } else if (value instanceof Throwable throwable) {
            return throwable(throwable);
        } else if (type.isArray()) {
            var texts = new ArrayList<String>();
            for (int i = 0; i < Array.getLength(value); i++) {
                Object element = Array.get(value, i);
                texts.add(type.getComponentType() == DataStructure.class ? command(element) : structure(element));
            }
            return texts.toString();
        } else if (type == DataStructure.class) {
            return owner instanceof RemoveInfo ? object(value) : command(value);
        }
        return structure(value);
    }

    private String throwable(Throwable value) {
        var elements = new ArrayList<String>();
        if (stackTrace) {
            for (StackTraceElement element : value.getStackTrace()) {
                elements.add("StackTraceElement { class_name: " + optional(element.getClassName())
                    + ", method_name: " + optional(element.getMethodName())
                    + ", file_name: " + optional(element.getFileName()) + ", line: " + element.getLineNumber() + " }");
            }
        }
        String cause = stackTrace && value.getCause() != null ? "Some(" + throwable(value.getCause()) + ")" : "None";
        return "Throwable { class_name: " + optional(value.getClass().getName()) + ", message: "
            + optional(value.getMessage()) + ", stack_trace: " + elements + ", cause: " + cause + " }";
    }

    private static String optional(String value) {
        return value == null ? "None" : "Some(" + text(value) + ")";
    }

    static String text(String value) {
        var out = new StringBuilder("\"");
        value.codePoints().forEach(c -> {
            switch (c) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case 0 -> out.append("\\0");
                default -> out.appendCodePoint(c);
            }
        });
        return out.append('"').toString();
    }

    static String octets(ByteSequence value) {
        var out = new StringBuilder("b\"");
        for (int i = 0; i < value.length; i++) {
            int octet = value.data[value.offset + i] & 0xFF;
            switch (octet) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                case 0 -> out.append("\\0");
                default -> {
                    if (octet >= 0x20 && octet < 0x7F) {
                        out.append((char) octet);
                    } else {
                        out.append(String.format("\\x%02x", octet));
                    }
                }
            }
        }
        return out.append('"').toString();
    }
}
